"""A session's stored messages, read block by block: a long session is never in memory as a whole."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from secgemini_jupyter.local_server.database import Database

BLOCK_BYTES = 2**19


@dataclass(frozen=True)
class StoredMessages:
    """Messages joined by commas, `size` bytes in all, read block by block: a slow reader costs one block of memory.

    There are fewer bytes if the session is deleted meanwhile.
    """

    size: int
    blocks: AsyncIterator[bytes]


async def read_messages(database: Database, key: int, count: int) -> StoredMessages:
    """The first `count` messages of a session."""

    def begin(db: sqlite3.Connection) -> tuple[int, _Block]:
        query = "SELECT count(*), coalesce(sum(length(body)), 0) FROM chunks WHERE session = ? AND first < ?"
        chunks, size = db.execute(query, (key, count)).fetchone()
        return size + max(chunks - 1, 0), _read_block(db, key, -1, count)

    async def blocks(block: _Block) -> AsyncIterator[bytes]:
        while block.body:
            yield block.body
            block = await database.read(partial(_read_block, key=key, after=block.last, before=count))

    size, first = await database.read(begin)
    return StoredMessages(size, blocks(first))


class _Block(NamedTuple):
    """Some chunks in a row, joined; `last` is where the last of them begins. No body: there are no more."""

    body: bytes
    last: int


def _read_block(db: sqlite3.Connection, key: int, after: int, before: int) -> _Block:
    """The next chunks that begin within these bounds, so many that they are worth a write."""
    parts = [] if after < 0 else [b""]  # a comma before what follows others
    size = 0
    query = "SELECT first, body FROM chunks WHERE session = ? AND first > ? AND first < ? ORDER BY first"
    for first, body in db.execute(query, (key, after, before)):
        parts.append(body)
        size += len(body)
        after = first
        if size >= BLOCK_BYTES:
            break
    return _Block(b",".join(parts) if size else b"", after)
