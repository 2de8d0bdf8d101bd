"""Sessions and their attachments as tables: schemas `sessions/1` and `files/1`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from secgemini_jupyter.models import ModelInfo, PublicLogsTable, PublicSessionFile, State, Usage
from secgemini_jupyter.render.text import safe_text
from secgemini_jupyter.transcript.columns import OTHER, Category, Column, check_columns, frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "FILE_COLUMNS",
    "FILE_SCHEMA",
    "SCHEMA",
    "Attached",
    "attached_in",
    "files_frame",
    "files_in",
    "note",
    "noted",
    "sessions_frame",
]

SCHEMA, FILE_SCHEMA = "sessions/1", "files/1"


class Session(Protocol):
    """What the table of sessions asks of one; no property may cost a request."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def org_id(self) -> str: ...
    @property
    def model(self) -> ModelInfo: ...
    @property
    def language(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def ttl(self) -> int: ...
    @property
    def create_time(self) -> float: ...
    @property
    def update_time(self) -> float: ...
    @property
    def expires_at(self) -> float: ...
    @property
    def turns(self) -> int: ...
    @property
    def num_messages(self) -> int: ...
    @property
    def files(self) -> list[PublicSessionFile]: ...
    @property
    def logs_table(self) -> PublicLogsTable | None: ...
    @property
    def can_log(self) -> bool: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def host(self) -> str: ...
    @property
    def is_local(self) -> bool: ...


def each(name: str) -> Callable[[Sequence[Any]], Iterable[Any]]:
    read = attrgetter(name)
    return lambda rows: map(read, rows)


COLUMNS: dict[str, Column[Sequence[Session]]] = {
    "name": Column("string", each("name")),
    "session_id": Column("string", each("id")),
    "turns": Column("Int32", each("turns")),
    "num_messages": Column("Int64", each("num_messages")),
    "num_files": Column("Int32", lambda sessions: (len(session.files) for session in sessions)),
    "can_log": Column("boolean", each("can_log")),
    "created_at": Column("time", each("create_time")),
    "expires_at": Column("time", each("expires_at")),
    "state": Column(Category((*(state.value for state in State), OTHER)), each("state")),
    "model": Column("string", lambda sessions: (s.model.model_string or s.model.model_name for s in sessions)),
    "updated_at": Column("time", each("update_time")),
    "ttl_s": Column("Int64", each("ttl")),
    "description": Column("string", each("description")),
    "language": Column("string", each("language")),
    "prompt_tokens": Column("Int64", each("usage.prompt_tokens")),
    "generated_tokens": Column("Int64", each("usage.generated_tokens")),
    "total_tokens": Column("Int64", each("usage.total_tokens")),
    "cached_tokens": Column("Int64", each("usage.cached_token_count")),
    "thoughts_tokens": Column("Int64", each("usage.thoughts_token_count")),
    "tool_use_prompt_tokens": Column("Int64", each("usage.tool_use_prompt_token_count")),
    "user_id": Column("string", each("user_id")),
    "org_id": Column("string", each("org_id")),
    "host": Column("string", each("host")),
    "is_local": Column("boolean", each("is_local")),
    "logs_table": Column("string", lambda sessions: (s.logs_table.blake2s if s.logs_table else None for s in sessions)),
}


def sessions_frame(sessions: Sequence[Session]) -> pd.DataFrame:
    """One row a session. Times are UTC, `ttl_s` seconds; one outside the calendar is missing.

    `expires_at` counts from the creation, where the time to live was not set here: it may live longer. Names and
    descriptions are exact, whoever wrote them.
    """
    return frame(COLUMNS, sessions, schema=SCHEMA)


@dataclass(frozen=True)
class Attached:
    """An attachment in its session; `is_verified` if this process sent it and the service has the bytes sent."""

    session_id: str
    index: int
    file: PublicSessionFile
    is_verified: bool = False

    @property
    def sha256_local(self) -> str | None:
        """What we know to have sent; of a file that came another way, nothing."""
        return self.file.sha256 if self.is_verified else None


FILE_COLUMNS: dict[str, Column[Sequence[Attached]]] = {
    "file_index": Column("Int32", each("index")),
    "display_name": Column("string", lambda rows: (safe_text(row.file.name) for row in rows)),
    "size": Column("Int64", each("file.size")),
    "mime_type": Column("string", each("file.mime_type")),
    "content_type_label": Column("string", each("file.content_type_label")),
    "sha256_server": Column("string", lambda rows: (row.file.sha256 or None for row in rows)),
    "sha256_local": Column("string", each("sha256_local")),
    "sha256_match": Column("boolean", lambda rows: (row.is_verified or None for row in rows)),
    "name": Column("string", each("file.name")),
    "session_id": Column("string", each("session_id")),
}


def files_frame(files: Sequence[Attached]) -> pd.DataFrame:
    """One row an attachment. `name` is exact, and was chosen by who wrote the file; `display_name` may be printed.

    `sha256_server` is the service's; `sha256_local` and `sha256_match` are missing for files that this process did not
    send: `session.activity()` tells of those that other kernels on this machine sent, and when.
    """
    return frame(FILE_COLUMNS, files, schema=FILE_SCHEMA)


def files_in(table: pd.DataFrame) -> list[Attached]:
    """The attachments in a table that `files_frame` made.

    Raises:
        InputError: a column is missing.
    """
    check_columns(table, ("name", "size", "mime_type", "sha256_server"))
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [
        Attached(
            str(row.get("session_id") or ""),
            position,
            PublicSessionFile(
                name=str(row["name"] or ""),
                size=int(row["size"] or 0),
                sha256=str(row["sha256_server"] or ""),
                mime_type=str(row["mime_type"] or ""),
                content_type_label=row.get("content_type_label"),
            ),
            row.get("sha256_match") is True,
        )
        for position, row in enumerate(rows)
    ]


def note(table: pd.DataFrame, session_id: str, model: str, files: Iterable[Attached]) -> None:
    """Write into the table's `attrs` what no message says: the model and the attachments."""
    if model:
        table.attrs["models"] = {session_id: model}
    table.attrs["files"] = {session_id: noted(files)}


def noted(files: Iterable[Attached]) -> list[dict[str, Any]]:
    """As JSON values."""
    return [
        {
            "name": each.file.name,
            "size": each.file.size,
            "sha256": each.file.sha256,
            "mime_type": each.file.mime_type,
            "content_type_label": each.file.content_type_label,
            "is_verified": each.is_verified,
        }
        for each in files
    ]


def attached_in(notes: Mapping[str, Any]) -> list[Attached]:
    """The way back. A file may say anything there: what is no attachment is left out."""
    found = []
    for session_id, files in notes.items():
        for index, note in enumerate(files if isinstance(files, list) else ()):
            if isinstance(note, dict) and isinstance(note.get("name"), str):
                size, label = note.get("size"), note.get("content_type_label")
                file = PublicSessionFile(
                    name=note["name"],
                    size=size if isinstance(size, int) else 0,
                    sha256=str(note.get("sha256") or ""),
                    mime_type=str(note.get("mime_type") or ""),
                    content_type_label=label if isinstance(label, str) else None,
                )
                found.append(Attached(str(session_id), index, file, note.get("is_verified") is True))
    return found
