"""The data folder: one server has it at a time."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from secgemini_jupyter.errors import SettingsError
from secgemini_jupyter.local_server.database import why_not_stored

LOCK = "server.lock"
LOCK_TIMEOUT = 5.0
"""Seconds that a server which is ending has for letting the folder go."""


def lock_folder(folder: Path, timeout: float) -> sqlite3.Connection:
    """Keeps a second server out of the folder: sessions are held in memory, and there is one writer.

    SQLite's own lock is let go by every kind of death, on every system.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / LOCK).touch(mode=0o600)
        lock = sqlite3.connect(folder / LOCK, isolation_level=None, timeout=timeout, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise unusable(folder, error) from None
    try:
        lock.execute("PRAGMA journal_mode = MEMORY").fetchall()  # nothing is written, also where nothing could be
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise unusable(folder, error) from None
        raise SettingsError(
            f"Another server uses the data folder {str(folder)!r}. End that one, or pass another --data."
        ) from None
    return lock


def unusable(folder: Path, error: Exception) -> SettingsError:
    why = why_not_stored(error, folder)
    return SettingsError(f"The data folder {str(folder)!r} cannot be used. {why} Or pass another --data.")
