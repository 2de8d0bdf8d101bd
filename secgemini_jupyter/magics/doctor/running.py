"""Checks that run side by side, each in a thread that may hang without harm: what they found until the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from secgemini_jupyter.magics.report import Finding

__all__ = ["Check", "Step", "run"]


@dataclass(frozen=True)
class Step:
    """What a check does next: named if it does not come to an end."""

    check: str
    advice: str


Check = Callable[[], Iterator["Finding | Step"]]


@dataclass
class _Running:
    """A check in its thread."""

    check: Check
    findings: list[Finding] = field(default_factory=list)
    step: Step = Step("a check", "Run %secgemini doctor again.")

    def __post_init__(self) -> None:
        # A daemon: a name server that never answers must not keep the kernel from ending.
        self.thread = threading.Thread(target=self._work, name="secgemini-doctor", daemon=True)

    def _work(self) -> None:
        try:
            for each in self.check():
                if isinstance(each, Step):
                    self.step = each
                else:
                    self.findings.append(each)
        except Exception as error:
            said = f"the check itself failed ({type(error).__name__}: {error})"
            self.findings.append(Finding(self.step.check, "fail", said, self.step.advice))

    def result(self, limit: float) -> list[Finding]:
        found = list(self.findings)
        if self.thread.is_alive():
            found.append(Finding(self.step.check, "fail", f"no answer within {limit:g} s", self.step.advice))
        return found


def run(checks: Sequence[Check], limit: float) -> list[Finding]:
    """What the checks find within `limit` seconds, in their order. ■ ends the wait at once."""
    running = [_Running(check) for check in checks]
    for each in running:
        each.thread.start()
    deadline = time.monotonic() + limit
    for each in running:
        while each.thread.is_alive() and time.monotonic() < deadline:
            each.thread.join(0.05)  # short, so that Windows stays interruptible
    return [finding for each in running for finding in each.result(limit)]
