"""What an answer rests on, as the service cites it: a numbered list under the answer.

A link can be clicked only where the reader sees where it leads (`render.markdown`); a bare address is text, defanged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from secgemini_jupyter.models import Message, MessageType, is_text
from secgemini_jupyter.protocol.mutations import shown
from secgemini_jupyter.render import html
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.markdown import inline_html
from secgemini_jupyter.render.text import count, defanged, one_line, shorten

__all__ = ["TITLE", "Citation", "citations", "sources_html", "sources_text"]

TITLE = "Sources"
MAX_SOURCES = 50
MAX_WORDS = 500
_URL = re.compile(r"https?://[^\s<>()\[\]\\]+\Z", re.IGNORECASE)
_LINK = re.compile(r"\[([^\[\]]{1,300})\]\(<?(https?://[^\s<>()\[\]\\]+)>?\)\Z", re.IGNORECASE)
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~!&$])")


@dataclass(frozen=True)
class Citation:
    """One source, its texts as they came: words, an address, or both."""

    words: str
    url: str = ""

    @classmethod
    def of(cls, message: Message) -> Citation:
        """The content is text, a Markdown link or a URL; a title goes before it."""
        content = " ".join((message.content or "").split()) if is_text(message.mime_type) else ""
        title = " ".join((message.title or "").split())
        words, url = content, ""
        if _URL.match(content):
            words, url = "", content
        elif link := _LINK.match(content):
            words, url = link[1], link[2]
        if title and title != words:
            words = f"{title}: {words}" if words else title
        return cls(words, url)

    @property
    def markdown(self) -> str:
        """The words as words; the address behind them, exact."""
        words = _SPECIAL.sub(r"\\\1", shorten(self.words, MAX_WORDS))
        if not self.url:
            return words
        return f"[{words}](<{self.url}>)" if words else f"`{self.url}`"


def citations(messages: Sequence[Message]) -> list[Citation]:
    """The sources of a turn as they read now, each once, in order."""
    found = (Citation.of(m) for m in shown(messages) if m.message_type is MessageType.SOURCE and not m.is_partial)
    return [each for each in dict.fromkeys(found) if each.words or each.url]


def sources_html(messages: Sequence[Message], *, defang: bool = True, links: bool = True) -> Html:
    found = citations(messages)
    if not found:
        return Html()
    rows = [html.tag("li", inline_html(each.markdown, defang=defang, links=links)) for each in found[:MAX_SOURCES]]
    left = len(found) - MAX_SOURCES
    more = html.tag("div", f"{count(left, 'more source')} in the session's history") if left > 0 else ""
    return html.tag("div", html.tag("strong", TITLE), html.tag("ol", *rows), more, style=html.QUIET)


def sources_text(messages: Sequence[Message], *, defang: bool = True) -> str:
    found = citations(messages)
    if not found:
        return ""
    said = [" ".join(filter(None, [each.words, f"<{each.url}>" if each.url else ""])) for each in found[:MAX_SOURCES]]
    lines = [f"{number}. {one_line(words, MAX_WORDS)}" for number, words in enumerate(said, 1)]
    left = len(found) - MAX_SOURCES
    text = "\n".join([f"{TITLE}:", *lines, *[f"{count(left, 'more source')} in the session's history"] * (left > 0)])
    return defanged(text) if defang else text
