"""From when to when a log is."""

from __future__ import annotations

import sqlite3
from typing import Any

from secgemini_jupyter.local_server.analyst.logs.columns import Columns
from secgemini_jupyter.local_server.analyst.text import code, utc


def covered_table(times: Any) -> dict[str, Any]:
    if times.first is None or times.last is None:
        return {"written": times.written}
    return {"first": times.first, "last": times.last, "zoneless": bool(times.zoneless)}


def covered(db: sqlite3.Connection, columns: Columns) -> dict[str, Any]:
    """The time of the first and of the last row."""
    found = columns.time
    if found is None:
        return {"written": []}
    if found.epoch is None:
        written = [
            str(value[0])[:40]
            for order in ("line", "line DESC")
            for value in db.execute(
                f"SELECT {found.column} FROM log WHERE {found.column} <> '' ORDER BY {order} LIMIT 1"  # noqa: S608
            )
        ]
        return {"written": written}
    first, last = db.execute(f"SELECT min({found.epoch}), max({found.epoch}) FROM log").fetchone()  # noqa: S608
    return {"first": first, "last": last, "zoneless": not found.is_zoned} if first is not None else {"written": []}


def covering(time: dict[str, Any]) -> str:
    if "first" in time:
        zone = ", times as the log writes them, without a zone" if time["zoneless"] else ""
        return f", from {utc(time['first']).removesuffix(' UTC')} to {utc(time['last'])}{zone}".replace(" UTC,", ",")
    if time["written"]:
        return f", from {code(time['written'][0])} to {code(time['written'][-1])} (no year or zone in the log)"
    return ""
