"""The log's lines that anybody on this machine may cause, without a key: no more than cannot fill the disk."""

from __future__ import annotations

import logging
import time

STRANGERS = "secgemini_jupyter.local_server.strangers"
"""The logger of what came without a key, or needed none."""
BURST = 100
INTERVAL = 10.0
"""Seconds from one line to the next of its logger, once `BURST` of them have come at once."""


class Throttle(logging.Filter):
    """Leaves out lines of `STRANGERS`, and of the libraries that read what comes, and tells how many.

    Our other lines are about requests with the key: they are all kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self._allowances: dict[str, _Allowance] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("secgemini_jupyter.") and record.name != STRANGERS:
            return True
        allowance = self._allowances.setdefault(record.name, _Allowance())
        if not allowance.take():
            return False
        if allowance.left_out:
            record.msg = f"{record.getMessage()} (before it {allowance.left_out:,} lines like this were left out)"
            record.args = None
            allowance.left_out = 0
        return True


class _Allowance:
    def __init__(self) -> None:
        self.left_out = 0
        self._lines = float(BURST)
        self._at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._lines, self._at = min(BURST, self._lines + (now - self._at) / INTERVAL), now
        if self._lines < 1:
            self.left_out += 1
            return False
        self._lines -= 1
        return True
