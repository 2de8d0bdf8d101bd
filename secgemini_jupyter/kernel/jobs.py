"""Turns that go on while other cells run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from secgemini_jupyter.errors import InputError, TurnTimeoutError, one_line, redact
from secgemini_jupyter.threads import daemon

if TYPE_CHECKING:
    from secgemini_jupyter.client.running import RunningTurn
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel.answer import Answer, Status
    from secgemini_jupyter.models import Message

__all__ = ["Job", "Jobs"]

log = logging.getLogger(__name__)

KEPT = 50
"""Jobs that are remembered, the newest: those that run are never forgotten."""
PATIENCE = 2.0
"""Seconds in which a job that was stopped should end."""


class Job:
    """One turn in the background.

    Args:
        number: by which `%secgemini wait` and `stop` know it.
        seen: takes each message, or None from time to time, in the job's own thread.
        conclude: makes the answer, and shows it where the job may show something; in the same thread.
        show_again: shows what it showed last, in the running cell's thread: see `%secgemini wait`.

    Attributes:
        id: its number in this kernel.
        session: where it asks.
        prompt: what it asks.
        answer: the `Answer`, once it is done; of a failed or stopped one it holds what had arrived.
        error: what went wrong, or None.
    """

    def __init__(
        self,
        number: int,
        running: RunningTurn,
        seen: Callable[[Message | None], None],
        conclude: Callable[[Job, Status], Answer],
        show_again: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = number
        self.session: InteractiveSession = running.session
        self.prompt = (running.turn.query.content or "") if running.turn.query else ""
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self.is_noticed = False
        """Whether somebody was told how it ended."""
        self.running = running
        self.show_again = show_again
        self._seen, self._conclude = seen, conclude
        self._over = threading.Event()
        self._elapsed: float | None = None
        self._shown_in: int | None = None
        self._thread = daemon(self._follow, name=f"secgemini-job-{number}")

    def begin(self) -> None:
        self._thread.start()
        self.running.begin()

    def _follow(self) -> None:
        from secgemini_jupyter.client.running import POLL

        while not self.running.is_over:
            message = self.running.next(timeout=2 * POLL)
            try:
                self._seen(message)
            except Exception as error:  # what cannot be shown is in the answer no less
                log.info("Job %s cannot be shown: %s", self.id, one_line(redact(str(error))))
                self._seen = lambda _: None
        self.error = self.running.error()
        status: Status = "error" if self.error else "ok" if self.running.turn.done else "interrupted"
        self._elapsed = self.running.elapsed
        try:
            self.answer = self._conclude(self, status)
        except Exception as error:
            log.info("Job %s cannot be shown: %s", self.id, one_line(redact(str(error))))
            self.error = self.error or error
        self._over.set()

    @property
    def done(self) -> bool:
        return self._over.is_set()

    @property
    def status(self) -> str:
        """`running`, `ok`, `error` or `interrupted`."""
        if not self.done:
            return "running"
        return "error" if self.error or self.answer is None else self.answer.status

    @property
    def elapsed(self) -> float:
        """Seconds."""
        return self.running.elapsed if self._elapsed is None else self._elapsed

    @property
    def reason(self) -> str:
        """Why it failed, in one line; empty if it did not."""
        return "" if self.error is None else one_line(redact(str(self.error)))[:500]

    def wait(self, timeout: float | None = None) -> Answer:
        """Wait until it is done; an interrupt ends the wait, not the job.

        Raises:
            TurnTimeoutError: it still runs after `timeout` seconds, and goes on.
            SecGeminiError: what ended it.
        """
        from secgemini_jupyter.client.running import POLL

        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while not self._over.wait(min(POLL, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                raise TurnTimeoutError(
                    f"Job {self.id} still runs after {timeout:g} s, and goes on. Wait again: %secgemini wait {self.id}."
                )
        self.is_noticed = True
        if self.error is not None:
            raise self.error
        assert self.answer is not None
        return self.answer

    def stop(self) -> None:
        """Stop listening; the service may go on working. What had arrived is in `answer`."""
        self.running.stop()
        self._over.wait(PATIENCE)
        self.is_noticed = True

    def shown(self, execution_count: int) -> Job:
        """Mark as displayed by this cell already: as its result it shows nothing a second time."""
        self._shown_in = execution_count
        return self

    def __repr__(self) -> str:
        reason = f": {self.reason}" if self.error is not None else ""
        name = one_line(self.session.name)[:60]
        return f"<Job {self.id} {self.status} in session {name}, {self.elapsed:.1f} s{reason}>"

    def _ipython_display_(self) -> None:
        from IPython import get_ipython
        from IPython.display import display

        from secgemini_jupyter.render.answer import LISTING

        shell = get_ipython()
        if shell is not None and self._shown_in == shell.execution_count:
            self._shown_in = None
            return
        display({"text/plain": repr(self)}, metadata=LISTING, raw=True)


class Jobs:
    """The jobs of one kernel, by number, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[int, Job] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._all.values()))

    @property
    def running(self) -> list[Job]:
        return [job for job in self if not job.done]

    def get(self, number: int) -> Job | None:
        return self._all.get(number)

    def next_number(self) -> int:
        """For one job: no other gets it."""
        with self._lock:
            self._last += 1
            return self._last

    def add(self, job: Job) -> None:
        """Keep it, and let it run."""
        with self._lock:
            self._all[job.id] = job
            for old in [each.id for each in self if each.done][: max(0, len(self._all) - KEPT)]:
                del self._all[old]
        job.begin()

    def check_free(self, session: InteractiveSession) -> None:
        """
        Raises:
            InputError: a job runs in this session, and there can be one turn at a time.
        """
        for job in self.running:
            if job.session.id == session.id:
                raise InputError(
                    f"Job {job.id} runs in session {session.name!r}: wait for it (%secgemini wait {job.id}), stop it, "
                    "or ask elsewhere with -s NAME or --new. Nothing was sent."
                )

    def unnoticed(self) -> list[Job]:
        """Those that failed, and of which nobody was told yet: from now on somebody is."""
        failed = [job for job in self if job.done and job.error is not None and not job.is_noticed]
        for job in failed:
            job.is_noticed = True
        return failed

    def close(self) -> None:
        """Stop all, and forget them."""
        with self._lock:
            jobs, self._all = list(self._all.values()), {}
        for job in jobs:
            job.running.stop()
        for job in jobs:
            job.stop()
