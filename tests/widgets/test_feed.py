from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from secgemini_jupyter.widgets.feed import Event, Feed


class Wire:
    """The channel of a widget: keeps what is sent, and when."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, dict[str, Any], list[Any]]] = []
        self.arrived = threading.Condition()

    def on_msg(self, callback: Any) -> None: ...

    def send(self, content: Any, buffers: Any = None) -> None:
        with self.arrived:
            self.sent.append((time.monotonic(), content, buffers))
            self.arrived.notify_all()

    def wait(self, number: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.sent) >= number, timeout=10)


def feeds() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "secgemini-feed"]


@pytest.fixture(autouse=True)
def none_is_left():
    """A feed rests before it ends: the next test shall not see this one's thread."""
    yield
    for thread in feeds():
        thread.join(5)
    assert feeds() == []


def test_a_burst_of_news_becomes_few_numbered_events():
    wire, news = Wire(), []
    taken = 0

    def collect() -> Event | None:
        nonlocal taken
        fresh, taken = news[taken:], len(news)
        return Event({"fresh": fresh}, [b"bytes"]) if fresh else None

    feed = Feed(wire, collect)
    for number in range(5_000):
        news.append(number)
        feed.wake()
    while sum(len(content["fresh"]) for _, content, _ in wire.sent) < 5_000:
        wire.wait(len(wire.sent) + 1)
    for thread in feeds():
        thread.join(5)
    assert [content["seq"] for _, content, _ in wire.sent] == list(range(1, len(wire.sent) + 1))
    assert [n for _, content, _ in wire.sent for n in content["fresh"]] == news
    assert len(wire.sent) < 20
    assert wire.sent[0][2] == [b"bytes"]
    assert feeds() == []


def test_it_goes_on_by_itself_while_more_is_expected():
    wire = Wire()
    asked = 0

    def collect() -> Event | None:
        nonlocal asked
        asked += 1
        return Event({"asked": asked}) if asked in (2, 3) else None

    Feed(wire, collect, goes_on=lambda: asked < 4).wake()
    wire.wait(2)
    for thread in feeds():
        thread.join(5)
    assert [content["asked"] for _, content, _ in wire.sent] == [2, 3]
    assert asked == 4


def test_a_full_copy_is_taken_between_two_events():
    """A view that asks for everything gets the number up to which it knows all."""
    wire = Wire()
    feed = Feed(wire, lambda: Event({}))
    with feed.still() as before:
        feed.wake()
        time.sleep(0.2)
        assert wire.sent == []
    wire.wait(1)
    with feed.still() as after:
        assert (before, after) == (0, 1)


def test_what_cannot_be_collected_ends_no_feed(caplog):
    wire, fails = Wire(), [True]

    def collect() -> Event:
        if fails.pop():
            raise ValueError("no such message")
        return Event({})

    feed = Feed(wire, collect)
    feed.wake()
    for thread in feeds():
        thread.join(5)
    assert "no such message" in caplog.text
    fails.append(False)
    feed.wake()
    wire.wait(1)
    assert wire.sent[0][1]["seq"] == 1


def test_without_a_thread_to_spare_news_wait_for_the_next_ones(caplog, monkeypatch):
    def no_thread(_thread):
        raise RuntimeError("can't start new thread")

    wire = Wire()
    feed = Feed(wire, lambda: Event({}))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        feed.wake()
    assert "news must wait: can't start new thread" in caplog.text
    feed.wake()
    wire.wait(1)


def test_a_closed_feed_sends_nothing():
    wire = Wire()
    feed = Feed(wire, lambda: Event({}))
    feed.close()
    feed.wake()
    assert feeds() == []
    assert wire.sent == []
