"""What our tables are made of: columns with a dtype each, the same on every pandas, with and without pyarrow.

Strings are kept as Python's own (`StringDtype("python")`, missing is `pd.NA`). pandas' default depends on whether
pyarrow is there; this storage does not, and it shares its strings with the messages instead of copying them.
Categories are object labels for the same reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from secgemini_jupyter._version import __version__
from secgemini_jupyter.errors import InputError, one_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "OTHER",
    "Backend",
    "Category",
    "Column",
    "Dtype",
    "arrow_types",
    "check_columns",
    "conform",
    "frame",
    "lacking",
    "with_backend",
]

OTHER = "other"
"""The label of a value that a category's fixed list does not have."""

R = TypeVar("R")


@dataclass(frozen=True)
class Category:
    """A category with a fixed list, so that tables of several sessions can be put together."""

    labels: tuple[str, ...]


Dtype = Literal["string", "Int32", "Int64", "Float64", "boolean", "time"] | Category
"""`time` is `datetime64[us, UTC]`, made of Unix seconds; None is a missing value in each."""


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column: its dtype, and how to read its values from the rows' source, one for each row."""

    dtype: Dtype
    read: Callable[[R], Iterable[Any]]


def frame(columns: Mapping[str, Column[R]], rows: R, *, schema: str, session_id: str | None = None) -> pd.DataFrame:
    """A table of `columns`; its `attrs` say which schema it has, who made it and when (JSON values only)."""
    import pandas as pd

    made_at = datetime.now(UTC)  # `verify` looks for the turns that were over by then
    arrays: dict[Any, Any] = {name: array(column.dtype, column.read(rows)) for name, column in columns.items()}
    table = pd.DataFrame(arrays, copy=False)
    attrs: dict[Any, Any] = {
        "secgemini_schema": schema,
        "producer": f"secgemini-jupyter {__version__}",
        "generated_at": made_at.isoformat(timespec="microseconds"),
    }
    table.attrs = attrs if session_id is None else attrs | {"session_id": session_id}
    return table


def conform(table: pd.DataFrame, columns: Mapping[str, Column[Any]]) -> pd.DataFrame:
    """`table` with the dtypes of `columns`, after a file format or a calculation changed them.

    Raises:
        InputError: a column is missing, or its values do not fit.
    """
    import pandas as pd

    check_columns(table, columns)
    result = pd.DataFrame(index=table.index)
    for name, column in columns.items():
        try:
            result[name] = _cast(table[name], column.dtype)
        except (TypeError, ValueError) as error:
            raise InputError(f"Column {name} does not fit ({error}). Pass a table that history() made.") from None
    result.attrs = dict(table.attrs)
    return result


Backend = Literal["numpy_nullable", "pyarrow"]


def with_backend(table: pd.DataFrame, backend: Backend) -> pd.DataFrame:
    """`table` as it is, or with Arrow dtypes (extra `parquet`), categories as texts.

    Raises:
        InputError: there is no such backend, or pyarrow is missing.
    """
    if backend == "numpy_nullable":
        return table
    if backend != "pyarrow":
        raise InputError(f"dtype_backend is {backend!r}: pass 'numpy_nullable' or 'pyarrow'.")
    try:
        import pyarrow as pa
    except ImportError:
        raise InputError("Arrow dtypes need pyarrow. Run: pip install 'secgemini-jupyter[parquet]'.") from None
    import pandas as pd

    kinds = arrow_types()
    arrays: dict[Any, Any] = {
        name: pd.arrays.ArrowExtensionArray(pa.array(column, type=kinds[str(column.dtype)], from_pandas=True))
        for name, column in table.items()
    }
    result = pd.DataFrame(arrays, index=table.index, copy=False)
    result.attrs = dict(table.attrs)
    return result


def arrow_types() -> dict[str, Any]:
    """Arrow's types by the names of our dtypes."""
    import pyarrow as pa

    return {
        "Int32": pa.int32(), "Int64": pa.int64(), "Float64": pa.float64(), "boolean": pa.bool_(),
        "string": pa.string(), "datetime64[us, UTC]": pa.timestamp("us", "UTC"),
        "category": pa.string(),  # a dictionary's name is one that pandas writes to Parquet, and cannot read again
    }  # fmt: skip


def _cast(values: pd.Series[Any], dtype: Dtype) -> Any:
    import numpy as np
    import pandas as pd

    if dtype == "string" and isinstance(values.dtype, pd.CategoricalDtype):
        # By reference: pandas would copy a text for each row that says it.
        texts = [*values.cat.categories.astype(object), pd.NA]
        return pd.array(np.array(texts, dtype=object)[values.cat.codes], dtype=pandas_dtype(dtype))
    if isinstance(dtype, Category) and isinstance(values.dtype, pd.CategoricalDtype):
        # For `astype` a category with the same labels in another order is the same.
        return values.cat.set_categories(pandas_dtype(dtype).categories, ordered=False)
    return values.astype(pandas_dtype(dtype))


def check_columns(there: Iterable[Any], needed: Iterable[str], *, known: Iterable[str] = ()) -> None:
    """Raise `InputError` that names those of `needed` that are not `there`, and which may be them under a new name."""
    if missing := lacking(there, needed, known=known):
        raise InputError(f"The table lacks the columns {missing}. Take history() with all its columns and filter rows.")


def lacking(there: Iterable[Any], needed: Iterable[str], *, known: Iterable[str] = ()) -> str:
    """The names of `needed` that are not `there`, in words; empty where all are.

    What is `known` was not renamed; a table with more columns that are not is another one, and nothing is guessed.
    """
    known = set(known)
    needed = list(needed)
    given = [str(name) for name in there]
    if not (missing := [name for name in needed if name not in given]):
        return ""
    spare = [name for name in given if name not in {*needed, *known}]
    if known and 2 * len(spare) > len(given):
        spare = []
    renamed = [f"{near[0]} for {name}" for name in missing if (near := get_close_matches(name, spare, 1, 0.5))]
    hint = f" (perhaps renamed: {one_line(', '.join(renamed))[:200]})" if renamed else ""
    return f"{', '.join(missing)}{hint}"


def pandas_dtype(dtype: Dtype) -> Any:
    import pandas as pd

    if isinstance(dtype, Category):
        return pd.CategoricalDtype(pd.Index(dtype.labels, dtype=object))
    return {"string": pd.StringDtype("python"), "time": pd.DatetimeTZDtype("us", "UTC")}.get(dtype, dtype)


def array(dtype: Dtype, values: Iterable[Any]) -> Any:
    """`values` as a pandas array of `dtype`; a number too large for it and a time outside the calendar are missing.

    Values that are such an array already stay as they are. Where a numpy array holds them, none is missing.
    """
    import numpy as np
    import pandas as pd

    if isinstance(values, pd.api.extensions.ExtensionArray):
        return values
    items: Any = values if isinstance(values, (list, np.ndarray)) else list(values)
    if isinstance(dtype, Category):
        return _categorical(dtype, items)
    if dtype == "time":
        return _times(items)
    if dtype in ("Int32", "Int64"):
        return _integers(items, 32 if dtype == "Int32" else 64)
    if dtype == "boolean" and isinstance(items, np.ndarray):
        return pd.arrays.BooleanArray(items, np.zeros(len(items), np.bool_))
    if dtype == "string":  # pandas would make an array of objects first, in four times the time
        return pd.array(np.fromiter(items, object, len(items)), dtype=pandas_dtype(dtype), copy=False)
    return pd.array(items, dtype=pandas_dtype(dtype))


def _integers(numbers: Any, bits: int) -> pd.arrays.IntegerArray:
    """What `pd.array` makes of them, in a third of its time: it looks at each value's type several times."""
    import numpy as np
    import pandas as pd

    try:
        values = np.fromiter(numbers, np.int64, len(numbers)) if isinstance(numbers, list) else numbers
        mask = np.zeros(len(values), dtype=np.bool_)
        if bits < 64 and len(values) and not (fits(values.min(), bits) and fits(values.max(), bits)):
            raise OverflowError
    except (TypeError, OverflowError):  # some are missing, or no number of so many bits
        numbers = fitting(list(numbers), bits)
        mask = np.array([number is None for number in numbers], dtype=np.bool_)
        values = np.array([number or 0 for number in numbers], dtype=np.int64)
    return pd.arrays.IntegerArray(values.astype(f"int{bits}", copy=False), mask)


def fitting(numbers: list[int | None], bits: int) -> list[int | None]:
    """`numbers`, those missing that a signed integer of so many bits does not hold."""
    given = [number for number in numbers if number is not None]
    if not given or (fits(min(given), bits) and fits(max(given), bits)):
        return numbers
    return [None if number is None or not fits(number, bits) else number for number in numbers]


def fits(number: int, bits: int) -> bool:
    """Whether a signed integer of so many bits holds `number`."""
    return -1 << (bits - 1) <= number < 1 << (bits - 1)


def _categorical(dtype: Category, items: Sequence[str | None]) -> pd.Categorical:
    import numpy as np
    import pandas as pd

    codes: dict[str | None, int] = {label: code for code, label in enumerate(dtype.labels)}
    other = codes.get(OTHER, -1)
    codes[None] = -1
    known = {item: codes.get(item, other) for item in set(items)}
    found = np.fromiter(map(known.__getitem__, items), np.int8, len(items))
    return pd.Categorical.from_codes(found, dtype=pandas_dtype(dtype))


EARLIEST, LATEST = -62_135_596_800, 253_402_300_800
"""Unix seconds of the years 1 and 10000: outside of them nothing prints a time."""


def is_time(seconds: float) -> bool:
    """Whether `seconds` are in the calendar; false for NaN too."""
    return EARLIEST <= seconds < LATEST


def seconds_between(start: float | None, end: float | None) -> float | None:
    """None where one is not known, and where clocks disagree."""
    seconds = math.nan if start is None or end is None else end - start
    return seconds if seconds >= 0 else None


def _times(items: Any) -> Any:
    import numpy as np
    import pandas as pd

    given = [np.nan if item is None else item for item in items] if isinstance(items, list) else items
    seconds = np.asarray(given, dtype=np.float64)
    good = (seconds >= EARLIEST) & (seconds < LATEST)
    # In two steps: in year 9999 a float has no room for microseconds since 1970.
    whole = np.floor(np.where(good, seconds, 0))
    part = np.rint((np.where(good, seconds, 0) - whole) * 1e6)
    stamps = (whole.astype(np.int64) * 1_000_000 + part.astype(np.int64)).view("datetime64[us]")
    stamps[~good] = np.datetime64("NaT", "us")
    return pd.DatetimeIndex(stamps).tz_localize("UTC").array
