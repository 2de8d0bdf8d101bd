"""Calls from a widget's view, as custom messages: `js/src/shared/rpc.ts` is the other side.

    browser → kernel   {kind: "secgemini-request", uuid, method, params} + buffers
    kernel → browser   {kind: "secgemini-reply", uuid, result} + buffers, or {…, error: "one line"}

What the browser sends is checked before anything runs: the method is a known one, its parameters are a msgspec
struct that forbids unknown fields, buffers are within the method's limit. Everything else gets an error reply.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar

import msgspec

from secgemini_jupyter.errors import InputError, SecGeminiError, redact
from secgemini_jupyter.render.text import one_line

__all__ = ["Method", "Reply", "Rpc", "encodable"]

log = logging.getLogger(__name__)

MAX_RUNNING = 8
"""Calls of one widget that run at a time: more than a view has open, few enough to be harmless."""

P = TypeVar("P", bound=msgspec.Struct)


@dataclass(frozen=True)
class Method(Generic[P]):
    """One thing that a view may ask for.

    Attributes:
        params: what it may send; declare it with `forbid_unknown_fields=True` and a limit on every string.
        run: called in a thread of its own with the parameters, and with the buffers if it may have any; it returns the
            result (JSON) or a `Reply`; a `SecGeminiError` that it raises is shown in the view.
        buffer_limit: bytes that the buffers of one call may have together.
    """

    params: type[P]
    run: Callable[[P], Any] | Callable[[P, Sequence[memoryview]], Any]
    buffer_limit: int = 0


@dataclass(frozen=True)
class Reply:
    """A result with binary buffers beside it."""

    result: Any
    buffers: Sequence[bytes | memoryview]


class Channel(Protocol):
    """What is needed of a widget."""

    def on_msg(self, callback: Callable[[Any, Any, Any], None]) -> None: ...

    def send(self, content: Any, buffers: Any = None) -> None: ...


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["secgemini-request"]
    # Not "id": ipykernel keeps the `id` of every custom message that a comm sends, and never forgets it.
    uuid: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    method: Annotated[str, msgspec.Meta(max_length=100)]
    params: dict[str, Any]


class Rpc:
    """Answers a view's calls: each in a thread, because the thread that delivers messages may be the kernel's own."""

    def __init__(self, channel: Channel, methods: Mapping[str, Method[Any]]) -> None:
        self._channel = channel
        self._methods = methods
        self._slots = threading.BoundedSemaphore(MAX_RUNNING)
        channel.on_msg(self._receive)

    def _receive(self, _channel: object, content: object, buffers: Sequence[memoryview] | None) -> None:
        if not isinstance(content, dict) or content.get("kind") != "secgemini-request":
            return  # anywidget sends messages of its own
        uuid = content.get("uuid")
        try:
            request, method, params = self._read(content, buffers or [])
        except InputError as error:
            if isinstance(uuid, str) and len(uuid) <= 64:  # else there is nobody whom a reply would find
                self._reply(uuid, error=str(error))
            return
        if not self._slots.acquire(blocking=False):
            self._reply(request.uuid, error=f"{MAX_RUNNING} requests are running. Wait for them, then try again.")
            return
        # The context knows which cell this belongs to, so that output of the call lands there.
        run = contextvars.copy_context().run
        thread = threading.Thread(
            target=run,
            args=(self._run, request.uuid, method, params, buffers or []),
            name=f"secgemini-{request.method}",
            daemon=True,  # a request that hangs must not keep the kernel from ending
        )
        try:
            thread.start()
        except RuntimeError:
            self._slots.release()
            self._reply(request.uuid, error="No thread is left for this request. Close other work, then try again.")

    def _read(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> tuple[_Request, Method[Any], Any]:
        try:
            request = msgspec.convert(content, _Request)
            method = self._methods.get(request.method)
            if method is None:
                known = ", ".join(self._methods)
                raise InputError(f"The widget has no method {one_line(request.method, 40)!r}. It has: {known}.")
            params = msgspec.convert(request.params, method.params)
        except msgspec.ValidationError as error:
            raise InputError(f"The view sent a request that is refused: {one_line(str(error))}.") from None
        given = sum(memoryview(buffer).nbytes for buffer in buffers)
        if given > method.buffer_limit:
            raise InputError(f"{request.method} takes {method.buffer_limit} bytes at a time, not {given}.")
        return request, method, params

    def _run(self, uuid: str, method: Method[Any], params: Any, buffers: Sequence[memoryview]) -> None:
        try:
            try:
                run: Callable[..., Any] = method.run
                result = run(params, buffers) if method.buffer_limit else run(params)
            except SecGeminiError as error:
                self._reply(uuid, error=str(error))
            except Exception as error:
                words = one_line(redact(f"{type(error).__name__}: {error}"))
                log.warning("A widget's request failed: %s", words)
                self._reply(uuid, error=f"Failed: {words}. Please report it as a bug.")
            else:
                reply = result if isinstance(result, Reply) else Reply(result, [])
                self._reply(uuid, reply.buffers, result=reply.result)
        finally:
            self._slots.release()

    def _reply(self, uuid: str, buffers: Sequence[bytes | memoryview] = (), **fields: Any) -> None:
        try:
            self._channel.send({"kind": "secgemini-reply", "uuid": uuid, **fields}, buffers=list(buffers))
        except Exception as error:  # the comm is closed, or the kernel is going down: nobody listens
            log.debug("A widget's reply was not sent: %s", redact(str(error)))


def encodable(text: str) -> str:
    """`text` with half an emoji, which is what a field's length limit leaves of one, as a replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
