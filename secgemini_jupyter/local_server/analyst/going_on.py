"""A question that stands for itself, but goes on about the files that the one before was about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from secgemini_jupyter.local_server.analyst.acting import of_the_same_part
from secgemini_jupyter.local_server.analyst.earlier import Past, tool_named
from secgemini_jupyter.local_server.analyst.parts import OF_PARTS
from secgemini_jupyter.local_server.analyst.planner import Plan
from secgemini_jupyter.local_server.analyst.planner import why as planned
from secgemini_jupyter.local_server.analyst.recalled import FollowUp
from secgemini_jupyter.local_server.analyst.tool import Call, Request

_GOES_ON = re.compile(r"\s*(?:and|also|then|now|what about|how about|und|y)\b", re.IGNORECASE)


_QUESTION = "log_question"


def goes_on(request: Request, plan: Plan) -> bool:
    """Whether a question of its own goes on about what the last was about: "and the destination ports?"."""
    if request.named() or request.pasted:
        return False
    files = {call.arguments.get("file") for call in plan.calls}
    has_parts = any(each.kind.startswith("archive/") for each in request.attachments if each.name in files)
    is_more = len(files) > 1 and _GOES_ON.match(request.prompt) is not None
    is_of_rows = any(call.tool == _QUESTION for call in plan.calls) and (
        _GOES_ON.match(request.prompt) is not None or request.asks(r"\b(?:it|they|them|these|those)\b")
    )
    return is_more or is_of_rows or (has_parts and request.asks(r"\b(?:it|its|that one|this one)\b"))


def narrowed(plan: Plan, past: Sequence[Past]) -> Plan:
    """The plan, for the files and the member alone that the last answer was about."""
    if not past:
        return plan
    files = past[0].files
    calls = [call for call in plan.calls if call.arguments.get("file") in files]
    calls = [
        of_the_same_part(call, past[0]) if past and call.tool in OF_PARTS else call for call in calls or plan.calls
    ]
    asked = {_subject(each.call): each.call for each in past[0].outcomes if each.call.tool == _QUESTION} if past else {}
    calls = [
        replace(call, arguments=call.arguments | {"earlier": before.arguments["question"]})
        if call.tool == _QUESTION and (before := asked.get(_subject(call)))
        else call
        for call in calls
    ]
    return replace(plan, calls=calls, why=planned(calls)) if calls else plan


def _subject(call: Call) -> tuple[str, ...]:
    return tuple(str(call.arguments.get(name)) for name in _SUBJECTS)


_IT = re.compile(r"\b(?:it|its|they|their|them|that|this)\b", re.IGNORECASE)
_SUBJECTS = ("file", "table", "text", "member")
MAX_SHORT = 120
MAX_ELLIPTIC = 8
"""Words of a question that says no subject: "mitigations?", "and with S:C?"."""


def may_go_on(request: Request, plan: Plan) -> bool:
    """Whether a prompt that no tool takes for its own may ask more of what the last answer was about."""
    is_short = len(request.prompt) <= MAX_SHORT and not request.pasted and not request.named()
    is_open = plan.literal is None and (not plan.calls or plan.is_guess)
    is_elliptic = _IT.search(request.prompt) is not None or len(request.prompt.split()) <= MAX_ELLIPTIC
    return is_short and is_open and is_elliptic and not any(a.is_new for a in request.attachments)


def go_on(request: Request, past: Sequence[Past]) -> FollowUp | None:
    """More of the thing that the last answer was about: only its tool knows what can be asked of it."""
    if not past or past[0].is_recollection:
        return None
    for outcome in past[0].outcomes:
        tool = tool_named(outcome.call.tool)
        if outcome.result is not None and tool is not None and (calls := tool.again(request, outcome.result)):
            calls = [_with_subject(call, outcome.call) for call in calls]
            return FollowUp(f"It goes on from {past[0].name}. {planned(calls)}", request, calls)
    return None


def _with_subject(call: Call, before: Call) -> Call:
    """The same tool again is about the same text or file, where it says no other."""
    if call.tool != before.tool:
        return call
    subject = {name: before.arguments[name] for name in _SUBJECTS if name in before.arguments}
    return call if {*call.arguments} & {*_SUBJECTS} else replace(call, arguments=subject | call.arguments)
