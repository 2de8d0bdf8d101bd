"""The table of messages: schema `messages/1`."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from secgemini_jupyter.errors import InputError, ProtocolError
from secgemini_jupyter.models import Message, MessageType, Role, State, read_message, read_stored_message
from secgemini_jupyter.transcript.columns import conform
from secgemini_jupyter.transcript.messages import COLUMNS, finished, messages_frame
from secgemini_jupyter.transcript.parquet import read_parquet, write_parquet
from secgemini_jupyter.transcript.restore import turns_of
from secgemini_jupyter.transcript.rows import PROBLEMS
from secgemini_jupyter.transcript.turns import frame_of_turns

from . import strategies
from .frames import message, turn

DTYPES = {
    "turn_index": "Int32", "created_at": "datetime64[us, UTC]", "actor": "string", "message_type": "category",
    "state": "category", "title": "string", "content": "string", "status_code": "Int32", "status_message": "string",
    "is_error": "boolean", "role": "category", "mime_type": "string", "is_binary": "boolean", "content_bytes": "Int64",
    "content_sha256": "string", "prompt_tokens": "Int64", "generated_tokens": "Int64", "total_tokens": "Int64",
    "cached_tokens": "Int64", "thoughts_tokens": "Int64", "tool_use_prompt_tokens": "Int64", "session_id": "string",
    "message_index": "Int32", "message_id": "string", "parent_id": "string", "turn_id": "string",
    "wire_turn": "string", "group_id": "string", "depth": "Int32", "received_at": "datetime64[us, UTC]",
    "source": "category", "problems": "string", "extra": "string", "change": "string", "changed_by": "string",
}  # fmt: skip


def one(value: Message) -> dict[str, Any]:
    """The only row of a table, missing values as None."""
    row = messages_frame([value], session_id="s").astype(object).iloc[0]
    return {str(name): None if pd.isna(item) else item for name, item in row.items()}


def extra(value: Message) -> Any:
    text = one(value)["extra"]
    return None if text is None else json.loads(text)


def test_the_schema_is_fixed() -> None:
    table = messages_frame(turn(), session_id="s")
    assert {name: str(dtype).partition("[py")[0] for name, dtype in table.dtypes.items()} == DTYPES
    assert list(table.columns) == list(COLUMNS)


def test_an_empty_table_has_the_same_columns_dtypes_and_categories() -> None:
    assert_frame_equal(messages_frame([], session_id="s"), messages_frame(turn(), session_id="s").iloc[:0])


def test_a_turn_as_a_table() -> None:
    table = messages_frame(turn(), session_id="s")
    expected = pd.DataFrame(
        {
            "turn_index": pd.array([1, 1, 1], dtype="Int32"),
            "created_at": pd.to_datetime(
                ["2025-10-09T08:55:00Z", "2025-10-09T08:55:05.2Z", "2025-10-09T08:55:05.3Z"], format="ISO8601"
            ).astype("datetime64[us, UTC]"),
            "actor": pd.array(["user", "vulnerability_agent", "orchestrator"], dtype=pd.StringDtype("python")),
            "content": pd.array(
                ["Is host web-7 exposed to CVE-2099-0001?", "Yes. web-7 runs 4.1.9 and the fix is in 4.2.1.\n", "end"],
                dtype=pd.StringDtype("python"),
            ),
            "total_tokens": pd.array([0, 1468, None], dtype="Int64"),
            "turn_id": pd.array(["s:1"] * 3, dtype=pd.StringDtype("python")),
            "is_error": pd.array([False] * 3, dtype="boolean"),
        },
        index=[0, 10, 11],
    )
    assert_frame_equal(table.loc[[0, 10, 11], list(expected.columns)], expected)
    assert table["message_type"].value_counts()[["info", "debug", "query", "result"]].tolist() == [5, 2, 1, 1]
    assert table["extra"].isna().all()
    assert table["message_index"].tolist() == list(range(12))


def test_attrs_say_what_the_table_is_and_are_json() -> None:
    attrs = messages_frame(turn(), session_id="s").attrs
    assert attrs["secgemini_schema"] == "messages/1"
    assert attrs["session_id"] == "s"
    assert str(attrs["producer"]).startswith("secgemini-jupyter ")
    assert pd.Timestamp(attrs["generated_at"]).tzinfo is not None
    assert json.loads(json.dumps(attrs)) == attrs


def test_turns_count_the_queries_and_what_stands_before_has_none() -> None:
    stray = message("info", "start", "hello", id="x", at=0)
    table = messages_frame([stray, *turn(), stray, *turn()], session_id="s")
    assert table["turn_index"].tolist() == [0] + [1] * 13 + [2] * 12
    assert table["turn_id"].iloc[0] == "s:0"


def test_messages_of_a_later_turn_without_its_prompt_keep_its_number() -> None:
    table = messages_frame(turn()[1:], session_id="s", turn_index=4)
    assert table["turn_id"].unique().tolist() == ["s:4"]


@pytest.mark.parametrize("field", ["message_type", "state", "role"])
def test_an_unknown_enum_value_is_other_and_its_value_is_kept(field: str) -> None:
    strange = read_message(
        json.dumps({"message_type": "info", "created_at": 1, "timestamp": 1, field: "hologram"}).encode()
    )
    assert one(strange)[field] == "other"
    assert extra(strange) == {field: "hologram"}


def test_unknown_fields_and_fields_without_a_column_are_kept() -> None:
    details = {"prompt_tokens": 3, "prompt_tokens_details": [{"modality": "TEXT", "token_count": 3}], "audio": 4}
    value = message("info", "start", "x", id="a", at=0, trace=[1], icon="<svg>", text_color="red", usage=details)
    assert extra(value) == {
        "trace": [1], "icon": "<svg>", "text_color": "red",
        "usage": {"prompt_tokens_details": [{"modality": "TEXT", "token_count": 3}], "audio": 4},
    }  # fmt: skip


def test_a_binary_content_is_counted_and_hashed_but_not_shown() -> None:
    raw = bytes(range(256))
    value = message("result", "agent_done", base64.b64encode(raw).decode(), id="a", at=0, mime_type="image/png")
    row = one(value)
    assert (row["content"], row["is_binary"], row["content_bytes"]) == (None, True, 256)
    assert row["content_sha256"] == hashlib.sha256(raw).hexdigest()


def test_text_is_counted_in_bytes() -> None:
    row = one(message("result", "agent_done", "grün", id="a", at=0, mime_type=None))
    assert (row["content"], row["is_binary"], row["content_bytes"], row["mime_type"]) == ("grün", False, 5, None)
    assert row["content_sha256"] == hashlib.sha256("grün".encode()).hexdigest()


def test_no_content_is_missing_and_an_empty_one_is_empty() -> None:
    none, empty = (one(message("info", "start", text, id="a", at=0)) for text in (None, ""))
    assert (none["content"], none["content_bytes"], none["content_sha256"]) == (None, None, None)
    assert (empty["content"], empty["content_bytes"]) == ("", 0)


@pytest.mark.parametrize(
    ("created_at", "timestamp", "shown", "kept"),
    [
        (253402300799.0, 253402300799, "9999-12-31 23:59:59+00:00", None),
        (1760000100.123456, 1760000100, "2025-10-09 08:55:00.123456+00:00", None),
        (-1.5, -2, "1969-12-31 23:59:58.500000+00:00", None),
        ("NaN", 1760000100, "2025-10-09 08:55:00+00:00", {"created_at": "NaN", "timestamp": 1760000100}),
        (None, 0, None, {"created_at": None}),
        (1e300, 0, None, {"created_at": 1e300, "timestamp": 0}),
        (0, 2**70, None, {"timestamp": 2**70}),
        (1760000100.0, 5, "2025-10-09 08:55:00+00:00", {"timestamp": 5}),
        (0, 10**400, None, {"timestamp": 10**400}),
        (1760000100.0, 10**400, "2025-10-09 08:55:00+00:00", {"timestamp": 10**400}),
    ],
)
def test_times(created_at: Any, timestamp: int, shown: str | None, kept: Any) -> None:
    value = message("info", "start", "x", id="a", at=0, created_at=created_at, timestamp=timestamp)
    row = one(value)
    assert (None if row["created_at"] is None else str(row["created_at"])) == shown
    assert extra(value) == kept


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, None),
        ({"created_at": "NaN"}, "bad_time"),
        ({"created_at": "yesterday"}, "bad_time"),
        ({"created_at": 253402300799.0}, "bad_time"),
        ({"created_at": 1e300}, "bad_time"),
        ({"created_at": 0, "timestamp": 0}, None),
        ({"status_code": 2**40}, "bad_number"),
        ({"usage": {"total_tokens": 2**63}}, "bad_number"),
        ({"usage": {"total_tokens": 5, "new": 1}}, None),
        ({"usage": 5}, "bad_field"),
        ({"actor": [1]}, "bad_field"),
        ({"title": "a\ud800"}, "bad_text"),
        ({"content": "a\ufffdb"}, "bad_text"),
        ({"message_type": "hologram", "state": "new", "role": "judge"}, None),
        ({"parent_id": "nowhere", "created_at": "x", "status_code": 2**70, "title": "\ud800"},
         "parent_missing bad_time bad_number bad_text"),
        ({"parent_id": "a"}, "parent_circle"),
        ({"trace": "\ud800"}, None),
    ],
)  # fmt: skip
def test_a_message_with_problems_is_kept_and_says_which(fields: dict[str, Any], words: str | None) -> None:
    value = message(**({"message_type": "info", "state": "start", "content": "x", "id": "a", "at": 0} | fields))
    assert one(value)["problems"] == words
    assert set((words or "").split()) <= set(PROBLEMS)
    table = messages_frame([*turn(), value], session_id="s")
    if words is None:
        assert finished(table, strict=True, dtype_backend="numpy_nullable") is table
    else:
        with pytest.raises(ProtocolError, match=rf"1 of 13 messages .*: 12 \({words}\)\."):
            finished(table, strict=True, dtype_backend="numpy_nullable")


def test_what_is_no_message_at_all_is_kept_as_text() -> None:
    row = one(read_stored_message(b"[1, 2"))
    assert (row["problems"], row["content"], row["message_type"]) == ("unreadable", "[1, 2", "other")


def test_many_rows_with_problems_are_counted() -> None:
    table = messages_frame([message("info", "start", "x", id="a", at=0, parent_id="b")] * 30, session_id="s")
    with pytest.raises(ProtocolError, match=r"30 of 30 .* 9 \(parent_missing\), and 20 more\."):
        finished(table, strict=True, dtype_backend="numpy_nullable")


@pytest.mark.parametrize("messages", [[], turn()])
def test_arrow_dtypes_hold_the_same(tmp_path: Path, messages: list[Message]) -> None:
    table = messages_frame(messages, session_id="s")
    arrow = finished(table, strict=False, dtype_backend="pyarrow")
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in arrow.dtypes)
    assert arrow.attrs == table.attrs
    assert_frame_equal(conform(arrow, COLUMNS), table)
    assert_frame_equal(turns_of_table(arrow), turns_of_table(table))
    arrow.to_parquet(tmp_path / "a.parquet")
    assert_frame_equal(read_parquet(tmp_path / "a.parquet"), table)
    with pytest.raises(InputError, match="'numpy_nullable' or 'pyarrow'"):
        finished(table, strict=False, dtype_backend="polars")  # type: ignore[arg-type]


def turns_of_table(table: pd.DataFrame) -> pd.DataFrame:
    return frame_of_turns(turns_of(table))


def test_a_time_that_is_nan_in_the_struct_is_missing() -> None:
    assert one(Message(message_type=MessageType.INFO, created_at=math.nan, timestamp=0))["created_at"] is None


def test_numbers_that_no_column_holds_are_missing_and_kept() -> None:
    value = message("info", "start", "x", id="a", at=0, status_code=2**40, usage={"total_tokens": 2**63})
    row = one(value)
    assert (row["status_code"], row["total_tokens"], row["prompt_tokens"]) == (None, None, 0)
    assert extra(value) == {"status_code": 2**40, "usage": {"total_tokens": 2**63}}


def test_depth_follows_the_parents_and_circles_and_orphans_are_told() -> None:
    parents = ["3713", "a", "b", "nowhere", "f", "e", "f", "h"]
    rows = [
        message("info", "start", name, id=name, at=0, parent_id=p) for name, p in zip("abcdefgh", parents, strict=True)
    ]
    table = messages_frame(rows, session_id="s")
    assert table["depth"].tolist() == [0, 1, 2, 0, 0, 0, 1, 0]
    notes = [None if pd.isna(words) else words for words in table["problems"]]
    circle = "parent_circle"
    assert notes == [None, None, None, "parent_missing", circle, circle, None, circle]
    assert table["extra"].isna().all()


def test_repeated_ids_take_the_nearest_parent_before_them() -> None:
    pairs = [("a", "3713"), ("b", "a"), ("a", "b"), ("c", "a"), ("d", "e"), ("e", "3713")]
    rows = [message("info", "start", "", id=name, at=0, parent_id=parent) for name, parent in pairs]
    assert messages_frame(rows, session_id="s")["depth"].tolist() == [0, 1, 2, 3, 1, 0]


def test_a_chain_of_100_000_parents_is_walked_once() -> None:
    rows = [Message(id=f"m{i}", parent_id=f"m{i + 1}", message_type=MessageType.INFO) for i in range(100_000)]
    assert messages_frame(rows, session_id="s")["depth"].iloc[0] == 99_999


@pytest.mark.parametrize(
    ("received_at", "expected"), [(None, [None, None]), (5.5, [5.5, 5.5]), ([1.0, None], [1.0, None])]
)
def test_the_time_of_arrival_is_one_or_one_for_each(received_at: Any, expected: list[float | None]) -> None:
    table = messages_frame(turn()[:2], session_id="s", source="live", received_at=received_at)
    assert [None if pd.isna(time) else time.timestamp() for time in table["received_at"]] == expected
    assert table["source"].tolist() == ["live", "live"]


@strategies.few
@given(st.lists(strategies.messages, max_size=6))
def test_any_messages_make_a_table_of_the_schema(messages: list[Message]) -> None:
    table = messages_frame(messages, session_id="s")
    assert len(table) == len(messages)
    assert_frame_equal(table.iloc[:0], messages_frame([], session_id="s"))
    table["extra"].dropna().map(json.loads)


@strategies.few
@given(st.lists(strategies.messages, max_size=4))
def test_parquet_gives_back_the_same_table(tmp_path_factory: pytest.TempPathFactory, messages: list[Message]) -> None:
    path = tmp_path_factory.mktemp("parquet") / "table.parquet"
    table = messages_frame(messages, session_id="s", received_at=1.25)
    write_parquet(table, path)
    read = read_parquet(path)
    assert_frame_equal(read, table)
    assert read.attrs == table.attrs


def test_a_parquet_file_of_something_else_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="no table of ours"):
        read_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_parquet(tmp_path / "absent.parquet")


def test_tables_of_several_sessions_keep_their_dtypes_together() -> None:
    both = pd.concat([messages_frame(turn(), session_id="a"), messages_frame([], session_id="b")])
    assert_frame_equal(both, messages_frame(turn(), session_id="a"))


def test_a_table_that_lost_its_dtypes_gets_them_back() -> None:
    table = messages_frame(turn(), session_id="s")
    loose = table.astype({"message_type": object, "content": object, "turn_index": "int64"})
    assert_frame_equal(conform(loose, COLUMNS), table)
    with pytest.raises(InputError, match="lacks the columns actor"):
        conform(table.drop(columns="actor"), COLUMNS)
    with pytest.raises(InputError, match="status_code does not fit"):
        conform(table.assign(status_code="abc"), COLUMNS)


def test_the_table_is_the_same_without_pyarrow() -> None:
    """A second Python that cannot import pyarrow makes the same dtypes and values."""
    code = """
import sys
class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent)
import pandas as pd
from secgemini_jupyter.transcript.jsonl import from_jsonl
from secgemini_jupyter.transcript.messages import messages_frame
table = messages_frame(from_jsonl(sys.stdin.buffer.read()), session_id="s")
categories = [str(table[name].cat.categories.dtype) for name in ("role", "state", "source")]
print(repr([[repr(t) for t in table.dtypes], categories]), table.to_json(date_format='iso', date_unit='us'), sep="\\n")
"""
    table = messages_frame(turn(), session_id="s")
    stdin = b"".join(message.to_json() + b"\n" for message in turn())
    run = subprocess.run([sys.executable, "-c", code], input=stdin, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    dtypes, values = run.stdout.decode().splitlines()
    assert dtypes == repr([[repr(t) for t in table.dtypes], ["object"] * 3])
    assert json.loads(values) == json.loads(table.to_json(date_format="iso", date_unit="us"))


def test_neither_pandas_nor_pyarrow_is_imported_with_the_modules() -> None:
    names = "columns jsonl iocs lineage messages parquet restore tree turns"
    code = "import sys\n" + "".join(f"import secgemini_jupyter.transcript.{name}\n" for name in names.split())
    code += "sys.exit(any(name in sys.modules for name in ('pandas', 'numpy', 'pyarrow')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lone_surrogates_cannot_reach_a_table() -> None:
    value = read_message(b'{"message_type": "info", "content": "a\\ud800"}')
    assert one(value)["content"] == "a\ufffd"


def test_every_known_label_is_a_category_of_its_own() -> None:
    labels = zip(list(MessageType) * 2, list(State) * 2, list(Role) * 9, strict=False)
    rows = [Message(message_type=kind, state=state, role=role) for kind, state, role in labels]
    table = messages_frame(rows, session_id="s")
    for name in ("message_type", "state", "role"):
        assert table[name].tolist() == [getattr(row, name).value for row in rows]
    assert set(table["state"]) == set(State)
