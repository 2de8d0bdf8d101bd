"""A peer that stops reading: what is sent has a limit, and nothing waits for who is stuck."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection

from secgemini_jupyter.client import sending
from secgemini_jupyter.errors import NetworkError
from secgemini_jupyter.settings import MIB, Settings
from tests.client.servers import stream_server, web_server
from tests.client.test_wire import PLAIN_KEY, service

MORE_THAN_BUFFERS_HOLD = "p" * 16 * MIB


@contextmanager
def deaf_server() -> Iterator[str]:
    """Takes a stream and reads nothing from it."""
    over = threading.Event()

    def deafen(connection: ServerConnection, _: Request) -> None:
        connection.recv_flow_control.acquire()

    def talk(connection: ServerConnection) -> None:
        over.wait(20)
        connection.recv_flow_control.release()

    with stream_server(talk, process_request=deafen, compression=None, max_size=None) as ws:
        try:
            yield ws
        finally:
            over.set()


def test_peer_that_reads_nothing_is_a_cut(shell: Any) -> None:
    with web_server(service) as web, deaf_server() as ws:
        settings = Settings(
            base_url=web.url,
            websocket_url=ws,
            silence_timeout=0.5,
            ping_interval=0.1,
            reconnects=0,
            max_prompt_bytes=64 * MIB,
        )
        session = shell(PLAIN_KEY, settings=settings).resume_session("s1")
        with pytest.raises(NetworkError, match="did not take what was sent"):
            session.query(MORE_THAN_BUFFERS_HOLD)
        assert not session.is_running


def test_close_does_not_wait_for_a_thread_that_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "CLOSE", 0.3)
    ended: list[Exception] = []

    def send() -> None:
        try:
            connection.send(MORE_THAN_BUFFERS_HOLD)
        except ConnectionClosed as error:
            ended.append(error)

    with deaf_server() as ws:
        connection = connect(ws)
        connection.pending_legacy_warning = False
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        while sender.is_alive() and not connection.protocol_mutex.locked():
            pass
        sending.close(connection)
        sender.join(10)
    assert len(ended) == 1
