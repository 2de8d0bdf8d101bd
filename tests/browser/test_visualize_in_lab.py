"""The picture in a real JupyterLab: what is chosen in the browser is a table in Python, and a turn appears live."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

PROMPTS = (
    "Who failed before one succeeded from 10.0.0.7?",
    "[[messages=4 bytes=40]] And from which hosts?",
    "Nothing of the kind.",
)


def session_cell(service: Any, *prompts: str) -> str:
    lines = [
        "from secgemini_jupyter import SecGemini",
        f"client = SecGemini({service.key!r}, base_url={service.http!r}, websocket_url={service.ws!r})",
        "session = client.create_session('triage')",
    ]
    return "\n".join([*lines, *(f"answer = session.query({prompt!r})" for prompt in prompts)])


SHOW = "picture = session.visualize()\npicture"


def test_search_filter_and_select_in_the_browser_then_read_the_selection_in_python(
    lab: Callable[..., Any], local_service: Any
) -> None:
    notebook = lab(session_cell(local_service, *PROMPTS), SHOW)
    notebook.run_all()
    widget = notebook.output(1).first.locator(".sg-visualize")
    tree = widget.get_by_role("tree")
    tree.wait_for()
    widget.get_by_label("Search in messages").fill("10[.]0[.]0[.]7")
    widget.get_by_text(re.compile(r"^[12] of \d+ messages$")).wait_for()
    assert notebook.python("print(picture.selected)") == "[]\n"

    tree.get_by_role("treeitem").filter(has_text="Who failed before").first.click()
    widget.get_by_role("region", name="Message").get_by_text("10[.]0[.]0[.]7").first.wait_for()
    selected = until(notebook, "picture.selected")
    found = notebook.python("print(picture.selection.content.tolist(), picture.selection.index.tolist())")
    assert PROMPTS[0] in found
    assert found.endswith(f"{selected}\n")

    notebook.python("picture.select(session.history().query('message_type == \"result\"').tail(1))")
    chosen = tree.get_by_role("treeitem", selected=True).filter(has_text="Nothing of the kind.")
    widget.get_by_role("button", name="Clear", exact=True).first.click()
    chosen.wait_for()


def until(notebook: Any, expression: str) -> str:
    """What Python says as soon as it is something."""
    for _ in range(100):
        if said := notebook.python(f"print({expression} or '')").strip():
            return said
        notebook.page.wait_for_timeout(50)
    raise AssertionError(f"{expression} stayed empty")


def test_a_turn_that_streams_in_another_cell_appears_live(lab: Callable[..., Any], local_service: Any) -> None:
    stream = "answer = session.query('[[messages=12 bytes=30]] [[delay=0.1]] the end of it')"
    notebook = lab(session_cell(local_service), SHOW, stream)
    page = notebook.page
    page.evaluate(
        "async () => { const run = name => jupyterapp.commands.execute(name);"
        " jupyterapp.shell.currentWidget.content.activeCellIndex = 0; await run('notebook:run-cell-and-select-next');"
        " await run('notebook:run-cell-and-select-next'); }"
    )
    widget = notebook.output(1).first.locator(".sg-visualize")
    widget.get_by_text("No messages yet").wait_for()
    page.evaluate("() => { window.ran = jupyterapp.commands.execute('notebook:run-cell') }")
    turn = widget.get_by_role("treeitem").filter(has_text="the end of it").first
    turn.wait_for()
    assert page.evaluate("() => Promise.race([window.ran.then(() => 'ended'), 'runs'])") == "runs"
    page.evaluate("() => window.ran")
    count = int(notebook.python("print(len(session.messages))"))
    widget.get_by_text(f"{count} messages").first.wait_for()
    assert notebook.python("print(picture.running, len(picture.frame))") == f"False {count}\n"
