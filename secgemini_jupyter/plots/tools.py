"""Tool use: how often each tool was called, how its calls ended, how long they took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from matplotlib.ticker import MaxNLocator

from secgemini_jupyter.plots.figures import (
    TranscriptFigure,
    add_legend,
    empty_figure,
    label,
    new_figure,
    plain_text,
    short,
)
from secgemini_jupyter.render.steps import Step, Steps
from secgemini_jupyter.render.text import count
from secgemini_jupyter.transcript.columns import seconds_between
from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = ["tools"]

TITLE = "Tool use"
SHOWN = 15
"""Tools, at most: the others are summed up."""


@dataclass
class Use:
    """The calls of one tool, or of several."""

    name: str
    calls: list[Step] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(step.ok is False for step in self.calls)

    @property
    def unanswered(self) -> int:
        return sum(step.ok is None for step in self.calls)

    @property
    def ok(self) -> int:
        return len(self.calls) - self.failed - self.unanswered

    @property
    def seconds(self) -> list[float]:
        taken = (seconds_between(step.started or None, step.ended or None) for step in self.calls)
        return [seconds for seconds in taken if seconds is not None]

    @property
    def in_words(self) -> str:
        """`3 calls, 1 failed, 4.2 s in all, median 1.1 s`"""
        told = [count(len(self.calls), "call")]
        if self.failed:
            told.append(f"{self.failed} failed")
        if self.unanswered:
            told.append(f"{self.unanswered} without a result")
        if taken := self.seconds:
            told.append(f"{short(sum(taken))} in all" if len(taken) > 1 else short(taken[0]))
            if len(taken) > 1:
                told.append(f"median {short(median(taken))}")
        return ", ".join(told)


def tools(turns: Sequence[TurnSlice], *, theme: str | None) -> TranscriptFigure:
    uses = uses_of(turns)
    if not uses:
        return empty_figure(TITLE, "No tool calls.", theme=theme)
    everything = Use("", [step for use in uses for step in use.calls])
    words = [f"{count(len(everything.calls), 'call')} of {count(len(uses), 'tool')}.",
             *(f"{use.name}: {use.in_words}." for use in grouped(uses))]  # fmt: skip
    rows = grouped(uses)
    note = f"{count(len(uses), 'tool')}: {everything.in_words}"
    with plain_text():
        figure, axes, colours = new_figure(TITLE, words, height=1.25 + 0.3 * len(rows), theme=theme, note=note)
        left = [0] * len(rows)
        parts = (
            ("ok", "tool", "ok", ""),
            ("failed", "error", "failed", "////"),
            ("unanswered", "tool", "no result", ""),
        )
        for name, kind, text, hatch in parts:
            widths = [getattr(use, name) for use in rows]
            if not any(widths):
                continue
            colour = colours.kinds[kind]
            axes.barh(
                range(len(rows)), widths, left=left, height=0.62, edgecolor=colour, linewidth=1, hatch=hatch or None,
                facecolor=colour if name == "ok" else colours.paper, label=text, zorder=3,
            )  # fmt: skip
            left = [before + width for before, width in zip(left, widths, strict=True)]
        for row, use in enumerate(rows):
            taken = f"{short(sum(use.seconds))}" if use.seconds else ""
            axes.annotate(f"{len(use.calls):,}" + (f" · {taken}" if taken else ""), (len(use.calls), row), (5, 0),
                          textcoords="offset points", va="center", fontsize=8.5, color=colours.quiet)  # fmt: skip
        axes.set_yticks(range(len(rows)), [use.name for use in rows])
        axes.tick_params(axis="y", length=0)
        axes.set(
            ylim=(len(rows) - 0.4, -0.6),
            xlim=(0, max(left) * 1.2),
            xlabel="Calls (beside the bars: calls · time in all)",
        )
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.grid(axis="x", color=colours.line, linewidth=0.6)
        if everything.failed or everything.unanswered:
            add_legend(figure, axes)
    return figure


def uses_of(turns: Sequence[TurnSlice]) -> list[Use]:
    """Most used first; tools with the same label are told apart by their order alone."""
    found: dict[str, Use] = {}
    for turn in turns:
        for step in Steps(turn.messages).items:
            if step.kind == "tool":
                found.setdefault(step.name, Use(label(step.name))).calls.append(step)
    return sorted(found.values(), key=lambda use: -len(use.calls))


def grouped(uses: Sequence[Use]) -> list[Use]:
    if len(uses) <= SHOWN:
        return list(uses)
    rest = uses[SHOWN - 1 :]
    return [*uses[: SHOWN - 1], Use(f"{len(rest)} other tools", [step for use in rest for step in use.calls])]
