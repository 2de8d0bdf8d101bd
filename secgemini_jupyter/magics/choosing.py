"""Whether a session is the one that a cell may ask in, and what is said of one that is gone."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from secgemini_jupyter.client.failing import RESUME
from secgemini_jupyter.errors import SecGeminiError, SessionNotFoundError, holds_key, one_line
from secgemini_jupyter.magics.options import quoted, usage_error
from secgemini_jupyter.settings import find_key

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel import KernelSession
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = [
    "FRESH",
    "check_fits",
    "checked_name",
    "in_words_for_a_cell",
    "near_name",
    "reconnecting",
    "telling_of_the_gone",
]

FRESH = "%secgemini new makes a fresh one."
MAX_NAME = 200
_COMMANDS = {
    "list_sessions()": "%secgemini sessions",
    "attach the data as a file, with attach_file(name, content)": "attach the data as a file: -a",
}
"""What Python code would call, as it is typed in a cell."""


def reconnecting(kernel: KernelSession, session_id: str, *, is_named: bool = False) -> str:
    """What listens to the session again, as it is typed.

    Args:
        is_named: whether it names the session even if that is the current one: it may not be when it is typed.
    """
    name = kernel.name_of(session_id) or ""
    if name and name == kernel.current_name and not is_named:
        return "%secgemini reconnect"
    can_be_typed = name and name.isprintable() and not name.startswith("-")
    return f"%secgemini reconnect {quoted(name) if can_be_typed else session_id}"


def in_words_for_a_cell(error: SecGeminiError, kernel: KernelSession, *, is_named: bool = False) -> None:
    """Let an error of the client's advise what can be typed where it is shown; `is_named` as of `reconnecting`."""
    text = str(error)
    commands = dict(_COMMANDS)
    if error.response is not None:
        commands[RESUME] = reconnecting(kernel, error.response.session_id, is_named=is_named)
    for call, command in commands.items():
        text = re.sub(rf"(?<![\w.]){re.escape(call)}", command.replace("\\", r"\\"), text)
    if text != str(error):
        error.args = (text, *error.args[1:])


def checked_name(name: str) -> str:
    """A name for a session.

    Raises:
        UsageError: it is empty, holds the key, or could not be read where it is shown.
    """
    if not name.strip():
        raise UsageError("%secgemini: the session's name is empty. Give it one, like triage.")
    key = find_key()  # while it is held, it is recognised
    if holds_key(name):
        raise UsageError("%secgemini: the session's name holds the API key. Take it out. Nothing was sent.")
    del key
    if len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(
            f"%secgemini: {one_line(name[:60])!r} is no name for a session: at most {MAX_NAME} characters that can be "
            "printed."
        )
    return name.strip()


def near_name(kernel: KernelSession, name: str) -> str:
    """A name of this notebook's that was probably meant, where `name` is new; else nothing."""
    known = [*kernel.names, *kernel.remembered]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return near[0] if near and name not in known else ""


def check_fits(magics: SecGeminiMagics, name: str, session: InteractiveSession, model: str | None) -> None:
    """Refuse a session that is not what was asked for.

    Raises:
        UsageError: it has another model, or is retained where that is not wanted.
    """
    if model and model not in (session.model.model_string, session.model.model_name):
        raise usage_error(
            f"%%secgemini: session {name!r} uses {session.model.model_string!r}, and a session keeps its model. "
            "Add --new, or -s NAME for another session."
        )
    if session.can_log and not magics.preference("retention"):
        raise usage_error(
            f"%%secgemini: session {name!r} is retained, and %config SecGeminiMagics.retention is False. "
            "Nothing was sent. Add --new for one without retention."
        )


@contextlib.contextmanager
def telling_of_the_gone(kernel: KernelSession, name: str | None = None, *, advice: str = "") -> Iterator[None]:
    """Say of a session that expired, or was deleted elsewhere, what to do.

    It is not replaced silently: the next prompt would go to a session that knows nothing of the earlier ones.

    Args:
        advice: what to do, where no cell asks.

    Raises:
        SessionNotFoundError: in the words for a cell.
    """
    name = name or kernel.current_name
    session = kernel.get(name)
    try:
        yield
    except SessionNotFoundError as error:
        if session is None or kernel.get(name) is not session:  # it was made, or chosen, just now
            raise
        new = "--new" if name == kernel.current_name else f"--new -s {name!r}"
        kernel.note_gone(session)
        advice = advice or f"Add {new} to ask in a fresh one."
        told = SessionNotFoundError(
            f"Session {name!r} is gone at the service: it expired or was deleted elsewhere. {advice}"
        )
        told.messages, told.response = error.messages, error.response
        raise told from None
