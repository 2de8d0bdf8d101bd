"""A transcript compared with its own hashes, and with what the activity log says was asked and answered."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.activity.entries import Entry, read_entry, sha256
from secgemini_jupyter.activity.log import MissingLogError
from secgemini_jupyter.activity.sessions import content_of, verification_of
from secgemini_jupyter.activity.verification import SHOWN, Finding, Problem, Verification, ascending, merged
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.transcript.restore import check_columns, turns_of
from secgemini_jupyter.transcript.turns import TurnSlice

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["verify_transcript"]

_NEEDED = ("session_id", "message_index", "turn_index", "message_id", "message_type", "content", "content_sha256",
           "content_bytes", "is_binary")  # fmt: skip

HASHED_ON_READING = {"file", "notebook"}
"""Sources of rows whose hashes are no older than the table: they fit whatever was done to the file."""
UNCOMPARED = (
    "the hashes were made when the file was read, and this machine has no log of these prompts: "
    "pass read_history(path, session_id=…) for JSON Lines, or keep transcripts as Parquet"
)


def verify_transcript(table: pd.DataFrame, head: str | Mapping[str, str] | None = None) -> Verification:
    """Check the rows of `table`, and the log of each of its sessions on this machine.

    Raises:
        InputError: a column is missing, or a head is none, or one head is given for several sessions.
    """
    check_columns(table, _NEEDED)
    ids = table["session_id"].astype(object).map(lambda name: name if isinstance(name, str) else "")
    sessions = {str(name): rows for name, rows in table.groupby(ids, sort=False)}
    if isinstance(head, str) and len(sessions) != 1:
        raise InputError(f"head is for one session, and the table has {len(sessions)}: pass heads by session id.")
    heads = dict.fromkeys(sessions, head) if isinstance(head, str) else head or {}
    turns: dict[str, list[TurnSlice]] = {}
    for turn in turns_of(table):
        turns.setdefault(turn.session_id, []).append(turn)
    read_at = _moment(table.attrs.get("generated_at"))
    parts = []
    for session_id, rows in sessions.items():
        log = verification_of(session_id, head=heads.get(session_id))  # writes what is noted, before it is read
        check = Check(session_id)
        check.rows_of_themselves(rows)
        noted, cut = Noted.of(session_id), turns.get(session_id, [])
        check.against(noted, cut, rows, read_at)
        if check.unknown:
            is_new = HASHED_ON_READING & set(rows.get("source", ())) and not check.compared
            check.add("uncompared", UNCOMPARED if is_new else check.told_unknown(), None)
        findings = sorted(check.findings, key=lambda found: found.row or 0)
        of_table = Verification("", findings=findings, turns=len(cut), compared=check.compared)
        parts += [log, of_table]
    if not sessions:
        nothing = Finding("uncompared", "the table has no rows", where="transcript")
        parts = [Verification("", findings=[nothing], turns=0)]
    return merged("transcript and activity log", parts)


@dataclass
class Noted:
    """What a log says of the turns of its session, by the id of the prompt; entries that were edited say nothing."""

    prompts: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str | None] = field(default_factory=dict)
    """SHA-256 of turns that ended well."""
    ended: dict[str, float] = field(default_factory=dict)
    """Unix seconds."""
    counts: dict[str, int] = field(default_factory=dict)
    """Messages of turns that ended well and were heard from their beginning, the prompt among them."""

    @classmethod
    def of(cls, session_id: str) -> Noted:
        noted = cls()
        try:
            data = content_of(session_id)
        except MissingLogError:
            return noted
        for line in data.split(b"\n"):
            if (entry := read_entry(line)) and entry.is_sound and entry.fields.get("session_id") == session_id:
                noted._take(entry)
        return noted

    def _take(self, entry: Entry) -> None:
        details = entry.fields.get("details")
        query_id = details.get("query_id") if isinstance(details, dict) else None
        if not isinstance(details, dict) or not isinstance(query_id, str):
            return
        digest = details.get("sha256")
        if entry.fields.get("activity") == "prompt_sent" and isinstance(digest, str):
            self.prompts[query_id] = digest
        elif entry.fields.get("activity") == "turn_ended" and details.get("status") in ("ok", "error"):
            if (at := _moment(entry.fields.get("at"))) is not None:
                self.ended[query_id] = at
            if details["status"] == "ok" and (digest is None or isinstance(digest, str)):
                self.answers[query_id] = digest
                count = details.get("message_count")
                if type(count) is int and not details.get("listened"):
                    self.counts[query_id] = count


@dataclass
class Check:
    """The findings in one session's rows."""

    session_id: str
    findings: list[Finding] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)
    """Turns in which something was found already."""
    compared: int = 0
    """Turns of which prompt and answer, if there is one, were compared with the log."""
    unknown: list[int] = field(default_factory=list)
    """Turns of which the log does not have both."""

    def add(self, problem: Problem, detail: str, row: int | None, turn: int | None = None) -> None:
        self.findings.append(Finding(problem, detail, row, None, "transcript", self.session_id))
        if turn is not None:
            self.touched.add(turn)

    def rows_of_themselves(self, rows: pd.DataFrame) -> None:
        """Numbers that ascend by one, and contents that have the hash beside them."""
        columns = [_values(rows[name]) for name in _NEEDED[1:]]
        numbers = columns[0]
        stay = ascending([number for number in numbers if number is not None])
        seen: set[int] = set()
        for index, turn, message_id, _, text, digest, size, is_binary in zip(*columns, strict=True):
            named = f"message {index} ({message_id})"
            if index is None:
                self.add("edited", f"message {message_id} has lost its number", None, turn)
            elif index in seen:
                self.add("repeated", f"{named} stands a second time", index, turn)
            elif index not in stay:
                self.add("reordered", f"{named} stands out of its order", index, turn)
            seen.add(index)
            if is_binary and text is None:
                continue  # such a content is not in the table
            encoded = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else None
            ours = None if encoded is None else hashlib.sha256(encoded).hexdigest()
            if ours != digest or (encoded is not None and size != len(encoded)):
                self.add("edited", f"the content of {named} does not have the hash beside it", index, turn)
        self._gaps(rows)

    def _gaps(self, rows: pd.DataFrame) -> None:
        given = zip(_values(rows["message_index"]), _values(rows["turn_index"]), strict=True)
        turns = {index: turn for index, turn in given if index is not None}
        expected = 0
        for index in sorted(turns):
            if index > expected:
                one = index == expected + 1
                named = f"message {expected} is" if one else f"messages {expected} to {index - 1} are"
                self.add("removed", f"{named} not in the table", expected, turns[index])
                if before := turns.get(expected - 1):
                    self.touched.add(before)
            expected = max(expected, index + 1)

    def against(self, noted: Noted, turns: Sequence[TurnSlice], rows: pd.DataFrame, read_at: float | None) -> None:
        """Prompts and answers are those that were sent and came."""
        places = dict(zip(_values(rows["message_id"]), _values(rows["message_index"]), strict=True))
        asked: set[str] = set()
        for turn in turns:
            query = turn.query
            if query and query.id in asked and turn.index not in self.touched:
                self.add("repeated", f"turn {turn.index} has the prompt of another", places.get(query.id), turn.index)
            asked |= {query.id} if query else set()
            if turn.index in self.touched:
                continue  # told already
            is_answered = turn.answer is not None
            if query is None or query.id not in noted.prompts or (is_answered and query.id not in noted.answers):
                self.unknown.append(turn.index)
            else:
                self.compared += 1
            if query is not None:
                self._turn(turn, query.id, sha256(query.content or ""), noted, places)
        self._absent(noted, asked, read_at)

    def _turn(
        self, turn: TurnSlice, query_id: str, prompt: str | None, noted: Noted, places: Mapping[str, int | None]
    ) -> None:
        row = places.get(query_id)
        if noted.prompts.get(query_id, prompt) != prompt:
            self.add("edited", f"the prompt of turn {turn.index} is not the one that was sent", row, turn.index)
        count, whole = len(turn.messages), noted.counts.get(query_id, 0)
        if count < whole:  # more may have come since; fewer cannot be
            self.add("removed", f"turn {turn.index} has {count} of its {whole} messages", None, turn.index)
            if turn.answer is None:
                return  # it is among those that are gone
        if query_id in noted.answers and noted.answers[query_id] != sha256(turn.answer):
            row = places.get(turn.results[0].id) if turn.results else row
            self.add("edited", f"the answer of turn {turn.index} is not the one that came", row, turn.index)

    def _absent(self, noted: Noted, asked: Collection[str], read_at: float | None) -> None:
        """Turns of the log that the table lacks: it must have what was over when it was read, or before its last."""
        order = list(noted.prompts)
        last = max((place for place, query_id in enumerate(order) if query_id in asked), default=-1)
        later = 0
        for place, query_id in enumerate(order):
            if query_id in asked or query_id not in noted.ended:
                continue
            if place < last:
                self.add(
                    "removed", f"a turn that was asked before others of these is not among them ({query_id})", None
                )
            elif read_at is not None and noted.ended[query_id] < read_at:
                self.add("removed", f"a turn that was over before this was read is not in it (prompt {query_id})", None)
            else:
                later += 1
        if later:
            when = "the table does not say when it was read" if read_at is None else "it says that it was read before"
            self.add(
                "absent",
                f"{later} {'turn' if later == 1 else 'turns'} of the log not in the table: {when} (generated_at)",
                None,
            )

    def told_unknown(self) -> str:
        shown = ", ".join(map(str, self.unknown[:SHOWN])) + (", …" if len(self.unknown) > SHOWN else "")
        return f"the log of this machine lacks the prompt or the answer of turn{'s'[: len(self.unknown) - 1]} {shown}"


def _values(column: pd.Series[Any]) -> list[Any]:
    items = column.astype(object)
    return [None if missing else item for item, missing in zip(items, items.isna(), strict=True)]


def _moment(moment: object) -> float | None:
    try:
        return datetime.fromisoformat(moment).timestamp() if isinstance(moment, str) else None
    except (ValueError, OverflowError, OSError):
        return None
