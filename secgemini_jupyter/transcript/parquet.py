"""Tables as Parquet files (extra `parquet`): what is read again is what was written, dtypes and `attrs` included."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.disk import UnreadableError, opened, replacing
from secgemini_jupyter.errors import InputError, ProtocolError
from secgemini_jupyter.models import read_json
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.transcript import iocs, messages, sessions, timeline, tool_calls, turns
from secgemini_jupyter.transcript.columns import Column, arrow_types, check_columns, conform, pandas_dtype

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "arrow_schema",
    "check_pyarrow",
    "check_size",
    "columns_of",
    "frame_of",
    "load",
    "notes_of",
    "read_parquet",
    "size_of",
    "unreadable",
    "write_parquet",
]

_SCHEMAS: dict[str, Mapping[str, Column[Any]]] = {
    messages.SCHEMA: messages.COLUMNS,
    turns.SCHEMA: turns.COLUMNS,
    tool_calls.SCHEMA: tool_calls.COLUMNS,
    timeline.SCHEMA: timeline.COLUMNS,
    sessions.SCHEMA: sessions.COLUMNS,
    sessions.FILE_SCHEMA: sessions.FILE_COLUMNS,
    iocs.SCHEMA: iocs.COLUMNS,
    iocs.SIGHTING_SCHEMA: iocs.SIGHTING_COLUMNS,
}
NOTES = "PANDAS_ATTRS"
"""Where pandas keeps a table's `attrs`."""
INDEX = "__index_level_0__"
"""And the labels of its rows, where they are not 0, 1, …"""
MAX_ROWS = 20_000_000
MAX_BYTES = 4 << 30
"""Of all columns, unpacked: a small file can hold much that repeats, and says so in its metadata."""


def write_parquet(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write `table` to `path`: whole, or not at all.

    Raises:
        InputError: pyarrow is missing, the file cannot be written, or a text has no bytes: half a surrogate pair.
    """
    check_pyarrow()
    try:
        with replacing(path) as file:
            table.to_parquet(file)
    except UnicodeEncodeError as error:
        where = error.object[max(0, error.start - 20) : error.start]
        raise InputError(
            f"Parquet holds no lone surrogate, as behind {one_line(where, 60)!r}. Replace it in the table first."
        ) from None


def read_parquet(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A table that `write_parquet` wrote. `pandas.read_parquet` reads it as well, with string dtypes of its own.

    Raises:
        InputError: pyarrow is missing, the file cannot be read, or holds no table of ours.
    """
    return load(Path(path))


def load(path: Path, columns: Mapping[str, Column[Any]] | None = None) -> pd.DataFrame:
    """The table in a Parquet file: our columns, and nothing else of what it holds or says about itself.

    Args:
        columns: which it shall have; else those of the schema that its `attrs` name.

    Raises:
        InputError: pyarrow is missing, the file cannot be read, says that it has more than fits into memory, or lacks
            a column.
    """
    check_pyarrow()
    from pyarrow import parquet as pq

    shown = repr(one_line(str(path), 200))
    with unreadable(path), opened(path) as file:
        metadata = pq.read_metadata(file)
        schema = metadata.schema.to_arrow_schema()
        notes = notes_of(metadata)
        named = notes.get("secgemini_schema")
        columns = _SCHEMAS.get(str(named)) if columns is None else columns
        if columns is None:
            named = one_line(str(named), 40)
            raise InputError(f"{shown} holds no table of ours (schema {named!r}). Use pandas.read_parquet for it.")
        check_size(*size_of(metadata, columns), shown)
        check_columns(schema.names, columns)
        file.seek(0)
        table = frame_of(columns_of(file, columns), columns)
        file.seek(0)
        table.index = _index(file, schema, len(table))
    table.attrs.update(notes)
    return table


def arrow_schema(columns: Mapping[str, Column[Any]], *, dictionaries: bool = False) -> Any:
    """The columns in Arrow's types, categories as texts.

    Args:
        dictionaries: texts as dictionaries, where those that repeat take their place once, however many rows say them.
    """
    import pyarrow as pa

    kinds = arrow_types() | ({"string": pa.dictionary(pa.int32(), pa.string())} if dictionaries else {})
    kinds["category"] = kinds["string"]
    return pa.schema([(name, kinds[str(pandas_dtype(column.dtype))]) for name, column in columns.items()])


def columns_of(file: Any, columns: Mapping[str, Column[Any]]) -> Any:
    """Of an open file these columns, in their own types, whatever wrote them; no other is read.

    Raises:
        InputError: one is there twice, or of another kind.
        ValueError, ArrowException: the file is broken.
    """
    import pyarrow as pa
    from pyarrow import parquet as pq

    schema = arrow_schema(columns, dictionaries=True)
    texts = [each.name for each in schema if pa.types.is_dictionary(each.type)]
    with pq.ParquetFile(file, read_dictionary=texts) as source:
        there = source.schema_arrow
        for name in schema.names:
            if there.names.count(name) != 1:
                raise InputError(f"Column {name} is there twice. Pass a file that history() made.")
            if pa.types.is_nested(there.field(name).type):
                raise InputError(f"Column {name} does not fit (it holds lists). Pass a file that history() made.")
        part = source.read(columns=schema.names)
    return pa.table([_as(part, each, pa) for each in schema], schema=schema)


def frame_of(table: Any, columns: Mapping[str, Column[Any]]) -> pd.DataFrame:
    """An Arrow table as pandas has it, in our dtypes."""
    import pandas as pd
    import pyarrow as pa

    kinds = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return conform(table.select(list(columns)).to_pandas(types_mapper=kinds.get), columns)


def notes_of(metadata: Any) -> dict[str, Any]:
    """What pandas calls `attrs`; a file may say anything there."""
    try:
        found = read_json((metadata.metadata or {}).get(NOTES.encode(), b"{}"), "attrs")
    except ProtocolError:
        return {}
    return found if isinstance(found, dict) else {}


def _as(table: Any, field: Any, pa: Any) -> Any:
    """A column in its own type, where another program wrote the file."""
    values, kind = table[field.name], field.type
    if values.type == kind:
        return values
    try:
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        return values.cast(kind.value_type).dictionary_encode() if pa.types.is_dictionary(kind) else values.cast(kind)
    except (ValueError, pa.ArrowException) as error:
        why = one_line(str(error), 100)
        raise InputError(f"Column {field.name} does not fit ({why}). Pass a file that history() made.") from None


def _index(file: Any, schema: Any, rows: int) -> Any:
    """The labels of the rows, which filtered ones keep; 0, 1, … where the file says nothing that makes sense."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet as pq

    plain = pd.RangeIndex(rows)
    try:
        (said,) = read_json((schema.metadata or {})[b"pandas"], "pandas")["index_columns"]
        if isinstance(said, dict):
            labels: Any = range(int(said["start"]), int(said["stop"]), int(said["step"]))
            return pd.RangeIndex(labels) if len(labels) == rows else plain
        if said != INDEX or not pa.types.is_integer(schema.field(said).type):
            return plain
        with pq.ParquetFile(file) as source:
            return pd.Index(source.read(columns=[INDEX])[INDEX].to_numpy())
    except (KeyError, TypeError, ValueError, OverflowError, ProtocolError, pa.ArrowException):
        return plain


def size_of(metadata: Any, columns: Sized) -> tuple[int, int]:
    """Rows and bytes, unpacked, of a table with these columns, as a file's metadata tell them.

    A file tells the bytes before values that repeat are written out: a number or the place of a text takes nine.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    return rows, max(sum(group.total_byte_size for group in groups), 9 * rows * len(columns))


def check_size(rows: int, size: int, shown: str) -> None:
    """Refuse what would not fit into memory.

    Raises:
        InputError: that is so, or no file has such numbers.
    """
    if rows > MAX_ROWS or size > MAX_BYTES or rows < 0 or size < 0:
        raise InputError(
            f"{shown} says that it holds {rows:,} rows in {size:,} bytes; at most {MAX_ROWS:,} rows and {MAX_BYTES:,} "
            "bytes are read at once. Nothing was read. Split it, or read parts with pyarrow."
        )


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """What Arrow and the system say of a file, as one line."""
    import pyarrow as pa

    try:
        yield
    except UnreadableError as error:
        raise InputError(f"{one_line(str(path), 200)!r} cannot be read: {error}. Pass a file.") from None
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{one_line(str(path), 200)!r} cannot be read as Parquet: {one_line(str(error), 200)}. Check the path."
        ) from None


def check_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InputError("Parquet needs pyarrow. Run: pip install 'secgemini-jupyter[parquet]'.") from None
