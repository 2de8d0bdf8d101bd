"""A turn as plain values: whatever is cut, replayed or repeated, the caller gets what the service stored."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from secgemini_jupyter.errors import (
    AuthenticationError,
    InputError,
    NetworkError,
    ProtocolError,
    QuotaError,
    SecGeminiError,
    ServiceError,
    TurnTimeoutError,
)
from secgemini_jupyter.models import Message, MessageType, Role, State, read_message
from secgemini_jupyter.protocol.turn import GRACE, Turn
from secgemini_jupyter.settings import Settings

SETTINGS = Settings()
Replay = Literal["none", "cursor", "turn"]


def message(kind: str, content: str = "", state: str = "thinking", **fields: object) -> Message:
    return Message(message_type=MessageType(kind), content=content, state=State(state), **fields)  # type: ignore[arg-type]


def end(**fields: object) -> Message:
    return message("info", "", "end", role=Role.SYSTEM, **fields)


def frame(each: Message) -> bytes:
    return each.to_json()


@dataclass
class Cut:
    """When a socket breaks, and what happens around it."""

    after: int
    """Frames that arrive before."""
    query: Literal["stored", "late", "lost"] = "stored"
    """Whether a prompt that was sent on it is stored: at once, between two looks, or never."""
    progress: int = 0
    """Messages that the service adds while nobody is connected."""


@dataclass
class Wire:
    """The service's side of a session, by the letter of the protocol page: what is stored, what goes to which socket.

    It keeps a message before it sends it, keys storage by position, and asks for one local tool at a time.
    """

    script: list[Message]
    replay: Replay
    cuts: list[Cut]
    stored: list[Message] = field(default_factory=list)
    running: list[Message] = field(default_factory=list)
    """What the turn that runs has yet to say."""
    queue: list[Message] = field(default_factory=list)
    delivered: int = 0
    waiting_for: str | None = None
    prompts: list[str] = field(default_factory=list)
    waits: int = 0
    late: Message | None = None
    answers: dict[str, set[str]] = field(default_factory=dict)

    def open(self) -> None:
        self.cut = self.cuts.pop(0) if self.cuts else None
        if self.replay == "cursor":
            self.queue = self.stored[self.delivered :]
        elif self.replay == "turn":
            starts = [i for i, m in enumerate(self.stored) if m.message_type is MessageType.QUERY]
            self.queue = self.stored[starts[-1] + 1 :] if starts else []
        else:
            self.queue = []
        self.queue = [m for m in self.queue if m.role is not Role.USER]
        if self.waiting_for:
            self.queue += [m for m in self.stored if m.id == self.waiting_for]

    def take(self, sent: Message) -> None:
        if sent.message_type is MessageType.QUERY:
            self.prompts.append(sent.id)
            if self.cut and self.cut.after == 0 and self.cut.query != "stored":
                self.late = sent if self.cut.query == "late" else None
                return
            self.ask(sent)
        elif sent.message_type is MessageType.LOCAL_TOOL_RESULT:
            self.answers.setdefault(sent.parent_id, set()).add(sent.id)
            if self.cut and self.cut.after == 0:
                return  # lost on the way
            if sent.parent_id == self.waiting_for:
                self.waiting_for = None
                self.stored.append(sent)

    def ask(self, query: Message) -> None:
        assert query.id not in [m.id for m in self.stored], "a stored prompt was sent again"
        self.delivered = len(self.stored) + 1
        self.stored.append(query)
        self.running = list(self.script)

    def step(self) -> Message | None:
        if not self.running or self.waiting_for:
            return None
        next_one = self.running.pop(0)
        self.stored.append(next_one)
        if next_one.message_type is MessageType.LOCAL_TOOL_CALL:
            self.waiting_for = next_one.id
        return next_one

    def receive(self) -> Message | None:
        """The next frame; None means silence.

        Raises:
            NetworkError: the connection is cut.
        """
        if self.cut and self.cut.after <= 0:
            for _ in range(self.cut.progress):
                self.step()
            raise NetworkError("cut")
        if not self.queue and (next_one := self.step()):
            self.queue.append(next_one)
        if self.cut:
            self.cut.after -= 1
        if not self.queue:
            return None
        self.delivered = len(self.stored)
        return self.queue.pop(0)

    def get(self) -> list[Message]:
        stored = list(self.stored)
        if self.late:  # it was on its way when we looked
            self.ask(self.late)
            self.late = None
        return [read_message(frame(m)) for m in stored]


def play(turn: Turn, wire: Wire, tool_runs: list[str] | None = None) -> list[Message]:
    """Drive a turn as a shell does."""
    got: list[Message] = []
    now = 0.0
    runs = [] if tool_runs is None else tool_runs

    def serve(arrived: Iterable[Message]) -> None:
        for each in arrived:
            got.append(each)
            if call := turn.tool_call(each):
                runs.append(call.id)
                got.append(turn.answer(call, f"result {len(runs)}", is_error=False))

    def converse() -> Iterator[Message]:
        while not turn.done:
            while turn.fetch_wanted:
                yield from turn.reconcile(wire.get())
            for outgoing in turn.take_outgoing():
                wire.take(read_message(outgoing))
            if turn.done:
                return
            turn.patience(now)
            wire.waits += 1
            assert wire.waits < 1000, "the turn does not end"
            arrived = wire.receive()
            if arrived is None:
                turn.silent(now)
            elif (received := turn.receive(frame(arrived))) is not None:
                yield received

    for _ in range(200):
        if turn.done:
            return got
        wire.open()
        turn.connected()
        try:
            for each in converse():
                serve([each])
        except SecGeminiError as error:
            turn.lost(error, now)
    raise AssertionError("the turn does not end")


contents = st.sampled_from(["", "a", "b", "Calling Lookup", "result"])
progress = st.builds(
    lambda kind, content, state, ident: message(kind, content, state, role=Role.AGENT, id=ident),
    st.sampled_from(["info", "thinking", "debug", "source", "hologram"]),
    contents,
    st.sampled_from(["thinking", "calling_tool", "tool_result", "dreaming"]),
    st.uuids().map(str),
)
tool_calls = st.builds(
    lambda ident: message("local_tool_call", '{"tool_name": "t", "tool_args": {}}', role=Role.AGENT, id=ident),
    st.uuids().map(str),
)
turns = st.builds(
    lambda steps, answer: [*steps, message("result", answer, "agent_done", role=Role.AGENT), end()],
    st.lists(st.one_of(progress, progress, tool_calls), max_size=8),
    contents,
)
cuts = st.lists(
    st.builds(Cut, st.integers(0, 6), st.sampled_from(["stored", "late", "lost"]), st.integers(0, 4)), max_size=4
)
replays: st.SearchStrategy[Replay] = st.sampled_from(["none", "cursor", "turn"])
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def asked(prompt: str = "who?") -> Message:
    return message("query", prompt, "query")


@quick
@given(turns, cuts, replays)
def test_caller_gets_exactly_the_stored_messages_whatever_is_cut(
    script: list[Message], cuts: list[Cut], replay: Replay
) -> None:
    """In order, none twice, none missing; the prompt is stored once; no tool runs twice for one call."""
    wire = Wire(script, replay, [replace(cut) for cut in cuts])
    turn = Turn("who?", SETTINGS, now=0.0)
    runs: list[str] = []
    got = play(turn, wire, runs)
    assert [frame(m) for m in got] == [frame(m) for m in wire.stored[1:]]
    assert [m.message_type for m in wire.stored].count(MessageType.QUERY) == 1
    assert len(set(wire.prompts)) == 1
    assert len(runs) == len(set(runs)) == sum(m.message_type is MessageType.LOCAL_TOOL_CALL for m in script)
    assert all(len(results) == 1 for results in wire.answers.values()), "a repeated call gets the first result"


@quick
@given(turns, turns, st.integers(0, 9), cuts, replays)
def test_frames_of_an_earlier_turn_are_skipped(
    earlier: list[Message], script: list[Message], at: int, cuts: list[Cut], replay: Replay
) -> None:
    """A turn that was left in the middle goes on at the service; the next prompt waits for its end."""
    left = [asked("earlier"), *earlier[:at]]
    wire = Wire(script, replay, [replace(cut, query="stored") for cut in cuts], stored=left)
    wire.running = earlier[at:]
    if left[-1].message_type is MessageType.LOCAL_TOOL_CALL:
        wire.waiting_for = left[-1].id
    turn = Turn("now?", SETTINGS, now=0.0)
    turn.look_first([left[0].id])
    runs: list[str] = []
    got = play(turn, wire, runs)
    start = [m.content for m in wire.stored].index("now?")
    assert [frame(m) for m in got] == [frame(m) for m in wire.stored[start + 1 :]]
    assert wire.stored[start - 1].is_end, "our prompt was sent while the earlier turn ran"
    assert not set(runs) & {m.id for m in earlier}, "a tool ran for a turn that was given up"


@quick
@given(turns, st.integers(0, 9), cuts, replays)
def test_listener_gets_the_whole_turn(script: list[Message], at: int, cuts: list[Cut], replay: Replay) -> None:
    """`reconnect()` takes up the turn that runs, or ran last, from its first message on, and sends no prompt."""
    query = asked()
    wire = Wire([], replay, [replace(cut) for cut in cuts], stored=[query, *script[:at]])
    wire.running = script[at:]
    if wire.stored[-1].message_type is MessageType.LOCAL_TOOL_CALL:
        wire.waiting_for = wire.stored[-1].id
    answered = [m for m in script[: max(at - 1, 0)] if m.message_type is MessageType.LOCAL_TOOL_CALL]
    for call in answered:  # what was answered before we came stands behind its call
        position = wire.stored.index(call)
        wire.stored.insert(position + 1, message("local_tool_result", "{}", role=Role.USER, parent_id=call.id))
    runs: list[str] = []
    got = play(Turn(None, SETTINGS, now=0.0), wire, runs)
    assert [frame(m) for m in got] == [frame(m) for m in wire.stored[1:]]
    assert not wire.prompts
    assert not set(runs) & {m.id for m in answered}, "a tool ran again"


@quick
@given(turns, st.lists(st.integers(0, 20), max_size=12))
def test_repeated_frames_are_given_once(script: list[Message], repeats: list[int]) -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    turn.connected()
    turn.take_outgoing()
    sent = list(script)
    for position in sorted(repeats, reverse=True):
        if position < len(sent) - 1:
            sent.insert(position + 1, sent[position])
    got = [m for each in sent if not turn.done and (m := turn.receive(frame(each)))]
    if turn.fetch_wanted:  # something came twice: END is given after a look
        assert turn.query
        got += turn.reconcile([turn.query, *script])
    assert [frame(m) for m in got] == [frame(m) for m in script]


def test_other_messages_under_a_known_id_are_kept() -> None:
    """Ids may repeat, also within a turn: only a frame that says the same again is a repetition."""
    turn = Turn("who?", SETTINGS, now=0.0)
    first, second = message("info", "one", id="same"), message("info", "two", id="same")
    got = [turn.receive(frame(each)) for each in (first, second, first, second, end(id="same"))]
    assert [m.content if m else None for m in got] == ["one", "two", None, None, None]
    assert turn.query
    assert [m.is_end for m in turn.reconcile([turn.query, first, second, end(id="same")])] == [True]
    assert turn.done


def test_prompt_is_sent_again_only_when_two_looks_miss_it() -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    turn.connected()
    assert len(turn.take_outgoing()) == 1
    turn.lost(NetworkError("cut"), 0.0)
    turn.connected()
    assert list(turn.reconcile([])) == []
    assert turn.fetch_wanted
    assert turn.fetch_pause > 0
    assert list(turn.reconcile([])) == []
    assert not turn.fetch_wanted
    (again,) = turn.take_outgoing()
    assert read_message(again).id == turn.query.id  # type: ignore[union-attr]


def test_prompt_that_the_second_look_finds_is_not_sent_again() -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    turn.connected()
    turn.take_outgoing()
    turn.connected()
    list(turn.reconcile([]))
    assert turn.query
    assert list(turn.reconcile([turn.query])) == []
    assert turn.take_outgoing() == []
    assert turn.query_sent


def test_interrupted_between_two_looks_the_prompt_counts_as_sent() -> None:
    """Else the next turn would take the frames of this one for its own."""
    turn = Turn("who?", SETTINGS, now=0.0)
    turn.connected()
    turn.take_outgoing()
    turn.connected()
    list(turn.reconcile([]))
    assert turn.query_sent


def test_tail_of_an_earlier_turn_that_ended_meanwhile_is_not_ours() -> None:
    """It ended between opening the socket and looking: its last frames, END included, are still on the socket."""
    earlier = [asked("earlier"), message("info", "x"), message("result", "old", "agent_done"), end()]
    turn = Turn("now?", SETTINGS, now=0.0)
    turn.look_first()
    turn.connected()
    list(turn.reconcile(earlier))
    assert len(turn.take_outgoing()) == 1
    assert [turn.receive(frame(each)) for each in earlier[1:]] == [None] * 3
    assert not turn.done
    result, last = ours = [message("result", "new", "agent_done"), end()]
    assert [turn.receive(frame(each)) for each in ours] == [result, None]
    assert turn.query
    assert list(turn.reconcile([*earlier, turn.query, *ours])) == [last], "one of ours may have looked like one of it"
    assert turn.done


def test_session_whose_last_turn_has_no_end_can_be_used() -> None:
    """Recorded without a stream, or by an old service: after a short wait without anything new the prompt goes out."""
    stored = [asked("earlier"), message("result", "old", "agent_done")]
    turn = Turn("now?", SETTINGS, now=0.0)
    turn.look_first()
    turn.connected()
    list(turn.reconcile(stored))
    assert turn.take_outgoing() == []
    assert turn.patience(0.0) <= 10
    turn.silent(10.0)
    list(turn.reconcile(stored))
    assert len(turn.take_outgoing()) == 1


def test_earlier_turn_that_goes_on_is_waited_for() -> None:
    """Something new was stored between two looks."""
    stored = [asked("earlier"), message("info", "x")]
    turn = Turn("now?", SETTINGS, now=0.0)
    turn.look_first()
    turn.connected()
    list(turn.reconcile(stored))
    turn.silent(90.0)
    list(turn.reconcile([*stored, message("info", "y")]))
    assert turn.take_outgoing() == []


def test_earlier_turn_that_waits_for_a_tool_is_let_go() -> None:
    """Its call is refused, not run: nobody listens to that turn any more, and ours waits for its end."""
    call = message("local_tool_call", '{"tool_name": "t", "tool_args": {}}', "calling_tool", role=Role.AGENT)
    turn = Turn("now?", SETTINGS, now=0.0)
    left = asked("earlier")
    turn.look_first([left.id])
    turn.connected()
    list(turn.reconcile([left, call]))
    (result,) = map(read_message, turn.take_outgoing())
    assert result.message_type is MessageType.LOCAL_TOOL_RESULT
    assert result.parent_id == call.id
    assert json.loads(result.content or "")["is_error"] is True
    assert turn.messages == []


def test_what_another_kernel_s_turn_asks_is_not_answered_here() -> None:
    call = message("local_tool_call", '{"tool_name": "t", "tool_args": {}}', "calling_tool", role=Role.AGENT)
    turn = Turn("now?", SETTINGS, now=0.0)
    turn.look_first(["of-a-turn-before-that"])
    turn.connected()
    stored = [asked("of-a-turn-before-that"), end(), asked("earlier"), call]
    stored[0] = structs.replace(stored[0], id="of-a-turn-before-that")
    list(turn.reconcile(stored))
    assert turn.receive(frame(call)) is None
    assert turn.take_outgoing() == []


def test_prompt_that_waits_at_the_service_behind_a_silent_turn_is_not_sent_again() -> None:
    """Another kernel's turn waits for a tool, say. On a new connection it may be: a service drops what waits there."""
    other = [asked("another"), message("info", "x")]
    turn = Turn("now?", SETTINGS, now=0.0)
    turn.connected()
    assert len(turn.take_outgoing()) == 1
    for now in (90.0, 180.0, 270.0):
        turn.silent(now)
        while turn.fetch_wanted:
            list(turn.reconcile(other))
        assert turn.take_outgoing() == []
    turn.connected()
    while turn.fetch_wanted:
        list(turn.reconcile(other))
    assert turn.take_outgoing() == []
    assert turn.receive(frame(end())) is None
    assert turn.fetch_wanted, "the service may have kept the prompt, and begin with it now"
    while turn.fetch_wanted:
        list(turn.reconcile([*other, end()]))
    assert len(turn.take_outgoing()) == 1


def test_prompt_that_was_left_before_it_was_stored_is_waited_for() -> None:
    turn = Turn("now?", SETTINGS, now=0.0)
    turn.look_first(["left"])
    turn.connected()
    list(turn.reconcile([]))
    assert turn.fetch_wanted
    assert turn.take_outgoing() == []
    list(turn.reconcile([structs.replace(asked("earlier"), id="left")]))
    assert turn.skipping
    assert turn.take_outgoing() == []


def test_earlier_turn_gets_the_result_that_its_tool_gave() -> None:
    """It was computed when the user stopped the turn: it is not thrown away."""
    call = message("local_tool_call", '{"tool_name": "t", "tool_args": {}}', "calling_tool", role=Role.AGENT)
    results: dict[str, Message] = {}
    first = Turn("earlier", SETTINGS, now=0.0, results=results)
    first.take_outgoing()
    asked_for = first.tool_call(first.receive(frame(call)) or call)
    assert asked_for
    given_back = first.answer(asked_for, "42", is_error=False)
    second = Turn("now?", SETTINGS, now=0.0, results=results)
    assert first.query
    second.look_first([first.query.id])
    second.connected()
    list(second.reconcile([first.query, call]))
    assert [read_message(each).id for each in second.take_outgoing()] == [given_back.id]


def test_tool_call_with_an_id_of_an_earlier_turn_runs() -> None:
    """Services number calls afresh in each turn."""
    call = message("local_tool_call", '{"tool_name": "t", "tool_args": {"n": 2}}', id="call_1")
    results = {"call_1": message("local_tool_result", "first", parent_id="call_1")}
    turn = Turn("now?", SETTINGS, now=0.0, results=results)
    turn.look_first()
    turn.connected()
    list(turn.reconcile([asked("earlier"), end()]))
    turn.take_outgoing()
    asked_for = turn.tool_call(turn.receive(frame(call)) or call)
    assert asked_for
    assert asked_for.arguments == {"n": 2}


def test_call_in_a_turn_that_ended_is_not_run() -> None:
    call = message("local_tool_call", '{"tool_name": "t", "tool_args": {}}')
    turn = Turn(None, SETTINGS, now=0.0)
    turn.connected()
    got = list(turn.reconcile([asked(), call, end()]))
    assert len(got) == 2
    assert turn.tool_call(got[0]) is None


@pytest.mark.parametrize(
    ("content", "name", "arguments"),
    [
        ('{"tool_name": "t", "tool_args": {"a": 1}}', "t", {"a": 1}),
        ('{"name": "t", "args": {"a": 1}}', "t", {"a": 1}),
        ('{"name": "t", "args": null}', "t", {}),
        ('{"tool_name": 7}', "7", {}),
        ("no JSON", "", {}),
        ("[]", "", {}),
        ('{"tool_name": "t", "tool_args": [1]}', "", {}),
        ("", "", {}),
        ("[" * 100_000, "", {}),
    ],
)
def test_tool_calls_are_read_tolerantly(content: str, name: str, arguments: dict[str, object]) -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    call = turn.tool_call(message("local_tool_call", content))
    assert call
    assert (call.name, call.arguments) == (name, arguments)


def test_confirmation_is_answered_once() -> None:
    """After a cut the same answer goes out again; nobody is asked a second time."""
    request = message("confirmation_request", '{"prompt": "Run it?"}', "calling_tool")
    turn = Turn("who?", SETTINGS, now=0.0)
    turn.connected()
    turn.take_outgoing()
    taken = turn.receive(frame(request))
    assert taken
    assert turn.wants_decision(taken)
    turn.decide(taken, approve=True)
    (first,) = turn.take_outgoing()
    turn.connected()
    assert turn.query
    assert list(turn.reconcile([turn.query, request])) == []
    assert turn.take_outgoing() == [first]


def test_answer_to_a_fetched_confirmation_is_sent() -> None:
    request = message("confirmation_request", '{"prompt": "Run it?"}', "calling_tool")
    turn = Turn(None, SETTINGS, now=0.0)
    turn.connected()
    for each in turn.reconcile([asked(), request]):
        assert turn.wants_decision(each)
        turn.decide(each, approve=False)
    (sent,) = turn.take_outgoing()
    assert json.loads(read_message(sent).content or "")["decision"] == "deny"


def test_listener_does_not_ask_again_what_was_decided() -> None:
    request = message("confirmation_request", '{"prompt": "Run it?"}', "calling_tool")
    decided = message("confirmation_response", '{"decision": "approve"}', role=Role.USER, parent_id=request.id)
    turn = Turn(None, SETTINGS, now=0.0)
    turn.connected()
    assert not any(turn.wants_decision(each) for each in turn.reconcile([asked(), request, decided]))


# --- errors, deadlines, silence ---


def failed(code: int = 503, **unknown: object) -> Message:
    fields = {"unknown": unknown} if unknown else {}
    return message("error", "it broke", "undefined", status_code=code, status_message="Broken", **fields)


def test_error_frame_with_end_is_raised_typed() -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    for each in (message("thinking", "hm"), failed(429, retry_after=2), end()):
        turn.receive(frame(each))
    assert turn.done
    with pytest.raises(QuotaError, match=r"it broke.*in 2 s") as caught:
        turn.raise_for_error("host")
    assert caught.value.retry_after == 2
    assert [m.message_type for m in turn.messages] == ["thinking", "error", "info"]


@pytest.mark.parametrize(("wait", "said"), [(10**400, "later"), (-5, "later"), (True, "later"), (0, "in 0 s")])
def test_error_frame_with_an_odd_wait(wait: object, said: str) -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    for each in (json.dumps({"message_type": "error", "status_code": 429, "retry_after": wait}), frame(end())):
        turn.receive(each)
    with pytest.raises(QuotaError, match=rf"Try again {said}\."):
        turn.raise_for_error("host")


def test_what_was_fetched_counts_as_well() -> None:
    turn = Turn("who?", replace(SETTINGS, max_reply_bytes=1000), now=0.0)
    assert turn.query is not None
    turn.take_outgoing()
    assert len(list(turn.reconcile([turn.query, message("thinking", "x" * 2000)]))) == 1
    with pytest.raises(ServiceError, match="max_reply_bytes"):
        list(turn.reconcile([turn.query]))


def test_no_limit_of_a_turn() -> None:
    turn = Turn("who?", replace(SETTINGS, max_reply_bytes=0), now=0.0)
    assert turn.receive(frame(message("thinking", "x" * 2000)))


def test_long_error_frame_is_cut() -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    for each in (message("error", "E" * 3_000_000, "undefined", status_code=500), end()):
        turn.receive(frame(each))
    with pytest.raises(ServiceError, match=r"E… \(3,000,0\d\d characters\)") as caught:
        turn.raise_for_error("host")
    assert len(str(caught.value)) < 3000


def test_error_frame_without_end_ends_the_turn_after_a_moment() -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    turn.receive(frame(failed()))
    assert not turn.done
    assert turn.patience(0.0) == GRACE
    turn.silent(GRACE)
    assert turn.done
    with pytest.raises(ServiceError, match="503"):
        turn.raise_for_error("host")


def test_error_frame_and_a_closed_socket_end_the_turn() -> None:
    """Some services close after an error instead of sending END: that is no reason to come back."""
    turn = Turn("who?", SETTINGS, now=0.0)
    turn.connected()
    turn.receive(frame(failed()))
    assert turn.lost(NetworkError("closed"), 1.0) == 0
    assert turn.done


def test_error_that_the_service_recovers_from_ends_nothing() -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    for each in (failed(200), message("result", "fine", "agent_done"), end()):
        turn.receive(frame(each))
    turn.raise_for_error("host")
    assert turn.done


def test_failed_tool_of_ours_is_no_failed_turn() -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    call = turn.tool_call(message("local_tool_call", '{"tool_name": "t"}'))
    assert call
    turn.answer(call, "ValueError", is_error=True)
    turn.receive(frame(end()))
    turn.raise_for_error("host")


def test_turn_ends_at_its_deadline() -> None:
    turn = Turn("who?", Settings(turn_timeout=10), now=100.0)
    assert turn.patience(101.0) == 9.0
    with pytest.raises(TurnTimeoutError, match="10 s"):
        turn.patience(110.0)
    turn.connected()
    with pytest.raises(TurnTimeoutError):
        turn.lost(NetworkError("cut"), 110.0)


def test_pause_before_the_next_attempt_ends_at_the_deadline() -> None:
    turn = Turn("who?", Settings(turn_timeout=10), now=0.0)
    assert turn.lost(QuotaError("busy", retry_after=2), 7.0) == 2.0
    assert turn.look_ends(7.0) == 10.0, "the deadline holds for the look at the stored session, too"
    with pytest.raises(QuotaError, match="busy"):  # not a timeout that hides why
        turn.lost(QuotaError("busy", retry_after=60), 7.0)


def test_silence_leads_to_a_look_not_to_an_error() -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    turn.connected()
    turn.take_outgoing()
    assert turn.patience(0.0) == SETTINGS.silence_timeout
    turn.silent(90.0)
    assert turn.fetch_wanted
    assert turn.query
    missed = [message("result", "answer", "agent_done"), end()]
    assert [frame(m) for m in turn.reconcile([turn.query, *missed])] == [frame(m) for m in missed]
    assert turn.done


@pytest.mark.parametrize(
    "error", [AuthenticationError("no"), ServiceError("no", status=422), QuotaError("no", retry_after=121)]
)
def test_no_second_attempt_where_it_cannot_fare_better(error: SecGeminiError) -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    with pytest.raises(type(error)):
        turn.lost(error, 1.0)


def test_attempts_are_counted_anew_after_progress() -> None:
    turn = Turn("who?", Settings(reconnects=2), now=0.0)
    turn.connected()
    for number in range(10):
        turn.lost(NetworkError("cut"), 1.0)
        turn.lost(NetworkError("cut"), 1.0)
        turn.connected()
        turn.receive(frame(message("thinking", str(number))))
    turn.lost(NetworkError("cut"), 1.0)
    turn.lost(NetworkError("cut"), 1.0)
    with pytest.raises(NetworkError):
        turn.lost(NetworkError("cut"), 1.0)


def test_pieces_only_on_request() -> None:
    piece = message("result", "hel", "answering", status_code=206)
    assert Turn("who?", SETTINGS, now=0.0).receive(frame(piece)) is None
    turn = Turn("who?", SETTINGS, now=0.0, partial=True)
    assert turn.receive(frame(piece))
    assert turn.messages == [], "the whole follows"


@pytest.mark.parametrize("prompt", ["", "  ", "\n\t"])
def test_empty_prompt_is_refused(prompt: str) -> None:
    with pytest.raises(InputError, match="empty"):
        Turn(prompt, SETTINGS, now=0.0)


def test_listening_where_nothing_was_asked_is_refused() -> None:
    turn = Turn(None, SETTINGS, now=0.0)
    with pytest.raises(InputError, match="ask something"):
        list(turn.reconcile([]))


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_frame_is_read_or_refused(garbage: bytes | str) -> None:
    turn = Turn("who?", SETTINGS, now=0.0)
    with contextlib.suppress(ProtocolError):
        turn.receive(garbage)


def test_usage_of_a_turn_is_that_of_its_results() -> None:
    """Thinking messages report numbers that the result's include."""
    usage = {"prompt_tokens": 5, "generated_tokens": 1, "total_tokens": 6}
    frames = [
        msgspec.json.encode({"message_type": "thinking", "id": "a", "usage": {"total_tokens": 4}}),
        msgspec.json.encode({"message_type": "result", "id": "b", "state": "agent_done", "usage": usage}),
        msgspec.json.encode({"message_type": "info", "id": "c", "state": "end", "usage": None}),
    ]
    turn = Turn("who?", SETTINGS, now=0.0)
    for each in frames:
        turn.receive(each)
    assert turn.usage.total_tokens == 6
