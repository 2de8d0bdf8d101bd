"""Where a picture's messages come from: a session, which goes on, or a table of them, which stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript.nodes import Span, spans_of
from secgemini_jupyter.transcript.tree import SessionTree
from secgemini_jupyter.transcript.turns import TurnSlice, with_changes
from secgemini_jupyter.widgets.session import VisualizeSession

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SessionSource", "Snapshot", "Source", "TableSource", "tree_of"]


@dataclass(frozen=True)
class Snapshot:
    """What a source had at one moment: its messages, and the turns in them, in order."""

    messages: Sequence[Message]
    spans: Sequence[Span]

    def at(self, positions: Sequence[int]) -> Snapshot:
        """Only the messages at these positions, which ascend, in their turns."""
        messages: list[Message] = []
        spans: list[Span] = []
        chosen = iter(positions)
        position = next(chosen, None)
        for span in self.spans:
            start = len(messages)
            while position is not None and position < span.stop:
                messages.append(self.messages[position])
                position = next(chosen, None)
            if len(messages) > start:
                spans.append(Span(start, len(messages), span.index, span.session))
        return Snapshot(messages, spans)

    def turns(self) -> list[TurnSlice]:
        return with_changes(
            [TurnSlice(span.index, self.messages[span.start : span.stop], span.session) for span in self.spans]
        )


class Source(Protocol):
    session_id: str

    @property
    def name(self) -> str: ...

    @property
    def is_running(self) -> bool: ...

    def read(self) -> Snapshot | None:
        """What is there now; None if that is not known for the moment."""

    def refresh(self) -> None: ...

    def watch(self, changed: Callable[[], None], /) -> Callable[[], None]: ...

    def frame(self, snapshot: Snapshot, /) -> pd.DataFrame:
        """The messages as a table, a row for each position."""

    def positions(self, rows: pd.DataFrame) -> list[int]:
        """Where the rows of a table of messages are."""


PAUSE = 5.0
"""Seconds after a failed request in which no other is made: a picture asks as often as it is drawn."""


class SessionSource:
    def __init__(self, session: VisualizeSession) -> None:
        self._session = session
        self.session_id = session.id
        self._asks_again_at = 0.0

    @property
    def name(self) -> str:
        return self._session.name

    @property
    def is_running(self) -> bool:
        return self._session.is_running

    def read(self) -> Snapshot | None:
        messages = self._session.known_messages()
        if messages is None:
            if time.monotonic() < self._asks_again_at:
                return None
            self._asks_again_at = time.monotonic() + PAUSE
            messages = self._session.messages
        self._asks_again_at = 0.0
        return Snapshot(messages, spans_of(messages))

    def refresh(self) -> None:
        self._session.refresh()
        self._asks_again_at = 0.0

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        return self._session.watch(changed)

    def frame(self, snapshot: Snapshot) -> pd.DataFrame:
        from secgemini_jupyter.transcript.messages import messages_frame

        return messages_frame(snapshot.messages, session_id=self.session_id)

    def positions(self, rows: pd.DataFrame) -> list[int]:
        foreign = set(rows["session_id"].dropna()) - {self.session_id}
        if foreign:
            raise InputError(f"These rows are of session {min(foreign)!r}, not of {self.session_id!r}: none selected.")
        return [int(index) for index in rows["message_index"]]


class TableSource:
    """A table that `history()` made, filtered or put together since: its rows, by session and turn, in their order."""

    def __init__(self, table: pd.DataFrame) -> None:
        from secgemini_jupyter.transcript.restore import order_of, rows_of

        if (given := order_of(table)) is not None:
            table = table.iloc[given]
        by_turn: dict[str, dict[int, list[tuple[int, Message]]]] = {}
        for row, (session_id, turn, message) in enumerate(rows_of(table)):
            by_turn.setdefault(session_id, {}).setdefault(turn, []).append((row, message))
        messages: list[Message] = []
        spans: list[Span] = []
        order: list[int] = []
        names = _short_names(by_turn) if len(by_turn) > 1 else dict.fromkeys(by_turn, "")
        for session_id, turns in by_turn.items():
            for index, rows in turns.items():
                order += [row for row, _ in rows]
                messages += [message for _, message in rows]
                spans.append(Span(len(messages) - len(rows), len(messages), index, names[session_id]))
        self.session_id = ""
        self.name = next(iter(by_turn), "") if len(by_turn) == 1 else f"{len(by_turn)} sessions"
        self.is_running = False
        self._snapshot = Snapshot(messages, spans)
        self._table = table.iloc[order]

    def read(self) -> Snapshot:
        return self._snapshot

    def refresh(self) -> None:
        """A table has nothing new to say."""

    def watch(self, _: Callable[[], None], /) -> Callable[[], None]:
        return lambda: None

    def frame(self, _: Snapshot, /) -> pd.DataFrame:
        return self._table

    def positions(self, rows: pd.DataFrame) -> list[int]:
        keys = zip(self._table["session_id"], self._table["message_index"], strict=True)
        known: dict[Any, int] = {}
        for position, key in enumerate(keys):
            known.setdefault(key, position)
        wanted = list(zip(rows["session_id"], rows["message_index"], strict=True))
        if missing := [key for key in wanted if key not in known]:
            raise InputError(f"Message {missing[0][1]} of session {missing[0][0]!r} is not in this table.")
        return [known[key] for key in wanted]


def _short_names(ids: Iterable[str]) -> dict[str, str]:
    """The beginnings of the ids that tell them apart, at least 8 characters: a label is short."""
    ids = list(ids)
    for length in (8, 12, 16):
        if len({each[:length] for each in ids}) == len(ids):
            return {each: each[:length] for each in ids}
    return {each: each for each in ids}


def tree_of(snapshot: Snapshot, name: str) -> SessionTree:
    sessions: dict[str, list[TurnSlice]] = {}
    for turn in snapshot.turns():
        sessions.setdefault(turn.session_id, []).append(turn)
    if len(sessions) < 2:
        return SessionTree.of([(name, turns) for turns in sessions.values()] or [(name, [])])
    return SessionTree.of(list(sessions.items()))
