"""The user's local service: found by its connection file, or started; shared by all kernels of the user.

The file names address and key. Before the key is sent anywhere, whoever listens there proves that it holds the same
one: after a reboot or a crash another user's program may own the port.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from secgemini_jupyter import language_model
from secgemini_jupyter._version import __version__
from secgemini_jupyter.errors import NetworkError, Secret
from secgemini_jupyter.settings import data_dir, runtime_dir, scrubbed_environment

__all__ = ["LocalService", "ensure", "find", "stop"]

FILE_NAME = "secgemini-jupyter-local.json"
IDLE_TIMEOUT = 900
"""Seconds without socket or running turn, after which the service ends by itself."""
START_TIMEOUT = 30.0


@dataclass(frozen=True)
class LocalService:
    """Where the service is, and its key."""

    http: str
    ws: str
    pid: int
    key: Secret
    version: str
    answers: str = "local analyst"
    """Who does so, unless a session names another model."""
    settings: str = ""
    """A mark of what it was told of engine and language model."""


class _Children:
    """The services that this process started: kept, so that ended ones do not stay as zombies."""

    processes: ClassVar[list[subprocess.Popen[bytes]]] = []

    @classmethod
    def reap(cls) -> None:
        cls.processes = [process for process in cls.processes if process.poll() is None]


def ensure() -> LocalService:
    """The running service of this user; started if there is none, or one of another version.

    Raises:
        NetworkError: it did not start; its log says why.
    """
    _Children.reap()
    try:
        return _ensure()
    except OSError as error:
        raise NetworkError(f"The local service cannot be started. {_why(error)}", nothing_sent=True) from None


def _ensure() -> LocalService:
    path = runtime_dir() / FILE_NAME
    if (service := _running(path)) and _suits(service):
        return service
    from filelock import FileLock

    with FileLock(path.with_suffix(".lock"), timeout=2 * START_TIMEOUT):
        service = _running(path)
        if service and _suits(service):
            return service  # another kernel was quicker
        if service is None:
            service = _running(data_dir() / FILE_NAME)
            if service and _suits(service) and not path.exists():
                _write(path, service)  # somebody tidied Jupyter's runtime directory
                return service
        if service:
            _end(service)
        return _start(path)


def _suits(service: LocalService) -> bool:
    """Whether it is of this version, and asks the model that this process's environment names, if that names any.

    One that asks another model is left alone while a turn runs: whoever is asked is told with each answer.
    """
    if service.version != __version__:
        return False
    if not language_model.is_named() or service.settings == language_model.mark(service.key):
        return True
    return _health(service).get("busy") is not False


def find() -> LocalService | None:
    """The running service of this user, of whichever version; none is started."""
    return _running(runtime_dir() / FILE_NAME) or _running(data_dir() / FILE_NAME)


def stop() -> bool:
    """End the service of this user, if one runs; its data stays."""
    service = find()
    if service is None:
        return False
    _end(service)
    (runtime_dir() / FILE_NAME).unlink(missing_ok=True)
    (data_dir() / FILE_NAME).unlink(missing_ok=True)
    _Children.reap()
    return True


def _running(path: Path) -> LocalService | None:
    """The service that the file names, if it answers and proves that it holds the key."""
    try:
        if os.name == "posix" and (info := path.stat()) and (info.st_uid != os.getuid() or info.st_mode & 0o077):
            return None
        value: dict[str, Any] = json.loads(path.read_text("utf-8"))
        key = Secret(value.pop("key"))
        http, ws, pid, version = value["http"], value["ws"], value["pid"], value["version"]
        answers, settings = value.get("answers", ""), value.get("settings", "")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    # What only looks like ours is a damaged file: an `int(…)` or `str(…)` would give it a meaning that nobody wrote.
    if not (
        type(pid) is int
        and 0 < pid < 2**31
        and all(isinstance(each, str) for each in (http, ws, version, answers, settings))
    ):
        return None
    service = LocalService(http, ws, pid, key, version, answers, settings)
    return service if _proves_key(service) else None


def _proves_key(service: LocalService) -> bool:
    nonce = secrets.token_hex(16)
    proof = str(_health(service, nonce).get("proof", ""))
    expected = hmac.new(service.key.reveal().encode(), nonce.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(proof.encode(), expected.encode())


def _health(service: LocalService, nonce: str = "") -> dict[str, Any]:
    """What it says of itself; nothing where it does not answer."""
    try:
        parts = urlsplit(service.http)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=3)
    except (ValueError, HTTPException):
        return {}
    try:
        connection.request("GET", f"/health?nonce={nonce}")
        answer = json.loads(connection.getresponse().read(64 * 1024))
    except (OSError, HTTPException, ValueError, RecursionError):
        return {}
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}


def _start(path: Path) -> LocalService:
    key = Secret(secrets.token_urlsafe(32))
    mark = language_model.mark(key)
    folder = data_dir()
    log = folder / "local-server.log"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        # -P and cwd: a notebook's folder must not be able to replace a module of the service.
        process = subprocess.Popen(  # noqa: S603  # our own module, fixed arguments
            [sys.executable, "-P", "-m", "secgemini_jupyter.local_server",
             "--data", str(folder), "--idle-timeout", str(IDLE_TIMEOUT)],
            env=scrubbed_environment() | language_model.for_server() | {"SECGEMINI_SERVE_API_KEY": key.reveal()},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=descriptor,
            start_new_session=True,  # ■ in a notebook interrupts the kernel's process group
        )  # fmt: skip
    finally:
        os.close(descriptor)
    _Children.processes.append(process)
    try:
        line = _first_line(process)
    except KeyboardInterrupt:
        process.kill()
        raise
    try:
        first = json.loads(line)
        service = LocalService(
            first["http"], first["ws"], int(first["pid"]), key, __version__, str(first["answers"]), mark
        )
    except (ValueError, KeyError, TypeError):
        process.kill()
        raise NetworkError(
            f"The local service did not start: {_last_line(log)}. See {log}.", nothing_sent=True
        ) from None
    try:
        _write(path, service)
        # The copy beside the data leads to a service whose connection file was lost: it holds the store.
        _write(folder / FILE_NAME, service)
    except OSError:  # nobody would find it, and it would hold the store
        process.kill()
        path.unlink(missing_ok=True)
        raise
    return service


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """The first line of standard output; nothing if it does not come in time. The pipe is closed afterwards."""
    assert process.stdout is not None
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    reader.join(START_TIMEOUT)
    if reader.is_alive():
        process.kill()
        reader.join()
    process.stdout.close()
    return lines[0] if lines else b""


def _last_line(log: Path) -> str:
    from secgemini_jupyter.local_server.database import is_full

    lines = log.read_text("utf-8", "replace").strip().splitlines()
    if not lines and is_full(log.parent):  # not even that could be written
        return f"the disk of {str(log.parent)!r} is full. Free some space, then try again"
    return lines[-1].rstrip(".") if lines else "it said nothing"


def _why(error: OSError) -> str:
    """An error of the system in words; without the path where the disk is full: it says nothing more."""
    from secgemini_jupyter.local_server.database import why_not_stored

    return why_not_stored(error)


def _write(path: Path, service: LocalService) -> None:
    """The connection file, readable by its owner alone, never half written."""
    value = {"http": service.http, "ws": service.ws, "pid": service.pid, "version": service.version}
    value |= {"answers": service.answers, "settings": service.settings}
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value | {"key": service.key.reveal()}, file)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _end(service: LocalService) -> None:
    """Ask the service to end and wait for it: two must not share one store."""
    try:
        os.kill(service.pid, signal.SIGTERM)
    except OSError:
        return
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _proves_key(service):
        time.sleep(0.05)
