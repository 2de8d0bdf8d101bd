"""A turn while it streams, as a few outputs: finished ones stay where they are, only the last one moves.

A short answer is one output from beginning to end. A long one leaves finished outputs behind; at the end the caller
clears them and shows the one bundle that `final` gives, so that a saved notebook has one output:

    view = LiveView(facts, started=time.time())
    for message in turn:
        view.add(message)
        for output in view.snapshot(time.time()):        # at most ten times a second
            update_or_display(output.index, output.bundle)
    bundle = view.final(facts, "ok")
    # one output so far: update it with the bundle; more: clear_output(wait=True), display(bundle)
"""

from __future__ import annotations

from dataclasses import dataclass

from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.render import html
from secgemini_jupyter.render.answer import (
    Bundle,
    Facts,
    Status,
    answer_bundle,
    framed,
    step_line,
    step_words,
    stop_bundle,
)
from secgemini_jupyter.render.blocks import BLOCK_SIZE, Blocks
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.markdown import markdown_html
from secgemini_jupyter.render.payloads import render_message
from secgemini_jupyter.render.steps import Steps
from secgemini_jupyter.render.text import count, defanged, duration, one_line, safe_text

__all__ = ["LiveView", "Output"]

MAX_OUTPUTS = 36
"""However long the answer: Lab shows at most 50 outputs of a cell."""
GROWTH = 1.15
"""Each output may be this much longer than the one before: 36 of them hold 8 MB."""
BYTES_A_SECOND = 500_000
"""What the moving output may send; a larger one is sent less often."""
RECENT_STEPS = 4


@dataclass(frozen=True)
class Output:
    """One output of the cell: `index` counts from 0 and never changes its meaning."""

    index: int
    bundle: Bundle


@dataclass
class _Part:
    """Rendered once: the HTML and the text of a finished block or payload."""

    html: Html
    text: str


class LiveView:
    """Takes every message of a turn, 206 pieces included, and gives the outputs that changed. No I/O, no clock."""

    def __init__(self, facts: Facts, *, started: float, defang: bool = True) -> None:
        self.messages: list[Message] = []
        self.size = 0
        """Characters of the messages."""
        self._facts, self._started, self._defang = facts, started, defang
        self._steps = Steps()
        self._blocks = Blocks()
        self._rendered = 0  # how many of the closed blocks are parts
        self._pieces: list[str] = []  # of the result that is coming
        self._finished: list[Bundle] = []
        self._parts: list[_Part] = []  # of the moving output
        self._size = 0
        self._reported = 0
        self._last: tuple[float, str] = (float("-inf"), "")
        self._tail: tuple[str, Html] = ("", Html())
        self._has_text = False

    @property
    def outputs(self) -> int:
        """How many outputs there are by now."""
        return len(self._finished) + 1

    def add(self, message: Message) -> None:
        self.messages.append(message)
        self.size += len(message.content or "")
        self._steps.add(message)
        if message.message_type is not MessageType.RESULT or message.is_error:
            return
        if message.is_partial:
            self._separate()
            self._pieces.append(message.content or "")
            self._blocks.feed(message.content or "")
        elif self._pieces:
            # The aggregate: what it says has been shown piece by piece; if it differs, `final` has the last word.
            self._pieces = []
        else:
            self._add_whole(message)
        self._collect()

    def _add_whole(self, message: Message) -> None:
        if (message.mime_type or "").startswith(("text/plain", "text/markdown", "sec-gemini/markdown")):
            self._separate()
            self._blocks.feed(message.content or "")
            return
        self._blocks.flush()
        self._collect()
        shown = render_message(message, defang=self._defang)
        self._has_text = True
        self._append(_Part(shown.html, shown.text))

    def _separate(self) -> None:
        """A blank line between two results."""
        if not self._pieces and self._blocks.tail.strip():
            self._blocks.feed("\n\n")
        self._has_text = True

    def _collect(self) -> None:
        for block in self._blocks.closed[self._rendered :]:
            self._append(_Part(markdown_html(block, defang=self._defang), self._plain(block)))
        self._rendered = len(self._blocks.closed)

    def _append(self, part: _Part) -> None:
        self._parts.append(part)
        self._size += len(part.text)
        index = len(self._finished)
        if self._size >= BLOCK_SIZE * GROWTH**index and index < MAX_OUTPUTS - 1:
            self._finished.append(self._bundle(*[part.html for part in self._parts],
                                               text="\n".join(part.text for part in self._parts)))  # fmt: skip
            self._parts, self._size = [], 0
            self._last = (float("-inf"), "")

    def _plain(self, text: str) -> str:
        text = safe_text(text)
        return defanged(text) if self._defang else text

    def _bundle(self, *parts: str, text: str) -> Bundle:
        return Bundle({"text/html": framed(*parts, status="running"), "text/plain": text},
                      {"secgemini": {"status": "running"}})  # fmt: skip

    def snapshot(self, now: float) -> list[Output]:
        """The outputs that changed since the last time. `now`, in Unix seconds, moves the clock in the header."""
        changed = self._newly_finished()
        when, before = self._last
        if now - when < len(before) / BYTES_A_SECOND:
            return changed
        moving = self._moving(now)
        if moving.html != before:
            self._last = (now, moving.html)
            changed.append(Output(len(self._finished), moving))
        return changed

    def _newly_finished(self) -> list[Output]:
        new = [Output(index, bundle) for index, bundle in enumerate(self._finished) if index >= self._reported]
        self._reported = len(self._finished)
        return new

    def stopped(self, facts: Facts) -> list[Output]:
        """The outputs as they stay after a stop, where `final` would take too long: the last one says it."""
        tail = self._blocks.tail
        parts = [
            *self._parts,
            _Part(markdown_html(tail, defang=self._defang) if tail.strip() else Html(), self._plain(tail)),
        ]
        end = stop_bundle([part.html for part in parts], [part.text for part in parts], facts)
        return [*self._newly_finished(), Output(len(self._finished), end)]

    def _moving(self, now: float) -> Bundle:
        tail = self._blocks.tail
        if tail != self._tail[0]:
            self._tail = (tail, markdown_html(tail, defang=self._defang) if tail.strip() else Html())
        header = self.header(now)
        lines = [] if self._has_text else [
            html.tag("div", step_line(step, defang=self._defang), style=html.STEP)
            for step in self._steps.items[-RECENT_STEPS:]
        ]  # fmt: skip
        first, _, rest = header.partition(" · ")
        return self._bundle(
            html.tag("div", html.tag("strong", first), f" · {rest}" if rest else "", *lines, style=html.QUIET),
            *[part.html for part in self._parts],
            self._tail[1],
            text="\n".join([header, *[part.text for part in self._parts], self._plain(tail)]).rstrip("\n"),
        )

    def header(self, now: float) -> str:
        """What happens now, in one line: the agent, the tool or the latest thought, whole seconds, steps so far."""
        actor = one_line(
            self._steps.agent or self._facts.actor or ("local service" if self._facts.is_local else "Sec-Gemini"), 60
        )
        if self._steps.running:
            doing = f"calling {self._steps.running.in_words}"
        elif self._has_text:
            doing = "answering"
        else:
            last = self._steps.items[-1] if self._steps.items else None
            doing = f"{step_words(last)[1]}: {last.in_words}" if last and last.kind == "thinking" else "working"
        doing = defanged(doing) if self._defang else doing
        elapsed = duration(float(int(max(0.0, now - self._started)))).replace(".0 s", " s")
        steps = count(len(self._steps.items), "step") if self._steps.items else ""
        return " · ".join(word for word in (actor, doing, elapsed, steps) if word)

    def final(self, facts: Facts, status: Status, error: str = "") -> Bundle:
        """The complete answer as one bundle: what is saved."""
        return answer_bundle(self.messages, facts, status=status, error=error, defang=self._defang)
