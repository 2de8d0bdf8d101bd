"""Evidence on its way up: read whole or refused, compared on arrival, removed by the index that the caller saw."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from secgemini_jupyter.client import files
from secgemini_jupyter.client.sync import InteractiveSession, SecGemini
from secgemini_jupyter.errors import AttachmentError, InputError
from secgemini_jupyter.settings import Settings
from tests.client.servers import Seen, as_json, web_server
from tests.conftest import LocalService

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def names(session: Any) -> list[str]:
    return [file.name for file in session.files]


def test_file_from_disk_arrives_under_its_name(session: Any, tmp_path: Path) -> None:
    path = tmp_path / "auth log ü.txt"
    path.write_bytes(b"failed password\n")
    attached = session.attach_file_from_disk(path)
    assert attached.name == "auth log ü.txt"
    assert attached.size == 16
    assert attached.sha256 == hashlib.sha256(b"failed password\n").hexdigest()
    session.attach_file_from_disk(str(path))
    assert names(session) == ["auth log ü.txt"] * 2
    session.refresh()
    assert names(session) == ["auth log ü.txt"] * 2


def test_type_is_the_services_word(session: Any) -> None:
    attached = session.attach_file("picture.bin", PNG, "text/plain")
    assert (attached.mime_type, attached.content_type_label) == ("image/png", "png")


@pytest.mark.parametrize("content", [b"", b"\0", bytes(range(256)) * 1000])
def test_any_bytes_arrive_unaltered(session: Any, content: bytes) -> None:
    assert session.attach_file("any.bin", content).size == len(content)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("../../.ssh/authorized_keys", "authorized_keys"),
        ("/etc/passwd", "passwd"),
        (r"C:\Windows\system.ini", "system.ini"),
        (r"\\host\share\x.log", "x.log"),
        ("CON", "CON"),
        ("<img src=x>.log", "<img src=x>.log"),
        ("x" * 255, "x" * 255),
    ],
)
def test_names_are_sent_without_folders(session: Any, given: str, sent: str) -> None:
    session.attach_file(given, b"x")
    assert names(session) == [sent]


@pytest.mark.parametrize("name", ["", "  ", ".", "..", "a/..", "a/", "nul\0byte", "x" * 300, "x\udcff", None, 7])
def test_names_that_are_none_are_refused(session: Any, name: Any) -> None:
    with pytest.raises(InputError, match="Nothing was sent"):
        session.attach_file(name, b"x")
    assert names(session) == []


@pytest.mark.parametrize("content", ["text", None, bytearray(b"x"), 5])
def test_content_that_is_no_bytes_is_refused(session: Any, content: Any) -> None:
    with pytest.raises(InputError, match="not bytes"):
        session.attach_file("a", content)


def test_what_is_no_regular_file_is_refused(session: Any, tmp_path: Path) -> None:
    """At once: nothing waits for a writer, nothing reads without end."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for path, reason in (
        (tmp_path / "missing.log", "There is no file"),
        (tmp_path / "dangling", "There is no file"),
        (tmp_path, "a folder"),
        (fifo, "a FIFO"),
        ("/dev/zero", "a device"),
        ("/proc/self/environ", "changed while"),
        (tmp_path / "loop", "cannot be read"),
        (tmp_path / "nul\0", "cannot be read"),
        (tmp_path / ("n" * 300), "cannot be read"),
    ):
        with pytest.raises(AttachmentError, match=f"(?s){reason}.*Nothing was sent"):
            session.attach_file_from_disk(path)
    assert names(session) == []


@pytest.mark.parametrize("path", [None, 7, "~no-such-user-here/x"])
def test_what_is_no_path_is_refused(session: Any, path: Any) -> None:
    with pytest.raises(InputError, match="Nothing was sent"):
        session.attach_file_from_disk(path)


def test_name_on_disk_that_is_no_text(session: Any, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.log"
    Path(os.fsdecode(path)).write_bytes(b"x")
    with pytest.raises(InputError, match="another name"):
        session.attach_file_from_disk(os.fsdecode(path))


def test_growing_file_is_refused_or_whole(tmp_path: Path) -> None:
    """Never a part that the caller takes for all: what is read has the size that the file had before and after."""
    path = tmp_path / "growing.log"
    path.write_bytes(b"x" * 200_000)
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"y")

    writer = threading.Thread(target=grow)
    writer.start()
    refused, deadline = 0, time.monotonic() + 60
    try:
        while not refused and time.monotonic() < deadline:
            try:
                _, content = files.read_from_disk(path, 100_000_000)
            except AttachmentError as error:
                refused += "changed while it was read" in str(error)
            else:
                assert len(content) >= 200_000
    finally:
        stop.set()
        writer.join()
    assert refused


def test_too_large_is_refused_before_it_is_read(shell: Any, local_service: LocalService, tmp_path: Path) -> None:
    settings = Settings(base_url=local_service.http, websocket_url=local_service.ws, max_attachment_bytes=1000)
    session = shell(local_service.key, settings=settings).create_session()
    huge = tmp_path / "huge.log"
    with huge.open("wb") as file:
        file.truncate(10**12)  # a sparse terabyte
    with pytest.raises(AttachmentError, match="at most 1,000"):
        session.attach_file_from_disk(huge)
    with pytest.raises(AttachmentError, match="at most 1,000"):
        session.attach_file("a.log", b"x" * 1001)
    assert session.attach_file("a.log", b"x" * 1000).size == 1000
    session.delete()


def test_what_this_process_sent_is_verified_and_nothing_else(client: Any, session: Any) -> None:
    attached = session.attach_file("a.log", b"a")
    assert session.is_verified(attached)
    resumed = client.resume_session(session.id)
    assert resumed.files == [attached]
    assert not resumed.is_verified(attached)


def meanwhile(session: Any, path: str, do: Callable[[], object]) -> None:
    """Have another thread, as it were, do something when the next request to `path` was served and not yet told."""
    client = session._client
    send = client._send

    def intercept(request: Any) -> Any:
        result = send(request)
        if request.path == path:
            client._send = send
            do()
        return result

    client._send = intercept


@pytest.fixture
def twins(local_service: LocalService) -> Iterator[tuple[Any, Any]]:
    """A session, and the same one as another thread has it: one snapshot, connections of their own."""
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session()
        with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as other:
            yield session, InteractiveSession(other, session._state)
        session.delete()


def test_a_session_read_while_a_file_was_under_way_has_it_once(twins: tuple[Any, Any]) -> None:
    session, other = twins
    for count in (1, 2):
        meanwhile(session, "/v1/session/attach_file", other.refresh)
        session.attach_file("a.log", b"a")
        assert names(session) == ["a.log"] * count
    session.attach_file("b.log", b"b")
    meanwhile(session, "/v1/session/detach_file", other.refresh)
    session.detach_file(0)
    assert names(session) == ["a.log", "b.log"]


def test_a_file_that_came_while_the_session_was_read_or_renamed_is_not_lost(twins: tuple[Any, Any]) -> None:
    session, other = twins
    meanwhile(session, "/v1/session/get", lambda: other.attach_file("a.log", b"a"))
    session.refresh()
    assert names(session) == ["a.log"]
    meanwhile(session, "/v1/session/update", lambda: other.attach_file("b.log", b"b"))
    session.update(name="renamed")
    assert (session.name, names(session)) == ("renamed", ["a.log", "b.log"])


def test_file_altered_in_transit_is_noticed(shell: Any, local_service: LocalService) -> None:
    """What the service would analyse is not what was given: the error says both hashes and how to remove it."""

    def answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        body = json.loads(seen.body)
        data = {"name": body["filename"], "size": 3, "sha256": "0" * 64, "mime_type": "text/plain"}
        return as_json({"ok": True, "status_code": 200, "status_message": "", "data": data})

    session = shell(local_service.key, base_url=local_service.http, websocket_url=local_service.ws).create_session()
    with web_server(answer) as proxy:
        altering = shell(local_service.key, base_url=proxy.url, websocket_url=local_service.ws)
        twin = session.twin if hasattr(session, "twin") else session
        twin._client = altering.twin if hasattr(altering, "twin") else altering
        with pytest.raises(AttachmentError, match=r"0{64}.*detach_file\(0\)"):
            session.attach_file("a.log", b"abc")


# --- detach: the table of protocol section 7 ---


def test_detach_by_index_as_the_service_does_it(session: Any, client: Any) -> None:
    for name in ("pdf", "png", "jpeg"):
        session.attach_file(name, name.encode())
    for index, left in (
        (3, ["pdf", "png", "jpeg"]),
        (-1, ["pdf", "png", "jpeg"]),
        (1, ["pdf", "jpeg"]),
        (2, ["pdf", "jpeg"]),
        (0, ["jpeg"]),
        (1, ["jpeg"]),
        (0, []),
        (0, []),
    ):
        if names(session) == left:
            with pytest.raises(InputError, match="Nothing was detached"):
                session.detach_file(index)
        else:
            session.detach_file(index)
        assert names(session) == left
        assert names(client.resume_session(session.id)) == left


def test_detach_takes_both_forms(session: Any) -> None:
    for name in "abcd":
        session.attach_file(name, name.encode())
    session.detach_file(session.id, 3)
    session.detach_file(session_id=session.id, file_idx=2)
    session.detach_file(session.id, file_idx=1)
    session.detach_file(file_idx=0)
    assert names(session) == []


@pytest.mark.parametrize("arguments", [("another-session", 0), (0, 0), ("0",), (None,), (1.0,), (True,), (), (1, 2, 3)])
def test_detach_refuses_what_it_cannot_tell(session: Any, arguments: tuple[Any, ...]) -> None:
    session.attach_file("a", b"a")
    with pytest.raises(InputError):
        session.detach_file(*arguments)
    session.refresh()
    assert names(session) == ["a"]


def test_detach_refuses_when_the_list_changed(session: Any, client: Any) -> None:
    """Index 0 would be another file than the caller saw."""
    session.attach_file("first", b"1")
    session.attach_file("second", b"2")
    client.resume_session(session.id).detach_file(0)
    with pytest.raises(InputError, match=r"changed meanwhile.*0: 'second'"):
        session.detach_file(0)
    assert names(session) == ["second"]
    session.detach_file(0)
    assert names(session) == []
