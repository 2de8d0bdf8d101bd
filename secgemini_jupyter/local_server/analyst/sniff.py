"""What the bytes of an attachment are. Runs in a worker: the bytes are hostile."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from typing import Any

from secgemini_jupyter.local_server.analyst.logs.formats import log_format
from secgemini_jupyter.local_server.analyst.logs.logins import has_logins, reader
from secgemini_jupyter.local_server.analyst.logs.tables import LogTable
from secgemini_jupyter.local_server.analyst.tool import Inputs

SAMPLE = 256 * 1024
"""Bytes that are enough to tell."""
MAX_UNPACKED = 64 * 2**20

_STRINGS = re.compile(rb"[\x20-\x7e]{6,}|(?:[\x20-\x7e]\x00){6,}")


def sniff(content: bytes) -> dict[str, Any]:
    """`kind` (log/…, text, empty, or a MIME type) and whether the log tells of logins."""
    if not content:
        return {"kind": "empty", "has_logins": False}
    unpacked, _ = unpack(content, SAMPLE)
    text = as_text(unpacked)
    if text is None:
        return {"kind": _mime_type(content), "has_logins": False}
    kind = log_format(text)
    if kind is None:
        return {"kind": "text", "has_logins": False}
    return {"kind": f"log/{kind}", "has_logins": has_logins(unpacked, kind)}


def sniff_table(inputs: Inputs) -> dict[str, Any]:
    """The same of the session's logs table."""
    assert inputs.table is not None
    table = LogTable(inputs.table)
    read = reader(table.format)
    return {"kind": f"log/{table.format}", "has_logins": any(read(row) is not None for row in table.rows(2_000))}


def unpack(content: bytes, limit: int = MAX_UNPACKED) -> tuple[bytes, bool]:
    """The content, without gzip around it, and whether there is more: a bomb unpacks to no more than `limit` bytes."""
    if content[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                content = file.read(limit + 1)
        except (OSError, EOFError, zlib.error):
            pass  # only the two bytes look like gzip
    return content[:limit], len(content) > limit


def as_text(content: bytes) -> str | None:
    """The content as text, or None when it is something else. What is not UTF-8 in it becomes U+FFFD."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    sample = content[:SAMPLE]
    controls = sum(sample.count(bytes([c])) for c in (*range(9), *range(14, 27), *range(28, 32), 127))
    if sample and controls / len(sample) > 0.01:
        return None
    text = content.decode("utf-8-sig", "replace")
    return text if text.count("�") <= max(8, len(text) // 20) else None


def readable_text(content: bytes, limit: int) -> tuple[str, str, bool]:
    """At most `limit` bytes of the content as text, how (`text`, `printable strings`), whether it was cut."""
    content, is_cut = unpack(content, limit)
    text = as_text(content)
    if text is not None:
        return text, "text", is_cut
    strings = "\n".join(m.replace(b"\0", b"").decode("ascii") for m in _STRINGS.findall(content))
    return strings, "printable strings", is_cut


def _mime_type(content: bytes) -> str:
    import puremagic

    try:
        return puremagic.from_string(content[:SAMPLE], mime=True) or "application/octet-stream"
    except (puremagic.PureError, ValueError, OSError, EOFError, LookupError):
        return "application/octet-stream"
