"""`--bg`: a turn that goes on while other cells run, shown in the output of its own cell alone."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.errors import SecGeminiError, one_line, redact
from secgemini_jupyter.kernel.jobs import Job
from secgemini_jupyter.magics import asking
from secgemini_jupyter.magics.choosing import in_words_for_a_cell
from secgemini_jupyter.magics.formats import AS_IT_IS, Shaped
from secgemini_jupyter.magics.interrupts import current
from secgemini_jupyter.magics.view import QuietView, hinted, is_in_output_widget, is_terminal, new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel.answer import Answer
    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.magics.look import Look
    from secgemini_jupyter.magics.question import Question
    from secgemini_jupyter.models import Message
    from secgemini_jupyter.render.answer import Bundle, Facts, Status
    from secgemini_jupyter.render.live import Stage

__all__ = ["start", "tell_failures"]

log = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds between two updates: the user looks at another cell."""


def start(
    magics: SecGeminiMagics,
    session: InteractiveSession,
    question: Question,
    *,
    look: Look,
    out: str | None = None,
    timeout: float | None = None,
    keep: Callable[[Answer], None] = lambda _: None,
) -> Job:
    """Ask in the background.

    Args:
        out: name of the variable that holds the job, and its answer as soon as there is one.
        keep: takes a whole answer, in the job's thread.
    """
    interrupts = current()
    jobs = magics.kernel.jobs
    running = session.to_start(question.prompt, timeout=timeout)
    number = jobs.next_number()
    view = view_for(magics, number, running.response().facts(question.inputs), look)

    def seen(message: Message | None) -> None:
        if message is not None:
            view.add(message)
        view.tick(asking.stage(running))

    def conclude(job: Job, status: Status) -> Answer:
        if job.error is not None:
            if isinstance(job.error, SecGeminiError):
                in_words_for_a_cell(job.error, magics.kernel, is_named=True)
            view.error = job.reason
        try:
            answer = asking.finish(magics, running, view, status, None, question, job.error)
        except Exception as error:  # it cannot be shown; that is no reason to lose it
            log.info("Job %s cannot be shown: %s", number, one_line(redact(str(error))))
            answer = asking.finish(magics, running, QuietView(), status, None, question, job.error)
        if status == "ok":
            keep(answer)
        if out and magics.shell.user_ns.get(out) is job:  # else the user has put something else there
            magics.shell.user_ns[out] = answer
        return answer

    job = Job(number, running, seen, conclude, view.show_again)
    interrupts.hold(lambda: None)
    interrupts.words = f"job {number} was started, and goes on. %secgemini stop {number} ends it."
    if out:
        magics.shell.user_ns[out] = job
    view.begin()
    jobs.add(job)
    if not is_terminal(magics.shell):
        return job.shown(magics.shell.execution_count)
    if magics.after_cell is None:
        told: set[int] = set()
        magics.after_cell = lambda _: tell_finished(magics, told)
        magics.shell.events.register("post_run_cell", magics.after_cell)
    return job


def view_for(magics: SecGeminiMagics, number: int, facts: Facts, look: Look) -> JobView:
    """The view in this cell's output, or one that shows nothing: a terminal cannot be written to later."""
    from IPython.core.displaypub import CapturingDisplayPublisher

    shell = magics.shell
    captures = isinstance(shell.display_pub, CapturingDisplayPublisher)
    if look.quiet or is_terminal(shell) or captures or is_in_output_widget(shell):
        return HiddenView()
    return NotebookJobView(number, facts, look, shell.display_pub.publish)


class JobView(QuietView):
    """What a job shows.

    Attributes:
        error: one line, if it failed: nothing else shows it.
    """

    error = ""

    def begin(self) -> None:
        """In the cell that starts it."""

    def show_again(self) -> None:
        """In a cell that waited for it."""


class HiddenView(JobView):
    """Nothing: `%secgemini jobs` tells, and `wait` gives the answer."""


class NotebookJobView(JobView):
    """One output, made by the cell that starts the job; from then on it is only updated, by the job's thread.

    Something new, displayed by a thread, would land in whichever cell runs by then. `publish` is that of the moment:
    a later cell may capture its own outputs.
    """

    def __init__(self, number: int, facts: Facts, look: Look, publish: Callable[..., Any]) -> None:
        from secgemini_jupyter.render.live import LiveView

        self._publish, self._look = publish, look
        self._view = LiveView(
            facts,
            started=time.time(),
            defang=look.defang,
            show=look.show,
            max_outputs=1,
            stop_hint=f"job {number}: %secgemini stop {number}",
        )
        self._display_id = new_id()
        self._due = 0.0
        self._last: Bundle | None = None

    def begin(self) -> None:
        for output in self._view.snapshot(time.time(), "connecting"):
            self._put(output.bundle, update=False)

    def add(self, message: Message) -> None:
        self._view.add(message)

    def tick(self, stage: Stage = "sent") -> None:
        if time.monotonic() < self._due:
            return
        for output in self._view.snapshot(time.time(), stage):
            self._put(output.bundle)
        self._due = time.monotonic() + INTERVAL

    def finish(self, facts: Facts, status: Status, shaped: Shaped = AS_IT_IS) -> None:  # noqa: ARG002
        self._put(self._view.final(hinted(facts, status, self._look), status, self.error))

    def show_again(self) -> None:
        """Some hosts drop what a thread publishes when its cell is over: nbclient with ipykernel 7.0."""
        if self._last is not None:
            self._put(self._last)

    def _put(self, bundle: Bundle, *, update: bool = True) -> None:
        self._last = bundle
        transient = {"display_id": self._display_id}
        self._publish(dict(bundle.data), bundle.metadata, transient=transient, update=update)


def tell_failures(magics: SecGeminiMagics) -> None:
    """One line for each job that failed and that nobody asked about since."""
    for job in magics.kernel.jobs.unnoticed():
        print(f"Job {job.id} failed: {job.reason} See %secgemini jobs.")


def tell_finished(magics: SecGeminiMagics, told: set[int]) -> None:
    """In a terminal, where a job has no output: after the cell in which it ended, one line."""
    tell_failures(magics)
    for job in magics.kernel.jobs:
        if job.done and not job.is_noticed and job.id not in told:
            told.add(job.id)
            print(f"Job {job.id} is done. %secgemini wait {job.id} shows its answer.")
