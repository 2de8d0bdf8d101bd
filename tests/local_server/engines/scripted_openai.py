"""An OpenAI-compatible endpoint that plays scripts: real HTTP over a real socket, every byte of it the test's own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

WAIT = 30.0


@dataclass(frozen=True)
class Script:
    """One reply: bytes as they are sent, each flushed. An `Event` among them is waited for, seconds are slept.

    `hang` keeps the connection open.
    """

    parts: Sequence[bytes | float | threading.Event]
    hang: bool = False


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.body["messages"]
        return found

    def said(self, role: str) -> list[str]:
        return [message["content"] for message in self.messages if message["role"] == role]

    @property
    def tools(self) -> list[str]:
        return [each["function"]["name"] for each in self.body.get("tools", [])]


@dataclass
class ScriptedEndpoint:
    """Plays its scripts in order; without one left, it answers with a 500 that says so."""

    host: str = ""
    scripts: list[Script] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when a client closed its connection while a reply was open."""

    @property
    def url(self) -> str:
        return f"http://{self.host}/v1"

    def play(self, *scripts: Script) -> ScriptedEndpoint:
        self.scripts[:] = scripts
        self.received.clear()
        return self

    @property
    def last(self) -> Received:
        return self.received[-1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            raw = await reader.readexactly(int(headers.get("content-length", "0")))
            method, path, _ = first.split(" ")
            self.received.append(Received(method, path, headers, raw))
            script = self.scripts.pop(0) if self.scripts else failure(500, "no script is left")
            for part in script.parts:
                if isinstance(part, threading.Event):
                    await asyncio.to_thread(part.wait, WAIT)
                elif isinstance(part, float):
                    await asyncio.sleep(part)
                else:
                    writer.write(part)
                    await writer.drain()
            if script.hang:
                async with asyncio.timeout(WAIT):
                    await reader.read()
                self.gone.set()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            self.gone.set()
        finally:
            writer.close()


@contextmanager
def serving() -> Iterator[ScriptedEndpoint]:
    """An endpoint on a free port, in a thread of its own."""
    endpoint, started, loop = ScriptedEndpoint(), threading.Event(), asyncio.new_event_loop()

    async def run(until: asyncio.Event) -> None:
        async with await asyncio.start_server(endpoint._serve, "127.0.0.1", 0) as server:
            endpoint.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            started.set()
            await until.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    until = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run(until)), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield endpoint
    finally:
        loop.call_soon_threadsafe(until.set)
        thread.join(10)
        loop.close()


def head(status: int = 200, kind: str = "text/event-stream", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def event(value: Any, end: str = "\n\n") -> bytes:
    return f"data: {value if isinstance(value, str) else json.dumps(value)}{end}".encode()


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def says(*texts: str, finish: str = "stop", usage: tuple[int, int] | None = (20, 5), **more: Any) -> Script:
    """A streamed answer, in these pieces."""
    events = [delta(role="assistant"), *(delta(content=text) for text in texts), delta(finish)]
    if usage:
        counted = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        events.append({"choices": [], "usage": counted | more})
    return streams(*events)


def streams(*events: Any, done: bool = True, hang: bool = False) -> Script:
    parts = [event(each) for each in events] + ([event("[DONE]")] if done else [])
    return Script([head(), *parts], hang=hang)


def calls(*wanted: tuple[str, Any], text: str = "", usage: tuple[int, int] | None = (30, 7)) -> Script:
    """A streamed answer that calls tools: each call's arguments in two pieces."""
    events = [delta(role="assistant", content=text or None)]
    for index, (name, arguments) in enumerate(wanted):
        written = arguments if isinstance(arguments, str) else json.dumps(arguments)
        half = len(written) // 2
        opening = {"index": index, "id": f"call-{index}", "type": "function"}
        events.append(delta(tool_calls=[opening | {"function": {"name": name, "arguments": written[:half]}}]))
        events.append(delta(tool_calls=[{"index": index, "function": {"arguments": written[half:]}}]))
    events.append(delta("tool_calls"))
    if usage:
        counted = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        events.append({"choices": [], "usage": counted})
    return streams(*events)


def whole(message: dict[str, Any], *, finish: str = "stop") -> Script:
    """A reply in one JSON object, as of an endpoint that does not stream."""
    value = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    return replies(value)


def replies(value: Any, status: int = 200, kind: str = "application/json", **headers: str) -> Script:
    body = value if isinstance(value, str) else json.dumps(value)
    return Script([head(status, kind, **headers), body.encode()])


def failure(status: int, message: str, **headers: str) -> Script:
    return replies({"error": {"message": message, "type": "some_error", "code": None}}, status, **headers)


Play = Callable[..., ScriptedEndpoint]
