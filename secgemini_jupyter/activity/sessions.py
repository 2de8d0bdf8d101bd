"""The activity log of a session by its id: what this process has noted is written first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secgemini_jupyter.activity.log import MissingLogError, content, entries_in, head_in
from secgemini_jupyter.activity.recorder import flush
from secgemini_jupyter.activity.verification import Finding, Verification, check_lines
from secgemini_jupyter.activity.writing import path_of
from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["activity_of", "content_of", "head_of", "verification_of"]


def content_of(session_id: str) -> bytes:
    """The log as it is on disk.

    Raises:
        InputError: it cannot be read, or a link stands in its place: nothing is written through one, so what it
            leads to is another's. `MissingLogError` where there is none.
    """
    path = path_of(session_id)
    if path.is_symlink():
        raise InputError(f"The activity log {str(path)!r} is a link: nothing was written through it, and none is read.")
    return content(path, flags=getattr(os, "O_NOFOLLOW", 0))  # one may be put there now


def activity_of(session_id: str) -> pd.DataFrame:
    """The entries; none where there is no log."""
    from secgemini_jupyter.activity.table import activity_frame

    flush()
    try:
        return activity_frame(entries_in(content_of(session_id)))
    except MissingLogError:
        return activity_frame([])


def head_of(session_id: str) -> str:
    """
    Raises:
        InputError: there is no log, or it was changed.
    """
    flush()
    try:
        return head_in(content_of(session_id), path_of(session_id))
    except MissingLogError as error:
        raise InputError(
            f"{error} Nothing is logged of a session without retention, nor with SECGEMINI_ACTIVITY_LOG=off."
        ) from None


def verification_of(session_id: str, *, head: str | None = None) -> Verification:
    """A log that is absent or has no entry is a remark; with a head that was kept, it was cut off.

    Raises:
        InputError: `head` is none, or the log cannot be read.
    """
    flush()
    path = path_of(session_id)
    subject = f"activity log of session {session_id}"
    missing = f"the log {path} has no entry: nothing was noted on this machine, or it was taken out"
    try:
        data = content_of(session_id)
    except MissingLogError:
        data, missing = b"", f"there is no log {path}: nothing was noted on this machine"
    checked = check_lines(data, subject=subject, session_id=session_id, head=head)
    if checked.entries:
        return checked
    absent = Finding("absent", missing, session_id=session_id)
    return Verification(subject, findings=[absent, *checked.findings])
