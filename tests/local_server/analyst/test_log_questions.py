"""Questions about logs as SQL: on real Zeek logs, with figures counted here from the files, and on tables by chance."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from secgemini_jupyter.local_server.analyst.planner import plan_for, request_of
from secgemini_jupyter.local_server.analyst.tool import Attached, Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools
from tests.local_server.analyst.corpus import corpus

TOOL = tools()["log_question"]


def ask(content: bytes, question: str) -> dict[str, Any]:
    """The first answer."""
    result = TOOL.run(msgspec.convert({"file": "it.log", "question": question}, TOOL.arguments), {"it.log": content})
    assert TOOL.answer(result, Wish())
    found: dict[str, Any] = result["answers"][0]
    return found


def zeek(path: Path) -> list[dict[str, str]]:
    lines = path.read_text().splitlines()
    names = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines if not line.startswith("#")]


def number(text: str) -> float:
    return 0.0 if text == "-" else float(text)


@pytest.fixture(scope="module")
def conn() -> tuple[bytes, list[dict[str, str]]]:
    path = corpus("zat") / "data" / "conn.log"
    return path.read_bytes(), zeek(path)


@pytest.fixture(scope="module")
def http() -> tuple[bytes, list[dict[str, str]]]:
    path = corpus("zat") / "data" / "http.log"
    return path.read_bytes(), zeek(path)


def test_destination_ports_by_bytes(conn: Any) -> None:
    content, rows = conn
    sums: Counter[int] = Counter()
    for row in rows:
        sums[int(row["id.resp_p"])] += int(number(row["orig_bytes"]) + number(row["resp_bytes"]))
    answer = ask(content, "Top 5 destination ports by bytes")
    assert [(row[0], row[-1]) for row in answer["rows"]] == sums.most_common(5)
    assert not answer["unused"]
    assert "GROUP BY" in answer["sql"]


def test_the_longest_connection(conn: Any) -> None:
    content, rows = conn
    longest = max(rows, key=lambda row: number(row["duration"]))
    (row,) = (answer := ask(content, "longest connection"))["rows"]
    assert row[answer["columns"].index("duration")] == float(longest["duration"])


def test_which_source_has_the_most_destinations(conn: Any) -> None:
    content, rows = conn
    pairs = Counter(source for source, _ in {(row["id.orig_h"], row["id.resp_h"]) for row in rows})
    answer = ask(content, "Which source talked to the most destinations?")
    assert (answer["rows"][0][0], answer["rows"][0][-1]) == pairs.most_common(1)[0]


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("How many requests were not GET?", lambda row: row["method"] != "GET"),
        ("How many requests had status 404 or 302?", lambda row: row["status_code"] in ("404", "302")),
        ("how many requests failed", lambda row: number(row["status_code"]) >= 400),
        ("how many 404s?", lambda row: row["status_code"] == "404"),
        ("how many requests to hosts containing 'myftp'?", lambda row: "myftp" in row["host"]),
        ("number of requests before 2013-09-15 23:45", lambda row: float(row["ts"]) < 1379288700),
        ("how many POST requests to j.maxmind.com?", lambda r: r["method"] == "POST" and r["host"] == "j.maxmind.com"),
        ("how many requests without user agent Mozilla", lambda row: row["user_agent"] != "Mozilla"),
        ("how many requests with status between 300 and 399", lambda row: 300 <= number(row["status_code"]) < 400),
        ("how many requests were larger than 100 kB", lambda row: number(row["response_body_len"]) > 100_000),
        ("count the executables", lambda row: "dosexec" in row["resp_mime_types"]),
        ("how many requests at 23:48?", lambda row: 1379288880 <= float(row["ts"]) < 1379288940),
        ("how many requests to evil.example.org?", lambda _row: False),
    ],
)
def test_rows_are_counted_under_a_condition(http: Any, question: str, kept: Any) -> None:
    content, rows = http
    answer = ask(content, question)
    assert answer["rows"][0][0] == sum(map(kept, rows)), answer["sql"]
    assert not answer["unused"]
