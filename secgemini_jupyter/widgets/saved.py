"""What a chat leaves in the notebook: one quiet output below the widget, brought up to date after each turn.

A widget's own static form is made when it is displayed; a conversation goes on after that.
"""

from __future__ import annotations

import dataclasses
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from secgemini_jupyter.errors import redact
from secgemini_jupyter.render import html
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.text import count, one_line
from secgemini_jupyter.widgets.conversation import Conversation
from secgemini_jupyter.widgets.said import Said, shown_prompt

if TYPE_CHECKING:
    from IPython.core.displaypub import DisplayPublisher

__all__ = ["Chapter", "SavedOutput", "saved_forms"]

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
        """Show a widget's bundle, and below it what was said.

        Args:
            data: with the static form that shall stand above; where nobody looks at widgets, the whole static form.
        """
        from IPython.core.interactiveshell import InteractiveShell

        from secgemini_jupyter.widgets.base import VIEW

        # This cell's publisher: a later cell may capture what is published.
        output = cls(InteractiveShell.instance().display_pub)
        if VIEW in data:
            output._publisher.publish(data, metadata)
            output._publish(html.shown(said[0]), said[1], update=False)
        else:
            output._publish(data["text/html"], data["text/plain"], update=False)
        return output

    def update(self, said: tuple[str, str]) -> None:
        try:
            self._publish(html.shown(said[0]), said[1], update=True)
        except Exception as error:  # the kernel is going down
            log.warning("A chat was not saved: %s", redact(f"{type(error).__name__}: {error}"))

    def _publish(self, markup: str, text: str, *, update: bool) -> None:
        from secgemini_jupyter.widgets.base import MARK

        data = {"text/html": markup, "text/plain": text}
        self._publisher.publish(data, MARK, transient={"display_id": self._id}, update=update)


@dataclass(frozen=True)
class Chapter:
    """What was said in one session, as it is now: two are equal if they are shown alike."""

    session: str
    earlier: int
    said: tuple[Said, ...]

    @classmethod
    def of(cls, conversation: Conversation) -> Chapter:
        said = tuple(dataclasses.replace(each) for each in conversation.shown())
        return cls(one_line(conversation.session.name, 80), conversation.earlier, said)

    @property
    def title(self) -> str:
        turns = count(self.earlier + len(self.said), "turn")
        return f"Conversation in session {self.session}, saved with this notebook ({turns})"


def saved_forms(chapters: Sequence[Chapter]) -> tuple[str, str]:
    """As HTML, collapsed, and as text; nothing if nothing was said."""
    if not chapters:
        return "", ""
    limit = SAVED_TOTAL // len(chapters)
    return (
        html.join(*(_html(each, limit) for each in chapters)),
        "\n\n".join(_text(each, limit) for each in chapters),
    )


def _html(chapter: Chapter, limit: int) -> Html:
    rows = _newest([_turn_html(each) for each in chapter.said], limit)
    note = _left_out(chapter, rows)
    return html.tag(
        "details",
        html.tag("summary", chapter.title, style=html.SUMMARY),
        html.tag("div", note, style=html.QUIET) if note else "",
        *rows,
        style=html.SAVED,
    )


def _text(chapter: Chapter, limit: int) -> str:
    rows = _newest([f"You: {shown_prompt(each.prompt)}\n\n{_words(each)}" for each in chapter.said], limit)
    return "\n\n".join(part for part in (chapter.title, _left_out(chapter, rows), *rows) if part)


def _newest(rows: list[Row], limit: int) -> list[Row]:
    """As many of the last ones as fit."""
    size = 0
    for kept, row in enumerate(reversed(rows)):
        size += len(row)
        if kept and size > limit:
            return rows[-kept:]
    return rows


def _left_out(chapter: Chapter, rows: Sequence[str]) -> str:
    number = chapter.earlier + len(chapter.said) - len(rows)
    return f"[{count(number, 'earlier turn')} in history()]" if number else ""


def _turn_html(said: Said) -> Html:
    prompt = shown_prompt(said.prompt)
    line = one_line(prompt.strip().partition("\n")[0], 120)
    whole = html.tag("div", prompt, style=html.STEP_DETAIL) if line != prompt.strip() else ""
    summary = html.tag("summary", html.tag("strong", "You: "), line, style=html.SUMMARY)
    return html.tag("details", summary, whole, _answer(said), open="open", style=html.SAVED_TURN)


def _answer(said: Said) -> Html:
    return Html(said.bundle.html) if said.bundle else html.tag("div", RUNNING, style=html.QUIET)


def _words(said: Said) -> str:
    return said.bundle.text if said.bundle else RUNNING
