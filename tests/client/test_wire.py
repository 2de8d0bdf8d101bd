"""What leaves the process: redirects, proxies, addresses, silence, logs tables, confirmations, key on its way."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request as Handshake
from websockets.http11 import Response
from websockets.sync.server import ServerConnection, serve

from secgemini_jupyter.client import transport
from secgemini_jupyter.errors import (
    AuthenticationError,
    InputError,
    NetworkError,
    ProtocolError,
    Secret,
    SettingsError,
)
from secgemini_jupyter.models import MessageType, PublicSession
from secgemini_jupyter.settings import Settings
from tests.client.servers import Seen, as_json, silent_server, stream_server, web_server
from tests.conftest import LocalService

KEY = "canary-key+&#%=/ü-0123456789"
PLAIN_KEY = "canary-key-0123456789"


def stored_session(**fields: Any) -> dict[str, Any]:
    import msgspec

    value = msgspec.to_builtins(PublicSession(id="s1", name="made up", model={}, **fields))  # type: ignore[arg-type]
    value["model"] = {"model_name": "m", "version": "1", "model_string": "m-1"}
    return value  # type: ignore[no-any-return]


def service(seen: Seen) -> tuple[int, dict[str, str], bytes]:
    """The few answers that a session needs, by the protocol page."""
    path = urlsplit(seen.target).path
    if path.endswith("/v1/user/info"):
        return as_json({"user": {"id": "u", "org_id": "o", "can_disable_logging": False}, "sessions": []})
    if path.endswith("/v1/session/get"):
        return as_json(stored_session())
    return as_json({"ok": True, "status_code": 200, "status_message": ""})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_key_does_not_follow_a_redirect(shell: Any, status: int) -> None:
    with (
        web_server(service) as elsewhere,
        web_server(lambda seen: (status, {"location": elsewhere.url + seen.target}, b"")) as redirecting,
    ):
        client = shell(PLAIN_KEY, base_url=redirecting.url, websocket_url="ws://127.0.0.1:9")
        with pytest.raises(ProtocolError, match="redirect to"):
            client.user_info()
        assert len(redirecting.seen) == 1
        assert elsewhere.seen == []


@pytest.mark.parametrize("in_url", [True, False])
def test_key_does_not_follow_a_redirect_of_the_socket(shell: Any, in_url: bool) -> None:
    reached: list[str] = []

    def note(_: ServerConnection, request: Handshake) -> None:
        reached.append(repr(request))

    with web_server(service) as web, serve(lambda _: None, "127.0.0.1", 0, process_request=note) as elsewhere:
        import threading

        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        location = f"ws://127.0.0.1:{elsewhere.socket.getsockname()[1]}/v1/stream"

        def redirect(_: ServerConnection, request: Handshake) -> Response:
            assert ("api_key=" in request.path) == in_url
            assert ("x-api-key" in request.headers) != in_url
            return Response(302, "Found", Headers({"location": location, "content-length": "0"}), b"")

        with serve(lambda _: None, "127.0.0.1", 0, process_request=redirect) as redirecting:
            threading.Thread(target=redirecting.serve_forever, daemon=True).start()
            ws = f"ws://127.0.0.1:{redirecting.socket.getsockname()[1]}"
            settings = Settings(base_url=web.url, websocket_url=ws, key_in_url=in_url, retries=0)
            session = shell(PLAIN_KEY, settings=settings).resume_session("s1")
            with pytest.raises(ProtocolError, match="redirect to") as caught:
                session.query("hello")
            redirecting.shutdown()
        elsewhere.shutdown()
    assert reached == []
    assert PLAIN_KEY not in str(caught.value)


def test_key_arrives_as_it_is(shell: Any) -> None:
    """Whatever it holds: in the socket's query percent-encoded, in a header as it stands."""
    key = "canary+&#%=/-0123456789"
    handshakes: list[Handshake] = []

    def talk(connection: ServerConnection) -> None:
        assert connection.request
        handshakes.append(connection.request)
        connection.recv()
        connection.send(json.dumps({"message_type": "info", "state": "end"}))

    with web_server(service) as web, stream_server(talk) as ws:
        for in_url in (True, False):
            settings = Settings(base_url=web.url, websocket_url=ws, key_in_url=in_url)
            shell(key, settings=settings).resume_session("s1").query("hello")
    assert {request.headers["x-api-key"] for request in web.seen} == {key}
    in_query, in_header = handshakes
    assert parse_qs(urlsplit(in_query.path).query) == {"api_key": [key], "session_id": ["s1"]}
    assert "x-api-key" not in in_query.headers
    assert in_header.headers["x-api-key"] == key
    assert "api_key" not in in_header.path


def test_proxy_of_the_environment_is_not_used_for_this_machine(
    shell: Any, local_service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    session = shell(local_service.key, base_url=local_service.http, websocket_url=local_service.ws).create_session()
    assert session.query("direct").answer == "direct"
    session.delete()


def test_proxy_of_the_environment_is_used_for_the_outside(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees the tunnel's address, never the key."""
    with web_server(lambda _: (403, {}, b"")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        settings = Settings(base_url="https://gemini.test", websocket_url="wss://gemini.test", retries=0, reconnects=0)
        with pytest.raises(NetworkError, match=r"gemini\.test"):
            shell(PLAIN_KEY, settings=settings).user_info()
    assert [seen.method for seen in proxy.seen] == ["CONNECT"]
    assert PLAIN_KEY not in proxy.everything


def test_path_prefix_is_kept(shell: Any) -> None:
    with web_server(service) as web:
        client = shell(PLAIN_KEY, base_url=web.url + "/user/me/proxy/", websocket_url="ws://127.0.0.1:9")
        client.user_info()
        client.resume_session("s1")
    assert [urlsplit(seen.target).path for seen in web.seen] == [
        "/user/me/proxy/v1/user/info",
        "/user/me/proxy/v1/session/get",
    ]


def test_silent_service_is_given_up(shell: Any) -> None:
    with silent_server() as port:
        settings = Settings(
            base_url=f"http://127.0.0.1:{port}", websocket_url=f"ws://127.0.0.1:{port}", read_timeout=0.2, retries=0
        )
        started = time.monotonic()
        with pytest.raises(NetworkError, match=rf"127\.0\.0\.1:{port} did not answer in time"):
            shell(PLAIN_KEY, settings=settings).user_info()
        assert time.monotonic() - started < 20, "the default is longer"


def test_service_that_is_down_names_the_address(shell: Any) -> None:
    settings = Settings(base_url="http://127.0.0.1:9", websocket_url="ws://127.0.0.1:9", retries=0)
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1:9 cannot be reached") as caught:
        shell(PLAIN_KEY, settings=settings).user_info()
    assert caught.value.nothing_sent


def test_socket_of_something_else_is_named(shell: Any) -> None:
    """An HTML page where the stream should be."""
    with web_server(service) as web, web_server(lambda _: (200, {}, b"<html>hello</html>")) as page:
        ws = page.url.replace("http", "ws")
        settings = Settings(base_url=web.url, websocket_url=ws, retries=0, reconnects=0)
        session = shell(PLAIN_KEY, settings=settings).resume_session("s1")
        with pytest.raises((ProtocolError, NetworkError), match=page.url.removeprefix("http://")):
            session.query("hello")


@pytest.mark.parametrize("status", [401, 403])
def test_socket_refused_for_the_key_is_not_tried_again(shell: Any, status: int) -> None:
    with web_server(service) as web, web_server(lambda _: as_json({"detail": "bad key"}, status)) as refusing:
        settings = Settings(base_url=web.url, websocket_url=refusing.url.replace("http", "ws"))
        session = shell(PLAIN_KEY, settings=settings).resume_session("s1")
        with pytest.raises(AuthenticationError):
            session.query("hello")
    assert len(refusing.seen) == 1


def test_logging_wish_that_the_key_does_not_allow_creates_nothing(shell: Any) -> None:
    with web_server(service) as web:
        client = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9")
        with pytest.raises(SettingsError, match="Nothing was created"):
            client.create_session(enable_logging=False)
    assert {urlsplit(seen.target).path for seen in web.seen} == {"/v1/user/info"}


def test_logging_wish_that_the_service_ignores_is_undone(shell: Any) -> None:
    """It says that the wish is allowed, registers, and retains all the same: the session is deleted again."""
    registered: list[dict[str, Any]] = []

    def answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        path = urlsplit(seen.target).path
        if path.endswith("info"):
            return as_json({"user": {"id": "u", "org_id": "o", "can_disable_logging": True}, "sessions": []})
        if path.endswith("register"):
            registered.append(json.loads(seen.body))
        if path.endswith("get"):
            return as_json(registered[0] | {"can_log": True})
        return service(seen)

    with web_server(answer) as web:
        client = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9")
        with pytest.raises(Exception, match="retains session"):
            client.create_session(enable_logging=False)
    assert registered[0]["can_log"] is False
    assert urlsplit(web.seen[-1].target).path == "/v1/session/delete"


def test_failed_get_is_repeated_and_failed_post_is_not(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secgemini_jupyter.protocol.requests.FIRST_PAUSE", 0.01)
    with web_server(lambda seen: service(seen) if seen.method == "POST" else as_json({"detail": "x"}, 503)) as web:
        client = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9")
        with pytest.raises(Exception, match="503"):
            client.user_info()
    assert len(web.seen) == 4
    with web_server(lambda seen: as_json({"detail": "x"}, 503) if seen.method == "POST" else service(seen)) as web:
        session = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9").resume_session("s1")
        with pytest.raises(Exception, match="503"):
            session.send_feedback(1)
    assert [seen.method for seen in web.seen] == ["GET", "POST"]


# --- logs processor (protocol section 8) ---


def log_service(created: bool) -> Any:
    def answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        path = urlsplit(seen.target).path
        if path == "/create_logs_table":
            return as_json({"table_created": created})
        if path == "/upload_logs":
            return as_json({"inserted_log_lines": len(json.loads(seen.body)["log_lines"])})
        return service(seen)

    return answer


def test_log_is_uploaded_and_attached(shell: Any, tmp_path: Path) -> None:
    """Whole lines, the last without newline and exotic separators inside included; attached by its keyed hash."""
    content = '{"a": "x\u2028y"}\r\n{"a": "\u0085"}\n{"_id": true}'.encode()
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    digest = hashlib.blake2s(content, key=b"secgemini").hexdigest()
    with web_server(log_service(True)) as web:
        settings = Settings(base_url=web.url, websocket_url="ws://127.0.0.1:9", logs_processor_url=web.url)
        session = shell(PLAIN_KEY, settings=settings).resume_session("s1")
        assert session.upload_and_attach_logs(path, {"id": "_id"}) == 3
        assert session.logs_table.blake2s == digest
    *looks, create, upload, attach = web.seen
    assert {urlsplit(each.target).path for each in looks} == {"/v1/session/get"}
    assert parse_qs(urlsplit(create.target).query) == {"logs_hash": [digest], "can_log": ["true"]}
    assert parse_qs(urlsplit(attach.target).query) == {"session_id": ["s1"], "logs_hash": [digest]}
    assert attach.body == b""
    body = json.loads(upload.body)
    assert "".join(body.pop("log_lines")).encode() == content
    assert body == {"logs_hash": digest, "can_log": True, "custom_fields_mapping": {"id": "_id"}}, "no extension"
    assert upload.headers["x-api-key"] == PLAIN_KEY


# --- confirmations (protocol section 12) ---


@pytest.mark.parametrize(("confirm", "decision"), [(None, "deny"), (True, "approve"), (False, "deny"), ("yes", "deny")])
def test_confirmation_is_answered(shell: Any, confirm: Any, decision: str) -> None:
    """Nobody to ask means no; so does anything but True."""
    answers: list[dict[str, Any]] = []
    asked: list[Any] = []

    def talk(connection: ServerConnection) -> None:
        connection.recv()
        request = {
            "id": "ask-1", "message_type": "confirmation_request", "role": "agent", "state": "calling_tool",
            "mime_type": "text/serialized-json",
            "content": json.dumps({"prompt": "Run it?", "options": ["approve", "deny"]}),
        }  # fmt: skip
        connection.send(json.dumps(request))
        answers.append(json.loads(connection.recv()))
        connection.send(json.dumps({"id": "r", "message_type": "result", "content": "done", "state": "agent_done"}))
        connection.send(json.dumps({"id": "e", "message_type": "info", "state": "end"}))

    with web_server(service) as web, stream_server(talk) as ws:
        session = shell(PLAIN_KEY, base_url=web.url, websocket_url=ws).resume_session("s1")
        if confirm is not None:
            session.confirm = lambda message: asked.append(message) or confirm
        response = session.query("may I?")
    assert response.answer == "done"
    (answer,) = answers
    assert (answer["message_type"], answer["parent_id"], answer["role"]) == ("confirmation_response", "ask-1", "user")
    assert json.loads(answer["content"])["decision"] == decision
    assert len(asked) == (confirm is not None)
    kinds = [m.message_type for m in response.messages]
    assert kinds[:2] == [MessageType.CONFIRMATION_REQUEST, MessageType.CONFIRMATION_RESPONSE]


@pytest.mark.anyio
async def test_confirmation_may_be_awaited() -> None:
    from secgemini_jupyter.client.aio import AsyncSecGemini

    decisions: list[str] = []

    def talk(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(json.dumps({"id": "ask-1", "message_type": "confirmation_request", "content": "{}"}))
        decisions.append(json.loads(json.loads(connection.recv())["content"])["decision"])
        connection.send(json.dumps({"id": "e", "message_type": "info", "state": "end"}))

    async def confirm(_: Any) -> bool:
        await asyncio.sleep(0)
        return True

    with web_server(service) as web, stream_server(talk) as ws:
        async with AsyncSecGemini(PLAIN_KEY, base_url=web.url, websocket_url=ws) as client:
            session = await client.resume_session("s1")
            session.confirm = confirm
            await session.query("may I?")
    assert decisions == ["approve"]


# --- frames of the wire that our own service never sends ---


@pytest.mark.parametrize(
    "frames",
    [
        [b'{"message_type": "info", "state": "end"}'],
        ['{"message_type": "hologram", "new": {"field": 1}}', '{"message_type": "info", "state": "end"}'],
        ['{"id": 7, "message_type": "thinking", "timestamp": 1.5, "usage": 3}', '{"state": "end"}'],
    ],
    ids=["binary", "unknown", "odd"],
)
def test_odd_frames_are_read(shell: Any, frames: list[Any]) -> None:
    def talk(connection: ServerConnection) -> None:
        connection.recv()
        for frame in frames:
            connection.send(frame)

    with web_server(service) as web, stream_server(talk) as ws:
        session = shell(PLAIN_KEY, base_url=web.url, websocket_url=ws).resume_session("s1")
        assert len(list(session.stream_sync("hello"))) == len(frames)


def test_frame_above_the_limit_is_named(shell: Any) -> None:
    def talk(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(json.dumps({"message_type": "info", "content": "x" * 100_000}))
        connection.recv()

    with web_server(service) as web, stream_server(talk) as ws:
        settings = Settings(base_url=web.url, websocket_url=ws, max_frame_bytes=50_000, reconnects=0)
        session = shell(PLAIN_KEY, settings=settings).resume_session("s1")
        with pytest.raises(ProtocolError, match="max_frame_bytes"):
            session.query("hello")


def test_host_that_no_address_can_hold() -> None:
    error = transport.translate(UnicodeError("label too long"), "https://" + "a" * 70)
    assert isinstance(error, InputError)
    assert Secret(KEY).reveal() not in str(error)
