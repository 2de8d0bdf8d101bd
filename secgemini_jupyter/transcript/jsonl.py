"""Messages as JSON Lines: one message a line, in the shape of the wire, with every field that came."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from secgemini_jupyter.errors import InputError, ProtocolError
from secgemini_jupyter.models import Message, read_message

__all__ = ["from_jsonl", "read_jsonl", "read_regular", "replacing", "to_jsonl", "write_jsonl"]


def to_jsonl(messages: Iterable[Message]) -> bytes:
    """`messages` as UTF-8 lines. Reading them again gives the same messages, unknown values and fields included."""
    return b"".join(message.to_json() + b"\n" for message in messages)


def from_jsonl(lines: bytes | str) -> list[Message]:
    """The messages of JSON Lines; empty lines are nothing.

    Raises:
        ProtocolError: a line is no JSON object; the error names it.
    """
    data = lines.encode("utf-8", "surrogatepass") if isinstance(lines, str) else lines
    messages = []
    # Not `splitlines` on text: a line separator inside of a JSON string is no end of a line.
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            try:
                messages.append(read_message(line))
            except ProtocolError as error:
                raise ProtocolError(f"Line {number}: {error}") from None
    return messages


def write_jsonl(messages: Iterable[Message], path: str | os.PathLike[str]) -> None:
    """Write `messages` to `path`: whole, or not at all. A file that was there keeps its mode; a new one has 0600.

    Raises:
        InputError: the file cannot be written.
    """
    with replacing(Path(path)) as file:
        for message in messages:
            file.write(message.to_json() + b"\n")


def read_jsonl(path: str | os.PathLike[str]) -> list[Message]:
    """The messages in the file at `path`.

    Raises:
        InputError: the file cannot be read.
        ProtocolError: a line is no JSON object; the error names it.
    """
    try:
        return from_jsonl(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}. Check the path.") from None


def read_regular(path: Path, limit: int, *, flags: int = 0) -> bytes:
    """What a regular file holds; a pipe or a device in its place holds up nobody.

    Args:
        limit: bytes.
        flags: of `os.open`, besides.

    Raises:
        OSError: it cannot be opened or read.
        ValueError: it is no regular file, or has more bytes.
    """

    def without_waiting(name: str, given: int) -> int:
        return os.open(name, given | getattr(os, "O_NONBLOCK", 0) | flags)

    with open(path, "rb", opener=without_waiting) as file:  # Path.open has no opener
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            raise ValueError("it is no regular file, or too large")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError("it grew while it was read")
    return content


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `path` when all went well: a crash leaves the old one, never half of a new."""
    try:
        path = path.resolve()  # a link stays a link
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.", suffix=".tmp")
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror}. Check the folder.") from None
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
