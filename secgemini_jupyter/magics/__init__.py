"""`%%secgemini` and `%secgemini`: parse, call, display."""

from __future__ import annotations

import sys
import weakref
from functools import cached_property
from typing import TYPE_CHECKING, Any

from IPython.core.completer import context_matcher
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool, Enum, Float, Int, TraitError, Unicode

from secgemini_jupyter import keeper, lazy_accessor
from secgemini_jupyter.errors import SecGeminiError, SettingsError
from secgemini_jupyter.magics.choices import FORMATS, MODES, SHOWS
from secgemini_jupyter.magics.interrupts import Interrupted, Interrupts
from secgemini_jupyter.magics.lines import read_lines, unread_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

    from secgemini_jupyter.inputs.redaction import Redactor
    from secgemini_jupyter.kernel import KernelSession
    from secgemini_jupyter.magics.completion import Matcher
    from secgemini_jupyter.magics.failures import Failures
    from secgemini_jupyter.magics.others import Others

__all__ = ["Interrupted", "SecGeminiMagics", "load", "unload"]


@magics_class
class SecGeminiMagics(Magics):
    """The magics, and the kernel's sessions behind them: what they need is imported when it is used."""

    short_errors = Bool(True, help="Errors are one line; False shows the traceback.").tag(config=True)
    feedback = Bool(False, help="A strip under each answer takes feedback by click.").tag(config=True)
    cache = Enum(MODES, "off", help="Kept answers: use, refresh, only (nobody is asked), off.").tag(config=True)
    cache_dir = Unicode("", help="Folder of the answers that are kept; your own when empty.").tag(config=True)
    session_name = Unicode("", help="Name of the kernel's own session; generated when empty.").tag(config=True)
    description = Unicode("Jupyter notebook", help="Description of sessions that are made here.").tag(config=True)
    ttl = Int(86400, min=300, help="Time to live of sessions that are made here, in seconds; at least 300.").tag(
        config=True
    )
    retention = Bool(True, help="False makes sessions without retention, and asks in no other.").tag(config=True)
    model = Unicode("", help="Model of sessions that are made here; the service's default when empty.").tag(config=True)
    timeout = Float(None, allow_none=True, min=0.001, help="Seconds after which a cell gives up; None: two hours.").tag(
        config=True
    )

    show = Enum(SHOWS, "summary", help="Thinking and tool calls: none, summary or full.").tag(config=True)
    format = Enum(FORMATS, "md", help=f"How an answer is shown and given: {', '.join(FORMATS)}.").tag(config=True)
    defang = Bool(True, help="Indicators are shown so that they cannot be clicked.").tag(config=True)

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        try:
            super().__init__(shell)
        except TraitError as error:
            raise SettingsError(f"The IPython profile sets {error} Mend c.SecGeminiMagics there.") from None
        self.told: set[str] = set()
        self.profile_values = dict(self.config.get("SecGeminiMagics", {}))
        self.after_cell: Callable[[Any], None] | None = None
        self._failed_before = getattr(sys, "last_value", None)

    @cached_property
    def kernel(self) -> KernelSession:
        """The sessions of this kernel."""
        from secgemini_jupyter.kernel import KernelSession

        kernel = KernelSession(self.shell.user_ns, say=print, defaults=self.session_defaults)
        self._ask_here(kernel)
        return kernel

    def _ask_here(self, kernel: KernelSession) -> None:
        from secgemini_jupyter.magics.approving import Here

        kernel.ask_by(Here(self.shell))

    @cached_property
    def redactor(self) -> Redactor:
        """This kernel's placeholders."""
        from secgemini_jupyter.inputs.redaction import Redactor

        return Redactor()

    @cached_property
    def failures(self) -> Failures:
        """The shell's cells that failed."""
        from secgemini_jupyter.magics.failures import Failures

        before, self._failed_before = self._failed_before, None
        return Failures(self.shell, before)

    @cached_property
    def others(self) -> Others:
        """Counts what a cell shows that is not ours."""
        from secgemini_jupyter.magics.others import Others

        return Others()

    @cached_property
    def _completion(self) -> Matcher:
        from secgemini_jupyter.magics.completion import Matcher

        return Matcher(self)

    @context_matcher(identifier="secgemini")
    def matcher(self, context: CompletionContext) -> SimpleMatcherResult:
        """For `shell.Completer.custom_matchers`, of version 2 of IPython's matchers."""
        if "secgemini" not in context.full_text:  # nothing is imported for it
            return {"completions": [], "suppress": False}
        return self._completion.match(context)

    def cell_ran(self, result: ExecutionResult) -> None:
        """IPython's hook after each cell, which may have loaded pandas."""
        lazy_accessor.register_where_pandas_is()
        if not result.success:
            self.failures.add(result)

    @no_var_expand  # IPython would evaluate `{…}` of the line: a prompt may quote a log
    @line_cell_magic
    def secgemini(self, line: str, cell: str | None = None) -> Any:
        """Ask Sec-Gemini in a cell; the answer streams in. `%secgemini help` lists options and subcommands."""
        with Interrupts() as interrupts:
            try:
                interrupts.release()
                from secgemini_jupyter.magics import cell as cells
                from secgemini_jupyter.magics import commands
                from secgemini_jupyter.magics.help import wants_help

                if cell is None or wants_help([line.strip()]):
                    result = commands.run(self, line)
                else:
                    with self.others.watched(self.shell):
                        result = cells.ask(self, line, cell)
                self.tell_failed_jobs()
            except SecGeminiError as error:
                from secgemini_jupyter.magics.choosing import in_words_for_a_cell

                in_words_for_a_cell(error, self.kernel)
                error.short = self.preference("short_errors")
                raise
        from secgemini_jupyter.magics.formats import is_shown
        from secgemini_jupyter.magics.view import is_line_alone, is_terminal, owns_cell

        is_cell = owns_cell(self.shell) if cell is not None else is_line_alone(self.shell, line)
        if is_cell and is_terminal(self.shell) and is_shown(self.shell, result):
            # A terminal writes `Out[n]:` even for a result that shows nothing: `Out` and `_` get it directly.
            self.shell.displayhook.update_user_ns(result)
            return None
        return result

    def tell_failed_jobs(self) -> None:
        """One line for each that nobody knows of: behind what the cell shows, which may clear what stood before."""
        if any(True for _ in self.kernel.jobs):
            from secgemini_jupyter.magics.background import tell_failures

            tell_failures(self)

    def session_defaults(self) -> dict[str, Any]:
        """What sessions that this kernel makes are like."""
        given = {
            "name": self.preference("session_name").strip() or None,
            "description": self.preference("description"),
            "ttl": self.preference("ttl"),
            "enable_logging": self.preference("retention"),
            "model": self.preference("model").strip() or None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def preference(self, name: str) -> Any:
        """What holds where a cell does not say."""
        from secgemini_jupyter.magics.preferences import preference

        return preference(self, name).value


def overview() -> str:
    """What `%%secgemini?` shows: read from the tables of options and subcommands, when somebody asks."""
    from secgemini_jupyter.magics.commands import overview

    return overview()


SecGeminiMagics.secgemini.getdoc = overview  # type: ignore[union-attr]  # IPython asks it before `__doc__`

_loaded: weakref.WeakKeyDictionary[InteractiveShell, SecGeminiMagics] = weakref.WeakKeyDictionary()


def load(shell: InteractiveShell) -> None:
    """Register the magics with a shell; a second call replaces nothing.

    Sessions that Python code of the notebook used before are the shell's from here on.
    """
    if shell in _loaded:
        return
    magics = SecGeminiMagics(shell)  # which adds itself to the shell's configurables
    shell.register_magics(magics)
    read_lines(shell)
    shell.Completer.custom_matchers.append(magics.matcher)
    shell.events.register("post_run_cell", magics.cell_ran)
    _loaded[shell] = magics
    if (made := keeper.made_before()) is not None:
        made.adopt(shell.user_ns, say=print, defaults=magics.session_defaults)
        magics._ask_here(made)
        vars(magics)["kernel"] = made
    keeper.keep(magics, lambda: magics.kernel)


def unload(shell: InteractiveShell) -> None:
    """Take the magics back, log out, close connections, end the loop thread; sessions stay at the service.

    What another shell of this process has stays as it is.
    """
    magics = _loaded.pop(shell, None)
    if magics is None:
        return
    unread_lines(shell)
    if magics.after_cell is not None:
        shell.events.unregister("post_run_cell", magics.after_cell)
    shell.Completer.custom_matchers.remove(magics.matcher)
    shell.events.unregister("post_run_cell", magics.cell_ran)
    shell.configurables.remove(magics)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("secgemini", None)
    shell.magics_manager.registry.pop(type(magics).__name__, None)
    keeper.let_go(magics)
    kernel = vars(magics).get("kernel")
    settings = sys.modules.get("secgemini_jupyter.settings")
    if settings and (not _loaded or (kernel is not None and settings.Login.by is kernel)):
        settings.Login.key = settings.Login.by = None
    if kernel is not None:
        kernel.close()
