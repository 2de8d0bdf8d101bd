"""From a prompt to the tools it asks for: by patterns, without guessing.

Only what the user says can start a tool. Pasted text and attachments are looked at, never obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from secgemini_jupyter.local_server.analyst import import_asked
from secgemini_jupyter.local_server.analyst.abilities import is_courtesy
from secgemini_jupyter.local_server.analyst.abilities import nothing_fits as nothing_fits
from secgemini_jupyter.local_server.analyst.dictated import dictated, perhaps_dictated
from secgemini_jupyter.local_server.analyst.first_look import first_look, rest
from secgemini_jupyter.local_server.analyst.parts import of_parts
from secgemini_jupyter.local_server.analyst.prompts import is_only_a_wish, questions
from secgemini_jupyter.local_server.analyst.prompts import request_of as request_of
from secgemini_jupyter.local_server.analyst.prompts import split_prompt as split_prompt
from secgemini_jupyter.local_server.analyst.subjects import about_logs, inventory, misfit, narrowed
from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.tool import Call, Request, Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.wishes import MAX_SAID, without_forms, without_wishes
from secgemini_jupyter.local_server.analyst.within import put_to_members, within

MAX_CALLS = 12
MAX_BARE = 200
"""Characters of a prompt that is tried again without what it says of the answer's form."""

_INSTEAD = {
    "auth_timeline": ("log_question",),
    "hash_file": ("log_question",),
    "extract_iocs": ("log_question",),
    "log_sql": ("log_summary", "auth_timeline"),
    "jwt_inspect": ("decode",),
    "x509_inspect": ("decode", "file_triage"),
    "email_analyze": ("file_triage",),
    "sigma_run": ("log_question", "log_summary", "auth_timeline", "log_sql", "extract_iocs"),
    "yara_scan": ("log_question", "log_summary", "extract_iocs"),
    "archive_list": ("file_triage",),
    "data_import": ("log_question", "log_summary", "log_load", "auth_timeline", "file_triage", "extract_iocs"),
}
"""Tools that say what others would say of the same thing, and more of what was asked."""
_PRONOUN = re.compile(
    r"\W*(?:(?:of|from|for|in|about|what|is)\s+)*(?:its?|that|this|them|they|those|these"
    r"|their)(?:\s+one)?\W*",
    re.IGNORECASE,
)
_OVERVIEW = r"\bsummar|\boverview|\bwhat happened|\bodd\b"


@dataclass(frozen=True)
class Plan:
    """What to run and why; `literal` is the whole answer where the user dictated it.

    Attributes:
        unanswered: questions of the prompt that no tool fits, beside those that are answered.
        is_guess: no tool takes the prompt for its own; what is attached is looked at.
        told: the answer where it takes no tool: what is attached, or that the question does not fit it.
    """

    calls: Sequence[Call]
    why: str
    wish: Wish
    literal: str | None = None
    unanswered: Sequence[str] = ()
    is_guess: bool = False
    told: str = ""


def make_plan(request: Request) -> Plan:
    if (literal := dictated(request.prompt)) is not None:
        return Plan((), "The prompt dictates its answer; no tool is needed.", request.wish, literal)
    if is_courtesy(request.prompt):
        return Plan((), why(()), request.wish, is_guess=True)
    if told := inventory(request):
        return Plan(
            (), "The kinds of the attachments are known; no tool is needed.", request.wish, is_guess=True, told=told
        )
    if (told := import_asked.told(request)) and all(_is_of_a_file(call) for call in _calls_for(request)[0]):
        return Plan(
            (), "Nothing is imported by this prompt; no tool is needed.", request.wish, is_guess=True, told=told
        )
    is_import = import_asked.is_ordered(request)
    request = request if is_import else narrowed(request)
    calls, unanswered = _calls_for(request)
    calls = calls or _without_its_form(request)
    if not is_import:  # a part of a sentence may look like an order
        calls = [call for call in calls if call.tool != "data_import"]
    if not calls and (literal := perhaps_dictated(request.prompt)) is not None:
        return Plan((), "The prompt dictates its answer; no tool is needed.", request.wish, literal)
    is_guess = not calls
    if is_guess and about_logs(request) and not first_look(request):
        asked = request.instruction[:1_000].strip()
        calls = [Call("log_question", args | {"question": asked}, "ask the log in SQL") for args in request.logs()[:3]]
    if is_guess and (told := misfit(request)):
        return Plan((), why(()), request.wish, is_guess=True, told=told)
    calls = [*calls, *(() if is_import else rest(request, calls))] or first_look(request)
    return Plan(calls[:MAX_CALLS], why(calls), request.wish, unanswered=unanswered, is_guess=is_guess)


def plan_for(request: Request) -> Plan:
    """The plan for a prompt that names no file: for the files attached with it, if a tool fits them, else for all.

    Who attaches a log and asks "what happened?" means that log, though earlier ones are still attached.
    """
    new = [each for each in request.attachments if each.is_new]
    table = request.table if request.table and request.table.is_new else None
    is_part = len(new) < len(request.attachments) or table is not request.table
    if (new or table) and is_part and not request.named():
        narrow = replace(request, attachments=new, table=table)
        plan = make_plan(narrow)
        # A look at what is new, for want of a better idea, is worse than a tool that fits an older file.
        if plan.calls and (_calls_for(narrow)[0] or not _calls_for(request)[0]):
            return plan
    return make_plan(request)


def _without_forms(request: Request) -> Request:
    """The request without "as JSON" and the like, which say nothing of what is asked."""
    prompt = request.prompt.strip()
    if request.wish.is_plain or len(request.instruction) > MAX_SAID:
        return request
    said = without_forms(request.instruction).strip(" ,;-")
    if request.pasted:
        return replace(request, instruction=said or request.instruction)
    return replace(request, instruction=said, prompt=said) if said and prompt == request.instruction else request


def _without_its_form(request: Request) -> list[Call]:
    """The calls for what is left of a prompt without its wishes: "OceanLotus as "
    "JSON", "only the id of OceanLotus"."""
    is_said = not request.pasted or ("\n" not in request.prompt.strip() and is_only_a_wish(request.instruction))
    if request.wish.is_plain or not is_said or len(request.prompt) > MAX_BARE or is_only_a_wish(request.prompt):
        return []
    said = request.pasted or without_wishes(request.prompt)  # "only the id: kerberoasting"
    left = re.sub(r"\s+", " ", said).strip(" ,.:;?!-")
    for prompt in (left, f"What is {left}?", f"Who is {left}?") if left else ():
        if calls := specific_calls(replace(request, prompt=prompt, instruction=prompt, pasted="")):
            return calls
    return []


def _calls_for(request: Request) -> tuple[list[Call], list[str]]:
    """The calls of all questions of a prompt, in their order; and the questions that no tool fits."""
    request = _without_forms(request)
    whole = specific_calls(request)
    parts = questions(request)
    # What is said before a query of the user's own is what it is for, and no other question.
    has_query = any(call.tool == "log_sql" and call.arguments.get("sql", "") in request.prompt for call in whole)
    if len(parts) < 2 or has_query:
        return whole, []
    planned = [specific_calls(part) for part in parts]
    if all(planned):
        return _unique([_as_one(call, whole) for calls in planned for call in calls]), []
    # Tools see more in the whole than in its parts: "5f4d… - what hash, what password?" is one question to one tool.
    keys = [key(call) for calls in planned for call in calls]
    ordered = sorted(whole, key=lambda call: keys.index(key(call)) if key(call) in keys else len(keys))
    calls = _unique(ordered or [call for calls in planned for call in calls])
    lone = [part.prompt for part, own in zip(parts, planned, strict=True) if not own and _stands_alone(part.prompt)]
    return calls, lone if calls and any(planned) else []


def _as_one(call: Call, whole: Sequence[Call]) -> Call:
    """ "Who logged in, who failed?" is one look at a file: the one of the whole prompt. Queries stay as they are."""
    same = [each for each in whole if each.tool == call.tool and _about(each) == _about(call) != "text"]
    return same[0] if len(same) == 1 and "sql" not in call.arguments else call


def _stands_alone(question: str) -> bool:
    return question.endswith("?") and len(question.split()) >= 4


def specific_calls(request: Request) -> list[Call]:
    """What the tools themselves make of one question, less what others say better."""
    if inner := within(request):
        whole, asked, is_named = inner
        found = _planned(replace(asked, attachments=[replace(each, parts=()) for each in asked.attachments]))
        found = found or (list(first_look(asked)) if is_named else [])
        if calls := put_to_members(whole, asked.attachments, found):
            return calls
    return _planned(request)


def _planned(request: Request) -> list[Call]:
    planned = [call for tool in tools().values() for call in tool.plan(request) if not _is_about_nothing(call)]
    calls = _unique(of_parts(request, planned))
    if imported := {_about(call) for call in calls if call.tool == "data_import"}:
        named = {f"file {each.name} " for each in request.named()} - imported
        calls = [
            call for call in calls if call.tool == "data_import" or _about(call) in named or not _is_of_a_file(call)
        ]
    if request.asks(_OVERVIEW):
        return calls
    if any(call.tool == "data_info" for call in calls):
        calls = [call for call in calls if call.tool not in ("log_question", "log_summary")]
    if any(call.tool == "data_import" for call in calls):
        calls = [call for call in calls if call.tool not in _INSTEAD["data_import"]]
    better = {(other, _about(call)) for call in calls for other in _INSTEAD.get(call.tool, ())}
    return [call for call in calls if (call.tool, _about(call)) not in better]


def _is_about_nothing(call: Call) -> bool:
    """Whether all that a tool found to look at is a pronoun: "what is its CWE?", "base64 of it?"."""
    return any(isinstance(value, str) and _PRONOUN.fullmatch(value[:40]) for value in call.arguments.values())


def _about(call: Call) -> str:
    """What a call looks at: of texts one is like the other, each tool takes its own part of the prompt."""
    for name in ("file", "table"):
        if call.arguments.get(name):
            return f"{name} {call.arguments[name]} {call.arguments.get('member') or ''}"
    return "text"


def _is_of_a_file(call: Call) -> bool:
    return _about(call) != "text" or call.tool in {"data_import", "data_info"}


def key(call: Call) -> str:
    return repr((call.tool, call.arguments))


def _unique(calls: Sequence[Call]) -> list[Call]:
    return list({key(call): call for call in calls}.values())


def why(calls: Sequence[Call]) -> str:
    if not calls:
        return "No tool of the local analyst fits this prompt, so none is run."
    steps = [f"{call.reason} with `{call.tool}`" for call in calls[:MAX_CALLS]]
    told = steps[0] if len(steps) == 1 else ", ".join(steps[:-1]) + f", and {steps[-1]}"
    more = f" ({len(calls) - MAX_CALLS} further calls are left out.)" if len(calls) > MAX_CALLS else ""
    return f"I will {told}.{more}"


def unanswered(questions: Sequence[str]) -> str:
    """That some of several questions fit no tool."""
    return "\n".join(f"No tool of the local analyst fits {code(each, 200)}." for each in questions[:5])
