"""Files on disk: opened so that nothing in their place holds us up, replaced whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from secgemini_jupyter.errors import InputError

__all__ = ["UnreadableError", "opened", "read_regular", "replacing"]


class UnreadableError(ValueError):
    """What is there is not read; the text says why, as the end of a sentence."""


@contextmanager
def opened(path: str | os.PathLike[str], *, flags: int = 0) -> Iterator[IO[bytes]]:
    """A regular file to read: a pipe would wait for somebody who writes, a device would never end.

    Args:
        flags: of `os.open`, besides.

    Raises:
        OSError: it cannot be opened.
        UnreadableError: it is something else.
    """

    def without_waiting(name: str, given: int) -> int:
        return os.open(name, given | getattr(os, "O_NONBLOCK", 0) | flags)

    with open(path, "rb", opener=without_waiting) as file:  # Path.open has no opener
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnreadableError("it is no regular file")
        yield file


def read_regular(path: str | os.PathLike[str], limit: int, *, flags: int = 0) -> bytes:
    """All that a regular file of at most `limit` bytes holds.

    Raises:
        OSError: it cannot be opened or read.
        UnreadableError: it is no such file.
    """
    with opened(path, flags=flags) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(limit + 1) if size <= limit else b""
    if max(size, len(content)) > limit:
        raise UnreadableError(f"it has {max(size, len(content)):,} bytes, at most {limit:,} are read")
    return content


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` when all went well: a crash leaves the old one, never half of a new.

    Raises:
        InputError: it cannot be written, or something else than a regular file is there.
    """
    import tempfile

    given = path
    try:
        path = Path(given).expanduser().resolve()  # a link stays a link
        if path.exists() and not path.is_file():
            raise InputError(f"{str(given)!r} is no regular file. Give another name.")
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.", suffix=".tmp")
    except OSError as error:
        raise InputError(f"{str(given)!r} cannot be written: {error.strerror}. Check the folder.") from None
    except InputError:
        raise
    except (RuntimeError, TypeError, ValueError) as error:  # a link to itself, no path, a NUL in it
        raise InputError(f"{str(given)!r} is no path ({error}). Give another name.") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            Path(name).chmod(stat.S_IMODE(path.stat().st_mode))
        Path(name).replace(path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f"{str(path)!r} cannot be written: {error.strerror}. Check the folder.") from None
        raise
