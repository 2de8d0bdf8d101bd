"""A question that stands for itself, but goes on about the files that the one before was about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from secgemini_jupyter.local_server.analyst.earlier import Past
from secgemini_jupyter.local_server.analyst.planner import Plan
from secgemini_jupyter.local_server.analyst.planner import why as planned
from secgemini_jupyter.local_server.analyst.tool import Request

_GOES_ON = re.compile(r"\s*(?:and|also|then|now|what about|how about|und|y)\b", re.IGNORECASE)


def goes_on(request: Request, plan: Plan) -> bool:
    """Whether a question of its own goes on about what the last was about: "and the destination ports?"."""
    files = {call.arguments.get("file") for call in plan.calls}
    return len(files) > 1 and not request.named() and _GOES_ON.match(request.prompt) is not None


def narrowed(plan: Plan, past: Sequence[Past]) -> Plan:
    """The plan, for the files alone that the last answer was about."""
    files = past[0].files if past else []
    calls = [call for call in plan.calls if call.arguments.get("file") in files]
    return replace(plan, calls=calls, why=planned(calls)) if calls else plan
