"""What a follow-up comes to: calls, or an answer that is taken out of an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from secgemini_jupyter.local_server.analyst import composing
from secgemini_jupyter.local_server.analyst.earlier import MAX_RECALLED, RECALL, Past
from secgemini_jupyter.local_server.analyst.listing import Item
from secgemini_jupyter.local_server.analyst.tool import Call, Request


@dataclass(frozen=True)
class Recalled:
    """An answer out of an earlier one: the step that the turn shows, and what is said."""

    call: Call
    result: dict[str, Any]
    text: str


@dataclass(frozen=True)
class FollowUp:
    """What to do: run `calls` of `request`, or say what was recalled.

    Attributes:
        lead: which earlier answer it is about, before what the calls give.
    """

    why: str
    request: Request
    calls: Sequence[Call] = ()
    lead: str = ""
    recalled: Recalled | None = None


def recall(
    request: Request, past: Past, asked: str, items: Sequence[Item], text: str, *, position: int = 0, part_: str = ""
) -> FollowUp:
    """
    Args:
        position: place of the items in the earlier answer.
        part_: what the items have in common, which tells them from all of that answer.
    """
    result: dict[str, Any] = {"of": past.prompt[:400], "total": len(past.items), "items": list(items[:MAX_RECALLED])}
    before = past.outcomes[0].result if past.is_recollection else None
    if before:
        result["of"] = before.get("of", result["of"])
        part_ = part_ or str(before.get("part") or "")
    if part_:
        result["part"] = part_
    if position:
        result["position"] = position
    if used := [s for o in past.outcomes for s in (o.result or {}).get("sources") or () if isinstance(s, dict)]:
        result["sources"] = used
        told = composing.data_used(past.outcomes)
        text = text if request.wish.is_bare or not told or told in text else f"{text}\n\n{told}"
    call = Call(RECALL.name, {"of": result["of"], "asked": asked}, "")
    why = f"It goes on from {past.name}: I take it from that answer, and run no tool anew."
    return FollowUp(why, request, recalled=Recalled(call, result, text))
