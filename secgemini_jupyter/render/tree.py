"""A tree as text, for terminals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from secgemini_jupyter.render.text import one_line

__all__ = ["Node", "text_tree"]


class Node(Protocol):
    @property
    def label(self) -> str: ...
    @property
    def children(self) -> Iterable[Node]: ...


def text_tree(nodes: Iterable[Node], *, width: int = 100) -> str:
    """The trees of `nodes`, one line a node, labels escaped and cut at `width`; any depth, no recursion.

    A tree has no cycles: who builds the nodes breaks them.
    """
    lines = []
    pending: list[tuple[str, Iterator[tuple[Node, bool]]]] = [("", _with_last(nodes))]
    while pending:
        indent, siblings = pending[-1]
        node, is_last = next(siblings, (None, False))
        if node is None:
            pending.pop()
            continue
        top = len(pending) == 1
        branch = "" if top else "└─ " if is_last else "├─ "
        lines.append(indent + branch + one_line(node.label, width))
        pending.append(("" if top else indent + ("   " if is_last else "│  "), _with_last(node.children)))
    return "\n".join(lines)


def _with_last(nodes: Iterable[Node]) -> Iterator[tuple[Node, bool]]:
    items = list(nodes)
    return ((node, index == len(items)) for index, node in enumerate(items, 1))
