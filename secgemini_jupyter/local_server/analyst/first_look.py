"""For "look at this": what suits the kind of each attachment, which its bytes tell and its name does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.tool import Attached, Call, Request
from secgemini_jupyter.local_server.analyst.toolbox import tools

_GENERIC = (
    r"\b(?:analy[sz]e|analysis|triage|look (?:at|into)|have a look|check|inspect|examine|investigate|what (?:is"
    r"|are|'s)|what's|explain"
    r"|summar\w+|tell me (?:about|more)|anything|thoughts|opinion|think|suspicious|malicious|malware|virus"
    r"|infected|dangerous"
    r"|harmful|harmless|safe|legit\w*|benign|clean|bad|evil|odd|weird|strange|phish\w*|spam|scam|fake|trust\w*"
    r"|verdict|report|assess\w*"
    r"|review|open|read|details|info\w*|describe|overview|help|pr[uü]f\w*|analysier\w*|schau\w*|gef[aä]hrlich"
    r"|b[oö]sartig|verd[aä]chtig|analiza\w*"
    r"|revisa\w*|peligros\w*|malicios\w*|sospechos\w*|run anything|do anything|happened|happening|going on)\b"
)
_ALL = (
    r"\btriage\b|\b(?:everything|each|every|all)\b|\b(?:these|the) (?:files|attachments|things)\b|\b(?:alles"
    r"|alle|todo|todos)\b"
    r"|\bwhat (?:is|are) (?:these|all this|in (?:here|them))\b"
)
SHORT = 5
"""Words of a prompt that say too little to be about anything but what is attached: "Phish?"."""
_BY_KIND = {
    "email": ("email_analyze",),
    "x509": ("x509_inspect",),
    "archive/": ("archive_list",),
    "executable/": ("file_triage",),
    "document/": ("file_triage",),
    "text": ("extract_iocs",),
    "empty": ("hash_file",),
}
_REASONS = {
    "email_analyze": "take apart the message",
    "x509_inspect": "read the certificate",
    "archive_list": "list what is in",
    "file_triage": "look at the structure of",
    "extract_iocs": "find indicators in",
    "hash_file": "hash",
    "auth_timeline": "read the logins in",
    "log_summary": "count what is in",
}


def first_look(request: Request) -> list[Call]:
    """The calls for a prompt that no tool recognises as its own; none if it is not about what is attached."""
    if not (request.attachments or request.table):
        return []
    is_short = len(request.prompt.split()) <= SHORT
    if not (request.named() or is_short or request.asks(_GENERIC)):
        return []
    return list(_calls(request))


def rest(request: Request, calls: Sequence[Call]) -> list[Call]:
    """First looks at what the calls leave out, where all that is attached is to be looked at."""
    covered = {call.arguments.get("file") for call in calls}
    left = [each for each in request.attachments if each.name not in covered]
    if not calls or None in covered or not left or request.named() or not request.asks(_ALL):
        return []
    if not request.asks(_GENERIC):  # "the IPs in all files": no first look, but the same of each
        if not request.asks(r"\b(?:ips?|ip addresses|urls?|domains?|iocs?|indicators?)\b"):
            return []
        extra = {"types": ["ipv4", "ipv6"]} if request.asks(r"\bips?\b") else {}
        return [Call("extract_iocs", {"file": e.name} | extra, f"find indicators in {code(e.name)}") for e in left]
    return list(_calls(replace(request, attachments=left, table=None)))


def _calls(request: Request) -> Iterator[Call]:
    if table := request.asked_table:
        for tool in _tools_for(table):
            yield Call(tool, {"table": table.name}, f"{_REASONS[tool]} the logs table")
    for each in request.named() or request.attachments:
        for tool in _tools_for(each):
            yield Call(tool, {"file": each.name}, f"{_REASONS[tool]} {code(each.name)}")


def _tools_for(attached: Attached) -> list[str]:
    if attached.is_log:
        return ["auth_timeline", "log_summary"] if attached.has_logins else ["log_summary"]
    there = tools()
    for kind, fitting in _BY_KIND.items():
        if re.match(rf"{re.escape(kind)}{'' if kind.endswith('/') else '$'}", attached.kind):
            return [tool for tool in fitting if tool in there] or ["hash_file", "extract_iocs"]
    return ["file_triage"] if "file_triage" in there else ["hash_file", "extract_iocs"]
