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
from pandas.testing import assert_frame_equal

from secgemini_jupyter import SecGemini
from tests.conftest import LocalService

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


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of pandas 3.1, for what Dask 2026.8 does inside
def test_the_example_of_many_sessions_works_as_written(
    local_service: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = [block for block in BLOCKS if "save_histories" in block]
    saving, imports, reading = example.split("\n\n")
    monkeypatch.chdir(tmp_path)
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session("readme")
        session.query("Is 203.0.113.77 one of ours?")
        names = {"client": client, "session": session}
        exec(saving + "\n" + imports, names)
        ours, by_pandas, by_duckdb, by_polars, by_dask = (eval(line, names) for line in reading.splitlines())
        assert_frame_equal(ours, session.history())
    assert session.id in set(by_pandas["session_id"])
    assert session.id in dict(by_duckdb)
    assert session.id in set(by_polars["session_id"])
    assert by_dask["query"] >= 1


def test_the_commands_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^    make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    from secgemini_jupyter.magics.commands import COMMANDS

    named = re.findall(r"`%secgemini (\w+)", README)
    assert named
    assert set(named) <= set(COMMANDS)
