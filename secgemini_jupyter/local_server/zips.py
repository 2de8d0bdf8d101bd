"""What kind of zip file something is, from the names in it: read with a bound on their number, whatever it claims."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

MAX_NAMES = 2_000
_LOCAL = b"PK\x03\x04"
_CENTRAL = b"PK\x01\x02"
_END = b"PK\x05\x06"

KINDS = (  # pattern of a name within: (MIME type, label)
    (r"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    (r"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    (r"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    (r"visio/", "application/vnd.ms-visio.drawing.main+xml", "vsdx"),
    (r"FixedDoc(?:ument)?Seq\.fdseq$", "application/vnd.ms-xpsdocument", "xps"),
    (r"AndroidManifest\.xml$", "application/vnd.android.package-archive", "apk"),
    (r"[^/]+\.dist-info/WHEEL$", "application/x-wheel+zip", "whl"),
    (r"[^/]+\.nuspec$", "application/zip", "nupkg"),
    (r"AppxManifest\.xml$", "application/vnd.ms-appx", "appx"),
    (r"extension\.vsixmanifest$", "application/vsix", "vsix"),
    (r"Payload/[^/]+\.app/", "application/x-ios-app", "ipa"),
    (r"META-INF/mozilla\.rsa$", "application/x-xpinstall", "xpi"),
    (r"META-INF/MANIFEST\.MF$", "application/java-archive", "jar"),
)
"""In this order: an APK has a Java manifest too."""
_PATTERNS = [(re.compile(pattern), mime_type, label) for pattern, mime_type, label in KINDS]
OFFICE = frozenset({"docx", "xlsx", "pptx", "vsdx"})
_ODF = {"text": "odt", "spreadsheet": "ods", "presentation": "odp", "graphics": "odg"}


def zip_type(content: bytes) -> tuple[str, str]:
    """MIME type and short label: an office document, a program's package, or just a zip file."""
    if declared := _declared(content):
        return declared
    names = list(zip_names(content))
    for pattern, mime_type, label in _PATTERNS:
        if any(pattern.match(name) for name in names):
            # A folder called `word` makes no document of a zip file: those list their parts by this name.
            if label in OFFICE and "[Content_Types].xml" not in names and "_rels/.rels" not in names:
                continue
            return mime_type, label
    return "application/zip", "zip"


def _declared(content: bytes) -> tuple[str, str] | None:
    """OpenDocument files and EPUBs say what they are in their first member, stored as it is."""
    if content[30:38] != b"mimetype":
        return None
    start = 38 + int.from_bytes(content[28:30], "little")
    text = re.match(rb"application/[a-z0-9.+-]{1,80}", content[start : start + 100])
    mime_type = text.group().partition(b"PK")[0].decode() if text else ""
    if mime_type.startswith("application/epub+zip"):
        return "application/epub+zip", "epub"
    if odf := re.match(r"application/vnd\.oasis\.opendocument\.([a-z]+)", mime_type):
        return mime_type, _ODF.get(odf[1], "odf")
    return None


def zip_names(content: bytes) -> Iterator[str]:
    """The names in the central directory, or before the members if that is not there (in a file that is cut)."""
    found = 0
    end = content.rfind(_END, max(0, len(content) - 66_000))
    position = struct.unpack_from("<I", content, end + 16)[0] if 0 <= end <= len(content) - 22 else -1
    while 0 <= position <= len(content) - 46 and content.startswith(_CENTRAL, position) and found < MAX_NAMES:
        name, extra, comment = struct.unpack_from("<HHH", content, position + 28)
        yield content[position + 46 : position + 46 + name].decode("utf-8", "replace")
        position += 46 + name + extra + comment
        found += 1
    position = 0 if found == 0 else -1
    while 0 <= position <= len(content) - 30 and found < MAX_NAMES:
        packed, _, name, extra = struct.unpack_from("<IIHH", content, position + 18)
        yield content[position + 30 : position + 30 + name].decode("utf-8", "replace")
        found += 1
        is_streamed = content[position + 6] & 8
        position = content.find(_LOCAL, position + 30 + name + extra + (0 if is_streamed else packed))
