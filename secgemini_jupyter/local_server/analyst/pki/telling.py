"""What x509_inspect found, in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from secgemini_jupyter.local_server.analyst.text import Plain, code, count, listed, moment, table
from secgemini_jupyter.local_server.analyst.tool import Payload, Wish

One = dict[str, Any]


def answer(result: One, wish: Wish) -> str:
    found = result["objects"]
    certificates = [each for each in found if each["kind"] == "certificate"]
    if wish.one_word and certificates and (asked := [name for name in result["focus"] if name in _IN_A_WORD]):
        return "\n".join(_IN_A_WORD[asked[0]](each) for each in certificates)
    if wish.one_word and certificates:
        return "\n".join(each["status"].replace("not yet valid", "future") for each in certificates)
    if bare := _bare(certificates, wish):
        return bare
    parts = [_head(result)]
    for number, each in enumerate(found, 1):
        head = f"**{number}.** " if len(found) > 1 else ""
        focus = [_FOCUS[name](each) for name in _in_order(result["focus"])] if each["kind"] == "certificate" else []
        if focus and not (wish.is_bare and len(found) == 1):
            parts.append(head + " ".join(focus))
        elif focus:
            return " ".join(focus)
        else:
            parts.append(head + _told(each, is_short=len(found) > 4))
    if result["focus"] and certificates:
        parts[0] = ""
        is_told = len(certificates) > 1 or "weaknesses" in result["focus"]
        parts.append("" if is_told else _findings(certificates[0]))
    parts += [_chain(result), _limits(result)]
    return "\n\n".join(filter(None, parts))


def _bare(certificates: list[One], wish: Wish) -> str:
    for words, key in (
        ("expir", "not_after"),
        ("issuer", "issuer"),
        ("subject", "subject"),
        ("serial", "serial"),
        ("key", "key"),
    ):
        if wish.wants_only(words) and certificates:
            return "\n".join(code(each[key] or "unknown", 400) for each in certificates)
    if wish.wants_only("sans?", "names?", "domains?") and certificates:
        return "\n".join(f"- {code(name['value'], 300)}" for each in certificates for name in each["names"])
    if wish.wants_only("fingerprint", "sha-?256", "thumbprint") and certificates:
        return "\n".join(each["sha256"] for each in certificates)
    return ""


def _head(result: One) -> str:
    found = result["objects"]
    if len(found) == 1:
        return ""
    kinds: dict[str, int] = {}
    for each in found:
        kinds[each["kind"]] = kinds.get(each["kind"], 0) + 1
    where = "What is pasted" if result["source"] == "the prompt" else code(result["source"])
    return f"{where} holds {', '.join(count(number, kind) for kind, number in kinds.items())}."


def _told(each: One, *, is_short: bool) -> str:
    kind = each["kind"]
    if kind == "private key":
        state = "encrypted" if each["is_encrypted"] else "**not encrypted in this file**"
        return (
            f"A private key ({code(each['label'])}), {state}. It was not read and is not shown: whoever has seen it "
            "can pose as its owner, so replace it if it was not meant to be here."
        )
    if kind == "unreadable":
        return f"{code(each['label'])} cannot be read: {each['problem']}."
    if kind == "public key":
        return f"A public key: {each['key']}."
    if kind == "revocation list":
        return (
            f"A revocation list of {code(each['issuer'], 300)} with {count(each['revoked'], 'revoked certificate')}, "
            f"issued {moment(each['this_update'])}, next {moment(each['next_update'])}, "
            f"signed with {each['signature_algorithm']}."
        )
    if kind == "certificate request":
        names = listed((name["value"] for name in each["names"]), 10) if each["names"] else "none"
        told = f"A certificate request for {code(each['subject'], 300)}, key {each['key']}, names {names}."
        return f"{told} Nobody has signed it yet."
    lead = _lead(each)
    return lead if is_short else f"{lead}\n\n{_properties(each)}\n\n{_findings(each)}".rstrip()


def _lead(each: One) -> str:
    what = "a CA certificate" if each["is_ca"] else "a certificate"
    if each["same_names"]:
        checked = {
            True: "self-signed (checked with its own key)",
            False: "naming itself as issuer",
            None: "self-signed, by its names",
        }
        what = f"{what}, {checked[each['self_signed']]}"
    else:
        what = f"{what} issued by {code(each['issuer'], 300)}"
    return f"**{code(each['subject'], 300)}**: {what}. {_expiry(each)}"


def _expiry(each: One) -> str:
    begins, ends, days = each["not_before"], each["not_after"], each["days_left"]
    if each["status"] == "unknown":
        return f"Its dates cannot be read (from {moment(begins)} to {moment(ends)})."
    span = f"{begins[:10]} to {ends[:10]}"
    if each["status"] == "expired":
        return f"It **expired** on {ends} ({-days:,} days ago); it was valid from {span}."
    if each["status"] == "not yet valid":
        return f"It is **not valid yet**: from {span}."
    return f"It is within its dates, {span} ({days:,} days left, until {ends})."


def _expires(each: One) -> str:
    if each["status"] == "current":
        return (
            f"It expires on **{each['not_after']}** (in {each['days_left']:,} days); valid since {each['not_before']}."
        )
    return _expiry(each)


def _ca(each: One) -> Plain:
    if each["is_ca"]:
        return Plain("yes" + (f", path length {each['path_length']}" if each["path_length"] is not None else ""))
    return Plain("no" if each["version"] == "v3" else "not stated")


def _properties(each: One) -> str:
    names = each["names"]
    rows: list[tuple[Any, ...]] = [
        (Plain("subject"), each["subject"]),
        (Plain("issuer"), each["issuer"]),
        (Plain("serial number"), each["serial"]),
        (Plain("valid"), Plain(f"{each['not_before'] or '?'} to {each['not_after'] or '?'}")),
        (Plain("signature"), Plain(str(each["signature_algorithm"])) if each["hash"] else each["signature_algorithm"]),
        (Plain("public key"), each["key"]),
        (Plain("names"), Plain(listed((name["value"] for name in names), 12).replace("|", "\\|")) if names else None),
        (Plain("may be used for"), ", ".join([*each["key_usage"], *each["extended_key_usage"]]).replace("_", " ")),
        (Plain("CA"), _ca(each)),
        (Plain("SHA-256 fingerprint"), Plain(f"`{each['sha256']}`")),
        (Plain("SHA-1 fingerprint"), Plain(f"`{each['sha1']}`")),
        (Plain("transparency proofs"), Plain("embedded (SCT)" if each["has_scts"] else "none embedded")),
    ]
    return table([Plain("property"), Plain("value")], rows, limit=20)


def _findings(each: One) -> str:
    lines = []
    for finding in sorted(each["findings"], key=lambda finding: not finding["strong"]):
        text = f"**{finding['text']}**" if finding["strong"] else finding["text"]
        lines.append(f"- {text}" + (f": {code(finding['value'], 300)}" if finding["value"] else ""))
    if lines:
        return "What is notable:\n\n" + "\n".join(lines)
    if each["key_algorithm"] == "unknown":
        return "Nothing notable in what can be read here; its algorithms are not known to the local analyst."
    return "Nothing notable: no weak algorithm, key or date."


def _chain(result: One) -> str:
    lines = []
    for link in result["chain"]:
        if not link["names_fit"]:
            lines.append(f"- {link['from']} is not issued by {link['to']}: the names differ")
        else:
            told = {
                True: "the signature fits",
                False: "**the signature does not fit**",
                None: "by its names; the signature was not checked",
            }
            lines.append(f"- {link['from']} is issued by {link['to']}: {told[link['signature']]}")
    return "The chain:\n\n" + "\n".join(lines) if lines else ""


def _limits(result: One) -> str:
    told = "Whether it is trusted or revoked was not checked: that needs a trust store and the network."
    certificates = [each for each in result["objects"] if each["kind"] == "certificate"]
    if any(each["same_names"] and each["self_signed"] is None for each in certificates):
        told += " Signatures are not checked here: the extra `analyst` brings that, for usual algorithms."
    if result["omitted"]:
        told += f" ({result['omitted']:,} more objects were left out.)"
    return told if certificates else ""


def _names(each: One) -> str:
    if not each["names"]:
        return "It has no subject alternative names."
    return f"It is for {count(len(each['names']), 'name')}: {listed((name['value'] for name in each['names']), 30)}."


def _usage(each: One) -> str:
    uses = [use.replace("_", " ") for use in (*each["key_usage"], *each["extended_key_usage"])]
    ca = "It is a CA" if each["is_ca"] else "It is no CA"
    return f"{ca}; it may be used for {listed(uses, 20) if uses else 'anything (no usage is stated)'}."


def _self(each: One) -> str:
    if not each["same_names"]:
        return f"It is **not self-signed**: {code(each['issuer'], 300)} issued it."
    return {
        True: "It is **self-signed**: its own key verifies its signature.",
        False: "It names itself as issuer, but its own key **did not** sign it.",
        None: "It is **self-signed** by its names; the signature was not checked.",
    }[each["self_signed"]]


_FOCUS: dict[str, Callable[[One], str]] = {
    "expiry": _expires,
    "issuer": lambda each: f"Its issuer is {code(each['issuer'], 300)}.",
    "subject": lambda each: f"Its subject is {code(each['subject'], 300)}.",
    "names": _names,
    "key": lambda each: f"Its public key is {code(each['key'])}.",
    "signature": lambda each: f"It is signed with {code(each['signature_algorithm'])}.",
    "fingerprint": lambda each: f"Its fingerprints are SHA-256 `{each['sha256']}` and SHA-1 `{each['sha1']}`.",
    "usage": _usage,
    "serial": lambda each: f"Its serial number is {code(each['serial'])} (hexadecimal).",
    "self_signed": _self,
    "weaknesses": lambda each: f"{code(each['subject'], 300)}, {code(each['key'])}: {_findings(each)}",
}


def _in_order(focus: list[str]) -> list[str]:
    """What is a list comes last."""
    return sorted(focus, key=lambda name: name == "weaknesses")


def _is_weak(each: One) -> bool:
    """Whether something strong is notable beside its dates."""
    strong = [finding["text"] for finding in each["findings"] if finding["strong"]]
    return not all(text.startswith(("It expires", "It has expired", "It is not valid yet")) for text in strong)


def _common_name(name: str | None) -> str:
    """Of a distinguished name the CN, else its organization, else all of it."""
    parts = dict(part.split("=", 1) for part in re.split(r", (?=[\w.]{1,60}=)", name or "") if "=" in part)
    return code(parts.get("CN") or parts.get("O") or name or "unknown", 300)


_IN_A_WORD: dict[str, Callable[[One], str]] = {
    "issuer": lambda each: _common_name(each["issuer"]),
    "subject": lambda each: _common_name(each["subject"]),
    "names": lambda each: listed((name["value"] for name in each["names"]), 30) if each["names"] else "none",
    "key": lambda each: code(each["key"] or "unknown"),
    "signature": lambda each: code(each["signature_algorithm"] or "unknown"),
    "fingerprint": lambda each: str(each["sha256"]),
    "serial": lambda each: code(each["serial"]),
    "self_signed": lambda each: "Yes" if each["same_names"] and each["self_signed"] is not False else "No",
    "weaknesses": lambda each: "Yes" if _is_weak(each) else "No",
}
"""One word of what is asked for; of its dates, the status that stands without it."""


def items(result: One) -> list[dict[str, Any]]:
    keys = (
        "kind",
        "subject",
        "issuer",
        "serial",
        "not_before",
        "not_after",
        "status",
        "days_left",
        "key",
        "signature_algorithm",
        "is_ca",
        "sha256",
    )
    return [
        {"number": number}
        | {key: each.get(key) for key in keys}
        | {"names": ", ".join(name["value"] for name in each.get("names", ())[:50])}
        for number, each in enumerate(result["objects"], 1)
    ]


def payloads(result: One) -> list[Payload]:
    certificates = [
        each for each in result["objects"] if each["kind"] == "certificate" and each["not_before"] and each["not_after"]
    ]
    if len(certificates) < 2:
        return []
    events = [
        {"timestamp": each["not_before"], "end": each["not_after"], "title": each["subject"][:200]}
        for each in certificates
    ]
    return [Payload("sec-gemini/timeline", "Validity", {"title": "Validity", "events": events})]
