"""What an attachment is, from its content; its name decides only between kinds of text."""

from __future__ import annotations

import re
from pathlib import PurePath

from secgemini_jupyter.local_server.zips import zip_type

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
MACHO = (b"\xfe\xed\xfa\xce", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xcf\xfa\xed\xfe")
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_CPIO = re.compile(rb"0707(?:07[0-7]{70}|0[12][0-9A-Fa-f]{104})")
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
    (b"\xfd7zXZ\0", "application/x-xz", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "sevenzip"),
    (b"Rar!\x1a\x07", "application/vnd.rar", "rar"),
    (b"\x28\xb5\x2f\xfd", "application/zstd", "zst"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed", "cab"),
    (b"ITSF\3\0\0\0", "application/vnd.ms-htmlhelp", "chm"),
    (b"!<arch>\ndebian-binary", "application/vnd.debian.binary-package", "deb"),
    (b"!<arch>\n", "application/x-archive", "ar"),
    (b"\xc7\x71", "application/x-cpio", "cpio"),
    (b"\x71\xc7", "application/x-cpio", "cpio"),
    (b"L\0\0\0\1\x14\2\0", "application/x-ms-shortcut", "lnk"),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "application/onenote", "one"),
    (b"dex\n0", "application/vnd.android.dex", "dex"),
    *((magic, "application/x-mach-binary", "macho") for magic in MACHO),
    (b"OggS", "audio/ogg", "ogg"),
    (b"ID3", "audio/mpeg", "mp3"),
)
UNKNOWN = ("application/octet-stream", "unknown")
_TEXT_CONTROLS = frozenset(range(32)) - {7, 8, 9, 10, 12, 13, 27}


def describe_file(content: bytes, filename: str) -> tuple[str, str]:
    """MIME type and short label, for example `application/pdf` and `pdf`."""
    if not content:
        return "application/x-empty", "empty"
    return by_signature(content) or _by_text(content, filename) or UNKNOWN


def by_signature(content: bytes) -> tuple[str, str] | None:
    """The same, or None for text and for what has no signature that we know."""
    for start, mime_type, label in SIGNATURES:
        if content.startswith(start):
            return mime_type, label
    if content.startswith(b"MZ"):
        return _executable(content)
    if content.startswith((b"PK\3\4", b"PK\5\6")):
        return zip_type(content)
    if content.startswith(b"\xca\xfe\xba\xbe"):
        # A Java class has its version there (45 and up), a Mach-O file for several processors their number.
        is_java = int.from_bytes(content[4:8], "big") > 40
        return ("application/java-vm", "javabytecode") if is_java else ("application/x-mach-binary", "macho")
    if _BZIP2.match(content):
        return "application/x-bzip2", "bzip"
    if _CPIO.match(content):
        return "application/x-cpio", "cpio"
    if is_tar(content):
        return "application/x-tar", "tar"
    if content[:4] == b"RIFF":
        return {b"WEBP": ("image/webp", "webp"), b"WAVE": ("audio/wav", "wav")}.get(content[8:12])
    return None


def is_tar(content: bytes) -> bool:
    """A tar file begins with a header whose checksum is right; not every one says `ustar`."""
    head = content[:512]
    if len(head) < 512 or not head[0]:
        return False
    stored = re.fullmatch(rb"[ \0]*([0-7]{1,7})[ \0]*", head[148:156])
    return stored is not None and int(stored[1], 8) == sum(head) - sum(head[148:156]) + 8 * 32


def _executable(content: bytes) -> tuple[str, str] | None:
    """`MZ` alone is two letters: a PE file also has a PE header where it says."""
    offset = int.from_bytes(content[60:64], "little")
    if content[offset : offset + 4] == b"PE\0\0":
        return "application/vnd.microsoft.portable-executable", "pebin"
    return None


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
