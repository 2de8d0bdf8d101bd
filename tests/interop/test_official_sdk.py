"""The official Python SDK, through its public methods, against the local server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from secgemini_jupyter import SecGemini

pytestmark = pytest.mark.interop

Official = Callable[[str], Any]


def kinds(frames: list[dict[str, Any]]) -> Counter[str]:
    return Counter(frame["message_type"] for frame in frames)


def contents(frames: list[dict[str, Any]], kind: str) -> list[str]:
    return [frame["content"] for frame in frames if frame["message_type"] == kind]


def ids(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["id"] for frame in frames]


def test_it_reads_who_the_key_belongs_to_and_the_models(official: Official) -> None:
    saw = official("user")
    assert saw["user"]["type"] == "user"
    assert "local-echo" in [model["model_string"] for model in saw["models"]]
    information, models, sessions = saw["printed"]
    assert saw["user"]["id"] in information
    assert "local-echo" in models
    assert sessions


def test_a_doubled_slash_in_its_paths_is_taken(official: Official) -> None:
    saw = official("user")
    assert saw["trailing_slash"] == saw["user"]


def test_a_wrong_key_is_refused_with_401(official: Official) -> None:
    assert "401" in official("user")["wrong_key"]["raised"]


def test_a_session_is_kept_as_it_was_registered(official: Official) -> None:
    saw = official("life")
    first = saw["first"]
    assert first.pop("create_time") > 0
    assert first == {
        "name": "first",
        "description": "one of three",
        "ttl": 4242,
        "language": "de",
        "turns": 0,
        "can_log": True,
        "agents_config": {"net": {"depth": 2}},
    }
    assert saw["model"]["model_string"] == "local-echo", "the alias that it sends is resolved"
    assert saw["second_can_log"] is False
    assert saw["third_name"], "a name that it made up"


def test_sessions_are_listed_oldest_first_without_deleted_ones(official: Official) -> None:
    saw = official("life")
    first, second, third = saw["ids"]
    assert saw["listed"] == [first, second, third]
    assert saw["deleted"] is True
    assert saw["listed_after"] == [first, third]


def test_an_update_changes_what_is_given_and_nothing_else(official: Official) -> None:
    saw = official("life")
    assert saw["resumed"] == "first"
    assert saw["updated"] is True
    assert saw["after_update"] == ["renamed", "changed", 300]
    assert saw["only_name"] == [True, "third name", "changed", 300]


def test_a_missing_session_cannot_be_resumed_nor_deleted(official: Official) -> None:
    saw = official("life")
    assert saw["deleted_again"] is False
    assert "raised" in saw["resumed_unknown"]
    assert "raised" in saw["resumed_deleted"]


def test_attachments_are_described_from_their_content(official: Official) -> None:
    saw = official("files")
    assert saw["from_disk"]["name"] == "note.txt"
    assert saw["from_disk"]["size"] == 20
    types = [(file["name"], file["mime_type"], file["content_type_label"]) for file in saw["attached"]]
    assert types == [
        ("a.pdf", "application/pdf", "pdf"),
        ("b.png", "image/png", "png"),
        ("c.jpeg", "image/jpeg", "jpeg"),
    ]
    assert all(len(file["sha256"]) == 64 for file in saw["attached"])


def test_detaching_follows_the_index_table(official: Official) -> None:
    """Three files, eight steps: only an index that is there at that moment works, and later ones move up."""
    assert official("files")["walk"] == [
        [3, False, ["a.pdf", "b.png", "c.jpeg"]],
        [-1, False, ["a.pdf", "b.png", "c.jpeg"]],
        [1, True, ["a.pdf", "c.jpeg"]],
        [2, False, ["a.pdf", "c.jpeg"]],
        [0, True, ["c.jpeg"]],
        [1, False, ["c.jpeg"]],
        [0, True, []],
        [0, False, []],
    ]


def test_one_name_may_be_attached_twice(official: Official) -> None:
    saw = official("files")
    assert saw["twice"] == [True, True]
    assert saw["names"] == ["same.bin", "same.bin"]


def test_a_query_gives_the_turn_and_stores_it(official: Official) -> None:
    saw = official("query")
    response, stored = saw["response"], saw["stored"]
    assert response["status_code"] == 200
    assert response["id"] == saw["session"]
    assert contents(response["messages"], "result") == ["Which port does SSH use?"]
    assert saw["text"].strip() == "Which port does SSH use?"
    assert kinds(stored)["query"] == 1
    assert stored[1 : 1 + len(response["messages"])] == response["messages"]
    assert saw["turns"] == 1
    assert response["usage"] == saw["usage"]


@pytest.mark.parametrize("turn", ["first", "many"])
def test_a_streamed_turn_keeps_the_rules(official: Official, turn: str) -> None:
    frames = official("stream")[turn]
    count = kinds(frames)
    assert count["result"] == 1
    assert count["thinking"] >= 1
    assert set(count) == {"result", "thinking", "info"}
    assert contents(frames, "info").count("Transfer") == 1
    assert {frame["status_code"] for frame in frames} == {200}
    ends = [frame for frame in frames if frame["state"] == "end"]
    assert ends == frames[-1:]
    assert ends[0]["message_type"] == "info"


def test_streamed_frames_are_the_stored_messages(official: Official) -> None:
    """Object for object and in order, floats included; without the queries."""
    saw = official("stream")
    assert [message for message in saw["stored"] if message["message_type"] != "query"] == saw["first"] + saw["many"]
    assert saw["turns"] == 2


def test_text_arrives_as_it_was_sent(official: Official) -> None:
    assert contents(official("stream")["first"], "result") == ["Repeat: ünïcödé ✓"]


def test_our_client_reads_what_the_official_one_left(official: Official, ours: SecGemini) -> None:
    saw = official("stream")
    session = ours.resume_session(saw["session"])
    assert [json.loads(message.to_json()) for message in session.messages] == saw["stored"]


def test_frames_near_one_mebibyte_pass(official: Official) -> None:
    assert official("large_frames").count(900_000) == 2


def test_a_connection_that_only_listens_gets_the_rest_of_the_turn(official: Official) -> None:
    saw = official("reconnection")
    assert len(saw["first"]) == 3
    assert saw["rest"][-1]["state"] == "end"
    assert saw["rest"][-1]["status_code"] == 200
    arrived, stored = ids(saw["first"] + saw["rest"]), saw["stored"]
    assert [one for one in stored if one in arrived] == arrived, "in order and none twice; those in flight may be lost"


def test_a_turn_outlives_a_cut_connection(official: Official) -> None:
    saw = official("reconnection")
    assert saw["cut"][-1]["state"] == "end"
    assert contents(saw["cut"], "result") == ["after the cut"]
    arrived = ids(saw["cut"])
    assert [one for one in saw["cut_stored"] if one in arrived] == arrived
    assert saw["cut_queries"] == 1


def test_local_tools_are_called_with_their_arguments(official: Official) -> None:
    saw = official("tools")
    assert saw["calls"] == [[20, 22], [20, 1]]
    assert contents(saw["added"], "result") == ["42"]
    assert contents(saw["default"], "result") == ["21"]


def test_a_local_tool_that_fails_does_not_end_the_turn(official: Official) -> None:
    """One that raises, one that is not registered, and one that a resumed session has not bound."""
    saw = official("tools")
    for name, reason in (("exploded", "no such host"), ("unregistered", "remove"), ("resumed", "not found")):
        (answer,) = contents(saw[name], "result")
        assert "failed" in answer
        assert reason in answer
        assert saw[name][-1]["state"] == "end"


def test_tool_calls_and_results_are_stored(official: Official) -> None:
    stored = Counter(official("tools")["stored"])
    assert stored["local_tool_call"] == stored["local_tool_result"] == 4


def test_an_error_frame_ends_a_turn_and_the_session_goes_on(official: Official) -> None:
    saw = official("errors")
    assert saw["failed"][-1]["message_type"] == "error"
    assert saw["failed"][-1]["status_code"] == 429
    assert contents(saw["next"], "result") == ["Still there?"]
    assert "503" in saw["failed_query"]["raised"]
    assert saw["next_query"].strip() == "Still there?"


def test_a_deleted_session_refuses_everything(official: Official) -> None:
    saw = official("errors")
    (refusal,) = saw["gone"]
    assert refusal["message_type"] == "error"
    assert refusal["status_code"] == 404
    assert "not found" in refusal["status_message"]
    assert saw["gone_attach"] is None
    assert saw["gone_feedback"] is False
    assert saw["gone_update"] is False
    assert saw["gone_delete"] is False


def test_feedback_and_bug_reports_are_taken(official: Official) -> None:
    saw = official("feedback")
    assert saw["feedback"] == [True, True, True]
    assert saw["bug"] == [True, True]


def test_a_log_becomes_a_table(official: Official, ours: SecGemini) -> None:
    saw = official("logs")
    assert saw["before"] is None
    assert saw["unknown"] is True, "it looks at the HTTP status alone"
    assert saw["after"] is None, "and there was no such table"
    session = ours.resume_session(saw["session"])
    assert session.logs_table is not None
    assert saw["logs_table"] == {"blake2s": session.logs_table.blake2s}
    answer = session.query("SELECT count(*) AS rows, count(DISTINCT machine) AS hosts, min(n) FROM log").answer
    assert "| 50000 | 3 | 0 |" in answer, "it never sends a last line without newline"


def test_history_and_tree_show_the_session(official: Official) -> None:
    saw = official("visualize")
    assert saw["history"] == saw["messages"]
    assert [message["message_type"] for message in saw["history"]][:2] == ["query", "info"]
    assert saw["tree"].startswith("visualize")
    assert saw["tree"].count("Draw the tree.") == 2, "the prompt and its echo"


def test_the_analyst_answers_with_its_tool_calls(official: Official) -> None:
    saw = official("analyst")
    if "frames" not in saw:
        pytest.skip(f"this server offers {', '.join(saw['offered'])}")
    assert any("9.8" in answer for answer in contents(saw["frames"], "result"))
    assert {"calling_tool", "tool_result"} <= {frame["state"] for frame in saw["frames"]}
    assert saw["frames"][-1]["state"] == "end"
    assert saw["stored"][1:] == saw["frames"]


def test_the_openai_library_asks_and_reads_errors(official: Official) -> None:
    saw = official("completions")
    assert saw["answer"]["choices"][0]["message"]["content"] == "Is anybody there?"
    assert "Known: local-echo" in saw["unknown"]
