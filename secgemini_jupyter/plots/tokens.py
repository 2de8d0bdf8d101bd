"""Tokens of each turn or actor; the time taken where the service counts no tokens, as the local analyst does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Usage, counted_usages
from secgemini_jupyter.plots.clock import merged
from secgemini_jupyter.plots.figures import (
    TranscriptFigure,
    add_legend,
    bins,
    empty_figure,
    label,
    new_figure,
    plain_text,
    short,
)  # fmt: skip
from secgemini_jupyter.plots.themes import Theme
from secgemini_jupyter.render.steps import Steps
from secgemini_jupyter.render.text import count
from secgemini_jupyter.transcript.turns import TurnSlice, time_of

__all__ = ["tokens"]

BARS = 40
"""Turns with a bar of their own, at most: of more, neighbours are summed up."""
ACTORS = 12


@dataclass(frozen=True)
class Part:
    """One part of each bar."""

    name: str
    kind: str
    hatch: str
    values: Sequence[float]


@dataclass(frozen=True)
class Bars:
    """What is drawn: a bar for each of `names`, made of `parts` that add up."""

    title: str
    names: Sequence[str]
    parts: Sequence[Part]
    unit: str
    told: Callable[[float], str]
    note: str
    each: str = ""

    @property
    def totals(self) -> list[float]:
        return [sum(values) for values in zip(*(part.values for part in self.parts), strict=True)]

    @property
    def words(self) -> list[str]:
        lines = [f"{self.note}."]
        for row, (name, total) in enumerate(zip(self.names, self.totals, strict=True)):
            parts = [f"{part.name} {self.told(part.values[row])}" for part in self.parts if part.values[row]]
            lines.append(
                f"{self.each}{name}: {self.told(total)}" + (f" ({', '.join(parts)})." if len(parts) > 1 else ".")
            )
        return lines


def tokens(turns: Sequence[TurnSlice], *, by: str, theme: str | None) -> TranscriptFigure:
    if by not in ("turn", "actor"):
        raise InputError(f"by={by!r} is none of turn, actor.")
    has_tokens = any(spent(turn.usage) for turn in turns)
    title = f"{'Tokens' if has_tokens else 'Time'} by {by}"
    if not turns:
        return empty_figure(title, "No messages.", theme=theme)
    if by == "turn":
        bars = tokens_by_turn(turns, title) if has_tokens else time_by_turn(turns, title)
    else:
        bars = tokens_by_actor(turns, title) if has_tokens else time_by_actor(turns, title)
    if not any(bars.totals):
        return empty_figure(title, "Neither tokens nor times are known.", theme=theme)
    upright = by == "turn"
    height = 3.2 if upright else 1.5 + 0.3 * len(bars.names)
    with plain_text():
        figure, axes, colours = new_figure(title, bars.words, height=height, theme=theme, note=bars.note)
        (draw_upright if upright else draw_flat)(axes, colours, bars)
        if len([part for part in bars.parts if any(part.values)]) > 1:
            add_legend(figure, axes)
    return figure


def spent(usage: Usage) -> int:
    """What the service counts in all; a service that does not add up gives the two that it bills."""
    return max(usage.total_tokens, usage.prompt_tokens + usage.generated_tokens)


def parts_of(usages: Sequence[Usage]) -> list[Part]:
    """Parts that add up to `spent`. Thinking tokens are a part of one of them, which one differs, so they are none."""
    cached = [min(usage.cached_token_count, usage.prompt_tokens) for usage in usages]
    fresh = [usage.prompt_tokens - known for usage, known in zip(usages, cached, strict=True)]
    other = [spent(usage) - usage.prompt_tokens - usage.generated_tokens for usage in usages]
    return [
        Part("prompt, not cached" if any(cached) else "prompt", "prompt", "", fresh),
        Part("prompt, cached", "cached", "....", cached),
        Part("generated", "answer", "", [usage.generated_tokens for usage in usages]),
        Part("other", "progress", "xxxx", other),
    ]


def in_tokens(number: float) -> str:
    return count(int(number), "token")


def tokens_by_turn(turns: Sequence[TurnSlice], title: str) -> Bars:
    groups = bins(turns, BARS)
    usages = [sum((turn.usage for turn in group), Usage()) for _, group in groups]
    silent = sum(not spent(turn.usage) for turn in turns)
    note = f"{count(len(turns), 'turn')}, {in_tokens(sum(map(spent, usages)))}, as the service counts them"
    note += f"; {count(silent, 'turn')} without a count" if silent else ""
    return Bars(title, [name for name, _ in groups], parts_of(usages), "Tokens", in_tokens, note, "Turn ")


def tokens_by_actor(turns: Sequence[TurnSlice], title: str) -> Bars:
    found: dict[str, Usage] = {}
    for turn in turns:
        for message, usage in counted_usages(turn.messages[1:] if turn.query else turn.messages):
            found[message.actor] = found.get(message.actor, Usage()) + usage
    ranked = sorted(((actor, usage) for actor, usage in found.items() if spent(usage)), key=lambda it: -spent(it[1]))
    names, usages = rest_as_one(ranked, Usage())
    note = f"{in_tokens(sum(map(spent, usages)))}: of a turn its results' numbers, which count what led to them"
    return Bars(title, names, parts_of(usages), "Tokens", in_tokens, note)


def time_by_turn(turns: Sequence[TurnSlice], title: str) -> Bars:
    groups = bins(turns, BARS)
    in_tools = [sum(map(tool_seconds, group)) for _, group in groups]
    whole = [sum(turn.duration or 0.0 for turn in group) for _, group in groups]
    rest = [max(total - tools, 0.0) for total, tools in zip(whole, in_tools, strict=True)]
    note = f"{count(len(turns), 'turn')}, {short(sum(whole))} from prompt to end; no tokens are counted here"
    parts = [Part("tools", "tool", "////", in_tools), Part("other", "prompt", "", rest)]
    return Bars(title, [name for name, _ in groups], parts, "Seconds", short, note, "Turn ")


def tool_seconds(turn: TurnSlice) -> float:
    """How long at least one tool ran: calls at the same time count once."""
    spans = [(step.started, step.ended) for step in Steps(turn.messages).items
             if step.kind == "tool" and step.started and step.ended and step.ended >= step.started]  # fmt: skip
    return sum(end - start for start, end in merged(sorted(spans)))


def time_by_actor(turns: Sequence[TurnSlice], title: str) -> Bars:
    found: dict[str, float] = {}
    for turn in turns:
        timed = [(time, message) for message in turn.messages if (time := time_of(message))]
        for (before, _), (after, message) in pairwise(timed):
            found[message.actor] = found.get(message.actor, 0.0) + max(after - before, 0.0)
    ranked = sorted(((actor, seconds) for actor, seconds in found.items() if seconds), key=lambda it: -it[1])
    names, seconds = rest_as_one(ranked, 0.0)
    note = f"{short(sum(it for _, it in ranked))}, the time before each actor's messages; no tokens are counted here"
    return Bars(title, names, [Part("time", "prompt", "", seconds)], "Seconds", short, note)


def rest_as_one(ranked: Sequence[tuple[str, Any]], nothing: Any) -> tuple[list[str], list[Any]]:
    """The first ones by name, the others in one."""
    kept, rest = (ranked, []) if len(ranked) <= ACTORS else (ranked[: ACTORS - 1], ranked[ACTORS - 1 :])
    names, values = [label(actor) for actor, _ in kept], [value for _, value in kept]
    if rest:
        names.append(f"{len(rest)} others")
        values.append(sum((value for _, value in rest), nothing))
    return names, values


def drawn(colours: Theme, part: Part) -> dict[str, Any]:
    colour = colours.kinds[part.kind]
    return {
        "label": part.name, "edgecolor": colour, "linewidth": 1, "hatch": part.hatch or None, "zorder": 3,
        "facecolor": colours.paper if part.hatch else colour,
    }  # fmt: skip


def shown(parts: Iterable[Part]) -> list[Part]:
    return [part for part in parts if any(part.values)]


def draw_upright(axes: Axes, colours: Theme, bars: Bars) -> None:
    rows = range(len(bars.names))
    bottom = [0.0] * len(bars.names)
    for part in shown(bars.parts):
        axes.bar(rows, part.values, bottom=bottom, width=min(0.7, 0.12 * len(rows)), **drawn(colours, part))
        bottom = [under + value for under, value in zip(bottom, part.values, strict=True)]
    every = -(-max(map(len, bars.names)) * len(rows) // 75)
    axes.set_xticks(rows[::every], bars.names[::every])
    axes.tick_params(axis="x", length=0)
    axes.set(xlabel="Turn", ylabel=bars.unit, xlim=(-0.6, len(rows) - 0.4), ylim=(0, max(bottom) * 1.08))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=bars.unit == "Tokens"))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.grid(axis="y", color=colours.line, linewidth=0.6)


def draw_flat(axes: Axes, colours: Theme, bars: Bars) -> None:
    rows = range(len(bars.names))
    left = [0.0] * len(bars.names)
    for part in shown(bars.parts):
        axes.barh(rows, part.values, left=left, height=0.62, **drawn(colours, part))
        left = [before + value for before, value in zip(left, part.values, strict=True)]
    for row, total in zip(rows, left, strict=True):
        text = f"{total:,.0f}" if bars.unit == "Tokens" else bars.told(total)
        axes.annotate(text, (total, row), (5, 0), textcoords="offset points", va="center", fontsize=8.5,
                      color=colours.quiet)  # fmt: skip
    axes.set_yticks(rows, bars.names)
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel=bars.unit, xlim=(0, max(left) * 1.14), ylim=(len(rows) - 0.4, -0.6))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=bars.unit == "Tokens"))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.grid(axis="x", color=colours.line, linewidth=0.6)
