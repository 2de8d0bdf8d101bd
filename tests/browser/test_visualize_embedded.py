"""What `embed=True` saves is enough for the view: exported HTML has no kernel."""

from __future__ import annotations

from typing import Any

import pytest

from secgemini_jupyter.widgets.visualize import VisualizeWidget
from tests.browser.pictures import show
from tests.transcript.frames import message, turn
from tests.widgets.picture import Session

pytestmark = pytest.mark.browser

TABLE = '[{"host": "web-7", "failed": 12}, {"host": "db-1", "failed": 3}]'


def test_every_message_is_read_and_searched_by_title_without_a_kernel(page: Any) -> None:
    table = message("result", "agent_done", TABLE, id="t", at=5.25, mime_type="sec-gemini/table")
    state = VisualizeWidget(Session([*turn()[:11], table, turn()[11]]), embed=True).get_state()
    widget = show(page, bytes(state["index"]), embedded=state["embedded"], session_name=state["session_name"])
    page.evaluate(
        "() => { for (const method of Object.keys(stage.replies)) stage.fails[method] = 'There is no kernel.' }"
    )
    tree = widget.get_by_role("tree")
    tree.get_by_role("treeitem").filter(has_text="Yes. web-7 runs").click()
    pane = widget.get_by_role("region", name="Message")
    pane.get_by_text("1,468 (prompt 1,410").wait_for(state="attached")
    tree.get_by_role("treeitem").filter(has_text="table: ").click()
    pane.get_by_role("columnheader", name="failed").wait_for()
    assert pane.get_by_role("cell", name="12").count() == 1
    widget.get_by_label("Search in messages").fill("lookup_cve")
    tree.locator("mark").filter(has_text="lookup_cve").first.wait_for()
    assert tree.get_by_role("treeitem").filter(has_text="Yes. web-7 runs").count() == 0
