"""A text tree: one escaped line a node, however deep."""

from __future__ import annotations

from dataclasses import dataclass, field

from secgemini_jupyter.render.tree import text_tree


@dataclass
class Node:
    label: str
    children: list[Node] = field(default_factory=list)


def test_branches_show_who_belongs_to_whom() -> None:
    tree = [Node("turn 1", [Node("tool", [Node("result")]), Node("answer")]), Node("turn 2", [Node("answer")])]
    assert text_tree(tree) == "turn 1\n├─ tool\n│  └─ result\n└─ answer\nturn 2\n└─ answer"


def test_labels_are_one_safe_line_each() -> None:
    assert text_tree([Node("a\nb\x1b[2J [/x]\r" + "c" * 200)]) == "a b␛[2J [/x]␍" + "c" * 86 + "…"


def test_a_very_deep_tree_is_drawn() -> None:
    root = node = Node("0")
    for depth in range(1, 3_000):
        node.children.append(child := Node(str(depth)))
        node = child
    assert text_tree([root]).count("\n") == 2_999


def test_no_nodes_are_no_text() -> None:
    assert text_tree([]) == ""
