"""What is drawn beside an answer about a log, as the client reads it; and what a follow-up can mean by its parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from secgemini_jupyter.local_server.analyst.logs.drawn import MAX_EVENTS, MAX_NODES
from secgemini_jupyter.local_server.analyst.tool import Inputs, Payload, TableSource
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.logs_tables.table import Table
from secgemini_jupyter.render.payloads import render_content
from tests.local_server.analyst.corpus import corpus


def run(name: str, content: bytes, **arguments: Any) -> dict[str, Any]:
    tool = tools()[name]
    return tool.run(msgspec.convert({"file": "it"} | arguments, tool.arguments), {"it": content})


def shown(payload: Payload) -> str:
    html = render_content(payload.mime_type, json.dumps(payload.content)).html
    assert "<pre" not in html.split(">")[0]
    return html


def test_logins_are_a_timeline_and_a_graph_of_bounded_size() -> None:
    records = [
        {
            "ts": 1_767_225_600 + n * 60,
            "event": "login",
            "outcome": "failure" if n % 4 else "success",
            "user": f"user{n % 70}",
            "src_ip": f"10.0.{n % 3}.{n % 90}",
        }
        for n in range(900)
    ]
    result = run("auth_timeline", "\n".join(map(json.dumps, records)).encode())
    graph, timeline = tools()["auth_timeline"].payloads(result)
    assert (graph.mime_type, timeline.mime_type) == ("sec-gemini/graph", "sec-gemini/timeline")
    ids = {node["id"] for node in graph.content["nodes"]}
    assert 2 < len(ids) <= MAX_NODES
    assert all({edge["source"], edge["target"]} <= ids for edge in graph.content["edges"])
    assert len(timeline.content["events"]) <= MAX_EVENTS
    assert timeline.content["events"][0]["timestamp"] == "2026-01-01T00:00:00+00:00"
    assert "user" in shown(graph)
    assert "failure" in shown(timeline)
    items = tools()["auth_timeline"].items(result)
    assert items[0]["source"] == result["sources"][0]["source"]


def test_hosts_that_talk_are_a_graph() -> None:
    content = (Path(corpus("zat")) / "data" / "conn.log").read_bytes()
    result = run("log_summary", content)
    (graph,) = tools()["log_summary"].payloads(result)
    (most, *_) = graph.content["edges"]
    lines = [line.split("\t") for line in content.decode().splitlines() if not line.startswith("#")]
    assert most["label"] == str(sum((line[2], line[4]) == (most["source"], most["target"]) for line in lines))
    assert f"{len(graph.content['edges'])} edges" in shown(graph)


@pytest.mark.parametrize("name", ["log_sql", "log_question"])
def test_more_rows_than_the_text_shows_are_a_table(name: str) -> None:
    content = "\n".join(json.dumps({"host": f"h{n}", "n": n}) for n in range(100)).encode()
    asked = {"sql": "SELECT host FROM log"} if name == "log_sql" else {"question": "which hosts are there?"}
    result = run(name, content, **asked)
    (table,) = tools()[name].payloads(result)
    assert len(table.content["rows"]) == 100
    assert "h99" in shown(table)
    assert {item["host"] for item in tools()[name].items(result)} == {f"h{n}" for n in range(100)}


def test_events_per_hour_are_a_timeline() -> None:
    content = "\n".join(json.dumps({"ts": f"2026-01-01T{n % 3:02}:00:00Z", "n": n}) for n in range(30)).encode()
    result = run("log_question", content, question="events per hour")
    (timeline,) = tools()["log_question"].payloads(result)
    assert [event["timestamp"] for event in timeline.content["events"]] == [
        f"2026-01-01T{hour:02}:00:00Z" for hour in range(3)
    ]
    assert "10 rows" in shown(timeline)


def table_of(*records: Any) -> Inputs:
    table = Table(None, "f" * 64)
    table.append([json.dumps(record) + "\n" for record in records])
    inputs = Inputs({})
    inputs.table = TableSource("f" * 64, table.serialized())
    return inputs


def test_indicators_are_found_in_a_logs_table() -> None:
    long = "x" * 400 + " http://far.example.com/away"
    inputs = table_of(
        *({"n": n, "msg": "GET http://evil.example.net/a", "src": "203.0.113.9"} for n in range(7)),
        {"n": 8, "msg": long, "nested": {"hash": "44d88612fea8aa36de82e1278abb02f1"}},
    )
    tool = tools()["extract_iocs"]
    result = tool.run(msgspec.convert({"table": "f" * 64}, tool.arguments), inputs)
    found = {row["value"]: row["count"] for row in result["indicators"]}
    assert found["http://evil.example.net/a"] == 7
    assert found["203.0.113.9"] == 7
    assert found["http://far.example.com/away"] == 1
    assert found["44d88612fea8aa36de82e1278abb02f1"] == 1


def test_a_question_is_asked_of_a_logs_table() -> None:
    inputs = table_of(*({"host": f"h{n % 2}", "bytes": n, "time": f"2026-01-01T0{n % 5}:00:00Z"} for n in range(10)))
    tool = tools()["log_question"]
    for question, rows in (
        ("total bytes per host", [["h1", 5, 25], ["h0", 5, 20]]),
        ("how many rows between 01:00 and 03:00?", [[4]]),
        ("rows of h1 with bytes > 6", [["2026-01-01T02:00:00Z", "h1", 7], ["2026-01-01T04:00:00Z", "h1", 9]]),
    ):
        arguments = msgspec.convert({"table": "f" * 64, "question": question}, tool.arguments)
        (answer,) = tool.run(arguments, inputs)["answers"]
        assert answer["rows"] == rows, answer["sql"]
