"""Evidence on its way up: a file from disk is read whole or refused, and what arrived is compared with it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from secgemini_jupyter.errors import AttachmentError, InputError
from secgemini_jupyter.models import PublicSessionFile
from secgemini_jupyter.protocol.attachments import base_name, check_size

if TYPE_CHECKING:
    from secgemini_jupyter.client.state import SessionState


def read_from_disk(file_path: str | os.PathLike[str], limit: int) -> tuple[str, bytes]:
    """Name and content of a regular file.

    Raises:
        InputError: `file_path` is no path.
        AttachmentError: it is missing, no regular file, above `limit` bytes, unreadable, or changed while it was read.
    """
    try:
        path = Path(file_path).expanduser()
    except (TypeError, RuntimeError) as error:  # no path at all; a home folder that does not exist
        raise InputError(f"file_path {file_path!r} names no file ({error}). Nothing was sent.") from None
    shown = repr(str(path))
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise AttachmentError(f"There is no file {shown} (working folder: {Path.cwd()}). Nothing was sent.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AttachmentError(f"{shown} cannot be read: {reason}. Nothing was sent.") from None
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise AttachmentError(f"{shown} is {_kind(before.st_mode)}. Attach a regular file. Nothing was sent.")
        check_size(shown, before.st_size, limit)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
        after = os.fstat(descriptor)
    except OSError as error:
        raise AttachmentError(f"{shown} cannot be read: {error.strerror}. Nothing was sent.") from None
    finally:
        os.close(descriptor)
    if len(content) != before.st_size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise AttachmentError(
            f"{shown} changed while it was read. Copy it first, then attach the copy. Nothing was sent."
        )
    return path.name, content


def check(filename: str, content: bytes, limit: int) -> str:
    """The name to send.

    Raises:
        InputError: `content` is not bytes, or there is no usable name.
        AttachmentError: above `limit` bytes.
    """
    if not isinstance(content, bytes):
        raise InputError(
            f"content is {type(content).__name__}, not bytes. Pass text as text.encode(). Nothing was sent."
        )
    name = base_name(filename)
    check_size(repr(name), len(content), limit)
    return name


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def sending(state: SessionState, name: str, size: int, ours: str) -> Iterator[None]:
    """The time in which a file is sent: if it ends without an answer, the log says that it may have left."""
    try:
        yield
    except BaseException as error:  # an interrupt too
        if not getattr(error, "nothing_sent", False):
            state.note(
                "file_not_confirmed", {"name": name, "size": size, "sha256": ours, "status": type(error).__name__}
            )
        raise


def arrived(state: SessionState, attached: PublicSessionFile, ours: str, before: Sequence[PublicSessionFile]) -> None:
    """Take `attached` over into the snapshot, which had `before`, and compare the service's sha256 with ours.

    Args:
        ours: of the bytes, before they were sent.

    Raises:
        AttachmentError: they differ: what the service will analyse is not this file.
    """
    is_same = attached.sha256.lower() == ours
    index = state.add_file(attached, before, sha256=ours, verified=is_same)
    if not is_same:
        raise AttachmentError(
            f"The service's copy of {attached.name!r} differs: sha256 {attached.sha256 or 'missing'}, ours {ours}. "
            f"Remove it with detach_file({index}) and attach it again."
        )


def _kind(mode: int) -> str:
    for test, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if test(mode):
            return name
    return "no regular file"
