"""The OpenAI-compatible endpoint (protocol sections 18 and 19.8)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest


def part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def file(content: bytes, name: str = "note.txt") -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    return {"type": "file", "file": {"filename": name, "file_data": f"data:text/plain;base64,{data}"}}


def asked(api: Any, messages: Any, path: str = "/chat/completions", **fields: Any) -> Any:
    body = {"model": "local-echo", "messages": messages} | fields
    headers = {"authorization": f"Bearer {api.key}", "x-api-key": ""}
    return api.http.post(path, json=body, headers=headers)


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions"])
def test_a_question_gets_its_answer_and_leaves_no_session(api: Any, path: str) -> None:
    before = api.get("/v1/session/list")
    messages = [{"role": "user", "content": [part("Repeat this."), file(b"DemoBot")]}]
    reply = asked(api, messages, path, temperature=0, max_tokens=None, user="me")
    assert reply.status_code == 200
    found = reply.json()
    assert found["id"].startswith("chatcmpl-")
    assert (found["object"], found["model"], type(found["created"])) == ("chat.completion", "local-echo", int)
    assert found["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "Repeat this."}, "finish_reason": "stop"}
    ]
    assert found["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert api.get("/v1/session/list") == before


def test_the_analyst_reads_the_files_of_a_conversation(api: Any) -> None:
    said = [
        {"role": "system", "content": "You are helpful."},
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hello, what is it?"},
        {"role": "user", "content": [part("What is the sha256 of this file?"), file(b"DemoBot", "../bot.bin")]},
    ]
    reply = asked(api, said, model="local-analyst-1").json()
    answer = reply["choices"][0]["message"]["content"]
    assert "bot.bin" in answer
    assert "../" not in answer
    assert hashlib.sha256(b"DemoBot").hexdigest() in answer


@pytest.mark.parametrize(
    ("messages", "fields", "status", "says"),
    [
        ([], {}, 400, "last message must be the user's"),
        ([{"role": "assistant", "content": "x"}], {}, 400, "last message must be the user's"),
        ([{"role": "user", "content": " "}], {}, 400, "prompt is empty"),
        ([{"role": "user", "content": 7}], {}, 400, "neither text nor a list"),
        ([{"role": "user", "content": [{"type": "video"}]}], {}, 400, "data: URL"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "https://x.example/a.png"}]}], {}, 400,
         "fetches nothing"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,%"}}]}], {},
         400, "cannot be read"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:;base64,é"}}]}], {}, 400,
         "cannot be read"),
        ([{"role": "user", "content": "x"}], {"model": "gpt-5"}, 404, "Known: local-echo"),
        ([{"role": "user", "content": "x"}], {"stream": True}, 400, "stream is not supported"),
        ([{"role": "user", "content": "x"}], {"n": 2}, 400, "one answer"),
        ([{"role": "user", "content": "x"}], {"model": 3}, 404, "Unknown model: 3"),
        ("x", {}, 400, "messages"),
        ([{"role": "user", "content": "[[error 429]]"}], {}, 429, "asked for an error"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_an_error_in_the_dialect_s_form(
    api: Any, messages: Any, fields: dict[str, Any], status: int, says: str
) -> None:
    before = api.get("/v1/session/list")
    reply = asked(api, messages, **fields)
    assert reply.status_code == status
    assert says in reply.json()["error"]["message"]
    assert api.get("/v1/session/list") == before


def test_a_wrong_key_is_refused(api: Any) -> None:
    headers = {"authorization": "Bearer wrong", "x-api-key": ""}
    assert api.http.post("/chat/completions", json={}, headers=headers).status_code == 401
