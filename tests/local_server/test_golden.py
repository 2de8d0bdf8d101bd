"""The worked exchanges of the protocol page (its sections 19.1 to 19.5), played against the server.

The files hold requests, replies and frames as the page has them. Requests are sent as they are. Of what comes back,
names and types of all fields must be the page's, and the values that the protocol fixes; ids, times, texts, tokens and
the number of progress frames are the server's own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden"
FIXED_IN_FRAMES = ("parent_id", "role", "icon", "text_color", "mime_type", "status_code", "status_message")
FIXED_IN_OP_RESULTS = ("ok", "status_code", "status_message", "mime_type")


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def kind(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def assert_same_fields(ours: dict[str, Any], page: dict[str, Any], nullable: tuple[str, ...] = ()) -> None:
    assert list(ours) == list(page), "names and order of the fields"
    for name, value in page.items():
        allowed = {kind(value)} | ({"NoneType", "str", "dict"} if name in nullable else set())
        assert kind(ours[name]) in allowed, f"{name}: {ours[name]!r}, the page has {value!r}"


def assert_frame(ours: dict[str, Any], templates: list[dict[str, Any]]) -> None:
    """A frame looks like the page's frame of the same type and state."""
    key = ("message_type", "state", "status_code")
    page = next(frame for frame in templates if all(frame[name] == ours[name] for name in key))
    assert_same_fields(ours, page, nullable=("title", "usage"))
    assert {name: ours[name] for name in FIXED_IN_FRAMES} == {name: page[name] for name in FIXED_IN_FRAMES}


def exchange(api: Any, step: dict[str, Any]) -> Any:
    method, _, path = step["request"].partition(" ")
    reply = api.http.request(method, path, json=step.get("body"))
    assert reply.status_code == 200
    return reply.json()


@pytest.fixture
def page_api(api: Any) -> Any:
    """The page's session ids are free before and after."""
    ids = ("3f9c1f0e7a5d4b1c8e2a6d7b90c4e511", "b7d2c6f04c7e4d1b9a3f5e8d2c1b0a99")
    for session_id in ids:
        api.post("/v1/session/delete", {"id": session_id})
    return api


def test_19_1_ask_over_http(page_api: Any) -> None:
    user_info, register, generate, get = golden("19_1_ask_over_http")
    templates = generate["reply"]["messages"] + golden("19_2_stream_with_a_local_tool")[1]["frames"]
    templates = [frame.get("receive", frame) for frame in templates if "send" not in frame]

    ours = exchange(page_api, user_info)
    assert_same_fields(ours, user_info["reply"])
    assert_same_fields(ours["user"], user_info["reply"]["user"])
    assert_same_fields(ours["available_models"][0], user_info["reply"]["available_models"][0])

    ours = exchange(page_api, register)
    assert_same_fields(ours, register["reply"])
    assert {name: ours[name] for name in FIXED_IN_OP_RESULTS} == {
        name: register["reply"][name] for name in FIXED_IN_OP_RESULTS
    }

    answered = exchange(page_api, generate)
    assert_same_fields(answered, generate["reply"])
    assert (answered["id"], answered["status_code"]) == (generate["reply"]["id"], 200)
    assert_same_fields(answered["usage"], generate["reply"]["usage"])
    for message in answered["messages"]:
        assert_frame(message, templates)
    first, last = answered["messages"][0], answered["messages"][-1]
    assert first["content"] == generate["reply"]["messages"][0]["content"] == "Transfer"
    assert (last["message_type"], last["state"]) == ("result", "agent_done")

    ours, page = exchange(page_api, get), get["reply"]
    assert_same_fields(ours, page)
    assert_same_fields(ours["model"], page["model"])
    told = ("id", "ttl", "language", "turns", "name", "description", "can_log", "files", "logs_table", "local_tools")
    assert {name: ours[name] for name in told} == {name: page[name] for name in told}
    assert ours["messages"][0] == generate["body"]["messages"][0], "the query is stored as it was sent"
    assert ours["messages"][1:-1] == answered["messages"]
    assert ours["num_messages"] == len(ours["messages"])


def test_19_2_stream_with_a_local_tool(page_api: Any) -> None:
    register, stream = golden("19_2_stream_with_a_local_tool")
    assert exchange(page_api, register)["ok"]
    page = [step["receive"] for step in stream["frames"] if "receive" in step]
    query, result = (step["send"] for step in stream["frames"] if "send" in step)
    (call,) = [frame for frame in page if frame["message_type"] == "local_tool_call"]
    arguments = json.loads(call["content"])["tool_args"]
    query = query | {"content": f"[[call lookup_asset {json.dumps(arguments)}]]"}
    session_id = register["body"]["id"]

    received: list[dict[str, Any]] = []
    with page_api.connect(session_id) as socket:
        socket.send(json.dumps(query))
        while not received or received[-1]["state"] != "end":
            received.append(json.loads(socket.recv(timeout=5)))
            if received[-1]["message_type"] == "local_tool_call":
                socket.send(json.dumps(result))
    for frame in received:
        assert_frame(frame, page)
    (ours,) = [frame for frame in received if frame["message_type"] == "local_tool_call"]
    assert json.loads(ours["content"]) == json.loads(call["content"])
    assert [frame["message_type"] for frame in received[-2:]] == [frame["message_type"] for frame in page[-2:]]
    assert received[-1]["content"] == page[-1]["content"] == "end"
    assert received[-2]["content"] == json.loads(result["content"])["output"]

    session = page_api.session(session_id)
    assert session["can_log"] is False
    assert session["local_tools"] == register["body"]["local_tools"]
    position = 1 + received.index(ours) + 1
    assert session["messages"][0] == query
    assert session["messages"][position] == result
    del session["messages"][position]
    assert session["messages"][1:] == received


def test_19_3_files_feedback_update_delete(page_api: Any) -> None:
    assert exchange(page_api, golden("19_1_ask_over_http")[1])["ok"]
    for step in golden("19_3_files_feedback_update_delete"):
        ours, page = exchange(page_api, step), step["reply"]
        if page is None:
            assert ours is None
            continue
        assert_same_fields(ours, page)
        assert ours | {"latency": 0} == page | {"latency": 0}, step["request"]


def test_19_4_partial_content(page_api: Any) -> None:
    page = golden("19_4_partial_content")
    session_id = page_api.register()
    frames = page_api.ask(session_id, "[[partial]] Patch to 4.2.1.", stream="true")
    form = ("message_type", "state", "status_code")
    ours = [tuple(frame[name] for name in form) for frame in frames]
    assert set(ours) >= {tuple(frame[name] for name in form) for frame in page}
    for message_type in ("thinking", "result"):
        for told in (page, frames):
            pieces = [f["content"] for f in told if (f["message_type"], f["status_code"]) == (message_type, 206)]
            (whole,) = [f["content"] for f in told if (f["message_type"], f["status_code"]) == (message_type, 200)]
            assert "".join(pieces) == whole


def test_19_5_missing_session(page_api: Any) -> None:
    page = golden("19_5_missing_session")
    with page_api.connect("no such session") as socket:
        frames = page_api.read_turn(socket)
    assert len(frames) == len(page)
    for frame in frames:
        assert_frame(frame, page)
    assert [frame["state"] for frame in frames] == [frame["state"] for frame in page]
