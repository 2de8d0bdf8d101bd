"""In a terminal text is appended, escaped, defanged in whole words, and never taken for markup."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.render.answer import Facts, Input, Show
from secgemini_jupyter.render.terminal import TerminalStream
from secgemini_jupyter.render.text import columns

from .test_answer import EVIL
from .turns import FACTS, call, piece, returned, say


def written(pieces: list[str]) -> str:
    out: list[str] = []
    stream = TerminalStream(out.append)
    for each in pieces:
        stream.feed(each)
    stream.end_line()
    return "".join(out)


def test_an_indicator_cut_in_two_is_defanged() -> None:
    assert written(["see evil.", "co", "m now"]) == "see evil[.]com now\n"


def test_an_escape_cut_in_two_is_shown() -> None:
    assert written(["a\x1b", "]52;c;aGk=\x07 [/x] [link=x]y[/link]\r", "\nb"]) == (
        "a␛]52;c;aGk=␇ [/x] [link=x]y[/link]\nb\n"
    )


@given(st.text(max_size=60), st.lists(st.integers(1, 5), min_size=1))
def test_any_text_in_any_pieces_is_safe(text: str, sizes: list[int]) -> None:
    pieces, position = [], 0
    while position < len(text):
        width = sizes[len(pieces) % len(sizes)]
        pieces.append(text[position : position + width])
        position += width
    shown = written(pieces)
    assert not set("\x1b\x9b\r\u202e\x00\x08\x7f") & set(shown)
    assert not shown or shown.endswith("\n")


def test_update_takes_the_whole_text_and_appends_what_is_new() -> None:
    out: list[str] = []
    stream = TerminalStream(out.append)
    for text in ("One ", "One two ", "One two ", "One two three"):
        stream.update(text)
    stream.end_line()
    assert "".join(out) == "One two three\n"


def test_a_turn_reads_from_top_to_bottom() -> None:
    out: list[str] = []
    stream = TerminalStream(out.append)
    for message in (
        *call("lookup_dns", '{"name": "evil.com"}', 0.0),
        *returned("lookup_dns", '{"error": "no network"}', 1.5),
        piece("The host "),
        piece("is evil.com"),
        say("result", "The host is evil.com"),
        say("result", '[{"n": 1}, {"n": 22}]', mime_type="sec-gemini/table"),
        say("info", "", "end"),
    ):
        stream.add(message)
    stream.finish(FACTS, "interrupted", "Run %secgemini reconnect.")
    assert "".join(out) == (
        '  ✗ lookup_dns(name="evil[.]com") (failed, 1.5 s)\n'
        "The host is evil[.]com\n"
        " n\n 1\n22\n"
        "Interrupted: Run %secgemini reconnect.\n"
        "— local analyst · local-analyst-1 · 127.0.0.1:38211 · not Sec-Gemini · 2.4 s · 1,234 tokens · "
        "session triage, turn 3 · not retained · in: {{report}} 2.0 kB, kerberos.log 6.1 kB\n"
    )


def told(show: Show) -> str:
    out: list[str] = []
    stream = TerminalStream(out.append, show=show)
    for message in (*call("look", "{}", 0.0), *returned("look", '{"result": "line 1 of evil.com\\n\\u001b[2J"}', 1)):
        stream.add(message)
    stream.add(say("result", "done"))
    return "".join(out)


def test_steps_are_told_with_or_without_what_they_returned() -> None:
    assert told("none") == "done\n"
    assert told("summary") == "  ✓ look() (done, 1.0 s)\ndone\n"
    assert told("full") == "  ✓ look() (done, 1.0 s)\n    line 1 of evil[.]com\n    ␛[2J\ndone\n"


def test_what_happens_now_is_a_line_that_the_answer_replaces() -> None:
    out: list[str] = []
    stream = TerminalStream(out.append)
    clear = "\r\x1b[K"
    stream.tell_status(FACTS, 1.2)
    stream.tell_status(FACTS, 1.9)
    stream.tell_status(FACTS, 2.0, width=30)
    for message in call("lookup", '{"name": "evil.com"}', 0.0):
        stream.add(message)
    stream.tell_status(FACTS, 3.0)
    stream.add(piece("An unfinished "))
    stream.tell_status(FACTS, 4.0)
    assert "".join(out) == (
        f"{clear}  waiting for the local service · 1 s"
        f"{clear}  waiting for the loca… · 2 s"
        f'{clear}  local analyst · calling lookup(name="evil[.]com") · 3 s'
        f"{clear}An unfinished "
    )


def test_a_status_line_never_wraps() -> None:
    stream = TerminalStream((out := []).append)
    for message in call("lookup" * 30, json.dumps({"x": "漢" * 200}), 0.0):
        stream.add(message)
    for width in (20, 40, 80):
        stream.tell_status(FACTS, width, width=width)
        assert columns(out[-1].removeprefix("\r\x1b[K")) < width


def test_a_hostile_turn_writes_no_control_but_ours() -> None:
    evil = EVIL + "\x9b2J\x1b]52;c;aGk=\x07\rovertyped\x08"
    facts = Facts(actor=evil, model=evil, host=evil, session=evil, inputs=(Input(evil, 1),))
    out: list[str] = []
    stream = TerminalStream(out.append, show="full")
    for message in (
        say("info", "Executing " + evil, "running_agent", actor=evil),
        say("thinking", evil, "thinking", title=evil, actor=evil),
        *call("tool", json.dumps({evil: evil}), 0.0),
        *returned("tool", json.dumps({"result": evil}), 1),
        *call("other", json.dumps({"x": evil}), 2),
        piece(evil),
        say("result", evil),
        say("result", evil, mime_type="sec-gemini/html"),
    ):
        stream.tell_status(facts, len(out), width=200)
        stream.add(message)
    stream.finish(facts, "error", evil)
    said = "".join(out).replace("\r\x1b[K", "")
    assert not set("\x1b\x9b\r\u202e\x00\x07\x08") & set(said)


def test_what_changes_after_it_was_written_is_told_below() -> None:
    """A terminal takes nothing back: the last word stands last."""
    out: list[str] = []
    stream = TerminalStream(out.append)
    for message in (
        say("result", "block evil.com", id="a"),
        say("result", "it was the butler", id="b"),
        say("source", "https://a.example/x", title="Report"),
        say("update", "allow evil.com\x1b[2J", id="u", parent_id="a"),
        say("delete", "", id="d", parent_id="b"),
        say("delete", "", id="e", parent_id="an earlier turn's"),
        say("info", "", "end"),
    ):
        stream.add(message)
    stream.finish(FACTS)
    lines = "".join(out).split("\n")[:-2]
    assert lines[:2] == ["block evil[.]com", "it was the butler"]
    assert lines[2:5] == [
        "Changed by the service (block evil[.]com), it reads now:",
        "allow evil[.]com␛[2J",
        "Taken back by the service, do not rely on it (it was the butler).",
    ]
    assert lines[-2:] == ["Sources:", "1. Report <hxxps://a[.]example/x>"]
