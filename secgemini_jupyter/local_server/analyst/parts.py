"""Parts that the user names: "the hash of invoice.exe in mail.zip" is about the part, not about the archive."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from secgemini_jupyter.local_server.analyst.tool import Attached, Call, Request

MAX_PARTS = 5
OF_PARTS = frozenset({"hash_file", "read_text", "extract_iocs", "decode", "defang", "file_triage", "yara_scan"})
"""Tools that may be meant for a part as well as for the whole."""

_NAME = re.compile(
    r"(?<![\w/.-])((?:[\w@()+-]{1,80}[/\\]){0,8}[\w@()+-][\w@()+.-]{0,80}\.[A-Za-z0-9]{1,5})(?![\w-])", re.ASCII
)
_NO_NAME = re.compile(r"[\d.]+|(?:e\.g|i\.e|etc)\.?|https?|www\..*", re.IGNORECASE)


def whole_of(request: Request) -> Attached | None:
    """The archive or e-mail that parts can be of: the only one in question."""
    wholes = [each for each in request.named() or request.attachments if _has_parts(each)]
    wholes = wholes or [each for each in request.attachments if _has_parts(each)]
    return wholes[0] if len(wholes) == 1 else None


def _has_parts(each: Attached) -> bool:
    return each.kind.startswith("archive/") or each.kind == "email"


def named_parts(request: Request) -> list[str]:
    """File names in what the user says that are no attachments'."""
    names = {each.name.lower() for each in request.attachments}
    found = [match[1] for match in _NAME.finditer(request.instruction[:2_000])]
    return [name for name in dict.fromkeys(found) if name.lower() not in names and not _NO_NAME.fullmatch(name)][
        :MAX_PARTS
    ]


def of_parts(request: Request, calls: Sequence[Call]) -> list[Call]:
    """The calls, with those about a whole of which the user names parts turned to these parts."""
    whole = whole_of(request)
    names = named_parts(request) if whole is not None else []
    if whole is None or not names:
        return list(calls)
    turned: list[Call] = []
    for call in calls:
        text = call.arguments.get("text")
        shows_name = isinstance(text, str) and len(text) < 200 and any(name in text for name in names)
        if not shows_name and (call.arguments.get("file") != whole.name or call.arguments.get("member")):
            turned.append(call)
        elif call.tool in OF_PARTS:
            rest = {key: value for key, value in call.arguments.items() if key != "text"} | {"file": whole.name}
            turned += [replace(call, arguments=rest | {"member": [name]}) for name in names]
        elif call.tool != "archive_list" or not any(each.tool in OF_PARTS for each in calls):
            turned.append(call)
    return turned
