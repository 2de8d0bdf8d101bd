"""How far a long call is, told from the worker to whoever waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY = 1.0
"""Seconds between two reports."""

_tell: Callable[[str, int, int], None] | None = None
_last = 0.0


def listen(tell: Callable[[str, int, int], None] | None) -> None:
    """From now on reports go to `tell`: what is counted, how many are done, of how many (0: not known)."""
    global _tell, _last  # one call at a time runs in a worker, and tools are plain functions
    _tell, _last = tell, time.monotonic()


def say(what: str, done: int, of: int = 0) -> None:
    """Report, if somebody listens and the last report is long enough ago."""
    global _last
    if _tell is not None and (now := time.monotonic()) - _last >= EVERY:
        _last = now
        _tell(what, done, of)
