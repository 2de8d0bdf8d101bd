"""What became of a chain of entries: which was edited, removed or put elsewhere. No I/O."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, get_args

from secgemini_jupyter.activity.entries import GENESIS, LOST, REPAIRED, Entry, read_entry, torn
from secgemini_jupyter.errors import InputError, one_line
from secgemini_jupyter.transcript.columns import Category, Column, frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Finding", "Problem", "Verification", "ascending", "check_lines", "merged", "split_head"]

SHOWN = 20
WIDEST = 300
"""Characters of a finding in a repr: ids in a table come from anybody. `to_frame()` has all."""

Problem = Literal[
    "edited", "removed", "reordered", "repeated", "truncated", "rewritten", "uncompared", "torn", "lost", "absent"
]
_REMARKS = frozenset({"torn", "lost", "absent"})
Place = Literal["log", "transcript"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was written.

    Attributes:
        row: the line of a log, from 1; the `message_index` of a transcript, from 0. None where no row has it.
        entry: the number of a log's entry.
    """

    problem: Problem
    detail: str
    row: int | None = None
    entry: int | None = None
    where: Place = "log"
    session_id: str = ""

    @property
    def is_remark(self) -> bool:
        """Told, but nothing that somebody changed."""
        return self.problem in _REMARKS

    def __str__(self) -> str:
        said = one_line(f"{self.problem}: {self.detail}")
        return said if len(said) <= WIDEST else said[: WIDEST - 1] + "…"


_COLUMNS: dict[str, Column[Sequence[Finding]]] = {
    "problem": Column(
        Category((*(problem for problem in get_args(Problem) if problem not in _REMARKS), *sorted(_REMARKS))),
        lambda found: map(attrgetter("problem"), found),
    ),
    "where": Column(Category(("log", "transcript")), lambda found: map(attrgetter("where"), found)),
    "row": Column("Int64", lambda found: map(attrgetter("row"), found)),
    "entry": Column("Int64", lambda found: map(attrgetter("entry"), found)),
    "detail": Column("string", lambda found: map(attrgetter("detail"), found)),
    "session_id": Column("string", lambda found: map(attrgetter("session_id"), found)),
}


@dataclass(frozen=True)
class Verification:
    """The outcome of a check; true if nothing was changed, and there was something to compare with.

    `ok` says that the chain fits in itself. Without a `head` that was kept elsewhere, the file's owner can have cut
    its end off, or written it anew.

    Attributes:
        entries: how many were read.
        head: of the last one, if the chain is whole.
        findings: what is wrong, and remarks.
        turns: of a transcript; None where a log alone was checked.
        compared: those turns whose prompt and answer the log has.
    """

    subject: str
    entries: int = 0
    head: str | None = None
    findings: Sequence[Finding] = field(default_factory=tuple)
    turns: int | None = None
    compared: int = 0

    @property
    def problems(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.is_remark]

    @property
    def ok(self) -> bool:
        return not self.problems

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        read = f"{self.entries} entries read"
        if self.turns is not None:
            read += f", {self.compared} of {self.turns} turns compared"
        lines = [one_line(f"{self.subject}: {self._verdict} ({read})"), *map(str, self.findings[:SHOWN])]
        if len(self.findings) > SHOWN:
            lines.append(f"… and {len(self.findings) - SHOWN} more: to_frame() has all")
        if self.head:
            lines.append(f"head {self.head}")
        return "\n  ".join(lines)

    @property
    def _verdict(self) -> str:
        if changed := sum(finding.problem != "uncompared" for finding in self.problems):
            return f"{changed} changed"
        if self.ok:
            return "nothing was changed"
        return "not all could be compared" if self.compared else "nothing could be compared"

    def to_frame(self) -> pd.DataFrame:
        """One row a finding."""
        return frame(_COLUMNS, list(self.findings), schema="verification/1")


def merged(subject: str, parts: Sequence[Verification]) -> Verification:
    findings = [finding for part in parts for finding in part.findings]
    head = parts[0].head if len(parts) == 1 else None
    turns = [part.turns for part in parts if part.turns is not None]
    return Verification(
        subject,
        sum(part.entries for part in parts),
        head,
        findings,
        turns=sum(turns) if turns else None,
        compared=sum(part.compared for part in parts),
    )


def split_head(head: str) -> tuple[int, str]:
    """Number and hash of a kept head.

    Raises:
        InputError: it is none.
    """
    match = re.fullmatch(r"\s*(\d{1,15}):([0-9a-fA-F]{64})\s*", head) if isinstance(head, str) else None
    if not match:
        raise InputError(f"head is {str(head)[:80]!r}: pass what head() gave, a number, a colon and 64 hex digits.")
    return int(match[1]), match[2].lower()


def check_lines(data: bytes, *, subject: str, session_id: str | None = None, head: str | None = None) -> Verification:
    """Check a whole log.

    Args:
        session_id: the session that it must be of; None takes the first entry's.
        head: one that was kept elsewhere.

    Raises:
        InputError: `head` is no head.
    """
    kept = None if head is None else split_head(head)
    chain = Chain(session_id)
    chain.read(data)
    chain.check_order()
    chain.check_links()
    last = max(chain.by_number, default=0)
    if kept:
        chain.check_head(*kept, last)
    findings = sorted(chain.findings, key=lambda finding: (finding.row or 0, finding.entry or 0))
    sound = chain.by_number[last].hash if last and not any(not each.is_remark for each in findings) else None
    return Verification(subject, len(chain.entries), f"{last}:{sound}" if sound else None, findings)


class Chain:
    """The entries of one log, in the order of its lines."""

    def __init__(self, session_id: str | None) -> None:
        self.session_id = session_id
        self.entries: list[tuple[int, Entry]] = []
        self.by_number: dict[int, Entry] = {}
        self.rows: dict[int, int] = {}
        self.findings: list[Finding] = []
        self._blamed: set[int] = set()

    def add(self, problem: Problem, detail: str, *, row: int | None = None, entry: int | None = None) -> None:
        if entry is not None and problem == "edited":
            self._blamed.add(entry)
        self.findings.append(Finding(problem, detail, row, entry, "log", self.session_id or ""))

    def read(self, data: bytes) -> None:
        lines = data.split(b"\n")
        is_torn = bool(lines[-1])
        if not is_torn:
            lines.pop()
        unread: list[tuple[int, bytes]] = []
        for row, line in enumerate(lines, 1):
            entry = read_entry(line)
            if entry is None:
                unread.append((row, line))
                continue
            self._settle(unread, entry)
            unread = []
            self._take(row, entry)
        if unread and is_torn and unread[-1][0] == len(lines):
            row = unread.pop()[0]
            self.add(
                "torn", f"line {row}, the last, was cut off while it was written; the next entry tells it", row=row
            )
        self._settle(unread, None)

    def _settle(self, unread: Sequence[tuple[int, bytes]], entry: Entry | None) -> None:
        """Lines that are no entries are torn ones if the entry behind them says so, with their hashes."""
        details = entry.fields.get("details") if entry and entry.is_sound else None
        told = details.get("torn") if isinstance(details, dict) else None
        is_told = (
            bool(unread) and entry is not None and entry.fields.get("activity") == REPAIRED
            and told == [torn(line) for _, line in unread]
        )  # fmt: skip
        for row, _ in unread:
            if is_told and entry:
                detail = f"line {row} was cut off while it was written, as entry {entry.number} tells"
                self.add("torn", detail, row=row)
            else:
                self.add("edited", f"line {row} is no entry any more", row=row)

    def _take(self, row: int, entry: Entry) -> None:
        number = entry.number
        if number in self.by_number:
            self.add("repeated", f"entry {number} stands a second time in line {row}", row=row, entry=number)
            return
        self.entries.append((row, entry))
        self.by_number[number] = entry
        self.rows[number] = row
        said = entry.fields.get("session_id")
        if self.session_id is None and isinstance(said, str):
            self.session_id = said
        if not entry.is_sound:
            self.add("edited", f"entry {number} in line {row} does not fit its own hash", row=row, entry=number)
        elif said != self.session_id:
            self.add("edited", f"entry {number} in line {row} is of another session", row=row, entry=number)
        if entry.is_sound and entry.fields.get("activity") == LOST:
            self.add("lost", f"entry {number} tells that others before it could not be written", row=row, entry=number)

    def check_order(self) -> None:
        numbers = [entry.number for _, entry in self.entries]
        stay = ascending(numbers)
        for number in numbers:
            if number not in stay:
                row = self.rows[number]
                self.add("reordered", f"entry {number} stands in line {row}, out of its order", row=row, entry=number)
        expected = 1
        for number in sorted(numbers):
            if number > expected:
                named = f"entry {expected} is" if number == expected + 1 else f"entries {expected} to {number - 1} are"
                self.add("removed", f"{named} missing before line {self.rows[number]}", entry=expected)
            expected = number + 1

    def check_links(self) -> None:
        """Each entry with a sound hash of its own must follow the one before it: else one of both was written anew."""
        for number, entry in sorted(self.by_number.items()):
            before = self.by_number.get(number - 1)
            expected = GENESIS if number == 1 else before.hash if before else None
            if expected is None or entry.previous == expected or {number, number - 1} & self._blamed:
                continue
            after = self.by_number.get(number + 1)
            # If the entry behind does not follow either, this one was changed; else the one before it.
            is_this = number == 1 or (after is not None and after.previous != entry.hash)
            changed = number if is_this else number - 1
            doubt = "" if after is not None or is_this else f" (or entry {number} was)"
            row = self.rows[changed]
            self.add(
                "edited",
                f"entry {changed} in line {row} was written anew: its neighbours do not fit{doubt}",
                row=row,
                entry=changed,
            )

    def check_head(self, number: int, digest: str, last: int) -> None:
        entry = self.by_number.get(number)
        if entry is None:
            if number > last:
                what = f"the log ends with entry {last}, the kept head is of entry {number}: its end was cut off"
                self.add("truncated", what, entry=number)
            return  # removed: told already
        if entry.hash != digest:
            self.add(
                "rewritten",
                f"entry {number} is not the one of the kept head: the log was written anew up to there",
                row=self.rows[number],
                entry=number,
            )


def ascending(numbers: Sequence[int]) -> set[int]:
    """The longest run of ascending numbers: what is not in it was moved."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, number in enumerate(numbers):
        place = bisect_left(tails, number)
        before.append(ends[place - 1] if place else -1)
        tails[place : place + 1] = [number]
        ends[place : place + 1] = [index]
    kept, index = set(), ends[-1] if ends else -1
    while index >= 0:
        kept.add(numbers[index])
        index = before[index]
    return kept
