"""Turns as OpenTelemetry spans: read back by the protocol's own messages."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from secgemini_jupyter import (
    accessor,  # noqa: F401  # registers `df.secgemini`
    read_history,
)
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Message
from secgemini_jupyter.tools import denial
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.otlp import to_otlp
from secgemini_jupyter.transcript.turns import turn_slices
from tests.transcript.documents import hostile, ordinary
from tests.transcript.frames import message, turn
from tests.transcript.strategies import few, messages

START = 1_760_000_100_000_000_000


def spans(text: str) -> list[Span]:
    return [span for line in requests(text) for each in line.resource_spans for part in each.scope_spans
            for span in part.spans]  # fmt: skip


def requests(text: str) -> Iterator[ExportTraceServiceRequest]:
    """The lines as protobuf messages: an unknown field, or a value of another type, is an error."""
    for line in text.removesuffix("\n").split("\n"):
        request = json.loads(line)
        for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            for name in ("traceId", "spanId", "parentSpanId"):  # hex in OTLP, base64 in protobuf's JSON
                if name in span:
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
        yield json_format.ParseDict(request, ExportTraceServiceRequest())


def plain(value: Any) -> Any:
    """An `AnyValue` as Python has it."""
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return attributes(value.kvlist_value.values)
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def attributes(pairs: Any) -> dict[str, Any]:
    assert len({pair.key for pair in pairs}) == len(pairs)
    return {pair.key: plain(pair.value) for pair in pairs}


def of(*said: Message) -> Transcript:
    return Transcript(turns=turn_slices(said, session_id="s"), session_id="s")


def test_a_turn_is_a_trace_with_its_tool_calls() -> None:
    text = to_otlp(ordinary())
    agent, *tools = spans(text)
    assert (agent.name, agent.kind) == ("invoke_agent vulnerability_agent", Span.SPAN_KIND_CLIENT)
    assert (agent.start_time_unix_nano - START, agent.end_time_unix_nano - START) == (0, 5_300_000_000)
    assert attributes(agent.attributes) == {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "gcp.gen_ai",
        "gen_ai.agent.name": "vulnerability_agent", "gen_ai.request.model": "sec-gemini-stable",
        "gen_ai.conversation.id": "s1", "gen_ai.usage.input_tokens": 1410, "gen_ai.usage.output_tokens": 58,
        "secgemini.turn.index": 1, "secgemini.turn.status": "ok",
    }  # fmt: skip
    assert [(span.name, span.kind) for span in tools] == [
        ("execute_tool lookup_cve", Span.SPAN_KIND_INTERNAL), ("execute_tool lookup_asset", Span.SPAN_KIND_INTERNAL),
    ]  # fmt: skip
    assert {span.parent_span_id for span in tools} == {agent.span_id}
    assert {span.trace_id for span in tools} == {agent.trace_id}
    assert (len(agent.trace_id), len({agent.span_id, *(span.span_id for span in tools)})) == (16, 3)
    assert tools[0].end_time_unix_nano - tools[0].start_time_unix_nano == 800_000_000
    assert attributes(tools[0].attributes) == {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup_cve", "gen_ai.tool.call.id": "call-01",
        "gen_ai.tool.type": "extension", "gen_ai.agent.name": "vulnerability_agent", "gen_ai.conversation.id": "s1",
        "secgemini.tool.match": "exact",
    }  # fmt: skip
    assert attributes(tools[1].attributes)["gen_ai.tool.type"] == "function"
    assert {span.status.code for span in (agent, *tools)} == {Status.STATUS_CODE_UNSET}
    for said in ("web-7", "4.2.1", "CVE-2099-0001", "advisory"):
        assert said not in text


def test_what_was_said_is_written_on_request() -> None:
    agent, lookup, asset = (attributes(span.attributes) for span in spans(to_otlp(ordinary(), content=True)))
    prompt = {"type": "text", "content": "Is host web-7 exposed to CVE-2099-0001?"}
    answer = {"type": "text", "content": "Yes. web-7 runs 4.1.9 and the fix is in 4.2.1."}
    assert agent["gen_ai.input.messages"] == [{"role": "user", "parts": [prompt]}]
    assert agent["gen_ai.output.messages"] == [{"role": "assistant", "parts": [answer], "finish_reason": "stop"}]
    assert lookup["gen_ai.tool.call.arguments"] == {"cve": "CVE-2099-0001"}
    assert asset["gen_ai.tool.call.result"] == "4.1.9"


def test_failures_have_a_type_and_say_why_on_request_alone() -> None:
    call = message("local_tool_call", "calling_tool", '{"tool_name": "look", "tool_args": {}}', id="c", at=1)
    refused = json.dumps({"name": "look", "output": denial("look"), "is_error": True})
    denied = message("local_tool_result", "tool_result", refused, id="d", at=2, status_code=500)
    failed = message("error", "undefined", "out of cheese", id="e", at=3, status_code=429)
    odd = message("error", "undefined", "out of wine", id="f", at=4, status_code=4711)
    text = to_otlp(of(turn()[0], call, denied, failed, turn()[0], odd))
    agent, tool, other = spans(text)
    assert [attributes(span.attributes)["error.type"] for span in (agent, tool, other)] == ["429", "denied", "_OTHER"]
    assert {span.status.code for span in (agent, tool, other)} == {Status.STATUS_CODE_ERROR}
    assert [span.status.message for span in (agent, tool, other)] == ["", "", ""]
    assert "gen_ai.usage.input_tokens" not in attributes(agent.attributes)
    told = [span.status.message for span in spans(to_otlp(of(turn()[0], call, denied, failed), content=True))]
    assert told == ["out of cheese", denial("look")]


def test_every_export_has_the_same_ids_and_each_turn_its_own() -> None:
    table = pd.concat([messages_frame([*turn(), *turn("e")], session_id=name) for name in ("s1", "s2")])
    text = table.secgemini.to_otlp()
    assert text == table.secgemini.to_otlp()
    assert text.splitlines()[1:2] == table[table["turn_id"] == "s1:2"].secgemini.to_otlp().splitlines()
    assert len({span.trace_id for span in spans(text)}) == 4
    assert len({(span.trace_id, span.span_id) for span in spans(text)}) == 12
    nameless = [to_otlp(Transcript(turns=turn_slices(turn(prefix)))) for prefix in "de"]
    assert len({span.trace_id for text in nameless for span in spans(text)}) == 2


def test_times_that_are_missing_or_make_no_sense() -> None:
    nowhere = {"created_at": 0, "timestamp": 0}
    query, *rest = turn()
    first, *others = spans(to_otlp(of(message("query", "query", "?", id="q", at=0, **nowhere), *rest)))
    assert first.start_time_unix_nano - START == 600_000_000
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano > START for span in others)
    lost = [message("query", "query", "?", id="q", at=0, **nowhere),
            message("info", "calling_tool", "Calling look", id="t", at=0, **nowhere)]  # fmt: skip
    assert {(span.start_time_unix_nano, span.end_time_unix_nano) for span in spans(to_otlp(of(*lost)))} == {(0, 0)}
    late = message("result", "agent_done", "!", id="r", at=0, created_at=253_402_300_799.5)
    early = message("info", "end", "end", id="e", at=-60)
    (span,) = spans(to_otlp(of(query, late, early)))
    assert span.start_time_unix_nano == span.end_time_unix_nano == START


def test_the_local_service_is_told_from_the_other() -> None:
    table = messages_frame(turn(), session_id="s1")
    assert attributes(spans(table.secgemini.to_otlp())[0].attributes)["gen_ai.provider.name"] == "gcp.gen_ai"
    table.attrs["models"] = {"s1": "local-analyst-1"}
    told = attributes(spans(table.secgemini.to_otlp())[0].attributes)
    assert (told["gen_ai.provider.name"], told["gen_ai.request.model"]) == (
        "secgemini_jupyter.local",
        "local-analyst-1",
    )


def test_a_file_is_whole_or_not_there_and_is_no_transcript(tmp_path: Path) -> None:
    table = messages_frame(turn(), session_id="s1")
    table.secgemini.to_otlp(tmp_path / "a.jsonl", content=True)
    assert (tmp_path / "a.jsonl").read_text("utf-8") == table.secgemini.to_otlp(content=True)
    table.secgemini.export(tmp_path / "a.otlp.jsonl")
    assert (tmp_path / "a.otlp.jsonl").read_text("utf-8") == table.secgemini.to_otlp()
    with pytest.raises(InputError, match="cannot be written"):
        table.secgemini.to_otlp(tmp_path / "nowhere" / "a.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "a.otlp.jsonl"]
    with pytest.raises(InputError, match="is no transcript"):
        read_history(tmp_path / "a.jsonl")


def test_a_hostile_transcript_stays_data() -> None:
    text = to_otlp(hostile(), content=True)
    found = spans(text)
    assert all("\x1b" not in span.name and "\n" not in span.name and len(span.name) <= 200 for span in found)
    assert "\x1b" not in text


def test_deep_arguments_stay_readable() -> None:
    deep: Any = "bottom"
    for _ in range(20):
        deep = {"a": [deep]}  # two levels
    call = json.dumps({"tool_name": "look", "tool_args": {"deep": deep, "large": 2**70, "real": 1.5, "none": None}})
    text = to_otlp(of(turn()[0], message("local_tool_call", "calling_tool", call, id="c", at=1)), content=True)
    given = attributes(spans(text)[1].attributes)["gen_ai.tool.call.arguments"]
    assert (given["large"], given["real"]) == (str(2**70), 1.5)
    assert "bottom" in json.dumps(given)


@few
@given(st.lists(messages, max_size=8), st.booleans())
def test_whatever_was_said_is_valid(said: list[Message], content: bool) -> None:
    text = to_otlp(of(*said), content=content)
    assert text == "" or all(span.end_time_unix_nano >= span.start_time_unix_nano for span in spans(text))
