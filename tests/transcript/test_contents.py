"""Code, JSON and tables out of an answer: exact values, from payloads and from Markdown."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.models import Message, MessageType, Role
from secgemini_jupyter.transcript.contents import Block, blocks, code_in, json_in, tables_in
from secgemini_jupyter.transcript.tables import table_frame


def result(content: str, mime_type: str = "text/markdown") -> Message:
    return Message(message_type=MessageType.RESULT, content=content, mime_type=mime_type)


def values(*messages: Message) -> list[Any]:
    return list(json_in(messages))


def frames(*messages: Message) -> list[pd.DataFrame]:
    return [table_frame(table) for table in tables_in(messages)]


# --- JSON ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("```json\n[1, 2]\n```", [1, 2]),
        ("```\ntrue\n```", True),
        (" 7 ", 7),
        ('Here it is:\n\n```json\n{"a": [1, {"b": null}]}\n```\n\nHope that helps!', {"a": [1, {"b": None}]}),
        ('1. so:\n\n   ```json\n   {"a": 1}\n   ```\n', {"a": 1}),
        ('~~~JSON\n{"a": "```"}\n~~~', {"a": "```"}),
        ('```python\n{"not": "this"}\n```\n```json\n{"this": 1}\n```', {"this": 1}),
        ('The verdict is {"malicious": true, "by": "x}"} I think.', {"malicious": True, "by": "x}"}),
        ('As in [1] and {x}: [ {"a": 1}, {"a": 2} ].', [{"a": 1}, {"a": 2}]),
        ('```jsonl\n{"a": 1}\n\n{"a": 2}\n```', [{"a": 1}, {"a": 2}]),
        ('```json\n{"broken": \n```\n```json\n{"whole": 1}\n```', {"whole": 1}),
        ('{"url": "http://evil.test/\\u202e"}', {"url": "http://evil.test/\u202e"}),
    ],
)
def test_json_in_a_text(text: str, value: Any) -> None:
    assert values(result(text))[0] == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "```json\n{\n```",
        "as [1] says",
        "{}",
        "set {a}",
        "```",
        "{" * 5_000,
        '[{"' * 3_000,
        "```python\n{}\n```",
        '{"a": 1, ' * 100_000,
    ],
)
def test_text_without_json(text: str) -> None:
    assert values(result(f"words {text} words")) == []


def test_json_payload_goes_before_the_text() -> None:
    found = values(result('{"in": "text"}'), result('{"in": "payload"}', "sec-gemini/json"))
    assert found == [{"in": "payload"}, {"in": "text"}]
    assert values(result("words"), result('[{"x": 1}]', "sec-gemini/table")) == [[{"x": 1}]]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_json_in_a_fence_comes_back(value: Any) -> None:
    import json

    assert values(result(f"Words.\n\n```json\n{json.dumps(value)}\n```\nMore."))[0] == value


# --- code ---


def test_code_fences_in_order() -> None:
    text = (
        "First\n\n```python title=x\nprint('a')\n```\n\n- then\n\n  ~~~bash\n  ls\n  ~~~\n\n"
        "```text\nout\n```\n\n    indented\n"
    )
    assert code_in([result(text)]) == [Block("python", "print('a')\n"), Block("bash", "ls\n")]
    assert code_in([result("```\nx = 1\n```\n`inline`")]) == [Block("", "x = 1\n")]
    assert code_in([result("words, `inline` and\n\n```json\n{}\n```")]) == []


def test_code_payloads() -> None:
    found = code_in(
        [
            result('{"code": "rule x {}", "language": "yara", "output": "none"}', "sec-gemini/code"),
            result("import os", "text/python; charset=utf-8"),
        ]
    )
    assert found == [Block("yara", "rule x {}"), Block("python", "import os")]


def test_a_fence_that_never_ends_is_one() -> None:
    assert blocks("```python\nx = 1\n") == [Block("python", "x = 1\n")]


# --- tables ---


def test_markdown_table_as_a_frame() -> None:
    text = """Found:

| Host | Port | Share | Up | Note |
|:-----|-----:|------:|----|------|
| `evil.com` | 443 | 0.50 | true | a \\| b<br>**bold** |
| 1.2.3.4 | 1,080 | 12.25 |  | [x](http://y.test) |
| <http://z.test/a_b_c> | | 0.00 | false | `x|y` |
"""
    (frame,) = frames(result(text))
    assert list(frame.columns) == ["Host", "Port", "Share", "Up", "Note"]
    assert [str(dtype) for dtype in frame.dtypes] == ["string", "Int64", "Float64", "string", "string"]
    assert frame["Host"].tolist() == ["evil.com", "1.2.3.4", "http://z.test/a_b_c"]
    assert frame["Port"].tolist() == [443, 1080, pd.NA]
    assert frame["Note"].tolist()[:2] == ["a | b\nbold", "[x](http://y.test)"]


@pytest.mark.parametrize(
    ("cells", "dtype", "read"),
    [
        (["1", "22", ""], "Int64", [1, 22, pd.NA]),
        (["1,234", "5"], "Int64", [1234, 5]),
        (["007", "1"], "string", ["007", "1"]),
        (["1e5", "2"], "string", ["1e5", "2"]),
        (["+49301234", "2"], "string", ["+49301234", "2"]),
        (["1.9", "1.10"], "string", ["1.9", "1.10"]),
        (["1.5", "2.25", "3"], "Float64", [1.5, 2.25, 3.0]),
        (["0.10", "-2.50"], "Float64", [0.1, -2.5]),
        (["99999999999999999999", "1"], "string", ["99999999999999999999", "1"]),
        (["9007199254740993", "1"], "Int64", [9007199254740993, 1]),
        (["0.12345678901234567", "1"], "string", ["0.12345678901234567", "1"]),
        (["٣", "4"], "string", ["٣", "4"]),
        (["12 %", "3 %"], "string", ["12 %", "3 %"]),
        (["2026-01-31", "2026-02-01"], "string", ["2026-01-31", "2026-02-01"]),
        (["", ""], "string", ["", ""]),
    ],
)
def test_numbers_only_where_nothing_is_lost(cells: list[str], dtype: str, read: list[Any]) -> None:
    text = "| a | n |\n|---|---|\n" + "".join(f"| x | {cell} |\n" for cell in cells)
    (frame,) = frames(result(text))
    assert str(frame["n"].dtype) == dtype
    assert frame["n"].tolist() == read


def test_values_of_a_json_table_stay_as_they_are() -> None:
    content = (
        '[{"i": 1, "f": 1.5, "s": "007", "b": true, "l": [1], "m": 1},'
        ' {"i": null, "f": 2, "s": null, "l": [2], "m": "x"}, {"i": 9007199254740993}]'
    )
    (frame,) = frames(result(content, "sec-gemini/table"))
    assert [str(dtype) for dtype in frame.dtypes] == ["Int64", "Float64", "string", "boolean", "object", "object"]
    assert frame["i"].tolist() == [1, pd.NA, 9007199254740993]
    assert frame["l"].tolist() == [[1], [2], None]
    assert frame["m"].tolist() == [1, "x", None]


def test_payloads_then_records_then_text() -> None:
    text = 'x\n\n| md |\n|---|\n| 1 |\n\n```json\n{"results": [{"js": 1}], "total": 1}\n```\n\n```csv\ncs,v\n1,2\n```\n'
    found = frames(
        result(text),
        result('{"title": "T", "columns": ["p", "p"], "rows": [[1, 2]]}', "sec-gemini/table"),
        result('{"events": [{"timestamp": 1, "event": "e"}]}', "sec-gemini/timeline"),
    )
    names = [list(frame.columns) for frame in found]
    assert names == [["p", "p.1"], ["js"], ["timestamp", "event"], ["md"], ["cs", "v"]]
    assert found[0].attrs == {"title": "T"}
    assert found[2]["timestamp"].tolist() == [1]


def test_what_the_service_remarks_on_an_answer_comes_last() -> None:
    remark = Message(
        message_type=MessageType.RESULT, content='[{"remark": 1}]', mime_type="sec-gemini/table", role=Role.SYSTEM
    )
    assert [list(frame.columns) for frame in frames(remark, result("| md |\n|---|\n| 1 |"))] == [["md"], ["remark"]]


def test_text_without_tables() -> None:
    assert frames(result("a | b\nc | d"), result("```json\n[1, 2]\n```"), result("no table", "text/csv")) == []


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=4))
def test_any_text_is_searched_without_an_error(rows: list[tuple[str, str]]) -> None:
    text = "| a | b |\n|---|---|\n" + "\n".join(f"| {a} | {b} |" for a, b in rows)
    for frame in frames(result(text)):
        assert frame.shape[1] >= 1
    code_in([result(text)])
    values(result(text))
