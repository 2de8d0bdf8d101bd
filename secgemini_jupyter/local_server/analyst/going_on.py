"""A question that stands for itself, but goes on about the files that the one before was about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from secgemini_jupyter.local_server.analyst.acting import of_the_same_part
from secgemini_jupyter.local_server.analyst.earlier import Past
from secgemini_jupyter.local_server.analyst.parts import OF_PARTS
from secgemini_jupyter.local_server.analyst.planner import Plan
from secgemini_jupyter.local_server.analyst.planner import why as planned
from secgemini_jupyter.local_server.analyst.tool import Request

_GOES_ON = re.compile(r"\s*(?:and|also|then|now|what about|how about|und|y)\b", re.IGNORECASE)


def goes_on(request: Request, plan: Plan) -> bool:
    """Whether a question of its own goes on about what the last was about: "and the destination ports?"."""
    if request.named() or request.pasted:
        return False
    files = {call.arguments.get("file") for call in plan.calls}
    has_parts = any(each.kind.startswith("archive/") for each in request.attachments if each.name in files)
    is_more = len(files) > 1 and _GOES_ON.match(request.prompt) is not None
    return is_more or (has_parts and request.asks(r"\b(?:it|its|that one|this one)\b"))


def narrowed(plan: Plan, past: Sequence[Past]) -> Plan:
    """The plan, for the files and the member alone that the last answer was about."""
    files = past[0].files if past else []
    calls = [call for call in plan.calls if call.arguments.get("file") in files]
    calls = [of_the_same_part(call, past[0]) if call.tool in OF_PARTS else call for call in calls]
    return replace(plan, calls=calls, why=planned(calls)) if calls else plan
