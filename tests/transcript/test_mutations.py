"""Answers that a later message changed or took back: views show what they say now, the table keeps what came."""

from __future__ import annotations

import pytest

from secgemini_jupyter.models import Message, MessageType, Role, State
from secgemini_jupyter.render.answer import ELSEWHERE, TAKEN_BACK, Facts, answer_bundle
from secgemini_jupyter.transcript.answers import answer_markdown
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.markdown import to_markdown
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.nodes import Nodes
from secgemini_jupyter.transcript.notebooks import to_notebook
from secgemini_jupyter.transcript.pages import to_html
from secgemini_jupyter.transcript.restore import turns_of
from secgemini_jupyter.transcript.tree import text_tree
from secgemini_jupyter.transcript.turns import turn_slices, turns_frame
from secgemini_jupyter.widgets.details import detail


def say(number: int, kind: str, content: str, parent: str = "3713", **more: object) -> Message:
    return Message(id=f"m{number}", message_type=MessageType(kind), content=content, parent_id=parent, actor="agent",
                   role=Role.AGENT, created_at=1.76e9 + number, timestamp=1_760_000_000 + number, **more)  # type: ignore[arg-type] # fmt: skip


def session() -> list[Message]:
    """Turn 2 changes the answer of turn 1, and takes its own back."""
    return [
        say(0, "query", "one"),
        say(1, "thinking", "a thought"),
        say(2, "result", "wrong words"),
        say(3, "info", "end", state=State.END),
        say(4, "query", "two"),
        say(5, "result", "regretted words"),
        say(6, "update", "right words", "m2"),
        say(7, "delete", "", "m5"),
        say(8, "info", "end", state=State.END),
    ]


def test_the_table_keeps_what_came_and_says_what_became_of_it() -> None:
    table = messages_frame(session(), session_id="s")
    assert table["content"].tolist() == [message.content for message in session()]
    changed = table.dropna(subset="change")
    assert changed[["message_id", "change", "changed_by"]].to_numpy().tolist() == [
        ["m2", "updated", "m6"],
        ["m5", "removed", "m7"],
    ]


def test_turns_answer_as_they_read_now() -> None:
    answers = ["right words", None]
    assert [turn.answer for turn in turn_slices(session())] == answers
    table = messages_frame(session(), session_id="s")
    assert [turn.answer for turn in turns_of(table.iloc[::-1])] == answers
    assert turns_frame(session(), session_id="s")["answer"].fillna("").tolist() == ["right words", ""]
    assert [turn.is_taken_back for turn in turn_slices(session())] == [False, True]


@pytest.mark.parametrize(
    "written",
    [
        text_tree(session()),
        to_markdown(turn_slices(session())),
        to_html(Transcript(turns=turn_slices(session()), name="n")),
        str(to_notebook(Transcript(turns=turn_slices(session()), name="n"))),
        "\n".join(answer_markdown(turn.shown) for turn in turn_slices(session())),
    ],
    ids=["tree", "markdown", "page", "notebook", "answers"],
)
def test_no_view_shows_what_does_not_hold_any_more(written: str) -> None:
    assert "right words" in written
    assert "wrong words" not in written
    assert "regretted" not in written


def test_a_reader_is_told() -> None:
    assert "[updated] answer: right words" in text_tree(session())
    assert "[removed] answer" in text_tree(session())
    assert "result · 2025-10-09 08:53:25 UTC · removed at 2025-10-09 08:53:27 UTC: (taken back)" in to_markdown(
        turn_slices(session())
    )
    assert TAKEN_BACK in to_html(Transcript(turns=turn_slices(session()), name="n"))
    told = answer_bundle(session()[5:], Facts()).text
    assert told.startswith(TAKEN_BACK)
    assert ELSEWHERE in told, "the cell of turn 1 stays as it is"
    assert ELSEWHERE not in answer_bundle(turn_slices(session())[1].shown, Facts()).text


def test_a_picture_labels_an_earlier_message_anew() -> None:
    """It is redrawn from the first message on that a new one changed."""
    nodes, messages = Nodes(), session()
    nodes.update(messages[:6])
    whole = Nodes()
    whole.update(messages)
    assert nodes.update(messages, since=6) == 0
    assert nodes.label == whole.label
    labels = {position: label for position, label in zip(nodes.message, nodes.label, strict=True) if position >= 0}
    assert labels[2] == "[updated] right words"
    assert labels[5] == "[removed]"
    assert labels[6] == "update of m2: right words"
    assert labels[7] == "delete of m5"
    shown = detail(messages[2], 2, nodes.turn_of(2), nodes.changes.of_target[2])
    assert ["Updated", "by message m6, 2025-10-09 08:53:26.000 UTC"] in shown["facts"]
    assert "right words" in str(shown["parts"])
    assert detail(messages[5], 5, nodes.turn_of(5), nodes.changes.of_target[5])["parts"] == []


def test_sessions_in_one_table_do_not_change_each_other() -> None:
    import pandas as pd

    one = messages_frame(session()[:4], session_id="a")
    other = messages_frame(session()[4:], session_id="b")
    assert [turn.answer for turn in turns_of(pd.concat([one, other]))] == ["wrong words", None]
