"""What a chat asks of its sessions, and of the place where they come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from secgemini_jupyter.models import Message, ModelInfo
from secgemini_jupyter.render.answer import Facts
from secgemini_jupyter.tools import Approver
from secgemini_jupyter.widgets.session import AttachSession, FeedbackSession

__all__ = ["ChatHost", "ChatResponse", "ChatSession", "ChatTurn"]


class ChatResponse(Protocol):
    """What a turn brought until now."""

    @property
    def messages(self) -> list[Message]: ...

    @property
    def turn_index(self) -> int: ...

    def facts(self, inputs: Iterable[tuple[str, int]] = ()) -> Facts: ...


class ChatTurn(Protocol):
    """A turn on a thread of its own."""

    @property
    def query_id(self) -> str: ...

    @property
    def is_over(self) -> bool: ...

    @property
    def is_sent(self) -> bool: ...

    @property
    def is_held_up(self) -> bool: ...

    def next(self, timeout: float) -> Message | None: ...

    def response(self) -> ChatResponse: ...

    def error(self) -> BaseException | None: ...

    def stop(self) -> None: ...

    def wait_stopped(self, timeout: float) -> None: ...


class ChatSession(FeedbackSession, AttachSession, Protocol):
    """A session that one can talk with. Its methods are called from threads of the widget's."""

    confirm: Callable[[Message], bool | Awaitable[bool]] | None
    approve: Approver | None

    @property
    def model(self) -> ModelInfo: ...

    @property
    def turns(self) -> int: ...

    @property
    def is_running(self) -> bool: ...

    @property
    def messages(self) -> list[Message]: ...

    def known_messages(self) -> list[Message] | None: ...

    def running_messages(self) -> list[Message] | None: ...

    def start(self, prompt: str) -> ChatTurn: ...


class ChatHost(Protocol):
    """Where a chat's sessions come from."""

    def chat_session(self) -> ChatSession | None:
        """The current one, without a request; None if there is none."""
        ...

    def list_sessions(self) -> Sequence[ChatSession]:
        """All that a chat may switch to, oldest first."""
        ...

    def resume_session(self, session_id: str) -> ChatSession:
        """Make one of them current."""
        ...

    def new_chat(self) -> ChatSession:
        """A new session like the current one, made current."""
        ...

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed()` called when, among others, another session becomes current; gives what ends it."""
        ...
