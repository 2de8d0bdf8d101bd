from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import traitlets

from secgemini_jupyter import widgets
from secgemini_jupyter.errors import QuotaError, Secret
from secgemini_jupyter.widgets import FeedbackWidget, feedback

ROOT = Path(__file__).parents[2]


class Session:
    """A session that keeps what it is sent, or refuses it."""

    id = "3f9c1f0e"
    name = "triage"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.received: list[tuple[Any, ...]] = []
        self.watchers: list[Callable[[], None]] = []

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    def send_feedback(self, score: int, group_id: str | None = None, comment: str = "") -> None:
        self._take(score, group_id, comment)

    def send_bug_report(self, bug: str, group_id: str | None = None) -> None:
        self._take(bug, group_id)

    def _take(self, *what: Any) -> None:
        if self.error:
            raise self.error
        self.received.append(what)


@pytest.fixture
def shown(front_end):
    """A widget of a session, and the browser's end of its wire."""

    def show(session: Session, **arguments: Any) -> tuple[FeedbackWidget, Any]:
        widget = FeedbackWidget(session, **arguments)
        return widget, next(each for each in front_end if each.comm_id == widget.model_id)

    return show


def test_the_name_follows_a_session_that_is_renamed(shown):
    session = Session()
    widget, _ = shown(session)
    session.name = "case 7"
    for changed in session.watchers:
        changed()
    assert widget.session_name == "case 7"
    widget.close()
    assert session.watchers == []


def test_a_rating_reaches_the_session_and_is_shown(shown):
    session = Session()
    widget, browser = shown(session, group_id="7712aa90", label="turn 3")
    params = {"session_id": session.id, "score": 1, "comment": "Right, quick."}
    assert browser.call("send_feedback", params)["result"] is None
    assert session.received == [(1, "7712aa90", "Right, quick.")]
    assert [(item["kind"], item["score"], item["text"]) for item in widget.sent] == [("feedback", 1, "Right, quick.")]


def test_a_bug_report_reaches_the_session(shown):
    session = Session()
    widget, browser = shown(session)
    browser.call("send_bug_report", {"session_id": session.id, "bug": "Lost its last row."})
    assert session.received == [("Lost its last row.", None)]
    assert widget.sent[0]["kind"] == "bug"


def test_score_and_state_can_be_observed_and_linked(shown):
    session = Session()
    widget, browser = shown(session)
    seen = []
    widget.observe(lambda change: seen.append((change["name"], change["new"])), ["score", "state"])
    gauge = traitlets.HasTraits()
    gauge.add_traits(value=traitlets.Int(None, allow_none=True))
    traitlets.dlink((widget, "score"), (gauge, "value"))
    assert (widget.score, widget.state) == (None, "idle")
    browser.call("send_feedback", {"session_id": session.id, "score": 0})
    assert gauge.value == 0
    session.error = QuotaError("10 requests a minute are used up.")
    browser.call("send_feedback", {"session_id": session.id, "score": 1})
    assert gauge.value == 0, "what was refused does not count"
    session.error = None
    browser.call("send_bug_report", {"session_id": session.id, "bug": "lost row"})
    assert [new for name, new in seen if name == "state"] == ["sending", "sent", "sending", "failed", "sending", "sent"]
    assert [new for name, new in seen if name == "score"] == [0]


def test_a_strip_s_static_form_is_one_quiet_line(shown):
    widget, browser = shown(Session(), label="turn 3", compact=True)
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == "Feedback on turn 3 needs its kernel."
    browser.call("send_feedback", {"session_id": Session.id, "score": 1})
    assert "Helpful (" in widget._repr_mimebundle_()[0]["text/plain"]


@pytest.mark.parametrize(
    ("method", "changes", "words"),
    [
        ("send_feedback", {"session_id": "another"}, "shows session 'another'"),
        ("send_feedback", {"score": -1}, "Invalid enum value -1"),
        ("send_feedback", {"score": 2}, "Invalid enum value 2"),
        ("send_feedback", {"score": 1e9}, "Expected `int`"),
        ("send_feedback", {"score": True}, "Expected `int`"),
        ("send_feedback", {"comment": "x" * 10_001}, "length <= 10000"),
        ("send_feedback", {"comment": None}, "Expected `str`"),
        ("send_feedback", {"group_id": "other"}, "unknown field `group_id`"),
        ("send_bug_report", {"session_id": "another"}, "shows session 'another'"),
        ("send_bug_report", {"bug": " \n"}, "is empty"),
        ("send_bug_report", {"bug": "x" * 10_001}, "length <= 10000"),
    ],
)
def test_a_request_outside_the_view_s_means_is_refused_and_nothing_is_sent(shown, method, changes, words):
    session = Session()
    widget, browser = shown(session)
    params = {"score": 1} if method == "send_feedback" else {"bug": "lost"}
    reply = browser.call(method, {"session_id": session.id, **params, **changes})
    assert words in reply["error"]
    assert session.received == []
    assert widget.sent == []


def test_the_service_s_refusal_is_shown_and_nothing_counts_as_sent(shown):
    session = Session(QuotaError("10 requests a minute are used up. Wait 7 s."))
    widget, browser = shown(session)
    reply = browser.call("send_feedback", {"session_id": session.id, "score": 0})
    assert reply["error"] == "10 requests a minute are used up. Wait 7 s."
    assert widget.sent == []


def test_half_an_emoji_is_sent_as_a_replacement_character(shown):
    session = Session()
    _, browser = shown(session)
    browser.call("send_feedback", {"session_id": session.id, "score": 1, "comment": "good \ud83d"})
    assert session.received == [(1, None, "good \ufffd")]


def test_a_browser_cannot_set_what_the_widget_shows(shown):
    session = Session()
    widget, browser = shown(session)
    browser.deliver({"method": "update", "state": {"session_id": "another", "sent": [{"kind": "bug"}], "label": "x"}})
    assert (widget.session_id, widget.sent, widget.label) == (session.id, [], "this session")


def test_the_widget_s_state_and_repr_hold_no_key(shown):
    key = Secret("canary-key-0123456789")
    session = Session()
    session.client = key
    widget, browser = shown(session)
    browser.call("send_feedback", {"session_id": session.id, "score": 1, "comment": f"with {key.reveal()}"})
    assert widget.sent[0]["text"] == "with [redacted]"
    assert "canary" not in str(widget.get_state()) + repr(widget) + str(browser.published)


def test_the_fallback_says_how_to_give_feedback_then_what_was_sent(shown):
    session = Session()
    widget, browser = shown(session, label="turn 3")
    data, _ = widget._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert "%secgemini feedback up|down" in data["text/plain"]
    assert "<code>%secgemini feedback up|down" in data["text/html"]

    browser.call("send_feedback", {"session_id": session.id, "score": 1, "comment": "quick"})
    browser.call("send_bug_report", {"session_id": session.id, "bug": "lost row"})
    data, _ = widget._repr_mimebundle_()
    assert "Helpful: quick (" in data["text/plain"]
    assert "Bug report: lost row (" in data["text/html"]


def test_markup_and_escapes_in_the_fallback_are_text(shown):
    session = Session()
    session.name = "<img src=x onerror=alert(1)>"
    widget, browser = shown(session, label="\x1b[2J<b>")
    browser.call("send_feedback", {"session_id": session.id, "score": 0, "comment": "<script>1</script>\x1b]52;c"})
    data, _ = widget._repr_mimebundle_()
    assert not re.search("<(img|script|b)", data["text/html"])
    assert "\x1b" not in data["text/html"] + data["text/plain"]


def test_the_view_knows_the_same_traits_and_limit():
    source = (ROOT / "js" / "src" / "feedback" / "model.ts").read_text()
    interface = re.search(r"interface FeedbackTraits \{(.*?)\n\}", source, re.DOTALL)[1]
    theirs = set(re.findall(r"^  (\w+)\??:", interface, re.MULTILINE))
    ours = {name for name in FeedbackWidget.class_own_traits(sync=True) if not name.startswith("_")}
    assert theirs == ours
    assert f"TEXT_LIMIT = {feedback.TEXT_LIMIT:_};" in source


def test_importing_the_widgets_imports_no_anywidget():
    code = "import sys, secgemini_jupyter.widgets as w; print({'anywidget', 'ipywidgets'} & set(sys.modules), dir(w))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == f"set() {sorted(widgets.__all__)}"


def test_a_widget_that_was_never_built_says_what_to_run():
    from secgemini_jupyter.errors import SettingsError
    from secgemini_jupyter.widgets.base import bundle

    with pytest.raises(SettingsError, match="'absent' is not built: run `npm ci && npm run build`"):
        bundle("absent")
