"""The table of messages that `history()` gives: schema `messages/1`, and the way back to messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript.columns import Backend, Category, Column, frame, with_backend
from secgemini_jupyter.transcript.rows import ROLES, STATES, TYPES, ReceivedAt, Rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "SCHEMA", "Source", "finished", "messages_frame"]

SCHEMA = "messages/1"

Source = Literal["live", "history", "cache", "file", "notebook"]
SOURCES = Category(get_args(Source))


# The first eight are those that a wide table shows. `turn_index` counts the queries up to and with the message:
# the first prompt and its answer have 1, what stands before any prompt has 0.
COLUMNS: dict[str, Column[Rows]] = {
    "turn_index": Column("Int32", lambda rows: rows.turns),
    "created_at": Column("time", lambda rows: rows.times()),
    "actor": Column("string", lambda rows: [message.actor for message in rows.messages]),
    "message_type": Column(TYPES, lambda rows: rows.types),
    "state": Column(STATES, lambda rows: rows.states),
    "title": Column("string", lambda rows: rows.titles),
    "content": Column("string", lambda rows: rows.texts),
    "status_code": Column("Int32", lambda rows: rows.statuses),
    "status_message": Column("string", lambda rows: [message.status_message for message in rows.messages]),
    "is_error": Column("boolean", lambda rows: rows.errors()),
    "role": Column(ROLES, lambda rows: rows.roles),
    "mime_type": Column("string", lambda rows: rows.mime_types),
    "is_binary": Column("boolean", lambda rows: rows.binary),
    "content_bytes": Column("Int64", lambda rows: rows.digests[0]),
    "content_sha256": Column("string", lambda rows: rows.digests[1]),
    "prompt_tokens": Column("Int64", lambda rows: rows.counters["prompt_tokens"]),
    "generated_tokens": Column("Int64", lambda rows: rows.counters["generated_tokens"]),
    "total_tokens": Column("Int64", lambda rows: rows.counters["total_tokens"]),
    "cached_tokens": Column("Int64", lambda rows: rows.counters["cached_token_count"]),
    "thoughts_tokens": Column("Int64", lambda rows: rows.counters["thoughts_token_count"]),
    "tool_use_prompt_tokens": Column("Int64", lambda rows: rows.counters["tool_use_prompt_token_count"]),
    "session_id": Column("string", lambda rows: rows.alike("string", rows.session_id)),
    "message_index": Column("Int32", lambda rows: rows.positions()),
    "message_id": Column("string", lambda rows: [message.id for message in rows.messages]),
    "parent_id": Column("string", lambda rows: [message.parent_id for message in rows.messages]),
    "turn_id": Column("string", lambda rows: rows.turn_ids()),
    "wire_turn": Column("string", lambda rows: [message.turn for message in rows.messages]),
    "group_id": Column("string", lambda rows: [message.group for message in rows.messages]),
    "depth": Column("Int32", lambda rows: rows.lineage.depths),
    "received_at": Column("time", lambda rows: rows.received()),
    "source": Column(SOURCES, lambda rows: rows.alike(SOURCES, rows.source)),
    "problems": Column("string", lambda rows: rows.problems()),
    "extra": Column("string", lambda rows: rows.extras()),
    "change": Column("string", lambda rows: rows.changed(lambda change: change.word)),
    "changed_by": Column("string", lambda rows: rows.changed(lambda change: change.by.id)),
}


def messages_frame(
    messages: Sequence[Message],
    *,
    session_id: str,
    source: Source = "history",
    received_at: ReceivedAt = None,
    turn_index: int = 0,
) -> pd.DataFrame:
    """`messages` as a table, one row each, in their order; an empty one has the same columns and dtypes.

    Times are UTC, in microseconds. `content` is text; of a binary content only size and hash are there. `extra`
    holds, as a JSON object, what has no column: fields that we do not know, values as received where they did not
    fit (a category says `other`, a time or number is missing), `icon`, `text_color`, token details.

    No message is left out. `problems` is missing for a row that is as it should be, and else says, in words with
    spaces between them, why not: `parent_missing` and `parent_circle` (its parents lead nowhere, or back to itself),
    `bad_time` (none, or not between 1677 and 2262), `bad_number` (more than the column holds), `bad_field` (another
    kind of value than the field has), `bad_text` (U+FFFD: a character was lost), `unreadable` (no message at all;
    `content` is what came). It is a column of its own: `table[table["problems"].notna()]` finds them.

    `content` is what came, also where a later message changed it (`change` is `updated`) or took it back (`removed`):
    `changed_by` is the id of that message, whose row holds what it reads now. Answers, trees and exports show that.

    Args:
        messages: of one session, in order.
        session_id: the session they belong to.
        source: where they came from; `file` is JSON Lines, which hold no hashes.
        received_at: Unix seconds at which they arrived: one time for all, or one for each.
        turn_index: the turn of the messages before the first query, where that is not the session's beginning.
    """
    rows = Rows(messages, session_id, source, received_at, turn_index)
    return frame(COLUMNS, rows, schema=SCHEMA, session_id=session_id)


def finished(table: pd.DataFrame, *, strict: bool, dtype_backend: Backend) -> pd.DataFrame:
    """`table` as the caller of `history` wants it.

    Raises:
        ProtocolError: with `strict`, where rows have problems: it names them.
        InputError: there is no such backend, or pyarrow is missing.
    """
    if strict:
        _check_problems(table)
    return with_backend(table, dtype_backend)


def _check_problems(table: pd.DataFrame) -> None:
    bad = table[table["problems"].notna()]
    if not len(bad):
        return
    named = [f"{index} ({words})" for index, words in zip(bad["message_index"], bad["problems"], strict=True)]
    more = f", and {len(named) - 10} more" if len(named) > 10 else ""
    raise ProtocolError(
        f"{len(named)} of {len(table)} messages are not as they should be: {', '.join(named[:10])}{more}. "
        "Without strict=True they are in the table, and told in its column problems."
    )
