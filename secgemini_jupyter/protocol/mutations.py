"""Messages that change or take back earlier ones (protocol section 13, our convention), and what the others say then.

The stored list keeps all of them as they came. A view shows what a message says now: `Changes.of(messages)`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from secgemini_jupyter.models import Message, MessageType

__all__ = ["Change", "Changes", "any_changes", "is_taken_back", "shown"]

_MUTATING = frozenset({MessageType.UPDATE, MessageType.DELETE})
# What the user asked, what ran on this machine and what was agreed to stays as it was: nobody can rewrite it later.
_FIXED = _MUTATING | {
    MessageType.QUERY,
    MessageType.LOCAL_TOOL_CALL,
    MessageType.LOCAL_TOOL_RESULT,
    MessageType.CONFIRMATION_REQUEST,
    MessageType.CONFIRMATION_RESPONSE,
}


@dataclass(frozen=True)
class Change:
    """What became of a message: how it reads now (None: it was taken back), and the last message that said so."""

    now: Message | None
    by: Message

    @property
    def word(self) -> str:
        return "removed" if self.now is None else "updated"


@dataclass(frozen=True)
class Changes:
    """What became of messages, by their positions; `spent` are the positions of the messages that said so."""

    of_target: Mapping[int, Change] = field(default_factory=dict)
    spent: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.of_target or self.spent)

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Changes:
        """Each `update` and `delete` acts on the latest message before it that has the id it names.

        One that names none, or what nobody may change (a prompt, a failure, what ran here, the END), does nothing.
        """
        mutating = _MUTATING
        if not any_changes(messages):
            return NOTHING
        found: dict[int, Change] = {}
        spent: set[int] = set()
        positions: dict[str, int] = {}
        named = {name for m in messages if m.message_type in mutating for name in (m.parent_id, _other_name(m))}
        for position, message in enumerate(messages):
            if message.id not in named and message.message_type not in mutating:
                continue
            if message.message_type not in mutating:
                if message.message_type in _FIXED or message.is_error or message.is_end or message.is_partial:
                    positions.pop(message.id, None)  # an id that repeats means the later one, which stays as it is
                else:
                    positions[message.id] = position
                continue
            if message.status_code != 200 or (target := _target(message, positions)) is None:
                continue
            spent.add(position)
            before = found[target].now if target in found else messages[target]
            if before is not None:  # what was taken back stays so
                found[target] = Change(_updated(before, message), message)
        return cls(found, frozenset(spent))

    def moved(self, offset: int) -> Changes:
        """The same where `offset` messages stand before these."""
        return Changes(
            {position + offset: change for position, change in self.of_target.items()},
            frozenset(position + offset for position in self.spent),
        )

    def __or__(self, other: Changes) -> Changes:
        return Changes({**self.of_target, **other.of_target}, self.spent | other.spent)

    def now(self, position: int, message: Message) -> Message | None:
        """`message`, which is at `position`, as it reads now; None if it was taken back."""
        change = self.of_target.get(position)
        return message if change is None else change.now

    def part(self, start: int, stop: int) -> Changes:
        """Those of `messages[start:stop]`, by the positions there."""
        if not self:
            return self
        targets, spent = self._sorted
        inside = targets[bisect_left(targets, start) : bisect_left(targets, stop)]
        return Changes(
            {position - start: self.of_target[position] for position in inside},
            frozenset(each - start for each in spent[bisect_left(spent, start) : bisect_left(spent, stop)]),
        )

    @cached_property
    def _sorted(self) -> tuple[list[int], list[int]]:
        """A session of many turns asks for the part of each."""
        return sorted(self.of_target), sorted(self.spent)

    def applied(self, messages: Sequence[Message], *, keeps_removed: bool = False) -> Sequence[Message]:
        """`messages` as they read now, without those that were taken back and those that said so.

        Args:
            keeps_removed: what was taken back stays in: the tokens for it were spent.
        """
        if not self:
            return messages
        now: list[Message] = []
        for position, message in enumerate(messages):
            if position in self.spent:
                continue
            change = self.of_target.get(position)
            if change is None or (change.now is None and keeps_removed):
                now.append(message)
            elif change.now is not None:
                now.append(change.now)
        return now


NOTHING = Changes()


def any_changes(messages: Sequence[Message]) -> bool:
    """Whether one of `messages` is of a kind that changes others; of 100,000 that takes some milliseconds."""
    update, delete = MessageType.UPDATE, MessageType.DELETE
    return bool([True for m in messages if m.message_type is update or m.message_type is delete])


def shown(messages: Sequence[Message]) -> Sequence[Message]:
    """`messages` as they read now."""
    return Changes.of(messages).applied(messages)


def is_taken_back(messages: Sequence[Message], changes: Changes | None = None) -> bool:
    """Whether a result is among those that were taken back."""
    of_target = (Changes.of(messages) if changes is None else changes).of_target
    removed = (messages[position] for position, change in of_target.items() if change.now is None)
    return any(message.message_type is MessageType.RESULT for message in removed)


def _target(message: Message, positions: Mapping[str, int]) -> int | None:
    """By `parent_id`; a reader also takes a `delete` whose content is an id, and an `update` that has the id itself."""
    return positions.get(message.parent_id, positions.get(_other_name(message)))


def _other_name(message: Message) -> str:
    return (message.content or "").strip() if message.message_type is MessageType.DELETE else message.id


def _updated(target: Message, message: Message) -> Message | None:
    """Content and type are replaced; title and usage where the message has some."""
    if message.message_type is MessageType.DELETE:
        return None
    return msgspec.structs.replace(
        target,
        content=message.content,
        mime_type=message.mime_type,
        title=target.title if message.title is None else message.title,
        usage=target.usage if message.usage is None else message.usage,
    )
