"""A session's messages on their way to the store, and from there to its sockets.

A message is stored with the others of its batch and then published to the session's channel. While a batch is
being committed the engine goes on, so that a burst costs few commits.
"""

from __future__ import annotations

import asyncio

from secgemini_jupyter.local_server.channel import Channel, Piece
from secgemini_jupyter.local_server.store import Session, Store
from secgemini_jupyter.models import Message, Usage

MAX_PENDING = 4096
"""Messages that may wait for their commit before the engine has to."""
MAX_PENDING_BYTES = 2**21
"""The same by their size: what one commit stores of a session is one row, which is read and sent as a whole."""


class Outbox:
    """Stores messages in batches, and publishes each batch after its commit."""

    def __init__(self, session: Session, store: Store, channel: Channel) -> None:
        self._session, self._store, self._channel = session, store, channel
        self._frames: list[bytes] = []
        self._bodies: list[bytes] = []
        self._pending = 0
        self._state: str = session.state
        self._ended = False
        self._usage: Usage | None = None
        self._task: asyncio.Task[None] | None = None
        self._taken = asyncio.Event()

    async def put(self, message: Message, body: bytes, *, publish: bool = True, usage: Usage | None = None) -> None:
        """Takes a message over. `usage` is the turn's, with its END.

        Raises:
            Exception: an earlier message could not be stored.
        """
        if message.status_code == 206:
            self._frames.append(Piece(body))
        else:
            self._bodies.append(body)
            self._state, self._ended, self._usage = message.state, message.is_end, usage
            if publish:
                self._frames.append(body)
        self._pending += len(body)
        self._start()
        if len(self._frames) >= MAX_PENDING or self._pending >= MAX_PENDING_BYTES:
            self._taken.clear()
            await self._taken.wait()
        elif len(self._frames) % 64 == 0:
            await asyncio.sleep(0)  # an engine that never waits must not keep the sockets waiting

    def mark(self, mark: bytes) -> None:
        self._frames.append(mark)
        self._start()

    async def flushed(self) -> None:
        """Waits until all that was put is stored and published.

        Raises:
            Exception: it could not be stored.
        """
        while self._task is not None:
            await asyncio.wait([self._task])  # not the task itself: who waits may be cancelled, storing may not
            self._start()

    def discard(self) -> None:
        self._frames, self._bodies, self._task, self._pending = [], [], None, 0

    def _start(self) -> None:
        if self._task is not None:
            if not self._task.done():
                return
            self._task.result()
            self._task = None
        if self._frames or self._bodies:
            self._task = asyncio.create_task(self._flush(), name="flush")

    async def _flush(self) -> None:
        try:
            while self._frames or self._bodies:
                frames, self._frames = self._frames, []
                bodies, self._bodies = self._bodies, []
                self._pending = 0
                self._taken.set()
                if bodies:
                    await self._store.append(
                        self._session, bodies, state=self._state, running=not self._ended, usage=self._usage
                    )
                self._channel.publish(frames)
                await self._channel.room()
        finally:
            self._taken.set()
