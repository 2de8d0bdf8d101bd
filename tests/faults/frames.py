"""The server's frames of one socket, on their way through what the plan does to them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any, Protocol

from tests.faults.acts import Blackhole, Cut, Damage, Insert, Outage, Repeat, Replay, Swallow, Swap

TEXT = 0x1
KEPT = 0.02
"""Seconds in which the server has sent what it kept for a socket."""


class Broken(Exception):  # no error: a connection ends as planned
    """The connection is over."""


class Passing(Protocol):
    """What passed since the plan was armed."""

    before: list[bytes]
    frames: list[bytes]


class Pipe(Protocol):
    """Where frames come from and go to."""

    async def read_frame(self) -> tuple[int, bytes, bytes]: ...
    async def put(self, data: bytes) -> None: ...
    async def close(self, code: int) -> None: ...
    async def swallow_everything(self) -> None: ...
    def end_server(self, how: str) -> None: ...


class Frames:
    """One socket's."""

    def __init__(self, connection: Pipe, acts: tuple[Any, ...], seen: Passing, *, is_first: bool) -> None:
        self._connection, self._acts, self._seen = connection, acts, seen
        self._is_first = is_first
        self._next: asyncio.Task[tuple[int, bytes, bytes]] | None = None
        self._number = 0
        self._held: bytes | None = None

    async def run(self) -> None:
        if not self._is_first and Replay("turn") in self._acts:
            for payload in list(self._seen.frames):
                await self._pass(payload)
        if Replay("before") in self._acts:
            for payload in self._seen.before:
                await self._connection.put(frame(payload))
        for cut in self._of(Cut):
            if cut.after < 0:
                await self._cut(cut)
        while True:
            opcode, payload, raw = await (self._next or self._connection.read_frame())
            self._next = None
            if opcode == TEXT:
                await self._receive(payload)
            else:
                await self._connection.put(raw)

    def _of(self, kind: type[Any]) -> Iterator[Any]:
        return (act for act in self._acts if isinstance(act, kind))

    async def discard(self) -> None:
        """What the server kept for this socket, which is not open yet for the client."""
        until = time.monotonic() + KEPT
        while True:
            self._next = self._next or asyncio.create_task(self._connection.read_frame())
            done, _ = await asyncio.wait({self._next}, timeout=max(0, until - time.monotonic()))
            if not done:
                return
            self._seen.frames.append(self._next.result()[1])
            self._next = None

    async def _receive(self, payload: bytes) -> None:
        self._seen.frames.append(payload)
        await self._pass(payload)

    async def _pass(self, payload: bytes) -> None:
        for cut in self._of(Cut):
            if cut.after == self._number and cut.how == "inside":
                await self._connection.put(frame(payload)[: len(payload) // 2])
                await self._cut(cut)
            elif cut.after == self._number == 0:  # the server has the prompt by now
                await self._cut(cut)
        self._number = number = self._number + 1
        for act in self._acts:
            match act:
                case Insert(before=before, payload=extra) if before == number:
                    await self._connection.put(frame(extra))
                case Swallow(at=at) if at == number or (not at and _is_end(payload)):
                    return await self._after()
                case Damage(at=at, keep=keep, tail=tail) if at == number:
                    payload = payload[:keep] + tail
        if any(act.at == number for act in self._of(Swap)):
            self._held = payload
            return None
        for _ in range(1 + sum(act.times for act in self._of(Repeat) if not act.at or number in act.at)):
            await self._connection.put(frame(payload))
        if self._held is not None:
            held, self._held = self._held, None
            await self._connection.put(frame(held))
        return await self._after()

    async def _after(self) -> None:
        for act in self._acts:
            match act:
                case Cut(after=after, how=how) if after == self._number and how != "inside":
                    await self._cut(act)
                case Blackhole(after=after) if after == self._number:
                    await self._connection.swallow_everything()
                case Outage(after=after, how=how) if after == self._number:
                    self._connection.end_server(how)

    async def _cut(self, act: Cut) -> None:
        if isinstance(act.how, int):
            await self._connection.close(act.how)
        await asyncio.sleep(0.005)  # what was written has left, and what the client wrote has come
        raise Broken


def frame(payload: bytes) -> bytes:
    """A text frame of a server."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | TEXT, size)) + payload
    if size < 65536:
        return bytes((0x80 | TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | TEXT, 127)) + size.to_bytes(8, "big") + payload


def _is_end(payload: bytes) -> bool:
    return json.loads(payload).get("state") == "end"
