"""Request bodies of `app`, and replies in the protocol's form."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.local_server import limits
from secgemini_jupyter.models import UNREADABLE_ADVICE, LocalTool, ModelInfo, OpResult, read

T = TypeVar("T")

MAX_BODY_BYTES = 136 * 2**20
"""Room for an attachment of 100 MB in base64, and for the JSON around it."""


class Registration(msgspec.Struct):
    """What `register` reads of a session; counters, times, owner and messages are not the client's to say."""

    ttl: int
    name: str = ""
    description: str = ""
    id: str | None = None
    model: ModelInfo = ModelInfo()
    language: str = "en"
    can_log: bool = True
    local_tools: list[LocalTool] = []
    agents_config: dict[str, Any] = {}


class Change(msgspec.Struct):
    """What `update` and `delete` read of a session, whole or reduced."""

    id: str
    name: str | None = None
    description: str | None = None
    ttl: int | None = None


class Generation(msgspec.Struct):
    id: str
    messages: list[msgspec.Raw]


class Upload(msgspec.Struct):
    """An attachment whose base64 is decoded on the way in."""

    session_id: str
    filename: str
    content: bytes
    mime_type: str | None = None


class Detachment(msgspec.Struct):
    session_id: str
    file_idx: int


class JSON(Response):
    """A struct as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else msgspec.json.encode(content)


class Parts(Response):
    """JSON in parts, written one after the other as they are read: a long session is never in memory as a whole.

    Args:
        size: bytes of all parts.
    """

    media_type = "application/json"

    def __init__(self, parts: AsyncIterator[bytes], size: int) -> None:
        super().__init__(headers={"content-length": str(size)})
        self._parts, self._size = parts, size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        missing = self._size
        async for part in self._parts:
            missing -= len(part)
            await send({"type": "http.response.body", "body": part, "more_body": True})
        if not missing:  # else the session was deleted meanwhile: the client must see that the reply is not whole
            await send({"type": "http.response.body", "body": b""})


class Invalid(Exception):
    """A body that does not validate: HTTP 422 with the framework's usual shape."""

    def __init__(self, where: list[str | int], reason: str) -> None:
        super().__init__(reason)
        self.detail = [{"loc": where, "msg": reason, "type": "value_error"}]


async def read_body(request: Request, limit: int = MAX_BODY_BYTES, advice: str = "Send less at once.") -> bytes:
    """The body, up to the limit.

    Raises:
        HTTPException: 413 above it, 408 if it comes too slowly, 400 if the client left in the middle of it.
    """
    # What is left of the body is not waited for.
    close = {"connection": "close"}
    too_long = HTTPException(413, f"The body is larger than {limit} bytes. {advice}", close)
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise too_long
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.STALL_TIMEOUT) as patience:
            deadline = patience.when() or 0.0
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise too_long
                parts.append(part)
                patience.reschedule(deadline + size / limits.MIN_RATE)
    except TimeoutError:
        text = "The body of the request came too slowly, or not whole. Send it again."
        raise HTTPException(408, text, close) from None
    except ClientDisconnect:  # nobody reads the answer; the log has the status
        raise HTTPException(400, "The client left before its request was whole.", close) from None
    return b"".join(parts)


async def read_struct(request: Request, kind: type[T]) -> T:
    """The body as a struct, read tolerantly.

    Raises:
        Invalid: it is no JSON, or lacks something.
    """
    return parse(await read_body(request), kind)


def parse(body: bytes, kind: type[T]) -> T:
    try:
        return read(body, kind, f"a {kind.__name__}")
    except ProtocolError as error:
        raise Invalid(["body"], str(error).removesuffix(UNREADABLE_ADVICE)) from None


def query_value(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if value is None:
        raise Invalid(["query", name], "Field required")
    return value


def op_result(request: Request, code: int = 200, text: str = "OK", data: Any = None) -> JSON:
    """The outcome of a state-changing call: HTTP 200 also for a failure, whose code is inside."""
    latency = time.monotonic() - request.state.started
    return JSON(OpResult(code == 200, code, text, data=data, latency=round(latency, 6)))


def missing(request: Request) -> JSON:
    return op_result(request, 404, "Session not found")
