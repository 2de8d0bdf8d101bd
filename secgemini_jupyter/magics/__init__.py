"""`%%secgemini` and `%secgemini`: parse, call, display."""

from __future__ import annotations

import keyword
import weakref
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from traitlets import Bool

from secgemini_jupyter import kernel as kernels
from secgemini_jupyter.errors import SecGeminiError
from secgemini_jupyter.magics import commands
from secgemini_jupyter.magics.options import Parser, split_options
from secgemini_jupyter.magics.view import QuietView, is_terminal, owns_cell, view_for

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from secgemini_jupyter.client.running import RunningTurn
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel import Answer
    from secgemini_jupyter.kernel.answer import Status
    from secgemini_jupyter.magics.view import View

__all__ = ["Interrupted", "SecGeminiMagics", "load", "unload"]

POLL = 0.05
"""Seconds the main thread waits for a message at a time: Windows delivers an interrupt only between two waits."""


class Interrupted(KeyboardInterrupt):
    """■ or Ctrl-C in a `%%secgemini` cell: one line instead of a traceback; cells that were queued do not run."""

    def _render_traceback_(self) -> list[str]:
        return [f"Interrupted: {self}"]


@magics_class
class SecGeminiMagics(Magics):
    """The magics, and the kernel's sessions behind them."""

    short_errors = Bool(True, help="Errors are one line; False shows the traceback.").tag(config=True)
    feedback = Bool(False, help="A strip under each answer takes feedback by click.").tag(config=True)

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.kernel = kernels.KernelSession(shell.user_ns, say=print)

    @magic_arguments()
    @argument("-s", "--session", metavar="NAME", help="ask in the session of this name; created if there is none")
    @argument("--new", action="store_true", help="ask in a fresh session, made current")
    @argument(
        "-a", "--attach", metavar="PATH", action="append", default=[], help="attach a file or glob first; repeatable"
    )
    @argument("-o", "--out", metavar="VAR", help="put the Answer into this variable")
    @argument("-q", "--quiet", action="store_true", help="show nothing")
    @argument("prompt", nargs="*", help="the first words of the prompt; the cell's body follows")
    @line_cell_magic
    def secgemini(self, line: str, cell: str | None = None) -> Any:
        """Ask Sec-Gemini, and stream the answer into the cell: `%%secgemini [options] [first words]`, then the prompt.

        `%secgemini` alone shows the session; `%secgemini help` lists the subcommands.
        """
        try:
            if cell is None:
                return commands.run(self, line)
            return self._ask_cell(line, cell)
        except SecGeminiError as error:
            error.short = self.short_errors
            raise
        except Interrupted:
            raise
        except KeyboardInterrupt:
            self.kernel.stop()
            raise Interrupted("stopped before there was an answer. Run the cell again.") from None

    def _ask_cell(self, line: str, cell: str) -> Answer | None:
        parser = self.secgemini.parser
        tokens, first_words = split_options(parser, line)
        options = Parser.parse_tokens(parser, tokens)
        out = options.out
        if out is not None and (not out.isidentifier() or keyword.iskeyword(out)):
            raise UsageError(f"%%secgemini: -o {out!r} is no name for a variable.")
        prompt = "\n".join(part for part in (first_words, cell.strip("\n")) if part.strip())
        if not prompt.strip():
            raise UsageError("%%secgemini: the prompt is empty. Write it behind the options or in the cell's body.")
        evidence = commands.read_evidence(self.kernel, options.attach)
        session = self._session(options.session, new=options.new)
        files = commands.attach_evidence(session, evidence)
        inputs = [(file.name, file.size) for file in files]
        answer = self.ask(session, prompt, out=out, quiet=options.quiet, inputs=inputs)
        if is_terminal(self.shell) and owns_cell(self.shell):
            # A terminal writes `Out[n]:` even for a result that shows nothing: `Out` and `_` get it directly.
            self.shell.displayhook.update_user_ns(answer)
            return None
        return answer

    def _session(self, name: str | None, *, new: bool) -> InteractiveSession:
        if new:
            return self.kernel.new(name)
        return self.kernel.use(name) if name else self.kernel.current()

    def ask(
        self,
        session: InteractiveSession,
        prompt: str | None,
        *,
        out: str | None = None,
        quiet: bool = False,
        inputs: list[tuple[str, int]] | None = None,
    ) -> Answer:
        """Run one turn on the screen; None listens to the one that runs, or ran last.

        Raises:
            SecGeminiError: the turn failed; what had arrived is shown, and in `out`.
            Interrupted: the user stopped it; likewise.
        """
        running = self.kernel.start(session, prompt)
        view: View = QuietView()
        try:
            view = view_for(self.shell, running.response().facts(inputs or ()), quiet=quiet)
            follow(running, view)
        except KeyboardInterrupt:
            running.stop()
            self._finish(running, view, "interrupted", out, inputs)
            raise Interrupted(INTERRUPTED) from None
        error = running.error()
        status: Status = "error" if error else "ok"
        answer = self._finish(running, view, status, out, inputs)
        if error:
            answer.error = error
            raise error
        if self.feedback and view.takes_widgets:
            show_strip(answer)
        return answer.shown(self.shell.execution_count)

    def _finish(
        self,
        running: RunningTurn,
        view: View,
        status: Status,
        out: str | None,
        inputs: list[tuple[str, int]] | None,
    ) -> Answer:
        response = running.response()
        answer = kernels.Answer(response, running.session, status, attached=[name for name, _ in inputs or ()])
        if out:
            self.shell.user_ns[out] = answer
        view.finish(response.facts(inputs or ()), status)
        return answer


def show_strip(answer: Answer) -> None:
    """Thumbs under the answer, for its turn."""
    from IPython.display import display

    from secgemini_jupyter.models import MessageType
    from secgemini_jupyter.notebook import feedback_widget

    results = [message for message in answer.messages if message.message_type is MessageType.RESULT]
    if results:  # else there is nothing to rate
        display(feedback_widget(answer.session, answer.response.turn_index, results[-1].group, compact=True))


INTERRUPTED = "stopped listening; what had arrived is kept. The service goes on: %secgemini reconnect listens again."


def follow(running: RunningTurn, view: View) -> None:
    """Hand every message of the turn to the view, until it is over."""
    while not running.is_over:
        message = running.next(timeout=POLL)
        if message is not None:
            view.add(message)
        view.tick()


def keep_bodyless(lines: list[str]) -> list[str]:
    """Let `%%secgemini prompt` alone be a cell: IPython refuses a cell magic without a body."""
    if lines and lines[0].startswith("%%secgemini") and not any(line.strip() for line in lines[1:]):
        first = lines[0] if lines[0].endswith("\n") else lines[0] + "\n"
        return [first, "\n"]
    return lines


# In a terminal, Enter after `%%secgemini` must go on to the body: `check_complete` leaves out what has side effects.
keep_bodyless.has_side_effects = True  # type: ignore[attr-defined]

_loaded: weakref.WeakKeyDictionary[InteractiveShell, SecGeminiMagics] = weakref.WeakKeyDictionary()


def load(shell: InteractiveShell) -> None:
    """Register the magics with a shell; a second call replaces nothing."""
    if shell in _loaded:
        return
    magics = SecGeminiMagics(shell)  # which adds itself to the shell's configurables
    shell.register_magics(magics)
    shell.input_transformers_cleanup.append(keep_bodyless)
    _loaded[shell] = magics
    kernels.attach_default(magics.kernel)


def unload(shell: InteractiveShell) -> None:
    """Take the magics back, close connections, end the loop thread; sessions stay at the service."""
    magics = _loaded.pop(shell, None)
    if magics is None:
        return
    shell.input_transformers_cleanup.remove(keep_bodyless)
    shell.configurables.remove(magics)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("secgemini", None)
    shell.magics_manager.registry.pop(type(magics).__name__, None)
    kernels.attach_default(None)
    magics.kernel.close()
