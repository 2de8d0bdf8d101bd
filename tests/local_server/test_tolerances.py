"""Section 20 of the protocol page, line by line, where no other test of this folder has it.

1 test_guard · 11 test_files · 12 test_sessions · 15, 16 test_stream · 18 test_guard · 19, 21, 22 test_sessions and
test_golden · 26 to 29, 31, 32 test_stream · 33 test_sessions. The others are here, by number.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

USAGE = {"prompt_tokens": 0, "generated_tokens": 0, "total_tokens": 0}


def test_2_a_content_type_without_a_body_is_no_body(api: Any) -> None:
    session_id = api.register()
    headers = {"content-type": "application/json"}
    assert (
        api.http.get("/v1/session/get", params={"session_id": session_id}, headers=headers).json()["id"] == session_id
    )
    table = {"logs_hash": "c" * 64, "can_log": "true"}
    assert api.http.post("/create_logs_table", params=table, headers=headers).json()["table_created"]
    query = {"session_id": session_id, "logs_hash": "c" * 64}
    assert api.http.post("/v1/session/attach_logs", params=query, headers=headers).json()["ok"]


def bodies() -> dict[str, dict[str, Any]]:
    """Registrations as the official clients send them, ids left out."""
    model = {"model_name": "x", "version": "1", "use_experimental": False, "model_string": "stable", "toolsets": []}
    nine = {"user_id": "u", "org_id": "o", "model": model, "ttl": 86400, "name": "n", "description": "d",
            "can_log": True, "language": "en-US"}  # fmt: skip
    nineteen = nine | {
        "turns": 7, "create_time": 1.0, "update_time": 1.5, "num_messages": 9, "messages": [], "state": "other",
        "usage": {"cached_total_tokens": 0, "thoughts_total_tokens": 0}, "files": [], "logs_table": None,
        "local_tools": [{"name": "exec", "description": "d", "parameters": {
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "$defs": {},
            "additionalProperties": False}}],
    }  # fmt: skip
    null_filled = {"name": "f", "description": "d", "returns": None, "version": None, "tags": None, "parameters": {
        "type": None, "any_of": None, "properties": {"x": {"type": None, "default": None}}, "ref": None}}  # fmt: skip
    return {
        "nine": nine,
        "nineteen": nineteen,
        "twenty": nineteen | {"agents_config": {}, "local_tools": [null_filled]},
    }


@pytest.mark.parametrize("client", bodies())
def test_3_9_10_every_clients_registration_is_taken_and_its_counters_are_not(api: Any, client: str) -> None:
    body = bodies()[client] | {"id": str(uuid.uuid4())}
    assert api.post("/v1/session/register", body)["ok"]
    session = api.session(body["id"])
    assert (session["turns"], session["num_messages"], session["state"]) == (0, 0, "start")
    assert session["create_time"] > 1.5
    assert session["user_id"] == api.get("/v1/user/info")["user"]["id"] != "u"
    assert session["org_id"] != "o"
    for ours, sent in zip(session["local_tools"], body.get("local_tools", []), strict=True):
        assert ours["parameters"] == sent["parameters"]


def test_3_a_registration_without_id_gets_one(api: Any) -> None:
    result = api.post("/v1/session/register", bodies()["nine"])
    assert api.session(result["data"]["id"])["name"] == "n"


@pytest.mark.parametrize(
    "session_id",
    ["abcdefabcdef", uuid.uuid4().hex, str(uuid.uuid4()), "any/thing ?&=#ü\U0001f600", "'; DROP TABLE--"],
    ids=["12 digits", "32 digits", "uuid", "punctuation", "sql"],
)
def test_4_ids_are_opaque(api: Any, session_id: str) -> None:
    api.register(id=session_id)
    with api.connect(session_id) as socket:
        api.send(socket, "hello", id=session_id)
        api.read_turn(socket)
        api.send(socket, "hello again", id=session_id)
        api.read_turn(socket)
    messages = api.session(session_id)["messages"]
    assert [m["id"] for m in messages if m["message_type"] == "query"] == [session_id] * 2
    assert api.post("/v1/session/delete", {"id": session_id})["ok"]


def test_5_update_and_delete_take_the_whole_session_whatever_is_in_it(api: Any) -> None:
    session_id = api.register()
    api.ask(session_id, "[[messages=3000 bytes=1000]]")
    whole = api.session(session_id) | {"name": "new", "state": "other", "usage": None, "files": [None], "turns": "x"}
    whole["messages"].append({"message_type": "other", "state": 7})
    assert api.post("/v1/session/update", whole)["ok"]
    assert api.session(session_id)["name"] == "new"
    assert api.post("/v1/session/delete", whole)["ok"]


def test_6_7_8_a_query_with_strange_or_missing_fields_is_answered(api: Any) -> None:
    session_id = api.register()
    strange = {
        "message_type": "query", "content": "hi", "state": "retriving", "role": "other", "mime_type": None,
        "usage": USAGE | {"cached_total_tokens": 1}, "message_sub_type": "x", "session_id": "y", "created_at": 1,
    }  # fmt: skip
    with api.connect(session_id) as socket:
        socket.send(json.dumps(strange))
        assert api.read_turn(socket)[-2]["content"] == "hi"
    reply = api.post("/v1/session/generate", {"id": session_id, "messages": [strange | {"state": "other"}]})
    assert reply["status_code"] == 200
    stored = api.session(session_id)["messages"][0]
    assert (stored["state"], stored["content"]) == ("retriving", "hi")
    assert isinstance(stored["timestamp"], int)


def test_13_a_long_ttl_and_a_regional_language_are_kept(api: Any) -> None:
    session = api.session(api.register(ttl=30 * 86400, language="de-CH-1996"))
    assert (session["ttl"], session["language"]) == (30 * 86400, "de-CH-1996")


@pytest.mark.parametrize("prompt", ["?", "hi", "Who is it? undefined", "\u202e\x00 odd", "[[nonsense]]", "[[call"])
def test_14_any_prompt_is_answered(api: Any, prompt: str) -> None:
    assert api.ask(api.register(), prompt)[-2]["content"] == prompt.strip()


def test_17_long_user_agents_are_harmless(api: Any) -> None:
    agent = (
        "secgemini-python/0.2.0 (Linux-6.1-x86_64) 3.11.7 (main, [GCC 12]) (sys.version_info(major=3, minor=11))" * 3
    )
    assert api.http.get("/v1/user/info", headers={"user-agent": agent}).status_code == 200


def test_20_times_and_counts_have_the_types_that_strict_readers_want(api: Any) -> None:
    session_id = api.register()
    frames = api.ask(session_id, "hello")
    for frame in [*frames, *api.session(session_id)["messages"]]:
        assert isinstance(frame["timestamp"], int)
        assert isinstance(frame["created_at"], float)
    assert isinstance(api.get("/v1/user/info")["user"]["key_expire_time"], int)


def test_23_calls_answer_at_once_beside_a_running_burst(api: Any) -> None:
    session_id, other = api.register(), api.register()
    with api.connect(session_id) as socket:
        api.send(socket, "[[messages=10000 bytes=200]]")
        socket.recv(timeout=5)
        api.get("/v1/user/info")  # the burst is more than sockets hold: it cannot end before it is read
        api.session(other)
        api.read_turn(socket)


def test_24_every_listed_model_can_be_registered(api: Any) -> None:
    for model in api.get("/v1/user/info")["available_models"]:
        assert api.session(api.register(model=model))["model"] == model


def test_25_a_session_that_does_not_exist_is_null(api: Any) -> None:
    reply = api.http.get("/v1/session/get", params={"session_id": "0" * 32})
    assert (reply.status_code, reply.json()) == (200, None)


def test_30_a_silent_socket_stays_open_and_hears_later_turns(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as silent:
        with pytest.raises(TimeoutError):
            silent.recv(timeout=0.7)
        frames = api.ask(session_id, "hello")
        assert api.read_turn(silent) == frames
