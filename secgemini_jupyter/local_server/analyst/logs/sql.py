"""Names and values of log rows, as SQLite takes them."""

from __future__ import annotations

from typing import Any


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def sql_value(value: Any) -> Any:
    """A value as SQLite can hold it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
