"""What tells a turn that something is missing, or came in another order than it is stored; and what becomes of it."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.errors import ProtocolError, ServiceError, TurnTimeoutError
from secgemini_jupyter.models import Message, MessageType, Role, State, Usage, read_message
from secgemini_jupyter.protocol.stored import TurnBefore, fits, merged
from secgemini_jupyter.protocol.turn import END_AFTER_RESULT, Turn
from secgemini_jupyter.settings import Settings

SETTINGS = Settings()
_clock = itertools.count(1000)


def said(kind: str, content: str = "", state: str = "thinking", **fields: object) -> Message:
    more = {"role": Role.AGENT, "created_at": float(next(_clock))} | fields
    return Message(message_type=MessageType(kind), content=content, state=State(state), **more)  # type: ignore[arg-type]


def a_turn() -> list[Message]:
    thoughts = [said("thinking", word) for word in ("one", "two", "three")]
    return [*thoughts, said("result", "answer", "agent_done"), said("info", "", "end")]


def asked(settings: Settings = SETTINGS) -> Turn:
    turn = Turn("who?", settings, now=0.0)
    turn.connected()
    turn.take_outgoing()
    return turn


def stored(turn: Turn, messages: list[Message]) -> list[Message]:
    assert turn.query
    return [turn.query, *(read_message(message.to_json()) for message in messages)]


def receive(turn: Turn, messages: list[Message]) -> list[Message]:
    return [each for message in messages if (each := turn.receive(message.to_json()))]


def test_a_healthy_turn_costs_no_request() -> None:
    turn, messages = asked(), a_turn()
    assert receive(turn, messages) == messages
    assert turn.done
    assert not turn.fetch_wanted
    turn.raise_for_error("host")


def test_two_messages_that_changed_places_are_told() -> None:
    turn, messages = asked(), a_turn()
    one, two, *rest = messages
    assert receive(turn, [two, one, *rest]) == [two, one, *rest[:-1]]
    assert turn.fetch_wanted
    assert list(turn.reconcile(stored(turn, messages))) == rest[-1:]
    assert turn.done
    assert turn.messages == messages, "in order"
    with pytest.raises(ProtocolError, match="another order"):
        turn.raise_for_error("host")


def test_order_is_mended_for_who_takes_the_whole() -> None:
    turn, messages = asked(), a_turn()
    turn.is_whole = True
    receive(turn, [messages[1], messages[0], *messages[2:]])
    list(turn.reconcile(stored(turn, messages)))
    turn.raise_for_error("host")
    assert turn.messages == messages


def test_times_out_of_order_that_are_stored_so_are_no_fault() -> None:
    """Several agents may speak at once."""
    turn, messages = asked(), a_turn()
    messages[0], messages[1] = messages[1], messages[0]
    got = receive(turn, messages)
    got += turn.reconcile(stored(turn, messages))
    assert got == messages
    turn.raise_for_error("host")


def test_result_that_end_overtook_is_given_before_it() -> None:
    turn, messages = asked(), a_turn()
    *thoughts, result, end = messages
    got = receive(turn, [*thoughts, end])
    got += turn.reconcile(stored(turn, messages))
    assert got == [*thoughts, result, end]
    turn.raise_for_error("host")


def test_message_that_was_stored_between_two_that_came_is_told() -> None:
    """After a cut the stored session has one that never came."""
    turn, messages = asked(), a_turn()
    turn.is_whole = True
    receive(turn, [messages[0], messages[2]])
    turn.connected()
    assert list(turn.reconcile(stored(turn, messages))) == [messages[1], *messages[3:]]
    assert turn.messages == messages


def test_after_a_cut_end_is_given_when_nothing_is_missing() -> None:
    """Between the look and the first frame of the new socket something may have been said."""
    turn, messages = asked(), a_turn()
    turn.connected()
    got = list(turn.reconcile(stored(turn, messages[:1])))
    got += receive(turn, messages[2:])
    assert not turn.done
    got += turn.reconcile(stored(turn, messages))
    assert got == [messages[0], *messages[2:4], messages[1], messages[4]]
    with pytest.raises(ProtocolError):
        turn.raise_for_error("host")


def test_every_turn_is_compared_where_that_is_wanted() -> None:
    turn, messages = asked(Settings(verify_turns=True)), a_turn()
    turn.is_whole = True
    receive(turn, [messages[0], *messages[2:]])
    list(turn.reconcile(stored(turn, messages)))
    turn.raise_for_error("host")
    assert turn.messages == messages


def test_end_counts_where_the_service_keeps_nothing() -> None:
    turn, messages = asked(Settings(verify_turns=True)), a_turn()
    got = receive(turn, messages)
    got += turn.reconcile([])
    assert got == messages
    assert turn.take_outgoing() == []


def test_prompt_of_a_turn_that_was_being_answered_is_not_sent_again() -> None:
    """The service lost it: a second answer would not be the one that had begun."""
    turn, messages = asked(), a_turn()
    receive(turn, messages[:2])
    turn.connected()
    with pytest.raises(ServiceError, match="not asked again") as caught:
        list(turn.reconcile([]))
    assert turn.take_outgoing() == []
    with pytest.raises(ServiceError):
        turn.lost(caught.value, 1.0)


def test_listener_never_asks() -> None:
    """Even if the turn that it listens to is gone."""
    turn, messages = Turn(None, SETTINGS, now=0.0), a_turn()
    query = said("query", "who?", "query", role=Role.USER)
    turn.connected()
    list(turn.reconcile([query, *messages[:2]]))
    turn.connected()
    with pytest.raises(ServiceError):
        list(turn.reconcile([]))
    assert turn.take_outgoing() == []


def test_end_that_is_lost_is_looked_for_soon_after_the_result() -> None:
    turn, messages = asked(), a_turn()
    assert turn.patience(0.0) == SETTINGS.silence_timeout
    receive(turn, messages[:-1])
    assert turn.patience(0.0) == END_AFTER_RESULT
    turn.silent(5.0)
    assert list(turn.reconcile(stored(turn, messages))) == messages[-1:]


def test_answer_without_end_is_not_waited_for_until_the_deadline() -> None:
    turn, messages = asked(), a_turn()
    receive(turn, messages[:-1])
    turn.silent(5.0)
    list(turn.reconcile(stored(turn, messages[:-1])))
    assert turn.patience(5.0) == SETTINGS.silence_timeout
    turn.silent(95.0)
    with pytest.raises(TurnTimeoutError, match="END"):
        list(turn.reconcile(stored(turn, messages[:-1])))


def test_turn_that_goes_on_after_a_result_is_waited_for() -> None:
    turn, messages = asked(), a_turn()
    receive(turn, messages[:-1])
    turn.silent(5.0)
    more = [*messages[:-1], said("thinking", "one thing more")]
    list(turn.reconcile(stored(turn, more)))
    turn.silent(95.0)
    list(turn.reconcile(stored(turn, [*more, said("result", "a second one")])))


def test_turn_before_that_a_socket_begins_with_is_not_ours() -> None:
    """Its END would end our turn at once, with the old answer."""
    old, turn = a_turn(), asked()
    messages = a_turn()
    turn.earlier = TurnBefore([said("query", "before", role=Role.USER), *old])
    assert receive(turn, old) == []
    got = receive(turn, messages)
    got += turn.reconcile(stored(turn, messages))
    assert got == messages
    assert turn.done


def test_own_answers_prove_no_order() -> None:
    """They are stored when they arrive; another agent may have spoken meanwhile."""
    call, other = said("local_tool_call", "{}"), said("info", "x")
    answer = said("local_tool_result", "{}", role=Role.USER, usage=Usage())
    assert fits([call, answer, other], [call, other, answer])
    assert not fits([other, call], [call, other])


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.sets(st.sampled_from("abcdef")), st.randoms())
def test_merged_is_what_is_stored_and_what_is_not(words: list[str], unstored: set[str], chance: random.Random) -> None:
    messages = {word: said("info", word, id=word) for word in words}
    in_store = [messages[word] for word in words if word not in unstored]
    got = list(messages.values())
    chance.shuffle(got)
    result = merged(got, in_store)
    assert [each for each in result if each in in_store] == in_store
    assert sorted(each.id for each in result) == sorted(words)
