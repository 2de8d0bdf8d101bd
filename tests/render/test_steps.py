"""Calls and results of a turn are told once, paired, and named as people read them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.models import ROOT, Message, MessageType, State
from secgemini_jupyter.render.answer import step_words
from secgemini_jupyter.render.steps import Steps

from .turns import call, returned, say


def test_a_call_told_twice_is_one_step_with_arguments_time_and_output() -> None:
    (step,) = Steps(
        [*call("lookup_dns", '{"name": "a.org"}', 1.0), *returned("lookup_dns", '{"result": "x"}', 2.5)]
    ).items
    assert step.in_words == 'lookup_dns(name="a.org")'
    assert (step.seconds, step.ok, step.detail) == (1.5, True, "x")


def test_lines_alone_are_paired_by_name() -> None:
    lines = [call("one", "{}", 1)[0], call("two", "{}", 1)[0], returned("two", "{}", 3)[0], returned("one", "{}", 4)[0]]
    steps = Steps(lines).items
    assert [(step.name, step.ok, step.seconds) for step in steps] == [("One", True, 3.0), ("Two", True, 2.0)]


def test_a_hand_over_between_agents_is_no_tool() -> None:
    notice = say("info", "Transfer", state=State.CALLING_TOOL)
    older = call("transfer_to_agent", '{"agent": "network_agent"}', 1)
    (step,) = Steps([notice, *older, *call("dns", "{}", 2), *returned("dns", '{"result": 1}', 3)]).items
    assert step.name == "dns"


def test_a_failed_call_says_so() -> None:
    (step,) = Steps([*call("dns", "{}", 1), *returned("dns", '{"error": "no network"}', 2)]).items
    assert (step.ok, step.detail) == (False, "no network")


def test_a_local_tool_is_paired_through_its_parent() -> None:
    asked = say("local_tool_call", '{"tool_name": "exec", "tool_args": {"cmd": "ls"}}', id="c1")
    gave = say("local_tool_result", '{"name": "exec", "output": "refused", "is_error": true}', after=1, parent_id="c1")
    (step,) = Steps([asked, gave]).items
    assert (step.in_words, step.ok, step.detail) == ('exec(cmd="ls")', False, "refused")


def test_two_calls_of_one_tool_stay_two() -> None:
    frames = [call("dns", '{"n": 1}', 1)[1], call("dns", '{"n": 2}', 1)[1]]
    assert [step.in_words for step in Steps(frames).items] == ["dns(n=1)", "dns(n=2)"]


def test_thinking_and_recovered_errors_are_steps_the_final_error_is_not() -> None:
    steps = Steps([
        say("thinking", "first\nsecond", "thinking", title="Planning"),
        say("error", "one source is down"),
        say("error", "boom", status_code=500),
    ])  # fmt: skip
    assert [(step.kind, step.name) for step in steps.items] == [("thinking", "Planning"), ("error", "Error")]


def test_the_agent_is_the_one_that_was_started_last() -> None:
    steps = Steps([say("info", "Executing network_agent", "running_agent", actor="orchestrator")])
    assert steps.agent == "network_agent"


@given(
    st.lists(
        st.builds(
            say,
            st.sampled_from([*map(str, MessageType), "new_type"]),
            st.text(max_size=30)
            | st.sampled_from(['{"id": 1, "name": null}', '{"args": 3}', '{"response": [1]}', "{", "Calling "]),
            st.sampled_from([*map(str, State), "new_state"]),
            status_code=st.sampled_from([200, 206, 500]),
            title=st.none() | st.just("t"),
            mime_type=st.sampled_from([None, "text/plain", "image/png"]),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_any_messages_give_steps(messages: list) -> None:
    for step in Steps(messages).items:
        assert len(step.in_words.splitlines()) <= 1


def test_ten_times_the_calls_cost_about_ten_times_the_time() -> None:
    def cost(calls: int) -> float:
        frames = [call(f"tool{n}", "{}", 1)[1] for n in range(calls)] + [returned("none", "{}", 2)[1]] * calls
        start = time.process_time()
        Steps(frames)
        return time.process_time() - start

    cost(100)
    assert cost(2_000) < 10 * 3 * min(cost(200) for _ in range(3))


def asked(**fields: Any) -> Message:
    content = '{"prompt": "Block it?", "options": ["approve", "deny"], "action": {"host": "web-7"}}'
    return Message(message_type=MessageType.CONFIRMATION_REQUEST, state=State.CALLING_TOOL, content=content, **fields)


def decided(decision: str, **fields: Any) -> Message:
    content = f'{{"decision": "{decision}", "comment": "not now"}}'
    return Message(message_type=MessageType.CONFIRMATION_RESPONSE, content=content, **fields)


@pytest.mark.parametrize("parent", ["a", ROOT])
@pytest.mark.parametrize(("decision", "word"), [("approve", "approved"), ("deny", "denied")])
def test_a_confirmation_is_one_step_and_no_tool(decision: str, word: str, parent: str) -> None:
    steps = Steps([asked(id="a")])
    assert [(step.kind, step.name, step_words(step)) for step in steps.items] == [
        ("confirmation", "Block it?", ("…", "asks you"))
    ]
    assert steps.running is None
    steps.add(decided(decision, id="b", parent_id=parent))
    (step,) = steps.items
    assert step_words(step)[1] == word
    assert step.detail == '{\n "host": "web-7"\n}\nnot now'
    assert step.result_message == "b"


def test_an_answer_to_nothing_is_a_note() -> None:
    assert [step.kind for step in Steps([decided("approve")]).items] == ["other"]
