"""A session as a tree of text: turns, in them what each agent thought, called and found, and the answer.

The service gives most messages the root as their parent: the tree is drawn from turn, actor and group first, and
from `parent_id` where it says more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

import msgspec

from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.render import tree as render
from secgemini_jupyter.render.steps import Step, Steps
from secgemini_jupyter.render.text import count, duration
from secgemini_jupyter.transcript.labels import WIDTH, content_gist, gist, tool_gist
from secgemini_jupyter.transcript.lineage import ORPHAN, Lineage
from secgemini_jupyter.transcript.turns import TurnSlice, turn_slices

__all__ = ["SessionTree", "text_tree"]

MAX_STEPS = 200
"""Lines under one node; further ones are counted."""
MAX_DEPTH = 12
"""Levels under a turn; what is deeper stands at the last one, since each level costs width."""


@dataclass
class Node:
    """A line; what it says is made up when it is drawn, since most of a long session is not."""

    text: str | Callable[[], str]
    children: list[Node] = field(default_factory=list)

    @property
    def label(self) -> str:
        return self.text if isinstance(self.text, str) else self.text()


@dataclass
class Entry:
    """A message that has a line of its own."""

    message: Message
    node: Node
    is_tool: bool = False


class SessionTree:
    """The tree of a session, or of several: `str()` and the notebook show it as text."""

    def __init__(self, messages: Sequence[Message], *, name: str = "") -> None:
        self._sessions: Sequence[tuple[str, Sequence[TurnSlice]]] = [(name, turn_slices(messages))]

    @classmethod
    def of(cls, sessions: Sequence[tuple[str, Sequence[TurnSlice]]]) -> SessionTree:
        """The tree of sessions whose turns were cut already, each with its name."""
        tree = cls(())
        tree._sessions = sessions
        return tree

    def __str__(self) -> str:
        return "\n".join(_draw(turns, name) for name, turns in self._sessions)

    __repr__ = __str__


def text_tree(messages: Sequence[Message], *, name: str = "") -> str:
    """The tree of `messages`, a line a node, each safe for a terminal and cut at its width.

    Progress lines, `debug` frames and 206 pieces are counted, not drawn. A message whose parents lead nowhere or in
    a circle always has a line, which says so.
    """
    return str(SessionTree(messages, name=name))


def _draw(turns: Sequence[TurnSlice], name: str) -> str:
    prompts = sum(turn.query is not None for turn in turns)
    messages = sum(len(turn.messages) for turn in turns)
    summary = f"{count(prompts, 'turn')} · {count(messages, 'message')}"
    root = Node(f"{gist(name)} · {summary}" if name else f"Session · {summary}", [_turn(turn) for turn in turns])
    return render.text_tree([root], width=WIDTH)


def _turn(turn: TurnSlice) -> Node:
    label = f"{turn.index} › {gist(turn.prompt or '')}" if turn.query else "Before the first prompt"
    marks = [duration(turn.duration) if turn.duration is not None else "", "" if turn.end else "not finished"]
    if turn.query and (note := ", ".join(filter(None, marks))):
        label += f" ({note})"
    entries, folded = _entries(turn)
    node = Node(label, _limited(_by_actor(entries)))
    if folded:
        node.children.append(Node(f"… {count(folded, 'message')} of progress and detail"))
    return node


def _entries(turn: TurnSlice) -> tuple[list[Entry], int]:
    """The lines at the turn's own level, those below them attached, and how many messages have none."""
    messages = turn.messages
    changes = turn.changes.of_target
    lineage = Lineage.of(messages)
    parents_of_others = set(lineage.parents)
    steps = Steps()
    lines: dict[int, Entry] = {}
    folded = 0
    for index, message in enumerate(messages):
        if message is turn.query:
            continue
        change = changes.get(index)
        before = len(steps.items)
        step = steps.add((change and change.now) or message)
        if len(steps.items) == before:  # it goes on with a step that has a line
            step = None
        is_lost = lineage.parents[index] == ORPHAN or index in lineage.circles
        if message.is_partial or not (step or _has_line(message) or is_lost or index in parents_of_others):
            folded += message.is_partial or not (message.is_end or _is_part_of_tool(message))
            continue
        note = ""
        if is_lost and not _names_its_own(message):
            whose = "is not here" if lineage.parents[index] == ORPHAN else "leads in a circle"
            note = f"[parent {gist(message.parent_id, 24)} {whose}] "
        if change:
            note += f"[{change.word}] "
            if change.now is None:
                step = None
            message = change.now or msgspec.structs.replace(message, content="", title=None, mime_type="text/plain")
        # Read later, so that a step knows its result.
        node = Node(partial(_label, message, step, note))
        lines[index] = Entry(message, node, is_tool=step is not None and step.kind == "tool")
    anchors = _anchors(lineage)
    top = []
    for index, entry in lines.items():
        if (anchor := anchors[index]) in lines:
            lines[anchor].node.children.append(entry.node)
        else:
            top.append(entry)
    for entry in lines.values():
        entry.node.children = _limited(entry.node.children)
    return top, folded


def _anchors(lineage: Lineage) -> list[int]:
    """Where each message hangs: at its parent, but no deeper than `MAX_DEPTH`, and in a circle at nothing."""
    anchors = [ORPHAN if index in lineage.circles else parent for index, parent in enumerate(lineage.parents)]
    for index in sorted(range(len(anchors)), key=lineage.depths.__getitem__):
        if lineage.depths[index] > MAX_DEPTH:
            anchors[index] = anchors[lineage.parents[index]]
    return anchors


def _has_line(message: Message) -> bool:
    return (message.message_type is MessageType.RESULT or message.is_error
            or message.message_type in (MessageType.UPDATE, MessageType.DELETE))  # fmt: skip


def _answers_a_call(message: Message) -> bool:
    return message.message_type in (MessageType.LOCAL_TOOL_RESULT, MessageType.CONFIRMATION_RESPONSE)


def _names_its_own(message: Message) -> bool:
    """Whether its parent may be in another turn: the line says of what it is."""
    return _answers_a_call(message) or message.message_type in (MessageType.UPDATE, MessageType.DELETE)


def _is_part_of_tool(message: Message) -> bool:
    """Whether a tool's line tells it: a result, or the `debug` frame with arguments or output."""
    return _answers_a_call(message) or message.state in ("calling_tool", "tool_result")


def _by_actor(entries: Sequence[Entry]) -> list[Node]:
    """Runs of steps under the agent that made them, where there is more than one; answers and errors stay in sight."""
    actors = {entry.message.actor for entry in entries if _is_step(entry)}
    nodes: list[Node] = []
    for actor, run in _runs(entries, lambda entry: entry.message.actor if _is_step(entry) else None):
        children = _by_group(run)
        if actor is not None and len(actors) > 1:
            nodes.append(Node(gist(str(actor)) or "?", _limited(children)))
        else:
            nodes += children
    return nodes


def _is_step(entry: Entry) -> bool:
    return not _has_line(entry.message)


def _by_group(entries: Sequence[Entry]) -> list[Node]:
    """Tool calls that were made together, under one line."""
    nodes: list[Node] = []
    for group, run in _runs(entries, lambda entry: entry.message.group if entry.is_tool else None):
        calls = [entry.node for entry in run]
        if group and len(calls) > 1:
            nodes.append(Node(f"{count(len(calls), 'call')} together", _limited(calls)))
        else:
            nodes += calls
    return nodes


def _runs(entries: Sequence[Entry], key: Callable[[Entry], str | None]) -> Iterator[tuple[Hashable, list[Entry]]]:
    return ((value, list(run)) for value, run in groupby(entries, key))


def _limited(nodes: list[Node]) -> list[Node]:
    """At most `MAX_STEPS` nodes: the beginning and the end, where the answer is."""
    if len(nodes) <= MAX_STEPS:
        return nodes
    head, tail = MAX_STEPS // 2, MAX_STEPS // 2 - 1
    hidden = len(nodes) - head - tail
    return [*nodes[:head], Node(f"… {count(hidden, 'more line')}"), *nodes[-tail:]]


def _label(message: Message, step: Step | None, note: str) -> str:
    return note + (_step(step) if step else _line(message))


def _step(step: Step) -> str:
    if step.kind == "tool":
        # A hand-over to another agent is announced like a call, without arguments, and has no result.
        open_ = "" if step.arguments is None else "no result"
        state = {True: "", False: "failed", None: open_}[step.ok]
        took = duration(step.seconds) if step.seconds is not None else ""
        label = f"⚙ {tool_gist(step)}"
        return label + (f" ({', '.join(filter(None, (state, took)))})" if state or took else "")
    if step.kind == "confirmation":
        state = {True: "approved", False: "denied", None: "no answer"}[step.ok]
        return f"asked you: {gist(step.in_words)} ({state})"
    mark = {"thinking": "thought", "error": "error, recovered", "source": "source"}.get(step.kind, "")
    name = gist(step.in_words)
    # A thought without a title is named by its first line.
    detail = gist(step.detail) if step.detail else ""
    text = name if not detail or detail.startswith(name.rstrip("…")) else f"{name}: {detail}"
    return f"{mark}: {text}" if mark else text


def _line(message: Message) -> str:
    kind = message.message_type
    content = content_gist(message)
    if kind is MessageType.RESULT:
        return f"answer: {content}"
    if message.is_error:
        return f"error {message.status_code}: {content or gist(message.status_message)}"
    if kind in (MessageType.UPDATE, MessageType.DELETE):
        return f"{kind} of {gist(message.parent_id, 24)}: {content}"
    return f"{gist(str(kind), 24)}: {content}"
