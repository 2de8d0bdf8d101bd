"""A session's messages, cut into turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.restore import turns_of
from secgemini_jupyter.transcript.turns import frame_of_turns, turn_slices, turns_frame

from . import strategies
from .frames import ZEROS, message, turn

STRAY = message("info", "start", "hello", id="x", at=0)
ERROR = message("error", "undefined", "Slow down.", id="e", at=2, status_code=429, status_message="QUOTA_EXCEEDED")
END = message("info", "end", "end", id="z", at=3)


def test_a_turn_is_a_query_and_all_up_to_the_next() -> None:
    slices = turn_slices([STRAY, *turn(), STRAY, *turn("e")])
    assert [(cut.index, len(cut.messages)) for cut in slices] == [(0, 1), (1, 13), (2, 12)]
    assert slices[0].query is None
    assert slices[2].query is not None
    assert slices[2].query.id == "e01"


@strategies.few
@given(st.lists(strategies.messages, max_size=8))
def test_every_message_is_in_exactly_one_turn(messages: list[Message]) -> None:
    slices = turn_slices(messages)
    assert [item for cut in slices for item in cut.messages] == messages
    indexes = [cut.index for cut in slices for _ in cut.messages]
    assert indexes == messages_frame(messages, session_id="s")["turn_index"].tolist()
    frame_of_turns(slices)


def test_a_finished_turn() -> None:
    row = turns_frame(turn(), session_id="s").iloc[0]
    assert row["prompt"] == "Is host web-7 exposed to CVE-2099-0001?"
    assert row["answer"] == "Yes. web-7 runs 4.1.9 and the fix is in 4.2.1."
    assert (row["status"], row["status_code"], row["turn_id"], row["message_count"]) == ("ok", 200, "s:1", 12)
    assert (round(row["duration_s"], 3), round(row["time_to_first_s"], 3)) == (5.3, 0.6)
    assert row["tool_call_count"] == 2  # the tool of the service, the local tool; not the hand-over


def test_tokens_are_those_of_the_result_which_count_the_thinking_before_it() -> None:
    row = turns_frame(turn(), session_id="s").iloc[0]
    tokens = row[["prompt_tokens", "generated_tokens", "total_tokens", "cached_tokens", "thoughts_tokens"]]
    assert tokens.tolist() == [1410, 58, 1468, 0, 210]


def test_a_turn_without_a_result_has_the_tokens_of_its_steps_each_counted_once() -> None:
    thought = message("thinking", "thinking", "a", id="t", at=1, usage=ZEROS | {"total_tokens": 7})
    piece = message("thinking", "thinking", "a", id="p", at=1, usage=ZEROS | {"total_tokens": 7}, status_code=206)
    table = turns_frame([turn()[0], piece, thought, thought, END], session_id="s")
    assert table["total_tokens"].tolist() == [7]


def test_a_failed_turn_says_why() -> None:
    row = turns_frame([turn()[0], ERROR, END], session_id="s").iloc[0]
    assert (row["status"], row["status_code"], row["error"]) == ("error", 429, "Slow down.")


def test_a_recovered_error_fails_no_turn() -> None:
    recovered = message("error", "undefined", "again", id="e", at=2)
    assert turn_slices([turn()[0], recovered, END])[0].status == "ok"


def test_a_turn_that_runs_is_incomplete_and_has_no_duration() -> None:
    row = turns_frame(turn()[:5], session_id="s").astype(object).iloc[0]
    assert row["status"] == "incomplete"
    assert row[["duration_s", "ended_at", "answer"]].isna().all()


def test_clocks_that_disagree_give_no_duration() -> None:
    assert turn_slices([turn()[0], message("info", "end", "end", id="z", at=-9)])[0].duration is None


def test_pieces_are_no_part_of_the_answer() -> None:
    piece = message("result", "answering", "Yes", id="p", at=1, status_code=206)
    second = message("result", "agent_done", "\nNo.\n", id="q", at=6)
    picture = message("result", "agent_done", "aGk=", id="r", at=6, mime_type="image/png")
    cut = turn_slices([*turn()[:10], piece, turn()[10], second, picture])[0]
    assert cut.answer == "Yes. web-7 runs 4.1.9 and the fix is in 4.2.1.\n\nNo."


def test_no_messages_make_no_turns_and_the_same_table() -> None:
    assert turn_slices([]) == []
    assert_frame_equal(turns_frame([], session_id="s"), turns_frame(turn(), session_id="s").iloc[:0])


@strategies.few
@given(st.lists(strategies.messages, max_size=6))
def test_the_turns_of_a_table_are_those_of_its_messages(messages: list[Message]) -> None:
    """What a table does not have (binary contents, fractions of microseconds) turns do not need."""
    direct = turns_frame(messages, session_id="s").drop(
        columns=["started_at", "ended_at", "duration_s", "time_to_first_s"]
    )
    through = frame_of_turns(turns_of(messages_frame(messages, session_id="s")))
    assert_frame_equal(through[direct.columns], direct)
