"""The notebook that shows all widgets together, run by hand in a real JupyterLab."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.browser

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def opened(lab_server, page):
    shutil.copytree(NOTEBOOKS / "data", lab_server.root / "data", dirs_exist_ok=True)
    document = nbformat.read(NOTEBOOKS / "02_evidence_and_widgets.ipynb", as_version=4)
    page.set_viewport_size({"width": 1000, "height": 1200})
    notebook = lab_server.show(page, document)
    notebook.run_all()
    number = {cell.source.splitlines()[-1]: at for at, cell in enumerate(document.cells)}
    return notebook, lambda last_line: notebook.output(number[last_line])


def test_every_widget_is_live_and_they_work_together(opened):
    notebook, shown_by = opened
    for last_line, widget in {
        "evidence": ".sg-attach",
        "picture": ".sg-visualize",
        "rating": ".sg-feedback",
        "talk": ".sg-chat",
        "cases": ".sg-sessions",
    }.items():
        cell = shown_by(last_line)
        cell.first.scroll_into_view_if_needed()
        cell.locator(widget).wait_for()

    desk = shown_by("desk")
    desk.scroll_into_view_if_needed()
    desk.locator(".sg-attach").get_by_text("kerberos.log", exact=True).wait_for()
    desk.get_by_role("tab", name="Session").click()
    desk.locator(".sg-visualize").get_by_role("treeitem").filter(has_text="log_summary").first.click()
    labels = shown_by("widgets.VBox([line, chosen])")
    labels.get_by_text("files in").wait_for()
    labels.get_by_text("1 messages selected").wait_for()
    assert notebook.python("print(picture.selected == second.selected, len(picture.selection), end='')") == "True 1"
