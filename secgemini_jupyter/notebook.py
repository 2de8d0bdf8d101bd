"""Widgets of the kernel's sessions, as a notebook calls them: `secgemini_jupyter.sessions()`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from secgemini_jupyter import kernel
from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.models import Message
    from secgemini_jupyter.widgets import FeedbackWidget, SessionsWidget

__all__ = ["feedback", "sessions"]


def sessions() -> SessionsWidget:
    """All your sessions as a table to search, resume, rename, extend, delete and open.

    What is resumed in it is what `%%secgemini` cells use from then on.
    """
    from secgemini_jupyter.widgets import SessionsWidget

    return SessionsWidget(kernel.default_kernel())


def feedback(turn: int | None = None, *, session: InteractiveSession | None = None) -> FeedbackWidget:
    """Thumbs, a comment, a bug report for one turn.

    Args:
        turn: its number; the last one when left out, and the session as a whole before there is an answer, or with 0.
        session: the kernel's current one when left out.

    Raises:
        InputError: the turn has no answer, or there is no such turn.
    """
    session = session or kernel.current_session()
    return feedback_widget(session, *answered_turn(session.messages, turn))


def feedback_widget(
    session: InteractiveSession, turn: int, group: str | None, *, compact: bool = False
) -> FeedbackWidget:
    """The widget for one turn's answer, or without a group for the session."""
    from secgemini_jupyter.widgets import FeedbackWidget

    return FeedbackWidget(session, group, label=f"turn {turn}" if group else None, compact=compact)


def answered_turn(messages: Sequence[Message], turn: int | None = None) -> tuple[int, str | None]:
    """Number and group of a turn's answer: of the last one that has an answer when `turn` is None; (0, None) for none.

    Raises:
        InputError: the turn has no answer, or there is no such turn.
    """
    from secgemini_jupyter.models import MessageType

    number, groups = 0, {}
    for message in messages:
        if message.message_type is MessageType.QUERY:
            number += 1
        elif message.message_type is MessageType.RESULT:
            groups[number] = message.group
    if turn is None:
        turn = max(groups, default=0)
    if turn and turn not in groups:
        there = f"has {number} turns" if not 0 < turn <= number else "has no answer to that one"
        raise InputError(f"No answer to turn {turn}: this session {there}. Leave it out for the last answer.")
    return turn, groups.get(turn) if turn else None
