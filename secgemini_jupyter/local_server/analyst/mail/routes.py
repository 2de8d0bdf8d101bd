"""The way of a message: `Received` lines, oldest first. Those below the recipient's own servers may be invented."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from secgemini_jupyter import indicators

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


def moment(text: str) -> datetime | None:
    """The time in a mail header, in UTC; one without a zone is read as UTC."""
    try:
        found = parsedate_to_datetime(re.sub(r"\([^()]{0,80}\)", " ", text[:200]).strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    return found if 1970 <= found.year < 2200 else None
