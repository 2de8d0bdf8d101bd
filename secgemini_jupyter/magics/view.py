"""A turn on the screen while it runs, and what stays: one saved output in a notebook, plain text in a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from secgemini_jupyter.magics.formats import AS_IT_IS, REPLACING, Shaped
from secgemini_jupyter.magics.interrupts import current, released
from secgemini_jupyter.magics.others import OURS

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from secgemini_jupyter.magics.look import Look
    from secgemini_jupyter.magics.others import Others
    from secgemini_jupyter.models import Message
    from secgemini_jupyter.render.answer import Bundle, Facts, Status
    from secgemini_jupyter.render.live import Output, Stage

__all__ = ["View", "view_for"]

INTERVAL = 0.1
"""Seconds between two updates: the server drops what comes faster than the browser can draw."""
AT_ONCE = 50_000
"""Characters of an interrupted answer that are drawn anew in a moment; a longer one stays as it was shown."""
STOP_HINT = "■ in the toolbar stops"
SILENT_START = 0.25
"""Seconds before the first output: an answer, or a refusal, that comes at once needs no live view."""


class View(Protocol):
    def add(self, message: Message) -> None:
        """A message arrived."""
        ...

    def tick(self, stage: Stage = "sent") -> None:
        """Time has passed; called often, draws rarely. `stage`: how far the prompt has come."""
        ...

    def make_room(self) -> None:
        """Something else is about to be shown: bring what there is up to date."""
        ...

    def finish(self, facts: Facts, status: Status, shaped: Shaped = AS_IT_IS) -> None:
        """The turn is over: leave what shall be saved. The error itself is raised, and shown by IPython.

        Args:
            shaped: the answer in its format.
        """
        ...

    @property
    def takes_widgets(self) -> bool:
        """Whether somebody may click on what is shown after the answer."""
        ...


def view_for(shell: InteractiveShell, facts: Facts, look: Look, others: Others | None = None) -> View:
    """The view that fits where the output goes. `others`: who watches whether the cell shows more than the answer."""
    if look.quiet:
        return QuietView()
    if is_captured(shell) or is_in_output_widget(shell):
        return FinalView(look)
    if is_terminal(shell):
        return TerminalView(facts, look)
    is_ours = owns_cell(shell) and look.form.has_html and not (others and others.count)  # so far
    return NotebookView(facts, look, others=others if is_ours else None)


def is_terminal(shell: InteractiveShell) -> bool:
    return not hasattr(shell, "kernel")


def is_captured(shell: InteractiveShell) -> bool:
    """Whether `%%capture` takes what is shown."""
    from IPython.core.displaypub import CapturingDisplayPublisher

    return isinstance(shell.display_pub, CapturingDisplayPublisher)


def owns_cell(shell: InteractiveShell) -> bool:
    """Whether the running cell is one `%%secgemini` cell: only then all of its outputs may be ours to replace."""
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:  # what it runs may be kept out of the history
        cell = kernel.get_parent("shell").get("content", {}).get("code", "")
    else:
        manager = shell.history_manager
        cell = manager.input_hist_raw[-1] if manager and manager.input_hist_raw else ""
    return str(cell).lstrip().startswith("%%secgemini")


def is_line_alone(shell: InteractiveShell, line: str) -> bool:
    """Whether the running cell of a terminal is `%secgemini` with this line, and nothing else."""
    manager = shell.history_manager
    cell = manager.input_hist_raw[-1] if manager and manager.input_hist_raw else ""
    return cell.split() == ["%secgemini", *line.split()]


def is_in_output_widget(shell: InteractiveShell) -> bool:
    """Whether an `ipywidgets.Output` takes what the cell shows: it keeps what is displayed, and takes no updates."""
    widgets = sys.modules.get("ipywidgets")
    kernel = getattr(shell, "kernel", None)
    if widgets is None or kernel is None:
        return False
    request = kernel.get_parent("shell").get("header", {}).get("msg_id")
    known = list(sys.modules["ipywidgets.widgets.widget"]._instances.values())
    return any(isinstance(widget, widgets.Output) and widget.msg_id == request for widget in known)


class QuietView:
    """`-q`: nothing is shown."""

    takes_widgets = False

    def add(self, message: Message) -> None: ...

    def tick(self, stage: Stage = "sent") -> None: ...

    def make_room(self) -> None: ...

    def finish(self, facts: Facts, status: Status, shaped: Shaped = AS_IT_IS) -> None: ...


class FinalView:
    """Where an update would be one more output, or none, as under `%%capture`: the answer once, at the end."""

    takes_widgets = False

    def __init__(self, look: Look) -> None:
        self._look = look
        self._messages: list[Message] = []

    def add(self, message: Message) -> None:
        self._messages.append(message)

    def tick(self, stage: Stage = "sent") -> None: ...

    def make_room(self) -> None: ...

    def finish(self, facts: Facts, status: Status, shaped: Shaped = AS_IT_IS) -> None:
        from secgemini_jupyter.render.answer import answer_bundle

        if self._messages:
            look = self._look
            with released():
                bundle = answer_bundle(
                    self._messages,
                    facts,
                    status=status,
                    defang=look.defang,
                    show=look.show,
                    body=shaped.body,
                    note=shaped.note,
                )
            publish(bundle, html=look.form.has_html)


class TerminalView:
    """Terminal IPython: text is appended, since an update would print everything again."""

    takes_widgets = False

    def __init__(self, facts: Facts, look: Look) -> None:
        from secgemini_jupyter.render.terminal import TerminalStream

        self._stream = TerminalStream(sys.stdout.write, defang=look.defang, show=look.show, restore=look.restore)
        self._facts, self._look = facts, look
        self._started = time.monotonic()
        self._is_watched = sys.stdout.isatty()
        self._began = False
        self._results: list[Message] = []  # that wait: something else may be shown in their place

    def add(self, message: Message) -> None:
        from secgemini_jupyter.models import MessageType

        self._began = True
        of_results = (MessageType.RESULT, MessageType.UPDATE, MessageType.DELETE)
        if self._look.form.name in REPLACING and message.message_type in of_results:
            self._results.append(message)
        else:
            self._stream.add(message)

    def tick(self, stage: Stage = "sent") -> None:
        elapsed = time.monotonic() - self._started
        if self._is_watched and elapsed >= 1:
            width = shutil.get_terminal_size().columns
            self._stream.tell_status(self._facts, elapsed, stage, width=width)
        sys.stdout.flush()

    def make_room(self) -> None:
        self._stream.end_line()
        self._stream.clear_status()
        sys.stdout.flush()

    def finish(self, facts: Facts, status: Status, shaped: Shaped = AS_IT_IS) -> None:
        from secgemini_jupyter.protocol.mutations import shown

        if self._began:
            for message in shown(self._results) if shaped.body is None else ():
                self._stream.add(message)
            self._stream.put(shaped.body.text if shaped.body else "")
            self._stream.put(shaped.note)
            self._stream.finish(hinted(facts, status, self._look), status)
        self._stream.clear_status()
        sys.stdout.flush()


class NotebookView:
    """Live outputs that are updated in place; at the end the whole answer is one output.

    A cell that shows nothing else gets several, cleared at the end; any other gets one. A thread may use it once
    `begin` was called in the cell: from then on it only updates.

    Args:
        others: watches the cell, if all of its outputs may be ours.
        stop_hint: how to stop it.
    """

    def __init__(self, facts: Facts, look: Look, *, others: Others | None = None, stop_hint: str = STOP_HINT) -> None:
        from secgemini_jupyter.render.live import MAX_OUTPUTS, LiveView
        from secgemini_jupyter.render.markdown import markdown_html

        markdown_html("")  # imports now what would be missing at ■: then the kernel shall be idle at once

        self._due = time.monotonic() + SILENT_START
        self._look, self._others = look, others
        self._view = LiveView(
            facts,
            started=time.time(),
            defang=look.defang,
            show=look.show,
            is_parted=others is not None,
            max_outputs=MAX_OUTPUTS if others is not None else 1,
            stop_hint=stop_hint,
        )
        self._handles: list[str] = []

    @property
    def takes_widgets(self) -> bool:
        from secgemini_jupyter.widgets.base import is_attended

        return is_attended()

    def add(self, message: Message) -> None:
        with released():  # a message may be megabytes
            self._view.add(message)

    def begin(self) -> None:
        """Show the first output now."""
        self._due = 0
        self.tick("connecting")

    def make_room(self) -> None:
        self._due = 0
        self.tick()

    def tick(self, stage: Stage = "sent") -> None:
        if time.monotonic() < self._due:
            return
        with released():
            changed = self._view.snapshot(time.time(), stage)
        for output in changed:
            self._show(output)
        self._due = time.monotonic() + INTERVAL * max(1, len(changed))

    def _show(self, output: Output) -> None:
        if output.index < len(self._handles):
            publish(output.bundle, self._handles[output.index], update=True, html=self._look.form.has_html)
        else:
            self._handles.append(new_id())
            publish(output.bundle, self._handles[-1], html=self._look.form.has_html)

    def finish(self, facts: Facts, status: Status, shaped: Shaped = AS_IT_IS) -> None:
        if not self._view.messages:  # nothing came: the error alone says it
            for handle in self._handles:
                publish(None, handle, update=True)
            return
        if self._view.size > AT_ONCE and (status == "interrupted" or current().is_pressed):
            self._leave(facts)
            return
        try:
            with released():
                facts = hinted(facts, status, self._look)
                bundle = self._view.final(facts, status, body=shaped.body, note=shaped.note)
        except KeyboardInterrupt:
            self._leave(facts)
            raise
        self._replace(bundle)

    def _leave(self, facts: Facts) -> None:
        """Keep what is drawn already, marked: drawing a long answer once more would take seconds."""
        self._replace(self._view.stopped(facts))

    def _replace(self, bundle: Bundle) -> None:
        """One output instead of those there are."""
        from IPython.display import clear_output

        if not self._handles:
            publish(bundle, html=self._look.form.has_html)
        elif len(self._handles) > 1 and self._others is not None and not self._others.count:
            clear_output(wait=True)  # type: ignore[no-untyped-call]
            publish(bundle, html=self._look.form.has_html)
        else:
            publish(bundle, self._handles[0], update=True, html=self._look.form.has_html)
            for handle in self._handles[1:]:
                publish(None, handle, update=True)


def hinted(facts: Facts, status: Status, look: Look) -> Facts:
    """Facts with the look's hint, where there is an answer of now to rate."""
    return replace(facts, hint=look.hint) if status == "ok" and facts.recorded_at is None else facts


def new_id() -> str:
    import uuid

    return f"{OURS}{uuid.uuid4().hex}"


def new_block_id() -> str:
    """For an output of ours that stays when an answer's own are replaced."""
    import uuid

    return uuid.uuid4().hex


def publish(bundle: Bundle | None, display_id: str | None = None, *, update: bool = False, html: bool = True) -> None:
    """Show a bundle as it is, or its text alone; None empties the output that the id names."""
    from IPython.display import publish_display_data

    data: dict[str, Any] = dict(bundle.data) if bundle else {}
    if not html:
        data.pop("text/html", None)
    metadata = bundle.metadata if bundle else {}
    transient = {"display_id": display_id} if display_id else None
    publish_display_data(data, metadata, transient=transient, update=update)  # type: ignore[no-untyped-call]
