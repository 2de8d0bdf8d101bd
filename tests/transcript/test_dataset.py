"""Many sessions in a folder: what is written, how it comes back, who else reads it, and what is refused."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from pyarrow import dataset as pads
from pyarrow import parquet as pq

import secgemini_jupyter.accessor  # noqa: F401  # registers `df.secgemini`
from secgemini_jupyter import disk, read_history
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.transcript import dataset, parquet
from secgemini_jupyter.transcript.messages import COLUMNS, messages_frame
from tests.transcript import strategies
from tests.transcript.frames import turn

STRANGE = ["%2F", "0123", "1e10", "2026-01-02", "NULL", "a/b c", "a=b&c", "true", "ü.", "~$(x)`'\""]
"""Ids in the order of their folders' names; by themselves some read as a number, a date, nothing, or a path."""


def table_of(*names: str) -> pd.DataFrame:
    """Sessions as `client.histories()` gives them, one after the other."""
    frames = [messages_frame(turn(), session_id=name) for name in names]
    table = pd.concat(frames, ignore_index=True)
    table.attrs = {name: value for name, value in frames[0].attrs.items() if name != "session_id"}
    file = {"name": "a.log", "size": 3, "sha256": "0" * 64, "mime_type": "text/plain", "content_type_label": None}
    table.attrs |= {"models": dict.fromkeys(names, "m"), "files": {name: [file] for name in names[:2]}}
    return table


def in_folders_order(names: list[str]) -> list[str]:
    return sorted(names, key=dataset.partition)


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets") / "strange"
    table_of(*STRANGE).secgemini.to_parquet_dataset(folder)
    return folder


@pytest.fixture
def two(tmp_path: Path) -> Path:
    table_of("a", "b").secgemini.to_parquet_dataset(tmp_path / "two")
    return tmp_path / "two"


def refused(folder: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_history(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- our own reader ---


def test_many_sessions_come_back_exactly(strange: Path) -> None:
    table = table_of(*in_folders_order(STRANGE))
    read = read_history(strange)
    assert_frame_equal(read, table)
    assert read.attrs == table.attrs | {"generated_at": read.attrs["generated_at"], "files": read.attrs["files"]}
    assert sorted(read.attrs["files"]) == sorted(STRANGE[:2])
    assert read.secgemini.turns()["status"].tolist() == ["ok"] * len(STRANGE)
    assert read.secgemini.files()["name"].tolist() == ["a.log", "a.log"]
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in read_history(strange, dtype_backend="pyarrow").dtypes)


def test_chosen_sessions_come_in_the_order_asked_for_and_others_are_not_opened(two: Path) -> None:
    (two / "session_id=c").mkdir()
    (two / "session_id=c" / "messages.parquet").write_bytes(b"damaged")
    assert_frame_equal(read_history(two, sessions=["b", "a", "b"]), table_of("b", "a"))
    saved = table_of("b").secgemini.to_parquet_dataset(two)
    assert read_history(two, sessions=saved)["session_id"].unique().tolist() == ["b"]
    assert_frame_equal(read_history(two, sessions=[]), messages_frame([], session_id=""))
    assert read_history(two, sessions=[]).attrs["secgemini_schema"] == "messages/1"
    assert "does not hold 1 of 2 sessions: x. Leave" in refused(two, sessions=["a", "x"])
    assert "one text" in refused(two, sessions="a")
    assert "no folder" in refused(two / "session_id=a" / "messages.parquet", sessions=["a"])


def test_a_file_of_it_knows_its_session_wherever_it_is(strange: Path, tmp_path: Path) -> None:
    (path,) = (strange / dataset.partition("a/b c")).iterdir()
    alone = Path(shutil.copy(path, tmp_path / "alone.parquet"))
    for place in (path, Path(os.path.relpath(path)), alone):
        table = read_history(place)
        assert_frame_equal(table, messages_frame(turn(), session_id="a/b c"))
        assert table.attrs["session_id"] == "a/b c"
        assert table.attrs["models"] == {"a/b c": "m"}


@settings(strategies.few, max_examples=12)
@given(st.dictionaries(st.text(min_size=1, max_size=20), st.lists(strategies.messages, max_size=3), max_size=4))
def test_any_messages_come_back(tmp_path_factory: pytest.TempPathFactory, sessions: dict[str, list[Any]]) -> None:
    frames = [messages_frame(sessions[name], session_id=name) for name in in_folders_order(list(sessions))]
    frames = [each for each in frames if len(each)]
    folder = tmp_path_factory.mktemp("any") / "dataset"
    if frames:
        table = pd.concat(frames, ignore_index=True)
        table.sample(frac=1, random_state=1).sort_values("message_index", kind="stable").secgemini.to_parquet_dataset(
            folder
        )
        assert_frame_equal(read_history(folder), table)


# --- other readers ---


def by_pandas(folder: Path, session_id: str) -> tuple[set[Any], int]:
    partitioning = pads.partitioning(pa.schema([("session_id", pa.string())]), flavor="hive")
    some = pd.read_parquet(folder, partitioning=partitioning, filters=[("session_id", "==", session_id)])
    every = pd.read_parquet(folder, partitioning=partitioning, columns=["session_id"])
    return set(every["session_id"]), len(some)


def by_duckdb(folder: Path, session_id: str) -> tuple[set[Any], int]:
    import duckdb

    source = f"read_parquet('{folder}/*/*.parquet', hive_types={{'session_id': VARCHAR}})"
    every = duckdb.sql(f"SELECT DISTINCT session_id FROM {source}").fetchall()
    some = duckdb.execute(f"SELECT count(*) FROM {source} WHERE session_id = ?", [session_id]).fetchall()
    return {name for (name,) in every}, some[0][0]


def by_polars(folder: Path, session_id: str) -> tuple[set[Any], int]:
    import polars as pl

    scan = pl.scan_parquet(folder, hive_schema={"session_id": pl.String})
    every = scan.select("session_id").unique().collect()["session_id"].to_list()
    return set(every), scan.filter(pl.col("session_id") == session_id).select(pl.len()).collect().item()


def by_dask(folder: Path, session_id: str) -> tuple[set[Any], int]:
    import dask.dataframe as dd

    partitioning = {"flavor": "hive", "schema": pa.schema([("session_id", pa.string())])}
    every = dd.read_parquet(folder, dataset={"partitioning": partitioning})
    some = dd.read_parquet(folder, dataset={"partitioning": partitioning}, filters=[("session_id", "==", session_id)])
    return set(every["session_id"].compute()), len(some)


READERS = [by_pandas, by_duckdb, by_polars, by_dask]


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of pandas 3.1, for what Dask 2026.8 does inside
@pytest.mark.parametrize("reader", READERS)
def test_other_readers_see_the_ids_as_they_are(
    strange: Path, tmp_path: Path, reader: Callable[[Path, str], tuple[set[Any], int]]
) -> None:
    assert reader(strange, "a/b c") == (set(STRANGE), 12)
    table_of("0123", "45").secgemini.to_parquet_dataset(tmp_path / "digits")
    assert reader(tmp_path / "digits", "0123") == ({"0123", "45"}, 12)


def test_pandas_has_our_dtypes_texts_in_the_place_of_categories(two: Path) -> None:
    table = pd.read_parquet(two)
    expected = table_of("a", "b")
    for name, dtype in expected.drop(columns="session_id").dtypes.items():
        texts = {"str", "object"}  # of pandas 3, and of 2
        assert str(table[name].dtype) in (texts if dtype == "category" else {str(dtype)}), name
    alone = pd.read_parquet(two / "session_id=a" / "messages.parquet")
    assert alone.attrs["session_id"] == "a"
    assert alone.attrs["models"] == {"a": "m"}


# --- writing ---


def test_what_is_written_again_is_replaced_and_others_stay(two: Path) -> None:
    changed = table_of("b", "c")
    changed = changed[changed["message_type"] == "query"]
    saved = changed.secgemini.to_parquet_dataset(two)
    assert saved["session_id"].tolist() == ["b", "c"]
    assert saved["status"].tolist() == ["saved", "saved"]
    assert saved["rows"].tolist() == [1, 1]
    assert saved["bytes"].tolist() == [Path(path).stat().st_size for path in saved["path"]]
    assert read_history(two).groupby("session_id").size().to_dict() == {"a": 12, "b": 1, "c": 1}
    assert stat.S_IMODE(Path(saved["path"][1]).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(saved["path"][1]).parent.stat().st_mode) == 0o700


def test_a_write_that_fails_leaves_what_was_there(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        table_of("a", "c").secgemini.to_parquet_dataset(two)
    assert not list(two.rglob("*.tmp"))
    assert_frame_equal(read_history(two), table_of("a", "b"))


def test_a_table_without_rows_writes_no_session(tmp_path: Path) -> None:
    assert len(messages_frame([], session_id="s").secgemini.to_parquet_dataset(tmp_path / "none")) == 0
    assert "holds no sessions" in refused(tmp_path / "none")


@pytest.mark.parametrize("session_id", ["", "x" * 245, "ä" * 41, "__HIVE_DEFAULT_PARTITION__"])
def test_an_id_that_makes_no_name_is_refused_before_anything_is_written(tmp_path: Path, session_id: str) -> None:
    with pytest.raises(InputError, match="makes no folder's name"):
        table_of("a", session_id).secgemini.to_parquet_dataset(tmp_path / "d")
    assert not (tmp_path / "d").exists()
    assert len(dataset.partition("x" * 244)) == 255


def test_rows_without_a_session_are_refused(tmp_path: Path) -> None:
    table = table_of("a", "b")
    table.loc[3:5, "session_id"] = pd.NA
    with pytest.raises(InputError, match="3 rows have no session_id"):
        table.secgemini.to_parquet_dataset(tmp_path / "d")


def test_a_folder_of_something_else_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for place, said in (
        (tmp_path, "'notes.txt' is no session_id=ID/messages.parquet"),
        (tmp_path / "notes.txt", "File exists"),
        (tmp_path / "a" / "b", "No such file"),
        ("a\0b", "null byte"),
    ):
        with pytest.raises(InputError, match=said):
            table_of("a").secgemini.to_parquet_dataset(place)
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


# --- what is not read ---


def put(folder: Path, session_id: str, table: pd.DataFrame) -> Path:
    path = folder / dataset.partition(session_id) / "messages.parquet"
    path.parent.mkdir(exist_ok=True)
    table.to_parquet(path)
    return path


def test_what_other_programs_leave_there_is_passed_over(two: Path) -> None:
    (two / "_SUCCESS").touch()
    (two / ".DS_Store").touch()
    (two / "session_id=a" / ".messages.parquet.x.tmp").touch()
    (two / "session_id=cut").mkdir()
    assert_frame_equal(read_history(two), table_of("a", "b"))


@pytest.mark.parametrize(
    "name", ["other.parquet", "session_id=a/more.parquet", "session_id=/messages.parquet", "other=a/messages.parquet",
             "session_id=%FF/messages.parquet", "session_id=c/messages.parquet/x",
             "session_id=__HIVE_DEFAULT_PARTITION__/messages.parquet"],
)  # fmt: skip
def test_a_strange_file_is_named(two: Path, name: str) -> None:
    (two / name).parent.mkdir(parents=True, exist_ok=True)
    (two / name).write_bytes((two / "session_id=b" / "messages.parquet").read_bytes())
    said = refused(two)
    assert name.split("/")[0] in said
    assert "Remove it, or give another folder" in said


def test_two_folders_of_one_session_are_refused(two: Path) -> None:
    shutil.copytree(two / "session_id=a", two / "session_id=%61")
    assert "there twice" in refused(two)


@pytest.mark.parametrize("name", ["session_id=c", "session_id=c/messages.parquet"])
def test_a_link_out_of_the_folder_is_neither_read_nor_written_through(two: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / "other"
    table_of("c").secgemini.to_parquet_dataset(other)
    (two / name).parent.mkdir(exist_ok=True)
    (two / name).symlink_to(other / name)
    before = (other / "session_id=c" / "messages.parquet").read_bytes()
    assert f"'{name}' is no" in refused(two)
    assert f"'{name}' is no" in refused(two, sessions=["a", "c"])
    with pytest.raises(InputError, match="is no"):
        table_of("c").head(1).secgemini.to_parquet_dataset(two)
    with pytest.raises(InputError, match="leads elsewhere"):
        dataset.write(table_of("c").head(1), two, "c")
    assert (other / "session_id=c" / "messages.parquet").read_bytes() == before


def test_a_file_of_another_session_is_refused(two: Path) -> None:
    (two / "session_id=b").rename(two / "session_id=c")
    said = "says that it is of session 'b', its folder says 'c'"
    assert said in refused(two)
    assert said in refused(two / "session_id=c" / "messages.parquet")


def test_a_file_of_something_else_is_refused(two: Path) -> None:
    table = table_of("c")
    path = put(two, "c", table)
    assert "has a column session_id, which its folder's name tells" in refused(two)
    put(two, "c", table.drop(columns="session_id").rename(columns={"content": "contents"}))
    assert "lacks the columns content (perhaps renamed: contents for content)" in refused(two)
    path.write_bytes(b"PAR1" + b"\0" * 50)
    assert "cannot be read as Parquet" in refused(two)
    path.unlink()
    os.mkfifo(path)
    assert "is no session_id=ID/messages.parquet" in refused(two)
    turns = table_of("c").drop(columns="session_id")
    path.unlink()
    turns.attrs = {"secgemini_schema": "turns/1"}
    put(two, "c", turns)
    assert "holds turns/1, not messages" in refused(two)


def test_a_column_of_another_kind_is_refused(two: Path) -> None:
    for wrong in ([["a"]] * 12, ["a"] * 12):
        put(two, "c", table_of("c").drop(columns="session_id").assign(status_code=wrong))
        assert "cannot be read" in refused(two) or "does not fit" in refused(two)


def test_files_of_other_programs_are_read(two: Path) -> None:
    """Without our notes, with more columns, categories and numbers of another width, in another order."""
    table = table_of("c").drop(columns="session_id")
    other = table.astype({"status_code": "Int64", "state": object, "actor": "category"})[sorted(table.columns)]
    other.attrs = {}
    put(two, "c", other.assign(more=1))
    read = read_history(two)
    assert_frame_equal(read, table_of("a", "b", "c"))
    assert read.attrs["models"] == {"a": "m", "b": "m"}


@pytest.mark.parametrize("attrs", ["[1]", '{"models": 3, "files": [], "session_id": "c"}', "{", "[" * 100_000])
def test_nonsense_in_the_notes_is_passed_over(two: Path, attrs: str) -> None:
    path = put(two, "c", table_of("c").drop(columns="session_id"))
    written = pq.read_table(path)
    pq.write_table(written.replace_schema_metadata({"PANDAS_ATTRS": attrs}), path)
    assert_frame_equal(read_history(two), table_of("a", "b", "c"))


def test_more_than_fits_is_refused_by_the_metadata_before_anything_is_read(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("it was read"))
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "MAX_ROWS", 20)  # each alone would fit
        assert "two' says that it holds 24 rows" in refused(two)
    rows = 30_000_000
    column = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), rows), pa.array(["x" * 1000]))
    path = put(two, "c", table_of("c"))
    pq.write_table(pa.table({"content": column}), path, row_group_size=rows)
    assert path.stat().st_size < 5_000_000
    assert "messages.parquet' says that it holds 30,000,000 rows" in refused(two)


def test_texts_that_repeat_take_their_place_once(two: Path) -> None:
    """A dictionary that is unfolded row by row would take 25 GB here."""
    table = table_of("c").iloc[[3] * 50_000]
    columns = {name: pa.array(table[name]) for name in COLUMNS if name not in ("content", "session_id")}
    content = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), len(table)), ["x" * 500_000])
    pq.write_table(pa.table({**columns, "content": content}), put(two, "c", table_of("c")))
    read = read_history(two, sessions=["c", "a"])
    assert read["content"].iloc[0] is read["content"].iloc[49_999]
    assert len(read) == 50_012


def test_without_pyarrow_it_is_said_what_to_install(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert "needs pyarrow" in refused(two)
    with pytest.raises(InputError, match="needs pyarrow"):
        table_of("a").secgemini.to_parquet_dataset(two)
