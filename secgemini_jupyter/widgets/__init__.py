"""Widgets for a session: one module each, imported with anywidget only when it is used.

A widget takes a session as a Protocol (`session`), shows traits that flow to the browser only, and runs what the
browser asks for through `rpc`, which checks it. The browser's side is built from `js/` into `static/`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from secgemini_jupyter.widgets.attach import AttachWidget
    from secgemini_jupyter.widgets.chat import ChatWidget
    from secgemini_jupyter.widgets.feedback import FeedbackWidget
    from secgemini_jupyter.widgets.sessions import SessionsWidget
    from secgemini_jupyter.widgets.visualize import VisualizeWidget

__all__ = ["AttachWidget", "ChatWidget", "FeedbackWidget", "SessionsWidget", "VisualizeWidget"]

_MODULES = {
    "AttachWidget": "attach",
    "ChatWidget": "chat",
    "FeedbackWidget": "feedback",
    "SessionsWidget": "sessions",
    "VisualizeWidget": "visualize",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
