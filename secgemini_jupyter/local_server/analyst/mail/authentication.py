"""SPF, DKIM and DMARC as they are recorded in a message, and what of DKIM needs no DNS: the body's hash."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Any

_METHOD = re.compile(r"(?i)(?<![\w-])(spf|dkim|dmarc|arc|compauth|dkim-adsp|iprev|bimi)\s?=\s?([a-z]{2,20})")
_PROPERTY = re.compile(
    r"(?i)\b(smtp\.(?:mailfrom|mfrom|helo|from)|header\.(?:d|i|from|s|b)|client-ip|envelope-from|policy\.\w+)\s?=\s?\"?([^\s\";]{1,300})"
)
MAX_RECORDS = 40


def recorded(headers: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Each result that a server wrote down, the topmost header first."""
    found: list[dict[str, Any]] = []
    for name, value in headers:
        if name in ("authentication-results", "arc-authentication-results", "x-ms-exchange-authentication-results"):
            found += _results(name, value)
        elif name == "received-spf":
            result = re.match(r"\s*([A-Za-z]{2,20})", value)
            properties = {key.lower(): each for key, each in _PROPERTY.findall(value)}
            server = re.search(r"(?i)receiver=([^\s;]{1,200})", value)
            if result:
                found.append(_record("spf", result[1].lower(), server[1] if server else "", name, properties))
    return found[:MAX_RECORDS]


def _results(name: str, value: str) -> list[dict[str, Any]]:
    first, *clauses = value.split(";")
    if name.startswith("arc-") and clauses and re.match(r"\s*i\s*=\s*\d+\s*$", first):
        first, *clauses = clauses
    server = "" if "=" in first else first.split()[0] if first.split() else ""
    if "=" in first:
        clauses = [first, *clauses]
    found = []
    for clause in clauses[:50]:
        if method := _METHOD.search(clause):
            properties = {key.lower(): each for key, each in _PROPERTY.findall(clause)}
            found.append(_record(method[1].lower(), method[2].lower(), server, name, properties))
    return found


def _record(method: str, result: str, server: str, header: str, properties: dict[str, str]) -> dict[str, Any]:
    about = next(
        (
            properties[key]
            for key in ("smtp.mailfrom", "smtp.mfrom", "envelope-from", "header.d", "header.i", "header.from")
            if key in properties
        ),
        "",
    )
    return {
        "method": method,
        "result": result,
        "about": about.strip("<>"),
        "client_ip": properties.get("client-ip", ""),
        "recorded_by": server.strip(),
        "header": header,
    }


def signatures(headers: list[tuple[str, str]], content: bytes) -> list[dict[str, Any]]:
    """DKIM signatures, and whether the body is the one that was signed. The signature itself needs a key from DNS."""
    body = _body(content)
    found: list[dict[str, Any]] = []
    for name, value in headers:
        if name == "dkim-signature" and len(found) < 10:
            tags = {}
            for pair in value.split(";")[:40]:
                key, equals, text = pair.partition("=")
                if equals:
                    tags[key.strip().lower()] = re.sub(r"\s+", "", text)
            found.append(
                {
                    "domain": tags.get("d", "")[:255].lower(),
                    "selector": tags.get("s", "")[:255],
                    "algorithm": tags.get("a", "")[:40],
                    "signs_from": "from" in tags.get("h", "").lower().split(":"),
                    "has_length": "l" in tags,
                    "body": _body_hash(tags, body),
                }
            )
    return found


def _body(content: bytes) -> bytes:
    normal = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return normal.partition(b"\r\n\r\n")[2]


def _body_hash(tags: dict[str, str], body: bytes) -> str:
    """`unchanged`, `changed` or `unknown`: RFC 6376, 3.4 and 3.7."""
    name = {"sha256": "sha256", "sha1": "sha1"}.get(tags.get("a", "").rpartition("-")[2])
    if name is None or "bh" not in tags:
        return "unknown"
    if tags.get("c", "simple").partition("/")[2].lower() == "relaxed":
        body = re.sub(rb"[ \t]+", b" ", body).replace(b" \r\n", b"\r\n")
    is_relaxed = tags.get("c", "").lower().endswith("/relaxed")
    body = body.rstrip(b"\r\n")
    body = body + b"\r\n" if body or not is_relaxed else b""
    if tags.get("l", "").isdigit():
        body = body[: int(tags["l"][:12])]
    try:
        wanted = base64.b64decode(tags["bh"])
    except (binascii.Error, ValueError):
        return "unknown"
    return (
        "unchanged"
        if hmac.compare_digest(hashlib.new(name, body, usedforsecurity=False).digest(), wanted)
        else "changed"
    )
