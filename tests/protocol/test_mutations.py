"""Messages that change or take back earlier ones: who may, what is left, and that the stored list stays as it came."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.models import ROOT, Message, MessageType, State, Usage
from secgemini_jupyter.protocol.mutations import Changes, is_taken_back, shown


def say(kind: str, content: str = "", parent: str = ROOT, **more: Any) -> Message:
    return Message(**{"id": content or kind, "message_type": MessageType(kind), "content": content, "parent_id": parent,
                      "turn": "t", "group": "g", "created_at": 1.0, "timestamp": 1} | more)  # fmt: skip


QUERY, RESULT = say("query", "q"), say("result", "r", title="T", usage=Usage(total_tokens=7))


def texts(messages: Any) -> list[str]:
    return [message.content for message in messages]


@pytest.mark.parametrize(
    "mutation",
    [say("update", "new", "r"), say("update", "new", "r", mime_type="text/markdown"), say("update", "new", id="r")],
    ids=["by parent", "another type", "by its own id"],
)
def test_an_update_replaces_content_and_type(mutation: Message) -> None:
    messages = [QUERY, RESULT, mutation]
    now = shown(messages)
    assert texts(now) == ["q", "new"]
    assert (now[1].id, now[1].title, now[1].usage, now[1].mime_type) == ("r", "T", RESULT.usage, mutation.mime_type)
    assert texts(messages) == ["q", "r", "new"]


def test_an_update_may_have_a_title_and_a_usage() -> None:
    (now,) = shown([RESULT, say("update", "new", "r", title="U", usage=Usage(total_tokens=9))])
    assert (now.title, now.usage) == ("U", Usage(total_tokens=9))


@pytest.mark.parametrize("mutation", [say("delete", "", "r"), say("delete", " r\n"), say("delete", "because", "r")])
def test_a_deletion_takes_back(mutation: Message) -> None:
    messages = [QUERY, RESULT, mutation]
    assert texts(shown(messages)) == ["q"]
    assert is_taken_back(messages)
    assert texts(Changes.of(messages).applied(messages, keeps_removed=True)) == ["q", "r"]


@pytest.mark.parametrize(
    "target",
    [
        QUERY,
        say("local_tool_call", "r"),
        say("local_tool_result", "r"),
        say("confirmation_request", "r"),
        say("confirmation_response", "r"),
        say("error", "r", status_code=500),
        say("info", "r", state=State.END),
        say("result", "r", status_code=206),
    ],
    ids=lambda message: f"{message.message_type}-{message.status_code}-{message.state}",
)
def test_what_the_user_said_and_what_happened_stays(target: Message) -> None:
    """A service cannot rewrite the prompt, hide a tool that ran here, or undo a failure."""
    messages = [target, say("update", "forged", target.id), say("delete", "", target.id)]
    assert not Changes.of(messages)
    assert shown(messages) is messages


@pytest.mark.parametrize(
    "mutation",
    [say("update", "x", "nobody"), say("delete", "", "later"), say("update", "x", "r", status_code=206),
     say("delete", "", "r", status_code=500), say("delete", "", "u1")],
)  # fmt: skip
def test_what_names_nothing_does_nothing(mutation: Message) -> None:
    messages = [RESULT, say("update", "u1", "nobody"), mutation, say("result", "later")]
    assert shown(messages) == messages


def test_the_last_one_counts_and_what_was_taken_back_stays_so() -> None:
    assert texts(shown([RESULT, say("update", "2", "r"), say("update", "3", "r")])) == ["3"]
    assert texts(shown([RESULT, say("delete", "", "r"), say("update", "3", "r"), say("delete", "", "r")])) == []


def test_an_id_that_repeats_means_the_latest_before() -> None:
    first, second = say("result", "1", id="r"), say("result", "2", id="r")
    assert texts(shown([first, say("update", "new", "r"), second])) == ["new", "2"]
    assert texts(shown([first, second, say("delete", "", "r")])) == ["1"]
    assert texts(shown([first, say("query", "q", id="r"), say("delete", "", "r")])) == ["1", "q", ""]


MESSAGES = st.lists(
    st.builds(
        say,
        st.sampled_from(["query", "result", "thinking", "update", "delete", "info", "local_tool_call"]),
        st.sampled_from("abcd"),
        st.sampled_from(["a", "b", "c", ROOT]),
        id=st.sampled_from("abc"),
    ),
    max_size=12,
)


@given(MESSAGES)
def test_a_view_of_a_view_is_the_same(messages: list[Message]) -> None:
    before = list(messages)
    now = shown(messages)
    assert messages == before
    assert shown(now) == now
    assert [m for m in now if m.message_type is MessageType.QUERY] == [
        m for m in messages if m.message_type is MessageType.QUERY
    ]


@given(MESSAGES, st.integers(0, 12))
def test_parts_are_the_whole(messages: list[Message], cut: int) -> None:
    changes = Changes.of(messages)
    parts = [changes.part(0, cut).applied(messages[:cut]), changes.part(cut, 12).applied(messages[cut:])]
    assert [message for part in parts for message in part] == list(changes.applied(messages))
    assert changes.moved(3).part(3, 15) == changes
