"""The tool calls of turns as a table."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.tools import Toolbox
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.restore import turns_of
from secgemini_jupyter.transcript.tool_calls import COLUMNS, tool_calls_frame
from secgemini_jupyter.transcript.turns import turn_slices

from . import strategies
from .frames import message, turn

DTYPES = {
    "turn_index": "Int32", "tool_name": "string", "arguments": "string", "output": "string", "is_error": "boolean",
    "error": "string", "duration_s": "Float64", "actor": "string", "started_at": "datetime64[us, UTC]",
    "ended_at": "datetime64[us, UTC]", "location": "category", "approval": "category", "match": "category",
    "session_id": "string", "turn_id": "string", "call_index": "Int32", "call_message_id": "string",
    "result_message_id": "string", "call_id": "string", "group_id": "string",
}  # fmt: skip
JSON = "text/serialized-json"


def frame(*messages: Message) -> pd.DataFrame:
    return tool_calls_frame(turn_slices(messages, session_id="s"))


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Missing values as None."""
    return [
        {str(name): None if pd.isna(item) else item for name, item in row.items()}
        for row in table.astype(object).to_dict("records")
    ]


def line(tool: str, *, id: str, group: str, at: float = 1) -> Message:  # noqa: A002
    return message("info", "calling_tool", f"Calling {tool}", id=id, at=at, group=group)


def done(tool: str, *, id: str, group: str, at: float = 2) -> Message:  # noqa: A002
    return message("info", "tool_result", f"Processing {tool} result", id=id, at=at, group=group)


def told(output: str, *, id: str, group: str, call: str | None = None) -> Message:  # noqa: A002
    """A `debug` frame with a result, which names its call or not."""
    value = {"name": "lookup_cve", "response": {"result": output}} | ({"id": call} if call else {})
    return message("debug", "tool_result", json.dumps(value), id=id, at=2, group=group, mime_type=JSON)


def asked(number: int, *, group: str = "g1") -> Message:
    value = {"id": f"c{number}", "name": "lookup_cve", "args": {"n": number}}
    return message("debug", "calling_tool", json.dumps(value), id=f"a{number}", at=1, group=group, mime_type=JSON)


def test_the_schema_is_fixed() -> None:
    table = frame(*turn())
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == DTYPES
    assert list(table.columns) == list(COLUMNS)
    assert table.attrs["secgemini_schema"] == "tool_calls/1"
    assert_frame_equal(frame(), table.iloc[:0])


def test_a_call_of_the_service_and_one_of_this_side() -> None:
    remote, local = rows(frame(*turn()))
    assert json.loads(remote["arguments"]) == {"cve": "CVE-2099-0001"}
    assert json.loads(remote["output"]) == {"fixed_in": "4.2.1"}
    assert (remote["location"], remote["approval"], remote["match"]) == ("remote", "na", "exact")
    assert (remote["call_message_id"], remote["result_message_id"], remote["call_id"]) == ("d05", "d08", "call-01")
    assert (remote["is_error"], remote["error"], round(remote["duration_s"], 3)) == (False, None, 0.8)
    assert (local["tool_name"], local["output"], local["location"]) == ("lookup_asset", "4.1.9", "local")
    assert (local["match"], local["approval"]) == ("order", None)
    assert (local["call_message_id"], local["result_message_id"]) == ("d09", "d0a")
    assert [(row["turn_id"], row["call_index"]) for row in (remote, local)] == [("s:1", 0), ("s:1", 1)]


def test_calls_are_numbered_within_their_turn() -> None:
    table = frame(*turn(), *turn("e"))
    assert table[["turn_index", "call_index"]].values.tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]


def test_results_of_parallel_calls_of_one_tool_go_to_the_call_whose_id_they_say() -> None:
    calls = [asked(1), asked(2)]
    results = [
        done("Lookup Cve", id="r1", group="g2"), told("second", id="r2", group="g2", call="c2"),
        done("Lookup Cve", id="r3", group="g2"), told("first", id="r4", group="g2", call="c1"),
    ]  # fmt: skip
    table = frame(*calls, *results)
    assert table["output"].tolist() == ["first", "second"]
    assert table["result_message_id"].tolist() == ["r4", "r2"]
    assert table["match"].tolist() == ["exact", "exact"]


def test_a_line_before_the_output_does_not_give_the_output_to_the_next_call() -> None:
    """The line closes the first call; its output, by id, is not the second call's."""
    results = [done("Lookup Cve", id="r1", group="g2"), told("one", id="r2", group="g2", call="c1")]
    first, second = rows(frame(asked(1), asked(2), *results))
    assert (first["output"], first["match"]) == ("one", "exact")
    assert (second["output"], second["is_error"], second["match"]) == (None, None, "none")


def test_a_group_of_results_answers_one_group_of_calls() -> None:
    """The first batch lacks a result: the second batch's is not taken for it."""
    table = frame(
        line("Dns", id="a1", group="g1"), line("Dns", id="a2", group="g1"), done("Dns", id="r1", group="h1"),
        line("Dns", id="a3", group="g2"), done("Dns", id="r3", group="h2"),
    )  # fmt: skip
    assert table["result_message_id"].astype(object).where(table["result_message_id"].notna(), None).tolist() == [
        "r1", None, "r3",
    ]  # fmt: skip
    assert table["match"].tolist() == ["order", "none", "order"]


def test_two_batches_at_once_are_kept_apart() -> None:
    table = frame(
        line("Dns", id="a1", group="g1"), line("Dns", id="a2", group="g2"), line("Dns", id="a3", group="g1"),
        done("Dns", id="r1", group="h1"), done("Dns", id="r2", group="h2"), done("Dns", id="r3", group="h1"),
    )  # fmt: skip
    assert table["result_message_id"].tolist() == ["r1", "r2", "r3"]


@pytest.mark.parametrize("group", ["", "same"])
def test_without_telling_groups_the_order_decides(group: str) -> None:
    calls = [line("Dns", id=f"a{n}", group=group) for n in (1, 2, 3)]
    table = frame(*calls, *(done("Dns", id=f"r{n}", group=group) for n in (1, 2, 3)))
    assert table["result_message_id"].tolist() == ["r1", "r2", "r3"]


def test_a_failure_is_an_error_and_no_output() -> None:
    call = turn()[8]
    failed = message("local_tool_result", "tool_result", "no such host", id="r", at=4, status_code=500)
    (row,) = rows(frame(call, failed))
    assert (row["is_error"], row["error"], row["output"], row["approval"]) == (True, "no such host", None, None)


def test_a_call_that_was_not_approved_says_so() -> None:
    call = turn()[8]

    def lookup_asset(host: str) -> str:
        return host

    outcome = Toolbox([lookup_asset]).run("lookup_asset", {"host": "web-7"}, timeout=1)
    content = json.dumps({"name": "lookup_asset", "output": outcome.output, "is_error": True})
    failed = message("local_tool_result", "tool_result", content, id="r", at=4, status_code=500, mime_type=JSON)
    assert frame(call, failed)["approval"].tolist() == ["denied"]
    # A tool that says these words and did not fail was run.
    words = message("local_tool_result", "tool_result", content.replace("true", "false"), id="r", at=4, mime_type=JSON)
    assert rows(frame(call, words))[0]["approval"] is None


def test_a_result_without_a_call_is_a_row_of_its_own() -> None:
    (row,) = rows(frame(told("x", id="r1", group="g", call="c9")))
    assert (row["tool_name"], row["output"], row["match"], row["call_message_id"]) == ("lookup_cve", "x", "none", None)


def test_clocks_that_disagree_give_no_duration() -> None:
    (row,) = rows(frame(line("Dns", id="a", group="g", at=5), done("Dns", id="r", group="h", at=1)))
    assert row["duration_s"] is None


@strategies.few
@given(st.lists(strategies.messages, max_size=8))
def test_the_calls_of_a_table_are_those_of_its_messages(messages: list[Message]) -> None:
    direct = tool_calls_frame(turn_slices(messages, session_id="s"))
    through = tool_calls_frame(turns_of(messages_frame(messages, session_id="s")))
    times = ["started_at", "ended_at", "duration_s"]
    assert_frame_equal(through.drop(columns=times), direct.drop(columns=times))
    announced = sum(
        m.message_type is MessageType.LOCAL_TOOL_CALL for m in messages if not m.is_partial and not m.is_end
    )
    assert (direct["location"] == "local").sum() <= announced + sum(
        m.message_type is MessageType.LOCAL_TOOL_RESULT for m in messages
    )
