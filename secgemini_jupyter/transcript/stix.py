"""Indicators as a STIX 2.1 bundle, for a threat intelligence platform.

A mention is no verdict: indicators are of type `unknown`, and their description says where they were mentioned. What
everybody has (private, loopback, documentation and other special addresses, internal names) is left out, and so is a
host that was only part of a URL or of a mail address: blocking it would block everything else there.

The same indicator of the same session always has the same id, so that a bundle written later replaces an earlier one.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.indicators import extract
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.transcript.sightings import PARTS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["stix_bundle", "to_stix"]

NAMESPACE = uuid.UUID("7f0f3a2e-6c1b-5d7e-9b1a-2f4c8d0e6a51")
"""Of our ids: a UUIDv5 of it and what the object is about."""
IDENTITY_CREATED = "2026-01-01T00:00:00.000Z"
_SPECIAL = frozenset(
    "private loopback documentation link_local multicast unspecified shared broadcast reserved internal".split()
)
_HIVES = {
    "HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER", "HKCR": "HKEY_CLASSES_ROOT", "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
}  # fmt: skip
_HASHES = {"md5": "MD5", "sha1": "'SHA-1'", "sha256": "'SHA-256'", "sha512": "'SHA-512'"}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _address(kind: str) -> Callable[[str], str]:
    return lambda value: f"[{kind}:value {'ISSUBSET' if '/' in value else '='} {_quoted(value)}]"


def _value(kind: str) -> Callable[[str], str]:
    return lambda value: f"[{kind}:value = {_quoted(value)}]"


def _hash(name: str) -> Callable[[str], str]:
    return lambda value: f"[file:hashes.{name} = {_quoted(value)}]"


def _registry(value: str) -> str:
    """The hive's name in full, as the standard asks for."""
    hive, _, rest = value.partition("\\")
    hive = hive.rstrip(":")
    key = "\\".join((_HIVES.get(hive.upper(), hive), rest))
    return f"[windows-registry-key:key = {_quoted(key)}]"


PATTERNS: dict[str, Callable[[str], str]] = {
    "ipv4": _address("ipv4-addr"),
    "ipv6": _address("ipv6-addr"),
    "domain": _value("domain-name"),
    "onion": _value("domain-name"),
    "url": _value("url"),
    "email": _value("email-addr"),
    **{kind: _hash(name) for kind, name in _HASHES.items()},
    "registry": _registry,
    "asn": lambda value: f"[autonomous-system:number = {int(re.sub('[^0-9]', '', value))}]",
}
"""The types that become indicators. Wallets have no object in the standard; a path, alone, is no indicator."""


def to_stix(iocs: pd.DataFrame, *, special: bool = False, hosts: bool = False) -> str:
    """`stix_bundle` as JSON."""
    return json.dumps(stix_bundle(iocs, special=special, hosts=hosts), ensure_ascii=False, indent=2) + "\n"


def stix_bundle(
    iocs: pd.DataFrame, *, special: bool = False, hosts: bool = False, now: float | None = None
) -> dict[str, Any]:
    """The rows of `df.secgemini.iocs()`, all or those that were chosen, as a STIX 2.1 bundle.

    CVEs become vulnerabilities; what has no place in the standard (paths, wallets, weaknesses, techniques) is left out,
    and so is a URL that somebody shortened with an ellipsis: it matches nothing.

    Args:
        special: keep private, loopback, documentation and other special addresses, and internal names.
        hosts: keep a host that was seen in URLs or mail addresses alone.
        now: Unix seconds, for rows of which no time is known.

    Raises:
        InputError: a column is missing.
    """
    if missing := [name for name in ("type", "value", "flags") if name not in iocs.columns]:
        raise InputError(f"The table lacks the columns {', '.join(missing)}. Pass one that .secgemini.iocs() made.")
    made: dict[str, dict[str, Any]] = {}
    for row in _rows(iocs):
        if _is_wanted(row, special=special, hosts=hosts):
            item = _object(row, time.time() if now is None else now)
            made.setdefault(item["id"], item)
    objects = [_identity(), *made.values()]
    told = json.dumps(objects, sort_keys=True, ensure_ascii=False)
    return {"type": "bundle", "id": f"bundle--{_uuid('bundle', told)}", "objects": objects}


def _rows(iocs: pd.DataFrame) -> Iterator[dict[str, Any]]:
    table = iocs.astype(object)
    table = table.where(table.notna(), None)
    names = [str(name) for name in table.columns]
    for values in table.itertuples(index=False, name=None):
        yield dict(zip(names, values, strict=True))


def _is_wanted(row: dict[str, Any], *, special: bool, hosts: bool) -> bool:
    kind, flags = str(row["type"]), set(str(row["flags"] or "").split())
    if kind not in PATTERNS and kind != "cve":
        return False
    if "shortened" in flags or (not hosts and flags & PARTS):
        return False
    return special or not (flags & _SPECIAL or (kind in ("url", "email") and _is_special_host(str(row["value"]))))


def _object(row: dict[str, Any], now: float) -> dict[str, Any]:
    kind, value = str(row["type"]), str(row["value"])
    session = str(row.get("session_id") or "")
    created = _time(row.get("first_seen"), now)
    last = row.get("last_seen")
    modified = created if last is None else max(created, _time(last, now))
    common = {"spec_version": "2.1", "created_by_ref": _identity()["id"], "created": created, "modified": modified}
    if kind == "cve":
        return {
            "type": "vulnerability",
            "id": f"vulnerability--{_uuid('vulnerability', session, value)}",
            **common,
            "name": value,
            "external_references": [{"source_name": "cve", "external_id": value}],
        }
    pattern = PATTERNS[kind](_sendable(value))
    return {
        "type": "indicator",
        "id": f"indicator--{_uuid('indicator', session, pattern)}",
        **common,
        "name": one_line(value, 200),
        "description": _description(row, session),
        "indicator_types": ["unknown"],
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": created,
    }


def _description(row: dict[str, Any], session: str) -> str:
    count = int(row.get("count") or 1)
    times = "once" if count == 1 else f"{count} times"
    where = f" in session {one_line(session, 100)}" if session else ""
    return f"Mentioned {times}{where}: a mention, no verdict."


def _is_special_host(value: str) -> bool:
    return any(set(found.flags) & _SPECIAL for found in extract(value) if set(found.flags) & PARTS)


def _sendable(value: str) -> str:
    """Without what JSON for others must not hold: lone surrogates, which have no bytes."""
    return value.encode("utf-8", "replace").decode()


def _identity() -> dict[str, Any]:
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": f"identity--{_uuid('identity', 'secgemini-jupyter')}",
        "created": IDENTITY_CREATED,
        "modified": IDENTITY_CREATED,
        "name": "secgemini-jupyter",
        "description": "Indicators that were mentioned in sessions of Sec-Gemini, or of the local service. Unofficial.",
        "identity_class": "system",
    }


def _uuid(*parts: str) -> uuid.UUID:
    """Of the parts as a JSON list: two lists never give one text."""
    return uuid.uuid5(NAMESPACE, json.dumps(parts))


def _time(stamp: Any, now: float) -> str:
    moment = datetime.fromtimestamp(now, UTC) if stamp is None else stamp
    return f"{moment.strftime('%Y-%m-%dT%H:%M:%S')}.{moment.microsecond // 1000:03d}Z"
