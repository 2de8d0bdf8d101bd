"""A session's frames: who is given what, whenever sockets come and go."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.local_server import limits
from secgemini_jupyter.local_server.channel import CLOSE, Channel, Listener, Piece

steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 5)),
        st.tuples(st.just("open"), st.just(0)),
        st.tuples(st.just("close"), st.integers(0, 3)),
        st.tuples(st.just("take"), st.integers(0, 3)),
    ),
    max_size=40,
)


@given(steps)
def test_every_frame_is_given_in_order_and_none_is_missed(script: list[tuple[str, int]]) -> None:
    """Each socket gets a run of frames without gaps, and the first one after a time without any continues that run."""

    async def play() -> None:
        channel, published = Channel(), 0
        listeners: list[Listener] = []
        given: dict[Listener, list[int]] = {}
        for step, number in script:
            if step == "publish":
                channel.publish([b"%d" % each for each in range(published, published + number)])
                published += number
            elif step == "open":
                delivered = max((numbers[-1] for numbers in given.values() if numbers), default=-1)
                listeners.append(channel.open(partial=False))
                given[listeners[-1]] = []
                assert listeners[-1].cursor == delivered + 1
            elif listeners:
                listener = listeners[number % len(listeners)]
                if step == "close":
                    channel.close(listener)
                    listeners.remove(listener)
                elif listener.has_more:
                    given[listener] += [int(frame) for frame in await listener.take()]
                    listener.given()
        for numbers in given.values():
            assert all(later == earlier + 1 for earlier, later in pairwise(numbers))
        last = channel.open(partial=False)
        seen = {number for numbers in given.values() for number in numbers}
        rest = [int(frame) for frame in await last.take()] if last.has_more else []
        assert seen | set(rest) == set(range(published))

    asyncio.run(play())


@pytest.mark.anyio
async def test_pieces_are_for_those_who_asked() -> None:
    channel = Channel()
    whole, pieces = channel.open(partial=False), channel.open(partial=True)
    channel.publish([Piece(b"pi"), Piece(b"ece"), b"piece", CLOSE])
    assert await whole.take() == [b"piece", CLOSE]
    assert await pieces.take() == [b"pi", b"ece", b"piece", CLOSE]


@pytest.mark.anyio
async def test_a_mark_is_always_the_last_of_what_is_taken() -> None:
    channel = Channel()
    listener = channel.open(partial=False)
    for frame in (b"a", CLOSE, b"b"):
        listener.send_first(frame)
    channel.publish([b"c", CLOSE, b"d"])
    taken = [await listener.take() for _ in range(3)]
    assert taken == [[b"a", CLOSE], [b"b", b"c", CLOSE], [b"d"]]


@pytest.mark.anyio
async def test_an_engine_waits_for_a_slow_socket_but_not_for_one_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BACKLOG_BYTES", 10)
    channel = Channel()
    listener = channel.open(partial=False)
    channel.publish([b"x" * 11])
    waiting = asyncio.create_task(channel.room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    channel.close(listener)
    await asyncio.wait_for(waiting, 1)


@pytest.mark.anyio
async def test_without_a_socket_the_newest_frames_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UNDELIVERED_BYTES", 10)
    channel = Channel()
    for number in range(10):
        channel.publish([b"%04d" % number])
    assert await channel.open(partial=False).take() == [b"0008", b"0009"]


@pytest.mark.anyio
async def test_who_waits_for_a_turn_of_its_own_is_given_nothing_and_holds_nothing_up() -> None:
    channel = Channel()
    reading, waiting = channel.open(partial=False), channel.open(partial=False)
    waiting.send_first(b"what the running turn asks of its client")
    waiting.hold()
    channel.publish([b"x" * limits.MAX_BACKLOG_BYTES, b"another's"])
    assert not waiting.has_more
    await reading.take()
    reading.given()
    await asyncio.wait_for(channel.room(), 5)
    channel.close(reading)
    channel.publish([b"y" * limits.MAX_BACKLOG_BYTES] * 2)
    await asyncio.wait_for(channel.room(), 5)
    waiting.release()
    channel.publish([b"its own"])
    assert await waiting.take() == [b"its own"]
