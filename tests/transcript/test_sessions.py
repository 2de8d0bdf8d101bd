"""Sessions and attachments as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from secgemini_jupyter.client.base import ClientCore
from secgemini_jupyter.client.state import SessionState, SessionView
from secgemini_jupyter.models import ModelInfo, PublicSession, PublicSessionFile, State, Usage
from secgemini_jupyter.transcript.parquet import read_parquet, write_parquet
from secgemini_jupyter.transcript.sessions import Attached, attached_in, files_frame, files_in, noted, sessions_frame

from . import strategies

SESSIONS = {
    "name": "string", "session_id": "string", "turns": "Int32", "num_messages": "Int64", "num_files": "Int32",
    "can_log": "boolean", "created_at": "datetime64[us, UTC]", "expires_at": "datetime64[us, UTC]",
    "state": "category", "model": "string", "updated_at": "datetime64[us, UTC]", "ttl_s": "Int64",
    "description": "string", "language": "string", "prompt_tokens": "Int64", "generated_tokens": "Int64",
    "total_tokens": "Int64", "cached_tokens": "Int64", "thoughts_tokens": "Int64", "tool_use_prompt_tokens": "Int64",
    "user_id": "string", "org_id": "string", "host": "string", "is_local": "boolean",
    "logs_table": "string",
}  # fmt: skip
FILES = {
    "file_index": "Int32", "display_name": "string", "size": "Int64", "mime_type": "string",
    "content_type_label": "string", "sha256_server": "string", "sha256_local": "string", "sha256_match": "boolean",
    "name": "string", "session_id": "string",
}  # fmt: skip


def view(**fields: Any) -> SessionView:
    class View(SessionView):
        _core = ClientCore.resolve("a-key", "https://sec.example:8000", None, None)
        _state = SessionState(PublicSession(**fields))

    return View()


def test_the_schema_of_sessions_is_fixed() -> None:
    table = sessions_frame([view(id="a", create_time=5.0, ttl=600, state=State("new"), turns=2**40)])
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == SESSIONS
    row = table.astype(object).iloc[0]
    assert (row["expires_at"] - row["created_at"]).total_seconds() == row["ttl_s"] == 600
    assert (row["state"], row["host"]) == ("other", "sec.example:8000")
    assert table["turns"].isna().all()
    assert_frame_equal(sessions_frame([]), table.iloc[:0])


@pytest.mark.parametrize("seconds", [1e300, float("nan"), -1e18, 253402300800.0])
def test_a_time_outside_the_calendar_is_missing(seconds: float) -> None:
    assert sessions_frame([view(create_time=seconds, update_time=seconds)])["created_at"].isna().all()


sessions = st.builds(
    view, id=strategies.text, name=strategies.text, create_time=st.floats(), update_time=st.floats(),
    turns=st.integers(-(2**40), 2**70), ttl=st.integers(-(2**40), 2**62), usage=st.just(Usage()) | strategies.usages,
    model=st.builds(ModelInfo, model_name=strategies.text, model_string=strategies.text),
    state=strategies.members(State),
)  # fmt: skip


@strategies.few
@given(st.lists(sessions, max_size=4))
def test_any_sessions_survive_parquet(tmp_path_factory: pytest.TempPathFactory, views: list[SessionView]) -> None:
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    table = sessions_frame(views)
    assert_frame_equal(table.iloc[:0], sessions_frame([]))
    write_parquet(table, path)
    assert_frame_equal(read_parquet(path), table)


def attached(*files: PublicSessionFile, session_id: str = "s", is_verified: bool = False) -> list[Attached]:
    return [Attached(session_id, index, file, is_verified) for index, file in enumerate(files)]


def test_the_schema_of_files_is_fixed() -> None:
    table = files_frame(attached(PublicSessionFile("a\u202eb\x1b.log", 5, "ab" * 32, "text/plain")))
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == FILES
    assert_frame_equal(files_frame([]), table.iloc[:0])
    assert table["name"].tolist() == ["a\u202eb\x1b.log"]
    assert not {"\u202e", "\x1b"} & set(table["display_name"].iloc[0])
    assert table["sha256_match"].isna().all()
    ours = files_frame(attached(PublicSessionFile("a", 5, "ab" * 32), is_verified=True))
    assert ours["sha256_local"].tolist() == ["ab" * 32]


files = st.builds(
    PublicSessionFile, strategies.text, st.integers(0, 2**40), st.just("ab" * 32) | st.just(""), strategies.text,
    st.none() | strategies.text,
)  # fmt: skip


@strategies.few
@given(st.lists(files, max_size=4), st.booleans())
def test_any_files_survive_attributes_and_parquet(
    tmp_path_factory: pytest.TempPathFactory, listed: list[PublicSessionFile], is_verified: bool
) -> None:
    rows = attached(*listed, is_verified=is_verified)
    assert attached_in(json.loads(json.dumps({"s": noted(rows)}))) == rows
    assert files_in(files_frame(rows)) == rows
    path: Path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    write_parquet(files_frame(rows), path)
    assert_frame_equal(read_parquet(path), files_frame(rows))


@pytest.mark.parametrize("note", [None, [], "x", [1], [{}], [{"name": 1}], [{"name": "a", "size": "x", "sha256": 3}]])
def test_nonsense_in_attributes_is_no_file_or_a_name_alone(note: Any) -> None:
    assert [each.file.name for each in attached_in({"s": note})] in ([], ["a"])
    files_frame(attached_in({"s": note}))
