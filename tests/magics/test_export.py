"""`%secgemini export`: a session as a file, whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.kernel import default_kernel
from secgemini_jupyter.transcript.jsonl import from_jsonl
from secgemini_jupyter.transcript.parquet import read_parquet
from tests.magics.conftest import Kernel


@pytest.fixture
def asked(shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    """A session of one turn; the working folder is empty."""
    monkeypatch.chdir(tmp_path)
    assert shell.run_cell("%%secgemini -q\nis 10.0.0.1 bad\x1b[2J?").success
    return shell


def test_what_is_written_is_what_was_said(asked: InteractiveShell, tmp_path: Path) -> None:
    session = default_kernel().current()
    for name in ("a.md", "b.JSONL", '"c d.parquet"', "d.html"):
        line = asked.run_cell(f"%secgemini export {name}").result
        assert line.startswith("Wrote ")
        assert f"{len(session.messages)} messages of session main" in line
    markdown = (tmp_path / "a.md").read_text("utf-8")
    assert "is 10.0.0.1 bad" in markdown
    assert "\x1b" not in markdown
    page = (tmp_path / "d.html").read_text("utf-8")
    assert "is 10[.]0[.]0[.]1 bad␛[2J?" in page
    assert [message.to_json() for message in from_jsonl((tmp_path / "b.JSONL").read_bytes())] == [
        message.to_json() for message in session.messages
    ]
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "c d.parquet"), session.history())
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.md", "b.JSONL", "c d.parquet")} == {0o600}
    assert not list(tmp_path.glob(".*.tmp"))


def test_messages_are_read_afresh(asked: InteractiveShell, tmp_path: Path) -> None:
    session = default_kernel().current()
    default_kernel().client.resume_session(session.id).query("from elsewhere")
    asked.run_cell("%secgemini export a.md")
    assert "from elsewhere" in (tmp_path / "a.md").read_text("utf-8")


def test_a_file_that_is_there_stays(
    asked: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.md").write_text("mine")
    assert not asked.run_cell("%secgemini export a.md").success
    assert "Add --force" in "".join(capsys.readouterr())
    assert (tmp_path / "a.md").read_text() == "mine"
    assert asked.run_cell("%secgemini export a.md --force").success
    assert "10.0.0.1" in (tmp_path / "a.md").read_text("utf-8")


def test_a_link_that_leads_nowhere_is_something(asked: InteractiveShell, tmp_path: Path) -> None:
    (tmp_path / "a.md").symlink_to(tmp_path / "elsewhere.md")
    assert not asked.run_cell("%secgemini export a.md").success
    assert not (tmp_path / "elsewhere.md").exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("export", "required: PATH. Usage: %secgemini export"),
        ("export a.txt", "ends in none of .html, .md, .ipynb"),
        ("export nowhere/a.md", "there is no folder 'nowhere'. Make it first."),
        ("export folder.md --force", "is no regular file"),
        ("export pipe.md --force", "is no regular file"),
        ("export a\0.md", "is no path"),
        (f"export {'x' * 3000}.md", "is no path"),
        ("export ~nobody-here/a.md", "is no path"),
        ("export a.md -s mian", "this kernel has no session 'mian'. Did you mean main?"),
        ("export a.md b.md", "is too much"),
    ],
)
def test_what_cannot_be_written_is_one_line(
    asked: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, says: str
) -> None:
    (tmp_path / "folder.md").mkdir()
    os.mkfifo(tmp_path / "pipe.md")
    assert not asked.run_cell(f"%secgemini {line}").success
    said = "".join(capsys.readouterr()).strip()
    assert says in said
    assert "\n" not in said
    assert not (tmp_path / "a.md").exists()


def test_before_the_first_prompt_there_is_nothing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert not shell.run_cell(f"%secgemini export {tmp_path}/a.md").success
    assert "no session 'main'. Ask something first." in "".join(capsys.readouterr())
    assert default_kernel().names == []


def test_a_disk_that_fails_leaves_the_old_file(
    asked: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = asked.run_cell("%secgemini export a.jsonl --force")
    assert isinstance(result.error_in_exec, InputError)
    assert "No space left" in str(result.error_in_exec)
    assert (tmp_path / "a.jsonl").read_text() == "old"
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.kernel
def test_export_in_a_kernel(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run("%%secgemini -q\nkeep this")
    ran = kernel.run(f"wrote = %secgemini export {tmp_path}/a.md\nwrote")
    assert ran.status == "ok", ran.error
    assert ran.text.startswith(f"Wrote {tmp_path}/a.md")
    assert "keep this" in (tmp_path / "a.md").read_text("utf-8")
    assert kernel.run(f"%secgemini export {tmp_path}/a.md").status == "error"
