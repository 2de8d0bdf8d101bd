"""Compound files (OLE): their streams, read with bounds on everything that a header may claim."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAX_SECTORS = 400_000
MAX_ENTRIES = 5_000
MAX_STREAM = 32 * 2**20
_END = 0xFFFFFFFA
"""Numbers from here on are no sectors."""


@dataclass(frozen=True)
class Entry:
    name: str
    path: str
    kind: int
    """1 a storage, 2 a stream, 5 the root"""
    start: int
    size: int
    clsid: str


class CompoundFile:
    """What is there of a file that may be cut or broken: `entries` are the storages and streams."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        head = content[:512].ljust(512, b"\0")
        shift, mini_shift = struct.unpack_from("<HH", head, 30)
        self.sector = 1 << (shift if 7 <= shift <= 16 else 9)
        self.mini_sector = 1 << (mini_shift if 4 <= mini_shift <= 9 else 6)
        directory, self.cutoff, mini_start, _, difat, difats = struct.unpack_from("<IxxxxIIIII", head, 48)
        tables = [n for n in struct.unpack_from("<109I", head, 76) if n < _END]
        for _ in range(min(difats, 2_000)):
            data = self._at(difat)
            if difat >= _END or len(data) < self.sector:
                break
            *more, difat = struct.unpack(f"<{self.sector // 4}I", data)
            tables += [n for n in more if n < _END]
        self._next = self._numbers(tables[: MAX_SECTORS * 4 // self.sector + 1])
        self._mini_next = self._numbers(self._chain(mini_start, self._next))
        self.entries = self._directory(b"".join(map(self._at, self._chain(directory, self._next))))
        root = next((each for each in self.entries if each.kind == 5), None)
        self._mini = self._stream(root.start, min(root.size, MAX_STREAM)) if root else b""

    def _at(self, number: int) -> bytes:
        start = (number + 1) * self.sector
        return self.content[start : start + self.sector]

    def _numbers(self, sectors: list[int]) -> list[int]:
        data = b"".join(map(self._at, sectors))
        return list(struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4]))

    def _chain(self, start: int, following: list[int]) -> list[int]:
        chain: list[int] = []
        known: set[int] = set()
        while start < len(following) and start not in known and len(chain) < MAX_SECTORS:
            known.add(start)
            chain.append(start)
            start = following[start]
        return chain

    def _directory(self, data: bytes) -> list[Entry]:
        raw = [data[i : i + 128] for i in range(0, min(len(data), MAX_ENTRIES * 128) - 127, 128)]
        parents: dict[int, str] = {}
        found: list[Entry] = []
        waiting = [(0, "")] if raw else []
        known: set[int] = set()
        while waiting:
            index, parent = waiting.pop()
            if index >= len(raw) or index in known:
                continue
            known.add(index)
            each = raw[index]
            length = min(int.from_bytes(each[64:66], "little"), 64)
            name = each[: max(length - 2, 0)].decode("utf-16-le", "replace")
            left, right, child = struct.unpack_from("<III", each, 68)
            start, size = struct.unpack_from("<II", each, 116)
            kind = each[66]
            path = f"{parent}{name}" if index else ""
            if kind in (1, 2, 5):
                found.append(Entry(name, path, kind, start, size, each[80:96].hex()))
            parents[index] = path
            waiting += [(left, parent), (right, parent)] if index else []
            if kind in (1, 5):
                waiting.append((child, f"{path}/" if path else ""))
        return found

    def _stream(self, start: int, size: int) -> bytes:
        chain = self._chain(start, self._next)[: size // self.sector + 1]
        return b"".join(map(self._at, chain))[:size]

    def read(self, entry: Entry, limit: int = MAX_STREAM) -> bytes:
        """A stream's content, at most `limit` bytes."""
        size = min(entry.size, limit)
        if entry.size >= self.cutoff:
            return self._stream(entry.start, size)
        chain = self._chain(entry.start, self._mini_next)[: size // self.mini_sector + 1]
        parts = (self._mini[n * self.mini_sector : (n + 1) * self.mini_sector] for n in chain)
        return b"".join(parts)[:size]

    def streams(self, *names: str) -> list[Entry]:
        """The streams whose own name is one of these, whatever the case."""
        wanted = {name.lower() for name in names}
        return [each for each in self.entries if each.kind == 2 and each.name.lower() in wanted]
