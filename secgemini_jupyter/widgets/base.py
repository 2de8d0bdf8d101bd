"""What our widgets have in common: a built view, values that flow to the browser only, a static fallback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget

from secgemini_jupyter.errors import SettingsError

__all__ = ["SecGeminiWidget", "bundle"]

STATIC = Path(__file__).parent / "static"


def bundle(name: str) -> tuple[Path, Path]:
    """The script and the style sheet of a widget.

    Raises:
        SettingsError: they are not there: a source tree whose `js/` was never built.
    """
    script, style = STATIC / f"{name}.js", STATIC / f"{name}.css"
    if not (script.is_file() and style.is_file()):
        raise SettingsError(f"The widget {name!r} is not built: run `npm ci && npm run build` in js/, or reinstall.")
    return script, style


class SecGeminiWidget(anywidget.AnyWidget):
    """A widget with `_fallback()` for places without a kernel: a saved notebook, nbconvert, a code host's view."""

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Nothing: what a browser wants done goes through `Rpc`, where it is checked."""

    def _fallback(self) -> tuple[str, str]:
        """Safe `text/html` and `text/plain`. Jupyter's sanitiser keeps no style sheet and no variable."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        html, text = self._fallback()
        return {**data, "text/html": html, "text/plain": text}, metadata
