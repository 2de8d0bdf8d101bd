"""Register, get, list, update, delete, feedback: what the HTTP routes promise."""

from __future__ import annotations

import json
import socket
import time
import uuid
from typing import Any

import pytest

SESSION_KEYS = {
    "id", "user_id", "org_id", "model", "ttl", "language", "turns", "name", "description", "create_time", "update_time",
    "num_messages", "messages", "usage", "can_log", "state", "files", "logs_table", "local_tools", "agents_config",
}  # fmt: skip
MODEL_KEYS = {"model_name", "version", "use_experimental", "model_string", "description", "toolsets"}


def test_user_info_offers_a_model_and_every_field(api: Any) -> None:
    info = api.get("/v1/user/info")
    assert set(info) == {"user", "sessions", "available_models"}
    assert set(info["user"]) == {
        "id", "org_id", "type", "never_log", "can_disable_logging", "key_expire_time", "tpm", "rpm",
        "allow_experimental", "vendors",
    }  # fmt: skip
    assert info["user"]["never_log"] is False
    assert info["user"]["can_disable_logging"] is True
    assert all(set(model) == MODEL_KEYS for model in info["available_models"])
    assert info["available_models"][0]["use_experimental"] is False


def test_the_first_model_is_a_usable_default(api: Any) -> None:
    first = api.get("/v1/user/info")["available_models"][0]
    assert api.session(api.register(model=first))["model"] == first


@pytest.mark.parametrize("alias", ["sec-gemini-stable", "stable", ""])
def test_an_alias_comes_back_as_the_model_it_means(api: Any, alias: str) -> None:
    assert api.session(api.register(model={"model_string": alias}))["model"]["model_string"] == "local-echo"


def test_an_unknown_model_is_refused_by_name(api: Any) -> None:
    body = {"id": uuid.uuid4().hex, "ttl": 300, "name": "x", "model": {"model_string": "gpt-9"}}
    result = api.post("/v1/session/register", body)
    assert (result["ok"], result["status_code"]) == (False, 404)
    assert "gpt-9" in result["status_message"]
    assert api.session(body["id"]) is None


def test_a_session_has_every_field_of_the_right_kind(api: Any) -> None:
    session = api.session(api.register(language="en-US", ttl=4242, agents_config={"a": {"b": 1}}))
    assert set(session) == SESSION_KEYS
    assert session["ttl"] == 4242
    assert session["language"] == "en-US"
    assert session["agents_config"] == {"a": {"b": 1}}
    assert session["usage"]["total_tokens"] == 0
    assert all(isinstance(session[key], int) for key in ("ttl", "turns", "num_messages"))
    assert all(isinstance(session[key], float) for key in ("create_time", "update_time"))
    assert session["create_time"] <= time.time()


def test_toolsets_are_those_of_the_model(api: Any) -> None:
    """Told where the client named some; one that there is not is refused."""
    (analyst,) = (m for m in api.get("/v1/user/info")["available_models"] if m["model_string"] == "local-analyst-1")
    assert {"iocs", "hashes"} <= {each["name"] for each in analyst["toolsets"]}
    for model in (analyst, analyst | {"toolsets": []}):
        assert api.session(api.register(model=model))["model"] == model
    wish = analyst | {"toolsets": [{"name": "iocs", "is_enabled": False}, {"name": "elsewhere", "is_enabled": False}]}
    switched = api.session(api.register(model=wish))["model"]["toolsets"]
    assert {each["name"]: each["is_enabled"] for each in switched} == {
        each["name"]: each["name"] != "iocs" for each in analyst["toolsets"]
    }
    for model in (analyst, {"model_string": "local-echo"}):
        body = {"id": uuid.uuid4().hex, "ttl": 300, "model": model | {"toolsets": [{"name": "x", "is_enabled": True}]}}
        result = api.post("/v1/session/register", body)
        assert (result["ok"], result["status_code"]) == (False, 400)
        assert "has no toolset 'x'" in result["status_message"]


def test_another_language_is_answered_honestly(api: Any) -> None:
    body = {"id": uuid.uuid4().hex, "ttl": 300, "language": "de"}
    assert "English alone" in api.post("/v1/session/register", body)["status_message"]


def test_a_second_registration_of_a_live_id_is_a_conflict(api: Any) -> None:
    session_id = api.register(name="first")
    again = {"id": session_id, "ttl": 300, "name": "second", "model": {"model_string": "local-echo"}}
    assert api.post("/v1/session/register", again)["status_code"] == 409
    assert api.session(session_id)["name"] == "first"


def test_the_id_of_a_deleted_session_can_be_used_again(api: Any) -> None:
    session_id = api.register(name="first")
    api.ask(session_id, "something")
    api.post("/v1/session/delete", {"id": session_id})
    api.register(id=session_id, name="second")
    assert api.session(session_id)["messages"] == []


@pytest.mark.parametrize("ttl", [299, 0, -1, 10**12, 10**30])
def test_a_ttl_out_of_range_is_refused_at_registration(api: Any, ttl: int) -> None:
    body = {"id": uuid.uuid4().hex, "ttl": ttl, "name": "x", "model": {"model_string": "local-echo"}}
    reply = api.http.post("/v1/session/register", json=body)
    assert reply.status_code == 422 or reply.json()["status_code"] == 400
    assert api.session(body["id"]) is None


def test_300_seconds_are_a_valid_ttl(api: Any) -> None:
    assert api.session(api.register(ttl=300))["ttl"] == 300


def test_lists_are_oldest_first_and_without_messages(api: Any) -> None:
    ids = [api.register(name=f"n{number}") for number in range(4)]
    api.ask(ids[0], "hello")
    deleted = ids.pop(1)
    api.post("/v1/session/delete", {"id": deleted})
    for sessions in (api.get("/v1/user/info")["sessions"], api.get("/v1/session/list")):
        ours = [session for session in sessions if session["id"] in [*ids, deleted]]
        assert [session["id"] for session in ours] == ids
        assert all(session["messages"] == [] and set(session) == SESSION_KEYS for session in ours)
        assert ours[0]["num_messages"] == 6
        times = [session["create_time"] for session in sessions]
        assert times == sorted(times)


def test_update_changes_name_description_and_ttl_alone(api: Any) -> None:
    session_id = api.register(description="old")
    whole = api.session(session_id) | {
        "name": "new", "description": "", "ttl": 600, "can_log": False, "user_id": "mallory",
        "messages": [{"nonsense": True}], "files": [{"name": "x"}], "model": {"model_string": "other"},
    }  # fmt: skip
    assert api.post("/v1/session/update", whole)["ok"]
    session = api.session(session_id)
    assert (session["name"], session["description"], session["ttl"]) == ("new", "", 600)
    assert session["can_log"] is True
    assert session["user_id"] != "mallory"
    assert session["messages"] == session["files"] == []
    assert session["model"]["model_string"] == "local-echo"


def test_an_update_with_nothing_new_keeps_what_is(api: Any) -> None:
    session_id = api.register(name="kept", description="kept too")
    assert api.post("/v1/session/update", {"id": session_id, "name": "", "ttl": 0})["ok"]
    session = api.session(session_id)
    assert (session["name"], session["description"], session["ttl"]) == ("kept", "kept too", 3600)


def test_an_update_with_a_short_ttl_changes_nothing(api: Any) -> None:
    session_id = api.register(name="kept")
    result = api.post("/v1/session/update", {"id": session_id, "name": "new", "ttl": 299})
    assert (result["ok"], result["status_code"]) == (False, 400)
    assert "299" in result["status_message"]
    assert api.session(session_id)["name"] == "kept"


@pytest.mark.parametrize("path", ["update", "delete"])
def test_a_session_that_does_not_exist_cannot_be_changed(api: Any, path: str) -> None:
    result = api.post(f"/v1/session/{path}", {"id": "0" * 32, "name": "x"})
    assert result == result | {"ok": False, "status_code": 404, "status_message": "Session not found"}


def test_turns_messages_usage_and_state_are_counted(api: Any) -> None:
    session_id = api.register()
    first, second = api.ask(session_id, "one"), api.ask(session_id, "two")
    session = api.session(session_id)
    assert session["turns"] == 2
    assert session["num_messages"] == len(session["messages"]) == len(first) + len(second) + 2
    assert session["state"] == "end"
    assert session["update_time"] > session["create_time"]


def test_generate_answers_without_the_query_and_the_end(api: Any) -> None:
    session_id = api.register()
    query = {"message_type": "query", "content": "Over HTTP", "id": "abc"}
    reply = api.post("/v1/session/generate", {"id": session_id, "messages": [query], "local_tools": []})
    assert set(reply) == {"id", "messages", "status_code", "status_message", "usage"}
    assert (reply["status_code"], reply["usage"]["total_tokens"]) == (200, 0)
    assert reply["messages"][-1]["message_type"] == "result"
    assert reply["messages"][-1]["content"] == "Over HTTP"
    stored = api.session(session_id)["messages"]
    assert stored[0]["id"] == "abc"
    assert stored[1:-1] == reply["messages"]


@pytest.mark.parametrize(
    ("session_id", "messages", "code"),
    [("0" * 32, [{"message_type": "query", "content": "x"}], 404), (None, [], 400), (None, [{"content": "x"}], 400)],
)
def test_generate_reports_what_it_cannot_answer_in_its_body(
    api: Any, session_id: str | None, messages: list[Any], code: int
) -> None:
    reply = api.post("/v1/session/generate", {"id": session_id or api.register(), "messages": messages})
    assert (reply["status_code"], reply["messages"]) == (code, [])


def test_generate_carries_the_code_of_an_error_frame(api: Any) -> None:
    query = {"message_type": "query", "content": "[[error 429 retry_after=2]]"}
    reply = api.post("/v1/session/generate", {"id": api.register(), "messages": [query]})
    assert reply["status_code"] == 429
    assert reply["messages"][-1]["retry_after"] == 2


def test_generate_cannot_use_local_tools(api: Any) -> None:
    tool = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    query = {"message_type": "query", "content": "[[call f {}]]"}
    reply = api.post("/v1/session/generate", {"id": api.register(local_tools=[tool]), "messages": [query]})
    assert not [m for m in reply["messages"] if m["message_type"] == "local_tool_call"]
    assert "f failed" in reply["messages"][-1]["content"]


def test_a_name_is_proposed_from_the_first_prompt(api: Any) -> None:
    session_id = api.register()
    assert api.get("/v1/session/generate_name", session_id=session_id)["data"]["name"]
    api.ask(session_id, "Who logged in to <b>web-7</b> with a Stolen password?")
    result = api.get("/v1/session/generate_name", session_id=session_id)
    assert result["ok"]
    assert result["data"] == {"name": "logged-web-stolen-password"}


def test_logs_are_attached_by_the_hash_of_a_table_and_replaced(api: Any) -> None:
    session_id = api.register()
    assert api.session(session_id)["logs_table"] is None
    for logs_hash in ("a" * 64, "a99fc99be83454640bf5b2393d2a6e407f2ff0a354727f199586e1cdd42f0ffa"):
        api.post("/create_logs_table", None, logs_hash=logs_hash, can_log="true")
        reply = api.http.post(
            "/v1/session/attach_logs", params={"session_id": session_id, "logs_hash": logs_hash},
            headers={"content-type": "application/json"},
        )  # fmt: skip
        assert reply.json()["ok"]
        assert api.session(session_id)["logs_table"] == {"blake2s": logs_hash}


def test_feedback_takes_any_score_group_and_comment(api: Any) -> None:
    session_id = api.register()
    for body in (
        {"type": "user_feedback", "score": 3, "comment": ""},
        {"type": "user_feedback", "score": -(2**31), "comment": "<b>" * 20_000, "group_id": "no such group"},
        {"type": "bug_report", "score": 0, "comment": "Timeline lost its last row.", "group_id": ""},
    ):
        assert api.post("/v1/session/feedback", {"session_id": session_id} | body)["ok"]
    unknown = {"session_id": "0" * 32, "type": "bug_report", "score": 0, "comment": "x"}
    assert api.post("/v1/session/feedback", unknown)["status_code"] == 404


@pytest.mark.parametrize("path", ["register", "update", "delete", "generate", "attach_file", "detach_file", "feedback"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"{}", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_a_body_that_does_not_validate_is_a_422_with_its_place(api: Any, path: str, body: bytes) -> None:
    reply = api.http.post(f"/v1/session/{path}", content=body)
    assert reply.status_code == 422
    (detail,) = reply.json()["detail"]
    assert set(detail) == {"loc", "msg", "type"}
    assert "address" not in detail["msg"], "what to do about it is the client's to say"


@pytest.mark.parametrize("path", ["register", "update", "delete", "generate", "attach_file", "detach_file", "feedback"])
def test_a_body_nested_too_deeply_is_a_422(api: Any, path: str) -> None:
    """In a field of its own that nobody reads, and otherwise valid."""
    body = {"id": "i", "session_id": "i", "ttl": 600, "messages": [], "filename": "f", "content": "YQ==", "file_idx": 0,
            "type": "bug_report", "score": 0, "comment": "x"}  # fmt: skip
    nested = json.dumps(body).encode()[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    reply = api.http.post(f"/v1/session/{path}", content=nested)
    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["body"]


@pytest.mark.parametrize("depth", [190, 300, 600, 900, 1100])
def test_a_session_that_is_taken_can_be_read_however_deep_it_is(api: Any, depth: int) -> None:
    config = b'{"x":' * depth + b"1" + b"}" * depth
    session_id = f"deep-{depth}-{uuid.uuid4()}"
    body = b'{"id": "%b", "ttl": 600, "agents_config": %b}' % (session_id.encode(), config)
    reply = api.http.post("/v1/session/register", content=body)
    assert reply.status_code in (200, 422)
    if reply.status_code == 200:
        assert api.session(session_id)["id"] == session_id
    api.get("/v1/user/info")


def test_a_query_value_that_is_missing_is_a_422(api: Any) -> None:
    assert api.http.get("/v1/session/get").status_code == 422
    assert api.http.post("/v1/session/attach_logs", params={"session_id": "x"}).status_code == 422


def test_unknown_routes_and_methods_are_told_as_json(api: Any) -> None:
    assert api.http.get("/v2/nothing").json()["detail"]
    assert api.http.get("/v1/session/register").status_code == 405


def test_a_body_above_the_limit_is_refused_before_it_is_read(api: Any, local_service: Any) -> None:
    host, port = local_service.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(
            f"POST /v1/session/attach_file HTTP/1.1\r\nhost: {host}:{port}\r\nx-api-key: {api.key}\r\n"
            f"content-length: {10**12}\r\n\r\n".encode()
        )
        reply = b""
        while b"bytes" not in reply:
            part = raw.recv(65536)
            assert part, reply
            reply += part
    assert reply.startswith(b"HTTP/1.1 413")


def test_stored_and_streamed_messages_are_the_same_bytes(api: Any) -> None:
    session_id = api.register()
    with api.connect(session_id) as socket:
        api.send(socket, "hello [[unknown enum]] “ü” \u2028 [[messages=500 bytes=100]]")
        frames = api.read_frames(socket)
    body = api.http.get("/v1/session/get", params={"session_id": session_id}).text
    assert ",".join(frames) in body
    assert len(json.loads(body)["messages"]) == len(frames) + 1
