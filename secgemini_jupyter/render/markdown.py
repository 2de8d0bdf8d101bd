"""Untrusted Markdown → safe HTML: parsed with HTML off, rewritten token by token, then held against an allow-list.

Three decisions:

- **A link can be clicked only if the reader can see where it leads**: an http(s) URL with a DNS name, or mailto,
  whose text names no target; its host stands behind it. Where the text is itself a URL or a host, or the answer
  mentions that host as an indicator, the link is evidence: it is shown as text, defanged.
- **Nothing is loaded**: an image is its alternative text and its URL, as text.
- **Indicators are defanged** in prose, tables, inline code and in fences without a language, which quote logs. A
  fence with a language is code to be copied: it stays exact, and cannot be clicked anyway.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.render import html
from secgemini_jupyter.render.code import highlighted
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.text import count, defanged, safe_text, shorten

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

__all__ = ["MAX_CHARS", "inline_html", "markdown_html"]

MAX_CHARS = 200_000
"""Of one text, shown; the parser takes about 0.3 s for as much."""
MAX_INLINE = 6_000
"""Characters of one paragraph or cell that are searched for emphasis and links: that search is quadratic at worst."""
MAX_MARKS = 20_000
"""Characters with a meaning in all paragraphs and cells together; what comes after them is shown without markup."""
MAX_BRACKETS = 16
MAX_NESTING = 12
MAX_INDENT = 48
MAX_COLUMNS = 100
MAX_LINES = 20_000

_QUOTES = ("", "text", "txt", "plain", "log", "console", "output")

_MARKERS = re.compile(r"[ \t]*(?:(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t]))[ \t]*)+")
_MARKER = re.compile(r"[ \t]*(?:>|[-+*]|\d{1,9}[.)])[ \t]*")
_MARKS = re.compile(r"[*_~`\[\]<>!&\\]")
_FENCE = re.compile(r" {0,3}(?:[-+*>] {0,3})*(`{3,}|~{3,})")
_DELIMITERS = re.compile(r"[ \t>|:-]+\Z")
_HOST = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
_CLICKABLE = re.compile(
    rf"(?:https?://({_HOST})(?::\d{{1,5}})?(?:[/?#][^\s\\<>\x00-\x1f]*)?|mailto:([^\s?@:/\\%]+@{_HOST}))\Z",
    re.IGNORECASE,
)
_NAMES_A_TARGET = re.compile(
    r"://|@|www\.|\[\.\]|\b[\w-]+\.[a-z]{2,}\b|\d+\.\d+\.\d+\.\d+|[\u0080-\uffff]\S*\.\S", re.IGNORECASE
)
_WORDS_LIKE_HOSTS = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)


LONG_CODE = 24
"""Characters of inline code that stay together."""


def markdown_html(
    text: str, *, defang: bool = True, breaks: bool = True, links: bool = True, limit: int = MAX_CHARS
) -> Html:
    """`text` as HTML that holds the allow-list of `html.sanitize` and nothing else.

    A text longer than `limit` characters, or nested deeper than people read, is cut or flattened, and the
    result says so. Never raises for what the text says.

    Args:
        breaks: line breaks count: answers quote logs, and Sec-Gemini's own page shows them so. Else they are blanks, as
            in prose that was written in an editor.
        links: some can be clicked, as decided above; else each is text, with where it leads behind it, as in documents
            that are handed on.
    """
    shown, notes = _within_limits(_fenced(text) if _is_json(text) else text, limit)
    rendered = html.sanitize(_parser().render(shown, {"defang": defang, "breaks": breaks, "links": links}))
    if not notes:
        return rendered
    return html.join(rendered, html.tag("div", f"[{'; '.join(notes)}]", style=html.QUIET))


def _is_json(text: str) -> bool:
    """Whether the whole text is a JSON object or list, as an answer is where JSON was asked for: no prose at all."""
    if text.lstrip()[:1] not in ("{", "[") or text.rstrip()[-1:] not in ("}", "]"):
        return False
    try:
        return bool(json.loads(text))
    except (ValueError, RecursionError):
        return False


def _fenced(text: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}json\n{text.strip()}\n{fence}"


def inline_html(text: str, *, defang: bool = True, links: bool = True) -> Html:
    """One line of Markdown (an error with a command in it, a title), without its paragraph."""
    line = shorten(" ".join(safe_text(text).split()), 2_000)
    return html.sanitize(_parser().renderInline(line, {"defang": defang, "links": links}))


def _within_limits(text: str, limit: int) -> tuple[str, list[str]]:
    """`text` such that parsing it takes linear time, and what was changed for that, in words."""
    notes = []
    if len(text) > limit:
        notes.append(f"{count(len(text) - limit, 'more character')} not shown here; the answer's data has all of it")
        text = text[:limit]
    text = safe_text(text)
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        notes.append(f"{count(len(lines) - MAX_LINES, 'more line')} not shown here; the answer's data has all of them")
        lines = lines[:MAX_LINES]
    flattened = False
    fence = ""
    for number, line in enumerate(lines):
        opened = _FENCE.match(line) if "```" in line or "~~~" in line else None
        if opened:
            if not fence:
                fence = opened[1] if opened[1][0] == "~" or "`" not in line[opened.end() :] else ""
            elif opened[1].startswith(fence) and not line[opened.end() :].strip():
                fence = ""
        flat = _flattened(line, in_fence=bool(fence))
        if flat is not line:
            lines[number], flattened = flat, True
    if flattened:
        notes.append(f"nesting deeper than {MAX_NESTING} levels and tables wider than {MAX_COLUMNS} columns shown flat")
    return "\n".join(lines), notes


def _flattened(line: str, *, in_fence: bool) -> str:
    """`line` itself, unless it nests too deep or spans too many columns."""
    if not line or line[0] not in " \t>-+*|:0123456789":
        return line
    if not in_fence and line.count("|") > MAX_COLUMNS and _DELIMITERS.match(line):
        return "\\" + line.lstrip()
    # A quote marker opens a level even where a fence seems open: whether it is, the parser knows and we guess.
    prefix = _MARKERS.match(line)
    if prefix and prefix[0].count(">") + len(prefix[0].split()) > MAX_NESTING:
        start = 0
        for _ in range(MAX_NESTING):
            marker = _MARKER.match(line, start)
            if marker is None or marker.end() > prefix.end():
                break
            start = marker.end()
        else:
            rest = line[start:]
            if rest[:1] in (">", "-", "+", "*") or rest[:1].isdigit():
                return line[:start] + "\\" * (not rest[:1].isdigit()) + re.sub(r"^(\d+)([.)])", r"\1\\\2", rest)
    if not in_fence and len(line) - len(line.lstrip(" \t")) > MAX_INDENT:
        return " " * MAX_INDENT + line.lstrip(" \t")
    return line


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 100})
    parser.enable(["table", "strikethrough"])
    parser.core.ruler.before("inline", "set_apart", _set_apart)
    parser.core.ruler.push("untrusted", _rewrite)
    # Every link is wanted as a token, so that it can be shown as text; what may be clicked `_clickable` decides.
    parser.validateLink = lambda _url: True  # type: ignore
    for name, rule in {
        "fence": _fence,
        "code_block": _fence,
        "code_inline": lambda _, tokens, index, *__: _inline_code(tokens[index].content),
        "softbreak": lambda *given: "<br />\n" if given[-1].get("breaks", True) else "\n",
        "table_open": lambda *_: f'<div style="{html.SCROLL}"><table>',
        "table_close": lambda *_: "</table></div>",
    }.items():
        parser.add_render_rule(name, rule)
    return parser


def _set_apart(state: Any) -> None:
    """Text that would keep the inline parser busy becomes plain tokens, which the core's inline rule leaves alone."""
    from markdown_it.token import Token

    budget = MAX_MARKS
    for token in state.tokens:
        if token.type != "inline":
            continue
        budget -= len(_MARKS.findall(token.content))
        if len(token.content) <= MAX_INLINE and budget >= 0 and _bracket_depth(token.content) <= MAX_BRACKETS:
            continue
        token.children = []
        for index, line in enumerate(token.content.split("\n")):
            if index:
                token.children.append(Token("softbreak", "br", 0))
            token.children.append(Token("text", "", 0, content=line))
        token.content = ""


def _bracket_depth(text: str) -> int:
    """How deep `[` nests, closed or not: the parser's search for links takes quadratic time in it."""
    depth = deepest = 0
    if text.count("[") > MAX_BRACKETS:
        for bracket in re.findall(r"[\[\]]", text):
            depth = depth + 1 if bracket == "[" else max(0, depth - 1)
            deepest = max(deepest, depth)
    return deepest


def _rewrite(state: Any) -> None:
    """Headings down, cells aligned, links and images as decided above, indicators defanged."""
    defang, links = state.env.get("defang", True), state.env.get("links", True)
    inline = [token for token in state.tokens if token.type == "inline"]
    mentioned = _hosts_mentioned(inline) if defang else frozenset()
    for token in inline:
        token.children = list(_children(token.children or (), mentioned, defang=defang, links=links))
    column: int = 0
    columns: list[_Column] = []
    for index, token in enumerate(state.tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + 2, 6)}"
        elif token.type == "table_open":
            columns = []
        elif token.type == "tr_open":
            column = 0
        elif token.type in ("th_open", "td_open"):
            if column == len(columns):
                columns.append(_Column())
            columns[column].cells.append((token, state.tokens[index + 1].content))
            column += 1
        elif token.type == "table_close":
            for each in columns:
                each.align()
        elif token.type == "ordered_list_open":
            start = token.attrs.get("start")
            token.attrs = {"start": start} if isinstance(start, int) and start < 2**31 else {}


@dataclass
class _Column:
    """The cells of one column of a table, each with its text; the first is the heading."""

    cells: list[tuple[Token, str]] = field(default_factory=list)

    def align(self) -> None:
        """As the Markdown says; where it does not, numbers stand right, their heading too."""
        numeric = is_numeric(text for _, text in self.cells[1:])
        for cell, _ in self.cells:
            wanted = str(cell.attrs.get("style", "")).removeprefix("text-align:")
            style = html.CELL[wanted or ("right" if numeric else "left")]
            cell.attrs = {"style": html.NUMBER if numeric and not wanted and cell.type == "td_open" else style}


_NUMBER = re.compile(r"[-+−]?(?:\d{1,3}(?:[,  ]\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?(?: ?(?:%|[kMGT]?B|[mµn]?s))?\Z")


def is_number(text: str) -> bool:
    """Whether a reader takes the whole of `text` for a number, maybe with a unit."""
    return len(text) < 40 and bool(_NUMBER.match(text))


def is_numeric(cells: Iterable[str]) -> bool:
    """Whether a column holds numbers, and at least one."""
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(is_number(cell) for cell in filled)


def _hosts_mentioned(inline: Sequence[Token]) -> frozenset[str]:
    """Hosts that stand in the text, in prose or code, where they are defanged."""
    found: set[str] = set()
    for token in inline:
        for child in token.children or ():
            if child.type in ("text", "code_inline") and "." in child.content:
                words = _WORDS_LIKE_HOSTS.findall(child.content.replace("[.]", "."))
                found.update(word.strip(".-_").lower() for word in words if "." in word)
    return frozenset(found)


def _children(tokens: Sequence[Token], mentioned: frozenset[str], *, defang: bool, links: bool) -> Iterator[Token]:
    opened: list[tuple[bool, str, str]] = []
    for index, token in enumerate(tokens):
        if token.type == "link_open":
            url, label = str(token.attrs.get("href", "")), _label(tokens[index + 1 :])
            host = _clickable(url) if links else ""
            clickable = bool(host) and not (defang and (_NAMES_A_TARGET.search(label) or host in mentioned))
            opened.append((clickable, url, host if clickable else label))
            if clickable:
                token.attrs = {"href": url}
                yield token
        elif token.type == "link_close":
            clickable, url, detail = opened.pop()
            if clickable:
                yield token
                yield from _host_after(detail)
            elif safe_text(url).removeprefix("mailto:").rstrip("/") != detail.rstrip("/"):
                yield _text(f" ({_target(url, defang=defang)})")
        elif token.type == "image":
            url = _target(str(token.attrs.get("src", "")), defang=defang)
            label = shorten(" ".join(safe_text(token.content).split()), 200)
            yield _text(f"[image: {defanged(label) if defang else label}{' – ' if label else ''}{url}]")
        else:
            if token.type in ("text", "code_inline"):
                token.content = safe_text(token.content)  # again: `&#x202e;` was a character reference until now
                token.content = defanged(token.content) if defang else token.content
            yield token


def _label(tokens: Sequence[Token]) -> str:
    """The text of a link, up to its close."""
    label = []
    for token in tokens:
        if token.type == "link_close":
            break
        label.append(token.content)
    return "".join(label)


def _clickable(url: str) -> str:
    """The host (or address) that `url` leads to, if every browser reads it the same way; else nothing."""
    match = _CLICKABLE.match(url) if len(url) <= 2_000 else None
    host = (match[1] or match[2]).lower() if match else ""
    # Letters of other alphabets imitate; and some of what the parser wrote as punycode browsers refuse.
    return "" if "xn--" in host else host


def _host_after(host: str) -> Iterator[Token]:
    """The host behind a link: its text cannot lie about it."""
    from markdown_it.token import Token

    yield Token("span_open", "span", 1, attrs={"style": html.HOST})
    yield _text(f" ({host})")
    yield Token("span_close", "span", -1)


def _inline_code(content: str) -> Html:
    """Long values (addresses, paths, hashes) may break anywhere, or a table of them would be wider than the page."""
    return html.tag("code", content, style=html.LONG_CODE if len(content) > LONG_CODE else html.CODE)


def _target(url: str, *, defang: bool) -> str:
    url = safe_text(shorten(url, 300))
    return defanged(url) if defang else url


def _text(content: str) -> Token:
    from markdown_it.token import Token

    return Token("text", "", 0, content=content)


def _fence(_: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    language = safe_text(token.info).strip().partition(" ")[0].lower()
    if language in _QUOTES:
        content = html.escape(defanged(token.content) if env.get("defang", True) else token.content)
    else:
        content = highlighted(token.content, language)
    code = html.tag("code", Html(content.removesuffix("\n")), style=html.PRE_CODE)
    return f"<pre>{code}</pre>\n"
