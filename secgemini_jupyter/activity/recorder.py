"""What this process does is noted at once and written by a thread of its own: no event loop waits for a disk."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar

from secgemini_jupyter.activity.entries import LOST
from secgemini_jupyter.activity.writing import Draft, append, path_of
from secgemini_jupyter.errors import one_line, redact
from secgemini_jupyter.threads import daemon

__all__ = ["Recorder", "flush"]

log = logging.getLogger(__name__)

AT_EXIT = 5.0
"""Seconds that the end of the process waits for what is noted."""
Details = Mapping[str, Any]


@dataclass(frozen=True)
class Recorder:
    """Notes what is done in one session. Noting never fails and never waits.

    Attributes:
        user_id: of the service.
        service: host that the session is at.
    """

    session_id: str
    user_id: str
    service: str

    def note(self, activity: str, details: Details | Callable[[], Details]) -> None:
        """Note it as of now; `details` that take time are computed by the thread that writes."""
        try:
            path = path_of(self.session_id)
        except OSError as error:  # no data folder can be made
            _Writer.tell(Path(), error)
            return
        _Writer.put(Note(path, time.time(), self, activity, details))


@dataclass(frozen=True)
class Note:
    path: Path
    at: float
    recorder: Recorder
    activity: str
    details: Details | Callable[[], Details]

    def draft(self) -> Draft:
        details = self.details() if callable(self.details) else self.details
        return Draft(self.at, self.recorder_fields() | {"activity": self.activity, "details": dict(details)})

    def recorder_fields(self) -> dict[str, Any]:
        return {
            "session_id": self.recorder.session_id,
            "user_id": self.recorder.user_id,
            "service": self.recorder.service,
            "login": login_name(),
            "machine": platform.node(),
            "pid": os.getpid(),
        }


@cache
def login_name() -> str:
    """The operating system's name for who runs this process; empty where it has none."""
    try:
        import pwd  # not on Windows

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # a container may run as a user that has no name
        pass
    try:
        return os.getlogin()
    except OSError:
        return ""


def flush(timeout: float = AT_EXIT) -> bool:
    """Wait until all that is noted is written, or could not be; False after `timeout` seconds."""
    return _Writer.flush(timeout)


@dataclass
class _Lost:
    """Entries of one log that could not be written."""

    count: int = 0
    since: float = 0.0
    activities: dict[str, int] = field(default_factory=dict)


class _Writer:
    """The one thread of this process that writes logs: begun when there is something, ended when all is written."""

    _notes: SimpleQueue[Note | threading.Event] = SimpleQueue()
    _thread: threading.Thread | None = None
    _begin = threading.Lock()
    _is_registered = False
    _told: ClassVar[set[Path]] = set()
    _lost: ClassVar[dict[Path, _Lost]] = {}

    @classmethod
    def put(cls, item: Note | threading.Event) -> None:
        with cls._begin:
            cls._notes.put(item)
            if cls._thread is None:
                thread = daemon(cls._run, name="secgemini-activity")
                with contextlib.suppress(RuntimeError):  # no thread is left: the next note may find one
                    thread.start()
                    cls._thread = thread
            if not cls._is_registered:
                cls._is_registered = True
                atexit.register(flush)

    @classmethod
    def forget(cls) -> None:
        """In a forked child: what the parent noted is the parent's to write."""
        cls._notes, cls._thread, cls._begin = SimpleQueue(), None, threading.Lock()
        cls._lost = {}

    @classmethod
    def flush(cls, timeout: float) -> bool:
        if cls._thread is None and cls._notes.empty():
            return True
        written = threading.Event()
        cls.put(written)
        return written.wait(timeout if cls._thread is not None else 0)  # no thread: it was written, or cannot be now

    @classmethod
    def _run(cls) -> None:
        while True:
            items: list[Note | threading.Event] = []
            with cls._begin:
                if cls._notes.empty():
                    cls._thread = None
                    return
            while not cls._notes.empty():
                items.append(cls._notes.get())
            by_path: dict[Path, list[Note]] = {}
            for item in items:
                if isinstance(item, Note):
                    by_path.setdefault(item.path, []).append(item)
            for path, notes in by_path.items():
                cls._write(path, notes)
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()

    @classmethod
    def _write(cls, path: Path, notes: list[Note]) -> None:
        """This thread must go on, whatever an entry or the log's end brought: what is not written is counted."""
        drafts, written = [], []
        for note in notes:
            try:
                drafts.append(note.draft())
                written.append(note)
            except Exception as error:
                cls._lose(path, [note], error)
        lost = cls._lost.get(path)
        if lost:
            details = {"count": lost.count, "activities": lost.activities}
            fields = notes[0].recorder_fields() | {"activity": LOST, "details": details}
            drafts.insert(0, Draft(lost.since, fields))
        try:
            remarks = append(path, drafts)
        except Exception as error:
            cls._lose(path, written, error)
            return
        cls._lost.pop(path, None)
        for remark in remarks:
            log.warning("%s", one_line(remark))

    @classmethod
    def _lose(cls, path: Path, notes: list[Note], error: Exception) -> None:
        if notes:
            lost = cls._lost.setdefault(path, _Lost(since=notes[0].at))
            lost.count += len(notes)
            for note in notes:
                lost.activities[note.activity] = lost.activities.get(note.activity, 0) + 1
        cls.tell(path.parent, error)

    @classmethod
    def tell(cls, folder: Path, error: Exception) -> None:
        """Once for each folder: a full disk does not get emptier by repetition."""
        if folder in cls._told:
            return
        cls._told.add(folder)
        reason = getattr(error, "strerror", None) or str(error)
        log.warning(
            "The activity log cannot be written (%s: %s). Everything else goes on; what is missing will be told in it.",
            folder,
            one_line(redact(reason)),
        )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Writer.forget)
