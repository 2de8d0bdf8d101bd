"""A long answer in a real JupyterLab: it streams without a jump, stops, is saved, and reads the same ever after."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_markdown_cell

from tests.browser.lab_server import Notebook

from .test_magics_in_lab import ECHO, LOAD, displays, end_the_local_service

__all__ = ["end_the_local_service"]
pytestmark = pytest.mark.browser

PARAGRAPHS = [f"Paragraph {n} says that " + "some words come in pieces, " * 14 for n in range(260)]
TEXT = "\n\n".join(PARAGRAPHS)
LONG = f"%%secgemini\n[[partial]] [[messages=6 bytes=40]] [[delay=0.0008]]\n{TEXT}"
# In every frame: where each finished block of the answer is (all outputs but the first two and the last), against where
# it was when it was first seen; below the list of steps, which the test opens.
WATCH = """() => {
    const area = document.querySelectorAll('.jp-Notebook .jp-Cell')[2].querySelector('.jp-OutputArea');
    const seen = window.seen = { most: 0, moved: [], frames: 0, texts: 0 };
    const places = new Map();
    const look = () => {
        const blocks = [...area.querySelectorAll('.jp-OutputArea-output')];
        if (blocks.length > 3) {
            seen.most = Math.max(seen.most, blocks.length);
            seen.frames += 1;
            blocks.slice(2, -1).forEach((block, index) => {
                const top = block.getBoundingClientRect().top - blocks[2].getBoundingClientRect().top;
                const place = `${Math.round(top)} ${Math.round(block.getBoundingClientRect().height)}`;
                if (!places.has(block)) places.set(block, place);
                else if (places.get(block) !== place) seen.moved.push(`${index}: ${places.get(block)} -> ${place}`);
            });
        }
        seen.frame = requestAnimationFrame(look);
    };
    look();
}"""
OUTPUTS = "document.querySelectorAll('.jp-Notebook .jp-Cell')[2].querySelectorAll('.jp-OutputArea-output')"


def start(notebook: Notebook) -> None:
    notebook.page.evaluate("() => { window.ran = jupyterapp.commands.execute('notebook:run-all-cells') }")


def wait_for_outputs(notebook: Notebook, least: int) -> None:
    notebook.page.wait_for_function(f"() => {OUTPUTS}.length >= {least}")


def shown(notebook: Notebook, cell: int) -> str:
    """The words of a cell's outputs, once they are drawn."""
    notebook.output(cell).first.scroll_into_view_if_needed()
    return " ".join(" ".join(notebook.output(cell).all_inner_texts()).split())


@pytest.mark.slow
def test_a_hundred_kilobytes_stream_in_without_a_jump(lab: Callable[..., Notebook]) -> None:
    assert len(TEXT) > 100_000
    notebook = lab(LOAD, ECHO, LONG)
    page = notebook.page
    start(notebook)
    wait_for_outputs(notebook, 1)
    page.evaluate(WATCH)
    wait_for_outputs(notebook, 4)
    # The user opens the list of steps, and selects words in a finished block.
    page.evaluate(f"() => {{ {OUTPUTS}[1].querySelector('details').open = true }}")
    selected = page.evaluate(
        f"""() => {{
            const words = {OUTPUTS}[2].querySelector('p').firstChild;
            getSelection().setBaseAndExtent(words, 0, words, 30);
            return getSelection().toString();
        }}"""
    )
    assert selected.startswith("Paragraph 0")
    wait_for_outputs(notebook, 6)
    assert page.evaluate("() => getSelection().toString()") == selected
    assert page.evaluate(f"() => {OUTPUTS}[1].querySelector('details').open")
    assert "answering" in page.evaluate(f"() => {OUTPUTS}[0].innerText")
    page.evaluate("() => window.ran")
    seen = page.evaluate("() => { cancelAnimationFrame(seen.frame); return seen }")
    assert seen["moved"] == []
    assert seen["frames"] > 10, "the page drew while the answer came"
    assert 6 <= seen["most"] < 40
    assert notebook.output(2).count() == 1
    text = shown(notebook, 2)
    assert all(" ".join(paragraph.split()) in text for paragraph in PARAGRAPHS)
    (display,) = displays(notebook.save().cells[2])
    assert display.metadata["secgemini"]["status"] == "ok"


@pytest.mark.slow
def test_what_was_stopped_reads_the_same_when_it_comes_back(lab_server: Any, lab: Callable[..., Notebook]) -> None:
    """Reloaded as one's own, and opened by somebody who does not trust it."""
    notebook = lab(LOAD, ECHO, LONG, "went_on = True")
    page = notebook.page
    start(notebook)
    wait_for_outputs(notebook, 6)
    page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    page.evaluate("() => window.ran")
    text = shown(notebook, 2)
    assert "Paragraph 20 says" in text
    assert "Paragraph 259" not in text
    assert "Interrupted." in text
    assert "%secgemini reconnect listens again" in text
    document = notebook.save()
    (display,) = displays(document.cells[2])
    assert display.metadata["secgemini"]["status"] == "interrupted"
    assert document.cells[3].execution_count is None

    page.evaluate("async () => { await jupyterapp.commands.execute('docmanager:save') }")
    page.reload()
    page.wait_for_function("() => document.querySelectorAll('.jp-Notebook .jp-Cell').length >= 4")
    notebook.output(2).first.wait_for()
    assert shown(notebook, 2) == text

    document.cells.insert(0, new_markdown_cell("Found in a mail."))  # so that its signature is unknown
    other = lab_server.show(page, document)
    other.output(3).first.wait_for()
    trusted = "() => jupyterapp.shell.currentWidget.content.model.cells.get(3).trusted"
    assert page.evaluate(trusted) is False
    assert shown(other, 3) == text


SAME = (
    LOAD,
    "%secgemini new --model local-echo",
    "%%secgemini\n[[partial]] [[messages=5 bytes=30]] [[delay=0.05]] from http://evil.test/x\n\n"
    "| a | b |\n|--:|---|\n| 1 | 2 |",
    f"%%secgemini --show full\n[[partial]] [[delay=0.0003]]\n{TEXT[:20_000]}",
    "for n in range(2):\n    get_ipython().run_cell_magic('secgemini', '', f'in a loop {n}')",
)


def answers(document: nbformat.NotebookNode) -> list[str]:
    """The HTML of each answer, without what differs from run to run, and without the hint for who sits before it."""
    found = [
        output.data["text/html"]
        for cell in document.cells
        for output in cell.get("outputs", [])
        if "secgemini" in output.get("metadata", {}) and "text/html" in output.data
    ]
    plain = [html.replace(" · rate it: %secgemini feedback up|down", "") for html in found]
    plain = [re.sub(r"\d+(\.\d)? m?s\b|\d+ min \d+ s", "N s", html) for html in plain]
    return [re.sub(r"session [\w-]+, turn", "session NAME, turn", html) for html in plain]


def test_the_same_html_in_lab_notebook_7_and_without_anybody(
    lab_server: Any, lab: Callable[..., Notebook], notebook7: Callable[..., Notebook], tmp_path: Path
) -> None:
    kept = {}
    for name, opened in (("JupyterLab", lab), ("Notebook 7", notebook7)):
        notebook = opened(*SAME)
        notebook.run_all()
        kept[name] = notebook.save()
    home = lab_server.root.parent
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in SAME])
    with pytest.MonkeyPatch.context() as patch:
        for variable in list(os.environ):
            if variable.startswith(("SEC_GEMINI", "SECGEMINI")):
                patch.delenv(variable)
        patch.setenv("SECGEMINI_BACKEND", "local")
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        patch.setenv("JUPYTER_DATA_DIR", str(home / "data"))
        patch.setenv("IPYTHONDIR", str(tmp_path))
        NotebookClient(document, timeout=60, kernel_name="python3").execute()
    expected = answers(document)
    assert len(expected) == 4
    for name, each in kept.items():
        assert answers(each) == expected, name


@pytest.mark.parametrize("app", ["lab", pytest.param("notebook", marks=pytest.mark.slow)])
def test_outputs_of_others_stay_and_what_is_emptied_takes_no_room(lab_server: Any, page: Any, app: str) -> None:
    warned = "%%secgemini\n[[partial]] [[messages=6 bytes=40]] [[delay=0.05]] what is {{missing}}?"
    widget = (
        "import ipywidgets\nout = ipywidgets.Output()\ndisplay(out)\nwith out:\n"
        "    get_ipython().run_cell_magic('secgemini', '', '[[messages=8]] [[delay=0.05]] [[partial]] in a widget')"
    )
    notebook = lab_server.open(page, LOAD, ECHO, warned, widget, app=app)
    notebook.run_all()
    outputs = notebook.output(2)
    texts = outputs.all_inner_texts()
    assert "missing" in texts[0]
    assert "what is {{missing}}?" in texts[1]
    height = page.evaluate(
        "() => document.querySelectorAll('.jp-Notebook .jp-Cell')[2].querySelector('.jp-OutputArea').offsetHeight"
    )
    assert height - sum(outputs.nth(n).bounding_box()["height"] for n in range(2)) < 12
    inner = notebook.output(3).locator(".jp-RenderedHTML")
    inner.get_by_text("in a widget").wait_for()
    assert inner.count() == 1
