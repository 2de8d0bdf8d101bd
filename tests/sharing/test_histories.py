"""`read_history`: transcripts out of files, and files that are none."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from pyarrow import parquet as pq

import secgemini_jupyter.accessor  # noqa: F401  # registers `df.secgemini`
from secgemini_jupyter import read_history
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Message, Usage
from secgemini_jupyter.render.answer import Facts, answer_bundle
from secgemini_jupyter.transcript import parquet, reading
from secgemini_jupyter.transcript.jsonl import to_jsonl, write_jsonl
from secgemini_jupyter.transcript.messages import COLUMNS, messages_frame
from secgemini_jupyter.transcript.parquet import write_parquet
from tests.transcript import strategies
from tests.transcript.frames import message, turn


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_history(path)
    return str(caught.value)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# --- JSON Lines ---


def test_json_lines_are_the_table_of_their_messages(tmp_path: Path) -> None:
    path = tmp_path / "triage.jsonl"
    write_jsonl(turn(), path)
    assert_frame_equal(read_history(path), messages_frame(turn(), session_id="triage", source="file"))
    assert_frame_equal(read_history(path, session_id="s"), messages_frame(turn(), session_id="s", source="file"))
    assert read_history(path).secgemini.turns()["status"].tolist() == ["ok"]


def test_the_content_tells_what_a_file_is_not_its_name(tmp_path: Path) -> None:
    write_jsonl(turn(), tmp_path / "a.csv")
    write_parquet(messages_frame(turn(), session_id="s"), tmp_path / "b.jsonl")
    assert len(read_history(tmp_path / "a.csv")) == len(read_history(tmp_path / "b.jsonl")) == 12


def test_an_empty_file_is_an_empty_transcript(tmp_path: Path) -> None:
    path = written(tmp_path / "none.jsonl", b"\xef\xbb\xbf\n")
    assert_frame_equal(read_history(path), messages_frame([], session_id="none"))


def test_a_file_that_is_cut_off_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", to_jsonl(turn())[:-20])
    assert "cut off in line 12: 11 messages before it are whole" in refused(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"content": "x"', "Line 2 of"),
        (b'["a"]', "Line 2 of"),
        (b"null", "Line 2 of"),
    ],
)
def test_a_line_that_is_no_message_is_named(tmp_path: Path, line: bytes, said: str) -> None:
    first, *others = to_jsonl(turn()).split(b"\n")
    told = refused(written(tmp_path / "a.jsonl", b"\n".join([first, line, *others])))
    assert "Line 2 of" in told
    assert said in told
    assert "address" not in told


def test_json_lines_with_other_names_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", b'{"type": "info", "text": "x"}\n{"type": "end"}\n')
    assert "no line has a message_type, the first has type, text" in refused(path)


@strategies.few
@given(st.lists(strategies.messages, max_size=5))
def test_any_messages_come_back_from_json_lines_and_parquet(
    tmp_path_factory: pytest.TempPathFactory, messages: list[Message]
) -> None:
    assume(not messages or b'"message_type"' in to_jsonl(messages))
    folder = tmp_path_factory.mktemp("files")
    table = messages_frame(messages, session_id="s", source="file")
    write_jsonl(messages, folder / "a.jsonl")
    write_parquet(table, folder / "a.parquet")
    assert_frame_equal(read_history(folder / "a.parquet"), table)
    lines = read_history(folder / "a.jsonl", session_id="s")
    for each in (lines, table):  # fields may stand in another order
        each["extra"] = each["extra"].map(json.loads, na_action="ignore").astype(object)
    assert_frame_equal(lines, table)


# --- Parquet ---


def test_a_table_that_was_put_together_comes_back(tmp_path: Path) -> None:
    """Concatenation drops what says that it is a table of messages."""
    both = pd.concat([messages_frame(turn(), session_id=name) for name in "ab"])
    both = both[both["message_type"] != "debug"]
    assert not both.attrs
    both.to_parquet(tmp_path / "a.parquet")
    assert_frame_equal(read_history(tmp_path / "a.parquet"), both)


def test_renamed_columns_are_named_with_what_they_may_be_now(tmp_path: Path) -> None:
    table = messages_frame(turn(), session_id="s").rename(columns={"content": "contents", "actor": "who"})
    table.to_parquet(tmp_path / "a.parquet")
    said = refused(tmp_path / "a.parquet")
    assert "lacks the columns actor, content" in said
    assert "contents for content" in said


def test_another_table_of_ours_is_refused(tmp_path: Path) -> None:
    messages_frame(turn(), session_id="s").secgemini.turns().to_parquet(tmp_path / "a.parquet")
    assert "lacks the columns" in refused(tmp_path / "a.parquet")


def test_a_column_of_another_kind_is_refused(tmp_path: Path) -> None:
    table = messages_frame(turn(), session_id="s").astype({"status_code": object})
    table["status_code"] = [["a"]] * len(table)
    table.to_parquet(tmp_path / "a.parquet")
    assert "Column status_code does not fit (it holds lists)" in refused(tmp_path / "a.parquet")
    table["status_code"] = "a"
    table.to_parquet(tmp_path / "a.parquet")
    assert "Column status_code does not fit" in refused(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    "metadata",
    [
        {"PANDAS_ATTRS": "[1]"},
        {"PANDAS_ATTRS": "null"},
        {"PANDAS_ATTRS": "[" * 100_000},
        {"pandas": "[]"},
        {"pandas": "{}"},
        {"pandas": '{"index_columns": ["nope"], "columns": []}'},
        {"pandas": '{"index_columns": [{"kind": "range"}], "columns": []}'},
        {"pandas": '{"index_columns": [{"kind": "range", "start": 0, "stop": 1e999, "step": 0}], "columns": []}'},
        {"pandas": '{"index_columns": [], "columns": [{"name": "content", "numpy_type": "period[zzz]"}]}'},
    ],
)
def test_what_a_file_says_about_itself_changes_no_row(tmp_path: Path, metadata: dict[str, str]) -> None:
    table = messages_frame(turn(), session_id="s")
    table.to_parquet(tmp_path / "a.parquet")
    written = pq.read_table(tmp_path / "a.parquet")
    pq.write_table(written.replace_schema_metadata(metadata), tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(read_history(tmp_path / "b.parquet"), table)


def test_a_name_that_is_no_text_makes_a_session_that_can_be_exported(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"x\xff.jsonl")
    write_jsonl(turn(), path)
    table = read_history(path)
    assert set(table["session_id"]) == {"x?"}
    table.secgemini.export(tmp_path / "a.parquet")
    assert "no path" in refused(Path("a\0b"))


def test_half_of_a_surrogate_pair_is_told_before_parquet_is_written(tmp_path: Path) -> None:
    table = messages_frame(turn(), session_id="s")
    table["title"] = pd.array(["half \ud83d"] * len(table), dtype=pd.StringDtype("python"))
    with pytest.raises(InputError, match="no lone surrogate, as behind 'half'"):
        write_parquet(table, tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    messages_frame(turn(), session_id="s").to_parquet(tmp_path / "a.parquet")
    written = pq.read_table(tmp_path / "a.parquet")
    pq.write_table(written.append_column("content", written["content"]), tmp_path / "b.parquet")
    assert "Column content is there twice" in refused(tmp_path / "b.parquet")


def test_the_rows_keep_their_labels(tmp_path: Path) -> None:
    table = messages_frame(turn(), session_id="s")
    for some in (table.iloc[1:], table[table["message_type"] == "result"], table.iloc[::-1]):
        some.to_parquet(tmp_path / "a.parquet")
        pd.testing.assert_frame_equal(read_history(tmp_path / "a.parquet"), some)


def test_columns_that_are_not_ours_are_not_read(tmp_path: Path) -> None:
    """One value of theirs that repeats: 40 GB from 30 kB, where pandas would write it out."""
    table = pd.concat([messages_frame(turn(), session_id="s")] * (20_000 // len(turn())), ignore_index=True)
    written = pa.Table.from_pandas(table, preserve_index=False)
    huge = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), len(table)), pa.array([b"x" * 2_000_000]))
    pq.write_table(written.append_column("theirs", huge), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 1_000_000
    assert list(read_history(tmp_path / "a.parquet").columns) == list(table.columns)


def test_a_huge_row_group_is_refused_by_its_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One value, 30 million times: 30 GB, and 3 MB on disk."""
    rows = 30_000_000
    values = pa.array(["x" * 1000])
    column = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), rows), values)
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"content": column}), path, row_group_size=rows)
    assert path.stat().st_size < 5_000_000
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("it was read"))
    assert "30,000,000 rows" in refused(path)


def test_large_columns_are_refused_by_their_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(messages_frame(turn(), session_id="s"), tmp_path / "a.parquet")
    monkeypatch.setattr(parquet, "MAX_BYTES", 1_000)
    assert "Nothing was read" in refused(tmp_path / "a.parquet")


def test_texts_that_repeat_take_their_place_once(tmp_path: Path) -> None:
    """A dictionary that is unfolded row by row would take 25 GB here."""
    table = messages_frame(turn(), session_id="s")
    table = table.iloc[[3] * 50_000]
    columns = {name: pa.array(table[name]) for name in table.columns if name != "content"}
    content = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), len(table)), ["x" * 500_000])
    pq.write_table(pa.table({**columns, "content": content}), tmp_path / "a.parquet")
    read = read_history(tmp_path / "a.parquet")
    assert read["content"].iloc[0] is read["content"].iloc[-1]
    assert list(read.columns) == list(COLUMNS)


def test_a_damaged_parquet_is_refused(tmp_path: Path) -> None:
    write_parquet(messages_frame(turn(), session_id="s"), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    for cut in (4, len(data) // 2, len(data) - 1):
        assert "cannot be read as Parquet" in refused(written(tmp_path / "b.parquet", data[:cut]))


# --- notebooks ---


def cell(source: str, *texts: str, status: Any = "ok", turn: int | None = 1, session: str = "main") -> dict[str, Any]:
    """A cell as it is saved, with what it showed."""
    facts = Facts(
        actor="agent", model="m", host="h", is_local=False, session=session, turn=turn, retained=True,
        usage=Usage(10, 5, 15), elapsed=1.0,
    )  # fmt: skip
    messages = [message("result", "agent_done", text, id=str(n), at=n) for n, text in enumerate(texts)]
    bundle = answer_bundle(messages, facts, status=status, error="Slow down." if status == "error" else "")
    execution = {"iopub.execute_input": "2026-01-02T03:04:05.5Z", "shell.execute_reply": "2026-01-02T03:04:09Z"}
    output = {"output_type": "display_data", "data": dict(bundle.data), "metadata": bundle.metadata}
    return {"cell_type": "code", "source": source.splitlines(keepends=True), "outputs": [output],
            "metadata": {"execution": execution}}  # fmt: skip


def notebook(path: Path, *cells: dict[str, Any]) -> Path:
    others = [
        {"cell_type": "markdown", "source": "# Title", "metadata": {}},
        {"cell_type": "code", "source": "1", "metadata": {}, "outputs": [{"output_type": "stream", "text": ["1"]}]},
    ]
    path.write_text(json.dumps({"cells": [*others, *cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_a_saved_notebook_gives_its_prompts_and_answers(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "a.ipynb",
        cell("%%secgemini -a web.log -o answer What is\nevil.example?", "It is http://evil.example/a."),
        cell("%%secgemini\nAnd now?", "One.", "Two.", turn=3),
        cell("%%secgemini --new\nHello", status="error", turn=4),
        cell("%%secgemini -s other\nHello", "Hi", session="other"),
    )
    table = read_history(path)
    turns = table.secgemini.turns().astype(object)
    assert turns["prompt"].tolist() == ["What is\nevil.example?", "And now?", "Hello", "Hello"]
    assert turns["answer"].iloc[0] == "It is hxxp://evil[.]example/a."
    assert turns["answer"].tolist()[1::2] == ["One.\n\nTwo.", "Hi"]
    assert turns["turn_id"].tolist() == ["main:1", "main:3", "main:4", "other:1"]
    assert turns["status"].tolist() == ["ok", "ok", "error", "ok"]
    assert "Slow down." in turns["error"].iloc[2]
    assert table["source"].unique().tolist() == ["notebook"]
    assert turns["total_tokens"].iloc[0] == 15
    assert turns["duration_s"].iloc[0] == 3.5
    assert table.dtypes.equals(messages_frame([], session_id="s").dtypes)


def test_a_session_exported_as_a_notebook_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    messages_frame(turn(), session_id="s").secgemini.export(path)
    (row,) = read_history(path).secgemini.turns().to_dict("records")
    assert row["prompt"] == "Is host web-7 exposed to CVE-2099-0001?"
    assert row["answer"].startswith("Yes. web-7 runs 4.1.9")


def test_a_notebook_without_answers_is_refused(tmp_path: Path) -> None:
    assert "holds no answers" in refused(notebook(tmp_path / "a.ipynb"))
    assert "no list of cells" in refused(written(tmp_path / "b.ipynb", b'{"nbformat": 3, "worksheets": []}'))
    assert "no whole notebook" in refused(written(tmp_path / "c.ipynb", b'{"cells": [{'))


@given(value=st.recursive(st.none() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(
    st.sampled_from(["cells", "outputs", "metadata", "secgemini", "status", "cell_type", "data", "source", "turn"]),
    each | st.just("code")), max_leaves=12))  # fmt: skip
@strategies.few
def test_nonsense_in_a_notebook_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    mark = {
        "metadata": {"secgemini": {"status": value, "turn": value, "session": value, "usage": value}},
        "data": value,
    }
    cells = [value, {"cell_type": "code", "outputs": [value, mark], "metadata": value, "source": value}]
    path = tmp_path_factory.mktemp("nb") / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    assert len(read_history(path)) >= 2


# --- what is no transcript ---


def test_a_csv_is_refused_with_its_columns(tmp_path: Path) -> None:
    messages_frame(turn(), session_id="s").to_csv(tmp_path / "a.csv", index=False)
    said = refused(tmp_path / "a.csv")
    assert "looks like a CSV table (columns turn_index, created_at" in said
    assert "to_jsonl" in said


class Runs:
    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path / "a.pkl", pickle.dumps(Runs(), protocol=protocol))
    assert "is a pickle" in refused(path) or protocol < 2
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x1f\x8b\x08\0\0", "packed (gzip)"),
        (b"PK\x03\x04zip", "packed (zip)"),
        (b'[{"message_type": "info"}]', "one JSON list"),
        (b"\xff\xfe{\0}\0", "no text"),
        (b"MZ\x90\0\x03", "no text"),
        (b"just words", "Line 1 of"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in refused(written(tmp_path / "a", content))


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in refused(tmp_path / "pipe")
    assert "no regular file" in refused(Path("/dev/zero"))
    assert "cannot be read" in refused(tmp_path)
    assert "cannot be read: No such file" in refused(tmp_path / "absent")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 100)
    write_jsonl(turn(), tmp_path / "a.jsonl")
    assert "at most 100 are read" in refused(tmp_path / "a.jsonl")


def test_the_session_of_a_file_that_says_it_is_not_given_again(tmp_path: Path) -> None:
    write_parquet(messages_frame(turn(), session_id="s"), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="Leave session_id out"):
        read_history(tmp_path / "a.parquet", session_id="t")


def test_a_notebook_that_was_exported_gives_back_its_turns(tmp_path: Path) -> None:
    from secgemini_jupyter.transcript.exports import export
    from tests.transcript.documents import ordinary

    table = read_history(export(ordinary(), tmp_path / "a.ipynb"))
    assert table["message_type"].tolist() == ["query", "result", "info"]
    assert table["content"].tolist()[0] == "Is host web-7 exposed to CVE-2099-0001?"
    assert "web-7 runs 4.1.9" in table["content"].tolist()[1]
