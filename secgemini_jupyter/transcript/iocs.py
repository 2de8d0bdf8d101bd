"""Indicators of compromise: `iocs/1`, one row for each of a session; `sightings/1`, one for each message with one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.render.text import safe_text
from secgemini_jupyter.transcript.columns import Category, Column, frame
from secgemini_jupyter.transcript.sightings import FileName, Sighting, Where, of_itself, sightings
from secgemini_jupyter.transcript.turns import TurnSlice

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.indicators import Indicator

__all__ = ["COLUMNS", "MSTICPY_TYPES", "SCHEMA", "SIGHTING_COLUMNS", "Seen", "iocs_frame", "sightings_frame"]

SCHEMA = "iocs/1"
SIGHTING_SCHEMA = "sightings/1"
MSTICPY_TYPES = {
    "domain": "dns", "onion": "dns", "md5": "md5_hash", "sha1": "sha1_hash", "sha256": "sha256_hash",
    "sha512": "file_hash", "unix_path": "linux_path",
}  # fmt: skip
"""What msticpy 3.0 calls a `type` by another name; `ipv4`, `ipv6`, `url`, `email`, `windows_path` are the same."""


@dataclass(frozen=True)
class Seen:
    """All sightings of one thing in one session, in the order of the messages."""

    sightings: Sequence[Sighting]

    @property
    def first(self) -> Sighting:
        return self.sightings[0]

    @property
    def indicator(self) -> Indicator:
        """A host that was first said in a URL, and later by itself, is a host by itself."""
        return of_itself([sighting.indicator for sighting in self.sightings])

    @property
    def count(self) -> int:
        return sum(sighting.count for sighting in self.sightings)

    @property
    def turn_count(self) -> int:
        return len({sighting.turn_index for sighting in self.sightings} - {None})

    @property
    def first_seen(self) -> float | None:
        return min(self._times(), default=None)

    @property
    def last_seen(self) -> float | None:
        return max(self._times(), default=None)

    @property
    def message_ids(self) -> str:
        """A JSON list, each id once."""
        return json.dumps([*dict.fromkeys(s.message_id for s in self.sightings if s.message_id is not None)])

    def is_in(self, where: Where) -> bool:
        return any(sighting.where == where for sighting in self.sightings)

    def _times(self) -> Iterable[float]:
        return (sighting.seen_at for sighting in self.sightings if sighting.seen_at is not None)


def each(name: str) -> Callable[[Sequence[Any]], Iterable[Any]]:
    read = attrgetter(name)
    return lambda rows: map(read, rows)


def said_in(where: Where) -> Column[Sequence[Seen]]:
    return Column("boolean", lambda rows: (seen.is_in(where) for seen in rows))


def shown(rows: Sequence[Any]) -> Iterable[str]:
    """Values that may be printed: they cannot be clicked, nor act on a terminal."""
    return (safe_text(row.indicator.defanged) for row in rows)


COLUMNS: dict[str, Column[Sequence[Seen]]] = {
    "type": Column("string", each("indicator.type")),
    "value": Column("string", each("indicator.value")),
    "count": Column("Int64", each("count")),
    "turn_count": Column("Int32", each("turn_count")),
    "in_prompt": said_in("prompt"),
    "in_answer": said_in("answer"),
    "flags": Column("string", lambda rows: (" ".join(seen.indicator.flags) or None for seen in rows)),
    "turn_index": Column("Int32", each("first.turn_index")),
    "message_id": Column("string", each("first.message_id")),
    "session_id": Column("string", each("first.session_id")),
    "defanged": Column("string", shown),
    "in_tool_result": said_in("tool_result"),
    "in_file_name": said_in("file_name"),
    "first_seen": Column("time", each("first_seen")),
    "last_seen": Column("time", each("last_seen")),
    "message_ids": Column("string", each("message_ids")),
}
SIGHTING_COLUMNS: dict[str, Column[Sequence[Sighting]]] = {
    "type": Column("string", each("indicator.type")),
    "value": Column("string", each("indicator.value")),
    "where": Column(Category(("prompt", "answer", "tool_result", "file_name", "other")), each("where")),
    "count": Column("Int64", each("count")),
    "turn_index": Column("Int32", each("turn_index")),
    "seen_at": Column("time", each("seen_at")),
    "message_id": Column("string", each("message_id")),
    "session_id": Column("string", each("session_id")),
    "defanged": Column("string", shown),
}


def iocs_frame(turns: Sequence[TurnSlice], files: Sequence[FileName] = ()) -> pd.DataFrame:
    """The indicators in `turns` and in the names of `files`, in order of their first sighting.

    `turn_index` and `message_id` are those of the first message that says it, `message_ids` (a JSON list) all of
    them. `value` is exact (refanged), to be joined with other tables on `type` and `value`; `defanged` is to be shown.
    """
    return frame(COLUMNS, all_seen(sightings(turns, files)), schema=SCHEMA)


def sightings_frame(turns: Sequence[TurnSlice], files: Sequence[FileName] = ()) -> pd.DataFrame:
    """One row for each indicator and message that says it, or attachment whose name does."""
    return frame(SIGHTING_COLUMNS, list(sightings(turns, files)), schema=SIGHTING_SCHEMA)


def all_seen(found: Iterable[Sighting]) -> list[Seen]:
    """`found`, those of one session and value together, in order of the first."""
    same: dict[tuple[str, str, str], list[Sighting]] = {}
    for sighting in found:
        key = sighting.session_id, sighting.indicator.type, sighting.indicator.value
        same.setdefault(key, []).append(sighting)
    return [Seen(sightings) for sightings in same.values()]
