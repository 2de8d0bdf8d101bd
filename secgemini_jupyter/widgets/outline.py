"""A session as nested `<details>`, for places where no widget runs: a saved notebook, nbconvert, a code host."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.render import html
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.payloads import raw, render_message
from secgemini_jupyter.render.text import count, duration, utc
from secgemini_jupyter.transcript.labels import content_gist, gist
from secgemini_jupyter.transcript.turns import TurnSlice
from secgemini_jupyter.widgets.details import heading

__all__ = ["outline"]

MAX_MESSAGES = 200
MAX_SIZE = 300_000
"""Characters of HTML; the session has the rest."""
MAX_MESSAGE = 30_000
MAX_RAW = 2_000
_QUIET_TYPES = (MessageType.INFO, MessageType.DEBUG)


class _Budget:
    """What may still be written."""

    def __init__(self) -> None:
        self.messages, self.size = MAX_MESSAGES, MAX_SIZE
        self.is_spent = False

    def takes(self, markup: Html) -> bool:
        # Once something was left out, what follows would leave a gap.
        self.is_spent = self.is_spent or self.messages < 1 or len(markup) > self.size
        if self.is_spent:
            return False
        self.messages -= 1
        self.size -= len(markup)
        return True


def outline(turns: Sequence[TurnSlice], name: str) -> Html:
    """The turns in order, each with its messages: answers open, the rest folded; as much as fits."""
    total = sum(len(turn.messages) for turn in turns)
    counts = f" · {count(len(turns), 'turn')} · {count(total, 'message')}"
    title = html.tag("div", html.tag("strong", gist(name) or "Session"), counts, style=html.TITLE)
    if not total:
        return html.join(title, html.tag("div", "No messages yet. Ask in a cell: %%secgemini …", style=html.QUIET))
    budget = _Budget()
    drawn: list[Html] = []
    shown = 0
    for turn in turns:
        lines: list[tuple[bool, Html]] = []
        for message in _told(turn):
            line = _message(message)
            if not budget.takes(line):
                break
            lines.append((_is_answer(message), line))
        if budget.is_spent and not lines:
            break
        shown += len(lines) if budget.is_spent else len(turn.messages)
        drawn.append(_turn(turn, lines))
    if rest := total - shown:
        note = f"… {count(rest, 'more message')}. Run the cell again to see the whole session."
        drawn.append(html.tag("div", note, style=html.QUIET))
    return html.tag("div", title, *drawn)


def _told(turn: TurnSlice) -> list[Message]:
    """Pieces are told by the whole that follows, a short prompt by the turn's own line; an END is only a mark."""
    return [
        message
        for message in turn.messages
        if not message.is_partial
        and (message.is_error or not message.is_end)
        and not (message is turn.query and gist(message.text or "") == (message.text or "").strip())
    ]


def _turn(turn: TurnSlice, lines: Sequence[tuple[bool, Html]]) -> Html:
    label = f"{turn.index} › {gist(turn.prompt or '')}" if turn.query else f"Turn {turn.index}"
    if not turn.index:
        label = "Before the first prompt"
    session = f"{gist(turn.session_id, 40)} · " if turn.session_id else ""
    took = f" ({duration(turn.duration)})" if turn.duration is not None else ""
    state = {"error": " · failed", "incomplete": " · not finished" if turn.query else ""}.get(turn.status, "")
    summary = html.tag("summary", f"{session}{label}{took}{state}", style=html.SUMMARY)
    body = []
    for is_answer, run in groupby(lines, lambda line: line[0]):
        told = [line for _, line in run]
        if is_answer:
            body += told
        else:
            folded = html.tag("summary", count(len(told), "step"), style=html.SUMMARY)
            body.append(html.tag("details", folded, *told, style=html.QUIET))
    return html.tag("details", summary, *body, open="open", style=html.STEP)


def _is_answer(message: Message) -> bool:
    return message.message_type in (MessageType.RESULT, MessageType.QUERY) or message.is_error


def _message(message: Message) -> Html:
    seconds = message.seconds
    when = f" · {utc(seconds)[11:19]}" if seconds else ""
    status = f" {message.status_code}" if message.is_error else ""
    who = f"{heading(message)}{status} · {gist(message.actor, 60) or '?'}{when}"
    if _is_answer(message):
        return html.tag("div", html.tag("div", who, style=html.QUIET), _content(message), style=html.STEP)
    if message.message_type in _QUIET_TYPES:
        return html.tag("div", f"{who}: {content_gist(message)}", style=html.QUIET)
    summary = html.tag("summary", f"{who}: {content_gist(message)}", style=html.SUMMARY)
    return html.tag("details", summary, _content(message), style=html.QUIET)


def _content(message: Message) -> Html:
    content = message.content or message.status_message if message.is_error else message.content
    if not content:
        return Html()
    shown = (
        render_message(message).html if message.content and len(content) <= MAX_MESSAGE else raw(content[:MAX_RAW]).html
    )
    if len(shown) > MAX_MESSAGE:
        shown = raw(content[:MAX_RAW]).html
    if len(content) > MAX_RAW and shown == raw(content[:MAX_RAW]).html:
        note = f"… {count(len(content) - MAX_RAW, 'more character')}"
        return html.join(shown, html.tag("div", note, style=html.QUIET))
    return shown
