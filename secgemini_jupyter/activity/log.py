"""The file of one session's activity, read and verified."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secgemini_jupyter.activity.entries import Entry, read_entry
from secgemini_jupyter.activity.verification import Verification, check_lines
from secgemini_jupyter.disk import opened
from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MissingLogError", "content", "head", "read", "verify"]


def verify(path: str | os.PathLike[str], *, head: str | None = None) -> Verification:
    """Check an activity log: which entry was edited, removed, put elsewhere; true if none was.

    Without a `head` that was kept elsewhere, nobody can see that the file's owner cut its end off, or wrote all of it
    anew.

    Args:
        head: what `head()` gave earlier. The log may have grown since.

    Raises:
        InputError: the file cannot be read, or `head` is none.
    """
    return check_lines(content(path), subject=str(path), head=head)


def head(path: str | os.PathLike[str]) -> str:
    """Number and hash of the last entry, to be kept where the file's owner cannot change it.

    Raises:
        InputError: the file cannot be read, is no log, or was changed.
    """
    return head_in(content(path), path)


def head_in(data: bytes, path: str | os.PathLike[str]) -> str:
    """
    Raises:
        InputError: it has none; the text names `path`.
    """
    checked = check_lines(data, subject=str(path))
    if checked.head is None:
        what = str(checked.problems[0]) if checked.problems else "it has no entry"
        raise InputError(f"{str(path)!r} has no head to keep: {what}. verify() says more.")
    return checked.head


def read(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The entries as a DataFrame, schema `activity/1`, in the order of the lines. It checks nothing: `verify` does.

    Raises:
        InputError: the file cannot be read.
    """
    from secgemini_jupyter.activity.table import activity_frame

    return activity_frame(entries_in(content(path)))


def entries_in(data: bytes) -> list[Entry]:
    """Those lines that are entries."""
    return [entry for line in data.split(b"\n") if (entry := read_entry(line))]


class MissingLogError(InputError, FileNotFoundError):
    """There is no such file."""


def content(path: str | os.PathLike[str], *, flags: int = 0) -> bytes:
    """
    Args:
        flags: of `os.open`, besides.

    Raises:
        InputError: the file cannot be read; `MissingLogError` where there is none.
    """
    try:
        with opened(path, flags=flags) as file:
            return file.read()
    except FileNotFoundError:
        raise MissingLogError(f"There is no activity log {str(path)!r}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The activity log {str(path)!r} cannot be read: {reason}.") from None
