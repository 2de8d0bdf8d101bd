"""Windows event logs: each event as a row, with the fields of its data beside those of the system."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.logs.formats import Row, flat

MAGIC = b"ElfFile\0"
_HEADER, _CHUNK = 4096, 65536


def events(content: bytes) -> Iterator[Row | None]:
    """The events, None for one that cannot be read; a chunk that is damaged costs its own."""
    from evtx import PyEvtxParser

    chunks = int.from_bytes(content[42:44], "little")
    for _ in range(chunks - max(0, len(content) - _HEADER) // _CHUNK):  # the file is cut
        yield None

    records: Iterator[Any]
    try:
        records = PyEvtxParser(io.BytesIO(content), 1).records_json()
    except (RuntimeError, OSError, ValueError):
        yield None
        return
    broken = 0
    while broken < 10_000:
        try:
            record: Any = next(records)
        except StopIteration:
            return
        except (RuntimeError, OSError, ValueError):
            broken += 1
            yield None
            continue
        try:
            yield _row(msgspec.json.decode(record["data"])["Event"])
        except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
            yield None


def _row(event: dict[str, Any]) -> Row:
    system: dict[str, Any] = event.get("System") or {}
    row: Row = {
        "TimeCreated": _attribute(system, "TimeCreated", "SystemTime"),
        "EventID": _text(system.get("EventID")),
        "Computer": _text(system.get("Computer")),
        "Channel": _text(system.get("Channel")),
        "Provider": _attribute(system, "Provider", "Name"),
        "Level": _text(system.get("Level")),
        "EventRecordID": _text(system.get("EventRecordID")),
        "System.ProcessID": _attribute(system, "Execution", "ProcessID"),
        "System.UserID": _attribute(system, "Security", "UserID"),
    }
    for part in ("EventData", "UserData"):
        data = event.get(part)
        if isinstance(data, dict):
            for name, value in flat({name: _text(each) for name, each in data.items()}).items():
                if not name.endswith(".xmlns") and "#attributes" not in name:
                    row[name if name not in row else f"{part}.{name}"] = value
    return row


def _attribute(system: dict[str, Any], name: str, attribute: str) -> Any:
    value = system.get(name)
    attributes = value.get("#attributes") if isinstance(value, dict) else None
    return attributes.get(attribute) if isinstance(attributes, dict) else None


def _text(value: Any) -> Any:
    """An element's text, which may stand beside attributes."""
    return value["#text"] if isinstance(value, dict) and "#text" in value else value
