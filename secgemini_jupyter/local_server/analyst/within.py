"""Members of an archive that a prompt is about: what is asked goes to them as it would to attachments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from secgemini_jupyter.local_server.analyst.parts import named_parts, whole_of
from secgemini_jupyter.local_server.analyst.subjects import SUBJECTS, asked_of, meant
from secgemini_jupyter.local_server.analyst.tool import Attached, Call, Request

MAX_MEMBERS = 3
"""Members that one question is put to."""
MAX_KNOWN = 1_000
_OF_THE_WHOLE = (
    r"\bencrypt\w*|\bpassword[- ]protected\b|\bmodified\b|\bcompress\w*|\bratio\b|\bis there\b|\bare there\b"
    r"|\b(?:it|zip|archive|_) (?:contains?|have|has|includes?)\b|\blargest\b|\bbiggest\b|\btravers\w+|\bbombs?\b"
)
"""What an archive itself tells of its members."""


def archive_of(request: Request) -> Attached | None:
    """The only archive in question, if a member of it may be meant."""
    whole = whole_of(request)
    if whole is None or request.pasted:
        return None
    if whole.kind == "email":  # "what is in the zip?"; parts that are named it finds itself
        others = [each.nouns for each in SUBJECTS if each.nouns and "email" not in each.kinds]
        is_one = len(request.attachments) == 1 and not named_parts(request)
        return whole if is_one and request.asks(rf"\b(?:the|this|that) (?:{'|'.join(others)}|docx?|pdf)\b") else None
    if named_parts(request):
        return whole
    is_alone = len(request.attachments) == 1 or request.named() == [whole]
    nouns = "|".join(each.nouns for each in SUBJECTS if each.nouns and "archive/" not in each.kinds)
    return whole if is_alone and (asked_of(request) or request.asks(rf"\b(?:the|this|that) (?:{nouns})\b")) else None


def members_of(listing: dict[str, Any]) -> tuple[Attached, ...]:
    """The members in a result of `archive_list`, those of archives within too; of `email_analyze` the attachments."""
    if "attachments" in listing:
        return tuple(Attached(e["name"], e["kind"], e["size"], path=(e["name"],)) for e in listing["attachments"])
    found = [((row["name"],), row) for row in listing["members"]]
    for inner in listing["nested"]:
        found += [((*inner["path"], row["name"]), row) for row in inner.get("members") or []]
    return tuple(
        Attached(path[-1], row["kind"] or "?", row["size"] or 0, row.get("has_logins", False), path=path)
        for path, row in found[:MAX_KNOWN]
        if row["type"] == "file" and not row["encrypted"]
    )


def within(request: Request) -> tuple[Attached, Request, bool] | None:
    """The archive, the request as one about its members, and whether the user says so; None if it is about none."""
    whole = archive_of(request)
    if whole is None or not whole.parts or (whole.kind != "email" and request.asks(_OF_THE_WHOLE)):
        return None
    if names := named_parts(request):
        parts = [replace(part, name=name) for name in names if (part := _named(whole.parts, name)) is not None]
        return (whole, replace(request, attachments=parts, table=None), True) if parts else None
    fitting = meant(request, whole.parts)
    is_said = bool(fitting)
    if not fitting and whole.kind != "email" and (subject := asked_of(request)) is not None:
        fitting = [each for each in whole.parts if subject.fits(each)]
    if not fitting or len(fitting) > MAX_MEMBERS:
        return None
    # By the names that the archive gives them: a prompt that names the archive itself names none of these.
    words = re.sub(rf"(?i)(?:\b(?:in|of|from|inside)\s+)?{re.escape(whole.name)}", " ", request.instruction)
    asked = replace(request, instruction=words, attachments=fitting, table=None)
    return whole, asked, is_said


def _named(parts: Sequence[Attached], name: str) -> Attached | None:
    wanted = name.replace("\\", "/").lower()
    for each in parts:
        if each.name.lower() == wanted:
            return each
    return next((each for each in parts if each.name.replace("\\", "/").lower().endswith(f"/{wanted}")), None)


def put_to_members(whole: Attached, parts: Sequence[Attached], calls: Sequence[Call]) -> list[Call]:
    """The calls about the members, as calls about the archive that say which member."""
    paths = {each.name: list(each.path) for each in parts}
    return [
        replace(call, arguments=call.arguments | {"file": whole.name, "member": paths[call.arguments["file"]]})
        for call in calls
        if call.arguments.get("file") in paths
    ]
