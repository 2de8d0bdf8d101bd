"""What this side does for a running turn, local tools and confirmations: what both shells decide alike."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from secgemini_jupyter.errors import InputError, one_line, redact
from secgemini_jupyter.models import LocalTool, MessageType
from secgemini_jupyter.tools import NOBODY, Outcome, Tool, Toolbox, Unasked

if TYPE_CHECKING:
    from secgemini_jupyter.client.state import SessionState
    from secgemini_jupyter.protocol.turn import Turn
    from secgemini_jupyter.settings import Settings

__all__ = ["Verdict", "WithTools", "beyond_cap", "missing_tools", "warn_of_missing"]

log = logging.getLogger(__name__)


def beyond_cap(turn: Turn, settings: Settings) -> Outcome | None:
    """What a call gets that the service may not make any more in this turn; None if it may. The user is told once."""
    made = sum(message.message_type is MessageType.LOCAL_TOOL_RESULT for message in turn.messages)
    cap = settings.max_tool_calls
    if made < cap:
        return None
    words = f"this turn has made {cap} calls of local tools, which is the limit of the user's settings"
    if made == cap:
        log.warning(
            "The turn has made %s calls of local tools, the limit of the setting max_tool_calls: further ones are "
            "refused. To allow more, pass settings=Settings(max_tool_calls=…), or set SECGEMINI_MAX_TOOL_CALLS.",
            cap,
        )
    return Outcome(f"{words}: answer with what you have", is_error=True)


class Verdict:
    """What the user says to a confirmation. Who fails to ask them, denies; `with Verdict() as verdict: …`."""

    def __init__(self) -> None:
        self.is_yes = False
        self.comment = ""

    def take(self, said: object) -> None:
        """Only `True` is yes; None is nobody's word."""
        self.is_yes = said is True
        self.comment = NOBODY if said is None else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False  # an interrupt, or a stop
        words = str(error) if isinstance(error, Unasked) else f"{type(error).__name__}: {error}"
        self.is_yes, self.comment = False, one_line(redact(words))[:500]
        return True


def missing_tools(declared: Iterable[LocalTool], bound: Mapping[str, Tool]) -> list[str]:
    """Names of tools that the service may ask for, and that have no function here."""
    return [tool.name for tool in declared if tool.name not in bound]


def warn_of_missing(state: SessionState) -> None:
    """After a resume: calls of these tools fail until somebody gives their functions."""
    if names := [one_line(name)[:128] for name in missing_tools(state.info.local_tools, state.tools)]:
        listed = ", ".join(names)
        warnings.warn(
            f"Session {one_line(state.info.name)[:80]!r} has local tools without a function in this process: {listed}. "
            f"Calls of them fail until you run: session.bind_tools([{listed}])",
            stacklevel=3,
        )


class WithTools:
    """The part of a session that is about its local tools."""

    _state: SessionState

    @property
    def local_tools(self) -> list[LocalTool]:
        """What the service was told of them when the session was made."""
        return list(self._state.info.local_tools)

    @property
    def toolbox(self) -> Toolbox:
        """The functions behind `local_tools`, by name; a session that was resumed has those that it was given then."""
        return self._state.tools

    @property
    def missing_tools(self) -> list[str]:
        """Names of `local_tools` that have no function here: calls of them fail."""
        return missing_tools(self._state.info.local_tools, self._state.tools)

    def bind_tools(self, tools: Iterable[Tool | Callable[..., Any]]) -> list[str]:
        """Give the session's local tools their functions, after a resume or for new versions of them.

        The service is told nothing: a session keeps the tools that it was made with.

        Returns:
            the names of those that are still without one.

        Raises:
            InputError: the session was made without a tool of this name; nothing changed.
        """
        given = Toolbox(tools)
        declared = [tool.name for tool in self._state.info.local_tools]
        if strange := [name for name in given if name not in declared]:
            known = ", ".join(declared) or "none"
            raise InputError(
                f"Session {self._state.info.name!r} was made without the tool {strange[0]} (it has: {known}), and a "
                "session keeps its tools: make a new one with tools=[…]. Nothing changed."
            )
        self._state.tools = Toolbox({**self._state.tools, **given}.values())
        return self.missing_tools
