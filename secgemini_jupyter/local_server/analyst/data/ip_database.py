"""MaxMind DB files (.mmdb) of the user: where they are, what they say of an address.

Read by the library's Python code, not by its C extension: the file comes from outside.
"""

from __future__ import annotations

import ipaddress
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from secgemini_jupyter.local_server.analyst.data.feeds import valid
from secgemini_jupyter.local_server.analyst.tool import ToolFailure, needs

_MARKER = b"\xab\xcd\xefMaxMind.com"
_TAIL = 128 * 1024
MAX_BYTES = 2**30
MAX_DATABASES = 20
MAX_DEPTH = 12
MAX_VALUES = 400


def is_one(stream: IO[bytes]) -> bool:
    """Whether the format's mark is where it has to be: at most 128 KiB from the end."""
    end = stream.seek(0, 2)
    stream.seek(max(0, end - _TAIL))
    found = _MARKER in stream.read()
    stream.seek(0)
    return found


def opened(path: Path) -> Any:
    maxminddb = needs("maxminddb", "analyst", "ip_lookup")
    try:
        return maxminddb.open_database(path, maxminddb.MODE_MMAP)
    except (
        maxminddb.InvalidDatabaseError,
        OSError,
        ValueError,
        UnicodeDecodeError,
        KeyError,
        TypeError,
        IndexError,
    ) as error:
        raise ToolFailure(f"The file is no MaxMind DB that can be read ({type(error).__name__}).") from None


def store(stream: IO[bytes], folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """One file for each type of database; a newer one takes the place of an older."""
    from secgemini_jupyter.local_server.analyst.data.importing import replacing

    if about["bytes"] > MAX_BYTES:
        raise ToolFailure(f"{about['file']!r} has {about['bytes']:,} bytes, at most {MAX_BYTES:,} are read.")
    first = folder / "new.mmdb"
    with replacing(first) as temporary:
        with temporary.open("wb") as file:
            while block := stream.read(2**20):
                file.write(block)
        told = _checked(temporary)
        path = folder / f"{_slug(told['type'])}.mmdb"
        about |= {"kind": path.stem, "name": told["type"], "version": told["type"], "date": told["date"]}
        about |= {"terms": "as its publisher states", "rows": told["nodes"], "skipped": 0, "build": told["build"]}
        with replacing(path.with_suffix(".json")) as note:
            note.write_text(json.dumps(about), "utf-8")
    first.replace(path)
    return about


def _checked(path: Path) -> dict[str, Any]:
    """What the file says of itself; some addresses are looked up, since a broken one shows there."""
    with opened(path) as reader:
        about = metadata(reader)
        for address in ("1.1.1.1", "8.8.8.8", "81.2.69.142", "2001:4860:4860::8888"):
            lookup(reader, address)
    return about


def metadata(reader: Any) -> dict[str, Any]:
    try:
        about = reader.metadata()
        build = int(about.build_epoch)
        date = datetime.fromtimestamp(build, UTC).strftime("%Y-%m-%d")
        return {
            "type": valid(str(about.database_type)[:80]),
            "build": build,
            "date": date,
            "nodes": int(about.node_count),
        }
    except (ValueError, OverflowError, OSError, TypeError, AttributeError) as error:
        raise ToolFailure(f"The MaxMind DB says nothing readable of itself ({error}).") from None


def lookup(reader: Any, address: str) -> dict[str, Any] | None:
    """What it says of an address, flat, with the network it holds for; None where it knows none.

    Raises:
        ToolFailure: the file is broken at this place.
    """
    maxminddb = needs("maxminddb", "analyst", "ip_lookup")
    if ipaddress.ip_address(address).version == 6 and reader.metadata().ip_version == 4:
        return None
    try:
        found, prefix = reader.get_with_prefix_len(address)
    except (maxminddb.InvalidDatabaseError, ValueError, IndexError, KeyError, TypeError, OverflowError,
            UnicodeDecodeError, RecursionError, MemoryError) as error:  # fmt: skip
        raise ToolFailure(f"The MaxMind DB is broken where it tells of {address} ({type(error).__name__}).") from None
    if found is None:
        return None
    flat: dict[str, Any] = {}
    _flatten(found, "", flat, 0)
    return {"network": str(ipaddress.ip_network(f"{address}/{prefix}", strict=False)), "values": flat}


def _flatten(value: Any, name: str, flat: dict[str, Any], depth: int) -> None:
    """`country.names.en`; of names in many languages the English one alone."""
    if len(flat) >= MAX_VALUES or depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        if "en" in value and name.endswith("names"):
            value = {"en": value["en"]}
        for key, each in value.items():
            _flatten(each, f"{name}.{key}" if name else str(key), flat, depth + 1)
    elif isinstance(value, list):
        for at, each in enumerate(value[:20]):
            _flatten(each, f"{name}.{at}", flat, depth + 1)
    elif isinstance(value, bool | int | float | str):
        flat[name[:100]] = value if not isinstance(value, str) else value[:300]
    else:
        flat[name[:100]] = str(value)[:100]


def _slug(name: str) -> str:
    return "ip-" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "database")
