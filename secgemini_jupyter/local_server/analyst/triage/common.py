"""What the readers of every kind of file share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

RUNS = "runs"
"""Something that runs a program, macro or script once the file is opened or a part of it is clicked."""
FETCHES = "fetches"
"""Something that is loaded from elsewhere on opening."""
HIDES = "hides"
"""Packed, encrypted, encoded: it says nothing about the intent."""
NOTES = "notes"
LINKS = "links"
"""Where a click leads."""

MAX_FINDINGS = 60
MAX_VALUE = 600
MAX_LINKS = 300
MAX_UNREAD = 20


@dataclass
class Seen:
    """What a reader saw: findings, and facts by name."""

    type: str
    """What the file is, in our words."""
    facts: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, str]] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    """What is not told, as sentences."""
    unread: list[dict[str, str]] = field(default_factory=list)
    """Parts that were not read, so that nobody knows what is in them."""
    sources: list[dict[str, str]] = field(default_factory=list)
    encoded: list[str] = field(default_factory=list)
    """Texts that `decode` may open."""
    left_out: int = 0
    links: dict[str, None] = field(default_factory=dict)
    """Where a click leads, in order."""

    def __post_init__(self) -> None:
        self._known: set[tuple[str, str, str, str]] = set()
        for each in _watching:
            each.append(self)

    def miss(self, what: str, name: str = "", why: str = "could not be read to its end") -> None:
        """Note a part that was not read. `name` comes from the file."""
        missed = {"what": what, "name": name[:200], "why": why}
        if missed not in self.unread and len(self.unread) < MAX_UNREAD:
            self.unread.append(missed)

    def find(self, kind: str, what: str, value: object = "", where: str = "") -> None:
        """Note a finding once. `what` is ours; `value` and `where` come from the file."""
        if kind == LINKS:
            if len(self.links) < MAX_LINKS:
                self.links[str(value)[:2000]] = None
            return
        found = {"kind": kind, "what": what, "value": str(value)[:MAX_VALUE], "where": where[:200]}
        key = (kind, what, found["value"], found["where"])
        if key in self._known:
            return
        if len(self.findings) >= MAX_FINDINGS:
            self.left_out += 1
            return
        self._known.add(key)
        self.findings.append(found)


_watching: list[list[Seen]] = []


@contextmanager
def watching() -> Iterator[list[Seen]]:
    """What readers begin to see in the block, the first of them first: it stays when one is interrupted."""
    made: list[Seen] = []
    _watching.append(made)
    try:
        yield made
    finally:
        _watching.remove(made)


def entropy(content: bytes) -> float:
    """Bits per byte: 0 for one byte repeated, 8 for what looks random (compressed, encrypted)."""
    if not content:
        return 0.0
    if len(content) > 2**20:
        import numpy

        total = numpy.zeros(256, numpy.int64)
        view = memoryview(content)
        for start in range(0, len(content), 2**20):  # of all at once it would make eight times as many bytes
            total += numpy.bincount(numpy.frombuffer(view[start : start + 2**20], numpy.uint8), minlength=256)
        counts: Iterable[int] = total.tolist()
    else:
        counts = Counter(content).values()
    size = len(content)
    return round(-sum(n / size * math.log2(n / size) for n in counts if n), 2) + 0.0


def clean(text: str, limit: int = MAX_VALUE) -> str:
    """Runs of blanks as one."""
    return re.sub(r"\s+", " ", text[: limit * 4]).strip()[:limit]
