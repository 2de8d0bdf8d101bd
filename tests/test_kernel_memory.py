"""What a notebook remembers of its sessions over a restart of its kernel, and what never stops a cell."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from secgemini_jupyter.client.sync import SecGemini
from secgemini_jupyter.errors import InputError, SessionNotFoundError
from secgemini_jupyter.kernel import KernelSession
from secgemini_jupyter.kernel import memory as memories
from secgemini_jupyter.kernel.memory import Last, NotebookMemory
from tests.conftest import LocalService

NOTEBOOK = {"__vsc_ipynb_file__": "/home/analyst/notebook.ipynb"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, local_service: LocalService) -> None:
    monkeypatch.setenv("SEC_GEMINI_API_HTTP_URL", local_service.http)
    monkeypatch.setenv("SEC_GEMINI_API_KEY", local_service.key)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    for name in ("SEC_GEMINI_API_WEBSOCKET_URL", "SECGEMINI_BACKEND", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)


class Kernels:
    """One kernel of a notebook after the other, and what they said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.made: list[KernelSession] = []

    def start(self) -> KernelSession:
        self.said.clear()
        self.made.append(KernelSession(NOTEBOOK, say=self.said.append))
        return self.made[-1]


@pytest.fixture
def kernels() -> Iterator[Kernels]:
    kernels = Kernels()
    yield kernels
    for kernel in kernels.made:
        kernel.close()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def memory(said: list[str]) -> NotebookMemory:
    return NotebookMemory(NOTEBOOK, said.append)


def file_of(memory: NotebookMemory) -> Path:
    path = memory._path()
    assert path
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def keep(memory: NotebookMemory, session_id: str, name: str, place: str = "here", *, is_current: bool = True) -> None:
    memory.keep(place, Last(session_id, name, 0.0), is_current=is_current, is_named=name != "main")


# --- over a restart ---


def test_a_named_session_goes_on(kernels: Kernels) -> None:
    before = kernels.start().switch("triage")
    before.query("hello")
    again = kernels.start()
    assert again.use("triage").id == before.id
    assert kernels.said == ["Continues this notebook's session 'triage': 1 turns, retained."]
    assert again.use("triage") is again.use("triage")
    assert len(kernels.said) == 1


def test_main_is_new_and_tells_how_to_go_on(kernels: Kernels) -> None:
    before = kernels.start().current()
    again = kernels.start()
    assert again.current().id != before.id
    (line,) = kernels.said
    assert "%secgemini resume --last continues" in line
    again.new()
    assert len(kernels.said) == 1, "it is said once"
    assert again.resume_last().id == before.id, "the one before this kernel, not the one just made"


def test_nothing_is_said_in_a_notebook_without_a_past(kernels: Kernels) -> None:
    kernel = kernels.start()
    kernel.use("triage")
    kernel.current()
    assert kernels.said == []


def test_last_comes_back_under_its_name(kernels: Kernels) -> None:
    first = kernels.start()
    main = first.current()
    named = first.switch("a b ü")
    again = kernels.start()
    assert again.resume_last().id == named.id
    assert again.current_name == "a b ü"
    first.switch("main")
    again = kernels.start()
    assert again.resume_last().id == main.id
    assert again.current_name == "main"


def test_main_with_turns_is_not_replaced_by_the_last(kernels: Kernels) -> None:
    before = kernels.start().current()
    again = kernels.start()
    fresh = again.current()
    assert again.resume_last().id == before.id
    assert again.current_name == before.name
    assert again.get("main") is fresh


def test_a_gone_session_is_replaced_and_said_so(kernels: Kernels) -> None:
    before = kernels.start().use("triage")
    with SecGemini() as client:
        client.resume_session(before.id).delete()
    again = kernels.start()
    after = again.use("triage")
    assert after.id != before.id
    (line,) = kernels.said
    assert "'triage' is gone" in line
    assert "A new one" in line
    assert kernels.start().use("triage").id == after.id


def test_the_last_session_that_is_gone_is_one_line(kernels: Kernels) -> None:
    before = kernels.start().switch("triage")
    with SecGemini() as client:
        client.resume_session(before.id).delete()
    again = kernels.start()
    with pytest.raises(SessionNotFoundError, match=r"last session \(triage\) is gone.*%secgemini sessions"):
        again.resume_last()
    with pytest.raises(InputError, match="no remembered session"):
        again.resume_last()


def test_delete_and_rename_are_remembered(kernels: Kernels) -> None:
    first = kernels.start()
    first.use("doomed")
    kept = first.use("kept")
    first.delete("doomed")
    first.update_session(kept.id, name="better")
    again = kernels.start()
    assert again.use("better").id == kept.id
    assert again.use("kept").id != kept.id
    again.use("doomed")
    assert kernels.said == ["Continues this notebook's session 'better': 0 turns, retained."]


def test_a_new_session_takes_the_name(kernels: Kernels) -> None:
    first = kernels.start()
    first.use("triage")
    newer = first.new("triage")
    assert kernels.start().use("triage").id == newer.id


def test_another_service_has_a_memory_of_its_own(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id of one means nothing at the other; nor to another key's user."""
    before = kernels.start().switch("triage")
    places = json.loads(file_of(kernels.made[0]._memory).read_text())["places"]
    assert list(places) == [f"{before.host} {before.user_id}"]
    again = kernels.start()
    monkeypatch.setattr(again, "_place", lambda client: "elsewhere someone")
    assert again.use("triage").id != before.id
    other = kernels.start()
    monkeypatch.setattr(other, "_place", lambda client: "third someone")
    with pytest.raises(InputError, match=r"at another service or key: 127\.0\.0\.1"):
        other.resume_last()
    assert kernels.start().use("triage").id == before.id


def test_the_file_holds_no_key_and_is_the_user_s(kernels: Kernels, local_service: LocalService) -> None:
    kernels.start().use("triage")
    path = file_of(kernels.made[0]._memory)
    assert local_service.key not in path.read_text()
    if os.name == "posix":
        assert path.parent.stat().st_mode & 0o077 == 0


# --- the file ---


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"version": 1}',
        b'{"version": 1, "places": []}',
        b'{"session_id": "old"}',
        b"\x00\xff",
        b"[" * 100_000,
    ],
)
def test_an_unreadable_file_is_set_aside(memory: NotebookMemory, said: list[str], content: bytes) -> None:
    path = file_of(memory)
    path.write_bytes(content)
    assert memory.last("here") is None
    keep(memory, "id-1", "triage")
    assert memory.id_of("here", "triage") == "id-1"
    assert len(said) == 1
    assert path.with_suffix(".unreadable").read_bytes() == content


@pytest.mark.parametrize("kind", ["pipe", "zeros", "large"])
def test_what_is_no_file_of_ours_holds_up_no_cell(memory: NotebookMemory, said: list[str], kind: str) -> None:
    path = file_of(memory)
    {
        "pipe": lambda: os.mkfifo(path),
        "zeros": lambda: path.symlink_to("/dev/zero"),
        "large": lambda: path.write_bytes(b" " * (memories.MAX_FILE + 1)),
    }[kind]()
    assert memory.last("here") is None
    keep(memory, "id-1", "triage")
    assert memory.id_of("here", "triage") == "id-1"
    assert len(said) == 1
    assert os.path.lexists(path.with_suffix(".unreadable"))


@pytest.mark.parametrize(
    "places",
    [
        {"here": None},
        {"here": {"last": 7, "sessions": 7}},
        {"here": {"last": {"id": ""}, "sessions": {"a": 7, "b": ""}}},
        {"here": {"last": {"id": ["x"], "expires_at": "soon"}}},
    ],
)
def test_nonsense_in_it_is_nothing(memory: NotebookMemory, said: list[str], places: dict[str, object]) -> None:
    file_of(memory).write_text(json.dumps({"version": 1, "places": places}))
    assert (memory.before("here"), memory.id_of("here", "a")) == (None, None)
    keep(memory, "id-1", "triage")
    memory.forget("here", "id-2")
    assert memory.id_of("here", "triage") == "id-1"
    assert said == []


def test_a_newer_version_is_left_alone(memory: NotebookMemory, said: list[str]) -> None:
    newer = json.dumps({"version": 2, "places": "of another shape"})
    file_of(memory).write_text(newer)
    keep(memory, "id-1", "triage")
    memory.forget("here", "id-1")
    assert memory.id_of("here", "triage") is None
    assert file_of(memory).read_text() == newer
    assert len(said) == 1
    assert "newer version" in said[0]


def test_a_folder_that_cannot_be_written_is_said_once(
    kernels: Kernels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "file"))
    kernel = kernels.start()
    assert kernel.use("triage").query("works").answer == "works"
    kernel.use("other")
    (line,) = kernels.said
    assert "not remembered" in line


def test_a_lock_that_is_held_stops_no_cell(
    memory: NotebookMemory, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr(memories, "PATIENCE", 0.0)
    with FileLock(file_of(memory).with_suffix(".lock")):
        keep(memory, "id-1", "triage")
    assert len(said) == 1
    keep(memory, "id-1", "triage")
    assert memory.id_of("here", "triage") == "id-1"


def test_two_kernels_of_a_notebook_keep_each_other_s_names(memory: NotebookMemory, said: list[str]) -> None:
    other = NotebookMemory(NOTEBOOK, said.append)
    keep(memory, "id-1", "one")
    keep(other, "id-2", "two")
    keep(memory, "id-3", "three")
    assert [memory.id_of("here", name) for name in ("one", "two", "three")] == ["id-1", "id-2", "id-3"]


def test_names_are_not_kept_for_ever(memory: NotebookMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memories, "MAX_NAMES", 3)
    for number in range(5):
        keep(memory, f"id-{number}", f"name {number}")
    keep(memory, "id-2", "name 2")  # used again
    keep(memory, "id-5", "name 5")
    assert [memory.id_of("here", f"name {n}") for n in range(6)] == [None, None, "id-2", None, "id-4", "id-5"]


def test_a_session_has_one_name(memory: NotebookMemory) -> None:
    keep(memory, "id-1", "before")
    keep(memory, "id-1", "after", is_current=False)
    assert memory.id_of("here", "before") is None
    assert memory.id_of("here", "after") == "id-1"


def test_without_a_notebook_nothing_is_written(tmp_path: Path) -> None:
    memory = NotebookMemory({}, lambda _: None)
    keep(memory, "id-1", "triage")
    assert memory.id_of("here", "triage") is None
    assert not (tmp_path / "data").exists()


def test_an_expired_last_session_is_not_offered(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels.start().current()
    again = kernels.start()
    now = time.time()
    monkeypatch.setattr("secgemini_jupyter.kernel.sessions.time.time", lambda: now + 90_000)
    again.current()
    assert kernels.said == []
