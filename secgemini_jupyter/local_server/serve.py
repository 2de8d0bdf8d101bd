"""The server as a process: its address, key, folder, log and signals."""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from secgemini_jupyter.errors import RedactingFilter, Secret, SettingsError
from secgemini_jupyter.language_model import LanguageModel
from secgemini_jupyter.local_server.analyst.data import FOLDER as IMPORTS
from secgemini_jupyter.local_server.app import Service, create_app
from secgemini_jupyter.local_server.connections import HttpProtocol
from secgemini_jupyter.local_server.engines import DEFAULT_ENGINE, Engines
from secgemini_jupyter.local_server.guard import Activity
from secgemini_jupyter.local_server.limits import allowed_connections
from secgemini_jupyter.local_server.protocol import StreamProtocol
from secgemini_jupyter.local_server.store import Store
from secgemini_jupyter.local_server.throttle import Throttle
from secgemini_jupyter.settings import LOOPBACK_HOSTS, ServeSettings, data_dir, read_key_file, scrubbed_environment

logger = logging.getLogger(__name__)

BACKLOG = 1024
"""Connections that the system keeps until they are accepted."""
MAX_SOCKET_MESSAGE_BYTES = 32 * 2**20
DRAIN_TIMEOUT = 1.0
"""Seconds that open sockets get for the END of turns that the server's end has cut."""
SWITCH_INTERVAL = 0.0005
"""Seconds a thread may keep the interpreter: the store's thread needs it for moments, at once."""


class Server(uvicorn.Server):
    """uvicorn, ending turns before sockets, and with exit status 0 for a signal that asks it to end."""

    def __init__(
        self, config: uvicorn.Config, service: Service, activity: Activity, idle_timeout: float | None
    ) -> None:
        super().__init__(config)
        self._service, self._activity, self._idle_timeout = service, activity, idle_timeout

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            announce(sockets[0], self._service.engines.default.actor)

    async def on_tick(self, counter: int) -> bool:
        idle = self._activity.open == 0 and not self._service.hub.running()
        if self._idle_timeout is not None and idle and time.monotonic() - self._activity.last > self._idle_timeout:
            logger.info("Ending after %.0f s without use", self._idle_timeout)
            return True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._service.hub.aclose()
        await self._service.hub.drained(DRAIN_TIMEOUT)
        await super().shutdown(sockets)
        self._captured_signals.clear()  # uvicorn would raise them again, which ends the process with their status


def announce(listening: socket.socket, answers: str) -> None:
    """The one line on standard output, once connections are accepted; `answers` is who does so by default."""
    host, port = listening.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    http = f"http://{address}"
    print(
        json.dumps({"http": http, "ws": f"ws://{address}", "logs": http, "pid": os.getpid(), "answers": answers}),
        flush=True,
    )


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    api_key_file: Path | None = None,
    data: Path | None = None,
    engine: str | None = None,
    allow_origin: Sequence[str] = (),
    idle_timeout: float | None = None,
) -> None:
    """Serves until a signal or idleness ends it.

    Args:
        port: 0 for a free one; the line on standard output says which.
        api_key_file: else the key is `SECGEMINI_SERVE_API_KEY`, else random.
        data: folder for sessions; None for the one in Jupyter's data directory.
        engine: None for `SECGEMINI_LOCAL_ENGINE`, else the analyst.
        allow_origin: origins whose pages may use the server.
        idle_timeout: seconds without socket, request or running turn after which it ends; None for never.

    Raises:
        SettingsError: an argument or the environment makes no sense, or the address is in use.
    """
    origins = [_checked_origin(origin) for origin in allow_origin]
    _log_to_stderr()
    environment = ServeSettings.from_environment()
    language_model = LanguageModel.from_environment()
    key = _resolve_key(api_key_file, environment)
    _drop_credentials()
    folder = data or data_dir() / "serve"
    engines = Engines(engine or environment.engine or DEFAULT_ENGINE, language_model, data=folder / IMPORTS)
    listening = bind(host, port)
    try:
        store = Store(folder)
    except SettingsError:
        listening.close()
        raise
    hosts = _allowed_hosts(host, listening)
    server = create_server(Service(store, engines, key), key, hosts=hosts, origins=origins, idle_timeout=idle_timeout)
    sys.setswitchinterval(SWITCH_INTERVAL)
    server.run(sockets=[listening])


def create_server(
    service: Service, key: Secret, *, hosts: Sequence[str], origins: Sequence[str], idle_timeout: float | None = None
) -> Server:
    """The server around the application, ready for `run(sockets=[…])`."""
    activity = Activity()
    config = uvicorn.Config(
        create_app(service, key, hosts=hosts, origins=origins, activity=activity),
        ws=StreamProtocol,
        ws_max_size=MAX_SOCKET_MESSAGE_BYTES,
        # Clients that run a tool on their event loop answer no ping meanwhile, and one of them fails at any pong.
        ws_ping_interval=None,
        ws_ping_timeout=None,
        ws_per_message_deflate=False,
        http=HttpProtocol,
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=allowed_connections(),
        timeout_graceful_shutdown=5,
    )
    return Server(config, service, activity, idle_timeout)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, before anything else is made: whoever binds a port is the one who answers on it.

    Raises:
        SettingsError: the address is in use, or none of this machine.
    """
    if not 0 <= port <= 65535:
        raise SettingsError(f"Port {port} does not exist. Use 0 (a free one) to 65535.")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, proto)
    except OSError as error:
        raise SettingsError(f"The address {host!r} cannot be used: {error.strerror}.") from None
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"Port {port} on {host!r} cannot be used: {error.strerror}. Use --port 0 for a free one."
        ) from None
    if host not in LOOPBACK_HOSTS:
        logger.warning(
            "Listening on %s: other machines can reach this server, and the key travels unencrypted. "
            "Put a proxy with TLS in front, or use --host 127.0.0.1.", host,
        )  # fmt: skip
    return listening


def _allowed_hosts(host: str, listening: socket.socket) -> list[str]:
    port = listening.getsockname()[1]
    names = {"127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host.lower()}
    if host not in LOOPBACK_HOSTS:
        names.add(socket.gethostname().lower())
    return [f"{name}:{port}" for name in names] + (list(names) if port == 80 else [])


def _checked_origin(origin: str) -> str:
    scheme, _, rest = origin.partition("://")
    if scheme not in ("http", "https") or not rest or "/" in rest or "*" in rest:
        raise SettingsError(f"--allow-origin {origin!r} is no origin. Pass it as in https://notebook.example.org.")
    return origin


def _resolve_key(api_key_file: Path | None, environment: ServeSettings) -> Secret:
    if api_key_file is not None:
        return read_key_file(api_key_file)
    if environment.api_key:
        return environment.api_key
    logger.warning("No key was given: a random one is used, which nobody knows. Pass --api-key-file FILE.")
    return Secret(secrets.token_urlsafe(32))


def _drop_credentials() -> None:
    """Worker processes inherit this environment and parse hostile files."""
    kept = scrubbed_environment()
    for name in [name for name in os.environ if name not in kept]:
        del os.environ[name]


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Throttle())
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("secgemini_jupyter").setLevel(logging.INFO)
