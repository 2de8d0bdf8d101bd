"""What the bytes of an attachment are. Runs in a worker: the bytes are hostile."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from typing import Any

from secgemini_jupyter.local_server.analyst.logs.formats import log_format
from secgemini_jupyter.local_server.analyst.logs.logins import has_logins, reader
from secgemini_jupyter.local_server.analyst.logs.tables import LogTable
from secgemini_jupyter.local_server.analyst.tool import Inputs
from secgemini_jupyter.local_server.filetypes import by_signature, is_tar

SAMPLE = 256 * 1024
"""Bytes that are enough to tell."""
MAX_UNPACKED = 64 * 2**20

KINDS = {  # label of `filetypes`: kind
    "pebin": "executable/pe",
    "elf": "executable/elf",
    "macho": "executable/macho",
    "pdf": "document/pdf",
    "ole": "document/ole",
    "rtf": "document/rtf",
    "one": "document/onenote",
    "xps": "document/xps",
    "epub": "document/epub",
    "evtx": "log/evtx",
    **dict.fromkeys(("docx", "xlsx", "pptx", "vsdx"), "document/ooxml"),
    **dict.fromkeys(("odt", "ods", "odp", "odg", "odf"), "document/odf"),
    **{label: f"archive/{label}" for label in ("zip", "jar", "apk", "whl", "nupkg", "appx", "vsix", "ipa", "xpi")},
    **{label: f"archive/{label}" for label in ("tar", "gzip", "xz", "rar", "cab", "cpio", "deb", "ar", "chm")},
    "bzip": "archive/bzip2",
    "sevenzip": "archive/7z",
    "zst": "archive/zstd",
}
DOCUMENTS = frozenset(label for label, kind in KINDS.items() if kind.startswith("document/"))
PACKED = frozenset({"gzip", "bzip", "xz"})
"""Labels of what holds one other file, compressed."""

BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)
"""What reading compressed bytes raises."""
_STRINGS = re.compile(rb"[\x20-\x7e]{6,}|(?:[\x20-\x7e]\x00){6,}")
_HEADER = re.compile(r"([!-9;-~]{1,76}):(?:[ \t]|$)")
_MAIL = frozenset(
    "from to cc subject date received return-path message-id delivered-to mime-version reply-to sender dkim-signature "
    "authentication-results received-spf content-type x-mailer x-originating-ip arc-seal".split()
)
_OF_MAIL_ALONE = frozenset("from received return-path message-id delivered-to dkim-signature".split())
_LATE_PDF = re.compile(rb"%PDF-\d\.\d")
MAX_HEADERS = 100_000
_CERTIFICATE = re.compile(
    r"^-----BEGIN (?:(?:TRUSTED |X509 )?CERTIFICATE|X509 CRL|(?:NEW )?CERTIFICATE REQUEST|PKCS7)-----", re.MULTILINE
)
_DER = re.compile(  # a sequence of a sequence: a version and a serial number, or a number and another sequence
    rb"\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...)\x30(?:[\x00-\x7f]|\x81.|\x82..|\x83...)"
    rb"(?:\xa0\x03\x02\x01[\x00-\x02]\x02|\x02[\x01-\x20].{1,32}\x30[\x00-\x7f\x81\x82])",
    re.DOTALL,
)


def sniff(content: bytes) -> dict[str, Any]:
    """`kind` and whether the log tells of logins.

    Kinds are `log/FORMAT`, `text`, `email`, `x509`, `empty`, `archive/…`, `executable/…`, `document/…`, else a MIME
    type. A compressed text or tar file is what is in it.
    """
    if not content:
        return {"kind": "empty", "has_logins": False}
    _, label = by_signature(content) or ("", "")
    if label in PACKED:
        content, _ = unpack(content, SAMPLE)
        if is_tar(content):
            return {"kind": "archive/tar", "has_logins": False}
    elif label in KINDS:
        return {"kind": KINDS[label], "has_logins": label == "evtx" and has_logins(content, "evtx")}
    if not label and _LATE_PDF.search(content[:1024]) and b"endobj" in content and b"startxref" in content:
        return {"kind": "document/pdf", "has_logins": False}  # readers allow something before it
    text = None if label and label not in PACKED else as_text(content)
    if text is None:
        return {"kind": KINDS.get(label) or _other(content), "has_logins": False}
    if looks_like_mail(text):
        return {"kind": KINDS.get(label, "email"), "has_logins": False}  # its tool reads what is not compressed
    if log := log_format(text):
        return {"kind": f"log/{log}", "has_logins": has_logins(content, log)}
    return {"kind": "x509" if _CERTIFICATE.search(text[:SAMPLE]) and not label else "text", "has_logins": False}


def looks_like_mail(text: str) -> bool:
    """Whether it begins with the headers of a message; a mailbox has a line `From …` before them.

    However long or many the headers are: who sends a message decides that.
    """
    at = len(text[:65536]) - len(text[:65536].lstrip("\r\n"))
    if text.startswith(("From ", ">From "), at):
        at = text.find("\n", at) + 1 or len(text)
    names: set[str] = set()
    others = 0
    is_at_end = False
    for _ in range(MAX_HEADERS):
        start = text[at : at + 80]
        if not start or start[:1] in "\r\n" or not start.partition("\n")[0].strip():
            is_at_end = True
            break
        if header := _HEADER.match(start):
            names.add(header[1].lower())
            if _is_of_mail(names):
                return True
        elif start[0] not in " \t":
            others += 1
            if not names or others > 2:
                break
        at = text.find("\n", at) + 1 or len(text)
    # So few headers are a message's only if there is nothing else before its text.
    return is_at_end and not others and {"from", "subject"} <= names


def _is_of_mail(names: set[str]) -> bool:
    return len(names & _MAIL) >= 3 - bool(names & {"received", "return-path"}) and bool(names & _OF_MAIL_ALONE)


def kind_of(content: bytes) -> str:
    """The kind alone; of what begins with megabytes that say nothing, too."""
    kind: str = sniff(content[: 4 * SAMPLE])["kind"]
    if kind == "text" and len(content) > 4 * SAMPLE:
        kind = sniff(content)["kind"]
    return kind


def sniff_table(inputs: Inputs) -> dict[str, Any]:
    """The same of the session's logs table."""
    assert inputs.table is not None
    table = LogTable(inputs.table)
    read = reader(table.format)
    return {"kind": f"log/{table.format}", "has_logins": any(read(row) is not None for row in table.rows(2_000))}


def unpack(content: bytes, limit: int = MAX_UNPACKED) -> tuple[bytes, bool]:
    """The content, without gzip, bzip2 or xz around it, and whether there is more: a bomb unpacks to `limit` bytes."""
    opened = io.BytesIO(content)
    try:
        if content[:2] == b"\x1f\x8b":
            content = _read(gzip.GzipFile(fileobj=opened), limit)
        elif content[:3] == b"BZh":
            content = _read(bz2.BZ2File(opened), limit)
        elif content[:6] == b"\xfd7zXZ\0":
            content = _read(lzma.LZMAFile(opened), limit)  # noqa: SIM115  # of bytes in memory
    except (*BROKEN, MemoryError):  # an xz file says how much memory its reader needs
        pass  # only the first bytes look like it
    return content[:limit], len(content) > limit


def _read(file: gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile, limit: int) -> bytes:
    """At most `limit` bytes and one; of a stream that is cut or broken, what comes before that."""
    parts: list[bytes] = []
    size = 0
    try:
        while size <= limit and (part := file.read(min(2**20, limit + 1 - size))):
            parts.append(part)
            size += len(part)
    except BROKEN:
        if not parts:
            raise
    return b"".join(parts)


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
    """At most `limit` bytes of the content as text, how (`text`, `printable strings`, …), whether it was cut."""
    if (label := (by_signature(content) or ("", ""))[1]) in DOCUMENTS:
        from secgemini_jupyter.local_server.analyst.triage.words import document_text

        if (text := document_text(content, label, limit)) is not None:
            return text, "the document's text and links", len(text) >= limit
    content, is_cut = unpack(content, limit)
    text = as_text(content)
    if text is not None:
        return text, "text", is_cut
    strings = "\n".join(m.replace(b"\0", b"").decode("ascii") for m in _STRINGS.findall(content))
    return strings, "printable strings", is_cut


def _other(content: bytes) -> str:
    """What has no signature that `filetypes` knows."""
    if _DER.match(content):
        return "x509"
    import puremagic

    try:
        return puremagic.from_string(content[:SAMPLE], mime=True) or "application/octet-stream"
    except (puremagic.PureError, ValueError, OSError, EOFError, LookupError):
        return "application/octet-stream"
