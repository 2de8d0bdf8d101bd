"""Notebooks that nobody watches: nbclient, papermill, `nbconvert --execute`; what they keep, and how they end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import nbformat
import pytest
from markdown_it import MarkdownIt
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from tests.conftest import LocalService
from tests.render.dom import assert_harmless

pytestmark = pytest.mark.kernel

LOAD = "%load_ext secgemini_jupyter"
PARAGRAPHS = "\n\n".join(f"paragraph {n} " + "word " * 40 for n in range(120))
CELLS = (
    LOAD,
    "%%secgemini -s one\nWhat is **this**, from http://evil.test/x?",
    "%%secgemini -s one\n[[partial]] [[messages=6 bytes=30]] [[delay=0.05]] a short one that streams",
    f"%%secgemini -s one\n[[partial]] [[delay=0.0005]]\n{PARAGRAPHS}",
    "print('before')\nfor n in range(2):\n    get_ipython().run_cell_magic('secgemini', '-s one', f'in a loop {n}')",
    "log = 'first\\n\\n![x](https://evil.test/?q=1)\\n\\n<b>last</b>'\n"
    "text = '~~~\\n' + log + '\\n~~~\\n\\n| a | b |\\n|--:|---|\\n| 1 | 2 |'\n"
    "get_ipython().run_cell_magic('secgemini', '-s one --show full', text)",
)
"""The answers stream, or come at once; there are 6 of them."""


@pytest.fixture(autouse=True)
def environment(local_service: LocalService, tmp_path: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("SEC_GEMINI", "SECGEMINI", "JPY_")):
                patch.delenv(name)
        patch.setenv("SEC_GEMINI_API_HTTP_URL", local_service.http)
        patch.setenv("SEC_GEMINI_API_WEBSOCKET_URL", local_service.ws)
        patch.setenv("SEC_GEMINI_API_KEY", local_service.key)
        patch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        patch.delenv("PYTHONWARNINGS", raising=False)
        yield


def written(folder: Path, *cells: str) -> Path:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = folder / "made.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata=kernel), path)
    return path


Execute = Callable[[Path], tuple[subprocess.CompletedProcess[str], Path]]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def papermill(path: Path) -> tuple[subprocess.CompletedProcess[str], Path]:
    kept = path.with_name("papermill.ipynb")
    return run(path.parent, "papermill", path.name, kept.name, "--no-progress-bar"), kept


def nbconvert(path: Path, to: str = "notebook") -> tuple[subprocess.CompletedProcess[str], Path]:
    kept = path.with_name("converted" + {"notebook": ".ipynb", "html": ".html", "markdown": ".md"}[to])
    command = ("nbconvert", "--execute", "--to", to, "--output", "converted", path.name)
    return run(path.parent, *command), kept


def answers(document: nbformat.NotebookNode) -> list[str]:
    """The HTML of each answer, without what differs from run to run."""
    found = [
        output.data["text/html"]
        for cell in document.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    timeless = [re.sub(r"\d+(\.\d)? m?s\b|\d+ min \d+ s", "N s", html) for html in found]
    return [re.sub(r"session [\w-]+, turn", "session NAME, turn", html) for html in timeless]


def shape(document: nbformat.NotebookNode) -> list[list[str]]:
    return [[output.output_type for output in cell.outputs] for cell in document.cells]


EACH_HOST = [papermill, pytest.param(nbconvert, marks=pytest.mark.slow)]


@pytest.mark.parametrize("execute", EACH_HOST)
def test_the_same_answers_as_under_nbclient(tmp_path: Path, execute: Execute) -> None:
    path = written(tmp_path, *CELLS)
    document = nbformat.read(path, as_version=4)
    NotebookClient(document, timeout=60, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    done, file = execute(path)
    assert done.returncode == 0, done.stderr
    for each in (document, nbformat.read(file, as_version=4)):
        nbformat.validate(each)
        assert len(answers(each)) == 6
        assert answers(each) == answers(document)
        cells = [cell for cell in shape(each) if cell]
        one = ["display_data"]
        assert cells == [one, one, one, ["stream", "display_data", "display_data"], one]
    assert all(f"paragraph {n} " in answers(document)[2] for n in range(120))


@pytest.mark.slow
def test_the_exported_page_holds_all_and_nothing_that_acts(tmp_path: Path) -> None:
    done, page = nbconvert(written(tmp_path, *CELLS), "html")
    assert done.returncode == 0, done.stderr
    text = page.read_text("utf-8")
    assert "paragraph 119" in text
    assert "hxxp://evil[.]test/x" in text
    assert not re.search(r"<(img|iframe)[^>]*evil|href=.[^>]*evil", text)


@pytest.mark.slow
def test_the_exported_markdown_reads_as_the_answer(tmp_path: Path) -> None:
    """HTML in Markdown ends at a blank line: what a log holds behind one must not become an image."""
    done, page = nbconvert(written(tmp_path, *CELLS), "markdown")
    assert done.returncode == 0, done.stderr
    read = MarkdownIt("commonmark", {"html": True}).render(page.read_text("utf-8"))
    assert "<img" not in read
    frames = re.findall(
        r'^<div class="mathjax_ignore tex2jax_ignore" style="border-left.*?(?=^<pre><code|\Z)',
        read,
        re.MULTILINE | re.DOTALL,
    )
    assert len(frames) == 5, "a loop's two stand together"
    said = assert_harmless(frames[-1].strip()).text
    assert "first\n\n![x](hxxps://evil[.]test/?q=1)\n\n<b>last</b>" in said
    assert "What is <strong>this</strong>" in unescape(frames[0])


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("%%secgemini\n[[messages=2]] [[error 503]]", "503"),
        pytest.param("%secgemini frobnicate", "unknown subcommand", marks=pytest.mark.slow),
        pytest.param(
            "import os, signal, threading\n"
            "threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
            "get_ipython().run_cell_magic('secgemini', '', '[[messages=600]] [[delay=0.05]]')",
            "Interrupted: stopped",
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.parametrize("execute", EACH_HOST)
def test_what_fails_or_is_stopped_fails_the_run(tmp_path: Path, cell: str, error: str, execute: Execute) -> None:
    done, kept = execute(written(tmp_path, LOAD, cell, "print('went on')"))
    assert done.returncode != 0
    said = done.stderr
    if kept.exists():
        said += str([cell.get("outputs") for cell in nbformat.read(kept, as_version=4).cells])
    assert "went on" not in said
    if execute is papermill:  # nbconvert keeps nothing, and tells only the error's last line
        assert error in said


@pytest.mark.slow
def test_formats_run_headless_and_one_that_cannot_be_had_fails(tmp_path: Path) -> None:
    """Nobody is there to get a new cell: the code stays in the answer, and the notebook keeps its cells."""
    cells = (LOAD, "%%secgemini -f code\n```python\nx = 1\n```", "v = %secgemini ask -f json [1]", "assert v == [1]")
    words = "%%secgemini -f df -o kept\nwords alone"
    for execute in (papermill, nbconvert):
        done, file = execute(written(tmp_path, *cells))
        assert done.returncode == 0, done.stderr
        sources = [cell.source for cell in nbformat.read(file, as_version=4).cells]
        assert sources == list(cells)
        done, file = execute(written(tmp_path, LOAD, words, "ran_after = True"))
        assert done.returncode != 0
        assert "The answer holds no table. It is shown above" in done.stderr
    kept = nbformat.read(tmp_path / "papermill.ipynb", as_version=4)
    assert any("words alone" in html for html in answers(kept))
