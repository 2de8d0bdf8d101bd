"""One SQLite database with one writer: a thread of its own that groups what waits into one commit."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from secgemini_jupyter.errors import one_line

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

Waiting = Future[T] | asyncio.Future[T]
"""Of who waits for a job: in another thread, or on an event loop."""
_Item = tuple[Job[Any], Waiting[Any], bool]
_Outcome = tuple[Waiting[Any], Any, BaseException | None]

MEMORY_BYTES = 512 * 2**20
"""What a database in memory may hold."""


class MemoryFull(sqlite3.OperationalError):
    """A database in memory has no room left."""


class Database:
    """A database file, or with `path` None one in memory.

    Raises:
        sqlite3.Error: no database, or one of a newer schema.
    """

    def __init__(self, path: Path | None, schema: str, version: int) -> None:
        if path is not None:
            path.touch(mode=0o600)  # SQLite gives its log the mode of the database
        self.has_remains = False
        """Whether deleted bytes may still be in a file: `shrink` could not finish."""
        target = ":memory:" if path is None else str(path)
        is_shared = path is not None
        try:
            connection = _open(target, schema, version)
        except sqlite3.OperationalError:
            if path is None or not is_full(path.parent):
                raise
            # A full disk has no room for the index that connections share. One alone keeps it in memory: what is stored
            # can be read, and written to once there is room.
            connection, is_shared = _open(target, schema, version, "locking_mode = EXCLUSIVE"), False
        if path is None:
            (page,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count = {MEMORY_BYTES // page}").fetchall()
        self._writer = _Worker(connection, "writer", in_memory=path is None)
        # In memory there is one connection, which has one thread.
        self._reader = _Worker(_connect(target), "reader") if is_shared else self._writer
        if path is not None:  # a death between a deletion and its `shrink` leaves bytes
            self.has_remains = not self._writer.submit(_shrink, alone=True).result()

    async def write(self, job: Job[T]) -> T:
        """Runs `job` in a transaction; returns after the commit."""
        return await self._writer.run(job)

    def write_now(self, job: Job[T]) -> T:
        return self._writer.submit(job).result()

    async def read(self, job: Job[T]) -> T:
        return await self._reader.run(job)

    def read_now(self, job: Job[T]) -> T:
        return self._reader.submit(job).result()

    async def shrink(self) -> bool:
        """Gives free pages back and empties the log, so that no deleted byte stays in a file.

        False: it could not (the disk is full, somebody reads); `has_remains` says so until it could.
        """
        self.has_remains = not await self._writer.run(_shrink, alone=True)
        return not self.has_remains

    def close(self) -> None:
        if self._reader is not self._writer:
            self._reader.close()
        self._writer.close()


class _Worker:
    """A thread that owns a connection and runs jobs on it, in order; jobs that wait together share a commit."""

    def __init__(self, connection: sqlite3.Connection, name: str, *, in_memory: bool = False) -> None:
        self._connection = connection
        self._in_memory = in_memory
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"database-{name}", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T], *, alone: bool = False) -> Future[T]:
        """`alone`: outside a transaction."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # who waits may be cancelled, the job is not
        self._queue.put((job, future, alone))
        return future

    def run(self, job: Job[T], *, alone: bool = False) -> asyncio.Future[T]:
        """`submit` for the running event loop."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((job, future, alone))
        return future

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            batch: list[_Item] = []
            item = self._queue.get()
            while item is not None:
                batch.append(item)
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    break
            else:
                open_ = False
            self._run_batch(batch)
        self._connection.close()

    def _run_batch(self, batch: list[_Item]) -> None:
        for alone, items in groupby(batch, key=lambda item: item[2]):
            group = list(items)
            _tell(self._run_alone(group) if alone else self._commit(group))

    def _run_alone(self, items: list[_Item]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        for job, waiting, _ in items:
            try:
                outcomes.append((waiting, job(self._connection), None))
            except Exception as error:
                outcomes.append((waiting, None, error))
        return outcomes

    def _commit(self, group: list[_Item]) -> list[_Outcome]:
        try:
            results = self._transaction([job for job, _, _ in group])
        except Exception as error:
            if len(group) == 1:
                return [(group[0][1], None, error)]
            return [outcome for item in group for outcome in self._commit([item])]  # one's failure is not the others'
        return [(waiting, result, None) for (_, waiting, _), result in zip(group, results, strict=True)]

    def _transaction(self, jobs: list[Job[Any]]) -> list[Any]:
        connection = self._connection
        connection.execute("BEGIN")
        try:
            results = [job(connection) for job in jobs]
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if self._in_memory and isinstance(error, sqlite3.OperationalError) and _is_full(error):
                raise MemoryFull(str(error)) from None
            raise
        return results


def _tell(outcomes: list[_Outcome]) -> None:
    """Wakes an event loop once for all that a commit held: with many streams, waking it is dearer than a row."""
    on_loops: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        if isinstance(outcome[0], Future):
            _settle([outcome])
        else:
            on_loops.setdefault(outcome[0].get_loop(), []).append(outcome)
    for loop, theirs in on_loops.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(_settle, theirs)


def _settle(outcomes: list[_Outcome]) -> None:
    for waiting, result, error in outcomes:
        if waiting.done():  # who waited was cancelled
            continue
        if error is None:
            waiting.set_result(result)
        else:
            waiting.set_exception(error)


def _open(target: str, schema: str, version: int, *pragmas: str) -> sqlite3.Connection:
    """A connection to a database of ours, which is made if there is none."""
    connection = _connect(target)
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > version:
            raise sqlite3.DatabaseError(f"a newer version wrote it (schema {found}, known {version})")
        # Deleted means gone: pages are overwritten, and given back to the system by `shrink`. Of these `auto_vacuum` is
        # kept in the file, and would be written again, for which a full disk has no room.
        new = ["auto_vacuum = INCREMENTAL"] if found == 0 else []
        for pragma in ("secure_delete = ON", *new, "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        if found == 0:
            connection.executescript(f"BEGIN; {schema} PRAGMA user_version = {version}; COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(target: str) -> sqlite3.Connection:
    connection = sqlite3.connect(target, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")  # nothing of a session in a temporary file
    return connection


def _shrink(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("PRAGMA incremental_vacuum").fetchall()
        ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error:
        return False
    return not busy


def _is_full(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def why_not_stored(error: BaseException, folder: Path | None = None) -> str:
    """What went wrong, and the next step, for the user. With `folder` also a disk that has just become full is seen:
    SQLite calls some of its failed writes an I/O error, and the system gives other reasons for quotas.
    """
    if isinstance(error, MemoryFull):
        return (
            f"The memory for sessions without retention is full ({MEMORY_BYTES >> 20} MiB). "
            "Delete some of them, then try again."
        )
    full = _is_full(error) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    if full or (folder is not None and is_full(folder)):
        return "The disk is full. Free some space, then try again."
    return f"{one_line(str(error)).rstrip('.')}."


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder has no room that is worth mentioning."""
    try:
        return shutil.disk_usage(folder).free < 2**16
    except OSError:
        return False
