"""A time axis that leaves long pauses out: where a moment stands on it, and where it has its ticks."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

__all__ = ["Clock", "Pause", "merged"]

PAUSE = 0.05
"""How much of the axis a pause takes at most."""
_STEPS = (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
          43200, 86400, 172800, 604800)  # fmt: skip


@dataclass(frozen=True)
class Pause:
    """A time in which nothing happened: where its middle stands, and how long it was."""

    position: float
    seconds: float


class Clock:
    """Maps Unix seconds to positions from 0 to 1; `busy` are the spans that are drawn true to scale."""

    def __init__(self, busy: Iterable[tuple[float, float]]) -> None:
        spans = merged(sorted(busy))
        lengths = [end - start for start, end in spans]
        total = sum(lengths) or 1.0
        gaps = [after[0] - before[1] for before, after in pairwise(spans)]
        # Many pauses together take no more than half of the axis.
        widest = total * min(PAUSE, 0.5 / len(gaps)) / (1 - len(gaps) * min(PAUSE, 0.5 / len(gaps))) if gaps else 0
        self._times: list[float] = []
        self._places: list[float] = []
        self.pauses: list[Pause] = []
        self.starts = [start for start, _ in spans]
        place = 0.0
        for (start, end), gap in zip(spans, [*gaps, 0.0], strict=True):
            self._times += (start, end)
            # A span of one moment has a width too: what is drawn there needs room.
            width = max(end - start, 0.01 * total)
            self._places += (place, place + width)
            place += width
            if gap > widest:
                self.pauses.append(Pause(place + widest / 2, gap))
            place += min(gap, widest)
        self._length = place or 1.0
        self._places = [at / self._length for at in self._places]
        self.pauses = [Pause(pause.position / self._length, pause.seconds) for pause in self.pauses]

    def position(self, time: float) -> float:
        times, places = self._times, self._places
        index = min(max(bisect_right(times, time), 1), len(times) - 1)
        before, after = times[index - 1], times[index]
        part = 0.0 if after == before else (time - before) / (after - before)
        return places[index - 1] + (places[index] - places[index - 1]) * min(max(part, 0.0), 1.0)

    def ticks(self, apart: float = 0.13) -> list[tuple[float, str]]:
        """Positions and labels, at least `apart`: the beginnings first, then round times between them.

        The date stands under the first tick of each day.
        """
        times: list[float] = []
        for candidate in (*self.starts, *self._round_times(apart)):
            place = self.position(candidate)
            if all(abs(place - self.position(other)) >= apart for other in times):
                times.append(candidate)
        written = []
        day = ""
        fine = sum(self._times[1::2]) - sum(self._times[::2]) < 10
        for time in sorted(times):
            moment = datetime.fromtimestamp(time, UTC)
            text = f"{moment:%H:%M:%S}" + (f".{moment.microsecond // 100_000}" if fine else "")
            if (date := f"{moment:%Y-%m-%d}") != day:
                text, day = f"{text}\n{date}", date
            written.append((self.position(time), text))
        return written

    def _round_times(self, apart: float) -> list[float]:
        found: list[float] = []
        for index in range(0, len(self._times), 2):
            start, end = self._times[index : index + 2]
            width = self._places[index + 1] - self._places[index]
            if width < apart:
                continue
            least = (end - start) * apart / width
            step = next((step for step in _STEPS if step >= least), least)
            first = math.ceil(start / step)
            found += [number * step for number in range(first, min(first + 50, math.floor(end / step) + 1))]
        return found


def merged(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Sorted spans, those that overlap or touch as one."""
    found: list[tuple[float, float]] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
