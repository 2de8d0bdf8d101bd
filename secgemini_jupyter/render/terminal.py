"""An answer in a terminal: text is only ever appended, escaped, and never taken for markup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from secgemini_jupyter.models import Message, MessageType, State
from secgemini_jupyter.protocol.mutations import Changes, any_changes
from secgemini_jupyter.render.answer import (
    CAPS,
    ELSEWHERE,
    Facts,
    Show,
    Status,
    footer_text,
    state_text,
    step_words,
    timed,
)
from secgemini_jupyter.render.live import Stage, header_words
from secgemini_jupyter.render.payloads import render_message
from secgemini_jupyter.render.sources import sources_text
from secgemini_jupyter.render.steps import Step, Steps
from secgemini_jupyter.render.text import columns, count, defanged, duration, safe_text, shorten

__all__ = ["Restore", "TerminalStream"]

MAX_HELD = 4_096
MAX_WAITING = 100
_LASTING = ("tool", "confirmation")
"""Steps that are told when they are over."""
CLEAR_LINE = "\r\x1b[K"


class Restore(Protocol):
    """Puts values back into a text that comes in pieces."""

    def __call__(self, piece: str, *, is_cut: bool = False) -> str:
        """`is_cut`: the last word goes on in the next piece."""
        ...


class TerminalStream:
    """Writes a turn as it comes: steps on one line each, then the answer, then the footer.

    Args:
        write: takes text for the terminal, like `sys.stdout.write`.
        restore: gives, for each text of the answer, what puts values back into it; steps keep their placeholders.
        show: whether steps are told, and with `full` what they returned too.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        defang: bool = True,
        restore: Callable[[], Restore] | None = None,
        show: Show = "summary",
    ) -> None:
        self._write, self._defang, self._restore, self._steps_shown = write, defang, restore, show
        self._restore_next = restore() if restore else None  # what it knows of the text that is streamed
        self._steps = Steps()
        self._waiting: list[Step] = []  # tools that were running when we looked last
        self._counted = 0
        self._messages: list[Message] = []
        self._held = ""  # a word that may not be complete: half an address cannot be defanged
        self._seen = 0
        self._at_line_start = True
        self._streamed = False
        self._has_text = False
        self._has_begun = False
        self._status = ""

    def tell_status(self, facts: Facts, elapsed: float, stage: Stage = "sent", *, width: int = 80) -> None:
        """What happens now, on a line that the next text replaces: only for a terminal that somebody looks at."""
        if not self._at_line_start or self._held:
            return
        doing = header_words(self._steps, facts, has_text=self._has_text, stage=stage, has_begun=self._has_begun)
        doing = defanged(doing) if self._defang else doing
        whole = duration(float(int(elapsed))).replace(".0 s", " s")
        room = max(8, width - len(whole) - 6)
        if columns(doing) > room:  # a line that wraps could not be taken back
            doing = next(cut for n in range(room, -1, -1) if columns(cut := doing[:n]) < room) + "…"
        line = f"  {doing} · {whole}"
        if line != self._status:
            self._write(f"{CLEAR_LINE}{line}")
            self._status = line

    def add(self, message: Message) -> None:
        """Any message of the turn, 206 pieces included."""
        self._has_begun = True
        if not message.is_partial:
            self._messages.append(message)
        if message.state is not State.TOOL_RESULT:  # until then another frame may say that the tool failed
            self._tell_new()
        self._steps.add(message)
        if message.message_type is not MessageType.RESULT or message.is_error:
            return
        self._has_text = True
        if message.is_partial:
            self.feed(message.content or "")
            self._streamed = True
        elif self._streamed:
            self.end_line()
            self._streamed = False
            self._restore_next = self._restore() if self._restore else None
        else:
            self.end_line()
            self._put_result(message)

    def update(self, text_so_far: str) -> None:
        """The answer as it stands; only what is new is written."""
        self.feed(text_so_far[self._seen :])

    def feed(self, piece: str) -> None:
        """The next piece of the answer. The last word waits until it is complete."""
        self._seen += len(piece)
        text = self._held + piece
        cut = max(text.rfind(" "), text.rfind("\n"), text.rfind("\t")) + 1
        is_cut = len(text) - cut > MAX_HELD
        if is_cut:
            cut = len(text)
        self._held = text[cut:]
        if cut:
            self._show(text[:cut], is_cut=is_cut)

    def end_line(self) -> None:
        """Write what is held, and end the line."""
        if self._held:
            self._show(self._held)
            self._held = ""
        if not self._at_line_start:
            self._put("\n")

    def put(self, text: str) -> None:
        """Lines that are safe, below what is there."""
        self._tell_new()
        self.end_line()
        self._put(text.rstrip("\n") + "\n" if text else "")

    def finish(self, facts: Facts, status: Status = "ok", error: str = "") -> None:
        """What became of the answer, what it rests on, the state, if it is not well, and the footer."""
        self._tell_new()
        self.end_line()
        if self._has_text:
            self._tell_changes()
            self.put(sources_text(self._messages, defang=self._defang))
        facts = timed(facts, self._steps.items)
        for line in (state_text(status, error, defang=self._defang), footer_text(facts)):
            if line:
                self._put(line + "\n")
        self.clear_status()

    def clear_status(self) -> None:
        """Take back the line that says what happens."""
        if self._status:
            self._status = ""
            self._write(CLEAR_LINE)

    def _put_result(self, message: Message) -> None:
        if self._restore and (message.mime_type or "").startswith("text/") and message.content:
            message = msgspec.structs.replace(message, content=self._restore()(message.content))
        shown = render_message(message, defang=self._defang)
        self._put((shown.folded() if self._has_text else shown).text.rstrip("\n") + "\n")

    def _tell_changes(self) -> None:
        """What later messages made of results that stand here already: nothing can be taken off a terminal."""
        changes = Changes.of(self._messages)
        for position, change in sorted(changes.of_target.items()):
            before = self._messages[position]
            if before.message_type is not MessageType.RESULT:
                continue
            words = shorten(before.text or "", 60)
            words = f" ({defanged(words) if self._defang else words})" if words else ""
            if change.now is None:
                self.put(f"Taken back by the service, do not rely on it{words}.")
            else:
                self.put(f"Changed by the service{words}, it reads now:")
                self._put_result(change.now)
        if any_changes(changes.applied(self._messages)):
            self.put(ELSEWHERE)

    def _tell_new(self) -> None:
        """Each step once: a tool when it is over, all others when they have come."""
        waiting = [*self._waiting, *self._steps.items[self._counted :]]
        self._counted = len(self._steps.items)
        self._waiting = [step for step in waiting if step.kind in _LASTING and step.ok is None][-MAX_WAITING:]
        for step in waiting:
            if step.kind not in _LASTING or step.ok is not None:
                self._tell(step)

    def _tell(self, step: Step) -> None:
        if self._steps_shown == "none" or step.kind == "source":  # sources stand under the answer
            return
        symbol, word = step_words(step)
        took = f", {duration(step.seconds)}" if step.seconds is not None else ""
        name = defanged(step.in_words) if self._defang else step.in_words
        self.end_line()
        self._put(f"  {symbol} {name} ({word}{took})\n")
        if self._steps_shown == "full" and step.detail.strip():
            self._tell_detail(step.detail.strip())

    def _tell_detail(self, detail: str) -> None:
        caps = CAPS["full"]
        shown = safe_text(detail[: caps.step_text])
        shown = defanged(shown) if self._defang else shown
        if len(detail) > caps.step_text:
            shown += f"\n[{count(len(detail) - caps.step_text, 'more character')} in the session's history]"
        self._put("".join(f"    {line}\n" for line in shown.split("\n")))

    def _show(self, text: str, *, is_cut: bool = False) -> None:
        shown = safe_text(self._restore_next(text, is_cut=is_cut) if self._restore_next else text)
        self._put(defanged(shown) if self._defang else shown)

    def _put(self, text: str) -> None:
        if text:
            self.clear_status()
            self._write(text)
            self._at_line_start = text.endswith("\n")
