"""Lines on their way into the rows and counts of a table."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.logs.fields import new_columns
from secgemini_jupyter.local_server.analyst.logs.formats import MAX_LINE, Row, flat, json_object, type_name
from secgemini_jupyter.local_server.analyst.logs.sql import quoted, sql_value
from secgemini_jupyter.local_server.analyst.logs.times import epoch, time_field
from secgemini_jupyter.local_server.logs_tables.table import BOM, Column, Meta, Times

RARE_COLUMNS = 400
"""Columns that fields of few rows can take."""
MAX_COLUMNS = 600
"""Fields with a column of their own; the text of a row with more is kept in `unread` besides."""
MAX_NAME = 200
MAX_DISTINCT = 20_000
"""Different values of one field that are counted."""
MAX_COUNTED = 100
"""Fields whose values are counted."""
MAX_VALUE = 300
"""Characters of a value that is counted."""
BATCH = 5_000
UPSERT = "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (position, value) DO UPDATE SET n = n + excluded.n"
_NESTED = frozenset({dict, list})

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Filling:
    """One chunk of lines; `meta` and `columns` are changed along with the table."""

    def __init__(self, db: sqlite3.Connection, meta: Meta, columns: list[Column]) -> None:
        self._db, self._meta, self._columns = db, meta, columns
        self._fields = {column.field: position for position, column in enumerate(columns)}
        self._taken = {"line"} | {column.name.lower() for column in columns}  # SQLite compares without case
        self._counters: dict[int, Counter[Any]] = {}

    def take(self, lines: Sequence[str]) -> None:
        for begin in range(0, len(lines), BATCH):
            self._take_batch(lines[begin : begin + BATCH])
        for position, counter in self._counters.items():
            self._store_counts(position, counter)
        bodies = [(at, msgspec.json.encode(column).decode()) for at, column in enumerate(self._columns)]
        self._db.executemany("INSERT OR REPLACE INTO columns VALUES (?, ?)", bodies)

    def _take_batch(self, lines: Sequence[str]) -> None:
        meta = self._meta
        rows: list[tuple[int, Row]] = []
        unread: list[tuple[Any, ...]] = []
        for number, line in enumerate(lines, meta.lines + 1):
            row = read_row(line)
            if row is not None:
                rows.append((number, row))
            elif line.strip():
                meta.bad += 1
                unread.append((number, line[:MAX_LINE]))
        chosen, others = new_columns([row for _, row in rows], self._fields, RARE_COLUMNS, MAX_COLUMNS)
        self._add_columns(chosen)
        if others:
            meta.left_out = max(meta.left_out, len(others))
            lefts = [(number, row) for number, row in rows if not row.keys() <= self._fields.keys()]
            unread += [(number, lines[number - meta.lines - 1][:MAX_LINE]) for number, _ in lefts]
        meta.lines += len(lines)
        meta.rows += len(rows)
        meta.size += sum(len(line.encode("utf-8", "surrogatepass")) for line in lines)
        self._insert("unread", ["raw"], unread)
        fields = list(self._fields)
        values = [(number, *map(row.get, fields)) for number, row in rows]
        self._count(self._insert("log", [column.name for column in self._columns], values))

    def _insert(self, table: str, names: list[str], values: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        if not values:
            return values
        listed = ",".join(["line", *map(quoted, names)])
        marks = ",".join("?" * (len(names) + 1))
        # A second try replaces the rows that the first one had put in before it failed.
        insertion = f"INSERT OR REPLACE INTO {table} ({listed}) VALUES ({marks})"  # noqa: S608  # names are quoted
        try:
            self._db.executemany(insertion, values)
        except (OverflowError, UnicodeEncodeError):  # a number of 20 digits, half of a surrogate pair
            values = [tuple(map(sql_value, row)) for row in values]
            self._db.executemany(insertion, values)
        return values

    def _add_columns(self, names: Sequence[str]) -> None:
        for name in names:
            column = Column(name, _column_name(name, self._meta.mapping, self._taken))
            if len(self._columns) >= MAX_COUNTED:
                column.distinct = None
            self._db.execute(f"ALTER TABLE log ADD COLUMN {quoted(column.name)}")
            self._taken.add(column.name.lower())
            self._fields[name] = len(self._columns)
            self._columns.append(column)
        if self._meta.times.field is None:
            self._meta.times.field = time_field([column.name for column in self._columns])

    def _count(self, values: list[tuple[Any, ...]]) -> None:
        by_column = list(zip(*values, strict=True))[1:]
        for position, given in enumerate(by_column):
            column = self._columns[position]
            column.filled += len(given) - given.count(None) - given.count("")
            if not column.kind and (first := next((each for each in given if each is not None), None)) is not None:
                column.kind = type_name(first)
            if column.name == self._meta.times.field:
                add_times(self._meta.times, given)
            if column.distinct is None:
                continue
            counter = self._counters.setdefault(position, Counter())
            counter.update(given)
            if len(counter) > MAX_DISTINCT:
                self._give_up_counting(position)

    def _store_counts(self, position: int, counter: Counter[Any]) -> None:
        column = self._columns[position]
        if column.distinct is None:
            return
        rows = [
            (position, value[:MAX_VALUE] if isinstance(value, str) else value, number)
            for value, number in counter.items()
            if value is not None and value != "" and value == value  # NaN is not, and SQLite has none
        ]
        self._db.executemany(UPSERT, rows)
        (column.distinct,) = self._db.execute("SELECT count(*) FROM counts WHERE position = ?", (position,)).fetchone()
        if column.distinct > MAX_DISTINCT:
            self._give_up_counting(position)

    def _give_up_counting(self, position: int) -> None:
        self._columns[position].distinct = None
        self._counters[position] = Counter()
        self._db.execute("DELETE FROM counts WHERE position = ?", (position,))


def column_names(columns: Sequence[Column], mapping: Mapping[str, str]) -> list[str]:
    """The names that the fields of these columns get by a mapping, one after the other."""
    taken, names = {"line"}, list[str]()
    for column in columns:
        names.append(_column_name(column.field, mapping, taken))
        taken.add(names[-1].lower())
    return names


def _column_name(field: str, mapping: Mapping[str, str], taken: set[str]) -> str:
    new_names = {old: new for new, old in mapping.items()}
    renamed = new_names.get(field)
    if renamed is None and (old := next((old for old in new_names if field.startswith(f"{old}.")), None)):
        renamed = new_names[old] + field[len(old) :]
    given = str(sql_value(renamed or field)).replace("\0", "")[:MAX_NAME] or "_"
    kept = set() if renamed else {new.lower() for new in mapping}
    while given.lower() in taken | kept:
        given += "_"
    return given


def read_row(line: str) -> Row | None:
    """The JSON object of a line, one level deep; None for anything else."""
    if len(line) > MAX_LINE:
        return None
    line = line.removeprefix(BOM)
    try:
        row: Row = _decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return json_object(line)  # it takes NaN and halves of surrogate pairs, too
    return row if _NESTED.isdisjoint(map(type, row.values())) else flat(row)


def add_times(times: Times, values: Sequence[Any]) -> None:
    for value, number in Counter(values).items():
        if known := epoch(value):
            times.zoneless += 0 if known[1] else number
            times.first = known[0] if times.first is None else min(times.first, known[0])
            times.last = known[0] if times.last is None else max(times.last, known[0])
        elif value not in (None, ""):
            times.written = [*times.written[:1], str(value)[:40]]
