"""Threads whose outputs, if they have any, find their way in every ipykernel."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["daemon"]


def daemon(work: Callable[..., Any], *args: Any, name: str) -> threading.Thread:
    """A thread that is not started yet, and keeps no kernel from ending.

    ipykernel 7.0 knows of the context alone which cell is running, and a thread has a context of its own: what it
    published would raise LookupError. There it gets the caller's context. Every other version knows a cell for threads.
    """
    if getattr(sys.modules.get("ipykernel"), "version_info", ())[:2] == (7, 0):
        work = partial(contextvars.copy_context().run, work)
    return threading.Thread(target=work, args=args, name=name, daemon=True)
