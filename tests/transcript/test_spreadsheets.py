"""CSV in which nothing is a formula, whatever a spreadsheet takes for the separator."""

from __future__ import annotations

import csv
import io
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.spreadsheets import neutral, to_csv
from tests.transcript.documents import hostile_messages
from tests.transcript.frames import turn

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
texts = st.text(st.sampled_from("=+-@\t\r\n;,\"' a1\uff1d\xa0|")) | st.text(max_size=20)


def cells(written: str) -> list[str]:
    """Every cell that any of these readings of the file finds."""
    found = []
    for separator in ",;\t":
        found += [cell for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator) for cell in row]
    return found + re.split(r"[\r\n;\t]", written)  # one that knows no quotes


@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_no_cell_is_a_formula(rows: list[tuple[str, str]]) -> None:
    written = to_csv(pd.DataFrame(rows, columns=["=name", "b"], dtype=object))
    for cell in cells(written):
        assert cell.strip(' \xa0"')[:1] not in [*SIGNS], cell
    for row in csv.reader(io.StringIO(written, newline="")):
        assert all(cell[:1] not in "\t\r\n" or not cell for cell in row)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=HYPERLINK(\"https://evil.com\")", "'=HYPERLINK(\"https://evil.com\")"), ("-2+3", "'-2+3"), ("+1", "'+1"),
        ("@SUM(1)", "'@SUM(1)"), ("\t=1", "'\t'=1"), ("\r=1", "'\r'=1"), ("  =1", "'  =1"), ("\uff1d1", "'\uff1d1"),
        ("a;=1", "a;'=1"), ("a\n=cmd|' /C calc'!A0", "a\n'=cmd|' /C calc'!A0"), ("a = b", "a = b"), ("'=1", "'=1"),
        ("x-1@y", "x-1@y"), ("", ""), ("a,=1", "a,=1"),
    ],
)  # fmt: skip
def test_a_formula_becomes_text_and_other_texts_stay(text: str, written: str) -> None:
    assert neutral(text) == written
    assert neutral(written) == written


def test_a_transcript_reads_back_with_its_values() -> None:
    table = messages_frame(turn(), session_id="s1")
    back = pd.read_csv(io.StringIO(to_csv(table)), parse_dates=["created_at"])
    assert list(back.columns) == list(table.columns)
    assert back["content"].tolist() == table["content"].tolist()
    assert back["created_at"].tolist() == table["created_at"].tolist()
    assert back["total_tokens"].fillna(-1).tolist() == table["total_tokens"].fillna(-1).tolist()


def test_a_hostile_transcript_has_no_formula() -> None:
    written = to_csv(messages_frame(hostile_messages(), session_id="=1+1"))
    assert [cell for cell in cells(written) if cell.strip(' \xa0"')[:1] in [*SIGNS]] == []


def test_numbers_stay_numbers_and_an_empty_table_has_its_header() -> None:
    table = pd.DataFrame({"a": [-1, 2], "b": [-0.5, None], "c": [True, False]})
    assert to_csv(table) == '"a","b","c"\r\n-1,-0.5,True\r\n2,"",False\r\n'
    assert to_csv(table[:0]) == '"a","b","c"\r\n'
    assert to_csv(pd.DataFrame([["x", "=y"]], columns=["a", "a"])) == '"a","a"\r\n"x","\'=y"\r\n'
