"""AttachWidget: its traits follow the session, its saved form teaches, and the doors to it open."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
import traitlets

import secgemini_jupyter
from secgemini_jupyter.client.aio import AsyncSecGemini
from secgemini_jupyter.client.sync import SecGemini
from secgemini_jupyter.errors import Secret
from secgemini_jupyter.models import PublicSessionFile
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.widgets import AttachWidget
from tests.widgets.test_uploads import LOG, Session, sha256

ROOT = Path(__file__).parents[2]
UPLOAD = "a" * 32


@pytest.fixture
def shown(front_end):
    """A widget of a session, and the browser's end of its wire."""
    made = []

    def show(session: Any) -> tuple[AttachWidget, Any]:
        widget = AttachWidget(session)
        made.append(widget)
        return widget, next(each for each in front_end if each.comm_id == widget.model_id)

    yield show
    for widget in made:
        widget.close()


def send(browser: Any, session: Any, content: bytes, name: str = "auth.log") -> dict[str, Any]:
    params = {"session_id": session.id, "upload": UPLOAD, "name": name, "size": len(content)}
    reply = browser.call("upload_begin", {**params, "sha256": sha256(content)})
    for offset in reply["result"]["missing"]:
        browser.call("upload_chunk", {"upload": UPLOAD, "offset": offset}, [content[offset : offset + 2**20]])
    return browser.call("upload_finish", {"upload": UPLOAD})["result"]


def test_a_dropped_file_is_in_the_session_and_in_the_traits(shown):
    session = Session()
    widget, browser = shown(session)
    states: list[str] = []
    widget.observe(lambda change: states.append(change["new"]), "state")
    assert send(browser, session, LOG)["state"] == "attached"
    assert session.contents == [("auth.log", LOG, None)]
    assert widget.files == [
        {
            "name": "auth.log",
            "size": len(LOG),
            "sha256": sha256(LOG),
            "mime_type": "text/plain",
            "content_type_label": "txt",
            "verified": True,
        }
    ]
    assert states == ["uploading", "idle"]


def test_a_deleted_session_has_no_files_and_takes_none(local_service, shown):
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session("triage")
        session.attach_file("auth.log", LOG)
        widget, browser = shown(session)
        session.delete()
        assert (widget.deleted, widget.files) == (True, [])
        params = {"session_id": session.id, "upload": UPLOAD, "name": "a.log", "size": 1, "sha256": sha256(b"x")}
        reply = browser.call("upload_begin", params)
        assert reply["error"] == "Session triage was deleted. Attach to another one."
        assert widget._fallback()[1] == "Session triage was deleted, and its files with it."


def test_the_list_is_there_before_the_reply(shown):
    """The row of the upload goes with the reply: its place must have been taken by then."""
    session = Session()
    _, browser = shown(session)
    send(browser, session, b"x")
    kinds = [
        "files" if "files" in (sent["data"].get("state") or {}) else "reply"
        for sent in browser.published
        if sent["type"] == "comm_msg"
    ]
    assert kinds[-1] == "reply"
    assert "files" in kinds


def test_files_of_a_cell_or_of_python_show_up_and_go(local_service, shown):
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session("triage", enable_logging=True)
        widget, browser = shown(session)
        assert (widget.session_name, widget.retained, widget.files) == ("triage", session.can_log, [])
        assert widget.destination == f"Sec-Gemini, {session.host}"
        assert widget.max_bytes == session.max_attachment_bytes == 100 * 2**20
        session.attach_file("a.log", b"a")
        assert [(file["name"], file["verified"]) for file in widget.files] == [("a.log", True)]
        session.update(name="renamed")
        assert widget.session_name == "renamed"
        assert send(browser, session, b"b", "b.log")["state"] == "attached"
        assert [file.name for file in session.files] == ["a.log", "b.log"]
        params = {"session_id": session.id, "file_idx": 0, "name": "a.log", "sha256": sha256(b"a")}
        assert browser.call("detach_file", params)["result"] is None
        assert [file["name"] for file in widget.files] == ["b.log"]

        # Another process attaches: known here once somebody looks.
        other = client.resume_session(session.id)
        other.attach_file("c.log", b"c")
        assert browser.call("refresh_files", {"session_id": session.id})["result"] is None
        assert [(file["name"], file["verified"]) for file in widget.files] == [("b.log", True), ("c.log", False)]
        session.delete()


def test_a_closed_widget_lets_go_of_its_session(shown):
    session = Session()
    widget, _ = shown(session)
    assert len(session.watchers) == 1
    widget.close()
    assert session.watchers == []


def test_a_browser_cannot_set_what_the_widget_shows(shown):
    session = Session()
    widget, browser = shown(session)
    browser.deliver(
        {"method": "update", "state": {"retained": True, "destination": "x", "files": [{}], "max_bytes": 1}}
    )
    assert (widget.retained, widget.files, widget.max_bytes) == (False, [], session.max_attachment_bytes)
    assert widget.destination == "local analyst, 127.0.0.1:4321, not Sec-Gemini"


def test_the_widget_s_state_repr_and_wire_hold_no_key(shown):
    key = Secret("canary-key-0123456789")
    session = Session()
    session.client = key
    session.fails = [RuntimeError(f"boom {key.reveal()}")]
    widget, browser = shown(session)
    assert send(browser, session, b"x")["error"].startswith("Failed: RuntimeError: boom [redacted]")
    assert widget.state == "failed"
    assert "canary" not in str(widget.get_state()) + repr(widget) + str(browser.published)


def test_the_fallback_teaches_and_then_lists(shown):
    session = Session()
    widget, browser = shown(session)
    html, text = widget._fallback()
    assert "No files in session triage (local analyst, 127.0.0.1:4321, not Sec-Gemini; not retained)" in text
    assert "%secgemini attach PATH" in text
    assert "%secgemini attach PATH</code>" in html
    send(browser, session, LOG)
    html, text = widget._fallback()
    assert text.splitlines()[1] == f"  auth.log  2.1 MB  txt  {sha256(LOG)}"
    assert "<td style=" in html
    assert sha256(LOG) in html
    assert repr(widget) == "<AttachWidget of session 'triage': 1 file, not retained>"


def test_the_fallback_is_capped_and_its_markup_is_text(shown):
    session = Session()
    session.name = "<img src=x onerror=alert(1)>"
    session.snapshot = [PublicSessionFile("<script>\x1b[2J</script>", 1, "<b>", "<i>")] * 5000
    widget, _ = shown(session)
    html, text = widget._fallback()
    assert len(widget.files) == 1000
    assert text.splitlines()[-1] == "  and 900 more"
    assert not re.search("<(img|script|b|i)>?[ >]", html)
    assert "\x1b" not in html + text


def test_it_is_a_citizen_of_ipywidgets(shown):
    session = Session()
    widget, browser = shown(session)
    box = ipywidgets.VBox([widget, ipywidgets.Tab([widget])])
    assert box.children[0].layout.width is None

    class Other(traitlets.HasTraits):
        files = traitlets.List()

    other = Other()
    ipywidgets.dlink((widget, "files"), (other, "files"))
    send(browser, session, b"x")
    assert [file["name"] for file in other.files] == ["auth.log"]


def test_the_view_knows_the_same_traits_and_piece():
    source = (ROOT / "js" / "src" / "attach" / "model.ts").read_text()
    interface = re.search(r"interface AttachTraits \{(.*?)\n\}", source, re.DOTALL)[1]
    theirs = set(re.findall(r"^  (\w+)\??:", interface, re.MULTILINE))
    listened = set(re.findall(r'"(\w+)"', re.search(r"TRAITS = \[(.*?)\]", source, re.DOTALL)[1]))
    ours = {name for name in AttachWidget.class_own_traits(sync=True) if not name.startswith("_")}
    assert theirs == listened == ours
    entry = re.search(r"interface AttachedFile \{(.*?)\n\}", source, re.DOTALL)[1]
    session = Session()
    session.attach_file("x", b"x")
    widget = AttachWidget(session)
    assert set(re.findall(r"^  (\w+):", entry, re.MULTILINE)) == set(widget.files[0])
    widget.close()
    assert "export const CHUNK = 2 ** 20;" in (ROOT / "js" / "src" / "shared" / "upload.ts").read_text()


@pytest.mark.parametrize(("name", "shown"), json.loads((ROOT / "js" / "tests" / "safe-names.json").read_text()))
def test_both_sides_clean_a_name_alike(name, shown):
    assert one_line(name, 255) == shown


# --- the doors ---


def test_a_session_gives_its_widget(local_service):
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session("door")
        widget = session.attach()
        assert widget.session_id == session.id
        widget.close()
        session.delete()


@pytest.mark.anyio
async def test_an_asynchronous_session_gives_one_of_the_same_snapshot(local_service):
    async with AsyncSecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = await client.create_session("door")
        widget = await session.attach()
        await session.attach_file("a.log", b"a")
        assert [file["name"] for file in widget.files] == ["a.log"]
        widget._session.attach_file("b.log", b"b")
        assert [file.name for file in session.files] == ["a.log", "b.log"]
        widget.close()
        await session.delete()
    assert client._plain._http is None


@pytest.fixture
def anyio_backend():
    return "asyncio"


def test_the_package_gives_the_widget_of_the_current_session(local_service, monkeypatch):
    from secgemini_jupyter import keeper, kernel

    monkeypatch.setenv("SEC_GEMINI_API_KEY", local_service.key)
    monkeypatch.setenv("SEC_GEMINI_API_HTTP_URL", local_service.http)
    made = kernel.KernelSession()
    monkeypatch.setattr(keeper, "_keepers", [(made, lambda: made)])
    widget = secgemini_jupyter.attach()
    assert widget.session_id == secgemini_jupyter.current_session().id
    widget.close()
    made.current().delete()
    made.close()
