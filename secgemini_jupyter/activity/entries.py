"""One line of the activity log: how it is written, hashed and read. No I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

__all__ = ["GENESIS", "LOST", "REPAIRED", "VERSION", "Entry", "canonical", "read_entry", "seal", "sha256", "torn"]

VERSION = "activity/1"
GENESIS = "0" * 64
"""What the first entry has in the place of a hash of the one before."""
REPAIRED = "log_repaired"
"""Activity of the entry that tells which torn lines stand before it."""
LOST = "entries_lost"
"""Activity of the entry that tells that others could not be written."""
LONGEST = 1000
"""Characters of a text in an entry: names come from outside, and a line shall fit into the tail that is read."""
FURTHEST = 2**53
"""A number that no log reaches: one that is greater is an edit, and might be too long to write the next one."""
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A line that has the shape of an entry; whether its hash fits is `is_sound`."""

    number: int
    previous: str
    hash: str
    fields: Mapping[str, Any]
    is_sound: bool


def canonical(fields: Mapping[str, Any]) -> bytes:
    """The one way to write these fields: sorted, without blanks, in ASCII (a lone surrogate is an escape)."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def seal(fields: Mapping[str, Any], *, number: int, previous: str, at: float) -> tuple[bytes, str]:
    """A line with its hash, which is the SHA-256 of the canonical line without it."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    entry = {**_short(fields), "version": VERSION, "entry": number, "at": moment, "previous": previous}
    digest = hashlib.sha256(canonical(entry)).hexdigest()
    return canonical({**entry, "hash": digest}) + b"\n", digest


def read_entry(line: bytes) -> Entry | None:
    """None for what is no entry: torn, or written over."""
    try:
        fields = json.loads(line, parse_constant=_refuse)
        if not isinstance(fields, dict):
            return None
        rest = {name: value for name, value in fields.items() if name != "hash"}
        # Some of what can be read cannot be written: 1e999 is infinite, and lists may be nested too deep.
        spelled, hashed = canonical(fields), canonical(rest)
    except (ValueError, RecursionError):
        return None
    number, previous, digest = (fields.get(name) for name in ("entry", "previous", "hash"))
    if type(number) is not int or not 0 < number < FURTHEST or not isinstance(previous, str):
        return None
    if not isinstance(digest, str) or not _HASH.fullmatch(digest):
        return None
    # Another spelling of the same values is an edit too: a name that stands twice would hide one of them.
    is_sound = spelled == line and hashlib.sha256(hashed).hexdigest() == digest
    return Entry(number, previous, digest, fields, is_sound)


def torn(line: bytes) -> dict[str, Any]:
    """What a repair tells of a line that was cut off."""
    return {"bytes": len(line), "sha256": hashlib.sha256(line).hexdigest()}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST:
        return value[:LONGEST] + "…"
    if isinstance(value, Mapping):
        return {str(name): _short(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(each) for each in value[:LONGEST]]
    return value
