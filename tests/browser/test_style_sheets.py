"""A notebook with many widgets: each brings its style sheet, shared parts included, and the last one wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from . import pictures
from .conftest import STATIC
from .test_attach_in_browser import FILES, KERNEL, MIB, choose, given
from .test_attach_in_browser import TRAITS as ATTACH
from .test_chat_in_browser import AT_END, EVENT, FAILED, answer, reply, turn
from .test_chat_in_browser import EVERYTHING as CHAT
from .test_feedback_in_browser import SENT
from .test_feedback_in_browser import TRAITS as FEEDBACK
from .test_sessions_in_browser import SESSIONS
from .test_sessions_in_browser import TRAITS as LIST

pytestmark = pytest.mark.browser

LOOKS = """[...document.querySelectorAll("#widget *")].map((e) => {
    const { x, y, width, height } = e.getBoundingClientRect();
    const { color, backgroundColor, borderTop, padding, font } = getComputedStyle(e);
    return [e.tagName, e.className, x, y, width, height, color, backgroundColor, borderTop, padding, font].join(" ");
})"""

Open = Callable[[Any, Any], None]


def pressed(name: str, traits: dict[str, Any], *buttons: str) -> Open:
    def show(stage: Any, _page: Any) -> None:
        shown = stage(name, traits)
        for words in buttons:
            shown.widget.get_by_role("button", name=words, exact=True).click()

    return show


def uploads(stage: Any, page: Any) -> None:
    shown = stage("attach", {**ATTACH, "files": FILES})
    page.evaluate(KERNEL, [3 * MIB, "The disk of 127.0.0.1 is full (507)."])
    choose(shown.widget, given("twin.log"), given("refused.log"), given("large.log", bytes(5 * MIB)), given("later"))
    shown.widget.get_by_text("60 %").wait_for()


def chat(stage: Any, page: Any) -> None:
    shown = stage("chat", CHAT)
    reply(page, "resync", result={"seq": 1, "turn": "k4", "outputs": [[0, answer(status="running")]]})
    shown.widget.locator(".sg-chat-session").click()


def chat_rated(stage: Any, page: Any) -> None:
    shown = stage("chat", {**CHAT, "state": "idle", "approvals": [], "turns": [turn(1), FAILED]})
    shown.widget.get_by_role("button", name="Helpful", exact=True).first.click()
    reply(page, "rate", result=None)
    shown.widget.get_by_label("Comment on your rating").wait_for()


def chat_scrolled_up(stage: Any, page: Any) -> None:
    turns = [turn(number) for number in range(1, 9)]
    shown = stage("chat", {**CHAT, "approvals": [], "turns": turns})
    reply(page, "resync", result={"seq": 0, "turn": "", "outputs": []})
    page.wait_for_function(AT_END)
    page.evaluate("document.querySelector('.sg-chat-log').scrollTop = 50")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shown.change("turns", [*turns, turn(9, status="running", html="")])
    page.evaluate(EVENT, {"seq": 1, "turn": "k9", "outputs": [[0, answer(status="running")]]})
    shown.widget.get_by_role("button", name="New answer below").wait_for()


def picture(_stage: Any, page: Any) -> None:
    widget = pictures.show(page, pictures.pack(pictures.triage()), content={"hits": {"fail": [4]}})
    widget.get_by_role("treeitem", name="10 logons").click()
    widget.get_by_text("Both failures").wait_for()
    widget.get_by_role("searchbox").fill("fail")
    widget.get_by_text("1 of 1 match").wait_for()


def picture_filtered(stage: Any, page: Any) -> None:
    picture(stage, page)
    page.get_by_role("button", name="Filter by status").click()


@pytest.mark.parametrize(
    ("name", "show"),
    [
        ("feedback", pressed("feedback", {**FEEDBACK, "sent": SENT}, "Report a bug")),
        ("feedback", pressed("feedback", {**FEEDBACK, "sent": SENT, "score": 1, "compact": True}, "Comment or bug…")),
        ("attach", pressed("attach", ATTACH)),
        ("attach", uploads),
        ("sessions", pressed("sessions", {**LIST, "selected": SESSIONS[1]["session_id"], "opened": "x"}, "Rename")),
        ("sessions", pressed("sessions", {**LIST, "selected": SESSIONS[1]["session_id"]}, "Extend")),
        ("sessions", pressed("sessions", {**LIST, "selected": SESSIONS[1]["session_id"]}, "Delete")),
        ("chat", chat),
        ("chat", chat_rated),
        ("chat", chat_scrolled_up),
        ("visualize", picture),
        ("visualize", picture_filtered),
    ],
    ids=[
        "feedback",
        "strip",
        "empty",
        "uploads",
        "renaming",
        "extending",
        "deleting",
        "chat",
        "rated",
        "scrolled up",
        "picture",
        "menu",
    ],
)
def test_other_widgets_style_sheets_change_nothing(stage: Any, page: Any, name: str, show: Open) -> None:
    show(stage, page)
    before = page.evaluate(LOOKS)
    assert len(before) > 10
    others = [path for path in sorted(STATIC.glob("*.css")) if path.stem != name]
    assert others
    for path in others:
        page.add_style_tag(content=path.read_text())
        after = page.evaluate(LOOKS)
        assert [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]][:3] == [], path.name
