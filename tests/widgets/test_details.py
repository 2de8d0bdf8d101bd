"""A message as what a view shows of it."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript.nodes import Span
from secgemini_jupyter.widgets.details import detail, parts_of
from tests.transcript import strategies
from tests.transcript.frames import message

HERE = Span(0, 1, 1)


def said(content: Any, mime_type: str = "text/plain", kind: str = "result", **fields: Any) -> Message:
    text = content if isinstance(content, str) else json.dumps(content)
    return message(kind, "agent_done", text, id="a", at=0.123, mime_type=mime_type, **fields)


def only(content: Any, mime_type: str, **fields: Any) -> dict[str, Any]:
    (part,) = parts_of(said(content, mime_type, **fields))
    return part.shown


def test_facts_are_exact_in_number_and_safe_in_text() -> None:
    shown = detail(said("see http://evil.example\n", actor="a\x1b[2J", parent_id="p"), 7, HERE)
    facts = dict(shown["facts"])
    assert (shown["message"], shown["heading"], shown["title"]) == (7, "result", "")
    assert facts["Actor"] == "a␛[2J"
    assert facts["Time"] == "2025-10-09 08:55:00.123 UTC"
    assert facts["Size"] == "24 B"
    assert facts["SHA-256"] == hashlib.sha256(b"see http://evil.example\n").hexdigest()
    assert facts["Parent id"] == "p"
    assert (facts["Turn"], facts["Status"], facts["MIME type"]) == ("1", "200 OK", "text/plain")


def test_markdown_json_and_code_are_html() -> None:
    assert "<strong>10</strong> logons" in only("**10** logons", "text/markdown")["html"]
    assert "<details" in only({"a": {"b": [1, 2]}}, "application/json")["html"]
    assert "import" in only({"language": "python", "code": "import os"}, "sec-gemini/code")["html"]
    assert parts_of(said("")) == []


def test_a_table_knows_its_numbers_and_what_is_left_out() -> None:
    rows = [{"host": f"h{n}.example.com", "n": n, "share": n / 2} for n in range(2_500)]
    table = only(rows, "sec-gemini/table")
    assert (table["columns"], table["numeric"]) == (["host", "n", "share"], [False, True, True])
    assert table["rows"][3] == ["h3[.]example[.]com", "3", "1.5"]
    assert (len(table["rows"]), table["more"]) == (2_000, 500)
    wide = only([{f"c{n}": n for n in range(60)}], "sec-gemini/table")
    assert (len(wide["columns"]), wide["title"]) == (50, "(10 more columns not shown)")
    assert only("a,b\n1,x\n", "text/csv")["rows"] == [["1", "x"]]


def test_a_timeline_has_moments_spans_and_its_table() -> None:
    events = [
        {"timestamp": "2026-01-31T21:05:07Z", "title": "logon from 10.0.0.7", "source": "kerberos"},
        {"timestamp": 1769893507.5, "end": "2026-01-31T21:06:00+00:00", "title": "beacon"},
        {"timestamp": "2026-01-31 22:00", "end": "2026-01-31 21:00", "title": "ends before it began"},
        {"timestamp": "soon", "title": "no time"},
    ]
    shown = only({"title": "Case 7", "events": events}, "sec-gemini/timeline")
    assert shown["title"] == "Case 7 (1 more event in the table only)"
    assert [(e["label"], e["group"], e["start"], e["end"]) for e in shown["events"]] == [
        ("logon from 10[.]0[.]0[.]7", "kerberos", 1769893507.0, None),
        ("beacon", "", 1769893507.5, 1769893560.0),
        ("ends before it began", "", 1769896800.0, None),
    ]
    assert len(shown["table"]["rows"]) == 4
    assert shown["table"]["rows"][0][0] == "2026-01-31 21:05:07 UTC"
    only_table = only([{"timestamp": "soon", "title": "x"}], "sec-gemini/timeline")
    assert only_table["kind"] == "table"


def test_a_long_timeline_is_cut() -> None:
    shown = only([{"timestamp": n, "title": str(n)} for n in range(1, 3_001)], "sec-gemini/timeline")
    assert (len(shown["events"]), shown["title"]) == (1_000, "Timeline (2,000 more events in the table only)")
    assert (len(shown["table"]["rows"]), shown["table"]["more"]) == (2_000, 1_000)


def test_a_graph_has_numbered_ends_and_its_table() -> None:
    graph = {
        "nodes": [{"id": 1, "label": "web-7", "type": "host"}, {"id": "b", "label": "evil.example.com"}],
        "edges": [{"source": 1, "target": "b", "label": "asked"}, {"source": "b", "target": "unlisted"}],
    }
    shown = only(graph, "sec-gemini/graph")
    assert [(n["id"], n["label"], n["type"]) for n in shown["nodes"]] == [
        ("1", "web-7", "host"), ("b", "evil[.]example[.]com", ""), ("unlisted", "unlisted", "")]  # fmt: skip
    assert [(e["source"], e["target"], e["label"]) for e in shown["edges"]] == [(0, 1, "asked"), (1, 2, "")]
    assert shown["title"] == "Graph"
    assert shown["table"]["rows"][0] == ["web-7", "evil[.]example[.]com", "asked"]
    networkx = only({"a": {"b": {"label": "to"}}, "b": {}}, "sec-gemini/graph")
    assert [(e["source"], e["target"], e["label"]) for e in networkx["edges"]] == [(0, 1, "to")]


def test_a_large_graph_is_cut_to_what_can_be_drawn() -> None:
    graph = {"nodes": [{"id": n} for n in range(4_000)],
             "edges": [{"source": n % 300, "target": (n + 1) % 300} for n in range(5_000)]}  # fmt: skip
    shown = only(graph, "sec-gemini/graph")
    assert (len(shown["nodes"]), len(shown["edges"])) == (300, 1_000)
    assert shown["title"] == "Graph (300 of 4,000 nodes and 1,000 of 5,000 edges drawn)"


def test_a_local_call_shows_its_arguments_and_a_result_its_output() -> None:
    call = only({"tool_name": "lookup_asset", "tool_args": {"host": "web-7"}}, "text/serialized-json",
                kind="local_tool_call")["html"]  # fmt: skip
    assert "<strong>lookup_asset</strong>" in call
    assert "host: " in call
    assert "tool_args" not in call
    output = only({"name": "lookup_asset", "output": "4.1.9 <b>"}, "text/plain", kind="local_tool_result")["html"]
    assert "4.1.9 &lt;b&gt;" in output
    assert "tool_args" in only({"tool_args": {"x": 1}}, "text/serialized-json", kind="debug")["html"]


@pytest.mark.parametrize(
    ("content", "mime_type", "words"),
    [
        ("A" * 4_000, "application/octet-stream", "application/octet-stream, about 3.0 kB: not shown"),
        ("not json", "sec-gemini/graph", "not json"),
        ("[1, 2]", "sec-gemini/timeline", "[1, 2]"),
        ('{"nodes": 3}', "sec-gemini/graph", "nodes"),
        ("plain words", "sec-gemini/unheard-of", "plain words"),
        ("<script>alert(1)</script>", "text/html", "&lt;script&gt;"),
        ('{"code": ' * 300, "sec-gemini/code", "code"),
    ],
)
def test_what_cannot_be_drawn_is_shown_as_it_is(content: str, mime_type: str, words: str) -> None:
    assert words in only(content, mime_type)["html"]


def test_a_megabyte_and_more_is_cut_and_says_so() -> None:
    shown = only("A" * 1_200_000, "text/plain")["html"]
    assert "The first 20,000 of 1,200,000 characters" in shown
    assert len(shown) < 30_000
    assert "more" in only("word " * 100_000, "text/plain")["html"]


def test_ten_thousand_levels_of_json_are_no_trouble() -> None:
    for mime_type in ("application/json", "sec-gemini/table", "sec-gemini/timeline", "sec-gemini/graph"):
        assert only("[" * 10_000 + "]" * 10_000, mime_type)["kind"] == "html"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | strategies.text | st.just("2026-01-01T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "source", "target", "nodes", "edges", "events", "timestamp", "end", "rows", "columns",
                         "label", "title"]), inner, max_size=4), max_leaves=12)  # fmt: skip
payloads = st.builds(
    said, values, st.sampled_from(["sec-gemini/table", "sec-gemini/timeline", "sec-gemini/graph", "text/csv"]),
    kind=st.sampled_from(["result", "local_tool_call", "local_tool_result"]),
)  # fmt: skip


@strategies.few
@given(strategies.messages | payloads)
def test_any_message_has_a_detail_that_a_browser_can_read(any_message: Message) -> None:
    shown = detail(any_message, 0, HERE)
    json.dumps(shown, allow_nan=False)
    msgspec.json.encode(shown)
    for part in shown["parts"]:
        for edge in part.get("edges", ()):
            assert 0 <= edge["source"] < len(part["nodes"])
            assert 0 <= edge["target"] < len(part["nodes"])
        for event in part.get("events", ()):
            assert math.isfinite(event["start"])
        table = part if part["kind"] == "table" else part.get("table")
        if table:
            assert all(len(row) == len(table["columns"]) == len(table["numeric"]) for row in table["rows"])
