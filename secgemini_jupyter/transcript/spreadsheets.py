"""Tables as CSV that a spreadsheet opens without running what an attacker wrote into a log.

A cell is a formula if it begins with `=`, `+`, `-`, `@`, a tab or an end of a line. Such a text gets an apostrophe
before it, which spreadsheets take for "this is text"; the same where one could begin inside of a text, after a line
break, a tab or a `;`: a program that takes another separator sees cells where we write none. So a CSV file is for
reading: JSON Lines and Parquet have the exact texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from numbers import Number
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["neutral", "to_csv"]

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""What begins a formula; some spreadsheets take the full-width signs for the plain ones."""
_FIRST = re.compile(rf'[\t\r\n]|[ \xa0"]*+[{_SIGNS}]')
_INSIDE = re.compile(rf'(?<=[\n\r;\t])(?=[ \xa0"]*+[{_SIGNS}])')


def neutral(text: str) -> str:
    """`text` such that no cell of it is a formula; a text without one is itself."""
    text = _INSIDE.sub("'", text)
    return f"'{text}" if _FIRST.match(text) else text


def to_csv(table: pd.DataFrame) -> str:
    """`table` as CSV (RFC 4180), its index left out: texts in quotes and neutral, numbers as they are, ISO times."""
    columns = [[_cell(str(name)), *_cells(table.iloc[:, position])] for position, name in enumerate(table.columns)]
    return "".join([f"{line}\r\n" for line in map(",".join, zip(*columns, strict=True))]) or "\r\n"


def _cells(column: pd.Series[Any]) -> Iterable[str]:
    items = column.astype(object).where(column.notna(), None).tolist()
    kinds = set(map(type, items)) - {type(None)}
    # Most columns say the same again and again. Of two types equal values are not written alike: 1 and True.
    if column.dtype.kind == "M" or any(kinds <= {kind} for kind in (str, int, bool)):
        known = {item: _cell(item) for item in set(items)}
        return map(known.__getitem__, items)
    return map(_cell, items)


def _cell(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, (int, float, Number)):  # of the first two it is known sooner
        return str(value)
    if isinstance(value, datetime):
        return f'"{value.isoformat(timespec="microseconds")}"'
    text = neutral(str(value)).replace('"', '""')
    return f'"{text}"'
