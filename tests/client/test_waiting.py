"""The time limit that is only set up when there is something to wait for."""

from __future__ import annotations

import asyncio

import pytest

from secgemini_jupyter.client.waiting import within

pytestmark = pytest.mark.anyio


async def work(queue: asyncio.Queue[int], seen: list[str]) -> int:
    try:
        return await queue.get() + await queue.get()
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise


async def test_what_is_there_is_given_without_a_turn_of_the_loop() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    turns: list[str] = []
    asyncio.get_running_loop().call_soon(turns.append, "turned")
    for number in (1, 2):
        queue.put_nowait(number)
    assert await within(0, work(queue, [])) == 3
    assert turns == []


async def test_work_may_wait_several_times() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    waiting = asyncio.create_task(_awaited(within(10, work(queue, []))))
    for number in (1, 2):
        await asyncio.sleep(0)
        queue.put_nowait(number)
    assert await waiting == 3


async def test_too_long_a_wait_is_a_timeout_and_cancels_the_work() -> None:
    seen: list[str] = []
    with pytest.raises(TimeoutError):
        await within(0.01, work(asyncio.Queue(), seen))
    assert seen == ["cancelled"]
    await asyncio.sleep(0)  # the task itself is not cancelled


async def test_a_cancellation_reaches_the_work_and_stays_one() -> None:
    seen: list[str] = []
    waiting = asyncio.create_task(_awaited(within(10, work(asyncio.Queue(), seen))))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert seen == ["cancelled"]


@pytest.mark.parametrize("pauses", [0, 1])
async def test_an_error_of_the_work_passes(pauses: int) -> None:
    async def fail() -> None:
        for _ in range(pauses):
            await asyncio.sleep(0)
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        await within(10, fail())


async def _awaited(work):  # type: ignore[no-untyped-def]
    return await work
