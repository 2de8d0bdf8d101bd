"""What is done by either shell stands in the activity log, once, in order; words of nobody are in it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from secgemini_jupyter import activity
from secgemini_jupyter.activity.recorder import flush
from secgemini_jupyter.client import files
from secgemini_jupyter.client.sync import SecGemini
from secgemini_jupyter.errors import (
    AttachmentError,
    InputError,
    NetworkError,
    ProtocolError,
    SecGeminiError,
    SettingsError,
)
from secgemini_jupyter.settings import Settings
from tests.client.servers import Seen, as_json, web_server
from tests.conftest import LocalService

WORDS = "a secret question"


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))


def digest(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def noted(session: Any) -> list[dict[str, Any]]:
    return session.activity().to_dict("records")  # type: ignore[no-any-return]


def details(row: dict[str, Any]) -> dict[str, Any]:
    return json.loads(row["details"])  # type: ignore[no-any-return]


def test_all_that_is_done_is_noted_once(client: Any) -> None:
    made = client.create_session("triage", "what it is about")
    made.attach_file("auth.log", b"failed password\n")
    response = made.query(WORDS)
    made.send_feedback(1, comment="well done, " + WORDS)
    made.send_bug_report("wrong, " + WORDS)
    made.update(name="renamed", description="another " + WORDS, ttl=600)
    made.detach_file(0)
    again = client.resume_session(made.id)
    again.delete()
    rows = noted(made)
    assert [row["activity"] for row in rows] == [
        "session_created", "file_attached", "prompt_sent", "turn_ended", "feedback_sent", "bug_sent",
        "session_updated", "file_detached", "session_resumed", "session_deleted",
    ]  # fmt: skip
    created, attached, sent, ended, feedback, bug, updated, detached, resumed, deleted = rows
    assert (created["name"], deleted["name"]) == ("triage", "renamed")
    ours = digest(b"failed password\n")
    assert (attached["name"], attached["size"], attached["status"]) == ("auth.log", 16, "ok")
    assert (attached["sha256"], attached["sha256_server"]) == (ours, ours)
    assert (detached["sha256"], detached["sha256_server"]) == (ours, ours)
    assert (sent["sha256"], sent["size"], sent["query_id"]) == (digest(WORDS), len(WORDS), response.query_id)
    assert (ended["status"], ended["query_id"]) == ("ok", response.query_id)
    assert (ended["sha256"], ended["message_count"]) == (digest(response.answer), len(response.messages) + 1)
    assert (feedback["sha256"], details(feedback)["score"]) == (digest("well done, " + WORDS), 1)
    assert bug["sha256"] == digest("wrong, " + WORDS)
    assert details(updated) == {"name": "renamed", "description_sha256": digest("another " + WORDS), "ttl": 600}
    assert details(resumed)["turns"] == 1
    assert {row["user_id"] for row in rows} == {made.user_id}
    assert {row["service"] for row in rows} == {made.host}
    text = activity.path_of(made.id).read_text()
    assert WORDS not in text
    assert response.answer not in text
    assert client.key_hint not in text


def test_the_log_is_verified_with_the_head_that_was_kept(client: Any) -> None:
    made = client.create_session()
    made.query("one")
    head = made.head()
    made.query("two")
    assert made.verify(head=head)
    path = activity.path_of(made.id)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    result = made.verify(head=head)
    assert [(finding.problem, finding.entry) for finding in result.findings] == [("removed", 2)]
    path.write_bytes(b"".join(lines[:2]))
    assert made.verify()
    assert [finding.problem for finding in made.verify(head=head).findings] == ["truncated"]
    made.delete()


def test_nothing_is_noted_of_a_session_without_retention(client: Any) -> None:
    made = client.create_session(enable_logging=False)
    assert not made.can_log
    made.attach_file("a.txt", b"a")
    made.query("hello")
    made.delete()
    assert flush()
    assert len(made.activity()) == 0
    assert not activity.path_of(made.id).exists()
    assert [finding.problem for finding in made.verify().findings] == ["absent"]
    with pytest.raises(InputError, match="without retention"):
        made.head()


@pytest.mark.parametrize("way", ["setting", "variable"])
def test_the_log_can_be_switched_off(
    shell: Any, local_service: LocalService, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    settings = Settings(base_url=local_service.http, websocket_url=local_service.ws)
    if way == "setting":
        settings = settings.replace(activity_log=False)
    else:
        monkeypatch.setenv("SECGEMINI_ACTIVITY_LOG", "off")
    client = shell(local_service.key, settings=settings)
    made = client.create_session()
    made.query("hello")
    client.resume_session(made.id).delete()
    assert flush()
    assert not activity.path_of(made.id).exists()


def test_a_setting_goes_before_the_variable_and_both_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECGEMINI_ACTIVITY_LOG", "maybe")
    with pytest.raises(SettingsError, match="Set it to on or off"):
        SecGemini("some-key-1234567890")
    with SecGemini("some-key-1234567890", settings=Settings(activity_log=True)) as client:
        assert client._core._is_logged
    with pytest.raises(SettingsError, match="activity_log is 'no'"):
        Settings(activity_log="no")  # type: ignore[arg-type]


def test_a_turn_that_fails_and_one_that_is_left_are_told_apart(session: Any) -> None:
    with pytest.raises(SecGeminiError):
        session.query("[[error 500]] hello")
    stream = session.stream_sync("[[messages=50]] [[delay=0.05]]")
    next(stream)
    with suppress(AttributeError):
        stream.close()
    ended = [row for row in noted(session) if row["activity"] == "turn_ended"]
    assert [row["status"] for row in ended] == ["error", "interrupted"]
    assert details(ended[0])["status_code"] == 500
    for _ in session.reconnect():
        pass
    last = noted(session)[-1]
    assert (last["activity"], last["status"], last["query_id"]) == ("turn_ended", "ok", ended[1]["query_id"])
    assert details(last)["listened"] is True
    assert [row["activity"] for row in noted(session)].count("prompt_sent") == 2


def test_a_prompt_that_was_never_sent_is_not_noted(session: Any) -> None:
    with pytest.raises(InputError):
        session.query(" ")
    with pytest.raises(InputError):
        session.attach_file("a", "no bytes")
    assert [row["activity"] for row in noted(session)] == ["session_created"]


USER = {"user": {"id": "u", "org_id": "o", "can_disable_logging": True}, "sessions": [], "available_models": []}
Reply = tuple[int, dict[str, str], bytes]


@contextmanager
def service(attach: Callable[[dict[str, Any]], Reply]) -> Iterator[str]:
    """A service with one session, which answers as it is told when a file comes."""
    made: dict[str, Any] = {}

    def answer(seen: Seen) -> Reply:
        if seen.target.startswith("/v1/user"):
            return as_json(USER)
        if "register" in seen.target:
            made.update(json.loads(seen.body))
            return as_json({"ok": True, "status_code": 200, "status_message": "OK", "data": made})
        return attach(json.loads(seen.body)) if "attach" in seen.target else as_json(made)

    with web_server(answer) as server:
        yield server.url


def test_a_file_whose_reply_was_lost_may_have_left_and_is_noted(shell: Any) -> None:
    with service(lambda _: (200, {}, b"no json")) as url:
        made = shell("some-key-1234567890", base_url=url).create_session("s")
        with pytest.raises(ProtocolError):
            made.attach_file("a.txt", b"content")
    (row,) = [row for row in noted(made) if row["activity"] != "session_created"]
    assert (row["activity"], row["name"], row["size"]) == ("file_not_confirmed", "a.txt", 7)
    assert (row["sha256"], row["status"]) == (digest(b"content"), "ProtocolError")


def test_a_file_that_arrived_altered_has_both_hashes(shell: Any) -> None:
    def altered(body: dict[str, Any]) -> Reply:
        content = base64.b64decode(body["content"]) + b"!"
        file = {"name": body["filename"], "size": len(content), "sha256": digest(content), "mime_type": "text/plain",
                "content_type_label": "txt"}  # fmt: skip
        return as_json({"ok": True, "status_code": 200, "status_message": "OK", "data": file})

    with service(altered) as url:
        made = shell("some-key-1234567890", base_url=url).create_session("s")
        with pytest.raises(AttachmentError, match="differs"):
            made.attach_file("a.txt", b"content")
    row = noted(made)[-1]
    assert (row["activity"], row["status"]) == ("file_attached", "altered")
    assert (row["sha256"], row["sha256_server"]) == (digest(b"content"), digest(b"content!"))


def test_a_file_that_nobody_can_have_seen_is_not_noted(session: Any) -> None:
    with pytest.raises(NetworkError), files.sending(session._state, "a.txt", 7, digest(b"content")):
        raise NetworkError("Nobody listens.", nothing_sent=True)
    assert [row["activity"] for row in noted(session)] == ["session_created"]


def test_a_log_that_cannot_be_written_stops_no_turn(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "file"))
    made = client.create_session()
    assert made.query("hello").answer
    made.delete()
