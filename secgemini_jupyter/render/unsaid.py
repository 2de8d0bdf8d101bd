"""A saved answer without what is nobody else's business: the session's name, thinking and tools, the cache."""

from __future__ import annotations

import re

from secgemini_jupyter.render import html
from secgemini_jupyter.render.answer import REPLAYED, STEPS_TITLE, place
from secgemini_jupyter.render.text import FEEDBACK_HINT

__all__ = ["public_html", "public_text"]

# A footer is the last element of an answer, and in it stands text alone: nothing in the answer itself can look like it.
_FOOTER = re.compile(rf'(<div style="{re.escape(html.QUIET)}"><strong>)([^<]*)(</strong>)([^<]*)(</div></div>\s*)\Z')
_STEPS = re.compile(
    rf'<details style="{re.escape(html.QUIET)}"><summary style="{re.escape(html.SUMMARY)}">'
    rf"(?:{STEPS_TITLE}|Earlier {STEPS_TITLE.lower()}) \("
)
_DETAILS = re.compile("<(/?)details")
_STEP = re.compile(rf'<div style="{re.escape(html.STEP)}">(?:(?!</?div).)*</div>', re.DOTALL)


def public_html(markup: str, session: str, turn: int | None) -> str:
    """`text/html` of an answer: the footer without session and cache, and no steps."""
    markup = _STEP.sub("", _without_steps(markup))
    footer = _FOOTER.search(markup)
    if not footer:
        return markup
    opening, first, closing, rest, end = footer.groups()
    first, rest = _public(first, rest, html.escape(place(session, turn)))
    return f"{markup[: footer.start()]}{opening}{first}{closing}{rest}{end}"


def _without_steps(markup: str) -> str:
    """Steps hold text and more of their own kind alone, and an answer cannot hold such an element."""
    parts, position = [], 0
    while start := _STEPS.search(markup, position):
        depth, end = 0, len(markup)
        for found in _DETAILS.finditer(markup, start.start()):
            depth += -1 if found.group(1) else 1
            if not depth:
                end = markup.find(">", found.end()) + 1
                break
        parts.append(markup[position : start.start()])
        position = end
    return "".join([*parts, markup[position:]])


def public_text(text: str, session: str, turn: int | None) -> str:
    """`text/plain` of an answer, likewise."""
    before, newline, last = text.rpartition("\n")
    if not last.startswith("— "):
        return text
    first, dot, rest = last.removeprefix("— ").partition(" · ")
    first, rest = _public(first, dot + rest, place(session, turn))
    return f"{before}{newline}— {first}{rest}"


def _public(first: str, rest: str, where: str) -> tuple[str, str]:
    """The first word of a footer, and the others, each with a dot before it."""
    if first.startswith(REPLAYED):
        first, dot, rest = rest.removeprefix(" · ").partition(" · ")
        rest = dot + rest
    rest = rest.removesuffix(f" · {FEEDBACK_HINT}")  # the reader has no such session
    if where:
        before, found, after = rest.rpartition(f" · {where}")
        if found and (not after or after.startswith(" · ")):
            rest = before + after
    return first, rest
