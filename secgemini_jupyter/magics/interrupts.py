"""■ and Ctrl-C while a magic runs: the first stops what goes on, a second raises whatever is being done."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, TracebackType
from typing import Any

__all__ = ["Interrupted", "Interrupts", "current", "released"]

RETRY = 0.02
"""Seconds until an interrupt that met an import, or that Python dropped, is tried again."""
IMPORT_PATIENCE = 5.0
"""Seconds that an import gets: it may hang, on a slow disk."""
STOPPED = "stopped before there was an answer. Run it again."


class Interrupted(KeyboardInterrupt):
    """■ or Ctrl-C in a `%%secgemini` cell: one line instead of a traceback; cells that were queued do not run."""

    def _render_traceback_(self) -> list[str]:
        return [f"Interrupted: {self}"]


class Interrupts:
    """What SIGINT does in the `with` block of a magic.

    Python raises a `KeyboardInterrupt` between any two instructions: a turn could be begun and not yet be known, an
    answer cleared and not yet shown. So from `hold` on the first interrupt only says `is_pressed`, and wakes who
    waits. Where nothing is at stake (`released`, and before `hold`) it raises at once, but never in the middle of an
    import: numpy cannot be imported a second time. A second interrupt raises anywhere. At the end of the block all
    become `Interrupted`.

    What is raised in the callback of a weak reference or in `__del__` is dropped by Python, which says so by
    `sys.unraisablehook` alone: the interrupt is tried again. Drawing collects much garbage, so that is not rare.

    It also holds where the kernel runs a cell with `await` in it: there ipykernel's own handler reaches no magic.
    """

    def __init__(self) -> None:
        self.words = STOPPED
        """What the user is told when it ends by an interrupt."""
        self._lock = threading.Lock()
        self._before: Any = None
        self._hook: Any = None
        self._outer: Interrupts | None = None
        self._base: FrameType | None = None
        self._is_held = True
        self._is_owed = False
        self._presses = 0
        self._since = 0.0
        self._wake: Callable[[], None] = lambda: None

    @property
    def is_pressed(self) -> bool:
        """Whether the user wants it to stop."""
        return self._is_owed

    def hold(self, wake: Callable[[], None]) -> None:
        """From here on the first interrupt is told by `is_pressed`.

        Args:
            wake: called at the first interrupt, as a signal handler: it must return at once.

        Raises:
            KeyboardInterrupt: there was one already.
        """
        self._wake = wake
        self._is_held = True
        if self._is_owed:
            raise KeyboardInterrupt

    def take(self) -> bool:
        """Have one that raised in `released` be told by `is_pressed`; False for a second one, which goes on raising."""
        self._is_owed = True
        return self._presses <= 1

    def release(self) -> None:
        """From here on an interrupt raises at once.

        Raises:
            KeyboardInterrupt: there was one already.
        """
        self._is_held = False
        if self._is_owed:
            raise KeyboardInterrupt

    def __enter__(self) -> Interrupts:
        global _current
        if threading.current_thread() is not threading.main_thread():
            return self  # Python interrupts the main thread alone
        before = signal.getsignal(signal.SIGINT)
        if callable(before):  # else it does not reach Python code
            self._outer, _current = _current, self
            self._base = sys._getframe(1)
            self._before = before
            signal.signal(signal.SIGINT, self._on_signal)
            self._hook, sys.unraisablehook = sys.unraisablehook, self._on_unraisable
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        global _current
        self._is_held = True
        if self._before is not None:
            with self._lock:  # no retry comes from here on
                before, self._before = self._before, None
            signal.signal(signal.SIGINT, before)
            if sys.unraisablehook == self._on_unraisable:  # else another one calls ours, which passes it on
                sys.unraisablehook = self._hook
            _current = self._outer
            self._base = None
        if kind is KeyboardInterrupt or (error is None and self._is_owed):
            raise Interrupted(self.words) from None

    def _on_signal(self, _: int, frame: FrameType | None) -> None:
        self._presses += 1
        if self._presses == 1 and self._is_held:
            self._is_owed = True
            self._wake()
        elif self._must_wait(frame):
            self._try_again()
        else:
            raise KeyboardInterrupt

    def _on_unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        if self._before is not None and is_main and unraisable.exc_type is KeyboardInterrupt:
            self._try_again()
        else:
            self._hook(unraisable)

    def _try_again(self) -> None:
        """Undo an interrupt that could not raise, and have it once more."""
        self._presses -= 1
        self._is_owed = True
        # No `threading.Timer`: starting one takes a lock of `threading`, which what is interrupted may hold.
        _thread.start_new_thread(self._retry, ())
        self._wake()

    def _must_wait(self, frame: FrameType | None) -> bool:
        self._since = self._since or time.monotonic()
        is_patient = time.monotonic() < self._since + IMPORT_PATIENCE
        while frame is not None and frame is not self._base:
            if frame.f_code in _OWN or (is_patient and frame.f_code.co_filename.startswith("<frozen importlib")):
                return True
            frame = frame.f_back
        return False

    def _retry(self) -> None:
        time.sleep(RETRY)
        with self._lock:
            if self._before is not None:
                _thread.interrupt_main()


_OWN: set[CodeType] = {
    function.__code__
    for function in (
        Interrupts.__enter__,
        Interrupts.__exit__,
        Interrupts.hold,
        Interrupts.release,
        Interrupts._on_unraisable,
    )
}
"""Here an interrupt waits until it is left: the handler must not stay behind, and what a hook raises is dropped."""
_current: Interrupts | None = None
"""The one whose handler is installed: a process has one."""


def current() -> Interrupts:
    """What a magic that runs in this thread is stopped by; one that never is pressed, if it cannot be stopped."""
    is_main = threading.current_thread() is threading.main_thread()
    return _current if _current is not None and is_main else Interrupts()


@contextlib.contextmanager
def released() -> Iterator[None]:
    """Here an interrupt raises at once, although the magic holds it back: what is done here may be given up."""
    interrupts = current()
    try:
        interrupts._is_held = False
        yield
    finally:
        interrupts._is_held = True
