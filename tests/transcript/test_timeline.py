"""What happened when, as a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.parquet import read_parquet, write_parquet
from secgemini_jupyter.transcript.restore import turns_of
from secgemini_jupyter.transcript.timeline import timeline_frame
from secgemini_jupyter.transcript.turns import turn_slices

from . import strategies
from .frames import message, turn

DTYPES = {
    "started_at": "datetime64[us, UTC]", "ended_at": "datetime64[us, UTC]", "duration_s": "Float64",
    "kind": "string", "actor": "string", "label": "string", "is_error": "boolean", "turn_index": "Int32",
    "message_id": "string", "session_id": "string", "turn_id": "string",
}  # fmt: skip


def timeline(*messages: Message) -> pd.DataFrame:
    return timeline_frame(turn_slices(messages, session_id="s"))


def test_the_schema_is_fixed() -> None:
    table = timeline(*turn())
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == DTYPES
    assert_frame_equal(timeline(), table.iloc[:0])


def test_a_turn_in_its_order() -> None:
    table = timeline(*turn())
    assert table["kind"].tolist() == ["prompt", "thinking", "tool", "tool", "answer"]
    assert table["message_id"].tolist() == ["d01", "d04", "d05", "d09", "d10"]
    assert table["duration_s"].round(3).tolist() == [0, 0, 0.8, 0.4, 0]
    assert table["label"].iloc[2].startswith('lookup_cve(cve="CVE-2099-0001")')
    assert table["is_error"].tolist() == [False] * 5


def test_failures_and_what_has_no_result() -> None:
    failed = message("error", "undefined", None, id="e", at=9, status_code=429, status_message="QUOTA_EXCEEDED")
    table = timeline(*turn()[:5], failed).astype(object)
    assert table["kind"].tolist() == ["prompt", "thinking", "tool", "error"]
    assert table["label"].iloc[3] == "QUOTA_EXCEEDED"
    assert table["is_error"].iloc[3] is True
    assert table[["is_error", "ended_at", "duration_s"]].iloc[2].isna().all()


def test_labels_are_harmless() -> None:
    hostile = message("result", "agent_done", "\x1b[2Jsee http://evil.example/\n# more", id="r", at=1)
    (label,) = timeline(hostile)["label"]
    assert "\x1b" not in label
    assert "\n" not in label
    assert "http://evil.example" not in label


@strategies.few
@given(st.lists(strategies.messages, max_size=6))
def test_any_messages_have_a_timeline_that_survives_parquet(
    tmp_path_factory: pytest.TempPathFactory, messages: list[Message]
) -> None:
    table = timeline(*messages)
    assert table["label"].notna().all()
    assert_frame_equal(table.iloc[:0], timeline())
    through = timeline_frame(turns_of(messages_frame(messages, session_id="s")))
    assert through["kind"].tolist() == table["kind"].tolist()
    path: Path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    write_parquet(table, path)
    assert_frame_equal(read_parquet(path), table)
