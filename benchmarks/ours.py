"""Worker: our client, asynchronous and synchronous."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pandas as pd

import secgemini_jupyter.transcript.messages  # noqa: F401  # loaded before the clock runs, as is pandas
from benchmarks.worker import Sample, Service, Task, delays, main, open_files, repeated, stopwatch, stream_sample
from secgemini_jupyter import AsyncInteractiveSession, AsyncSecGemini, InteractiveSession, SecGemini, Settings
from secgemini_jupyter.models import read_session
from secgemini_jupyter.transcript import exports
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.turns import turn_slices


def settings(service: Service) -> Settings:
    return Settings(base_url=service.http, websocket_url=service.ws)


def client(service: Service) -> SecGemini:
    return SecGemini(service.key, settings=settings(service))


def async_client(service: Service) -> AsyncSecGemini:
    return AsyncSecGemini(service.key, settings=settings(service))


def on_a_loop(task: Callable[[Service, Any], Coroutine[Any, Any, Sample]]) -> Task:
    return lambda service, argument: asyncio.run(task(service, argument))


def received(session: InteractiveSession, prompt: str) -> Sample:
    count = 0
    with stopwatch() as watch:
        for _ in session.stream_sync(prompt):
            count += 1
    return stream_sample(watch, count)


async def received_async(session: AsyncInteractiveSession, prompt: str) -> Sample:
    count = 0
    with stopwatch() as watch:
        async for _ in session.stream(prompt):
            count += 1
    return stream_sample(watch, count)


def stream(service: Service, prompt: str) -> Sample:
    with client(service) as secgemini:
        return received(secgemini.create_session("benchmark"), prompt)


async def stream_async(service: Service, prompt: str) -> Sample:
    async with async_client(service) as secgemini:
        return await received_async(await secgemini.create_session("benchmark"), prompt)


def arrival(service: Service, prompt: str) -> Sample:
    with client(service) as secgemini:
        arrivals, stamps = [], []
        for message in secgemini.create_session("benchmark").stream_sync(prompt):
            arrivals.append(time.time())
            stamps.append(message.created_at)
        return delays(arrivals, stamps)


async def arrival_async(service: Service, prompt: str) -> Sample:
    async with async_client(service) as secgemini:
        session = await secgemini.create_session("benchmark")
        arrivals, stamps = [], []
        async for message in session.stream(prompt):
            arrivals.append(time.time())
            stamps.append(message.created_at)
        return delays(arrivals, stamps)


def history(service: Service, session_id: str) -> Sample:
    with client(service) as secgemini:
        (session,) = (session for session in secgemini.list_sessions() if session.id == session_id)
        with stopwatch() as watch:
            table = session.history()
        assert isinstance(table, pd.DataFrame)
        return watch.sample(rows=len(table))


async def history_async(service: Service, session_id: str) -> Sample:
    async with async_client(service) as secgemini:
        (session,) = (session for session in await secgemini.list_sessions() if session.id == session_id)
        with stopwatch() as watch:
            table = await session.history()
        return watch.sample(rows=len(table))


def export(_service: Service, argument: dict[str, str]) -> Sample:
    """What `session.export(path)` does with the messages that it read."""
    session = read_session(Path(argument["body"]).read_bytes())
    messages, path = session.read_messages(), Path(argument["path"])
    with stopwatch() as watch:
        exports.export(Transcript(turns=turn_slices(messages, session_id=session.id), session_id=session.id), path)
    return watch.sample(file_mb=path.stat().st_size / 1e6)


def create(service: Service, times: int) -> Sample:
    def once() -> None:
        with client(service) as secgemini:
            secgemini.create_session("benchmark")

    return repeated(times, once)


def create_async(service: Service, times: int) -> Sample:
    loop = asyncio.new_event_loop()

    async def once() -> None:
        async with async_client(service) as secgemini:
            await secgemini.create_session("benchmark")

    try:
        return repeated(times, lambda: loop.run_until_complete(once()))
    finally:
        loop.close()


def attach(service: Service, size: int) -> Sample:
    content = os.urandom(size)
    with client(service) as secgemini:
        session = secgemini.create_session("benchmark")
        with stopwatch() as watch:
            attached = session.attach_file("evidence.bin", content)
        return watch.sample(bytes=attached.size)


async def attach_async(service: Service, size: int) -> Sample:
    content = os.urandom(size)
    async with async_client(service) as secgemini:
        session = await secgemini.create_session("benchmark")
        with stopwatch() as watch:
            attached = await session.attach_file("evidence.bin", content)
        return watch.sample(bytes=attached.size)


def list_sessions(service: Service, times: int) -> Sample:
    with client(service) as secgemini:
        kept: list[Any] = []

        def once() -> None:
            kept[:] = secgemini.list_sessions()

        sample = repeated(times, once)
        return sample | {"sessions": len(kept), "open_files": open_files()}


def list_sessions_async(service: Service, times: int) -> Sample:
    loop = asyncio.new_event_loop()
    secgemini = async_client(service)
    kept: list[Any] = []

    def once() -> None:
        kept[:] = loop.run_until_complete(secgemini.list_sessions())

    try:
        sample = repeated(times, once)
        return sample | {"sessions": len(kept), "open_files": open_files()}
    finally:
        loop.run_until_complete(secgemini.close())
        loop.close()


SIDES: dict[str, dict[str, Task]] = {
    "sync": {
        "stream": stream,
        "arrival": arrival,
        "history": history,
        "export": export,
        "create": create,
        "attach": attach,
        "list": list_sessions,
    },
    "async": {
        "stream": on_a_loop(stream_async),
        "arrival": on_a_loop(arrival_async),
        "history": on_a_loop(history_async),
        "create": create_async,
        "attach": on_a_loop(attach_async),
        "list": list_sessions_async,
    },
}

if __name__ == "__main__":
    main(SIDES)
