"""jwt_inspect: what a JSON Web Token says, how it is signed, and what is dangerous about it.

The token may still be good for a login: neither the answer nor the result repeats it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from secgemini_jupyter.local_server.analyst.jwt import TIMES, find_tokens, looks_meant, read_token
from secgemini_jupyter.local_server.analyst.sniff import readable_text
from secgemini_jupyter.local_server.analyst.text import Plain, code, count, table
from secgemini_jupyter.local_server.analyst.tool import Call, FileOrText, Payload, Request, Tool, ToolFailure, Wish

MAX_TOKENS = 20
MAX_TEXT = 4 * 2**20


class TokensArguments(FileOrText):
    """`text` or `file`: something that holds tokens, for example request headers.

    `about`: what is told alone: expiry, algorithm, signature, claims, header, or the name of a claim.
    """

    about: str | None = None


def jwt_inspect(arguments: TokensArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    text, _, _ = readable_text(arguments.content(files), MAX_TEXT)
    found = find_tokens(text) or looks_meant(text)
    if not found:
        raise ToolFailure("There is no JSON Web Token: it would be two or three parts of base64 with dots between.")
    now = int(time.time())
    return {
        "source": arguments.source,
        "now": now,
        "tokens": [read_token(token, now) for token in found[:MAX_TOKENS]],
        "omitted": max(0, len(found) - MAX_TOKENS),
    } | ({"about": arguments.about[:100]} if arguments.about else {})


_ASKED = (
    r"\bjwt|\bjson web token|\btokens?\b|\bbearer\b|\bauthori[sz]ation\b|\bclaims?\b"
    r"|\bjws\b|\bjwe\b|\bid_token\b|\baccess_token\b"
)
_GENERIC = (
    r"\b(?:decod|inspect|review|check|analy[sz]|explain|look|read|verif|valid|expir|sign|what|and|this|is|who|when|pars|safe"
    r"|secure|secret|weak|forg|alg|about|test|audit|examine|dump|show|break down|crack)\w*"
)


def _plan(request: Request) -> list[Call]:
    """Tokens that the user shows: alone, or with any wish that can mean them; in a log only when they are asked for."""
    asks = request.asks(_ASKED)
    files = [each for each in request.named() if each.is_text or each.kind == "email"]
    if asks and files:
        return [Call("jwt_inspect", {"file": each.name}, f"read the tokens in {code(each.name)}") for each in files]
    tokens = find_tokens(request.prompt[:200_000])
    if not tokens:
        meant = looks_meant(request.prompt[:20_000]) if request.asks(r"\bjwts?\b|\bjson web token") else []
        if meant:
            return [Call("jwt_inspect", {"text": request.pasted or request.prompt}, "read the token")]
        new = [each for each in request.attachments if each.is_text]
        if (
            request.asks(r"\b(?:the|this|that|these|my) (?:jwt|json web token)s?\b|\bjwts\b")
            and new
            and not request.pasted
        ):
            return [Call("jwt_inspect", {"file": each.name}, f"read the tokens in {code(each.name)}") for each in new]
        return []
    if request.asks(r"\b(?:iocs?|indicators?|defang|refang|extract)\b") and not asks:
        return []
    shown = sum(map(len, tokens))
    is_most = shown > 0.5 * len(request.prompt.strip())
    if asks or is_most or (request.asks(_GENERIC) and len(request.prompt) - shown < 2_000):
        return [
            Call("jwt_inspect", {"text": "\n".join(tokens)}, f"read the {'token' if len(tokens) == 1 else 'tokens'}")
        ]
    return []


_ABOUT = (
    ("expiry", r"\bexpir\w*|\bstill valid\b|\bvalid until\b|\bhow long\b|\bexp\b"),
    ("algorithm", r"\balg(?:orithm)?\b"),
    ("signature", r"\bsign(?:ed|ature)\b|\bverif\w*|\b(?:weak )?(?:key|secret)\b"),
    ("claims", r"\bclaims\b|\bpayload\b"),
    ("header", r"\bheaders?\b"),
)
_CLAIMS = {"sub": r"subject|user", "iss": r"issuer|issued by", "aud": r"audience|for whom", "iat": r"issued at|issued"}


def _again(request: Request, result: dict[str, Any]) -> list[Call]:
    """A claim by its name, or a part of the token: "when does it expire?", "what role?"."""
    names = dict.fromkeys(name for each in result.get("tokens", ()) for name in each["claims"] or {})
    claim = next((name for name in names if request.asks(rf"(?<!\w){re.escape(name.lower())}s?(?!\w)")), None)
    named = claim or next((name for name, words in _CLAIMS.items() if request.asks(rf"\b(?:{words})\b")), None)
    about = next((name for name, words in _ABOUT if request.asks(words)), named)
    return [Call("jwt_inspect", {"about": about}, f"read {code(about)} of the token")] if about else []


def _alone(each: dict[str, Any], about: str, *, bare: bool) -> str:
    match about:
        case "expiry":
            exp = each["times"].get("exp")
            return str(exp) if bare and exp else _expiry(each)
        case "algorithm":
            return (
                code(each["algorithm"] or "(no alg)")
                if bare
                else f"Its algorithm is {code(each['algorithm'] or '(none)')}."
            )
        case "signature":
            return _word(each) if bare and each["signature"] == "none" else _signature(each)
        case "claims" | "header":
            return _rows(about.removesuffix("s"), each[about], each["times"] if about == "claims" else {})
    claims = each["claims"] or {}
    if about not in claims:
        return f"It has no claim {code(about)}."
    value = code(_shown(claims[about]), 400)
    time_ = f" ({each['times'][about]})" if about in each["times"] else ""
    return value if bare else f"Its claim {code(about)} is **{value}**{time_}."


def _answer(result: dict[str, Any], wish: Wish) -> str:
    tokens = result["tokens"]
    if (about := result.get("about")) and not (about == "claims" and wish.is_bare):
        return "\n".join(_alone(each, about, bare=wish.one_word) for each in tokens)
    if wish.wants_only("alg"):
        return "\n".join(code(each["algorithm"] or "unknown") for each in tokens)
    if wish.wants_only("claims?", "payload", "body") or wish.wants_only("header"):
        part = "header" if wish.wants_only("header") else "claims"
        return "\n".join(
            f"- {code(name)}: {code(_shown(value), 400)}"
            for each in tokens
            for name, value in (each[part] or {}).items()
        )
    if wish.wants_only("expir", "exp"):
        return "\n".join(_expiry(each) for each in tokens)
    if wish.wants_only("subject", "sub", "user", "who"):
        return "\n".join(code((each["claims"] or {}).get("sub", "no sub claim")) for each in tokens)
    if wish.one_word:
        return "\n".join(_word(each) for each in tokens)
    parts = []
    for number, each in enumerate(tokens, 1):
        head = f"**Token {number}**: " if len(tokens) > 1 else ""
        parts.append(head + _told(each))
    if result["omitted"]:
        parts.append(f"({count(result['omitted'], 'further token')} left out.)")
    return "\n\n".join(parts)


def _word(each: dict[str, Any]) -> str:
    if each["signature"] == "none":
        return "unsigned"
    return str(each["expiry"]) if each["expiry"] in ("expired", "valid") else "unverified"


def _told(each: dict[str, Any]) -> str:
    if each["error"]:
        return f"This is no readable token: {each['error']}" + "".join(f"\n- {note}" for note in each["notes"])
    if each["is_encrypted"]:
        told = f"An encrypted token (JWE, {code(each['algorithm'])}): its claims cannot be read without the key."
        return _with_findings(told + "\n\n" + _rows("header", each["header"], {}), each)
    lead = _signature(each) + " " + _expiry(each)
    parts = [lead, _rows("claim", each["claims"], each["times"])] if each["claims"] is not None else [lead]
    if each["claims"] == {}:
        parts[-1] = "It has no claims."
    parts.append(_rows("header", each["header"], {}))
    return _with_findings("\n\n".join(parts), each)


def _with_findings(told: str, each: dict[str, Any]) -> str:
    if each["findings"]:
        lines = [f"- {_finding(finding)}" for finding in each["findings"]]
        told += "\n\n**What is notable**\n\n" + "\n".join(lines)
    return told


def _finding(finding: dict[str, Any]) -> str:
    shown = f" {code(finding['value'], 200)}" if finding.get("value") else ""
    return f"{finding['text']}{':' if shown else '.'}{shown}"


def _signature(each: dict[str, Any]) -> str:
    algorithm = code(each["algorithm"] or "(no alg)")
    told = {
        "none": f"Algorithm {algorithm}: the token is **unsigned**, so anybody can write one like it.",
        "missing": f"Algorithm {algorithm}, but **the signature is missing**: it is unsigned, whatever the "
        "header says.",
        "weak": f"Algorithm {algorithm}; **the signature verifies with the weak key {code(each['weak_key'], 200)}**: "
        "anybody can sign tokens of this service with it.",
        "unknown key": f"Algorithm {algorithm}; the signature was **not verified**: none of {each['keys_tried']} weak "
        "keys fits, and the real one is not here.",
        "public key": f"Algorithm {algorithm}; the signature was **not verified**: that needs the issuer's public key.",
    }
    return told.get(
        str(each["signature"]), f"Algorithm {algorithm}; the signature was **not verified**: it is not known here."
    )


def _expiry(each: dict[str, Any]) -> str:
    exp = each["times"].get("exp")
    if each["expiry"] == "expired":
        return f"It **expired** on {exp} ({each['expiry_ago']})."
    if each["expiry"] == "valid":
        return f"It has not expired: it holds until {exp} ({each['expiry_ago']})."
    if each["expiry"] == "unreadable":
        return "Its `exp` is no time that can be read."
    return "It has no `exp`: it never expires by itself."


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        import json

        return json.dumps(value, ensure_ascii=False)[:2_000]
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _rows(kind: str, values: dict[str, Any] | None, times: dict[str, str]) -> str:
    rows = []
    for name, value in (values or {}).items():
        meaning = TIMES.get(name, "") if kind == "claim" else ""
        told = f"{times[name]}" if name in times else ""
        rows.append((name, _shown(value), Plain(", ".join(filter(None, [told, meaning])) or "–")))
    return table([Plain(kind), Plain("value"), Plain("meaning")], rows, limit=60)


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "token": number,
            "algorithm": each["algorithm"],
            "signature": each["signature"],
            "weak_key": each["weak_key"],
            "expiry": each["expiry"],
            **{
                name: value
                for name, value in (each["claims"] or {}).items()
                if isinstance(value, str | int | float | bool)
            },
            **{f"{name}_utc": value for name, value in each["times"].items()},
        }
        for number, each in enumerate(result["tokens"], 1)
    ]


def _payloads(result: dict[str, Any]) -> list[Payload]:
    rows = [
        [number, part, name, _shown(value)[:500]]
        for number, each in enumerate(result["tokens"], 1)
        for part in ("header", "claims")
        for name, value in (each[part] or {}).items()
    ]
    title = "Claims of the token" if len(result["tokens"]) == 1 else "Claims of the tokens"
    content = {"title": title, "columns": ["token", "part", "name", "value"], "rows": rows}
    return [Payload("sec-gemini/table", title, content)] if len(result["tokens"]) > 1 else []


TOOLS = (
    Tool(
        name="jwt_inspect",
        description="Header, claims and expiry of JSON Web Tokens, weak HMAC keys, alg none and dangerous headers.",
        ability='take a JWT apart, test weak keys and expiry: "Review this JWT: eyJ…"',
        arguments=TokensArguments,
        run=jwt_inspect,
        plan=_plan,
        answer=_answer,
        payloads=_payloads,
        items=_items,
        again=_again,
    ),
)
