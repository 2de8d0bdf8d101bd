"""A turn that runs on a thread of its own, so that who waits for it can stop it at once: for cells and widgets."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from secgemini_jupyter.client.response import SessionResponse
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.models import Message
    from secgemini_jupyter.protocol.turn import Turn

__all__ = ["LoopThread", "RunningTurn"]

T = TypeVar("T")


class LoopThread:
    """One daemon thread with an event loop: async work for magics and widgets, while the kernel's own loop is busy."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="secgemini-loop", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """Cancel what runs, then end the thread."""

        async def cancel_all() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.get_running_loop().shutdown_asyncgens()

        if not self._thread.is_alive():
            return
        with contextlib.suppress(TimeoutError):  # something may block the loop: the thread is a daemon
            self.submit(cancel_all()).result(timeout=2)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=2)
        if not self._thread.is_alive():
            self._loop.close()


class RunningTurn:
    """A turn on the loop thread, read by the main thread message by message; `stop()` gives it up at once."""

    def __init__(self, session: InteractiveSession, turn: Turn, loop: LoopThread) -> None:
        self.session = session
        self.turn = turn
        self.started = time.monotonic()
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._work = loop.submit(self._run())

    async def _run(self) -> None:
        try:
            async with contextlib.aclosing(self.session.aio.run(self.turn)) as messages:
                async for message in messages:
                    self._messages.put(message)
        finally:
            self._messages.put(None)

    def next(self, timeout: float) -> Message | None:
        """The next message; None if none came within `timeout` seconds, or the turn is over (`is_over`)."""
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            return None

    @property
    def query_id(self) -> str:
        """Id of the prompt's message; empty while a listener has not found it."""
        return self.turn.query.id if self.turn.query else ""

    @property
    def is_over(self) -> bool:
        return self._work.done() and self._messages.empty()

    @property
    def is_sent(self) -> bool:
        """Whether the service may have the prompt."""
        return self.turn.query_sent or self.turn.is_listener

    @property
    def is_held_up(self) -> bool:
        """Whether the prompt waits until the service has ended an earlier turn, which was stopped here."""
        return self.turn.skipping

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def response(self) -> SessionResponse:
        """What arrived until now."""
        return self.session.response(self.turn, self.elapsed)

    def error(self) -> BaseException | None:
        """What ended the turn, if it failed. Only when it is over."""
        return None if self._work.cancelled() else self._work.exception(timeout=0)

    def stop(self) -> None:
        """Stop listening; the service goes on working. Does not wait."""
        self._work.cancel()

    def wait_stopped(self, timeout: float) -> None:
        """Wait until a stopped turn has let go of its session."""
        deadline = time.monotonic() + timeout
        while self.session.is_running and time.monotonic() < deadline:
            time.sleep(0.005)
