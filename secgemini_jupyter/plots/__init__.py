"""Plots of a transcript, `df.secgemini.plot` (extra `plot`): each is a matplotlib figure, with what it shows in words.

Why matplotlib: it draws PNG, SVG and PDF by itself, without browser, JavaScript or network, so that a picture is the
same in Lab, in VS Code, in a saved notebook and in a report; its figures are what analysts know how to go on with
(`figure.axes`, `savefig`). It adds about 100 MB beside pandas and imports in 0.7 s, at the first plot.
Looked at beside it: altair draws in the browser, with scripts that an untrusted notebook does not run, and needs
another 84 MB (vl-convert) for a static picture; plotly's static pictures start a Chromium; bokeh's drive a browser.

Labels come from models, logs and file names: they are made safe, defanged and cut, and are never read as TeX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.plots.figures import TranscriptFigure
    from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = ["Plots", "ThemeName"]

ThemeName = Literal["light", "dark"]


class Plots:
    """The plots of one table of messages. A table without the things that a plot shows gives an empty one that says so.

    Each takes `theme=`: "light" or "dark"; without one it follows matplotlib's `figure.facecolor`, which
    `matplotlib.style.use("dark_background")` sets.

    Raises:
        InputError: matplotlib is missing, a column is missing, or an argument makes no sense.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table

    def timeline(self, *, theme: ThemeName | None = None) -> TranscriptFigure:
        """What happened when (UTC): prompts, thinking, each tool, answers, errors. Long pauses are cut, and marked."""
        turns = self._turns()
        from secgemini_jupyter.plots.timeline import timeline

        return timeline(turns, theme=theme)

    def tokens(self, by: Literal["turn", "actor"] = "turn", *, theme: ThemeName | None = None) -> TranscriptFigure:
        """Tokens of each turn, or of each actor, counted once; the time taken where the service counts no tokens.

        Args:
            by: of an actor the tokens count that its messages report. Time of an actor is the time before its messages.
        """
        turns = self._turns()
        from secgemini_jupyter.plots.tokens import tokens

        return tokens(turns, by=by, theme=theme)

    def tools(self, *, theme: ThemeName | None = None) -> TranscriptFigure:
        """How often each tool was called, how its calls ended, and how long they took."""
        turns = self._turns()
        from secgemini_jupyter.plots.tools import tools

        return tools(turns, theme=theme)

    def indicators(self, by: Literal["type", "value"] = "type", *, theme: ThemeName | None = None) -> TranscriptFigure:
        """Which indicators of compromise each turn says: how many of each type, or how often each value is said."""
        turns = self._turns()
        from secgemini_jupyter.plots.indicators import indicators

        return indicators(turns, by=by, theme=theme)

    def _turns(self) -> list[TurnSlice]:
        from secgemini_jupyter.transcript.restore import turns_of

        check_matplotlib()
        return turns_of(self._table)


def check_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401  # only whether it is there
    except ImportError:
        raise InputError("Plots need matplotlib. Run: pip install 'secgemini-jupyter[plot]'.") from None
