"""Tool calls that a model writes as text: small models do, and some endpoints pass on what they should have read.

What counts as a call is narrow: an object with a name and arguments and nothing else that matters, in one of the known
wrappings or alone. Ordinary JSON in an answer stays text, and so does what merely repeats a file or a tool's result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

MAX_CALLS = 8
MAX_TRIES = 60
MAX_TEXT = 200_000
_NAMES = ("name", "tool_name", "tool", "function")
_ARGUMENTS = ("arguments", "parameters", "args", "tool_args", "input", "tool_input")
_OTHERS = frozenset({"id", "type", "tool_call_id"})
_DECODER = json.JSONDecoder()
_OPENINGS = re.compile(r"[\[{]")
_BEFORE = re.compile(
    r"""(?:```(?:json|tool_call|tool_code|xml)?\s*|<tool_call>\s*|<\|tool_call\|?>\s*|<\|python_tag\|>\s*
    |\[TOOL_CALLS?\]\s*|<function_call>\s*|<tools?>\s*)+\Z""",
    re.VERBOSE,
)
_AFTER = re.compile(
    r"(?:\s*(?:```|</tool_call>|<\|/?tool_call\|>|</function_call>|</function>|</tools?>|<\|eom_id\|>|<\|eot_id\|>))*"
)
_LLAMA = re.compile(r"<function=([\w.-]{1,100})>\s*\Z")
_MISTRAL = re.compile(r"(?:\[TOOL_CALLS?\])?\s*\b([\w.-]{1,100})\s*(?:\[CALL_ID\][\w-]{1,40})?\[ARGS\]\s*\Z")


@dataclass(frozen=True)
class WrittenCall:
    """A call found in text. `is_marked`: it stands in a wrapping that means a call and nothing else."""

    name: str
    arguments: Any
    is_marked: bool


def find(
    text: str, known: Collection[str], is_quoted: Callable[[str], bool] = lambda _text: False
) -> tuple[list[WrittenCall], str]:
    """The calls in a text, and the text without them.

    Args:
        known: names of the tools that there are.
        is_quoted: whether a piece of text stands in something that was read: that is no wish of the model's.
    """
    calls: list[WrittenCall] = []
    rest: list[str] = []
    position = 0
    for start, end, raw, found in _candidates(text):
        alone = not (text[:start].strip() or text[end:].strip())
        good = [call for call in found if call.name in known or call.is_marked or alone]
        if start < position or not good or len(good) < len(found) or is_quoted(raw):
            continue
        calls += good
        rest.append(text[position:start])
        position = end
        if len(calls) >= MAX_CALLS:
            break
    return calls[:MAX_CALLS], "".join([*rest, text[position:]]).strip() if calls else text


def _candidates(text: str) -> Iterator[tuple[int, int, str, list[WrittenCall]]]:
    """Where JSON stands that could be calls, with its wrapping; the JSON; what it calls."""
    position = tries = 0
    while tries < MAX_TRIES and (opening := _OPENINGS.search(text, position, MAX_TEXT)):
        tries += 1
        begin = opening.start()
        try:
            value, end = _DECODER.raw_decode(text, begin)
        except (ValueError, RecursionError):
            position = begin + 1
            continue
        head = text[max(begin - 200, 0) : begin]
        start, marked, name = begin, False, ""
        if before := (_LLAMA.search(head) or _MISTRAL.search(head)):
            start, marked, name = begin - len(before[0].lstrip()), True, before[1]
        elif before := _BEFORE.search(head):
            start, marked = begin - len(before[0]), "```" not in before[0] or "tool" in before[0]
        after = _AFTER.match(text, end)
        position = after.end() if after else end
        found = [WrittenCall(name, value, True)] if name and isinstance(value, dict) else _calls(value, marked)
        if found:
            yield start, position, text[begin:end], found


def _calls(value: object, marked: bool) -> list[WrittenCall]:
    """What a JSON value calls; nothing if any part of it is no call."""
    if isinstance(value, list):
        found = [_calls(each, marked) for each in value[: MAX_CALLS + 1]]
        return [call for calls in found for call in calls] if found and all(found) else []
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("tool_calls"), list):
        return _calls(value["tool_calls"], True)
    if isinstance(value.get("function"), dict) and not any(name in value for name in _ARGUMENTS):
        return _calls(value["function"], marked)
    names = [key for key in _NAMES if isinstance(value.get(key), str) and value[key]]
    arguments = [key for key in _ARGUMENTS if key in value]
    others = set(value) - {*names, *arguments, *_OTHERS}
    if len(names) != 1 or len(arguments) != 1 or others or not isinstance(value[arguments[0]], dict | str):
        return []
    return [WrittenCall(value[names[0]][:200], value[arguments[0]], marked)]
