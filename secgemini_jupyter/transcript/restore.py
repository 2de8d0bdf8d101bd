"""The way back: messages out of a table that `history()` made, filtered, put together or read from a file since."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from secgemini_jupyter.errors import InputError, ProtocolError
from secgemini_jupyter.models import Message, MessageType, Role, State, Usage, read_json, read_message
from secgemini_jupyter.transcript.columns import check_columns
from secgemini_jupyter.transcript.messages import COLUMNS
from secgemini_jupyter.transcript.turns import TurnSlice, with_changes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_columns", "messages_of", "order_of", "rows_of", "turns_of"]

# Columns that say the same as the message's field: name of the column, name of the field.
_FIELDS = {
    "message_id": "id", "parent_id": "parent_id", "wire_turn": "turn", "group_id": "group", "actor": "actor",
    "role": "role", "message_type": "message_type", "state": "state", "title": "title", "content": "content",
    "mime_type": "mime_type", "status_code": "status_code", "status_message": "status_message",
}  # fmt: skip
_TOKENS = {
    "prompt_tokens": "prompt_tokens", "generated_tokens": "generated_tokens", "total_tokens": "total_tokens",
    "cached_tokens": "cached_token_count", "thoughts_tokens": "thoughts_token_count",
    "tool_use_prompt_tokens": "tool_use_prompt_token_count",
}  # fmt: skip
_OTHERS = ("session_id", "turn_index", "created_at", "is_binary", "content_bytes", "content_sha256", "extra")


def messages_of(table: pd.DataFrame) -> list[Message]:
    """The messages in the rows of `table`, session by session in the order in which they came: see `order_of`.

    What the table does not hold is not in them: a binary content is absent, with `content_sha256` and
    `content_bytes` as fields beside it; times are those of the table, in microseconds.

    Raises:
        InputError: a column is missing, or holds something else.
    """
    return [message for _, _, message in rows_of(table)]


def turns_of(table: pd.DataFrame) -> list[TurnSlice]:
    """The rows of `table` by session and turn, as the table numbers them: rows may be missing, and in any order.

    Raises:
        InputError: a column is missing, or holds something else.
    """
    turns: dict[tuple[str, int], list[Message]] = {}
    for session_id, turn_index, message in rows_of(table):
        turns.setdefault((session_id, turn_index), []).append(message)
    return with_changes([TurnSlice(index, messages, session_id) for (session_id, index), messages in turns.items()])


def rows_of(table: pd.DataFrame) -> Iterator[tuple[str, int, Message]]:
    needed = [*_FIELDS, *_TOKENS, *_OTHERS]
    check_columns(table, needed, known=COLUMNS)
    order = order_of(table)
    ordered = table if order is None else table.iloc[order]
    columns = {name: _plain(ordered, name) for name in needed}
    whole = _whole(columns)
    for place, row in enumerate(zip(*columns.values(), strict=True)):
        if whole[place]:
            yield _quick(*row)
            continue
        given = dict(zip(needed, row, strict=True))
        try:
            yield given["session_id"] or "", int(given["turn_index"] or 0), _message(given)
        except (ProtocolError, TypeError, ValueError, AttributeError) as error:
            position = place if order is None else order[place]
            raise InputError(f"Row {position} is no message ({error}). Use a table that history() made.") from None


def order_of(table: pd.DataFrame) -> Any:
    """Positions of the rows as the messages came, or None where they are so already: the caller may have sorted them.

    Sessions stay in the order in which they first appear; a message that is there twice is taken once, as where
    tables were put together. Without `message_index` the rows are taken as they are.
    """
    import numpy as np
    import pandas as pd

    if not {"session_id", "turn_index", "message_index", "message_id"} <= set(table.columns):
        return None
    ids = table["session_id"].astype(object)
    sessions, _ = pd.factorize(ids.where(ids.notna(), "").to_numpy())
    turns, numbers = (
        pd.to_numeric(table[name].astype(object), errors="coerce").to_numpy(np.float64, na_value=math.nan)
        for name in ("turn_index", "message_index")
    )
    turns = np.nan_to_num(turns)  # as such rows are read
    keys = np.stack([sessions, turns, numbers])
    step = np.diff(keys, axis=1)
    later = (step[0] > 0) | ((step[0] == 0) & ((step[1] > 0) | ((step[1] == 0) & (step[2] > 0))))
    if later.all():
        return None
    order = np.lexsort(keys[::-1])  # stable; what has lost its number goes last in its turn
    named = {"id": table["message_id"].astype(str).to_numpy()}
    places = pd.DataFrame({"session": sessions, "turn": turns, "number": numbers} | named)
    again = places.iloc[order].duplicated().to_numpy() & ~np.isnan(numbers[order])
    return order[~again]


def _whole(columns: dict[str, list[Any]]) -> list[bool]:
    """Which rows hold all that a message needs as it is, and nothing besides: nothing is to be read there."""
    texts = [name for name, column in COLUMNS.items() if column.dtype == "string" and name in columns]
    labels = {"role": Role, "message_type": MessageType, "state": State}
    numbers = [*_TOKENS, "status_code", "turn_index"]
    kinds = dict.fromkeys(texts, str) | dict.fromkeys(numbers, int) | dict.fromkeys(labels, str) | {"created_at": float}
    if not all(set(map(type, columns[name])) <= {kind, type(None)} for name, kind in kinds.items()):
        return [False] * len(columns["content"])
    for name, enum in labels.items():
        members = {label: None if label is None else enum(label) for label in set(columns[name])}
        columns[name] = [members[label] for label in columns[name]]
    required = [columns[name] for name in (*_FIELDS, "created_at") if name not in _NULLABLE]
    lacking = [None in row for row in zip(*required, strict=True)]
    return [
        extra is None and not binary and not lacks
        for extra, binary, lacks in zip(columns["extra"], columns["is_binary"], lacking, strict=True)
    ]


def _quick(*row: Any) -> tuple[str, int, Message]:
    """The message of a row that `_whole` names. The same as `_message`, which looks at each field."""
    (
        message_id, parent_id, turn, group, actor, role, message_type, state, title, content, mime_type, status_code,
        status_message, prompt, generated, total, cached, thoughts, tool_use, session_id, turn_index, created_at, *_,
    ) = row  # fmt: skip
    usage = None
    if not (prompt is generated is total is cached is thoughts is tool_use is None):
        usage = Usage(prompt or 0, generated or 0, total or 0, cached or 0, thoughts or 0, tool_use or 0)
    message = Message(
        id=message_id, parent_id=parent_id, turn=turn, group=group, actor=actor, role=role,
        timestamp=math.floor(created_at), created_at=created_at, message_type=message_type, title=title, state=state,
        content=content, mime_type=mime_type, status_code=status_code, status_message=status_message, usage=usage,
    )  # fmt: skip
    return session_id or "", turn_index or 0, message


def _plain(table: pd.DataFrame, name: str) -> list[Any]:
    """A column as Python values, None where it is missing; times as Unix seconds."""
    import pandas as pd

    column = table[name]
    if COLUMNS[name].dtype == "time":
        stamps = pd.to_datetime(column, utc=True).astype(pd.DatetimeTZDtype("us", "UTC"))
        missing = stamps.isna().tolist()
        ticks = stamps.astype("int64").tolist()
        return [None if lost else tick / 1e6 for tick, lost in zip(ticks, missing, strict=True)]
    lacking = column.isna()
    if lacking.all():
        return [None] * len(column)
    items = column.astype(object)
    return (items.where(~lacking, None) if lacking.any() else items).tolist()


def _message(row: dict[str, Any]) -> Message:
    fields = {field: row[name] for name, field in _FIELDS.items() if row[name] is not None or name in _NULLABLE}
    fields["created_at"] = row["created_at"] or 0.0
    fields["timestamp"] = math.floor(fields["created_at"])
    if any(row[name] is not None for name in _TOKENS):
        fields["usage"] = {field: int(row[name] or 0) for name, field in _TOKENS.items()}
    extra = read_json(row["extra"], "extra as JSON") if row["extra"] else {}
    if not isinstance(extra, dict):
        raise TypeError("extra is no JSON object")
    if row["is_binary"]:
        extra |= {name: row[name] for name in ("content_bytes", "content_sha256") if row[name] is not None}
    if not extra:
        usage = fields.get("usage")
        return msgspec.convert(fields | {"usage": usage and Usage(**usage)}, Message, strict=False)
    if isinstance(fields.get("usage"), dict) and isinstance(extra.get("usage"), dict):
        extra["usage"] = fields["usage"] | extra["usage"]
    return read_message(msgspec.json.encode(fields | extra))


_NULLABLE = frozenset({"title", "content", "mime_type"})
