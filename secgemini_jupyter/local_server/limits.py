"""What one server takes on at most, so that neither many clients nor a hostile one can use up memory or descriptors.

Each limit is told with a status and a sentence where it is met.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_CONNECTIONS = 4096
"""HTTP connections and streams together, where the system has descriptors for them."""
SPARE_DESCRIPTORS = 128
"""For files, workers, and connections that are only told to come back."""
MAX_STREAMS = 2048
MAX_SESSIONS = 20_000
HEAD_TIMEOUT = 20.0
"""Seconds that a request's head may take: a half request must not hold a connection for ever."""
STALL_TIMEOUT = 30.0
"""Seconds without progress after which a client that does not read, or does not send, is dropped."""
MIN_RATE = 2**14
"""Bytes a second that a body has to come in at, after the first `STALL_TIMEOUT`."""
LARGE_BODY = 2**20
MAX_LARGE_BODIES = 4
"""Larger ones wait until these are done with: each is in memory a few times over."""
LARGE_BODY_WAIT = 60.0
MAX_BACKLOG_BYTES = 16 * 2**20
"""What an engine may be ahead of the slowest socket of its session."""
MAX_UNDELIVERED_BYTES = 64 * 2**20
"""What is kept for a socket to come; older frames are in the store, where `session/get` finds them."""
MAX_FRAME_TOTAL = 256 * 2**20
"""Frames of all sessions that wait for a socket, above which each session has `MIN_BACKLOG_BYTES` alone."""
MIN_BACKLOG_BYTES = 2**16
MAX_WRITES_TOTAL = 64 * 2**20
"""What is given to all sockets at once, but to each at least `MIN_BACKLOG_BYTES`."""
MAX_WRITE_BYTES = 2**20
MAX_QUEUED_PROMPTS = 16
"""Of one session."""
MAX_QUEUED_PROMPT_BYTES = 64 * 2**20
"""Of all sessions."""


@dataclass
class Shares:
    """What all sessions of a server have in memory together.

    Attributes:
        frames: bytes of frames that wait for sockets.
        listeners: open sockets.
        prompts: bytes of prompts that wait for their turn.
    """

    frames: int = 0
    listeners: int = 0
    prompts: int = 0

    def of_frames(self, alone: int) -> int:
        """Bytes that one session's frames may have, which are `alone` while there is room."""
        return alone if self.frames <= MAX_FRAME_TOTAL else MIN_BACKLOG_BYTES

    def of_writes(self) -> int:
        """Bytes that one socket is given at once."""
        return max(MIN_BACKLOG_BYTES, min(MAX_WRITE_BYTES, MAX_WRITES_TOTAL // max(self.listeners, 1)))


class LargeBodies:
    """Lets a few requests with a large body in at a time; the others wait with theirs unread."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MAX_LARGE_BODIES)

    @asynccontextmanager
    async def place(self, request: Request) -> AsyncIterator[None]:
        """For the time that a request is worked on.

        Raises:
            HTTPException: 503, none became free.
        """
        declared = request.headers.get("content-length", "0")
        is_small = declared.isdecimal() and len(declared) < 12 and int(declared) <= LARGE_BODY
        if is_small and "transfer-encoding" not in request.headers:
            yield
            return
        try:
            async with asyncio.timeout(LARGE_BODY_WAIT):
                await self._places.acquire()
        except TimeoutError:
            raise HTTPException(
                503, "Too many large requests at once. Try again in a moment.", {"retry-after": "5"}
            ) from None
        try:
            yield
        finally:
            self._places.release()


def allowed_connections() -> int:
    """How many connections this process may have; raises its limit of descriptors as far as it may."""
    try:
        import resource
    except ImportError:  # no such limit on Windows
        return MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MAX_CONNECTIONS
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (OSError, ValueError):  # macOS has a lower limit of its own, which it does not tell
        raised = soft
    return max(raised - SPARE_DESCRIPTORS, SPARE_DESCRIPTORS)
