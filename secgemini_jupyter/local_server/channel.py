"""The frames of one session on their way to its sockets.

A channel is a log of frames with a cursor per socket. A socket that opens starts after the last frame that any
socket has been given: it gets what nobody has seen, then what comes. Frames leave the log when no socket has
them ahead and one of them was given them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from secgemini_jupyter.local_server import limits
from secgemini_jupyter.local_server.limits import Shares


class Piece(bytes):
    """A frame with status 206: only for sockets that asked for pieces."""

    __slots__ = ()


class Mark(bytes):
    """No frame: what the socket that reaches it has to do."""

    __slots__ = ()


CLOSE = Mark(b"close")
"""The turn failed: close with 1000, after a moment for the client to do it."""
DROP = Mark(b"drop")
"""Cut the connection without a word (the echo engine's `[[drop]]`)."""


class Listener:
    """A socket's place in the log.

    Attributes:
        started: whether it was given anything.
        is_held: whether it waits for a turn of its own, and is given nothing of the log until then.
    """

    def __init__(self, channel: Channel, cursor: int, *, partial: bool) -> None:
        self._channel = channel
        self.cursor = cursor
        self.partial = partial
        self.started = False
        self.is_held = False
        self._first: deque[bytes] = deque()
        self._wake = asyncio.Event()

    def send_first(self, frame: bytes) -> None:
        """A frame for this socket alone, ahead of the log."""
        self._first.append(frame)
        self._wake.set()

    def hold(self) -> None:
        self.is_held = True
        self._first.clear()
        self._channel.advance(0)  # the log keeps nothing for this one any more

    def release(self) -> None:
        """Go on with what comes from now on, if it was held."""
        if self.is_held:
            self.is_held, self.cursor = False, self._channel.end

    @property
    def has_more(self) -> bool:
        return bool(self._first) or (not self.is_held and self.cursor < self._channel.end)

    async def take(self) -> list[bytes]:
        """Waits for frames, and gives this socket's share of them; a mark comes as the last one."""
        while not self.has_more:
            self._wake.clear()
            await self._wake.wait()
        self.started = True
        frames: list[bytes] = []
        while self._first:
            frames.append(self._first.popleft())
            if type(frames[-1]) is Mark:
                return frames
        taken, limit = 0, self._channel.shares.of_writes()
        for frame in () if self.is_held else self._channel.since(self.cursor):
            self.cursor += 1
            if type(frame) is Piece and not self.partial:
                continue
            frames.append(frame)
            taken += len(frame)
            if taken >= limit or type(frame) is Mark:
                break
        return frames

    def given(self) -> None:
        """All that was taken is on its way."""
        self._channel.advance(self.cursor)

    def wake(self) -> None:
        self._wake.set()


class Channel:
    def __init__(self, shares: Shares | None = None) -> None:
        self.shares = Shares() if shares is None else shares
        self._frames: list[bytes] = []
        self._start = 0
        self._bytes = 0
        self._delivered = 0
        self._advanced = asyncio.Event()
        self.listeners: set[Listener] = set()

    @property
    def end(self) -> int:
        return self._start + len(self._frames)

    @property
    def has_undelivered(self) -> bool:
        return self._delivered < self.end

    def since(self, cursor: int) -> Sequence[bytes]:
        return self._frames[max(cursor - self._start, 0) :]

    def publish(self, frames: Sequence[bytes]) -> None:
        self._frames += frames
        self._count(sum(map(len, frames)))
        for listener in self.listeners:
            listener.wake()
        if not self._readers():
            self._forget_oldest()

    def _readers(self) -> list[Listener]:
        return [listener for listener in self.listeners if not listener.is_held]

    def open(self, *, partial: bool) -> Listener:
        listener = Listener(self, self._delivered, partial=partial)
        self.listeners.add(listener)
        self.shares.listeners += 1
        return listener

    def close(self, listener: Listener) -> None:
        if listener in self.listeners:
            self.listeners.remove(listener)
            self.shares.listeners -= 1
        self._trim()
        if not self._readers():
            self._forget_oldest()

    def advance(self, cursor: int) -> None:
        self._delivered = max(self._delivered, cursor)
        self._trim()

    def skip(self, listener: Listener | None = None) -> None:
        """What is in the log needs no new reader; a `listener` that was given nothing yet begins after it."""
        if listener is not None and not listener.started:
            listener.cursor = self.end
        self.advance(self.end)

    async def room(self) -> None:
        """Waits until the slowest socket is not too far behind; a channel without sockets has room."""
        while self._readers() and self._bytes > self.shares.of_frames(limits.MAX_BACKLOG_BYTES):
            self._advanced.clear()
            await self._advanced.wait()

    def _trim(self) -> None:
        self._cut(min([self._delivered, *(listener.cursor for listener in self._readers())]))
        self._advanced.set()

    def _cut(self, position: int) -> None:
        count = position - self._start
        if count > 0:
            self._count(-sum(map(len, self._frames[:count])))
            del self._frames[:count]
            self._start = position

    def forget(self) -> None:
        """The session is gone."""
        self._cut(self.end)

    def _count(self, change: int) -> None:
        self._bytes += change
        self.shares.frames += change

    def _forget_oldest(self) -> None:
        keep, size = len(self._frames), self._bytes
        most = self.shares.of_frames(limits.MAX_UNDELIVERED_BYTES)
        while size > most and keep > 1:
            size -= len(self._frames[-keep])
            keep -= 1
        if keep < len(self._frames):
            self._cut(self.end - keep)
            self._delivered = max(self._delivered, self._start)
