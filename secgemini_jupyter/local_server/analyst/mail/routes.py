"""The way of a message: `Received` lines, oldest first. Those below the recipient's own servers may be invented."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from secgemini_jupyter import indicators
from secgemini_jupyter.local_server.analyst.web.taking_apart import take_apart

MAX_HOPS = 100
_NOT_PUBLIC = {"loopback", "private", "link_local", "shared", "unspecified", "multicast", "broadcast", "reserved"}

_FROM = re.compile(r"(?i)(?:^|[\s(])from\s+(\S{1,300})")
_BY = re.compile(r"(?i)(?:^|[\s)])by\s+(\S{1,300})")
_WITH = re.compile(r"(?i)\swith\s+(Microsoft SMTP|[\w./-]{1,60})")
_FOR = re.compile(r"(?i)\sfor\s+<?([^\s<>;]{1,300})>?")
_ADDRESS = re.compile(r"(?i)[\[(](?:IPv6:)?([0-9a-f.:]{3,45})(?:%\w+)?[\])]")
_BARE = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")


def hops(received: list[str]) -> list[dict[str, Any]]:
    """One for each `Received` header; the first is the oldest. `delay`: seconds since the hop before."""
    found = [_hop(value) for value in received[:MAX_HOPS][::-1]]
    before: float | None = None
    for number, hop in enumerate(found, 1):
        hop["hop"] = number
        at = hop.pop("epoch")
        hop["delay"] = None if at is None or before is None else round(at - before)
        before = at if at is not None else before
    return found


def _hop(value: str) -> dict[str, Any]:
    text, _, date = value.rpartition(";")
    if not text:
        text, date = value, ""
    source, _, rest = text.partition(" by ") if re.match(r"(?i)\s*from\s", text) else ("", "", text)
    by = _BY.search(" by " + rest if source else text)
    ip = _address(source)
    at = moment(date)
    said = _FROM.search(text)
    return {
        "hop": 0,
        "from": _name(said[1]) if said else None,
        "ip": ip,
        "is_public": ip is not None and not _NOT_PUBLIC & {*indicators.address_flags(ip)},
        "by": _name(by[1]) if by else None,
        "with": found[1] if (found := _WITH.search(text)) else None,
        "for": found[1] if (found := _FOR.search(text)) else None,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None,
        "epoch": at.timestamp() if at else None,
    }


def _name(text: str) -> str:
    return text.strip("()[]<>;,")


def _address(text: str) -> str | None:
    for written in [*_ADDRESS.findall(text), *_BARE.findall(text)]:
        try:
            return str(ipaddress.ip_address(written))
        except ValueError:
            continue
    return None


def handed_in_by(
    way: list[dict[str, Any]], records: list[dict[str, Any]], first: Callable[[str], str]
) -> dict[str, Any] | None:
    """The address that handed the message to the recipient's side, and whose line says so.

    Read from the newest line down: it is the recipient's own, and so are those that hand on within its domain. What
    stands below is of the sender's side; its oldest address is told as `claimed`, as is that of a header it wrote.
    """
    public = [hop for hop in way if hop["is_public"]]
    claims = [(name, ip) for name in _CLAIMS if (ip := _claimed(first(name)))]
    claims += [("received", public[0]["ip"])] if public else []
    own = _site(way[-1]["by"]) if way else ""
    found = next((hop for hop in reversed(public) if not own or _site(hop["from"]) != own), None)
    told = next(
        (
            {"ip": each["client_ip"][:45], "recorded_in": each["header"], "by": each["recorded_by"][:200]}
            for each in records
            if each["client_ip"]
        ),
        {"ip": found["ip"], "recorded_in": "received", "by": found["by"] or ""} if found else None,
    )
    claimed = next(({"ip": ip, "in": name} for name, ip in claims if told is None or ip != told["ip"]), None)
    if told is None and claimed is None:
        return None
    return (told or {"ip": "", "recorded_in": "", "by": ""}) | {"claimed": claimed}


_CLAIMS = ("x-originating-ip", "x-sender-ip", "x-client-ip")


def _site(host: str | None) -> str:
    """Whose a host is; under a suffix that is not public (`.local`), by its last two labels."""
    known = take_apart(host).get("registered") if host else ""
    return str(known or ".".join((host or "").lower().split(".")[-2:]))


def _claimed(text: str) -> str:
    return found.group() if (found := re.search(r"[0-9a-fA-F.:]{3,45}", text)) else ""


def moment(text: str) -> datetime | None:
    """The time in a mail header, in UTC; one without a zone is read as UTC."""
    try:
        found = parsedate_to_datetime(re.sub(r"\([^()]{0,80}\)", " ", text[:200]).strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    return found if 1970 <= found.year < 2200 else None
