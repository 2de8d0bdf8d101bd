"""A session as a table of nodes, to be drawn as a tree: columns of numbers and short labels, in preorder.

Turns come first. In them stand runs of one actor where there is more than one, calls that were made together, tool
calls (the call, its `debug` frame and its result under one node), and `parent_id` where it says more than the root.
Every message stands in exactly one node, whatever it says: pieces, progress lines, orphans and circles too.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from itertools import groupby, pairwise
from operator import attrgetter
from typing import TypeVar

from secgemini_jupyter.models import Message, MessageType, State
from secgemini_jupyter.protocol.mutations import Changes, any_changes
from secgemini_jupyter.render.steps import Step, Steps
from secgemini_jupyter.render.text import count, shorten
from secgemini_jupyter.transcript.columns import EARLIEST, LATEST
from secgemini_jupyter.transcript.labels import WIDTH, call_gist, content_gist, gist, output_gist, result_gist
from secgemini_jupyter.transcript.lineage import NO_PARENT, ORPHAN, Lineage, circles
from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = ["Flag", "Kind", "Names", "Nodes", "Span", "spans_of"]

T = TypeVar("T")


class Kind(IntEnum):
    TURN = 0
    ACTOR = 1
    GROUP = 2
    """Calls made together."""
    TOOL = 3
    MESSAGE = 4


class Flag(IntFlag):
    ORPHAN = 1
    """Its parent is neither in its turn nor before it."""
    CIRCLE = 2
    """It is its own ancestor."""
    ERROR = 4
    RUNNING = 8
    PARTIAL = 16


@dataclass(frozen=True)
class Span:
    """Where a turn's messages are: `messages[start:stop]`.

    Attributes:
        index: counts the prompts from 1; 0 for what stands before the first.
        session: tells apart the sessions in one table; its name is part of the label.
    """

    start: int
    stop: int
    index: int
    session: str = ""


def spans_of(messages: Sequence[Message]) -> list[Span]:
    """The turns of one session."""
    query = MessageType.QUERY
    starts = [position for position, message in enumerate(messages) if message.message_type is query]
    cuts = [0, *starts, len(messages)]
    return [Span(start, stop, index) for index, (start, stop) in enumerate(pairwise(cuts)) if stop > start]


class Names:
    """Words that a column points into: each once, safe to show, 0 is none. They are never taken back or moved."""

    def __init__(self, limit: int) -> None:
        self.words = [""]
        self._limit = limit
        self._numbers: dict[str, int] = {"": 0}
        """By the word as it came, and as it is shown."""

    def numbers(self, words: Iterable[str]) -> list[int]:
        known = self._numbers
        return [known[word] if word in known else self._new(word) for word in words]

    def _new(self, word: str) -> int:
        safe = gist(word, 60) or "?"
        if safe not in self._numbers:
            safe = safe if len(self.words) < self._limit else "(others)"
        number = self._numbers.setdefault(safe, len(self.words))
        if number == len(self.words):
            self.words.append(safe)
        if len(self._numbers) < 100 * self._limit:
            self._numbers[word] = number
        return number


@dataclass
class Nodes:
    """The table; `update` makes it anew from the turn on in which something changed.

    One entry a node in each list: `message` is the position of the node's own message or -1, `size` counts the nodes
    in its tree with itself, `depth` is 0 for a turn. `time` and `duration` are seconds, NaN where unknown.
    """

    message: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    actor: list[int] = field(default_factory=list)
    type: list[int] = field(default_factory=list)
    state: list[int] = field(default_factory=list)
    role: list[int] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    time: list[float] = field(default_factory=list)
    duration: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    label: list[str] = field(default_factory=list)

    actors: Names = field(default_factory=lambda: Names(2_000))
    types: Names = field(default_factory=lambda: Names(200))
    states: Names = field(default_factory=lambda: Names(200))
    roles: Names = field(default_factory=lambda: Names(200))

    messages: Sequence[Message] = ()
    spans: Sequence[Span] = ()
    changes: Changes = field(default_factory=Changes)
    """What became of messages, by position."""
    _firsts: list[int] = field(default_factory=list)
    """The first node of each turn."""
    _ids: dict[str, set[str]] = field(default_factory=dict)
    """Ids of messages by session, of the first `_gathered` turns."""
    _gathered: int = 0

    def __len__(self) -> int:
        return len(self.message)

    def update(
        self, messages: Sequence[Message], spans: Sequence[Span] | None = None, *, since: int = 0, running: bool = False
    ) -> int:
        """Take over `messages`, of which those before the position `since` are the same as before.

        Args:
            spans: the turns, in order; else they are cut at the queries.
            running: whether the last turn runs.

        Returns:
            the first node that may have changed.
        """
        spans = spans_of(messages) if spans is None else spans
        if self.changes or any_changes(messages[since:]):
            since = self._look_for_changes(messages, spans, since)
        # The turn before a change belongs to it: it may have got longer, or ceased to run.
        turn = max(0, bisect_left(spans, since, key=attrgetter("start")) - 1)
        first = self._firsts[turn] if turn < len(self._firsts) else len(self)
        for column in (self.message, self.size, self.depth, self.kind, self.flags, self.actor, self.type, self.state,
                       self.role, self.status, self.time, self.duration, self.tokens, self.label):  # fmt: skip
            del column[first:]
        del self._firsts[turn:]
        if turn < self._gathered:
            self._ids, self._gathered = {}, 0
        self.messages, self.spans = messages, spans
        for number in range(turn, len(spans)):
            self._firsts.append(len(self))
            _Turn(self, number, running=running and number == len(spans) - 1).add()
        return first

    def _look_for_changes(self, messages: Sequence[Message], spans: Sequence[Span], since: int) -> int:
        """Find out what later messages made of earlier ones; gives the first position at which something is new."""
        before, found = self.changes.of_target, Changes()
        for _, session in groupby(spans, attrgetter("session")):
            first, *rest = session
            start, stop = first.start, (rest[-1] if rest else first).stop
            found |= Changes.of(messages[start:stop]).moved(start)
        self.changes = found
        now = found.of_target
        return min([since, *(each for each in before.keys() | now.keys() if before.get(each) != now.get(each))])

    def turn_of(self, position: int) -> Span:
        """The turn that a message belongs to."""
        return self.spans[bisect_right(self.spans, position, key=attrgetter("start")) - 1]

    def was_before(self, number: int, message_id: str) -> bool:
        """Whether a message with this id came in the same session before the turn with this number."""
        for span in self.spans[self._gathered : number]:
            ids = self._ids.setdefault(span.session, set())
            ids.update(message.id for message in self.messages[span.start : span.stop])
        self._gathered = max(self._gathered, number)
        return message_id in self._ids.get(self.spans[number].session, ())


class _Turn:
    """The nodes of one turn. Positions in here count from the turn's first message."""

    def __init__(self, nodes: Nodes, number: int, *, running: bool) -> None:
        self.nodes, self.number = nodes, number
        self.span = nodes.spans[number]
        self.messages = nodes.messages[self.span.start : self.span.stop]
        changes = nodes.changes.part(self.span.start, self.span.stop)
        self.slice = TurnSlice(self.span.index, self.messages, self.span.session, changes)
        self.running = running and self.slice.end is None  # the prompt of the next one may be on its way
        self.calls: dict[int, Step] = {}
        """Tool calls, by the position of their first message."""
        self.parts: dict[int, int] = {}
        """What else belongs to a call: position → position of the call."""
        self.children: dict[int, list[int]] = {}
        # One entry for each node.
        self.kinds: list[int] = []
        self.positions: list[int] = []
        self.depths: list[int] = []
        self.words: dict[int, str] = {}
        """Labels of the nodes that have no message of their own."""

    def add(self) -> None:
        has_query = self.slice.query is not None
        self._node(Kind.TURN, 0 if has_query else -1, 0)
        flags, top = self._hung(has_query)
        self._draw(top)
        self._append(flags)

    def _hung(self, has_query: bool) -> tuple[list[int], Iterable[int]]:
        """Each message at its tool call or its parent: the flags of all, and those that hang at the turn itself."""
        messages = self.messages
        failed = MessageType.ERROR
        flags = [
            (Flag.ERROR if message.status_code >= 400 or message.message_type is failed else 0)
            | (Flag.PARTIAL if message.status_code == 206 else 0)
            for message in messages
        ]
        parts = self.parts = self._parts()
        lineage = Lineage.of(messages)
        if lineage.is_flat and not parts:
            return flags, range(int(has_query), len(messages))
        anchors = lineage.parents.copy()
        if has_query:
            anchors = [NO_PARENT if anchor == 0 else anchor for anchor in anchors]
            anchors[0] = NO_PARENT
        for position, head in parts.items():
            anchors[position] = head
        if not lineage.is_flat:
            for position, parent in enumerate(lineage.parents):
                if position in lineage.circles:
                    flags[position] |= Flag.CIRCLE
                elif parent == ORPHAN and position not in parts:
                    known = self.nodes.was_before(self.number, messages[position].parent_id)
                    flags[position] |= 0 if known else Flag.ORPHAN
            # A result's parent may be what is drawn below its own call: such a ring is opened without a word.
            for position in circles(anchors):
                anchors[position] = NO_PARENT
        top = []
        for position in range(int(has_query), len(messages)):
            if (anchor := anchors[position]) >= 0:
                self.children.setdefault(anchor, []).append(position)
            else:
                top.append(position)
        return flags, top

    def _parts(self) -> dict[int, int]:
        """What belongs to a tool call, beside its first message: position → position of the call."""
        steps = Steps()
        heads: dict[Step, int] = {}
        parts: dict[int, int] = {}
        calling, result = State.CALLING_TOOL, State.TOOL_RESULT
        for position, message in enumerate(self.messages):
            if message.state is calling or message.state is result or message.message_type in _LOCAL:
                step = steps.add(message)
                if step is None or step.kind != "tool":
                    continue
                head = heads.setdefault(step, position)
                if head == position:
                    self.calls[head] = step
                else:
                    parts[position] = head
        return parts

    def _draw(self, top: Iterable[int]) -> None:
        """Runs of steps under the actor that made them, where there is more than one; answers stay in sight."""
        messages = self.messages
        keys = {position: None if _stands_alone(message := messages[position]) else message.actor for position in top}
        several = len({actor for actor in keys.values() if actor is not None}) > 1
        for actor, run in groupby(keys, keys.__getitem__):
            if several and actor is not None:
                self._node(Kind.ACTOR, -1, 1, gist(actor, 60) or "?")
                self._draw_groups(run, 2)
            else:
                self._draw_groups(run, 1)

    def _draw_groups(self, run: Iterable[int], depth: int) -> None:
        """Tool calls that were made together, under one node."""
        calls, messages = self.calls, self.messages
        if not calls and not self.children:
            positions = list(run)
            self.positions += positions
            self.kinds += [Kind.MESSAGE] * len(positions)
            self.depths += [depth] * len(positions)
            return
        for group, together in groupby(run, lambda position: messages[position].group if position in calls else ""):
            positions = list(together)
            if group and len(positions) > 1:
                self._node(Kind.GROUP, -1, depth, f"{count(len(positions), 'call')} together")
                for position in positions:
                    self._draw_tree(position, depth + 1)
            else:
                for position in positions:
                    self._draw_tree(position, depth)

    def _draw_tree(self, position: int, depth: int) -> None:
        children, calls = self.children, self.calls
        if position not in children:
            self._node(Kind.TOOL if position in calls else Kind.MESSAGE, position, depth)
            return
        pending = [(position, depth)]
        while pending:
            position, depth = pending.pop()
            self._node(Kind.TOOL if position in calls else Kind.MESSAGE, position, depth)
            if below := children.get(position):
                pending += [(child, depth + 1) for child in reversed(below)]

    def _node(self, kind: Kind, position: int, depth: int, words: str = "") -> None:
        if position < 0:
            self.words[len(self.kinds)] = words
        self.kinds.append(kind)
        self.positions.append(position)
        self.depths.append(depth)

    def _append(self, flags: list[int]) -> None:
        nodes, messages, positions = self.nodes, self.messages, self.positions
        labels = self._labels()
        durations = [nan] * len(messages)
        for position, step in self.calls.items():
            durations[position] = _positive(step.seconds)
            flags[position] |= (step.ok is False and Flag.ERROR) or (self.running and step.ok is None and Flag.RUNNING)
        _fill(nodes.flags, flags, 0, positions)
        _fill(nodes.actor, nodes.actors.numbers([message.actor for message in messages]), 0, positions)
        _fill(nodes.type, nodes.types.numbers([str(message.message_type) for message in messages]), 0, positions)
        _fill(nodes.state, nodes.states.numbers([str(message.state) for message in messages]), 0, positions)
        _fill(nodes.role, nodes.roles.numbers([str(message.role) for message in messages]), 0, positions)
        _fill(nodes.status, [message.status_code for message in messages], 0, positions)
        _fill(nodes.time, [_time(message) for message in messages], nan, positions)
        _fill(nodes.duration, durations, nan, positions)
        _fill(nodes.tokens, [m.usage.total_tokens if m.usage else 0 for m in messages], 0, positions)
        _fill(nodes.label, labels, "", positions)
        first = len(nodes)
        start = self.span.start
        nodes.message += [position + start if position >= 0 else -1 for position in positions]
        nodes.kind += self.kinds
        nodes.depth += self.depths
        nodes.size += _sizes(self.depths)
        for index, words in self.words.items():
            self._sum_up(first + index, words)
        self._head(first)

    def _labels(self) -> list[str]:
        """What each message says. A call and its result that are told as JSON say it as the call's node does."""
        known: dict[int, str] = {}
        told: dict[int, tuple[str, str]] = {}
        for position, step in self.calls.items():
            told[position] = call, _ = call_gist(step), result_gist(step)
            known[position] = shorten(f"{call} {output_gist(step)}".rstrip(), WIDTH)
        answered: set[int] = set()
        for position, head in self.parts.items():
            message = self.messages[position]
            if not (message.content or "").startswith("{"):
                continue
            if _is_call(message):
                known[position] = told[head][0]
            elif head not in answered:  # a second result may say something else
                answered.add(head)
                known[position] = told[head][1]
        labels = [known.get(position) or content_gist(message) for position, message in enumerate(self.messages)]
        for position, change in self.slice.changes.of_target.items():
            says = content_gist(change.now) if change.now else ""
            labels[position] = shorten(f"[{change.word}] {says}".rstrip(), WIDTH)
        for position in self.slice.changes.spent:
            message = self.messages[position]
            what = f"{message.message_type} of {gist(message.parent_id, 24)}"
            labels[position] = shorten(f"{what}: {labels[position]}" if labels[position] else what, WIDTH)
        return labels

    def _sum_up(self, node: int, words: str) -> None:
        """Label, time, duration and tokens of an actor or a group: those of what is in it."""
        nodes = self.nodes
        inside = slice(node + 1, node + nodes.size[node])
        times = [time for time in nodes.time[inside] if time == time]
        ends = [end for time, took in zip(nodes.time[inside], nodes.duration[inside], strict=True)
                if (end := time + took) == end]  # fmt: skip
        nodes.label[node] = words
        nodes.tokens[node] = sum(nodes.tokens[inside])
        if nodes.kind[node] == Kind.ACTOR:
            nodes.actor[node] = nodes.actor[node + 1]
        if times:
            nodes.time[node] = min(times)
            nodes.duration[node] = max(times + ends) - min(times)

    def _head(self, node: int) -> None:
        """What the turn's own node says."""
        nodes, turn = self.nodes, self.slice
        if turn.query is not None:
            words = f"{turn.index} › {gist(turn.prompt or '')}"
        else:
            words = f"{turn.index} › (its prompt is not here)" if turn.index else "Before the first prompt"
        session = f"{gist(self.span.session, 40)} · " if self.span.session else ""
        nodes.label[node] = shorten(session + words, WIDTH)
        nodes.flags[node] |= (Flag.ERROR if turn.failure else 0) | (Flag.RUNNING if self.running else 0)
        nodes.time[node] = nan if turn.started_at is None else turn.started_at
        nodes.duration[node] = nan if turn.duration is None else turn.duration
        nodes.tokens[node] = turn.usage.total_tokens


nan = math.nan
_LOCAL = frozenset({MessageType.LOCAL_TOOL_CALL, MessageType.LOCAL_TOOL_RESULT})
_ALONE = frozenset({MessageType.RESULT, MessageType.UPDATE, MessageType.DELETE, MessageType.QUERY})


def _fill(column: list[T], values: list[T], without: T, positions: Sequence[int]) -> None:
    """Add the value of each node's message; the position -1 is none."""
    values.append(without)
    column += map(values.__getitem__, positions)


def _is_call(message: Message) -> bool:
    if message.message_type is MessageType.CONFIRMATION_REQUEST:  # which may have a call's state
        return False
    return message.message_type is MessageType.LOCAL_TOOL_CALL or message.state is State.CALLING_TOOL


def _stands_alone(message: Message) -> bool:
    return message.message_type in _ALONE or message.state is State.END or message.is_error


def _time(message: Message) -> float:
    """`created_at`, else `timestamp`; 0 is how a time that could not be read is told, and means none."""
    seconds = message.created_at
    if seconds and EARLIEST <= seconds < LATEST:
        return seconds
    whole = message.timestamp
    return float(whole) if whole and EARLIEST <= whole < LATEST else nan


def _positive(seconds: float | None) -> float:
    return seconds if seconds is not None and seconds >= 0 else nan


def _sizes(depths: Sequence[int]) -> list[int]:
    """How many nodes each tree has, of nodes in preorder."""
    sizes = [1] * len(depths)
    above: list[int] = []
    for node, depth in enumerate(depths):
        while len(above) > depth:
            parent = above.pop()
            sizes[parent] = node - parent
        above.append(node)
    for parent in above:
        sizes[parent] = len(depths) - parent
    return sizes
