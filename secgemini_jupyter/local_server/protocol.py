"""uvicorn's WebSocket connection with what the stream needs beyond ASGI: bursts, cuts, and our close code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State

EXTENSION = "secgemini.stream"
TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\ncontent-length: 84\r\n"
    b"connection: close\r\n\r\n"
    b'{"detail": "The head of the request is too long. Send less in address and headers."}'
)


class StreamProtocol(WebSocketsSansIOProtocol):
    """The connection, found by the application in the scope's extensions under `EXTENSION`."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            # websockets reads shorter lines and fewer headers than h11 has let through, and answers nothing.
            self.handshake_complete = self.close_sent = True
            self.transport.write(TOO_LONG)
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):  # else the handshake was refused
            extensions: Any = self.scope["extensions"]
            extensions[EXTENSION] = self

    @property
    def is_open(self) -> bool:
        return self.handshake_complete and not self.disconnected and self.conn.state is State.OPEN

    async def send_frames(self, payloads: Iterable[bytes]) -> bool:
        """Sends text frames with one write, which ASGI would do with one each. False: the connection is gone."""
        if not self.is_open:
            return False
        parts: list[bytes] = []
        for payload in payloads:
            size = len(payload)
            if size < 126:
                parts.append(bytes((0x81, size)))
            elif size < 65536:
                parts.append(b"\x81\x7e" + size.to_bytes(2, "big"))
            else:
                parts.append(b"\x81\x7f" + size.to_bytes(8, "big"))
            parts.append(payload)
        self.transport.write(b"".join(parts))
        await self.writable.wait()
        return self.is_open

    async def cut(self) -> None:
        """Drops the connection as a network would, once what was sent has left this process."""
        self.transport.set_write_buffer_limits(high=0)
        await self.writable.wait()
        self.transport.abort()

    def shutdown(self) -> None:
        """Called by uvicorn when the server ends."""
        if self.is_open and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1001})
            self.conn.send_close(1001, "The server is going away")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        super().shutdown()
