"""`df.secgemini.verify()`: rows against their own hashes, prompts and answers against the log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from secgemini_jupyter import activity, read_history, secgemini_tool
from secgemini_jupyter.activity.recorder import flush
from secgemini_jupyter.client.sync import InteractiveSession, SecGemini
from secgemini_jupyter.errors import InputError, ServiceError
from secgemini_jupyter.transcript.parquet import read_parquet, write_parquet
from tests.conftest import LocalService


@pytest.fixture
def session(
    local_service: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[InteractiveSession]:
    """Three turns with a binary message in one of them."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        made = client.create_session()
        for prompt in ("one", "two [[type image/png iVBORw0KGgo=]]", "three"):
            made.query(prompt)
        yield made
        made.delete()


def found(result: Any) -> list[tuple[str, str, int | None]]:
    return [(finding.problem, finding.where, finding.row) for finding in result.findings]


def resealed(table: pd.DataFrame, row: int, text: str) -> pd.DataFrame:
    """Edited with a hash beside it that fits."""
    edited = table.copy()
    edited.loc[row, "content"] = text
    edited.loc[row, "content_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    edited.loc[row, "content_bytes"] = len(text.encode())
    return edited


def rows_of(table: pd.DataFrame, kind: str) -> list[int]:
    return [int(row) for row in table.index[table["message_type"] == kind]]


def test_a_history_is_as_it_was(session: InteractiveSession, tmp_path: Path) -> None:
    table = session.history()
    assert found(table.secgemini.verify(head=session.head())) == []
    assert table.secgemini.verify()
    pytest.importorskip("pyarrow")
    write_parquet(table, tmp_path / "a.parquet")
    assert read_parquet(tmp_path / "a.parquet").secgemini.verify()


def test_an_edited_content_is_named(session: InteractiveSession) -> None:
    table = session.history()
    table.loc[3, "content"] = "something else"
    assert found(table.secgemini.verify()) == [("edited", "transcript", 3)]
    table.loc[3, "content"] = pd.NA
    assert found(table.secgemini.verify()) == [("edited", "transcript", 3)]


def test_a_prompt_or_answer_that_was_edited_with_its_hash_is_named_by_the_log(session: InteractiveSession) -> None:
    table = session.history()
    prompt, answer = rows_of(table, "query")[1], rows_of(table, "result")[-1]
    assert found(resealed(table, prompt, "another prompt").secgemini.verify()) == [("edited", "transcript", prompt)]
    result = resealed(table, answer, "another answer").secgemini.verify()
    assert found(result) == [("edited", "transcript", answer)]
    assert "the answer of turn 3" in repr(result)


def test_rows_that_were_removed_moved_or_repeated_are_named(session: InteractiveSession) -> None:
    table = session.history()
    assert found(table.drop(index=[2]).secgemini.verify()) == [("removed", "transcript", 2)]
    order = [0, 1, 4, 2, 3, *range(5, len(table))]
    assert found(table.iloc[order].secgemini.verify()) == [("reordered", "transcript", 4)]
    again = pd.concat([table.iloc[:3], table.iloc[[1]], table.iloc[3:]])
    assert found(again.secgemini.verify()) == [("repeated", "transcript", 1)]


def test_turns_that_were_cut_off_are_told_by_the_log(session: InteractiveSession) -> None:
    table = session.history()  # within the second in which the last turn ended
    third = rows_of(table, "query")[2]
    cut = table.iloc[:third]
    assert found(cut.secgemini.verify()) == [("removed", "transcript", None)]
    early = session.history()
    early.attrs["generated_at"] = "2020-01-01T00:00:00+00:00"  # read before they were asked
    assert early.iloc[:third].secgemini.verify()


def test_a_turn_that_lacks_messages_is_named_also_where_the_others_were_numbered_anew(
    session: InteractiveSession,
) -> None:
    table = session.history()
    result = table.iloc[:-1].secgemini.verify()
    assert found(result)[0] == ("removed", "transcript", None)
    assert "turn 3 has " in repr(result)
    second = rows_of(table, "query")[1]
    cut = table.drop(index=second - 1)
    cut["message_index"] = range(len(cut))
    assert "removed: turn 1 has " in repr(cut.secgemini.verify())


def test_a_turn_that_the_log_does_not_know_is_never_called_unchanged(session: InteractiveSession) -> None:
    """Whoever forges an answer may give its prompt another id, too, and take from the table when it was read."""
    table = session.history()
    query, answer = rows_of(table, "query")[2], rows_of(table, "result")[-1]
    forged = resealed(table, answer, "another answer")
    forged.loc[query, "message_id"] = "another id"
    assert ("removed", "transcript", None) in found(forged.secgemini.verify())
    forged.attrs = {}
    result = forged.secgemini.verify()
    assert not result
    assert found(result) == [("absent", "transcript", None), ("uncompared", "transcript", None)]
    assert "not all could be compared" in repr(result)
    assert "2 of 3 turns compared" in repr(result)
    assert "1 turn of the log not in the table" in repr(result)
    forged["message_id"] = [f"id {row}" for row in range(len(forged))]
    assert "nothing could be compared" in repr(forged.secgemini.verify())
    first = rows_of(table, "query")[1]
    later = table.iloc[first:].copy()
    later["message_index"] -= first
    later["turn_index"] -= 1
    later.attrs = {}
    assert found(later.secgemini.verify()) == [("removed", "transcript", None)]
    twice = table.copy()
    twice.loc[query, "message_id"] = table.loc[first, "message_id"]
    assert "repeated: turn 3 has the prompt of another" in repr(twice.secgemini.verify())
    for session_id in (pd.NA, "another"):
        moved = table.assign(session_id=pd.Series(session_id, table.index, dtype="string"))
        assert not moved.secgemini.verify()
    hidden = resealed(table, answer, "another answer")
    hidden.loc[query, "message_type"] = "info"
    hidden.attrs = {}
    assert not hidden.secgemini.verify()
    split = pd.concat([table, hidden.assign(session_id=pd.Series(pd.NA, table.index, dtype="string"))])
    assert not split.secgemini.verify()


def test_no_turn_lacks_what_came_in_pieces_after_a_cut_or_from_a_local_tool(session: InteractiveSession) -> None:
    client = session._client
    made = client.create_session(tools=[secgemini_tool(lambda: "done", name="look", approval="allow")])
    for prompt in ("[[call look {}]]", "[[messages=4]] [[drop after=2]]", "[[unknown enum]]"):
        made.query(prompt)
    list(made.stream_sync("[[partial]]", partial=True))
    with pytest.raises(ServiceError):
        made.query("[[messages=3]] [[error 500]]")
    table = made.history()
    assert table["turn_index"].max() == 5
    assert found(table.secgemini.verify()) == []
    made.delete()


def test_json_lines_are_compared_with_the_log_of_their_session_or_not_at_all(
    session: InteractiveSession, tmp_path: Path
) -> None:
    """A file's own hashes are made as it is read: they fit what was edited, and what was cut off."""
    path = session.export(tmp_path / "case.jsonl")
    assert read_history(path, session_id=session.id).secgemini.verify(head=session.head())
    result = read_history(path).secgemini.verify()
    assert not result
    assert found(result) == [("absent", "log", None), ("uncompared", "transcript", None)]
    assert "nothing could be compared (0 entries read, 0 of 3 turns compared)" in repr(result)
    assert "session_id=" in repr(result)
    mixed = pd.concat([session.history(), read_history(path)]).secgemini.verify()
    assert "not all could be compared" in repr(mixed)
    lines = path.read_bytes().splitlines(keepends=True)
    last = session.history()["message_id"].iloc[rows_of(session.history(), "result")[-1]]
    path.write_bytes(b"".join(line.replace(b"three", b"free") if last.encode() in line else line for line in lines))
    assert found(read_history(path, session_id=session.id).secgemini.verify())[0][0] == "edited"
    path.write_bytes(b"".join(lines[: rows_of(session.history(), "query")[2]]))
    assert found(read_history(path, session_id=session.id).secgemini.verify()) == [("removed", "transcript", None)]


def test_the_log_is_checked_too(session: InteractiveSession) -> None:
    table, head = session.history(), session.head()
    flush()
    path = activity.path_of(session.id)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    assert found(table.secgemini.verify()) == [("removed", "log", None), ("uncompared", "transcript", None)]
    path.write_bytes(b"".join(lines[:3]))
    result = table.secgemini.verify(head=head)
    assert found(result) == [("truncated", "log", None), ("uncompared", "transcript", None)]
    assert "1 of 3 turns compared" in repr(result)
    assert "lacks the prompt or the answer of turns 2, 3" in repr(result)
    path.unlink()
    result = table.secgemini.verify()
    assert not result
    assert found(result) == [("absent", "log", None), ("uncompared", "transcript", None)]


def test_heads_of_several_sessions_go_by_id(session: InteractiveSession) -> None:
    other = session._client.create_session()
    other.query("four")
    both = pd.concat([session.history(), other.history()])
    heads = {session.id: session.head(), other.id: other.head()}
    other.delete()
    assert both.secgemini.verify(head=heads)
    heads[other.id] = heads[session.id]
    assert [finding.session_id for finding in both.secgemini.verify(head=heads).problems] == [other.id]
    with pytest.raises(InputError, match="pass heads by session id"):
        both.secgemini.verify(head=heads[session.id])


def test_a_table_without_its_columns_says_which(session: InteractiveSession) -> None:
    table = session.history()
    with pytest.raises(InputError, match="lacks the columns content_sha256"):
        table.drop(columns=["content_sha256"]).secgemini.verify()
    assert found(table.iloc[:0].secgemini.verify()) == [("uncompared", "transcript", None)]
