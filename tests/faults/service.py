"""The local server behind the proxy: a process of its own that can be killed, ended, and started again on its port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx

from secgemini_jupyter.models import Message, MessageType, read_session
from secgemini_jupyter.protocol.stored import turn_of

KEY = "faults-key-0123456789"


class Service:
    """Starts at once; `outage` is what the proxy calls."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()
        self.port = 0
        self.start()
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers={"x-api-key": KEY})

    def start(self) -> None:
        command = [sys.executable, "-m", "secgemini_jupyter.local_server", "--engine", "echo"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port), "--data", self._folder / "data"],
                env={**os.environ, "SECGEMINI_SERVE_API_KEY": KEY}, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, (self._folder / "log").read_text()
        self.port = int(json.loads(line)["http"].rpartition(":")[2])

    def outage(self, how: str) -> None:
        """Kill it (-9) or end it, and start it again."""
        with self._one_at_a_time:
            self._end(signal.SIGKILL if how == "kill" else signal.SIGTERM)
            self.start()

    def wait_until_up(self) -> None:
        with self._one_at_a_time:
            assert self._process is not None
            assert self._process.poll() is None

    def close(self) -> None:
        with self._one_at_a_time:
            self._end(signal.SIGTERM)
        self._http.close()

    def _end(self, sign: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(sign)
        self._process.wait(15)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def messages(self, session_id: str) -> list[Message]:
        """All that it stores of a session, asked directly."""
        reply = self._http.get("/v1/session/get", params={"session_id": session_id})
        return read_session(reply.raise_for_status().content).read_messages()

    def forget(self, session_id: str) -> None:
        self._http.post("/v1/session/delete", json={"id": session_id}).raise_for_status()

    def names(self) -> list[str]:
        """Of the sessions that it has."""
        return [each["name"] for each in self._http.get("/v1/user/info").json()["sessions"]]


def last_turn(stored: list[Message]) -> tuple[Message | None, list[Message]]:
    """The last query, and what answers it."""
    at = next((i for i in reversed(range(len(stored))) if stored[i].message_type is MessageType.QUERY), None)
    return (None, []) if at is None else (stored[at], turn_of(stored[at + 1 :]))
