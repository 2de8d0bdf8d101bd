"""From bytes to what stands out in them, whatever they are."""

from __future__ import annotations

import hashlib
from typing import Any

from secgemini_jupyter.local_server.analyst.budget import budget
from secgemini_jupyter.local_server.analyst.sniff import as_text, kind_of, unpack
from secgemini_jupyter.local_server.analyst.triage.common import HIDES, Seen, entropy, watching
from secgemini_jupyter.local_server.filetypes import describe_file
from secgemini_jupyter.local_server.zips import zip_type

MAX_TEXT = 16 * 2**20
SECONDS = 3.0
"""Processor time for looking at the structure; a call has ten seconds in all, with its hashes."""
TYPES = {
    "document/pdf": "PDF document",
    "document/rtf": "RTF document",
    "document/ole": "compound file (OLE)",
    "document/ooxml": "office document",
    "document/odf": "OpenDocument file",
    "executable/pe": "Windows program (PE)",
}
"""What the file is called when its reader was stopped before it said so."""


def triage(content: bytes, name: str) -> dict[str, Any]:
    """What `file_triage` gives, but the name of the source."""
    kind = kind_of(content)
    seen = _looked(content, kind, name)
    if seen.left_out:
        seen.limits.append(f"{seen.left_out:,} further findings are left out.")
    seen.facts["links"] = list(seen.links)
    return {
        "size": len(content),
        "kind": kind,
        "mime_type": describe_file(content, name)[0],
        "type": seen.type,
        "entropy": entropy(content),
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "sha1": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
        **_fuzzy(content),
        "findings": seen.findings,
        "facts": seen.facts,
        "limits": seen.limits,
        "left_out": seen.left_out,
        "unread": seen.unread,
        "sources": seen.sources,
        "encoded": seen.encoded[:3],
    }


def _looked(content: bytes, kind: str, name: str) -> Seen:
    """What is seen within the budget of time and memory."""
    is_full = False
    with watching() as made, budget(SECONDS) as spent:
        try:
            return look_at(content, kind, name)
        except MemoryError:
            is_full = True
    seen = made[0] if made else Seen(TYPES.get(kind, f"file of type {kind}"))
    why = (
        "was not read: it takes more memory than there is" if is_full else f"was not read: it takes over {SECONDS:g} s"
    )
    if spent.is_spent or is_full:
        seen.miss("the rest of it", "", why)
    if kind == "document/pdf":
        from secgemini_jupyter.local_server.analyst.triage.pdf import tell_words

        tell_words(seen)
    return seen


def look_at(content: bytes, kind: str, name: str) -> Seen:
    from secgemini_jupyter.local_server.analyst.triage import binaries, office, ole, pdf, pe, rtf, scripts

    reader = {
        "executable/pe": pe.look_at_pe,
        "executable/elf": binaries.look_at_elf,
        "executable/macho": binaries.look_at_macho,
        "document/pdf": pdf.look_at_pdf,
        "document/ooxml": office.look_at_office,
        "document/odf": office.look_at_office,
        "document/xps": office.look_at_office,
        "document/ole": ole.look_at_ole,
        "document/rtf": rtf.look_at_rtf,
    }.get(kind)
    if reader is not None:
        return reader(content)
    label = describe_file(content, name)[1]
    if label == "lnk":
        return binaries.look_at_shortcut(content)
    if label in ("png", "jpeg", "gif", "webp", "tiff"):
        return binaries.look_at_image(content, label)
    if kind == "empty":
        return Seen("empty file")
    unpacked, is_cut = unpack(content, MAX_TEXT)
    if not kind.startswith("archive/") and (text := as_text(unpacked)) is not None:
        seen = scripts.look_at_text(text, name)
        if is_cut:
            seen.miss(f"what follows the first {MAX_TEXT // 2**20} MiB", "", "was not looked at")
        return seen
    return _other(content, kind)


def _other(content: bytes, kind: str) -> Seen:
    """Neither text nor a format that is taken apart here."""
    if kind.startswith("archive/"):
        _, label = zip_type(content) if content[:2] == b"PK" else ("", kind.removeprefix("archive/"))
        return Seen(f"archive ({label})", limits=["What is in it is listed by `archive_list`."])
    seen = Seen(f"file of type {kind}" if kind != "application/octet-stream" else "file of no known type")
    if entropy(content) > 7.8 and len(content) > 4096:
        seen.find(HIDES, "it looks compressed or encrypted (entropy over 7.8)")
    seen.limits.append("This format is not taken apart here: type, hashes and entropy are all there is.")
    return seen


def _fuzzy(content: bytes) -> dict[str, str]:
    """ssdeep's hash, with the extra `analyst`; it takes a second for a megabyte."""
    if not 4096 <= len(content) <= 2**20:
        return {}
    try:
        import ppdeep
    except ImportError:
        return {}
    return {"ssdeep": str(ppdeep.hash(content))}
