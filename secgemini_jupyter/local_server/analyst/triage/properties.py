"""The properties of a compound file ([MS-OLEPS]): author, times, program."""

from __future__ import annotations

import struct

from secgemini_jupyter.local_server.analyst.text import utc
from secgemini_jupyter.local_server.analyst.triage.common import clean

NAMES = {
    2: "title", 3: "subject", 4: "creator", 5: "keywords", 6: "comments", 7: "template", 8: "lastModifiedBy",
    9: "revision", 11: "printed", 12: "created", 13: "modified", 14: "pages", 18: "Application",
}  # fmt: skip
_EPOCH = 11_644_473_600
"""Seconds between 1601 and 1970."""
_WIDE, _UTF8 = 1200, 65001


def summary(data: bytes) -> dict[str, str]:
    """What `\\x05SummaryInformation` says, as far as it can be read."""
    found: dict[str, str] = {}
    try:
        (start,) = struct.unpack_from("<I", data, 44)
        (number,) = struct.unpack_from("<I", data, start + 4)
        places = dict(struct.unpack_from("<II", data, start + 8 + 8 * n) for n in range(min(number, 64)))
    except struct.error:
        return found
    page = _page(data, start + places[1]) if 1 in places else 1252
    for key, name in NAMES.items():
        if key in places and (value := _value(data, start + places[key], page)):
            found[name] = value
    return found


def _page(data: bytes, at: int) -> int:
    return int.from_bytes(data[at + 4 : at + 6], "little")


def _value(data: bytes, at: int, page: int) -> str:
    kind, size = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 4 : at + 8], "little")
    if kind == 30:
        raw = data[at + 8 : at + 8 + min(size, 1_000)]
        name = {_WIDE: "utf-16-le", _UTF8: "utf-8"}.get(page, f"cp{page}")
        try:
            text = raw.decode(name, "replace")
        except LookupError:
            text = raw.decode("latin-1")
        return clean(text.partition("\0")[0], 200)
    if kind == 31:
        return clean(data[at + 8 : at + 8 + 2 * min(size, 500)].decode("utf-16-le", "replace").partition("\0")[0], 200)
    if kind == 64:
        ticks = int.from_bytes(data[at + 4 : at + 12], "little")
        # Less than ten years after 1601 it is a duration, or nothing.
        return utc(ticks // 10**7 - _EPOCH) if ticks > 10**7 * 86_400 * 3_650 else ""
    return str(size) if kind == 3 else ""
