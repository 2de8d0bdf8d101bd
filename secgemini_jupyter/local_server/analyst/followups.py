"""What a follow-up asks of an earlier answer: some of its items, another form, the same with another value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from secgemini_jupyter.local_server.analyst import composing
from secgemini_jupyter.local_server.analyst.acting import act
from secgemini_jupyter.local_server.analyst.earlier import Past
from secgemini_jupyter.local_server.analyst.intents import Intent, read_act, read_intent
from secgemini_jupyter.local_server.analyst.listing import (
    Item,
    as_table,
    described,
    in_form,
    main_value,
    picked,
)
from secgemini_jupyter.local_server.analyst.planner import Plan, specific_calls
from secgemini_jupyter.local_server.analyst.planner import why as planned
from secgemini_jupyter.local_server.analyst.prompts import request_of
from secgemini_jupyter.local_server.analyst.recalled import FollowUp, recall
from secgemini_jupyter.local_server.analyst.taking import by_words, mentions, of_kind, told_items
from secgemini_jupyter.local_server.analyst.text import code, count
from secgemini_jupyter.local_server.analyst.tool import Request
from secgemini_jupyter.local_server.analyst.wishes import Wish, part

_VERDICT = r"\b(?:malicious|bad|safe|dangerous|benign|clean|evil|harmful|suspicious|legit\w*|phish\w*|malware)\b"
_NAMES = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}


def intent_of(request: Request, plan: Plan) -> Intent | None:
    """The intent of a prompt that goes on from an earlier answer; None for one that stands for itself.

    It costs no look at the history: most prompts need none.
    """
    if plan.literal is not None or ("\n" in request.prompt.strip() and request.pasted):
        return None
    intent = read_intent(request.prompt)
    if intent and (named := request.named()):  # "same for http.log"
        is_file = intent.kind == "swap" and len(named) == 1 and intent.word.lower() == named[0].name.lower()
        return intent if is_file else None
    if intent is None or (plan.calls and not plan.is_guess and not intent.is_sure):
        return None
    is_new = any(each.is_new for each in request.attachments)
    return None if is_new and intent.kind in ("act", "more", "swap") else intent


def follow(request: Request, intent: Intent, past: Sequence[Past]) -> FollowUp | None:
    """None if no earlier answer has what it asks for."""
    for way in filter(None, (intent, read_act(request.prompt) if intent.kind != "act" else None)):
        for each in past:
            if found := _HOW[way.kind](request, way, each, past):
                return _of_an_earlier_one(request, found, each, past)
    if intent.kind == "select" and intent.first > 0 and past and (items := past[0].items):
        told = f"There is no {_NAMES.get(intent.first) or f'{intent.first}.'} one: {past[0].name} listed "
        return recall(request, past[0], f"{intent.first}", items, f"{told}{count(len(items), 'item')}.")
    return None


def _of_an_earlier_one(request: Request, found: FollowUp, each: Past, past: Sequence[Past]) -> FollowUp:
    """What was taken of an answer before the last one says so: who asks means the last."""
    newer = past[: list(past).index(each)]
    if found.recalled is None or all(_root(other) == _root(each) for other in newer):
        return found
    if (
        request.wish.as_json
        or request.wish.as_csv
        or found.recalled.text.startswith((each.name, each.name.capitalize()))
    ):
        return found
    told = f"Nothing of that is in {newer[0].name}; this is of {each.name}:"
    return replace(found, recalled=replace(found.recalled, text=f"{told}\n\n{found.recalled.text}"))


def _root(past: Past) -> str:
    """The prompt that tools answered."""
    result = past.outcomes[0].result if past.is_recollection else None
    return str((result or {}).get("of") or past.prompt[:400])


def nothing_earlier(request: Request, past: Sequence[Past]) -> str:
    """The answer to a follow-up that follows nothing."""
    asked = code(" ".join(request.prompt.split()), 100)
    if not past:
        return (
            f"There is no earlier answer in this session that {asked} could be about: no tool has given any result. "
            "Ask about a text, an identifier or an attachment first."
        )
    found = past[0]
    fields = list(dict.fromkeys(name for item in found.items[:200] for name in item))[:12]
    told = f"I listed {count(len(found.items), 'item')} there, with {', '.join(map(code, fields))}." if fields else ""
    if re.search(_VERDICT, request.prompt, re.IGNORECASE):
        told = "No tool here tells good from bad, and no reputation of anything is known offline. " + told
    return f"Nothing in the earlier answers of this session fits {asked}. The last was {found.name}. {told}".strip()


# Each of these gives None where the past turn has not what is asked for.


def _form(request: Request, _intent: Intent, past: Past, _all: Sequence[Past]) -> FollowUp | None:
    wish = request.wish
    if wish.only and past.is_selection:
        return None
    if wish.only:
        words = part(wish).removesuffix(" ones").removesuffix(" one")
        values = picked(past.items, words)
        if values is None and re.fullmatch(r"names?|values?|entries|items?", words):
            values = list(dict.fromkeys(main_value(item) for item in past.items))
        if values:
            text = in_form(past.items, values, json=wish.as_json, csv_=wish.as_csv, table_=wish.as_table)
            single = len(values) == 1 and not (wish.as_json or wish.as_csv or wish.as_table or wish.as_list)
            kept = [{"value": value} for value in values]
            shown = code(values[0], 2_000) if single else text
            return recall(request, past, f"only {words}", kept, shown, part_=words)
        kept = by_words(past.items, words) or []
        if not kept:
            return None
        return recall(request, past, f"only {words}", kept, told_items(kept, wish), part_=words)
    if wish.as_table or wish.as_csv or wish.as_list or past.is_recollection:
        text = in_form(past.items, (), json=wish.as_json, csv_=wish.as_csv, table_=wish.as_table)
        if past.is_recollection and not (wish.as_json or wish.as_csv or wish.as_table):
            text = told_items(past.items, wish)
        if not wish.is_bare:
            form = "as a table" if wish.as_table else "as a list"
            text = f"{past.name[0].upper()}{past.name[1:]}, {form}:\n\n{text}"
        return recall(request, past, "in another form", past.items, text)
    text = composing.compose(request, past.outcomes)
    lead = "" if wish.is_bare else f"{past.name[0].upper()}{past.name[1:]}, again:\n\n"
    return recall(request, past, "in another form", past.items, lead + text)


def _why(request: Request, _intent: Intent, past: Past, _all: Sequence[Past]) -> FollowUp | None:
    if past.is_recollection:
        return None
    lines = []
    for each in past.outcomes:
        given = ", ".join(f"{name} {code(value, 100)}" for name, value in each.call.arguments.items() if value)
        lines.append(f"- `{each.call.tool}`" + (f" with {given}" if given else ""))
    used = composing.data_used(past.outcomes)
    text = (
        f"What {past.name} says comes from {count(len(lines), 'tool call')} alone, which its turn shows in full:\n\n"
        + "\n".join(lines)
        + (f"\n\n{used}" if used else "")
        + "\n\nThe tools follow fixed rules, offline: no model wrote it, and nothing in it is guessed. What it "
        "said, in full:\n\n" + "\n\n".join(composing.first_sentence(told) for told in past.answer(Wish()))
    )
    return recall(request, past, "why", past.items, text)


def _more(request: Request, _intent: Intent, past: Past, _all: Sequence[Past]) -> FollowUp | None:
    items = past.items
    if not items:
        return None
    shown = described(items[0]) if len(items) == 1 else as_table(items)
    return recall(
        request, past, "all of it", items, f"All that {past.name} listed ({count(len(items), 'item')}):\n\n{shown}"
    )


def _count(request: Request, intent: Intent, past: Past, _all: Sequence[Past]) -> FollowUp | None:
    items = past.items
    if intent.word and past.is_selection:
        return None
    if intent.word:
        values = picked(items, intent.word.lower())
        kept = (
            by_words(items, intent.word, negated=intent.negated) if values is None else [{"value": v} for v in values]
        )
        if kept is None:
            return None
        kind = f"{'not ' if intent.negated else ''}{code(intent.word)}"
        told = f"**{len(kept):,}** of {len(items):,} in {past.name}: {kind}."
    else:
        kept, told = items, f"**{len(items):,}** in {past.name}."
    return recall(request, past, "how many", kept, f"{len(kept)}" if request.wish.is_bare else told)


def _filter(request: Request, intent: Intent, past: Past, _all: Sequence[Past]) -> FollowUp | None:
    items = past.items
    kept = None if past.is_selection else by_words(items, intent.word, negated=intent.negated)
    if kept is None:
        return None
    word = f"{'not ' if intent.negated else ''}{intent.word}"
    told = f"**{len(kept):,} of {len(items):,}** in {past.name} {'is' if len(kept) == 1 else 'are'} {word}"
    if not kept:
        return recall(request, past, word, kept, f"None of the {len(items):,} in {past.name} is {word}.")
    shown = told_items(kept, request.wish)
    text = shown if request.wish.is_bare else f"{told}:\n\n{shown}"
    return recall(request, past, word, kept, text, part_=word)


def _select(request: Request, intent: Intent, past: Past, all_: Sequence[Past]) -> FollowUp | None:
    items, kind = of_kind(past.items, intent.word)
    first = intent.first
    if first == 0:  # the next one: after the one that was told last
        first = _after(all_, past)
        if first == 0:
            return None
    kept = items[first:] if first < 0 else items[first - 1 : first - 1 + intent.number]
    kept = kept[: intent.number]
    if not kept and past.is_recollection and not past.is_selection:
        told = f"There is no {_NAMES.get(first) or f'{first}.'} one: {past.name} has {count(len(items), 'item')}."
        return recall(request, past, f"{first}", items, told)
    if not kept or (len(items) < 2 and (past.is_recollection or first > 1)):
        return None
    if len(kept) > 1 or intent.number > 1:
        told = f"The {'last' if first < 0 else 'first'} {len(kept)} of {len(items):,}{kind} in {past.name}:"
        shown = told_items(kept, request.wish)
    else:
        place = _NAMES.get(first) or f"{first}."
        told = f"The {place} of {len(items):,}{kind} in {past.name}: **{code(main_value(kept[0]), 2_000)}**"
        shown = described(kept[0]) if len(kept[0]) > 1 else ""
        if request.wish.is_bare or request.wish.as_table:
            shown = told_items(kept, request.wish)
    text = shown if request.wish.is_bare else f"{told}\n\n{shown}".strip()
    position = len(items) if first == -1 else first
    return recall(request, past, f"{first}", kept, text, position=position)


def _extreme(request: Request, intent: Intent, past: Past, _all: Sequence[Past]) -> FollowUp | None:
    """ "The most common one?": of what was listed with a number."""
    rated = [(value, item) for item in past.items if (value := _measure(item)) is not None]
    if len(rated) < 2 or past.is_selection:
        return None
    least = bool(re.match(r"least|fewest|lowest|smallest|rarest|bottom", intent.word, re.IGNORECASE))
    value, item = (min if least else max)(rated, key=lambda pair: pair[0])
    name = code(main_value(item), 2_000)
    text = name if request.wish.is_bare else f"The {intent.word} in {past.name}: **{name}** ({value:,})."
    return recall(request, past, intent.word, [item], text, part_=intent.word)


def _measure(item: Item) -> int | float | None:
    """The last number of an item: of a group what was counted or summed."""
    found = [v for v in item.values() if isinstance(v, int | float) and not isinstance(v, bool)]
    return found[-1] if found else None


def _swap(request: Request, intent: Intent, past: Past, _all: Sequence[Past]) -> FollowUp | None:
    """The same question with another value; else what was listed of that value."""
    if past.is_recollection:
        return None
    value = intent.word
    wish = request_of(past.prompt, ()).wish
    if named := [each for each in request.attachments if each.name.lower() == value.lower()]:
        calls = [
            replace(each.call, arguments=_about_file(each.call.arguments, named[0].name)) for each in past.outcomes
        ]
        calls = list(
            {
                repr(call.arguments): replace(call, reason=f"do the same with {code(named[0].name)}") for call in calls
            }.values()
        )
        return FollowUp(
            f"The question of {past.name}, about {code(value)}. {planned(calls)}", replace(request, wish=wish), calls
        )
    kept = [item for item in past.items if mentions(item, value)]
    swapped, appended = _with_value(past, value)
    for prompt in [*swapped, *([] if kept else appended)]:
        same = [each for each in request.attachments if each.name in past.files]
        again = replace(request_of(prompt, same or request.attachments), table=request.table)
        calls = [call for call in specific_calls(again) if value.lower() in repr(call.arguments).lower()]
        if calls:
            why = f"The question of {past.name}, with {code(value)}. {planned(calls)}"
            return FollowUp(why, again, calls)
    if not kept:
        return None
    told = f"{count(len(kept), 'item')} in {past.name} with {code(value)}:\n\n"
    shown = described(kept[0]) if len(kept) == 1 else as_table(kept)
    return recall(request, past, f"with {value}", kept, told + shown, part_=value)


_HOW: dict[str, Callable[[Request, Intent, Past, Sequence[Past]], FollowUp | None]] = {
    "form": _form,
    "why": _why,
    "more": _more,
    "count": _count,
    "filter": _filter,
    "select": _select,
    "swap": _swap,
    "extreme": _extreme,
    "act": act,
}


def _after(all_: Sequence[Past], past: Past) -> int:
    newest = all_[0].outcomes[0].result if all_ and all_[0].is_selection else None
    if newest is None or past.is_selection:
        return 0
    return int(newest["position"]) + 1 if isinstance(newest.get("position"), int) else 0


def _about_file(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    kept = {key: value for key, value in arguments.items() if key not in ("text", "table", "member")}
    return kept | {"file": name}


def _with_value(past: Past, value: str) -> tuple[list[str], list[str]]:
    """The earlier prompt with the value in place of one that its calls were given; and with the value after it."""
    prompt = past.prompt.strip()
    if len(prompt) > 2_000 or "\n" in prompt:
        return [], []
    given: dict[str, None] = {}
    for each in past.outcomes:
        for name, argument in each.call.arguments.items():
            if isinstance(argument, str) and name not in ("file", "table"):
                given[argument] = None
                given |= dict.fromkeys(re.findall(r"'%?([^'%]{1,100})%?'", argument[:4_000]))
    found = [v for v in given if 1 < len(v) < 200 and re.search(rf"(?<!\w){re.escape(v)}(?!\w)", prompt, re.IGNORECASE)]
    swapped = [
        re.sub(rf"(?<!\w){re.escape(v)}(?!\w)", lambda _: value, prompt, flags=re.IGNORECASE)
        for v in sorted(found, key=len, reverse=True)
    ]
    said = prompt.rstrip(" ?.!")
    return swapped, [f"{said} for {value}?", f"{said} {value}?"]
