"""What was found earlier in a session: read out of its messages, so it is the same after a kernel's restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.calls import Outcome
from secgemini_jupyter.local_server.analyst.listing import Item, items_of
from secgemini_jupyter.local_server.analyst.text import Plain, code
from secgemini_jupyter.local_server.analyst.tool import Call, Tool, Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.models import Message, MessageType

MAX_PAST = 12
"""Turns that are looked back."""
MAX_NAMED = 60
"""Characters of a prompt by which an answer is named."""
MAX_RECALLED = 1_000
"""Items that a recollection holds."""


class Recollection(msgspec.Struct):
    """Arguments: `of` is the prompt whose answer is meant, `asked` what is wanted of it."""

    of: str
    asked: str


def _never(*_: object) -> Any:
    raise NotImplementedError("a recollection is made by the planner")


RECALL = Tool(
    name="recall",
    description="Takes items out of an earlier answer of the session.",
    ability='go on from an earlier answer: "and the second one?", "only the IPs", "as a table"',
    arguments=Recollection,
    run=_never,
    plan=lambda _request: [],
    answer=lambda result, _wish: _told(result),
    items=lambda result: list(result["items"]),
)
"""A follow-up's own step, shown in the turn like a tool's: a further follow-up can go on from what it took."""


def _told(result: dict[str, Any]) -> str:
    return f"{len(result['items']):,} of {result['total']:,} in the answer to {code(result['of'], 100)}."


def tool_named(name: str) -> Tool | None:
    return RECALL if name == RECALL.name else tools().get(name)


@dataclass(frozen=True)
class Past:
    """An earlier turn that tools answered."""

    prompt: str
    outcomes: Sequence[Outcome]

    @property
    def name(self) -> Plain:
        """How an answer speaks of it: by the prompt that a tool answered, and what was taken of that since."""
        recalled = self.outcomes[0].result if self.is_recollection else None
        prompt = " ".join(str((recalled or {}).get("of") or self.prompt).split())
        shown = code(prompt if len(prompt) <= MAX_NAMED else f"{prompt[:MAX_NAMED]}…", MAX_NAMED + 1)
        part = str((recalled or {}).get("part") or "")
        return Plain(f"the answer to {shown}" + (f" ({code(part)} alone)" if part else ""))

    @property
    def is_selection(self) -> bool:
        """Whether it told some of the items by their places."""
        return self.is_recollection and bool((self.outcomes[0].result or {}).get("position"))

    @property
    def items(self) -> list[Item]:
        """All that it listed, in its order."""
        return [item for each in self.outcomes for item in items_of(tool_named(each.call.tool), each.result or {})]

    @property
    def is_recollection(self) -> bool:
        return all(each.call.tool == RECALL.name for each in self.outcomes)

    @property
    def files(self) -> list[str]:
        return list(dict.fromkeys(str(o.call.arguments["file"]) for o in self.outcomes if o.call.arguments.get("file")))

    def answer(self, wish: Wish) -> list[str]:
        told = ((tool_named(each.call.tool), each.result) for each in self.outcomes)
        return [tool.answer(result, wish) for tool, result in told if tool and result is not None]


def past_turns(history: Sequence[Message]) -> list[Past]:
    """The turns with results of tools, the last one first. Messages that were changed or taken back are so here."""
    changed: dict[str, str | None] = {}
    found: list[Past] = []
    outcomes: list[Outcome] = []
    calls: dict[str, dict[str, Any]] = {}
    results: list[dict[str, Any]] = []
    for message in reversed(history):
        kind = message.message_type
        if kind in (MessageType.UPDATE, MessageType.DELETE):
            changed.setdefault(message.parent_id, message.content if kind is MessageType.UPDATE else None)
        elif kind is MessageType.QUERY:
            outcomes = list(filter(None, (_outcome(calls.get(each["id"]), each) for each in reversed(results))))
            if outcomes:
                found.append(Past(message.content or "", tuple(outcomes)))
            calls, results = {}, []
            if len(found) == MAX_PAST:
                break
        elif kind is MessageType.DEBUG and (content := changed.get(message.id, message.content)):
            said = _object(content)
            if "response" in said:
                results.append(said)
            elif said:
                calls[said["id"]] = said
    return found


def _object(content: str) -> dict[str, Any]:
    """A call or a result as the turn showed it; empty for any other text."""
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return {}
    is_one = isinstance(value, dict) and isinstance(value.get("id"), str) and isinstance(value.get("name"), str)
    return value if is_one and ("response" in value or isinstance(value.get("args"), dict)) else {}


def _outcome(call: dict[str, Any] | None, said: dict[str, Any]) -> Outcome | None:
    result = said["response"].get("result") if isinstance(said["response"], dict) else None
    if call is None or not isinstance(result, dict):
        return None
    return Outcome(Call(call["name"], call["args"], ""), result)
