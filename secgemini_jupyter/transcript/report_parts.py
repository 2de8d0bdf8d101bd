"""The rows of a report's tables, as every format writes them: exact texts, which who shows them makes safe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from secgemini_jupyter.models import PublicSessionFile
from secgemini_jupyter.render.text import size

__all__ = ["Event", "Evidence", "Mention", "event_rows", "evidence_rows", "mention_rows", "told"]

C = TypeVar("C")
T = TypeVar("T", bound=str)
Sessions = Mapping[str, str]
"""Short names by session id; empty for a report of one session, which need not say which."""
Rows = list[tuple[str, ...]]

EVIDENCE = ("#", "Session", "Name", "Size", "Type", "SHA-256", "Compared")
MENTIONS = ("Session", "Count", "First mentioned", "In", "Remarks")
EVENTS = ("Time", "Session", "Turn", "Step", "What")


@dataclass(frozen=True)
class Evidence:
    """An attachment, and whether its hash was that of the bytes sent from here; None where that is not known.

    Attributes:
        sent: SHA-256 before it was sent, and when it was, as this machine's activity log has it.
    """

    file: PublicSessionFile
    is_verified: bool | None = None
    sent: tuple[str, str] | None = None
    session_id: str = ""

    @property
    def compared(self) -> str:
        if self.sent is not None:
            sha256, at = self.sent
            when = f", {at}" if at else ""
            return (
                f"same as sent from here{when}" if sha256 == self.file.sha256 else f"sent from here as {sha256}{when}"
            )
        return {True: "same as sent from here", False: "not sent from here", None: "not known"}[self.is_verified]


@dataclass(frozen=True)
class Mention:
    """An indicator, or a technique: what it is, how often and since when it was mentioned, and in what. Exact."""

    kind: str
    value: str
    count: int
    first_seen: str
    where: str
    note: str = ""
    session_id: str = ""


@dataclass(frozen=True)
class Event:
    """One step of the investigation."""

    time: str
    turn: int
    kind: str
    what: str
    session_id: str = ""


def evidence_rows(evidence: Sequence[Evidence], sessions: Sessions) -> Rows:
    return [
        (str(number), sessions.get(each.session_id, ""), each.file.name, size(each.file.size), each.file.mime_type,
         each.file.sha256, each.compared)
        for number, each in enumerate(evidence, 1)
    ]  # fmt: skip


def mention_rows(mentions: Iterable[Mention], sessions: Sessions) -> Rows:
    return [
        (each.kind, each.value, sessions.get(each.session_id, ""), f"{each.count:,}", each.first_seen, each.where,
         each.note.replace("_", " "))
        for each in mentions
    ]  # fmt: skip


def event_rows(events: Iterable[Event], sessions: Sessions) -> Rows:
    return [
        (each.time, sessions.get(each.session_id, ""), str(each.turn or ""), each.kind, each.what) for each in events
    ]


def told(columns: Sequence[C], rows: Sequence[Sequence[T]]) -> tuple[list[C], list[list[T]]]:
    """Without the columns that have nothing to say."""
    kept = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    return [columns[number] for number in kept], [[row[number] for number in kept] for row in rows]
