"""Files in pieces from a browser: every order, every repetition, and what is refused; then on to a real service."""

from __future__ import annotations

import hashlib
import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from secgemini_jupyter.client.sync import SecGemini
from secgemini_jupyter.errors import NetworkError, SecGeminiError, Secret, ServiceError
from secgemini_jupyter.models import PublicSessionFile
from secgemini_jupyter.widgets import uploads as module
from secgemini_jupyter.widgets.attaching import CHUNK
from secgemini_jupyter.widgets.rpc import Rpc
from secgemini_jupyter.widgets.uploads import Uploads
from tests.client.servers import Seen, web_server

LIMIT = 5 * CHUNK
LOG = bytes(range(256)) * (CHUNK // 256) * 2 + b"the end"
"""Two pieces and a rest."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Session:
    """A session that keeps what is attached; `fails` are errors of the next calls, in order."""

    id = "3f9c1f0e"
    name = "triage"
    host = "127.0.0.1:4321"
    is_local = True
    is_deleted = False
    can_log = False
    max_attachment_bytes = LIMIT

    def __init__(self) -> None:
        self.contents: list[tuple[str, bytes, str | None]] = []
        self.snapshot: list[PublicSessionFile] = []
        self.fails: list[Exception] = []
        self.refresh_fails: list[Exception] = []
        self.hold: threading.Event | None = None
        self.entered = threading.Event()
        self.stores_before_failing = False
        self.watchers: list[Callable[[], None]] = []

    @property
    def files(self) -> list[PublicSessionFile]:
        return list(self.snapshot)

    def is_verified(self, file: PublicSessionFile) -> bool:
        return not self.stores_before_failing

    def attach_file(self, filename: str, content: bytes, mime_type_hint: str | None = None) -> None:
        self.entered.set()
        if self.hold is not None:
            assert self.hold.wait(5)
        if self.fails and not self.stores_before_failing:
            raise self.fails.pop(0)
        self.contents.append((filename, content, mime_type_hint))
        if self.fails:
            raise self.fails.pop(0)
        self.refresh()

    def refresh(self) -> None:
        if self.refresh_fails:
            raise self.refresh_fails.pop(0)
        self.snapshot = [
            PublicSessionFile(name, len(content), sha256(content), hint or "text/plain", "txt")
            for name, content, hint in self.contents
        ]

    def detach_file(self, file_idx: int, /) -> None:
        del self.contents[file_idx]
        self.refresh()

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.clear()


class Browser:
    """A view's end: calls as `upload.ts` makes them, answers as it gets them."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.replies: dict[str, dict[str, Any]] = {}
        self.arrived = threading.Condition()
        self.uploads = Uploads(lambda: self.session)
        self.count = 0
        Rpc(self, self.uploads.methods)

    def on_msg(self, callback: Any) -> None:
        self.deliver = callback

    def send(self, content: Any, buffers: Any = None) -> None:
        with self.arrived:
            self.replies[content["uuid"]] = content
            self.arrived.notify_all()

    def post(self, method: str, buffers: list[bytes] | None = None, **params: Any) -> str:
        self.count += 1
        uuid = f"{self.count:032x}"
        request = {"kind": "secgemini-request", "uuid": uuid, "method": method, "params": params}
        self.deliver(self, request, [memoryview(each) for each in buffers or []])
        return uuid

    def wait(self, uuid: str) -> dict[str, Any]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: uuid in self.replies, timeout=15)
            return self.replies[uuid]

    def ask(self, method: str, buffers: list[bytes] | None = None, **params: Any) -> dict[str, Any]:
        return self.wait(self.post(method, buffers, **params))

    def begin(self, content: bytes, name: str = "auth.log", upload: str = "a" * 32, **changes: Any) -> dict[str, Any]:
        params = {"session_id": self.session.id, "upload": upload, "name": name, "size": len(content)}
        return self.ask("upload_begin", **{**params, "sha256": sha256(content), **changes})

    def chunk(self, content: bytes, offset: int, upload: str = "a" * 32) -> dict[str, Any]:
        return self.ask("upload_chunk", [content[offset : offset + CHUNK]], upload=upload, offset=offset)

    def finish(self, upload: str = "a" * 32) -> dict[str, Any]:
        return self.ask("upload_finish", upload=upload)

    def upload(self, content: bytes, name: str = "auth.log", upload: str = "a" * 32, **changes: Any) -> dict[str, Any]:
        """All of it; what `upload_finish` says."""
        for offset in self.begin(content, name, upload, **changes)["result"]["missing"]:
            assert self.chunk(content, offset, upload)["result"] == {"lost": False}
        return self.finish(upload)["result"]


@pytest.fixture
def browser() -> Iterator[Browser]:
    made = Browser(Session())
    yield made
    made.uploads.close()


# --- the way to the kernel ---


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, LIMIT])
def test_a_file_of_any_size_arrives_unaltered(browser, size):
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    assert browser.upload(content) == {"state": "attached", "error": "", "file_idx": 0}
    assert browser.session.contents == [("auth.log", content, None)]
    assert browser.uploads.state == "idle"


def test_pieces_may_come_in_any_order_and_twice(browser):
    missing = browser.begin(LOG)["result"]["missing"]
    assert missing == [0, CHUNK, 2 * CHUNK]
    for offset in (2 * CHUNK, 0, 0, 2 * CHUNK, CHUNK):
        assert browser.chunk(LOG, offset)["result"] == {"lost": False}
    assert browser.finish()["result"]["state"] == "attached"
    assert browser.chunk(LOG, 0)["result"] == {"lost": False}
    assert browser.finish()["result"]["state"] == "attached"
    assert [content for _, content, _ in browser.session.contents] == [LOG]


def test_a_gap_is_not_attached_and_can_be_filled(browser):
    browser.begin(LOG)
    browser.chunk(LOG, CHUNK)
    assert "2 pieces of 'auth.log' are missing" in browser.finish()["error"]
    assert browser.session.contents == []
    assert browser.begin(LOG)["result"]["missing"] == [0, 2 * CHUNK]
    assert browser.upload(LOG)["state"] == "attached"


def test_a_view_that_was_closed_goes_on_where_it_stopped(browser):
    """Another view, another id, the same file: only what is missing is sent."""
    browser.begin(LOG, upload="a" * 32)
    browser.chunk(LOG, 0, "a" * 32)
    assert browser.begin(LOG, upload="b" * 32)["result"]["missing"] == [CHUNK, 2 * CHUNK]
    assert browser.upload(LOG, upload="b" * 32)["state"] == "attached"
    assert browser.finish("a" * 32)["result"]["state"] == "attached"
    assert len(browser.session.contents) == 1


@pytest.mark.parametrize(
    ("offset", "content", "words"),
    [
        (1, LOG[1 : CHUNK + 1], "piece at 1 of"),
        (CHUNK // 2, LOG[:CHUNK], "is refused"),
        (3 * CHUNK, LOG[:7], "is refused"),
        (10**30, LOG[:7], "refused"),
        (-CHUNK, LOG[:CHUNK], ">= 0"),
        (0, LOG[: CHUNK - 1], f"should have {CHUNK} bytes, not {CHUNK - 1}"),
        (0, b"", f"should have {CHUNK} bytes, not 0"),
        (2 * CHUNK, LOG[:8], "should have 7 bytes, not 8"),
        (0, LOG[: CHUNK + 1], f"takes {CHUNK} bytes at a time, not {CHUNK + 1}"),
        (0.0, LOG[:CHUNK], "Expected `int`"),
    ],
)
def test_a_piece_of_another_size_or_place_is_refused(browser, offset, content, words):
    browser.begin(LOG)
    assert words in browser.ask("upload_chunk", [content], upload="a" * 32, offset=offset)["error"]
    assert browser.begin(LOG)["result"]["missing"] == [0, CHUNK, 2 * CHUNK]


def test_a_piece_in_two_buffers_is_refused(browser):
    browser.begin(b"abcd")
    reply = browser.ask("upload_chunk", [b"ab", b"cd"], upload="a" * 32, offset=0)
    assert "should have 4 bytes" in reply["error"]


def test_an_unknown_upload_is_lost_and_not_an_error(browser):
    assert browser.chunk(LOG, 0)["result"] == {"lost": True}
    assert browser.finish()["result"] == {"state": "lost"}
    assert browser.ask("upload_cancel", upload="a" * 32)["result"] == {"state": "cancelled"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"session_id": "another"}, "shows session 'another'"),
        ({"upload": "../../etc/passwd"}, "refused"),
        ({"upload": "A" * 32}, "refused"),
        ({"name": "x" * 256}, "has 256 characters, at most 255 are taken. Nothing was sent."),
        ({"name": "x" * 10_001}, "length <= 10000"),
        ({"name": "/" * 9000}, "names no file"),
        ({"name": "../x.log"}, "'../x.log' has a folder in it"),
        ({"name": "C:\\x.log"}, "has a folder in it"),
        ({"name": "nul\0.log"}, "names no file"),
        ({"name": ".."}, "names no file"),
        ({"name": " "}, "names no file"),
        ({"name": "\ud83d.log"}, "is no text that can be sent"),
        ({"size": LIMIT + 1}, f"has {LIMIT + 1:,} bytes, at most {LIMIT:,} are sent as an attachment"),
        ({"size": -1}, ">= 0"),
        ({"size": 1e3}, "Expected `int`"),
        ({"sha256": "00"}, "refused"),
        ({"sha256": "G" * 64}, "refused"),
        ({"path": "/etc/passwd"}, "unknown field `path`"),
    ],
)
def test_what_no_view_would_begin_is_refused_in_one_line(browser, changes, words):
    error = browser.begin(b"abc", **changes)["error"]
    assert words in error
    assert "\n" not in error
    assert len(error) < 500
    assert browser.uploads.state == "idle"


def test_bytes_that_are_not_what_the_browser_read_are_not_sent(browser):
    browser.begin(LOG)
    for offset in (0, CHUNK):
        browser.chunk(LOG, offset)
    browser.ask("upload_chunk", [b"altered"], upload="a" * 32, offset=2 * CHUNK)
    result = browser.finish()["result"]
    assert result["state"] == "failed"
    assert sha256(LOG) in result["error"]
    assert "Nothing was sent" in result["error"]
    assert (browser.session.contents, browser.uploads.state) == ([], "failed")
    # Nobody knows which piece was wrong: all of them are asked for again.
    assert browser.begin(LOG)["result"]["missing"] == [0, CHUNK, 2 * CHUNK]


def test_two_uploads_at_a_time_and_the_third_waits(browser):
    for index in range(2):
        browser.begin(b"%d" % index, name=f"{index}.log", upload=f"{index}" * 32)
    assert "2 uploads are under way in this widget" in browser.begin(b"2", upload="2" * 32)["error"]
    browser.ask("upload_cancel", upload="0" * 32)
    assert browser.begin(b"2", upload="2" * 32)["result"]["missing"] == [0]


def test_a_silent_upload_gives_way_to_another(browser, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    browser.begin(LOG, name="0.log", upload="0" * 32)
    now[0] += 10
    browser.begin(LOG, name="1.log", upload="1" * 32)
    now[0] += module.IDLE - 5
    assert browser.begin(b"2", upload="2" * 32)["result"]["missing"] == [0]
    assert browser.chunk(LOG, 0, "0" * 32)["result"] == {"lost": True}
    assert browser.chunk(LOG, 0, "1" * 32)["result"] == {"lost": False}


def test_what_is_kept_is_forgotten_after_some_minutes(browser, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    browser.begin(LOG)
    browser.chunk(LOG, 0)
    now[0] += module.KEPT - 1
    browser.chunk(LOG, CHUNK)
    now[0] += module.KEPT - 1
    assert browser.begin(LOG)["result"]["missing"] == [2 * CHUNK]
    now[0] += module.KEPT
    assert browser.uploads.state == "uploading"
    browser.uploads._time_is_up()
    assert browser.uploads.state == "idle"
    assert browser.chunk(LOG, 2 * CHUNK)["result"] == {"lost": True}


def test_the_memory_of_a_silent_upload_is_given_back_without_a_further_request(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 0.05)
    told = threading.Event()
    browser = Browser(Session())
    browser.uploads._changed = lambda: browser.uploads.state == "idle" and told.set()
    browser.begin(LOG)
    assert told.wait(5)
    assert browser.chunk(LOG, 0)["result"] == {"lost": True}


def test_ids_without_end_are_not_remembered_without_end(browser):
    for index in range(3 * module.MAX_KNOWN):
        browser.begin(LOG, upload=f"{index:032x}")
    assert len(browser.uploads._uploads) <= module.MAX_KNOWN + 1
    assert browser.begin(b"x", upload=f"{299:032x}")["error"].startswith("This upload's id belongs to another file")


def test_ids_without_end_push_out_no_upload_that_is_on_its_way(browser):
    """Its bytes would stay, and not be counted any more."""
    browser.session.hold = threading.Event()
    for offset in browser.begin(LOG, upload="a" * 32)["result"]["missing"]:
        browser.chunk(LOG, offset)
    waiting = browser.post("upload_finish", upload="a" * 32)
    assert browser.session.entered.wait(5)
    for index in range(2 * module.MAX_KNOWN):
        browser.begin(b"another", upload=f"{index:032x}")
    assert "2 uploads are under way" in browser.begin(b"third", upload="c" * 32)["error"]
    browser.session.hold.set()
    assert browser.wait(waiting)["result"]["state"] == "attached"
    assert len(browser.uploads._uploads) <= module.MAX_KNOWN + 2


def test_a_cancelled_upload_is_gone(browser):
    browser.begin(LOG)
    browser.chunk(LOG, 0)
    assert browser.ask("upload_cancel", upload="a" * 32)["result"] == {"state": "cancelled"}
    assert browser.chunk(LOG, 0)["result"] == {"lost": True}
    assert browser.uploads.state == "idle"


# --- duplicates ---


def test_the_same_file_is_not_sent_again(browser):
    browser.upload(LOG)
    assert browser.begin(LOG, upload="b" * 32)["result"] == {"known": 0, "same_content": None, "missing": []}
    assert len(browser.session.contents) == 1


def test_the_same_content_under_another_name_asks_first(browser):
    browser.upload(LOG, name="a\u202egpj.log")
    begun = browser.begin(LOG, name="b.log", upload="b" * 32)["result"]
    assert begun == {"known": None, "same_content": "a⟨U+202E⟩gpj.log", "missing": []}
    assert browser.finish("b" * 32)["result"] == {"state": "lost"}
    assert browser.upload(LOG, name="b.log", upload="b" * 32, anyway=True)["file_idx"] == 1


def test_a_file_that_somebody_attached_meanwhile_is_not_sent_again(browser):
    browser.begin(LOG)
    for offset in (0, CHUNK, 2 * CHUNK):
        browser.chunk(LOG, offset)
    browser.session.attach_file("auth.log", LOG)
    assert browser.finish()["result"] == {"state": "attached", "error": "", "file_idx": 0}
    assert len(browser.session.contents) == 1


# --- the way to the service ---


def test_the_browser_s_type_is_a_hint_and_nonsense_is_none(browser):
    browser.upload(b"1", name="1", upload="1" * 32, mime_type="application/x-ndjson")
    browser.upload(b"2", name="2", upload="2" * 32, mime_type='text/html; x="\r\n')
    assert [hint for _, _, hint in browser.session.contents] == ["application/x-ndjson", None]


def test_a_refusal_of_the_service_is_told_and_try_again_sends_no_byte_a_second_time(browser):
    browser.session.fails = [ServiceError("127.0.0.1 refused (507: The disk is full).", status=507)]
    assert browser.upload(LOG)["error"] == "127.0.0.1 refused (507: The disk is full)."
    assert browser.uploads.state == "failed"
    assert browser.finish()["result"]["state"] == "failed"
    assert browser.begin(LOG)["result"]["missing"] == []
    assert browser.finish()["result"]["state"] == "attached"
    assert (len(browser.session.contents), browser.uploads.state) == (1, "idle")


def test_failed_uploads_give_way_at_once(browser):
    """The service is down, and five files were dropped: each is told why, none that the widget is busy."""
    browser.session.fails = [NetworkError("No connection.", nothing_sent=True) for _ in range(5)]
    for index in range(5):
        assert browser.upload(LOG, name=f"{index}.log", upload=f"{index}" * 32)["error"] == "No connection."


@pytest.mark.parametrize("stored", [True, False])
def test_after_a_lost_reply_the_session_is_looked_at_before_anything_is_sent_again(browser, stored):
    session = browser.session
    session.stores_before_failing = stored
    session.fails = [NetworkError("The connection was cut.")]
    result = browser.upload(LOG)
    if stored:
        assert result == {"state": "attached", "error": "", "file_idx": 0}
        assert browser.uploads.files[0]["verified"] is True  # its sha256 was read at the service
    else:
        assert (result["state"], result["error"]) == ("failed", "The connection was cut.")
        assert browser.upload(LOG)["state"] == "attached"
    assert [content for _, content, _ in session.contents] == [LOG]


def test_a_service_that_stays_away_after_a_lost_reply_is_asked_before_the_next_try(browser):
    session = browser.session
    session.stores_before_failing = True
    session.fails = [NetworkError("The connection was cut.")]
    session.refresh_fails = [NetworkError("No connection.")]
    assert "Whether the file arrived is not known" in browser.upload(LOG)["error"]
    assert browser.upload(LOG) == {"state": "attached", "error": "", "file_idx": 0}
    assert len(session.contents) == 1


def test_an_error_that_nobody_expected_is_told_without_a_key(browser):
    key = Secret("canary-key-0123456789")
    browser.session.fails = [RuntimeError(f"boom {key.reveal()}")]
    error = browser.upload(LOG)["error"]
    assert error == "Failed: RuntimeError: boom [redacted]. Please report it as a bug."


def test_while_the_service_is_slow_finish_says_so_and_can_be_asked_again(browser, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    browser.session.hold = threading.Event()
    assert browser.upload(LOG)["state"] == "sending"
    assert browser.uploads.state == "uploading"
    assert browser.begin(LOG, upload="b" * 32)["result"]["missing"] == []
    browser.session.hold.set()
    monkeypatch.setattr(module, "PATIENCE", 5)
    assert browser.finish("b" * 32)["result"]["state"] == "attached"
    assert len(browser.session.contents) == 1


def test_what_is_cancelled_on_its_way_to_the_service_is_detached(browser):
    session = browser.session
    session.hold = threading.Event()
    browser.begin(LOG)
    for offset in (0, CHUNK, 2 * CHUNK):
        browser.chunk(LOG, offset)
    waiting = browser.post("upload_finish", upload="a" * 32)
    assert session.entered.wait(5)
    assert browser.ask("upload_cancel", upload="a" * 32)["result"] == {"state": "sending"}
    session.hold.set()
    assert browser.wait(waiting)["result"]["state"] == "cancelled"
    assert (session.contents, browser.uploads.state) == ([], "idle")


@pytest.mark.parametrize("joins", ["before", "after"])
def test_what_one_view_cancels_another_one_gets_nevertheless(browser, joins):
    session = browser.session
    session.hold = threading.Event()
    for offset in browser.begin(LOG)["result"]["missing"]:
        browser.chunk(LOG, offset)
    cancelled = browser.post("upload_finish", upload="a" * 32)
    assert session.entered.wait(5)
    if joins == "before":
        browser.begin(LOG, upload="b" * 32)
    browser.ask("upload_cancel", upload="a" * 32)
    if joins == "after":
        browser.begin(LOG, upload="b" * 32)
    wanted = browser.post("upload_finish", upload="b" * 32)
    session.hold.set()
    assert browser.wait(cancelled)["result"]["state"] == "cancelled"
    assert browser.wait(wanted)["result"] == {"state": "lost"}
    assert browser.upload(LOG, upload="b" * 32)["state"] == "attached"
    assert [content for _, content, _ in session.contents] == [LOG]


# --- the list ---


def test_files_are_cleaned_for_display_and_exact_in_the_session(browser):
    session = browser.session
    session.snapshot = [PublicSessionFile("\x1b[2J\u202egpj.exe\n" + "x" * 999, -5, "0" * 64, "<b>", None)]
    (listed,) = browser.uploads.files
    assert listed["name"].startswith("␛[2J⟨U+202E⟩gpj.exe xxx")
    assert len(listed["name"]) <= 255
    assert (listed["size"], listed["mime_type"], listed["content_type_label"]) == (0, "<b>", "")


def test_detach_takes_what_is_shown_or_nothing(browser):
    for name in ("a", "b"):
        browser.upload(name.encode(), name=name, upload=name * 32)
    shown = browser.uploads.files[1]
    params = {"session_id": browser.session.id, "file_idx": 1, "name": "b", "sha256": shown["sha256"]}
    for changes in ({"file_idx": 0}, {"file_idx": 2}, {"name": "a"}, {"sha256": "0" * 64}):
        assert "The attachments changed" in browser.ask("detach_file", **{**params, **changes})["error"]
    assert "shows session" in browser.ask("detach_file", **{**params, "session_id": "x"})["error"]
    assert len(browser.session.contents) == 2
    assert browser.ask("detach_file", **params)["result"] is None
    assert [name for name, _, _ in browser.session.contents] == ["a"]


# --- with the real service ---


@pytest.fixture
def cutting(local_service) -> Iterator[Any]:
    """The local service behind a proxy that loses the reply to the first attachment."""
    lost: list[str] = []

    def answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        headers = {name: seen.headers[name] for name in ("content-type", "x-api-key") if name in seen.headers}
        request = urllib.request.Request(
            local_service.http + seen.target, seen.body or None, headers, method=seen.method
        )
        with urllib.request.urlopen(request) as reply:
            body = reply.read()
            status, kind = reply.status, reply.headers["content-type"]
        if seen.target == "/v1/session/attach_file" and not lost:
            lost.append(seen.target)
            return status, {"content-type": kind, "content-length": "5000", "connection": "close"}, body[:5]
        return status, {"content-type": kind}, body

    with (
        web_server(answer) as proxy,
        SecGemini(local_service.key, base_url=proxy.url, websocket_url=local_service.ws) as client,
    ):
        session = client.create_session("cut")
        yield session, lost
        session.delete()


def test_a_reply_lost_between_kernel_and_service_attaches_once_and_is_verified(cutting):
    session, lost = cutting
    browser = Browser(session)
    assert browser.upload(LOG) == {"state": "attached", "error": "", "file_idx": 0}
    assert len(lost) == 1
    session.refresh()
    assert [(file.name, file.sha256) for file in session.files] == [("auth.log", sha256(LOG))]
    assert browser.uploads.files[0]["verified"] is True
    assert browser.upload(b"second", name="b.log", upload="b" * 32)["file_idx"] == 1
    browser.uploads.close()


@pytest.mark.slow
def test_a_hundred_megabytes_arrive_at_the_real_service(local_service):
    content = bytes(1) * (100 * CHUNK - 1) + b"!"
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session("large")
        browser = Browser(session)
        result = browser.upload(content, name="large.bin")
        while result["state"] == "sending":
            result = browser.finish()["result"]
        assert result["state"] == "attached"
        assert (session.files[0].size, session.files[0].sha256) == (len(content), sha256(content))
        assert browser.uploads.files[0]["verified"] is True
        assert browser.begin(content + b"!", name="larger.bin", upload="b" * 32)["error"].startswith("'larger.bin' has")
        session.delete()
        browser.uploads.close()


def test_a_session_that_is_gone_says_so(local_service):
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session("short")
        client.resume_session(session.id).delete()  # elsewhere: this object does not know
        browser = Browser(session)
        assert "(404)" in browser.upload(b"x")["error"]
        with pytest.raises(SecGeminiError):
            session.refresh()
        browser.uploads.close()
