"""A limit for each frame that is sent: websockets has none, and waits for ever for a peer that does not read."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.sync.client import ClientConnection

from secgemini_jupyter.client.waiting import within
from secgemini_jupyter.errors import NetworkError
from secgemini_jupyter.threads import daemon

__all__ = ["close", "drop", "send", "send_async"]

CLOSE = 2.0
"""Seconds that the closing of a socket may take, of which websockets knows one: whoever is sending is waited for."""


def send(connection: ClientConnection, frame: str, seconds: float) -> None:
    """Send `frame`.

    Raises:
        NetworkError: the other side did not take it in `seconds`; the connection is gone.
    """
    # A timeout of the socket would hold for its reader as well, and with TLS what wakes that need not be a frame.
    watch = _Watch(connection, seconds)
    try:
        connection.send(frame)
    except Exception:
        if watch.fired:
            raise _stuck(seconds) from None
        raise
    finally:
        watch.over.set()


async def send_async(connection: AsyncConnection, frame: str, seconds: float) -> None:
    """The same for an event loop; the connection is the caller's to abort."""
    try:
        await within(seconds, connection.send(frame))
    except TimeoutError:
        raise _stuck(seconds) from None


def drop(connection: ClientConnection) -> None:
    """Close `connection` at once. Whoever is sending holds websockets' lock, and would be waited for."""
    _shut(connection)
    connection.close_socket()


def close(connection: ClientConnection) -> None:
    """Close `connection` with a handshake; at once if a ping or pong is stuck."""
    watch = _Watch(connection, CLOSE)
    try:
        connection.close()
    finally:
        watch.over.set()


class _Watch:
    """Shuts the connection when `over` is not set in time: who sends gets an error then, wherever it waits."""

    def __init__(self, connection: ClientConnection, seconds: float) -> None:
        self.fired = False
        self.over = threading.Event()
        daemon(self._wait, connection, seconds, name="secgemini-send").start()

    def _wait(self, connection: ClientConnection, seconds: float) -> None:
        if not self.over.wait(seconds):
            self.fired = True
            _shut(connection)


def _shut(connection: ClientConnection) -> None:
    carrier: Any = getattr(connection.socket, "ssl_socket", connection.socket)  # below TLS within TLS, by a proxy
    with contextlib.suppress(OSError):  # it is closed already
        # Not SSLSocket's own: that goes on in clear.
        socket.socket.shutdown(carrier, socket.SHUT_RDWR)


def _stuck(seconds: float) -> NetworkError:
    return NetworkError(f"The service did not take what was sent within {seconds:.3g} s. Try again.")
