"""Transcripts and reports as Word documents (extra `docx`): defanged text and tables; no link, field, image, macro."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from secgemini_jupyter._version import __version__
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Message
from secgemini_jupyter.render.answer import TAKEN_BACK, results
from secgemini_jupyter.render.payloads import render_message
from secgemini_jupyter.render.sources import sources_text
from secgemini_jupyter.render.tables import Table
from secgemini_jupyter.render.text import count, defanged, one_line, safe_text, size, utc
from secgemini_jupyter.transcript import report_parts as parts
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.keyless import keyless
from secgemini_jupyter.transcript.pages import facts
from secgemini_jupyter.transcript.reports import Report
from secgemini_jupyter.transcript.turns import TurnSlice

if TYPE_CHECKING:
    from docx.text.paragraph import Paragraph
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["report_docx", "to_docx"]

MAX_TEXT = 50_000
"""Characters of one prompt or result."""
MAX_ROWS = 500
MAX_PIECES = 40_000
"""Paragraphs, runs and cells made of what was answered, in one document: python-docx makes some 3,000 a second."""
MAX_LEVEL = 3
"""Levels of lists for which Word has a style."""
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def to_docx(transcript: Transcript) -> bytes:
    """The conversation.

    Raises:
        InputError: python-docx is missing.
    """
    transcript = keyless(transcript)
    document = Document(transcript.title)
    document.facts(facts(transcript))
    if transcript.description.strip():
        document.text(transcript.description)
    if transcript.files:
        document.heading("Attachments", 1)
        rows = [(file.name, size(file.size), file.mime_type, file.sha256) for file in transcript.files]
        document.table(("Name", "Size", "Type", "SHA-256"), rows)
    document.heading("Conversation", 1)
    document.turns(transcript)
    return document.saved()


def report_docx(report: Report) -> bytes:
    """A report with the parts and the order of the template `incident`.

    Raises:
        InputError: python-docx is missing, or the report has a template of its own.
    """
    if report.template != "incident":
        raise InputError("A template writes HTML or Markdown: save the report as one, or leave template= out for Word.")
    report = keyless(report)
    document = Document(report.title)
    document.text(report.kind)
    document.facts([*facts(report.transcript), ("Activity log", report.head)])
    if report.described:
        document.heading("Scope", 1)
        document.text(report.described_note)
        document.text(_cut(report.described), "Intense Quote")
    elif report.scope and report.scope.strip():
        document.heading("Scope", 1)
        document.markdown(report.scope, breaks=False)
    document.heading("Evidence", 1)
    document.table(*parts.told(parts.EVIDENCE, parts.evidence_rows(report.evidence, report.sessions)))
    document.text(report.evidence_note)
    document.heading("Findings", 1)
    document.text(report.findings_note)
    if report.findings is not None:
        document.markdown(report.findings, breaks=False)
    elif report.answered:
        document.results(report.answered.shown)
    document.heading("Indicators", 1)
    rows = parts.mention_rows(report.indicators, report.sessions)
    document.table(*parts.told(("Type", "Value", *parts.MENTIONS), rows), "None.")
    document.text(report.indicators_note)
    if report.techniques:
        document.heading("ATT&CK techniques that were named", 2)
        rows = parts.mention_rows(report.techniques, report.sessions)
        document.table(*parts.told(("Id", "Name", *parts.MENTIONS), rows))
    document.heading("Timeline", 1)
    for turn, message in report.reported:
        document.text(f"As told in the answer to turn {turn}:")
        document.results([message])
    steps = parts.event_rows(report.timeline, report.sessions)
    document.table(*parts.told(parts.EVENTS, steps), "Nothing was asked yet.")
    document.heading("Appendix: prompts and answers", 1)
    document.turns(report.transcript)
    return document.saved()


@dataclass
class _List:
    """A list that is open: the style of what begins an item, and of what follows in it; the id of its numbering."""

    style: str
    more: str
    number: int | None
    is_item_new: bool = False


class Document:
    """A Word document that takes any text: what it cannot hold is shown, and indicators are defanged."""

    def __init__(self, title: str) -> None:
        try:
            import docx
        except ImportError:
            raise InputError("Word documents need python-docx. Run: pip install 'secgemini-jupyter[docx]'.") from None
        self._document = docx.Document()
        self._style_ids: dict[str, str] = {}
        self._pieces = 0
        self._kinds: dict[str, int] = {}
        self._numberings = 0
        about = self._document.core_properties
        # Word has room for 255 characters, and defanging makes more of them.
        about.title, about.author, about.comments = _said(one_line(title, 200))[:255], "secgemini-jupyter", ""
        about.created = about.modified = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        self._paragraph(_said(one_line(title, 200)), "Title")

    def heading(self, text: str, level: int) -> None:
        self._paragraph(_said(one_line(text, 200)), f"Heading {level}")

    def text(self, text: str, style: str | None = None) -> None:
        self._paragraph(_said(text), style)

    def _paragraph(self, text: str = "", style: str | None = None) -> Paragraph:
        paragraph = self._document.add_paragraph(text)
        if style is not None:
            if style not in self._style_ids:
                self._style_ids[style] = self._document.styles[style].style_id
            paragraph._p.style = self._style_ids[style]  # by name, python-docx walks over all styles each time
        return paragraph

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        for name, value in rows:
            if value:
                paragraph = self._document.add_paragraph()
                paragraph.paragraph_format.space_after = 0
                paragraph.add_run(f"{name}: ").bold = True
                paragraph.add_run(_clean(one_line(value, 500)))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str = "") -> None:
        rows = list(rows)
        if not rows:
            if empty:
                self.text(empty)
            return
        table = self._document.add_table(1, len(columns), "Light Grid Accent 1")
        _fill(table.rows[0], columns)
        for row in rows[:MAX_ROWS]:
            _fill(table.add_row(), [one_line(cell, 1_000) for cell in row])
        self.text(f"[{count(len(rows) - MAX_ROWS, 'more row')} in the session's data]" if len(rows) > MAX_ROWS else "")

    def turns(self, transcript: Transcript) -> None:
        for turn in transcript.turns:
            where = f"{turn.session_id}, " if transcript.several else ""
            at = f", {utc(turn.started_at)}" if turn.started_at is not None else ""
            self.heading(f"{where}turn {turn.index}{at}" if turn.index else "Before the first prompt", 2)
            if turn.prompt is not None:
                self.text(_cut(turn.prompt), "Intense Quote")
            self.results(turn.shown)
            self._state(turn)
        if not transcript.turns:
            self.text("Nothing was asked yet.")

    def _state(self, turn: TurnSlice) -> None:
        if turn.status == "error":
            self.text(f"Failed: {one_line(turn.error or '', 2_000)}")
        elif turn.status != "ok" and turn.index:
            self.text("Incomplete: the turn has no end.")
        elif not turn.results:
            self.text(TAKEN_BACK if turn.is_taken_back else "No answer: the turn has no result.")

    def results(self, messages: Sequence[Message]) -> None:
        for message in results(messages):
            shown = render_message(message, defang=False)
            if shown.is_markdown:
                self.markdown(message.content or "")
            elif shown.table is not None:
                self._table(shown.table)
            else:
                self.code(shown.text)
        if cited := sources_text(messages, defang=False):
            self.text(cited)

    def _table(self, table: Table) -> None:
        if table.title.strip():
            self.text(one_line(table.title, 200))
        if self._has_room(len(table.columns) * min(len(table.rows), MAX_ROWS)):
            self.table([*table.columns], [["" if cell is None else str(cell) for cell in row] for row in table.rows])
        else:
            self.text(f"[{count(len(table.rows), 'row')} in the session's data]")

    def _has_room(self, pieces: int) -> bool:
        """Whether so many more go in; what does not is one piece, so that no answer makes the others wait for long."""
        fits = self._pieces + pieces <= MAX_PIECES
        self._pieces += pieces if fits else 1
        return fits

    def code(self, text: str) -> None:
        from docx.shared import Pt

        run = self._document.add_paragraph().add_run(_said(_cut(text).rstrip("\n")))
        run.font.name, run.font.size = "Consolas", Pt(9)

    def markdown(self, text: str, *, breaks: bool = True) -> None:
        """Headings, paragraphs, lists, tables and code of a Markdown text; links are their words."""
        rows: list[list[str]] = []
        lists: list[_List] = []
        tokens = _parser().parse(_cut(text))
        if not self._has_room(sum(1 + len(token.children or ()) for token in tokens)):
            self.text(_cut(text))
            return
        for token, inner in _blocks(tokens):
            if token.type in ("bullet_list_open", "ordered_list_open"):
                kind = "Bullet" if token.type.startswith("bullet") else "Number"
                level = min(len(lists) + 1, MAX_LEVEL)
                style = f"List {kind} {level}".removesuffix(" 1")
                start = token.attrs.get("start", 1)
                number = self._numbering(style, int(start)) if kind == "Number" else None
                lists.append(_List(style, f"List Continue {level}".removesuffix(" 1"), number))
            elif token.type in ("bullet_list_close", "ordered_list_close"):
                lists.pop()
            elif token.type == "list_item_open":
                lists[-1].is_item_new = True
            elif token.type in ("fence", "code_block"):
                self.code(token.content)
            elif token.type == "tr_open":
                rows.append([])
            elif token.type in ("th_open", "td_open"):
                rows[-1].append(_words(inner))
            elif token.type == "table_close":
                self.table(rows[0], [row[: len(rows[0])] for row in rows[1:]])
                rows = []
            elif token.type == "heading_open":
                self._inline(inner, None, is_bold=True)
            elif token.type == "paragraph_open":
                self._inline(inner, lists[-1] if lists else None, breaks=breaks)

    def _numbering(self, style: str, start: int) -> int:
        """The id of a numbering that begins with `start`: all lists of a style would else count on from each other."""
        from docx.oxml.numbering import CT_Num

        made: Any = CT_Num.new
        numbers = self._document.part.numbering_part.element
        if style not in self._kinds:
            base = self._document.styles[style].element.pPr.numPr.numId.val
            self._kinds[style] = numbers.num_having_numId(base).abstractNumId.val
        self._numberings = (self._numberings or len(numbers.num_lst)) + 1  # python-docx would look at all for each
        number = made(self._numberings, self._kinds[style])
        number.add_lvlOverride(0).add_startOverride(min(start, 2**31 - 1))
        numbers.append(number)
        return self._numberings

    def _inline(
        self, inline: Token | None, within: _List | None, *, is_bold: bool = False, breaks: bool = True
    ) -> None:
        begins = within is not None and within.is_item_new
        style = (within.style if begins else within.more) if within else None
        paragraph = self._paragraph(style=style)
        if within and begins:
            within.is_item_new = False
            if within.number is not None:
                numbered = paragraph._p.get_or_add_pPr().get_or_add_numPr()
                numbered.get_or_add_ilvl().val, numbered.get_or_add_numId().val = 0, within.number
        strong = 0
        for token, words in _pieces(inline, breaks=breaks):
            strong += {"strong_open": 1, "strong_close": -1}.get(token.type, 0)
            if words:
                run = paragraph.add_run(_said(words))
                if is_bold or strong > 0:
                    run.bold = True
                if token.type == "code_inline":
                    run.font.name = "Consolas"

    def saved(self) -> bytes:
        self.text(f"Indicators are defanged. Times are UTC. Written by secgemini-jupyter {__version__} (unofficial).")
        file = io.BytesIO()
        self._document.save(file)
        return file.getvalue()


def _fill(row: Any, cells: Sequence[str]) -> None:
    for cell, text in zip(row.cells, cells, strict=False):
        cell.text = _said(text)


def _words(inline: Token | None) -> str:
    return "".join(words for _, words in _pieces(inline, breaks=False))


def _pieces(inline: Token | None, *, breaks: bool) -> Iterator[tuple[Token, str]]:
    """What stands in a paragraph or a cell, and its words; a link's end says where it leads: nothing can be clicked."""
    target = ""
    for token in (inline.children if inline else None) or ():
        words = {"softbreak": "\n" if breaks else " ", "hardbreak": "\n"}.get(token.type, token.content)
        if token.type == "link_open" and token.markup != "autolink":
            target = str(token.attrs.get("href", ""))
        elif token.type == "link_close" and target:
            words, target = f" ({target})", ""
        yield token, words


def _blocks(tokens: Sequence[Token]) -> Iterator[tuple[Token, Token | None]]:
    """Each token, and the inline one that follows it."""
    for position, token in enumerate(tokens):
        following = tokens[position + 1] if position + 1 < len(tokens) else None
        yield token, following if following is not None and following.type == "inline" else None


def _cut(text: str) -> str:
    more = len(text) - MAX_TEXT
    return text if more <= 0 else f"{text[:MAX_TEXT]}\n\n[{count(more, 'more character')} in the session's history]"


def _said(text: str) -> str:
    return _clean(defanged(safe_text(text)))


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "maxNesting": 12}).enable("table").disable("image")
