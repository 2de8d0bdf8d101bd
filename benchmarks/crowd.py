"""Worker of `load`: many sessions of one asynchronous client that stream at the same moment.

It runs in the official SDK's environment too, so it imports nothing at its top that one of them lacks. It creates its
sessions, says so in a line, waits for a line on standard input, then lets all of them ask at once.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from benchmarks.worker import Service, open_files, peak_mb

CREATING = 8
"""Sessions that are created at a time: creating them is not what is measured."""
Ask = Callable[[str], AsyncIterator[Any]]


async def ours(service: Service, count: int) -> list[Ask]:
    from secgemini_jupyter import AsyncSecGemini, Settings

    client = AsyncSecGemini(service.key, settings=Settings(base_url=service.http, websocket_url=service.ws))
    gate = asyncio.Semaphore(CREATING)

    async def create() -> Ask:
        async with gate:
            return (await client.create_session("load")).stream

    return list(await asyncio.gather(*(create() for _ in range(count))))


async def official(service: Service, count: int) -> list[Ask]:
    from sec_gemini import SecGemini  # type: ignore[import-not-found]

    client = SecGemini(service.key, service.http, service.ws)
    return [client.create_session("load").stream for _ in range(count)]  # its calls over HTTP are synchronous


async def bare(service: Service, count: int) -> list[Ask]:
    """websockets alone: what sockets, frames and an event loop cost in any case."""
    from websockets.asyncio.client import connect

    from benchmarks.running import register
    from benchmarks.worker import END

    def asking(session_id: str) -> Ask:
        async def ask(prompt: str) -> AsyncIterator[bytes]:
            async with connect(service.stream_url(session_id), compression=None, proxy=None) as socket:
                await socket.send(json.dumps({"message_type": "query", "content": prompt}))
                async for frame in socket:
                    assert isinstance(frame, str)
                    yield frame.encode()
                    if END in frame.encode():
                        return

        return ask

    return [asking(register(service)) for _ in range(count)]


async def listen(ask: Ask, prompt: str) -> dict[str, Any]:
    """One turn; messages are dropped as they come."""
    started, first, count = time.perf_counter(), None, 0
    try:
        async for _ in ask(prompt):
            count += 1
            if first is None:
                first = time.perf_counter() - started
    except Exception as error:
        return {"messages": count, "first": first, "error": f"{type(error).__name__}: {error}"[:300]}
    return {"messages": count, "first": first, "error": None}


async def crowd(service: Service, side: str, sessions: int, prompt: str) -> dict[str, Any]:
    asks = await {"ours": ours, "official": official, "bare": bare}[side](service, sessions)
    idle = peak_mb()
    print(json.dumps({"ready": len(asks)}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    cpu, started = time.process_time(), time.perf_counter()
    turns = await asyncio.gather(*(listen(ask, prompt) for ask in asks))
    return {
        "turns": turns,
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "peak_mb": peak_mb(),
        "idle_mb": idle,
        "open_files": open_files(),
    }


def main() -> None:
    """`python -m benchmarks.crowd SIDE SESSIONS PROMPT`, the service as a line on standard input."""
    side, sessions, prompt = sys.argv[1:]
    if Path("/proc/self/fd").is_dir():  # a stream is a descriptor
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    service = Service(**json.loads(sys.stdin.readline()))
    print(json.dumps(asyncio.run(crowd(service, side, int(sessions), prompt))))


if __name__ == "__main__":
    main()
