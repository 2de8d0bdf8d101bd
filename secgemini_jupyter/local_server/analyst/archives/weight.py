"""What a zip file unpacks to with the zip files within: each of them is read once, however often it occurs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from secgemini_jupyter.local_server.analyst.archives.model import Member
from secgemini_jupyter.local_server.analyst.archives.zip import list_zip, read_member
from secgemini_jupyter.local_server.analyst.tool import ToolFailure

MAX_LEVELS = 24
MAX_READ = 48 * 2**20
"""Bytes of archives within that are unpacked to be looked at."""
MAX_LOOKED = 5_000
"""Members whose first bytes are looked at."""
SECONDS = 2.0


@dataclass(frozen=True)
class Weight:
    """`size`: bytes of all files that are no zip files, as their headers declare them; `levels`: of archives within."""

    size: int
    levels: int
    is_whole: bool
    """Whether every archive within was looked at."""


class Scale:
    def __init__(self, seconds: float = SECONDS) -> None:
        self._known: dict[bytes, Weight] = {}
        self._left, self._looked = MAX_READ, MAX_LOOKED
        self._deadline = time.monotonic() + seconds

    def weigh(self, content: bytes, members: Sequence[Member], depth: int = 0) -> Weight:
        size, levels, is_whole = 0, 0, True
        for member in members:
            if member.type != "file":
                continue
            try:
                inner = self._within(content, member, depth)
            except ToolFailure:
                is_whole, inner = False, None
            if inner is None:
                size += member.size or 0
                continue
            size += inner.size
            levels = max(levels, inner.levels + 1)
            is_whole = is_whole and inner.is_whole
        return Weight(size, levels, is_whole)

    def _within(self, content: bytes, member: Member, depth: int) -> Weight | None:
        """The weight of a member that is a zip file itself.

        Raises:
            ToolFailure: it is one, or may be, and was not looked at.
        """
        if member.is_encrypted:
            return None
        self._looked -= 1
        if self._looked < 0 or time.monotonic() > self._deadline:
            raise ToolFailure("It was not looked at.")
        if read_member(content, member, 4, is_start_enough=True) != b"PK\3\4":
            return None
        if depth >= MAX_LEVELS or (member.size or 0) > self._left:
            raise ToolFailure("It was not looked at.")
        inner = read_member(content, member, self._left)
        self._left -= len(inner)
        key = hashlib.sha256(inner).digest()
        if key not in self._known:
            self._known[key] = self.weigh(inner, list_zip(inner).members, depth + 1)
        return self._known[key]
