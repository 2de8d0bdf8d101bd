"""A variable as text in a prompt, or as a file."""

from __future__ import annotations

import datetime
import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.inputs.values import as_file, as_text, fenced


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("one line", "one line"),
        (7, "7"),
        (1.5, "1.5"),
        (None, "None"),
        (True, "True"),
        (np.int64(3), "3"),
        (Path("/var/log"), "/var/log"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (pd.Timestamp("2026-01-02", tz="UTC"), "2026-01-02 00:00:00+00:00"),
    ],
)
def test_what_is_short_stands_in_the_line(value: Any, text: str) -> None:
    assert as_text("x", value) == text


def test_lines_are_data_in_a_fence() -> None:
    assert as_text("log", "a\nb") == "`log`, data (text):\n```text\na\nb\n```"
    assert as_text("d", {"a": [1, {"b": "x"}]}).splitlines()[1:3] == ["```json", "{"]
    assert as_text("s", {3, 1}) == "`s`, data (set):\n```json\n[\n 1,\n 3\n]\n```"


@given(st.text(alphabet="`~\n a"))
def test_nothing_in_a_fence_closes_it(text: str) -> None:
    opened, *lines, closed = fenced(text).split("\n")
    assert opened == closed
    assert all(line.strip(" ") != closed for line in lines)


def test_a_long_text_is_cut_and_says_so() -> None:
    parts: dict[str, str] = {}
    text = as_text("log", "x" * 99_999 + "\n" + "y" * 50_000, parts)
    assert parts == {"log": "100,000 of 150,000 characters"}
    assert "50,000 more characters left out" in text
    assert len(text) < 100_200


def test_a_table_is_schema_head_and_tail() -> None:
    frame = pd.DataFrame({"user": [f"u{i}" for i in range(1_000)], "n": range(1_000)})
    lines = as_text("df", frame).splitlines()
    assert (
        lines[0] == "`df`, data (DataFrame, 1,000 rows, 2 columns: user: object, n: int64):" or "user: str" in lines[0]
    )
    assert lines[1:4] == ["```csv", "user,n", "u0,0"]
    assert lines[13] == "… 980 rows left out …"
    assert lines[14] == "u990,990"
    assert lines[-2:] == ["u999,999", "```"]


def test_a_small_table_is_whole_with_an_index_that_says_something() -> None:
    frame = pd.DataFrame({"n": [1, None]}, index=pd.Index(["a", "b"], name="host"))
    assert as_text("df", frame).splitlines()[2:5] == ["host,n", "a,1.0", "b,"]
    assert as_text("s", pd.Series([1, 2], name="count")).splitlines()[2:4] == ["count", "1"]
    assert as_text("e", pd.DataFrame()).startswith("`e`, data (DataFrame, 0 rows, 0 columns")


def test_a_wide_table_and_long_cells_are_cut() -> None:
    wide = as_text("df", pd.DataFrame([["z" * 5_000, *range(99)]]))
    assert "40 more columns left out" in wide
    assert "z" * 1_001 not in wide


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"\x7fELF", "Attach them: -a $x"),
        (math, "is a module"),
        (Broken, "is a class"),
        (len, "is a builtin_function"),
        (Broken(), "no text"),
        ({"a": Broken()}, "no text"),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(value: Any, says: str) -> None:
    with pytest.raises(InputError, match=says.replace("$", r"\$")) as caught:
        as_text("x", value)
    assert "\n" not in str(caught.value)


def test_a_circle_is_written_as_python_does() -> None:
    circle: list[Any] = [1]
    circle.append(circle)
    assert as_text("x", circle) == "`x`, data (list):\n```json\n[1, [...]]\n```"


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x,y", 'q"']})


@pytest.mark.parametrize(
    ("filename", "read"),
    [
        (None, lambda content: pd.read_csv(io.BytesIO(content))),
        ("flows.parquet", lambda content: pd.read_parquet(io.BytesIO(content))),
        ("flows.jsonl", lambda content: pd.read_json(io.BytesIO(content), lines=True)),
        ("flows.json", lambda content: pd.read_json(io.BytesIO(content))),
    ],
)
def test_a_table_as_a_file(filename: str | None, read: Any) -> None:
    name, content = as_file("df", FRAME, filename)
    assert name == (filename or "df.csv")
    pd.testing.assert_frame_equal(read(content), FRAME, check_dtype=False)


def test_other_values_as_files() -> None:
    assert as_file("raw", b"\0\1") == ("raw.bin", b"\0\1")
    assert as_file("raw", bytearray(b"\0"), "dump.exe") == ("dump.exe", b"\0")
    assert as_file("log", "é\n") == ("log.txt", "é\n".encode())
    name, content = as_file("d", {"a": 1})
    assert (name, json.loads(content)) == ("d.json", {"a": 1})


class Figure:
    def savefig(self, file: Any, format: str) -> None:  # noqa: A002  # matplotlib's name
        file.write(b"\x89PNG " + format.encode())


class Picture:
    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        return b"\x89PNG shown", {"width": 9}


class NoPicture:
    def to_image(self) -> bytes:
        raise ValueError("install kaleido\nplease")


def test_figures_are_png() -> None:
    assert as_file("fig", Figure()) == ("fig.png", b"\x89PNG png")
    assert as_file("pic", Picture()) == ("pic.png", b"\x89PNG shown")
    with pytest.raises(InputError, match="install kaleido please"):
        as_file("fig", NoPicture())
    with pytest.raises(InputError, match=r"-a \$fig"):
        as_text("fig", Figure())


def test_no_file_for_other_values(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is a float"):
        as_file("x", 1.5)
    with pytest.raises(InputError, match=r"can be \.csv"):
        as_file("df", FRAME, "df.xlsx")
    with pytest.raises(InputError, match="cannot be written as Parquet"):
        as_file("df", pd.DataFrame({"a": [1, "x"]}), "df.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="pip install"):
        as_file("df", FRAME, "df.parquet")
