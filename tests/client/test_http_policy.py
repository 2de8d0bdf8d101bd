"""Requests whose reply drips, gets lost, or is on its way through a proxy: both shells, over real sockets."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from secgemini_jupyter.client import transport
from secgemini_jupyter.errors import NetworkError, QuotaError, Secret, ServiceError
from secgemini_jupyter.settings import Settings, proxy_for
from tests.client.servers import Seen, as_json, web_server
from tests.client.test_wire import PLAIN_KEY, service, stored_session


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secgemini_jupyter.protocol.requests.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("secgemini_jupyter.protocol.requests.SECOND_LOOK", 0.001)


@contextmanager
def dripping_server(head: bytes) -> Iterator[str]:
    """Sends `head`, then a byte every 20 ms for as long as somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk(connection: socket.socket) -> None:
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(head)
                    while True:
                        connection.sendall(b"x")
                        time.sleep(0.02)
                except OSError:
                    return

        def accept() -> None:
            while True:
                try:
                    threading.Thread(target=talk, args=[listening.accept()[0]], daemon=True).start()
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-h: ",
    ],
    ids=["body", "header"],
)
def test_a_reply_that_drips_ends(shell: Any, head: bytes) -> None:
    with dripping_server(head) as url:
        settings = Settings(base_url=url, websocket_url="ws://127.0.0.1:9", total_timeout=0.4, read_timeout=30)
        with pytest.raises(NetworkError, match=r"did not answer in time.*Settings"):
            shell(PLAIN_KEY, settings=settings).user_info()


class Losing:
    """A service that does what it is asked, and drops the connection in place of its first reply to `path`."""

    def __init__(self, path: str, *, does: bool) -> None:
        self.path, self.does, self.dropped = path, does, 0
        self.session: dict[str, Any] | None = stored_session()
        self.done: list[str] = []

    def __call__(self, seen: Seen) -> tuple[int, dict[str, str], bytes]:
        path = urlsplit(seen.target).path
        drops = path.endswith(self.path) and not self.dropped
        if not drops or self.does:
            reply = self.reply(path, json.loads(seen.body or b"{}"))
        if drops:
            self.dropped += 1
            raise ConnectionAbortedError  # the server closes without a reply
        return reply

    def reply(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        name = path.rpartition("/")[2]
        if name == "get":
            return as_json(self.session)
        if name == "info":
            return service(Seen("GET", path, {}, b""))
        self.done.append(name)
        data: Any = None
        if name == "register":
            self.session = body
        elif name == "update" and self.session:
            self.session |= {"name": body["name"]}
        elif name == "delete":
            self.session = None
        elif name == "attach_file" and self.session:
            import base64
            import hashlib

            content = base64.b64decode(body["content"])
            data = {"name": body["filename"], "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            self.session["files"].append(data)
        elif name == "detach_file" and self.session:
            self.session["files"].pop(body["file_idx"])
        return as_json({"ok": True, "status_code": 200, "status_message": "", "data": data})


@contextmanager
def losing(shell: Any, path: str, *, does: bool) -> Iterator[tuple[Any, Losing]]:
    lost = Losing(path, does=does)
    with web_server(lost, quiet=True) as web:
        yield shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9"), lost


@pytest.mark.parametrize("does", [True, False], ids=["done", "not done"])
def test_lost_reply_to_register(shell: Any, does: bool) -> None:
    with losing(shell, "register", does=does) as (client, lost):
        lost.session = None
        session = client.create_session("one")
    assert lost.session
    assert (session.id, session.name) == (lost.session["id"], "one")
    assert lost.done == ["register"]


@pytest.mark.parametrize("does", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize(
    ("name", "act"),
    [
        ("update", lambda session: session.update(name="new")),
        ("delete", lambda session: session.delete()),
        ("attach_file", lambda session: session.attach_file("a.txt", b"a")),
    ],
)
def test_lost_reply_of_what_can_be_seen(shell: Any, name: str, act: Callable[[Any], Any], does: bool) -> None:
    """It is done once, and the caller does not notice."""
    with losing(shell, name, does=does) as (client, lost):
        session = client.resume_session("s1")
        act(session)
        assert lost.done == [name]
    if name == "attach_file":
        assert [file.name for file in session.files] == ["a.txt"]


def test_lost_reply_to_detach(shell: Any) -> None:
    for does in (True, False):
        with losing(shell, "detach_file", does=does) as (client, lost):
            session = client.resume_session("s1")
            session.attach_file("a.txt", b"a")
            if does:
                session.detach_file(0)
                assert session.files == []
            else:
                with pytest.raises(NetworkError, match=r"had not been done.*session s1"):
                    session.detach_file(0)
                assert len(session.files) == 1
            assert lost.done == ["attach_file", *["detach_file"] * does]


def test_lost_reply_to_feedback(shell: Any) -> None:
    with losing(shell, "feedback", does=True) as (client, lost):
        with pytest.raises(NetworkError, match=r"may have arrived.*may count twice.*session s1"):
            client.resume_session("s1").send_feedback(1)
        assert lost.done == ["feedback"]


@pytest.mark.parametrize("status", [401, 403, 422])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refusal_is_asked_once(shell: Any, status: int, method: str) -> None:
    def answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        return as_json({"detail": "no"}, status) if seen.method == method else service(seen)

    with web_server(answer) as web:
        client = shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9")
        with pytest.raises(ServiceError, match="no"):
            client.user_info() if method == "GET" else client.resume_session("s1").delete()
    assert [seen.method for seen in web.seen].count(method) == 1


def test_quota_over_http_tells_when(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry-After is waited for, up to its limit; what is longer is the caller's to plan."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("secgemini_jupyter.client.sync.time.sleep", waited.append)
    monkeypatch.setattr("secgemini_jupyter.client.aio.asyncio.sleep", sleep)
    for wait, tries in (("60", 4), ("121", 1)):
        with web_server(lambda _, wait=wait: (429, {"retry-after": wait}, b'{"detail": "slow"}')) as web:
            with pytest.raises(QuotaError, match="slow") as caught:
                shell(PLAIN_KEY, base_url=web.url, websocket_url="ws://127.0.0.1:9").user_info()
            assert len(web.seen) == tries
        assert caught.value.retry_after == float(wait)
    assert [each for each in waited if each == 60] == [60] * 3
    assert max(waited) == 60


# --- proxies ---

BOTH = [("https://gemini.test", "wss://gemini.test"), ("http://gemini.test:81", "ws://gemini.test:81")]


def proxies_of(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name in ("http", "https", "all", "no", "ws", "wss", "socks"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("no_proxy", ["", "other.test"])
def test_proxy_for_all_is_used_by_requests_and_stream(
    shell: Any, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    with web_server(service) as web, web_server(lambda _: (403, {}, b"")) as proxy:
        proxies_of(monkeypatch, ALL_PROXY=proxy.url, NO_PROXY=no_proxy)
        settings = Settings(base_url="https://gemini.test", websocket_url="wss://gemini.test", retries=0, reconnects=0)
        with pytest.raises(NetworkError, match=r"gemini\.test"):
            shell(PLAIN_KEY, settings=settings).user_info()
        stream = Settings(base_url=web.url, websocket_url="wss://gemini.test", retries=0, reconnects=0)
        with pytest.raises(Exception, match=r"gemini\.test"):
            shell(PLAIN_KEY, settings=stream).resume_session("s1").query("hello")
    assert [(seen.method, seen.target) for seen in proxy.seen] == [("CONNECT", "gemini.test:443")] * 2
    assert PLAIN_KEY not in proxy.everything


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [("gemini.test", True), (".gemini.test", True), ("test", True), ("gemini.test:443", True), ("*", True),
     ("other.test, gemini.test", True), ("gemini.test:8443", False), ("emini.test", False), ("", False)],
)  # fmt: skip
def test_exceptions_hold_for_requests_and_stream(monkeypatch: pytest.MonkeyPatch, no_proxy: str, direct: bool) -> None:
    proxies_of(monkeypatch, HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY=no_proxy)
    settings = Settings(base_url="https://gemini.test", websocket_url="wss://gemini.test")
    for kind in (httpx.Client, httpx.AsyncClient):
        client: Any = transport.opened(kind, settings, lambda: Secret(PLAIN_KEY))
        assert (client._transport_for_url(httpx.URL("https://gemini.test/v1")) is client._transport) == direct
    assert (transport.socket_options(settings, Secret(PLAIN_KEY))["proxy"] is None) == direct


@pytest.mark.parametrize(
    "address",
    ["https://gemini.test", "https://gemini.test:443", "https://GEMINI.test:8443", "https://[2001:db8::1]:444/x"],
)
def test_whatever_the_port(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    proxies_of(monkeypatch, ALL_PROXY="http://127.0.0.1:9")
    client: Any = transport.opened(httpx.Client, Settings(base_url=address), lambda: Secret(PLAIN_KEY))
    assert client._transport_for_url(httpx.URL(address + "/v1/user/info")) is not client._transport
    assert client._transport_for_url(httpx.URL("https://elsewhere.test")) is client._transport


@pytest.mark.parametrize(
    ("variables", "url", "expected"),
    [
        ({"ALL_PROXY": "socks5://p:1"}, "wss://gemini.test", "socks5://p:1"),
        ({"ALL_PROXY": "p:1", "HTTPS_PROXY": "q:2"}, "wss://gemini.test", "http://q:2"),
        ({"HTTP_PROXY": "p:1"}, "wss://gemini.test", None),
        ({"SOCKS_PROXY": "http://p:1"}, "https://gemini.test", "socks5h://p:1"),
        ({"WSS_PROXY": "http://p:1"}, "wss://gemini.test", "http://p:1"),
        ({"WSS_PROXY": "http://p:1"}, "https://gemini.test", None),
        ({"HTTPS_PROXY": "http://token@p:1"}, "https://gemini.test", "http://token:@p:1"),
        ({"ALL_PROXY": "http://p:1"}, "http://127.0.0.1:8000", None),
    ],
)
def test_which_proxy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, expected: str | None
) -> None:
    proxies_of(monkeypatch, **variables)
    assert proxy_for(url) == expected
