"""The logs processor's two requests (protocol section 5.13), with extensions of ours that others leave out.

`create_logs_table` also tells `log_lines`, how many lines the table has, `is_complete` and `custom_fields_mapping`: an
upload that broke off is continued from there. `upload_logs` may say `first_line`, the position of its first line in
the log: then it may be sent again, and inserts nothing twice; and `total_lines`, which tells when all are there.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from secgemini_jupyter.local_server.database import why_not_stored
from secgemini_jupyter.local_server.logs_tables.catalog import LogsTable, LogsTables
from secgemini_jupyter.local_server.logs_tables.table import Refused
from secgemini_jupyter.local_server.requests import JSON, parse, query_value, read_body

MAX_CHUNK_BYTES = 64 * 2**20
"""Of one body: 10 MB of lines, even if each of their characters is escaped."""
MAX_AT_ONCE = 4
"""Chunks in memory; further ones wait outside."""


class ChunkHead(msgspec.Struct):
    """What tells where a chunk belongs; the lines are read where they are stored."""

    logs_hash: str
    can_log: bool


class LogsRoutes:
    def __init__(self, tables: LogsTables) -> None:
        self._tables = tables
        self._room = asyncio.Semaphore(MAX_AT_ONCE)

    async def create(self, request: Request) -> Response:
        logs_hash, can_log = query_value(request, "logs_hash"), query_value(request, "can_log").lower()
        try:
            if can_log not in ("true", "false", "1", "0"):
                raise Refused(422, "can_log is neither true nor false.")
            table, created = await self._tables.create(logs_hash, can_log=can_log in ("true", "1"))
        except Refused as refused:
            return _refusal(refused)
        except (sqlite3.Error, OSError) as error:
            return _refusal(Refused(507, f"Not stored. {why_not_stored(error, self._tables.folder)}"))
        return JSON({"table_created": created} | _told(table) | {"custom_fields_mapping": table.meta.mapping})

    async def upload(self, request: Request) -> Response:
        async with self._room:
            body = await read_body(request, MAX_CHUNK_BYTES)
            head = parse(body, ChunkHead)
            try:
                inserted, table = await self._tables.append(head.logs_hash, can_log=head.can_log, body=body)
            except Refused as refused:
                return _refusal(refused)
        return JSON({"inserted_log_lines": inserted} | _told(table))


def _told(table: LogsTable) -> dict[str, Any]:
    return {"log_lines": table.meta.lines, "is_complete": table.meta.is_complete}


def _refusal(refused: Refused) -> Response:
    return JSON({"detail": refused.reason}, refused.status)
