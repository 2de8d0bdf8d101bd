"""Evidence on its way up: a file from disk is read whole or refused, and what arrived is compared with it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from secgemini_jupyter.errors import AttachmentError, InputError
from secgemini_jupyter.models import PublicSessionFile

LONGEST_NAME = 255


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
        if before.st_size > limit:
            raise AttachmentError(_too_large(shown, before.st_size, limit))
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
    """The name to send: without folders, since the service keeps none.

    Raises:
        InputError: `content` is not bytes, or there is no usable name.
        AttachmentError: above `limit` bytes.
    """
    if not isinstance(content, bytes):
        raise InputError(
            f"content is {type(content).__name__}, not bytes. Pass text as text.encode(). Nothing was sent."
        )
    name = re.split(r"[\\/]", filename)[-1] if isinstance(filename, str) else ""
    if not name.strip() or name in (".", "..") or "\0" in name:
        raise InputError(f"filename {filename!r} names no file. Pass a name such as 'auth.log'. Nothing was sent.")
    try:
        name.encode()
    except UnicodeEncodeError:  # from disk: bytes that are no UTF-8
        raise InputError(
            f"filename {name!r} is no text that can be sent. Use attach_file with another name. Nothing was sent."
        ) from None
    if len(name) > LONGEST_NAME:
        raise InputError(f"filename has {len(name)} characters, at most {LONGEST_NAME} are taken. Nothing was sent.")
    if len(content) > limit:
        raise AttachmentError(_too_large(repr(name), len(content), limit))
    return name


def compare(attached: PublicSessionFile, content: bytes, index: int) -> None:
    """The service's sha256 against ours.

    Raises:
        AttachmentError: they differ: what the service will analyse is not this file.
    """
    ours = hashlib.sha256(content).hexdigest()
    if attached.sha256.lower() != ours:
        raise AttachmentError(
            f"The service's copy of {attached.name!r} differs: sha256 {attached.sha256 or 'missing'}, ours {ours}. "
            f"Remove it with detach_file({index}) and attach it again."
        )


def _too_large(shown: str, size: int, limit: int) -> str:
    return (
        f"{shown} has {size:,} bytes, at most {limit:,} are sent. Attach a part of it, or a log by "
        "upload_and_attach_logs. Nothing was sent."
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
