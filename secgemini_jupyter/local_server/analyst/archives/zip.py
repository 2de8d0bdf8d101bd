"""Zip files: both headers of every member, and their contents, without the trust that programs have in the first."""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections import Counter
from dataclasses import dataclass, replace

from secgemini_jupyter.local_server.analyst.archives.model import (
    MAX_MEMBER,
    MAX_MEMBERS,
    Listing,
    Member,
    check_ratio,
    find,
)
from secgemini_jupyter.local_server.analyst.text import code, count
from secgemini_jupyter.local_server.analyst.tool import ToolFailure

_METHODS = {0: "stored", 8: "deflate", 9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz", 99: "AES"}
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


@dataclass(frozen=True)
class End:
    """The end record: where the central directory is. `before`: bytes that stand before the archive's first."""

    position: int
    entries: int
    size: int
    offset: int
    before: int
    comment: bytes


def end_record(content: bytes) -> End | None:
    position = content.rfind(_END, max(0, len(content) - 65_557))
    while position >= 0 and position > len(content) - 22:
        position = content.rfind(_END, max(0, len(content) - 65_557), position)
    if position < 0:
        return None
    entries, size, offset, comment = struct.unpack_from("<HIIH", content, position + 10)
    directory_end = position
    locator = position - 20
    if locator >= 0 and content.startswith(b"PK\x06\x07", locator):
        (at,) = struct.unpack_from("<Q", content, locator + 8)
        for start in (at, locator - 56):
            if 0 <= start <= len(content) - 56 and content.startswith(b"PK\x06\x06", start):
                entries, size, offset = struct.unpack_from("<QQQ", content, start + 32)
                directory_end = start
                break
    before = directory_end - size - offset
    return End(position, entries, size, offset, max(before, 0), content[position + 22 : position + 22 + comment])


def list_zip(content: bytes, kind: str = "zip") -> Listing:
    """The members of the central directory, each compared with the header before its content.

    Raises:
        ToolFailure: there is no central directory.
    """
    end = end_record(content)
    if end is None:
        raise ToolFailure("The zip file has no end record: it is cut or broken.")
    members: list[Member] = []
    position = end.before + end.offset
    while position <= len(content) - 46 and content.startswith(_CENTRAL, position) and len(members) < MAX_MEMBERS:
        member, position = _central(content, position, end.before)
        members.append(member)
    total = max(len(members), end.entries) if len(members) == MAX_MEMBERS else len(members)
    notes = []
    if end.before:
        notes.append(f"{count(end.before, 'byte')} before the zip file: something else is in front of it")
    if end.entries != len(members) and len(members) < MAX_MEMBERS and end.entries < 0xFFFF:
        notes.append(f"the end record promises {end.entries:,} members, the directory has {len(members):,}")
    if after := len(content) - end.position - 22 - len(end.comment):
        notes.append(f"{count(after, 'byte')} after the zip file")
    notes += _overlaps(content, members)
    comment = end.comment.decode("utf-8", "replace")
    return Listing(kind, members, total, comment, tuple(notes))


def _central(content: bytes, position: int, before: int) -> tuple[Member, int]:
    flags, method, time, date, _, packed, size, names, extras, comments = struct.unpack_from(
        "<HHHHIIIHHH", content, position + 8
    )
    made_by, attributes, start = content[position + 5], *struct.unpack_from("<II", content, position + 38)
    raw = content[position + 46 : position + 46 + names]
    extra = content[position + 46 + names : position + 46 + names + extras]
    size, packed, start = _zip64(extra, size, packed, start)
    name = raw.decode("utf-8" if flags & 0x800 else "cp437", "replace")
    mode = attributes >> 16 if made_by == 3 else 0
    member = Member(
        name,
        size,
        packed,
        _dos_time(date, time),
        "folder" if name.endswith("/") else "link" if mode & 0o170000 == 0o120000 else "file",
        is_encrypted=bool(flags & 1),
        method=_METHODS.get(method, f"method {method}"),
        start=before + start,
    )
    notes = _mismatch(content, member, raw, flags, method, packed, size)
    if member.type == "link" and not member.is_encrypted and (size or 0) < 4096:
        try:
            target = read_member(content, member, 4096, is_start_enough=True)
            member = replace(member, target=target.decode("utf-8", "replace"))
        except ToolFailure:
            notes.append("its target cannot be read")
    return replace(member, notes=tuple(notes)), position + 46 + names + extras + comments


def _zip64(extra: bytes, size: int, packed: int, start: int) -> tuple[int, int, int]:
    """The sizes as zip64 has them, where the plain ones are full."""
    position = 0
    while position <= len(extra) - 4:
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == 1:
            data = extra[position + 4 : position + 4 + length]
            numbers = [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data) - 7, 8)]
            values = [size, packed, start]
            for index, value in enumerate(values):
                if value == 0xFFFFFFFF and numbers:
                    values[index] = numbers.pop(0)
            return values[0], values[1], values[2]
        position += 4 + length
    return size, packed, start


def _mismatch(
    content: bytes, member: Member, name: bytes, flags: int, method: int, packed: int, size: int
) -> list[str]:
    """Where the header before the content says something else: programs differ in which one they believe."""
    at = member.start
    if not 0 <= at <= len(content) - 30 or not content.startswith(_LOCAL, at):
        return ["there is no header where the directory points"]
    its_flags, its_method = struct.unpack_from("<HH", content, at + 6)
    its_packed, its_size, its_name = struct.unpack_from("<IIH", content, at + 18)
    notes = []
    other = content[at + 30 : at + 30 + its_name]
    if other != name:
        notes.append(f"its own header calls it {code(other.decode('utf-8', 'replace'), 60)}")
    if its_method != method:
        notes.append(f"its own header says {_METHODS.get(its_method, its_method)}")
    if (its_flags ^ flags) & 1:
        notes.append(f"its own header says it is {'' if its_flags & 1 else 'not '}encrypted")
    is_streamed, is_large = its_flags & 8, 0xFFFFFFFF in (its_size, its_packed)
    if not is_streamed and not is_large and (its_size, its_packed) != (size, packed):
        notes.append(f"its own header says {its_size:,} bytes, {its_packed:,} packed")
    return notes


def _overlaps(content: bytes, members: list[Member]) -> list[str]:
    """Members that share bytes: how a zip file of kilobytes unpacks to petabytes."""
    spans = sorted((each.start, each.start + 30 + (each.packed or 0)) for each in members if each.start < len(content))
    starts = Counter(start for start, _ in spans)
    shared = sum(n - 1 for n in starts.values())
    reach = crossed = 0
    for start, stop in sorted({*spans}):
        crossed += start < reach
        reach = max(reach, stop)
    if shared or crossed:
        return [f"{count(max(shared, crossed), 'member')} overlap others: the same bytes are unpacked again and again"]
    return []


def _dos_time(date: int, time: int) -> str | None:
    year, month, day = 1980 + (date >> 9), date >> 5 & 15, date & 31
    hour, minute, second = time >> 11, time >> 5 & 63, (time & 31) * 2
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        return None
    return f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"


def read_zip(content: bytes, name: str) -> bytes:
    """A member's content."""
    return read_member(content, find(list_zip(content).members, name))


def read_member(content: bytes, member: Member, limit: int = MAX_MEMBER, *, is_start_enough: bool = False) -> bytes:
    """A member's content.

    Args:
        is_start_enough: give the first `limit` bytes rather than refuse.

    Raises:
        ToolFailure: it is encrypted, too large, broken, or packed in a way that nothing here can read.
    """
    at = member.start
    if member.is_encrypted:
        raise ToolFailure(f"{member.name!r} is encrypted: it cannot be read without the password.")
    if not 0 <= at <= len(content) - 30 or not content.startswith(_LOCAL, at):
        raise ToolFailure(f"{member.name!r} cannot be read: there is no header where the directory points.")
    names, extras = struct.unpack_from("<HH", content, at + 26)
    start = at + 30 + names + extras
    packed = memoryview(content)[start : start + (member.packed or 0)]
    try:
        data = _unpacked(packed, member.method, limit + 1)
    except (zlib.error, OSError, ValueError, EOFError, lzma.LZMAError, struct.error):
        raise ToolFailure(f"{member.name!r} cannot be read: its packed bytes are broken.") from None
    if data is None:
        raise ToolFailure(f"{member.name!r} is packed with {member.method}, which cannot be read here.")
    if not is_start_enough:
        check_ratio(member.name, len(data), len(packed))
    return data[:limit]


def _unpacked(packed: memoryview, method: str, limit: int) -> bytes | None:
    """At most `limit` bytes."""
    if method == "stored":
        return bytes(packed[:limit])
    if method == "deflate":
        return zlib.decompressobj(-15).decompress(packed, limit)
    if method == "bzip2":
        return bz2.BZ2Decompressor().decompress(packed, limit)
    if method == "lzma":
        (properties,) = struct.unpack_from("<H", packed, 2)
        filters = lzma._decode_filter_properties(lzma.FILTER_LZMA1, bytes(packed[4 : 4 + properties]))  # type: ignore[attr-defined]
        if filters.get("dict_size", 0) > MAX_MEMBER:
            return None
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters])
        return decompressor.decompress(packed[4 + properties :], limit)
    return None
