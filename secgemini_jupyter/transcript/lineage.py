"""Who is whose parent, where ids may repeat, parents may be missing and chains may bite their own tail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from secgemini_jupyter.models import ROOT, Message

__all__ = ["NO_PARENT", "ORPHAN", "Lineage", "circles"]

NO_PARENT = -1
"""The parent of a message whose parent is the root."""
ORPHAN = -2
"""The parent of a message that names one which is not there."""


@dataclass(frozen=True)
class Lineage:
    """The messages' parents, by position.

    Attributes:
        parents: position of each message's parent, or `NO_PARENT`, or `ORPHAN`.
        depths: 0 below the root, for an orphan and in a circle; else one more than the parent's.
        circles: positions of the messages that are their own ancestors.
    """

    parents: list[int]
    depths: list[int]
    circles: frozenset[int]

    @property
    def is_flat(self) -> bool:
        """Whether every message's parent is the root."""
        return not self.parents or (max(self.parents) < 0 and ORPHAN not in self.parents)

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Lineage:
        if [message.parent_id for message in messages].count(ROOT) == len(messages):  # the service's own shape
            return cls([NO_PARENT] * len(messages), [0] * len(messages), frozenset())
        parents = _parents(messages)
        return cls(parents, *_depths(parents))


def circles(parents: list[int]) -> frozenset[int]:
    """Positions of those that are their own ancestors."""
    return _depths(parents)[1]


def _parents(messages: Sequence[Message]) -> list[int]:
    """Of several messages with the parent's id, the nearest before the child; else the first after it."""
    first: dict[str, int] = {}
    for index, message in enumerate(messages):
        first.setdefault(message.id, index)
    parents = []
    latest: dict[str, int] = {}
    for index, message in enumerate(messages):
        name = message.parent_id
        if name in (ROOT, ""):
            parents.append(NO_PARENT)
        else:
            parents.append(latest.get(name, first.get(name, ORPHAN)))
        latest[message.id] = index
    return parents


def _depths(parents: list[int]) -> tuple[list[int], frozenset[int]]:
    depths: list[int | None] = [None] * len(parents)
    circles: set[int] = set()
    for start in range(len(parents)):
        path: list[int] = []
        on_path: dict[int, int] = {}
        index = start
        while index >= 0 and depths[index] is None and index not in on_path:
            on_path[index] = len(path)
            path.append(index)
            index = parents[index]
        if index in on_path:
            circle = path[on_path[index] :]
            circles.update(circle)
            for each in circle:
                depths[each] = 0
            path = path[: on_path[index]]
        depth = -1 if index < 0 else depths[index]
        for each in reversed(path):
            depth = (depth or 0) + 1 if depth != -1 else 0
            depths[each] = depth
    return [depth or 0 for depth in depths], frozenset(circles)
