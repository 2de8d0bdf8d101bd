# ruff: noqa: E501  # sentences and patterns are read as a whole
"""An archive of any kind as one listing, with what stands out in its names, sizes and contents, and in archives within."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from secgemini_jupyter.local_server.analyst.archives.model import MAX_RATIO, SMALL, Listing, Member
from secgemini_jupyter.local_server.analyst.archives.tar import MAX_STARTS, START, list_packed, list_tar
from secgemini_jupyter.local_server.analyst.archives.weight import MAX_LEVELS, Scale, Weight
from secgemini_jupyter.local_server.analyst.archives.zip import end_record, list_zip, read_member
from secgemini_jupyter.local_server.analyst.members import ZIPS, member_content
from secgemini_jupyter.local_server.analyst.sniff import PACKED, SAMPLE, sniff
from secgemini_jupyter.local_server.analyst.text import count
from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.filetypes import by_signature

MAX_DEPTH = 2
MAX_NESTED = 12
MAX_NESTED_BYTES = 32 * 2**20
HUGE = 2**30
MAX_LISTED = 1500
TOLD_BY_FLAG = {  # topic: beginnings or parts of the flags that answer it
    "programs": ("a program", "double extension", "it is no "),
    "suspicious": (
        *("a program", "double extension", "it is no ", "path traversal", "leads out", "like a bomb", "invisible"),
        *("many blanks", "its own header", "there is no header"),
    ),
    "traversal": ("path traversal", "leads out"),
    "bomb": ("like a bomb",),
    "encrypted": ("encrypted",),
    "links": ("a link",),
    "duplicates": ("its name occurs",),
}
_PROGRAM_NAME = re.compile(
    r"\.(?:exe|scr|pif|com|dll|cpl|sys|msi|msix|jar|js|jse|vbs|vbe|wsf|wsh|hta|lnk|url|bat|cmd|ps1|psm1|reg|sct|chm|iso|img|vhd"
    r"|application|apk|elf|sh|py|app)$",
    re.IGNORECASE,
)
_BAIT = r"(?:pdf|docx?|xlsx?|pptx?|txt|jpe?g|png|gif|mp[34]|rtf|html?|csv|zip)"
_DOUBLE = re.compile(
    rf"\.{_BAIT}[\s_.]*\.(?:exe|scr|pif|com|js|jse|vbs|vbe|wsf|hta|lnk|bat|cmd|ps1|jar|msi|dll|iso|html?)$",
    re.IGNORECASE,
)
_SHOWN_KINDS = {  # ending of a name: beginnings of the kinds that it may have
    "pdf": ("document/pdf",), "docx": ("document/ooxml", "document/ole"), "xlsx": ("document/ooxml", "document/ole"),
    "doc": ("document/", "text"), "xls": ("document/", "text", "log/"), "txt": ("text", "log/", "empty", "email"), "jpg": ("image/jpeg",),
    "jpeg": ("image/jpeg",), "png": ("image/png",), "gif": ("image/gif",), "zip": ("archive/", "document/"),
}  # fmt: skip
_BOMB = "a bomb, or made like one"
_OTHER_TOOLS = "No library for it is installed here; list it with 7-Zip or bsdtar on a machine made for that."


def list_archive(content: bytes) -> dict[str, Any]:
    """What `archive_list` gives, but the name of the source.

    Raises:
        ToolFailure: it is no archive, or broken from its first byte on.
    """
    kind = sniff(content[: 4 * SAMPLE])["kind"]
    starts: dict[int, bytes] = {}
    found = _listing(content, kind, starts)
    if isinstance(found, str):
        return {"format": found, "size": len(content), "unreadable": _OTHER_TOOLS, "members": [], "total": 0, "notes": [],
                "comment": "", "nested": []}  # fmt: skip
    return _told(content, found, starts)


def _listing(content: bytes, kind: str, starts: dict[int, bytes]) -> Listing | str:
    """The members; or the format's name, if nothing here reads it."""
    group, _, name = kind.partition("/")
    _, label = by_signature(content[:SAMPLE]) or ("", "")
    if kind == "archive/tar":
        return list_tar(content, starts)
    if label in PACKED:
        return list_packed(content, "bzip2" if label == "bzip" else label, starts)
    if (group == "archive" and name in ZIPS) or kind in (
        "document/ooxml",
        "document/odf",
        "document/xps",
        "document/epub",
    ):
        return list_zip(content, label or name)
    if group == "archive":
        return name
    if group == "executable" and end_record(content):
        return list_zip(content, "zip behind a program")
    if kind in ("application/arj", "application/x-arj", "application/x-lzh", "application/x-iso9660-image"):
        return kind.partition("/")[2].removeprefix("x-")
    raise ToolFailure(f"This is no archive ({kind}).")


def _told(content: bytes, listing: Listing, starts: Mapping[int, bytes]) -> dict[str, Any]:
    names = Counter(each.name for each in listing.members)
    rows = []
    for number, member in enumerate(listing.members):
        start = starts.get(member.start)
        if start is None and number < MAX_STARTS:
            start = _start(content, member)
        rows.append(_row(member, start, names[member.name]))
    sizes = sum(each.size or 0 for each in listing.members)
    notes = list(listing.notes)
    is_zip = listing.format not in ("gzip", "bzip2", "xz") and not listing.format.startswith("tar")
    weight = Scale().weigh(content, listing.members) if is_zip else Weight(sizes, 0, True)
    notes += _weighed(weight, sizes, len(content), is_plain=listing.format == "tar")
    repeated = sum(1 for n in names.values() if n > 1)
    if repeated:
        notes.append(f"{count(repeated, 'name')} occur more than once: programs differ in which one they unpack")
    return {
        "format": listing.format,
        "size": len(content),
        "total": listing.total,
        "unpacked": sizes,
        "unpacked_within": weight.size,
        "is_counted": listing.is_counted,
        "types": dict(Counter(each.type for each in listing.members)),
        "comment": listing.comment[:2000],
        "notes": notes,
        "members": rows[:MAX_LISTED],
        "omitted": max(0, listing.total - MAX_LISTED),
        "read": len(rows),
        "flag_counts": dict(Counter(flag for row in rows for flag in row["flags"]).most_common(100)),
        "flagged": {topic: sum(_has(row, marks) for row in rows) for topic, marks in TOLD_BY_FLAG.items()},
        "nested": _nested(content, rows),
    }


def _has(row: dict[str, Any], marks: tuple[str, ...]) -> bool:
    return any(mark in flag for flag in row["flags"] for mark in marks)


def _weighed(weight: Weight, sizes: int, size: int, *, is_plain: bool) -> list[str]:
    """Bombs by their figures, and archives that are nested without end."""
    notes = []
    if sizes > HUGE and sizes > 50 * size and not is_plain:  # what is not packed cannot grow: its headers are wrong
        notes.append(
            f"its members declare {sizes:,} bytes in all, {sizes // max(size, 1):,} times the archive: {_BOMB}"
        )
    elif sizes > SMALL and sizes > MAX_RATIO * size and not is_plain:
        notes.append(f"{size:,} bytes unpack to {sizes:,}: {_BOMB}")
    elif weight.levels and weight.size > HUGE and weight.size > 50 * size:
        more = "" if weight.is_whole else " or more"
        notes.append(
            f"with the archives within, {count(weight.levels, 'level')} deep, it declares {weight.size:,} bytes{more}, "
            f"{weight.size // max(size, 1):,} times the archive: {_BOMB}"
        )
    if weight.levels >= MAX_LEVELS:
        notes.append(f"archives within archives, more than {MAX_LEVELS} levels deep: made to wear out what unpacks it")
    return notes


def _start(content: bytes, member: Member) -> bytes | None:
    if member.type != "file" or member.is_encrypted or not content.startswith(b"PK", member.start):
        return None
    try:
        return read_member(content, member, START, is_start_enough=True)
    except ToolFailure:
        return None


def _row(member: Member, start: bytes | None, times: int) -> dict[str, Any]:
    found = (
        sniff(start) if start else {"kind": "empty" if start == b"" and member.size == 0 else "", "has_logins": False}
    )
    kind = str(found["kind"])
    row = {
        "name": member.name[:1000],
        "size": member.size,
        "packed": member.packed,
        "modified": member.modified,
        "type": member.type,
        "kind": kind,
        "encrypted": member.is_encrypted,
        "flags": _flags(member, kind, times),
    }
    if found["has_logins"]:
        row["has_logins"] = True
    if member.target:
        row["target"] = member.target[:500]
    if member.method and member.method not in ("deflate", "stored"):
        row["method"] = member.method
    return row


def _flags(member: Member, kind: str, times: int) -> list[str]:
    """What stands out about one member, in our words."""
    flags = []
    if where := outside(member.name):
        flags.append(f"path traversal: {where}")
    if member.type == "link":
        base = member.name.replace("\\", "/").rpartition("/")[0].split("/") if "/" in member.name else []
        leads_out = (
            outside(member.target) if member.target.startswith(("/", "\\")) else _climbs(member.target, len(base))
        )
        flags.append("a link that leads out of the archive" if leads_out else "a link")
    elif member.type == "device":
        flags.append("a device or pipe")
    lower = member.name.lower().rstrip(" .")
    if _DOUBLE.search(lower):
        flags.append("double extension")
    if kind.startswith("executable/"):
        flags.append(f"a program ({kind.removeprefix('executable/').upper()})")
    elif member.type == "file" and _PROGRAM_NAME.search(lower):
        flags.append("a program or script by its name")
    suffix = lower.rpartition(".")[2]
    if kind and suffix in _SHOWN_KINDS and not kind.startswith(_SHOWN_KINDS[suffix]):
        flags.append(f"it is no {suffix} but {kind}")
    if kind.startswith("archive/"):
        flags.append("an archive")
    if member.is_encrypted:
        flags.append("encrypted")
    if (
        member.size
        and member.packed is not None
        and member.size > SMALL
        and member.size > MAX_RATIO * max(member.packed, 1)
    ):
        flags.append(f"unpacks {member.size / max(member.packed, 1):,.0f} to 1, like a bomb")
    if re.search(r"[\u202a-\u202e\u2066-\u2069\x00-\x1f]", member.name):
        flags.append("its name has invisible characters")
    if re.search(r" {8,}", member.name):
        flags.append("its name has many blanks, which push its end out of sight")
    if times > 1:
        flags.append(f"its name occurs {times} times")
    return flags + list(member.notes)


def outside(name: str) -> str:
    """How a path leaves the folder that it is unpacked to, or nothing."""
    plain = name.replace("\\", "/")
    if plain.startswith("/"):
        return "an absolute path"
    if re.match(r"[A-Za-z]:", plain):
        return "a drive letter"
    return "it climbs up with .." if _climbs(plain, 0) else ""


def _climbs(path: str, depth: int) -> bool:
    for part in path.replace("\\", "/").split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            return True
    return False


def _nested(content: bytes, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The archives within, down to `MAX_DEPTH` levels, all in memory."""
    found: list[dict[str, Any]] = []
    left = MAX_NESTED_BYTES
    waiting = [([row["name"]], content, row["size"], 1) for row in rows if _is_archive(row)]
    while waiting and len(found) < MAX_NESTED:
        path, whole, size, depth = waiting.pop(0)
        told: dict[str, Any] = {"path": path}
        found.append(told)
        if (size or 0) > left:
            told["unreadable"] = "not read: too much in all"
            continue
        try:
            inner = member_content(whole, path[-1:])
            left -= len(inner)
            starts: dict[int, bytes] = {}
            listing = _listing(inner, sniff(inner[: 4 * SAMPLE])["kind"], starts)
            if isinstance(listing, str):
                told["unreadable"] = f"no library for {listing} is installed here"
                continue
        except ToolFailure as failure:
            told["unreadable"] = str(failure)
            continue
        names = Counter(each.name for each in listing.members)
        inside = []
        for each in listing.members[:200]:
            start = starts.get(each.start)
            inside.append(_row(each, _start(inner, each) if start is None else start, names[each.name]))
        told |= {
            "format": listing.format,
            "total": listing.total,
            "members": inside[:100],
            "notes": list(listing.notes),
        }
        if depth < MAX_DEPTH:
            waiting += [([*path, row["name"]], inner, row["size"], depth + 1) for row in inside if _is_archive(row)]
        elif any(_is_archive(row) for row in inside):
            told["notes"].append("archives in it were not opened: they are nested too deep")
    return found


def _is_archive(row: dict[str, Any]) -> bool:
    return str(row["kind"]).startswith("archive/") and not row["encrypted"]
