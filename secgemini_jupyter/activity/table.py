"""The activity log as a DataFrame: schema `activity/1`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.activity.entries import VERSION, Entry
from secgemini_jupyter.transcript.columns import Column, frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "activity_frame"]


def text(name: str) -> Callable[[Sequence[Entry]], Iterable[str | None]]:
    return lambda entries: (_as(str, entry.fields.get(name)) for entry in entries)


def detail(name: str, kind: type = str) -> Callable[[Sequence[Entry]], Iterable[Any]]:
    return lambda entries: (_as(kind, _details(entry).get(name)) for entry in entries)


COLUMNS: dict[str, Column[Sequence[Entry]]] = {
    "entry": Column("Int64", lambda entries: [entry.number for entry in entries]),
    "at": Column("time", lambda entries: (_seconds(entry.fields.get("at")) for entry in entries)),
    "activity": Column("string", text("activity")),
    "name": Column("string", detail("name")),
    "size": Column("Int64", detail("size", int)),
    "sha256": Column("string", detail("sha256")),
    "sha256_server": Column("string", detail("sha256_server")),
    "status": Column("string", detail("status")),
    "message_count": Column("Int64", detail("message_count", int)),
    "query_id": Column("string", detail("query_id")),
    "user_id": Column("string", text("user_id")),
    "login": Column("string", text("login")),
    "machine": Column("string", text("machine")),
    "pid": Column("Int64", lambda entries: (_as(int, entry.fields.get("pid")) for entry in entries)),
    "service": Column("string", text("service")),
    "session_id": Column("string", text("session_id")),
    "details": Column("string", lambda entries: (json.dumps(_details(entry)) for entry in entries)),
    "previous": Column("string", lambda entries: (entry.previous for entry in entries)),
    "hash": Column("string", lambda entries: (entry.hash for entry in entries)),
}


def activity_frame(entries: Sequence[Entry]) -> pd.DataFrame:
    """One row an entry. `sha256` is of what was sent (a file, a prompt, a remark), or of the answer that came."""
    return frame(COLUMNS, entries, schema=VERSION)


def _details(entry: Entry) -> dict[str, Any]:
    details = entry.fields.get("details")
    return details if isinstance(details, dict) else {}


def _as(kind: type, value: Any) -> Any:
    return value if type(value) is kind else None


def _seconds(at: Any) -> float | None:
    try:
        return datetime.fromisoformat(at).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):  # edited by hand
        return None
