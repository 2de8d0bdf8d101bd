"""The command line: `secgemini-jupyter serve`, a contract with whoever starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from secgemini_jupyter import __version__
from secgemini_jupyter.cli import main

COMMAND = Path(sys.executable).with_name("secgemini-jupyter")


def test_serve_prints_one_json_line_and_ends_at_sigterm(tmp_path: Path) -> None:
    """The key is read from the file, and stands neither in the arguments nor in the output."""
    key_file = tmp_path / "key"
    key_file.write_text("serve-test-key-12345\n")
    key_file.chmod(0o600)
    arguments = ["serve", "--api-key-file", str(key_file), "--data", str(tmp_path / "data"), "--engine", "echo"]
    with subprocess.Popen(
        [COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    ) as process:
        assert process.stdout
        assert process.stderr
        first = json.loads(process.stdout.readline())
        assert first.keys() == {"http", "ws", "logs", "pid", "answers"}
        assert first["logs"] == first["http"]
        assert first["pid"] == process.pid
        assert first["http"].startswith("http://127.0.0.1:")
        assert first["ws"] == "ws" + first["http"].removeprefix("http")
        headers = {"x-api-key": "serve-test-key-12345"}
        assert httpx.get(first["http"] + "/v1/user/info", headers=headers, trust_env=False).status_code == 200
        assert httpx.get(first["http"] + "/v1/user/info", trust_env=False).status_code == 401
        process.send_signal(signal.SIGTERM)
        rest, log = process.stdout.read(), process.stderr.read()
        assert process.wait(10) == 0
    assert rest == b""
    assert b"serve-test-key-12345" not in log


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--version"], __version__), (["--help"], "serve"), (["-h"], "clean"), (["help"], "serve")]
)
def test_version_and_help(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["server"], ["--serve"], ["chat", "x"]])
def test_anything_else_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "usage" in captured.err


def test_serve_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    """No `--api-key VALUE`: a command line can be read by every user of the machine."""
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--api-key", "secret-in-the-process-list"])
    assert caught.value.code == 2
    capsys.readouterr()
