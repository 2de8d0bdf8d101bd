"""When a log row happened, without inventing what it does not say."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

TIME_FIELDS = (
    "ts",
    "@timestamp",
    "timestamp",
    "time",
    "datetime",
    "eventTime",
    "EventTime",
    "TimeCreated",
    "created_at",
    "date",
    "_time",
)


def time_field(fields: list[str]) -> str | None:
    """The field that says when, by its name."""
    lower = {name.lower(): name for name in reversed(fields)}
    return next((lower[name.lower()] for name in TIME_FIELDS if name.lower() in lower), None)


def epoch(value: Any) -> tuple[float, bool] | None:
    """Unix seconds, and whether the value names its time zone. A number counts as seconds, ms, µs or ns by its size."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        try:
            value = float(text)
        except ValueError:
            return _from_text(text)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    for factor in (1, 1e3, 1e6, 1e9):
        seconds = value / factor
        if 1e8 < seconds < 1e10:  # 1973 to 2286
            return seconds, True
    return None


def _from_text(text: str) -> tuple[float, bool] | None:
    if not 8 <= len(text) <= 40 or not text[0].isdigit():
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        if text[2:3] != "/":
            return None
        try:
            when = datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z")
        except ValueError:
            return None
    known = when.tzinfo is not None
    try:
        return (when if known else when.replace(tzinfo=UTC)).timestamp(), known
    except (OverflowError, ValueError):
        return None
