"""SessionsWidget with a real kernel's sessions at a real service; the browser's side is played by the test."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import traitlets

from secgemini_jupyter.errors import NetworkError
from secgemini_jupyter.kernel import KernelSession
from secgemini_jupyter.widgets import SessionsWidget, VisualizeWidget, sessions
from tests.conftest import LocalService

ROOT = Path(__file__).parents[2]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, local_service: LocalService) -> Iterator[KernelSession]:
    """Its sessions are told from those of other tests by their description."""
    monkeypatch.setenv("SEC_GEMINI_API_HTTP_URL", local_service.http)
    monkeypatch.setenv("SEC_GEMINI_API_KEY", local_service.key)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    for name in ("SEC_GEMINI_API_WEBSOCKET_URL", "SECGEMINI_BACKEND", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    made = KernelSession()
    for session in made.client.list_sessions():
        session.delete()
    yield made
    made.close()


@pytest.fixture
def shown(front_end: list[Any]) -> Callable[[Any], tuple[SessionsWidget, Any]]:
    """A widget of a kernel's sessions, and the browser's end of its wire."""

    def show(kernel: Any) -> tuple[SessionsWidget, Any]:
        widget = SessionsWidget(kernel)
        return widget, next(each for each in front_end if each.comm_id == widget.model_id)

    return show


def names(widget: SessionsWidget) -> list[str]:
    return [row["name"] for row in widget.sessions]


def row(widget: SessionsWidget, name: str) -> dict[str, Any]:
    return next(row for row in widget.sessions if row["name"] == name)


def until(true: Callable[[], bool]) -> None:
    """The widget follows in a thread of its own."""
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_sessions_are_listed_newest_first(kernel: KernelSession, shown: Any) -> None:
    kernel.new("older", description="mail from evil.example")
    session = kernel.new("newer", ttl=600)
    session.query("hello")
    session.attach_file("a.log", b"a")
    widget, _ = shown(kernel)
    assert names(widget) == ["newer", "older"]
    newer = widget.sessions[0]
    assert (newer["turns"], newer["messages"], newer["files"]) == (1, session.num_messages, 1)
    assert (newer["retained"], newer["current"], widget.sessions[1]["current"]) == (True, True, False)
    assert widget.sessions[1]["description"] == "mail from evil[.]example"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", newer["expires_at"])
    assert newer["created_at"] < newer["expires_at"]
    assert (widget.state, widget.total, widget.selected, widget.opened) == ("idle", 2, "", None)
    assert widget.destination.startswith("Sec-Gemini, 127.0.0.1:")


def test_resume_is_what_cells_ask_in(kernel: KernelSession, shown: Any) -> None:
    first = kernel.new("first")
    kernel.new("second")
    widget, browser = shown(kernel)
    reply = browser.call("resume", {"session_id": first.id})
    assert reply["result"] == "Resumed first: the next %%secgemini cell asks in it."
    assert kernel.current() is first
    assert row(widget, "first")["current"]
    assert not row(widget, "second")["current"]


def test_rename_and_extend(kernel: KernelSession, shown: Any) -> None:
    session = kernel.new("before", ttl=600)
    widget, browser = shown(kernel)
    reply = browser.call("rename", {"session_id": session.id, "name": "  after \ud83d "})
    assert reply["result"] == "Renamed before to after \ufffd."
    assert names(widget) == ["after \ufffd"]
    reply = browser.call("extend", {"session_id": session.id, "ttl": 7200})
    assert reply["result"].startswith("after \ufffd now lives until ")
    stored = kernel.client.resume_session(session.id)
    assert (stored.name, stored.ttl) == ("after \ufffd", 7200)
    expires = widget.sessions[0]["expires_at"]
    browser.call("refresh", {})
    assert widget.sessions[0]["expires_at"] == expires, "what was set from here is known after a fresh list too"


def test_delete_says_what_went_and_what_is_current(kernel: KernelSession, shown: Any) -> None:
    main = kernel.current()
    doomed = kernel.new("doomed")
    doomed.query("hello")
    doomed.attach_file("a.log", b"a")
    widget, browser = shown(kernel)
    widget.selected = doomed.id
    reply = browser.call("delete", {"session_id": doomed.id})
    assert reply["result"] == f"Deleted doomed with 1 turn and 1 file. {main.name} is current now."
    assert names(widget) == [main.name]
    assert widget.selected == ""
    assert [session.id for session in kernel.client.list_sessions()] == [main.id]
    reply = browser.call("delete", {"session_id": main.id})
    assert reply["result"].endswith("No session is current now: the next %%secgemini cell makes one.")
    assert kernel.current().id != main.id


@pytest.mark.parametrize("method", ["resume", "rename", "extend", "delete", "open"])
def test_a_session_that_is_gone_is_told_and_taken_off(kernel: KernelSession, shown: Any, method: str) -> None:
    kernel.new("kept")
    session = kernel.new("gone")
    widget, browser = shown(kernel)
    kernel.client.resume_session(session.id).delete()
    more = {"rename": {"name": "x"}, "extend": {"ttl": 600}}.get(method, {})
    reply = browser.call(method, {"session_id": session.id, **more})
    assert reply["error"] == "gone is gone: deleted elsewhere, or expired. It was taken off."
    assert names(widget) == ["kept"]
    assert kernel.get("gone") is None


def test_open_shows_a_widget_within_and_close_ends_it(kernel: KernelSession, shown: Any) -> None:
    session, other = kernel.new("one"), kernel.new("two")
    widget, browser = shown(kernel)
    reply = browser.call("open", {"session_id": session.id})
    assert reply["result"]["said"] == "Opened one."
    assert reply["result"]["code"] == f"SecGemini().resume_session('{session.id}').visualize()"
    first = widget.opened
    assert isinstance(first, VisualizeWidget)
    assert (first.session_id, widget.opened_id) == (session.id, session.id)
    assert widget.get_state()["opened"] == f"IPY_MODEL_{first.model_id}"
    browser.call("open", {"session_id": other.id})
    assert widget.opened_id == other.id
    assert first.comm is None, "the first one was closed"
    browser.call("close", {})
    assert (widget.opened, widget.opened_id) == (None, "")
    browser.call("open", {"session_id": other.id})
    browser.call("delete", {"session_id": other.id})
    assert widget.opened is None


def test_what_opens_while_the_widget_closes_is_closed_too(kernel: KernelSession, shown: Any) -> None:
    session = kernel.new("one")
    widget, browser = shown(kernel)
    visualize, made = kernel.visualize, []

    def slow(session_id: str) -> VisualizeWidget:
        made.append(visualize(session_id))
        widget.close()
        return made[0]

    kernel.visualize = slow  # type: ignore[method-assign]
    request = {"kind": "secgemini-request", "uuid": "0" * 32, "method": "open", "params": {"session_id": session.id}}
    browser.deliver({"method": "custom", "content": request})
    until(lambda: bool(made) and made[0].comm is None)
    assert widget.opened is None


def test_what_is_no_widget_is_refused_with_the_line_to_run(kernel: KernelSession, shown: Any) -> None:
    session = kernel.new("one")
    widget, browser = shown(kernel)
    kernel.visualize = lambda session_id: "a tree of text"  # type: ignore[method-assign]
    reply = browser.call("open", {"session_id": session.id})
    assert reply["error"].endswith(f"run: SecGemini().resume_session('{session.id}').visualize()")
    assert widget.opened is None


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("resume", {"session_id": "another"}, "No session 'another' is in this list. Refresh it"),
        ("delete", {"session_id": "another"}, "No session 'another' is in this list. Refresh it"),
        ("delete", {"session_id": "x" * 201}, "length <= 200"),
        ("delete", {}, "missing required field `session_id`"),
        ("delete", {"session_id": "MINE", "force": True}, "unknown field `force`"),
        ("rename", {"session_id": "MINE", "name": " \n "}, "The name is empty"),
        ("rename", {"session_id": "MINE", "name": "x" * 201}, "length <= 200"),
        ("rename", {"session_id": "MINE", "name": None}, "Expected `str`"),
        ("extend", {"session_id": "MINE", "ttl": 299}, ">= 300"),
        ("extend", {"session_id": "MINE", "ttl": 31_622_401}, "<= 31622400"),
        ("extend", {"session_id": "MINE", "ttl": 600.5}, "Expected `int`"),
        ("extend", {"session_id": "MINE", "ttl": True}, "Expected `int`"),
        ("refresh", {"session_id": "MINE"}, "unknown field"),
        ("visualize", {"session_id": "MINE"}, "has no method"),
    ],
)
def test_a_request_outside_the_view_s_means_changes_nothing(
    kernel: KernelSession, shown: Any, method: str, params: dict[str, Any], words: str
) -> None:
    session = kernel.new("mine", ttl=600)
    _, browser = shown(kernel)
    if params.get("session_id") == "MINE":
        params = {**params, "session_id": session.id}
    assert words in browser.call(method, params)["error"]
    stored = kernel.client.resume_session(session.id)
    assert (stored.name, stored.ttl) == ("mine", 600)


def test_a_session_made_elsewhere_must_be_listed_before_it_is_acted_on(kernel: KernelSession, shown: Any) -> None:
    widget, browser = shown(kernel)
    session = kernel.client.create_session("elsewhere")
    assert "Refresh it" in browser.call("delete", {"session_id": session.id})["error"]
    assert browser.call("refresh", {})["result"] is None
    assert names(widget) == ["elsewhere"]
    assert browser.call("delete", {"session_id": session.id})["result"].startswith("Deleted elsewhere")


def test_the_list_follows_what_the_kernel_does(kernel: KernelSession, shown: Any) -> None:
    widget, _ = shown(kernel)
    assert names(widget) == []
    session = kernel.new("made in a cell")
    until(lambda: names(widget) == ["made in a cell"])
    assert widget.sessions[0]["current"]
    session.query("hello")
    until(lambda: widget.sessions[0]["turns"] == 1)
    session.update(name="renamed in Python")
    until(lambda: names(widget) == ["renamed in Python"])
    kernel.delete("made in a cell")
    until(lambda: names(widget) == [])
    widget.close()
    kernel.new("after the end")
    assert len(kernel._watchers) == 0


def test_a_list_that_cannot_be_read_raises_and_later_keeps_what_was_listed(kernel: KernelSession, shown: Any) -> None:
    kernel.new("kept")
    widget, browser = shown(kernel)

    def fails() -> Any:
        raise NetworkError("No connection to 127.0.0.1. Try again.")

    kernel.list_sessions = fails  # type: ignore[method-assign]
    assert browser.call("refresh", {})["error"] == "No connection to 127.0.0.1. Try again."
    assert (widget.state, names(widget)) == ("failed", ["kept"])
    with pytest.raises(NetworkError):
        SessionsWidget(kernel)


def test_selected_is_set_by_view_and_python_to_what_is_listed_alone(kernel: KernelSession, shown: Any) -> None:
    session = kernel.new("mine")
    widget, browser = shown(kernel)
    seen: list[str] = []
    widget.observe(lambda change: seen.append(change["new"]), "selected")
    browser.deliver({"method": "update", "state": {"selected": session.id}})
    browser.deliver({"method": "update", "state": {"selected": "another", "sessions": [], "destination": "x"}})
    browser.deliver({"method": "update", "state": {"selected": ["x"]}})
    assert (widget.selected, names(widget)) == (session.id, ["mine"])
    browser.deliver({"method": "update", "state": {"selected": ""}})
    assert seen == [session.id, ""]
    with pytest.raises(traitlets.TraitError, match="No session 'another' is in the list"):
        widget.selected = "another"


class Listed:
    """A session that a hostile service lists."""

    description = "\x1b[2J<script>1</script> http://evil.example/x"
    turns, num_messages, files, can_log, is_local, is_deleted = 1, 2, (), False, False, False
    update_time = expires_at = 1e300

    def __init__(self, id_: str, name: str, create_time: float = 0.0) -> None:
        self.id, self.name, self.create_time = id_, name, create_time


class Host:
    host, is_local, current_id = "evil.example", False, ""

    def __init__(self, *listed: Listed) -> None:
        self.listed = listed

    def list_sessions(self) -> Any:
        return list(self.listed)

    own_sessions = list_sessions

    def watch(self, changed: Any) -> Any:
        return lambda: None


def test_hostile_names_times_and_ids_are_harmless(shown: Any) -> None:
    widget, _ = shown(
        Host(
            Listed("good", "<img src=x onerror=alert(1)>\x1b[2J\u202e", float("nan")),
            Listed("go\u202eod", "an id that looks like another one's"),
            Listed("b" * 30, "", 1e300),
        )
    )
    assert names(widget) == ["b" * 30, "<img src=x onerror=alert(1)>␛[2J⟨U+202E⟩"]
    assert [row["created_at"] for row in widget.sessions] == ["", ""]
    assert widget.sessions[0]["description"] == "␛[2J<script>1</script> hxxp://evil[.]example/x"
    assert widget.total == 3
    data, _ = widget._repr_mimebundle_()
    assert not re.search("<(img|script)", data["text/html"])
    assert "\x1b" not in data["text/html"] + data["text/plain"]


def test_many_sessions_are_capped_and_counted(shown: Any) -> None:
    widget, _ = shown(Host(*(Listed(f"id{n}", f"session {n}", float(n)) for n in range(1500))))
    assert len(widget.sessions) == 1000
    assert (widget.total, names(widget)[0]) == (1500, "session 1499")
    data, _ = widget._repr_mimebundle_()
    assert data["text/html"].count("<tr") == 101
    assert "1,400 more sessions at the service" in data["text/html"]
    assert "1,400 more sessions at the service" in data["text/plain"]


def test_the_static_form_is_a_folded_table(kernel: KernelSession, shown: Any) -> None:
    kernel.new("triage")
    widget, _ = shown(kernel)
    data, _ = widget._repr_mimebundle_()
    assert data["text/html"].startswith('<div class="mathjax_ignore tex2jax_ignore"><details><summary')
    assert "triage" in data["text/html"]
    assert data["text/plain"].startswith("1 session at Sec-Gemini, 127.0.0.1:")
    assert "%secgemini sessions --browse" in data["text/html"]


def test_a_terminal_is_told_what_to_type_and_not_where_to_click(
    kernel: KernelSession, shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget, _ = shown(kernel)
    assert "%secgemini resume, update or delete" in widget._repr_mimebundle_()[0]["text/plain"]
    monkeypatch.setattr("secgemini_jupyter.widgets.sessions.in_notebook", lambda: True)
    assert "%secgemini sessions --browse" in widget._repr_mimebundle_()[0]["text/plain"]


def test_state_and_repr_hold_no_key(kernel: KernelSession, shown: Any, local_service: LocalService) -> None:
    session = kernel.new("mine")
    widget, browser = shown(kernel)
    browser.call("open", {"session_id": session.id})
    everything = str(widget.get_state()) + repr(widget) + str(browser.published) + str(widget._repr_mimebundle_())
    assert local_service.key not in everything
    assert "mine" in everything


def test_the_view_knows_the_same_traits_and_limits() -> None:
    source = (ROOT / "js" / "src" / "sessions" / "model.ts").read_text()

    def fields(interface: str) -> set[str]:
        body = re.search(rf"interface {interface} \{{(.*?)\n\}}", source, re.DOTALL)
        assert body
        return set(re.findall(r"^  (\w+)\??:", body[1], re.MULTILINE))

    own = {name for name in SessionsWidget.class_own_traits(sync=True) if not name.startswith("_")}
    assert fields("SessionsTraits") == own
    assert fields("Listed") == set(sessions._row(Listed("a", "b"), "", 0.0))  # type: ignore[arg-type]
    assert f"NAME_LIMIT = {sessions.NAME_LIMIT};" in source
    assert f"MIN_TTL = {sessions.MIN_TTL};" in source
    assert f"MAX_TTL = {sessions.MAX_TTL:_};" in source
