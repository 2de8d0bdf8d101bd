"""Files in a message: what they are called, what they claim to be, what they are."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from secgemini_jupyter.local_server.analyst.mail.parts import Part
from secgemini_jupyter.local_server.analyst.sniff import sniff

MAX_ATTACHMENTS = 100

_RUNS = re.compile(
    r"(?i)\.(?:exe|scr|com|pif|bat|cmd|ps1|vbs|vbe|js|jse|wsf|hta|msi|msix|appx|lnk|iso|img|vhdx?|jar|dll|cpl|chm|apk|dmg|pkg"
    r"|sh|elf|one|xll|reg|url|scf|library-ms|settingcontent-ms|svg|html?|shtml|docm|xlsm|xlsb|pptm|dotm)$"
)
_DOUBLE = re.compile(r"(?i)\.(?:pdf|docx?|xlsx?|pptx?|jpe?g|png|gif|txt|csv|mp[34]|zip)[\s_.]*\.[a-z0-9]{1,8}$")
_EXPECTED = {  # ending: how the found kind begins
    **dict.fromkeys(("doc", "xls", "ppt"), "document/"),
    **dict.fromkeys(("docx", "xlsx", "pptx"), "document/ooxml"),
    **dict.fromkeys(("zip", "gz", "rar", "7z"), "archive/"),
    **dict.fromkeys(("jpg", "jpeg", "png", "gif"), "image/"),
    "pdf": "document/pdf",
    "rtf": "document/rtf",
    "txt": "text",
    "exe": "executable/",
}


def attachments(parts: list[Part]) -> list[dict[str, Any]]:
    return [_attachment(part) for part in parts if part.is_attachment][:MAX_ATTACHMENTS]


def _attachment(part: Part) -> dict[str, Any]:
    content = part.content
    kind = sniff(content[: 1024 * 1024])["kind"] if content else "empty"
    if part.content_type == "message/rfc822":
        kind = "email"
    return {
        "name": part.name,
        "file_name": part.file_name,
        "declared": part.content_type[:100],
        "kind": kind,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "is_inline": part.disposition == "inline" or bool(part.content_id),
        "findings": _findings(part, kind),
    }


def _findings(part: Part, kind: str) -> list[str]:
    name = part.file_name
    found = []
    if kind.startswith("executable/"):
        found.append("its bytes are a program")
    if _RUNS.search(name):
        found.append("files with this ending can run code")
    if _DOUBLE.search(name):
        found.append("a double ending hides the real one")
    if any(c in name for c in "\u202e\u202d\u2066\u2067"):
        found.append("a direction mark in its name turns letters round")
    ending = name.rpartition(".")[2].lower()
    expected = _EXPECTED.get(ending)
    if expected and kind not in ("empty", "text") and not kind.startswith(expected) and "." in name:
        found.append(f"its bytes are not what the ending .{ending} says")
    if re.search(r"\s{8,}", name):
        found.append("many blanks push its ending out of sight")
    return found
