"""Which fields of a log become columns, where there are more than columns: those that many rows have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from secgemini_jupyter.local_server.analyst.text import count

RARE = 0.01
"""Share of a batch of rows: a field that fewer have is rare."""


def new_columns(
    rows: Sequence[dict[str, Any]], known: Collection[str], rare_limit: int, limit: int
) -> tuple[list[str], list[str]]:
    """The fields that get a column, in the order in which they occur, and those that get none.

    Rare ones get one only while there are fewer than `rare_limit` columns, so that a few rows with many fields take
    no place from those that come later.
    """
    have, rare_limit = set(known), min(rare_limit, limit)
    counts = Counter(name for row in rows if not row.keys() <= have for name in row if name not in have)
    if len(have) + len(counts) <= rare_limit:
        return list(counts), []
    few = max(2.0, RARE * len(rows))
    chosen: set[str] = set()
    for name, number in counts.most_common():
        if len(have) + len(chosen) >= (rare_limit if number < few else limit):
            break
        chosen.add(name)
    return [name for name in counts if name in chosen], [name for name in counts if name not in chosen]


def told_left_out(result: dict[str, Any]) -> str:
    """That a log has fields which were not read, or nothing."""
    number = result.get("fields_left_out") or 0
    if not number:
        return ""
    verb = "was" if number == 1 else "were"
    return f"At least {count(number, 'field')} of few rows {verb} left out: the log has too many"
