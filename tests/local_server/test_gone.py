"""What must not be on disk is in no file: of the data folder, a temporary one, or one open without a name."""

from __future__ import annotations

import base64
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from secgemini_jupyter.errors import Secret
from secgemini_jupyter.local_server import app, serve
from secgemini_jupyter.local_server.app import Service
from secgemini_jupyter.local_server.engines import Engines
from secgemini_jupyter.local_server.store import Store
from tests.local_server.conftest import KEY, Api

CANARY = "canary-4f1d"
LOGIN = "Nov 30 10:00:01 web sshd[1]: Failed password for invalid user {canary}-user from 198.51.100.7 port 22 ssh2\n"


def files_with(text: str, *folders: Path, pid: int | None = None) -> list[str]:
    """Files below the folders, and files that a process and its children have open, deleted ones too, that hold `text`.

    Prompts and names are stored as they are; a file's bytes are, too.
    """
    paths = [path for folder in folders for path in [folder, *folder.rglob("*")] if path.is_file()]
    if pid is not None and Path("/proc/self/fd").exists():
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            paths += [path for path in Path(f"/proc/{each.pid}/fd").iterdir() if path.exists() and path.is_file()]
    return [str(path) for path in paths if text.encode() in path.read_bytes()]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """Folders of the test's own for all that a program might write elsewhere."""
    names = {
        "TMPDIR": "tmp",
        "SQLITE_TMPDIR": "tmp",
        "HOME": "home",
        "XDG_CACHE_HOME": "home",
        "JUPYTER_DATA_DIR": "jd",
    }
    for name in names.values():
        (tmp_path / name).mkdir(exist_ok=True)
    return {name: str(tmp_path / folder) for name, folder in names.items()}


def upload(session_id: str, name: str, content: bytes) -> dict[str, str]:
    return {"session_id": session_id, "filename": name, "content": base64.b64encode(content).decode()}


def fill(api: Api, session_id: str) -> None:
    """All that a user may put into a session, with the canary in each."""
    content = LOGIN.format(canary=CANARY).encode() * 20_000
    assert api.post("/v1/session/attach_file", upload(session_id, f"{CANARY}.log", content))["ok"]
    assert api.post("/v1/session/update", {"id": session_id, "description": f"{CANARY}-description"})["ok"]
    frames = api.ask(session_id, f"Which users failed to log in? {CANARY}-prompt")
    assert frames[-1]["state"] == "end"
    report = {"session_id": session_id, "type": "bug_report", "score": 0, "comment": f"{CANARY}-comment"}
    assert api.post("/v1/session/feedback", report)["ok"]


def test_a_session_without_retention_is_in_no_file_while_it_lives_and_after_a_kill(
    start: Callable[..., Any], tmp_path: Path, places: dict[str, str]
) -> None:
    server = start("--engine", "analyst", **places)
    model = {"model_string": "local-analyst-1"}
    hidden = server.api.register(can_log=False, name=f"{CANARY}-name", model=model)
    fill(server.api, hidden)
    assert CANARY in server.api.get("/v1/session/get", session_id=hidden)["description"]
    kept = server.api.register(model=model)
    server.api.ask(kept, "What is CVE-2021-44228?")  # SQLite's file and log are in use
    assert files_with("CVE-2021-44228", tmp_path), "files are searched"
    assert files_with(CANARY, tmp_path, pid=server.popen.pid) == []
    server.api.post("/v1/session/detach_file", {"session_id": hidden, "file_idx": 0})
    server.api.post("/v1/session/delete", {"id": hidden})
    server.end(signal.SIGKILL)
    assert files_with(CANARY, tmp_path) == []
    again = start("--engine", "analyst", **places)
    assert files_with(CANARY, tmp_path, pid=again.popen.pid) == []


@pytest.mark.parametrize("how", ["delete", "kill and restart"])
def test_a_deleted_session_is_in_no_file(
    start: Callable[..., Any], tmp_path: Path, places: dict[str, str], how: str
) -> None:
    server = start("--engine", "analyst", **places)
    session_id = server.api.register(name=f"{CANARY}-name", model={"model_string": "local-analyst-1"})
    fill(server.api, session_id)
    assert files_with(CANARY, server.data)
    if how != "delete":
        server.end(signal.SIGKILL)
        server = start("--engine", "analyst", **places)
    assert server.api.post("/v1/session/delete", {"id": session_id})["status_message"] == "Session deleted"
    assert files_with(CANARY, tmp_path, pid=server.popen.pid) == []


def test_a_detached_file_is_in_no_file_at_once(
    start: Callable[..., Any], tmp_path: Path, places: dict[str, str]
) -> None:
    server = start(**places)
    session_id = server.api.register()
    for name in ("first", CANARY, "last"):
        server.api.post("/v1/session/attach_file", upload(session_id, name, f"{name}-content ".encode() * 50_000))
    assert files_with(CANARY, server.data)
    server.api.post("/v1/session/detach_file", {"session_id": session_id, "file_idx": 1})
    assert files_with(CANARY, tmp_path, pid=server.popen.pid) == []
    assert files_with("last-content", tmp_path)
    assert [file["name"] for file in server.api.session(session_id)["files"]] == ["first", "last"]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Service, Api]]:
    """A server in a thread, so that a session's time can run out sooner than its TTL can be."""
    monkeypatch.setattr(app, "PURGE_INTERVAL", 0.05)
    listening = serve.bind("127.0.0.1", 0)
    host = f"127.0.0.1:{listening.getsockname()[1]}"
    service = Service(Store(tmp_path / "data"), Engines("echo"), Secret(KEY))
    server = serve.create_server(service, Secret(KEY), hosts=[host], origins=[])
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    api = Api(f"http://{host}", f"ws://{host}", KEY)
    with api.http:
        yield service, api
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def test_what_has_expired_is_in_no_file_without_a_restart(service: tuple[Service, Api], tmp_path: Path) -> None:
    running, api = service
    gone, kept = api.register(name=f"{CANARY}-name"), api.register(name="kept")
    fill(api, gone)
    api.ask(kept, "kept")
    assert files_with(CANARY, tmp_path)
    session = running.store.get(gone)
    assert session is not None
    session.expires = time.time() - 1
    assert api.session(gone) is None
    deadline = time.monotonic() + 20
    while files_with(CANARY, tmp_path, pid=os.getpid()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [each["id"] for each in api.get("/v1/session/list")] == [kept]
    assert files_with("kept", tmp_path)
