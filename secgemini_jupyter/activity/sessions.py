"""The activity log of a session by its id: what this process has noted is written first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secgemini_jupyter.activity.log import MissingLogError, content, head, read
from secgemini_jupyter.activity.recorder import flush
from secgemini_jupyter.activity.verification import Finding, Verification, check_lines
from secgemini_jupyter.activity.writing import path_of
from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["activity_of", "head_of", "verification_of"]


def activity_of(session_id: str) -> pd.DataFrame:
    """The entries; none where there is no log."""
    from secgemini_jupyter.activity.table import activity_frame

    flush()
    try:
        return read(path_of(session_id))
    except MissingLogError:
        return activity_frame([])


def head_of(session_id: str) -> str:
    """
    Raises:
        InputError: there is no log, or it was changed.
    """
    flush()
    try:
        return head(path_of(session_id))
    except MissingLogError as error:
        raise InputError(
            f"{error} Nothing is logged of a session without retention, nor with SECGEMINI_ACTIVITY_LOG=off."
        ) from None


def verification_of(session_id: str, *, head: str | None = None) -> Verification:
    """A log that is absent is a remark; with a head that was kept, it was cut off.

    Raises:
        InputError: `head` is none.
    """
    flush()
    path = path_of(session_id)
    subject = f"activity log of session {session_id}"
    try:
        data = content(path)
    except MissingLogError:
        nothing = check_lines(b"", subject=subject, session_id=session_id, head=head)
        absent = Finding("absent", f"there is no log {path}: nothing was noted on this machine", session_id=session_id)
        return Verification(subject, findings=[absent, *nothing.findings])
    return check_lines(data, subject=subject, session_id=session_id, head=head)
