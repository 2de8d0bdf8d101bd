"""What each of many streams of one client costs."""

from __future__ import annotations

import ssl

import pytest

from secgemini_jupyter import Settings
from secgemini_jupyter.client import transport
from secgemini_jupyter.errors import Secret

KEY = Secret("k" * 20)


def test_streams_of_a_client_share_the_certificates_of_all_authorities() -> None:
    """Reading them for each would take 900 MB for a thousand streams, and hold the event loop up for 40 s."""
    settings = Settings(base_url="https://gemini.test", websocket_url="wss://gemini.test")
    first, second = (transport.socket_options(settings, KEY)["ssl"] for _ in range(2))
    assert first is second
    assert (first.verify_mode, first.check_hostname) == (ssl.CERT_REQUIRED, True)
    other = Settings(base_url="https://other.test", websocket_url="wss://other.test")
    assert transport.socket_options(other, KEY)["ssl"] is not first


def test_authorities_that_the_environment_names_are_read_from_the_next_turn_on(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(base_url="https://gemini.test", websocket_url="wss://gemini.test")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    before = transport.socket_options(settings, KEY)["ssl"]
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    after = transport.socket_options(settings, KEY)["ssl"]
    assert after is not before
    monkeypatch.delenv("SSL_CERT_FILE")
    assert transport.socket_options(settings, KEY)["ssl"] is before


def test_a_stream_on_this_machine_has_none() -> None:
    settings = Settings(base_url="http://127.0.0.1:1", websocket_url="ws://127.0.0.1:1")
    assert "ssl" not in transport.socket_options(settings, KEY)
