"""What is measured, who takes part, and which ratios we aim at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

OURS = ("async", "sync")


@dataclass(frozen=True)
class Aim:
    """`ours` against `other` by one figure: how often better ("times"), or how much of it at most ("share")."""

    figure: str
    other: str
    kind: Literal["times", "at most", "absolute"]
    value: float

    def ratio(self, ours: float, other: float) -> float:
        """Above 1 is better for a speed; the other way round for seconds, CPU and memory."""
        if self.kind == "absolute":
            return ours
        faster = ours / other if self.figure == "messages_per_second" else other / ours
        return faster if self.kind == "times" else 1 / faster

    def met(self, ratio: float) -> bool:
        return ratio >= self.value if self.kind == "times" else ratio <= self.value

    def __str__(self) -> str:
        if self.kind == "absolute":
            return f"<= {self.value:g}"
        return f">= {self.value:g} x {self.other}" if self.kind == "times" else f"<= {self.value:g} x {self.other}"


@dataclass(frozen=True)
class Row:
    """One measurement; every side does it in a process of its own, in turns, `repeats` times.

    Attributes:
        messages: so many lie in one session; its id is the argument.
        sessions: so many lie in the server.
        replay: whether the turn is recorded first and then played back.
        shown: the figures of the table.
    """

    name: str
    task: str
    argument: Any = None
    sides: tuple[str, ...] = (*OURS, "official", "raw")
    shown: tuple[str, ...] = ("seconds",)
    aims: tuple[Aim, ...] = ()
    repeats: int = 5
    messages: int = 0
    sessions: int = 0
    replay: bool = False
    slow: bool = False


STREAM_SIDES = (*OURS, "official", "raw", "lean")
STREAM_FIGURES = ("messages_per_second", "cpu_us_per_message")

HISTORY_FIGURES = ("seconds", "cpu", "peak_mb")
# The server's own time is part of the seconds of each side, not of its CPU time.
HISTORY_AIMS = (Aim("seconds", "official", "times", 4), Aim("cpu", "official", "times", 4))


def replayed(name: str, prompt: str, official: float, *, repeats: int = 5, slow: bool = False) -> Row:
    """The client sets the pace: see `replay`."""
    aims = (
        Aim("messages_per_second", "official", "times", official),
        Aim("messages_per_second", "lean", "times", 0.8),
        Aim("cpu_us_per_message", "official", "times", official),
    )
    return Row(name, "stream", prompt, STREAM_SIDES, STREAM_FIGURES, aims, repeats, replay=True, slow=slow)


ROWS = (
    replayed("stream 10k x 200 B, replayed", "[[messages=10000 bytes=200]]", 4),
    replayed("stream 1k x 5 kB, replayed", "[[messages=1000 bytes=5000]]", 2.8),
    replayed("stream 10k x 5 kB, replayed", "[[messages=10000 bytes=5000]]", 2.8, repeats=3, slow=True),
    Row(
        "stream 10k x 200 B, live", "stream", "[[messages=10000 bytes=200]]", STREAM_SIDES, STREAM_FIGURES, repeats=3
    ),
    Row(
        "stamp to yield", "arrival", "[[delay=0.003]] [[messages=300 bytes=200]]", shown=("median_us", "p95_us"),
        aims=(Aim("median_us", "raw", "at most", 1.0),), repeats=3,
    ),
    Row(
        "history 10k -> DataFrame", "history", sides=(*OURS, "official", "lean"), shown=HISTORY_FIGURES,
        aims=HISTORY_AIMS, repeats=3, messages=10_000,
    ),
    Row(
        "history 100k -> DataFrame", "history", sides=(*OURS, "official", "lean"), shown=HISTORY_FIGURES,
        aims=(*HISTORY_AIMS, Aim("peak_mb", "", "absolute", 250)), repeats=3,
        messages=100_000, slow=True,
    ),
    Row(
        "construct client + create session", "create", 15, shown=("seconds", "first_seconds"),
        aims=(Aim("seconds", "raw", "at most", 3),), repeats=3,
    ),
    Row(
        "50 MB attachment", "attach", 50_000_000, shown=("seconds", "cpu", "peak_mb"),
        aims=(Aim("seconds", "raw", "at most", 1.1),),
    ),
    Row(
        "100 sessions listed", "list", 5, shown=("seconds", "open_files"),
        aims=(Aim("seconds", "raw", "at most", 2),), repeats=3, sessions=100,
    ),
)  # fmt: skip
