"""Whether the lines of a log are JSON objects, one each, and whether some line has a field of a name."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable

import msgspec

SHOWN_FIELDS = 8
"""Fields of the log that are named where none is like the one that is missing."""
LONGEST_NAME = 60


class _Object(msgspec.Struct, gc=False):
    """Any object: its members are checked and left out."""


_decoder = msgspec.json.Decoder(_Object)


class JSONLines:
    """What was seen of a log's lines.

    Attributes:
        objects: lines that are an object.
        others: lines that are neither that nor empty; `first_other` is the number of the first one.
        missing: of the fields that are looked for, those that no line has.
    """

    def __init__(self, fields: Iterable[str] = ()) -> None:
        self.objects = 0
        self.others = 0
        self.first_other: int | None = None
        self.missing = set(fields)
        self._open = {name: set(name.split(".")) for name in self.missing}
        self._names: list[str] = []

    @property
    def is_something_else(self) -> bool:
        """Whether the most lines are no objects: some that were cut are to be found in any log."""
        return self.others > self.objects

    def add(self, content: bytes, line: int) -> None:
        """Look at whole lines, without a mark of byte order; the first of them is line `line` of the log, from 0."""
        self._look_for_fields(content)
        lines = content.count(b"\n") + (not content.endswith(b"\n"))
        try:
            number = len(_decoder.decode_lines(content))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            number = -1
        if number == lines:  # else there are empty ones, objects over several lines, or damaged ones
            self.objects += number
        else:
            self._add_one_by_one(content, line)
        if not self._names and self.objects:
            self._names = _first_names(content)

    def _add_one_by_one(self, content: bytes, first: int) -> None:
        for number, each in enumerate(content.split(b"\n"), first + 1):
            if not each.strip():
                continue
            if is_object(each):
                self.objects += 1
            else:
                self.others += 1
                self.first_other = self.first_other or number

    def _look_for_fields(self, content: bytes) -> None:
        for name in list(self.missing):
            open_parts = self._open[name]
            open_parts -= {part for part in open_parts if _key(part).search(content)}
            if not open_parts or _key(name).search(content):
                self.missing.discard(name)

    def instead_of(self, name: str) -> str:
        """Fields that may have been meant."""
        near = difflib.get_close_matches(name, self._names, n=1) or self._names[:SHOWN_FIELDS]
        return ", ".join(repr(each[:LONGEST_NAME]) for each in near) or "none"


def is_object(line: bytes) -> bool:
    try:
        _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    else:
        return True
    try:
        return isinstance(json.loads(line), dict)  # it takes NaN and halves of surrogate pairs, too
    except (ValueError, RecursionError):
        return False


def _first_names(content: bytes) -> list[str]:
    for line in content.split(b"\n", 100)[:100]:
        if is_object(line):
            return list(json.loads(line))
    return []


def _key(name: str) -> re.Pattern[bytes]:
    """A member's name, as any writer of JSON would write it."""
    return re.compile(b'"' + b"".join(map(_spellings, name)) + rb'"\s*:')


def _spellings(char: str) -> bytes:
    escaped = json.dumps(char)[1:-1]
    plain = json.dumps(char, ensure_ascii=False)[1:-1]
    if char == "/":
        return rb"\\?/"
    if escaped == plain:
        return re.escape(plain.encode())
    return b"(?:" + re.escape(plain.encode("utf-8", "surrogatepass")) + b"|(?i:" + re.escape(escaped.encode()) + b"))"
