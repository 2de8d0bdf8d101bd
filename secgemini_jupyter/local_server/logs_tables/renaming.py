"""Other names for the fields of a table that has rows: its columns are renamed, no line is taken anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from secgemini_jupyter.local_server.analyst.logs.sql import quoted
from secgemini_jupyter.local_server.analyst.logs.times import time_field
from secgemini_jupyter.local_server.logs_tables.filling import BATCH, add_times, column_names
from secgemini_jupyter.local_server.logs_tables.table import Column, Meta, Times


def rename(db: sqlite3.Connection, meta: Meta, columns: Sequence[Column], mapping: Mapping[str, str]) -> None:
    """Give the columns the names that they would have by `mapping`; `meta` and `columns` are changed along."""
    timed = _time_column(columns, meta)
    meta.mapping = dict(mapping)
    before = [column.name for column in columns]
    for column, name in zip(columns, column_names(columns, meta.mapping), strict=True):
        column.name = name
    changed = [(old, column.name) for old, column in zip(before, columns, strict=True) if old != column.name]
    taken = {name.lower() for name in (*before, *(column.name for column in columns))}
    for at, (old, _) in enumerate(changed):  # two may swap their names
        _alter(db, old, _between(at, taken))
    for at, (_, new) in enumerate(changed):
        _alter(db, _between(at, taken), new)
    meta.times.field = time_field([column.name for column in columns])
    if _time_column(columns, meta) is not timed:
        meta.times = Times(meta.times.field)
        _read_times(db, meta.times)


def _time_column(columns: Sequence[Column], meta: Meta) -> Column | None:
    return next((column for column in columns if column.name == meta.times.field), None)


def _between(at: int, taken: set[str]) -> str:
    name = f"renamed {at}"
    while name in taken:
        name += "_"
    return name


def _alter(db: sqlite3.Connection, old: str, new: str) -> None:
    db.execute(f"ALTER TABLE log RENAME COLUMN {quoted(old)} TO {quoted(new)}")


def _read_times(db: sqlite3.Connection, times: Times) -> None:
    if times.field is None:
        return
    rows = db.execute(f"SELECT {quoted(times.field)} FROM log")  # noqa: S608  # the name is quoted
    while batch := rows.fetchmany(BATCH):
        add_times(times, [value for (value,) in batch])
