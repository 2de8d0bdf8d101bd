"""Tar files, compressed or not, and files that are only compressed."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import tarfile
import time
from collections.abc import Iterator
from typing import Any

from secgemini_jupyter.local_server.analyst import sniff
from secgemini_jupyter.local_server.analyst.archives.model import (
    MAX_MEMBER,
    MAX_MEMBERS,
    MAX_STREAM,
    Listing,
    Member,
    check_ratio,
    find,
)
from secgemini_jupyter.local_server.analyst.text import utc
from secgemini_jupyter.local_server.analyst.tool import ToolFailure

MAX_STARTS = 400
START = 2**16
"""Bytes of a member that say what it is."""
MAX_EMPTY = 4
"""Reads after the end."""
MAX_COUNTED = 2**40
SECONDS = 4.0
COUNT_SECONDS = 2.0
BROKEN = (tarfile.TarError, *sniff.BROKEN, RecursionError, MemoryError)


class Stream(io.RawIOBase):
    """What is read of a compressed file: no more than `MAX_STREAM` bytes in all, nor much at once."""

    def __init__(self, content: bytes) -> None:
        opened = io.BytesIO(content)
        self.compression = ""
        self._file: Any = opened
        kinds: dict[bytes, tuple[str, Any]] = {
            b"\x1f\x8b": ("gzip", gzip.GzipFile),
            b"BZh": ("bzip2", bz2.BZ2File),
            b"\xfd7zXZ\0": ("xz", lzma.LZMAFile),
        }
        for magic, (name, kind) in kinds.items():
            if content.startswith(magic):
                self.compression = name
                self._file = kind(fileobj=opened) if kind is gzip.GzipFile else kind(opened)
        self.total = 0
        self.limit = MAX_STREAM
        self._deadline = time.monotonic() + SECONDS
        self._empty = 0

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0 or size > MAX_MEMBER:
            raise OSError("a header declares too much")
        data: bytes = self._file.read(size)
        self.total += len(data)
        self._empty += not data
        if self._empty > MAX_EMPTY:  # a header may declare terabytes, which would be skipped block by block
            raise EOFError
        if self.compression and time.monotonic() > self._deadline:
            raise OSError(f"only its first {self.total // 2**20} MiB are looked through")
        if self.total > self.limit:
            raise OSError(f"only its first {self.limit // 2**20} MiB are looked through")
        return data


def list_tar(content: bytes, starts: dict[int, bytes] | None = None) -> Listing:
    """The members up to where the file ends or breaks.

    Args:
        starts: is filled with the first bytes of some hundred files, by where their headers begin.
    """
    stream = Stream(content)
    members: list[Member] = []
    notes: list[str] = []
    try:
        for info, start in _infos(stream, 0 if starts is None else MAX_STARTS):
            members.append(_member(info, None if stream.compression else len(content)))
            if starts is not None and start:
                starts[info.offset] = start
            if len(members) == MAX_MEMBERS:
                notes.append(f"only the first {MAX_MEMBERS:,} members are listed")
                break
    except BROKEN as error:
        notes.append(_reason(error))
    listed = "tar" if not stream.compression else f"tar, packed with {stream.compression}"
    if stream.compression and len(content) and stream.total > 500 * len(content):
        notes.append(f"{len(content):,} bytes unpack to {stream.total:,} or more")
    return Listing(listed, members, len(members), notes=tuple(notes))


def read_tar(content: bytes, name: str) -> bytes:
    """A member's content.

    Raises:
        ToolFailure: there is none, it is no file, or it is too large.
    """
    member = find(list_tar(content).members, name)
    if member.type != "file":
        raise ToolFailure(f"{member.name!r} is no file but a {member.type}.")
    stream = Stream(content)
    found = b""
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                if info.name == member.name and info.isfile():
                    check_ratio(member.name, info.size, len(content))
                    file = archive.extractfile(info)
                    found = file.read() if file else b""
                    if info.offset == member.start:
                        break
    except BROKEN as error:
        if not found:
            raise ToolFailure(f"{name!r} cannot be read: {_reason(error)}.") from None
    return found


def list_packed(content: bytes, kind: str, starts: dict[int, bytes] | None = None) -> Listing:
    """A file that is compressed and nothing else: one member, with the name that gzip stores, if any.

    Args:
        starts: is filled with its first bytes, under 0.
    """
    data, is_more = sniff.unpack(content, MAX_MEMBER)
    if data[: len(content)] == content:
        raise ToolFailure(f"The {kind} file is broken: nothing of it can be unpacked.")
    if starts is not None:
        starts[0] = data[:START]
    size, notes = len(data), []
    is_counted = True
    if is_more:
        size, is_end = _counted(content)
        declared = (
            int.from_bytes(content[-4:], "little") if kind == "gzip" else 0
        )  # of the last part, without what is over 4 GiB
        if not is_end and declared > size:
            size, is_counted = declared, False
            notes.append("its size is what its trailer declares")
        elif not is_end:
            notes.append(f"it unpacks to more than the {size:,} bytes that were counted")
    modified = None
    if kind == "gzip" and (seconds := int.from_bytes(content[4:8], "little")):
        modified = utc(seconds).removesuffix(" UTC")
    name = gzip_name(content) if kind == "gzip" else ""
    member = Member(name or "content", size, len(content), modified, method=kind, notes=tuple(notes))
    return Listing(kind, [member], 1, is_counted=is_counted)


def _counted(content: bytes) -> tuple[int, bool]:
    """How many bytes come out, as far as some seconds go, and whether that was all."""
    stream = Stream(content)
    stream.limit = MAX_COUNTED
    deadline = time.monotonic() + COUNT_SECONDS
    try:
        while time.monotonic() < deadline:
            if not stream.read(2**20):
                return stream.total, True
    except BROKEN:
        return stream.total, stream.total <= MAX_COUNTED
    return stream.total, False


def read_packed(content: bytes, name: str) -> bytes:
    data, _ = sniff.unpack(content, MAX_MEMBER)
    check_ratio(name, len(data), len(content))
    return data


def gzip_name(content: bytes) -> str:
    """The name that was stored when the file was compressed."""
    if len(content) < 12 or not content[3] & 8:
        return ""
    start = 12 + int.from_bytes(content[10:12], "little") if content[3] & 4 else 10
    stop = content.find(b"\0", start, start + 4096)
    return content[start:stop].decode("latin-1") if stop > 0 else ""


def _infos(stream: Stream, starts: int) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Each member, and the first bytes of the first `starts` files."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            start = b""
            if starts and info.isreg() and (file := archive.extractfile(info)):
                starts -= 1
                with contextlib.suppress(*BROKEN):  # the next header will tell that the file is cut
                    start = file.read(START)
            yield info, start
            archive.members = []  # type: ignore[attr-defined]  # it would keep every one


def _member(info: tarfile.TarInfo, end: int | None) -> Member:
    """`end`: where the file ends; None if it is packed, so that nobody knows."""
    kind = "folder" if info.isdir() else "link" if info.issym() or info.islnk() else "device"
    kind = "file" if info.isreg() else kind
    notes = ["setuid"] if info.mode & 0o4000 and info.isreg() else []
    if kind == "file" and info.issparse():
        notes.append("a sparse file: most of it may be holes")
    elif kind == "file" and end is not None and info.offset_data + info.size > end:
        notes.append(
            f"its header declares {info.size:,} bytes, the file ends after {max(0, end - info.offset_data):,} of them"
        )
    return Member(
        info.name,
        info.size,
        None,
        utc(info.mtime).removesuffix(" UTC"),
        kind,
        info.linkname if kind == "link" else "",
        notes=tuple(notes),
        start=info.offset,
    )


def _reason(error: Exception) -> str:
    text = str(error)
    ours = text.startswith(("a header declares", "only its first"))
    return text if ours else "the file is cut or broken there"
