"""What an error that ended a turn says: which session and turn, what had arrived, and the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secgemini_jupyter.errors import InputError, SecGeminiError, one_line, redact

if TYPE_CHECKING:
    from secgemini_jupyter.client.response import SessionResponse
    from secgemini_jupyter.protocol.turn import Turn

RESUME = "session.resume_turn()"
"""What gives the rest of a turn that goes on at the service, as it is typed in Python."""


def note(error: SecGeminiError, turn: Turn, response: SessionResponse, resume: str = RESUME) -> None:
    """Have `error` carry what arrived, and say how the turn stands, and what to type to listen again: `resume`."""
    if error.response is not None:
        return  # it passed by here before
    error.messages, error.response = turn.messages, response
    if isinstance(error, InputError):  # nothing was sent, and it says so
        return
    words = _standing(error, turn, response, resume)
    if resume in words:  # to ask again would be to ask twice
        error.without_advice()
    error.args = (f"{error} {one_line(redact(words))}", *error.args[1:])


def _standing(error: SecGeminiError, turn: Turn, response: SessionResponse, resume: str) -> str:
    session = f"Session {response.session_name!r}"
    if not turn.query_sent and not turn.is_listener:
        if turn.skipping:
            return f"{session}: the prompt was not sent. The turn before still runs: {resume} listens to it."
        return f"{session}: the prompt was not sent."
    where = f"{session}, turn {response.turn_index}"
    count = len(turn.messages)
    arrived = f"{count or 'no'} message{'' if count == 1 else 's'} arrived."
    if turn.done or turn.failure or getattr(error, "status", 0) in (404, 410):  # nothing is left to listen to
        return f"{where}: {arrived}"
    if not count and not turn.is_listener:
        return f"{where}: {arrived} If the prompt did, the turn goes on at the service: {resume} listens to it."
    return f"{where}: {arrived} The turn goes on at the service: {resume} listens again."
