"""The tool calls of a turn: schema `tools/1`, one row for each call, in their order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.render.steps import Step, Steps
from secgemini_jupyter.transcript.columns import Column, frame

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.models import Message

__all__ = ["COLUMNS", "SCHEMA", "tools_frame"]

SCHEMA = "tools/1"


def each(name: str) -> Callable[[Sequence[Step]], Iterable[Any]]:
    read = attrgetter(name)
    return lambda steps: map(read, steps)


COLUMNS: dict[str, Column[Sequence[Step]]] = {
    "name": Column("string", each("name")),
    "arguments": Column("string", lambda steps: (_json(step.arguments) for step in steps)),
    "ok": Column("boolean", each("ok")),
    "seconds": Column("Float64", each("seconds")),
    "output": Column("string", lambda steps: (None if step.ok is None else step.detail for step in steps)),
    "actor": Column("string", each("actor")),
    "started_at": Column("time", lambda steps: (step.started or None for step in steps)),
    "call_id": Column("string", lambda steps: (step.call_id or None for step in steps)),
    "group_id": Column("string", lambda steps: (step.group or None for step in steps)),
}


def tools_frame(messages: Iterable[Message]) -> pd.DataFrame:
    """The tool calls in `messages`; the same columns and dtypes where there is none.

    `arguments` is a JSON object as text, missing where the service does not tell them. `ok` and `output` are missing
    while a call has no result. `output` is exact: defang it before it is shown.
    """
    steps = [step for step in Steps(messages).items if step.kind == "tool"]
    return frame(COLUMNS, steps, schema=SCHEMA)


def _json(arguments: dict[str, Any] | None) -> str | None:
    return None if arguments is None else json.dumps(arguments, ensure_ascii=False, default=str)
