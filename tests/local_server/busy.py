"""A busy service and a model of what it has acknowledged, to be compared with what it holds after it was killed.

Acknowledged is what a client has the reply to, or the frame of. What was under way at the kill is in doubt: it may have
happened, whole, or not at all.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
import random
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

LOST = (httpx.HTTPError, WebSocketException, OSError, TimeoutError, EOFError)
"""What a client sees of a server that is killed."""
CHANGES = ("update", "attach", "attach", "detach", "feedback", "delete", "generate", "register")
TOOL = {"name": "lookup", "description": "d", "parameters": {"type": "object", "properties": {}}}


@dataclass
class Held:
    """What a session must hold. `frames` are those that a socket was given, or a reply of `generate` had, in order."""

    name: str
    description: str = ""
    files: list[str] = field(default_factory=list)
    feedback: set[str] = field(default_factory=set)
    frames: list[Any] = field(default_factory=list)
    prompts: int = 0
    is_deleted: bool = False


@dataclass
class Client:
    """One client with sessions of its own; `doubt`: the id of a session, and what it holds if the last call counted."""

    http_url: str
    ws_url: str
    key: str
    seed: int
    held: dict[str, Held] = field(default_factory=dict)
    doubt: tuple[str, Held] | None = None
    unexpected: BaseException | None = None
    calls: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.http = httpx.Client(base_url=self.http_url, headers={"x-api-key": self.key}, timeout=20)

    def until_lost(self, work: Callable[[], None]) -> None:
        """Repeats `work` until the server is gone."""
        try:
            with self.http:
                while True:
                    work()
        except LOST:
            pass
        except BaseException as error:
            self.unexpected = error

    def call(self, path: str, body: Any, session_id: str, change: Callable[[Held], None]) -> Any:
        """One call that changes a session, whose change is in doubt until the reply is there."""
        after = copy.deepcopy(self.held[session_id]) if session_id in self.held else Held("")
        change(after)
        self.doubt = session_id, after
        reply = self.http.post(f"/v1/session/{path}", json=body).raise_for_status().json()
        assert reply.get("ok", reply.get("status_code") == 200), reply
        self.held[session_id], self.doubt = after, None
        self.calls += 1
        return reply

    def register(self, **fields: Any) -> str:
        session_id, name = uuid.uuid4().hex, f"name-{uuid.uuid4().hex}"
        body = {"id": session_id, "ttl": 3600, "name": name, "model": {"model_string": "local-echo"}} | fields
        self.call("register", body, session_id, lambda held: setattr(held, "name", name))
        return session_id

    # What the clients do

    def change_something(self) -> None:
        """A random one of all calls that change a session."""
        living = [session_id for session_id, held in self.held.items() if not held.is_deleted]
        if len(living) < 3:
            self.register()
            return
        session_id = self.random.choice(living)
        held = self.held[session_id]
        what = self.random.choice(
            ["update", "attach", "attach", "detach", "feedback", "delete", "generate", "register"]
        )
        if what == "register":
            self.register()
        elif what == "update":
            name, text = f"name-{uuid.uuid4().hex}", "d" * self.random.randrange(5000)

            def rename(after: Held) -> None:
                after.name, after.description = name, text

            self.call("update", {"id": session_id, "name": name, "description": text}, session_id, rename)
        elif what == "attach":
            content = os.urandom(self.random.randrange(1, 40_000))
            body = {"session_id": session_id, "filename": "f", "content": base64.b64encode(content).decode()}
            digest = hashlib.sha256(content).hexdigest()
            self.call("attach_file", body, session_id, lambda after: after.files.append(digest))
        elif what == "detach" and held.files:
            index = self.random.randrange(len(held.files))
            body_ = {"session_id": session_id, "file_idx": index}
            self.call("detach_file", body_, session_id, lambda after: after.files.__delitem__(index))
        elif what == "feedback":
            comment = uuid.uuid4().hex
            report = {"session_id": session_id, "type": "user_feedback", "score": 1, "comment": comment}
            self.call("feedback", report, session_id, lambda after: after.feedback.add(comment))
        elif what == "delete":
            self.call("delete", {"id": session_id}, session_id, lambda after: setattr(after, "is_deleted", True))
        elif what == "generate":
            self.generate(session_id)

    def generate(self, session_id: str) -> None:
        """A turn in the middle of which the server is killed has begun or not; what it held before stays."""
        query = {"message_type": "query", "content": f"[[messages={self.random.randrange(50)}]] over HTTP"}
        self.doubt = None
        reply = self.http.post("/v1/session/generate", json={"id": session_id, "messages": [query]})
        self.held[session_id].frames += reply.raise_for_status().json()["messages"]
        self.held[session_id].prompts += 1
        self.calls += 1

    def stream_something(self) -> None:
        """A new session and some turns over a socket, one of which calls a tool; a second socket now and then."""
        session_id = self.register(local_tools=[TOOL])
        held = self.held[session_id]
        url = f"{self.ws_url}/v1/stream?session_id={session_id}"
        for _ in range(self.random.randrange(1, 4)):
            with connect(url, additional_headers={"x-api-key": self.key}, max_size=2**24, compression=None) as socket:
                for _ in range(self.random.randrange(1, 4)):
                    size, count = self.random.choice([(50, 400), (3000, 40), (100_000, 3)])
                    call = '[[call lookup {"a": 1}]]' if self.random.random() < 0.3 else ""
                    pause = "[[delay=0.001]]" if self.random.random() < 0.5 else ""
                    prompt = f"{pause} [[messages={self.random.randrange(count)} bytes={size}]] {call} text"
                    socket.send(json.dumps({"message_type": "query", "content": prompt}))
                    self.listen(socket, held)
                    held.prompts += 1
                    self.calls += 1

    def listen(self, socket: Any, held: Held) -> None:
        while True:
            frame = json.loads(socket.recv(timeout=20))
            held.frames.append(frame)
            if frame["message_type"] == "local_tool_call":
                result = {"message_type": "local_tool_result", "content": "42", "parent_id": frame["id"]}
                socket.send(json.dumps(result))
            if frame["state"] == "end":
                return


@dataclass
class Crowd:
    """Several clients, each in a thread, until the server is gone."""

    clients: list[Client]
    threads: list[threading.Thread] = field(default_factory=list)

    @classmethod
    def start(cls, http_url: str, ws_url: str, key: str, seed: int, *, streaming: int, changing: int) -> Crowd:
        crowd = cls([Client(http_url, ws_url, key, seed * 100 + number) for number in range(streaming + changing)])
        for number, client in enumerate(crowd.clients):
            work = client.stream_something if number < streaming else client.change_something
            crowd.threads.append(threading.Thread(target=client.until_lost, args=(work,)))
            crowd.threads[-1].start()
        return crowd

    def join(self) -> None:
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        for client in self.clients:
            if client.unexpected:
                raise client.unexpected
