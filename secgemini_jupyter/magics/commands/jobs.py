"""Subcommands for what runs in the background."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.magics.commands.base import Command, Line
from secgemini_jupyter.magics.interrupts import current
from secgemini_jupyter.magics.options import arg, seconds
from secgemini_jupyter.magics.view import is_terminal

if TYPE_CHECKING:
    from secgemini_jupyter.kernel.jobs import Job
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]


def jobs(magics: SecGeminiMagics, _: Namespace) -> Any:
    import pandas as pd

    rows = []
    for job in magics.kernel.jobs:
        rows.append(
            {
                "id": job.id,
                "session": one_line(job.session.name),
                "status": job.status,
                "elapsed_s": round(job.elapsed, 1),
                "prompt": one_line(job.prompt[:60]),
                "error": job.reason,
            }
        )
        job.is_noticed = job.is_noticed or job.done
    return pd.DataFrame(rows, columns=["id", "session", "status", "elapsed_s", "prompt", "error"]).set_index("id")


def stop(magics: SecGeminiMagics, options: Namespace) -> Line:
    chosen = [the_job(magics, options.id)] if options.id is not None else magics.kernel.jobs.running
    running = [job for job in chosen if not job.done]
    if not running:
        return Line("No job is running." if options.id is None else f"Job {options.id} is done already.")
    for job in running:
        job.running.stop()
    for job in running:
        job.stop()
    numbers = ", ".join(str(job.id) for job in running)
    return Line(f"Stopped job {numbers}: what had arrived is kept. The service may go on working.")


def wait(magics: SecGeminiMagics, options: Namespace) -> Any:
    """The answer of one job; of several the table, once all are done."""
    every = list(magics.kernel.jobs)
    chosen = [the_job(magics, options.id)] if options.id is not None else magics.kernel.jobs.running or every[-1:]
    if not chosen:
        raise UsageError("%secgemini wait: no job was started in this kernel. Add --bg to a %%secgemini cell.")
    for job in chosen:
        current().words = f"stopped waiting. Job {job.id} goes on: %secgemini wait {job.id} waits again."
        try:
            answer = job.wait(options.timeout)
        finally:
            if job.done:
                job.show_again()
    if len(chosen) > 1:
        return jobs(magics, options)
    return answer if is_terminal(magics.shell) else answer.shown(magics.shell.execution_count)


def the_job(magics: SecGeminiMagics, number: int) -> Job:
    """
    Raises:
        UsageError: there is none.
    """
    job = magics.kernel.jobs.get(number)
    if job is None:
        known = ", ".join(str(each.id) for each in magics.kernel.jobs) or "none"
        raise UsageError(f"%secgemini: there is no job {number} (known: {known}). See %secgemini jobs.")
    return job


COMMANDS = (
    Command("jobs", "what was asked with --bg, as a DataFrame", jobs),
    Command(
        "stop",
        "stop listening to a job; without a number, to all that run",
        stop,
        [arg("id", nargs="?", type=int, metavar="ID", help="its number in %%secgemini jobs")],
    ),
    Command(
        "wait",
        "wait for a job, and give its Answer; without a number, for all that run",
        wait,
        [
            arg("id", nargs="?", type=int, metavar="ID", help="its number in %%secgemini jobs"),
            arg("-t", "--timeout", type=seconds, metavar="S", help="give up after so many seconds; the job goes on"),
        ],
    ),
)
