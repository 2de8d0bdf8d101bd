"""A report as one HTML page: each part comes out of `render`, escaped and defanged; the template puts them in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from secgemini_jupyter.render import html
from secgemini_jupyter.render.html import Html, join, tag
from secgemini_jupyter.render.markdown import markdown_html
from secgemini_jupyter.render.payloads import render_message
from secgemini_jupyter.render.text import defanged, one_line
from secgemini_jupyter.transcript import pages
from secgemini_jupyter.transcript.keyless import keyless
from secgemini_jupyter.transcript.pages import breakable, grid, said
from secgemini_jupyter.transcript.report_parts import (
    EVENTS,
    EVIDENCE,
    MENTIONS,
    Mention,
    event_rows,
    evidence_rows,
    mention_rows,
    told,
)
from secgemini_jupyter.transcript.reports import Report
from secgemini_jupyter.transcript.sheet import CSS
from secgemini_jupyter.transcript.templating import filled

__all__ = ["page"]

MAX_DESCRIPTION = 5_000


def page(report: Report) -> str:
    """The template's text is the page's body: policy, style sheet and title are ours, whatever it says."""
    report = keyless(report)
    body = filled(report.template, "html", values(report))
    return html.page(tag("main", Html(body)), one_line(defanged(report.title)), CSS)


def values(report: Report) -> dict[str, Any]:
    """What a template is given; `report` itself too, for templates that arrange the data in their own way."""
    transcript = report.transcript
    return {
        "report": report,
        "title": report.title,
        "kind": report.kind,
        "scope": _scope(report),
        "facts": pages.facts_html(transcript, [("Activity log", report.head)]),
        "evidence": _evidence(report) if report.evidence else "",
        "evidence_note": report.evidence_note,
        "findings": _findings(report),
        "findings_note": report.findings_note,
        "indicators": _mentions(report, report.indicators, "Type", "Value") if report.indicators else "",
        "indicators_note": report.indicators_note,
        "techniques": _mentions(report, report.techniques, "Id", "Name") if report.techniques else "",
        "events": [
            {"turn": turn, "shown": render_message(message, links=False).html} for turn, message in report.reported
        ],
        "timeline": _table(EVENTS, event_rows(report.timeline, report.sessions)),
        "appendix": pages.turns_html(transcript, is_open=False),
        "footer": pages.footer(report.made),
    }


def _scope(report: Report) -> Html | str:
    if report.described:
        quoted = tag("blockquote", tag("p", said(report.described[:MAX_DESCRIPTION]), class_="about"))
        return join(tag("p", report.described_note, class_="quiet"), quoted)
    if report.scope is None or not report.scope.strip():
        return ""
    return markdown_html(report.scope, breaks=False, links=False)


def _findings(report: Report) -> Html:
    if report.findings is not None:
        return markdown_html(report.findings, breaks=False, links=False)
    results = report.answered.results if report.answered else []
    return join(*[render_message(message, links=False).html for message in results])


def _evidence(report: Report) -> Html:
    """What a hash was compared with stands below it: there is no room for both side by side."""
    rows = [
        [*map(_cell, row), join(tag("div", _cell(sha256), class_="hash"), tag("div", _cell(compared)))]
        for *row, sha256, compared in evidence_rows(report.evidence, report.sessions)
    ]
    return _grid([*EVIDENCE[:-2], "SHA-256, compared"], rows)


LOOKS = {
    "#": "number", "Size": "number", "Count": "number", "Turn": "number", "Time": "short", "Step": "short",
    "Session": "short", "Id": "short",
}  # fmt: skip
"""The class of a column's cells by its name."""


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    return _grid(columns, [[_cell(cell) for cell in row] for row in rows])


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Html]]) -> Html:
    """Without the columns that have nothing to say."""
    columns, rows = told(columns, rows)
    return grid([(name, LOOKS.get(name, "")) for name in columns], rows)


def _cell(text: str) -> Html:
    """Days and times stay together: a browser would break them at their hyphens and blanks."""
    pieces = re.split(r"(\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d UTC)", one_line(text, 500))
    return join(*[tag("span", part, class_="day") if at % 2 else breakable(part) for at, part in enumerate(pieces)])


def _mentions(report: Report, mentions: Sequence[Mention], *names: str) -> Html:
    return _table((*names, *MENTIONS), mention_rows(mentions, report.sessions))
