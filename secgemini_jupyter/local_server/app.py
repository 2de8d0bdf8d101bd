"""The HTTP side of the service: a list of routes over the store and the conversations."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from secgemini_jupyter._version import __version__
from secgemini_jupyter.errors import Secret, one_line
from secgemini_jupyter.local_server.attaching import AS_LOGS_TABLE, MAX_ATTACHMENT_BYTES, described, read_upload
from secgemini_jupyter.local_server.completions import complete
from secgemini_jupyter.local_server.conversations import Hub
from secgemini_jupyter.local_server.database import why_not_stored
from secgemini_jupyter.local_server.engines import Engines
from secgemini_jupyter.local_server.guard import Activity, Guard
from secgemini_jupyter.local_server.limits import MAX_SESSIONS, LargeBodies
from secgemini_jupyter.local_server.logs_tables.routes import LogsRoutes
from secgemini_jupyter.local_server.names import propose_name
from secgemini_jupyter.local_server.requests import (
    JSON,
    Change,
    Detachment,
    Generation,
    Invalid,
    Parts,
    Registration,
    missing,
    op_result,
    query_value,
    read_body,
    read_struct,
)
from secgemini_jupyter.local_server.store import Fixed, Session, Store
from secgemini_jupyter.local_server.stream import Stream, send_missing
from secgemini_jupyter.models import (
    Feedback,
    MessageType,
    PublicUser,
    Usage,
    UserInfo,
    read_stored_message,
)
from secgemini_jupyter.settings import MIN_TTL

logger = logging.getLogger(__name__)

USER = PublicUser(id="local@localhost", org_id="local", can_disable_logging=True)
MAX_TTL = 10 * 366 * 86400
MAX_TEXT = 65536
"""Characters of a name, a description, an id; a comment may have more."""
PURGE_INTERVAL = 30.0
REMAINS = "Its bytes leave the disk as soon as it has room for that."

Handler = Callable[["Service", Request], Coroutine[Any, Any, Response]]


class Service:
    """What the routes work on: one per process."""

    def __init__(self, store: Store, engines: Engines, key: Secret) -> None:
        self.store = store
        self.engines = engines
        self.hub = Hub(store, engines)
        self._key = key

    @contextlib.asynccontextmanager
    async def running(self, _app: Starlette) -> AsyncIterator[None]:
        await self._tidy()
        tasks = [
            asyncio.create_task(self._purge(), name="purge"),
            asyncio.create_task(self.engines.warm(), name="warm"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self.hub.aclose()
            await self.engines.aclose()
            await self.store.tables.aclose()
            self.store.close()

    async def _purge(self) -> None:
        while True:
            await asyncio.sleep(PURGE_INTERVAL)
            self.hub.forget_idle()
            await self._tidy()

    async def _tidy(self) -> None:
        """Deletes what has expired, and does what a crash or a full disk has left undone."""
        try:
            for session in await self.store.purge(self.hub.running()):
                await self.hub.stop(session)
            await self.store.tidy()
            await self.store.purge_tables()
            await self.hub.recover()
        except sqlite3.Error as problem:
            # Tried again next time; what is stored can be read meanwhile.
            logger.warning("Expired sessions and cut turns wait. %s", why_not_stored(problem, self.store.folder))

    def sessions(self) -> list[Any]:
        return [session.public(USER.id, USER.org_id) for session in self.store.sessions()]

    def proof(self, nonce: str) -> str:
        """Shows, without telling it, that this server has the key."""
        return hmac.new(self._key.reveal().encode(), nonce.encode(), hashlib.sha256).hexdigest()


def create_app(
    service: Service,
    key: Secret,
    *,
    hosts: Sequence[str],
    origins: Sequence[str] = (),
    activity: Activity | None = None,
) -> Starlette:
    """The application. It opens nothing by itself; its lifespan closes turns, engines and store.

    Args:
        hosts, origins: see `Guard`.
    """
    middleware = [
        Middleware(Guard, key=key, hosts=hosts, origins=origins, activity=activity or Activity()),
    ]
    if origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(origins),
                allow_methods=["GET", "POST"],
                allow_headers=["x-api-key", "content-type", "authorization", "x-sdk", "x-sdk-version"],
            )
        )

    bodies = LargeBodies()

    def route(path: str, handler: Handler, method: str = "POST") -> Route:
        async def endpoint(request: Request) -> Response:
            request.state.started = time.monotonic()
            async with bodies.place(request):
                return await handler(service, request)

        return Route(path, endpoint, methods=[method])

    logs = LogsRoutes(service.store.tables)

    async def stream(socket: WebSocket) -> None:
        await open_stream(service, socket)

    async def not_stored(request: Request, error: Exception) -> Response:
        return op_result(request, 507, f"Not stored. {why_not_stored(error, service.store.folder)}")

    return Starlette(
        routes=[
            route("/", root, "GET"),
            route("/health", health, "GET"),
            route("/v1/user/info", user_info, "GET"),
            route("/v1/session/register", register),
            route("/v1/session/get", get_session, "GET"),
            route("/v1/session/list", list_sessions, "GET"),
            route("/v1/session/update", update),
            route("/v1/session/delete", delete),
            route("/v1/session/generate", generate),
            route("/v1/session/generate_name", generate_name, "GET"),
            route("/v1/session/attach_file", attach_file),
            route("/v1/session/detach_file", detach_file),
            route("/v1/session/attach_logs", attach_logs),
            route("/v1/session/feedback", feedback),
            route("/chat/completions", complete),
            route("/v1/chat/completions", complete),
            Route("/create_logs_table", logs.create, methods=["POST"]),
            Route("/upload_logs", logs.upload, methods=["POST"]),
            WebSocketRoute("/v1/stream", stream),
        ],
        middleware=middleware,
        exception_handlers={
            HTTPException: _http_error,
            Invalid: _invalid,
            sqlite3.Error: not_stored,
            Exception: _internal_error,
        },
        lifespan=service.running,
    )


async def _http_error(_request: Request, error: Any) -> Response:
    return JSON({"detail": error.detail}, error.status_code, headers=error.headers)


async def _invalid(_request: Request, error: Any) -> Response:
    return JSON({"detail": error.detail}, 422)


async def _internal_error(_request: Request, error: Exception) -> Response:
    return JSON({"detail": f"The local server failed ({type(error).__name__}). Its log has more."}, 500)


# Operational routes


async def root(_service: Service, _request: Request) -> Response:
    return JSON({"status": "ok"})


async def health(service: Service, request: Request) -> Response:
    """`?nonce=…` is answered with a proof that the server has the key, so that a client can tell before sending it."""
    nonce = request.query_params.get("nonce")
    reply = {"status": "ok", "version": __version__, "logs_processor": True, "busy": bool(service.hub.running())}
    if nonce is not None and len(nonce) <= 1024:
        reply["proof"] = service.proof(nonce)
    return JSON(reply)


# User and sessions


async def user_info(service: Service, _request: Request) -> Response:
    return JSON(UserInfo(USER, service.sessions(), service.engines.models))


async def list_sessions(service: Service, _request: Request) -> Response:
    return JSON(service.sessions())


async def register(service: Service, request: Request) -> Response:
    wish = await read_struct(request, Registration)
    session_id = wish.id or uuid.uuid4().hex
    engine = service.engines.find(wish.model)
    if problem := _ttl_problem(wish.ttl) or _length_problem(session_id, wish.name, wish.description):
        return op_result(request, 400, problem)
    if engine is None:
        return op_result(request, 404, f"Unknown model: {one_line(wish.model.model_string)[:200]}")
    if service.store.is_full:
        return op_result(request, 429, f"There are {MAX_SESSIONS:,} sessions. Delete some, or give them less time")
    try:
        model = service.engines.chosen(engine, wish.model)
    except ValueError as problem:
        return op_result(request, 400, one_line(str(problem)))
    fixed = Fixed(
        model=model,
        language=wish.language,
        can_log=wish.can_log,  # our user may always choose (protocol section 6.3)
        created=time.time(),
        local_tools=wish.local_tools,
        agents_config=wish.agents_config,
    )
    session = await service.store.register(
        session_id, fixed, name=wish.name, description=wish.description, ttl=wish.ttl
    )
    if session is None:
        return op_result(request, 409, "A session with that id exists")
    text = "Session registered"
    if not wish.language.lower().startswith("en"):
        text += "; this service answers in English alone"
    return op_result(request, text=text, data=None if wish.id else {"id": session_id})


def _ttl_problem(ttl: int) -> str | None:
    if not MIN_TTL <= ttl <= MAX_TTL:
        return f"Invalid ttl: {str(ttl)[:40]}. Use {MIN_TTL} to {MAX_TTL} seconds"
    return None


def _length_problem(*texts: str | None) -> str | None:
    if any(text and len(text) > MAX_TEXT for text in texts):
        return f"Id, name or description is longer than {MAX_TEXT} characters"
    return None


async def get_session(service: Service, request: Request) -> Response:
    session = service.store.get(query_value(request, "session_id"))
    if session is None:
        return JSON(None)
    # The first `"messages":[]` is the field: what stands before it is text, in which quotes are escaped.
    head, field, tail = msgspec.json.encode(session.public(USER.id, USER.org_id)).partition(b'"messages":[]')
    stored = await service.store.messages(session)

    async def parts() -> AsyncIterator[bytes]:
        yield head + field[:-1]
        async for block in stored.blocks:
            yield block
        yield b"]" + tail

    return Parts(parts(), len(head) + len(field) + stored.size + len(tail))


async def update(service: Service, request: Request) -> Response:
    change = await read_struct(request, Change)
    session = service.store.get(change.id)
    if session is None:
        return missing(request)
    ttl = change.ttl or None  # 0 means unchanged, as an empty name does
    if problem := (ttl and _ttl_problem(ttl)) or _length_problem(change.name, change.description):
        return op_result(request, 400, problem)
    await service.store.update(session, name=change.name or None, description=change.description, ttl=ttl)
    return op_result(request)


async def delete(service: Service, request: Request) -> Response:
    session = service.store.get((await read_struct(request, Change)).id)
    if session is None:
        return missing(request)
    await service.hub.stop(session)
    is_clean = await service.store.delete(session)
    await service.store.purge_tables()
    return op_result(request, text="Session deleted" if is_clean else f"Session deleted. {REMAINS}")


# Prompts


async def open_stream(service: Service, socket: WebSocket) -> None:
    session = service.store.get(socket.query_params.get("session_id", ""))
    await socket.accept()
    if session is None:
        return await send_missing(socket)
    partial = socket.query_params.get("stream", "").lower() in ("1", "true", "yes")
    return await Stream(socket, service.hub.of(session), partial=partial).run()


async def generate(service: Service, request: Request) -> Response:
    """One turn over HTTP. It is stored like any other, END included; the reply ends with the answer."""
    wish = await read_struct(request, Generation)
    session = service.store.get(wish.id)
    if session is None:
        return _generated(wish.id, [], 404, "Session not found")
    messages = [read_stored_message(raw) for raw in wish.messages]
    query = next((message for message in messages if message.message_type is MessageType.QUERY), None)
    if query is None or not (query.content or "").strip():
        return _generated(wish.id, [], 400, "A query message with content is needed")
    answer = service.hub.of(session).ask(query)
    if answer is None:
        return _generated(wish.id, [], 429, "QUOTA_EXCEEDED")
    await asyncio.wait([answer])
    if answer.cancelled():
        return _generated(wish.id, [], 503, "The session ended before its turn")
    turn = answer.result()
    said = [message for message in turn.messages if not message.is_end]
    problem = next((message for message in said if message.is_error), None)
    code, text = (problem.status_code, problem.status_message) if problem else (200, "OK")
    return _generated(wish.id, [message.to_json() for message in said], code, text, turn.usage)


def _generated(session_id: str, messages: list[bytes], code: int, text: str, usage: Usage | None = None) -> Response:
    return JSON(
        {
            "id": session_id,
            "messages": [msgspec.Raw(message) for message in messages],
            "status_code": code,
            "status_message": text,
            "usage": usage or Usage(),
        }
    )


async def generate_name(service: Service, request: Request) -> Response:
    session = service.store.get(query_value(request, "session_id"))
    if session is None:
        return missing(request)
    first = await asyncio.to_thread(service.store.history, session, 1)
    return op_result(request, data={"name": propose_name(first[0].content or "" if first else "")})


# Files, logs, feedback


async def attach_file(service: Service, request: Request) -> Response:
    upload = await asyncio.to_thread(read_upload, await read_body(request, advice=AS_LOGS_TABLE))
    if isinstance(upload, str):
        return op_result(request, 400, upload)
    session = service.store.get(upload.session_id)
    if session is None:
        return missing(request)
    if len(upload.content) > MAX_ATTACHMENT_BYTES:
        raise HTTPException(413, f"The attachment is larger than {MAX_ATTACHMENT_BYTES} bytes. {AS_LOGS_TABLE}")
    info = await asyncio.to_thread(described, upload.filename, upload.content)
    await service.store.add_file(session, info, upload.content)
    return op_result(request, data=info)


async def detach_file(service: Service, request: Request) -> Response:
    wish = await read_struct(request, Detachment)
    session = service.store.get(wish.session_id)
    if session is None:
        return missing(request)
    if not 0 <= wish.file_idx < len(session.files):
        return op_result(request, 400, f"Invalid file index: {str(wish.file_idx)[:40]}")
    is_clean = await service.store.remove_file(session, wish.file_idx)
    return op_result(request, text="OK" if is_clean else f"OK. {REMAINS}")


async def attach_logs(service: Service, request: Request) -> Response:
    session = service.store.get(query_value(request, "session_id"))
    logs_hash = query_value(request, "logs_hash")
    if session is None:
        return missing(request)
    if await service.store.attach_table(session, logs_hash) is None:
        return op_result(request, 404, "Logs table not found: upload the log first, for a session of this retention")
    return op_result(request)


async def feedback(service: Service, request: Request) -> Response:
    given = await read_struct(request, Feedback)
    session: Session | None = service.store.get(given.session_id)
    if session is None:
        return missing(request)
    await service.store.add_feedback(session, msgspec.json.encode(given))
    return op_result(request)
