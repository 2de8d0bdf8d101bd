"""Plain HTTP and WebSocket access to the local server: no code of our client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

KEY = "a-key-of-our-own-0123456789"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


class Api:
    """One server, as a raw client sees it."""

    def __init__(self, http: str, ws: str, key: str) -> None:
        self.http_url, self.ws_url, self.key = http, ws, key
        self.http = httpx.Client(base_url=http, headers={"x-api-key": key}, timeout=20)

    def get(self, path: str, **query: str) -> Any:
        reply = self.http.get(path, params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def post(self, path: str, body: Any, **query: str) -> Any:
        reply = self.http.post(path, json=body, params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def register(self, **fields: Any) -> str:
        body = {"id": uuid.uuid4().hex, "ttl": 3600, "name": "test", "description": "", "can_log": True}
        body["model"] = {"model_string": "local-echo"}
        result = self.post("/v1/session/register", body | fields)
        assert result["ok"], result
        return str((body | fields)["id"])

    def session(self, session_id: str) -> Any:
        return self.get("/v1/session/get", session_id=session_id)

    def connect(self, session_id: str, **query: str) -> ClientConnection:
        url = httpx.URL(f"{self.ws_url}/v1/stream", params={"api_key": self.key, "session_id": session_id} | query)
        return connect(str(url), max_size=2**25, compression=None, max_queue=None)

    def ask(self, session_id: str, prompt: str, **query: str) -> list[dict[str, Any]]:
        with self.connect(session_id, **query) as socket:
            self.send(socket, prompt)
            return self.read_turn(socket)

    @staticmethod
    def send(socket: ClientConnection, prompt: str, **fields: Any) -> None:
        socket.send(json.dumps({"message_type": "query", "content": prompt} | fields))

    @staticmethod
    def read_frames(socket: ClientConnection, count: int | None = None) -> list[str]:
        """So many frames as they came, or all up to END."""
        frames: list[str] = []
        while len(frames) != count:
            frame = socket.recv(timeout=10)
            assert isinstance(frame, str), "the service sends text frames"
            frames.append(frame)
            if count is None and json.loads(frame)["state"] == "end":
                break
        return frames

    @classmethod
    def read_turn(cls, socket: ClientConnection) -> list[dict[str, Any]]:
        return [json.loads(frame) for frame in cls.read_frames(socket)]


@pytest.fixture
def api(local_service: Any) -> Iterator[Api]:
    client = Api(local_service.http, local_service.ws, local_service.key)
    with client.http:
        yield client


class Process:
    """A server of a test's own, which may be killed."""

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        self.log = folder / "log"
        self.data = folder / "data"
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "secgemini_jupyter.local_server", "--engine", "echo", "--data", self.data,
                 *arguments],
                env={**os.environ, "SECGEMINI_SERVE_API_KEY": KEY} | environ,
                stdout=subprocess.PIPE,
                stderr=log,
            )  # fmt: skip
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, self.log.read_text()
        self.first_line = json.loads(line)
        self.api = Api(self.first_line["http"], self.first_line["ws"], KEY)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.api.http.close()
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        status = self.popen.wait(10)
        if self.popen.stdout is not None:
            self.popen.stdout.close()
        return status


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts servers on this test's folder; those still running are ended with the test."""
    started: list[Process] = []

    def start_one(*arguments: str, **environ: str) -> Process:
        started.append(Process(tmp_path, *arguments, **environ))
        return started[-1]

    yield start_one
    for process in started:
        process.end(signal.SIGKILL)
