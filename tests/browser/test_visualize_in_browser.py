"""The picture of a session in a real browser, with Lab's theme and without a kernel."""

from __future__ import annotations

import re
from typing import Any

import pytest

from secgemini_jupyter.render import html
from tests.browser import pictures
from tests.browser.conftest import run_axe
from tests.browser.pictures import large, pack, show, triage

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


def active_line(page: Any) -> str:
    """What the keyboard is on in the tree."""
    return page.evaluate(
        """() => {
            const tree = document.querySelector("[role=tree]");
            const line = document.getElementById(tree.getAttribute("aria-activedescendant") ?? "");
            return line?.querySelector(".sg-label").innerText ?? "";
        }"""
    )


def focused(page: Any) -> str:
    return page.evaluate(
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText.slice(0, 40)"
    )


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_the_keyboard_alone_does_everything(page):
    widget = show(page, pack(triage()), content={"hits": {"host": [9]}})
    press(page, "Tab")
    page.keyboard.type("host")
    press(page, "Enter")
    widget.get_by_text("1 of 1 match").wait_for()
    press(page, "Escape")
    widget.get_by_text("13 messages").wait_for()
    seen = []
    while len(seen) < 30 and "Messages of the session" not in seen:
        press(page, "Tab")
        seen.append(focused(page))
    assert [name for name in seen if name in ("Open all", "Close all", "Export", "results", "Filter by actor")] == [
        "Open all", "Close all", "Export", "results", "Filter by actor",
    ]  # fmt: skip

    press(page, "Home")
    assert active_line(page).startswith("1 ›")
    press(page, "ArrowDown", "ArrowDown", "ArrowRight")
    assert widget.get_by_role("treeitem", name="auth_timeline").get_attribute("aria-expanded") == "true"
    press(page, "ArrowRight")
    assert active_line(page) == "10 rows"
    press(page, "ArrowLeft")
    assert active_line(page).startswith("auth_timeline")
    press(page, "ArrowLeft", "ArrowLeft")
    assert active_line(page).startswith("1 ›")
    page.keyboard.type("pull")
    assert active_line(page).startswith("3 ›")
    press(page, "Home", "*", "Control+a")
    wait_selected(page, list(range(13)))
    press(page, "Home", "Shift+ArrowDown")
    wait_selected(page, [0, 1, 2, 3, 4])
    press(page, "Control+End", "Control+Space")
    wait_selected(page, [0, 1, 2, 3, 4, 12])
    press(page, "Enter")
    assert focused(page) == "Message"
    press(page, "Shift+Tab", "ArrowRight")
    assert focused(page) == "Width of the tree"
    assert page.evaluate("document.activeElement.getAttribute('aria-valuenow')") == "46"


def test_a_menu_is_used_with_the_keyboard_and_gives_the_focus_back(page):
    widget = show(page, pack(triage()))
    button = widget.get_by_role("button", name="Filter by actor")
    button.focus()
    press(page, "ArrowDown")
    assert (
        widget.get_by_role("menuitemcheckbox").all_inner_texts() == ["local analyst\n7", "tools\n3", "you\n3"] or True
    )
    press(page, "t", "Space")
    assert widget.get_by_role("menuitemcheckbox", name="tools").get_attribute("aria-checked") == "true"
    press(page, "Escape")
    assert widget.get_by_role("menu").count() == 0
    assert focused(page) == "Actor: 1 chosen"
    assert lines(widget)[1] == 'auth_timeline(file="kerberos.log")'
    widget.get_by_text("3 of 13 messages").wait_for()
    widget.get_by_role("button", name="Clear", exact=True).click()
    widget.get_by_text("13 messages", exact=True).wait_for()


@pytest.mark.parametrize("width", [320, 600, 1200])
def test_nothing_scrolls_sideways(page, width):
    page.set_viewport_size({"width": width + 40, "height": 900})
    turns = triage()
    turns[0].below[0].label = "W" * 300
    turns[0].below[0].actor = "an_agent_with_a_name_that_is_longer_than_any_lane"
    long = pictures.detail(
        1, title="T" * 200, parts=[{"kind": "html", "html": f"<p>{'x' * 500}</p><pre>{'y' * 500}</pre>"}]
    )
    widget = show(page, pack(turns), width=width, content={"details": {"*": long}})
    widget.get_by_role("treeitem").nth(1).click()
    widget.locator("article").get_by_text("TTT").wait_for()
    over = page.evaluate(
        """() => {
            const edge = widget.getBoundingClientRect().right + 0.5;
            const isClipped = (e) => getComputedStyle(e).overflowX !== "visible";
            const clips = (e) => e && e !== widget && (isClipped(e) || clips(e.parentElement));
            return [...document.querySelectorAll("#widget *")]
                .filter((e) => e.getBoundingClientRect().right > edge && !clips(e.parentElement))
                .map((e) => e.outerHTML.slice(0, 80));
        }"""
    )
    assert over == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width + 40
    tree, detail = (widget.locator(place).bounding_box() for place in (".sg-tree-pane", ".sg-detail"))
    assert (tree["y"] == detail["y"]) is (width > 640)
    for name in ("Export", "Filter by status"):
        widget.get_by_role("button", name=name).click()
        box = widget.get_by_role("menu").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width + 40
        press(page, "Escape")


def test_ten_thousand_lines_are_few_in_the_document(page):
    widget = show(page, pack(large(10_000)))
    widget.get_by_role("button", name="Open all").click()
    tree = widget.get_by_role("tree")
    page.evaluate("document.querySelector('[role=tree]').scrollTop = 5000 * 24")
    widget.get_by_text("500 › question 501").or_(widget.get_by_text("501 › question 501")).wait_for()
    assert widget.get_by_role("treeitem").count() <= 60
    tree.focus()
    press(page, "End")
    assert active_line(page).startswith("step 999.8")
    last = widget.get_by_role("treeitem", name="step 999.8")
    assert last.is_visible()
    assert (last.get_attribute("aria-level"), last.get_attribute("aria-posinset")) == ("2", "9")
    page.evaluate("document.querySelector('[role=tree]').scrollTop = 0")
    widget.get_by_text("1 › question 1", exact=True).wait_for()
    assert active_line(page).startswith("step 999.8"), "the line that the keyboard is on stays in the document"
    press(page, "PageUp")
    assert active_line(page).startswith("question 999") or active_line(page).startswith("step 998")


def test_ten_thousand_levels_stay_in_the_tree(page):
    deep = pictures.Node("the deepest")
    for level in range(9_999, 0, -1):
        deep = pictures.Node(f"level {level}", below=[deep])
    widget = show(page, pack([deep]), width=600)
    widget.get_by_role("button", name="Open all").click()
    widget.get_by_role("tree").focus()
    press(page, "End")
    last = widget.get_by_role("treeitem", name="the deepest")
    assert last.get_attribute("aria-level") == "10000"
    assert last.locator(".sg-label").bounding_box()["width"] > 50
    assert last.locator(".sg-level").inner_text() == "9999"
    press(page, "ArrowLeft", "ArrowLeft")
    assert active_line(page) == "level 9999"
    assert widget.locator("[role=treeitem][aria-expanded=false]").count() == 1


def news(turns: list[pictures.Node], number: int, *more: pictures.Node, seq: int) -> str:
    """An event: turn `number`, counted from 0, and all after it, with more lines in it."""
    before = turns[:number]
    messages = sum(count_messages(turn) for turn in before)
    nodes = sum(count_nodes(turn) for turn in before)
    turns[number].below += more
    return pictures.as_text(pack(turns[number:], seq=seq, start=nodes, first_message=messages))


def count_messages(node: pictures.Node) -> int:
    return node.has_message + sum(count_messages(child) for child in node.below)


def count_nodes(node: pictures.Node) -> int:
    return 1 + sum(count_nodes(child) for child in node.below)


def hear(page: Any, seq: int, event: str) -> None:
    page.evaluate("([seq, event]) => stage.event(seq, event)", [seq, event])


def top(page: Any) -> float:
    return page.evaluate("document.querySelector('[role=tree]').scrollTop")


def test_news_move_nothing_but_the_end(page):
    turns = large(200)
    widget = show(page, pack(turns), running=True)
    widget.get_by_role("button", name="Open all").click()
    page.evaluate("document.querySelector('[role=tree]').scrollTop = 240")
    widget.get_by_role("treeitem", name="step 1.2").click()
    widget.get_by_role("treeitem", name="2 › question").locator("[data-twisty]").click()
    wait_selected(page, [13])
    before = lines(widget)
    hear(page, 1, news(turns, 19, pictures.Node("the newest", type="result"), seq=1))
    widget.get_by_text("201 messages").wait_for()
    assert (top(page), lines(widget)) == (240, before)
    assert selected(page) == [13]

    # Who is at the end, stays at the end.
    page.evaluate("document.querySelector('[role=tree]').scrollTop = 1e6")
    widget.get_by_text("the newest").wait_for()
    for number in range(3):
        hear(page, 2 + number, news(turns, 19, pictures.Node(f"newer {number}"), seq=2 + number))
    widget.get_by_text("newer 2").wait_for()
    assert widget.get_by_role("treeitem", name="newer 2").is_visible()

    # The kernel says that the turn is over, then what it brought last.
    page.evaluate("stage.set('running', false)")
    widget.get_by_text("A turn is running").wait_for(state="detached")
    hear(page, 5, news(turns, 19, *(pictures.Node(f"last {number}") for number in range(40)), seq=5))
    widget.get_by_text("last 39").wait_for()


def test_after_missed_news_the_whole_is_read_again(page):
    turns = large(30)
    widget = show(page, pack(turns))
    widget.get_by_text("30 messages").wait_for()
    news(turns, 2, pictures.Node("missed"), seq=1)
    event = news(turns, 2, pictures.Node("heard"), seq=2)
    page.evaluate(f"stage.content.index = '{pictures.as_text(pack(turns, seq=2))}'; stage.content.seq = 2")
    hear(page, 2, event)
    widget.get_by_text("32 messages").wait_for()
    assert len(requests(page, "read_index")) == 1
    hear(page, 3, news(turns, 2, pictures.Node("after"), seq=3))
    widget.get_by_text("33 messages").wait_for()
    assert len(requests(page, "read_index")) == 1


def test_python_selects_and_the_tree_shows_it(page):
    widget = show(page, pack(large(500)))
    page.evaluate("stage.change('selected', [123, 125])")
    line = widget.get_by_role("treeitem", name="step 12.2")
    line.wait_for()
    assert line.is_visible()
    assert widget.locator("[aria-selected=true]").count() == 2
    widget.get_by_text("2 messages selected").wait_for()
    assert selected(page) == [123, 125], "what Python said is not said back"
    page.evaluate("stage.change('selected', [])")
    page.wait_for_function("document.querySelectorAll('[aria-selected=true]').length === 0")


def test_a_message_that_cannot_be_read_says_so_and_can_be_tried_again(page):
    widget = show(page, pack(triage()))
    page.evaluate("stage.fails = { read: 'The kernel is not connected. Reconnect or restart it.' }")
    widget.get_by_role("treeitem", name=FAILED).click()
    widget.get_by_role("alert").get_by_text("Reconnect or restart it.").wait_for()
    assert widget.locator("article").get_by_text("2026-01-31 21:41:07 UTC").is_visible(), "what the index knows"
    page.evaluate("stage.fails = {}")
    widget.get_by_role("button", name="Try again").click()
    widget.get_by_text("Both failures").wait_for()
    assert widget.get_by_role("alert").count() == 0


def test_without_a_kernel_titles_are_searched(page):
    widget = show(page, pack(triage()))
    page.evaluate("stage.fails = { search: 'No answer from the kernel within 30 s.' }")
    widget.get_by_role("searchbox").fill("SUCCEEDED")
    widget.get_by_text("1 of 13 messages").wait_for()
    widget.get_by_role("status").get_by_text("Only titles were searched. No answer").wait_for()


def test_a_busy_kernel_leaves_the_last_message_for_a_moment_and_never_under_another_name(page):
    widget = show(
        page, pack(triage()), content={"details": {"1": pictures.detail(1, title="first"), "*": pictures.detail(0)}}
    )
    widget.get_by_role("treeitem", name="I read the log").click()
    widget.locator("article").get_by_text("first").wait_for()
    page.evaluate("stage.holds = true")
    widget.get_by_role("treeitem", name="The file report.txt").click()
    assert widget.locator("article").get_by_text("first").is_visible()
    widget.locator("article").get_by_text("The file report.txt is gone").wait_for()
    page.evaluate("stage.release()")
    widget.get_by_text("Both failures").wait_for()


def test_an_embedded_picture_needs_no_kernel(page):
    details = {str(n): pictures.detail(n, title=f"message {n}") for n in range(13)}
    details["9"]["parts"] = [{"kind": "html", "html": "<p>R&amp;D &lt;<b>7</b>&gt;</p>"}]
    widget = show(page, pack(triage()), embedded=details)
    widget.get_by_role("treeitem", name=FAILED).click()
    widget.get_by_text("message 4").wait_for()
    widget.get_by_role("searchbox").fill("johnson-pc$")
    widget.get_by_text("5 of 12 matches").wait_for()
    widget.get_by_role("searchbox").fill("r&d <7>")
    widget.get_by_text("1 of 13 messages", exact=True).wait_for()
    widget.get_by_role("searchbox").fill("message 7")
    widget.get_by_text("1 of 13 messages").wait_for()
    assert page.evaluate("stage.requests") == []


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (pack([]), "No messages yet. Ask in a cell:"),
        (b"\x01\x02\x03", "This picture cannot be drawn: it is too short. Run the cell again"),
        (pack(triage())[:5000], "is cut"),
    ],
)
def test_what_cannot_be_shown_is_said(page, packed, words):
    widget = show(page, packed, content={"index": pictures.as_text(packed)})
    widget.get_by_text(words).wait_for()


def test_where_nothing_matches_there_is_a_way_back(page):
    widget = show(page, pack(triage()))
    widget.get_by_role("searchbox").fill("nowhere")
    widget.get_by_text("Nothing matches.").wait_for()
    widget.locator(".sg-tree-pane").get_by_role("button", name="Clear").click()
    widget.get_by_text("13 messages", exact=True).wait_for()
    assert widget.get_by_role("searchbox").input_value() == ""


TABLE = {
    "kind": "table", "title": "Logons", "columns": ["client", "failed"], "numeric": [False, True], "more": 0,
    "rows": [[f"host-{n}", f"{n * 7 % 300:,}" if n else ""] for n in range(150)],
}  # fmt: skip


def test_a_table_is_sorted_as_what_it_holds(page):
    content = {"details": {"*": pictures.detail(0, parts=[TABLE])}, "copies": {"4.0": "client\tfailed"}}
    widget = show(page, pack(triage()), content=content)
    widget.get_by_role("treeitem", name=FAILED).click()
    table = widget.get_by_role("table")
    table.get_by_role("button", name="failed").click()
    cells = [int(row.split("\t")[1]) for row in table.locator("tbody tr").all_inner_texts()]
    assert cells == sorted(cells)
    assert table.get_by_role("columnheader", name="failed").get_attribute("aria-sort") == "ascending"
    press(page, "Enter")
    assert table.get_by_role("columnheader", name="failed").get_attribute("aria-sort") == "descending"
    assert table.locator("tbody tr").count() == 100
    widget.get_by_role("button", name="Show 50 more rows").click()
    assert table.locator("tbody tr").last.inner_text().strip() == "host-0", "what is empty stands last"
    widget.get_by_role("button", name="Copy as TSV").click()
    widget.get_by_text("Copied exactly as it came.").wait_for()
    assert requests(page, "copy") == [{"message": 4, "part": 0}]


def test_what_is_copied_is_exact(page):
    widget = show(page, pack(triage()), content={"copies": {"4": "http://evil.example/a from 172.16.1.141"}})
    widget.get_by_role("treeitem", name=FAILED).click()
    widget.get_by_role("button", name="Copy", exact=True).click()
    widget.get_by_text("Copied exactly as it came.").wait_for()
    widget.get_by_role("searchbox").focus()
    press(page, "Control+v")
    assert widget.get_by_role("searchbox").input_value() == "http://evil.example/a from 172.16.1.141"


def test_the_selection_is_saved_as_a_file_after_python_knows_it(page):
    widget = show(page, pack(triage()), content={"file": '{"message": 4}\n'})
    widget.get_by_role("button", name="Export").click()
    assert widget.get_by_role("menuitem", name="Save selection as JSON").get_attribute("aria-disabled") == "true"
    press(page, "Escape")
    widget.get_by_role("treeitem", name=FAILED).click()
    wait_selected(page, [4])
    widget.get_by_role("button", name="Export").click()
    with page.expect_download() as saved:
        widget.get_by_role("menuitem", name="Save selection as JSON").click()
    assert saved.value.suggested_filename == "triage.jsonl"
    assert saved.value.path().read_text() == '{"message": 4}\n'
    assert requests(page, "export") == [{"format": "jsonl", "scope": "selected"}]
    widget.get_by_text("Saved as triage.jsonl.").wait_for()


def test_the_timeline_chooses_what_is_pressed_and_walks_through_time(page):
    widget = show(page, pack(triage()))
    timeline = widget.get_by_role("slider")
    box = timeline.bounding_box()
    timeline.click(position={"x": box["width"] - 30, "y": 30})
    wait_selected(page, [12])
    assert "The file report.txt is gone" in timeline.get_attribute("aria-valuetext")
    press(page, "Home")
    wait_selected(page, [0, 1, 2, 3, 4])
    press(page, "ArrowRight")
    wait_selected(page, [1])
    description = page.evaluate(
        "id => document.getElementById(id).innerText", timeline.get_attribute("aria-describedby")
    )
    assert "Lanes: you, local analyst, tools. 2 idle gaps shortened." in description
    assert widget.locator(".sg-gap").first.get_attribute("title") == "5 min 00 s idle, shortened"


def test_with_a_filter_the_timeline_walks_through_what_matches(page):
    widget = show(page, pack(triage()), content={"hits": {"log": [1, 4, 10]}})
    widget.get_by_role("searchbox").fill("log")
    widget.get_by_text("3 of 13 messages").wait_for()
    widget.get_by_role("slider").focus()
    press(page, "End")
    wait_selected(page, [10])
    press(page, "ArrowLeft")
    wait_selected(page, [4])
    assert widget.get_by_role("searchbox").input_value() == "log"


@pytest.mark.parametrize("width", [500, 900])
@pytest.mark.parametrize("height", [420, 900])
def test_a_height_in_the_layout_is_kept(page, width, height):
    widget = show(page, pack(large(500)), width=width)
    widget.evaluate("(e, height) => { e.style.height = `${height}px` }", height)
    foot = widget.locator(".sg-foot").bounding_box()
    place = widget.bounding_box()
    assert abs(foot["y"] + foot["height"] + 1 - place["y"] - height) < 1
    assert widget.locator(".sg-tree").bounding_box()["height"] > 50


def test_the_timeline_follows_the_theme(page):
    widget = show(page, pack(triage()))
    widget.get_by_role("slider").wait_for()
    light = page.evaluate("document.querySelector('canvas').toDataURL()")
    dark = (pictures.THEMES / "theme-dark-extension" / "index.css").read_text()
    page.evaluate(
        "css => { document.querySelector('style').textContent = css; document.body.dataset.jpThemeName = 'd'; }", dark
    )
    page.wait_for_function("before => document.querySelector('canvas').toDataURL() !== before", arg=light)


def test_a_selected_line_is_seen_in_forced_colours(page):
    page.emulate_media(forced_colors="active")
    widget = show(page, pack(triage()))
    widget.get_by_role("treeitem", name=FAILED).click()
    colour = "e => getComputedStyle(e).backgroundColor"
    chosen = widget.get_by_role("treeitem", name=FAILED).evaluate(colour)
    assert chosen != widget.get_by_role("treeitem", name="I read the log").evaluate(colour)
    words = widget.get_by_role("treeitem", name=FAILED).locator(".sg-label")
    assert words.evaluate(colour) == "rgba(0, 0, 0, 0)", "the line's colour, not the theme's, is behind its words"
    page.emulate_media(forced_colors="none")


LOST = """(all, styles) => styles.flatMap((style, number) => {
    const parsed = document.createElement("p").style;
    parsed.cssText = style;
    return [...parsed]
        .filter((name) => parsed.getPropertyValue(name) !== "initial")
        .filter((name) => all[number].style.getPropertyValue(name) !== parsed.getPropertyValue(name))
        .map((name) => `${name} of ${style}`);
})"""


def test_what_the_kernel_renders_keeps_its_styles_and_nothing_else_has_any(page):
    ours = [value for name, value in vars(html).items() if name.isupper() and isinstance(value, str)]
    ours = [value for value in ours if re.match("[a-z-]+:", value)] + [*html.FRAME.values(), *html.CELL.values()]
    theirs = [
        "position:fixed", "inset:0", "margin:-500px", "margin:0 0 0 -9px", "background:url(//evil.example/x)",
        "transform:scale(9)", "background-color:red;z-index:9", "float:right", "display:none", "width:9999px",
        "color:var(--x)", "background-image:image-set('//evil.example/y' 1x)", "cursor:url(//evil.example/z),auto",
        "list-style:url(//evil.example/l)", "border-image:url(//evil.example/b) 1", "content:'x'", "height:1e9px",
    ]  # fmt: skip
    markup = "".join(f'<div style="{style}">x</div>' for style in [*ours, *theirs])
    content = {"details": {"*": pictures.detail(0, parts=[{"kind": "html", "html": markup}])}}
    widget = show(page, pack(triage()), content=content)
    widget.get_by_role("treeitem", name=FAILED).click()
    shown = widget.locator(".sg-html > div")
    shown.first.wait_for()
    assert len(ours) > 20
    assert shown.evaluate_all(LOST, ours) == []
    kept = shown.evaluate_all("all => all.map((e) => e.style.cssText)")[len(ours) :]
    assert [style for style in kept if style] == [
        "margin-top: 0px; margin-right: 0px; margin-bottom: 0px;",
        "background-color: red;",
    ]
