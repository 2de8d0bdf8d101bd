"""The text of a document, with the addresses that its links lead to: what other tools search."""

from __future__ import annotations

import html
import io
import re
import time
from collections.abc import Iterator

from secgemini_jupyter.local_server.analyst.archives.model import Member
from secgemini_jupyter.local_server.analyst.archives.zip import list_zip, read_member
from secgemini_jupyter.local_server.analyst.budget import budget
from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.analyst.triage.common import watching

MAX_PAGES = 200
MAX_PART = 16 * 2**20
SECONDS = 2.0
LABELS = frozenset("pdf docx xlsx pptx odt ods odp odg rtf".split())
_PARTS = re.compile(
    r"word/(?:document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml|xl/(?:sharedStrings|worksheets/sheet\d+)\.xml"
    r"|ppt/(?:slides/slide|notesSlides/notesSlide)\d+\.xml|content\.xml|.*\.rels"
)
_TARGET = re.compile(r"Target=\"([^\"]{4,2000})\"")
_ENDS = re.compile(r"</(?:w:p|a:p|text:p|text:h|row|si|w:tr)>|<w:br/>|<text:line-break/>")


def document_text(content: bytes, label: str, limit: int) -> str | None:
    """At most `limit` characters, or None where nothing can be read (encrypted, broken, no document of these kinds)."""
    if label not in LABELS:
        return None
    try:
        if label == "pdf":
            text = _of_pdf(content, limit)
        elif label == "rtf":
            text = _of_rtf(content)
        else:
            text = "\n".join(_of_zip(content, limit))
    except Exception:  # whatever a library raises on a broken document: its bytes are searched then
        return None
    return text[:limit] if text.strip() else None


def _of_pdf(content: bytes, limit: int) -> str:
    import logging

    import pypdf

    from secgemini_jupyter.local_server.analyst.triage.pdf import look_at_pdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    parts: list[str] = []
    with budget(2 * SECONDS), watching() as seen:
        reader = pypdf.PdfReader(io.BytesIO(content), strict=False)
        deadline = time.monotonic() + SECONDS
        size = 0
        for page in reader.pages[:MAX_PAGES]:
            parts.append(page.extract_text())
            size += len(parts[-1])
            if size > limit or time.monotonic() > deadline:
                break
        look_at_pdf(content, SECONDS)
    return "\n".join([*parts, *(seen[0].links if seen else ())])


def _of_rtf(content: bytes) -> str:
    plain = re.sub(rb"\\objdata[^}]*|\\pict[^}]*", b"", content[: 16 * 2**20])
    plain = re.sub(rb"\\(?:par|line|row|tab)\b ?", b"\n", plain)
    plain = re.sub(rb"\\'([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), plain)
    return re.sub(rb"\\(?:\*|[a-z]{1,32}-?\d{0,10} ?)|[{}\r]", b"", plain).decode("cp1252", "replace")


def _of_zip(content: bytes, limit: int) -> Iterator[str]:
    size = 0
    for member in list_zip(content).members:
        if size > limit or member.type != "file" or not _PARTS.fullmatch(member.name):
            continue
        text = _part(content, member)
        size += len(text)
        yield text


def _part(content: bytes, member: Member) -> str:
    try:
        xml = read_member(content, member, MAX_PART, is_start_enough=True).decode("utf-8", "replace")
    except ToolFailure:
        return ""
    if member.name.endswith(".rels"):
        external = [each for each in xml.split("<Relationship ") if "External" in each]
        return "\n".join(html.unescape(target) for each in external for target in _TARGET.findall(each))
    text = html.unescape(re.sub(r"<[^>]*>", "", _ENDS.sub("\n", xml)))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
