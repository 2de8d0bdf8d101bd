"""Plays a recorded turn of the local server back as fast as a socket takes it, so that the client sets the pace.

The local server stores each message before it sends it, and is therefore slower than the clients compared here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from benchmarks.worker import END, Service


def record(service: Service, session_id: str, prompt: str) -> bytes:
    """All frames of a turn, as they travel."""
    turn = bytearray()
    with connect(service.stream_url(session_id), proxy=None, max_size=None, max_queue=None) as socket:
        socket.send(json.dumps({"message_type": "query", "content": prompt}))
        while True:
            payload = socket.recv(decode=False)
            turn += Frame(Opcode.TEXT, payload).serialize(mask=False)
            if END in payload:
                return bytes(turn)


@contextmanager
def replaying(service: Service, turn: bytes) -> Iterator[Service]:
    """`service`, but its WebSocket answers every prompt with `turn`."""

    def play(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed, OSError):
            socket.recv()
            socket.socket.sendall(turn)
            socket.recv()  # until the client closes

    with serve(play, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            port = server.socket.getsockname()[1]
            yield Service(service.http, f"ws://127.0.0.1:{port}", service.key)
        finally:
            server.shutdown()
            thread.join()
