"""The picture of a session in a real browser, with Lab's theme and without a kernel."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser import pictures
from tests.browser.conftest import run_axe
from tests.browser.pictures import pack, show, triage

pytestmark = pytest.mark.browser

FAILED = "10 logons, 8 succeeded, 2 failed."


def lines(widget: Any) -> list[str]:
    return widget.get_by_role("treeitem").locator(".sg-label").all_inner_texts()


def requests(page: Any, method: str) -> list[dict[str, Any]]:
    return [request["params"] for request in page.evaluate("stage.requests") if request["method"] == method]


def selected(page: Any) -> list[int]:
    return page.evaluate("stage.traits.selected")


def wait_selected(page: Any, positions: list[int]) -> None:
    page.wait_for_function(
        "wanted => JSON.stringify(stage.traits.selected) === wanted", arg=str(positions).replace(" ", "")
    )


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast", None])
def test_every_state_is_accessible_in_every_theme(page, theme):
    table = {"kind": "table", "title": "Logons", "columns": ["client", "failed"], "rows": [["johnson-pc$", "2"]],
             "numeric": [False, True], "more": 7}  # fmt: skip
    parts = [
        *pictures.detail(0)["parts"],
        table,
        {"kind": "timeline", "title": "Events", "table": table,
         "events": [{"label": "logon", "group": "kerberos", "start": pictures.NOW, "end": None},
                    {"label": "scan", "group": "network", "start": pictures.NOW, "end": pictures.NOW + 60}]},
        {"kind": "graph", "title": "Hosts", "table": table, "edges": [{"source": 0, "target": 1, "label": "asks"}],
         "nodes": [{"id": "a", "label": "host", "type": "pc"}, {"id": "b", "label": "", "type": "user"}]},
    ]  # fmt: skip
    content = {"details": {"*": pictures.detail(0, parts=parts)}, "hits": {"fail": [4]}}
    widget = show(page, pack(triage()), theme=theme, content=content)
    seen = [run_axe(page, "#widget")]
    widget.get_by_role("treeitem", name=FAILED).click()
    widget.get_by_text("Both failures").wait_for()
    seen.append(run_axe(page, "#widget"))
    widget.get_by_role("button", name="Filter by status").click()
    seen.append(run_axe(page, "#widget"))
    page.keyboard.press("Escape")
    widget.get_by_role("searchbox").fill("fail")
    widget.get_by_text("1 of 1 match").wait_for()
    seen.append(run_axe(page, "#widget"))
    for found in seen:
        assert found["violations"] == []
        assert found["contrast"] >= 20


def test_a_line_is_read_and_selected(page):
    widget = show(page, pack(triage()), content={"details": {"4": pictures.detail(4, title="the answer")}})
    widget.get_by_role("treeitem", name=FAILED).click()
    widget.get_by_text("the answer").wait_for()
    wait_selected(page, [4])
    assert 4 in requests(page, "read")[0]["messages"]


def test_a_turn_means_all_of_its_messages(page):
    widget = show(page, pack(triage()))
    widget.get_by_role("treeitem", name="Who logged in").click()
    wait_selected(page, [0, 1, 2, 3, 4])


def test_search_narrows_the_tree_and_walks_through_the_matches(page):
    widget = show(page, pack(triage()), content={"hits": {"log": [1, 4, 10]}})
    widget.get_by_role("searchbox").fill("log")
    widget.get_by_text("3 of 13 messages").wait_for()
    assert requests(page, "search") == [{"text": "log"}]
    assert lines(widget)[:3] == ["1 › Who logged in, who failed?", "I read the log first", FAILED]
    assert widget.locator("mark").all_inner_texts() == ["log", "log", "log"]
    page.keyboard.press("Enter")
    widget.get_by_text("1 of 3 matches").wait_for()
    page.keyboard.press("Shift+Enter")
    widget.get_by_text("3 of 3 matches").wait_for()
    assert page.evaluate("document.activeElement.type") == "search"
