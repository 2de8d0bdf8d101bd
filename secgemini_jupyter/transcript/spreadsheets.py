"""Tables as CSV that a spreadsheet opens without running what an attacker wrote into a log.

A cell is a formula if it begins with `=`, `+`, `-`, `@`, a tab or an end of a line. Such a text gets an apostrophe
before it, which spreadsheets take for "this is text"; the same where one could begin inside of a text, after a line
break, a tab or a `;`: a program that takes another separator sees cells where we write none. So a CSV file is for
reading: JSON Lines and Parquet have the exact texts.
"""

from __future__ import annotations

import csv
import io
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
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([neutral(str(name)) for name in table.columns])
    columns = [_cells(table.iloc[:, position]) for position in range(table.shape[1])]
    writer.writerows(zip(*columns, strict=True))
    return written.getvalue()


def _cells(column: pd.Series[Any]) -> Iterable[Any]:
    items = column.astype(object).where(column.notna(), None).tolist()
    if column.dtype.kind == "M" or set(map(type, items)) <= {str, type(None)}:  # most say the same again and again
        known = {item: _cell(item) for item in set(items)}
        return map(known.__getitem__, items)
    return map(_cell, items)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, (int, float)):  # quicker to tell than a Number of another kind
        return value
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return value if isinstance(value, Number) else neutral(str(value))
