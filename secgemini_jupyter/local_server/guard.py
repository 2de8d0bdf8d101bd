"""Who may talk to this server: middleware in front of every route, for HTTP and WebSocket alike.

A web page that the user visits can reach a port of this machine. It cannot set the Host of its requests (and a
name that was rebound to this machine shows in it), it sends its Origin, and it does not know the key.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Collection, Iterator
from urllib.parse import parse_qsl, unquote

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from secgemini_jupyter.errors import Secret, one_line
from secgemini_jupyter.local_server import limits
from secgemini_jupyter.local_server.throttle import STRANGERS

logger = logging.getLogger(__name__)
strangers = logging.getLogger(STRANGERS)

OPEN_PATHS = frozenset({"/", "/health"})


class Activity:
    """What is open right now, and when the last of it ended."""

    def __init__(self) -> None:
        self.open = 0
        self.last = time.monotonic()

    def __enter__(self) -> None:
        self.open += 1

    def __exit__(self, *exc_info: object) -> None:
        self.open -= 1
        self.last = time.monotonic()


class Guard:
    """Checks Host, Origin and key, collapses leading slashes, and logs what came (path and status, no query).

    Args:
        hosts: values the Host header may have, in lower case, compared exactly; the address of this machine that
            the connection came in on is allowed too, since no name can be rebound to be that.
        origins: values the Origin header may have, if there is one.
    """

    def __init__(
        self, app: ASGIApp, *, key: Secret, hosts: Collection[str], origins: Collection[str], activity: Activity
    ) -> None:
        self._app = app
        self._key = key
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)
        self._activity = activity
        self._sockets = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        scope["path"] = "/" + scope["path"].lstrip("/")  # a base URL with a trailing slash gives `//v1/…`
        with self._activity:
            if refusal := self._refusal(scope):
                await self._refuse(scope, receive, send, *refusal)
            elif scope["type"] == "websocket":
                await self._socket(scope, receive, send)
            else:
                await self._request(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._sockets >= (most := limits.MAX_STREAMS):
            return await self._refuse(scope, receive, send, 503, f"More than {most:,} open streams. Close some.")
        self._sockets += 1
        try:
            logger.info("%s open", _shown(scope))
            await self._app(scope, receive, send)
        finally:
            self._sockets -= 1
            logger.info("%s closed", _shown(scope))

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status = time.monotonic(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            log = strangers if _needs_no_key(scope, Headers(scope=scope)) else logger
            log.info("%s %s %.0f ms", _shown(scope), status or "failed", (time.monotonic() - started) * 1000)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if not self._is_host_allowed(headers.get("host", ""), scope):
            return 403, "This server does not answer to that Host. Use the address it printed when it started."
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            return 403, "Pages of that Origin may not use this server. Name it with --allow-origin."
        if _needs_no_key(scope, headers):
            return None
        expected = self._key.reveal().encode()
        # A list, not `any`: the time must not tell which one came close.
        if not sum([hmac.compare_digest(given, expected) for given in _given_keys(scope, headers)]):
            return 401, "The API key is missing or wrong. Send this server's key as x-api-key."
        return None

    def _is_host_allowed(self, host: str, scope: Scope) -> bool:
        host = host.lower()
        if host in self._hosts:
            return True
        address, port = scope["server"] or ("", 0)
        return host == (f"[{address}]:{port}" if ":" in address else f"{address}:{port}")

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
        strangers.warning("%s refused: %s %s", _shown(scope), status, detail)
        response = JSONResponse({"detail": detail}, status)
        if scope["type"] == "websocket":
            socket = WebSocket(scope, receive, send)
            await socket.receive()
            await socket.send_denial_response(response)
        else:
            await response(scope, receive, send)


def _needs_no_key(scope: Scope, headers: Headers) -> bool:
    """Of a Host and an Origin that may use the server: an open path, or a browser's question whether it may send."""
    is_preflight = scope["type"] == "http" and scope["method"] == "OPTIONS" and "origin" in headers
    return is_preflight or (scope["type"] == "http" and scope["path"] in OPEN_PATHS)


def _given_keys(scope: Scope, headers: Headers) -> Iterator[bytes]:
    """Every key a request brings: in the headers, and in the query of a WebSocket, where clients also put it raw."""
    for value in headers.getlist("x-api-key"):
        yield value.encode("latin-1").strip()
    for value in headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            yield token.encode("latin-1").strip()
    if scope["type"] == "websocket":
        query = scope["query_string"].decode("latin-1")
        for pair in query.split("&"):
            name, _, raw = pair.partition("=")
            if name == "api_key":
                yield raw.encode("latin-1")
                yield unquote(raw).encode()
        for name, value in parse_qsl(query):
            if name == "api_key":
                yield value.encode()


def _shown(scope: Scope) -> str:
    """A request in the log: method and path, short and printable; a query string may hold a key."""
    return f"{scope.get('method', 'WebSocket')} {one_line(scope['path'])[:120]}"
