"""What waits to be read in a socket has a limit in bytes too: websockets counts frames, and one may hold 32 MiB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection as WebSocketsAsync
from websockets.asyncio.connection import Connection as AnyAsyncConnection
from websockets.sync.client import ClientConnection as WebSockets
from websockets.sync.connection import Connection as AnyConnection

from secgemini_jupyter.settings import MIB

if TYPE_CHECKING:
    from websockets.asyncio.messages import Assembler as AsyncAssembler
    from websockets.protocol import Event
    from websockets.sync.messages import Assembler

__all__ = ["FRAMES", "AsyncConnection", "Connection"]

FRAMES = 1024
"""Frames that may wait while a tool runs or a person is asked; then reading pauses."""
BYTES = 64 * MIB
"""What they may hold. The number of frames shrinks to what keeps it when all are as large as the largest was."""
LARGE = BYTES // FRAMES


class Connection(WebSockets):
    """A connection of the synchronous shell."""

    def process_event(self, event: Event) -> None:
        if self.response is None:
            super().process_event(event)
            return
        if (size := len(event.data)) > LARGE:  # type: ignore[union-attr]  # a frame, once there was a response
            _shrink(self.recv_messages, size)
        AnyConnection.process_event(self, event)  # what `super` does, without its time: this runs for every frame


class AsyncConnection(WebSocketsAsync):
    """A connection of the asynchronous shell."""

    def process_event(self, event: Event) -> None:
        if self.response is None:
            super().process_event(event)
            return
        if (size := len(event.data)) > LARGE:  # type: ignore[union-attr]  # a frame, once there was a response
            _shrink(self.recv_messages, size)
        AnyAsyncConnection.process_event(self, event)


def _shrink(waiting: Assembler | AsyncAssembler, size: int) -> None:
    frames = BYTES // size
    if waiting.high is None or frames < waiting.high:
        waiting.high, waiting.low = frames, frames // 4
