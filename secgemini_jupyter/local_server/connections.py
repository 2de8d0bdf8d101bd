"""uvicorn's HTTP connection, with limits that it lacks.

How many there are, how long a request's head may take, or a body that nobody reads any more, and how long a client may
read nothing of its answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from secgemini_jupyter.local_server.limits import HEAD_TIMEOUT, SPARE_DESCRIPTORS, STALL_TIMEOUT

OVERFLOW = SPARE_DESCRIPTORS // 2
"""So many connections above the limit are told why; those above are cut."""

LINGER = 1.0
"""Seconds for a refused client to read why."""


class HttpProtocol(H11Protocol):
    """`limit_concurrency` of uvicorn's configuration is the number of connections, streams included."""

    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _is_one_too_many = False
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.limit_concurrency = None  # uvicorn's own check, which says less
        over = len(self.connections) - (self.config.limit_concurrency or sys.maxsize)
        if over > OVERFLOW:
            return transport.abort()
        self._is_one_too_many = over > 0
        return self._watch_head()

    def data_received(self, data: bytes) -> None:
        if self._is_one_too_many:
            text = (
                f"More than {self.config.limit_concurrency:,} open connections. Close some, or try again in a moment."
            )
            return self._refuse(503, text, (b"retry-after", b"5"))
        super().data_received(data)
        return self._watch_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        # Closed, the connection would wait for its client all the same.
        self._stall_timer = self.loop.call_later(STALL_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_stall_timer()

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        self._stop_stall_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        problem = sys.exception()
        if isinstance(problem, h11.RemoteProtocolError) and problem.error_status_hint == 431:
            return self._refuse(431, "The head of the request is too long. Send less in its address and headers.")
        return self._refuse(400, msg)

    def _watch_head(self) -> None:
        """While a head is under way, or has not begun on a new connection, its time runs.

        So does that of a body whose request was answered, without it as a rule: each byte of it ends uvicorn's wait
        for the next request.
        """
        is_waiting = self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None
        if not (is_waiting or self._is_answered_too_early) or self.transport.is_closing():
            self._stop_watching()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self._head_is_late)

    @property
    def _is_answered_too_early(self) -> bool:
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def _stop_watching(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._is_answered_too_early:
            self.transport.abort()
        elif self.conn.their_state is h11.IDLE:
            self._refuse(408, f"No whole request came within {HEAD_TIMEOUT:g} s.")

    def _refuse(self, status: int, detail: str, *headers: tuple[bytes, bytes]) -> None:
        """An answer to what is no request that the application could see; the connection is closed."""
        if self.transport.is_closing() or self._is_refused:
            return
        self._is_refused = True
        self._stop_watching()
        body = json.dumps({"detail": detail}).encode()
        head = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            *headers,
        ]
        response = h11.Response(status_code=status, headers=head, reason=HTTPStatus(status).phrase.encode())
        try:
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            self.transport.abort()  # in the middle of another answer
        else:
            # Closed at once, with something unread, the system would reset the connection and the answer be lost.
            self.transport.write_eof()
            self.loop.call_later(LINGER, self.transport.close)
