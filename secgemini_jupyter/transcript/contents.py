"""What an answer holds besides words: code, JSON and tables, in payloads of their own and inside its Markdown.

Values are exact: neither defanged nor escaped. Who shows them does that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.models import Message, Role, read_json
from secgemini_jupyter.render.answer import results
from secgemini_jupyter.render.payloads import is_json, is_markdown, read_code, read_table
from secgemini_jupyter.render.tables import Table

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["Block", "blocks", "code_in", "json_in", "tables_in"]

MAX_NESTING = 20
"""Levels of lists and quotes in which something is found: the parser's cost grows with them."""
MAX_CELL = 6_000
"""Characters of a cell that is searched for markup, which is quadratic at worst; a longer one stays as written."""
MAX_STARTS = 200
"""Braces of a prose at which JSON is looked for."""
_JSON = ("json", "json5", "jsonc", "geojson")
_LINES = ("jsonl", "ndjson", "jsonlines")
_DATA = (*_JSON, *_LINES, "csv", "tsv", "text", "txt", "plain", "log", "console", "output", "markdown", "md", "diff")
_MARKS = re.compile(r"[\\`*_\[\]<&!]")
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_START = re.compile(r"\{\s*[\"}]|\[\s*\{")


@dataclass(frozen=True)
class Block:
    """A code fence of a Markdown text, or a payload that is code; `language` is as its author wrote it, or empty."""

    language: str
    code: str


def code_in(messages: Sequence[Message]) -> list[Block]:
    """The code of an answer, in order: fences of a programming language, and payloads.

    Fences without a language count only where there is no other code: they quote logs as often.
    """
    found: list[Block] = []
    for message in results(messages):
        if (code := read_code(message.mime_type, message.content or "")) is not None:
            found.append(Block(*code))
        elif (text := _prose(message)) is not None:
            found += blocks(text)
    found = [block for block in found if block.language.lower() not in _DATA and block.code.strip()]
    return [block for block in found if block.language] or found


def json_in(messages: Sequence[Message]) -> Iterator[Any]:
    """JSON values of an answer, the likeliest first: JSON payloads; a text that is JSON as a whole, its JSON fences,
    else the first object or list of objects in its words; other payloads that are JSON inside, as tables are.
    """
    found = results(messages)
    for message in found:
        if is_json(message.mime_type):
            yield from _read(message.content or "")
    for message in found:
        if (text := _prose(message)) is not None:
            yield from _json_in_text(text)
    for message in found:
        if message.text is not None and not is_json(message.mime_type) and not is_markdown(message.mime_type):
            yield from _read(message.text, objects_only=True)


def tables_in(messages: Sequence[Message]) -> list[Table]:
    """Tables of an answer: payloads, then JSON records, then Markdown tables and CSV fences; as their texts say.

    Those that the service remarks on an answer (role `system`) come last.
    """
    found = results(messages)
    said = [message for message in found if message.role is not Role.SYSTEM]
    return [*_tables(said), *_tables([message for message in found if message.role is Role.SYSTEM])]


def _tables(found: Sequence[Message]) -> list[Table]:
    tables = [read_table(message.mime_type, message.content or "") for message in found]
    tables += [
        records(value)
        for message, table in zip(found, tables, strict=True)
        if not table
        for value in json_in([message])
    ]
    for message in found:
        if (text := _prose(message)) is not None:
            tables += _tables_in_text(text)
    return [table for table in tables if table is not None]


def records(value: Any) -> Table | None:
    """A list of objects as a table, bare or as the one list of an object that wraps it."""
    if table := Table.from_value(value):
        return table
    if not isinstance(value, dict):
        return None
    wrapped = [item for item in value.values() if isinstance(item, list | dict)]
    return Table.from_value(wrapped[0]) if len(wrapped) == 1 and isinstance(wrapped[0], list) else None


def blocks(text: str) -> list[Block]:
    """The code fences of a Markdown text, those in lists and quotes too, without their indentation."""
    return [
        Block(token.info.strip().partition(" ")[0], token.content)
        for token in _parser().parse(text)
        if token.type == "fence"
    ]


def _prose(message: Message) -> str | None:
    return message.content or "" if is_markdown(message.mime_type) else None


def _json_in_text(text: str) -> Iterator[Any]:
    values = list(_read(text))
    for block in blocks(text) if not values else ():
        language = block.language.lower()
        if language in _LINES:
            lines = [value for line in block.code.splitlines() if line.strip() for value in _read(line)]
            values += [lines] if lines else []
        elif language in _JSON or not language:
            values += _read(block.code)
    yield from values or _json_in_words(text)


def _json_in_words(text: str) -> Iterator[Any]:
    """The first object, or list of objects: a `[1]` in a text is a footnote."""
    decoder = json.JSONDecoder()
    budget = 4 * len(text)  # of what is read in vain
    for number, match in enumerate(_START.finditer(text)):
        if number == MAX_STARTS or budget < 0:
            return
        try:
            _, end = decoder.raw_decode(text, match.start())
        except json.JSONDecodeError as error:
            budget -= error.pos - match.start()
            continue
        except (ValueError, RecursionError):
            continue
        for value in _read(text[match.start() : end]):
            if value:
                yield value
                return


def _read(text: str, *, objects_only: bool = False) -> Iterator[Any]:
    """The value that a whole text is, or nothing."""
    text = text.strip()
    if text and (text[0] in "{[" or not objects_only):
        try:
            yield read_json(text, "JSON")
        except ProtocolError:
            return


def _tables_in_text(text: str) -> Iterator[Table | None]:
    rows: list[list[str]] = []
    before = ""
    for token in _parser().parse(text):
        if token.type == "fence" and token.info.strip().lower() == "csv":
            yield Table.from_csv(token.content)
        elif token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append([])
        elif before in ("th_open", "td_open"):
            rows[-1].append(cell_value(token.content))
        elif token.type == "table_close":
            yield Table.from_rows(rows[0], rows[1:])
        before = token.type


def cell_value(markdown: str) -> str:
    """What a cell says, without emphasis and backticks. One with a link or an image stays as it was written."""
    if not _MARKS.search(markdown) or len(markdown) > MAX_CELL:
        return markdown
    (inline,) = _parser(inline=True).parseInline(markdown)
    text = []
    for token in inline.children or ():
        if token.type == "image" or (token.type == "link_open" and token.markup != "autolink"):
            return markdown
        text.append(_BREAK.sub("\n", token.content) if token.type == "text" else token.content)
    return "".join(text)


@cache
def _parser(*, inline: bool = False) -> MarkdownIt:
    """For blocks alone, or for what stands in one: only that takes long."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_NESTING}).enable("table")
    parser.validateLink = lambda _url: True  # type: ignore  # a link stays as it is written, wherever it leads
    return parser if inline else parser.disable("inline")
