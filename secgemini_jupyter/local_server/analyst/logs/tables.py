"""A logs table read in a worker: without loading it, however large it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secgemini_jupyter.local_server.analyst.logs.formats import Row
from secgemini_jupyter.local_server.analyst.logs.sql import limited, quoted
from secgemini_jupyter.local_server.analyst.tool import FileOrText, Inputs, TableSource, ToolFailure
from secgemini_jupyter.local_server.logs_tables.table import Column, read_columns, read_meta

TIME_LIMIT = 60.0
"""Seconds that a call on a logs table may take."""
SQL_SECONDS = 45.0
MAX_COUNTED_VALUE = 300
"""Characters of a value that was counted: `logs_tables.filling.MAX_VALUE`."""
COUNT_SECONDS = 20.0
"""Seconds in all for counting what was not counted when the lines came."""
_OWN = frozenset({"meta", "columns", "counts", "unread"})


@dataclass(frozen=True)
class Counted:
    """How often the values of a field occur; `some` are a few of them."""

    distinct: int
    total: int
    top: Sequence[tuple[Any, int]]
    some: Sequence[Any]


class LogTable:
    """The table that is open; like a `Log`, with its `rows()`.

    Raises:
        ToolFailure: it cannot be opened.
    """

    is_cut = False
    path = ""

    def __init__(self, source: TableSource) -> None:
        self.hash = source.hash
        try:
            self.db = _opened(source.where)
            self.meta = read_meta(self.db)
            self.columns = read_columns(self.db)
        except (sqlite3.Error, OSError) as error:
            raise ToolFailure(f"The logs table cannot be opened: {error}.") from None

    @property
    def lines(self) -> int:
        return self.meta.rows + self.meta.bad

    @property
    def bad(self) -> int:
        return self.meta.bad

    @property
    def fields_left_out(self) -> int:
        return self.meta.left_out

    @property
    def format(self) -> str:
        names = {column.name for column in self.columns}
        return "zeek_json" if "ts" in names and names & {"uid", "id.orig_h"} else "jsonl"

    @property
    def fields(self) -> dict[str, str]:
        return {column.name: column.kind or "string" for column in self.columns}

    def about(self) -> dict[str, Any]:
        """Which table it is, for a result."""
        return {"hash": self.hash, "lines": self.meta.lines, "is_complete": self.meta.is_complete}

    def rows(self, limit: int = -1, condition: str = "1", wanted: Sequence[str] = ()) -> Iterator[Row]:
        """In the order of the log; booleans are booleans again. `wanted` columns alone, or all."""
        names = [column.name for column in self.columns if not wanted or column.name in wanted]
        truths = {column.name for column in self.columns if column.kind == "bool"}
        listed = ",".join(map(quoted, names)) or "line"
        query = f"SELECT {listed} FROM log WHERE {condition} ORDER BY line LIMIT ?"  # noqa: S608  # none of it from outside
        for values in self.db.execute(query, (limit,)):
            row = {name: value for name, value in zip(names, values, strict=False) if value is not None}
            yield row | {name: bool(row[name]) for name in truths & row.keys() if row[name] in (0, 1)}

    def counted(self) -> dict[str, Counted]:
        """What was counted when the lines came, by column."""
        found = {}
        for position, column in enumerate(self.columns):
            if column.distinct is not None:
                query = "SELECT value, n FROM counts WHERE position = ? "
                top = self.db.execute(query + "ORDER BY n DESC LIMIT 10", (position,)).fetchall()
                some = [value for value, _ in self.db.execute(query + "LIMIT 20", (position,))]
                found[column.name] = Counted(column.distinct, column.filled, top, some)
        return found

    def some_values(self) -> dict[str, list[Any]]:
        """The different values of each field that has few."""
        query = "SELECT value FROM counts WHERE position = ? ORDER BY n DESC LIMIT 400"
        return {
            column.name: [value for (value,) in self.db.execute(query, (position,))]
            for position, column in enumerate(self.columns)
            if column.distinct is not None
        }

    def texts(self, limit: int) -> tuple[list[tuple[str, int]], bool]:
        """Texts that the fields hold, with how often; and whether there are more than `limit` characters of them.

        Of a field with few values each is there once; of another one its values as they come.
        """
        found, size = list[tuple[str, int]](), 0
        for position, column in enumerate(self.columns):
            name = quoted(column.name)
            query = f"SELECT {name}, 1 FROM log WHERE typeof({name}) = 'text'"  # noqa: S608
            if column.distinct is not None:
                longest = "SELECT max(length(value)) FROM counts WHERE position = ? AND typeof(value) = 'text'"
                length = self.db.execute(longest, (position,)).fetchone()[0] or 0
                if length < MAX_COUNTED_VALUE:
                    query = f"SELECT value, n FROM counts WHERE position = {position} AND typeof(value) = 'text'"  # noqa: S608
                else:
                    query = f"SELECT {name}, count(*) FROM log WHERE typeof({name}) = 'text' GROUP BY 1"  # noqa: S608
            for value, number in self.db.execute(query):
                if size + len(value) > limit:
                    return found, True
                size += len(value) + 1
                found.append((value, number))
        return found, False

    def count(self, column: Column) -> Counted:
        """The same of a column with too many values for that.

        Raises:
            sqlite3.Error: it took too long, see `limited`.
        """
        name = quoted(column.name)
        query = (
            f"WITH each AS (SELECT {name} AS value, count(*) AS n FROM log WHERE {name} NOT IN ('') GROUP BY 1) "  # noqa: S608
            "SELECT value, n, count(*) OVER () FROM each ORDER BY n DESC LIMIT 10"
        )
        rows = self.db.execute(query).fetchall()
        top = [(value[:300] if isinstance(value, str) else value, n) for value, n, _ in rows]
        return Counted(rows[0][2] if rows else 0, column.filled, top, [value for value, _ in top])

    def limited(self, seconds: float) -> AbstractContextManager[None]:
        """The time in which queries are interrupted when `seconds` are over."""
        return limited(self.db, seconds, 100_000)

    def guarded(self, optional: Sequence[str], authorize: Callable[..., int]) -> sqlite3.Connection:
        """The database for a query of somebody else: `log` alone can be read. `optional` columns are there, empty."""
        taken = {"line", *(column.name.lower() for column in self.columns)}
        missing = [name for name in dict.fromkeys(optional) if name.lower() not in taken]
        if missing:
            empty = ", ".join(f"NULL AS {quoted(name)}" for name in missing)
            self.db.execute(f"CREATE TEMP VIEW log AS SELECT *, {empty} FROM main.log")  # noqa: S608  # names are quoted

        def of_log_alone(action: int, first: str | None, *others: Any) -> int:
            if action == sqlite3.SQLITE_READ and (first or "").lower() in _OWN:
                return sqlite3.SQLITE_DENY
            return authorize(action, first, *others)

        self.db.set_authorizer(of_log_alone)
        return self.db


def open_table(arguments: FileOrText, files: Mapping[str, bytes]) -> LogTable | None:
    """The logs table that the arguments name, or None if they name something else.

    Raises:
        ToolFailure: it is not the session's, or cannot be opened.
    """
    if arguments.table is None or arguments.file is not None or arguments.text is not None:
        return None
    source = files.table if isinstance(files, Inputs) else None
    if source is None or source.hash != arguments.table:
        raise ToolFailure(f"The logs table {arguments.table!r} is not here: upload the log and attach it again.")
    return LogTable(source)


def _opened(where: str | bytes) -> sqlite3.Connection:
    if isinstance(where, bytes):
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.deserialize(where)
    else:
        db = sqlite3.connect(f"{Path(where).as_uri()}?mode=ro", isolation_level=None, uri=True, timeout=10)
    db.execute("PRAGMA temp_store = MEMORY")
    return db
