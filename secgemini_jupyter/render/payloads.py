"""Rich content (protocol section 14) → a value, safe HTML, and text. Nonsense shows as raw text."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.models import Message, is_text, read_json
from secgemini_jupyter.render import html
from secgemini_jupyter.render.code import code_html
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.images import read_image
from secgemini_jupyter.render.markdown import markdown_html
from secgemini_jupyter.render.tables import Table
from secgemini_jupyter.render.text import count, defanged, one_line, safe_text, shorten, size, utc

__all__ = [
    "Payload",
    "is_json",
    "is_markdown",
    "json_payload",
    "moment",
    "raw",
    "read_code",
    "read_table",
    "render_content",
    "render_message",
]

MAX_RAW = 20_000
"""Characters of raw text, code or JSON that are shown."""
MAX_JSON_NODES = 500
MAX_JSON_DEPTH = 12
OPEN_JSON_LINES = 40
"""JSON of fewer lines is shown open: nobody should have to click for what fits on a screen."""


@dataclass(frozen=True)
class Payload:
    """One piece of content, ready to show.

    Attributes:
        html: safe HTML.
        text: safe plain text.
        value: what the content says as data: a `Table`, JSON, text; None if it could not be read.
        table: what is shown as a table, timelines and graphs too.
        is_markdown: it is prose, part of the answer's running text.
        is_transcript: it holds messages as they came, with thinking, tool calls and ids.
        summary: of a timeline or graph: what it is and how large, safe, on one line.
    """

    html: Html
    text: str
    value: Any = None
    table: Table | None = None
    is_markdown: bool = False
    is_transcript: bool = False
    summary: str = ""

    def folded(self) -> Payload:
        """The same beside an answer in prose, which told it: timelines and graphs are a line that opens."""
        if not self.summary:
            return self
        line = html.tag("summary", self.summary, style=html.SUMMARY)
        text = f"[{self.summary}: in the answer's tables]"
        return replace(self, html=html.tag("details", line, self.html, style=html.QUIET_PART), text=text)


def render_message(message: Message, *, defang: bool = True, links: bool = True) -> Payload:
    return render_content(message.mime_type, message.content or "", defang=defang, links=links)


def read_table(mime_type: str | None, content: str) -> Table | None:
    """The table in a `sec-gemini/table` or `text/csv` payload; None for other types and for what is no table."""
    if _plain_type(mime_type) not in ("sec-gemini/table", "text/csv"):
        return None
    try:
        return _read_table(content)
    except (ProtocolError, ValueError, TypeError, RecursionError):
        return None


def read_code(mime_type: str | None, content: str) -> tuple[str, str] | None:
    """Language and text of a `sec-gemini/code` or `text/python` payload; None for other types."""
    mime_type = _plain_type(mime_type)
    if mime_type in _CODE:
        return _CODE[mime_type], content
    if mime_type != "sec-gemini/code":
        return None
    value = _code_object(content)
    return (str(value.get("language") or ""), value["code"]) if value else ("", content)


def is_json(mime_type: str | None) -> bool:
    return _RENDERERS.get(_plain_type(mime_type)) is _json


def is_markdown(mime_type: str | None) -> bool:
    """Whether the content is prose; a canvas is not, though it may hold some."""
    return _plain_type(mime_type) in _MARKDOWN


def _plain_type(mime_type: str | None) -> str:
    return (mime_type or "text/plain").partition(";")[0].strip().lower()


def render_content(mime_type: str | None, content: str, *, defang: bool = True, links: bool = True) -> Payload:
    """Any content of any MIME type; never raises for what it says.

    Args:
        links: whether any can be clicked in its Markdown.
    """
    mime_type = _plain_type(mime_type)
    if mime_type in _MARKDOWN:
        return _markdown(content, defang=defang, links=links)
    if mime_type == _CANVAS:
        return _canvas(content, defang=defang, links=links)
    show = _RENDERERS.get(mime_type)
    if show is None and mime_type in _CODE:
        return _code(content, _CODE[mime_type])
    try:
        shown = show(content, defang) if show else None
    except (ProtocolError, ValueError, TypeError, RecursionError, OverflowError):
        shown = None
    if shown is None and not is_text(mime_type) and mime_type not in ("image/svg+xml", "application/jsonl"):
        amount = size(len(content) * 3 // 4)
        return _note(f"{one_line(mime_type, 80)}, about {amount}: not shown, the answer's data has it")
    return shown or raw(content, defang=defang)


def raw(content: str, *, defang: bool = True) -> Payload:
    """Any text as it is, cut where nobody reads on."""
    text = safe_text(content[:MAX_RAW])
    text = defanged(text) if defang else text
    if len(content) > MAX_RAW:
        text += f"\n[{count(len(content) - MAX_RAW, 'more character')} in the answer's data]"
    return Payload(code_html(text), text, content)


def _note(text: str) -> Payload:
    return Payload(html.tag("div", f"[{text}]", style=html.QUIET), f"[{text}]")


def _markdown(content: str, *, defang: bool, links: bool) -> Payload:
    text = safe_text(content)
    shown = markdown_html(content, defang=defang, links=links)
    return Payload(shown, defanged(text) if defang else text, content, is_markdown=True)


def _code(code: str, language: str) -> Payload:
    shown = raw(code, defang=False)
    return Payload(code_html(shown.text, language), shown.text, code)


def _table(content: str, defang: bool) -> Payload | None:
    table = _read_table(content)
    return _of_table(table, table, defang) if table else None


def _of_table(value: Any, table: Table, defang: bool) -> Payload:
    return Payload(table.to_html(defang=defang), table.to_text(defang=defang), value, table)


def _read_table(content: str) -> Table | None:
    if content.lstrip()[:1] in ("[", "{"):
        return Table.from_value(read_json(content, "a table"))
    return Table.from_csv(content)


def _timeline(content: str, defang: bool) -> Payload | None:
    value = read_json(content, "a timeline")
    events = value.get("events") if isinstance(value, dict) else value
    if not isinstance(events, list) or not events or not all(isinstance(event, dict) for event in events):
        return None
    title = str(value.get("title") or "") if isinstance(value, dict) else ""
    rows = [
        {key: _moment(item) if key in ("timestamp", "end") else item for key, item in event.items()} for event in events
    ]
    words = f"Timeline, {count(len(events), 'event')}"
    return _summed_up(_of_table(value, Table.from_objects(rows, title), defang), title, words, defang)


def _summed_up(payload: Payload, title: str, words: str, defang: bool) -> Payload:
    title = one_line(title, 120)
    title = defanged(title) if defang else title
    return replace(payload, summary=f"{title} ({words[0].lower()}{words[1:]})" if title else words)


def _moment(value: Any) -> Any:
    """A time of a timeline in UTC; anything else as it came."""
    seconds = moment(value)
    return value if seconds is None else utc(seconds)


def moment(value: Any) -> float | None:
    """A time of a timeline, ISO 8601 or Unix seconds, as Unix seconds; without a zone it is UTC."""
    if isinstance(value, int | float):
        return None if isinstance(value, bool) else value
    try:
        time = datetime.fromisoformat(str(value))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _graph(content: str, defang: bool) -> Payload | None:
    value = read_json(content, "a graph")
    if not isinstance(value, dict):
        return None
    if isinstance(nodes := value.get("nodes"), list) and all(isinstance(node, dict) for node in nodes):
        labels = {str(node.get("id")): node.get("label") or node.get("id") for node in nodes}
        edges = [edge for edge in value.get("edges") or () if isinstance(edge, dict)]
        rows = [
            {key: labels.get(str(item), item) if key in ("source", "target") else item for key, item in edge.items()}
            for edge in edges
        ]
        title = f"{count(len(nodes), 'node')}, {count(len(edges), 'edge')}"
        rows = rows or nodes
    elif value and all(isinstance(targets, dict) for targets in value.values()):  # networkx: {source: {target: data}}
        rows = [
            {"source": source, "target": target} | (data if isinstance(data, dict) else {})
            for source, targets in value.items()
            for target, data in targets.items()
        ]
        title = f"{count(len(value), 'node')}, {count(len(rows), 'edge')}"
    else:
        return None
    if not rows:
        return None
    named = value["title"] if isinstance(value.get("title"), str) else ""
    return _summed_up(_of_table(value, Table.from_objects(rows, title), defang), named, f"Graph, {title}", defang)


def _code_object(content: str) -> dict[str, Any] | None:
    try:
        value = read_json(content, "code") if content.lstrip()[:1] == "{" else None
    except ProtocolError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("code"), str) else None


def _code_block(content: str, defang: bool) -> Payload:
    value = _code_object(content)
    if value is None:
        return _code(content, "")
    parts = [_code(value["code"], str(value.get("language") or ""))]
    for key in ("output", "error"):
        if value.get(key):
            label = html.tag("div", key.capitalize(), style=html.QUIET)
            part = raw(str(value[key]), defang=defang)
            parts.append(Payload(html.join(label, part.html), f"{key.capitalize()}:\n{part.text}"))
    return Payload(html.join(*[part.html for part in parts]), "\n\n".join(part.text for part in parts), value)


def _json(content: str, defang: bool) -> Payload:
    return json_payload(read_json(content, "JSON"), defang=defang)


def json_payload(value: Any, *, defang: bool = True) -> Payload:
    """A JSON value as a tree that opens and closes, and as indented text."""
    text = raw(json.dumps(value, indent=2, ensure_ascii=False), defang=defang).text
    if not isinstance(value, dict | list) or not value:
        return Payload(code_html(text), text, value)
    budget = iter(range(MAX_JSON_NODES))
    opened = MAX_JSON_DEPTH if text.count("\n") < OPEN_JSON_LINES else 1
    return Payload(html.tag("div", *_json_nodes(value, budget, 0, opened, defang), style=html.CODE_TREE), text, value)


def _json_nodes(value: Any, budget: Iterator[int], depth: int, opened: int, defang: bool) -> Iterator[Html]:
    """Collapsible nodes, so many levels of them open, at most `MAX_JSON_NODES` in all."""
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for index, (key, item) in enumerate(items):
        if next(budget, None) is None:
            yield html.tag("div", f"… {count(len(items) - index, 'more entry', 'more entries')} in the answer's data")
            return
        label = one_line(str(key), 80)
        name = html.tag("span", f"{defanged(label) if defang else label}: ", style=html.HOST)
        if isinstance(item, dict | list) and item and depth < MAX_JSON_DEPTH:
            what = f"{{{len(item)}}}" if isinstance(item, dict) else f"[{len(item)}]"
            inner = html.tag("div", *_json_nodes(item, budget, depth + 1, opened, defang), style=html.INDENT)
            summary = html.tag("summary", name, what, style=html.SUMMARY)
            yield html.tag("details", summary, inner, open="open" if depth < opened and len(item) <= 20 else "")
        else:
            shown = shorten(safe_text(json.dumps(item, ensure_ascii=False)[:2_000]), 1_000)
            yield html.tag("div", name, defanged(shown) if defang else shown)


def _html(content: str, defang: bool) -> Payload:
    """The source: a page written by a model has nothing to look like inside the notebook."""
    shown = raw(content, defang=defang)
    note = "HTML, shown as its source"
    return Payload(html.join(html.tag("div", note, style=html.QUIET), shown.html), f"[{note}]\n{shown.text}", content)


def _image(content: str, _: bool) -> Payload | None:
    image = read_image(content)
    if image is None:
        amount = size(len(content) * 3 // 4)
        return _note(f"an image of about {amount} that is no PNG, JPEG, GIF or WebP of reasonable size: not shown")
    kind = image.mime_type.removeprefix("image/").upper()
    words = f"{kind} image, {image.width} × {image.height}, {size(len(image.data))}"
    return Payload(
        html.join(
            html.image(image.data_url, words),
            html.tag("div", words, style=html.QUIET),
        ),
        f"[{words}]",
        image,
    )


def _svg(content: str, _: bool) -> Payload:
    """The source: a picture that can hold scripts and load things is never shown as one."""
    shown = raw(base64.b64decode(content, validate=True).decode("utf-8", "replace"))
    note = "SVG image, shown as its source"
    return Payload(
        html.join(html.tag("div", note, style=html.QUIET), shown.html), f"[{note}]\n{shown.text}", shown.value
    )


def _canvas(content: str, *, defang: bool, links: bool) -> Payload:
    try:
        value = read_json(content, "a canvas") if content.lstrip()[:1] == "{" else None
    except ProtocolError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("content"), str):
        return _markdown(content, defang=defang, links=links)
    body = _markdown(value["content"], defang=defang, links=links)
    title = one_line(str(value.get("title") or ""))
    title = defanged(title) if defang else title
    heading = html.tag("div", html.tag("strong", title), style=html.TITLE) if title else Html()
    return Payload(html.join(heading, body.html), f"{title}\n{body.text}".lstrip("\n"), value)


_CANVAS = "sec-gemini/canvas"
_MARKDOWN = frozenset({"text/plain", "text/markdown", "sec-gemini/markdown", "sec-gemini"})
_RENDERERS: dict[str, Callable[[str, bool], Payload | None]] = {
    "sec-gemini/table": _table,
    "text/csv": _table,
    "sec-gemini/timeline": _timeline,
    "sec-gemini/graph": _graph,
    "sec-gemini/code": _code_block,
    "sec-gemini/json": _json,
    "application/json": _json,
    "text/serialized-json": _json,
    "sec-gemini/html": _html,
    "text/html": _html,
    "sec-gemini/image": _image,
    "image/png": _image,
    "image/jpeg": _image,
    "image/gif": _image,
    "image/webp": _image,
    "image/svg+xml": _svg,
}
_LANGUAGES = "c go java javascript perl php python ruby rust sql swift toml typescript xml yaml"
_CODE = {f"text/{name}": name for name in _LANGUAGES.split()} | {"text/c++": "cpp"}
