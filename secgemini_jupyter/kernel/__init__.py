"""The sessions that one kernel keeps, and their answers: what magics, widgets and Python code of a notebook share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.keeper import keep, kept
from secgemini_jupyter.kernel.answer import Answer
from secgemini_jupyter.kernel.sessions import KernelSession

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.tools import Tool
    from secgemini_jupyter.widgets.attach import AttachWidget
    from secgemini_jupyter.widgets.chat import ChatWidget

__all__ = ["Answer", "KernelSession", "attach", "chat", "current_session"]


def current_session(*, tools: Iterable[Tool | Callable[..., Any]] | None = None) -> InteractiveSession:
    """The session that `%%secgemini` cells of this kernel use; created on first use.

    Without a key it is one of the embedded local service, and says so in one line.

    Args:
        tools: functions that the service may ask this kernel to run. A session keeps the tools that it was made with:
            if the current one has others, a new one like it becomes current. A function that is passed as it is runs
            only when the person at the cell approves the call; see `secgemini_tool`.

    Raises:
        ToolError: one of them cannot be a tool; the text says why.
    """
    return default_kernel().current(tools)


def default_kernel() -> KernelSession:
    """What the magics share with Python code of the notebook: the extension's, if it is loaded."""
    sessions = kept()
    if sessions is None:  # the extension is not loaded; once it is, it goes on with these
        sessions = made = KernelSession(say=print)
        keep(None, lambda: made)
    return sessions


def attach() -> AttachWidget:
    """A widget to drop files on: they are attached to the session that `%%secgemini` cells use."""
    return current_session().attach()


def chat(*, tools: Iterable[Tool | Callable[..., Any]] | None = None) -> ChatWidget:
    """A conversation in one output, in the session that `%%secgemini` cells use: what is asked in one shows in both.

    Args:
        tools: functions that the service may ask this kernel to run, in a new session that becomes current. One that
            is passed as it is runs only when the person in the chat approves the call; see `secgemini_tool`.

    Raises:
        SettingsError: `SECGEMINI_BACKEND=service` and no key is found.
    """
    return default_kernel().chat(tools=tools)
