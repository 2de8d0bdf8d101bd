"""Windows event logs, logfmt, wrapped JSON arrays: read where they are whole, counted where they are broken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from secgemini_jupyter.local_server.analyst.logs.formats import Log, log_format
from secgemini_jupyter.local_server.analyst.sniff import sniff
from secgemini_jupyter.local_server.analyst.tool import Inputs, TableSource, Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.logs_tables import filling
from secgemini_jupyter.local_server.logs_tables.table import Table


def security() -> bytes:
    """Seven events of a real Windows machine, from the sdist of `evtx`."""
    return gzip.decompress((Path(__file__).parent / "data" / "Security_short_selected.evtx.gz").read_bytes())


def run(name: str, content: bytes, **arguments: Any) -> tuple[dict[str, Any], str]:
    tool = tools()[name]
    result = tool.run(msgspec.convert({"file": "it", **arguments}, tool.arguments), {"it": content})
    return result, tool.answer(result, Wish())


def test_a_windows_event_log_is_a_table_of_events() -> None:
    content = security()
    assert sniff(content) == {"kind": "log/evtx", "has_logins": True}
    result, _ = run("log_question", content, question="who failed to log on?")
    (answer,) = result["answers"]
    assert answer["rows"] == [["Administrator", 1]]
    result, _ = run("log_question", content, question="events per event id")
    assert dict(result["answers"][0]["rows"]) == {5152: 2, 4611: 1, 4776: 1, 4625: 1, 5157: 1, 4673: 1}
    result, told = run("auth_timeline", content)
    assert (result["failures"], result["successes"]) == (1, 0)
    assert "23.94.153.202" in told
    result, told = run("log_summary", gzip.compress(content))
    assert result["rows"] == 7
    assert "Windows event log" in told


def test_a_damaged_event_log_is_counted_not_fatal() -> None:
    content = bytearray(security())
    for damaged in (content[:30_000], content[:4_096], content[:9]):
        log = Log(bytes(damaged), "evtx")
        assert list(log.rows()) == []
        assert log.bad
    content[4_096 + 600 : 4_096 + 1_500] = b"\xff" * 900
    log = Log(bytes(content), "evtx")
    assert list(log.rows()) == []
    assert log.bad == 1


def test_logfmt_is_read_with_its_quotes() -> None:
    text = (
        'ts=2026-01-02T03:04:05Z level=warn msg="a \\"b\\" c" n=3\nts=2026-01-02T03:04:06Z level=info msg=ok n=4\n?\n'
    )
    assert log_format(text) == "logfmt"
    log = Log(text, "logfmt")
    assert [(row["msg"], row["n"]) for row in log.rows()] == [('a "b" c', 3), ("ok", 4)]
    assert log.bad == 1
    assert log_format("To be or not to be = that is the question\nthat = it, or = not\n") is None


def test_a_wrapped_array_is_read_one_object_after_the_other() -> None:
    records = [{"eventName": "ConsoleLogin", "userIdentity": {"userName": f"u{n % 2}"}, "n": n} for n in range(5)]
    whole = json.dumps({"Records": records})
    assert log_format(whole) == "json"
    log = Log(whole.encode(), "json")
    assert [row["userIdentity.userName"] for row in log.rows()] == ["u0", "u1", "u0", "u1", "u0"]
    cut = Log(whole[:-30].encode(), "json")
    assert len(list(cut.rows())) == 4
    assert cut.bad == 1


def test_bytes_and_text_give_the_same_rows() -> None:
    lines = ['{"a": "é", "b": {"c": [1, 2]}}', "", "broken", '{"a": NaN}', '{"a": "\\ud800"}', '\ufeff{"a": 1}', "[1]"]
    text = "\r\n".join(lines)
    of_text, of_bytes = Log(text, "jsonl"), Log(text.encode(), "jsonl")
    assert str(list(of_text.rows())) == str(list(of_bytes.rows()))
    assert (of_text.lines, of_text.bad) == (of_bytes.lines, of_bytes.bad) == (6, 2)
    assert [len(list(Log(b'{"a": "\xff"}\n', kind).rows())) for kind in ("jsonl", "zeek_json")] == [1, 1]


def test_a_line_of_many_fields_hides_no_other_field() -> None:
    junk = json.dumps({f"junk{number}": 1 for number in range(450)})
    rows = [json.dumps({"user": f"u{number % 3}", "event": "login failed"}) for number in range(60)]
    content = "\n".join([junk, *rows[:50], json.dumps({"late": 1}), *rows[50:]]).encode()
    result, answer = run("log_question", content, question="Which users failed?")
    assert sorted(row[:2] for row in result["answers"][0]["rows"]) == [["u0", 20], ["u1", 20], ["u2", 20]]
    assert "At least 253 fields of few rows were left out" in answer
    answer = run("log_question", content, question="top 5 mime types")[1]
    assert "has no column for" not in answer
    assert "None of the columns that were read is for `mime types`" in answer
    assert "253 fields of few rows were left out" in run("log_load", content)[1]


def test_a_table_keeps_the_fields_of_most_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "RARE_COLUMNS", 5)
    table = Table(None, "0" * 64)
    junk = json.dumps({f"junk{number}": 1 for number in range(9)})
    table.append([f"{junk}\n", *['{"user": "bob"}\n'] * 20])
    assert table.meta.left_out == 5
    source = TableSource("0" * 64, table.serialized())
    tool = tools()["log_summary"]
    inputs = Inputs()
    inputs.table = source
    result = tool.run(tool.arguments(table=source.hash), inputs)
    assert "user" in [field["name"] for field in result["fields"]]
    assert "At least 5 fields of few rows were left out" in tool.answer(result, Wish())
