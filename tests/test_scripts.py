"""The scripts behind `make demo` and `make live`, run as their users run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_live_passes_every_row_against_the_local_service(local_service: Any) -> None:
    done = run("scripts/live.py", SEC_GEMINI_API_KEY=local_service.key, SEC_GEMINI_API_HTTP_URL=local_service.http)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "held     10.3 stored messages equal the streamed ones" in done.stdout
    assert "FAILED" not in done.stdout
    assert local_service.key not in done.stdout + done.stderr


def test_live_says_in_one_sentence_that_an_address_is_gone() -> None:
    done = run("scripts/live.py", SEC_GEMINI_API_KEY="x" * 20, SEC_GEMINI_API_HTTP_URL="http://127.0.0.1:9")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "127.0.0.1:9 cannot be reached" in done.stderr


@pytest.mark.kernel
def test_demo_prints_the_answers_and_leaves_a_page_that_loads_nothing() -> None:
    done = run("scripts/demo.py", SEC_GEMINI_API_KEY="a-key-that-must-not-be-used")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for fact in ("6.1 Medium", "not Sec-Gemini", "curl hxxp://203[.]0[.]113[.]50/x.sh", "Sent: helpful"):
        assert fact in done.stdout
    page = (ROOT / "build" / "quickstart.html").read_text("utf-8")
    assert "6.1 Medium" in page
    assert 'src="http' not in page
    executed = nbformat.read(ROOT / "build" / "quickstart.ipynb", as_version=4)
    answers = [cell for cell in executed.cells if cell.source.startswith("%%secgemini")]
    assert answers
    for cell in answers:
        shown = [output for output in cell.outputs if output.output_type == "display_data"]
        assert len(shown) == 1, "one saved output a cell"
        assert "text/html" in shown[0].data


@pytest.mark.kernel
def test_the_notebook_of_widgets_runs_and_shows_each_widget_s_static_form() -> None:
    done = run("scripts/demo.py", "notebooks/02_evidence_and_widgets.ipynb", SEC_GEMINI_API_KEY="not-to-be-used")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    page = (ROOT / "build" / "evidence_and_widgets.html").read_text("utf-8")
    assert 'src="http' not in page
    executed = nbformat.read(ROOT / "build" / "evidence_and_widgets.ipynb", as_version=4)
    shown = {
        cell.source.splitlines()[-1]: "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)
        for cell in executed.cells
        if cell.cell_type == "code"
    }
    for name, fact in {
        "evidence": "No files in session",
        "picture": "kerberos.log",
        "rating": "%secgemini feedback up|down",
        "talk": "What happened in http.log?",
        "cases": "current",
    }.items():
        assert fact in shown[name], name


@pytest.mark.kernel
def test_the_notebook_of_cells_runs_and_shows_what_it_says() -> None:
    done = run("scripts/demo.py", "notebooks/03_cells_in_depth.ipynb", SEC_GEMINI_API_KEY="not-to-be-used")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for fact in (
        "www[.]guyspy[.]com",
        "Nothing was sent. This would be:",
        "attachment 1  requests.csv",
        "curl -u admin:[SECRET-1] https://[HOST-1]/api -H 'Authorization: Bearer [SECRET-2]'",
        "not retained",
        "8 Kerberos requests succeeded, 2 failed.",
        "Replayed from the cache, recorded",
        "(True, True, ",
    ):
        assert fact in done.stdout, fact


@pytest.mark.kernel
def test_the_notebook_of_many_sessions_asks_across_them_with_each_reader() -> None:
    done = run("scripts/demo.py", "notebooks/06_many_sessions.ipynb", SEC_GEMINI_API_KEY="not-to-be-used")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for fact in ("70 sessions, ", "saved    70", "12 sessions", "owner_of    5", "KeyError: 'hnhmrkw.myftp.biz'"):
        assert fact in done.stdout, fact
    assert re.search(r"│ \d{4}-\d\d-\d\d ┆ \d+ +┆ \d+ +┆ 0 ", done.stdout), "Polars, by day"
    assert re.search(r"domain  hnhmrkw\[\.\]myftp\[\.\]biz +12\n", done.stdout)


@pytest.mark.kernel
def test_demo_fails_when_a_cell_fails(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell("%load_ext secgemini_jupyter"), nbformat.v4.new_code_cell("%%secgemini\n  ")]
    broken = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), broken)
    done = run("scripts/demo.py", str(broken))
    assert done.returncode == 1
    assert "the prompt is empty" in done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_carries_no_stored_output(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    assert "widgets" not in notebook.metadata
