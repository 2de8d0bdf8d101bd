"""What a message or a tool call says, on one line that is safe to show."""

from __future__ import annotations

from secgemini_jupyter.indicators import defang
from secgemini_jupyter.models import Message
from secgemini_jupyter.render.steps import Step
from secgemini_jupyter.render.text import one_line, shorten

__all__ = ["content_gist", "gist", "tool_gist"]

WIDTH = 100
SPARE = 40


def gist(text: str, limit: int = WIDTH) -> str:
    """The beginning of `text`: safe, defanged, at most `limit` characters."""
    # Defanged before it is cut: half an indicator is none that could be found.
    return shorten(defang(one_line(text, limit + SPARE)), limit)


def content_gist(message: Message) -> str:
    """Its title and content; of a binary content, the type."""
    text = message.text
    if text is None:
        return f"({gist(message.mime_type or '', 60)}, not text)"
    return gist(f"{message.title}: {text}" if message.title else text)


def tool_gist(step: Step) -> str:
    """`lookup_cve(cve="CVE-2099-0001") → 4.2.1`"""
    called = defang(step.in_words)
    return f"{called} → {gist(step.detail, 60)}" if step.detail else called
