"""A log looked through before anything of it is sent: its hash, its lines, and where it is cut into chunks."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from secgemini_jupyter.client.json_lines import JSONLines
from secgemini_jupyter.disk import UnreadableError, opened
from secgemini_jupyter.errors import AttachmentError, InputError, holds_key

HASH_KEY = b"secgemini"
CHUNK_BYTES = 10_000_000
MAX_LINE_BYTES = 32 * 2**20
BOM = b"\xef\xbb\xbf"
_PACKED = {
    b"\x1f\x8b": "gzip: unpack it first (gunzip -k)",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"BZh": "bzip2: unpack it first",
    b"\xfd7zXZ\0": "xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "zstd: unpack it first",
    b"\xff\xfe": "UTF-16 text: convert it to UTF-8 first",
    b"\xfe\xff": "UTF-16 text: convert it to UTF-8 first",
}


@dataclass(frozen=True)
class Chunk:
    """Whole lines: about 10 MB of them, or one that is longer. `digest` tells whether they are still the same."""

    offset: int
    size: int
    first_line: int
    lines: int
    digest: bytes

    @property
    def end_line(self) -> int:
        return self.first_line + self.lines


@dataclass(frozen=True)
class ScannedLog:
    """What was found. Lines end at `\\n` alone; the last one may lack it.

    Attributes:
        others: lines that hold something else than an object; `first_other` is the number of the first one.
    """

    path: Path
    hash: str
    size: int
    lines: int
    others: int
    first_other: int | None
    chunks: tuple[Chunk, ...]
    identity: tuple[int, ...]

    def read(self, chunk: Chunk) -> list[str]:
        """The lines of a chunk, each with its end. A mark of byte order before the first one is left out.

        Raises:
            AttachmentError: the file changed since it was looked through.
        """
        with _reading(self.path) as file:
            file.seek(chunk.offset)
            content = file.read(chunk.size)
            if _identity(file) != self.identity or _digest(content) != chunk.digest:
                raise AttachmentError(
                    f"{str(self.path)!r} changed while it was sent. Copy it first, then send the copy."
                )
        return list(io.StringIO(content.removeprefix(BOM if chunk.offset == 0 else b"").decode(), newline="\n"))


def scan(file_path: str | os.PathLike[str], fields: Collection[str] = ()) -> ScannedLog:
    """Look through a log of JSON Lines.

    Args:
        fields: that some line has to have.

    Raises:
        InputError: `file_path` is no path, or no line has one of the fields.
        AttachmentError: it is missing, no regular file, unreadable, empty, packed, no UTF-8 text, no JSON Lines, holds
            the API key, or changed meanwhile.
    """
    try:
        path = Path(file_path).expanduser()
    except (TypeError, RuntimeError) as error:  # no path at all; a home folder that does not exist
        raise InputError(f"file_path {file_path!r} names no file ({error}). Nothing was sent.") from None
    digest, chunks, line = hashlib.blake2s(key=HASH_KEY), list[Chunk](), 0
    seen, shape = JSONLines(fields), b""
    with _reading(path) as file:
        before = _identity(file)
        while content := _whole_lines(file, path, line):
            if not chunks:
                _check_packed(content, path)
            lines = content.count(b"\n") + (not content.endswith(b"\n"))
            _check_text(content, path, line)
            seen.add(content if chunks else content.removeprefix(BOM), line)
            shape = shape or content.removeprefix(BOM).lstrip()[:1]
            if seen.is_something_else:
                raise _no_json_lines(path, shape)
            digest.update(content)
            chunks.append(Chunk(file.tell() - len(content), len(content), line, lines, _digest(content)))
            line += lines
        size = file.tell()
        if _identity(file) != before or (size != os.fstat(file.fileno()).st_size):
            raise AttachmentError(f"{str(path)!r} changed while it was read. Copy it first. Nothing was sent.")
    if not chunks:
        raise AttachmentError(f"{str(path)!r} is empty. Nothing was sent.")
    if not seen.objects:
        raise _no_json_lines(path, shape)
    _check_fields(seen, path)
    return ScannedLog(path, digest.hexdigest(), size, line, seen.others, seen.first_other, tuple(chunks), before)


@contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    shown = repr(str(path))
    try:
        with opened(path) as file:
            yield file
    except FileNotFoundError:
        raise AttachmentError(f"There is no file {shown} (working folder: {Path.cwd()}). Nothing was sent.") from None
    except UnreadableError as error:
        raise AttachmentError(f"{shown} cannot be sent: {error}. Nothing was sent.") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise AttachmentError(f"{shown} cannot be read: {reason}. Nothing was sent.") from None


def _identity(file: IO[bytes]) -> tuple[int, ...]:
    info = os.fstat(file.fileno())
    assert stat.S_ISREG(info.st_mode)
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _whole_lines(file: IO[bytes], path: Path, line: int) -> bytes:
    """The next lines, up to a chunk of them; a longer one alone."""
    content = file.read(CHUNK_BYTES)
    if len(content) < CHUNK_BYTES:  # the rest
        return content
    if end := content.rfind(b"\n") + 1:
        file.seek(end - len(content), io.SEEK_CUR)
        return content[:end]
    if content:
        content += file.readline(MAX_LINE_BYTES)
        if len(content) > MAX_LINE_BYTES:
            raise AttachmentError(
                f"Line {line + 1:,} of {str(path)!r} is longer than {MAX_LINE_BYTES // 2**20} MiB: these are no JSON "
                "Lines. Nothing was sent."
            )
    return content


def _check_packed(content: bytes, path: Path) -> None:
    for start, kind in _PACKED.items():
        if content.startswith(start):
            raise AttachmentError(f"{str(path)!r} is {kind}. Nothing was sent.")


def _no_json_lines(path: Path, shape: bytes) -> AttachmentError:
    """
    Args:
        shape: how it begins.
    """
    advice = "convert it first, pandas does: df.to_json(path, orient='records', lines=True)"
    if shape in (b"{", b"["):
        advice = "it is JSON of another shape. jq writes such lines: jq -c . FILE, or jq -c '.[]' FILE of a list"
    return AttachmentError(f"{str(path)!r} holds no JSON Lines, one object a line: {advice}. Nothing was sent.")


def _check_fields(seen: JSONLines, path: Path) -> None:
    if seen.missing:
        name = min(seen.missing)
        raise InputError(
            f"custom_fields_mapping renames {name!r}, and no line of {str(path)!r} has such a field; there is "
            f"{seen.instead_of(name)}. Nothing was sent."
        )


def _check_text(content: bytes, path: Path, line: int) -> None:
    shown = repr(str(path))
    try:
        content.decode()
    except UnicodeDecodeError as error:
        number = line + content.count(b"\n", 0, error.start) + 1
        raise AttachmentError(
            f"Line {number:,} of {shown} is no UTF-8 text. Convert the log first. Nothing was sent."
        ) from None
    if (at := content.find(0)) >= 0:
        number = line + content.count(b"\n", 0, at) + 1
        raise AttachmentError(f"Line {number:,} of {shown} holds a NUL byte: that is no JSON. Nothing was sent.")
    if holds_key(content):
        raise AttachmentError(f"{shown} holds the API key. Take it out. Nothing was sent.")
