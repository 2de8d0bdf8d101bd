"""A disk without room, really: a small file system of its own that is filled up.

It takes root to mount one. Who is not becomes it in a namespace of their own, where the system lets them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from secgemini_jupyter import embedded
from secgemini_jupyter.errors import NetworkError

MIB = 2**20


class Disk:
    """A file system of 6 MiB, which can be filled to the last byte and given room again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            size = MIB
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    def free(self) -> None:
        self._ballast.unlink()


NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def succeeds(*command: str | Path) -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    return False


def mount(folder: Path, *before: str) -> bool:
    options = ("-t", "tmpfs", "-o", f"size={6 * MIB},mode=700", "tmpfs")
    return sys.platform == "linux" and succeeds(*before, "mount", *options, folder)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "data"
    folder.mkdir()
    if not mount(folder):
        pytest.skip("No file system can be mounted here: see the test of a namespace.")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_all_of_this_in_a_namespace_for_who_may_not_mount(tmp_path: Path) -> None:
    if mount(tmp_path):
        subprocess.run(["umount", tmp_path], check=True)
        pytest.skip("The other tests can mount a file system themselves.")
    if not mount(tmp_path, *NAMESPACE):
        pytest.skip("NOT CHECKED with a full disk: no file system can be mounted here. Run it as root on Linux.")
    inner = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path / 'inner'}",
        __file__,
    ]
    done = subprocess.run([*NAMESPACE, *inner], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 1 skipped" in done.stdout, "this one alone"


def checked(data: Path) -> None:
    """The database is whole, as SQLite itself sees it, and what it counts is there."""
    with contextlib.closing(sqlite3.connect(data / "sessions.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def upload(session_id: str, size: int) -> dict[str, str]:
    return {"session_id": session_id, "filename": "f", "content": base64.b64encode(os.urandom(size)).decode()}


def test_each_write_is_refused_clearly_changes_nothing_and_works_again_with_room(
    start: Callable[..., Any], disk: Disk
) -> None:
    server = start()
    api = server.api
    kept, other = api.register(name="kept"), api.register()
    api.ask(kept, "before")
    api.post("/v1/session/attach_file", upload(kept, 50_000))
    api.post("/v1/session/delete", {"id": other})  # empties SQLite's log, which has room for small writes else
    before, listed = api.session(kept), api.get("/v1/session/list")
    disk.fill()
    text = "x" * 60_000
    writes: dict[str, Any] = {
        "register": {"id": "new", "ttl": 300, "name": text, "model": {"model_string": "local-echo"}},
        "update": {"id": kept, "name": text, "description": text},
        "attach_file": upload(kept, 100_000),
        "detach_file": {"session_id": kept, "file_idx": 0},
        "feedback": {"session_id": kept, "type": "user_feedback", "score": 1, "comment": text},
        "delete": {"id": kept},
    }
    for name, body in writes.items():
        result = api.post(f"/v1/session/{name}", body)
        assert (result["ok"], result["status_code"]) == (False, 507), name
        assert result["status_message"] == "Not stored. The disk is full. Free some space, then try again.", name
    error, end = api.ask(kept, text)
    assert (error["status_code"], end["state"]) == (507, "end")
    assert error["content"] == "The turn could not be stored. The disk is full. Free some space, then try again."
    generated = api.post("/v1/session/generate", {"id": kept, "messages": [{"message_type": "query", "content": text}]})
    assert (generated["status_code"], generated["messages"][-1]["status_code"]) == (507, 507)
    assert (api.session(kept), api.get("/v1/session/list")) == (before, listed)

    disk.free()
    for name, body in writes.items():
        assert api.post(f"/v1/session/{name}", body)["ok"], name
    assert [session["id"] for session in api.get("/v1/session/list")] == ["new"]
    assert api.ask("new", "after")[-2]["content"] == "after"
    server.end(signal.SIGKILL)
    checked(disk.folder)


def test_a_logs_table_is_refused_in_the_same_words_and_goes_on_with_room(start: Callable[..., Any], disk: Disk) -> None:
    api = start().api
    chunk = {"logs_hash": "b" * 64, "can_log": True, "log_lines": ['{"a": "' + "x" * 50_000 + '"}\n'] * 20}
    new = {"logs_hash": "a" * 64, "can_log": "true"}
    api.post("/create_logs_table", None, logs_hash="b" * 64, can_log="true")
    disk.fill()
    for reply in (api.http.post("/create_logs_table", params=new), api.http.post("/upload_logs", json=chunk)):
        assert reply.status_code == 507
        assert reply.json()["detail"] == "Not stored. The disk is full. Free some space, then try again."
    disk.free()
    assert api.post("/create_logs_table", None, **new)["table_created"]
    assert api.post("/upload_logs", chunk)["inserted_log_lines"] == 20


@pytest.mark.parametrize("restart", [False, True])
def test_a_turn_that_is_cut_by_a_full_disk_is_closed_once_there_is_room(
    start: Callable[..., Any], disk: Disk, restart: bool
) -> None:
    server = start()
    session_id = server.api.register()
    with server.api.connect(session_id) as socket:
        server.api.send(socket, "[[delay=0.001]] [[messages=100000 bytes=5000]] never")
        seen = server.api.read_frames(socket, 20)
        disk.fill()
        seen += server.api.read_frames(socket)
    *messages, error, end = [json.loads(frame) for frame in seen]
    assert (error["status_code"], end["state"]) == (507, "end")
    stored = server.api.session(session_id)
    assert stored["messages"][1:] == messages, "what was sent was stored before, and the end could not be"
    assert stored["num_messages"] == len(messages) + 1
    if restart:
        server.end(signal.SIGKILL)
        disk.free()
        server = start()
    else:
        disk.free()
        assert server.api.ask(session_id, "next")[-2]["content"] == "next"
    after = server.api.session(session_id)
    closing = after["messages"][len(messages) + 1 :][:2]
    if restart:
        assert [(m["message_type"], m["state"]) for m in closing] == [("error", "undefined"), ("info", "end")]
    else:
        assert closing == [error, end], "as they were told"
        assert after["messages"][len(messages) + 3]["content"] == "next"
    assert after["state"] == "end"
    assert after["num_messages"] == len(after["messages"])
    server.end()
    checked(disk.folder)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_start_on_a_full_disk_reads_what_is_stored_and_writes_once_there_is_room(
    start: Callable[..., Any], disk: Disk, how: signal.Signals
) -> None:
    """Killed, it leaves a log that is not in the database yet, else the database alone."""
    server = start()
    session_id = server.api.register()
    server.api.ask(session_id, "kept")
    before = server.api.session(session_id)
    server.end(how)
    disk.fill()
    server = start()
    assert server.api.session(session_id) == before
    error, _ = server.api.ask(session_id, "x" * 60_000)
    assert error["content"] == "The turn could not be stored. The disk is full. Free some space, then try again."
    disk.free()
    assert server.api.ask(session_id, "more")[-2]["content"] == "more"
    after = server.api.session(session_id)
    assert after["messages"][: len(before["messages"])] == before["messages"]
    server.end(signal.SIGKILL)
    checked(disk.folder)
    assert start().api.session(session_id) == after


def test_a_start_in_an_empty_folder_of_a_full_disk_says_so(disk: Disk) -> None:
    disk.fill()
    command = [sys.executable, "-m", "secgemini_jupyter.local_server", "--data", disk.folder / "new"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "The disk is full. Free some space" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("what", ["data", "runtime", "both"])
def test_the_embedded_service_says_that_the_disk_is_full(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    for name in ("runtime", "data"):
        monkeypatch.setenv(
            f"JUPYTER_{name.upper()}_DIR", str(disk.folder if what in (name, "both") else tmp_path / name)
        )
    disk.fill()
    with pytest.raises(NetworkError, match=r"disk.* is full\. Free some space"):
        embedded.ensure()
    assert embedded.find() is None
    assert not [path for path in disk.folder.rglob("*") if path.name.startswith(f"{embedded.FILE_NAME}.")]
    disk.free()
    embedded.ensure()
    assert embedded.stop()
