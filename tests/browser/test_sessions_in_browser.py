"""SessionsWidget in a browser: accessible in every state, by keyboard alone, narrow; its use in a real Lab."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.browser

NOW = datetime.now(UTC)


def iso(**ago: float) -> str:
    return (NOW - timedelta(**ago)).isoformat(timespec="seconds")


def listed(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "session_id": f"{abs(hash(name)):032x}"[:32],
        "name": name,
        "description": "Jupyter notebook",
        "turns": 3,
        "messages": 41,
        "files": 2,
        "retained": True,
        "current": False,
        "created_at": iso(hours=5),
        "updated_at": iso(hours=1),
        "expires_at": iso(hours=-19),
        **changes,
    }


SESSIONS = [
    listed("kerberos triage", current=True, created_at=iso(hours=1)),
    listed("phish of 31 January", retained=False, expires_at=iso(minutes=-12), created_at=iso(hours=2)),
    listed("gentle-fox", turns=12, files=0, expires_at="", created_at=iso(days=9)),
]
TRAITS = {
    "sessions": SESSIONS,
    "selected": "",
    "opened": None,
    "opened_id": "",
    "state": "idle",
    "total": 3,
    "listed_at": iso(minutes=1),
    "destination": "local analyst, 127.0.0.1:8000, not Sec-Gemini",
}


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast", None])
def test_every_state_is_accessible_in_every_theme(stage: Any, page: Any, theme: str | None) -> None:
    shown = stage("sessions", TRAITS, theme=theme)
    seen = [shown.axe()]
    row = shown.widget.get_by_role("row", name="phish")
    row.click()
    row.hover()
    seen.append(shown.axe())
    page.keyboard.press("F2")
    seen.append(shown.axe())
    page.keyboard.press("Escape")
    shown.widget.get_by_role("button", name="Extend").click()
    shown.widget.get_by_label("Another time").fill("1")
    seen.append(shown.axe())
    page.keyboard.press("Escape")
    shown.widget.get_by_role("button", name="Delete").click()
    seen.append(shown.axe())
    shown.widget.get_by_role("button", name="Delete for good").click()
    shown.reply(error="The service refused the key ending in …9f3a (401). Run %secgemini login.")
    shown.widget.get_by_text("The service refused").wait_for()
    page.keyboard.press("Escape")
    shown.change("opened", "IPY_MODEL_x")
    shown.widget.get_by_text("shows no widget within another").wait_for()
    seen.append(shown.axe())
    shown.widget.get_by_label("Search").fill("nothing")
    seen.append(shown.axe())
    for found in seen:
        assert found["violations"] == []
        assert found["contrast"] >= 8


def test_the_keyboard_alone_does_everything(stage: Any, page: Any) -> None:
    shown = stage("sessions", TRAITS)

    def focus() -> str:
        return str(
            page.evaluate("document.activeElement.innerText || document.activeElement.getAttribute('aria-label')")
        )

    assert shown.widget.get_by_role("grid", name="Sessions").count() == 1
    page.keyboard.press("Tab")
    page.keyboard.type("i")
    assert shown.widget.get_by_text("2 of 3").count() == 1
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    for _ in range(8):  # Refresh, six headers, the rows' one stop
        page.keyboard.press("Tab")
    assert focus().startswith("kerberos triage")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert focus().startswith("phish")
    page.keyboard.press("F2")
    page.keyboard.type("phishing")
    page.keyboard.press("Enter")
    assert shown.requests[-1]["params"] == {"session_id": SESSIONS[1]["session_id"], "name": "phishing"}
    shown.reply(result="Renamed.")
    shown.widget.get_by_text("Renamed.").wait_for()
    assert focus().startswith("phish")
    page.keyboard.press("Enter")
    assert shown.requests[-1]["method"] == "open"
    shown.change("opened", "IPY_MODEL_x")
    shown.reply(result={"said": "Opened.", "code": "x"})
    shown.widget.get_by_text("Opened.").wait_for()
    shown.widget.get_by_role("button", name="Close").focus()
    page.keyboard.press("Enter")
    assert shown.requests[-1]["method"] == "close"
    shown.change("opened", None)
    shown.reply(result=None)
    shown.widget.locator(".sg-sessions-opened").wait_for(state="detached")
    assert focus().startswith("phish")
    page.keyboard.press("Delete")
    assert focus() == "Keep it"
    page.keyboard.press("Enter")
    assert focus().startswith("phish")
    for _ in range(5):  # Copy id, Resume, Open, Rename, Extend
        page.keyboard.press("Tab")
    assert focus() == "Extend"
    page.keyboard.press("Enter")
    assert focus() == "1 day"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("36")
    page.keyboard.press("Enter")
    assert shown.requests[-1]["params"] == {"session_id": SESSIONS[1]["session_id"], "ttl": 129_600}
    shown.reply(result="Lives.")
    shown.widget.get_by_text("Lives.").wait_for()
    assert focus() == "Extend"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert shown.requests[-1]["method"] == "delete"
    shown.page.evaluate("([sessions]) => stage.change('sessions', sessions)", [[SESSIONS[0], SESSIONS[2]]])
    shown.reply(result="Deleted.")
    shown.widget.get_by_text("Deleted.").wait_for()
    assert focus().startswith("gentle-fox")


@pytest.mark.parametrize("width", [320, 420, 600, 1200])
def test_nothing_scrolls_sideways(stage: Any, page: Any, width: int) -> None:
    page.set_viewport_size({"width": width + 40, "height": 900})
    long = listed("n" * 200, description="d" * 300, turns=123_456, files=1_234, current=True)
    shown = stage("sessions", {**TRAITS, "sessions": [long, *SESSIONS], "destination": "h" * 100}, width=width)
    shown.widget.get_by_role("row", name="nnn").click()
    over = """[...document.querySelectorAll("#widget :is(section, form, button, input, select, p, table, code, b)")]
        .filter((e) => e.getBoundingClientRect().right > widget.getBoundingClientRect().right + 0.5)
        .map((e) => e.outerHTML.slice(0, 80))"""
    assert page.evaluate(over) == []
    for name in ("Extend", "Delete", "Rename"):
        shown.widget.get_by_role("button", name=name, exact=True).click()
        assert page.evaluate(over) == []
        page.keyboard.press("Escape")
    shown.change("opened", "IPY_MODEL_x")
    assert page.evaluate(over) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width + 40


@pytest.mark.parametrize("width", [480, 568, 681])
def test_names_of_usual_length_are_whole_beside_lab_s_file_browser(stage: Any, page: Any, width: int) -> None:
    shown = stage("sessions", TRAITS, width=width)
    names = shown.widget.locator(".sg-sessions-name > span")
    assert names.all_inner_texts() == [row["name"] for row in SESSIONS]
    assert names.evaluate_all("names => names.filter((e) => e.scrollWidth > e.clientWidth).length") == 0


def test_nothing_jumps_when_a_session_is_selected_and_something_is_said(stage: Any, page: Any) -> None:
    shown = stage("sessions", TRAITS)
    section = shown.widget.locator(".sg-sessions")
    before = section.bounding_box()
    shown.widget.get_by_role("row", name="phish").click()
    assert section.bounding_box() == before
    shown.widget.get_by_role("button", name="Resume").click()
    shown.reply(result="Resumed phish.")
    shown.widget.get_by_text("Resumed phish.").wait_for()
    assert section.bounding_box() == before
    for form in ("Delete", "Extend", "Rename"):
        shown.widget.get_by_role("button", name=form, exact=True).click()
        assert section.bounding_box() == before, form
        page.keyboard.press("Escape")


def use(service: Any) -> str:
    """A cell that lets the magics talk to the local server as to Sec-Gemini; it has four sessions there."""
    variables = {
        "SEC_GEMINI_API_HTTP_URL": service.http,
        "SEC_GEMINI_API_WEBSOCKET_URL": service.ws,
        "SEC_GEMINI_API_KEY": service.key,
        "SECGEMINI_BACKEND": "service",
    }
    return f"""
import os, secgemini_jupyter
os.environ |= {variables!r}
%load_ext secgemini_jupyter
client = secgemini_jupyter.SecGemini()
def stored(): return sorted(session.name for session in client.list_sessions())
for session in client.list_sessions(): session.delete()
for name in ("other", "lab-first", "lab-second", "lab-third"):
    get_ipython().run_line_magic("secgemini", f"new {{name}}")
"""


def test_in_lab_one_browses_resumes_renames_extends_deletes_and_opens(lab: Any, local_service: Any) -> None:
    notebook = lab(
        use(local_service), "%%secgemini\nhello", "w = secgemini_jupyter.sessions(); w", "%%secgemini -o found\nagain"
    )
    page = notebook.page
    for cell in range(3):
        page.evaluate("n => { jupyterapp.shell.currentWidget.content.activeCellIndex = n }", cell)
        page.evaluate("() => jupyterapp.commands.execute('notebook:run-cell')")
    widget = page.locator(".sg-sessions")
    widget.get_by_label("Search").fill("LAB-")
    rows = widget.locator("tbody tr")
    assert [row.split("\n")[0].split("\t")[0] for row in rows.all_inner_texts()] == [
        "lab-third",
        "lab-second",
        "lab-first",
    ]
    assert rows.nth(0).get_by_text("current").count() == 1
    assert widget.locator(".sg-sessions-count").inner_text() == "3 of 4"

    rows.nth(2).click()
    widget.get_by_role("button", name="Resume").click()
    widget.get_by_text("Resumed lab-first").wait_for()
    assert notebook.python("print(w.selected == secgemini_jupyter.current_session().id, end='')") == "True"
    page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 3 }")
    page.evaluate("() => jupyterapp.commands.execute('notebook:run-cell')")
    assert notebook.python("print(found.session.name, end='')") == "lab-first"
    page.wait_for_function("() => document.querySelectorAll('.sg-sessions tbody tr')[2].cells[1].innerText === '1'")

    rows.nth(1).click()
    page.keyboard.press("F2")
    page.keyboard.type("lab-renamed")
    page.keyboard.press("Enter")
    widget.get_by_text("Renamed lab-second to lab-renamed.").wait_for()
    widget.get_by_role("button", name="Extend").click()
    widget.get_by_role("button", name="7 days").click()
    widget.get_by_text("lab-renamed now lives until").wait_for()
    assert rows.nth(1).get_by_text("in 7 days").count() == 1
    assert notebook.python("print(stored(), [s.ttl for s in client.list_sessions() if s.name == 'lab-renamed'])") == (
        "['lab-first', 'lab-renamed', 'lab-third', 'other'] [604800]\n"
    )

    widget.get_by_role("button", name="Delete").click()
    page.keyboard.press("Enter")  # on "Keep it"
    assert notebook.python("print(len(stored()), end='')") == "4"
    widget.get_by_role("button", name="Delete").click()
    widget.get_by_role("alertdialog").get_by_text("Delete lab-renamed for good, with 0 turns and 0 files?").wait_for()
    widget.get_by_role("button", name="Delete for good").click()
    widget.get_by_text("Deleted lab-renamed with 0 turns and 0 files.").wait_for()
    assert notebook.python("print(stored(), end='')") == "['lab-first', 'lab-third', 'other']"
    assert notebook.python("print(w.selected == secgemini_jupyter.current_session().id, end='')") == "True"

    widget.get_by_role("button", name="Open").click()
    tree = widget.locator(".sg-sessions-child").get_by_role("tree")
    tree.get_by_text("again").first.wait_for()
    assert notebook.python("print(w.opened_id == w.opened.session_id == w.selected, end='')") == "True"
    widget.locator(".sg-sessions-opened").get_by_role("button", name="Close", exact=True).click()
    tree.wait_for(state="detached")
    assert notebook.python("print(w.opened, end='')") == "None"


def test_in_lab_a_session_deleted_elsewhere_goes_and_the_list_follows_the_kernel(lab: Any, local_service: Any) -> None:
    notebook = lab(use(local_service), "w = secgemini_jupyter.sessions(); w")
    notebook.run_all()
    widget = notebook.page.locator(".sg-sessions")
    widget.get_by_label("Search").fill("lab-second")
    row = widget.locator("tbody tr").first
    row.click()
    notebook.python("for s in client.list_sessions():\n    if s.name == 'lab-second': s.delete()")
    widget.get_by_role("button", name="Resume").click()
    widget.get_by_text("lab-second is gone: deleted elsewhere, or expired.").wait_for()
    widget.get_by_text("No session matches").wait_for()
    widget.get_by_label("Search").fill("lab-in-a-cell")
    notebook.python("get_ipython().run_line_magic('secgemini', 'new lab-in-a-cell')")
    widget.locator("tbody tr", has_text="lab-in-a-cell").get_by_text("current").wait_for()
