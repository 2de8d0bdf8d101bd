"""What a message or a tool call says, on one line that is safe to show."""

from __future__ import annotations

import re

from secgemini_jupyter.errors import without_keys
from secgemini_jupyter.indicators import defang
from secgemini_jupyter.models import Message, MessageType, is_text
from secgemini_jupyter.render.steps import Step, confirmation_words
from secgemini_jupyter.render.text import one_line, shorten

__all__ = ["call_gist", "content_gist", "gist", "output_gist", "result_gist", "tool_gist"]

WIDTH = 100
SPARE = 40
OUTPUT = 60
_RICH = {
    f"sec-gemini/{kind}": kind for kind in ("table", "timeline", "graph", "code", "json", "html", "canvas", "image")
}

_MARKDOWN = (MessageType.RESULT, MessageType.THINKING)
_MARKS = re.compile(r"^\s*#{1,6}\s+|\*\*|`+")
"""What a reader of one line takes for noise; `_` and `*` alone stand in names and patterns, too."""


def gist(text: str, limit: int = WIDTH) -> str:
    """The beginning of `text`: safe, defanged, without a key of ours, at most `limit` characters."""
    return _cleaned(one_line(text, limit + SPARE), limit)


def _cleaned(line: str, limit: int) -> str:
    # Before it is cut: half an indicator, or half a key, is none that could be found.
    return shorten(defang(without_keys(line)), limit)


def content_gist(message: Message) -> str:
    """Its title and content; of a binary content, the type."""
    if not is_text(message.mime_type):
        return f"({gist(message.mime_type or '', 60)}, not text)"
    content = confirmation_words(message) or message.content or ""
    # JSON says by itself neither what it is nor what it is about.
    if kind := _RICH.get(message.mime_type or ""):
        content = f"{kind}: {content}"
    elif message.message_type in _MARKDOWN:
        content = _MARKS.sub("", content[: 8 * WIDTH])
    return gist(f"{message.title}: {content}" if message.title else content)


def call_gist(step: Step) -> str:
    """`lookup_cve(cve="CVE-2099-0001")`"""
    return _cleaned(step.in_words, WIDTH)


def result_gist(step: Step) -> str:
    """`→ 4.2.1`, or nothing."""
    return f"→ {gist(step.detail, OUTPUT)}" if step.detail else ""


def output_gist(step: Step) -> str:
    """The same beside the call; nothing where it is much JSON, of which the beginning says nothing."""
    line = result_gist(step)
    return "" if line.endswith("…") and step.detail.lstrip()[:1] in ("{", "[") else line


def tool_gist(step: Step) -> str:
    """`lookup_cve(cve="CVE-2099-0001") → 4.2.1`"""
    return f"{call_gist(step)} {output_gist(step)}".rstrip()
