"""The tool calls of turns: schema `tool_calls/1`, one row for each call, in their order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.render.steps import Step, Steps
from secgemini_jupyter.tools import is_denial
from secgemini_jupyter.transcript.columns import Category, Column, frame, seconds_between
from secgemini_jupyter.transcript.turns import TurnSlice

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "SCHEMA", "Call", "calls_of", "tool_calls_frame"]

SCHEMA = "tool_calls/1"


@dataclass(frozen=True)
class Call:
    """A call, and where it stands: `index` counts the turn's calls from 0."""

    step: Step
    turn: TurnSlice
    index: int

    @property
    def output(self) -> str | None:
        return self.step.detail if self.step.ok else None

    @property
    def error(self) -> str | None:
        return self.step.detail if self.step.ok is False else None

    @property
    def approval(self) -> str | None:
        """Who approved a call, the messages do not say; a denial is what the service was answered."""
        step = self.step
        if not step.is_local:
            return "na"
        return "denied" if step.ok is False and is_denial(step.name, step.detail) else None


def each(name: str) -> Callable[[Sequence[Call]], Iterable[Any]]:
    read = attrgetter(name)
    return lambda calls: map(read, calls)


def given(name: str) -> Callable[[Sequence[Call]], Iterable[Any]]:
    """Missing where it is empty, or 0."""
    read = attrgetter(name)
    return lambda calls: (read(call) or None for call in calls)


COLUMNS: dict[str, Column[Sequence[Call]]] = {
    "turn_index": Column("Int32", each("turn.index")),
    "tool_name": Column("string", each("step.name")),
    "arguments": Column("string", lambda calls: (_json(call.step.arguments) for call in calls)),
    "output": Column("string", each("output")),
    "is_error": Column("boolean", lambda calls: (None if call.step.ok is None else not call.step.ok for call in calls)),
    "error": Column("string", each("error")),
    "duration_s": Column("Float64", lambda calls: (_duration(call.step) for call in calls)),
    "actor": Column("string", given("step.actor")),
    "started_at": Column("time", given("step.started")),
    "ended_at": Column("time", given("step.ended")),
    "location": Column(
        Category(("local", "remote")), lambda calls: ("local" if call.step.is_local else "remote" for call in calls)
    ),
    "approval": Column(Category(("auto", "user", "denied", "na")), each("approval")),
    "match": Column(Category(("exact", "order", "none")), each("step.match")),
    "session_id": Column("string", each("turn.session_id")),
    "turn_id": Column("string", each("turn.id")),
    "call_index": Column("Int32", each("index")),
    "call_message_id": Column("string", given("step.call_message")),
    "result_message_id": Column("string", given("step.result_message")),
    "call_id": Column("string", given("step.call_id")),
    "group_id": Column("string", given("step.group")),
}


def tool_calls_frame(turns: Iterable[TurnSlice]) -> pd.DataFrame:
    """The tool calls of `turns`; the same columns and dtypes where there is none.

    `arguments` is a JSON object as text, missing where the service does not tell them. `output` is what came back,
    exact: defang it before it is shown; of a call that failed it is missing, and `error` says why. `is_error`, too, is
    missing while there is no result.

    `match` says how call and result found each other: `exact` by an id; `order` by name, `group` and order, since most
    results carry no id; `none` has no result, or no call. `location` is `local` for functions of this side;
    `approval` is `na` for others, `denied` where the user did not approve the call, and else missing: messages do
    not tell.
    """
    return frame(COLUMNS, [call for turn in turns for call in calls_of(turn)], schema=SCHEMA)


def calls_of(turn: TurnSlice) -> list[Call]:
    """The tool calls of one turn, in order."""
    tools = (step for step in Steps(turn.messages).items if step.kind == "tool")
    return [Call(step, turn, index) for index, step in enumerate(tools)]


def _duration(step: Step) -> float | None:
    return seconds_between(step.started or None, step.ended or None)


def _json(arguments: dict[str, Any] | None) -> str | None:
    return None if arguments is None else json.dumps(arguments, ensure_ascii=False, default=str)
