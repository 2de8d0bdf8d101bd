"""What an attachment is, from its content; its name decides only between kinds of text."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import PurePath

TEXT_BY_SUFFIX = {  # suffix: (MIME type, label)
    ".csv": ("text/csv", "csv"),
    ".md": ("text/markdown", "markdown"),
    ".html": ("text/html", "html"),
    ".htm": ("text/html", "html"),
    ".json": ("application/json", "json"),
    ".jsonl": ("application/jsonl", "jsonl"),
    ".ndjson": ("application/jsonl", "jsonl"),
    ".xml": ("text/xml", "xml"),
    ".yaml": ("text/yaml", "yaml"),
    ".yml": ("text/yaml", "yaml"),
    ".toml": ("text/toml", "toml"),
    ".py": ("text/python", "python"),
    ".js": ("text/javascript", "javascript"),
    ".sql": ("text/sql", "sql"),
    ".eml": ("message/rfc822", "eml"),
    ".pem": ("application/x-pem-file", "pem"),
}
OFFICE = {  # directory in the archive: (MIME type, label)
    "word/": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    "xl/": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    "ppt/": ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
}
SIGNATURES = (  # first bytes, MIME type, label
    (b"%PDF-", "application/pdf", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (b"\xff\xd8\xff", "image/jpeg", "jpeg"),
    (b"GIF87a", "image/gif", "gif"),
    (b"GIF89a", "image/gif", "gif"),
    (b"II*\0", "image/tiff", "tiff"),
    (b"MM\0*", "image/tiff", "tiff"),
    (b"\x7fELF", "application/x-executable", "elf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage", "ole"),
    (b"{\\rtf", "application/rtf", "rtf"),
    (b"ElfFile\0", "application/x-ms-evtx", "evtx"),
    (b"\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap", "pcap"),
    (b"\xa1\xb2\xc3\xd4", "application/vnd.tcpdump.pcap", "pcap"),
    (b"\x0a\x0d\x0d\x0a", "application/x-pcapng", "pcapng"),
    (b"SQLite format 3\0", "application/vnd.sqlite3", "sqlite"),
    (b"\x1f\x8b", "application/gzip", "gzip"),
    (b"BZh", "application/x-bzip2", "bzip"),
    (b"\xfd7zXZ\0", "application/x-xz", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "sevenzip"),
    (b"Rar!\x1a\x07", "application/vnd.rar", "rar"),
    (b"OggS", "audio/ogg", "ogg"),
    (b"ID3", "audio/mpeg", "mp3"),
)
UNKNOWN = ("application/octet-stream", "unknown")
_TEXT_CONTROLS = frozenset(range(32)) - {7, 8, 9, 10, 12, 13, 27}


def describe_file(content: bytes, filename: str) -> tuple[str, str]:
    """MIME type and short label, for example `application/pdf` and `pdf`."""
    if not content:
        return "application/x-empty", "empty"
    return _by_signature(content) or _by_text(content, filename) or UNKNOWN


def _by_signature(content: bytes) -> tuple[str, str] | None:
    for start, mime_type, label in SIGNATURES:
        if content.startswith(start):
            return mime_type, label
    if content.startswith(b"MZ"):
        return _executable(content)
    if content.startswith((b"PK\3\4", b"PK\5\6")):
        return _archive(content)
    if content[:4] == b"RIFF":
        return {b"WEBP": ("image/webp", "webp"), b"WAVE": ("audio/wav", "wav")}.get(content[8:12])
    return None


def _executable(content: bytes) -> tuple[str, str] | None:
    """`MZ` alone is two letters: a PE file also has a PE header where it says."""
    offset = int.from_bytes(content[60:64], "little")
    if content[offset : offset + 4] == b"PE\0\0":
        return "application/vnd.microsoft.portable-executable", "pebin"
    return None


def _archive(content: bytes) -> tuple[str, str]:
    with contextlib.suppress(zipfile.BadZipFile, OSError, ValueError, RuntimeError):
        names = zipfile.ZipFile(io.BytesIO(content)).namelist()
        for folder, kind in OFFICE.items():
            if any(name.startswith(folder) for name in names):
                return kind
    return "application/zip", "zip"


def _by_text(content: bytes, filename: str) -> tuple[str, str] | None:
    sample = content[:65536]
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 3:  # else a character was cut by the sample's end
            return None
    if not _TEXT_CONTROLS.isdisjoint(sample):
        return None
    return TEXT_BY_SUFFIX.get(PurePath(filename).suffix.lower(), ("text/plain", "txt"))
