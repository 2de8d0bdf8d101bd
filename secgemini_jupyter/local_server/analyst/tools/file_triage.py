"""file_triage: what a file is and what stands out in it: programs, documents, scripts, shortcuts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.parts import named_parts, whole_of
from secgemini_jupyter.local_server.analyst.text import Plain, block, code, count, listed, table
from secgemini_jupyter.local_server.analyst.tool import Attached, Call, FileOrText, Payload, Request, Tool, Wish
from secgemini_jupyter.local_server.analyst.triage.answers import ABOUT, lead, missed, value_of

_SCRIPT = re.compile(
    r"\.(?:ps[md]?1|vb[se]?|jse?|wsf|hta|html?|bat|cmd|sh|py|pyw|php|slk|csv|xml|bas|lnk|sct)$", re.IGNORECASE
)
_TRIAGE = r"\btriag\w+|\bfile ?types?\b|\bwhat (?:kind|type|sort) of (?:a )?file\b|\btake (?:it|this|_) apart\b"
_TYPE = (
    r"\bfile ?types?\b|\bwhat (?:kind|type|sort) of (?:a )?file\b|\breally an?\b|\bis (?:it|this|_) an? (?:exe|pdf|zip)"
)
_VAGUE = r"\b(?:malicious|malware|safe|dangerous|harmful|suspicious|infected|what does (?:it|this|_) do)\b"
_EXTRACT = (
    r"\b(?:extract|pull|list|find|get|give|show|collect|which|what|only|just)\b[^.\n]{0,40}\b(?:urls|links|domains)\b"
)
_LOOK = r"\b(?:look|check|analy[sz]e|inspect|examine|open|runs?|macros?)\b|\bwhat\b.{0,60}\bdo(?:es)?\b"
_FACTS = frozenset(
    "sections imports exports imphash signature compiled resources overlay links pages size metadata type".split()
)
"""Topics whose answer is complete in its first sentences."""
_GROUPS = (
    ("runs", "Runs something"),
    ("fetches", "Loads from elsewhere"),
    ("hides", "Hides or packs"),
    ("notes", "Also"),
)


class TriageArguments(FileOrText):
    """`about`: what the answer leads with."""

    about: list[str] = msgspec.field(default_factory=list)


def file_triage(arguments: TriageArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    from secgemini_jupyter.local_server.analyst.triage.triage import triage

    content = arguments.content(files)
    name = (arguments.member or [arguments.file or ""])[-1]
    result = {"source": arguments.source, **triage(content, name), "about": arguments.about[:6]}
    if arguments.file is not None:
        result["file"], result["member"] = arguments.file, arguments.member
    return result


def is_ours(each: Attached) -> bool:
    """What has a structure to take apart; other tools read logs, mail, certificates and archives."""
    if each.kind == "text":
        return _SCRIPT.search(each.name) is not None
    return not each.is_log and each.kind not in ("email", "x509", "empty") and not each.kind.startswith("archive/")


def _plan(request: Request) -> list[Call]:
    if parts := _parts(request):
        return parts
    if request.asks(_TYPE):
        return [_call(each, ["type"]) for each in request.named() or request.attachments]
    files = request.fitting(is_ours)
    if request.asks(r"\bscripts?\b|\bmacros?\b|\bdocuments?\b|\bdde\b") and not files:
        files = request.fitting(lambda each: each.kind == "text")
    calls = []
    for each in files:
        topics = [topic for topic, (fits, words) in ABOUT.items() if re.match(fits, each.kind) and request.asks(words)]
        if topics == ["links"] and request.asks(_EXTRACT):
            continue  # extract_iocs says them
        if topics or request.asks(_TRIAGE) or request.asks(_VAGUE):
            calls.append(_call(each, topics))
    return calls


def _call(each: Attached, about: list[str]) -> Call:
    extra = {"about": about} if about else {}
    return Call("file_triage", {"file": each.name} | extra, f"look at the structure of {code(each.name)}")


def _parts(request: Request) -> list[Call]:
    """Parts that the user names: "triage invoice.exe in mail.zip"."""
    whole = whole_of(request)
    if whole is None or not (request.asks(_TRIAGE) or request.asks(_VAGUE) or request.asks(_LOOK)):
        return []
    where = code(whole.name)
    return [
        Call("file_triage", {"file": whole.name, "member": [name]}, f"look at the structure of {code(name)} in {where}")
        for name in named_parts(request)
    ]


def _then(request: Request, call: Call, result: dict[str, Any]) -> list[Call]:
    """What is encoded is decoded; indicators are looked for, of a program in its strings."""
    if request.wish.is_bare or set(result["about"]) - {"safe", "runs", "verdict", "macros"}:
        return []
    calls = [Call("decode", {"text": text}, "decode what is encoded in it") for text in result["encoded"]]
    told = "\n".join(each["value"] for each in result["findings"] if each["kind"] in ("runs", "fetches"))
    told += "\n" + "\n".join([*result["facts"]["links"], str(result["facts"].get("macro_source", ""))])
    where = {key: call.arguments[key] for key in ("file", "member") if call.arguments.get(key)}
    has_address = re.search(r"://|\d\.\d{1,3}\.\d", told) is not None
    if where and result["kind"].startswith(("executable/", "document/")):
        if has_address or not result["about"]:
            what = "its strings" if result["kind"].startswith("executable/") else "its text and links"
            calls.append(Call("extract_iocs", where, f"find indicators in {what}"))
    elif has_address:
        calls.append(Call("extract_iocs", {"text": told[:20_000]}, "find indicators in what stands out"))
    return calls


def _answer(result: dict[str, Any], wish: Wish) -> str:
    if (bare := value_of(result, wish)) is not None:
        return bare
    topics = {*result["about"]}
    parts = [lead(result)]
    if not topics or topics - _FACTS:
        parts.append(_evidence(result))
    if not topics or topics & {"type", "runs", "verdict"}:
        parts.append(_identity(result))
    sections = result["facts"].get("sections")
    if sections and ("sections" in topics or not topics):
        parts.append(_sections(sections))
    capabilities = result["facts"].get("capabilities")
    if capabilities and not topics:
        rows = [(Plain(what), Plain(listed(names, 6).replace("|", "\\|"))) for what, names in capabilities.items()]
        parts.append(table([Plain("imports that can"), Plain("functions")], rows))
    if source := result["facts"].get("macro_source"):
        parts.append("**The macros' source**\n\n" + block(source, 3000))
    unread = [f"{told[0].upper()}{told[1:]}." for told in map(missed, result["unread"])]
    limits = list(dict.fromkeys([*result["limits"], "Nothing was run and nothing was looked up online."]))
    parts.append("Limits: " + " ".join([*unread[:6], *limits[:6]]))
    return "\n\n".join(part for part in parts if part)


def _evidence(result: dict[str, Any]) -> str:
    parts = []
    for kind, title in _GROUPS:
        found = [each for each in result["findings"] if each["kind"] == kind]
        lines = []
        for each in found[:12]:
            value = f": {code(each['value'], 300)}" if each["value"] else ""
            where = f" ({code(each['where'], 100)})" if each["where"] and each["where"] != each["value"] else ""
            lines.append(f"- {each['what']}{value}{where}")
        if len(found) > 12:
            lines.append(f"- ({len(found) - 12:,} more)")
        if lines:
            parts.append(f"**{title}**\n\n" + "\n".join(lines))
    links = result["facts"]["links"]
    if links and "links" not in result["about"]:
        parts.append(f"**Links**: {count(len(links), 'address', 'addresses')}, among them {listed(links, 5)}.")
    return "\n\n".join(parts)


def _identity(result: dict[str, Any]) -> str:
    facts = result["facts"]
    rows: list[tuple[Any, Any]] = [
        (Plain(name), result[name]) for name in ("md5", "sha1", "sha256", "ssdeep") if name in result
    ]
    rows.append((Plain("size, entropy"), Plain(f"{count(result['size'], 'byte')}, {result['entropy']} bits per byte")))
    for key, title in (
        ("imphash", "imphash"), ("compiled", "compiled (as the header says)"), ("subsystem", "subsystem"),
        ("pdb", "debug file"), ("pages", "pages"), ("target", "target"), ("arguments", "arguments"),
        ("macro_summary", "macros"), ("version", "version"),
    ):  # fmt: skip
        if facts.get(key):
            rows.append((Plain(title), facts[key]))
    rows += [
        (Plain(key.replace("_", " ")), Plain(listed(facts[key], 8).replace("|", "\\|")))
        for key in ("protections", "libraries", "object_classes", "attached_files")
        if facts.get(key)
    ]
    for key in ("version_info", "metadata"):
        for name, value in list((facts.get(key) or {}).items())[:8]:
            rows.append((Plain(key.replace("_", " ") + f": {code(name, 40)}".replace("|", "\\|")), value))
    signature = facts.get("signature")
    if signature is not None:
        told = "not there"
        if signature["is_present"]:
            told = "there, not verified" + (
                f": {listed(signature.get('certificates') or [], 3)}" if signature.get("certificates") else ""
            )
        rows.append((Plain("signature"), Plain(told.replace("|", "\\|"))))
    return table([Plain("fact"), Plain("value")], rows, limit=30)


def _sections(sections: list[dict[str, Any]]) -> str:
    rows = [
        (
            each["name"] or "(unnamed)",
            each.get("virtual_size"),
            each["raw_size"],
            each["entropy"],
            Plain(each.get("rights") or "–"),
        )
        for each in sections
    ]
    return table([Plain(h) for h in ("section", "in memory", "in the file", "entropy", "rights")], rows, limit=40)


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    if "sections" in result["about"]:
        return [dict(each) for each in result["facts"].get("sections") or []]
    if "links" in result["about"]:
        return [{"type": "url", "value": link} for link in result["facts"].get("links") or []]
    if "imports" in result["about"]:
        imports = (result["facts"].get("imports") or {}).items()
        return [{"library": library, "function": name} for library, names in imports for name in names]
    return [dict(each) for each in result["findings"]]


def _payloads(result: dict[str, Any]) -> list[Payload]:
    sections = result["facts"].get("sections")
    if not sections:
        return []
    columns = list(sections[0])
    rows = [[each.get(column) for column in columns] for each in sections]
    title = f"Sections of {result['source'][:80]}"
    return [Payload("sec-gemini/table", title, {"title": title, "columns": columns, "rows": rows})]


TOOLS = (
    Tool(
        name="file_triage",
        description="What a file is and what stands out: PE, ELF, PDF, Office (macros, DDE), RTF, scripts, shortcuts.",
        ability='take a program, document or script apart: "Triage sample.exe", "Does this document run anything?"',
        arguments=TriageArguments,
        run=file_triage,
        plan=_plan,
        answer=_answer,
        payloads=_payloads,
        then=_then,
        items=_items,
    ),
)
