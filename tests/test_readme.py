"""The README's examples work as they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(?:python)?\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def own_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in [name for name in os.environ if name.startswith(("SEC_GEMINI_", "SECGEMINI_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def no_service_left(own_jupyter: None) -> object:
    from secgemini_jupyter import embedded

    yield
    embedded.stop()


@pytest.mark.kernel
@pytest.mark.usefixtures("no_service_left")
def test_the_first_example_works_as_written() -> None:
    load, ask = BLOCKS[:2]
    assert load.startswith("%load_ext")
    assert ask.startswith("%%secgemini")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (load, ask, "answer.status", "answer")]
    )
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (answer,) = [output for output in notebook.cells[1].outputs if output.output_type == "display_data"]
    assert "6.1 Medium" in answer.data["text/plain"]
    assert "not Sec-Gemini" in answer.data["text/plain"]
    assert notebook.cells[2].outputs[0].data["text/plain"] == "'ok'"
    assert notebook.cells[3].outputs[0].data == answer.data


@pytest.mark.usefixtures("no_service_left")
def test_the_python_example_works_as_written() -> None:
    (example,) = [block for block in BLOCKS if "SecGemini.local()" in block]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "8 Kerberos requests succeeded, 2 failed" in done.stdout


def test_the_commands_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^    make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    from secgemini_jupyter.magics.commands import COMMANDS

    named = re.findall(r"`%secgemini (\w+)", README)
    assert named
    assert set(named) <= set(COMMANDS)
