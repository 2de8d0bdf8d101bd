"""The process: its first line, its end, what a crash leaves, what its folder holds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from secgemini_jupyter.errors import SettingsError
from secgemini_jupyter.local_server import serve as serve_module
from secgemini_jupyter.local_server.engines import Engines
from secgemini_jupyter.local_server.serve import bind


def test_the_first_line_names_an_address_that_answers(start: Callable[..., Any]) -> None:
    server = start()
    assert set(server.first_line) == {"http", "ws", "logs", "pid", "answers"}
    assert server.first_line["pid"] == server.popen.pid
    assert server.first_line["ws"] == "ws" + server.first_line["http"].removeprefix("http")
    assert httpx.get(server.first_line["http"] + "/health").status_code == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0_and_closes_turns_and_sockets(start: Callable[..., Any], how: Any) -> None:
    server = start()
    session_id = server.api.register()
    with server.api.connect(session_id) as socket:
        server.api.send(socket, "[[delay=30]] never")
        server.api.read_frames(socket, 1)
        server.popen.send_signal(how)
        error, end = server.api.read_turn(socket)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)
        assert socket.close_code == 1001
    assert (error["message_type"], error["status_code"], end["state"]) == ("error", 503, "end")
    assert server.end() == 0
    again = start()
    assert again.api.session(session_id)["messages"][-2:] == [error, end]


def test_after_a_kill_what_was_sent_is_stored_and_the_turn_is_closed(start: Callable[..., Any]) -> None:
    server = start()
    session_id, other = server.api.register(), server.api.register()
    finished = server.api.ask(other, "whole")
    with server.api.connect(session_id) as socket:
        server.api.send(socket, "[[messages=5000 bytes=300]] [[delay=0.0005]] lost")
        seen = [json.loads(frame) for frame in server.api.read_frames(socket, 300)]
        server.end(signal.SIGKILL)
    again = start()
    session = again.api.session(session_id)
    messages = session["messages"]
    assert messages[1 : 1 + len(seen)] == seen
    assert [m["state"] for m in messages].count("end") == 1
    assert (messages[-2]["message_type"], messages[-2]["status_code"]) == ("error", 500)
    assert (session["num_messages"], session["state"], session["turns"]) == (len(messages), "end", 1)
    assert again.api.session(other)["messages"][1:] == finished
    with again.api.connect(session_id) as socket:
        assert again.api.read_turn(socket) == messages[-2:]
    assert again.api.ask(session_id, "alive")[-2]["content"] == "alive"


def test_sessions_files_and_feedback_survive_a_restart(start: Callable[..., Any]) -> None:
    server = start()
    tool = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    session_id = server.api.register(name="kept", ttl=4242, local_tools=[tool])
    server.api.ask(session_id, "hello")
    server.api.post("/v1/session/attach_file", {"session_id": session_id, "filename": "a.txt", "content": "aGVsbG8="})
    before = server.api.session(session_id)
    assert server.end() == 0
    again = start()
    assert again.api.session(session_id) == before
    assert [session["id"] for session in again.api.get("/v1/session/list")] == [session_id]


def test_a_session_that_must_not_be_logged_leaves_nothing_in_any_file(start: Callable[..., Any]) -> None:
    server = start()
    session_id = server.api.register(can_log=False, name="incognito-name-canary")
    assert server.api.session(session_id)["can_log"] is False
    server.api.ask(session_id, "incognito-prompt-canary [[messages=3000 bytes=500]]")
    upload = {"session_id": session_id, "filename": "incognito-file-canary", "content": "Y2FuYXJ5LWNvbnRlbnQ="}
    server.api.post("/v1/session/attach_file", upload)
    comment = {"session_id": session_id, "type": "bug_report", "score": 0, "comment": "incognito-bug-canary"}
    server.api.post("/v1/session/feedback", comment)
    assert server.api.session(session_id)["num_messages"] > 3000
    logged = server.api.register()
    server.api.ask(logged, "logged-prompt")
    assert "logged-prompt" in contents(server.data)
    assert "canary" not in contents(server.data)
    server.end(signal.SIGKILL)
    assert "canary" not in contents(server.data) + server.log.read_text()
    again = start()
    assert again.api.session(session_id) is None
    assert again.api.session(logged) is not None


def test_a_deleted_session_leaves_no_byte_behind(start: Callable[..., Any]) -> None:
    server = start()
    session_id = server.api.register(name="delete-canary")
    server.api.ask(session_id, "delete-canary " * 2000)
    upload = {"session_id": session_id, "filename": "a", "content": "ZGVsZXRlLWNhbmFyeQ=="}
    server.api.post("/v1/session/attach_file", upload)
    assert "delete-canary" in contents(server.data)
    server.api.post("/v1/session/delete", {"id": session_id})
    assert "delete-canary" not in contents(server.data)


def contents(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return "".join(path.read_bytes().decode("latin-1") for path in files)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_the_data_is_readable_by_its_owner_alone(start: Callable[..., Any]) -> None:
    server = start()
    server.api.ask(server.api.register(), "hello")
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in server.data.iterdir()} == {0o600}


def test_what_cannot_be_served_is_one_clear_line_and_status_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "secgemini_jupyter.local_server", "--port", port, "--data", tmp_path]
        environ = {**os.environ, "SECGEMINI_SERVE_API_KEY": "k" * 20}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert port in line


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("127.0.0.1", -1), ("host.invalid", 0)])
def test_an_address_that_cannot_be_used_is_refused_by_name(host: str, port: int) -> None:
    with pytest.raises(SettingsError, match=str(port) if port else host):
        bind(host, port)


@pytest.mark.parametrize("engine", ["openai", "nonsense"])
def test_an_engine_that_is_not_there_is_refused_by_name(engine: str) -> None:
    with pytest.raises(SettingsError, match=engine):
        Engines(engine)


@pytest.mark.parametrize("origin", ["*", "https://*", "null", "https://a.example/path", "hub.example", "https://"])
def test_an_origin_that_is_none_is_refused_at_the_start(tmp_path: Path, origin: str) -> None:
    with pytest.raises(SettingsError, match="allow-origin"):
        serve_module.serve(data=tmp_path, allow_origin=[origin])


def test_the_key_comes_from_the_file_before_the_environment(start: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("  key-in-a-file-0123\n")
    path.chmod(0o600)
    server = start("--api-key-file", str(path))
    url = server.api.http_url + "/v1/user/info"
    assert httpx.get(url, headers={"x-api-key": "key-in-a-file-0123"}).status_code == 200
    assert server.api.http.get("/v1/user/info").status_code == 401


def test_without_a_key_a_random_one_is_used_and_shown_nowhere(start: Callable[..., Any]) -> None:
    server = start(SECGEMINI_SERVE_API_KEY="")
    assert httpx.get(server.api.http_url + "/v1/user/info", headers={"x-api-key": ""}).status_code == 401
    assert "--api-key-file" in server.log.read_text()


def test_it_ends_after_the_idle_time_but_not_during_a_turn_or_with_a_socket(start: Callable[..., Any]) -> None:
    server = start("--idle-timeout", "0.5")
    session_id = server.api.register()
    with server.api.connect(session_id):
        time.sleep(0.8)
        assert server.popen.poll() is None
    with server.api.connect(session_id) as socket:
        server.api.send(socket, "[[delay=0.25]] slow")
        server.api.read_frames(socket, 1)
    time.sleep(0.8)
    assert server.popen.poll() is None, "the turn was under way"
    assert server.popen.wait(5) == 0


def test_another_address_than_loopback_is_warned_about(start: Callable[..., Any]) -> None:
    server = start("--host", "0.0.0.0")
    port = server.first_line["http"].rpartition(":")[2]
    assert "other machines" in server.log.read_text()
    assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    assert httpx.get(f"http://127.0.0.1:{port}/health", headers={"host": f"evil.example:{port}"}).status_code == 403


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
def test_worker_processes_would_inherit_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECGEMINI_SERVE_API_KEY", "x" * 20)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("HARMLESS_SETTING", "kept")
    serve_module._drop_credentials()
    child = subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"], capture_output=True, text=True)
    assert "HARMLESS_SETTING" in child.stdout
    assert "SERVE_API_KEY" not in child.stdout
    assert "AWS_SECRET" not in child.stdout


def test_an_expired_session_is_gone_at_once_and_purged_at_the_next_start(start: Callable[..., Any]) -> None:
    server = start()
    session_id = server.api.register(name="expired-canary")
    server.end()
    with contextlib.closing(sqlite3.connect(server.data / "sessions.sqlite3")) as database:
        database.execute("UPDATE sessions SET expires = 1")
        database.commit()
    again = start()
    assert again.api.session(session_id) is None
    assert again.api.get("/v1/session/list") == []
    assert "expired-canary" not in contents(again.data)
