"""What every plot keeps: it is a figure, it says what it shows, it fits, and no text in it acts."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise

import matplotlib
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.plots.figures import TranscriptFigure, label
from secgemini_jupyter.plots.themes import DARK, LIGHT, Theme, luminance
from secgemini_jupyter.transcript.messages import messages_frame

from .sessions import HOSTILE, empty, history, tokens, turn

Plot = Callable[..., TranscriptFigure]
PLOTS: dict[str, Callable[[pd.DataFrame], TranscriptFigure]] = {
    "timeline": lambda table: table.secgemini.plot.timeline(),
    "tokens": lambda table: table.secgemini.plot.tokens(),
    "tokens by actor": lambda table: table.secgemini.plot.tokens("actor"),
    "tools": lambda table: table.secgemini.plot.tools(),
    "indicators": lambda table: table.secgemini.plot.indicators(),
    "indicators by value": lambda table: table.secgemini.plot.indicators("value"),
}
every_plot = pytest.mark.parametrize("name", PLOTS)


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]


@every_plot
def test_a_notebook_gets_the_picture_with_its_words_as_alternative_text(name: str) -> None:
    figure = PLOTS[name](history(usage=tokens(1000, 50)))
    data, metadata = DisplayFormatter().format(figure)
    assert base64.b64decode(data["image/png"])[:4] == b"\x89PNG"
    assert metadata["image/png"]["width"] == 800
    assert metadata["image/png"]["alt"] == data["text/plain"] == figure.summary
    assert figure.summary.startswith(figure.title + ".\n")
    assert f'alt="{figure.title}.' in data["text/html"]
    assert ">In words</summary><pre" in data["text/html"]
    assert figure.words[0].replace("'", "&#x27;") in data["text/html"]


@every_plot
def test_hostile_names_are_drawn_as_they_are_and_do_nothing(name: str) -> None:
    table = history(tools=HOSTILE)
    table["actor"] = [HOSTILE[row % len(HOSTILE)] for row in range(len(table))]
    with rc_context({"text.usetex": True, "text.parse_math": True}):  # TeX would be run, or fail
        figure = PLOTS[name](table)
        png(figure)
    for text in texts(figure):
        assert not text.get_usetex()
        assert not text.get_parse_math()
        assert not [char for char in text.get_text() if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"]
        assert "http://" not in text.get_text()
        assert len(text.get_text()) < 200
    html = figure._repr_mimebundle_()[0]["text/html"]
    assert "<script>" not in html
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg")
    ET.fromstring(buffer.getvalue())  # our own file
    assert "<script" not in buffer.getvalue()


@every_plot
@pytest.mark.parametrize("turns", [1, 12, 60])
def test_nothing_is_cut_off_and_no_label_lies_over_another(name: str, turns: int) -> None:
    tools = (*TOOLS_WITH_LONG_NAMES, "whois", "x" * 60)
    figure = PLOTS[name](history(turns, tools=tools, usage=tokens(9_876_543, 54_321, 1_000_000)))
    png(figure)
    (axes,) = figure.axes
    assert axes.get_window_extent().width > 350
    unseen = {tick.label1 for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_major_ticks()
              if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())}  # fmt: skip
    for text in set(texts(figure)) - unseen:
        box = text.get_window_extent()
        assert -1 <= box.x0 <= box.x1 <= figure.bbox.width + 1, text.get_text()
        assert -1 <= box.y0 <= box.y1 <= figure.bbox.height + 1, text.get_text()
    for ticks, low, high in ((axes.get_xticklabels(), "x0", "x1"), (axes.get_yticklabels(), "y0", "y1")):
        boxes = sorted(
            (text.get_window_extent() for text in ticks if text not in unseen and text.get_text()),
            key=lambda box: getattr(box, low),
        )
        for before, after in pairwise(boxes):
            assert getattr(before, high) <= getattr(after, low) + 1
    for legend in figure.legends:
        assert not legend.get_window_extent().overlaps(axes.get_window_extent())


TOOLS_WITH_LONG_NAMES = ("search_threat_intelligence", "virus_total_lookup_of_a_hash_or_domain")


@every_plot
def test_a_plot_of_nothing_says_so(name: str) -> None:
    figure = PLOTS[name](empty())
    png(figure)
    assert figure.words[0] in [text.get_text() for text in texts(figure)]
    assert figure.words[0] in ("No messages.", "No tool calls.")


@every_plot
def test_messages_without_any_time_number_or_known_type_do_not_fail(name: str) -> None:
    table = history(2)
    table["created_at"] = pd.NaT
    table["extra"] = None
    png(PLOTS[name](table))


@every_plot
def test_sessions_together_are_told_apart_by_their_names(name: str) -> None:
    both = pd.concat([history(1, usage=tokens(5, 5)), messages_frame(turn(0, 50), session_id="other-session-id")])
    figure = PLOTS[name](both)
    png(figure)
    if "actor" not in name and name != "tools":
        assert "s:1" in figure.summary or "s:1" in [text.get_text() for text in texts(figure)]


def test_a_label_is_safe_short_and_never_empty() -> None:
    assert label("a\u202eb") == "a⟨U+202E⟩b"
    assert label("http://evil.example.com") == "hxxp://evil[.]example[.]com"
    assert len(label("x" * 300)) == 28
    assert label(" ") == "(no name)"


def test_words_are_in_the_files_that_have_a_place_for_them(tmp_path: object) -> None:
    figure = history().secgemini.plot.tools()
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Creator": "me"})
    assert figure.words[0] in buffer.getvalue()
    assert "me</dc:title>" in buffer.getvalue() or ">me<" in buffer.getvalue()
    assert figure.words[0].encode() in png(figure)
    figure.savefig(io.BytesIO(), format="pdf")


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_colours_stand_out_from_the_paper(theme: Theme) -> None:
    def contrast(one: str, other: str) -> float:
        dark, light = sorted((luminance(one), luminance(other)))
        return (light + 0.05) / (dark + 0.05)

    for kind, colour in theme.kinds.items():
        if kind != "cached":  # hatched, between two others
            assert contrast(colour, theme.paper) >= 3, kind
    for text in (theme.ink, theme.quiet):
        assert contrast(text, theme.paper) >= 4.5


def test_the_theme_is_an_argument_or_matplotlib_s() -> None:
    plot = history().secgemini.plot
    assert plot.tools(theme="dark").get_facecolor() == matplotlib.colors.to_rgba(DARK.paper)
    assert plot.tools().theme is LIGHT
    with rc_context({"figure.facecolor": "black"}):
        assert plot.tools().theme is DARK
        assert plot.tools(theme="light").theme is LIGHT
    with pytest.raises(InputError, match="theme='blue' is none: use 'light' or 'dark'"):
        plot.tools(theme="blue")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    table = history()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install 'secgemini-jupyter\[plot\]'"):
        table.secgemini.plot.timeline()


def test_matplotlib_loads_with_the_first_plot_and_pyplot_never() -> None:
    code = (
        "import sys, secgemini_jupyter.accessor\n"
        "from secgemini_jupyter.transcript.messages import messages_frame\n"
        "plot = messages_frame([], session_id='s').secgemini.plot\n"
        "before = 'matplotlib' in sys.modules\n"
        "plot.timeline()._repr_mimebundle_()\n"
        "sys.exit(before or 'matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
