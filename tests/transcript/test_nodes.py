"""A session as a table of nodes."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.models import Message, MessageType, State
from secgemini_jupyter.transcript.nodes import Flag, Kind, Nodes, Span

from . import strategies
from .frames import message, turn
from .test_tree import HOSTILE


def nodes_of(messages: Sequence[Message], **arguments: object) -> Nodes:
    nodes = Nodes()
    nodes.update(messages, **arguments)  # type: ignore[arg-type]
    return nodes


def drawn(nodes: Nodes) -> list[str]:
    """A line a node: indented, its kind, its message."""
    return [
        f"{'  ' * depth}{Kind(kind).name.lower()} {'' if position < 0 else position}".rstrip()
        for depth, kind, position in zip(nodes.depth, nodes.kind, nodes.message, strict=True)
    ]


def columns(nodes: Nodes) -> dict[str, list[object]]:
    names = ("message size depth kind flags actor type state role status time duration tokens label").split()
    return {name: [repr(value) for value in getattr(nodes, name)] for name in names}


def test_a_turn_with_two_agents_and_two_tools() -> None:
    nodes = nodes_of(turn())
    assert drawn(nodes) == [
        "turn 0",
        "  actor",
        "    message 1",
        "    message 2",
        "  actor",
        "    message 3",
        "    tool 4",
        "      message 5",
        "      message 6",
        "      message 7",
        "    tool 8",
        "      message 9",
        "  message 10",
        "  message 11",
    ]
    assert nodes.size == [14, 3, 1, 1, 8, 1, 4, 1, 1, 1, 2, 1, 1, 1]
    assert nodes.label[0] == "1 › Is host web-7 exposed to CVE-2099-0001?"
    assert [nodes.label[n] for n in (1, 4, 6, 10)] == [
        "orchestrator",
        "vulnerability_agent",
        'lookup_cve(cve="CVE-2099-0001") → { "fixed_in": "4.2.1" }',
        'lookup_asset(host="web-7") → 4.1.9',
    ]
    assert [nodes.actors.words[n] for n in nodes.actor[:5]] == ["user", "orchestrator", "orchestrator", "orchestrator",
                                                                 "vulnerability_agent"]  # fmt: skip
    assert nodes.types.words[nodes.type[12]] == "result"


def test_times_and_tokens_are_those_of_what_is_inside() -> None:
    nodes = nodes_of(turn())
    assert nodes.duration[0] == pytest.approx(5.3)
    assert nodes.duration[6] == pytest.approx(0.8), "from the call to its result"
    assert nodes.time[4] == nodes.time[5], "an agent begins with its first message"
    assert nodes.duration[4] == pytest.approx(2.0)
    assert math.isnan(nodes.duration[5])
    assert nodes.tokens[0] == 1468, "a result's tokens count those of the thoughts"
    assert nodes.tokens[4] == 300
    assert nodes.tokens[12] == 1468


def test_calls_of_one_group_are_told_together() -> None:
    calls = [message("info", "calling_tool", f"Calling Tool {n}", id=f"c{n}", at=1, group="g") for n in range(3)]
    results = [message("info", "tool_result", f"Processing Tool {n} result", id=f"r{n}", at=2 + n, group="h")
               for n in (0, 2)]  # fmt: skip
    nodes = nodes_of([turn()[0], *calls, *results])
    assert drawn(nodes) == ["turn 0", "  group", "    tool 1", "      message 4", "    tool 2", "    tool 3",
                            "      message 5"]  # fmt: skip
    assert nodes.label[1] == "3 calls together"
    assert nodes.duration[1] == pytest.approx(3)


def test_parents_are_followed_where_they_say_more() -> None:
    outer = message("thinking", "thinking", "outer", id="a", at=1)
    inner = message("thinking", "thinking", "inner", id="b", at=2, parent_id="a")
    of_query = message("thinking", "thinking", "flat", id="c", at=3, parent_id="d01")
    assert drawn(nodes_of([turn()[0], inner, outer, of_query])) == [
        "turn 0", "  message 2", "    message 1", "  message 3"]  # fmt: skip


def test_orphans_and_circles_are_shown_and_flagged() -> None:
    rows = [message("info", "start", name, id=name, at=1, parent_id=parent)
            for name, parent in (("lost", "gone"), ("egg", "hen"), ("hen", "egg"), ("self", "self"))]  # fmt: skip
    nodes = nodes_of([turn()[0], *rows])
    assert drawn(nodes) == ["turn 0", *(f"  message {n}" for n in range(1, 5))]
    assert nodes.flags == [0, Flag.ORPHAN, Flag.CIRCLE, Flag.CIRCLE, Flag.CIRCLE]


def test_a_parent_in_an_earlier_turn_makes_no_orphan_and_one_in_a_later_turn_does() -> None:
    back = message("info", "start", "x", id="x", at=1, parent_id="d04")
    ahead = message("info", "start", "y", id="y", at=1, parent_id="f04")
    nodes = nodes_of([*turn(), turn("e")[0], back, ahead, *turn("f")])
    flags = dict(zip(nodes.message, nodes.flags, strict=True))
    assert flags[13] == 0
    assert flags[14] == Flag.ORPHAN


def test_a_ring_of_a_call_and_its_own_result_is_opened() -> None:
    call = message(
        "local_tool_call", "calling_tool", '{"tool_name": "f", "tool_args": {}}', id="c", at=1, parent_id="r"
    )
    result = message("local_tool_result", "start", '{"name": "f", "output": 1}', id="r", at=2, parent_id="c")
    assert sorted(nodes_of([turn()[0], call, result]).message) == [0, 1, 2]


def test_errors_pieces_and_a_running_turn_are_flagged() -> None:
    piece = message("result", "answering", "Ye", id="p", at=1, status_code=206)
    error = message("error", "undefined", "Slow down.", id="e", at=2, status_code=429)
    call = message("local_tool_call", "calling_tool", '{"tool_name": "f", "tool_args": {}}', id="c", at=1)
    nodes = nodes_of([*turn(), turn("e")[0], piece, call, error], running=True)
    flags = dict(zip(nodes.message, nodes.flags, strict=True))
    assert flags[0] == 0
    assert flags[12] == Flag.ERROR | Flag.RUNNING
    assert (flags[13], flags[14], flags[15]) == (Flag.PARTIAL, Flag.RUNNING, Flag.ERROR)
    assert math.isnan(nodes.duration[nodes.message.index(14)])


def test_messages_before_the_first_prompt_and_turns_of_several_sessions_have_a_heading() -> None:
    early = message("thinking", "thinking", "hm", id="a", at=0)
    assert nodes_of([early, *turn()]).label[0] == "Before the first prompt"
    nodes = nodes_of([*turn(), *turn()[1:]], spans=[Span(0, 12, 1, "quiet"), Span(12, 23, 4, "loud")])
    tops = [label for label, depth in zip(nodes.label, nodes.depth, strict=True) if not depth]
    assert tops == ["quiet · 1 › Is host web-7 exposed to CVE-2099-0001?", "loud · 4 › (its prompt is not here)"]


def test_indicators_are_defanged_also_at_the_end_of_a_cut_label() -> None:
    text = "x" * 85 + " evil.example.com and more"
    nodes = nodes_of([message("thinking", "thinking", text, id="a", at=0)])
    assert nodes.label[1].endswith("evil[.]exampl…")


def test_rich_content_is_named() -> None:
    table = message("result", "agent_done", '[{"host": "web-7"}]', id="a", at=0, mime_type="sec-gemini/table")
    image = message("result", "agent_done", "aGk=", id="b", at=0, mime_type="image/png")
    assert nodes_of([table, image]).label[1:] == ['table: [{"host": "web-7"}]', "(image/png, not text)"]


@pytest.mark.parametrize("field", ["content", "title", "actor", "message_type", "state", "role", "mime_type", "group"])
def test_hostile_text_is_safe_on_one_short_line(field: str) -> None:
    for kind in ("query", "thinking", "result", "error", "local_tool_call", "info"):
        fields = {"content": HOSTILE, "status_code": 500 if kind == "error" else 200} | {field: HOSTILE}
        strange = Message(**{"message_type": MessageType(kind), "parent_id": "x"} | fields)  # type: ignore[arg-type]
        nodes = nodes_of([strange, strange, *turn()])
        shown = [*nodes.label, *nodes.actors.words, *nodes.types.words, *nodes.states.words, *nodes.roles.words]
        assert all(text.isprintable() and "evil.example" not in text for text in shown)
        assert max(map(len, shown)) <= 100


def check_table(nodes: Nodes, messages: Sequence[Message]) -> None:
    """What a view may rely on, whatever the messages say."""
    assert sorted(position for position in nodes.message if position >= 0) == list(range(len(messages)))
    assert {len(column) for column in columns(nodes).values()} == {len(nodes)}
    above: list[int] = []
    for node, depth in enumerate(nodes.depth):
        assert depth <= len(above), "no level is left out"
        del above[depth:]
        assert nodes.kind[node] == Kind.TURN or depth
        assert all(node < parent + nodes.size[parent] for parent in above)
        above.append(node)
    ends = [node + size for node, size in enumerate(nodes.size)]
    for node, depth in enumerate(nodes.depth):
        inside = nodes.depth[node + 1 : ends[node]]
        assert all(other > depth for other in inside)
        assert ends[node] == len(nodes) or nodes.depth[ends[node]] <= depth
    for label in nodes.label:
        assert len(label) <= 100
        assert not {unicodedata.category(char) for char in label} & {"Cc", "Cs", "Zl", "Zp"}
    for time, duration in zip(nodes.time, nodes.duration, strict=True):
        assert math.isnan(time) or abs(time) < 1e12
        assert math.isnan(duration) or duration >= 0


# Ids and states that meet each other often: else no parent is found, and no tool.
near = st.sampled_from(["a", "b", "c", "d", "3713"])
woven = st.builds(
    Message, id=near, parent_id=near, group=st.sampled_from(["", "g", "h"]), actor=st.sampled_from(["x", "y"]),
    message_type=st.sampled_from(list(MessageType)), state=st.sampled_from(list(State)), created_at=strategies.times,
    content=st.sampled_from(["Calling F", "Processing F result", '{"name": "F", "args": {}}', '{"output": 1}', None]),
    status_code=st.sampled_from([200, 206, 500]),
)  # fmt: skip
sessions = st.lists(strategies.messages | woven, max_size=14)


@strategies.few
@given(sessions)
def test_every_message_stands_in_exactly_one_node(messages: list[Message]) -> None:
    check_table(nodes_of(messages), messages)


@strategies.few
@given(sessions, sessions, st.booleans())
def test_what_is_made_anew_from_the_last_turn_on_is_what_would_be_made_of_all(
    before: list[Message], after: list[Message], was_running: bool
) -> None:
    nodes = nodes_of(before, running=was_running)
    first = nodes.update([*before, *after], since=len(before))
    assert first <= len(nodes)
    assert columns(nodes) == columns(nodes_of([*before, *after]))
    nodes.update(before[: len(before) // 2], since=len(before) // 2)
    assert columns(nodes) == columns(nodes_of(before[: len(before) // 2]))


def test_only_the_last_turn_is_made_anew() -> None:
    nodes = nodes_of([*turn(), *turn("e"), *turn("f")[:3]])
    first = nodes.update([*turn(), *turn("e"), *turn("f")[:6]], since=27)
    assert (first, nodes.label[first][:3]) == (28, "3 ›")
    first = nodes.update([*turn(), *turn("e"), *turn("f"), *turn("g")], since=36)
    assert first == 28, "the turn before a new one may have been running"


@pytest.mark.parametrize("parent", ["m{before}", "m{after}"])
def test_10_000_levels_are_no_trouble(parent: str) -> None:
    rows = [Message(id=f"m{i}", parent_id=parent.format(before=i - 1, after=i + 1), message_type=MessageType.THINKING,
                    state=State.THINKING, content="word") for i in range(10_000)]  # fmt: skip
    nodes = nodes_of(rows)
    assert max(nodes.depth) == 10_000
    assert nodes.size[:3] == [10_001, 10_000, 9_999]


def test_a_megabyte_on_one_line_times_out_of_the_calendar_and_huge_numbers() -> None:
    long = message("result", "agent_done", "A" * 1_000_000, id="a", at=0)
    late = message("info", "start", "late", id="b", at=0, created_at=253_402_300_799, timestamp=0)
    never = message("info", "start", "never", id="c", at=0, created_at=math.inf, timestamp=0)
    nodes = nodes_of([long, late, never])
    assert len(nodes.label[1]) == 100
    assert nodes.time[2] == 253_402_300_799
    assert math.isnan(nodes.time[3])


def test_ten_thousand_actors_become_a_list_that_ends() -> None:
    rows = [message("info", "start", "x", id=str(n), at=0, actor=f"agent {n}") for n in range(10_000)]
    nodes = nodes_of(rows)
    assert len(nodes.actors.words) <= 2_001
    assert nodes.actors.words[nodes.actor[-1]] == "(others)"
    assert nodes.label[-2] == "agent 9999"
