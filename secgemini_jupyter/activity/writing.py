"""Entries are appended under a lock; where a write was cut off, that is told and the log goes on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secgemini_jupyter.activity.entries import GENESIS, REPAIRED, read_entry, seal, torn
from secgemini_jupyter.settings import data_dir

__all__ = ["Draft", "append", "path_of"]

FOLDER = "activity"
LOCK = ".lock"
PATIENCE = 10.0
"""Seconds that an append waits for another kernel's."""
POLL = 0.005
TAIL = 64 * 1024
"""Bytes at the end in which the last entry stands, if nothing is wrong."""
_PLAIN = re.compile(r"[a-z0-9_-]{1,100}")
_OPTIONS = (
    getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a FIFO would else wait
)  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """An entry without its place in the chain. `at` in Unix seconds, when it happened."""

    at: float
    fields: Mapping[str, Any]


def path_of(session_id: str) -> Path:
    """Where the log of a session is; an id that is no plain name is hashed, since the service chose it."""
    name = (
        session_id
        if _PLAIN.fullmatch(session_id)
        else hashlib.sha256(session_id.encode("utf-8", "replace")).hexdigest()
    )
    return data_dir() / FOLDER / f"session-{name}.jsonl"


def append(path: Path, drafts: Sequence[Draft]) -> list[str]:
    """Write entries behind the last one, in one piece; gives remarks to tell the user.

    Raises:
        OSError: nothing was written.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _keep_private(path.parent, 0o700)
    with _locked(path.parent), _opened(path) as descriptor:
        size = os.fstat(descriptor).st_size
        end = _end(descriptor, size)
        remarks = []
        if end.torn:
            repair = {"activity": REPAIRED, "details": {"torn": [torn(line) for line in end.torn]}}
            drafts = [Draft(drafts[0].at, {**drafts[0].fields, **repair}), *drafts]
            remarks = [f"The last line of {path} was cut off while it was written; it stays there, the log goes on."]
        number, previous = end.number, end.hash
        lines = [b"\n"] if end.is_open else []
        for draft in drafts:
            number += 1
            line, previous = seal(draft.fields, number=number, previous=previous, at=draft.at)
            lines.append(line)
        _write(descriptor, b"".join(lines), size)
        return remarks


@dataclass(frozen=True)
class End:
    """Where a log ends.

    Attributes:
        torn: what stands behind the last entry, if a write was cut off there.
        is_open: whether the last line has no end.
    """

    number: int = 0
    hash: str = GENESIS
    torn: Sequence[bytes] = ()
    is_open: bool = False


def _end(descriptor: int, size: int) -> End:
    """The end of the file: of its tail, and of all of it where that holds no entry."""
    for start in dict.fromkeys((max(0, size - TAIL), 0)):
        lines = _read(descriptor, start, size).split(b"\n")
        is_open = bool(lines[-1])
        if not is_open:
            lines.pop()
        behind: list[bytes] = []
        for line in reversed(lines):
            # No log has more entries than bytes: a number that says so was put there, and nothing counts on from it.
            if (entry := read_entry(line)) and entry.number <= size:
                # What has an end was not cut off: somebody wrote it, and `verify` names it.
                is_torn = is_open and bool(behind)
                return End(entry.number, entry.hash, behind[::-1] if is_torn else (), is_open)
            behind.append(line)
        if start == 0:
            return End(torn=behind[::-1] if is_open else (), is_open=is_open)
    raise AssertionError("a file is read from its beginning at last")


def _read(descriptor: int, start: int, end: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)
    parts = []
    while start < end and (part := os.read(descriptor, end - start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _write(descriptor: int, data: bytes, size: int) -> None:
    """All of `data`, or nothing: a full disk takes a part of a line before it fails."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One append at a time of all kernels. One lock for all logs: an append takes less than a millisecond."""
    from filelock import FileLock

    try:
        with FileLock(folder / LOCK, timeout=PATIENCE, poll_interval=POLL, mode=0o600):
            yield
    except NotImplementedError as error:  # filelock's, for a file system without locks
        raise OSError(f"the folder {folder} has no file locks") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _OPTIONS, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        _keep_private(path, 0o600)
        yield descriptor
    finally:
        os.close(descriptor)


def _keep_private(path: Path, mode: int) -> None:
    """Take from others what an umask, a copy or a restored backup gave them."""
    if os.name == "posix" and stat.S_IMODE(path.lstat().st_mode) & 0o077:
        path.chmod(mode)
