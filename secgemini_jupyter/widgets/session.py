"""What widgets ask of a session. They take any object that does this, and know nothing of HTTP."""

from __future__ import annotations

from typing import Protocol

from secgemini_jupyter.errors import InputError

__all__ = ["FeedbackSession", "check_session"]


class FeedbackSession(Protocol):
    """A session that takes feedback. Its methods are called from a thread of the widget's."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    def send_feedback(self, score: int, group_id: str | None = None, comment: str = "") -> object: ...

    def send_bug_report(self, bug: str, group_id: str | None = None) -> object: ...


def check_session(expected: str, shown: str) -> None:
    """Refuse a request of a view that shows another session than its widget has.

    Raises:
        InputError: it does; nothing was sent.
    """
    if shown != expected:
        raise InputError(f"This view shows session {shown[:40]!r}, its widget has {expected!r}: run the cell again.")
