"""Office Open XML and OpenDocument: macros, fields, external relations, embedded objects."""

from __future__ import annotations

import re
from xml.parsers import expat

from secgemini_jupyter.local_server.analyst.archives.model import Member
from secgemini_jupyter.local_server.analyst.archives.zip import list_zip, read_member
from secgemini_jupyter.local_server.analyst.text import count
from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.analyst.triage.common import FETCHES, HIDES, LINKS, NOTES, RUNS, Seen, clean
from secgemini_jupyter.local_server.analyst.triage.fields import Fields
from secgemini_jupyter.local_server.analyst.triage.macros import look_at_macros
from secgemini_jupyter.local_server.filetypes import by_signature
from secgemini_jupyter.local_server.zips import zip_type

MAX_PART = 16 * 2**20
MAX_READ = 96 * 2**20
NAMES = {"docx": "Word document", "xlsx": "Excel workbook", "pptx": "PowerPoint presentation", "vsdx": "Visio drawing"}
_FIELDS = re.compile(
    r"(?:word|xl|ppt)/(?!media/|theme/|fonts/).{1,200}\.xml$|(?:content|styles)\.xml$|customUI/.{1,100}\.xml$",
    re.IGNORECASE,
)
_METADATA = re.compile(
    r"<(?:[a-zA-Z]+:)?(creator|lastModifiedBy|created|modified|Application|Company|Template|title|Pages)\b[^>]*>([^<]{1,200})<"
)
_LOADED = (
    "attachedTemplate",
    "oleObject",
    "frame",
    "subDocument",
    "externalLink",
    "externalLinkPath",
    "package",
    "control",
)


def look_at_office(content: bytes) -> Seen:
    """A document in a zip file."""
    _, label = zip_type(content)
    listing = list_zip(content)
    names = {each.name for each in listing.members}
    seen = Seen(
        NAMES.get(label, f"OpenDocument file ({label})" if label.startswith("od") else f"office document ({label})")
    )
    seen.facts |= {"parts": listing.total, "format": label, "has_macros": False}
    for note in listing.notes:
        seen.find(HIDES, "the zip file: " + note)
    left = MAX_READ
    for member in listing.members:
        if member.type != "file" or left <= 0:
            continue
        try:
            left -= _part(content, member, seen)
        except ToolFailure:
            if member.is_encrypted:
                seen.find(HIDES, "a part is encrypted", member.name)
                seen.miss("the part", member.name, "is encrypted")
            else:
                seen.miss("the part", member.name, "could not be read")
    if left <= 0:
        seen.miss("what follows the first parts", "", f"was not read: they have over {MAX_READ // 2**20} MiB")
    if "META-INF/manifest.xml" in names and any(name.startswith("Basic/") and name.endswith(".xml") for name in names):
        seen.facts["has_macros"] = True
        seen.find(RUNS, "Basic macros", "", "Basic/")
    return seen


def _part(content: bytes, member: Member, seen: Seen) -> int:
    """Look at one part; how many bytes were read."""
    name = member.name
    lower = name.lower()

    def read(limit: int = MAX_PART) -> bytes:
        return read_member(content, member, limit, is_start_enough=True)

    if lower.endswith("vbaproject.bin") or (lower.endswith(".bin") and "vba" in lower):
        data = read()
        seen.facts["has_macros"] = True
        look_at_macros(data, name, seen)
        return len(data)
    if lower.endswith(".rels"):
        data = read()
        _relations(data, name, seen)
        return len(data)
    if re.match(r"(?:word|xl|ppt)/embeddings/|object ?\d|objectreplacements/", lower) or "/activex/" in lower:
        data = read(2**20)
        kind = (by_signature(data) or ("", "unknown"))[1]
        what = "an ActiveX control" if "/activex/" in lower else "an embedded object"
        if lower.endswith((".bin", ".xml")) and "/activex/" in lower and lower.endswith(".xml"):
            return len(data)
        _embedded(data, name, what, kind, seen)
        return len(data)
    if "/macrosheets/" in lower or "/dialogsheets/" in lower:
        seen.facts["has_macros"] = True
        seen.find(RUNS, "an Excel 4.0 macro sheet", "", name)
    if lower.endswith((".exe", ".dll", ".scr", ".js", ".vbs", ".hta", ".lnk", ".bat", ".ps1")):
        seen.find(NOTES, "a part that is no part of a document", name, name)
    if re.search(r"externallinks/.*\.bin$", lower):
        data = read()
        text = " ".join(m.decode("utf-16-le") for m in re.findall(rb"(?:[\x20-\x7e]\x00){3,}", data))
        seen.find(
            RUNS if re.search(r"cmd|powershell|mshta", text, re.IGNORECASE) else NOTES,
            "an external link",
            clean(text),
            name,
        )
        return len(data)
    if lower in ("docprops/core.xml", "docprops/app.xml", "meta.xml"):
        data = read(2**20)
        found = _METADATA.findall(data.decode("utf-8", "replace"))
        seen.facts.setdefault("metadata", {}).update({key: clean(value, 200) for key, value in found})
        return len(data)
    if _FIELDS.match(name):
        data = read()
        Fields(seen, name).read(data)
        return len(data)
    return 0


def _embedded(data: bytes, name: str, what: str, kind: str, seen: Seen) -> None:
    told = {"pebin": "a Windows program", "ole": "an OLE object", "unknown": "unknown content"}.get(kind, kind)
    if kind == "ole":
        from secgemini_jupyter.local_server.analyst.triage.ole import packaged

        for title, size, start in packaged(data):
            is_program = start[:2] == b"MZ" or re.search(
                r"\.(?:exe|scr|js|jse|vbs|vbe|hta|lnk|bat|cmd|ps1|wsf)$", title.lower()
            )
            seen.find(
                RUNS if is_program else NOTES,
                f"a packaged file of {count(size, 'byte')}: a click on it opens it",
                title,
                name,
            )
    seen.find(RUNS if kind == "pebin" else NOTES, f"{what}: {told}", name, name)


def _relations(data: bytes, name: str, seen: Seen) -> None:
    """External targets: a link waits for a click, a template or an object is loaded on opening."""

    def start(tag: str, attributes: dict[str, str]) -> None:
        if not tag.endswith("Relationship") or attributes.get("TargetMode", "").lower() != "external":
            return
        kind = attributes.get("Type", "").rpartition("/")[2]
        target = attributes.get("Target", "")
        if kind == "hyperlink":
            seen.find(LINKS, "a link", target, name)
        elif kind in _LOADED:
            what = (
                "a template is loaded from elsewhere"
                if kind == "attachedTemplate"
                else f"an external {clean(kind, 40)}"
            )
            seen.find(FETCHES, f"{what} (loaded on opening)" if kind != "attachedTemplate" else what, target, name)
        else:
            seen.find(FETCHES, f"an external {clean(kind, 40)}", target, name)
        if (
            re.match(r"\s*(?:mhtml|ms-msdt|search-ms|file|script|javascript|ms-\w+):", target, re.IGNORECASE)
            or "!x-usc:" in target
        ):
            seen.find(RUNS, "a target that starts another program", target, name)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError):
        seen.miss("the part", name)
