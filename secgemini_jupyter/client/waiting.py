"""A time limit that costs nothing when there is nothing to wait for."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


@types.coroutine
def within(seconds: float, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """`await within(seconds, work)` is the result of `work`.

    `asyncio.timeout` around each frame takes longer than reading one that has arrived already: here it is only set up
    once `work` waits for something.

    Raises:
        TimeoutError: `work` took longer, and was cancelled.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    return (yield from _limited(seconds, work, waits_for).__await__())


async def _limited(seconds: float, work: Coroutine[Any, Any, T], waits_for: Any) -> T:
    async with asyncio.timeout(seconds):
        return await _resumed(work, waits_for)


@types.coroutine
def _resumed(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """What `await work` does, from its second step on: `work` was started, and waits for `waits_for`."""
    try:
        while True:
            try:
                value = yield waits_for
            except BaseException as error:  # a cancellation is for `work` to see
                waits_for = work.throw(error)
            else:
                waits_for = work.send(value)
    except StopIteration as done:
        result: T = done.value
        return result
