"""A log on its way up: refused before anything is sent, sent in whole lines, continued where it broke off."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from secgemini_jupyter import SecGemini, Settings
from secgemini_jupyter.client import scanning
from secgemini_jupyter.client.aio import AsyncSecGemini
from secgemini_jupyter.client.ledger import Ledger
from secgemini_jupyter.errors import (
    AttachmentError,
    InputError,
    NetworkError,
    Secret,
    ServiceError,
    SessionNotFoundError,
    SettingsError,
)
from tests.client.servers import Seen, WebServer, as_json, web_server
from tests.client.test_wire import PLAIN_KEY, service
from tests.conftest import LocalService


def hash_of(content: bytes) -> str:
    return hashlib.blake2s(content, key=b"secgemini").hexdigest()


def log_of(lines: int, **more: Any) -> bytes:
    return b"".join(json.dumps({"n": n, "host": f"web-{n % 3}"} | more).encode() + b"\n" for n in range(lines))


@pytest.fixture
def chunked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 500 bytes."""
    monkeypatch.setattr(scanning, "CHUNK_BYTES", 500)


@pytest.fixture(autouse=True)
def _fresh_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setattr(Ledger, "_in_memory", {})
    monkeypatch.setattr("secgemini_jupyter.protocol.requests.FIRST_PAUSE", 0.001)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "evidence.jsonl"


# --- what is in the file ---


@pytest.mark.parametrize("size", [500, 7, 1])
def test_chunks_are_whole_lines_and_together_the_log(size: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Multi-byte characters on borders, empty lines, CR LF, U+2028 in a text, a long line, no newline at the end."""
    monkeypatch.setattr(scanning, "CHUNK_BYTES", size)
    long, broad = '{"c": "' + "x" * 3_000 + '"}\n', '{"a": "' + "ü€😀" * 9 + '"}\r\n'
    lines = [broad, "\n", '{"b": "\u2028\u0085\x0b"}\n', long, "last"]
    path.write_bytes("".join(lines).encode())
    found = scanning.scan(path)
    assert (found.hash, found.lines, found.size) == (hash_of(path.read_bytes()), 5, path.stat().st_size)
    read = [found.read(chunk) for chunk in found.chunks]
    assert [line for lines_of_one in read for line in lines_of_one] == lines
    assert [chunk.first_line for chunk in found.chunks] == [sum(map(len, read[:at])) for at in range(len(read))]
    assert all(chunk.size <= size or chunk.lines == 1 for chunk in found.chunks)


def test_mark_of_byte_order_is_hashed_and_not_sent(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\n')
    found = scanning.scan(path)
    assert found.hash == hash_of(path.read_bytes())
    assert found.read(found.chunks[0]) == ['{"a": 1}\n']


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (gzip.compress(b'{"a": 1}\n', mtime=0), "is gzip: unpack it first"),
        ('{"a": 1}\n'.encode("utf-16"), "is UTF-16 text"),
        (b"PK\x03\x04rest", "is a zip archive"),
        (b'{"a": 1}\n' * 99 + b'{"a": "\xff"}\n{"a": 2}\n', "Line 100 of .* is no UTF-8 text"),
        (b'{"a": 1}\n{"a": "\0"}\n', "Line 2 of .* holds a NUL byte"),
        (b"a,b\n1,2\n", "holds no JSON Lines"),
        (b'[{"a": 1}]\n', "holds no JSON Lines.*jq -c '.\\[\\]' FILE of a list"),
        (b'{\n "a": {}\n}\n{\n "a": {}\n}\n', "holds no JSON Lines.*jq -c . FILE"),
        (b'[\n{"a": 1},\n{"a": 2}\n]\n', "holds no JSON Lines"),
        (b"1\n2\n", "holds no JSON Lines"),
        (b"\n\n\n", "holds no JSON Lines"),
        (b'{"a": "' + b"x" * 2_000_000 + b'"}', "Line 1 of .* is longer than"),
        (b'{"a": "the-key-of-a-user-0123456789"}\n', "holds the API key"),
    ],
    ids="empty gzip utf-16 zip latin-1 nul csv array pretty list numbers blank long key".split(),
)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    content: bytes, reason: str, path: Path, monkeypatch: pytest.MonkeyPatch, chunked: None
) -> None:
    monkeypatch.setattr(scanning, "MAX_LINE_BYTES", 2**20)
    key = Secret("the-key-of-a-user-0123456789")
    path.write_bytes(content)
    with pytest.raises(AttachmentError, match=reason) as refused:
        scanning.scan(path)
    assert "Nothing was sent" in str(refused.value)
    assert key.reveal() not in str(refused.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for given in (tmp_path / "none", tmp_path, "/dev/zero", "a\0b"):
        with pytest.raises(AttachmentError, match="Nothing was sent"):
            scanning.scan(given)
    with pytest.raises(InputError, match="Nothing was sent"):
        scanning.scan(None)  # type: ignore[arg-type]


def test_first_lines_may_be_damaged(path: Path) -> None:
    path.write_bytes(b'7}\n\n{"a": 1}\n')
    assert scanning.scan(path).lines == 3


def test_lines_that_are_no_objects_are_told(shell: Any, path: Path, chunked: None) -> None:
    """What another writer takes for JSON is an object, too."""
    path.write_bytes(log_of(50) + b'{"a": NaN}\n{"a": "\\ud800"}\n\n{"a":\n17\n' + log_of(50))
    with web_server(Processor()) as web:
        session = Processor().session(shell, web)
        with pytest.warns(UserWarning, match=r"2 of 105 lines are no JSON object, line 54 is the first") as warned:
            session.upload_and_attach_logs(path)
    assert len(warned) == 1


@pytest.mark.parametrize("old", ["n", "a.b", "c.d", "ü/ß", 'q"'])
def test_field_of_a_mapping_is_found_wherever_it_is(old: str, path: Path, chunked: None) -> None:
    odd = b'{"a":{"b" : 1}, "\\u00FC\\/\xc3\x9f":2, "q\\"":3, "c.d":4}\n'
    path.write_bytes(log_of(50) + odd + log_of(50))
    assert scanning.scan(path, [old]).lines == 101


def test_field_of_a_mapping_that_no_line_has_is_refused(path: Path) -> None:
    """The names of a table's fields are given once."""
    path.write_bytes(b'{"a": 1, "host": "none"}\n')
    with pytest.raises(InputError, match=r"'hots', and no line of .* there is 'host'. Nothing was sent"):
        scanning.scan(path, ["a", "hots"])
    with pytest.raises(InputError, match="there is 'a', 'host'"):
        scanning.scan(path, ["none"])


# --- to our local service ---


def test_log_is_uploaded_once_to_the_local_service(session: Any, path: Path, chunked: None) -> None:
    """Its logs processor is found without being set."""
    path.write_bytes(log_of(100))
    assert session.upload_and_attach_logs(path) == 100
    assert session.logs_table.blake2s == hash_of(path.read_bytes())
    session.refresh()
    assert session.logs_table.blake2s == hash_of(path.read_bytes())
    assert session.upload_and_attach_logs(str(path)) == 0


def test_upload_goes_on_where_another_stopped(
    session: Any, local_service: LocalService, path: Path, chunked: None
) -> None:
    """Also inside of a chunk, and where another client left out the last line."""
    content = log_of(100, more="yes").removesuffix(b"\n")
    path.write_bytes(content)
    headers = {"x-api-key": local_service.key}
    table = {"logs_hash": hash_of(content), "can_log": "true"}
    with httpx.Client(base_url=local_service.logs, headers=headers) as http:
        http.post("/create_logs_table", params=table)
        lines = content.decode().splitlines(keepends=True)[:33]
        http.post("/upload_logs", json={"logs_hash": table["logs_hash"], "can_log": True, "log_lines": lines})
        assert session.upload_and_attach_logs(path) == 67
        state = http.post("/create_logs_table", params=table).json()
    assert (state["log_lines"], state["is_complete"]) == (100, True)


def test_other_names_for_fields_rename_those_of_the_table(
    session: Any, local_service: LocalService, path: Path, chunked: None
) -> None:
    path.write_bytes(log_of(30, own="names"))
    table = {"logs_hash": hash_of(path.read_bytes()), "can_log": "true"}

    def names() -> Any:
        reply = httpx.post(
            local_service.logs + "/create_logs_table", params=table, headers={"x-api-key": local_service.key}
        )
        return reply.json()["custom_fields_mapping"]

    assert session.upload_and_attach_logs(path, {"machine": "host"}) == 30
    with pytest.warns(UserWarning, match="keep the names that they have: {'machine': 'host'}"):
        assert session.upload_and_attach_logs(path) == 0
    assert names() == {"machine": "host"}
    with pytest.warns(UserWarning, match="are renamed, in all sessions"):
        assert session.upload_and_attach_logs(path, {"number": "n"}) == 0
    assert names() == {"number": "n"}
    for mapping in ({"a": ""}, {"a": 1}, ["a"]):
        with pytest.raises(InputError, match="Nothing was sent"):
            session.upload_and_attach_logs(path, mapping)


def test_table_that_is_not_there_is_not_attached(session: Any) -> None:
    with pytest.raises(ServiceError, match=r"Logs table not found.*upload_and_attach_logs") as refused:
        session.attach_logs("e" * 64)
    assert refused.value.status == 404
    assert session.logs_table is None
    with pytest.raises(InputError):
        session.attach_logs(None)


def test_without_retention_it_stays_in_memory(client: Any, local_service: LocalService, path: Path) -> None:
    path.write_bytes(log_of(5, secret="canary-in-a-log"))
    session = client.create_session("unretained", enable_logging=False)
    assert session.upload_and_attach_logs(path) == 5
    session.delete()
    assert not list((local_service.data / "logs").glob(f"{hash_of(path.read_bytes())}*"))


def test_progress_bar_counts_bytes(session: Any, path: Path, chunked: None, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(log_of(60, bar=True))
    session.upload_and_attach_logs(path)
    assert capsys.readouterr().err == ""
    session.upload_and_attach_logs(path, progress=True)
    assert f"{path.stat().st_size / 1000:.2f}k/{path.stat().st_size / 1000:.2f}k" in capsys.readouterr().err


def test_reading_does_not_hold_up_the_loop(
    local_service: LocalService, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(log_of(10, slow="reading"))
    threads = []
    for name in ("_identity", "_digest"):
        whole = getattr(scanning, name)

        def seen(*given: Any, whole: Callable[..., Any] = whole) -> Any:
            threads.append(threading.current_thread())
            return whole(*given)

        monkeypatch.setattr(scanning, name, seen)

    async def run() -> int:
        async with AsyncSecGemini(
            local_service.key, base_url=local_service.http, websocket_url=local_service.ws
        ) as client:
            session = await client.create_session()
            inserted = await session.upload_and_attach_logs(path)
            await session.delete()
        return inserted

    assert asyncio.run(run()) == 10
    assert threads
    assert threading.current_thread() not in threads


# --- to a logs processor that tells nothing, as the service's own ---


class Processor:
    """Takes chunks; may fail at one of them, before or after it was inserted."""

    def __init__(self) -> None:
        self.tables: dict[str, list[str]] = {}
        self.fail_at: int | None = None
        self.failure: str = ""
        self.uploads = 0

    def __call__(self, seen: Seen) -> tuple[int, dict[str, str], bytes]:
        target = urlsplit(seen.target)
        if target.path == "/create_logs_table":
            logs_hash = parse_qs(target.query)["logs_hash"][0]
            created = logs_hash not in self.tables
            self.tables.setdefault(logs_hash, [])
            return as_json({"table_created": created})
        if target.path == "/upload_logs":
            body = json.loads(seen.body)
            self.uploads += 1
            if self.uploads == self.fail_at:
                if self.failure == "refused":
                    return as_json({"detail": "slow down"}, 429)
                if self.failure == "inserted, then lost":
                    self.tables[body["logs_hash"]] += body["log_lines"]
                return as_json({"detail": "upstream"}, 502)
            self.tables[body["logs_hash"]] += body["log_lines"]
            return as_json({"inserted_log_lines": len(body["log_lines"])})
        return service(seen)

    def session(self, shell: Any, web: WebServer) -> Any:
        settings = Settings(base_url=web.url, websocket_url="ws://127.0.0.1:9", logs_processor_url=web.url)
        return shell(PLAIN_KEY, settings=settings).resume_session("s1")


def test_refused_chunk_is_sent_again_by_another_process(
    shell: Any, path: Path, chunked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(log_of(100))
    processor = Processor()
    processor.fail_at, processor.failure = 3, "refused"
    with web_server(processor) as web:
        with pytest.raises(
            ServiceError, match=r"\d+ of 100 lines of the log are there: call upload_and_attach_logs again"
        ):
            processor.session(shell, web).upload_and_attach_logs(path)
        monkeypatch.setattr(Ledger, "_in_memory", {})
        session = processor.session(shell, web)
        inserted = session.upload_and_attach_logs(path)
        assert session.upload_and_attach_logs(path) == 0, "it is known to be whole"
    (lines,) = processor.tables.values()
    assert "".join(lines).encode() == path.read_bytes()
    assert 0 < inserted < 100


@pytest.mark.parametrize("failure", ["inserted, then lost", "lost"])
def test_chunk_in_doubt_is_neither_sent_twice_nor_left_out_silently(
    shell: Any, path: Path, chunked: None, failure: str
) -> None:
    path.write_bytes(log_of(100))
    processor = Processor()
    processor.fail_at, processor.failure = 3, failure
    with web_server(processor) as web:
        session = processor.session(shell, web)
        with pytest.raises(ServiceError, match=r"502.*\d+ to \d+ of 100 lines .*does not say.*attach_logs\(") as broken:
            session.upload_and_attach_logs(path)
        assert "again, it goes on" not in str(broken.value)
        assert processor.uploads == 3
        with pytest.raises(AttachmentError, match=r"lines \d+ to \d+ of 100 may have arrived or not.*attach_logs\("):
            session.upload_and_attach_logs(path)
        assert processor.uploads == 3
        session.attach_logs(hash_of(path.read_bytes()))


def test_table_that_somebody_else_made_is_told_as_unknown(shell: Any, path: Path) -> None:
    path.write_bytes(log_of(10))
    processor = Processor()
    processor.tables[hash_of(path.read_bytes())] = []
    with web_server(processor) as web:
        session = processor.session(shell, web)
        with pytest.warns(UserWarning, match="does not say how many of its 10 lines"):
            assert session.upload_and_attach_logs(path) == 0
    assert processor.uploads == 0


def test_file_that_changes_while_it_is_sent_is_given_up(shell: Any, path: Path, chunked: None) -> None:
    path.write_bytes(log_of(100))
    processor = Processor()

    def changing(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        if "/upload_logs" in seen.target and processor.uploads == 1:
            path.write_bytes(path.read_bytes().replace(b"web-1", b"web-9"))
        return processor(seen)

    with web_server(changing) as web, pytest.raises(AttachmentError, match="changed while it was sent") as refused:
        processor.session(shell, web).upload_and_attach_logs(path)
    assert str(refused.value).endswith("Copy it first, then send the copy."), "it is another log now"
    (lines,) = processor.tables.values()
    assert not any("web-9" in line for line in lines)


def test_service_without_logs_processor_is_told(shell: Any, path: Path) -> None:
    path.write_bytes(log_of(1))
    with web_server(service) as web:
        session = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9").resume_session("s1")
        with pytest.raises(SettingsError, match="SEC_GEMINI_LOGS_PROCESSOR_API_URL"):
            session.upload_and_attach_logs(path)


def test_variable_goes_before_the_local_service(
    local_service: LocalService, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(log_of(2, where="elsewhere"))
    processor = Processor()
    with web_server(processor) as web:
        monkeypatch.setenv("SEC_GEMINI_LOGS_PROCESSOR_API_URL", web.url)
        with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
            session = client.create_session()
            with pytest.raises(ServiceError, match="Logs table not found"):  # it has it, the service does not
                session.upload_and_attach_logs(path)
            session.delete()
    assert processor.uploads == 1


def test_lost_replies_of_the_local_service_insert_nothing_twice(
    local_service: LocalService, path: Path, chunked: None
) -> None:
    """Every second reply is lost, after the chunk was stored."""
    path.write_bytes(log_of(100, lost="replies"))
    count = 0

    def losing(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        nonlocal count
        reply = httpx.request(
            seen.method, local_service.http + seen.target, content=seen.body, headers={"x-api-key": local_service.key}
        )
        count += "/upload_logs" in seen.target
        if "/upload_logs" in seen.target and count % 2:
            return as_json({"detail": "lost"}, 502)
        return reply.status_code, {"content-type": "application/json"}, reply.content

    with web_server(losing) as web:
        client = SecGemini(local_service.key, base_url=web.url, websocket_url=local_service.ws)
        with client:
            session = client.create_session()
            assert session.upload_and_attach_logs(path) == 100, "each of them was inserted by this call"
            state = httpx.post(
                local_service.logs + "/create_logs_table",
                params={"logs_hash": hash_of(path.read_bytes()), "can_log": "true"},
                headers={"x-api-key": local_service.key},
            ).json()
            session.delete()
    assert (state["log_lines"], state["is_complete"]) == (100, True)


def test_interrupt_leaves_it_resumable(
    local_service: LocalService, path: Path, chunked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(log_of(100, interrupted=True))
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session()
        send, sent = client._send, []

        def interrupted(request: Any, *given: Any) -> Any:
            sent.append(request.path)
            if sent.count("/upload_logs") == 3:
                raise KeyboardInterrupt
            return send(request, *given)

        with monkeypatch.context() as patch:
            patch.setattr(client, "_send", interrupted)
            with pytest.raises(KeyboardInterrupt) as stopped:
                session.upload_and_attach_logs(path)
        (note,) = stopped.value.__notes__
        assert re.match(r"\d\d to \d\d of 100 lines of the log are there: call upload_and_attach_logs again", note)
        assert session.logs_table is None
        assert 0 < session.upload_and_attach_logs(path) < 100
        assert session.logs_table is not None
        session.delete()


def test_activity_log_tells_of_it(session: Any, path: Path) -> None:
    path.write_bytes(log_of(4, noted=True))
    session.upload_and_attach_logs(path)
    table = session.activity()
    (row,) = table[table["activity"] == "logs_uploaded"].to_dict("records")
    assert "logs_attached" in set(table["activity"])
    details = json.loads(row["details"])
    assert details["lines"] == details["inserted"] == 4
    assert (details["name"], details["status"]) == ("evidence.jsonl", "ok")


def test_connection_that_fails_tells_how_far_it_came(shell: Any, path: Path, chunked: None) -> None:
    path.write_bytes(log_of(100))
    processor = Processor()
    with web_server(processor) as web:
        settings = Settings(
            base_url=web.url, websocket_url="ws://127.0.0.1:9", logs_processor_url="http://127.0.0.1:9", retries=0
        )
        session = shell(PLAIN_KEY, settings=settings).resume_session("s1")
        with pytest.raises(NetworkError):
            session.upload_and_attach_logs(path)


def test_nothing_is_sent_for_a_session_that_is_gone(client: Any, path: Path) -> None:
    path.write_bytes(log_of(10, session="gone"))
    session = client.create_session("of a log")
    other = client.resume_session(session.id)
    session.delete()
    with pytest.raises(SessionNotFoundError):
        other.upload_and_attach_logs(path)
    fresh = client.create_session("another")
    assert fresh.upload_and_attach_logs(path) == 10
    fresh.delete()


def test_error_of_attaching_tells_that_the_log_is_there(shell: Any, path: Path) -> None:
    path.write_bytes(log_of(10))
    processor = Processor()

    def refusing(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        if "attach_logs" in seen.target:
            return as_json({"ok": False, "status_code": 404, "status_message": "Session not found"})
        return processor(seen)

    with web_server(refusing) as web, pytest.raises(SessionNotFoundError) as refused:
        processor.session(shell, web).upload_and_attach_logs(path)
    assert f"All lines of the log are there: attach_logs('{hash_of(path.read_bytes())}')" in str(refused.value)
