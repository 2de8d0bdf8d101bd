"""Many sessions that stream at once, from several processes and from one, beside clients that do not read."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.load import Load, crowds
from benchmarks.worker import Service
from secgemini_jupyter import AsyncSecGemini, SecGemini, Settings

MIB = 2**20
SETTINGS = {"ttl": 3600, "model": {"model_string": "local-echo"}}


def run(server: Any, load: Load) -> list[dict[str, Any]]:
    service = Service(server.api.http_url, server.api.ws_url, server.api.key)
    return crowds(load, "ours", sys.executable, service)


def settings(server: Any) -> Settings:
    return Settings(base_url=server.api.http_url, websocket_url=server.api.ws_url)


@pytest.mark.parametrize(
    "load",
    [
        Load("small", 4, 5, "[[messages=100 bytes=200]]"),
        pytest.param(Load("20 kernels", 20, 10, "[[messages=300 bytes=200]]"), marks=pytest.mark.slow),
        pytest.param(
            Load("1,000 streams", 1, 1000, "[[delay=0.5]] [[messages=20 bytes=200]]", 200 * MIB / 1e6),
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda load: load.name,
)
def test_sessions_that_stream_at_once_get_all_their_messages(start: Callable[..., Any], load: Load) -> None:
    server = start()
    reports = run(server, load)
    turns = [turn for report in reports for turn in report["turns"]]
    assert [turn["error"] for turn in turns if turn["error"]] == []
    messages = int(load.prompt.partition("messages=")[2].split()[0]) + 4  # two progress lines, the result, END
    assert [turn["messages"] for turn in turns] == [messages] * load.processes * load.sessions
    listed = server.api.get("/v1/session/list")
    assert [(each["num_messages"], each["state"]) for each in listed] == [(messages + 1, "end")] * len(turns)
    if load.aim_mb:
        assert max(report["peak_mb"] for report in reports) <= load.aim_mb


def test_listing_sessions_takes_no_descriptor_for_each(start: Callable[..., Any]) -> None:
    server = start()
    here, there = psutil.Process(), psutil.Process(server.popen.pid)

    def descriptors(list_all: Callable[[], list[Any]], expected: int) -> tuple[int, int]:
        assert [len(list_all()) for _ in range(5)] == [expected] * 5
        return here.num_fds(), there.num_fds()

    with SecGemini(server.api.key, settings=settings(server)) as client, asyncio.Runner() as runner:
        twin = AsyncSecGemini(server.api.key, settings=settings(server))

        def both() -> list[Any]:
            found = client.list_sessions()
            assert len(runner.run(twin.list_sessions())) == len(found)
            return found

        server.api.register()
        few = descriptors(both, 1)
        for _ in range(99):
            server.api.register()
        assert descriptors(both, 100) == few
        runner.run(twin.close())


def silent_reader(server: Any, session_id: str) -> socket.socket:
    """A socket whose client asks for much and then reads nothing."""
    from websockets.client import ClientProtocol
    from websockets.uri import parse_uri

    uri = parse_uri(f"{server.api.ws_url}/v1/stream?session_id={session_id}&api_key={server.api.key}")
    protocol = ClientProtocol(uri)
    protocol.send_request(protocol.connect())
    raw = socket.create_connection((uri.host, uri.port), timeout=10)
    raw.sendall(b"".join(protocol.data_to_send()))
    while not protocol.handshake_exc and protocol.state.name != "OPEN":
        protocol.receive_data(raw.recv(4096))
    query = {"message_type": "query", "content": "[[messages=2000 bytes=20000]] much"}
    protocol.send_text(json.dumps(query).encode())
    raw.sendall(b"".join(protocol.data_to_send()))
    return raw


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_readers_that_stop_do_not_grow_the_memory_of_the_server(start: Callable[..., Any]) -> None:
    """Each of three asks for 40 MB: the server may be ahead of each by 16 MiB."""
    server = start()
    before = psutil.Process(server.popen.pid).memory_info().rss
    sessions = [server.api.register() for _ in range(3)]
    sockets = [silent_reader(server, session_id) for session_id in sessions]
    try:
        held = grown = -1
        while held != grown:  # until nothing moves any more
            grown = held
            time.sleep(0.3)
            held = sum(session["num_messages"] for session in server.api.get("/v1/session/list"))
        after = psutil.Process(server.popen.pid).memory_info().rss
        assert held < 3 * 2000, "the engines wait for their readers"
        assert after - before < 3 * 16 * MIB + 40 * MIB
        assert server.api.ask(server.api.register(), "others are served")[-1]["state"] == "end"
    finally:
        for each in sockets:
            each.close()
