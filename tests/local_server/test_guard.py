"""Who may talk to the server: keys, Host, Origin, on HTTP and on WebSocket; what `/health` says to anyone."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from secgemini_jupyter._version import __version__
from secgemini_jupyter.local_server import throttle

KEY_ROUTES = ["/v1/user/info", "/v1/session/list", "/v1/session/get?session_id=x", "/v2/anything"]


@pytest.mark.parametrize("path", KEY_ROUTES)
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"x-api-key": ""}, {"authorization": "Bearer wrong"},
                                     {"authorization": "Basic local-test-key-0123456789"}])  # fmt: skip
def test_every_route_needs_the_key(local_service: Any, path: str, headers: dict[str, str]) -> None:
    reply = httpx.get(local_service.http + path, headers=headers)
    assert reply.status_code == 401
    assert isinstance(reply.json()["detail"], str)


def test_the_key_is_taken_from_either_header(local_service: Any) -> None:
    for headers in ({"x-api-key": local_service.key}, {"authorization": f"bearer {local_service.key}"}):
        assert httpx.get(local_service.http + "/v1/user/info", headers=headers).status_code == 200


def test_the_key_in_the_query_counts_for_the_websocket_alone(local_service: Any) -> None:
    url = f"{local_service.http}/v1/user/info?api_key={local_service.key}"
    assert httpx.get(url).status_code == 401


def test_the_websocket_takes_the_key_from_headers_too(local_service: Any) -> None:
    for name, value in (("x-api-key", local_service.key), ("Authorization", f"Bearer {local_service.key}")):
        with connect(f"{local_service.ws}/v1/stream?session_id=x", additional_headers={name: value}) as socket:
            assert json.loads(socket.recv(timeout=5))["status_code"] == 404


@pytest.mark.parametrize("key", ["plus+slash/equals=percent%41%zz", "space and ü"])
def test_a_key_of_any_characters_works_encoded_and_raw(start: Callable[..., Any], key: str) -> None:
    server = start(SECGEMINI_SERVE_API_KEY=key)
    encoded = str(httpx.QueryParams({"api_key": key}))
    for query in (encoded, f"api_key={key}" if key.isascii() and " " not in key else encoded):
        with connect(f"{server.api.ws_url}/v1/stream?session_id=x&{query}") as socket:
            assert json.loads(socket.recv(timeout=5))["status_code"] == 404
    reply = httpx.get(server.api.http_url + "/v1/user/info", headers={"x-api-key": key.encode()})
    assert reply.status_code == 200
    server.end()
    assert key not in server.log.read_text()


def test_health_proves_the_key_and_tells_nothing_else(local_service: Any) -> None:
    reply = httpx.get(local_service.http + "/health", params={"nonce": "n-ü+1"}).json()
    proof = hmac.new(local_service.key.encode(), "n-ü+1".encode(), hashlib.sha256).hexdigest()
    told = {"status": "ok", "version": __version__, "logs_processor": True}
    assert reply.pop("busy") in (False, True)
    assert reply == told | {"proof": proof}
    assert httpx.get(local_service.http + "/health").json().keys() == {*told, "busy"}
    assert httpx.get(local_service.http + "/").status_code == 200


BAD_HOSTS = ["evil.example", "localhost", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", "",
             "127.0.0.1:{port}.evil.example", "evil.example:{port}"]  # fmt: skip


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_another_host_is_refused_even_with_the_key(local_service: Any, host: str) -> None:
    port = local_service.http.rpartition(":")[2]
    headers = {"host": host.format(port=port), "x-api-key": local_service.key}
    for path in ("/v1/user/info", "/health"):
        assert httpx.get(local_service.http + path, headers=headers).status_code == 403
    with pytest.raises(InvalidStatus) as refused:
        upgrade(local_service, headers)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://127.0.0.1", "file://", ""])
def test_a_page_of_any_origin_is_refused(local_service: Any, origin: str) -> None:
    headers = {"origin": origin, "x-api-key": local_service.key}
    assert httpx.get(local_service.http + "/v1/user/info", headers=headers).status_code == 403
    assert httpx.options(local_service.http + "/v1/user/info", headers=headers).status_code == 403
    with pytest.raises(InvalidStatus) as refused:
        upgrade(local_service, headers)
    assert refused.value.response.status_code == 403


def upgrade(service: Any, headers: dict[str, str]) -> None:
    """A WebSocket handshake with headers that a client library would not let us choose."""
    from websockets.client import ClientProtocol
    from websockets.uri import parse_uri

    uri = parse_uri(f"{service.ws}/v1/stream?session_id=x")
    protocol = ClientProtocol(uri)
    request = protocol.connect()
    for name, value in headers.items():
        if name in request.headers:
            del request.headers[name]
        request.headers[name] = value
    protocol.send_request(request)
    with socket.create_connection((uri.host, uri.port), timeout=5) as raw:
        raw.sendall(b"".join(protocol.data_to_send()))
        while protocol.handshake_exc is None and (received := raw.recv(65536)):
            protocol.receive_data(received)
        if not protocol.handshake_exc:
            protocol.receive_eof()
    if protocol.handshake_exc:
        raise protocol.handshake_exc


def test_a_named_origin_may_use_the_server_and_another_may_not(start: Callable[..., Any]) -> None:
    server = start("--allow-origin", "https://hub.example.org")
    url, ours = server.api.http_url + "/v1/user/info", {"origin": "https://hub.example.org"}
    preflight = ours | {
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key, content-type, authorization",
    }
    reply = httpx.options(url, headers=preflight)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == "https://hub.example.org"
    allowed = reply.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("x-api-key", "content-type", "authorization"))
    reply = server.api.http.get("/v1/user/info", headers=ours)
    assert reply.headers["access-control-allow-origin"] == "https://hub.example.org"
    assert httpx.get(url, headers=ours).status_code == 401
    for other in ("https://hub.example.org.evil.example", "https://evil.example", "null"):
        assert server.api.http.get("/v1/user/info", headers={"origin": other}).status_code == 403
        assert httpx.options(url, headers=preflight | {"origin": other}).status_code == 403


def test_no_cors_header_is_sent_by_default(api: Any) -> None:
    assert not [name for name in api.http.get("/v1/user/info").headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["//v1/user/info", "///v1/user/info"])
def test_leading_slashes_are_collapsed(api: Any, path: str) -> None:
    assert api.http.get(api.http_url + path).status_code == 200


def test_the_log_holds_no_key_no_prompt_and_no_query_string(start: Callable[..., Any]) -> None:
    server = start()
    session_id = server.api.register()
    server.api.ask(session_id, "canary-prompt")
    server.api.session(session_id)
    httpx.get(server.api.http_url + "/v1/user/info%1b[2J", headers={"x-api-key": "wrong-canary-key"})
    with pytest.raises(InvalidStatus):
        server.api.connect(session_id, api_key="wrong-canary-key")
    server.end()
    log = server.log.read_text()
    assert "/v1/stream" in log
    for canary in ("canary", server.api.key, session_id, "api_key", "\x1b"):
        assert canary not in log


def test_who_has_no_key_cannot_fill_the_disk_with_the_log(start: Callable[..., Any]) -> None:
    server = start()
    port = int(server.api.http_url.rpartition(":")[2])
    lines = f"host: 127.0.0.1:{port}\r\n"
    for path in ("/health", "/%1b" + "x" * 200):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            raw.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode() * 299)
            raw.sendall(f"GET {path} HTTP/1.1\r\n{lines}connection: close\r\n\r\n".encode())
            while raw.recv(2**16):
                pass
    for _ in range(120):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            raw.sendall(b"no request\r\n\r\n")
            raw.recv(2**16)
    for _ in range(150):
        server.api.get("/v1/session/list")
    server.end()
    log = server.log.read_text().splitlines()
    assert len([line for line in log if "/v1/session/list 200" in line]) == 150, "those with the key are all there"
    assert len(log) < 150 + 2 * throttle.BURST + 20


def test_lines_that_were_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(throttle.time, "monotonic", lambda: now)
    spared = throttle.Throttle()

    def logged(name: str = throttle.STRANGERS) -> str | None:
        record = logging.LogRecord(name, logging.WARNING, "", 0, "%s refused", ("100%s",), None)
        return record.getMessage() if spared.filter(record) else None

    assert [logged() for _ in range(throttle.BURST + 5)] == ["100%s refused"] * throttle.BURST + [None] * 5
    assert logged("uvicorn.error") == "100%s refused"
    now += throttle.INTERVAL
    assert logged() == "100%s refused (before it 5 lines like this were left out)"
    assert logged() is None
