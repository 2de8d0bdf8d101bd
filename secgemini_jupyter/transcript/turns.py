"""Turns: a prompt and all that came of it, cut out of a session's messages; and their table, schema `turns/1`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

from secgemini_jupyter.models import Message, MessageType, State, Usage, counted_usages
from secgemini_jupyter.protocol.mutations import Changes, is_taken_back
from secgemini_jupyter.render.steps import is_hand_over
from secgemini_jupyter.transcript.columns import Category, Column, frame, is_time, seconds_between

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "SCHEMA", "TurnSlice", "turn_slices", "turns_frame", "with_changes"]

SCHEMA = "turns/1"

Status = Literal["ok", "error", "interrupted", "incomplete"]


@dataclass(frozen=True)
class TurnSlice:
    """A prompt and the messages up to the next one.

    The turn is over at its first END; what comes later and before the next prompt is kept, since nothing may be lost.

    Attributes:
        index: counts the prompts from 1; 0 for messages before the first one, which have no prompt.
        messages: the query first, 206 pieces included, all as they came.
        whole: what became of the messages in the whole session; None where that is not known.
    """

    index: int
    messages: Sequence[Message]
    session_id: str = ""
    whole: Changes | None = None

    @property
    def id(self) -> str:
        return f"{self.session_id}:{self.index}"

    @cached_property
    def changes(self) -> Changes:
        """What became of the messages, as far as is known here: a later turn may change an earlier one's."""
        return Changes.of(self.messages) if self.whole is None else self.whole

    @cached_property
    def shown(self) -> Sequence[Message]:
        """The messages as they read now: changed ones in their places, without those that were taken back."""
        return self.changes.applied(self.messages)

    @property
    def query(self) -> Message | None:
        first = self.messages[0] if self.messages else None
        return first if first is not None and first.message_type is MessageType.QUERY else None

    @property
    def prompt(self) -> str | None:
        return self.query.text if self.query else None

    @cached_property
    def end(self) -> Message | None:
        return next((message for message in self.messages if message.is_end), None)

    @cached_property
    def failure(self) -> Message | None:
        """The message that ended the turn as failed."""
        return next((message for message in self.messages if message.is_error), None)

    @property
    def results(self) -> list[Message]:
        """Whole results as they read now, without pieces."""
        return [m for m in self.shown if m.message_type is MessageType.RESULT and not m.is_partial]

    @property
    def is_taken_back(self) -> bool:
        """Whether there was an answer, and a later message took it back."""
        return not self.results and is_taken_back(self.messages, self.changes)

    @property
    def answer(self) -> str | None:
        """The results of a text type, joined; None where there is none."""
        texts = [text.strip("\n") for message in self.results if (text := message.text) is not None]
        return "\n\n".join(texts) if texts else None

    @property
    def status(self) -> Status:
        """`incomplete` has no END yet; whether the user interrupted it, the messages do not say."""
        if self.failure:
            return "error"
        return "ok" if self.end else "incomplete"

    @property
    def error(self) -> str | None:
        """What the failing message says."""
        return None if self.failure is None else self.failure.text or self.failure.status_message

    @property
    def tool_call_count(self) -> int:
        """Calls as they are announced; neither a `debug` frame that repeats one nor a hand-over is another."""
        return sum(
            message.message_type is MessageType.LOCAL_TOOL_CALL
            or (
                message.state is State.CALLING_TOOL
                and message.message_type in (MessageType.INFO, MessageType.THINKING)
                and not is_hand_over((message.content or "").removeprefix("Calling "))
            )
            for message in self.messages
        )

    @cached_property
    def usage(self) -> Usage:
        """Zeros where the service counted none, too: see `is_counted`."""
        return sum((usage for _, usage in self._counted), Usage())

    @cached_property
    def is_counted(self) -> bool:
        """Whether the service told of any tokens."""
        return bool(self._counted)

    @cached_property
    def _counted(self) -> list[tuple[Message, Usage]]:
        spent = self.changes.applied(self.messages, keeps_removed=True)
        return counted_usages(spent[1:] if self.query else spent)

    @property
    def started_at(self) -> float | None:
        """Unix seconds; None where no time is known."""
        return time_of(self.messages[0])

    @property
    def ended_at(self) -> float | None:
        last = self.end or self.failure
        return time_of(last) if last else None

    @property
    def duration(self) -> float | None:
        """Seconds from prompt to END. None while it runs, and where the clocks of both sides disagree."""
        return seconds_between(self.started_at, self.ended_at)

    @property
    def time_to_first(self) -> float | None:
        """Seconds from the prompt to the first message after it."""
        return (
            seconds_between(self.started_at, time_of(self.messages[1]))
            if self.query and len(self.messages) > 1
            else None
        )


def turn_slices(messages: Sequence[Message], *, session_id: str = "") -> list[TurnSlice]:
    """The turns of a session, in order, every message in exactly one of them."""
    starts = [index for index, message in enumerate(messages) if message.message_type is MessageType.QUERY]
    cuts = [0, *starts, len(messages)]
    changes = Changes.of(messages)
    return [
        TurnSlice(index, messages[start:stop], session_id, changes.part(start, stop))
        for index, (start, stop) in enumerate(pairwise(cuts))
        if start < stop
    ]


def with_changes(turns: Sequence[TurnSlice]) -> list[TurnSlice]:
    """Turns that were put together from messages of several sessions, so that one knows what a later one changed."""
    sessions: dict[str, list[TurnSlice]] = {}
    for turn in turns:
        sessions.setdefault(turn.session_id, []).append(turn)
    known: dict[int, Changes] = {}
    for each in sessions.values():
        changes = Changes.of([message for turn in each for message in turn.messages])
        start = 0
        for turn in each:
            known[id(turn)] = changes.part(start, start + len(turn.messages))
            start += len(turn.messages)
    return [replace(turn, whole=known[id(turn)]) for turn in turns]


def each(read: Callable[[TurnSlice], Any]) -> Callable[[Sequence[TurnSlice]], Iterable[Any]]:
    return lambda turns: map(read, turns)


def tokens(name: str) -> Callable[[Sequence[TurnSlice]], Iterable[int | None]]:
    """A number of the usage; missing where none was told, which is not 0."""
    read = attrgetter(name)
    return lambda turns: (read(turn.usage) if turn.is_counted else None for turn in turns)


def unknown(turns: Sequence[TurnSlice]) -> list[None]:
    """For what the messages do not tell, and the kernel that asked may."""
    return [None] * len(turns)


COLUMNS: dict[str, Column[Sequence[TurnSlice]]] = {
    "turn_index": Column("Int32", each(attrgetter("index"))),
    "started_at": Column("time", each(attrgetter("started_at"))),
    "prompt": Column("string", each(attrgetter("prompt"))),
    "answer": Column("string", each(attrgetter("answer"))),
    "status": Column(Category(("ok", "error", "interrupted", "incomplete")), each(attrgetter("status"))),
    "duration_s": Column("Float64", each(attrgetter("duration"))),
    "tool_call_count": Column("Int32", each(attrgetter("tool_call_count"))),
    "total_tokens": Column("Int64", tokens("total_tokens")),
    "error": Column("string", each(attrgetter("error"))),
    "status_code": Column("Int32", each(lambda turn: turn.failure.status_code if turn.failure else 200)),
    "ended_at": Column("time", each(attrgetter("ended_at"))),
    "time_to_first_s": Column("Float64", each(attrgetter("time_to_first"))),
    "message_count": Column("Int32", each(lambda turn: len(turn.messages))),
    "prompt_tokens": Column("Int64", tokens("prompt_tokens")),
    "generated_tokens": Column("Int64", tokens("generated_tokens")),
    "cached_tokens": Column("Int64", tokens("cached_token_count")),
    "thoughts_tokens": Column("Int64", tokens("thoughts_token_count")),
    "tool_use_prompt_tokens": Column("Int64", tokens("tool_use_prompt_token_count")),
    "session_id": Column("string", each(attrgetter("session_id"))),
    "turn_id": Column("string", each(attrgetter("id"))),
    "prompt_sha256": Column("string", each(lambda turn: _sha256(turn.prompt))),
    "model": Column("string", unknown),
    "reconnects": Column("Int32", unknown),
    "cell_id": Column("string", unknown),
    "execution_count": Column("Int32", unknown),
}


def turns_frame(messages: Sequence[Message], *, session_id: str) -> pd.DataFrame:
    """One row a turn: prompt, answer, status, times, counts, tokens. Messages before the first prompt are turn 0."""
    return frame_of_turns(turn_slices(messages, session_id=session_id), session_id=session_id)


def frame_of_turns(
    turns: Sequence[TurnSlice], *, session_id: str | None = None, models: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The same for turns that may be of several sessions; `models` has the model strings of those that are known."""
    known = models or {}
    columns = COLUMNS | {"model": Column("string", each(lambda turn: known.get(turn.session_id)))}
    return frame(columns, turns, schema=SCHEMA, session_id=session_id)


def time_of(message: Message) -> float | None:
    """Unix seconds; None where no time is known."""
    seconds = message.seconds
    return seconds if seconds and is_time(seconds) else None


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
