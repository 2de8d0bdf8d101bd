"""A report as Markdown: values escaped and defanged, answers quoted: nothing in them is a heading of the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from secgemini_jupyter._version import __version__
from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.render.answer import TAKEN_BACK
from secgemini_jupyter.render.text import count, defanged, safe_text, utc
from secgemini_jupyter.transcript import report_parts as parts
from secgemini_jupyter.transcript.answers import answer_markdown
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.keyless import keyless
from secgemini_jupyter.transcript.markdown import escaped, fenced
from secgemini_jupyter.transcript.pages import facts
from secgemini_jupyter.transcript.reports import Mention, Report
from secgemini_jupyter.transcript.templating import Written, defanged_markdown, filled
from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = ["document"]

MAX_PROMPT = 50_000


def document(report: Report) -> str:
    return filled(report.template, "md", values(keyless(report))).strip("\n") + "\n"


def values(report: Report) -> dict[str, Any]:
    """The same names as for a page, as Markdown."""
    rows = [*facts(report.transcript), ("Activity log", report.head)]

    def mentions(listed: Sequence[Mention], *names: str) -> Written:
        return _table((*names, *parts.MENTIONS), parts.mention_rows(listed, report.sessions))

    return {
        "report": report,
        "title": report.title,
        "kind": report.kind,
        "scope": _scope(report),
        "facts": Written("\n".join(f"- {name}: {escaped(value, 2_000)}" for name, value in rows if value)),
        "evidence": _table(parts.EVIDENCE, parts.evidence_rows(report.evidence, report.sessions)),
        "evidence_note": report.evidence_note,
        "findings": _findings(report),
        "findings_note": report.findings_note,
        "indicators": mentions(report.indicators, "Type", "Value"),
        "indicators_note": report.indicators_note,
        "techniques": mentions(report.techniques, "Id", "Name"),
        "events": [{"turn": turn, "shown": _quoted([message])} for turn, message in report.reported],
        "timeline": _table(parts.EVENTS, parts.event_rows(report.timeline, report.sessions)),
        "appendix": Written("\n\n".join(_turns(report.transcript)) or "Nothing was asked yet."),
        "footer": f"Times are UTC. Written {utc(report.made)} by secgemini-jupyter {__version__} (unofficial).",
    }  # fmt: skip


def _cell(text: str) -> str:
    return escaped(defanged(text[:16_000]), 2_000)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Written:
    """Nothing, if there are no rows; without columns that have nothing to say."""
    columns, rows = parts.told(columns, rows)
    lines = [f"| {' | '.join(_cell(cell) or ' ' for cell in row)} |" for row in rows]
    head = [f"| {' | '.join(name or ' ' for name in columns)} |", "|" + " --- |" * len(columns)]
    return Written("\n".join([*head, *lines]) if lines else "")


def _prose(text: str) -> Written:
    """A person's Markdown: what a viewer would run or load stands in a fence."""
    said = Message(message_type=MessageType.RESULT, content=text)
    return Written(defanged_markdown(answer_markdown([said]).strip("\n")))


def _scope(report: Report) -> Written:
    if report.described:
        return Written("\n".join([report.described_note, "", *_plain(report.described)]))
    return _prose(report.scope or "")


def _plain(text: str) -> list[str]:
    """Lines of a fence: whatever the text is, it is no heading of ours."""
    cut = len(text) - MAX_PROMPT
    note = f"\n[{count(cut, 'more character')} in the session's history]" if cut > 0 else ""
    return fenced(defanged(safe_text(text[:MAX_PROMPT]).strip("\n")) + note, "text")


def _findings(report: Report) -> Written:
    if report.findings is not None:
        return _prose(report.findings)
    return _quoted(report.answered.shown) if report.answered else Written("")


def _quoted(messages: Sequence[Message]) -> Written:
    text = defanged_markdown(answer_markdown(messages).strip("\n"))
    return Written("\n".join(f"> {line}".rstrip() for line in text.split("\n"))) if text else Written("")


def _turns(transcript: Transcript) -> Iterator[str]:
    return (_turn(turn, several=transcript.several) for turn in transcript.turns)


def _turn(turn: TurnSlice, *, several: bool) -> str:
    where = f"{_cell(turn.session_id)}, " if several else ""
    lines = [f"### {where}turn {turn.index}" if turn.index else "### Before the first prompt", ""]
    if turn.prompt is not None:
        lines += _plain(turn.prompt)
    lines += ["", _quoted(turn.shown) or (TAKEN_BACK if turn.is_taken_back else "No answer.")]
    if turn.status == "error":
        lines += ["", f"Failed: {_cell(turn.error or '')}"]
    elif turn.status != "ok" and turn.index:
        lines += ["", "Incomplete: the turn has no end."]
    return "\n".join(lines)
