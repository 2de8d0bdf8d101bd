from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from secgemini_jupyter.errors import InputError, NetworkError, Secret, SessionNotFoundError
from secgemini_jupyter.transcript.jsonl import from_jsonl
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.nodes import Nodes
from secgemini_jupyter.transcript.tree import text_tree
from secgemini_jupyter.widgets.base import VIEW
from secgemini_jupyter.widgets.sources import SessionSource
from secgemini_jupyter.widgets.visualize import VisualizeWidget
from tests.transcript.frames import message, turn
from tests.widgets.picture import Session, unpacked

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shown(front_end):
    """A widget, and the browser's end of its wire."""

    def show(source: Any, **arguments: Any) -> tuple[VisualizeWidget, Any]:
        widget = VisualizeWidget(source, **arguments)
        return widget, next(each for each in front_end if each.comm_id == widget.model_id)

    return show


def test_the_index_is_there_for_the_first_paint(shown):
    widget, _ = shown(Session(turn()))
    header, columns = unpacked(widget.index)
    nodes = Nodes()
    nodes.update(turn())
    assert (header["seq"], header["start"], header["nodes"], header["messages"]) == (0, 0, 14, 12)
    assert columns["label"] == nodes.label
    for name in ("message", "size", "depth", "kind", "flags", "actor", "type", "state", "role", "status", "tokens"):
        assert columns[name].tolist() == getattr(nodes, name), name
    np.testing.assert_array_equal(columns["time"], nodes.time)
    np.testing.assert_allclose(columns["duration"], nodes.duration, rtol=1e-6)
    assert header["names"]["type"][columns["type"][0]] == "query"
    assert (widget.session_id, widget.session_name, widget.running) == ("3f9c1f0e", "triage", False)


def test_numbers_that_no_array_holds_stay_at_its_end(shown):
    odd = message("info", "start", "x", id="a", at=0, status_code=2**70, usage={"total_tokens": 2**80})
    widget, _ = shown(Session([odd]))
    _, columns = unpacked(widget.index)
    assert columns["status"].tolist() == [0, 32767]
    assert columns["tokens"].tolist()[1] == 2**32 - 1


def test_read_gives_what_messages_say(shown):
    _, browser = shown(Session(turn()))
    (query, answer) = browser.call("read", {"messages": [0, 10]})["result"]["details"]
    assert (query["heading"], query["message"]) == ("query", 0)
    assert dict(answer["facts"])["Tokens"].startswith("1,468 (prompt 1,410")
    assert "web-7 runs 4.1.9" in answer["parts"][0]["html"]


def test_search_looks_into_content_and_title_without_regard_to_case(shown):
    _, browser = shown(Session(turn()))
    for text, positions in (("ADVISORY", [3]), ("plan", [3]), ("web-7", [0, 3, 8, 10]), ("nowhere", [])):
        reply = browser.call("search", {"text": text})
        assert reply["result"] == {"count": len(positions)}
        assert np.frombuffer(reply["buffers"][0], "<i4").tolist() == positions


def test_a_defanged_text_finds_the_indicator(shown):
    _, browser = shown(Session([message("result", "agent_done", "It was 10.0.0.7 and evil.example", id="a", at=0)]))
    for text in ("10[.]0[.]0[.]7", "evil[.]example", "10.0.0.7"):
        assert browser.call("search", {"text": text})["result"] == {"count": 1}


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("read", {"messages": [12]}, "no message at position 12: there are 12 messages"),
        ("read", {"messages": [-1]}, "Expected `int` >= 0"),
        ("read", {"messages": [2**40]}, "Expected `int` <"),
        ("read", {"messages": []}, "length >= 1"),
        ("read", {"messages": [0] * 21}, "length <= 20"),
        ("read", {"messages": [0], "session_id": "other"}, "unknown field `session_id`"),
        ("read", {"messages": ["0"]}, "Expected `int`"),
        ("search", {"text": ""}, "length >= 1"),
        ("search", {"text": "x" * 1001}, "length <= 1000"),
        ("copy", {"message": 99}, "no message at position 99"),
        ("copy", {"message": 0, "part": 0}, "is no table"),
        ("copy", {"message": 0, "path": "/etc/passwd"}, "unknown field `path`"),
        ("refresh", {"session_id": "other"}, "unknown field"),
        ("read_index", {"start": 1}, "unknown field"),
    ],
)
def test_a_request_outside_the_view_s_means_is_refused(shown, method, params, words):
    _, browser = shown(Session(turn()))
    assert words in browser.call(method, params)["error"]


def events(browser: Any, count: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The packs of the next events."""
    found = []
    while len(found) < count:
        told = browser.custom.get(timeout=5)
        assert told["kind"] == "secgemini-event"
        header, columns = unpacked(told["buffers"][0])
        assert header["seq"] == told["seq"]
        found.append((header, columns))
    return found


def test_a_turn_that_runs_appears_from_its_first_node_on(shown):
    session = Session(turn())
    widget, browser = shown(session)
    running: list[bool] = []
    widget.observe(lambda change: running.append(change["new"]), "running")
    session.is_running = True
    session.stored = [*turn(), *turn("e")[:4]]
    session.tell()
    (header, columns), *_ = events(browser, 1)
    assert (header["seq"], header["start"], header["messages"]) == (1, 0, 16), "the turn before may have been running"
    session.stored = [*turn(), *turn("e")[:9]]
    (header, columns), *_ = events(browser, 1)
    assert (header["seq"], header["start"], header["nodes"]) == (2, 14, 11)
    assert columns["label"][0].startswith("2 › Is host")
    assert columns["flags"][0] == 8, "it runs"
    session.stored = [*turn(), *turn("e")]
    session.is_running = False
    session.tell()
    (header, columns), *_ = events(browser, 1)
    assert (header["messages"], columns["flags"][0]) == (24, 0)
    assert running == [True, False]
    now, _ = unpacked(widget.index)
    assert (now["seq"], now["messages"]) == (header["seq"], 24), "for a view that is opened from now on"


def test_an_observer_that_fails_takes_nothing_from_the_views(shown):
    messages = turn()
    session = Session(messages[:3])
    widget, browser = shown(session)

    def fails(_change):
        raise LookupError("mine")

    widget.observe(fails, "running")
    session.stored, session.is_running = messages[:7], True
    session.tell()
    header, _ = unpacked(browser.custom.get(timeout=5)["buffers"][0])
    assert (header["seq"], header["messages"]) == (1, 7)
    session.is_running = False
    widget.close()


def test_what_is_not_new_is_not_told(shown):
    session = Session(turn())
    _, browser = shown(session)
    for _ in range(3):
        session.tell()
    assert browser.call("refresh", {})["result"] is None
    session.stored = turn()[:-1]
    session.tell()
    (header, _), *_ = events(browser, 1)
    assert (header["seq"], header["messages"]) == (1, 11)
    assert session.refreshed == 1


def test_a_view_that_missed_something_reads_the_whole_index(shown):
    session = Session(turn())
    _, browser = shown(session)
    session.stored = [*turn(), *turn("e")]
    session.tell()
    events(browser, 1)
    reply = browser.call("read_index", {})
    header, columns = unpacked(reply["buffers"][0])
    assert reply["result"] == {"seq": 1} == {"seq": header["seq"]}
    assert (header["start"], header["nodes"], len(columns["label"])) == (0, 28, 28)


def test_a_large_index_is_not_saved_once_a_view_has_it(shown):
    many = [message("thinking", "thinking", "word " * 20, id=str(n), at=n) for n in range(3_000)]
    widget, browser = shown(Session(many))
    assert len(widget.index) > 256_000
    browser.call("read", {"messages": [0]})
    assert widget.index == b""
    assert unpacked(browser.call("read_index", {})["buffers"][0])[0]["nodes"] == 3_001


def test_a_name_that_changes_is_shown(shown):
    session = Session(turn())
    widget, browser = shown(session)
    session.name = "phish \u202e"
    session.stored = [*turn(), *turn("e")]
    session.tell()
    events(browser, 1)
    assert widget.session_name == "phish ⟨U+202E⟩"


def test_close_ends_the_watch(shown):
    session = Session(turn())
    widget, _ = shown(session)
    assert len(session.watchers) == 1
    widget.close()
    assert session.watchers == []


def test_a_session_that_is_gone_says_so_and_what_was_read_stays(shown, caplog):
    session = Session(turn())
    widget, browser = shown(session)
    session.error = SessionNotFoundError("Session '3f9c1f0e' does not exist. List sessions.", status=404)
    assert browser.call("refresh", {})["error"] == "Session '3f9c1f0e' does not exist. List sessions."
    session.tell()
    assert browser.call("read", {"messages": [10]})["result"]["details"][0]["heading"] == "result"
    assert len(widget.frame) == 12


def test_a_session_that_cannot_be_read_is_not_asked_ten_times_a_second():
    session = Session(turn(), error=NetworkError("No answer from the service. Try again."))
    source = SessionSource(session)
    with pytest.raises(NetworkError):
        source.read()
    assert [source.read() for _ in range(20)] == [None] * 20
    assert session.asked == 1
    session.error = None
    source.refresh()
    assert source.read().messages == turn()


def test_two_widgets_of_one_session_live_side_by_side(shown):
    session = Session(turn())
    first, one = shown(session)
    _, two = shown(session)
    session.stored = [*turn(), *turn("e")]
    session.tell()
    assert events(one, 1)[0][0]["messages"] == events(two, 1)[0][0]["messages"] == 24
    first.close()
    session.stored = turn()
    session.tell()
    assert events(two, 1)[0][0]["messages"] == 12


# --- selection ---


def test_what_the_view_selects_is_a_table_in_python(shown):
    widget, browser = shown(Session(turn()))
    changes: list[list[int]] = []
    widget.observe(lambda change: changes.append(change["new"]), "selected")
    browser.deliver({"method": "update", "state": {"selected": [10, 3, 3]}})
    assert changes == [[3, 10]]
    expected = messages_frame(turn(), session_id="3f9c1f0e").iloc[[3, 10]]
    pd.testing.assert_frame_equal(widget.selection, expected)
    assert widget.selection.attrs["secgemini_schema"] == "messages/1"


@pytest.mark.parametrize("value", [[99, 3], [-1, 3], [2**40, 3]])
def test_a_position_that_is_not_there_is_left_out_of_a_view_s_selection(shown, value):
    widget, browser = shown(Session(turn()))
    browser.deliver({"method": "update", "state": {"selected": value}})
    assert widget.selected == [3]


@pytest.mark.parametrize("value", [["3"], [True, "x"], "3", {"a": 1}, [[3]], None])
def test_nonsense_of_a_view_selects_nothing(shown, value):
    widget, browser = shown(Session(turn()))
    browser.deliver({"method": "update", "state": {"selected": value, "session_id": "other", "index": "x"}})
    assert (widget.selected, widget.session_id) == ([], "3f9c1f0e")


def test_rows_positions_and_ids_select(shown):
    session = Session(turn())
    widget, _ = shown(session)
    history = messages_frame(turn(), session_id=session.id)
    widget.select(history[history.message_type == "thinking"])
    assert widget.selected == [3]
    widget.select([11, 0])
    assert widget.selected == [0, 11]
    widget.select(["d10", "d04"])
    assert widget.selected == [3, 10]
    widget.select(history.loc[5])
    assert widget.selected == [5]
    widget.select([])
    assert widget.selected == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([12], "no message at position 12: there are 12 messages, counted from 0"),
        ([-1], "no message at position -1"),
        (["x"], "No message here has the id 'x'"),
        ([3.5, None], "Pass rows of history"),
        ([3.5], "Pass rows of history"),
        (pd.Series([False, True]), "of a mask: history[mask]"),
        (messages_frame(turn(), session_id="3f9c1f0e").assign(message_index=pd.NA), "A row has no message_index"),
        (messages_frame(turn(), session_id="other"), "of session 'other', not of '3f9c1f0e'"),
        (messages_frame(turn(), session_id="3f9c1f0e")[["content"]], "lacks the columns session_id, message_index"),
        (messages_frame([*turn(), *turn()], session_id="3f9c1f0e"), "no message at position 23"),
    ],
)
def test_what_is_not_here_is_refused_and_the_selection_stays(shown, rows, words):
    widget, _ = shown(Session(turn()))
    widget.selected = [2]
    with pytest.raises(InputError, match=re.escape(words)):
        widget.select(rows)
    assert widget.selected == [2]


def test_messages_that_went_are_not_selected_any_more(shown):
    session = Session(turn())
    widget, browser = shown(session)
    widget.selected = [3, 11]
    session.stored = turn()[:8]
    session.tell()
    events(browser, 1)
    assert widget.selected == [3]


# --- a table ---


def test_a_table_of_two_sessions_is_drawn_by_session_and_turn(shown):
    rows = pd.concat(
        [messages_frame(turn(), session_id="aaaaaaaa1"), messages_frame(turn("e"), session_id="bbbbbbbb2")]
    )
    rows = rows.sort_values("created_at", kind="stable")
    widget, browser = shown(rows)
    _, columns = unpacked(widget.index)
    tops = [label for label, depth in zip(columns["label"], columns["depth"], strict=True) if depth == 0]
    assert tops == [f"{name} · 1 › Is host web-7 exposed to CVE-2099-0001?" for name in ("aaaaaaaa", "bbbbbbbb")]
    assert (widget.session_id, widget.session_name) == ("", "2 sessions")
    widget.select(rows[(rows.message_type == "result") & (rows.session_id == "bbbbbbbb2")])
    assert widget.selected == [22]
    assert widget.selection.message_id.tolist() == ["e10"]
    assert browser.call("read", {"messages": [22]})["result"]["details"][0]["facts"][0] == ["Session", "bbbbbbbb"]
    assert browser.call("refresh", {})["result"] is None
    assert "aaaaaaaa · 1 turn" in str(widget)


def test_a_filtered_table_keeps_its_rows_labels(shown):
    table = messages_frame([*turn(), *turn("e")], session_id="s")
    widget, _ = shown(table[table.message_type != "query"])
    _, columns = unpacked(widget.index)
    assert columns["label"][0] == "1 › (its prompt is not here)"
    widget.selected = [0]
    assert widget.selection.index.tolist() == [1]


def test_an_empty_table_and_a_session_without_messages_are_fine(shown):
    empty, _ = shown(messages_frame([], session_id="s"))
    new, browser = shown(Session([]))
    assert unpacked(empty.index)[0]["nodes"] == unpacked(new.index)[0]["nodes"] == 0
    assert new.selection.empty
    assert browser.call("search", {"text": "x"})["result"] == {"count": 0}
    assert "Ask in a cell" in new._repr_mimebundle_()[0]["text/html"]


# --- copy, export ---


def test_a_copy_is_exact(shown):
    said = "see http://evil.example/\x1b[2J \u202e" + "x" * 1_000_000
    _, browser = shown(Session([message("result", "agent_done", said, id="a", at=0)]))
    assert browser.call("copy", {"message": 0})["result"] == {"text": said[:1_000_000], "is_cut": True}


def test_a_copied_table_has_exact_values(shown):
    table = '[{"host": "evil.example.com", "n": 2, "tags": ["a\\tb"]}, {"host": "x\\ty", "n": null}]'
    _, browser = shown(Session([message("result", "agent_done", table, id="a", at=0, mime_type="sec-gemini/table")]))
    text = browser.call("copy", {"message": 0, "part": 0})["result"]["text"]
    assert list(csv.reader(text.splitlines(), delimiter="\t")) == [
        ["host", "n", "tags"], ["evil.example.com", "2", '["a\\tb"]'], ["x\ty", "", ""]]  # fmt: skip


def test_all_or_the_selection_is_exported(shown):
    widget, browser = shown(Session([*turn(), *turn("e")], name="../the case: 7"))
    widget.selected = [10, 22]
    reply = browser.call("export", {"format": "jsonl", "scope": "selected"})
    assert reply["result"] == {"name": "the-case-7-selection.jsonl", "mime_type": "application/jsonl"}
    assert from_jsonl(bytes(reply["buffers"][0])) == [turn()[10], turn("e")[10]]
    reply = browser.call("export", {"format": "markdown", "scope": "selected"})
    text = bytes(reply["buffers"][0]).decode()
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## turn 1", "## turn 2"]
    reply = browser.call("export", {"format": "jsonl", "scope": "all"})
    assert reply["result"]["name"] == "the-case-7.jsonl"
    assert from_jsonl(bytes(reply["buffers"][0])) == [*turn(), *turn("e")]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"format": "markdown", "scope": "selected"}, "Nothing is selected"),
        ({"format": "exe", "scope": "all"}, "Invalid enum value 'exe'"),
        ({"format": "jsonl", "scope": "all", "path": "/tmp/x"}, "unknown field `path`"),
    ],
)
def test_an_export_that_makes_no_sense_is_refused(shown, params, words):
    _, browser = shown(Session(turn()))
    assert words in browser.call("export", params)["error"]


# --- saved ---


def test_embed_keeps_every_detail_and_the_view(shown, monkeypatch):
    widget, browser = shown(Session(turn()), embed=True)
    assert sorted(map(int, widget.embedded)) == list(range(12))
    assert widget.embedded["10"] == browser.call("read", {"messages": [10]})["result"]["details"][0]
    assert widget.index != b""
    monkeypatch.setattr("secgemini_jupyter.widgets.base.is_attended", lambda: False)
    assert VIEW in widget._repr_mimebundle_()[0]
    plain, _ = shown(Session(turn()))
    assert VIEW not in plain._repr_mimebundle_()[0]
    assert plain.embedded == {}


def test_embed_follows_the_session(shown):
    session = Session(turn())
    widget, browser = shown(session, embed=True)
    session.stored = [*turn(), *turn("e")]
    session.tell()
    events(browser, 1)
    assert len(widget.embedded) == 24


def test_embed_is_refused_where_a_notebook_would_get_too_large(shown):
    large = [message("result", "agent_done", "word " * 30_000, id=str(n), at=0) for n in range(20)]
    with pytest.raises(InputError, match=r"takes up to 2\.0 MB of details, .* Embed a part: session\.history"):
        shown(Session(large), embed=True)


def test_without_embed_no_content_is_saved_beyond_labels(shown):
    secret = "the middle of the text"
    said = "x" * 200 + secret + "y" * 200
    widget, browser = shown(Session([message("result", "agent_done", said, id="a", at=0)]))
    browser.call("read", {"messages": [0]})
    assert secret not in str(widget.get_state())


def test_the_fallback_shows_turns_and_what_messages_say(shown):
    widget, _ = shown(Session(turn()))
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == text_tree(turn(), name="triage") == str(widget)
    assert re.search(
        "<details[^>]*><summary[^>]*>1 › Is host web-7 .*<details[^>]*><summary[^>]*>9 steps<", data["text/html"]
    )
    assert "web-7 runs 4.1.9 and the fix is in 4.2.1" in data["text/html"]


def test_a_long_session_s_fallback_ends_and_says_how_much_is_left_out(shown):
    turns = [m for n in range(60) for m in turn(f"t{n}-")]
    long = [message("result", "agent_done", "word " * 5_000, id=f"l{n}", at=0) for n in range(40)]
    for session in (Session(turns), Session([*turn(), *long])):
        html = shown(session)[0]._repr_mimebundle_()[0]["text/html"]
        assert len(html) < 330_000
        assert re.search(r"… \d+ more messages\. Run the cell again", html)


def test_the_text_of_a_long_session_ends_at_a_turn_and_says_what_follows(shown):
    turns = [m for n in range(300) for m in turn(f"t{n}-")]
    widget, _ = shown(Session(turns))
    text = widget._repr_mimebundle_()[0]["text/plain"]
    assert text.startswith("triage · 41 turns · 492 messages\n")
    assert text.endswith("\n… 259 more turns with 3,108 messages: print the widget to see all")
    assert str(widget).startswith("triage · 300 turns · 3,600 messages\n")


def test_markup_and_escapes_in_the_fallback_are_text(shown):
    hostile = "<img src=x onerror=alert(1)><script>1</script>\x1b]52;c;AAAA\x07 http://evil.example/"
    kinds = ["query", "thinking", "info", "result", "error", "debug", "local_tool_call", "source"]
    messages = [message(kind, "start", hostile, id=hostile, at=n, actor=hostile, title=hostile, mime_type=mime,
                        status_code=500 if kind == "error" else 200, status_message=hostile)
                for n, kind in enumerate(kinds) for mime in ("text/plain", "text/html", hostile)]  # fmt: skip
    widget, browser = shown(Session(messages, name=hostile))
    data, _ = widget._repr_mimebundle_()
    details = [d for n in (0, 20) for d in browser.call("read", {"messages": [n, n + 1, n + 2]})["result"]["details"]]
    for html in (data["text/html"], *(part["html"] for each in details for part in each["parts"])):
        assert not re.search("<(img|script)|evil\\.example", html)
    shown_as_text = data["text/plain"] + str([(d["title"], d["heading"], d["facts"]) for d in details])
    assert "\x1b" not in shown_as_text + data["text/html"]
    assert "evil.example" not in shown_as_text


def test_the_widget_s_state_and_repr_hold_no_key(shown):
    key = Secret("canary-key-0123456789")
    session = Session(turn())
    session.client = key
    widget, browser = shown(session, embed=True)
    for method, params in (("read", {"messages": [0]}), ("export", {"format": "jsonl", "scope": "all"})):
        browser.call(method, params)
    assert "canary" not in str(widget.get_state()) + repr(widget) + str(browser.published)


def test_a_key_that_somebody_pasted_stays_out_of_what_a_notebook_keeps(shown):
    key = Secret("canary-key-0123456789")
    pasted = f"Why is {key.reveal()} refused? {'x' * 80} {key.reveal()}"
    call = {"tool_name": "ask", "tool_input": {"key": key.reveal()}}
    messages = [
        message("query", "start", pasted, id="q", at=0),
        message("local_tool_call", "calling_tool", json.dumps(call), id="c", at=1, mime_type="application/json"),
        message("result", "agent_done", pasted, id="r", at=2, title=key.reveal(), actor=key.reveal()),
    ]
    widget, browser = shown(Session(messages), embed=True)
    kept = str(widget.get_state()) + str(widget._repr_mimebundle_())
    assert "canary" not in kept
    assert "[redacted]" in kept
    assert browser.call("copy", {"message": 0})["result"]["text"] == pasted, "evidence is exact"


def test_the_view_knows_the_same_traits():
    source = (ROOT / "js" / "src" / "visualize" / "model.ts").read_text()
    interface = re.search(r"interface VisualizeTraits \{(.*?)\n\}", source, re.DOTALL)[1]
    theirs = set(re.findall(r"^  (\w+)\??:", interface, re.MULTILINE))
    assert theirs == {name for name in VisualizeWidget.class_own_traits(sync=True) if not name.startswith("_")}
