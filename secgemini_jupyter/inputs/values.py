"""A variable of the notebook as text in a prompt, or as a file to attach."""

from __future__ import annotations

import io
import json
import numbers
import re
import types
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.errors import InputError, one_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_file", "as_text", "fenced"]

MAX_TEXT = 100_000
"""Characters of one value in a prompt; a longer one belongs into a file."""
ROWS = 10
"""Rows of a table that go in from its beginning, and as many from its end."""
MAX_COLUMNS = 60
MAX_CELL = 1_000


def as_text(name: str, value: Any, parts: dict[str, str] | None = None) -> str:
    """`value` for a prompt: a number or a line of text as it is, all else as data in a fence.

    A table goes in as its schema, its first and its last rows.

    Args:
        parts: gets, under the name, how much of the value this is, if it is not all.

    Raises:
        InputError: it is nothing to read, or cannot be written as text. Nothing was sent.
    """
    parts = {} if parts is None else parts
    if isinstance(value, str):
        return value if is_one_line(value) else _data(name, "text", _cut(name, value, parts))
    if value is None or isinstance(value, (bool, numbers.Number)):
        return _said(name, value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise InputError(f"{{{{{name}}}}} holds bytes. Attach them: -a ${name}. Nothing was sent.")
    if (frame := _frame(value)) is not None:
        return _table(name, frame, parts)
    if (said := _answer(value)) is not None:
        return _data(name, "an answer", _cut(name, said, parts), "markdown")
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return _data(name, type(value).__name__, _cut(name, _json(name, value), parts), "json")
    if isinstance(value, (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
        what = "a class" if isinstance(value, type) else f"a {type(value).__name__}"
        raise InputError(
            f"{{{{{name}}}}} is {what}, nothing to read. Put in text, a number, a table. Nothing was sent."
        )
    if _picture(value) is not None:
        raise InputError(f"{{{{{name}}}}} is a figure. Attach it: -a ${name}. Nothing was sent.")
    text = _said(name, value)
    return text if is_one_line(text) else _data(name, type(value).__name__, _cut(name, text, parts))


def is_one_line(text: str) -> bool:
    return "\n" not in text and "\r" not in text and len(text) <= MAX_CELL


def fenced(text: str, language: str = "") -> str:
    """`text` in a fence that nothing in it can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}"


def _cut(name: str, text: str, parts: dict[str, str]) -> str:
    left_out = len(text) - MAX_TEXT
    if left_out <= 0:
        return text
    part = f"{MAX_TEXT:,} of {len(text):,} characters"
    parts[name] = f"{parts[name]}, {part}" if name in parts else part
    return text[:MAX_TEXT] + f"\n… {left_out:,} more characters left out …\n"


def _data(name: str, what: str, text: str, language: str = "text") -> str:
    return f"`{name}`, data ({what}):\n{fenced(text, language)}"


def _said(name: str, value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # the user's own class
        raise InputError(f"{name} cannot be written as text: {type(error).__name__}: {error}.") from None


def _json(name: str, value: Any) -> str:
    """JSON if it is of JSON's types, else as Python writes it."""
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=str)
    try:
        return json.dumps(value, indent=1, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return _said(name, value)
    except Exception as error:  # the user's own class, whose `str` fails
        raise InputError(f"{name} cannot be written as text: {type(error).__name__}: {error}.") from None


def _frame(value: Any) -> pd.DataFrame | None:
    """A table of pandas; it is not imported for it, for without it there is none."""
    import sys

    pandas = sys.modules.get("pandas")
    if pandas is None:
        return None
    if isinstance(value, pandas.DataFrame):
        return value  # type: ignore[no-any-return]
    if isinstance(value, pandas.Series):
        return value.to_frame(value.name if value.name is not None else "value")  # type: ignore[no-any-return]
    return None


def _table(name: str, frame: pd.DataFrame, parts: dict[str, str]) -> str:
    rows, columns = frame.shape
    part = [f"{2 * ROWS} of {rows:,} rows"] if rows > 2 * ROWS else []
    part += [f"{MAX_COLUMNS} of {columns:,} columns"] if columns > MAX_COLUMNS else []
    if part:
        parts[name] = ", ".join(part)
    shown = frame.iloc[:, :MAX_COLUMNS]
    types_of = ", ".join(f"{one_line(str(label))}: {dtype}" for label, dtype in shown.dtypes.items())
    if columns > MAX_COLUMNS:
        types_of += f", {columns - MAX_COLUMNS:,} more columns left out"
    what = f"DataFrame, {rows:,} rows, {columns:,} columns: {types_of}"
    if rows <= 2 * ROWS:
        return _data(name, what, _cut(name, _csv(shown), parts), "csv")
    left_out = f"… {rows - 2 * ROWS:,} rows left out …\n"
    text = _csv(shown.head(ROWS)) + left_out + _csv(shown.tail(ROWS), header=False)
    return _data(name, what, _cut(name, text, parts), "csv")


def _csv(frame: pd.DataFrame, *, header: bool = True) -> str:
    cut = frame.astype(object).map(lambda cell: _short(cell))
    return str(cut.to_csv(header=header, index=has_index(frame), lineterminator="\n"))


def _short(cell: Any) -> Any:
    return cell[:MAX_CELL] + "…" if isinstance(cell, str) and len(cell) > MAX_CELL else cell


def has_index(frame: pd.DataFrame) -> bool:
    """Whether the index says something that a reader would miss: positions do not."""
    import pandas as pd

    return not isinstance(frame.index, pd.RangeIndex) and not (
        frame.index.name is None and frame.index.nlevels == 1 and pd.api.types.is_integer_dtype(frame.index.dtype)
    )


def _answer(value: Any) -> str | None:
    """The text of an `Answer` or a `SessionResponse`."""
    if type(value).__module__.startswith("secgemini_jupyter.") and isinstance(getattr(value, "answer", None), str):
        return str(value.answer)
    return None


def as_file(name: str, value: Any, filename: str | None = None) -> tuple[str, bytes]:
    """Name and content of a file with `value`: a table is CSV, or Parquet or JSON Lines by the suffix of `filename`.

    Raises:
        InputError: there is no file for such a value, or none of that suffix.
    """
    suffix = PurePath(filename).suffix.lower() if filename else ""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return filename or f"{name}.bin", bytes(value)
    if isinstance(value, str):
        return filename or f"{name}.txt", value.encode("utf-8", "surrogatepass")
    if (frame := _frame(value)) is not None:
        return filename or f"{name}.csv", _table_file(name, frame, suffix or ".csv")
    if (said := _answer(value)) is not None:
        return filename or f"{name}.md", said.encode("utf-8", "surrogatepass")
    if (picture := _picture(value)) is not None:
        return filename or f"{name}.png", picture(name)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return filename or f"{name}.json", _json(name, value).encode("utf-8", "surrogatepass")
    raise InputError(
        f"${name} is a {type(value).__name__}: attach a table, text, bytes, a figure, a dict, a path. Nothing was sent."
    )


def _table_file(name: str, frame: pd.DataFrame, suffix: str) -> bytes:
    if suffix in (".csv", ".txt"):
        return str(frame.to_csv(index=has_index(frame), lineterminator="\n")).encode("utf-8", "surrogatepass")
    if suffix in (".jsonl", ".json"):
        text = frame.to_json(orient="records", lines=suffix == ".jsonl", date_format="iso", force_ascii=False)
        return str(text).encode("utf-8", "surrogatepass")
    if suffix == ".parquet":
        buffer = io.BytesIO()
        try:
            frame.to_parquet(buffer)
        except ImportError:
            raise InputError(
                "Parquet needs pyarrow: pip install 'secgemini-jupyter[parquet]'. Nothing was sent."
            ) from None
        except Exception as error:  # pyarrow's own, for columns of mixed types
            raise InputError(
                f"${name} cannot be written as Parquet: {error}. As CSV it can. Nothing was sent."
            ) from None
        return buffer.getvalue()
    raise InputError(f"${name} as {suffix!r}: a table can be .csv, .jsonl, .json or .parquet. Nothing was sent.")


def _picture(value: Any) -> Callable[[str], bytes] | None:
    """How to get a PNG of a figure: by matplotlib's way, or what the object shows in a notebook."""
    figure: Any = value if hasattr(value, "savefig") else getattr(value, "figure", None)
    if hasattr(figure, "savefig") and not isinstance(value, type):

        def saved(name: str) -> bytes:
            buffer = io.BytesIO()
            try:
                figure.savefig(buffer, format="png")
            except Exception as error:
                raise InputError(f"${name} cannot be drawn: {error}. Nothing was sent.") from None
            return buffer.getvalue()

        return saved
    for way in ("_repr_png_", "to_image"):
        if callable(getattr(value, way, None)) and not isinstance(value, type):
            return lambda name: _png(name, getattr(value, way))
    return None


def _png(name: str, draw: Callable[[], Any]) -> bytes:
    try:
        png = draw()
    except Exception as error:  # plotly without kaleido says what to install
        raise InputError(f"${name} cannot be drawn: {one_line(str(error))[:300]}. Nothing was sent.") from None
    content = png[0] if isinstance(png, tuple) else png
    if not isinstance(content, bytes) or not content.startswith(b"\x89PNG"):
        raise InputError(f"${name} gives no PNG. Save it to a file, and attach that. Nothing was sent.")
    return content
