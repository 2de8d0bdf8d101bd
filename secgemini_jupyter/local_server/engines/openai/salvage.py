"""Tool calls that a model writes as text: small models do, and some endpoints pass on what they should have read.

What counts as a call is narrow: an object with a name and arguments and nothing else that matters, where the whole text
is nothing but calls, or in a wrapping that models are trained to call with. In words, in code or in a fence among words
it stays text, and so does what repeats a file or a tool's result. Local tools are called by a whole text alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MAX_CALLS = 8
MAX_TRIES = 60
MAX_TEXT = 200_000
_NAMES = ("name", "tool_name", "tool", "function")
_ARGUMENTS = ("arguments", "parameters", "args", "tool_args", "input", "tool_input")
_OTHERS = frozenset({"id", "type", "tool_call_id"})
_BETWEEN = " \t\r\n,;"
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


def find(text: str, may_run: Callable[[WrittenCall, bool], bool]) -> tuple[list[WrittenCall], str]:
    """The calls in a text, and the text without them.

    Args:
        may_run: whether a call may be run; it is told whether the text is nothing but calls.
    """
    found: list[tuple[int, int, list[WrittenCall]]] = []
    position = 0
    for start, end, calls in _candidates(text):
        if start >= position:
            found.append((start, end, calls))
            position = end
    is_whole = not _without(text, found).strip(_BETWEEN)
    taken, count = [], 0
    for start, end, calls in found:
        is_call = is_whole or (all(call.is_marked for call in calls) and not _is_in_code(text, start))
        if is_call and count < MAX_CALLS and all(may_run(call, is_whole) for call in calls):
            taken.append((start, end, calls))
            count += len(calls)
    if not taken:
        return [], text
    return [call for _, _, calls in taken for call in calls][:MAX_CALLS], _without(text, taken).strip(_BETWEEN)


def _without(text: str, spans: Sequence[tuple[int, int, object]]) -> str:
    ends = [0, *(end for _, end, _ in spans)]
    starts = [*(start for start, _, _ in spans), len(text)]
    return "".join(text[end:start] for end, start in zip(ends, starts, strict=True))


def _is_in_code(text: str, position: int) -> bool:
    """Whether Markdown shows what stands there as code: it is told of, then, and not called."""
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return text.count("```", 0, position) % 2 == 1 or text.startswith("```", position) or line.count("`") % 2 == 1


def _candidates(text: str) -> Iterator[tuple[int, int, list[WrittenCall]]]:
    """Where JSON stands that could be calls, with its wrapping; what it calls."""
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
            yield start, position, found


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
