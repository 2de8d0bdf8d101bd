"""From what the tools gave to one answer."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst import planner
from secgemini_jupyter.local_server.analyst.calls import Outcome
from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.tool import Payload, Request, subject
from secgemini_jupyter.local_server.analyst.toolbox import tools

MAX_RESULT = 250_000


def compose(request: Request, outcomes: Sequence[Outcome], off: Container[str] = ()) -> str:
    if not outcomes:
        return planner.nothing_fits(request, off)
    if request.wish.as_json:
        return _as_json(outcomes)
    parts = []
    for outcome in outcomes:
        call, result = outcome.call, outcome.result
        if result is None:
            parts.append(f"`{call.tool}` has no answer for {subject(call.arguments)}: {code(outcome.error, 600)}")
        else:
            parts.append(tools()[call.tool].answer(result, request.wish))
    if (used := data_used(outcomes)) and not request.wish.is_bare:
        parts.append(used)
    text = "\n\n".join(parts)
    if len(text) > MAX_RESULT:
        text = text[:MAX_RESULT] + f"\n\n({len(text) - MAX_RESULT:,} more characters)"
    return text


def payloads(request: Request, outcomes: Sequence[Outcome]) -> list[Payload]:
    """What goes beside the answer: nothing, where the user wants only one thing."""
    if request.wish.is_bare:
        return []
    return [each for o in outcomes if o.result is not None for each in tools()[o.call.tool].payloads(o.result)]


def data_used(outcomes: Sequence[Outcome]) -> str:
    """One line on the data behind the results: names and versions."""
    used: dict[str, None] = {}
    for outcome in outcomes:
        for source in (outcome.result or {}).get("sources") or ():
            if "name" in source and (version := source.get("version") or source.get("date")):
                used[f"{source['name']} {version}"] = None
    return f"Data: {', '.join(used)}; offline." if used else ""


def _as_json(outcomes: Sequence[Outcome]) -> str:
    """One tool's result alone, several by their tools' names."""
    whole: Any = outcomes[0].result if outcomes[0] else outcomes[0].response
    if len(outcomes) > 1:
        whole = [{"tool": each.call.tool, **each.response} for each in outcomes]
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()
