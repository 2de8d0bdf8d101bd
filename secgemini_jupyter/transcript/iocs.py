"""Indicators of compromise in a transcript: schema `iocs/1`, one row for each indicator of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.models import MessageType
from secgemini_jupyter.transcript.columns import Column, frame
from secgemini_jupyter.transcript.turns import TurnSlice

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.indicators import Indicator

__all__ = ["COLUMNS", "SCHEMA", "iocs_frame"]

SCHEMA = "iocs/1"


@dataclass
class Sighting:
    """An indicator of a session: where it was first seen, how often, and by whom it was said."""

    indicator: Indicator
    session_id: str
    turn_index: int
    message_id: str
    count: int = 0
    turns: set[int] = field(default_factory=set)
    in_prompt: bool = False
    in_answer: bool = False


def each(name: str) -> Callable[[Sequence[Sighting]], Iterable[Any]]:
    read = attrgetter(name)
    return lambda sightings: map(read, sightings)


COLUMNS: dict[str, Column[Sequence[Sighting]]] = {
    "type": Column("string", each("indicator.type")),
    "value": Column("string", each("indicator.value")),
    "count": Column("Int64", each("count")),
    "turn_count": Column("Int32", lambda sightings: (len(sighting.turns) for sighting in sightings)),
    "in_prompt": Column("boolean", each("in_prompt")),
    "in_answer": Column("boolean", each("in_answer")),
    "flags": Column("string", lambda sightings: (" ".join(s.indicator.flags) or None for s in sightings)),
    "turn_index": Column("Int32", each("turn_index")),
    "message_id": Column("string", each("message_id")),
    "session_id": Column("string", each("session_id")),
}


def iocs_frame(turns: Sequence[TurnSlice]) -> pd.DataFrame:
    """The indicators in the texts of `turns`, in order of their first sighting, which `message_id` names.

    Values are exact, as found (refanged): defang them before they are shown.
    """
    from secgemini_jupyter.indicators import extract

    found: dict[tuple[str, str, str], Sighting] = {}
    for turn in turns:
        for message in turn.messages:
            if message.is_partial or not (text := message.text):
                continue
            for indicator in extract(text):
                key = turn.session_id, indicator.type, indicator.value
                if (seen := found.get(key)) is None:
                    seen = found[key] = Sighting(indicator, turn.session_id, turn.index, message.id)
                seen.count += 1
                seen.turns.add(turn.index)
                seen.in_prompt |= message.message_type is MessageType.QUERY
                seen.in_answer |= message.message_type is MessageType.RESULT
    return frame(COLUMNS, list(found.values()), schema=SCHEMA)
