"""A service that sends more than memory is for: while nobody reads, and in one turn."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from secgemini_jupyter.client import receiving, transport
from secgemini_jupyter.errors import Secret, ServiceError
from secgemini_jupyter.settings import Settings
from tests.client.servers import stream_server, web_server
from tests.client.test_wire import PLAIN_KEY, service

SIZE, COUNT, KEPT = 64 * 1024, 60, 4
SLACK = 2
"""Frames that may be read in one go, before reading pauses."""


@pytest.fixture(autouse=True)
def _few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "BYTES", KEPT * SIZE)
    monkeypatch.setattr(receiving, "LARGE", 1000)


def pour(connection: ServerConnection) -> None:
    for _ in range(COUNT):
        connection.send("x" * SIZE)
    connection.recv()


def options(ws: str) -> dict[str, Any]:
    return transport.socket_options(Settings(websocket_url=ws), Secret(PLAIN_KEY)) | {"compression": None}


def test_large_frames_that_wait_are_few() -> None:
    with stream_server(pour) as ws:
        made = transport.Connect(ws, create_connection=receiving.Connection, **options(ws))
        with made.connect() as connection:
            waiting, until = connection.recv_messages, time.monotonic() + 30
            while not waiting.paused and waiting.frames.qsize() < COUNT and time.monotonic() < until:
                time.sleep(0.01)
            assert KEPT < waiting.frames.qsize() <= KEPT + SLACK
            assert sum(len(connection.recv()) for _ in range(COUNT)) == COUNT * SIZE
            connection.send("enough")


@pytest.mark.anyio
async def test_large_frames_that_wait_are_few_in_a_loop() -> None:
    with stream_server(pour) as ws:
        async with transport.AsyncConnect(ws, create_connection=receiving.AsyncConnection, **options(ws)) as connection:
            waiting, until = connection.recv_messages, time.monotonic() + 30
            while not waiting.paused and len(waiting.frames) < COUNT and time.monotonic() < until:
                await asyncio.sleep(0.01)
            assert KEPT < len(waiting.frames) <= KEPT + SLACK + 4  # asyncio reads 256 KiB at once
            assert sum([len(await connection.recv()) for _ in range(COUNT)]) == COUNT * SIZE
            await connection.send("enough")


def test_turn_that_brings_too_much_is_given_up(shell: Any) -> None:
    made: list[ServerConnection] = []

    def talk(connection: ServerConnection) -> None:
        made.append(connection)
        connection.recv()
        try:
            for number in itertools.count():
                connection.send(json.dumps({"id": f"m{number}", "message_type": "thinking", "content": "x" * 10_000}))
        except ConnectionClosed:
            pass

    with web_server(service) as web, stream_server(talk) as ws:
        settings = Settings(base_url=web.url, websocket_url=ws, max_reply_bytes=105_000)
        session = shell(PLAIN_KEY, settings=settings).resume_session("s1")
        with pytest.raises(ServiceError, match=r"105,000 bytes.*max_reply_bytes") as caught:
            session.query("hello")
    assert len(caught.value.messages) == 10
    assert len(made) == 1


def test_both_shells_look_at_the_size(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(receiving, "_shrink", lambda _, size: sizes.append(size))

    def talk(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(json.dumps({"id": "a", "message_type": "result", "content": "x" * 10_000}))
        connection.send(json.dumps({"id": "e", "message_type": "info", "state": "end"}))

    with web_server(service) as web, stream_server(talk) as ws:
        session = shell(PLAIN_KEY, base_url=web.url, websocket_url=ws).resume_session("s1")
        assert session.query("hello").answer == "x" * 10_000
    assert len(sizes) == 1
