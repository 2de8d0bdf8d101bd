"""The older office formats and other compound files: macros, fields, packaged files, encryption."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from secgemini_jupyter.local_server.analyst.text import count
from secgemini_jupyter.local_server.analyst.triage.cfb import CompoundFile
from secgemini_jupyter.local_server.analyst.triage.common import HIDES, NOTES, RUNS, Seen, clean
from secgemini_jupyter.local_server.analyst.triage.macros import look_at_macros
from secgemini_jupyter.local_server.analyst.triage.properties import summary

_FIELD = re.compile(rb"\x13([^\x13\x14\x15]{1,4000})[\x14\x15]")
_DDE = re.compile(r"\bDDE(?:AUTO)?\b", re.IGNORECASE)
_WIDE_FIELD = re.compile(rb"\x13\0((?:[^\x13\x14\x15]\0){1,2000})[\x14\x15]\0")
_EQUATION = "02ce020000000000c000000000000046"
_PROGRAM = re.compile(r"\.(?:exe|scr|pif|com|js|jse|vbs|vbe|hta|lnk|bat|cmd|ps1|wsf|msi|jar)$", re.IGNORECASE)
_SHEETS = {1: "an Excel 4.0 macro sheet", 6: "a VBA module sheet"}


def look_at_ole(content: bytes) -> Seen:
    file = CompoundFile(content)
    names = {each.name for each in file.entries}
    seen = Seen(_type(names))
    if not file.entries:
        seen.miss("its directory of streams")
    seen.facts |= {
        "streams": [{"path": each.path, "size": each.size} for each in file.entries if each.kind == 2][:100],
        "has_macros": False,
    }
    for entry in file.streams("\x05SummaryInformation")[:1]:
        if found := summary(file.read(entry, 2**20)):
            seen.facts["metadata"] = found
    if "EncryptedPackage" in names:
        seen.find(HIDES, "it is encrypted", "EncryptedPackage")
        _encrypted(content, seen)
    if (
        any(each.kind == 1 and each.name in ("VBA", "_VBA_PROJECT_CUR") for each in file.entries)
        or "_VBA_PROJECT" in names
    ):
        look_at_macros(content, next(each.path for each in file.entries if "VBA" in each.name), seen)
    for entry in file.streams("WordDocument", "1Table", "0Table"):
        _fields(file.read(entry), entry.path, seen)
        if entry.name == "WordDocument" and file.read(entry, 12)[11:12] and file.read(entry, 12)[11] & 1:
            seen.find(HIDES, "it is encrypted", "", entry.path)
    for entry in file.streams("Workbook", "Book"):
        _workbook(file.read(entry), entry.path, seen)
    for entry in file.streams("PowerPoint Document"):
        _powerpoint(file.read(entry), entry.path, seen)
    for title, size, start, path in _packages(file):
        runs = start[:2] == b"MZ" or _PROGRAM.search(title)
        what = f"a packaged file of {count(size, 'byte')}: a click on it opens it"
        seen.find(RUNS if runs else NOTES, what, title, path)
    for each in file.entries:
        if each.kind == 1 and each.clsid == _EQUATION:
            seen.find(RUNS, "an object of the old equation editor, known for CVE-2017-11882", each.name, each.path)
    return seen


def _type(names: set[str]) -> str:
    for mark, what in (
        ("EncryptedPackage", "encrypted Office Open XML document (in a compound file)"),
        ("WordDocument", "Word 97-2003 document"),
        ("Workbook", "Excel 97-2003 workbook"),
        ("Book", "Excel 5/95 workbook"),
        ("PowerPoint Document", "PowerPoint 97-2003 presentation"),
        ("__properties_version1.0", "Outlook message"),
        ("VisioDocument", "Visio drawing"),
    ):
        if mark in names:
            return what
    return (
        "Windows Installer package or other compound file"
        if any(ord(c) > 0x3800 for n in names for c in n[:1])
        else "compound file (OLE)"
    )


def _encrypted(content: bytes, seen: Seen) -> None:
    """With the extra: whether it opens with the password that Excel tries by itself."""
    try:
        import io

        import msoffcrypto
    except ImportError:
        seen.miss("its encrypted content", "", "opens only with a password and was not read")
        return
    try:
        file = msoffcrypto.OfficeFile(io.BytesIO(content))
        file.load_key(password="VelvetSweatshop")  # noqa: S106  # Excel's own default
        plain = io.BytesIO()
        file.decrypt(plain)
    except Exception:  # a wrong password is told in many ways
        seen.miss("its encrypted content", "", "opens only with a password and was not read")
        return
    from secgemini_jupyter.local_server.analyst.triage.office import look_at_office

    seen.find(HIDES, "it opens without asking: its password is Excel's default", "VelvetSweatshop")
    inner = look_at_office(plain.getvalue())
    seen.findings += inner.findings
    seen.facts |= inner.facts
    seen.limits += inner.limits
    seen.unread += inner.unread


def _fields(data: bytes, path: str, seen: Seen) -> None:
    texts = [match[1].decode("latin-1") for match in _FIELD.finditer(data)]
    texts += [match[1].decode("utf-16-le", "replace") for match in _WIDE_FIELD.finditer(data)]
    for text in texts:
        if _DDE.search(text):
            _field(text, path, seen)


def _field(text: str, path: str, seen: Seen) -> None:
    name = "DDEAUTO" if "DDEAUTO" in text.upper() else "DDE"
    how = "runs when the fields are updated, on opening" if name == "DDEAUTO" else "runs on a click"
    seen.find(RUNS, f"a {name} field, which {how}", clean(text.replace("\0", "")), path)


def _workbook(data: bytes, path: str, seen: Seen) -> None:
    """BIFF records: macro sheets, hidden sheets, DDE links, encryption."""
    at = 0
    for _ in range(200_000):
        if at + 4 > len(data):
            return
        kind, size = struct.unpack_from("<HH", data, at)
        body = data[at + 4 : at + 4 + size]
        at += 4 + size
        if kind == 0x2F:
            seen.find(HIDES, "it is encrypted", "", path)
            seen.miss("its encrypted records", "", "open only with a password and were not read")
            return
        if kind == 0x85 and len(body) > 8:
            is_old = path.rpartition("/")[2] == "Book"
            name = body[7:].decode("latin-1") if is_old else _biff_text(body[7:])
            if body[5] in _SHEETS:
                seen.facts["has_macros"] = True
                seen.find(RUNS, _SHEETS[body[5]], clean(name, 80), path)
            if body[4] & 3:
                seen.find(HIDES, f"a sheet is {'very ' * (body[4] & 3 == 2)}hidden", clean(name, 80), path)
        if kind == 0x1AE and b"\x03" in body[2:]:
            text = _biff_text(body[4:])
            seen.find(RUNS, "a DDE link", clean(text.replace("\3", " ")), path)


def _biff_text(raw: bytes) -> str:
    """Text after a byte that says whether its characters are wide."""
    return raw[1:].decode("utf-16-le" if raw[:1] == b"\1" else "latin-1", "replace")


def _powerpoint(data: bytes, path: str, seen: Seen) -> None:
    """Records of a presentation: an embedded VBA project or object is stored compressed in one."""
    import zlib

    at, objects = 0, 0
    for match in re.finditer(rb"[\x10\x00\x11]\x00\x11\x10", data):
        at = match.start()
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        objects += 1
        if objects > 50:
            break
        try:
            plain = zlib.decompressobj().decompress(body[4:], 16 * 2**20) if data[at] & 0x10 else body
        except zlib.error:
            continue
        if plain.startswith(b"\xd0\xcf\x11\xe0"):
            inner = CompoundFile(plain)
            if any(each.name == "VBA" for each in inner.entries):
                look_at_macros(plain, path, seen)
            for title, length, _, where in _packages(inner):
                seen.find(
                    RUNS if _PROGRAM.search(title) else NOTES,
                    f"a packaged file of {count(length, 'byte')}",
                    title,
                    f"{path}/{where}",
                )


def packaged(content: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Name, size and beginning of each packaged file in a compound file."""
    for title, size, start, _ in _packages(CompoundFile(content)):
        yield title, size, start


def _packages(file: CompoundFile) -> Iterator[tuple[str, int, bytes, str]]:
    for entry in file.streams("\x01Ole10Native")[:50]:
        data = file.read(entry)
        body = data[6:] if data[4:6] == b"\2\0" else data[4:]
        label, _, rest = body.partition(b"\0")
        source, _, rest = rest.partition(b"\0")
        temporary = rest[8:].partition(b"\0")
        after = temporary[2]
        size = int.from_bytes(after[:4], "little")
        name = (label or source).decode("latin-1")
        yield clean(name, 260) or "unnamed", size, after[4:20], entry.path
