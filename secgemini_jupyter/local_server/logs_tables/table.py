"""One logs table as an SQLite database: a row for each JSON object, a column for each of its fields.

Besides the rows it holds what a summary needs, counted as the lines come: how often each value of a field occurs (of
fields with few values), and when the first and last row was. A question about a gigabyte then costs no pass over it.

A chunk is one transaction: after a crash it is there as a whole, or not at all. Rows are only ever added, so the
journal stays small whatever the size of the table.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

HASH_KEY = b"secgemini"
BOM = "\ufeff"
LOCK_TIMEOUT = 20.0
"""Seconds to wait for a reader, and for the loader of a server that was killed."""
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE log (line INTEGER PRIMARY KEY);
CREATE TABLE unread (line INTEGER PRIMARY KEY, raw TEXT NOT NULL);
CREATE TABLE columns (position INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE counts (position INTEGER, value, n INTEGER NOT NULL, PRIMARY KEY (position, value)) WITHOUT ROWID;
CREATE TABLE meta (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""


class Refused(Exception):
    """Lines that a table does not take; `status` is the HTTP status to say so with."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class OtherLog(Refused):
    """All lines are there, and are not those of the table's hash: it can never be whole."""

    def __init__(self) -> None:
        text = "These lines are not the log of that hash, and the table was deleted. Upload all of it."
        super().__init__(409, text)


class Times(msgspec.Struct):
    """When the rows were, as far as they say it: Unix seconds, or the first two texts as they are written."""

    field: str | None = None
    first: float | None = None
    last: float | None = None
    zoneless: int = 0
    written: list[str] = []


class Meta(msgspec.Struct):
    """What a table says of itself.

    Attributes:
        lines: that were taken, empty ones included: where an upload that broke off goes on.
        rows: of them, those that hold a JSON object.
        bad: those that are neither empty nor understood; their text is in `unread`.
        size: bytes of all lines.
        is_complete: whether they are the whole log: they hash to its name. Where the hash is not known, since more
            than one process took them, their number is what the client said.
        mapping: new names of fields, each with its old one.
        left_out: fields that have no column, since there are too many; at least so many.
    """

    lines: int = 0
    rows: int = 0
    bad: int = 0
    size: int = 0
    is_complete: bool = False
    mapping: dict[str, str] = {}
    times: Times = msgspec.field(default_factory=Times)
    updated: float = 0.0
    left_out: int = 0


class Column(msgspec.Struct):
    """A field's column. `distinct` is None where its values are too many to be counted."""

    field: str
    name: str
    kind: str = ""
    filled: int = 0
    distinct: int | None = 0


class Table:
    """A table that is open for writing.

    Args:
        path: None keeps it in memory.
        create: make the file where there is none.

    Raises:
        sqlite3.Error: there is no file, or no database of ours in it, or it cannot be written.
    """

    def __init__(self, path: Path | None, logs_hash: str, *, create: bool = False) -> None:
        self.logs_hash = logs_hash
        if path is not None and create:
            path.touch(mode=0o600)
        address = ":memory:" if path is None else f"{path.as_uri()}?mode=rw"
        self._db = sqlite3.connect(
            address, isolation_level=None, check_same_thread=False, timeout=LOCK_TIMEOUT, uri=path is not None
        )
        try:
            for pragma in ("temp_store = MEMORY", "synchronous = FULL", "journal_mode = DELETE"):
                self._db.execute(f"PRAGMA {pragma}").fetchall()
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                first = _text(Meta(updated=time.time())).replace("'", "''")
                self._db.executescript(
                    f"BEGIN; {SCHEMA} INSERT INTO meta VALUES (1, '{first}'); "  # noqa: S608  # our own text
                    f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                )
            elif version != SCHEMA_VERSION:
                raise sqlite3.NotSupportedError(f"another version wrote the logs table (schema {version})")
            self.meta = read_meta(self._db)
        except BaseException:
            self._db.close()
            raise
        # Of all lines from the first one on, with and without the mark of byte order that clients leave out: known
        # only while one process takes them all.
        self._digests = [_digest(b""), _digest(BOM.encode())] if self.meta.lines == 0 else []

    def close(self) -> None:
        self._db.close()

    def serialized(self) -> bytes:
        """The database, as the bytes of a file."""
        return self._db.serialize()

    def append(
        self,
        lines: Sequence[str],
        *,
        first_line: int | None = None,
        total_lines: int | None = None,
        mapping: Mapping[str, str] | None = None,
    ) -> int:
        """Take lines, in one transaction; gives how many of them were new.

        Args:
            first_line: position of the first of them in the log: lines that the table has are skipped, so that a
                chunk may be sent again. None appends them whatever was there.
            total_lines: what the whole log has.
            mapping: new names of fields. With `first_line` another one than before renames the columns, and none
                leaves them; without it the first chunk's holds.

        Raises:
            Refused: lines between the table's and these are missing, or they do not belong to it.
            OtherLog: with these it has as many lines as the log, and they are others.
            sqlite3.Error: they could not be stored; the table is as before.
        """
        from secgemini_jupyter.local_server.logs_tables.filling import Filling
        from secgemini_jupyter.local_server.logs_tables.renaming import rename

        self._db.execute("BEGIN IMMEDIATE")
        try:
            meta = read_meta(self._db)  # another process may have written meanwhile
            digests = [each.copy() for each in self._digests if meta.lines == self.meta.lines]
            new = _new_lines(meta, lines, first_line)
            columns = read_columns(self._db)
            if not meta.lines:
                meta.mapping = dict(mapping or {})
            elif dict(mapping or {}) != meta.mapping:
                if first_line is None and new:
                    raise Refused(409, f"The table was begun with another custom_fields_mapping: {meta.mapping}.")
                if first_line is not None and mapping:
                    rename(self._db, meta, columns, mapping)
            Filling(self._db, meta, columns).take(new)
            if not meta.is_complete:
                meta.is_complete = _is_whole(digests, new, self.logs_hash, is_last=meta.lines == total_lines)
            meta.updated = time.time()
            self._db.execute("UPDATE meta SET body = ?", (_text(meta),))
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self.meta, self._digests = meta, digests
        return len(new)


def _digest(start: bytes) -> Any:
    return hashlib.blake2s(start, key=HASH_KEY)


def _is_whole(digests: Sequence[Any], new: Sequence[str], logs_hash: str, *, is_last: bool) -> bool:
    """Whether the log is whole with the `new` lines; `is_last`: the client says so."""
    if not digests:
        return is_last
    content = "".join(new).encode("utf-8", "surrogatepass")
    for digest in digests:
        digest.update(content)
    is_whole = logs_hash in [digest.hexdigest() for digest in digests]
    if is_last and not is_whole:
        raise OtherLog
    return is_whole


def _new_lines(meta: Meta, lines: Sequence[str], first_line: int | None) -> Sequence[str]:
    if first_line is not None and first_line > meta.lines:
        raise Refused(409, f"The table has {meta.lines} lines, the chunk begins at line {first_line}.")
    new = lines if first_line is None else lines[meta.lines - first_line :]
    if new and meta.is_complete:
        raise Refused(409, f"The table is complete with {meta.lines} lines. Attach it by its hash.")
    return new


def read_meta(db: sqlite3.Connection) -> Meta:
    (body,) = db.execute("SELECT body FROM meta").fetchone()
    return msgspec.json.decode(body, type=Meta)


def read_columns(db: sqlite3.Connection) -> list[Column]:
    """In the order of the table."""
    return [
        msgspec.json.decode(body, type=Column) for (body,) in db.execute("SELECT body FROM columns ORDER BY position")
    ]


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
