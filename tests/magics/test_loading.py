"""Loading the extension: what Python code used before goes on, and each shell takes back its own alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import secgemini_jupyter
from secgemini_jupyter.errors import Secret
from secgemini_jupyter.kernel import default_kernel
from secgemini_jupyter.magics import load, unload
from secgemini_jupyter.settings import Key, Login


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shell: InteractiveShell) -> Iterator[None]:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(Login, "key", None)
    monkeypatch.setattr(Login, "by", None)
    yield
    load(shell)
    unload(shell)  # adopts, and so closes, what a test left


@pytest.fixture
def other_shell(shell: InteractiveShell) -> Iterator[InteractiveShell]:
    other = InteractiveShell()
    load(other)
    yield other
    unload(other)
    if other.history_manager:
        other.history_manager.end_session()


def ask(shell: InteractiveShell, prompt: str, options: str = "") -> secgemini_jupyter.InteractiveSession:
    shell.run_cell_magic("secgemini", f"-q -o found {options}", prompt)
    found = shell.user_ns["found"]
    assert found.answer == prompt
    session: secgemini_jupyter.InteractiveSession = found.session
    return session


def loop_threads() -> int:
    return sum(thread.name == "secgemini-loop" for thread in threading.enumerate())


def test_evidence_attached_before_loading_is_in_the_session_that_cells_ask(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    (tmp_path / "auth.log").write_text("Failed password for root from 192.0.2.1")
    unload(shell)
    session = secgemini_jupyter.current_session()
    session.attach_file_from_disk(tmp_path / "auth.log")
    load(shell)
    assert ask(shell, "who failed?") is session
    assert [file.name for file in session.files] == ["auth.log"]
    assert loop_threads() == 1
    unload(shell)
    assert loop_threads() == 0


def test_adopted_sessions_know_their_notebook_and_its_preferences(shell: InteractiveShell, tmp_path: Path) -> None:
    unload(shell)
    triage = default_kernel().use("triage")
    assert default_kernel().remembered == []
    shell.user_ns["__vsc_ipynb_file__"] = str(tmp_path / "notebook.ipynb")
    load(shell)
    assert default_kernel().remembered == ["triage"]
    shell.run_line_magic("config", "SecGeminiMagics.description = 'Case 12'")
    assert ask(shell, "one", "-s triage") is triage
    assert ask(shell, "two", "-s other").description == "Case 12"


def test_sessions_after_unloading_are_new_and_are_adopted_again(shell: InteractiveShell) -> None:
    first = ask(shell, "one")
    unload(shell)
    second = secgemini_jupyter.current_session()
    assert second.id != first.id
    assert secgemini_jupyter.current_session() is second
    load(shell)
    assert ask(shell, "two") is second


def test_unloading_one_shell_leaves_the_other_its_sessions(
    shell: InteractiveShell, other_shell: InteractiveShell
) -> None:
    mine, others = ask(shell, "mine"), ask(other_shell, "the other's")
    assert secgemini_jupyter.current_session() is others
    unload(other_shell)
    assert secgemini_jupyter.current_session() is mine
    assert ask(shell, "go on") is mine


def test_the_shell_that_was_loaded_last_counts(shell: InteractiveShell, other_shell: InteractiveShell) -> None:
    others = ask(other_shell, "the other's")
    unload(shell)
    assert secgemini_jupyter.current_session() is others
    assert ask(other_shell, "go on") is others


def test_unloading_logs_out_who_logged_in_from_there(shell: InteractiveShell, other_shell: InteractiveShell) -> None:
    key = Key(Secret(os.environ["SEC_GEMINI_API_KEY"]), "login")
    Login.key, Login.by = key, shell.magics_manager.registry["SecGeminiMagics"].kernel
    ask(other_shell, "hello")
    unload(other_shell)
    assert Login.key is key
    unload(shell)
    assert (Login.key, Login.by) == (None, None)
