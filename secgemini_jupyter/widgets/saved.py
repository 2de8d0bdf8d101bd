"""What a chat leaves in the notebook: one quiet output below the widget, brought up to date after each turn.

A widget's own static form is made when it is displayed; a conversation goes on after that.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from secgemini_jupyter.errors import redact
from secgemini_jupyter.render import html
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.text import count, one_line
from secgemini_jupyter.widgets.conversation import Said, shown_prompt

if TYPE_CHECKING:
    from IPython.core.displaypub import DisplayPublisher

__all__ = ["SavedOutput", "conversation_html", "conversation_text"]

log = logging.getLogger(__name__)

SAVED_TOTAL = 1_000_000
"""Characters of HTML, and of text, that go into the notebook: the newest turns."""
RUNNING = "The answer was not complete when this was saved."

Row = TypeVar("Row", bound=str)


class SavedOutput:
    """An output that is named by a display id."""

    def __init__(self, publisher: DisplayPublisher) -> None:
        self._publisher = publisher
        self._id = uuid.uuid4().hex

    @classmethod
    def display(cls, data: dict[str, Any], metadata: dict[str, Any], said: tuple[str, str]) -> SavedOutput:
        """Show a widget's bundle, and below it, or instead of it where nobody looks, what was said."""
        from IPython.core.interactiveshell import InteractiveShell

        from secgemini_jupyter.widgets.base import VIEW

        # This cell's publisher: a later cell may capture what is published.
        output = cls(InteractiveShell.instance().display_pub)
        if VIEW in data:
            words = "A chat: what was said stands below."
            own = {**data, "text/html": html.tag("div", words, style=html.QUIET), "text/plain": words}
            output._publisher.publish(own, metadata)
        output._publish(said, update=False)
        return output

    def update(self, said: tuple[str, str]) -> None:
        try:
            self._publish(said, update=True)
        except Exception as error:  # the kernel is going down
            log.warning("A chat was not saved: %s", redact(f"{type(error).__name__}: {error}"))

    def _publish(self, said: tuple[str, str], *, update: bool) -> None:
        markup, text = said
        self._publisher.publish(
            {"text/html": markup, "text/plain": text}, {}, transient={"display_id": self._id}, update=update
        )


def conversation_html(said: Sequence[Said], earlier: int, session: str) -> Html:
    """The conversation, collapsed; nothing if nothing was said."""
    if not said:
        return Html()
    rows = _newest([_turn_html(each) for each in said])
    total = earlier + len(said)
    title = f"Conversation in session {one_line(session, 80)}, saved with this notebook ({count(total, 'turn')})"
    note = _left_out(total - len(rows))
    return html.tag(
        "details",
        html.tag("summary", title, style=html.SUMMARY),
        html.tag("div", note, style=html.QUIET) if note else "",
        *rows,
        style=html.SAVED,
    )


def conversation_text(said: Sequence[Said], earlier: int, session: str) -> str:
    """The same as text."""
    if not said:
        return ""
    rows = _newest([f"You: {shown_prompt(each.prompt)}\n\n{_words(each)}" for each in said])
    total = earlier + len(said)
    title = f"Conversation in session {one_line(session, 80)} ({count(total, 'turn')})"
    return "\n\n".join(part for part in (title, _left_out(total - len(rows)), *rows) if part)


def _newest(rows: list[Row]) -> list[Row]:
    """As many of the last ones as fit."""
    size = 0
    for kept, row in enumerate(reversed(rows)):
        size += len(row)
        if kept and size > SAVED_TOTAL:
            return rows[-kept:]
    return rows


def _left_out(number: int) -> str:
    return f"[{count(number, 'earlier turn')} in history()]" if number else ""


def _turn_html(said: Said) -> Html:
    prompt = shown_prompt(said.prompt)
    line = one_line(prompt, 120)
    whole = html.tag("div", prompt, style=html.STEP_DETAIL) if line != prompt.strip() else ""
    summary = html.tag("summary", html.tag("strong", "You: "), line, style=html.SUMMARY)
    return html.tag("details", summary, whole, _answer(said), open="open", style=html.SAVED_TURN)


def _answer(said: Said) -> Html:
    return Html(said.bundle.html) if said.bundle else html.tag("div", RUNNING, style=html.QUIET)


def _words(said: Said) -> str:
    return said.bundle.text if said.bundle else RUNNING
