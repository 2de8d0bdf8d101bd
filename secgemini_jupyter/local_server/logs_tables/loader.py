"""The process that fills the tables on disk: lines are parsed there, so that a server with streams open goes on.

Frames as those of `analyst.worker`. It ends with its input, after the chunk that it has: a table is never cut.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Annotated, Any

import msgspec

from secgemini_jupyter.local_server.analyst.worker import frames_alone, limit_resources, read_frame, write_frame
from secgemini_jupyter.local_server.database import why_not_stored
from secgemini_jupyter.local_server.logs_tables.table import OtherLog, Refused, Table

MAX_OPEN = 4
Position = Annotated[int, msgspec.Meta(ge=0)]


class Chunk(msgspec.Struct):
    """The body of `upload_logs`. `first_line` and `total_lines` are extensions of ours."""

    log_lines: list[str]
    custom_fields_mapping: dict[str, str] | None = None
    first_line: Position | None = None
    total_lines: Position | None = None


def append(table: Table, body: bytes) -> int:
    """How many lines were new.

    Raises:
        Refused: they do not belong to the table, or `body` is no chunk.
        sqlite3.Error: they could not be stored.
    """
    try:
        chunk = msgspec.json.decode(body, type=Chunk)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(422, f"The chunk cannot be read: {error}.") from None
    return table.append(
        chunk.log_lines,
        first_line=chunk.first_line,
        total_lines=chunk.total_lines,
        mapping=chunk.custom_fields_mapping,
    )


class Loader:
    """The tables that are open, by the file's path."""

    def __init__(self) -> None:
        self._tables: OrderedDict[str, tuple[int, Table]] = OrderedDict()

    def run(self, call: dict[str, Any]) -> dict[str, Any]:
        try:
            table = self._table(call["path"], call["hash"])
            return {"inserted": append(table, call["body"]), "meta": msgspec.to_builtins(table.meta)}
        except Refused as refused:
            return {"status": refused.status, "error": refused.reason, "is_other": isinstance(refused, OtherLog)}
        except (sqlite3.Error, OSError) as error:
            return {"status": 507, "error": f"Not stored. {why_not_stored(error, Path(call['path']).parent)}"}
        except MemoryError:
            return {"status": 413, "error": "The chunk needs more memory than it may have. Send less at once."}

    def _table(self, path: str, logs_hash: str) -> Table:
        """The table of a file as it is there now: one that was deleted and made anew is another one."""
        try:
            inode = Path(path).stat().st_ino
        except OSError:
            raise Refused(404, "Logs table not found. Create it first.") from None
        known = self._tables.pop(path, None)
        if known is not None and known[0] != inode:
            known[1].close()
            known = None
        self._tables[path] = known or (inode, Table(Path(path), logs_hash))
        if len(self._tables) > MAX_OPEN:
            self._tables.popitem(last=False)[1][1].close()
        return self._tables[path][1]


def main() -> None:
    outgoing = frames_alone()
    limit_resources(writes_files=True)
    loader = Loader()
    write_frame(outgoing, {"ready": os.getpid()})
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        call = msgspec.msgpack.decode(frame)
        del frame
        write_frame(outgoing, loader.run(call))


if __name__ == "__main__":
    main()
