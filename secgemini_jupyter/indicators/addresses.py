"""IP addresses: which dotted numbers are one, and what is special about it."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

_DOCUMENTATION_NETS = [
    ipaddress.ip_network(net)
    for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
]
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_VERSION_BEFORE = re.compile(
    r"(?:\b(?:versions?|ver|release|build|kernel|firmware|revision|section|chapter|oid|update|patch)\b[.:=]?|\bv\.?"
    r"|\.net(?: framework| core)?|\bwindows(?: nt| server)?|§)\s{0,2}$",
    re.IGNORECASE,
)
_PRODUCT_BEFORE = re.compile(r"[a-z][\w.+-]{0,30}(?<!tcp)(?<!udp)(?<!src)(?<!dst)/\s{0,2}$", re.IGNORECASE)


@lru_cache(8192)
def address_flags(value: str) -> tuple[str, ...]:
    """What is special about an IP address or network: at most one of loopback, documentation, private, …"""
    address = ipaddress.ip_interface(value.partition("%")[0]).ip
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped:
        address = mapped
    kind = None
    if address.is_unspecified:
        kind = "unspecified"
    elif address.is_loopback:
        kind = "loopback"
    elif address.is_link_local:
        kind = "link_local"
    elif address.is_multicast:
        kind = "multicast"
    elif any(address.version == net.version and address in net for net in _DOCUMENTATION_NETS):
        kind = "documentation"
    elif address.version == 4 and address in _SHARED:
        kind = "shared"
    elif str(address) == "255.255.255.255":
        kind = "broadcast"
    elif address.is_private:
        kind = "private"
    elif address.is_reserved:
        kind = "reserved"
    return (*((kind,) if kind else ()), *(("network",) if "/" in value else ()))


@lru_cache(8192)
def ip(text: str) -> str | None:
    """`text` as an address in its usual spelling, or None. Leading zeros are refused: they may mean octal."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return f"::ffff:{mapped}" if mapped else str(address)


def ipv6(text: str) -> str | None:
    groups = text.split(":")
    if text.count(":") < 2 or text == "::" or not any(c.isdigit() for c in text):
        return None  # std::dead, or a C++ scope
    if len(groups) == 8 and all(len(group) == 2 for group in groups):
        return None  # EUI-64 or a piece of a fingerprint
    return ip(text) if len(text) <= 45 else None


def is_version(before: str) -> bool:
    """Whether four dotted numbers after this text are a version: `.NET 4.7.2.1`, `Chrome/120.0.0.0`."""
    last = before.rstrip()[-1:]
    if last == "/":
        return bool(_PRODUCT_BEFORE.search(before))
    return (last.isalpha() or last in ".:=§") and last != "" and bool(_VERSION_BEFORE.search(before))
