"""Indicators by turn: a heat map with its numbers written in, of types or of values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_hex

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.plots.figures import TranscriptFigure, bins, empty_figure, new_figure, plain_text
from secgemini_jupyter.plots.themes import Theme, luminance
from secgemini_jupyter.render.text import count, one_line, shorten
from secgemini_jupyter.transcript.sightings import Sighting, sightings
from secgemini_jupyter.transcript.turns import TurnSlice

__all__ = ["indicators"]

COLUMNS = 24
"""Turns with a column of their own, at most: of more, neighbours are put together."""
ROWS = 20
VALUE = 44
"""Characters of an indicator: of a longer one the beginning and the end are shown."""
_TYPES = {
    "url": "URLs", "domain": "Domains", "onion": "Onion names", "email": "Mail addresses", "ipv4": "IPv4",
    "ipv6": "IPv6", "md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512", "cve": "CVE", "cwe": "CWE",
    "ghsa": "GHSA", "attack": "ATT&CK", "asn": "AS numbers", "btc": "Bitcoin", "eth": "Ethereum",
    "registry": "Registry keys", "windows_path": "Windows paths", "unix_path": "Unix paths",
}  # fmt: skip


def indicators(turns: Sequence[TurnSlice], *, by: str, theme: str | None) -> TranscriptFigure:
    if by not in ("type", "value"):
        raise InputError(f"by={by!r} is none of type, value.")
    title = "Indicators by turn"
    groups = bins(turns, COLUMNS)
    found = [list(sightings(group)) for _, group in groups]
    if not any(found):
        return empty_figure(title, "No indicators." if turns else "No messages.", theme=theme)
    counts, total = types_of(found) if by == "type" else values_of(found)
    names = [name for name, _ in groups]
    unit = "different ones of each type" if by == "type" else "how often each is said"
    different = len({(s.indicator.type, s.indicator.value) for group in found for s in group})
    note = f"{count(different, 'indicator')} in {count(len(turns), 'turn')}: {unit}"
    if total > len(counts):
        note += f"; {len(counts)} of {total} shown"
    words = [note + ".", *(told(row, names, numbers) for row, numbers in counts.items())]
    with plain_text():
        figure, axes, colours = new_figure(title, words, height=1.3 + 0.28 * len(counts), theme=theme, note=note)
        draw(axes, colours, list(counts), names, list(counts.values()))
    return figure


def types_of(found: Sequence[Sequence[Sighting]]) -> tuple[dict[str, list[int]], int]:
    """How many different values of each type each column has."""
    different = [{(s.indicator.type, s.indicator.value) for s in group} for group in found]
    by_column = [Counter(kind for kind, _ in values) for values in different]
    order = [kind for kind in _TYPES if any(column[kind] for column in by_column)]
    order += sorted({kind for column in by_column for kind in column} - set(order))
    return {_TYPES.get(kind, kind): [column[kind] for column in by_column] for kind in order}, len(order)


def values_of(found: Sequence[Sequence[Sighting]]) -> tuple[dict[str, list[int]], int]:
    """How often each column says a value: of those that most columns say, in order of their first sighting."""
    table: dict[tuple[str, str], list[int]] = {}
    shown: dict[tuple[str, str], str] = {}
    for column, group in enumerate(found):
        for sighting in group:
            key = sighting.indicator.type, sighting.indicator.value
            shown.setdefault(key, middle(one_line(sighting.indicator.defanged, 500)))
            table.setdefault(key, [0] * len(found))[column] += sighting.count
    kept = sorted(table, key=lambda key: (-sum(number > 0 for number in table[key]), -sum(table[key])))[:ROWS]
    rows: dict[str, list[int]] = {}
    for key in sorted(kept, key=list(table).index):
        name = shown[key]
        while name in rows:  # two that differ where they were cut
            name += "\u2009"
        rows[name] = table[key]
    return rows, len(table)


def middle(text: str) -> str:
    """`text` without its middle, since hashes and paths differ at both ends."""
    if len(text) <= VALUE:
        return text
    return text[: VALUE * 2 // 3] + "…" + shorten(text[-(VALUE // 3 - 1) :], VALUE)


def told(row: str, names: Sequence[str], numbers: Sequence[int]) -> str:
    said = [f"turn {name}: {number}" for name, number in zip(names, numbers, strict=True) if number]
    more = f" and {count(len(said) - 10, 'more column')}" if len(said) > 10 else ""
    return f"{row}: {', '.join(said[:10])}{more}."


def draw(
    axes: Axes, colours: Theme, rows: Sequence[str], names: Sequence[str], counts: Sequence[Sequence[int]]
) -> None:
    most = max(max(numbers) for numbers in counts)
    ramp = LinearSegmentedColormap.from_list("sightings", colours.ramp)
    # The square root: one hundred in one turn shall not make all others white.
    scale = Normalize(0, most**0.5)
    for row, numbers in enumerate(counts):
        for column, number in enumerate(numbers):
            if not number:
                continue
            face = to_hex(ramp(scale(number**0.5)))
            axes.barh(row, 0.94, left=column - 0.47, height=0.88, color=face, zorder=2)
            ink = "#ffffff" if luminance(face) < 0.18 else "#111418"
            axes.text(column, row, f"{number:,}", ha="center", va="center", fontsize=8.5, color=ink, zorder=3)
    every = -(-max(map(len, names)) * len(names) // 70)
    axes.set_xticks(range(0, len(names), every), names[::every])
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(axis="both", length=0)
    # A few turns shall not be as wide as the page.
    axes.set(xlabel="Turn", xlim=(-0.5, max(len(names), 8) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    axes.grid(axis="y", color=colours.line, linewidth=0.6)
