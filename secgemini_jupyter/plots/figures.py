"""A matplotlib figure that says in words what it shows, and takes no text for TeX."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from secgemini_jupyter.plots.themes import Theme, find_theme
from secgemini_jupyter.render import html
from secgemini_jupyter.render.text import duration, shorten
from secgemini_jupyter.transcript.labels import gist
from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = [
    "WIDTH",
    "TranscriptFigure",
    "add_legend",
    "bins",
    "empty_figure",
    "label",
    "names_of",
    "new_figure",
    "plain_text",
    "short",
]

WIDTH = 800
"""CSS pixels, at most: a notebook's column takes it."""
DPI = 100
SCALE = 2
"""Pixels for a CSS pixel in the picture that a notebook shows."""
NOTE = 130
"""Characters of a line of the head."""
NAME = 28
"""Characters of a label on an axis."""
# What matplotlib's own font lacks, where it is installed.
_FALLBACKS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari",
    "Noto Sans Symbols 2", "Hiragino Sans", "Microsoft YaHei", "Arial Unicode MS", "WenQuanYi Micro Hei",
)  # fmt: skip


class TranscriptFigure(Figure):
    """A `matplotlib.figure.Figure`, with what it shows in words.

    Attributes:
        title: of the plot, one line.
        words: what a screen reader shall say, line by line; a notebook has it as the picture's alternative text.
    """

    def __init__(self, title: str, words: Sequence[str], *, height: float, theme: Theme) -> None:
        size = (WIDTH / DPI, height)
        super().__init__(figsize=size, dpi=DPI, facecolor=theme.paper, layout="constrained")
        self.theme = theme
        self.title = title
        self.words = list(words)

    @property
    def summary(self) -> str:
        return "\n".join([self.title + ".", *self.words])

    def draw(self, renderer: Any) -> None:
        with plain_text():
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """As `Figure.savefig`; the file keeps the words where its format has a place for them (PNG, SVG)."""
        kind = str(options.get("format") or getattr(fname, "suffix", "") or str(fname).rpartition(".")[2])
        if kind.lstrip(".").lower() in ("png", "svg"):
            described = {"Title": self.title, "Description": self.summary}
            options["metadata"] = described | (options.get("metadata") or {})
        super().savefig(fname, **{"facecolor": self.get_facecolor()} | options)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The picture, its words as alternative text and below it. Lab has no alternative text for an image alone."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=DPI * SCALE)
        data = base64.b64encode(buffer.getvalue()).decode()
        width, height = (round(inches * DPI) for inches in self.get_size_inches())
        # Lab typesets TeX in every output, but for what is preformatted.
        words = html.tag("pre", "\n".join(self.words), style=html.QUIET)
        shown = html.tag(
            "div",
            html.image(f"data:image/png;base64,{data}", self.summary, width=width),
            html.tag("details", html.tag("summary", "In words", style=html.QUIET), words),
        )
        bundle = {"image/png": data, "text/html": str(shown), "text/plain": self.summary}
        return bundle, {"image/png": {"width": width, "height": height, "alt": self.summary}}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.title!r}: {self.words[0] if self.words else 'empty'}>"


@contextmanager
def plain_text() -> Iterator[None]:
    """Texts made or drawn inside are taken as they are; a character that no font has is drawn as a box, in silence."""
    own = rcParams["font.family"]
    families = [own] if isinstance(own, str) else list(own)
    with (
        rc_context({"text.usetex": False, "text.parse_math": False, "font.family": [*families, *fallbacks()]}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing", category=UserWarning)
        yield


@cache
def fallbacks() -> tuple[str, ...]:
    installed = set(get_font_names())
    return tuple(name for name in _FALLBACKS if name in installed)


def new_figure(
    title: str, words: Sequence[str], *, height: float, theme: str | None, note: str = ""
) -> tuple[TranscriptFigure, Axes, Theme]:
    """A figure with one axes in the theme's colours; call it, and draw, inside of `plain_text`.

    Args:
        height: in inches.
        note: a quiet line under the title.
    """
    colours = find_theme(theme)
    figure = TranscriptFigure(title, words, height=height, theme=colours)
    # The head is no part of the layout: a long line in it shall not push the axes together.
    head = (0.5 if note else 0.3) / height
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - head))
    figure.text(0.008, 1 - 0.07 / height, title, va="top", fontsize=11, fontweight="bold", color=colours.ink)
    figure.text(0.008, 1 - 0.31 / height, shorten(note, NOTE), va="top", fontsize=8.5, color=colours.quiet)
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    axes.tick_params(colors=colours.quiet, labelcolor=colours.ink, labelsize=9, length=3)
    axes.xaxis.label.set(color=colours.quiet, fontsize=9)
    axes.yaxis.label.set(color=colours.quiet, fontsize=9)
    for side, spine in axes.spines.items():
        spine.set_color(colours.line)
        spine.set_visible(side in ("left", "bottom"))
    axes.set_axisbelow(True)
    return figure, axes, colours


def empty_figure(title: str, words: str, *, theme: str | None) -> TranscriptFigure:
    """A plot of nothing: it has its title, and says why in its middle."""
    with plain_text():
        figure, axes, colours = new_figure(title, [words], height=1.6, theme=theme)
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes, color=colours.quiet, fontsize=10)
    return figure


def label(text: str, limit: int = NAME) -> str:
    """Untrusted text for an axis: safe, defanged, short, and never empty."""
    return gist(text, limit) or "(no name)"


def short(seconds: float) -> str:
    """`12 ms`, `48 s`, `2 min 05 s`, `3 h 10 min`, `4 days`"""
    if seconds < 0.05:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 3600:
        return duration(seconds)
    if seconds < 172_800:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    return f"{int(seconds // 86_400):,} days"


def add_legend(figure: TranscriptFigure, axes: Axes) -> None:
    """What the colours and hatches mean, below the axes: never over what is drawn."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8.5,
        labelcolor=figure.theme.ink, handlelength=1.4, handleheight=0.9,
    )  # fmt: skip


def names_of(turns: Iterable[TurnSlice]) -> list[str]:
    """What the turns are called on an axis: their number, and the session's where there are several."""
    listed = list(turns)
    if len({turn.session_id for turn in listed}) < 2:
        return [str(turn.index) for turn in listed]
    return [f"{label(turn.session_id, 8)}:{turn.index}" for turn in listed]


def bins(turns: Sequence[TurnSlice], limit: int) -> list[tuple[str, list[TurnSlice]]]:
    """`turns` in at most `limit` groups of neighbours, each with its label: `7`, `7–9`."""
    names = names_of(turns)
    size = -(-len(turns) // limit)
    starts = range(0, len(turns), size or 1)
    groups = []
    for start in starts:
        first, last = names[start], names[min(start + size, len(turns)) - 1]
        groups.append((first if first == last else f"{first}–{last}", list(turns[start : start + size])))
    return groups
