"""A report of an investigation: scope, evidence, findings, indicators, timeline, all prompts and answers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.disk import replacing
from secgemini_jupyter.errors import InputError, without_keys
from secgemini_jupyter.models import Message, MessageType, PublicSessionFile, said_by
from secgemini_jupyter.render.steps import Steps
from secgemini_jupyter.render.text import count, one_line, utc
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.report_parts import Event, Evidence, Mention
from secgemini_jupyter.transcript.sessions import Attached, files_in
from secgemini_jupyter.transcript.templating import Format, template_format
from secgemini_jupyter.transcript.turns import TurnSlice

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.client.sync import InteractiveSession

__all__ = ["Event", "Evidence", "Mention", "Report", "report"]

MAX_ROWS = 1_000
"""Indicators, and steps of the investigation, that are listed."""
PLACES = {
    "findings": "in_findings",
    "prompt": "in_prompt",
    "answer": "in_answer",
    "tool result": "in_tool_result",
    "file name": "in_file_name",
}
"""Where something was mentioned, and the column that says so."""
WORDS = {"ok": "Answered", "error": "Failed", "incomplete": "No end yet", "interrupted": "Interrupted"}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What goes into the report; `to_html`, `to_markdown` and `save` write it.

    Attributes:
        scope, findings: a person's, as Markdown; None for what the session's description says, and for the last answer.
        head: the activity log's head, or why there is none.
        chosen: rows of `iocs()` that are listed; None for all indicators that were mentioned.
    """

    transcript: Transcript
    title: str
    scope: str | None = None
    findings: str | None = None
    evidence: Sequence[Evidence] = ()
    head: str = ""
    chosen: pd.DataFrame | None = None
    template: str | os.PathLike[str] = "incident"
    made: float = 0.0

    def to_html(self) -> str:
        """One page that loads and runs nothing, defanged.

        Raises:
            InputError: Jinja2 is missing, or the template has a mistake or writes Markdown.
        """
        from secgemini_jupyter.transcript.report_pages import page

        return page(self)

    def to_markdown(self) -> str:
        """Markdown, defanged but for code.

        Raises:
            InputError: Jinja2 is missing, or the template has a mistake or writes HTML.
        """
        from secgemini_jupyter.transcript.report_markdown import document

        return document(self)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write it to a file that ends in `.html`, `.md` or `.docx`: whole, or not at all.

        Raises:
            InputError: another ending, a file is there, it cannot be written, or the template has a mistake.
        """
        from secgemini_jupyter.transcript.exports import checked

        target = checked(path, overwrite=overwrite, endings=(".html", ".md", ".docx"))
        content = self._written(target.suffix.lower())
        with replacing(target) as file:
            file.write(content)
        return target

    def _written(self, ending: str) -> bytes:
        if ending == ".docx":
            from secgemini_jupyter.transcript.word import report_docx

            return report_docx(self)
        text = self.to_markdown() if ending == ".md" else self.to_html()
        return text.encode("utf-8", "replace")  # a lone surrogate has no bytes

    @property
    def formats(self) -> tuple[Format, ...]:
        own = template_format(self.template)
        return ("html", "md") if own is None else (own,)

    @cached_property
    def answered(self) -> TurnSlice | None:
        """The last turn that has an answer: its results are the findings where nobody wrote any."""
        return next((turn for turn in reversed(self.transcript.turns) if turn.results), None)

    @cached_property
    def sessions(self) -> dict[str, str]:
        """Short names of the sessions by their ids, where there are several: as much of an id as tells them apart."""
        ids = list(dict.fromkeys(turn.session_id for turn in self.transcript.turns))
        if len(ids) < 2:
            return {}
        named = ({each: one_line(each, length) for each in ids} for length in (9, 17, 33, 65))
        return next((names for names in named if len({*names.values()}) == len(ids)), {each: each for each in ids})

    def turn_name(self, turn: TurnSlice) -> str:
        session = self.sessions.get(turn.session_id)
        return f"{turn.index} of session {session}" if session else str(turn.index)

    @property
    def kind(self) -> str:
        """Who was asked, in words: nobody shall take the local service's answers for Sec-Gemini's."""
        who = {True: " with the local service, not Sec-Gemini", False: " with Sec-Gemini"}
        local = self.transcript.is_local
        return f"Report of an investigation{'' if local is None else who[local]}"

    @property
    def described(self) -> str:
        """The session's description, where nobody wrote a scope: text of the service, which is no Markdown here."""
        return self.transcript.description.strip() if self.scope is None else ""

    @property
    def described_note(self) -> str:
        return "As the session describes it:"

    @property
    def findings_note(self) -> str:
        if self.findings is not None:
            return "Written by the analyst."
        if self.answered is None:
            return "There is no answer yet."
        answer = said_by(self.answered.results)
        who = (one_line(answer.actor, 60) if answer else "") or "the service"
        return f"The answer to turn {self.turn_name(self.answered)}, as {who} gave it. It was not checked by a person."

    @cached_property
    def indicators(self) -> list[Mention]:
        """Those that were chosen, else those of all turns and of attachments' names, as they were first mentioned."""
        if self.chosen is not None:
            return [
                _mention(row, str(row["type"]), without_keys(str(row["value"])))
                for row in self.chosen.to_dict("records")
            ]
        from secgemini_jupyter.transcript.iocs import iocs_frame
        from secgemini_jupyter.transcript.sightings import FileName

        files = [FileName(each.file.name, each.session_id or self.transcript.session_id) for each in self.evidence]
        table = iocs_frame(self.transcript.turns, files)
        chosen = table[table["type"] != "attack"].head(MAX_ROWS)
        return [_mention(row, str(row["type"]), str(row["value"])) for row in chosen.to_dict("records")]

    @cached_property
    def techniques(self) -> list[Mention]:
        """ATT&CK techniques that were named by id: first those of a person's findings, then those of the turns."""
        from secgemini_jupyter.transcript.techniques import techniques_frame

        written = Message(message_type=MessageType.QUERY, content=self.findings or "")
        own = techniques_frame([TurnSlice(0, [written])]).assign(in_prompt=False, in_findings=True, first_seen=None)
        told = techniques_frame(self.transcript.turns)
        rows = _together([*own.to_dict("records"), *told.to_dict("records")])
        return [_mention(row, str(row["id"]), _text(row["name"])) for row in rows[:MAX_ROWS]]

    @property
    def evidence_note(self) -> str:
        if self.transcript.attached is None:
            return "Whether files were attached is not known."
        if not self.evidence:
            return "No attachments."
        return "SHA-256 as the service reports it, compared with the bytes that were sent from this machine."

    @property
    def indicators_note(self) -> str:
        if self.chosen is not None:
            return "Chosen by the analyst. Values are defanged here and exact in the session's data."
        cut = f" The first {MAX_ROWS:,} are listed." if len(self.indicators) == MAX_ROWS else ""
        return f"A mention is no verdict. Values are defanged here and exact in the session's data.{cut}"

    @cached_property
    def timeline(self) -> list[Event]:
        """Prompts, tool calls and answers in their order."""
        events = [event for turn in self.transcript.turns for event in _events(turn)]
        if len(events) <= MAX_ROWS:
            return events
        more = count(len(events) - MAX_ROWS, "more step")
        return [*events[:MAX_ROWS], Event("", 0, "", f"{more} in the session's history")]

    @cached_property
    def reported(self) -> list[tuple[str, Message]]:
        """Timelines that answers told, with the turn's name."""
        return [
            (self.turn_name(turn), message)
            for turn in self.transcript.turns
            for message in turn.results
            if (message.mime_type or "").partition(";")[0].strip().lower() == "sec-gemini/timeline"
        ]

    def __repr__(self) -> str:
        turns = count(len(self.transcript.turns), "turn")
        endings = ("html", "md", "docx") if self.template == "incident" else self.formats
        more = "".join(f", .{each}" for each in endings[1:])
        return f"<Report {one_line(self.title, 60)!r}: {turns}; .save('report.{endings[0]}'){more}>"


def report(
    source: InteractiveSession | pd.DataFrame,
    *,
    title: str | None = None,
    scope: str | None = None,
    findings: str | None = None,
    indicators: pd.DataFrame | None = None,
    files: Sequence[PublicSessionFile] | pd.DataFrame | None = None,
    template: str | os.PathLike[str] = "incident",
) -> Report:
    """A report of a session, read afresh, or of a table that `history()` gave, filtered or put together since.

    Args:
        title: the session's name if left out.
        scope: what was investigated, as Markdown; the session's description, quoted, if left out.
        findings: yours, as Markdown. If left out, the last answer, and the report says that nobody checked it.
        indicators: rows of `df.secgemini.iocs()` that you chose; all that were mentioned if left out.
        files: the attachments of a table, as `session.files` or `df.secgemini.files()` gives them; what `history()`
            noted if left out. A session brings its own.
        template: `incident`, or a Jinja2 file that ends in `.html.j2` or `.md.j2`. A template is trusted code.

    Raises:
        InputError: neither a session nor such a table, `indicators` or `files` are something else, or there is no such
            template.

    Example:
        >>> report(session, findings="Two accounts were taken over.").save("report.html")  # doctest: +SKIP
    """
    import pandas as pd

    template_format(template)
    if indicators is not None and not {"type", "value"} <= {*getattr(indicators, "columns", ())}:
        raise InputError("indicators= takes rows of df.secgemini.iocs(): it needs the columns type and value.")
    head = ""
    if isinstance(source, pd.DataFrame):
        transcript = Transcript.of_table(source)
        if files is not None:
            transcript = replace(transcript, attached=_attached(files, transcript))
        evidence = [
            Evidence(each.file, each.is_verified or None, session_id=each.session_id)
            for each in transcript.attached or ()
        ]
    elif hasattr(source, "is_verified") and hasattr(source, "history"):
        transcript, evidence, head = _of_session(source)
    else:
        raise InputError(f"A {type(source).__name__} is neither a session nor a table: pass one that history() made.")
    return Report(
        transcript=transcript,
        title=title or transcript.name or "Investigation",
        scope=scope,
        findings=findings,
        evidence=evidence,
        head=head,
        chosen=indicators,
        template=template,
        made=time.time(),
    )


def _attached(files: Sequence[PublicSessionFile] | pd.DataFrame, transcript: Transcript) -> Sequence[Attached]:
    """What the caller says was attached; verified where `history()` noted that, too."""
    import pandas as pd

    if isinstance(files, pd.DataFrame):
        return files_in(files)
    if not isinstance(files, Sequence) or not all(isinstance(file, PublicSessionFile) for file in files):
        raise InputError("files= takes session.files, or the table that df.secgemini.files() gives.")
    noted = transcript.attached or ()
    verified = {(each.file.name, each.file.sha256) for each in noted if each.is_verified}
    return [
        Attached(transcript.session_id, index, file, (file.name, file.sha256) in verified)
        for index, file in enumerate(files)
    ]


def _of_session(session: InteractiveSession) -> tuple[Transcript, list[Evidence], str]:
    import inspect

    import pandas as pd

    if inspect.iscoroutinefunction(session.refresh):
        raise InputError("This session is asynchronous: pass await session.history(), and files=session.files.")
    if not session.is_running:
        session.refresh()
    try:
        head = session.head()
    except InputError as error:
        head = f"none: {error}"
    log = session.activity()
    sent = {
        (row["name"], row["sha256_server"]): (row["sha256"], "" if pd.isna(row["at"]) else utc(row["at"].timestamp()))
        for row in log[log["activity"] == "file_attached"].to_dict("records")
        if isinstance(row["sha256"], str)
    }
    evidence = [Evidence(file, session.is_verified(file), sent.get((file.name, file.sha256))) for file in session.files]
    return Transcript.of_session(session, session.messages), evidence, head


def _together(rows: Sequence[dict[Any, Any]]) -> list[dict[Any, Any]]:
    """Techniques that were named in several places, or in several sessions, once each."""
    import pandas as pd

    found: dict[str, dict[Any, Any]] = {}
    for row in rows:
        by = _text(row["revoked_by"])
        flags = f"revoked by {by}" if by else "deprecated" if row["status"] == "deprecated" else ""
        kept = found.setdefault(row["id"], {**row, "count": 0, "flags": flags})
        kept["count"] += row["count"]
        kept |= {name: True for name in PLACES.values() if row.get(name) is True}
        if pd.isna(kept["first_seen"]):
            kept["first_seen"] = row["first_seen"]
    return list(found.values())


def _mention(row: dict[Any, Any], kind: str, value: str) -> Mention:
    import pandas as pd

    where = ", ".join(word for word, column in PLACES.items() if row.get(column) is True)
    seen = row.get("first_seen")
    first = "" if seen is None or pd.isna(seen) else utc(seen.timestamp())
    count = row.get("count", 1)
    return Mention(
        kind, value, 1 if pd.isna(count) else int(count), first, where or "steps", _text(row.get("flags")),
        _text(row.get("session_id")),
    )  # fmt: skip


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _events(turn: TurnSlice) -> Iterator[Event]:
    def step_at(seconds: float | None, kind: str, what: str) -> Event:
        return Event("" if not seconds else utc(seconds), turn.index, kind, what, turn.session_id)

    if turn.query:
        yield step_at(turn.started_at, "Prompt", one_line(turn.prompt or "", 160))
    for step in Steps(message for message in turn.shown if message.message_type is not MessageType.QUERY).items:
        if step.kind == "tool":
            word = "" if step.ok is not False else " (failed)"
            yield step_at(step.started, "Tool", f"{step.in_words}{word}")
    last = said_by(turn.results)
    if turn.status == "error":
        yield step_at(turn.ended_at, WORDS["error"], one_line(turn.error or "", 160))
    elif last is not None or turn.index:
        who = one_line(last.actor, 60) if last is not None else ""
        yield step_at(turn.ended_at, WORDS[turn.status], f"by {who}" if who else "")
