"""What happened when: schema `timeline/1`, one row for each prompt, thought, tool call, answer and error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.render.steps import Step, Steps
from secgemini_jupyter.transcript.columns import Column, frame, is_time, seconds_between
from secgemini_jupyter.transcript.labels import content_gist, gist, tool_gist
from secgemini_jupyter.transcript.turns import TurnSlice

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "SCHEMA", "timeline_frame"]

SCHEMA = "timeline/1"

Kind = Literal["prompt", "thinking", "tool", "answer", "error", "source", "other"]


@dataclass(frozen=True)
class Event:
    """One thing that happened; `step` is what came of it, where it took time."""

    turn: TurnSlice
    message: Message
    kind: Kind
    step: Step | None = None

    @property
    def started_at(self) -> float | None:
        seconds = self.message.seconds
        return seconds if seconds and is_time(seconds) else None

    @property
    def ended_at(self) -> float | None:
        return self.step.ended or None if self.step and self.kind == "tool" else self.started_at

    @property
    def is_error(self) -> bool | None:
        if self.kind == "tool" and self.step:
            return None if self.step.ok is None else not self.step.ok
        return self.kind == "error"

    @property
    def label(self) -> str:
        if self.kind == "tool" and self.step:
            return tool_gist(self.step)
        return content_gist(self.message) or gist(self.message.status_message if self.message.is_error else "")


def each(name: str) -> Callable[[Sequence[Event]], Iterable[Any]]:
    read = attrgetter(name)
    return lambda events: map(read, events)


# `kind` is no category: msticpy groups by it, and fails at a label without rows.
COLUMNS: dict[str, Column[Sequence[Event]]] = {
    "started_at": Column("time", each("started_at")),
    "ended_at": Column("time", each("ended_at")),
    "duration_s": Column("Float64", lambda events: (seconds_between(e.started_at, e.ended_at) for e in events)),
    "kind": Column("string", each("kind")),
    "actor": Column("string", each("message.actor")),
    "label": Column("string", each("label")),
    "is_error": Column("boolean", each("is_error")),
    "turn_index": Column("Int32", each("turn.index")),
    "message_id": Column("string", each("message.id")),
    "session_id": Column("string", each("turn.session_id")),
    "turn_id": Column("string", each("turn.id")),
}


def timeline_frame(turns: Iterable[TurnSlice]) -> pd.DataFrame:
    """The events of `turns`, in the order of their messages; `message_id` is the first message of each.

    A tool call lasts until its result; what has none has no `ended_at`. All else happens at once, with a `duration_s`
    of 0. `label` is one line, safe to print and defanged. Pieces, progress lines and the END are no events.
    """
    return frame(COLUMNS, [event for turn in turns for event in _events(turn)], schema=SCHEMA)


def _events(turn: TurnSlice) -> Iterator[Event]:
    steps = Steps()
    for message in turn.shown:
        known = len(steps.items)
        step = steps.add(message)
        if message.is_partial:
            continue
        if message.message_type is MessageType.QUERY:
            yield Event(turn, message, "prompt")
        elif message.is_error and message.message_type in (MessageType.ERROR, MessageType.RESULT):
            yield Event(turn, message, "error")
        elif message.message_type is MessageType.RESULT:
            yield Event(turn, message, "answer")
        elif step is not None and len(steps.items) > known:  # else it goes on with an earlier one
            yield Event(turn, message, "other" if step.kind == "confirmation" else step.kind, step)
