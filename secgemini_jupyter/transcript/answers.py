"""An answer as a Markdown text, for a report or a ticket: its words as they are, its payloads as tables and fences.

Values are exact, indicators too. What a viewer of the report would run or load (HTML, images, links that are no web
links) stands in a fence, with the paragraph, list or table that it is part of; what hides from the eye is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.models import Message
from secgemini_jupyter.render.answer import results
from secgemini_jupyter.render.payloads import is_markdown, read_code, render_message
from secgemini_jupyter.render.sources import TITLE, citations
from secgemini_jupyter.render.tables import Table
from secgemini_jupyter.render.text import safe_text
from secgemini_jupyter.transcript.markdown import escaped, fenced

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["answer_markdown"]

MAX_INLINE = 6_000
"""Characters of a paragraph that is looked into; a longer one is fenced where it could hold something active."""
_MARKUP = re.compile(r"<[a-z/!?]", re.IGNORECASE)
_SUSPECT = re.compile(r"[<!\[&]")
_WEB = re.compile(r"(?:https?|mailto):", re.IGNORECASE)


def answer_markdown(messages: Sequence[Message]) -> str:
    """The results and sources of one turn as Markdown; empty where there are none."""
    parts = (part for message in results(messages) if (part := _message(message).strip("\n")))
    cited = [f"{number}. {each.markdown}" for number, each in enumerate(citations(messages), 1)]
    sources = [_prose(safe_text("\n".join([f"{TITLE}:", "", *cited])))] if cited else []
    text = "\n\n".join([*parts, *sources])
    return text + "\n" if text else ""


def _message(message: Message) -> str:
    content = message.content or ""
    if is_markdown(message.mime_type):
        return _prose(safe_text(content))
    code = read_code(message.mime_type, content)
    if code is not None:
        return "\n".join(_code(*code, render_message(message, defang=False).value))
    shown = render_message(message, defang=False)
    if shown.table is not None:
        return _table(shown.table)
    if isinstance(shown.value, dict | list):
        return "\n".join(fenced(safe_text(json.dumps(shown.value, indent=2, ensure_ascii=False)), "json"))
    if isinstance(shown.value, str):
        return "\n".join(fenced(safe_text(content).rstrip("\n"), "text"))
    return escaped(shown.text, 2_000)


def _code(language: str, code: str, value: Any) -> Iterator[str]:
    language = language if re.fullmatch(r"[\w+#.-]{1,30}", language) else ""
    yield from fenced(safe_text(code).rstrip("\n"), language)
    for key in ("output", "error") if isinstance(value, dict) else ():
        if value.get(key):
            yield from ("", f"{key.capitalize()}:", "", *fenced(safe_text(str(value[key])).rstrip("\n"), "text"))


def _table(table: Table) -> str:
    rows = [["" if value is None else _cell(value) for value in row] for row in table.rows]
    lines = [f"**{escaped(table.title, 200)}**", ""] if table.title.strip() else []
    lines.append(f"| {' | '.join(escaped(name, 200) or ' ' for name in table.columns)} |")
    lines.append("|" + " --- |" * len(table.columns))
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _cell(value: Any) -> str:
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return "<br>".join(escaped(line, 8 * len(line)) for line in value.split("\n"))


def _prose(text: str) -> str:
    """`text`, each of its blocks as it is or in a fence; the last fence closed."""
    env: dict[str, Any] = {}
    tokens = _parser().parse(text, env)
    references = env.get("references", {})
    if any(not _is_web(str(each.get("href", ""))) for each in references.values()):
        return "\n".join(fenced(text.strip("\n"), "markdown"))
    lines = text.split("\n")
    written: list[str] = []
    done = 0
    for start, end, block in _blocks(tokens):
        written += lines[done:start]
        done = end
        if _is_active(block, references):
            written += ["", *fenced("\n".join(lines[start:end]).strip("\n"), "markdown"), ""]
            continue
        written += lines[start:end]
        last = block[-1]
        if last.type == "fence" and not _is_closed(lines[start:end], last.markup):
            written.append(last.markup)
    return "\n".join([*written, *lines[done:]])


def _blocks(tokens: Sequence[Token]) -> Iterator[tuple[int, int, list[Token]]]:
    """First line, line after the last, and the tokens of each outermost block."""
    block: list[Token] = []
    for token in tokens:
        block.append(token)
        if token.level == 0 and token.nesting <= 0:
            first = block[0].map or [0, 0]
            yield first[0], first[1], block
            block = []


def _is_closed(fence: Sequence[str], markup: str) -> bool:
    *before, last = "\n".join(fence).rstrip().split("\n")
    return bool(before) and last.strip().startswith(markup) and not last.strip().strip(markup[0])


def _is_active(block: Sequence[Token], references: dict[str, Any]) -> bool:
    for token in block:
        if token.type != "inline" or not _SUSPECT.search(token.content):
            continue
        if len(token.content) > MAX_INLINE:
            return True
        (inline,) = _parser(inline=True).parseInline(token.content, {"references": references})
        for child in inline.children or ():
            if child.type == "image" or (child.type == "text" and _MARKUP.search(child.content)):
                return True
            if child.type == "link_open" and not _is_web(str(child.attrs.get("href", ""))):
                return True
    return False


def _is_web(url: str) -> bool:
    """Whether a link leads to a page, a mailbox, or inside the report."""
    return bool(_WEB.match(url)) or ":" not in re.split("[/?#]", url, maxsplit=1)[0]


@cache
def _parser(*, inline: bool = False) -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 50}).enable("table")
    parser.validateLink = lambda _url: True  # type: ignore  # all are wanted, to be looked at
    return parser if inline else parser.disable("inline")
