"""News from the kernel to a widget's views, as numbered custom messages: `js/src/shared/feed.ts` is the other side.

    kernel → browser   {kind: "secgemini-event", seq, …} + buffers

Jupyter drops what comes faster than 1,000 messages in a second, of all outputs together: so news are collected, and
sent a few times a second. A view that misses a number asks for everything again, by a call of its own.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from secgemini_jupyter.errors import redact
from secgemini_jupyter.threads import daemon
from secgemini_jupyter.widgets.rpc import Channel

__all__ = ["Event", "Feed"]

log = logging.getLogger(__name__)

INTERVAL = 0.1
"""Seconds between two events, at least."""
SHARE = 5
"""How much longer it rests than it worked: a large session must not keep the kernel busy with drawing."""


@dataclass(frozen=True)
class Event:
    """What the views shall know: JSON and binary buffers."""

    content: dict[str, Any]
    buffers: Sequence[bytes | memoryview] = field(default=())


class Feed:
    """Calls `collect` in a thread of its own after each `wake()`, and sends what it gives, numbered.

    Args:
        channel: the widget.
        collect: gives what is new since it was last asked, or None.
        goes_on: whether more is to be expected without a further `wake()`: a turn is running.
    """

    def __init__(
        self, channel: Channel, collect: Callable[[], Event | None], goes_on: Callable[[], bool] = lambda: False
    ) -> None:
        self._channel, self._collect, self._goes_on = channel, collect, goes_on
        self._lock = threading.RLock()
        self._state = threading.Lock()
        self._is_awake = self._is_running = self._is_closed = False
        self._seq = 0

    def wake(self) -> None:
        """Something may be new. Returns at once; called from any thread."""
        with self._state:
            self._is_awake = True
            if self._is_running or self._is_closed:
                return
            self._is_running = True
        try:
            daemon(self._run, name="secgemini-feed").start()
        except RuntimeError as error:  # no thread is left; the next news may find one
            log.warning("A widget's news must wait: %s", error)
            with self._state:
                self._is_running = False

    def close(self) -> None:
        with self._state:
            self._is_closed = True

    @contextlib.contextmanager
    def still(self) -> Iterator[int]:
        """While nothing is collected or sent: the number of the last event, for who takes a full copy."""
        with self._lock:
            yield self._seq

    def _run(self) -> None:
        while True:
            with self._state:
                if self._is_closed or not (self._is_awake or self._is_going_on()):
                    self._is_running = False
                    return
                self._is_awake = False
            began = time.monotonic()
            self._send_news()
            time.sleep(max(INTERVAL, SHARE * (time.monotonic() - began)))

    def _is_going_on(self) -> bool:
        try:
            return self._goes_on()
        except Exception as error:
            log.warning("A widget's feed ended: %s", redact(f"{type(error).__name__}: {error}"))
            return False

    def _send_news(self) -> None:
        try:
            with self._lock:
                event = self._collect()
                if event is None:
                    return
                self._seq += 1
                content = {"kind": "secgemini-event", "seq": self._seq, **event.content}
                self._channel.send(content, buffers=list(event.buffers))
        except Exception as error:  # the comm is closed, or what was collected cannot be shown: views can ask again
            log.warning("A widget's news were not sent: %s", redact(f"{type(error).__name__}: {error}"))
