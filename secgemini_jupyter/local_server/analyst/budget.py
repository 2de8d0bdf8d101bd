"""A budget of processor time for a part of a tool: what is over it is left, so that the rest can be told."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class OutOfTimeError(BaseException):
    """No `Exception`, which libraries catch."""


@dataclass
class Budget:
    is_spent: bool = False


_active = False


@contextmanager
def budget(seconds: float) -> Iterator[Budget]:
    """Leave the block when it has taken so much processor time. Regular expressions are interrupted, too.

    One within another does nothing, nor does one outside the main thread, or where there are no such timers (Windows).
    """
    global _active
    spent = Budget()
    if _active or not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield spent
        return

    def stop(*_: object) -> None:
        if _active:
            raise OutOfTimeError

    before = signal.signal(signal.SIGPROF, stop)
    _active = True
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)  # again, should somebody catch the first
        yield spent
    except OutOfTimeError:
        spent.is_spent = True
    finally:
        _active = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
