"""Tables as Parquet files (extra `parquet`): what is read again is what was written, dtypes and `attrs` included."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.transcript import messages, turns
from secgemini_jupyter.transcript.columns import Column, conform
from secgemini_jupyter.transcript.jsonl import replacing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_parquet", "write_parquet"]

_SCHEMAS: dict[str, dict[str, Column[Any]]] = {messages.SCHEMA: messages.COLUMNS, turns.SCHEMA: turns.COLUMNS}


def write_parquet(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write `table` to `path`: whole, or not at all.

    Raises:
        InputError: pyarrow is missing, or the file cannot be written.
    """
    _check_pyarrow()
    with replacing(Path(path)) as file:
        table.to_parquet(file)


def read_parquet(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A table that `write_parquet` wrote. `pandas.read_parquet` reads it as well, with string dtypes of its own.

    Raises:
        InputError: pyarrow is missing, the file cannot be read, or holds no table of ours.
    """
    import pandas as pd

    _check_pyarrow()
    try:
        table = pd.read_parquet(Path(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read as Parquet: {error}. Check the path.") from None
    schema = table.attrs.get("secgemini_schema")
    if schema not in _SCHEMAS:
        raise InputError(f"{str(path)!r} holds no table of ours (schema {schema!r}). Use pandas.read_parquet for it.")
    return conform(table, _SCHEMAS[schema])


def _check_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InputError("Parquet needs pyarrow. Run: pip install 'secgemini-jupyter[parquet]'.") from None
