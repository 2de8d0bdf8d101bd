"""The stream: a turn's frames, several sockets, cuts and what comes back after them, local tools, faults."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

TOOL = {"name": "lookup", "description": "d", "parameters": {"type": None, "properties": {"host": {"type": "string"}}}}


def closed(socket: Any) -> int | None:
    """The code a connection was closed with, after all frames."""
    for _ in socket:
        pass
    return socket.close_code


def test_a_plain_turn_is_what_the_official_tests_assert(api: Any) -> None:
    session_id = api.register()
    frames = api.ask(session_id, "hello")
    kinds = Counter(frame["message_type"] for frame in frames)
    assert kinds["result"] == 1
    assert kinds["thinking"] >= 1
    assert set(kinds) == {"result", "thinking", "info"}
    assert any(frame["content"] == "Transfer" for frame in frames)
    assert {frame["status_code"] for frame in frames} == {200}
    assert [frame["state"] for frame in frames].count("end") == 1
    assert (frames[-1]["message_type"], frames[-1]["state"], frames[-1]["content"]) == ("info", "end", "end")
    stored = api.session(session_id)["messages"]
    assert [message for message in stored if message["message_type"] != "query"] == frames


def test_messages_are_flat_with_ids_of_their_own(api: Any) -> None:
    frames = api.ask(api.register(), "hello")
    assert {frame["parent_id"] for frame in frames} == {"3713"}
    for key in ("id", "turn"):
        values = [frame[key] for frame in frames]
        assert len(set(values)) == len(values)
        assert all(len(value) == 12 and int(value, 16) >= 0 for value in values)
    assert all(len(frame["group"]) == 12 for frame in frames)
    assert all(frame["mime_type"] for frame in frames)


def test_the_query_is_stored_with_the_clients_ids_and_not_echoed(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        api.send(socket, "hello", id=session_id, turn="T", group="G", parent_id="P", state="query", role="user")
        frames = api.read_turn(socket)
    query = api.session(session_id)["messages"][0]
    assert query == query | {"id": session_id, "turn": "T", "group": "G", "parent_id": "P", "message_type": "query"}
    assert "query" not in {frame["message_type"] for frame in frames}


def test_nothing_is_sent_before_the_clients_first_frame(api: Any) -> None:
    with api.connect(api.register()) as socket, pytest.raises(TimeoutError):
        socket.recv(timeout=0.7)


def test_several_prompts_go_over_one_socket_in_order(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        for word in ("one", "two", "three"):
            api.send(socket, f"{word} [[delay=0.01]]")
        turns = [api.read_turn(socket) for _ in range(3)]
    results = [[f["content"] for f in turn if f["message_type"] == "result"] for turn in turns]
    assert results == [["one"], ["two"], ["three"]]
    assert api.session(session_id)["turns"] == 3


def test_a_prompt_too_many_is_refused_and_stored_nowhere(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as first, api.connect(session_id) as second:
        api.send(first, "[[delay=0.2]] slow")
        api.read_frames(first, 1)
        for number in range(17):
            api.send(second, f"prompt {number}")
        frames = [json.loads(second.recv(timeout=5)) for _ in range(8)]
    refusal = next(frame for frame in frames if frame["message_type"] == "error")
    assert refusal["status_code"] == 429
    assert "prompt 16" not in json.dumps(api.session(session_id)["messages"])


def test_frames_go_to_every_open_socket_of_the_session(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as asking, api.connect(session_id) as listening:
        time.sleep(0.1)
        api.send(asking, "hello [[delay=0.05]]")
        assert api.read_turn(asking) == api.read_turn(listening)


def test_a_turn_goes_on_when_its_socket_closes_and_the_next_one_gets_the_rest(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        api.send(socket, "[[messages=20 bytes=30]] [[delay=0.02]] answer")
        before = [json.loads(frame) for frame in api.read_frames(socket, 3)]
    with api.connect(session_id) as socket:
        after = api.read_turn(socket)
    stored = [m for m in api.session(session_id)["messages"] if m["message_type"] != "query"]
    assert after[-1]["state"] == "end"
    assert after == stored[-len(after) :]
    assert before == stored[:3]


def test_the_tail_of_a_finished_turn_is_given_to_a_silent_socket_once(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        api.send(socket, "[[messages=10 bytes=30]] [[drop after=4]] [[delay=0.01]] answer")
        seen = [json.loads(frame) for frame in api.read_frames(socket, 4)]
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)
        assert socket.close_code in (None, 1006)
    wait_until(lambda: api.session(session_id)["state"] == "end")
    with api.connect(session_id) as socket:
        tail = api.read_turn(socket)
    assert seen + tail == api.session(session_id)["messages"][1:]
    with api.connect(session_id) as socket, pytest.raises(TimeoutError):
        socket.recv(timeout=0.8)


def test_a_new_prompt_is_not_answered_with_the_tail_of_an_earlier_turn(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        api.send(socket, "first [[drop after=2]]")
        api.read_frames(socket, 2)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)
    wait_until(lambda: api.session(session_id)["state"] == "end")
    frames = api.ask(session_id, "second")
    assert [f["content"] for f in frames if f["message_type"] == "result"] == ["second"]


def test_a_prompt_behind_another_socket_s_turn_is_not_answered_with_it(api: Any) -> None:
    """Two kernels in one session: the second would take the first one's answer, and its END, for its own."""
    session_id = api.register()
    with api.connect(session_id) as first, api.connect(session_id) as second:
        api.send(first, "first [[messages=10 bytes=20]] [[delay=0.03]]")
        api.read_frames(first, 2)
        api.send(second, "second")
        turns = [api.read_turn(first), api.read_turn(second)]
    results = [[f["content"] for f in turn if f["message_type"] == "result"] for turn in turns]
    assert results == [["first"], ["second"]]
    stored = api.session(session_id)["messages"]
    assert turns[1] == stored[-len(turns[1]) :]


def test_a_waiting_prompt_of_a_closed_socket_is_dropped(api: Any) -> None:
    """It is not stored yet, so its client may send it again: it must not be answered twice."""
    session_id = api.register()
    with api.connect(session_id) as running:
        api.send(running, "[[delay=0.1]] first")
        api.read_frames(running, 1)
        with api.connect(session_id) as socket:
            api.send(socket, "second")
            time.sleep(0.1)
        api.read_turn(running)
        with pytest.raises(TimeoutError):
            running.recv(timeout=0.3)
    assert api.session(session_id)["turns"] == 1


def test_an_unknown_session_gets_an_error_an_end_and_a_close(api: Any) -> None:
    with api.connect("0" * 32) as socket:
        error, end = api.read_turn(socket)
        assert closed(socket) == 1000
    assert (error["message_type"], error["status_code"]) == ("error", 404)
    assert "not found" in error["status_message"]
    assert (end["message_type"], end["state"], end["status_code"]) == ("info", "end", 200)


def test_a_wrong_key_is_refused_in_the_handshake(api: Any) -> None:
    session_id = api.register()
    with pytest.raises(InvalidStatus) as refused:
        api.connect(session_id, api_key="wrong")
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"")["detail"]


def test_an_error_frame_is_followed_by_end_and_close(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        api.send(socket, "[[error 429 retry_after=2]]")
        frames = api.read_turn(socket)
        assert closed(socket) == 1000
    error, end = frames[-2:]
    assert (error["message_type"], error["status_code"], error["retry_after"]) == ("error", 429, 2)
    assert "not found" not in error["status_message"]
    assert (end["message_type"], end["state"], end["status_code"]) == ("info", "end", 200)
    assert api.session(session_id)["messages"][1:] == frames


def test_a_socket_goes_on_after_an_error_if_it_asks_again_at_once(api: Any) -> None:
    with api.connect(api.register()) as socket:
        api.send(socket, "[[error 503]]")
        api.read_turn(socket)
        api.send(socket, "again")
        assert any(frame["content"] == "again" for frame in api.read_turn(socket))
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.8)


def test_a_frame_that_is_no_prompt_is_refused_to_its_sender_alone(api: Any) -> None:
    session_id = api.register()
    bad = ["", "{", "[]", "7", "[" * 50_000, '{"message_type": "hologram"}', '{"message_type": "query"}',
           '{"message_type": "query", "content": " "}']  # fmt: skip
    with api.connect(session_id) as socket:
        for frame in bad:
            socket.send(frame)
            error, end = api.read_turn(socket)
            assert (error["message_type"], error["status_code"], end["state"]) == ("error", 400, "end")
        assert closed(socket) == 1000
    assert api.session(session_id)["messages"] == []


@pytest.mark.parametrize("flag", ["true", "1", "yes", "TRUE"])
def test_pieces_come_on_request_and_are_not_stored(api: Any, flag: str) -> None:
    session_id = api.register()
    prompt = "[[partial]] the quick brown  fox\njumps over the lazy dog"
    frames = api.ask(session_id, prompt, stream=flag)
    for kind in ("thinking", "result"):
        pieces = [f["content"] for f in frames if f["message_type"] == kind and f["status_code"] == 206]
        (whole,) = [f["content"] for f in frames if f["message_type"] == kind and f["status_code"] == 200]
        assert len(pieces) > 1
        assert "".join(pieces) == whole
    stored = api.session(session_id)["messages"]
    assert stored[1:] == [frame for frame in frames if frame["status_code"] != 206]


@pytest.mark.parametrize("query", [{}, {"stream": "false"}, {"stream": "0"}, {"stream": "", "unknown": "x"}])
def test_pieces_do_not_come_unasked(api: Any, query: dict[str, str]) -> None:
    frames = api.ask(api.register(), "[[partial]] the quick brown fox", **query)
    assert {frame["status_code"] for frame in frames} == {200}


def test_pieces_go_only_to_the_socket_that_asked(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id, stream="true") as asking, api.connect(session_id) as listening:
        time.sleep(0.1)
        api.send(asking, "[[partial]] [[delay=0.01]] the quick brown fox")
        whole = api.read_turn(asking)
        assert [f for f in whole if f["status_code"] != 206] == api.read_turn(listening)
        assert any(f["status_code"] == 206 for f in whole)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"content": json.dumps({"name": "lookup", "output": "{'os': 'linux'}"}), "mime_type": "text/plain"},
         "{'os': 'linux'}"),
        ({"content": json.dumps({"name": "lookup", "output": "up", "is_error": None}),
          "mime_type": "text/serialized-json"}, "up"),
        ({"content": json.dumps({"name": "lookup", "output": "no such tool", "is_error": True}),
          "mime_type": "text/serialized-json", "status_code": 500}, "lookup failed: no such tool"),
        ({"content": "Traceback: boom", "mime_type": "text/serialized-json", "status_code": 500},
         "lookup failed: Traceback: boom"),
        ({"content": json.dumps({"name": "lookup", "output": "refused by the user", "is_error": True}),
          "mime_type": "text/serialized-json", "status_code": 500}, "lookup failed: refused by the user"),
        ({"content": json.dumps({"name": "lookup", "output": {"a": [1]}})}, '{"a":[1]}'),
    ],
    ids=["python", "rust", "unknown tool", "python raised", "rust refused", "not text"],
)  # fmt: skip
def test_a_local_tools_result_is_read_in_every_clients_shape(api: Any, fields: dict[str, Any], expected: str) -> None:
    session_id = api.register(local_tools=[TOOL])
    with api.connect(session_id) as socket:
        api.send(socket, '[[call lookup {"host": "web-7", "tags": ["a", ["b"]]}]]')
        call = json.loads(api.read_frames(socket, 4)[-1])
        assert (call["message_type"], call["mime_type"]) == ("local_tool_call", "text/serialized-json")
        arguments = {"host": "web-7", "tags": ["a", ["b"]]}
        assert json.loads(call["content"]) == {"tool_name": "lookup", "tool_args": arguments}
        socket.send(json.dumps({"id": "r", "message_type": "local_tool_result", "role": "user"} | fields))
        rest = api.read_turn(socket)
    assert [f["content"] for f in rest if f["message_type"] == "result"] == [expected]
    stored = api.session(session_id)["messages"]
    assert [m["message_type"] for m in stored[4:7]] == ["local_tool_call", "local_tool_result", "result"]
    assert stored[5]["content"] == fields["content"]


def test_an_open_call_is_sent_again_to_a_socket_that_reconnects(api: Any) -> None:
    session_id = api.register(local_tools=[TOOL])
    with api.connect(session_id) as socket:
        api.send(socket, "[[call lookup {}]]")
        call = api.read_frames(socket, 4)[-1]
    with api.connect(session_id) as socket:
        assert socket.recv(timeout=5) == call
        answer = {"message_type": "local_tool_result", "content": "late", "parent_id": json.loads(call)["id"]}
        socket.send(json.dumps(answer | {"status_code": 500, "parent_id": "another call"}))
        socket.send(json.dumps(answer))
        frames = api.read_turn(socket)
    assert [f["content"] for f in frames if f["message_type"] == "result"] == ["late"]
    assert len([m for m in api.session(session_id)["messages"] if m["message_type"] == "local_tool_call"]) == 1


def decided(decision: Any, **fields: Any) -> str:
    return json.dumps({"message_type": "confirmation_response", "content": json.dumps(decision)} | fields)


@pytest.mark.parametrize(
    ("content", "result"),
    [
        ({"decision": "approve", "comment": ""}, "Block it?: approved"),
        ({"decision": "deny", "comment": "not now"}, "Block it?: denied (not now)"),
        ({"decision": "maybe"}, "Block it?: denied"),
        (["approve"], "Block it?: denied (The answer could not be read.)"),
    ],
)
def test_a_confirmation_waits_for_its_answer_and_both_are_stored(api: Any, content: Any, result: str) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        api.send(socket, '[[confirm Block it? {"host": "web-7"}]]')
        asked = json.loads(api.read_frames(socket, 4)[-1])
        assert (asked["message_type"], asked["role"], asked["state"]) == (
            "confirmation_request", "agent", "calling_tool",
        )  # fmt: skip
        assert json.loads(asked["content"]) == {
            "prompt": "Block it?", "options": ["approve", "deny"], "action": {"host": "web-7"},
        }  # fmt: skip
        # None of these answers it.
        socket.send(json.dumps({"message_type": "local_tool_result", "content": "x", "parent_id": asked["id"]}))
        socket.send(decided({"decision": "approve"}, parent_id="another request"))
        socket.send(decided(content, parent_id=asked["id"], id="r"))
        rest = api.read_turn(socket)
        socket.send(decided({"decision": "approve"}, parent_id=asked["id"], id="late"))
        api.send(socket, "hello")
        api.read_turn(socket)
    assert [f["content"] for f in rest if f["message_type"] == "result"] == [result]
    stored = api.session(session_id)["messages"]
    assert [m["message_type"] for m in stored[4:7]] == ["confirmation_request", "confirmation_response", "result"]
    assert [m["id"] for m in stored if m["message_type"] == "confirmation_response"] == ["r"]
    assert not [m for m in stored if m["message_type"] == "local_tool_result"]


def test_a_client_that_knows_no_confirmations_does_not_hang(api: Any) -> None:
    frames = api.ask(api.register(), "[[confirm within=0.2 Block it?]]")
    assert [f["content"] for f in frames if f["message_type"] == "result"] == [
        "Block it?: denied (No answer within 0.2 s.)"
    ]


def test_a_confirmation_is_asked_again_after_a_reconnect(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        api.send(socket, "[[confirm Block it?]]")
        asked = api.read_frames(socket, 4)[-1]
    with api.connect(session_id) as socket:
        assert socket.recv(timeout=5) == asked
        socket.send(decided({"decision": "approve"}))  # tied to nothing: it is the one that is open
        frames = api.read_turn(socket)
    assert [f["content"] for f in frames if f["message_type"] == "result"] == ["Block it?: approved"]
    kinds = [m["message_type"] for m in api.session(session_id)["messages"]]
    assert kinds.count("confirmation_request") == 1


def test_a_tool_result_that_nobody_waits_for_is_dropped(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        socket.send(json.dumps({"message_type": "local_tool_result", "content": "x"}))
        socket.send(json.dumps({"message_type": "confirmation_response", "content": "{}"}))
        api.send(socket, "hello")
        assert api.read_turn(socket)[-1]["state"] == "end"
    assert "local_tool_result" not in {m["message_type"] for m in api.session(session_id)["messages"]}


def test_a_frame_stays_under_one_mebibyte_and_says_what_was_cut(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        api.send(socket, "\x01ü" * 700_000)
        frames = api.read_frames(socket)
    assert all(len(frame.encode()) < 2**20 for frame in frames)
    (result,) = [f for f in map(json.loads, frames) if f["message_type"] == "result"]
    assert result["content"].startswith("\x01ü\x01ü")
    assert "1,400,000 characters" in result["content"][-80:]
    assert len(api.session(session_id)["messages"][0]["content"]) == 1_400_000


def test_pings_are_answered_while_a_turn_streams(api: Any) -> None:
    with api.connect(api.register()) as socket:
        api.send(socket, "[[messages=10000 bytes=200]]")
        socket.recv(timeout=5)
        pong = socket.ping()
        count = 0
        while not pong.is_set():
            socket.recv(timeout=5)
            count += 1
        assert count < 10_000
        api.read_turn(socket)


def test_deleting_a_session_ends_its_turn_and_sends_its_sockets_away(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        api.send(socket, "[[messages=100 bytes=30]] [[delay=1]]")
        api.read_frames(socket, 1)
        assert api.post("/v1/session/delete", {"id": session_id})["ok"]
        frames = api.read_turn(socket)
        assert closed(socket) == 1000
    assert frames[-2]["status_code"] == 404
    assert "not found" in frames[-2]["status_message"]
    assert api.session(session_id) is None


def test_a_burst_arrives_complete_and_in_order(api: Any) -> None:
    session_id = api.register()
    frames = api.ask(session_id, "[[messages=10000 bytes=200]] done")
    numbers = [int(f["content"].split()[0]) for f in frames if f["message_type"] == "thinking"]
    assert numbers == list(range(10_000))
    assert {len(f["content"]) for f in frames if f["message_type"] == "thinking"} == {200}
    assert api.session(session_id)["messages"][1:] == frames


def test_a_client_that_does_not_read_holds_up_neither_the_server_nor_other_sockets_for_ever(api: Any) -> None:
    """The slow socket has its share of the backlog; the server answers others meanwhile."""
    session_id = api.register()
    with api.connect(session_id) as slow:
        api.send(slow, "[[messages=12000 bytes=2000]] done")
        slow.recv(timeout=5)
        api.ask(api.register(), "hello")  # before anybody reads on
        assert api.read_turn(slow)[-2]["content"] == "done"


def wait_until(condition: Any, timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
