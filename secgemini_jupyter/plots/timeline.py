"""The session timeline: what happened when, on a lane for each kind and tool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes

from secgemini_jupyter.models import Message, MessageType, State
from secgemini_jupyter.plots.clock import Clock, merged
from secgemini_jupyter.plots.figures import (
    WIDTH,
    TranscriptFigure,
    empty_figure,
    label,
    names_of,
    new_figure,
    plain_text,
    short,
)
from secgemini_jupyter.plots.themes import Theme
from secgemini_jupyter.render.steps import Step, Steps
from secgemini_jupyter.render.text import count, utc
from secgemini_jupyter.transcript.turns import TurnSlice, time_of

__all__ = ["timeline"]

TITLE = "Session timeline"
TOOLS = 8
"""Lanes for tools, at most: the others share one."""
OTHERS = "\0"
"""Their name: no tool has it."""
TOLD = 12
"""Turns that are told one by one in words."""
DOTTED = 40
"""Pauses that are marked; more would be a curtain."""
MANY = 500
"""Bars of one lane; of more, those that overlap are drawn as one."""
BAR = 0.004
"""The least width of a bar: a call of a millisecond is seen too."""
_MARKS = {"prompt": ">", "thinking": "D", "answer": "o", "error": "X", "progress": "|"}
_LANES = {"prompt": "Prompts", "thinking": "Thinking", "progress": "Progress", "answer": "Answers", "error": "Errors"}

Kind = Literal["prompt", "thinking", "tool", "answer", "error", "progress"]
Lane = tuple[str, str]
"""Kind, and the name of a tool, as it came: a tool that is called "Answers" has a lane of its own."""


@dataclass(frozen=True)
class Event:
    """A moment, or a span; `lane` is what all of one lane share."""

    kind: Kind
    lane: Lane
    start: float
    end: float | None = None
    failed: bool = False


@dataclass(frozen=True)
class Timed:
    """A turn that has times, its tool calls taken out once."""

    turn: TurnSlice
    start: float
    end: float
    tools: Sequence[Step]


def timeline(turns: Sequence[TurnSlice], *, theme: str | None) -> TranscriptFigure:
    timed = list(timed_of(turns))
    if not timed:
        return empty_figure(TITLE, "No messages." if not turns else "No message has a time.", theme=theme)
    shared = shared_tools(timed)
    events = [event for item in timed for event in events_of(item, shared)]
    clock = Clock((item.start, item.end) for item in timed)
    lanes = lanes_of(events)
    words, note = words_of(turns, timed), note_of(turns, events, clock)
    with plain_text():
        figure, axes, colours = new_figure(TITLE, words, height=1.35 + 0.3 * len(lanes), theme=theme, note=note)
        draw_turns(axes, colours, clock, timed, len(lanes))
        draw_events(axes, colours, clock, events, lanes)
        ticks = clock.ticks(apart=85 / (WIDTH - 7 * max(map(len, lanes.values())) - 20))
        axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
        axes.set_yticks(range(len(lanes)), list(lanes.values()))
        axes.tick_params(axis="y", length=0)
        axes.set(xlim=(-0.012, 1.012), ylim=(len(lanes) - 0.5, -0.5), xlabel="Time (UTC)")
        axes.grid(axis="y", color=colours.line, linewidth=0.6)
    return figure


def timed_of(turns: Iterable[TurnSlice]) -> Iterator[Timed]:
    for turn in turns:
        times = [time for message in turn.messages if (time := time_of(message))]
        if times:
            tools = [step for step in Steps(turn.messages).items if step.kind == "tool"]
            yield Timed(turn, min(times), max(times), tools)


def shared_tools(timed: Iterable[Timed]) -> set[str]:
    """The tools that have no lane of their own, the least used ones."""
    counted = Counter(step.name for item in timed for step in item.tools)
    ranked = [name for name, _ in counted.most_common()]
    return set(ranked[TOOLS - 1 :]) if len(ranked) > TOOLS else set()


def events_of(item: Timed, shared: set[str]) -> Iterator[Event]:
    for step in item.tools:
        if step.started:
            name = step.name if step.name not in shared else OTHERS
            yield Event("tool", ("tool", name), step.started, end_of(step), failed=step.ok is False)
    for message in item.turn.messages:
        time = time_of(message)
        if time is None or message.is_partial:
            continue
        kind = kind_of(message)
        if kind != "progress" or not (message.is_end or is_of_a_tool(message)):
            yield Event(kind, (kind, ""), time)


def kind_of(message: Message) -> Kind:
    kind = message.message_type
    if message.is_error or kind is MessageType.ERROR:
        return "error"
    if kind is MessageType.QUERY:
        return "prompt"
    if kind is MessageType.RESULT:
        return "answer"
    return "thinking" if kind is MessageType.THINKING else "progress"


def is_of_a_tool(message: Message) -> bool:
    """Whether the tool's own lane shows it."""
    kinds = (MessageType.LOCAL_TOOL_CALL, MessageType.LOCAL_TOOL_RESULT)
    if message.message_type is MessageType.CONFIRMATION_REQUEST:  # which may have a call's state
        return False
    return message.message_type in kinds or message.state in (State.CALLING_TOOL, State.TOOL_RESULT)


def end_of(step: Step) -> float | None:
    return step.ended if step.ended and step.ended >= step.started else None


def lanes_of(events: Sequence[Event]) -> dict[Lane, str]:
    """From the prompt down to the answer, the tools between them by their first call; and what each is called."""
    given = dict.fromkeys(event.lane for event in events)
    tools = [lane for lane in given if lane[0] == "tool" and lane[1] != OTHERS]
    order = [
        ("prompt", ""),
        ("progress", ""),
        ("thinking", ""),
        *tools,
        ("tool", OTHERS),
        ("answer", ""),
        ("error", ""),
    ]
    return {lane: lane_name(*lane) for lane in order if lane in given}


def lane_name(kind: str, tool: str) -> str:
    if kind != "tool":
        return _LANES[kind]
    return "Other tools" if tool == OTHERS else label(tool)


def draw_turns(axes: Axes, colours: Theme, clock: Clock, timed: Sequence[Timed], lanes: int) -> None:
    """A band for every other turn, with its number above where there is room; the pauses between them."""
    names = names_of(item.turn for item in timed)
    axes.annotate("Turn", (0, 1), (-6, 2), xycoords="axes fraction", textcoords="offset points", ha="right",
                  va="bottom", fontsize=8, color=colours.quiet)  # fmt: skip
    free = -1.0
    spans = [(clock.position(item.start), clock.position(item.end)) for item in timed]
    bands = [(left, right - left) for left, right in spans[::2]]
    axes.broken_barh(bands, (-0.5, lanes), facecolor=colours.band, linewidth=0, zorder=0)
    for (left, _), name in zip(spans, names, strict=True):
        needed = 0.012 * len(name) + 0.015
        if left >= free:
            axes.annotate(name, (left, 1), (0, 2), xycoords=("data", "axes fraction"), textcoords="offset points",
                          ha="left", va="bottom", fontsize=8, color=colours.quiet)  # fmt: skip
            free = left + needed
    for pause in clock.pauses if len(clock.pauses) <= DOTTED else ():
        axes.axvline(pause.position, color=colours.quiet, linewidth=1, linestyle=(0, (1, 3)), zorder=1)
        if len(clock.pauses) <= 10 and lanes > 3:
            axes.text(pause.position, (lanes - 1) / 2, short(pause.seconds), rotation=90, ha="center", va="center",
                      fontsize=8, color=colours.quiet,
                      bbox={"facecolor": colours.paper, "edgecolor": "none", "pad": 1.5})  # fmt: skip


def draw_events(axes: Axes, colours: Theme, clock: Clock, events: Sequence[Event], lanes: Iterable[Lane]) -> None:
    rows = {lane: row for row, lane in enumerate(lanes)}
    marks: dict[str, set[float]] = {}
    bars: dict[tuple[Lane, str], list[tuple[float, float]]] = {}
    for event in events:
        left = clock.position(event.start)
        if event.kind != "tool":
            # What is nearer than half a pixel is one mark: 100,000 messages are a few thousand.
            marks.setdefault(event.kind, set()).add(round(left, 4))
            continue
        right = clock.position(event.end) if event.end is not None else left
        ending = "failed" if event.failed else "open" if event.end is None else "ok"
        bars.setdefault((event.lane, ending), []).append((left, max(right, left + BAR)))
    for kind, places in marks.items():
        mark, colour = _MARKS[kind], colours.kinds[kind]
        axes.plot(
            sorted(places), [rows[kind, ""]] * len(places), linestyle="none", marker=mark, color=colour, zorder=4,
            markersize=9 if mark == "|" else 7, markeredgecolor=colour if mark == "|" else colours.paper,
            markeredgewidth=0.8, clip_on=False, label=_LANES[kind],
        )  # fmt: skip
    for (lane, ending), spans in bars.items():
        colour = colours.kinds["error" if ending == "failed" else "tool"]
        joined = merged(sorted(spans)) if len(spans) > MANY else spans
        # A failed call is hatched, one without a result hollow: colour is not all that tells them.
        axes.broken_barh(
            [(left, right - left) for left, right in joined], (rows[lane] - 0.25, 0.5), linewidth=1, edgecolor=colour,
            facecolor=colour if ending == "ok" else colours.paper, hatch="////" if ending == "failed" else None,
            zorder=3,
        )  # fmt: skip


def note_of(turns: Sequence[TurnSlice], events: Sequence[Event], clock: Clock) -> str:
    messages = sum(len(turn.messages) for turn in turns)
    told = [count(len(turns), "turn"), count(messages, "message")]
    tools = [event for event in events if event.kind == "tool"]
    if tools:
        told.append(count(len(tools), "tool call"))
    if failed := sum(event.failed for event in tools):
        told.append(f"{failed} failed (hatched)")
    if unanswered := sum(event.end is None for event in tools):
        told.append(f"{unanswered} without a result (hollow)")
    if clock.pauses:
        told.append(
            f"{count(len(clock.pauses), 'pause')} shortened" + (" (dotted)" if len(clock.pauses) <= DOTTED else "")
        )
    return ", ".join(told)


def took(item: Timed) -> str:
    """The turn's duration, as tables have it; where that is not known, how long there were messages."""
    duration = item.turn.duration
    return f"{short(item.end - item.start)} to the last message" if duration is None else short(duration)


def words_of(turns: Sequence[TurnSlice], timed: Sequence[Timed]) -> list[str]:
    start, end = min(item.start for item in timed), max(item.end for item in timed)
    lines = [f"{count(len(turns), 'turn')} from {utc(start)} to {utc(end)}."]
    for item, name in zip(timed[:TOLD], names_of(item.turn for item in timed), strict=False):
        tools = Counter(label(step.name) for step in item.tools)
        used = ", ".join(f"{tool} ×{times}" if times > 1 else tool for tool, times in tools.most_common(5))
        more = f" and {len(tools) - 5} more" if len(tools) > 5 else ""
        told = f"tools: {used}{more}" if tools else "no tools"
        lines.append(f"Turn {name}: {utc(item.start)}, {took(item)}, {item.turn.status}; {told}.")
    if len(timed) > TOLD:
        lines.append(f"{count(len(timed) - TOLD, 'more turn')}.")
    if untimed := sum(time_of(message) is None for turn in turns for message in turn.messages):
        lines.append(f"{count(untimed, 'message')} without a time left out.")
    return lines
