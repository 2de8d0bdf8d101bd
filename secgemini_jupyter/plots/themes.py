"""Colours of the plots, light and dark. Each kind has one; that it is never colour alone, the plots see to.

The hues keep apart for colour-blind readers (after Okabe and Ito), and each has a contrast of at least 3 to the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from matplotlib import rcParams
from matplotlib.colors import to_rgb

from secgemini_jupyter.errors import InputError

__all__ = ["DARK", "LIGHT", "Theme", "find_theme", "luminance"]


@dataclass(frozen=True)
class Theme:
    """Colours as matplotlib takes them.

    Attributes:
        quiet: text that is read second.
        line: grid and frames.
        band: the background of every other turn.
        ramp: of a heat map, from few to many.
    """

    name: str
    paper: str
    ink: str
    quiet: str
    line: str
    band: str
    kinds: Mapping[str, str]
    ramp: tuple[str, str]


LIGHT = Theme(
    "light", paper="#ffffff", ink="#1f2328", quiet="#59636e", line="#d8dee4", band="#f3f5f8",
    kinds=MappingProxyType({
        "prompt": "#0072b2", "thinking": "#9c4f96", "tool": "#a86400", "answer": "#00805e", "error": "#c62f1d",
        "progress": "#6b7680", "cached": "#6aa9d2",
    }),
    ramp=("#eaf3fa", "#0b5a92"),
)  # fmt: skip
DARK = Theme(
    "dark", paper="#111418", ink="#e6edf3", quiet="#9ea7b3", line="#30363d", band="#1a1f26",
    kinds=MappingProxyType({
        "prompt": "#56b4e9", "thinking": "#d18fd0", "tool": "#e69f00", "answer": "#2fc196", "error": "#ff7b6b",
        "progress": "#8b949e", "cached": "#2f7bab",
    }),
    ramp=("#17293a", "#7cc4f5"),
)  # fmt: skip


def find_theme(name: str | None) -> Theme:
    """The theme of that name; without one, that which goes with matplotlib's own colours.

    Raises:
        InputError: there is none of that name.
    """
    if name is None:
        face = rcParams["figure.facecolor"]
        return DARK if face != "none" and luminance(face) < 0.2 else LIGHT
    for theme in (LIGHT, DARK):
        if theme.name == name:
            return theme
    raise InputError(f"theme={name!r} is none: use 'light' or 'dark', or leave it out.")


def luminance(colour: str) -> float:
    """How light a colour is, from 0 to 1, as WCAG counts it."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
