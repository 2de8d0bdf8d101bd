"""`histories`, `save_histories`, `sessions_frame`, `files_frame` through both shells, on the local service."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from secgemini_jupyter import read_history
from secgemini_jupyter.errors import InputError, NetworkError, ProtocolError, SessionNotFoundError
from secgemini_jupyter.protocol.requests import Request
from secgemini_jupyter.transcript import dataset
from secgemini_jupyter.transcript.messages import messages_frame


@pytest.fixture
def three(client: Any) -> Iterator[list[Any]]:
    made = [client.create_session(f"h{number}") for number in range(3)]
    for number, session in enumerate(made):
        for turn in range(number):
            session.query(f"say {turn}")
    yield made
    for session in made:
        session.delete()


def test_histories_are_those_of_the_sessions_one_after_the_other(client: Any, three: list[Any]) -> None:
    table = client.histories(three, progress=False)
    expected = pd.concat([each.history() for each in three], ignore_index=True)
    assert_frame_equal(table, expected)
    assert table.secgemini.turns()["prompt"].tolist() == ["say 0", "say 0", "say 1"]
    assert table.attrs["models"] == {each.id: each.model.model_string for each in three}
    assert table.attrs["secgemini_schema"] == "messages/1"
    backwards = client.histories([each.id for each in reversed(three)], concurrency=1)
    assert backwards["session_id"].unique().tolist() == [three[2].id, three[1].id]


def test_sessions_are_chosen_from_their_table(client: Any, three: list[Any]) -> None:
    sessions = client.sessions_frame()
    ours = sessions[sessions["session_id"].isin([each.id for each in three])]
    assert ours["turns"].tolist() == [0, 1, 2]
    assert_frame_equal(client.histories(ours), client.histories(three))
    assert_frame_equal(client.histories(ours["session_id"]), client.histories(three))
    assert {each.id for each in three[1:]} <= set(client.histories()["session_id"])


def test_no_sessions_are_an_empty_history(client: Any) -> None:
    assert_frame_equal(client.histories([]), messages_frame([], session_id=""))


def test_a_session_that_is_gone_is_left_out_and_named(client: Any, three: list[Any]) -> None:
    wanted = [three[1].id, "0" * 32, three[1].id]
    with pytest.warns(UserWarning, match="1 of 2 sessions could not be read"):
        table = client.histories(wanted)
    assert table["session_id"].unique().tolist() == [three[1].id]
    assert list(table.attrs["left_out"]) == ["0" * 32]
    with pytest.raises(SessionNotFoundError):
        client.histories(wanted, strict=True)


def test_arrow_dtypes_on_request(client: Any, three: list[Any]) -> None:
    for table in (three[1].history(dtype_backend="pyarrow"), client.histories(three, dtype_backend="pyarrow")):
        assert all(isinstance(dtype, pd.ArrowDtype) for dtype in table.dtypes)
        assert "say 0" in table.secgemini.turns()["prompt"].tolist()


def test_strict_names_the_rows_with_problems(client: Any, three: list[Any]) -> None:
    three[1].query("a lost \ufffd character")
    assert three[1].history()["problems"].notna().any()
    for read in (three[1].history, lambda **options: client.histories(three, **options)):
        with pytest.raises(ProtocolError, match="bad_text"):
            read(strict=True)


def test_what_would_fail_for_all_raises_at_once(shell: Any) -> None:
    client = shell("a-key", base_url="http://127.0.0.1:9", websocket_url="ws://127.0.0.1:9")
    with pytest.raises(NetworkError):
        client.histories(["a", "b"])


@pytest.mark.parametrize(
    ("sessions", "options", "said"),
    [
        ("abc", {}, "one text"),
        ([1], {}, "int is no session"),
        (3, {}, "sessions is int: pass a list"),
        (pd.DataFrame({"id": ["a"]}), {}, "no column session_id"),
        ([], {"concurrency": 0}, "from 1 to 64"),
        ([], {"concurrency": True}, "from 1 to 64"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    client: Any, sessions: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        client.histories(sessions, **options)


def test_as_many_are_read_at_a_time_as_asked_for(
    client: Any, three: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request waits until as many are under way as may be."""
    shell = getattr(client, "twin", client)
    both = threading.Barrier(2, timeout=20)
    running, most = [0], [0]
    send = type(shell)._send

    def entered(request: Request[Any]) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])

    if client is shell:

        def slow(self: Any, request: Request[Any]) -> Any:
            entered(request)
            both.wait()
            running[0] -= 1
            return send(self, request)

    else:
        import asyncio

        async def slow(self: Any, request: Request[Any]) -> Any:
            entered(request)
            await asyncio.to_thread(both.wait)
            running[0] -= 1
            return await send(self, request)

    ids = [three[1].id, three[2].id]
    monkeypatch.setattr(type(shell), "_send", slow)
    table = client.histories(ids, concurrency=2)
    assert table["session_id"].unique().tolist() == ids
    assert most == [2]


def test_progress_counts_sessions(client: Any, three: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    client.histories(three, progress=True)
    assert "3/3" in capsys.readouterr().err
    client.histories(three)  # nobody looks
    assert capsys.readouterr().err == ""


def test_files_of_a_history_and_of_many(client: Any, three: list[Any]) -> None:
    name = "a.log"
    for session in three[:2]:
        session.attach_file(name, b"x y\n")
    three[1].attach_file("b.txt", b"z")
    files = three[1].files_frame()
    assert files["name"].tolist() == [name, "b.txt"]
    assert files["sha256_match"].tolist() == [True, True]
    assert files["sha256_local"].tolist() == files["sha256_server"].tolist()
    history = three[1].history()
    assert_frame_equal(history.secgemini.files(), files)
    assert_frame_equal(history[history["message_type"] == "query"].secgemini.files(), files)
    assert len(three[0].history().secgemini.files()) == 1  # there are no rows
    many = client.histories(three)
    assert many.secgemini.files()[["session_id", "name"]].values.tolist() == [
        [three[1].id, name], [three[1].id, "b.txt"],
    ]  # fmt: skip
    assert many.secgemini.files()["sha256_match"].isna().all()
    with pytest.raises(InputError, match=r"Use client.histories\(\)"):
        pd.concat([history, three[2].history()]).secgemini.files()


def test_histories_are_saved_to_a_file_each_and_read_back(
    client: Any, three: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    three[1].attach_file("a.log", b"x y\n")
    folder, ids = tmp_path / "cases", [each.id for each in three]
    saved = client.save_histories(folder, three, progress=True)
    assert "3/3" in capsys.readouterr().err
    assert saved["session_id"].tolist() == ids
    assert saved["status"].tolist() == ["saved"] * 3
    assert saved["rows"].tolist() == [len(each.history()) for each in three]
    assert saved["error"].isna().all()
    read, expected = read_history(folder, sessions=three), client.histories(three)
    assert_frame_equal(read, expected)
    assert {**read.attrs, "generated_at": ""} == {**expected.attrs, "generated_at": ""}
    three[2].query("one more")
    assert client.save_histories(folder, [three[2].id])["rows"].tolist() == [len(three[2].history())]
    assert_frame_equal(read_history(folder, sessions=ids), client.histories(ids))
    everything = client.save_histories(tmp_path / "all")
    assert set(ids) <= set(everything["session_id"])


def test_a_session_that_cannot_be_saved_is_left_out_and_its_earlier_file_stays(
    client: Any, three: list[Any], tmp_path: Path
) -> None:
    folder, gone = tmp_path / "cases", client.create_session("gone")
    gone.query("say it")
    client.save_histories(folder, [gone])
    gone.delete()
    with pytest.warns(UserWarning, match=r"1 of 2 sessions could not be read.*The table that is returned has all"):
        saved = client.save_histories(folder, [gone.id, three[1].id])
    assert saved["status"].tolist() == ["left_out", "saved"]
    assert saved["path"].isna().tolist() == [True, False]
    assert "deleted, expired" in saved["error"][0]
    assert read_history(folder)["content"].eq("say it").sum() > 0
    with pytest.raises(SessionNotFoundError):
        client.save_histories(folder, [gone.id], strict=True)
    three[2].query("a lost \ufffd character")
    with pytest.raises(ProtocolError, match="bad_text"):
        client.save_histories(folder, [three[2]], strict=True)
    with pytest.raises(InputError, match="does not hold"):
        read_history(folder, sessions=[three[2].id])


def test_no_more_histories_are_in_memory_than_are_read_at_a_time(
    client: Any, three: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables: list[weakref.ref[pd.DataFrame]] = []
    alive: list[int] = []
    write = dataset.write

    def counted(table: pd.DataFrame, folder: Path, session_id: str) -> dataset.Saved:
        tables.append(weakref.ref(table))
        alive.append(sum(each() is not None for each in tables))
        return write(table, folder, session_id)

    monkeypatch.setattr(dataset, "write", counted)
    client.save_histories(tmp_path / "cases", three, concurrency=1)
    assert alive == [1, 1, 1]


def test_a_folder_that_cannot_take_them_is_refused_before_any_is_read(
    client: Any, three: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"notes\.txt"):
        client.save_histories(tmp_path, ["0" * 32], strict=True)
    with pytest.raises(InputError, match="makes no folder's name"):
        client.save_histories(tmp_path / "new", ["x" * 300])
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="from 1 to 64"):
        client.save_histories(tmp_path / "new", [], concurrency=65)
