"""Names and values of log rows, as SQLite takes them, and the time that queries may take."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from secgemini_jupyter.local_server.analyst import progress


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def sql_value(value: Any) -> Any:
    """A value as SQLite can hold it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


@contextmanager
def limited(db: sqlite3.Connection, seconds: float, steps: int) -> Iterator[None]:
    """Interrupts queries when `seconds` are over, and reports on the way; it looks every `steps` of SQLite's."""
    start = time.monotonic()

    def is_over() -> bool:
        progress.say("seconds in SQL", int(time.monotonic() - start), int(seconds))
        return time.monotonic() - start > seconds

    db.set_progress_handler(is_over, steps)
    try:
        yield
    finally:
        db.set_progress_handler(None, 0)
