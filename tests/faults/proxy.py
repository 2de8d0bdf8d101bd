"""A TCP proxy between a client and the local server that damages what passes, by a plan.

HTTP passes as it is; of a WebSocket the server's frames are read one by one. Its event loop has a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.acts import Answer, CutReply, HideEnd, Line, LosePrompt, Plan, Replay
from tests.faults.frames import Broken, Frames

CLOSE = 0x8


@dataclass
class Seen:
    """What passed since a plan was armed."""

    plan: Plan = field(default_factory=Plan)
    sockets: int = 0
    before: list[bytes] = field(default_factory=list)
    """Of the server, under the plan before."""
    frames: list[bytes] = field(default_factory=list)
    """Of the server, in its order, those included that did not reach the client."""
    cut_replies: int = 0
    http: list[str] = field(default_factory=list)


class Proxy:
    """`outage(how)` ends the server and starts it again; it is called in a thread."""

    def __init__(self, upstream: int, outage: Callable[[str], None] | None = None) -> None:
        self.seen = Seen()
        self._upstream, self._outage = upstream, outage
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._accept, sock=listening), self._loop
        ).result()

    def arm(self, plan: Plan) -> Seen:
        self.seen = Seen(plan, before=self.seen.frames)
        return self.seen

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = Connection(self, self._outage, reader, writer)
        try:
            await connection.run(self._upstream)
        except (Broken, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            connection.drop()
            self._tasks.discard(task)


class Outlet:
    """Bytes on their way to one side: late, or in slices, where the plan says so."""

    def __init__(self, writer: asyncio.StreamWriter, line: Line) -> None:
        self._writer, self._line = writer, line
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._late = asyncio.create_task(self._deliver()) if line.late else None

    async def put(self, data: bytes) -> None:
        if self._late is not None:
            self._queue.put_nowait((time.monotonic() + self._line.late, data))
        else:
            await self._write(data)

    async def _deliver(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = await self._queue.get()
                await asyncio.sleep(due - time.monotonic())
                await self._write(data)

    async def _write(self, data: bytes) -> None:
        size = self._line.slices or len(data)
        for start in range(0, len(data), size or 1):
            self._writer.write(data[start : start + size])
            await self._writer.drain()
            if self._line.slices:
                await asyncio.sleep(0)

    def drop(self) -> None:
        """End it with RST."""
        if self._late is not None:
            self._late.cancel()
        sock: socket.socket = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class Connection:
    """One client's connection and the one to the server behind it."""

    def __init__(
        self,
        proxy: Proxy,
        outage: Callable[[str], None] | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy, self._outage = proxy, outage
        self._seen = proxy.seen
        self._from_client = reader
        self._to_client = Outlet(writer, self._seen.plan.line)
        self._to_server: Outlet | None = None
        self._pumps: list[asyncio.Task[None]] = []
        self._reply_limit: int | None = None
        self._hides_end = False
        self._is_dead = asyncio.Event()

    async def run(self, upstream: int) -> None:
        self._upstream = upstream
        head = await self._from_client.readuntil(b"\r\n\r\n")
        if b"upgrade: websocket" not in head.lower():
            self._from_server, writer = await asyncio.open_connection("127.0.0.1", upstream)
            self._to_server = Outlet(writer, self._seen.plan.line)
            await self._both(self._requests(head), self._replies())
            return
        number, self._seen.sockets = self._seen.sockets, self._seen.sockets + 1
        acts = self._seen.plan.acts(number)
        for act in acts:
            if isinstance(act, Answer):
                await self._refuse(act)
        self._from_server, writer = await asyncio.open_connection("127.0.0.1", upstream)
        self._to_server = Outlet(writer, self._seen.plan.line)
        await self._to_server.put(_uncompressed(_for(self._upstream, head)))
        accepted = await self._from_server.readuntil(b"\r\n\r\n")
        frames = Frames(self, acts, self._seen, is_first=number == 0)
        if number and Replay("nothing") in acts:
            await frames.discard()
        await self._to_client.put(accepted)
        await self._both(self._prompts(loses=LosePrompt() in acts), frames.run())

    async def _both(self, *pumps: Any) -> None:
        self._pumps = [asyncio.create_task(each) for each in pumps]
        done, _ = await asyncio.wait(self._pumps, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()

    async def _refuse(self, act: Answer) -> None:
        if not act.raw:
            await asyncio.sleep(3600)
        await self._to_client.put(act.raw)
        await self._from_client.read()  # the client closes
        raise Broken

    # HTTP

    async def _requests(self, head: bytes) -> None:
        while True:
            self._seen = self._proxy.seen  # a connection may outlive a plan
            line = head.split(b"\r\n", 1)[0].decode()
            self._seen.http.append(line)
            self._limit_reply(line)
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            body = await self._from_client.readexactly(int(length[1]) if length else 0)
            assert self._to_server
            await self._to_server.put(_for(self._upstream, head) + body)
            head = await self._from_client.readuntil(b"\r\n\r\n")

    def _limit_reply(self, line: str) -> None:
        self._hides_end = HideEnd() in self._seen.plan.http and "/session/get" in line
        for act in self._seen.plan.http:
            if isinstance(act, CutReply) and act.path in line and self._seen.cut_replies < act.times:
                self._seen.cut_replies += 1
                self._reply_limit = act.after

    async def _replies(self) -> None:
        while data := await self._from_server.read(65536):
            if self._hides_end:
                while not (shortened := _without_end(data)):
                    data += await self._from_server.read(65536)
                await self._to_client.put(shortened)
            elif self._reply_limit is not None:
                await self._to_client.put(data[: self._reply_limit])
                self._reply_limit -= len(data)
                if self._reply_limit <= 0:
                    await asyncio.sleep(0.01)  # what was written has left
                    raise Broken
            else:
                await self._to_client.put(data)

    # WebSocket

    async def _prompts(self, *, loses: bool) -> None:
        assert self._to_server
        while data := await self._from_client.read(65536):
            if loses:
                raise Broken
            if not self._is_dead.is_set():
                await self._to_server.put(data)
        if self._is_dead.is_set():
            raise Broken

    async def read_frame(self) -> tuple[int, bytes, bytes]:
        """Opcode, payload, and the frame as it came."""
        head = await self._from_server.readexactly(2)
        size = head[1] & 0x7F
        if size >= 126:
            more = await self._from_server.readexactly(2 if size == 126 else 8)
            head, size = head + more, int.from_bytes(more, "big")
        payload = await self._from_server.readexactly(size)
        return head[0] & 0x0F, payload, head + payload

    async def put(self, data: bytes) -> None:
        await self._to_client.put(data)

    async def close(self, code: int) -> None:
        await self.put(bytes((0x80 | CLOSE, 2)) + code.to_bytes(2, "big"))
        await asyncio.sleep(0.02)
        raise Broken

    async def swallow_everything(self) -> None:
        self._is_dead.set()
        while await self._from_server.read(65536):
            pass
        await asyncio.sleep(3600)

    def end_server(self, how: str) -> None:
        assert self._outage
        threading.Thread(target=self._outage, args=(how,), daemon=True).start()

    def drop(self) -> None:
        for each in self._pumps:
            each.cancel()
        for outlet in (self._to_client, self._to_server):
            if outlet is not None:
                outlet.drop()


def _for(port: int, head: bytes) -> bytes:
    """A request's head with the server's own `Host`, which it insists on."""
    return re.sub(rb"(?i)(\r\nhost: *127\.0\.0\.1:)\d+", rb"\g<1>%d" % port, head)


def _uncompressed(head: bytes) -> bytes:
    """The handshake without an offer to compress: frames shall be readable here."""
    lines = head.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith(b"sec-websocket-extensions"))


def _without_end(reply: bytes) -> bytes:
    """A reply with a session, without the END of its last turn; nothing while the reply is not whole."""
    head, _, body = reply.partition(b"\r\n\r\n")
    try:
        session = json.loads(body)
    except ValueError:
        return b""
    if session["messages"] and session["messages"][-1]["state"] == "end":
        session["messages"].pop()
    body = json.dumps(session).encode()
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body)]) + b"\r\n\r\n" + body
