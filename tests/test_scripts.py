"""The scripts behind `make demo` and `make live`, run as their users run them."""

from __future__ import annotations

import json
import os
import re
import shutil
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


@pytest.mark.slow
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


def executed(name: str) -> list[Any]:
    """The code cells of a notebook that `run` left in build/; none wrote a warning."""
    cells = [c for c in nbformat.read(ROOT / "build" / name, as_version=4).cells if c.cell_type == "code"]
    assert not [out.text for cell in cells for out in cell.outputs if out.get("name") == "stderr"]
    return cells


@pytest.mark.kernel
def test_the_notebook_of_transcripts_finds_what_the_logs_hold() -> None:
    done = run("scripts/demo.py", "notebooks/04_transcript_analysis.ipynb", SEC_GEMINI_API_KEY="not-to-be-used")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    shown = {}
    for cell in executed("transcript_analysis.ipynb"):
        data = [output.get("data", {}) for output in cell.outputs]
        said = " ".join(each.get("text/html") or each.get("text/plain", "") for each in data)
        said += " ".join(output.text for output in cell.outputs if output.output_type == "stream")
        shown[cell.source.splitlines()[-1]] = " ".join(re.sub("<[^>]*>", " ", said).split())
        if ".plot." in cell.source:
            assert [each for each in data if "image/png" in each and 'alt="' in each["text/html"]], cell.source
    for line, facts in {
        'joined[["defanged"': ["hnhmrkw[.]myftp[.]biz True 12 27 2013-09-15 23:44:37+00:00 8"],
        'unseen[["type"': ["indicators in answers, 0 of them in no log"],
        "told.merge": ["16464 udp 202 202 23:44:59 23:48:22 202 202", "443 tcp 37 3 23:44:28 23:44:32 37 3"],
        'techniques[["id"': ["T1189 Drive-by Compromise", "Disable or Modify Tools", "T1685"],
        "[(each[": ["('T1685', 4)"],
        'hits[["turn_index"': ["23:45:00 UDP 16464 to two hundred strangers"],
        "history.secgemini.usage(by=": ["total_tokens 0", "cost_estimate 0.0"],
        "history.secgemini.verify()": ["nothing was changed"],
        "edited.secgemini.verify()": ["1 changed", "edited: the content of message 7"],
    }.items():
        text = next(text for source, text in reversed(shown.items()) if source.startswith(line))
        for fact in facts:
            assert fact in text


@pytest.mark.slow
@pytest.mark.kernel
def test_the_notebook_of_a_report_leaves_a_whole_case() -> None:
    case = ROOT / "notebooks" / "case-guyspy"
    shutil.rmtree(case, ignore_errors=True)
    done = run("scripts/demo.py", "notebooks/05_incident_report.ipynb", SEC_GEMINI_API_KEY="not-to-be-used")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert executed("incident_report.ipynb")
    for fact in (
        "nothing was changed",
        "edited: entry 3 in line 3",
        "the log ends with entry 9, the kept head is of entry 12",
    ):
        assert fact in done.stdout, fact
    report = (case / "report.md").read_text("utf-8")
    for fact in (
        "059569c79e483cc35b683d7ef48b9c7a5ca03f3f21a1f90c86b30d953dcb00e7",
        "From 23:44:40 the browser got a PDF of 6,538 bytes, 13 times:",
        "sent UDP to port 16464 of 202 addresses, 62",
        "Written by the analyst.",
        "Chosen by the analyst.",
        "| T1189 | Drive-by Compromise | 1 |",
    ):
        assert fact in report, fact
    assert "Drive-by download on" in (case / "report.html").read_text("utf-8")
    assert (case / "report.docx").read_bytes().startswith(b"PK")
    bundle = json.loads((case / "indicators.stix.json").read_text("utf-8"))
    assert [each["pattern"] for each in bundle["objects"] if each["type"] == "indicator"] == [
        "[ipv4-addr:value = '108.59.9.32']",
        "[domain-name:value = 'hnhmrkw.myftp.biz']",
        "[file:hashes.MD5 = '0522a976acd4a45133a76345602dda28']",
        "[file:hashes.'SHA-1' = '2dc2bba051da35b1acf983ba5f81bbe885df4ad5']",
        "[file:hashes.MD5 = 'f41826e027bdc0d357a60a56dcdf50c8']",
        "[file:hashes.'SHA-1' = '8af45f862cf4c74963053cd9e30b231634b5842c']",
    ]
    shutil.rmtree(case)


@pytest.mark.slow
@pytest.mark.kernel
def test_the_notebook_of_many_sessions_asks_across_them_with_each_reader() -> None:
    done = run("scripts/demo.py", "notebooks/06_many_sessions.ipynb", SEC_GEMINI_API_KEY="not-to-be-used")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for fact in ("70 sessions, ", "saved    70", "12 sessions", "owner_of    5", "KeyError: 'hnhmrkw.myftp.biz'"):
        assert fact in done.stdout, fact
    assert re.search(r"│ \d{4}-\d\d-\d\d ┆ \d+ +┆ \d+ +┆ 0 ", done.stdout), "Polars, by day"
    assert re.search(r"domain +hnhmrkw\[\.\]myftp\[\.\]biz +12\n", done.stdout)


@pytest.mark.slow
@pytest.mark.kernel
def test_the_notebook_that_hands_over_runs_without_msticpy() -> None:
    """With it: tests/interop/test_msticpy.py."""
    done = run("scripts/demo.py", "notebooks/07_hand_over.ipynb", SEC_GEMINI_API_KEY="not-to-be-used")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for fact in ("\npip install msticpy secgemini-jupyter", "execute_tool extract_iocs", "\n(True, False)"):
        assert fact in done.stdout, fact


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
