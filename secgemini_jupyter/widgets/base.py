"""What our widgets have in common: a built view, values that flow to the browser only, a static fallback."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import msgspec

from secgemini_jupyter.errors import SettingsError, one_line, redact
from secgemini_jupyter.render import html

__all__ = ["SecGeminiWidget", "bundle", "in_notebook", "is_attended"]

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
MARK = {"secgemini": {"widget": True}}
"""Metadata of an output: who cleans a notebook before it is shared finds it by this."""
VIEW = "application/vnd.jupyter.widget-view+json"


def bundle(name: str) -> tuple[Path, Path]:
    """The script and the style sheet of a widget.

    Raises:
        SettingsError: they are not there: a source tree whose `js/` was never built.
    """
    script, style = STATIC / f"{name}.js", STATIC / f"{name}.css"
    if not (script.is_file() and style.is_file()):
        raise SettingsError(f"The widget {name!r} is not built: run `npm ci && npm run build` in js/, or reinstall.")
    return script, style


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel, of Jupyter or of marimo: there widgets have a place."""
    return _jupyter_kernel() is not None or _in_marimo()


def is_attended() -> bool:
    """Whether somebody may look at a live widget.

    A kernel that must not ask its user anything (`allow_stdin` is false: nbclient, papermill, `nbconvert --execute`)
    has no front end: what it shows is read later, where a widget's view would be a blank. Voila is the exception.
    """
    from secgemini_jupyter.settings import serves_live_widgets

    kernel = _jupyter_kernel()
    return kernel is None or bool(getattr(kernel, "_allow_stdin", True)) or serves_live_widgets()


def _jupyter_kernel() -> object | None:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None)


def _in_marimo() -> bool:
    marimo = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())


class SecGeminiWidget(anywidget.AnyWidget):
    """A widget with `_fallback()` for places without a kernel: a saved notebook, nbconvert, a code host's view.

    What a browser wants done goes through `Rpc`, where it is checked. The few traits that a view may set itself, so
    that `jslink` and marimo see them at once, stand in `_from_browser`, each with the type that it must have.

    In marimo, cells that read such a trait run again if the widget is shown by `mo.ui.anywidget(widget)`, which calls
    `set_state` too. Its kernel has no context in other threads, yet traits and messages may be sent from there.
    """

    _from_browser: ClassVar[Mapping[str, Any]] = {}
    _stays_live: bool = False
    """Whether its saved state is enough to be shown as a widget without a kernel."""

    def open(self) -> None:
        super().open()
        # ipykernel 7.4 gives a view's message to the shell that last sent something to the view. For that, a thread of
        # ours counts as the main one, which a cell may keep busy. Our handlers keep no shell busy: the view may choose.
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda _data, chosen: chosen

    def notify_change(self, change: Any) -> None:
        """Tell the views and who observes. An observer may be the user's own, and fail: nothing of ours stops at it."""
        try:
            super().notify_change(change)
        except Exception:
            log.warning("What observes %s failed:\n%s", change["name"], redact(traceback.format_exc()))

    def set_state(self, sync_data: dict[str, Any]) -> None:
        accepted: dict[str, Any] = {}
        for name in self._from_browser.keys() & sync_data.keys():
            try:
                accepted[name] = msgspec.convert(sync_data[name], self._from_browser[name])
            except msgspec.ValidationError as error:
                log.warning("A view's value of %s was refused: %s", name, one_line(str(error)))
        if accepted:
            super().set_state(accepted)

    def _fallback(self) -> tuple[str, str]:
        """Safe `text/html` and `text/plain`. Jupyter's sanitiser keeps no style sheet and no variable."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        if not (self._stays_live or is_attended()):
            data = {kind: value for kind, value in data.items() if kind != VIEW}
        markup, text = self._fallback()
        return {**data, "text/html": html.shown(markup), "text/plain": text}, {**metadata, **MARK}
