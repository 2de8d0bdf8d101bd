"""The engine in a server of its own process: what a client sees, what the endpoint sees, and what neither may see."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from secgemini_jupyter.local_server.engines.base import LOOP_HEADER
from tests.local_server.conftest import KEY, Process
from tests.local_server.engines.conftest import CANARY
from tests.local_server.engines.scripted_openai import (
    Script,
    ScriptedEndpoint,
    calls,
    delta,
    event,
    failure,
    head,
    says,
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def server(scripted: ScriptedEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    environ = {"URL": scripted.url, "MODEL": "scripted", "KEY": CANARY, "TIMEOUT": "20"}
    server = Process(
        tmp_path_factory.mktemp("openai"), "--engine", "openai",
        **{f"SECGEMINI_LOCAL_LLM_{name}": value for name, value in environ.items()},
    )  # fmt: skip
    yield server
    server.end()


def register(server: Process, **fields: Any) -> str:
    return server.api.register(model={"model_string": "sec-gemini-stable"}, **fields)


def of(frames: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame["message_type"] == kind]


def test_a_turn_says_who_answers_and_what_it_took(server: Process, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(calls(("defang", {"text": "a.example.com"})), says("a[.]example[.]com"))
    frames = server.api.ask(register(server), "Defang a.example.com")
    who = f"scripted at {endpoint.host}"
    assert server.first_line["answers"] == who
    assert {frame["actor"] for frame in frames[:-1]} == {who, "orchestrator"}  # the plan is not the model's word
    (result,) = of(frames, "result")
    assert result["content"] == "a[.]example[.]com"
    assert result["usage"]["total_tokens"] == 37 + 25
    models = server.api.get("/v1/user/info")["available_models"]
    assert [model["model_string"] for model in models] == ["local-openai", "local-analyst-1", "local-echo"]
    assert models[0]["description"].startswith(f"{who}: ")


def test_the_key_is_given_to_the_endpoint_alone(server: Process, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(failure(401, f"Incorrect API key provided: {CANARY}"), failure(400, f"bad {CANARY} or sk-canary%2D"))
    frames = server.api.ask(register(server), "One") + server.api.ask(register(server), "Two")
    assert [frame["status_code"] for frame in of(frames, "error")] == [400, 400]
    assert endpoint.last.headers["authorization"] == f"Bearer {CANARY}"
    for text in (json.dumps(frames), server.log.read_text(), json.dumps(server.first_line)):
        assert CANARY not in text
        assert CANARY[10:] not in text


def test_a_session_goes_on_after_an_error(server: Process, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(failure(400, "no"), says("Now."))
    session = register(server)
    assert of(server.api.ask(session, "One"), "error")
    assert of(server.api.ask(session, "Two"), "result")[0]["content"] == "Now."
    assert endpoint.last.said("user") == ["Two"]  # a question without an answer is not repeated


def test_a_local_tool_is_asked_of_the_client(server: Process, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(calls(("get_owner", {"host": "web-1"})), says("Kim."))
    tool = {
        "name": "get_owner",
        "description": "Owner.",
        "parameters": {"type": "object", "properties": {"host": {"type": "string"}}},
    }
    session = register(server, local_tools=[tool])
    with server.api.connect(session) as stream:
        server.api.send(stream, "Who owns web-1?")
        while (call := json.loads(stream.recv(timeout=10)))["message_type"] != "local_tool_call":
            pass
        assert json.loads(call["content"]) == {"tool_name": "get_owner", "tool_args": {"host": "web-1"}}
        stream.send(
            json.dumps({"message_type": "local_tool_result", "content": '{"name": "get_owner", "output": "Kim"}'})
        )
        frames = server.api.read_turn(stream)
    assert of(frames, "result")[0]["content"] == "Kim."
    assert endpoint.last.said("tool") == ['{"result":"Kim"}']


def test_a_turn_that_is_stopped_hangs_up_at_the_endpoint(server: Process, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(Script([head(), event(delta(content="It begins " * 40))], hang=True))
    session = register(server)
    with server.api.connect(session, stream="true") as stream:
        server.api.send(stream, "Go on for ever")
        while json.loads(stream.recv(timeout=10))["status_code"] != 206:
            pass
        assert not endpoint.gone.is_set()
        server.api.post("/v1/session/delete", {"id": session})
        assert endpoint.gone.wait(10)


def complete(server: Process, *messages: dict[str, Any], **headers: str) -> httpx.Response:
    body = {"model": "local-openai", "messages": list(messages)}
    return httpx.post(
        server.api.http_url + "/chat/completions", json=body, headers={"x-api-key": KEY} | headers, timeout=20
    )


def test_the_chat_completions_of_this_service(server: Process, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(calls(("decode", {"text": "aGk="})), says("hi"))
    reply = complete(
        server,
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Decode aGk="},
    ).json()
    assert reply["choices"][0]["message"]["content"] == "hi"
    assert reply["usage"] == {"prompt_tokens": 50, "completion_tokens": 12, "total_tokens": 62}
    roles = [message["role"] for message in endpoint.received[0].messages]
    assert roles == ["system", "user", "assistant", "user"]
    assert "Answer in one word." in endpoint.received[0].said("system")[0]
    endpoint.play(failure(429, "slow", retry_after="900"))
    assert complete(server, {"role": "user", "content": "Hello"}).status_code == 429


@pytest.mark.slow
def test_a_service_does_not_ask_itself(tmp_path: Path, endpoint: ScriptedEndpoint, server: Process) -> None:
    assert complete(server, {"role": "user", "content": "Hello"}, **{LOOP_HEADER: "1"}).status_code == 508
    port = free_port()
    itself = Process(
        tmp_path, "--engine", "openai", "--port", str(port), SECGEMINI_LOCAL_LLM_URL=f"http://127.0.0.1:{port}",
        SECGEMINI_LOCAL_LLM_KEY=KEY, SECGEMINI_LOCAL_LLM_MODEL="local-openai",
    )  # fmt: skip
    (error,) = of(itself.api.ask(register(itself), "Hello"), "error")
    assert itself.end(signal.SIGTERM) == 0
    assert "would ask itself" in error["content"]
    assert endpoint.received == []
