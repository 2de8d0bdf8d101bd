"""Work on a thread of its own, so that who waits for it can give it up at once: for cells and widgets."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from secgemini_jupyter.errors import NetworkError
from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.threads import daemon
from secgemini_jupyter.tools import in_thread

if TYPE_CHECKING:
    from secgemini_jupyter.client.response import SessionResponse
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.protocol.turn import Turn

__all__ = ["POLL", "LoopThread", "RunningTurn"]

log = logging.getLogger(__name__)

T = TypeVar("T")

POLL = 0.05
"""Seconds that the main thread waits at a time: Windows delivers an interrupt only between two waits."""


class DaemonThreads(ThreadPoolExecutor):
    """A thread for each call. The lookup of a name cannot be broken off: it must not keep the kernel from ending."""

    def submit(self, function: Callable[..., T], /, *arguments: Any, **options: Any) -> Future[T]:
        return in_thread(lambda: function(*arguments, **options), name="secgemini-call")


class LoopThread:
    """One daemon thread with an event loop: async work for magics and widgets, while the kernel's own loop is busy."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(DaemonThreads())
        self._thread = daemon(self._loop.run_forever, name="secgemini-loop")

    def start(self) -> None:
        """Start it, unless it was: who makes it keeps it first, and an interrupt between the two loses nothing."""
        if self._thread.ident is None:
            self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether the caller runs on it, and so must not wait for it."""
        return threading.current_thread() is self._thread

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def work(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Work[T]:
        return Work(self._loop, make)

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `await make()` gives. An interrupt of the wait cancels it.

        Raises:
            NetworkError: the client was closed meanwhile.
        """
        work = self.work(make)
        over = threading.Lock()
        over.acquire()
        work.future.add_done_callback(lambda _: over.release())
        try:
            work.begin()
            while not over.acquire(timeout=POLL):
                pass
            return work.future.result()
        except CancelledError:
            raise NetworkError("The client was closed before the service answered. Try again.") from None
        except BaseException:
            work.cancel()
            raise

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
        with contextlib.suppress(TimeoutError):
            self.submit(cancel_all()).result(timeout=2)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=2)
        if self._thread.is_alive():
            log.warning("A local tool or a callback blocks the event loop of secgemini_jupyter: its thread stays.")
        else:
            self._loop.close()


class Work(Generic[T]):
    """One task of the loop thread. It is made first and begun then: an interrupt between the two loses nothing."""

    def __init__(self, loop: asyncio.AbstractEventLoop, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._loop, self._make = loop, make
        self._task: asyncio.Task[T] | None = None
        self.future: Future[T] = Future()

    def begin(self) -> None:
        self._loop.call_soon_threadsafe(self._begin)

    def cancel(self) -> None:
        """Give it up, whether it was begun or not. Does not wait."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing runs there any more
            self._loop.call_soon_threadsafe(self._cancel)
        self.future.cancel()

    def _begin(self) -> None:
        if not self.future.cancelled():
            self._task = self._loop.create_task(self._make())
            self._task.add_done_callback(self._ended)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: asyncio.Task[T]) -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self.future.cancel()
        elif not self.future.set_running_or_notify_cancel():
            pass  # nobody waits any more
        elif error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())


class RunningTurn:
    """A turn on the loop thread, read by the main thread message by message; `stop()` gives it up at once.

    It is made first and begun then, like `Work`.
    """

    def __init__(self, session: InteractiveSession, turn: Turn, loop: LoopThread) -> None:
        self.session = session
        self.turn = turn
        turn.is_whole = True
        self.started = time.monotonic()
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._pieces: list[Message] = []
        self._work = loop.work(self._run)
        self._work.future.add_done_callback(lambda _: self.wake())

    def begin(self) -> None:
        self._work.begin()

    async def _run(self) -> None:
        async with contextlib.aclosing(self.session.aio.run(self.turn)) as messages:
            async for message in messages:
                self._note(message)
                self._messages.put(message)

    def _note(self, message: Message) -> None:
        """Keep the pieces of a result until it has come whole."""
        if message.message_type is MessageType.RESULT:
            if message.is_partial:
                self._pieces.append(message)
            else:
                self._pieces = []

    def next(self, timeout: float) -> Message | None:
        """The next message; None after `timeout` seconds, after `wake`, or when it is over (`is_over`)."""
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            return None

    def wake(self) -> None:
        """Have `next` return now. A signal handler may call it: a `SimpleQueue` can be put into at any moment."""
        self._messages.put(None)

    @property
    def query_id(self) -> str:
        """Id of the prompt's message; empty while a listener has not found it."""
        return self.turn.query.id if self.turn.query else ""

    @property
    def is_over(self) -> bool:
        return self._work.future.done() and self._messages.empty()

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
        """What arrived until now. A result of which only pieces came is its last message, with status 206."""
        response = self.session.response(self.turn, self.elapsed)
        pieces = list(self._pieces)
        if not pieces:
            return response
        text = "".join(piece.content or "" for piece in pieces)
        partial = msgspec.structs.replace(pieces[-1], content=text)
        return dataclasses.replace(response, messages=[*response.messages, partial])

    def error(self) -> BaseException | None:
        """What ended the turn, if it failed. Only when it is over."""
        return None if self._work.future.cancelled() else self._work.future.exception(timeout=0)

    def stop(self) -> None:
        """Stop listening; the service goes on working. Does not wait."""
        self._work.cancel()

    def wait_stopped(self, timeout: float) -> None:
        """Wait until a stopped turn has let go of its session."""
        deadline = time.monotonic() + timeout
        while self.session.is_running and time.monotonic() < deadline:
            time.sleep(0.005)
