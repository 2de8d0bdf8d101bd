"""Work on the loop thread: given up at once, never begun twice, and nobody waits for a loop that is gone."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from secgemini_jupyter.client.interruptible import InterruptibleSecGemini
from secgemini_jupyter.client.running import LoopThread
from secgemini_jupyter.errors import NetworkError
from tests.client.servers import silent_server


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    made = LoopThread()
    made.start()
    yield made
    made.stop()


async def said(word: str) -> str:
    await asyncio.sleep(0)
    return word


def test_what_it_gives_and_what_it_raises(loop: LoopThread) -> None:
    assert loop.run(lambda: said("done")) == "done"

    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        loop.run(fails)


def test_starting_it_twice_starts_one_thread(loop: LoopThread) -> None:
    loop.start()
    assert [each.name for each in threading.enumerate()].count("secgemini-loop") == 1


def test_what_is_cancelled_before_it_was_begun_never_runs(loop: LoopThread) -> None:
    """No coroutine is made either: one that nobody awaits warns."""
    ran: list[str] = []

    async def work() -> None:
        ran.append("ran")

    given_up = loop.work(work)
    given_up.cancel()
    given_up.begin()
    assert loop.run(lambda: said("later")) == "later"
    assert given_up.future.cancelled()
    assert ran == []


def test_what_is_cancelled_ends_on_the_loop(loop: LoopThread) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    running = loop.work(work)
    running.begin()
    assert begun.wait(10)
    running.cancel()
    assert running.future.cancelled(), "at once: nobody waits for the loop"
    assert ended.wait(10)


def test_who_waits_learns_that_the_client_was_closed() -> None:
    told: list[Exception] = []
    with silent_server() as port:
        client = InterruptibleSecGemini("a-key-that-nobody-takes", base_url=f"http://127.0.0.1:{port}")

        def ask() -> None:
            try:
                client.user_info()
            except Exception as error:
                told.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        while not client._loop or not client.aio._pools:
            pass
        client.close()
        thread.join(10)
    assert not thread.is_alive()
    assert [type(error) for error in told] == [NetworkError]


def test_a_lookup_that_hangs_keeps_no_process(loop: LoopThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in a daemon thread: the interpreter does not wait for that, as it does for an executor's."""
    seen: list[bool] = []

    def lookup(*_: Any, **__: Any) -> list[Any]:
        seen.append(threading.current_thread().daemon)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", lookup)

    async def look() -> Any:
        return await asyncio.get_running_loop().getaddrinfo("service.test", 443)

    assert loop.run(look) == []
    assert seen == [True]
