"""The table of messages that `history()` gives: schema `messages/1`, and the way back to messages."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.models import Message, MessageType, Role, State, Usage, is_text
from secgemini_jupyter.transcript.columns import OTHER, Backend, Category, Column, fits, frame, is_time, with_backend
from secgemini_jupyter.transcript.lineage import ORPHAN, Lineage

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "SCHEMA", "Source", "finished", "messages_frame"]

SCHEMA = "messages/1"

Source = Literal["live", "history", "cache", "local", "notebook"]
ReceivedAt = float | Sequence[float | None] | None

PROBLEMS = ("parent_missing", "parent_circle", "bad_time", "bad_number", "bad_field", "bad_text", "unreadable")
"""What `problems` may say of a row, see `messages_frame`."""
EARLIEST_NS, LATEST_NS = -9_223_372_036, 9_223_372_036
"""Unix seconds of 1677 and 2262: what is outside of them no message can be from, and nanoseconds cannot hold."""
LOST = "\ufffd"
"""Stands for what was no character: half of a surrogate pair, bytes that are no UTF-8."""


@dataclass(frozen=True)
class Rows:
    """Messages, and what more than one column needs to know of them."""

    messages: Sequence[Message]
    session_id: str
    source: Source
    received_at: ReceivedAt
    turn_index: int

    @cached_property
    def turns(self) -> list[int]:
        query = MessageType.QUERY  # looking it up costs more than the comparison
        is_query = [message.message_type is query for message in self.messages]
        return list(accumulate(is_query, initial=self.turn_index))[1:]

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage.of(self.messages)

    @cached_property
    def binary(self) -> list[bool]:
        known: dict[str | None, bool] = {}
        for mime_type in {message.mime_type for message in self.messages}:
            known[mime_type] = not is_text(mime_type)
        return [known[message.mime_type] for message in self.messages]

    @cached_property
    def usages(self) -> list[Usage | None]:
        return [message.usage for message in self.messages]

    def times(self) -> list[float]:
        """`created_at`, else `timestamp`; 0 is how a time that could not be read is told, and means none."""
        return [
            message.created_at if message.created_at and is_time(message.created_at) else message.timestamp or math.nan
            for message in self.messages
        ]

    def turn_ids(self) -> list[str]:
        names = {turn: f"{self.session_id}:{turn}" for turn in set(self.turns)}
        return [names[turn] for turn in self.turns]

    def texts(self) -> list[str | None]:
        return [None if binary else message.content for message, binary in zip(self.messages, self.binary, strict=True)]

    @cached_property
    def digests(self) -> tuple[list[int | None], list[str | None]]:
        """Size and SHA-256 of each content, decoded."""
        sizes: list[int | None] = []
        hashes: list[str | None] = []
        for message, binary in zip(self.messages, self.binary, strict=True):
            if message.content is None:
                sizes.append(None)
                hashes.append(None)
                continue
            data = message.data if binary else message.content.encode("utf-8", "surrogatepass")
            sizes.append(len(data))
            hashes.append(hashlib.sha256(data).hexdigest())
        return sizes, hashes

    def received(self) -> Sequence[float | None]:
        if self.received_at is None or isinstance(self.received_at, (int, float)):
            return [self.received_at] * len(self.messages)
        return self.received_at

    def extras(self) -> list[str | None]:
        """What the wire said and no column holds, as JSON."""
        # Most messages have nothing extra: a look that costs no call comes first.
        found = [
            None
            if message.unknown is msgspec.UNSET
            and message.usage is None
            and message.icon is None
            and message.text_color is None
            and -2 < message.created_at - message.timestamp < 2
            and message.message_type in _TYPES
            and message.state in _STATES
            and message.role in _ROLES
            and 0 <= message.status_code < 1000
            else _extra(message)
            for message in self.messages
        ]
        return [None if extra is None else msgspec.json.encode(extra).decode() for extra in found]

    def problems(self) -> list[str | None]:
        """What is wrong with each message, in words of `PROBLEMS`."""
        unset, first, last, lost, most = msgspec.UNSET, EARLIEST_NS, LATEST_NS, LOST, 1 << 63
        # Most messages have none: a look that costs no call comes first.
        found = [
            None
            if message.unknown is unset
            and (at := message.created_at)
            and first < at < last
            and 0 <= message.status_code < 1000
            and ((text := message.content) is None or lost not in text)
            and ((title := message.title) is None or lost not in title)
            and (
                (usage := message.usage) is None
                or 0
                <= (
                    usage.prompt_tokens
                    | usage.generated_tokens
                    | usage.total_tokens
                    | usage.cached_token_count
                    | usage.thoughts_token_count
                    | usage.tool_use_prompt_token_count
                )
                < most
            )
            else " ".join(_problems(message)) or None
            for message in self.messages
        ]
        if not self.lineage.is_flat or self.lineage.circles:
            for index, parent in enumerate(self.lineage.parents):
                if parent == ORPHAN or index in self.lineage.circles:
                    word = "parent_missing" if parent == ORPHAN else "parent_circle"
                    found[index] = f"{word} {found[index] or ''}".rstrip()
        return found


def each(name: str) -> Callable[[Rows], Iterable[Any]]:
    """The values of one field, as they are."""
    read = attrgetter(name)
    return lambda rows: map(read, rows.messages)


def tokens(name: str) -> Callable[[Rows], Iterable[int | None]]:
    """One counter of the usage; missing where the message carries none."""
    read = attrgetter(name)
    return lambda rows: [None if usage is None else read(usage) for usage in rows.usages]


def labels(enum: type[Role | MessageType | State]) -> Category:
    return Category((*(member.value for member in enum), OTHER))


# The first eight are those that a wide table shows. `turn_index` counts the queries up to and with the message:
# the first prompt and its answer have 1, what stands before any prompt has 0.
COLUMNS: dict[str, Column[Rows]] = {
    "turn_index": Column("Int32", lambda rows: rows.turns),
    "created_at": Column("time", lambda rows: rows.times()),
    "actor": Column("string", each("actor")),
    "message_type": Column(labels(MessageType), each("message_type")),
    "state": Column(labels(State), each("state")),
    "title": Column("string", each("title")),
    "content": Column("string", lambda rows: rows.texts()),
    "status_code": Column("Int32", each("status_code")),
    "status_message": Column("string", each("status_message")),
    "is_error": Column("boolean", each("is_error")),
    "role": Column(labels(Role), each("role")),
    "mime_type": Column("string", each("mime_type")),
    "is_binary": Column("boolean", lambda rows: rows.binary),
    "content_bytes": Column("Int64", lambda rows: rows.digests[0]),
    "content_sha256": Column("string", lambda rows: rows.digests[1]),
    "prompt_tokens": Column("Int64", tokens("prompt_tokens")),
    "generated_tokens": Column("Int64", tokens("generated_tokens")),
    "total_tokens": Column("Int64", tokens("total_tokens")),
    "cached_tokens": Column("Int64", tokens("cached_token_count")),
    "thoughts_tokens": Column("Int64", tokens("thoughts_token_count")),
    "tool_use_prompt_tokens": Column("Int64", tokens("tool_use_prompt_token_count")),
    "session_id": Column("string", lambda rows: [rows.session_id] * len(rows.messages)),
    "message_index": Column("Int32", lambda rows: range(len(rows.messages))),
    "message_id": Column("string", each("id")),
    "parent_id": Column("string", each("parent_id")),
    "turn_id": Column("string", lambda rows: rows.turn_ids()),
    "wire_turn": Column("string", each("turn")),
    "group_id": Column("string", each("group")),
    "depth": Column("Int32", lambda rows: rows.lineage.depths),
    "received_at": Column("time", lambda rows: rows.received()),
    "source": Column(Category(get_args(Source)), lambda rows: [rows.source] * len(rows.messages)),
    "problems": Column("string", lambda rows: rows.problems()),
    "extra": Column("string", lambda rows: rows.extras()),
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

    Args:
        messages: of one session, in order.
        session_id: the session they belong to.
        source: where they came from.
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


def _problems(message: Message) -> Iterable[str]:
    """Of one message, without its parents."""
    if not message.id and not message.turn and not message.group and message.message_type == OTHER:
        yield "unreadable"
        return
    unknown = message.unknown if isinstance(message.unknown, dict) else {}
    lost = {name for name in _WIRE_NAMES & unknown.keys() if name != "usage" or not isinstance(unknown[name], dict)}
    if lost & {"created_at", "timestamp"} or not _is_plausible(message.created_at or message.timestamp):
        yield "bad_time"
    usage = message.usage
    if not fits(message.status_code, 32) or (usage and any(not fits(read(usage), 64) for _, read in _COUNTERS)):
        yield "bad_number"
    if lost - {"created_at", "timestamp", *_TELL_THEMSELVES}:
        yield "bad_field"
    if any(text and LOST in text for text in (message.content, message.title)):
        yield "bad_text"


def _is_plausible(seconds: float) -> bool:
    """Whether a message can be from then; 0 is how a time that nobody knows is told."""
    return seconds == 0 or EARLIEST_NS < seconds < LATEST_NS


_WIRE_NAMES = frozenset(field.encode_name for field in msgspec.structs.fields(Message)) - {"unknown"}
_TELL_THEMSELVES = frozenset({"message_type", "state", "role"})
"""A category says `other` for what it does not know: nothing is wrong with such a message."""
_KNOWN = {enum: frozenset(member.value for member in enum) for enum in (Role, MessageType, State)}
_TYPES, _STATES, _ROLES = _KNOWN[MessageType], _KNOWN[State], _KNOWN[Role]


def _extra(message: Message) -> dict[str, Any] | None:
    extra: dict[str, Any] = {}
    if message.icon is not None:
        extra["icon"] = message.icon
    if message.text_color is not None:
        extra["text_color"] = message.text_color
    # `timestamp` is an older copy of `created_at` in whole seconds: only one that differs says anything.
    if not -2 < message.created_at - message.timestamp < 2:
        extra["timestamp"] = message.timestamp
        if not is_time(message.created_at):
            extra["created_at"] = message.created_at if math.isfinite(message.created_at) else None
    if message.message_type not in _TYPES:
        extra["message_type"] = str(message.message_type)
    if message.state not in _STATES:
        extra["state"] = str(message.state)
    if message.role not in _ROLES:
        extra["role"] = str(message.role)
    if not fits(message.status_code, 32):
        extra["status_code"] = message.status_code
    usage = _usage_extra(message.usage) if message.usage else None
    if message.unknown:
        extra |= message.unknown
        if usage and isinstance(more := message.unknown.get("usage", {}), dict):
            usage |= more
    if usage:
        extra["usage"] = usage
    return extra or None


def _usage_extra(usage: Usage) -> dict[str, Any]:
    extra: dict[str, Any] = {name: count for name, read in _COUNTERS if not fits(count := read(usage), 64)}
    if usage.prompt_tokens_details is not None:
        extra["prompt_tokens_details"] = usage.prompt_tokens_details
    return extra


_COUNTERS = [(field.name, attrgetter(field.name)) for field in msgspec.structs.fields(Usage) if field.type is int]
