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

SESSION = """
from pathlib import Path
from secgemini_jupyter import SecGemini
from secgemini_jupyter.kernel import KernelSession
from secgemini_jupyter.widgets import SessionsWidget
key = Path({key!r}).read_text()
client = SecGemini(key, base_url={http!r}, websocket_url={ws!r})
session = client.create_session("triage")
session.attach_file("auth.log", b"sshd: accepted")
answer = session.query("Who logged in?")
kernel = KernelSession()
kernel._client = client
"""

# The cell that shows a widget, a selector of its view, and words of its static form.
WIDGETS = {
    "attach": ("session.attach()", ".sg-attach", "auth.log"),
    "chat": ("session.chat()", ".sg-chat", "Conversation in session triage"),
    "feedback": (
        "import secgemini_jupyter.widgets as w\nw.FeedbackWidget(session)",
        ".sg-feedback",
        "feedback up|down",
    ),
    "sessions": ("SessionsWidget(kernel)", ".sg-sessions", ", as of 20"),
    "visualize": ("session.visualize()", ".sg-visualize", "· 1 turn ·"),
    "visualize, embedded": ("session.visualize(embed=True)", ".sg-visualize", "Session triage, saved with this"),
}


@pytest.fixture
def cells(local_service, tmp_path) -> list[str]:
    """The cells of a notebook that shows all widgets. The key is in a file: no cell holds it."""
    (tmp_path / "key").write_text(local_service.key)
    session = SESSION.format(key=str(tmp_path / "key"), http=local_service.http, ws=local_service.ws)
    return [session.strip(), *(cell for cell, _, _ in WIDGETS.values())]


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


def blanks(page: Any) -> list[str]:
    """The widgets whose words are not on a page that was made of a notebook."""
    outputs = page.locator(".jp-OutputArea")
    assert outputs.count() == len(WIDGETS)
    shown = [outputs.nth(n).get_by_text(words).first.is_visible() for n, (_, _, words) in enumerate(WIDGETS.values())]
    return [name for name, is_shown in zip(WIDGETS, shown, strict=True) if not is_shown]


def test_an_executed_notebook_is_readable_offline(cells, offline):
    """nbclient, papermill and `nbconvert --execute` keep the state of widgets, which nbconvert would prefer."""
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(document, timeout=120, kernel_name="python3").execute()
    assert blanks(offline(html_of(document))) == []
    embedded = document.cells[-1].outputs[0].data[VIEW]["model_id"]
    (state,) = document.metadata.widgets.values()
    assert len(state["state"][embedded]["state"]["embedded"]) > 2, "with a network, the page stays interactive"
    markdown = unescape(MarkdownExporter().from_notebook_node(document)[0])
    assert [name for name, (_, _, words) in WIDGETS.items() if words not in markdown] == []


def test_a_notebook_saved_in_lab_is_readable_offline_and_holds_no_key(lab, local_service, cells, offline):
    notebook = lab(*cells)
    notebook.run_all()
    for number, (_, view, _) in enumerate(WIDGETS.values(), 1):
        notebook.output(number).first.scroll_into_view_if_needed()
        notebook.output(number).locator(view).wait_for()
    document = notebook.save()
    assert notebook.python(KEY_IN_TRAITS) == "True False"
    assert "widgets" not in document.metadata
    assert local_service.key not in nbformat.writes(document)
    assert blanks(offline(html_of(document))) == []
    markdown = unescape(MarkdownExporter().from_notebook_node(document)[0])
    assert [name for name, (_, _, words) in WIDGETS.items() if words not in markdown] == []

    # What Lab writes if its user switched "Save Widget State Automatically" on. nbconvert then prefers the live view,
    # and that takes its machinery from the network: offline, it needs to be told to forget the state.
    notebook.page.evaluate(SWITCH_SAVING)
    try:
        document = notebook.save()
    finally:
        notebook.page.evaluate(SWITCH_SAVING)  # Lab remembers it, for the next notebook too
    (state,) = document.metadata.widgets.values()
    for cell in document.cells[1:]:
        assert cell.outputs[0].data[VIEW]["model_id"] in state["state"]
    assert local_service.key not in nbformat.writes(document)
    assert blanks(offline(html_of(document))) == ["attach", "feedback", "sessions", "visualize"]
    assert blanks(offline(html_of(document, FORGET))) == []
