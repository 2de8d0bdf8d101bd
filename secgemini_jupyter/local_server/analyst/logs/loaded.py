"""An attached log as rows of an SQLite database in memory, kept for the next question about it."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from secgemini_jupyter.local_server.analyst import progress
from secgemini_jupyter.local_server.analyst.logs.fields import new_columns
from secgemini_jupyter.local_server.analyst.logs.formats import Log, Row
from secgemini_jupyter.local_server.analyst.logs.logins import from_message
from secgemini_jupyter.local_server.analyst.logs.reading import open_log
from secgemini_jupyter.local_server.analyst.logs.regexp import regexp
from secgemini_jupyter.local_server.analyst.logs.sql import limited, quoted, sql_value
from secgemini_jupyter.local_server.analyst.logs.times import epoch
from secgemini_jupyter.local_server.analyst.tool import FileOrText

MAX_COLUMNS = 400
RARE_COLUMNS = 200
"""Of them, those that fields of few rows can take."""
MAX_LEFT_OUT = 10_000
"""Names of fields without a column that are kept, to count them."""
MAX_BYTES = 320 * 2**20
"""Of a database in memory; a log that needs more is cut."""
SECONDS = 40.0
"""That loading may take; the rows that are there by then are what is asked about."""
KEPT_BYTES = 192 * 2**20
KEPT = 2
BATCH = 5_000


class LoadedLog:
    """The rows as the table `log` of `db`, with the columns `names`. Nothing is added once it is loaded."""

    def __init__(self, log: Log) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.execute("PRAGMA temp_store = MEMORY")
        self.db.create_function("epoch_of", 1, epoch_of, deterministic=True)
        self.db.create_function("regexp", 2, regexp, deterministic=True)
        self._by_field: dict[str, str] = {}
        self._left_out: set[str] = set()
        self._taken = {"line"}  # SQLite compares names without case
        self.loaded, self.was_stopped = 0, False
        self._fill(_with_logins(log.rows()) if log.format == "syslog" else log.rows())
        self.format, self.path, self.lines, self.bad = log.format, log.path, log.lines, log.bad
        self.fields_left_out = len(self._left_out - self._by_field.keys())
        self.is_cut = log.is_cut or self.was_stopped
        kinds = dict.fromkeys(LOGIN_COLUMNS, "string") | log.fields
        self.kinds = {column: kinds.get(name, "string") for name, column in self._by_field.items()}

    @property
    def names(self) -> list[str]:
        return list(self._by_field.values())

    @property
    def size(self) -> int:
        (pages,), (page,) = (self.db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
        return int(pages * page)

    def _fill(self, rows: Iterable[Row]) -> None:
        deadline = time.monotonic() + SECONDS
        waiting: list[Row] = []
        self.db.execute("CREATE TABLE log (line INTEGER PRIMARY KEY)")
        self.db.execute("BEGIN")
        for row in rows:
            waiting.append(row)
            if len(waiting) >= BATCH:
                self._flush(waiting)
                progress.say("rows read", self.loaded)
                if time.monotonic() > deadline or (self.loaded % (10 * BATCH) == 0 and self.size > MAX_BYTES):
                    self.was_stopped = True
                    break
        self._flush(waiting)
        self.db.execute("COMMIT")

    def _flush(self, waiting: list[Row]) -> None:
        known = self._by_field
        chosen, others = new_columns(waiting, known, RARE_COLUMNS, MAX_COLUMNS)
        for name in chosen:
            self._add_column(name)
        self._left_out.update(others[: MAX_LEFT_OUT - len(self._left_out)])
        self.loaded += len(waiting)
        if known:
            fields, listed = list(known), ",".join(map(quoted, known.values()))
            insertion = f"INSERT INTO log ({listed}) VALUES ({','.join('?' * len(fields))})"  # noqa: S608  # names are quoted
            values = [tuple(map(row.get, fields)) for row in waiting]
            try:
                self.db.execute("SAVEPOINT batch")
                self.db.executemany(insertion, values)
            except (OverflowError, UnicodeEncodeError):  # a number of 20 digits, half of a surrogate pair
                self.db.execute("ROLLBACK TO batch")
                self.db.executemany(insertion, [tuple(map(sql_value, row)) for row in values])
            self.db.execute("RELEASE batch")
        waiting.clear()

    def _add_column(self, name: str) -> None:
        column = str(sql_value(name)).replace("\0", "") or "_"
        while column.lower() in self._taken:
            column += "_"
        self._taken.add(column.lower())
        self._by_field[name] = column
        self.db.execute(f"ALTER TABLE log ADD COLUMN {quoted(column)}")

    @contextmanager
    def guarded(
        self, optional: Sequence[str], authorize: Callable[..., int], seconds: float
    ) -> Iterator[sqlite3.Connection]:
        """The database for a query of somebody else. `optional` columns are there, empty."""
        missing = [name for name in dict.fromkeys(optional) if name.lower() not in self._taken]
        if missing:
            empty = ", ".join(f"NULL AS {quoted(name)}" for name in missing)
            self.db.execute(f"CREATE TEMP VIEW log AS SELECT *, {empty} FROM main.log")  # noqa: S608  # names are quoted
        self.db.set_authorizer(authorize)
        try:
            with self.limited(seconds):
                yield self.db
        finally:
            self.db.set_authorizer(None)
            if missing:
                self.db.execute("DROP VIEW temp.log")

    def limited(self, seconds: float) -> AbstractContextManager[None]:
        """The time in which queries are interrupted when `seconds` are over."""
        return limited(self.db, seconds, 10_000)

    def rows(self, condition: str = "1", wanted: Sequence[str] = ()) -> Iterator[Row]:
        """In the order of the log, without what is empty; booleans are such again. `wanted` columns alone, or all."""
        names = [name for name in self.names if not wanted or name in wanted]
        truths = [name for name in names if self.kinds[name] == "bool"]
        query = f"SELECT {','.join(map(quoted, names)) or 'line'} FROM log WHERE {condition} ORDER BY line"  # noqa: S608
        for values in self.db.execute(query):
            row = {name: value for name, value in zip(names, values, strict=False) if value is not None}
            for name in truths:
                if row.get(name) in (0, 1):
                    row[name] = bool(row[name])
            yield row


LOGIN_COLUMNS = ("login_kind", "login_user", "login_source", "login_method", "login_detail")
"""What a line of syslog says about a login: columns that its rows get besides their own."""


def _with_logins(rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        if login := from_message(row["program"], row["message"]):
            told = (login.kind, login.user, login.source, login.method, login.detail)
            row |= {name: value for name, value in zip(LOGIN_COLUMNS, told, strict=True) if value}
        yield row


def epoch_of(value: Any) -> float | None:
    """For SQL: Unix seconds of a time as a log writes it; a zoneless one as if it were UTC."""
    known = epoch(value)
    return known[0] if known else None


_kept: OrderedDict[str, LoadedLog] = OrderedDict()


def load_log(arguments: FileOrText, files: Mapping[str, bytes]) -> LoadedLog:
    """The log that the arguments name.

    Raises:
        ToolFailure: it is no log of a known format.
    """
    member = "/".join(getattr(arguments, "member", None) or ())
    content = (
        files.get(arguments.file, b"")
        if arguments.file is not None
        else (arguments.text or "").encode("utf-8", "replace")
    )
    key = f"{hashlib.sha256(content).hexdigest()} {member}"
    found = _kept.pop(key, None)
    if found is None:
        while _kept and sum(each.size for each in _kept.values()) + 2 * len(content) > KEPT_BYTES:
            _kept.popitem(last=False)
        found = LoadedLog(open_log(arguments, files))
    if found.size <= KEPT_BYTES:
        _kept[key] = found
    while len(_kept) > KEPT or sum(each.size for each in _kept.values()) > KEPT_BYTES:
        _kept.popitem(last=False)
    return found
