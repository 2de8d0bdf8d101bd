"""What the server takes at most: connections, heads, bodies, sessions, memory; each told with a status and a text."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from secgemini_jupyter.errors import Secret
from secgemini_jupyter.local_server import app, connections, database, limits, requests, serve, store, stored
from secgemini_jupyter.local_server.app import Service
from secgemini_jupyter.local_server.channel import Channel
from secgemini_jupyter.local_server.engines import Engines
from secgemini_jupyter.local_server.store import Store

KEY = "k" * 20
ECHO = {"model_string": "local-echo"}


class Address:
    def __init__(self, port: int, server: Any = None) -> None:
        self.port, self.server = port, server
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"x-api-key": KEY}, timeout=20)

    def raw(self, *parts: bytes) -> bytes:
        """Sends bytes as they are; gives the answer up to its end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as raw:
            for part in parts:
                raw.sendall(part)
            return self.rest(raw)

    def rest(self, raw: socket.socket) -> bytes:
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := raw.recv(65536):
                answer += part
        return answer

    def head(self, target: str, *lines: str) -> bytes:
        fixed = (f"POST {target} HTTP/1.1", f"host: 127.0.0.1:{self.port}", f"x-api-key: {KEY}")
        return "\r\n".join([*fixed, *lines, "", ""]).encode()

    def register(self, session_id: str, **fields: Any) -> Any:
        return self.http.post(
            "/v1/session/register", json={"id": session_id, "ttl": 300, "model": ECHO} | fields
        ).json()


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets a limit in each module that has it."""

    def set_limit(name: str, value: float) -> None:
        for module in (app, limits, connections, database, requests, store):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)

    return set_limit


@pytest.fixture
def address(tmp_path: Path, limit: Any, request: pytest.FixtureRequest) -> Iterator[Address]:
    """A real server, in a thread so that its limits can be changed before it starts: by the parameters of the test."""
    for name, value in getattr(request, "param", {}).items():
        limit(name, value)
    listening = serve.bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    service = Service(Store(tmp_path), Engines("echo"), Secret(KEY))
    server = serve.create_server(service, Secret(KEY), hosts=[f"127.0.0.1:{port}"], origins=[])
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    address = Address(port, server)
    with address.http:
        yield address
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def limited(**values: float) -> Any:
    return pytest.mark.parametrize("address", [values], indirect=True)


def answer_of(raw: bytes) -> tuple[int, str]:
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["detail"]


@limited(HEAD_TIMEOUT=0.2)
@pytest.mark.parametrize("sent", [b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nhost: a\r\nx-slow: "])
def test_half_a_request_is_ended_in_time(address: Address, sent: bytes) -> None:
    assert answer_of(address.raw(sent)) == (408, "No whole request came within 0.2 s.")


@limited(HEAD_TIMEOUT=0.4)
def test_a_head_that_drips_is_ended_also_on_a_connection_that_was_used(address: Address) -> None:
    whole = f"GET /health HTTP/1.1\r\nhost: 127.0.0.1:{address.port}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", address.port), timeout=10) as raw:
        raw.sendall(whole)
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")
        with contextlib.suppress(OSError):
            for _ in range(100):
                raw.sendall(b"G")
                time.sleep(0.05)
        status, _ = answer_of(address.rest(raw))
    assert status == 408


@limited(HEAD_TIMEOUT=0.2)
def test_neither_a_slow_answer_nor_a_stream_is_ended_by_the_limit_of_heads(address: Address) -> None:
    address.register("s")
    query = {"message_type": "query", "content": "[[delay=0.15]] late"}
    reply = address.http.post("/v1/session/generate", json={"id": "s", "messages": [query]})
    assert reply.json()["messages"][-1]["content"] == "late"
    with connect(f"ws://127.0.0.1:{address.port}/v1/stream?session_id=s&api_key={KEY}") as socket_:
        time.sleep(0.4)
        socket_.send(json.dumps({"message_type": "query", "content": "still here"}))
        frames = [json.loads(socket_.recv(timeout=10)) for _ in range(5)]
    assert frames[3]["content"] == "still here"


@limited(HEAD_TIMEOUT=0.3)
def test_a_body_that_goes_on_after_the_answer_is_ended_in_time(address: Address) -> None:
    """Also of who has no key: the connections of one who never ends are no longer there for others."""
    head = address.head("/v1/session/register", "content-length: 1000000000000").replace(KEY.encode(), b"wrong")
    with socket.create_connection(("127.0.0.1", address.port), timeout=10) as raw:
        raw.sendall(head)
        assert raw.recv(65536).startswith(b"HTTP/1.1 401")
        raw.sendall(b"x")
        address.rest(raw)
    body = b'{"id": "late"}'
    with socket.create_connection(("127.0.0.1", address.port), timeout=10) as raw:
        raw.sendall(address.head("/nowhere", f"content-length: {len(body)}"))
        assert raw.recv(65536).startswith(b"HTTP/1.1 404")
        raw.sendall(body + address.head("/v1/session/delete", "content-length: 14", "connection: close") + body)
        assert b"Session not found" in address.rest(raw)


@limited(STALL_TIMEOUT=0.2)
@pytest.mark.parametrize("drips", [False, True])
def test_half_a_body_is_ended_in_time_also_if_it_drips(address: Address, drips: bool) -> None:
    with socket.create_connection(("127.0.0.1", address.port), timeout=10) as raw:
        raw.sendall(address.head("/v1/session/delete", "content-length: 1000") + b'{"id"')
        with contextlib.suppress(OSError):
            for _ in range(20 if drips else 0):
                raw.sendall(b" ")
                time.sleep(0.05)
        status, text = answer_of(address.rest(raw))
    assert (status, text) == (408, "The body of the request came too slowly, or not whole. Send it again.")


@pytest.mark.parametrize("path", ["/v1/session/delete", "/upload_logs", "/chat/completions"])
def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error(
    address: Address, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "secgemini_jupyter")
    with socket.create_connection(("127.0.0.1", address.port), timeout=10) as raw:
        raw.sendall(address.head(path, "content-length: 1000") + b'{"id"')
        raw.shutdown(socket.SHUT_WR)
        address.rest(raw)
    deadline = time.monotonic() + 10
    while address.server.server_state.tasks:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert f"POST {path} 400" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_body_that_comes_at_a_fair_rate_may_take_its_time(address: Address, limit: Any) -> None:
    limit("STALL_TIMEOUT", 0.3)
    limit("MIN_RATE", 100)
    body = json.dumps({"id": "slow", "ttl": 300, "name": "x" * 300}).encode()
    parts = [body[start : start + 60] for start in range(0, len(body), 60)]
    with socket.create_connection(("127.0.0.1", address.port), timeout=10) as raw:
        raw.sendall(address.head("/v1/session/register", f"content-length: {len(body)}", "connection: close"))
        for part in parts:
            time.sleep(0.1)
            raw.sendall(part)
        assert address.rest(raw).startswith(b"HTTP/1.1 200")
    assert address.http.get("/v1/session/list").json()[0]["id"] == "slow"


def long_session(address: Address) -> socket.socket:
    """A request for a session of 30 MB, of whose reply the head alone was read."""
    address.register("long")
    query = {"message_type": "query", "content": "[[messages=1500 bytes=20000]] long"}
    address.http.post("/v1/session/generate", json={"id": "long", "messages": [query]}).raise_for_status()
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
    raw.settimeout(20)
    raw.connect(("127.0.0.1", address.port))
    raw.sendall(address.head("/v1/session/get?session_id=long").replace(b"POST", b"GET", 1))
    assert b"200 OK" in raw.recv(64)
    return raw


@limited(STALL_TIMEOUT=0.5)
def test_a_session_is_read_no_further_than_its_client_takes_it(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks: list[int] = []

    def counting(*arguments: Any, **named: Any) -> Any:
        block = read_block(*arguments, **named)
        blocks.append(len(block.body))
        return block

    read_block = stored._read_block
    monkeypatch.setattr(stored, "_read_block", counting)
    with long_session(address) as raw:
        address.http.close()
        deadline = time.monotonic() + 20
        while address.server.server_state.connections:
            assert time.monotonic() < deadline, "a client that does not read is cut off"
            time.sleep(0.05)
        assert len(address.rest(raw)) < 20_000_000
    assert max(blocks) < 2**22


def test_the_reply_of_a_session_that_is_deleted_meanwhile_is_visibly_not_whole(address: Address) -> None:
    with long_session(address) as raw:
        assert address.http.post("/v1/session/delete", json={"id": "long"}).json()["ok"]
        rest = address.rest(raw)
    assert len(rest) < 25_000_000
    assert address.http.get("/health").status_code == 200


def test_a_head_that_is_too_long_and_one_that_is_none_are_told(address: Address) -> None:
    status, text = answer_of(address.raw(address.head("/v1/session/delete", f"x-long: {'x' * 1_000_000}")))
    assert status == 431
    assert "too long" in text
    assert answer_of(address.raw(b"\x16\x03\x01 what a browser sends for https\r\n\r\n"))[0] == 400
    assert address.http.get("/health").status_code == 200


def test_a_stream_whose_address_is_too_long_is_told_so_and_the_server_ends_well(address: Address) -> None:
    head = address.head(f"/v1/stream?session_id={'x' * 20_000}", "connection: Upgrade", "upgrade: websocket",
                        "sec-websocket-version: 13", "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==")  # fmt: skip
    assert answer_of(address.raw(head.replace(b"POST", b"GET", 1)))[0] == 431
    assert address.http.get("/health").status_code == 200


def test_connections_are_limited_and_those_above_are_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "allowed_connections", lambda: 20)
    monkeypatch.setattr(connections, "OVERFLOW", 5)
    listening = serve.bind("127.0.0.1", 0)
    address = Address(listening.getsockname()[1])
    service = Service(Store(tmp_path), Engines("echo"), Secret(KEY))
    server = serve.create_server(service, Secret(KEY), hosts=[f"127.0.0.1:{address.port}"], origins=[])
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with contextlib.ExitStack() as stack:
            opened = [
                stack.enter_context(socket.create_connection(("127.0.0.1", address.port), timeout=10))
                for _ in range(30)
            ]
            whole = f"GET /health HTTP/1.1\r\nhost: 127.0.0.1:{address.port}\r\nconnection: close\r\n\r\n".encode()
            answers = []
            for raw in reversed(opened):
                with contextlib.suppress(OSError):
                    raw.sendall(whole)
                answers.append(address.rest(raw))
        assert [bool(answer) for answer in answers] == [False] * 5 + [True] * 25
        for answer in answers[5:10]:
            status, text = answer_of(answer)
            assert (status, text.partition(".")[0]) == (503, "More than 20 open connections")
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers[10:])
        assert address.http.get("/health").status_code == 200
    finally:
        address.http.close()
        server.should_exit = True
        thread.join(10)


@limited(MAX_STREAMS=2)
def test_streams_are_limited(address: Address) -> None:
    url = f"ws://127.0.0.1:{address.port}/v1/stream?session_id=s&api_key={KEY}"
    address.register("s")
    with connect(url), connect(url), pytest.raises(InvalidStatus) as refused:
        connect(url)
    assert refused.value.response.status_code == 503
    assert json.loads(refused.value.response.body)["detail"] == "More than 2 open streams. Close some."


@limited(MAX_SESSIONS=2)
def test_sessions_are_limited_and_deleting_one_makes_room(address: Address) -> None:
    assert [address.register(name)["status_code"] for name in "abc"] == [200, 200, 429]
    assert address.register("c")["status_message"].startswith("There are 2 sessions. Delete some")
    address.http.post("/v1/session/delete", json={"id": "a"})
    assert address.register("c")["ok"]


@limited(MEMORY_BYTES=2**20)
def test_sessions_without_retention_have_so_much_memory_and_others_go_on(address: Address) -> None:
    address.register("hidden", can_log=False)
    address.register("kept")
    upload = {"session_id": "hidden", "filename": "f", "content": "AAAA" * 500_000}
    full = address.http.post("/v1/session/attach_file", json=upload).json()
    assert (full["ok"], full["status_code"]) == (False, 507)
    assert full["status_message"].startswith("Not stored. The memory for sessions without retention is full (1 MiB).")
    assert address.http.post("/v1/session/attach_file", json=upload | {"session_id": "kept"}).json()["ok"]
    small = address.http.post("/v1/session/attach_file", json=upload | {"content": "AAAA"}).json()
    assert small["ok"]


@limited(MAX_QUEUED_PROMPT_BYTES=1000)
def test_prompts_that_wait_are_limited_by_their_bytes(address: Address) -> None:
    address.register("s")
    with connect(f"ws://127.0.0.1:{address.port}/v1/stream?session_id=s&api_key={KEY}") as socket_:
        for prompt in ("[[delay=0.05]] first", "x" * 900, "y" * 900):
            socket_.send(json.dumps({"message_type": "query", "content": prompt}))
        frames: list[Any] = []
        while sum(frame["state"] == "end" for frame in frames) < 3:
            frames.append(json.loads(socket_.recv(timeout=10)))
    refused = [frame for frame in frames if frame["message_type"] == "error"]
    assert [(frame["status_code"], frame["content"]) for frame in refused] == [
        (429, "Too many prompts wait in this session.")
    ]
    assert [len(frame["content"]) for frame in frames if frame["message_type"] == "result"] == [5, 900]


@limited(MAX_LARGE_BODIES=1, LARGE_BODY=1000, LARGE_BODY_WAIT=0.3)
def test_large_bodies_take_turns_and_small_ones_pass_them(address: Address) -> None:
    address.register("s")
    body = json.dumps({"session_id": "s", "filename": "f", "content": "A" * 4000}).encode()
    with socket.create_connection(("127.0.0.1", address.port), timeout=10) as first:
        first.sendall(address.head("/v1/session/attach_file", f"content-length: {len(body)}", "connection: close"))
        time.sleep(0.1)
        assert address.register("small")["ok"]
        second = address.http.post("/v1/session/attach_file", content=body)
        assert (second.status_code, second.headers["retry-after"]) == (503, "5")
        assert second.json() == {"detail": "Too many large requests at once. Try again in a moment."}
        first.sendall(body)
        assert address.rest(first).startswith(b"HTTP/1.1 200")
    assert address.http.post("/v1/session/attach_file", content=body).json()["ok"]


def test_frames_of_all_sessions_share_a_limit(limit: Any) -> None:
    limit("MAX_FRAME_TOTAL", 1000)
    limit("MIN_BACKLOG_BYTES", 100)
    shares = limits.Shares()
    channels = [Channel(shares) for _ in range(20)]
    for _ in range(5):
        for channel in channels:
            channel.publish([b"x" * 50])
    assert shares.frames <= 1000 + 100 * 20
    assert all(channel.has_undelivered for channel in channels)

    async def read_all() -> None:
        for channel in channels:
            listener = channel.open(partial=False)
            await listener.take()
            listener.given()
            channel.close(listener)

    asyncio.run(read_all())
    assert (shares.frames, shares.listeners) == (0, 0)


def test_the_share_of_a_socket_shrinks_with_their_number() -> None:
    shares = limits.Shares()
    assert shares.of_writes() == limits.MAX_WRITE_BYTES
    shares.listeners = 2000
    assert shares.of_writes() == limits.MIN_BACKLOG_BYTES


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit on Windows")
@pytest.mark.parametrize(("hard", "expected"), [(8192, 4096), (1024, 896), (200, 128)])
def test_descriptors_are_raised_as_far_as_the_system_lets(hard: int, expected: int) -> None:
    script = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (min({hard}, 256), {hard}))\n"
        "from secgemini_jupyter.local_server.limits import allowed_connections\n"
        "print(allowed_connections(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(expected), str(min(hard, 4096 + 128))]
