"""Cells tagged `secgemini-skip`, left out as README says; and recorded answers in a run that nobody watches."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.conftest import LocalService, unavailable

BIN = Path(sys.executable).parent
RUNS = {
    "nbconvert": "jupyter nbconvert --to notebook --execute --ExecutePreprocessor.skip_cells_with_tag=secgemini-skip "
    "--output out.ipynb in.ipynb",
    "jupyter execute": "jupyter execute --NbClientApp.skip_cells_with_tag=secgemini-skip --output=out in.ipynb",
    "papermill": "papermill --no-progress-bar --engine secgemini in.ipynb out.ipynb",
}


EACH_RUN = [
    pytest.param(command, id=host, marks=[] if host == "papermill" else [pytest.mark.slow])
    for host, command in RUNS.items()
]


def run(folder: Path, command: str, cells: list[str], service: LocalService | None = None) -> tuple[int, str]:
    """Exit code and what was said; the notebook stands in `out.ipynb`. The cell `skipped` is tagged."""
    if command.startswith("papermill") and importlib.util.find_spec("papermill") is None:
        unavailable("NOT CHECKED with papermill: it is not installed.")
    kernel = {"name": "python3", "display_name": "", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    for each in cells:
        tags = ["secgemini-skip"] if each.split()[0] == "skipped" or " skipped:" in each else []
        notebook.cells.append(nbformat.v4.new_code_cell(each, metadata={"tags": tags}))
    nbformat.write(notebook, folder / "in.ipynb")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEC_GEMINI", "SECGEMINI"))}
    own = {name: str(folder / name) for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    asks = {"SEC_GEMINI_API_HTTP_URL": service.http, "SEC_GEMINI_API_KEY": service.key} if service else {}
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(
        command.split(), cwd=folder, env=kept | own | asks | path, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("command", EACH_RUN)
def test_tagged_cells_are_left_out_and_the_others_run(tmp_path: Path, command: str) -> None:
    code, said = run(tmp_path, command, ["print('before')", "skipped = 1/0", "print('skipped' in globals())"])
    assert code == 0, said
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    assert [each.outputs[0].text if each.outputs else "" for each in cells if "papermill" not in each.source] == [
        "before\n",
        "",
        "False\n",
    ]
    assert cells[1].execution_count is None


@pytest.mark.slow
@pytest.mark.parametrize("command", EACH_RUN)
def test_a_recorded_notebook_runs_without_key_and_service_and_fails_on_a_miss(
    tmp_path: Path, command: str, local_service: LocalService
) -> None:
    cells = [
        f"%load_ext secgemini_jupyter\n%config SecGeminiMagics.cache_dir = {str(tmp_path / 'answers')!r}",
        "%config SecGeminiMagics.cache = 'use'",
        "%%secgemini -o first\nwhat is this?",
        "%%secgemini skipped: asked in an attended run only",
        "%%secgemini\nand that?",
        "print('reached', first.cached)",
    ]
    code, said = run(tmp_path, command, cells, local_service)
    assert code == 0, said
    cells[1] = "%config SecGeminiMagics.cache = 'only'"
    code, said = run(tmp_path, command, cells)
    assert code == 0, said
    out = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert out.cells[-1].outputs[0].text == "reached True\n"
    assert not list((tmp_path / "JUPYTER_RUNTIME_DIR").glob("secgemini*")), "no local service was started"
    cells[4] = "%%secgemini\nand something else?"
    code, said = run(tmp_path, command, cells)
    assert code == 1
    assert "with --cache only nobody is asked" in said
