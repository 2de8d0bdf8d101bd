"""A tool on what an earlier answer listed or was about: "decode the second one", "sha256 of it?"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from secgemini_jupyter.local_server.analyst.earlier import Past
from secgemini_jupyter.local_server.analyst.intents import Intent
from secgemini_jupyter.local_server.analyst.listing import is_shape, main_value
from secgemini_jupyter.local_server.analyst.planner import make_plan, specific_calls
from secgemini_jupyter.local_server.analyst.planner import why as planned
from secgemini_jupyter.local_server.analyst.prompts import request_of
from secgemini_jupyter.local_server.analyst.recalled import FollowUp
from secgemini_jupyter.local_server.analyst.taking import of_kind
from secgemini_jupyter.local_server.analyst.tool import Call, Request

MAX_VALUES = 200
"""Values of an earlier answer that a tool is given at once."""
_NO_SUBJECTS = ("file", "table", "text", "sql", "of", "asked")


def act(request: Request, intent: Intent, past: Past, _all: Sequence[Past]) -> FollowUp | None:
    """A tool on what was listed: the values are shown to it, as pasted text would be, and said in no prompt."""
    items, _ = of_kind(past.items, intent.word)
    first = intent.first
    kept = items[first:] if first < 0 else items[first - 1 :]
    values = list(dict.fromkeys(main_value(item) for item in kept[: min(intent.number, MAX_VALUES)]))
    lead = f"On {past.name}:"
    why = f"It is about {past.name}."
    for prompt, shown, files in _ways(request.prompt, intent, past, values):
        attached = [each for each in request.attachments if each.name in files]
        asked = replace(request_of(prompt, attached), table=None, wish=request.wish)
        if shown:
            asked = replace(asked, prompt=f"{request.prompt}\n\n{shown}", instruction=request.prompt, pasted=shown)
        if calls := specific_calls(asked) or (list(make_plan(asked).calls) if files else []):
            calls = [of_the_same_part(call, past) for call in calls] if files else calls
            return FollowUp(f"{why} {planned(calls)}", asked, calls, lead)
    return None


def _ways(prompt: str, intent: Intent, past: Past, values: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """How the values can be put to a tool: a prompt, text that is shown with it, files that are meant."""
    ways: list[tuple[str, str, list[str]]] = []
    if intent.number > 1 and not intent.is_sure:  # "it": the thing that was looked at, not what was listed
        texts = [str(o.result["text"]) for o in past.outcomes if o.result and isinstance(o.result.get("text"), str)]
        ways += [("", text, []) for text in texts[:1] if text]
        ways += [(f"{prompt} ({name})", "", [name]) for name in past.files[:1]]
        named = [v for o in past.outcomes for k, v in o.call.arguments.items() if k not in _NO_SUBJECTS and _is_name(v)]
        ways += [(prompt.replace(intent.phrase, value, 1), "", []) for value in named[:1]]
        values = values if len(values) == 1 else ()
    if len(values) == 1 and is_shape(values[0], "id", "ip", "url", "domain", "email"):
        ways.append((prompt.replace(intent.phrase, values[0], 1), "", []))
    if values:
        ways.append(("", "\n".join(values), []))
    return ways


def of_the_same_part(call: Call, past: Past) -> Call:
    """After an answer about a member of an archive "it" is that member."""
    file = call.arguments.get("file")
    about = {tuple(o.call.arguments.get("member") or ()) for o in past.outcomes if o.call.arguments.get("file") == file}
    if len(about) != 1 or not (member := about.pop()) or call.arguments.get("member"):
        return call
    return replace(call, arguments=call.arguments | {"member": list(member)})


def _is_name(value: object) -> bool:
    """An id or a name that a call was given, of which nothing in a prompt can be taken for another wish."""
    return isinstance(value, str) and (is_shape(value, "id", "ip", "url", "domain") or value.istitle())
