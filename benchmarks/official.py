"""Worker: the official SDK, by its public methods; runs in the SDK's own environment."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pandas as pd
from sec_gemini import SecGemini  # type: ignore[import-not-found]
from sec_gemini.models.public import PublicSession  # type: ignore[import-not-found]

from benchmarks.worker import Sample, Service, Task, delays, main, open_files, repeated, stopwatch, stream_sample


def client(service: Service) -> Any:
    return SecGemini(service.key, service.http, service.ws)


def stream(service: Service, prompt: str) -> Sample:
    session = client(service).create_session("benchmark")

    async def listen() -> int:
        count = 0
        async for _ in session.stream(prompt):
            count += 1
        return count

    with stopwatch() as watch:
        count = asyncio.run(listen())
    return stream_sample(watch, count)


def arrival(service: Service, prompt: str) -> Sample:
    session = client(service).create_session("benchmark")
    arrivals, stamps = [], []

    async def listen() -> None:
        async for message in session.stream(prompt):
            arrivals.append(time.time())
            stamps.append(message.created_at)

    asyncio.run(listen())
    return delays(arrivals, stamps)


def history(service: Service, session_id: str) -> Sample:
    (session,) = (session for session in client(service).list_sessions() if session.id == session_id)
    with stopwatch() as watch:
        table = pd.DataFrame([message.model_dump() for message in session.history()])
    return watch.sample(rows=len(table))


def export(_service: Service, argument: dict[str, str]) -> Sample:
    """What its user would write: the SDK exports nothing."""
    messages = PublicSession.model_validate_json(Path(argument["body"]).read_bytes()).messages
    path = Path(argument["path"])
    with stopwatch() as watch:
        if path.suffix == ".jsonl":
            with path.open("w", encoding="utf-8") as file:
                file.writelines(message.model_dump_json() + "\n" for message in messages)
        else:
            table = pd.DataFrame([message.model_dump() for message in messages])
            table.to_csv(path) if path.suffix == ".csv" else table.to_html(path)
    return watch.sample(file_mb=path.stat().st_size / 1e6)


def create(service: Service, times: int) -> Sample:
    return repeated(times, lambda: client(service).create_session("benchmark"))


def attach(service: Service, size: int) -> Sample:
    content = os.urandom(size)
    session = client(service).create_session("benchmark")
    with stopwatch() as watch:
        attached = session.attach_file("evidence.bin", content)
    return watch.sample(bytes=attached.size)


def list_sessions(service: Service, times: int) -> Sample:
    kept: list[Any] = []
    official = client(service)

    def once() -> None:
        kept[:] = official.list_sessions()

    sample = repeated(times, once)
    return sample | {"sessions": len(kept), "open_files": open_files()}


SIDES: dict[str, dict[str, Task]] = {
    "official": {
        "stream": stream,
        "arrival": arrival,
        "history": history,
        "export": export,
        "create": create,
        "attach": attach,
        "list": list_sessions,
    }
}

if __name__ == "__main__":
    main(SIDES)
