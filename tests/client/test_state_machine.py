"""Any order of what a user may do to sessions, against a plain model of what the service must hold afterwards."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from secgemini_jupyter.errors import InputError, Secret, SessionNotFoundError
from secgemini_jupyter.local_server import app, serve, store
from secgemini_jupyter.local_server.app import Service
from secgemini_jupyter.local_server.engines import Engines
from secgemini_jupyter.protocol import requests, turn
from secgemini_jupyter.tools import secgemini_tool
from tests.conftest import KEY

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
WORDS = st.text(st.sampled_from("abcdefgh ÄΩ🙂\n"), min_size=1, max_size=12).filter(str.strip)
PICK = st.integers(0, 10**6)


class Clock:
    """The service's time of day, which a test may put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead


@dataclass(frozen=True)
class Running:
    http: str
    ws: str
    clock: Clock
    reader: httpx.Client

    def raw(self, session_id: str) -> Any:
        """A session as the service has it, read without our client."""
        return self.reader.get("/v1/session/get", params={"session_id": session_id}).json()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A local server over real sockets, in this process for the sake of its clock."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        for module in (app, store):
            patch.setattr(module, "time", SimpleNamespace(time=clock.time, monotonic=time.monotonic))
        patch.setattr(requests, "random", SimpleNamespace(uniform=lambda least, _: least))  # no pause between attempts
        patch.setattr(turn, "SECOND_LOOK", 0.05)
        with (
            served(tmp_path_factory.mktemp("machine")) as (http, ws),
            httpx.Client(base_url=http, headers={"x-api-key": KEY}, timeout=20) as reader,
        ):
            yield Running(http, ws, clock, reader)


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, str]]:
    listening = serve.bind("127.0.0.1", 0)
    address = f"127.0.0.1:{listening.getsockname()[1]}"
    made = Service(store.Store(folder), Engines("echo"), Secret(KEY))
    server = serve.create_server(made, Secret(KEY), hosts=[address], origins=[])
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://{address}", f"ws://{address}"
    finally:
        server.should_exit = True
        thread.join(20)


@dataclass
class Held:
    """What the service must hold of one session."""

    handle: Any
    name: str
    description: str
    ttl: int
    expires: float
    files: list[tuple[str, str]] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    tool_runs: int = 0
    old: list[Any] = field(default_factory=list)
    """Handles that a resumed one has replaced."""


class Sessions(RuleBasedStateMachine):
    service: ClassVar[Running]
    client: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, Held] = {}
        self.gone: list[Any] = []
        self.runs = 0

    def teardown(self) -> None:
        for each in self.client.list_sessions():  # those of a step that failed, too
            each.delete()

    # --- helpers ---

    def one(self, pick: int) -> Held:
        return list(self.held.values())[pick % len(self.held)]

    def tool(self) -> Any:
        @secgemini_tool(name="count")
        def count() -> int:
            "How often this ran."
            self.runs += 1
            return self.runs

        return count

    def asked(self, held: Held, prompt: str, answer: str) -> None:
        held.prompts.append(prompt)
        held.answers.append(answer)

    def compare(self, messages: list[Any], held: Held) -> None:
        """What the caller got is what the service stored of this turn, in order, none twice."""
        stored = self.settled(held)["messages"]
        start = max(i for i, message in enumerate(stored) if message["message_type"] == "query")
        assert [m.id for m in messages] == [message["id"] for message in stored[start + 1 :]]
        assert [m.content for m in messages] == [message["content"] for message in stored[start + 1 :]]

    def settled(self, held: Held) -> Any:
        """The session once no turn of it runs any more."""
        deadline = time.monotonic() + 20
        while (found := self.service.raw(held.handle.id))["messages"] and found["messages"][-1]["state"] != "end":
            assert time.monotonic() < deadline, "a turn never ended"
            time.sleep(0.005)
        return found

    # --- what a user does ---

    @precondition(lambda self: len(self.held) < 3)
    @rule(name=NAMES, description=st.text(max_size=10), ttl=st.integers(300, 2000), logged=st.booleans())
    def create(self, name: str, description: str, ttl: int, logged: bool) -> None:
        description = description.encode("utf-8", "replace").decode()
        handle = self.client.create_session(name, description, ttl, logged, tools=[self.tool()])
        self.held[handle.id] = Held(handle, name, description, ttl, self.service.clock.time() + ttl)
        assert handle.can_log is logged

    @precondition(lambda self: self.held)
    @rule(pick=PICK, name=WORDS, content=st.binary(max_size=50))
    def attach(self, pick: int, name: str, content: bytes) -> None:
        held = self.one(pick)
        name = name.replace("\n", "_").strip()
        held.handle.attach_file(name, content)
        held.files.append((name, hashlib.sha256(content).hexdigest()))

    @precondition(lambda self: self.held)
    @rule(pick=PICK, index=st.integers(-1, 3))
    def detach(self, pick: int, index: int) -> None:
        held = self.one(pick)
        if 0 <= index < len(held.files):
            held.handle.detach_file(index)
            del held.files[index]
        else:
            with pytest.raises(InputError, match="There is no attachment"):
                held.handle.detach_file(index)

    @precondition(lambda self: any(each.old for each in self.held.values()))
    @rule(pick=PICK)
    def detach_by_an_old_list(self, pick: int) -> None:
        """A handle whose list is not the service's refuses, and knows the list from then on."""
        held = [each for each in self.held.values() if each.old][pick % sum(bool(e.old) for e in self.held.values())]
        old = held.old.pop()
        if [(file.name, file.sha256) for file in old.files] != held.files:
            with pytest.raises(InputError, match="changed meanwhile"):
                old.detach_file(0)
        assert [(file.name, file.sha256) for file in (old.refresh() or old.files)] == held.files

    @precondition(lambda self: self.held)
    @rule(pick=PICK, text=WORDS, count=st.integers(0, 5))
    def stream(self, pick: int, text: str, count: int) -> None:
        """By the newest handle or an older one, as another kernel has it, whoever's turn still runs."""
        held = self.one(pick)
        handles = [held.handle, *held.old]
        prompt = f"{text} [[messages={count} bytes=20]]"
        messages = list(handles[pick % len(handles)].stream_sync(prompt))
        self.asked(held, prompt, text.strip())
        self.compare(messages, held)

    @precondition(lambda self: self.held)
    @rule(pick=PICK, text=WORDS, after=st.integers(1, 6), called=st.booleans())
    def stream_that_is_cut(self, pick: int, text: str, after: int, called: bool) -> None:
        held = self.one(pick)
        prompt = f"{text} [[drop after={after}]]" + " [[call count]]" * called
        before = self.runs
        messages = list(held.handle.stream_sync(prompt))
        assert self.runs == before + called
        self.asked(held, prompt, "\n".join([text.strip(), str(self.runs)][: 1 + called]))
        self.compare(messages, held)

    @precondition(lambda self: self.held)
    @rule(pick=PICK, text=WORDS, after=st.integers(1, 4), listen=st.booleans())
    def stream_that_is_left(self, pick: int, text: str, after: int, listen: bool) -> None:
        """The turn goes on at the service; to listen again gives all of it."""
        held = self.one(pick)
        prompt = f"{text} [[messages=6 bytes=20]] [[delay=0.002]]"
        stream = held.handle.stream_sync(prompt)
        for _, _ in zip(range(after), stream, strict=False):
            pass
        stream.close()
        self.asked(held, prompt, text.strip())
        if listen:
            self.compare(list(held.handle.reconnect()), held)

    @precondition(lambda self: self.held)
    @rule(pick=PICK)
    def listen(self, pick: int) -> None:
        held = self.one(pick)
        if held.prompts:
            self.compare(list(held.handle.reconnect()), held)
        else:
            with pytest.raises(InputError, match="no turn to listen to"):
                list(held.handle.reconnect())

    @precondition(lambda self: self.held)
    @rule(pick=PICK, changes=st.fixed_dictionaries({}, optional={"name": NAMES, "ttl": st.integers(300, 3000)}))
    def update(self, pick: int, changes: dict[str, Any]) -> None:
        held = self.one(pick)
        if not changes:
            with pytest.raises(InputError, match="Nothing to update"):
                held.handle.update()
            return
        held.handle.update(**changes)
        held.name = changes.get("name", held.name)
        if ttl := changes.get("ttl"):
            held.ttl, held.expires = ttl, self.service.clock.time() + ttl

    @precondition(lambda self: self.held)
    @rule(pick=PICK)
    def resume(self, pick: int) -> None:
        held = self.one(pick)
        held.old.append(held.handle)
        held.handle = self.client.resume_session(held.handle.id, tools=[self.tool()])
        assert (held.handle.name, held.handle.ttl) == (held.name, held.ttl)

    @precondition(lambda self: self.held)
    @rule(pick=PICK)
    def delete(self, pick: int) -> None:
        held = self.one(pick)
        held.handle.delete()
        del self.held[held.handle.id]
        self.gone.append(held.handle)

    @precondition(lambda self: self.held)
    @rule(seconds=st.sampled_from([100, 700, 3000]))
    def expire(self, seconds: int) -> None:
        self.service.clock.ahead += seconds
        now = self.service.clock.time()
        for held in [each for each in self.held.values() if each.expires <= now]:
            del self.held[held.handle.id]
            self.gone.append(held.handle)

    @precondition(lambda self: self.gone)
    @rule(pick=PICK, act=st.sampled_from(["query", "attach", "update", "refresh", "resume", "delete"]))
    def touch_what_is_gone(self, pick: int, act: str) -> None:
        handle = self.gone[pick % len(self.gone)]
        acts: dict[str, Callable[[], Any]] = {
            "query": lambda: handle.query("Are you there?"),
            "attach": lambda: handle.attach_file("a.txt", b"a"),
            "update": lambda: handle.update(name="back"),
            "refresh": lambda: handle.refresh(),
            "resume": lambda: self.client.resume_session(handle.id),
            "delete": lambda: handle.delete(),
        }
        with pytest.raises(SessionNotFoundError):
            acts[act]()

    # --- what must hold ---

    @invariant()
    def service_holds_the_model(self) -> None:
        for session_id, held in self.held.items():
            found = self.settled(held)
            assert (found["name"], found["description"], found["ttl"]) == (held.name, held.description, held.ttl)
            assert [(file["name"], file["sha256"]) for file in found["files"]] == held.files
            said = found["messages"]
            assert [m["content"] for m in said if m["message_type"] == "query"] == held.prompts
            assert [m["content"] for m in said if m["message_type"] == "result"] == held.answers
            assert sum(m["state"] == "end" for m in said) == len(held.prompts) == found["turns"]
            assert len(said) == found["num_messages"]
            assert session_id == found["id"]

    @invariant()
    def the_list_is_the_model_s(self) -> None:
        assert [each.id for each in self.client.list_sessions()] == list(self.held)


@pytest.mark.parametrize("examples", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_the_service_holds_what_the_calls_say(shell: Any, service: Running, examples: int) -> None:
    Sessions.service = service
    Sessions.client = shell(KEY, base_url=service.http, websocket_url=service.ws)
    run_state_machine_as_test(Sessions, settings=settings(max_examples=examples, stateful_step_count=20, deadline=None))
