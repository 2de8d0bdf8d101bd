from __future__ import annotations

import contextlib
import json
import re
import sqlite3

import pytest

pytestmark = pytest.mark.browser

SENT = [
    {"kind": "feedback", "score": 1, "text": "Found the account at once", "sent_at": "2026-01-31T21:41:07.123+00:00"},
    {"kind": "bug", "score": 0, "text": "Timeline lost its last row.", "sent_at": "2026-01-31T21:43:20.500+00:00"},
]
TRAITS = {"session_id": "s1", "session_name": "triage", "label": "turn 3", "sent": [], "score": None}
TRAITS |= {"state": "idle", "compact": False}

WIDGET = "from secgemini_jupyter.widgets import FeedbackWidget\nFeedbackWidget(session)"


PLAIN_BUTTON = """() => {
    const button = document.createElement("button");
    document.querySelector(".sg-feedback").closest(".jp-OutputArea").append(button);
    button.focus();
}"""


def session_cell(service) -> str:
    """A cell that makes a session of the local server's, and asks it something."""
    return (
        "from secgemini_jupyter import SecGemini\n"
        f"client = SecGemini({service.key!r}, base_url={service.http!r}, websocket_url={service.ws!r})\n"
        "session = client.create_session('triage')\n"
        "answer = session.query('Who logged in?')"
    )


def stored_feedback(service) -> list[dict]:
    """What the server keeps on disk."""
    (database,) = service.data.glob("*.sqlite*[!lm]")
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return [json.loads(body) for (body,) in connection.execute("SELECT body FROM feedback ORDER BY rowid")]


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast", None])
def test_every_state_is_accessible_in_every_theme(stage, theme):
    feedback = stage("feedback", {**TRAITS, "sent": SENT}, theme=theme)
    widget = feedback.widget
    seen = []
    widget.get_by_role("button", name="Report a bug").click()
    widget.get_by_label("What went wrong").fill("lost row")
    seen.append(feedback.axe())
    widget.get_by_role("button", name="Send report").click()
    feedback.reply(error="The service refused the key ending in …9f3a (401). Run %secgemini login.")
    widget.get_by_text("The service refused").wait_for()
    seen.append(feedback.axe())
    widget.get_by_role("button", name="Send report").click()
    feedback.reply(result=None)
    widget.get_by_text("Bug report sent").wait_for()
    seen.append(feedback.axe())
    for found in seen:
        assert found["violations"] == []
        assert found["contrast"] >= 8


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast", None])
def test_the_strip_is_one_row_and_opens_accessibly(stage, page, theme):
    strip = stage("feedback", {**TRAITS, "compact": True, "sent": SENT, "score": 1}, theme=theme)
    section = strip.widget.locator("section")
    assert section.bounding_box()["height"] == 28
    seen = [strip.axe()]
    strip.widget.get_by_role("button", name="Not helpful").click()
    strip.reply(result=None)
    strip.widget.get_by_text("Sent for turn 3").wait_for()
    assert section.bounding_box()["height"] == 28
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong host")
    page.keyboard.press("Enter")
    assert strip.requests[-1]["params"] == {"session_id": "s1", "score": 0, "comment": "wrong host"}
    strip.reply(error="The service refused the key ending in …9f3a (401). Run %secgemini login.")
    strip.widget.get_by_text("The service refused").wait_for()
    strip.widget.get_by_role("button", name="Report a bug").click()
    seen.append(strip.axe())
    for found in seen:
        assert found["violations"] == []
        assert found["contrast"] >= 2


def test_the_keyboard_alone_rates_comments_and_reports(stage, page):
    feedback = stage("feedback", TRAITS)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert feedback.requests[-1]["params"] == {"session_id": "s1", "score": 1, "comment": ""}
    feedback.reply(result=None)
    feedback.widget.get_by_text("Sent for turn 3").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("quick")
    page.keyboard.press("Enter")
    assert feedback.requests[-1]["params"] == {"session_id": "s1", "score": 1, "comment": "quick"}
    feedback.reply(result=None)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.type("lost row")
    page.keyboard.press("Control+Enter")
    assert feedback.requests[-1]["params"] == {"session_id": "s1", "bug": "lost row"}
    feedback.reply(result=None)
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("width", [320, 600, 1200])
def test_nothing_scrolls_sideways(stage, page, width, compact):
    page.set_viewport_size({"width": width + 40, "height": 700})
    long = {"kind": "feedback", "score": 0, "text": "x" * 500, "sent_at": SENT[0]["sent_at"]}
    feedback = stage("feedback", {**TRAITS, "session_name": "n" * 80, "sent": [long], "compact": compact}, width=width)
    if compact:
        feedback.widget.get_by_role("button", name="Comment or bug").click()
    feedback.widget.get_by_role("button", name="Report a bug").click()
    feedback.widget.get_by_role("button", name="Not helpful").click()
    feedback.reply(error="e" * 300)
    feedback.widget.get_by_text("eee").wait_for()
    over = page.evaluate(
        """[...document.querySelectorAll("#widget :is(section, form, button, input, textarea, p, ul, li, time)")]
            .filter((e) => e.getBoundingClientRect().right > widget.getBoundingClientRect().right + 0.5)
            .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert over == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width + 40


def test_the_row_does_not_jump_when_a_status_appears(stage):
    feedback = stage("feedback", TRAITS)
    before = feedback.widget.locator("section").bounding_box()
    feedback.widget.get_by_role("button", name="Helpful", exact=True).click()
    feedback.widget.get_by_text("Sending…").wait_for()
    assert feedback.widget.locator("section").bounding_box() == before


def test_in_lab_a_click_reaches_the_service_and_a_refusal_keeps_the_text(lab, local_service):
    notebook = lab(session_cell(local_service), WIDGET)
    notebook.run_all()
    widget = notebook.page.locator(".sg-feedback")
    # Lab takes `b` on a focused button for "insert a cell": on a plain one it does, on the widget's it does not.
    cells = "jupyterapp.shell.currentWidget.content.widgets.length"
    widget.get_by_role("button", name="Not helpful").focus()
    notebook.page.keyboard.press("b")
    notebook.page.evaluate(PLAIN_BUTTON)
    notebook.page.keyboard.press("b")
    notebook.page.wait_for_function(f"{cells} > 2")
    assert notebook.page.evaluate(cells) == 3

    widget.get_by_label("Comment").fill("Found it at once")
    widget.get_by_role("button", name="Helpful", exact=True).click()
    widget.get_by_text("Sent for this session").wait_for()
    session_id = notebook.python("print(session.id, end='')")
    mine = [given for given in stored_feedback(local_service) if given["session_id"] == session_id]
    assert [(given["type"], given["score"], given["comment"]) for given in mine] == [
        ("user_feedback", 1, "Found it at once")
    ]
    assert widget.get_by_role("listitem").count() == 1

    # A refusal is told, and keeps the text.
    notebook.python("session.delete()")
    widget.get_by_role("button", name="Report a bug").click()
    widget.get_by_label("What went wrong").fill("lost row")
    widget.get_by_role("button", name="Send report").click()
    widget.locator(".sg-failed", has_text="not found (404)").wait_for()
    assert widget.get_by_label("What went wrong").input_value() == "lost row"


def test_a_notebook_from_somebody_else_shows_the_fallback(lab, lab_server, local_service):
    notebook = lab(session_cell(local_service), WIDGET)
    notebook.run_all()
    notebook.page.locator(".sg-feedback").wait_for()
    saved = notebook.save()
    data = saved.cells[1].outputs[0].data
    assert "%secgemini feedback up|down" in data["text/plain"]
    assert not re.search("<script|<style| on[a-z]+=", data["text/html"])

    # Jupyter trusts what this user ran: one cell less, and its signature is gone.
    saved.cells.pop(0)
    received = lab_server.show(notebook.page, saved)
    received.output(0).get_by_text('%secgemini feedback up|down "comment"').wait_for()
    assert received.page.locator(".sg-feedback").count() == 0


def test_in_lab_a_vote_under_an_answer_is_for_its_turn(lab, local_service):
    variables = {
        "SEC_GEMINI_API_HTTP_URL": local_service.http,
        "SEC_GEMINI_API_WEBSOCKET_URL": local_service.ws,
        "SEC_GEMINI_API_KEY": local_service.key,
        "SECGEMINI_BACKEND": "service",
    }
    notebook = lab(
        f"import os\nos.environ |= {variables!r}\n%load_ext secgemini_jupyter",
        "%%secgemini -o before\nno strip here",
        "%config SecGeminiMagics.feedback = True",
        "%%secgemini -o one\nsecond turn",
        "%%secgemini -o two\nthird turn [[messages=12 bytes=8]] [[delay=0.04]]",
    )
    notebook.run_all()
    page = notebook.page
    page.locator(".sg-feedback-strip").nth(1).wait_for()
    assert notebook.output(1).count() == 1
    answer, strip = notebook.output(3).all()
    answer.get_by_text("second turn").first.wait_for()
    strip.get_by_text("turn 2").wait_for()
    strip.get_by_role("button", name="Not helpful").click()
    strip.get_by_text("Sent for turn 2").wait_for()
    last = notebook.output(4).nth(1)
    last.get_by_role("button", name="Helpful", exact=True).click()
    last.get_by_text("Sent for turn 3").wait_for()
    last.get_by_role("button", name="Comment or bug").click()
    last.get_by_label("Comment").fill("quick")
    page.keyboard.press("Enter")
    last.get_by_role("listitem").nth(1).wait_for()
    groups = json.loads(notebook.python("import json\nprint(json.dumps([a.messages[-2].group for a in (one, two)]))"))
    mine = [(each["group_id"], each["score"], each["comment"]) for each in stored_feedback(local_service)]
    assert mine[-3:] == [(groups[0], 0, ""), (groups[1], 1, ""), (groups[1], 1, "quick")]

    saved = notebook.save().cells[3].outputs
    assert [output.output_type for output in saved] == ["display_data", "display_data"]
    assert saved[0].metadata["secgemini"]["turn"] == 2
    assert "Feedback on turn 2" in saved[1].data["text/plain"]
