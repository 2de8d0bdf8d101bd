"""Tables of an answer as DataFrames: each column with the dtype that holds all its values exactly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.transcript.columns import array, fits

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.render.tables import Table

__all__ = ["table_frame"]

_INTEGER = re.compile(r"-?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)\Z", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.(\d+))?\Z", re.ASCII)
EXACT = 1 << 53
"""Whole numbers up to here are floats too."""
MAX_DIGITS = 15
"""Of a decimal number that a float gives back as it was written."""


def table_frame(table: Table) -> pd.DataFrame:
    """`table` with its values, as typed as they allow.

    Whole numbers are `Int64`, others `Float64`, texts `string`, truth values `boolean`; a column of several kinds,
    lists or objects is `object`, its values as they came. Numbers that are written as text (Markdown, CSV) become
    numbers where every value of the column is one and nothing is lost: `007`, `+49`, `1e5`, and 1.9 beside 1.10, stay
    text, as times do. Of columns of one name the second is called `name.1`, as `read_csv` does.
    """
    import pandas as pd

    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    arrays = {number: _typed(values) for number, values in enumerate(columns)}
    made = pd.DataFrame(arrays, index=range(len(table.rows)), copy=False)
    made.columns = pd.Index(_unique(table.columns), dtype=object)
    if table.title:
        made.attrs = {"title": table.title}
    return made


def _unique(names: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        number, unique = 0, name
        while unique in found:
            number += 1
            unique = f"{name}.{number}"
        found[unique] = None
    return list(found)


def _typed(values: Sequence[Any]) -> Any:
    import numpy as np

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str}:
        return _read_text(values)
    if kinds == {bool}:
        return array("boolean", values)
    if kinds == {int} and all(value is None or fits(value, 64) for value in values):
        return array("Int64", values)
    if kinds <= {int, float} and all(not isinstance(value, int) or abs(value) <= EXACT for value in values):
        return array("Float64", [None if value is None else float(value) for value in values])
    mixed = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):  # at once, numpy would spread lists over columns
        mixed[row] = value
    return mixed


def _read_text(values: Sequence[str | None]) -> Any:
    """Numbers, where all are; an empty cell is a missing one among numbers, and an empty text among texts."""
    given = [value.strip() for value in values if value and value.strip()]
    numbers = [None if value is None or not value.strip() else value.strip().replace(",", "") for value in values]
    if given and all(map(_INTEGER.match, given)):
        whole = [None if number is None or len(number) > 20 else int(number) for number in numbers]
        if len([n for n in whole if n is not None and fits(n, 64)]) == len(given):
            return array("Int64", whole)
    elif given and _are_decimals(given):
        return array("Float64", [None if number is None else float(number) for number in numbers])
    return array("string", values)


def _are_decimals(texts: Sequence[str]) -> bool:
    matches = [_DECIMAL.match(text) for text in texts]
    if not all(matches) or any(sum(map(str.isdigit, text)) > MAX_DIGITS for text in texts):
        return False
    parts = {match[1] for match in matches if match and match[1]}
    # 1.9 and 1.10 are versions: as numbers the second would be 1.1.
    return len({len(part) for part in parts}) == 1 or not any(part.endswith("0") for part in parts)
