"""What the table of messages is made of: one pass for each field, and what several columns need to know.

A session may have 100,000 messages: what most of them have in common is looked at without a call for each, and only
those that differ (`Rows.odd`) are looked at one by one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from secgemini_jupyter.models import Message, MessageType, Role, State, Usage, is_text
from secgemini_jupyter.protocol.mutations import Change, Changes
from secgemini_jupyter.transcript.columns import EARLIEST, LATEST, OTHER, Category, Dtype, array, fits, is_time
from secgemini_jupyter.transcript.lineage import ORPHAN, Lineage

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PROBLEMS", "ROLES", "STATES", "TYPES", "ReceivedAt", "Rows"]

ReceivedAt = float | Sequence[float | None] | None

PROBLEMS = ("parent_missing", "parent_circle", "bad_time", "bad_number", "bad_field", "bad_text", "unreadable")
"""What `problems` may say of a row, see `messages_frame`."""
EARLIEST_NS, LATEST_NS = -9_223_372_036, 9_223_372_036
"""Unix seconds of 1677 and 2262: what is outside of them no message can be from, and nanoseconds cannot hold."""
LOST = "\ufffd"
"""Stands for what was no character: half of a surrogate pair, bytes that are no UTF-8."""


def _labels(enum: type[Role | MessageType | State]) -> Category:
    return Category((*(member.value for member in enum), OTHER))


TYPES, STATES, ROLES = _labels(MessageType), _labels(State), _labels(Role)
_COUNTERS = [(field.name, attrgetter(field.name)) for field in msgspec.structs.fields(Usage) if field.type is int]


@dataclass(frozen=True)
class Rows:
    """Messages, and what more than one column needs to know of them."""

    messages: Sequence[Message]
    session_id: str
    source: str
    received_at: ReceivedAt
    turn_index: int

    # A list comprehension for each field: `attrgetter` and `map` take twice as long.

    @cached_property
    def types(self) -> Any:
        return array(TYPES, [message.message_type for message in self.messages])

    @cached_property
    def states(self) -> Any:
        return array(STATES, [message.state for message in self.messages])

    @cached_property
    def roles(self) -> Any:
        return array(ROLES, [message.role for message in self.messages])

    @cached_property
    def turns(self) -> Any:
        queries = self.types.codes == TYPES.labels.index(MessageType.QUERY)
        return queries.cumsum() + self.turn_index

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage.of(self.messages)

    @cached_property
    def statuses(self) -> Any:
        return array("Int32", [message.status_code for message in self.messages])

    @cached_property
    def mime_types(self) -> list[str | None]:
        return [message.mime_type for message in self.messages]

    @cached_property
    def titles(self) -> list[str | None]:
        return [message.title for message in self.messages]

    @cached_property
    def contents(self) -> list[str | None]:
        return [message.content for message in self.messages]

    @cached_property
    def binary(self) -> Any:
        import numpy as np

        known = {mime_type: not is_text(mime_type) for mime_type in set(self.mime_types)}
        if not any(known.values()):
            return np.zeros(len(self.messages), np.bool_)
        return np.array([known[mime_type] for mime_type in self.mime_types], np.bool_)

    @cached_property
    def texts(self) -> list[str | None]:
        if not self.binary.any():
            return self.contents
        return [
            None if binary else content for content, binary in zip(self.contents, self.binary.tolist(), strict=True)
        ]

    @cached_property
    def usages(self) -> dict[int, Usage]:
        """By position, of the messages that carry one."""
        usages = [message.usage for message in self.messages]
        if usages.count(None) == len(usages):
            return {}
        return {index: usage for index, usage in enumerate(usages) if usage is not None}

    @cached_property
    def counters(self) -> dict[str, pd.arrays.IntegerArray]:
        """The numbers of the usages; missing where there is none."""
        import numpy as np
        import pandas as pd

        given = np.fromiter(self.usages, np.int64, len(self.usages))
        found = {}
        for name, read in _COUNTERS:
            values, missing = np.zeros(len(self.messages), np.int64), np.ones(len(self.messages), np.bool_)
            counted = array("Int64", map(read, self.usages.values()))
            values[given], missing[given] = counted.to_numpy(np.int64, na_value=0), counted.isna()
            found[name] = pd.arrays.IntegerArray(values, missing)
        return found

    def alike(self, dtype: Dtype, value: Any) -> Any:
        """The same value for each row."""
        return array(dtype, [value]).repeat(len(self.messages))

    def positions(self) -> Any:
        import numpy as np

        return np.arange(len(self.messages))

    @cached_property
    def created(self) -> Any:
        import numpy as np

        return np.array([message.created_at for message in self.messages], np.float64)

    @cached_property
    def stamps(self) -> Any:
        import numpy as np

        try:
            return np.array([message.timestamp for message in self.messages], np.float64)
        except OverflowError:  # a number of 309 digits
            return np.array([_seconds(message) for message in self.messages], np.float64)

    def times(self) -> Any:
        """`created_at`, else `timestamp`; 0 is how a time that could not be read is told, and means none."""
        import numpy as np

        times = self.created.copy()
        for index in np.flatnonzero((times == 0) | ~((times >= EARLIEST) & (times < LATEST))).tolist():
            times[index] = _seconds(self.messages[index]) or math.nan
        return times

    def turn_ids(self) -> Any:
        import numpy as np

        if not len(self.turns):
            return []
        names = [f"{self.session_id}:{turn}" for turn in range(self.turns[0], self.turns[-1] + 1)]
        return np.array(names, object)[self.turns - self.turns[0]]

    def errors(self) -> Any:
        """`Message.is_error` of each."""
        errors = self.statuses.to_numpy("int64", na_value=0) >= 400
        errors &= self.types.codes != TYPES.labels.index(MessageType.LOCAL_TOOL_RESULT)
        for index in self.statuses.isna().nonzero()[0].tolist():
            errors[index] = self.messages[index].is_error
        return errors

    @cached_property
    def digests(self) -> tuple[list[int | None], list[str | None]]:
        """Size and SHA-256 of each content, decoded."""
        sha256 = hashlib.sha256
        sizes: list[int | None] = []
        hashes: list[str | None] = []
        for text in self.texts:
            if text is None:
                sizes.append(None)
                hashes.append(None)
            else:
                data = text.encode("utf-8", "surrogatepass")
                sizes.append(len(data))
                hashes.append(sha256(data).hexdigest())
        for index in self.binary.nonzero()[0].tolist():
            if self.contents[index] is not None:
                data = self.messages[index].data
                sizes[index], hashes[index] = len(data), hashlib.sha256(data).hexdigest()
        return sizes, hashes

    def received(self) -> Any:
        import numpy as np

        if self.received_at is None or isinstance(self.received_at, (int, float)):
            return np.full(len(self.messages), math.nan if self.received_at is None else self.received_at)
        return self.received_at

    @cached_property
    def odd(self) -> Any:
        """Positions of the messages that are not as most are: no other has problems of its own, or something extra."""
        import numpy as np

        messages, unset, lost, created = self.messages, msgspec.UNSET, LOST, self.created
        statuses = self.statuses.to_numpy(np.int64, na_value=-1)
        odd = ~((created > EARLIEST_NS) & (created < LATEST_NS) & (created != 0) & (abs(created - self.stamps) < 2))
        odd |= (statuses < 0) | (statuses >= 1000)
        for found, category in ((self.types, TYPES), (self.states, STATES), (self.roles, ROLES)):
            odd |= found.codes == category.labels.index(OTHER)
        if self.usages:
            given = list(self.usages)
            odd[[index for index, usage in self.usages.items() if usage.prompt_tokens_details is not None]] = True
            for counted in self.counters.values():
                odd[given] |= counted.isna()[given]
        for looked in (
            [text is not None and lost in text for text in self.contents],
            [text is not None and lost in text for text in self.titles],
            [m.unknown is not unset or m.icon is not None or m.text_color is not None for m in messages],
        ):
            if True in looked:
                odd |= looked
        return np.flatnonzero(odd).tolist()

    @cached_property
    def changes(self) -> Changes:
        return Changes.of(self.messages)

    def changed(self, words: Callable[[Change], str]) -> Any:
        """A word for each message that a later one changed or took back; of most sessions, none."""
        if not self.changes:
            return self.alike("string", None)
        found: list[str | None] = [None] * len(self.messages)
        for index, change in self.changes.of_target.items():
            found[index] = words(change)
        return found

    def extras(self) -> Any:
        """What the wire said and no column holds, as JSON."""
        if not self.odd:
            return self.alike("string", None)
        found: list[str | None] = [None] * len(self.messages)
        for index in self.odd:
            if extra := _extra(self.messages[index]):
                found[index] = msgspec.json.encode(extra).decode()
        return found

    def problems(self) -> Any:
        """What is wrong with each message, in words of `PROBLEMS`."""
        if not self.odd and self.lineage.is_flat:
            return self.alike("string", None)
        found: list[str | None] = [None] * len(self.messages)
        for index in self.odd:
            found[index] = " ".join(_problems(self.messages[index])) or None
        if not self.lineage.is_flat:
            for index, parent in enumerate(self.lineage.parents):
                if parent == ORPHAN or index in self.lineage.circles:
                    word = "parent_missing" if parent == ORPHAN else "parent_circle"
                    found[index] = f"{word} {found[index] or ''}".rstrip()
        return found


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


def _seconds(message: Message) -> float:
    """Its timestamp; infinite where that is a whole number larger than any float."""
    try:
        return float(message.timestamp)
    except OverflowError:
        return math.inf


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
    if not -2 < message.created_at - _seconds(message) < 2:
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
