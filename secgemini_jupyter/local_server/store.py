"""What the server keeps: sessions, messages, attachments and feedback, in SQLite.

A message is stored in its serialised form, once, and sent only after its commit: the stream and `session/get`
agree byte for byte, and a crash loses nothing that a client has seen. What one commit holds is one row (a
*chunk*: messages joined by commas), so that a burst costs one statement and reading a session is a join.

Sessions with `can_log` false live in a database in memory and end with the process.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from secgemini_jupyter.local_server.database import Database
from secgemini_jupyter.local_server.folder import LOCK_TIMEOUT, lock_folder, unusable
from secgemini_jupyter.local_server.limits import MAX_SESSIONS
from secgemini_jupyter.local_server.logs_tables.catalog import LogsTable, LogsTables
from secgemini_jupyter.local_server.stored import StoredMessages, read_messages
from secgemini_jupyter.models import (
    LocalTool,
    Message,
    ModelInfo,
    PublicLogsTable,
    PublicSession,
    PublicSessionFile,
    State,
    Usage,
    read_stored_message,
)

DATABASE = "sessions.sqlite3"
SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE sessions (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    fixed BLOB NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    ttl INTEGER NOT NULL,
    expires REAL NOT NULL,
    updated REAL NOT NULL,
    turns INTEGER NOT NULL DEFAULT 0,
    num_messages INTEGER NOT NULL DEFAULT 0,
    usage BLOB NOT NULL DEFAULT '{}',
    state TEXT NOT NULL DEFAULT 'start',
    running INTEGER NOT NULL DEFAULT 0,
    logs_table TEXT
);
CREATE TABLE chunks (
    session INTEGER NOT NULL REFERENCES sessions(key) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (session, first)
) WITHOUT ROWID;
CREATE TABLE files (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL REFERENCES sessions(key) ON DELETE CASCADE,
    info BLOB NOT NULL,
    content BLOB NOT NULL
);
CREATE TABLE feedback (
    session INTEGER NOT NULL REFERENCES sessions(key) ON DELETE CASCADE,
    given_at REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX files_session ON files(session);
CREATE INDEX feedback_session ON feedback(session);
"""


class Fixed(msgspec.Struct, frozen=True):
    """What never changes after registration."""

    model: ModelInfo
    language: str
    can_log: bool
    created: float
    local_tools: list[LocalTool] = []
    agents_config: dict[str, Any] = {}


@dataclass
class Session:
    """A session without its messages and its files' contents. Only the store changes it, after the commit."""

    key: int
    id: str
    fixed: Fixed
    name: str
    description: str
    ttl: int
    expires: float
    updated: float
    turns: int = 0
    num_messages: int = 0
    usage: Usage = field(default_factory=Usage)
    state: str = State.START
    running: bool = False
    logs_table: str | None = None
    files: list[tuple[int, PublicSessionFile]] = field(default_factory=list)
    asked_about: frozenset[int] | None = None
    """Keys of the files that the last prompt had; None before a prompt of this process."""
    asked_table: str | None = None
    """The logs table that the last prompt had."""

    def public(self, user_id: str, org_id: str) -> PublicSession:
        """As the wire has it, without messages."""
        return PublicSession(
            id=self.id,
            user_id=user_id,
            org_id=org_id,
            model=self.fixed.model,
            ttl=self.ttl,
            language=self.fixed.language,
            turns=self.turns,
            name=self.name,
            description=self.description,
            create_time=self.fixed.created,
            update_time=self.updated,
            num_messages=self.num_messages,
            usage=self.usage,
            can_log=self.fixed.can_log,
            state=State(self.state),
            files=[info for _, info in self.files],
            logs_table=PublicLogsTable(self.logs_table) if self.logs_table is not None else None,
            local_tools=self.fixed.local_tools,
            agents_config=self.fixed.agents_config,
        )


class Store:
    """All sessions of one data folder. Made by `Store.open`; its coroutines belong to one event loop.

    Raises:
        SettingsError: the folder cannot be used, another server uses it, or a newer version wrote it.
    """

    def __init__(self, folder: Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self.folder = folder
        self._lock = lock_folder(folder, lock_timeout)
        try:
            self._disk = Database(folder / DATABASE, SCHEMA, SCHEMA_VERSION)
            self._memory = Database(None, SCHEMA, SCHEMA_VERSION)
            self._sessions = {session.id: session for session in self._disk.write_now(_load_sessions)}
            self.tables = LogsTables(folder)
        except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            self._lock.close()
            raise unusable(folder, error) from None

    def close(self) -> None:
        self._disk.close()
        self._memory.close()
        self._lock.close()

    def _database(self, session: Session) -> Database:
        return self._disk if session.fixed.can_log else self._memory

    # Sessions

    def sessions(self) -> list[Session]:
        """The live ones, oldest first."""
        now = time.time()
        return [session for session in self._sessions.values() if session.expires > now]

    @property
    def is_full(self) -> bool:
        return len(self._sessions) >= MAX_SESSIONS

    def get(self, session_id: str) -> Session | None:
        session = self._sessions.get(session_id)
        return session if session and session.expires > time.time() else None

    async def register(self, session_id: str, fixed: Fixed, *, name: str, description: str, ttl: int) -> Session | None:
        """The new session, or None if a session of that id is alive."""
        while session_id in self._sessions:
            if self.get(session_id) is not None:
                return None
            await self.delete(self._sessions[session_id])
        session = Session(
            key=0, id=session_id, fixed=fixed, name=name, description=description, ttl=ttl,
            expires=fixed.created + ttl, updated=fixed.created,
        )  # fmt: skip
        self._sessions[session_id] = session  # before the commit: a second registration meanwhile is refused
        row = (session_id, msgspec.json.encode(fixed), name, description, ttl, session.expires, session.updated)
        insertion = (
            "INSERT INTO sessions (id, fixed, name, description, ttl, expires, updated) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )

        def insert(db: sqlite3.Connection) -> int:
            return db.execute(insertion, row).lastrowid or 0

        try:
            session.key = await self._database(session).write(insert)
        except BaseException:
            del self._sessions[session_id]
            raise
        return session

    async def update(
        self, session: Session, *, name: str | None = None, description: str | None = None, ttl: int | None = None
    ) -> None:
        """A ttl counts from now."""
        now = time.time()
        name = session.name if name is None else name
        description = session.description if description is None else description
        ttl, expires = (session.ttl, session.expires) if ttl is None else (ttl, now + ttl)
        row = (name, description, ttl, expires, now, session.key)
        await self._database(session).write(
            lambda db: db.execute(
                "UPDATE sessions SET name = ?, description = ?, ttl = ?, expires = ?, updated = ? WHERE key = ?", row
            )
        )
        session.name, session.description, session.ttl = name, description, ttl
        session.expires, session.updated = expires, now

    async def delete(self, *sessions: Session) -> bool:
        """Deletes sessions with all they have, and leaves nothing of them in the database file or its log.

        False: they are gone, but bytes of theirs may be in a file until `tidy` could remove them.
        """
        is_clean = True
        for database in (self._disk, self._memory):
            gone = [session for session in sessions if self._database(session) is database]
            if gone:
                await database.write(partial(_delete_sessions, keys=[(session.key,) for session in gone]))
                for session in gone:
                    if self._sessions.get(session.id) is session:
                        del self._sessions[session.id]
                is_clean &= await database.shrink()
        return is_clean

    async def tidy(self) -> None:
        """Removes what deletions had to leave in a file."""
        if self._disk.has_remains:
            await self._disk.shrink()

    async def purge(self, busy: Iterable[str] = ()) -> list[Session]:
        """Deletes what has expired, sessions with a turn under way (`busy`) aside."""
        now, spared = time.time(), set(busy)
        expired = [s for s in self._sessions.values() if s.expires <= now and s.id not in spared]
        if expired:
            await self.delete(*expired)
        return expired

    async def attach_table(self, session: Session, logs_hash: str) -> LogsTable | None:
        """The table, which takes the place of the session's; None if there is no such table for it."""
        table = self.tables.find(logs_hash, can_log=session.fixed.can_log)
        if table is None:
            return None
        async with table.lock:  # else it might be purged meanwhile
            if table.is_deleted:
                return None
            row = (table.hash, session.key)
            await self._database(session).write(
                lambda db: db.execute("UPDATE sessions SET logs_table = ? WHERE key = ?", row)
            )
            session.logs_table, table.was_attached = table.hash, True
        await self.purge_tables()  # of the one that was attached before
        return table

    async def purge_tables(self) -> None:
        """Deletes logs tables that no session has any more."""
        await self.tables.purge({session.logs_table for session in self._sessions.values() if session.logs_table})

    # Messages

    async def append(
        self,
        session: Session,
        bodies: Sequence[bytes],
        *,
        state: str,
        running: bool,
        usage: Usage | None = None,
        turns: int = 0,
    ) -> None:
        """Stores messages at the session's end, with the bookkeeping they bring, in one commit.

        Args:
            state: of the last one.
            running: whether a turn is under way after them; true after a crash means an unfinished turn.
            usage, turns: to be added to the session's.
        """
        now = time.time()
        total = session.usage + usage if usage else session.usage
        first, turns = session.num_messages, session.turns + turns
        chunk = (session.key, first, b",".join(bodies))
        row = (now, turns, first + len(bodies), msgspec.json.encode(total), state, running, session.key)

        def insert(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO chunks VALUES (?, ?, ?)", chunk)
            db.execute(
                "UPDATE sessions SET updated = ?, turns = ?, num_messages = ?, usage = ?, state = ?, running = ? "
                "WHERE key = ?",
                row,
            )

        await self._database(session).write(insert)
        session.updated, session.turns, session.usage = now, turns, total
        session.num_messages, session.state, session.running = first + len(bodies), state, running

    async def messages(self, session: Session) -> StoredMessages:
        """The stored messages as they were sent: those that the session has now."""
        return await read_messages(self._database(session), session.key, session.num_messages)

    def history(self, session: Session, count: int) -> list[Message]:
        """The first `count` messages, read at once: it blocks."""

        def read(db: sqlite3.Connection) -> bytes:
            query = "SELECT body FROM chunks WHERE session = ? AND first < ? ORDER BY first"
            return b",".join(body for (body,) in db.execute(query, (session.key, count)))

        raw = msgspec.json.decode(b"[%b]" % self._database(session).read_now(read), type=list[msgspec.Raw])
        return [read_stored_message(message) for message in raw[:count]]

    # Files and feedback

    async def add_file(self, session: Session, info: PublicSessionFile, content: bytes) -> None:
        row = (session.key, msgspec.json.encode(info), content)
        key = await self._database(session).write(
            lambda db: db.execute("INSERT INTO files (session, info, content) VALUES (?, ?, ?)", row).lastrowid
        )
        session.files.append((key or 0, info))

    async def remove_file(self, session: Session, index: int) -> bool:
        """`index` must be valid. The list changes before the commit, so that calls in a row see each other.

        False: see `delete`.
        """
        entry = session.files.pop(index)
        database = self._database(session)
        try:
            await database.write(lambda db: db.execute("DELETE FROM files WHERE key = ?", (entry[0],)))
        except BaseException:
            session.files.insert(index, entry)
            raise
        return await database.shrink()

    def file_content(self, session: Session, key: int) -> bytes:
        """An attachment's bytes, read at once: it blocks."""

        def select(db: sqlite3.Connection) -> bytes:
            row = db.execute("SELECT content FROM files WHERE key = ?", (key,)).fetchone()
            return row[0] if row else b""

        return self._database(session).read_now(select)

    async def add_feedback(self, session: Session, body: bytes) -> None:
        row = (session.key, time.time(), body)
        await self._database(session).write(lambda db: db.execute("INSERT INTO feedback VALUES (?, ?, ?)", row))


def _delete_sessions(db: sqlite3.Connection, keys: Sequence[tuple[int]]) -> None:
    db.executemany("DELETE FROM sessions WHERE key = ?", keys)


def _load_sessions(db: sqlite3.Connection) -> list[Session]:
    files: dict[int, list[tuple[int, PublicSessionFile]]] = {}
    for key, session, info in db.execute("SELECT key, session, info FROM files ORDER BY key"):
        files.setdefault(session, []).append((key, msgspec.json.decode(info, type=PublicSessionFile)))
    rows = db.cursor()
    rows.row_factory = sqlite3.Row
    return [
        Session(
            key=row["key"],
            id=row["id"],
            fixed=msgspec.json.decode(row["fixed"], type=Fixed),
            name=row["name"],
            description=row["description"],
            ttl=row["ttl"],
            expires=row["expires"],
            updated=row["updated"],
            turns=row["turns"],
            num_messages=row["num_messages"],
            usage=msgspec.json.decode(row["usage"], type=Usage),
            state=row["state"],
            running=bool(row["running"]),
            logs_table=row["logs_table"],
            files=files.get(row["key"], []),
        )
        for row in rows.execute("SELECT * FROM sessions ORDER BY key")
    ]
