"""A notebook with many widgets: each brings its style sheet, shared parts included, and the last one wins."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import STATIC
from .test_attach_in_browser import FILES
from .test_attach_in_browser import TRAITS as ATTACH
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


@pytest.mark.parametrize(
    ("name", "traits", "press"),
    [
        ("feedback", {**FEEDBACK, "sent": SENT}, ["Report a bug"]),
        ("feedback", {**FEEDBACK, "sent": SENT, "score": 1, "compact": True}, ["Comment or bug…"]),
        ("attach", {**ATTACH, "files": FILES}, []),
        ("sessions", {**LIST, "selected": SESSIONS[1]["session_id"], "opened": "IPY_MODEL_x"}, ["Rename"]),
        ("sessions", {**LIST, "selected": SESSIONS[1]["session_id"]}, ["Extend"]),
        ("sessions", {**LIST, "selected": SESSIONS[1]["session_id"]}, ["Delete"]),
    ],
    ids=["feedback", "strip", "attach", "renaming", "extending", "deleting"],
)
def test_other_widgets_style_sheets_change_nothing(stage: Any, page: Any, name: str, traits: Any, press: Any) -> None:
    shown = stage(name, traits)
    for words in press:
        shown.widget.get_by_role("button", name=words, exact=True).click()
    before = page.evaluate(LOOKS)
    others = [path for path in sorted(STATIC.glob("*.css")) if path.stem != name]
    assert others
    for path in others:
        page.add_style_tag(content=path.read_text())
        assert page.evaluate(LOOKS) == before, path.name
