"""A cell of a real JupyterLab asks whether a tool may run; ■ while it asks denies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_magics_in_lab import end_the_local_service

__all__ = ["end_the_local_service"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOOL = """%load_ext secgemini_jupyter
ran = []
def lookup(host: str) -> str:
    "Inventory facts for a host."
    ran.append(host)
    return f"{host} runs linux"
%secgemini new --tools lookup --model local-echo"""
CALL = '%%secgemini\n[[call lookup {"host": "{}"}]]'


def test_a_cell_asks_in_lab(lab_server: Any, page: Any) -> None:
    cells = [TOOL, *(CALL.replace("{}", host) for host in ("web-1", "<b>web-2", "web-3"))]
    notebook = lab_server.open(page, *cells)
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")
    for number, (host, typed, verdict) in enumerate([("web-1", "y", "approved"), ("<b>web-2", "", "denied")], 1):
        box = page.locator(".jp-Notebook .jp-Cell").nth(number).locator("input.jp-Stdin-input")
        question = notebook.output(number).filter(has_text="Run on this machine? lookup")
        question.filter(has_text=f'host = "{host}"').wait_for()
        assert question.locator("b").count() == 0
        box.press_sequentially(typed)
        box.press("Enter")
        question.filter(has_text=f"→ {verdict}").wait_for()
    notebook.output(1).filter(has_text="web-1 runs linux").first.wait_for()
    notebook.output(3).filter(has_text='host = "web-3"').first.wait_for()
    page.locator(".jp-Notebook .jp-Cell").nth(3).locator("input.jp-Stdin-input").wait_for()
    page.evaluate("() => { jupyterapp.commands.execute('notebook:interrupt-kernel'); }")
    notebook.output(3).filter(has_text="→ denied, and the turn was stopped").wait_for()
    assert notebook.python("print(ran)").strip() == "['web-1']"
