"""A report as one HTML page: each part comes out of `render`, escaped and defanged; the template puts them in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from secgemini_jupyter.render import html
from secgemini_jupyter.render.html import Html, join, tag
from secgemini_jupyter.render.markdown import markdown_html
from secgemini_jupyter.render.payloads import render_message
from secgemini_jupyter.render.text import defanged, one_line, size
from secgemini_jupyter.transcript import pages
from secgemini_jupyter.transcript.pages import grid, said
from secgemini_jupyter.transcript.reports import Evidence, Mention, Report
from secgemini_jupyter.transcript.sheet import CSS
from secgemini_jupyter.transcript.templating import filled

__all__ = ["page"]

MAX_DESCRIPTION = 5_000


def page(report: Report) -> str:
    """The template's text is the page's body: policy, style sheet and title are ours, whatever it says."""
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
        "evidence": _evidence(report.evidence) if report.evidence else "",
        "evidence_note": report.evidence_note,
        "findings": _findings(report),
        "findings_note": report.findings_note,
        "indicators": _mentions(report.indicators, "Type", "Value") if report.indicators else "",
        "indicators_note": report.indicators_note,
        "techniques": _mentions(report.techniques, "Id", "Name") if report.techniques else "",
        "events": [
            {"turn": turn, "shown": render_message(message, links=False).html} for turn, message in report.reported
        ],
        "timeline": _timeline(report),
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


def _evidence(evidence: Sequence[Evidence]) -> Html:
    return grid(
        [("#", "number"), ("Name", ""), ("Size", "number"), ("Type", ""), ("SHA-256", "hash"), ("Compared", "words")],
        [
            (str(number), said(one_line(each.file.name, 300)), size(each.file.size),
             said(one_line(each.file.mime_type, 80)), said(one_line(each.file.sha256, 128)), _dated(each.compared))
            for number, each in enumerate(evidence, 1)
        ],
    )  # fmt: skip


def _dated(text: str) -> Html:
    """Days stay together: a browser would break them at their hyphens."""
    parts = re.split(r"(\d{4}-\d\d-\d\d)", one_line(text, 200))
    return join(*[tag("span", part, class_="day") if at % 2 else said(part) for at, part in enumerate(parts)])


def _mentions(mentions: Iterable[Mention], kind: str, value: str) -> Html:
    """Without the columns that have nothing to say."""
    columns = [(kind, "short"), (value, ""), ("Count", "number"), ("First mentioned", "words"), ("In", "words"),
               ("Remarks", "words")]  # fmt: skip
    rows = [
        (said(each.kind), said(one_line(each.value, 500)), f"{each.count:,}", _dated(each.first_seen), each.where,
         said(each.note.replace("_", " ")))
        for each in mentions
    ]  # fmt: skip
    told = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    return grid([columns[number] for number in told], [[row[number] for number in told] for row in rows])


def _timeline(report: Report) -> Html:
    return grid(
        [("Time", "short"), ("Turn", "number"), ("Step", "short"), ("What", "")],
        [(each.time, str(each.turn or ""), each.kind, said(each.what)) for each in report.timeline],
    )
