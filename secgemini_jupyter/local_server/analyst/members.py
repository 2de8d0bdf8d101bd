"""A part of a file by its name: a member of an archive or an office document, a part of an e-mail."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from secgemini_jupyter.local_server.analyst.archives.tar import list_tar, read_packed, read_tar
from secgemini_jupyter.local_server.analyst.archives.zip import end_record, list_zip, read_zip
from secgemini_jupyter.local_server.analyst.mail.parts import mail_part
from secgemini_jupyter.local_server.analyst.sniff import PACKED, SAMPLE, kind_of
from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.filetypes import by_signature

MAX_DEPTH = 5
MAX_SEARCHED = 8
_ARCHIVE = re.compile(r"\.(?:zip|jar|tar|tgz|tar\.\w+)$", re.IGNORECASE)
ZIPS = ("zip", "jar", "apk", "whl", "nupkg", "appx", "vsix", "ipa", "xpi")
READERS: dict[str, Callable[[bytes, str], bytes]] = {
    **{f"archive/{kind}": read_zip for kind in ZIPS},
    **{f"document/{kind}": read_zip for kind in ("ooxml", "odf", "xps", "epub")},
    "archive/tar": read_tar,
    "email": mail_part,
    **{f"archive/{kind}": read_packed for kind in ("gzip", "bzip2", "xz")},
}
"""By kind: from the whole and a name to the part, within the limits of `archives.model`, or a `ToolFailure`."""


def member_content(content: bytes, path: Sequence[str]) -> bytes:
    """The part of `content` with this name, or with each further name the part within that part; in memory.

    Raises:
        ToolFailure: there is no such part, it is encrypted, too large, too deep, or the whole is nothing with parts.
    """
    if len(path) > MAX_DEPTH:
        raise ToolFailure(f"Parts are looked for {MAX_DEPTH} levels deep, no deeper.")
    for name in path:
        read = _reader(content)
        try:
            content = read(content, name)
        except ToolFailure as failure:
            if read not in (read_zip, read_tar) or "has no member" not in str(failure):
                raise
            if (found := _deeper(content, name, read)) is None:
                raise
            content = found
    return content


def _deeper(content: bytes, name: str, read: Callable[[bytes, str], bytes]) -> bytes | None:
    """The part of this name in one of the archives within: the user may not know in which."""
    members = (list_zip(content) if read is read_zip else list_tar(content)).members
    inner = [each for each in members if each.type == "file" and _ARCHIVE.search(each.name)]
    for each in inner[:MAX_SEARCHED]:
        try:
            part = read(content, each.name)
            return _reader(part)(part, name)
        except ToolFailure:
            continue
    return None


def _reader(content: bytes) -> Callable[[bytes, str], bytes]:
    kind = kind_of(content)
    if kind in READERS:
        return READERS[kind]
    _, label = by_signature(content[:SAMPLE]) or ("", "")
    if label in PACKED:
        return read_packed  # of a text, whose kind is that of the text
    if kind.startswith("executable/") and end_record(content):
        return read_zip  # one that unpacks itself
    raise ToolFailure(f"There are no parts to read in this file ({kind}).")
