"""The file: private, chained over processes, repaired after a kill, never a reason to stop."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from secgemini_jupyter import activity
from secgemini_jupyter.activity import recorder as recording
from secgemini_jupyter.activity.recorder import Recorder, flush
from secgemini_jupyter.activity.sessions import activity_of, head_of, verification_of
from secgemini_jupyter.activity.writing import Draft, append
from secgemini_jupyter.errors import InputError

posix = pytest.mark.skipif(os.name != "posix", reason="modes, signals and limits of POSIX")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(recording._Writer, "_told", set())
    return tmp_path / "secgemini-jupyter" / "activity"


def draft(number: int = 1, session_id: str = "s") -> Draft:
    return Draft(1_800_000_000.0, {"session_id": session_id, "activity": "test", "details": {"size": number}})


def activities(path: Path) -> list[str]:
    return list(activity.read(path)["activity"])


@posix
def test_file_and_folder_are_the_owners_alone(folder: Path) -> None:
    path = activity.path_of("s")
    append(path, [draft()])
    assert path.parent == folder
    modes = [each.stat().st_mode & 0o777 for each in (path.parent, path, path.parent / ".lock")]
    assert modes == [0o700, 0o600, 0o600]
    path.chmod(0o644)
    folder.chmod(0o755)
    append(path, [draft()])
    assert [each.stat().st_mode & 0o777 for each in (folder, path)] == [0o700, 0o600]


@pytest.mark.parametrize("session_id", ["../../etc/passwd", "A", "a/b", "", "nul\0", "\ud800", "x" * 300, "con"])
def test_an_id_from_the_service_names_a_file_in_the_folder_and_no_other(folder: Path, session_id: str) -> None:
    path = activity.path_of(session_id)
    assert path.parent == folder
    assert len(path.name) < 120
    append(path, [Draft(0.0, {"session_id": session_id})])
    assert activity.verify(path).ok


def test_ids_that_differ_by_case_alone_have_files_that_differ_in_more(folder: Path) -> None:
    assert activity.path_of("AB").name.lower() != activity.path_of("ab").name


@posix
@pytest.mark.parametrize("cut", [1, 2, 40, 5000])
def test_a_torn_last_line_is_told_repaired_and_stays(folder: Path, cut: int) -> None:
    path = activity.path_of("s")
    append(path, [draft(1), draft(2), Draft(0.0, {"session_id": "s", "details": {"names": ["x" * 900] * 10}})])
    head = activity.head(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    told = activity.verify(path)
    assert told.ok
    if cut == 1:  # the line is whole but for its end
        assert (told.entries, told.findings) == (3, [])
    else:
        assert [(finding.problem, finding.row) for finding in told.findings] == [("torn", 3)]
    remarks = append(path, [draft(4)])
    after = activity.verify(path)
    assert after.ok
    if cut == 1:
        assert (remarks, after.entries, after.findings) == ([], 4, [])
        assert activity.verify(path, head=head)
        return
    assert "was cut off" in remarks[0]
    assert [finding.problem for finding in after.findings] == ["torn"]
    assert activities(path)[2:] == ["log_repaired", "test"]
    assert whole[:-cut] in path.read_bytes()
    assert not activity.verify(path, head=head)  # that entry is gone, and was kept


@posix
def test_a_repair_that_was_cut_off_itself_is_repaired_too(folder: Path) -> None:
    path = activity.path_of("s")
    append(path, [draft(1), draft(2)])
    path.write_bytes(path.read_bytes()[:-30])
    append(path, [draft(3)])
    # Within the repair, the first line behind the fragment.
    path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:2]) + b'\n{"activity":"log_re')
    append(path, [draft(4)])
    result = activity.verify(path)
    assert [(finding.problem, finding.row) for finding in result.findings] == [("torn", 2), ("torn", 3)]
    assert result.ok


def test_garbage_that_ends_in_a_line_is_no_torn_write(folder: Path) -> None:
    path = activity.path_of("s")
    append(path, [draft(1), draft(2)])
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + b"what was entry 2\n")
    assert append(path, [draft(3)]) == []
    result = activity.verify(path)
    assert [(finding.problem, finding.row) for finding in result.findings] == [("edited", 2)]


@posix
def test_a_last_entry_that_is_longer_than_the_tail_is_found(folder: Path) -> None:
    path = activity.path_of("s")
    append(path, [draft(1)])
    append(path, [Draft(0.0, {"session_id": "s", "details": {"names": ["x" * 900] * 200}})])
    assert path.stat().st_size > 2 * 64 * 1024
    append(path, [draft(3)])
    assert activity.verify(path).entries == 3
    path.write_bytes(path.read_bytes() + b"\0" * 200_000)  # as some file systems leave it after a power cut
    append(path, [draft(4)])
    result = activity.verify(path)
    assert result.ok
    assert result.entries == 5


MANY = """
import sys
from secgemini_jupyter.activity.recorder import Recorder, flush
recorder = Recorder("s", sys.argv[1], "local")
for number in range(50):
    recorder.note("test", {"size": number})
sys.exit(0 if flush(60) else 1)
"""


def process(program: str, data: Path, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], env={**os.environ, "JUPYTER_DATA_DIR": str(data)}, **options
    )


def test_kernels_that_write_at_the_same_time_make_one_chain(folder: Path, tmp_path: Path) -> None:
    kernels = [process(MANY, tmp_path, name) for name in ("one", "two", "three", "four")]
    assert [kernel.wait(60) for kernel in kernels] == [0, 0, 0, 0]
    result = verification_of("s")
    assert (result.entries, list(result.findings)) == (200, [])
    table = activity_of("s")
    for _, rows in table.groupby("user_id"):
        assert rows["size"].tolist() == list(range(50))  # each in its own order
    assert table["pid"].nunique() == 4


KILLED = """
import os, sys, threading, time
from secgemini_jupyter.activity.recorder import Recorder
recorder = Recorder("s", "u", "local")
print("begun", flush=True)
while True:
    recorder.note("test", {"name": "x" * 400})
    time.sleep(0.0002)
"""


@posix
def test_after_kill_9_the_chain_goes_on(folder: Path, tmp_path: Path) -> None:
    total = 0
    for _ in range(5):
        with process(KILLED, tmp_path, stdout=subprocess.PIPE) as kernel:
            try:
                assert kernel.stdout is not None
                kernel.stdout.readline()
                path = activity.path_of("s")
                while kernel.poll() is None and (not path.exists() or path.stat().st_size < total + 5000):
                    pass
            finally:
                kernel.send_signal(signal.SIGKILL)
        total = path.stat().st_size
    append(path, [draft()])
    result = verification_of("s")
    assert result.ok, result
    assert result.entries > 20


@posix
def test_a_disk_that_is_full_loses_no_entry_that_stands_and_is_told_once(tmp_path: Path, folder: Path) -> None:
    """In a process of its own, whose files may have 3,000 bytes: the write that is too much is taken in part first."""
    program = """
import resource
from secgemini_jupyter import activity
from secgemini_jupyter.activity.recorder import Recorder, flush
recorder = Recorder("s", "u", "local")
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
for number in range(20):
    recorder.note("test", {"size": number})
    flush()
print(len(activity.read(activity.path_of("s"))), activity.path_of("s").stat().st_size)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
recorder.note("test", {"size": 20})
flush()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "JUPYTER_DATA_DIR": str(tmp_path)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    written, size = map(int, ran.stdout.split())
    assert 0 < written < 20
    assert size <= 3000
    assert ran.stderr.count("The activity log cannot be written") == 1
    table = activity_of("s")
    assert table["activity"].tolist() == ["test"] * written + ["entries_lost", "test"]
    assert json.loads(table["details"].iloc[-2]) == {"activities": {"test": 20 - written}, "count": 20 - written}
    result = verification_of("s")
    assert result.ok
    assert [finding.problem for finding in result.findings] == ["lost"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"entry":2', b'"entry":' + b"9" * 4300),
        (b'"entry":2', b'"entry":%d' % (2**53 - 1)),
        (b'"size":2', b'"size":1e999'),
        (b'"size":2', b'"size":' + b"[" * 900 + b"]" * 900),
        (b'"size":2', b'"size":%d' % 2**70),
        (b'"activity"', b'"\\ud800":"\\ud800","activity"'),
    ],
)
def test_no_edit_of_the_last_line_stops_the_log_or_hides_itself(folder: Path, old: bytes, new: bytes) -> None:
    recorder, path = Recorder("s", "u", "local"), activity.path_of("s")
    for number in (1, 2):
        recorder.note("test", {"size": number})
    assert flush()
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second.replace(old, new))
    assert not verification_of("s")
    for number in (3, 4):
        recorder.note("test", {"size": number})
        assert flush()
    result = verification_of("s")
    assert ("edited", 2) in [(each.problem, each.row) for each in result.problems]
    assert activity_of("s")["size"].tolist()[-2:] == [3, 4]


def test_what_could_not_be_put_into_words_is_counted_as_lost(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder("s", "u", "local")

    def unsaid() -> dict[str, Any]:
        raise RuntimeError("no details")

    for details in ({"size": 1}, unsaid, {"size": float("nan")}, {"size": object()}, {"size": 5}):
        recorder.note("test", details)
        assert flush()
    assert "no details" in caplog.text
    table = activity_of("s")
    assert table["activity"].tolist() == ["test", "entries_lost", "entries_lost", "test"]
    assert [json.loads(each)["count"] for each in table["details"][1:3]] == [1, 2]
    assert verification_of("s").ok


def test_a_folder_that_cannot_be_written_is_told_once_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording._Writer, "_told", set())
    (tmp_path / "secgemini-jupyter").write_text("a file where the folder should be")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            Recorder("s", "u", "local").note("test", {})
            assert flush()
    assert len([r for r in caplog.records if "activity log cannot be written" in r.getMessage()]) == 1


@posix
@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
def test_what_is_planted_in_place_of_the_file_is_not_written_to(
    folder: Path, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = activity.path_of("s")
    folder.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    if kind == "symlink":
        path.symlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    Recorder("s", "u", "local").note("test", {})
    assert flush()
    assert victim.read_text() == "as it was"
    assert "cannot be written" in caplog.text
    for read in (verification_of, activity_of, head_of):
        with pytest.raises(InputError, match="is a link" if kind == "symlink" else "cannot be read"):
            read("s")


def test_a_log_without_an_entry_is_told(folder: Path) -> None:
    path = activity.path_of("s")
    append(path, [draft()])
    head = head_of("s")
    for left in (b"", None):
        path.unlink() if left is None else path.write_bytes(left)
        assert [each.problem for each in verification_of("s").findings] == ["absent"]
        assert [each.problem for each in verification_of("s", head=head).findings] == ["absent", "truncated"]
        with pytest.raises(InputError):
            head_of("s")
    path.write_bytes(b"something else\n")
    assert [each.problem for each in verification_of("s").findings] == ["absent", "edited"]


def test_what_is_noted_is_written_when_the_process_ends(tmp_path: Path, folder: Path) -> None:
    program = "from secgemini_jupyter.activity.recorder import Recorder; Recorder('s', 'u', 'local').note('last', {})"
    assert process(program, tmp_path).wait(60) == 0
    assert activity_of("s")["activity"].tolist() == ["last"]


def test_without_a_thread_nothing_waits_and_the_next_note_writes_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process at its limit of threads, or at its end, where Python 3.12 begins none."""

    class NoThread:
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    assert flush()
    recorder = Recorder("s", "u", "local")
    with monkeypatch.context() as patch:
        patch.setattr(recording, "daemon", lambda *_, **__: NoThread())
        recorder.note("first", {})
        assert not flush(3600), "it is told that not all is written, at once"
    recorder.note("second", {})
    assert flush(60)
    assert activity_of("s")["activity"].tolist() == ["first", "second"]


@posix
def test_a_forked_child_writes_what_it_noted_itself(folder: Path) -> None:
    recorder = Recorder("s", "u", "local")
    recorder.note("parent", {})
    flush()
    child = os.fork()
    if not child:
        recorder.note("child", {})
        os._exit(0 if flush() else 1)
    assert os.waitpid(child, 0)[1] == 0
    recorder.note("parent", {})
    flush()
    assert activity_of("s")["activity"].tolist() == ["parent", "child", "parent"]
    assert verification_of("s").ok


def test_who_when_and_what_are_columns(folder: Path) -> None:
    Recorder("s", "analyst@example.org", "api.example").note("test", {"sha256": "ab", "size": 3, "more": [1]})
    flush()
    (row,) = activity_of("s").to_dict("records")
    assert (row["activity"], row["user_id"], row["service"]) == ("test", "analyst@example.org", "api.example")
    assert (row["sha256"], row["size"], row["pid"], row["entry"]) == ("ab", 3, os.getpid(), 1)
    assert json.loads(row["details"])["more"] == [1]
    assert row["login"]
    assert str(row["at"].tz) == "UTC"
    assert activity_of("another").dtypes.equals(activity_of("s").dtypes)


def test_edited_values_of_any_kind_are_missing_in_the_frame(folder: Path) -> None:
    folder.mkdir(parents=True)
    path = activity.path_of("s")
    path.write_text(
        json.dumps({"entry": 1, "previous": "", "hash": "0" * 64, "at": 7, "pid": "x", "details": [1]}) + "\nno entry\n"
    )
    (row,) = activity.read(path).to_dict("records")
    assert all(pd.isna(row[name]) for name in ("at", "pid", "activity", "sha256"))
    assert not activity.verify(path)


def test_a_head_is_of_a_log_that_is_whole(folder: Path) -> None:
    path = activity.path_of("s")
    with pytest.raises(InputError, match="There is no activity log"):
        activity.head(path)
    with pytest.raises(InputError, match="without retention"):
        head_of("s")
    assert verification_of("s").findings[0].problem == "absent"
    append(path, [draft(1), draft(2)])
    head = head_of("s")
    assert verification_of("s", head=head)
    path.write_bytes(path.read_bytes().replace(b'"size":1', b'"size":7'))
    with pytest.raises(InputError, match="edited: entry 1 in line 1"):
        activity.head(path)
    path.unlink()
    assert [finding.problem for finding in verification_of("s", head=head).findings] == ["absent", "truncated"]
