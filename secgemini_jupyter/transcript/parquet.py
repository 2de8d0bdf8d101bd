"""Tables as Parquet files (extra `parquet`): what is read again is what was written, dtypes and `attrs` included."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.disk import replacing
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.transcript import iocs, messages, sessions, timeline, tool_calls, turns
from secgemini_jupyter.transcript.columns import Column, check_columns, conform

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_pyarrow", "check_size", "load", "read_parquet", "size_of", "unreadable", "write_parquet"]

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
MAX_ROWS = 20_000_000
MAX_BYTES = 4 << 30
"""Of all columns, unpacked: a small file can hold much that repeats, and says so in its metadata."""


def write_parquet(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write `table` to `path`: whole, or not at all.

    Raises:
        InputError: pyarrow is missing, or the file cannot be written.
    """
    check_pyarrow()
    with replacing(Path(path)) as file:
        table.to_parquet(file)


def read_parquet(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A table that `write_parquet` wrote. `pandas.read_parquet` reads it as well, with string dtypes of its own.

    Raises:
        InputError: pyarrow is missing, the file cannot be read, or holds no table of ours.
    """
    return load(Path(path))


def load(path: Path, columns: Mapping[str, Column[Any]] | None = None) -> pd.DataFrame:
    """The table in a Parquet file.

    Args:
        columns: which it shall have; else those of the schema that its `attrs` name.

    Raises:
        InputError: pyarrow is missing, the file cannot be read, says that it has more than fits into memory, or lacks
            a column.
    """
    check_pyarrow()
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet as pq

    shown = repr(one_line(str(path), 200))
    with unreadable(path):
        with pq.ParquetFile(path) as file:
            check_size(*size_of(file.metadata), shown)
            schema = file.schema_arrow
        if columns is not None:
            check_columns(schema.names, columns)
        texts = [name for name in schema.names if _is_text(schema.field(name).type, pa)]
        # As dictionaries, texts that repeat take their place once, however many rows say them.
        table = pd.read_parquet(path, read_dictionary=texts)
    named = table.attrs.get("secgemini_schema")
    columns = _SCHEMAS.get(str(named)) if columns is None else columns
    if columns is None:
        raise InputError(f"{shown} holds no table of ours (schema {named!r}). Use pandas.read_parquet for it.")
    return conform(table, columns)


def size_of(metadata: Any) -> tuple[int, int]:
    """Rows and bytes, unpacked, as a file's metadata tell them."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    return rows, sum(group.total_byte_size for group in groups)


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
    except (OSError, ValueError, pa.ArrowException) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{one_line(str(path), 200)!r} cannot be read as Parquet: {one_line(str(error), 200)}. Check the path."
        ) from None


def _is_text(kind: Any, pa: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def check_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InputError("Parquet needs pyarrow. Run: pip install 'secgemini-jupyter[parquet]'.") from None
