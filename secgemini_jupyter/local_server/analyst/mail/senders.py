"""Who a message says it is from, who handed it in, and where these differ."""

from __future__ import annotations

import re
from email.utils import getaddresses
from functools import cache
from typing import Any

from secgemini_jupyter.local_server.analyst.mail.parts import Mail, decoded
from secgemini_jupyter.local_server.analyst.web.brands import MEANINGS, brands
from secgemini_jupyter.local_server.analyst.web.taking_apart import take_apart


def addresses(values: list[str]) -> list[dict[str, str]]:
    """Display name and address; parsed before encoded words are decoded, so that these add no address."""
    try:
        found = getaddresses([value[:20_000] for value in values[:50]])
    except (ValueError, IndexError, TypeError, RecursionError):
        found = []
    rows = [
        {"name": decoded(name)[:300], "address": address[:320], "domain": _domain(address)}
        for name, address in found[:200]
        if address or name
    ]
    for row, value in zip(rows, values, strict=False):
        # "Bank <a@bank.example> <x@evil.example>" and other things that the parser gives up on
        if not row["domain"] and (last := re.findall(r"<?([^\s<>\"']{1,64}@[\w.-]{1,255})>?", value[:4_000])):
            row |= {"address": last[-1], "domain": _domain(last[-1])}
    return rows


def _domain(address: str) -> str:
    return address.rpartition("@")[2].strip("<>[] .").lower()[:255] if "@" in address else ""


@cache
def registered(domain: str) -> str:
    """The registrable domain, or the host itself."""
    parts = take_apart(domain) if domain else {}
    return str(parts.get("registered") or parts.get("host") or "")


def envelope(mail: Mail, records: list[dict[str, Any]]) -> tuple[str, str]:
    """The envelope's sender as recorded, and by which header."""
    if "return-path" in {name for name, _ in mail.headers}:
        return mail.first("return-path").strip("<> ")[:320], "Return-Path"
    for record in records:
        if record["method"] == "spf" and record["about"]:
            return record["about"][:320], "the SPF record"
    for name in ("x-envelope-from", "x-original-from", "envelope-from"):
        if value := mail.first(name):
            return value.strip("<> ")[:320], name.title()
    return "", ""


def look(mail: Mail, records: list[dict[str, Any]], signed_by: list[str]) -> dict[str, Any]:
    """The senders, and findings on them."""
    findings: list[dict[str, Any]] = []
    froms = addresses(mail.all("from"))
    sender = froms[0] if froms else {"name": "", "address": "", "domain": ""}
    bounce, by = envelope(mail, records)
    replies, senders = addresses(mail.all("reply-to")), addresses(mail.all("sender"))
    own = registered(sender["domain"])
    if len(mail.all("from")) > 1 or len(froms) > 1:
        _add(
            findings,
            "It has more than one From address, and programs show different ones",
            ", ".join(each["address"] for each in froms[:5]),
            True,
        )
    if not sender["address"]:
        _add(findings, "It has no From address", "", True)
    if bounce and own and (other := registered(_domain(bounce))) and other != own:
        text = f"From says {own}, the envelope ({by}) says {other}"
        is_signed = own in {registered(domain) for domain in signed_by}
        _add(findings, "The domain of From is not that of the envelope's sender", text, not is_signed)
    for each in replies[:3]:
        if own and each["domain"] and registered(each["domain"]) != own:
            _add(findings, "Answers go to another domain than From (Reply-To)", each["address"], True)
    for each in senders[:1]:
        if own and each["domain"] and registered(each["domain"]) != own:
            _add(findings, "The Sender header has another domain than From", each["address"])
    message_id = mail.first("message-id")
    id_domain = _domain(message_id.strip("<> "))
    if own and id_domain and registered(id_domain) != own and "." in id_domain:
        _add(findings, "The Message-ID was made in another domain than From", id_domain)
    if not message_id:
        _add(findings, "It has no Message-ID, which mail programs add")
    _display_name(sender, findings)
    if sender["domain"] and (imitates := take_apart(sender["domain"])["imitates"]) and imitates["strong"]:
        _add(findings, f"The domain of From looks like {imitates['name']}", sender["domain"], True)
    return {
        "from": sender,
        "all_from": froms[:10],
        "envelope": {"address": bounce, "domain": _domain(bounce), "recorded_in": by},
        "reply_to": replies[:10],
        "sender": senders[:3],
        "message_id": message_id[:300],
        "findings": findings,
    }


def _display_name(sender: dict[str, str], findings: list[dict[str, Any]]) -> None:
    name, own = sender["name"], registered(sender["domain"])
    if shown := re.search(r"[\w.+-]{1,64}@([\w-]{1,63}(?:\.[\w-]{1,63}){1,6})", name):
        if own and registered(shown[1].lower()) != own:
            _add(findings, "The display name shows a mail address of another domain", name, True)
        return
    words = re.findall(r"[a-z0-9&]+", name.lower())
    for label, (brand, domains) in brands().items():
        told = label in words or (len(label) > 5 and label in "".join(words))
        if told and label not in MEANINGS and own and own not in domains and label not in own:
            _add(
                findings,
                f"The display name says {brand}, the domain is not one of its known ones",
                f"{name} <{sender['address']}>",
                True,
            )
            return
    if any(c in name for c in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u200e\u200f"):
        _add(findings, "The display name has characters that nobody sees", name, True)


def _add(findings: list[dict[str, Any]], text: str, value: str = "", strong: bool = False) -> None:
    findings.append({"text": text, "value": value[:500], "strong": strong})
