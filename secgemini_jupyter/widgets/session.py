"""What widgets ask of a session. They take any object that does this, and know nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Message, PublicSessionFile
from secgemini_jupyter.render.text import one_line

__all__ = [
    "AttachSession",
    "FeedbackSession",
    "ListedSession",
    "SessionsHost",
    "VisualizeSession",
    "check_session",
    "destination",
]


class FeedbackSession(Protocol):
    """A session that takes feedback. Its methods are called from a thread of the widget's."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    def send_feedback(self, score: int, group_id: str | None = None, comment: str = "") -> object: ...

    def send_bug_report(self, bug: str, group_id: str | None = None) -> object: ...

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]: ...


class AttachSession(Protocol):
    """A session that takes files. Its methods are called from threads of the widget's."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def host(self) -> str: ...

    @property
    def is_local(self) -> bool: ...

    @property
    def can_log(self) -> bool: ...

    @property
    def max_attachment_bytes(self) -> int: ...

    @property
    def is_deleted(self) -> bool: ...

    @property
    def files(self) -> list[PublicSessionFile]: ...

    def is_verified(self, file: PublicSessionFile) -> bool: ...

    def attach_file(self, filename: str, content: bytes, mime_type_hint: str | None = None) -> object: ...

    def detach_file(self, file_idx: int, /) -> None: ...

    def refresh(self) -> None: ...

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]: ...


class Destination(Protocol):
    @property
    def host(self) -> str: ...

    @property
    def is_local(self) -> bool: ...


class ListedSession(Protocol):
    """A session in a list: what is known of it costs no request."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def turns(self) -> int: ...

    @property
    def num_messages(self) -> int: ...

    @property
    def files(self) -> list[PublicSessionFile]: ...

    @property
    def can_log(self) -> bool: ...

    @property
    def is_local(self) -> bool: ...

    @property
    def is_deleted(self) -> bool: ...

    @property
    def create_time(self) -> float: ...

    @property
    def update_time(self) -> float: ...

    @property
    def expires_at(self) -> float: ...


class SessionsHost(Protocol):
    """Who has sessions, one of them current. Its methods are called from threads of the widget's."""

    @property
    def host(self) -> str: ...

    @property
    def is_local(self) -> bool: ...

    @property
    def current_id(self) -> str: ...

    def list_sessions(self) -> Sequence[ListedSession]: ...

    def own_sessions(self) -> Sequence[ListedSession]: ...

    def resume_session(self, session_id: str) -> object: ...

    def update_session(self, session_id: str, *, name: str | None = None, ttl: int | None = None) -> None: ...

    def delete_session(self, session_id: str) -> None: ...

    def visualize(self, session_id: str) -> object: ...

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]: ...


def destination(session: Destination) -> str:
    """Where prompts and files go, in words."""
    host = one_line(session.host, 80)
    who = one_line(getattr(session, "local_name", ""), 80) or "local analyst"
    return f"{who}, {host}, not Sec-Gemini" if session.is_local else f"Sec-Gemini, {host}"


class VisualizeSession(Protocol):
    """A session that can be looked at while it goes on."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def messages(self) -> Sequence[Message]: ...

    @property
    def is_running(self) -> bool: ...

    def known_messages(self) -> Sequence[Message] | None: ...

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]: ...

    def refresh(self) -> object: ...


def check_session(expected: str, shown: str) -> None:
    """Refuse a request of a view that shows another session than its widget has.

    Raises:
        InputError: it does; nothing was sent.
    """
    if shown != expected:
        raise InputError(f"This view shows session {shown[:40]!r}, its widget has {expected!r}: run the cell again.")
