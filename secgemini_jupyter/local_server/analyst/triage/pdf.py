"""PDF files: actions, scripts, attachments and links in the objects that can be reached from the document's root."""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import Any

from secgemini_jupyter.local_server.analyst.text import count
from secgemini_jupyter.local_server.analyst.triage.common import FETCHES, HIDES, LINKS, NOTES, RUNS, Seen, clean

MAX_OBJECTS = 20_000
SECONDS = 5.0
_KEYS = re.compile(rb"/(JavaScript|JS|OpenAction|AA|Launch|EmbeddedFile|URI|SubmitForm|XFA|RichMedia|ObjStm|Encrypt)\b")
_NAME = re.compile(rb"#([0-9A-Fa-f]{2})")


def look_at_pdf(content: bytes, seconds: float = SECONDS) -> Seen:
    """`seconds`: how long objects are looked at."""
    import pypdf
    from pypdf.errors import PyPdfError

    seen = Seen("PDF document")
    seen.sources.append({"name": "pypdf", "version": pypdf.__version__})
    plain = _NAME.sub(lambda m: bytes([int(m[1], 16)]), content[: 32 * 2**20])
    counts = Counter(m.decode() for m in _KEYS.findall(plain))
    seen.facts |= {
        "version": clean(content[:1024].partition(b"%PDF-")[2][:3].decode("latin-1")),
        "keywords": dict(counts),
    }
    if re.search(rb"/(?:J#61|#4[aA]|Java#53|O#70|L#61)", content):
        seen.find(HIDES, "names of actions are written with escapes")
    try:
        import io
        import logging

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        reader = pypdf.PdfReader(io.BytesIO(content), strict=False)
        _read(reader, seen, seconds)
    except (PyPdfError, ValueError, TypeError, KeyError, AttributeError, IndexError, OSError, NotImplementedError,
            RecursionError, AssertionError, OverflowError, UnicodeError, ZeroDivisionError):  # fmt: skip
        seen.miss("the document's structure")
        tell_words(seen)
    return seen


def tell_words(seen: Seen) -> None:
    """Of a document whose structure cannot be read: the words in its bytes."""
    for key, kind in (("JavaScript", RUNS), ("Launch", RUNS), ("OpenAction", NOTES), ("EmbeddedFile", NOTES)):
        if number := seen.facts.get("keywords", {}).get(key):
            seen.find(kind, f"the word /{key} occurs in its bytes, {count(number, 'time')}")


def _read(reader: Any, seen: Seen, seconds: float) -> None:
    seen.facts["is_encrypted"] = bool(reader.is_encrypted)
    if reader.is_encrypted:
        is_open = False
        try:
            is_open = bool(reader.decrypt(""))
        except Exception:  # a library that is missing, a method that is unknown: it stays closed
            is_open = False
        seen.find(HIDES, "it is encrypted" + ("; it opens without a password" if is_open else ""))
        if not is_open:
            seen.miss("its encrypted content", "", "opens only with a password and was not read")
            return
    seen.facts["pages"] = len(reader.pages)
    seen.facts["metadata"] = {
        str(k).strip("/")[:40]: clean(str(v), 200) for k, v in list((reader.metadata or {}).items())[:20]
    }
    root = reader.trailer["/Root"]
    _walk(root, seen, seconds)
    seen.facts["attached_files"] = [f["value"] for f in seen.findings if f["what"] == "an embedded file"]


def _walk(root: Any, seen: Seen, seconds: float) -> None:
    from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

    deadline = time.monotonic() + seconds
    known: set[Any] = set()
    waiting: list[tuple[Any, str]] = [(root, "the document")]
    looked = 0
    while waiting:
        each, where = waiting.pop()
        if isinstance(each, IndirectObject):
            if (each.idnum, each.generation) in known:
                continue
            known.add((each.idnum, each.generation))
            where = f"object {each.idnum}"
            each = each.get_object()
        looked += 1
        if looked > MAX_OBJECTS or time.monotonic() > deadline:
            seen.miss(f"what follows the first {looked:,} objects", "", "was not looked at")
            return
        if isinstance(each, DictionaryObject):
            _dictionary(each, where, seen)
            waiting += [(each.raw_get(key), where) for key in each if key not in ("/Parent", "/P", "/Prev")]
        elif isinstance(each, ArrayObject):
            waiting += [(item, where) for item in list.__iter__(each)]


def _dictionary(each: Any, where: str, seen: Seen) -> None:
    action = str(each.get("/S", "")) if "/S" in each else ""
    if "/OpenAction" in each:
        target = each["/OpenAction"]
        told = str(target.get("/S", "")) if hasattr(target, "get") else "a page"
        if told != "a page" and told not in ("/GoTo", ""):
            seen.find(RUNS, "an action runs when the document is opened", told, where)
    if "/AA" in each:
        events = each["/AA"]
        seen.find(
            NOTES,
            "actions are tied to events (/AA)",
            ", ".join(map(str, events)) if hasattr(events, "keys") else "",
            where,
        )
    if "/JS" in each:
        script = each["/JS"]
        data = script.get_data().decode("utf-8", "replace") if hasattr(script, "get_data") else str(script)
        seen.find(RUNS, "JavaScript", clean(data), where)
        seen.facts["javascript_bytes"] = seen.facts.get("javascript_bytes", 0) + len(data)
    if action == "/Launch":
        target = each.get("/F") or each.get("/Win") or ""
        seen.find(RUNS, "an action starts a program (/Launch)", clean(str(target)), where)
    elif action in ("/GoToR", "/GoToE", "/ImportData"):
        seen.find(FETCHES, f"an action opens another file ({action})", clean(str(each.get("/F", ""))), where)
    elif action == "/SubmitForm":
        seen.find(FETCHES, "a form is sent to", clean(str(each.get("/F", ""))), where)
    if "/URI" in each and action in ("/URI", ""):
        seen.find(LINKS, "a link", clean(str(each["/URI"])), where)
    if "/EF" in each:
        seen.find(NOTES, "an embedded file", clean(str(each.get("/UF") or each.get("/F") or "unnamed"), 200), where)
    if "/XFA" in each:
        seen.find(NOTES, "an XFA form, which may hold scripts", "", where)
    if str(each.get("/Subtype", "")) in ("/RichMedia", "/Flash", "/3D", "/Screen"):
        seen.find(NOTES, "embedded media", str(each["/Subtype"]), where)
