"""A limit for one exchange as a whole: httpx limits each silence, so a reply that drips would never end.

The asynchronous shell has `asyncio.timeout` for it. Below the synchronous one stands a network backend of httpcore's
that gives each read and write no more time than is left.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

__all__ = ["limit", "until", "until_async"]

PIECE = 256 * 1024
"""Bytes of a body that are written at once: a reader that takes little of it must not hold the whole call."""
_ends: ContextVar[float] = ContextVar("secgemini_call_ends", default=math.inf)


@contextmanager
def until(ends: float) -> Iterator[None]:
    """The time of one exchange, to the moment `ends` of the monotonic clock."""
    token = _ends.set(ends)
    try:
        yield
    finally:
        _ends.reset(token)


@asynccontextmanager
async def until_async(ends: float) -> AsyncIterator[None]:
    """The same for an event loop."""
    async with asyncio.timeout(None if math.isinf(ends) else max(0.0, ends - time.monotonic())):
        yield


def limit(transport: httpx.HTTPTransport) -> httpx.HTTPTransport:
    """Let `until` hold for what goes through `transport`. httpx has no argument for it."""
    pool = transport._pool
    pool._network_backend = _Backend(pool._network_backend)
    return transport


def _left(timeout: float | None) -> float | None:
    """What a read or write that may take `timeout` may take now.

    Raises:
        TimeoutError: nothing.
    """
    ends = _ends.get()
    if math.isinf(ends):
        return timeout
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            self._stream.write(buffer[start : start + PIECE], _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._backend.connect_tcp(host, port, _left(timeout), local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)
