"""A turn while it streams, as a few outputs: finished ones stay where they are, only the last one moves.

A cell of its own gets a header, a list of steps, and the answer in blocks, each an output that changes when it has
something new: so what is open stays open, and what is selected stays selected. At the end the caller clears them and
shows the one bundle that `final` gives, so that a saved notebook has one output:

    view = LiveView(facts, started=time.time(), is_parted=True)
    for message in turn:
        view.add(message)
        for output in view.snapshot(time.time()):        # at most ten times a second
            update_or_display(output.index, output.bundle)
    bundle = view.final(facts, "ok")

Where outputs cannot be cleared, because others show something too, `max_outputs=1` keeps it to one from the beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.render import html
from secgemini_jupyter.render.answer import (
    Bundle,
    Facts,
    Show,
    Status,
    answer_bundle,
    framed,
    step_line,
    step_words,
    steps_html,
    stop_bundle,
)
from secgemini_jupyter.render.blocks import BLOCK_SIZE, Blocks
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.markdown import markdown_html
from secgemini_jupyter.render.payloads import Payload, render_message
from secgemini_jupyter.render.steps import Step, Steps
from secgemini_jupyter.render.text import count, defanged, duration, one_line, safe_text

__all__ = ["LiveView", "Output", "Stage", "header_words"]

Stage = Literal["connecting", "held up", "sent", "asking"]
"""How far the prompt has come, as long as nothing came back; `asking`: a chat asks something of the user."""
MAX_OUTPUTS = 36
"""However long the answer: Lab shows at most 50 outputs of a cell."""
OF_ONE_SIZE = 12
GROWTH = 1.25
"""After these, each output may be this much longer than the one before: they hold 4 MB, and the last one more."""
BYTES_A_SECOND = 500_000
"""What an output that moves may send; a larger one is sent less often."""
RECENT_STEPS = 4
"""Until there is an answer, the latest steps stand open; the others fold in."""


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


def header_words(steps: Steps, facts: Facts, *, has_text: bool, stage: Stage = "sent", has_begun: bool = True) -> str:
    """Who does what now, not yet defanged: `network_agent · calling lookup_dns_record(…)`."""
    service = "the local service" if facts.is_local else "Sec-Gemini"
    if stage == "held up":
        return f"waiting for {service} to end the turn before"
    if stage == "asking":
        return "waiting for your answer in this session's chat"
    if not has_begun:
        return f"connecting to {service}" if stage == "connecting" else f"waiting for {service}"
    if steps.running:
        doing = f"calling {steps.running.in_words}"
    elif has_text:
        doing = "answering"
    else:
        last = steps.items[-1] if steps.items else None
        tells = last is not None and (last.kind == "thinking" or (last.kind == "confirmation" and last.ok is None))
        doing = f"{step_words(last)[1]}: {last.in_words}" if last and tells else "working"
    actor = steps.agent or facts.actor or service.removeprefix("the ")
    return f"{one_line(actor, 60)} · {doing}"


class LiveView:
    """Takes every message of a turn, 206 pieces included, and gives the outputs that changed. No I/O, no clock.

    Args:
        is_parted: header and steps are outputs of their own, before the answer's.
        max_outputs: of the answer; the last one grows.
        stop_hint: how to stop it, at the end of the header.
    """

    def __init__(
        self,
        facts: Facts,
        *,
        started: float,
        defang: bool = True,
        show: Show = "summary",
        is_parted: bool = False,
        max_outputs: int = MAX_OUTPUTS,
        stop_hint: str = "",
    ) -> None:
        self.messages: list[Message] = []
        self.size = 0
        """Characters of the messages."""
        self._facts, self._started, self._defang, self._show = facts, started, defang, show
        self._before = (1 if show == "none" else 2) if is_parted else 0  # outputs before the answer's
        self._max_outputs, self._stop_hint = max_outputs, stop_hint
        self._steps = Steps()
        self._blocks = Blocks()
        self._rendered = 0  # how many of the closed blocks are parts
        self._pieces: list[str] = []  # of the result that is coming
        self._finished: list[Bundle] = []
        self._parts: list[_Part] = []  # of the moving output
        self._earlier: list[_Part] = []  # of the finished ones
        self._size = 0
        self._reported = 0
        self._sent: dict[int, tuple[float, str]] = {}  # of each output that moves: when, and what it showed
        self._tail: tuple[str, Html] = ("", Html())
        self._has_text = False

    @property
    def outputs(self) -> int:
        """How many outputs there are by now."""
        return self._before + len(self._finished) + (1 if self._has_text or not self._before else 0)

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
        shown = shown.folded() if self._has_text else shown
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
        if (
            self._size >= BLOCK_SIZE * GROWTH ** max(0, index - OF_ONE_SIZE)
            and index < self._max_outputs - self._before - 1
        ):
            self._finished.append(self._bundle(*[part.html for part in self._parts],
                                               text="\n".join(part.text for part in self._parts)))  # fmt: skip
            self._earlier += self._parts
            self._parts, self._size = [], 0

    def _plain(self, text: str) -> str:
        text = safe_text(text)
        return defanged(text) if self._defang else text

    def _bundle(self, *parts: str, text: str) -> Bundle:
        return Bundle({"text/html": framed(*parts, status="running"), "text/plain": text},
                      {"secgemini": {"status": "running"}})  # fmt: skip

    def snapshot(self, now: float, stage: Stage = "sent") -> list[Output]:
        """The outputs that changed since the last time. `now`, in Unix seconds, moves the clock in the header."""
        changed: list[Output] = []
        header = self.header(now, stage)
        if self._before:
            self._change(changed, 0, now, self._bundle(self._header_html(header), text=header))
        if self._before == 2:
            self._change(changed, 1, now, self._bundle(*self._steps_html(), text=""))
        first = self._before + self._reported
        if self._reported < len(self._finished) and first in self._sent:
            # What follows it comes the next time: Lab draws a new output before it has updated the one above.
            changed.append(Output(first, self._finished[self._reported]))
            self._reported += 1
            return changed
        changed += [
            Output(self._before + index, self._finished[index]) for index in range(self._reported, len(self._finished))
        ]
        self._reported = len(self._finished)
        if not self._before or self._parts or self._blocks.tail.strip():
            index = self._before + len(self._finished)
            if self._is_due(index, now):
                self._change(changed, index, now, self._moving("" if self._before else header))
        return changed

    def _is_due(self, index: int, now: float) -> bool:
        when, before = self._sent.get(index, (float("-inf"), ""))
        return now - when >= len(before) / BYTES_A_SECOND

    def _change(self, changed: list[Output], index: int, now: float, bundle: Bundle) -> None:
        if self._is_due(index, now) and self._sent.get(index, (0.0, ""))[1] != bundle.html:
            self._sent[index] = (now, bundle.html)
            changed.append(Output(index, bundle))

    def _moving(self, header: str) -> Bundle:
        tail = self._blocks.tail
        if tail != self._tail[0]:
            self._tail = (tail, markdown_html(tail, defang=self._defang) if tail.strip() else Html())
        return self._bundle(
            *([self._header_html(header), *self._recent_html()] if header else []),
            *[part.html for part in self._parts],
            self._tail[1],
            text="\n".join([header, *[part.text for part in self._parts], self._plain(tail)]).strip("\n"),
        )

    def _header_html(self, header: str) -> Html:
        first, _, rest = header.partition(" · ")
        return html.tag("div", html.tag("strong", first), f" · {rest}" if rest else "", style=html.QUIET)

    def _steps_html(self) -> list[Html]:
        recent = self._recent()
        folded = self._steps.items[: len(self._steps.items) - len(recent)]
        title = "Earlier thinking and tools" if recent else "Thinking and tools"
        return [steps_html(folded, defang=self._defang, title=title), *self._recent_html()]

    def _recent(self) -> list[Step]:
        return [] if self._has_text or self._show == "none" else self._steps.items[-RECENT_STEPS:]

    def _recent_html(self) -> list[Html]:
        lines = [html.tag("div", step_line(step, defang=self._defang), style=html.STEP) for step in self._recent()]
        return [html.tag("div", *lines, style=html.QUIET)] if lines else []

    def header(self, now: float, stage: Stage = "sent") -> str:
        """What happens now, in one line: the agent, the tool or the latest thought, whole seconds, steps so far."""
        doing = header_words(
            self._steps, self._facts, has_text=self._has_text, stage=stage, has_begun=bool(self.messages)
        )
        doing = defanged(doing) if self._defang else doing
        elapsed = duration(float(int(max(0.0, now - self._started)))).replace(".0 s", " s")
        steps = count(len(self._steps.items), "step") if self._steps.items else ""
        return " · ".join(word for word in (doing, elapsed, steps, self._stop_hint) if word)

    def stopped(self, facts: Facts) -> Bundle:
        """What is drawn already of an interrupted answer, as one bundle: at once, where `final` would take seconds."""
        self._moving("")
        parts = [*self._earlier, *self._parts, _Part(self._tail[1], self._plain(self._blocks.tail))]
        return stop_bundle([part.html for part in parts], [part.text for part in parts], facts, self._steps.items,
                           defang=self._defang, show=self._show)  # fmt: skip

    def final(
        self, facts: Facts, status: Status, error: str = "", *, body: Payload | None = None, note: str = ""
    ) -> Bundle:
        """The complete answer as one bundle: what is saved. `body` stands in place of the results, `note` below."""
        return answer_bundle(
            self.messages,
            facts,
            status=status,
            error=error,
            defang=self._defang,
            show=self._show,
            body=body,
            note=note,
        )
