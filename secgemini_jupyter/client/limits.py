"""What a key is good for, in words: when it ends, how much may be asked a minute; and the warning before it ends."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ClassVar, Literal

from secgemini_jupyter.errors import AuthenticationError, QuotaError, SecGeminiError, one_line
from secgemini_jupyter.models import PublicUser
from secgemini_jupyter.settings import KEY_PAGE, Key

__all__ = ["Warned", "expiry", "explain", "quota", "warn"]

SOON = 14 * 86400
"""Seconds before a key's end in which it is time to think of the next one."""

_NOT_THE_CALLER = frozenset({"secgemini_jupyter", "IPython", "ipykernel", "asyncio", "contextlib", "functools"})

State = Literal["ok", "warn", "fail"]


def expiry(ends: int, now: float | None = None) -> tuple[State, str, str]:
    """What a key's end (Unix seconds, 0 for never) means now, in words, and what to do."""
    from secgemini_jupyter.render.text import utc

    if ends <= 0:
        return "ok", "never", ""
    left = ends - (time.time() if now is None else now)
    if left <= 0:
        return (
            "fail",
            f"expired {_days(-left)} ago, {utc(ends)}",
            f"Get a new key at {KEY_PAGE}, then %secgemini login.",
        )
    if left <= SOON:
        return "warn", f"in {_days(left)}, {utc(ends)}", f"Get the next key at {KEY_PAGE} before that."
    return "ok", f"in {_days(left)}, {utc(ends)}", ""


def _days(seconds: float) -> str:
    from secgemini_jupyter.render.text import count

    hours = int(seconds // 3600)
    return count(hours // 24, "day") if hours >= 48 else count(hours, "hour") if hours else "less than an hour"


def warn(words: str) -> None:
    """A `UserWarning` that names the line of the caller's own code, not one of ours or of what runs it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _NOT_THE_CALLER:
        frame, level = frame.f_back, level + 1
    warnings.warn(one_line(words), stacklevel=level)


def quota(user: PublicUser) -> str:
    """`100 requests and 400,000 tokens a minute`; empty where the service names no limit."""
    from secgemini_jupyter.render.text import count

    said = [count(limit, what) for limit, what in ((user.rpm, "request"), (user.tpm, "token")) if limit > 0]
    return f"{' and '.join(said)} a minute" if said else ""


class Warned:
    """The keys of this process whose end was told: once each, however many clients there are."""

    _told: ClassVar[set[tuple[int, int]]] = set()
    _lock: ClassVar = threading.Lock()
    _is_said: ClassVar = ContextVar("secgemini_expiry_is_said", default=False)

    @classmethod
    def of_expiry(cls, key: Key, user: PublicUser) -> None:
        """Warn of a key that ends soon, or has ended: `UserWarning`, once in a process."""
        state, words, advice = expiry(user.key_expire_time)
        told = hash(key.secret), user.key_expire_time
        if state == "ok":
            return
        with cls._lock:
            if told in cls._told:
                return
            cls._told.add(told)
        if cls._is_said.get():
            return
        says = f"ends {words}" if state == "warn" else words
        warn(f"The API key {key} {says}. {advice}")

    @classmethod
    @contextmanager
    def in_words(cls) -> Iterator[None]:
        """For who asks and shows the answer: it is told there, and no warning stands beside it."""
        token = cls._is_said.set(True)
        try:
            yield
        finally:
            cls._is_said.reset(token)


def explain(error: SecGeminiError, user: PublicUser | None) -> None:
    """Let an error tell what is known of the key: its limits, or that it has ended."""
    if user is None:
        return
    if isinstance(error, QuotaError) and (limits := quota(user)):
        error.tell(f"This key may make {limits}.")
    if isinstance(error, AuthenticationError):
        state, words, advice = expiry(user.key_expire_time)
        if state == "fail":
            error.tell(f"The key {words}. {advice}")
