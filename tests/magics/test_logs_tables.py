"""`%secgemini attach-logs`: a log of any size becomes the logs table of the current session."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from secgemini_jupyter.errors import AttachmentError, InputError, ServiceError
from secgemini_jupyter.kernel import default_kernel
from secgemini_jupyter.magics.interrupts import Interrupted


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
    log.write_text('{"another": "log"}\n')
    assert f"1 line sent, instead of {logs_hash}: a session has one" in run(shell, f'attach-logs "{log}"')


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


def test_errors_name_what_is_typed_in_a_cell(shell: InteractiveShell, log: Path) -> None:
    with pytest.raises(ServiceError, match=r"Logs table not found.* %secgemini attach-logs PATH brings the log up"):
        run(shell, f"attach-logs --hash {'e' * 64}")
    with pytest.raises(InputError, match=r"^--map renames 'time', and no line"):
        run(shell, f'attach-logs "{log}" --map timestamp=time')


@pytest.mark.parametrize("failure", [ServiceError("Upstream (502).", status=502), KeyboardInterrupt()], ids=type)
def test_upload_that_broke_off_tells_how_far_it_came(
    shell: InteractiveShell, log: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    log.write_text(f'{{"why": "{type(failure).__name__}"}}\n17\n{{}}\n')
    client = default_kernel().client
    send = client._send

    def failing(request: Any, *given: Any) -> Any:
        if request.path == "/upload_logs":
            raise failure
        return send(request, *given)

    line = f'attach-logs "{log}"'
    with monkeypatch.context() as patch:
        patch.setattr(client, "_send", failing)
        with pytest.raises((ServiceError, Interrupted)) as told:
            run(shell, line)
    assert "0 to 3 of 3 lines of the log are there: run %secgemini attach-logs again, it goes on" in str(told.value)
    assert "3 lines sent" in run(shell, line)


def test_warnings_are_lines_of_the_cell(shell: InteractiveShell, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_text('{"a": 1}\n17\n{}\n')
    run(shell, f'attach-logs "{log}"')
    assert capsys.readouterr().out.startswith("1 of 3 lines are no JSON object, line 2 is the first")
