"""Sec-Gemini in Jupyter: `%load_ext secgemini_jupyter`, then ask in a `%%secgemini` cell.

Unofficial: not affiliated with Google. Everything here loads when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from secgemini_jupyter import lazy_accessor
from secgemini_jupyter._version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from secgemini_jupyter.client.aio import AsyncInteractiveSession, AsyncSecGemini
    from secgemini_jupyter.client.response import SessionResponse
    from secgemini_jupyter.client.sync import InteractiveSession, SecGemini
    from secgemini_jupyter.errors import (
        AttachmentError,
        AuthenticationError,
        InputError,
        NetworkError,
        ProtocolError,
        QuotaError,
        SecGeminiError,
        ServiceError,
        SessionNotFoundError,
        SettingsError,
        ToolError,
        TurnTimeoutError,
    )
    from secgemini_jupyter.kernel import Answer, attach, chat, current_session
    from secgemini_jupyter.models import Message, MessageType, Role, State, Usage
    from secgemini_jupyter.notebook import feedback, sessions
    from secgemini_jupyter.settings import Settings
    from secgemini_jupyter.sharing.histories import read_history
    from secgemini_jupyter.tools import secgemini_tool
    from secgemini_jupyter.transcript.reports import report

_HOMES = {
    "client.aio": ("AsyncInteractiveSession", "AsyncSecGemini"),
    "client.response": ("SessionResponse",),
    "client.sync": ("InteractiveSession", "SecGemini"),
    "errors": (
        "AttachmentError",
        "AuthenticationError",
        "InputError",
        "NetworkError",
        "ProtocolError",
        "QuotaError",
        "SecGeminiError",
        "ServiceError",
        "SessionNotFoundError",
        "SettingsError",
        "ToolError",
        "TurnTimeoutError",
    ),
    "kernel": ("Answer", "attach", "chat", "current_session"),
    "models": ("Message", "MessageType", "Role", "State", "Usage"),
    "notebook": ("feedback", "sessions"),
    "settings": ("Settings",),
    "sharing.histories": ("read_history",),
    "tools": ("secgemini_tool",),
    "transcript.reports": ("report",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "AsyncInteractiveSession",
    "AsyncSecGemini",
    "AttachmentError",
    "AuthenticationError",
    "InputError",
    "InteractiveSession",
    "Message",
    "MessageType",
    "NetworkError",
    "ProtocolError",
    "QuotaError",
    "Role",
    "SecGemini",
    "SecGeminiError",
    "ServiceError",
    "SessionNotFoundError",
    "SessionResponse",
    "Settings",
    "SettingsError",
    "State",
    "ToolError",
    "TurnTimeoutError",
    "Usage",
    "__version__",
    "attach",
    "chat",
    "current_session",
    "feedback",
    "load_ipython_extension",
    "read_history",
    "report",
    "secgemini_tool",
    "sessions",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext secgemini_jupyter`: register the magics; no network, no thread, no output."""
    from secgemini_jupyter.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext secgemini_jupyter`: take everything back."""
    from secgemini_jupyter.magics import unload

    unload(shell)


lazy_accessor.register_where_pandas_is()
