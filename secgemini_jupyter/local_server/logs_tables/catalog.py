"""The logs tables there are: on disk for sessions with retention, in memory alone for those without.

One file a table, in a folder of its own: deleting one gives its bytes back at once, and costs the others nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import sqlite3
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.analyst.workers import WorkerProcess
from secgemini_jupyter.local_server.logs_tables import loader
from secgemini_jupyter.local_server.logs_tables.table import Meta, OtherLog, Refused, Table

logger = logging.getLogger(__name__)

HASH = re.compile(r"[0-9a-f]{64}")
MAX_TABLES = 1_000
MAX_MEMORY_BYTES = 128 * 2**20
"""Lines of all tables in memory. A question sends such a table to a worker, which has so much room for it."""
GRACE = 3600.0
"""Seconds after its last chunk that a table lives which no session was given."""
LOAD_LIMIT = 120.0
"""Seconds that one chunk may take."""
IDLE = 60.0
"""Seconds without a chunk after which the loader process ends."""


@dataclass(eq=False)
class LogsTable:
    """A table; `path` None: in memory, as `table`. `meta` is of its last chunk."""

    hash: str
    can_log: bool
    meta: Meta
    path: Path | None = None
    table: Table | None = None
    was_attached: bool = False
    is_deleted: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def source(self) -> str | bytes:
        """What a worker process opens: the file's path, or the whole database. It blocks."""
        return self.table.serialized() if self.table is not None else str(self.path)


class LogsTables:
    """All tables of one data folder; its coroutines belong to one event loop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "logs"
        self._tables: dict[tuple[str, bool], LogsTable] = {}
        self._loader: WorkerProcess | None = None
        self._loading = asyncio.Lock()
        self._last = 0.0
        if self.folder.is_dir():
            self._find()

    def _find(self) -> None:
        """Open each once: a transaction that a crash has cut is rolled back, which readers could not do."""
        for path in self.folder.glob("*.sqlite3"):
            if not HASH.fullmatch(path.stem):
                continue
            try:
                table = Table(path, path.stem)
            except (sqlite3.OperationalError, sqlite3.NotSupportedError) as problem:  # another time, or version, can
                logger.warning("The logs table %s cannot be opened: %s", path.stem, problem)
            except (sqlite3.Error, msgspec.MsgspecError, TypeError) as problem:
                logger.warning("The logs table %s is damaged (%s) and was deleted", path.stem, problem)
                _unlink(path)
            else:
                table.close()
                self._tables[path.stem, True] = LogsTable(path.stem, True, table.meta, path)

    def find(self, logs_hash: str, *, can_log: bool) -> LogsTable | None:
        """The table for a session: a kept one serves those without retention too, one in memory only them."""
        logs_hash = logs_hash.lower()
        own = self._tables.get((logs_hash, can_log))
        return own or (None if can_log else self._tables.get((logs_hash, True)))

    async def create(self, logs_hash: str, *, can_log: bool) -> tuple[LogsTable, bool]:
        """The table of this kind, and whether it is new: one without a line is as good as new.

        Raises:
            Refused: no hash, or there are too many tables.
            sqlite3.Error, OSError: it cannot be stored.
        """
        key = (_checked(logs_hash), can_log)
        if found := self._tables.get(key):
            return found, found.meta.lines == 0
        if len(self._tables) >= MAX_TABLES:
            raise Refused(
                507,
                f"There are {MAX_TABLES} logs tables already. Delete sessions that have some; those that no session "
                f"has go {GRACE // 60:.0f} minutes after their last lines came.",
            )
        made = LogsTable(key[0], can_log, Meta(updated=time.time()))
        self._tables[key] = made  # before it is stored: a second call meanwhile waits for it
        async with made.lock:
            try:
                if can_log:
                    self.folder.mkdir(mode=0o700, exist_ok=True)
                    made.path = self.folder / f"{made.hash}.sqlite3"
                    (await asyncio.to_thread(Table, made.path, made.hash, create=True)).close()
                else:
                    made.table = Table(None, made.hash)
            except BaseException:
                del self._tables[key]
                raise
        return made, True

    async def append(self, logs_hash: str, *, can_log: bool, body: bytes) -> tuple[int, LogsTable]:
        """Take a chunk, which is stored when this returns; gives how many lines were new.

        Raises:
            Refused: there is no such table, or it does not take them.
        """
        table = self._tables.get((_checked(logs_hash), can_log))
        if table is None:
            raise Refused(404, "Logs table not found. Create it first.")
        async with table.lock:
            if table.is_deleted:
                raise Refused(404, "Logs table not found. Create it first.")
            try:
                if table.table is None:
                    return await self._append_on_disk(table, body), table
                return await self._append_in_memory(table, table.table, body), table
            except OtherLog:
                self._forget(table)
                raise

    async def _append_in_memory(self, table: LogsTable, database: Table, body: bytes) -> int:
        if self._memory_bytes() + len(body) > MAX_MEMORY_BYTES:
            self._forget(table)  # it can never be whole
            raise Refused(
                413,
                f"Logs of sessions without retention live in memory alone, {MAX_MEMORY_BYTES // 2**20} MiB of them at "
                "most; this table was deleted again. Use a session with retention, or a part of the log.",
            )
        inserted = await asyncio.to_thread(loader.append, database, body)
        table.meta = database.meta
        return inserted

    def _memory_bytes(self) -> int:
        return sum(each.meta.size for each in self._tables.values() if not each.can_log)

    async def _append_on_disk(self, table: LogsTable, body: bytes) -> int:
        async with self._loading:
            reply = await self._call({"path": str(table.path), "hash": table.hash, "body": body})
        if "error" in reply:
            if reply.get("is_other"):
                raise OtherLog
            raise Refused(reply["status"], reply["error"])
        table.meta = msgspec.convert(reply["meta"], Meta)
        inserted: int = reply["inserted"]
        return inserted

    async def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._loader is None or not self._loader.is_alive:
            try:
                self._loader = await WorkerProcess.start(loader.__name__)
            except ToolFailure:
                raise Refused(503, "The process that loads logs did not start.") from None
        answer: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(LOAD_LIMIT):
                answer = await self._loader.call(request)
        except (TimeoutError, EOFError):
            raise Refused(503, "The process that loads logs was lost; the chunk may be stored.") from None
        finally:
            self._last = time.monotonic()
            if answer is None:  # nobody knows what it is doing: also when the request was cancelled
                broken, self._loader = self._loader, None
                await broken.kill()
        return answer

    async def purge(self, attached: Collection[str]) -> None:
        """Delete tables that no session has: at once if one had it, else when nobody came for it."""
        now = time.time()
        for table in list(self._tables.values()):
            is_late = table.was_attached or table.meta.updated < now - GRACE
            if table.hash not in attached and is_late and not table.lock.locked():
                self._forget(table)
        if self._loader and not self._loading.locked() and time.monotonic() - self._last > IDLE:
            await self._end_loader()

    def _forget(self, table: LogsTable) -> None:
        table.is_deleted = True
        self._tables.pop((table.hash, table.can_log), None)
        if table.table is not None:
            table.table.close()
        if table.path is not None:
            _unlink(table.path)

    async def _end_loader(self) -> None:
        ended, self._loader = self._loader, None
        if ended is not None:
            await ended.close()

    async def aclose(self) -> None:
        await self._end_loader()


def _checked(logs_hash: str) -> str:
    if not HASH.fullmatch(logs_hash.lower()):
        raise Refused(400, "logs_hash is no BLAKE2s in hex: 64 digits.")
    return logs_hash.lower()


def _unlink(path: Path) -> None:
    for each in (path, path.with_name(f"{path.name}-journal")):
        with contextlib.suppress(OSError):
            each.unlink(missing_ok=True)
