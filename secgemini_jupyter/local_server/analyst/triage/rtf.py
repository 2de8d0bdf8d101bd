"""RTF: embedded objects, fields and templates, also where blanks and groups are put in between."""

from __future__ import annotations

import re

from secgemini_jupyter.local_server.analyst.text import count
from secgemini_jupyter.local_server.analyst.triage.common import FETCHES, HIDES, LINKS, NOTES, RUNS, Seen, clean

MAX_READ = 32 * 2**20
MAX_OBJECTS = 40
_FIELD = re.compile(rb"\\fldinst([^\\]{0,2}(?:[^{}]|\{[^{}]{0,2000}\}){0,4000})")
_WORDS = re.compile(rb"\\(?:\*|[a-z]{1,32}-?\d{0,10} ?|'[0-9a-fA-F]{2})|[{}\r\n]")
_EQUATION = re.compile(rb"equation\.[23]", re.IGNORECASE)


def look_at_rtf(content: bytes) -> Seen:
    content = content[:MAX_READ]
    seen = Seen("RTF document")
    if not content.startswith(b"{\\rtf1"):
        seen.find(
            HIDES, "it does not begin as RTF should, which hides it from simple checks", content[:8].decode("latin-1")
        )
    classes = [clean(m.decode("latin-1"), 80) for m in re.findall(rb"\\objclass\s+([^}\\]{1,80})", content)]
    objects = [m.end() for m in re.finditer(rb"\\objdata\b", content)]
    seen.facts |= {"objects": len(objects), "object_classes": list(dict.fromkeys(classes))[:20]}
    if b"\\objupdate" in content:
        seen.find(RUNS, "an object is updated on opening (\\objupdate)", ", ".join(seen.facts["object_classes"]))
    if b"\\objautlink" in content:
        seen.find(
            FETCHES, "an object is linked and updated by itself (\\objautlink)", ", ".join(seen.facts["object_classes"])
        )
    for number, start in enumerate(objects[:MAX_OBJECTS], 1):
        _object(content, start, f"object {number}", seen)
    if len(objects) > MAX_OBJECTS:
        seen.miss(f"what follows the first {MAX_OBJECTS} of {len(objects):,} objects", "", "was not read")
    if template := re.search(rb"\\\*\\template\s+([^}]{1,600})", content):
        value = _plain(template[1])
        if re.search(r"://|\\\\", value):
            seen.find(FETCHES, "a template is loaded from elsewhere", value)
    for match in _FIELD.finditer(content):
        text = _plain(match[1])
        if dde := re.search(r"\bDDE(?:AUTO)?\b", text, re.IGNORECASE):
            seen.find(RUNS, f"a {dde.group().upper()} field", clean(text), "field")
        elif text.upper().startswith("HYPERLINK"):
            seen.find(LINKS, "a link", clean(text[9:].strip(' "')), "field")
        elif re.match(r"INCLUDE(?:TEXT|PICTURE)", text, re.IGNORECASE) and "://" in text:
            seen.find(FETCHES, "a field loads from elsewhere", clean(text), "field")
    return seen


def _plain(raw: bytes) -> str:
    return clean(_WORDS.sub(b"", raw).decode("latin-1"))


def _object(content: bytes, start: int, where: str, seen: Seen) -> None:
    """An object's bytes are hexadecimal digits; its header says the class."""
    raw = content[start : start + 4 * 2**20]
    digits = bytearray()
    depth = 0
    for token in re.finditer(rb"\\bin\d+ ?|\\[a-z]{1,32}-?\d{0,10} ?|\\.|[{}]|[0-9a-fA-F]+|[^0-9a-fA-F{}\\]+", raw):
        text = token.group()
        if text == b"{":
            depth += 1
        elif text == b"}":
            depth -= 1
            if depth < 0:
                break
        elif text[:1] not in b"\\" and text[:1].isalnum() and depth == 0:
            digits += re.sub(rb"[^0-9a-fA-F]", b"", text)
    data = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    if len(data) < 12:
        seen.find(NOTES, "an object without data", "", where)
        return
    length = int.from_bytes(data[8:12], "little")
    name = clean(data[12 : 12 + min(length, 64)].rstrip(b"\0").decode("latin-1"), 64)
    told = f"an embedded object of {count(len(data), 'byte')}"
    if _EQUATION.search(data[:200]) or b"\x02\xce\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46" in data:
        seen.find(RUNS, f"{told}: of the old equation editor, known for CVE-2017-11882", name, where)
    elif name.lower().startswith("package"):
        inside = re.search(rb"([^\x00-\x1f\\/:]{1,120}\.[A-Za-z0-9]{2,4})\x00", data)
        title = inside[1].decode("latin-1") if inside else name
        seen.find(RUNS, f"{told}: a packaged file, which a click opens", title, where)
    elif name.lower().startswith("ole2link"):
        seen.find(FETCHES, f"{told}: a link to elsewhere", name, where)
        for url in re.findall(rb"h\0t\0t\0p\0(?:[\x21-\x7e]\0){3,300}|https?://[\x21-\x7e]{3,300}", data)[:3]:
            seen.find(FETCHES, "an address in an object", url.replace(b"\0", b"").decode("latin-1"), where)
    else:
        seen.find(NOTES, told, name, where)
