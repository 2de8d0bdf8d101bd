"""A turn on the screen while it runs, and what stays: one saved output in a notebook, plain text in a terminal."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from secgemini_jupyter.magics.interrupts import released

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from secgemini_jupyter.models import Message
    from secgemini_jupyter.render.answer import Bundle, Facts, Status
    from secgemini_jupyter.render.live import Output

__all__ = ["Look", "View", "view_for"]

INTERVAL = 0.1
"""Seconds between two updates: the server drops what comes faster than the browser can draw."""
AT_ONCE = 50_000
"""Characters of an interrupted answer that are drawn anew in a moment; a longer one stays as it was shown."""
SILENT_START = 0.25
"""Seconds before the first output: an answer, or a refusal, that comes at once needs no live view."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How an answer is shown. What is sent, and what Python code gets, does not depend on it.

    Attributes:
        quiet: show nothing.
        restore: puts values back for placeholders, in a terminal alone: a notebook saves what it shows.
    """

    quiet: bool = False
    restore: Callable[[str], str] | None = None


class View(Protocol):
    def add(self, message: Message) -> None:
        """A message arrived."""
        ...

    def tick(self) -> None:
        """Time has passed; called often, draws rarely."""
        ...

    def finish(self, facts: Facts, status: Status) -> None:
        """The turn is over: leave what shall be saved. The error itself is raised, and shown by IPython."""
        ...

    @property
    def takes_widgets(self) -> bool:
        """Whether somebody may click on what is shown after the answer."""
        ...


def view_for(shell: InteractiveShell, facts: Facts, look: Look) -> View:
    """The view that fits where the output goes."""
    from IPython.core.displaypub import CapturingDisplayPublisher

    if look.quiet:
        return QuietView()
    if isinstance(shell.display_pub, CapturingDisplayPublisher):
        return FinalView()
    if is_terminal(shell):
        return TerminalView(look)
    return NotebookView(facts, owns_cell=owns_cell(shell))


def is_terminal(shell: InteractiveShell) -> bool:
    return not hasattr(shell, "kernel")


def owns_cell(shell: InteractiveShell) -> bool:
    """Whether the running cell is one `%%secgemini` cell: only then all of its outputs are ours to replace."""
    manager = shell.history_manager
    cell = manager.input_hist_raw[-1] if manager and manager.input_hist_raw else ""
    return cell.lstrip().startswith("%%secgemini")


class QuietView:
    """`-q`: nothing is shown."""

    takes_widgets = False

    def add(self, message: Message) -> None: ...

    def tick(self) -> None: ...

    def finish(self, facts: Facts, status: Status) -> None: ...


class FinalView:
    """Under `%%capture`, where an update would be one more output: the answer once, at the end."""

    takes_widgets = False

    def __init__(self) -> None:
        self._messages: list[Message] = []

    def add(self, message: Message) -> None:
        self._messages.append(message)

    def tick(self) -> None: ...

    def finish(self, facts: Facts, status: Status) -> None:
        from secgemini_jupyter.render.answer import answer_bundle

        if self._messages:
            with released():
                bundle = answer_bundle(self._messages, facts, status=status)
            publish(bundle)


class TerminalView:
    """Terminal IPython: text is appended, since an update would print everything again."""

    takes_widgets = False

    def __init__(self, look: Look) -> None:
        from secgemini_jupyter.render.terminal import TerminalStream

        self._stream = TerminalStream(sys.stdout.write, restore=look.restore)
        self._began = False

    def add(self, message: Message) -> None:
        self._began = True
        self._stream.add(message)

    def tick(self) -> None:
        sys.stdout.flush()

    def finish(self, facts: Facts, status: Status) -> None:
        if self._began:
            self._stream.finish(facts, status)
            sys.stdout.flush()


class NotebookView:
    """Live outputs that are updated in place; at the end the whole answer is one output."""

    def __init__(self, facts: Facts, *, owns_cell: bool) -> None:
        from secgemini_jupyter.render.live import LiveView
        from secgemini_jupyter.render.markdown import markdown_html

        markdown_html("")  # imports now what would be missing at ■: then the kernel shall be idle at once

        self._started = time.time()
        self._due = time.monotonic() + SILENT_START
        self._view = LiveView(facts, started=self._started)
        self._owns_cell = owns_cell
        self._handles: list[str] = []

    @property
    def takes_widgets(self) -> bool:
        from secgemini_jupyter.widgets.base import is_attended

        return is_attended()

    def add(self, message: Message) -> None:
        self._view.add(message)

    def tick(self) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        for output in self._view.snapshot(time.time()):
            self._show(output)
        self._due = time.monotonic() + INTERVAL

    def _show(self, output: Output) -> None:
        if output.index < len(self._handles):
            publish(output.bundle, self._handles[output.index], update=True)
        else:
            self._handles.append(new_id())
            publish(output.bundle, self._handles[-1])

    def finish(self, facts: Facts, status: Status) -> None:
        from IPython.display import clear_output

        if not self._view.messages:  # nothing came: the error alone says it
            for handle in self._handles:
                publish(None, handle, update=True)
            return
        if status == "interrupted" and self._view.size > AT_ONCE:
            self._leave(facts)
            return
        try:
            with released():
                bundle = self._view.final(facts, status)
        except KeyboardInterrupt:
            self._leave(facts)
            raise
        if not self._handles:
            publish(bundle)
        elif len(self._handles) == 1 or not self._owns_cell:
            publish(bundle, self._handles[0], update=True)
            for handle in self._handles[1:]:
                publish(None, handle, update=True)
        else:
            clear_output(wait=True)  # type: ignore[no-untyped-call]
            publish(bundle)

    def _leave(self, facts: Facts) -> None:
        """Keep the outputs that there are, the last one marked: drawing a long answer once more would take seconds."""
        for output in self._view.stopped(facts):
            self._show(output)


def new_id() -> str:
    import uuid

    return uuid.uuid4().hex


def publish(bundle: Bundle | None, display_id: str | None = None, *, update: bool = False) -> None:
    """Show a bundle as it is; None empties the output that the id names."""
    from IPython.display import publish_display_data

    data: dict[str, Any] = dict(bundle.data) if bundle else {"text/plain": ""}
    metadata = bundle.metadata if bundle else {}
    transient = {"display_id": display_id} if display_id else None
    publish_display_data(data, metadata, transient=transient, update=update)  # type: ignore[no-untyped-call]
