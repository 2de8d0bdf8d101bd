"""From a prompt to the tools it asks for: by patterns, without guessing.

Only what the user says can start a tool. Pasted text and attachments are looked at, never obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from secgemini_jupyter.local_server.analyst.text import code, count, listed
from secgemini_jupyter.local_server.analyst.tool import Attached, Call, Request, Wish, clipped
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.settings import KEY_PAGE, KEY_VARIABLE

MAX_CALLS = 12

_LITERAL = re.compile(
    r"""\s*(?:please\s+)?(?:(?:just|only|simply)\s+)?
    (?:output|say|print|reply|respond|answer|return|write)(?:\s+with)?(?:\s+(?:only|just|exactly))?
    \s+(?:the\s+|this\s+)?(?:(?:exact\s+)?(?:word|words|text|string|phrase)\s+)?
    (?:"([^"\n]{1,200})"|'([^'\n]{1,200})'|“([^”\n]{1,200})”|`([^`\n]{1,200})`)
    [\s.!]*+(?:(?:,|and)?\s*(?:and\s+)?nothing\s+else)?[\s.!]*""",
    re.VERBOSE | re.IGNORECASE,
)
_AS_JSON = r"\b(?:as|in|only|just|valid|return|output)\s+(?:valid\s+|plain\s+)?json\b|\bjson\s+only\b"
_ONLY = re.compile(
    r"\b(?:only|just|nothing but)\s+(?:(?:give|show|list|print|output|return|tell)\s+)?(?:me\s+)?(?:the\s+|its\s+)?"
    r"([\w&-]+(?:\s+[\w&-]+){0,2})",
    re.IGNORECASE,
)
_GENERIC = (
    r"\b(?:analy[sz]e|triage|look (?:at|into)|check|inspect|examine|investigate|what (?:is|are|'s)|what's|explain"
    r"|summar\w+|tell me about|anything)\b"
)


@dataclass(frozen=True)
class Plan:
    """What to run and why; `literal` is the whole answer where the user dictated it."""

    calls: Sequence[Call]
    why: str
    wish: Wish
    literal: str | None = None


def split_prompt(prompt: str) -> tuple[str, str]:
    """What the user says, and what the user shows: text after a colon, after the first paragraph, or in a fence."""
    text = prompt.strip()
    if fence := re.search(r"```[^\n]{0,40}\n(.*?)(?:```|\Z)", text, re.DOTALL):
        return (text[: fence.start()] + " " + text[fence.end() :]).strip(), fence[1].strip()
    if colon := re.search(r":[ \t]*\n", text[:2000]):
        return text[: colon.start()], text[colon.end() :].strip()
    first, gap, rest = text.partition("\n\n")
    if not gap:
        first, gap, rest = text.partition("\n")
    if gap and rest.strip():
        if len(first) > 400 or not re.search(r"[a-z]{3}", first):
            head, _, last = text.rpartition("\n")
            return (last, head) if 0 < len(last) <= 400 else (text[:400], text)
        return first, rest.strip()
    # On one line, data may follow a colon and a space: "Decode: H4sI…"
    if (colon := re.match(r"([^:\n]{3,80}):\s+(\S.*)", text)) and len(colon[2]) >= 8:
        return colon[1], colon[2]
    return text, ""


def wish_of(instruction: str) -> Wish:
    instruction = clipped(instruction)
    only = _ONLY.search(instruction)
    return Wish(
        as_json=re.search(_AS_JSON, instruction, re.IGNORECASE) is not None,
        one_word=re.search(r"\b(?:one|single|1)[ -]word\b", instruction, re.IGNORECASE) is not None,
        only=only[1].lower() if only else "",
    )


def request_of(prompt: str, attachments: Sequence[Attached]) -> Request:
    """The prompt, taken apart; whether pasted text is a log is for the caller to fill in."""
    instruction, pasted = split_prompt(prompt)
    return Request(prompt, instruction, pasted, attachments, wish_of(instruction))


def make_plan(request: Request) -> Plan:
    if dictated := _LITERAL.fullmatch(request.prompt):
        literal = next(group for group in dictated.groups() if group is not None)
        return Plan((), "The prompt dictates its answer; no tool is needed.", request.wish, literal)
    calls = [call for tool in tools().values() for call in tool.plan(request)]
    if any(call.tool == "log_sql" for call in calls) and not request.asks(
        r"\bsummar|\boverview|\bwhat happened|\bodd\b"
    ):
        calls = [call for call in calls if call.tool not in ("log_summary", "auth_timeline")]
    if not calls and (request.attachments or request.table) and (request.named() or request.asks(_GENERIC)):
        calls = _first_look(request)
    unique = list({repr(call): call for call in calls}.values())
    return Plan(unique[:MAX_CALLS], _why(unique), request.wish)


def plan_for(request: Request) -> Plan:
    """The plan for a prompt that names no file: for the files attached with it, if a tool fits them, else for all.

    Who attaches a log and asks "what happened?" means that log, though earlier ones are still attached.
    """
    new = [each for each in request.attachments if each.is_new]
    table = request.table if request.table and request.table.is_new else None
    is_part = len(new) < len(request.attachments) or table is not request.table
    if (new or table) and is_part and not request.named():
        plan = make_plan(replace(request, attachments=new, table=table))
        if plan.calls:
            return plan
    return make_plan(request)


def _first_look(request: Request) -> list[Call]:
    """For "look at this": what suits the kind of each attachment."""
    calls = []
    if table := request.asked_table:
        if table.has_logins:
            calls.append(Call("auth_timeline", {"table": table.name}, "read the logins in the logs table"))
        calls.append(Call("log_summary", {"table": table.name}, "count what the logs table holds"))
    for each in request.named() or request.attachments:
        name = code(each.name)
        if each.has_logins:
            calls.append(Call("auth_timeline", {"file": each.name}, f"read the logins in {name}"))
        if each.is_log:
            calls.append(Call("log_summary", {"file": each.name}, f"count what {name} holds"))
        else:
            calls.append(Call("hash_file", {"file": each.name}, f"hash {name}"))
            if each.size:
                calls.append(Call("extract_iocs", {"file": each.name}, f"find indicators in {name}"))
    return calls


def _why(calls: Sequence[Call]) -> str:
    if not calls:
        return "No tool of the local analyst fits this prompt, so none is run."
    steps = [f"{call.reason} with `{call.tool}`" for call in calls[:MAX_CALLS]]
    told = steps[0] if len(steps) == 1 else ", ".join(steps[:-1]) + f", and {steps[-1]}"
    more = f" ({len(calls) - MAX_CALLS} further calls are left out.)" if len(calls) > MAX_CALLS else ""
    return f"I will {told}.{more}"


def nothing_fits(request: Request, off: Container[str] = ()) -> str:
    """The answer when no tool can help: one sentence, what there is but the tools in `off`, where to ask instead."""
    lines = [
        "The local analyst cannot answer this: it is offline, has no live intelligence and is no language model, "
        "only a set of tools.\n"
    ]
    if request.attachments:
        names = listed((each.name for each in request.attachments), 10)
        kinds = ", ".join(sorted({each.kind.removeprefix("log/") for each in request.attachments}))
        lines.append(f"Attached: {names} ({code(kinds)}), {count(len(request.attachments), 'file')}.\n")
    elif request.table:
        lines.append(f"Attached: the logs table {code(request.table.name)}.\n")
    elif request.asks(r"\blogg?(?:ed|ins?|s)?\b|\battach|\bfile\b"):
        lines.append("Nothing is attached: `%secgemini attach PATH` adds a file to this session.\n")
    lines.append("It can:\n")
    lines += [f"- {tool.ability}" for tool in tools().values() if tool.name not in off]
    lines.append(f"\nFor anything else, ask Sec-Gemini itself: get a key at {KEY_PAGE} and set `{KEY_VARIABLE}`.")
    return "\n".join(lines)
