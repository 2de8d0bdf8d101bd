"""A client that stops reading must not hold a turn up for ever."""

from __future__ import annotations

import base64
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from secgemini_jupyter.errors import Secret
from secgemini_jupyter.local_server import limits, serve
from secgemini_jupyter.local_server.app import Service
from secgemini_jupyter.local_server.engines import Engines
from secgemini_jupyter.local_server.store import Store

KEY = "k" * 20


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A real server, in a thread so that its time limits can be changed."""
    listening = serve.bind("127.0.0.1", 0)
    host = f"127.0.0.1:{listening.getsockname()[1]}"
    service = Service(Store(tmp_path), Engines("echo"), Secret(KEY))
    server = serve.create_server(service, Secret(KEY), hosts=[host], origins=[])
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield host
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def test_a_client_that_stops_reading_is_dropped_and_its_turn_goes_on(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STALL_TIMEOUT", 0.3)
    with httpx.Client(base_url=f"http://{address}", headers={"x-api-key": KEY}) as http:
        http.post("/v1/session/register", json={"id": "s", "ttl": 300, "model": {"model_string": "local-echo"}})
        prompt = json.dumps({"message_type": "query", "content": "[[messages=12000 bytes=2000]] done"}).encode()
        with socket.create_connection(("127.0.0.1", int(address.split(":")[1]))) as raw:
            raw.sendall(
                f"GET /v1/stream?session_id=s&api_key={KEY} HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\n"
                "upgrade: websocket\r\nsec-websocket-version: 13\r\n"
                f"sec-websocket-key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n".encode()
            )
            assert raw.recv(65536).startswith(b"HTTP/1.1 101")
            raw.sendall(bytes((0x81, 0x80 | len(prompt))) + bytes(4) + prompt)
            deadline = time.monotonic() + 20
            while (session := http.get("/v1/session/list").json()[0])["state"] != "end":
                assert time.monotonic() < deadline
                time.sleep(0.05)
    assert session["num_messages"] == 12_005  # query, two progress lines, the thoughts, result, END
