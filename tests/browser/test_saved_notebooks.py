"""Notebooks that were saved and are read without a kernel and without a network: content, not a blank; and no key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter
from traitlets.config import Config

pytestmark = pytest.mark.browser

SWITCH_SAVING = "jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')"
FORGET = Config(ClearMetadataPreprocessor={"enabled": True})
"""`jupyter nbconvert --to html --ClearMetadataPreprocessor.enabled=True`"""
VIEW = "application/vnd.jupyter.widget-view+json"
KEY_IN_TRAITS = """
from ipywidgets.widgets.widget import _instances
said = [repr(widget.trait_values()) + str(widget.get_state()) for widget in _instances.values()]
print(len(said) > 1, any(key in each for each in said), end="")
"""

# The cell that shows a widget, a selector of its view, and words of its static form.
WIDGETS = {
    "feedback": (
        "from secgemini_jupyter.widgets import FeedbackWidget\nFeedbackWidget(session)",
        ".sg-feedback",
        '%secgemini feedback up|down "comment"',
    ),
    "visualize": ("session.visualize()", ".sg-visualize", "· 1 turn ·"),
}


@pytest.fixture
def cells(local_service, tmp_path) -> Callable[[str], list[str]]:
    """The cells of a notebook that shows a widget. The key is in a file: no cell holds it."""
    (tmp_path / "key").write_text(local_service.key)
    session = (
        "from pathlib import Path\nfrom secgemini_jupyter import SecGemini\n"
        f"key = Path({str(tmp_path / 'key')!r}).read_text()\n"
        f"client = SecGemini(key, base_url={local_service.http!r}, websocket_url={local_service.ws!r})\n"
        "session = client.create_session('triage')\n"
        "answer = session.query('Who logged in?')"
    )
    return lambda name: [session, WIDGETS[name][0]]


@pytest.fixture
def offline(browser: Any) -> Iterator[Callable[[str], Any]]:
    """Opens a page with every request refused but that for itself."""
    page = browser.new_page()
    page.set_default_timeout(10_000)

    def show(html: str) -> Any:
        page.route("**/*", lambda route: route.abort())
        page.route("http://saved.test/", lambda route: route.fulfill(body=html, content_type="text/html"))
        page.goto("http://saved.test/", wait_until="load")
        return page

    yield show
    page.close()


def html_of(document: nbformat.NotebookNode, config: Config | None = None) -> str:
    return HTMLExporter(config=config or Config()).from_notebook_node(document)[0]


@pytest.mark.parametrize("name", WIDGETS)
def test_an_executed_notebook_is_readable_offline(cells, offline, name):
    """nbclient, papermill and `nbconvert --execute` keep the state of widgets, which nbconvert would prefer."""
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells(name)])
    NotebookClient(document, timeout=120, kernel_name="python3").execute()
    words = WIDGETS[name][2]
    assert offline(html_of(document)).get_by_text(words).is_visible()
    assert words in unescape(MarkdownExporter().from_notebook_node(document)[0])


@pytest.mark.parametrize("name", WIDGETS)
def test_a_notebook_saved_in_lab_is_readable_offline_and_holds_no_key(lab, local_service, cells, offline, name):
    notebook = lab(*cells(name))
    notebook.run_all()
    notebook.page.locator(WIDGETS[name][1]).wait_for()
    document = notebook.save()
    assert notebook.python(KEY_IN_TRAITS) == "True False"
    words = WIDGETS[name][2]
    assert "widgets" not in document.metadata
    assert offline(html_of(document)).get_by_text(words).is_visible()
    assert words in unescape(MarkdownExporter().from_notebook_node(document)[0])

    # What Lab writes if its user switched "Save Widget State Automatically" on. nbconvert then prefers the live view,
    # and that takes its machinery from the network: offline, it needs to be told to forget the state.
    notebook.page.evaluate(SWITCH_SAVING)
    try:
        document = notebook.save()
    finally:
        notebook.page.evaluate(SWITCH_SAVING)  # Lab remembers it, for the next notebook too
    (state,) = document.metadata.widgets.values()
    assert document.cells[1].outputs[0].data[VIEW]["model_id"] in state["state"]
    assert local_service.key not in nbformat.writes(document)
    assert offline(html_of(document)).get_by_text(words).count() == 0
    assert offline(html_of(document, FORGET)).get_by_text(words).is_visible()
