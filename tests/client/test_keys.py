"""A canary key shows up nowhere: no message, traceback, log, repr, pickle, whatever fails and whoever prints it."""

from __future__ import annotations

import asyncio
import copy
import io
import logging
import pickle
import signal
import threading
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from IPython.core.ultratb import VerboseTB

from secgemini_jupyter.client.aio import AsyncInteractiveSession, AsyncSecGemini
from secgemini_jupyter.client.state import SessionState
from secgemini_jupyter.client.sync import SecGemini
from secgemini_jupyter.errors import SecGeminiError, Secret, SettingsError
from secgemini_jupyter.models import PublicSession
from secgemini_jupyter.settings import Settings
from tests.client.servers import silent_server, web_server
from tests.conftest import LocalService

CANARY = "canary+/=&%-0123456789-abcdef"


def clean(text: str) -> bool:
    """Neither the key, nor a telling part of it, nor its percent-encoded form."""
    return not any(part in text for part in (CANARY, quote(CANARY, safe=""), "0123456789-abc"))


def verbose(error: BaseException) -> str:
    """The traceback as IPython's `%xmode Verbose` prints it, with the values of local variables; from our code on."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    text = VerboseTB(include_vars=True).text(type(error), error, frames)
    return str(text)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any logger says, at the lowest level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    names = [
        "httpx",
        "httpcore",
        "websockets",
        "websockets.client",
        "secgemini_jupyter",
        "asyncio",
        "secgemini_jupyter.websocket",
    ]
    loggers = [root, *map(logging.getLogger, names)]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    for each, level in zip(loggers, levels, strict=True):
        each.setLevel(level)


@pytest.mark.parametrize("in_url", [True, False], ids=["key in the query", "key in a header"])
def test_no_failure_shows_the_key(shell: Any, local_service: LocalService, log: io.StringIO, in_url: bool) -> None:
    """Wrong key, nobody there, silence, another kind of page: over HTTP and over the socket."""
    good = shell(local_service.key, base_url=local_service.http, websocket_url=local_service.ws).create_session()
    own = good.twin if hasattr(good, "twin") else good
    with silent_server() as silent, web_server(lambda _: (200, {}, b"<html>")) as page:
        for address in (
            local_service.http.removeprefix("http://"),
            "127.0.0.1:9",
            f"127.0.0.1:{silent}",
            page.url.removeprefix("http://"),
        ):
            settings = Settings(
                base_url=f"http://{address}", websocket_url=f"ws://{address}", key_in_url=in_url,
                retries=0, reconnects=0, read_timeout=0.1, connect_timeout=0.1,
            )  # fmt: skip
            client = shell(CANARY, settings=settings)
            own._client = client.twin if hasattr(client, "twin") else client
            own._core = own._client._core
            for attempt in (client.user_info, lambda: list(good.stream_sync("hello"))):
                with pytest.raises(SecGeminiError) as caught:
                    attempt()
                for text in (
                    str(caught.value),
                    repr(caught.value),
                    "".join(traceback.format_exception(caught.value)),
                    verbose(caught.value),
                    repr(pickle.dumps(caught.value.args)),
                ):
                    assert clean(text), address
    said = log.getvalue()
    assert "secgemini_jupyter.websocket" in said, "websockets' own words were not there to be cleaned"
    assert "httpcore" in said
    assert clean(said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "socks5://analyst:canary-password@127.0.0.1:9"),
        ("HTTPS_PROXY", "ftp://analyst:canary-password@127.0.0.1:9"),
        ("HTTPS_PROXY", "http://analyst:canary-password@[::1"),
        ("HTTPS_PROXY", "http://analyst:#canary-password@127.0.0.1:9"),
        ("HTTPS_PROXY", "http://canary-password@127.0.0.1:9"),
        ("SSL_CERT_FILE", "/nowhere/canary-password.pem"),
    ],
)
def test_environment_that_cannot_be_used_shows_neither_key_nor_password(
    shell: Any, local_service: LocalService, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """httpx and `ssl` hold `os.environ` in a local variable while they fail."""
    good = shell(local_service.key, base_url=local_service.http, websocket_url=local_service.ws).create_session()
    own = good.twin if hasattr(good, "twin") else good
    monkeypatch.setenv("SEC_GEMINI_API_KEY", CANARY)
    monkeypatch.setenv(name, value)
    client = shell(
        settings=Settings(base_url="https://service.invalid", websocket_url="wss://service.invalid", retries=0)
    )
    own._client = client.twin if hasattr(client, "twin") else client
    own._core = own._client._core
    for attempt in (client.user_info, lambda: list(good.stream_sync("hello"))):
        with pytest.raises(SecGeminiError) as caught:
            attempt()
        for text in (str(caught.value), "".join(traceback.format_exception(caught.value)), verbose(caught.value)):
            assert clean(text)
            assert "canary-password" not in text


def test_proxy_that_cannot_be_used_is_named(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://127.0.0.1:9")
    with pytest.raises(SettingsError, match=r"proxies .* cannot be used .*HTTPS_PROXY.*%secgemini doctor"):
        shell(CANARY, base_url="https://service.invalid").user_info()


@pytest.mark.parametrize("in_url", [True, False], ids=["key in the query", "key in a header"])
def test_success_logs_no_key(shell: Any, tmp_path_factory: Any, log: io.StringIO, in_url: bool) -> None:
    """The whole way, with the service's own log."""
    import json
    import os
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("canary")
    with (
        (folder / "log").open("wb") as server_log,
        subprocess.Popen(
            [sys.executable, "-m", "secgemini_jupyter.local_server", "--engine", "echo", "--data", folder / "data"],
            env={**os.environ, "SECGEMINI_SERVE_API_KEY": CANARY},
            stdout=subprocess.PIPE,
            stderr=server_log,
        ) as process,
    ):
        try:
            assert process.stdout
            address = json.loads(process.stdout.readline())
            settings = Settings(base_url=address["http"], websocket_url=address["ws"], key_in_url=in_url)
            session = shell(CANARY, settings=settings).create_session()
            session.attach_file("a", b"a")
            assert session.query("hello").answer == "hello"
            frame = session.history()
            assert clean(repr(frame.attrs) + frame.to_csv() + repr(session) + str(session.visualize()))
        finally:
            process.terminate()
    assert clean(log.getvalue())
    assert clean((folder / "log").read_text())
    for path in (folder / "data").rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes()


def test_interrupt_in_the_middle_shows_no_key() -> None:
    """Ctrl-C while the key is on its way, in HTTP and in the handshake, then the most talkative traceback."""
    with silent_server() as port:
        for in_url in (True, False):
            settings = Settings(
                base_url=f"http://127.0.0.1:{port}", websocket_url=f"ws://127.0.0.1:{port}", key_in_url=in_url
            )
            client = SecGemini(CANARY, settings=settings)
            from secgemini_jupyter.client.state import SessionState
            from secgemini_jupyter.client.sync import InteractiveSession
            from secgemini_jupyter.models import PublicSession

            session = InteractiveSession(client, SessionState(PublicSession(id="s"), messages=[]))
            for attempt in (client.user_info, lambda session=session: session.query("hello")):
                timer = threading.Timer(
                    0.15, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                )
                timer.start()
                with pytest.raises(KeyboardInterrupt) as caught:
                    attempt()
                timer.join()
                assert clean(verbose(caught.value))
                assert clean("".join(traceback.format_exception(caught.value)))
            client.close()


def test_objects_show_no_key() -> None:
    client = SecGemini(CANARY, base_url="https://host.test")
    for each in (client, client.aio, client._core, client._core.key, client._core.key.secret, client.settings):
        for text in (repr(each), str(each), f"{each}", f"{each!r}"):
            assert clean(text)
        assert clean(repr(vars(each)) if hasattr(each, "__dict__") else "")
    secret = client._core.key.secret
    assert clean(repr(pickle.dumps(secret)))
    assert pickle.loads(pickle.dumps(secret)).reveal() == ""
    assert copy.deepcopy(secret).reveal() == CANARY
    assert client.key_source == "argument"


@pytest.mark.parametrize("key", ["canary\nx-evil: 1", "canary-ü-0123456789", "canary\u2028-0123456789"])
def test_key_that_no_header_can_hold_is_refused(shell: Any, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEC_GEMINI_API_KEY", key)
    for arguments, name in (((), "SEC_GEMINI_API_KEY"), ((key,), "api_key")):
        with pytest.raises(SettingsError, match=name) as caught:
            shell(*arguments)
        assert "canary" not in str(caught.value)
    with pytest.raises(SettingsError) as caught:
        shell()
    assert "canary" not in verbose(caught.value)


def test_key_is_not_sent_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEC_GEMINI_API_KEY", CANARY)
    for url in ("http://api.example.test", "http://127.0.0.1.example.test", "http://[::2]:80"):
        with pytest.raises(SettingsError, match="not encrypted") as caught:
            SecGemini(base_url=url)
        assert clean(verbose(caught.value))
    with pytest.raises(SettingsError, match="not encrypted"):
        SecGemini(base_url="https://host.test", websocket_url="ws://host.test")
    for password in (CANARY, quote(CANARY, safe="")):
        with pytest.raises(SettingsError) as caught:
            SecGemini(base_url=f"https://user:{password}@host.test")
        assert clean(str(caught.value))
        assert "canary" not in str(caught.value)


def test_secret_values_are_found_in_what_others_say() -> None:
    """Also when another one with the same value is gone."""
    gone, kept = Secret(CANARY), Secret(CANARY)
    del gone
    assert clean(str(SecGeminiError(f"a proxy said: {CANARY} and {quote(CANARY, safe='')}")))
    assert kept.hint == "…cdef"


@pytest.mark.parametrize("in_url", [True, False], ids=["key in the query", "key in a header"])
def test_a_cancelled_connection_shows_no_key(in_url: bool) -> None:
    """websockets keeps the handshake's headers in a variable, and a verbose traceback prints variables."""

    async def ask(address: str) -> None:
        settings = Settings(base_url=f"http://{address}", websocket_url=f"ws://{address}", key_in_url=in_url)
        client = AsyncSecGemini(CANARY, settings=settings)
        session = AsyncInteractiveSession(client, SessionState(PublicSession(id="s")))
        async with asyncio.timeout(0.3):
            await session.query("hi")

    with silent_server() as silent, pytest.raises(TimeoutError) as caught:
        asyncio.run(ask(f"127.0.0.1:{silent}"))
    error: BaseException | None = caught.value
    while error is not None:
        assert clean(verbose(error))
        error = error.__context__
