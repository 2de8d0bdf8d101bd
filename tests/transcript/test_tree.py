"""A session as a tree of text."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.models import Message, MessageType, State
from secgemini_jupyter.transcript.tree import SessionTree, text_tree

from . import strategies
from .frames import message, turn


def test_a_turn_as_a_tree() -> None:
    assert text_tree(turn(), name="quiet-honeypot").splitlines() == [
        "quiet-honeypot · 1 turn · 12 messages",
        "└─ 1 › Is host web-7 exposed to CVE-2099-0001? (5.3 s)",
        "   ├─ thought: Plan: Need the advisory first, then the installed version on web-7.",
        '   ├─ ⚙ lookup_cve(cve="CVE-2099-0001") → { "fixed_in": "4.2.1" } (0.8 s)',
        '   ├─ ⚙ lookup_asset(host="web-7") → 4.1.9 (0.4 s)',
        "   ├─ answer: Yes. web-7 runs 4.1.9 and the fix is in 4.2.1.",
        "   └─ … 1 message of progress and detail",
    ]
    assert str(SessionTree(turn(), name="quiet-honeypot")) == text_tree(turn(), name="quiet-honeypot")
    assert repr(SessionTree(turn())) == text_tree(turn())


def test_no_messages() -> None:
    assert text_tree([]) == "Session · 0 turns · 0 messages"


def test_what_stands_before_the_first_prompt_has_a_branch() -> None:
    lines = text_tree([message("thinking", "thinking", "hm", id="a", at=0), *turn()]).splitlines()
    assert lines[1:3] == ["├─ Before the first prompt", "│  └─ thought: hm"]


def test_an_unfinished_turn_and_an_error_say_so() -> None:
    error = message("error", "undefined", "Slow down.", id="e", at=2, status_code=429)
    text = text_tree([turn()[0], error])
    assert "CVE-2099-0001? (2.0 s, not finished)" in text
    assert "error 429: Slow down." in text


def test_pieces_are_not_drawn() -> None:
    piece = message("result", "answering", "Yes.", id="p", at=1, status_code=206)
    text = text_tree([*turn()[:10], piece, piece, *turn()[10:]])
    assert text.count("answer:") == 1
    assert "… 3 messages of progress and detail" in text


def test_calls_of_one_group_are_told_together() -> None:
    calls = [message("info", "calling_tool", f"Calling Tool {n}", id=f"c{n}", at=1, group="g") for n in range(3)]
    results = [
        message("info", "tool_result", f"Processing Tool {n} result", id=f"r{n}", at=2, group="h") for n in (0, 2)
    ]
    lines = text_tree([turn()[0], *calls, *results, turn()[-1]]).splitlines()
    assert lines[2:6] == [
        "   └─ 3 calls together",
        "      ├─ ⚙ Tool 0 (1.0 s)",
        "      ├─ ⚙ Tool 1",
        "      └─ ⚙ Tool 2 (1.0 s)",
    ]


def test_parents_are_followed_where_they_say_more() -> None:
    outer = message("thinking", "thinking", "outer", id="a", at=1)
    inner = message("thinking", "thinking", "inner", id="b", at=2, parent_id="a")
    assert text_tree([turn()[0], inner, outer]).splitlines()[2:] == ["   └─ thought: outer", "      └─ thought: inner"]


def test_orphans_and_circles_are_shown_and_told() -> None:
    rows = [message("info", "start", name, id=name, at=1, parent_id=parent)
            for name, parent in (("lost", "gone"), ("egg", "hen"), ("hen", "egg"), ("self", "self"))]  # fmt: skip
    assert text_tree([turn()[0], *rows]).splitlines()[2:] == [
        "   ├─ [parent gone is not here] info: lost",
        "   ├─ [parent hen leads in a circle] info: egg",
        "   ├─ [parent egg leads in a circle] info: hen",
        "   └─ [parent self leads in a circle] info: self",
    ]


HOSTILE = "\x1b[2J\x1b]52;c;AAAA\x07 [/x][link=http://evil.example]\r\n\n\u202egnp.exe\x9b31m <script>" + "A" * 300


@pytest.mark.parametrize(
    "field", ["content", "title", "actor", "parent_id", "id", "message_type", "mime_type", "group"]
)
def test_hostile_text_is_one_safe_line_of_limited_width(field: str) -> None:
    for kind in ("query", "thinking", "result", "error", "local_tool_call", "info"):
        fields = {"content": HOSTILE, "status_code": 500 if kind == "error" else 200} | {field: HOSTILE}
        strange = Message(**{"message_type": MessageType(kind), "parent_id": "x"} | fields)  # type: ignore[arg-type]
        text = text_tree([strange, strange, *turn()], name=HOSTILE)
        assert all(char.isprintable() or char == "\n" for char in text)
        assert max(map(len, text.splitlines())) <= 120
        assert "evil.example" not in text


@strategies.few
@given(st.lists(strategies.messages, max_size=12))
def test_any_messages_make_a_tree(messages: list[Message]) -> None:
    text = text_tree(messages)
    assert not {unicodedata.category(char) for char in text.replace("\n", "")} & {"Cc", "Cs", "Zl", "Zp"}
    answers = sum(m.message_type is MessageType.RESULT and not m.is_partial for m in messages)
    assert text.count("answer:") >= answers


@pytest.mark.parametrize("parent", ["3713", "m{before}", "m{after}"])
def test_10_000_messages_take_well_under_a_second_and_few_lines(parent: str) -> None:
    rows = [Message(id=f"m{i}", parent_id=parent.format(before=i - 1, after=i + 1), message_type=MessageType.THINKING,
                    state=State.THINKING, content="word http://a.example " * 25) for i in range(10_000)]  # fmt: skip
    start = time.process_time()
    text = text_tree(rows)
    assert time.process_time() - start < 2  # 0.2 on an idle machine
    assert "… 9," in text
    assert len(text) < 100_000
