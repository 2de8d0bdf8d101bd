"""Attachments: what is stored of them, what is refused, how they are removed by index."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from secgemini_jupyter.errors import Secret
from secgemini_jupyter.local_server import app as app_module
from secgemini_jupyter.local_server.engines import Engines
from secgemini_jupyter.local_server.store import Store

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)
JPEG = b"\xff\xd8\xff\xe0" + bytes(30)


def attach(api: Any, session_id: str, filename: str, content: bytes, **more: Any) -> Any:
    body = {"session_id": session_id, "filename": filename, "content": base64.b64encode(content).decode()}
    return api.post("/v1/session/attach_file", body | more)


def detach(api: Any, session_id: str, index: int) -> Any:
    return api.post("/v1/session/detach_file", {"session_id": session_id, "file_idx": index})


def test_files_are_detached_by_index_as_the_official_test_walks_through(api: Any) -> None:
    session_id = api.register()
    for name, content in (("a.pdf", PDF), ("b.png", PNG), ("c.jpeg", JPEG)):
        attach(api, session_id, name, content)
    steps = [
        (3, False, "pdf png jpeg"),
        (-1, False, "pdf png jpeg"),
        (1, True, "pdf jpeg"),
        (2, False, "pdf jpeg"),
        (0, True, "jpeg"),
        (1, False, "jpeg"),
        (0, True, ""),
        (0, False, ""),
    ]
    for index, ok, left in steps:
        result = detach(api, session_id, index)
        assert (result["ok"], result["status_code"]) == (ok, 200 if ok else 400)
        assert [file["content_type_label"] for file in api.session(session_id)["files"]] == left.split()


def test_an_attachment_is_described_from_its_bytes_not_its_hint(api: Any) -> None:
    result = attach(api, api.register(), "report.txt", PDF, mime_type="text/plain")
    assert result["data"] == {
        "name": "report.txt",
        "size": len(PDF),
        "sha256": hashlib.sha256(PDF).hexdigest(),
        "mime_type": "application/pdf",
        "content_type_label": "pdf",
    }


def docx() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("word/document.xml", "<x/>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "mime_type", "label"),
    [
        (PNG, "x", "image/png", "png"),
        (JPEG, "x.exe", "image/jpeg", "jpeg"),
        (b"hello\n", "a.txt", "text/plain", "txt"),
        ("ü€😀".encode() * 20_000, "no suffix", "text/plain", "txt"),
        (b"a,b\n1,2\n", "a.CSV", "text/csv", "csv"),
        (b'{"a": 1}\n', "a.jsonl", "application/jsonl", "jsonl"),
        (b"MZ\x90\x00demo", "dropper.bin", "application/octet-stream", "unknown"),
        (b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0", "x.txt",
         "application/vnd.microsoft.portable-executable", "pebin"),
        (docx(), "x.zip", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
        (b"PK\x03\x04 no archive", "x.docx", "application/zip", "zip"),
        (b"\xff\xfe\x00\x01", "x.txt", "application/octet-stream", "unknown"),
        (b"", "x.pdf", "application/x-empty", "empty"),
    ],
)  # fmt: skip
def test_the_type_comes_from_the_content(api: Any, content: bytes, name: str, mime_type: str, label: str) -> None:
    data = attach(api, api.register(), name, content)["data"]
    assert (data["mime_type"], data["content_type_label"], data["size"]) == (mime_type, label, len(content))


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("../../.ssh/authorized_keys", "authorized_keys"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\x.dll", "x.dll"),
        ("\\\\host\\share\\y", "y"),
        ("a\x00b\x1b]52;c\u202e.txt", "a_b_]52;c_.txt"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_file_name_keeps_its_last_part_and_nothing_that_acts(api: Any, filename: str, name: str) -> None:
    assert attach(api, api.register(), filename, b"x")["data"]["name"] == name


def test_duplicate_names_are_kept_apart(api: Any) -> None:
    session_id = api.register()
    for content in (b"one", b"two"):
        attach(api, session_id, "same.txt", content)
    detach(api, session_id, 0)
    (left,) = api.session(session_id)["files"]
    assert left["sha256"] == hashlib.sha256(b"two").hexdigest()


@pytest.mark.parametrize("content", ["???", "YQ", "YQ==YQ==", "a b c d", "YWJj\n", "data:text/plain;base64,YQ=="])
def test_content_that_is_no_base64_is_a_failed_operation(api: Any, content: str) -> None:
    session_id = api.register()
    body = {"session_id": session_id, "filename": "x", "content": content}
    result = api.post("/v1/session/attach_file", body)
    assert (result["ok"], result["status_code"], result["data"]) == (False, 400, None)
    assert api.session(session_id)["files"] == []


def test_a_literal_data_prefix_is_an_empty_file(api: Any) -> None:
    body = {"session_id": api.register(), "filename": "empty.txt", "content": "data:"}
    assert api.post("/v1/session/attach_file", body)["data"]["size"] == 0


def test_an_attachment_needs_a_session(api: Any) -> None:
    assert attach(api, "0" * 32, "x", b"x")["status_code"] == 404
    assert detach(api, "0" * 32, 0)["status_code"] == 404


def test_an_attachment_of_100_megabytes_passes(api: Any) -> None:
    session_id = api.register(can_log=False)  # in memory: the test is about the limit, not about the disk
    largest = 100 * 2**20
    content = "A" * (largest // 3 * 4) + "AA=="
    body = f'{{"session_id": "{session_id}", "filename": "big.bin", "content": "{content}"}}'
    assert api.http.post("/v1/session/attach_file", content=body).json()["data"]["size"] == largest
    assert api.post("/v1/session/delete", {"id": session_id})["ok"]


@pytest.mark.anyio
async def test_an_attachment_above_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "MAX_ATTACHMENT_BYTES", 10)
    key = Secret("k" * 20)
    service = app_module.Service(Store(tmp_path), Engines("echo"), key)
    app = app_module.create_app(service, key, hosts=["here"])
    transport = httpx.ASGITransport(app)
    async with (
        service.running(app),
        httpx.AsyncClient(transport=transport, base_url="http://here", headers={"x-api-key": "k" * 20}) as client,
    ):
        await client.post("/v1/session/register", json={"id": "s", "ttl": 300, "model": {"model_string": "local-echo"}})
        for size, status in ((10, 200), (11, 413)):
            content = base64.b64encode(bytes(size)).decode()
            body = {"session_id": "s", "filename": "x", "content": content}
            reply = await client.post("/v1/session/attach_file", json=body)
            assert reply.status_code == status
        assert "10 bytes" in reply.json()["detail"]
        assert len((await client.get("/v1/session/list")).json()[0]["files"]) == 1
