"""`%secgemini attach-logs`: a log of any size becomes the logs table of the current session."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.errors import AttachmentError
from secgemini_jupyter.kernel import default_kernel


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "my flows.jsonl"
    path.write_text('{"ts": 1764500000, "host": "web-1"}\n{"ts": 1764500001, "host": "web-2"}\n')
    return path


def run(shell: InteractiveShell, line: str) -> str:
    return repr(shell.run_line_magic("secgemini", line))


def test_log_is_attached_shown_and_attached_elsewhere(
    shell: InteractiveShell, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(shell, f'attach-logs "{log}" --map timestamp=ts')
    logs_hash = hashlib.blake2s(log.read_bytes(), key=b"secgemini").hexdigest()
    assert said.startswith(f"logs table {logs_hash} of session ")
    assert "2 lines sent" in said
    table = default_kernel().current().logs_table
    assert table is not None
    assert table.blake2s == logs_hash
    assert "a logs table" in run(shell, "")
    run(shell, "files")
    assert f"logs table {logs_hash}, besides the files" in capsys.readouterr().out
    assert "it was there already" in run(shell, f'attach-logs "{log}" --map timestamp=ts')
    run(shell, "new other")
    assert "attached" in run(shell, f"attach-logs --hash {logs_hash}")
    assert default_kernel().client.sessions_frame()["logs_table"].dropna().tolist().count(logs_hash) == 2


@pytest.mark.parametrize("line", ["", "x --hash aa", "--hash aa --map a=b", "x --map ab", "x --map =b"])
def test_what_makes_no_sense_is_refused(shell: InteractiveShell, line: str) -> None:
    with pytest.raises(UsageError, match="attach-logs"):
        run(shell, f"attach-logs {line}")


def test_file_above_the_limit_leads_here(shell: InteractiveShell, tmp_path: Path) -> None:
    large = tmp_path / "large.jsonl"
    with large.open("wb") as file:
        file.truncate(101 * 2**20)
    with pytest.raises(AttachmentError, match="as a logs table: %secgemini attach-logs PATH"):
        run(shell, f"attach {large}")
