"""Worker: the libraries alone. `raw` parses nothing; `lean` decodes into msgspec structs and plain columns."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
import uuid
from typing import Any

import httpx
import msgspec
import pandas as pd
from websockets.asyncio.client import connect

from benchmarks.worker import END, Sample, Service, Task, delays, main, open_files, repeated, stopwatch, stream_sample


class Frame(msgspec.Struct):
    """A message as it comes, every field."""

    id: str
    parent_id: str
    turn: str
    group: str
    actor: str
    role: str
    timestamp: int
    created_at: float
    message_type: str
    icon: str | None
    text_color: str | None
    title: str | None
    state: str
    content: str | None
    mime_type: str | None
    status_code: int
    status_message: str
    usage: dict[str, Any] | None


class Stored(msgspec.Struct):
    messages: list[Frame]


def http(service: Service) -> httpx.Client:
    return httpx.Client(
        base_url=service.http, headers={"x-api-key": service.key}, trust_env=False, verify=False, timeout=90
    )


def register(pool: httpx.Client) -> str:
    user = pool.get("/v1/user/info").json()["user"]
    session_id = uuid.uuid4().hex
    body = {
        "id": session_id, "user_id": user["id"], "org_id": user["org_id"], "ttl": 86400, "name": "benchmark",
        "description": "", "can_log": True, "model": {"model_string": "sec-gemini-stable"},
    }  # fmt: skip
    reply = pool.post("/v1/session/register", json=body).json()
    assert reply["ok"], reply
    return session_id


def stream(service: Service, prompt: str, *, lean: bool = False) -> Sample:
    with http(service) as pool:
        session_id = register(pool)
    decode = msgspec.json.Decoder(Frame).decode

    async def listen() -> int:
        count = 0
        async with connect(service.stream_url(session_id), max_size=None, max_queue=1024, proxy=None) as socket:
            await socket.send(json.dumps({"message_type": "query", "content": prompt}))
            while True:
                frame = await socket.recv(decode=False)
                count += 1
                if decode(frame).state == "end" if lean else END in frame:
                    return count

    with stopwatch() as watch:
        count = asyncio.run(listen())
    return stream_sample(watch, count)


def arrival(service: Service, prompt: str) -> Sample:
    with http(service) as pool:
        session_id = register(pool)
    arrivals: list[float] = []
    frames: list[bytes] = []

    async def listen() -> None:
        async with connect(service.stream_url(session_id), proxy=None) as socket:
            await socket.send(json.dumps({"message_type": "query", "content": prompt}))
            while not frames or END not in frames[-1]:
                frames.append(await socket.recv(decode=False))
                arrivals.append(time.time())

    asyncio.run(listen())
    return delays(arrivals, [json.loads(frame)["created_at"] for frame in frames])


def history(service: Service, session_id: str) -> Sample:
    with http(service) as pool, stopwatch() as watch:
        reply = pool.get("/v1/session/get", params={"session_id": session_id})
        messages = msgspec.json.decode(reply.content, type=Stored).messages
        columns = {name: [getattr(message, name) for message in messages] for name in Frame.__struct_fields__}
        table = pd.DataFrame(columns)
    return watch.sample(rows=len(table))


def create(service: Service, times: int) -> Sample:
    def once() -> None:
        with http(service) as pool:
            register(pool)

    return repeated(times, once)


def attach(service: Service, size: int) -> Sample:
    content = os.urandom(size)
    with http(service) as pool:
        session_id = register(pool)
        with stopwatch() as watch:
            text = base64.b64encode(content).decode()
            body = {"session_id": session_id, "filename": "evidence.bin", "content": text}
            reply = pool.post("/v1/session/attach_file", json=body).json()
    return watch.sample(bytes=reply["data"]["size"])


def list_sessions(service: Service, times: int) -> Sample:
    with http(service) as pool:
        kept: list[Any] = []

        def once() -> None:
            kept[:] = pool.get("/v1/user/info").json()["sessions"]

        sample = repeated(times, once)
        return sample | {"sessions": len(kept), "open_files": open_files()}


SIDES: dict[str, dict[str, Task]] = {
    "raw": {
        "stream": stream,
        "arrival": arrival,
        "create": create,
        "attach": attach,
        "list": list_sessions,
    },
    "lean": {
        "stream": lambda service, prompt: stream(service, prompt, lean=True),
        "history": history,
    },
}

if __name__ == "__main__":
    main(SIDES)
