"""The tools that a model is offered: the analyst's, and the session's local ones; and running what it asks for.

Nothing else can be called. The analyst's tools read and compute; a local tool runs at the client, if its user approves.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.calls import Caller
from secgemini_jupyter.local_server.analyst.tool import Call, Payload
from secgemini_jupyter.local_server.analyst.toolbox import switched_off, tools
from secgemini_jupyter.local_server.engines.base import EngineTurn
from secgemini_jupyter.local_server.engines.openai.checked import Known
from secgemini_jupyter.local_server.engines.openai.dialogue import tokens
from secgemini_jupyter.local_server.engines.openai.quoted import Quotable
from secgemini_jupyter.models import LocalTool

MAX_LOCAL_TOOLS = 100
NOT_OFFERED = frozenset({"data_import"})
"""They leave something behind, which later answers rest on: a file that a model obeys must not bring that about."""
_SNAKE = {
    "any_of": "anyOf", "ref": "$ref", "defs": "$defs", "additional_properties": "additionalProperties",
    "max_items": "maxItems", "min_items": "minItems", "max_length": "maxLength", "min_length": "minLength",
    "max_properties": "maxProperties", "min_properties": "minProperties",
}  # fmt: skip
_DROPPED = frozenset({"example", "nullable", "property_ordering", "title", "$schema", "propertyOrdering"})


@dataclass(frozen=True)
class Offer:
    """One tool under the name that the model knows it by."""

    name: str
    target: str
    is_local: bool
    spec: dict[str, Any]


class Offers:
    """The tools of one turn."""

    def __init__(self, turn: EngineTurn, caller: Caller, known: Known, quotable: Quotable) -> None:
        self._turn, self._caller, self._known, self._quotable = turn, caller, known, quotable
        self.by_name = {each.name: each for each in _offers(turn)}
        self.payloads: list[Payload] = []

    def specs(self, room: int | None = None) -> list[dict[str, Any]]:
        """For the request; where the room, in tokens, is less than all take, those that suit the prompt best."""
        every = [offer.spec for offer in self.by_name.values()]
        if room is None or tokens(every) <= room:
            return every
        about = " ".join([self._turn.prompt[:4000], *(each.info.name for each in self._turn.attachments)]).lower()
        words = set(re.findall(r"[a-z]{3,}", about))
        chosen: list[dict[str, Any]] = []
        for spec in sorted(every, key=lambda spec: -_fitness(spec, words)):
            if tokens([*chosen, spec]) <= room:
                chosen.append(spec)
        return chosen

    async def run(self, name: str, arguments: dict[str, Any], wrong: str = "") -> tuple[str, bool]:
        """What the model is told of a call, and whether it is a result; whatever is wrong is told in its place.

        Args:
            wrong: why the arguments cannot be used.
        """
        offer = self.by_name.get(name)
        if offer is None:
            known = ", ".join(self.by_name)
            return _told({"error": f"There is no tool {name[:100]!r}. The tools are: {known}."}), False
        if wrong:
            return _told({"error": wrong}), False
        return await (self._local(offer, arguments) if offer.is_local else self._analyst(offer, arguments))

    async def _analyst(self, offer: Offer, arguments: dict[str, Any]) -> tuple[str, bool]:
        tool = tools()[offer.target]
        given = {key: value for key, value in arguments.items() if value is not None and value != ""}
        try:
            msgspec.convert(given, tool.arguments)
        except msgspec.ValidationError as problem:
            return _told({"error": f"Wrong arguments: {problem}."}), False
        outcome = await self._caller.run(Call(offer.target, given, "asked for by the model"))
        if outcome.result is None:
            return _told({"error": outcome.error}), False
        await asyncio.to_thread(self._found, given, outcome.result)
        self.payloads += tool.payloads(outcome.result)
        return _told({"result": outcome.result}), True

    async def _local(self, offer: Offer, arguments: dict[str, Any]) -> tuple[str, bool]:
        outcome = await self._turn.call_local_tool(offer.target, arguments)
        if outcome.is_error:
            return _told({"error": outcome.output}), False
        await asyncio.to_thread(self._found, arguments, outcome.output)
        return _told({"result": outcome.output}), True

    def _found(self, arguments: object, result: object) -> None:
        self._known.add_result(arguments, result)
        self._quotable.add(result)


def _told(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


def _offers(turn: EngineTurn) -> list[Offer]:
    off = switched_off(turn.model)
    offers = [
        Offer(name, name, False, _analyst_spec(name))
        for name, tool in tools().items()
        if name not in off | NOT_OFFERED and not tool.writes
    ]
    taken = set(tools())
    for each in turn.local_tools[:MAX_LOCAL_TOOLS]:
        name = _free_name(each, taken)
        taken.add(name)
        about = f"{each.description} (a tool of the user's own machine, which may ask the user first)"
        offers.append(Offer(name, each.name, True, _spec(name, about, parameters(each.parameters))))
    return offers


@cache
def _analyst_spec(name: str) -> dict[str, Any]:
    tool = tools()[name]
    return _spec(name, tool.description, tool.schema())


def _free_name(tool: LocalTool, taken: set[str]) -> str:
    """A name that endpoints take, and that no other tool has."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", tool.name)[:50] or "tool"
    if name in taken:
        name = f"local_{name}"
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _spec(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": name, "description": description[:1000], "parameters": schema}
    return {"type": "function", "function": function}


def parameters(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A client's schema (protocol section 4.7) as JSON Schema: other names, no nulls, lower-case types."""
    found = _schema(schema, 0)
    if not isinstance(found.get("properties"), dict):
        found["properties"] = {}
    return {**found, "type": "object"}


def _schema(value: Mapping[str, Any], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, each in value.items():
        name = _SNAKE.get(key, key)
        if each is None or name in _DROPPED or depth > 20:
            continue
        if name == "type":
            kind = str(each).lower() if isinstance(each, str) else each
            if kind not in ("null", "type_unspecified"):
                found["type"] = kind
        elif name in ("properties", "$defs") and isinstance(each, Mapping):
            found[name] = {k: _schema(v, depth + 1) if isinstance(v, Mapping) else {} for k, v in each.items()}
        elif name == "anyOf" and isinstance(each, list):
            found[name] = [_schema(v, depth + 1) for v in each if isinstance(v, Mapping)]
        elif isinstance(each, Mapping):
            found[name] = _schema(each, depth + 1)
        else:
            found[name] = each
    return found


def _fitness(spec: Mapping[str, Any], words: set[str]) -> int:
    function = spec["function"]
    about = re.findall(r"[a-z]{3,}", f"{function['name']} {function['description']}".lower().replace("_", " "))
    return len(words.intersection(about))
