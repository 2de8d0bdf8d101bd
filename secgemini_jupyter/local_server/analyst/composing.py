"""From what the tools gave to one answer: what was asked first, in the form that is wished, then the rest."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Any

from secgemini_jupyter.local_server.analyst import planner
from secgemini_jupyter.local_server.analyst.calls import Outcome
from secgemini_jupyter.local_server.analyst.earlier import tool_named
from secgemini_jupyter.local_server.analyst.listing import (
    Item,
    as_csv,
    as_json,
    as_list,
    as_table,
    items_of,
    main_value,
    picked,
)
from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.tool import Payload, Request, Wish, subject
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.wishes import part

MAX_RESULT = 250_000
MAX_IN_TEXT = 30
"""Rows of a payload that an answer may hold in full: a payload beside it would tell nothing more."""

_SENTENCE = re.compile(r"(?:`+[^`\n]*`+|[^.!?\n`]|[.!?](?!\*{0,2}(?:\s|$)))+[.!?]?\*{0,2}")


def compose(request: Request, outcomes: Sequence[Outcome], off: Container[str] = (), unanswered: str = "") -> str:
    if not outcomes:
        return planner.nothing_fits(request, off)
    wish = request.wish
    if wish.as_json:
        return _json(outcomes, wish)
    if (wish.as_csv or wish.as_table) and (whole := _in_rows(outcomes, wish)):
        text = whole
    else:
        text = "\n\n".join(filter(None, _parts(outcomes, wish)))
    used = data_used(outcomes)
    if used and wish.one_sentence:
        text += f" ({used.removeprefix('Data: ').rstrip('.')})"
    elif used and not wish.is_bare:
        text += f"\n\n{used}"
    if unanswered:
        text += f"\n\n{unanswered}"
    if len(text) > MAX_RESULT:
        text = text[:MAX_RESULT] + f"\n\n({len(text) - MAX_RESULT:,} more characters)"
    return text


def _parts(outcomes: Sequence[Outcome], wish: Wish) -> list[str]:
    """One part for each outcome, those that failed last; a heading where the subject changes and none names it."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.result is None)
    subjects = {subject(outcome.call.arguments) for outcome in outcomes}
    parts, before = [], ""
    for outcome in ordered:
        about = subject(outcome.call.arguments)
        told = answered(outcome, wish)
        if len(subjects) > 1 and about != before and about[1:-1] not in told[:400] and wish.is_plain:
            parts.append(f"**{about}**")
        parts.append(told)
        before = about
    return _once(parts)


def _once(parts: Sequence[str]) -> list[str]:
    """Parts that end with the same paragraph, on what none of them can tell, say it in the last of them alone."""
    ends = [part.rpartition("\n\n")[2] for part in parts]
    return [
        part.removesuffix(end).rstrip() if part != end and len(end) > 100 and end in ends[place:] else part
        for place, (part, end) in enumerate(zip(parts, ends, strict=True), 1)
    ]


def answered(outcome: Outcome, wish: Wish) -> str:
    """One outcome in the form that is wished: as the tool itself knows to say it, else by what it lists."""
    call, result = outcome.call, outcome.result
    if result is None:
        return f"`{call.tool}` has no answer for {subject(call.arguments)}: {code(outcome.error, 600)}"
    tool = tool_named(call.tool)
    if tool is None:
        return as_json(result)
    told = tool.answer(result, wish)
    if wish.is_plain:
        return told
    plain = tool.answer(result, Wish())
    if wish.number and (number := _number(told, plain)):
        return number
    if told != plain:
        return told  # the tool has heard the wish
    items = items_of(tool, result)
    if wish.only and (values := picked(items, part(wish))):
        return as_list(values) if len(values) > 1 or wish.as_list else code(values[0], 2_000)
    if wish.one_word:
        word = one_word(plain, items)
        is_open = re.fullmatch(r"(?i)(?:yes|no|unknown|none)\W*", word) is None
        return f"Neither yes nor no follows from it: {first_sentence(plain)}" if wish.yes_or_no and is_open else word
    if wish.one_sentence:
        return first_sentence(plain)
    if wish.as_list and tool.items(result):
        return as_list([main_value(item) for item in items])
    if wish.brief:
        return plain.partition("\n\n")[0]
    return plain


def _number(told: str, plain: str) -> str:
    """How many, as the tool says when asked for nothing else; else the first number printed bold in its answer."""
    if re.fullmatch(r"\W*[\d,.]+\W*", told):
        return told
    found = re.search(r"\*\*([\d,]+)\b", plain)
    return found[1] if found else ""


def first_sentence(text: str) -> str:
    found = _SENTENCE.match(text.lstrip())
    return found[0].strip() if found else text.partition("\n")[0]


def one_word(text: str, items: Sequence[Item]) -> str:
    """What is printed bold in an answer's first sentence, else the first value in it."""
    sentence = first_sentence(text)
    if found := re.search(r"\*\*`([^`]{1,200})`(?:, `[^`]{1,200}`)*: [\d,.]+\*\*", sentence):
        return found[1]  # "**`root`: 215**": who has most, not how many
    if found := re.search(r"\*\*([^*]{1,60})\*\*", sentence) or re.search(r"`([^`]{1,200})`", sentence):
        word = found[1].strip()
        return word if " " not in word or not items else word.split()[-1]
    return sentence.split(maxsplit=1)[0].strip(".,:;*") if sentence else main_value(items[0] if items else {})


def _in_rows(outcomes: Sequence[Outcome], wish: Wish) -> str:
    """All items of all outcomes as one table, if they are of one kind; else one table each."""
    tables: dict[str, list[Item]] = {}
    for outcome in outcomes:
        if outcome.result is not None:
            tables.setdefault(outcome.call.tool, []).extend(items_of(tool_named(outcome.call.tool), outcome.result))
    shown = []
    for items in tables.values():
        values = picked(items, part(wish))
        rows = [{part(wish).replace(" ", "_"): value} for value in values] if values else items
        if rows:
            shown.append(as_csv(rows) if wish.as_csv else as_table(rows))
    return "\n\n".join(shown)


def payloads(request: Request, outcomes: Sequence[Outcome], text: str = "") -> list[Payload]:
    """What goes beside the answer: nothing where the user wants one thing, and nothing that its text holds anyway."""
    if request.wish.is_bare or request.wish.as_table:
        return []
    found = [each for o in outcomes if o.result is not None for each in tools()[o.call.tool].payloads(o.result)]
    return [each for each in found if not _is_told(each, text)]


def _is_told(payload: Payload, text: str) -> bool:
    """Whether the text holds all that would be shown: a column of one value alone, or a star of few, tells no more."""
    content = payload.content if isinstance(payload.content, dict) else {}
    if payload.mime_type == "sec-gemini/graph":
        nodes, edges = content.get("nodes") or [], content.get("edges") or []
        is_star = edges and any(len({each.get(end) for each in edges}) == 1 for end in ("source", "target"))
        is_one_relation = len({each.get("label") for each in edges}) == 1
        return bool(is_star and is_one_relation) and all(str(each.get("label")) in text for each in nodes)
    rows = content.get("rows")
    if payload.mime_type != "sec-gemini/table" or not isinstance(rows, list) or len(rows) > MAX_IN_TEXT:
        return False
    columns = list(zip(*(row for row in rows if isinstance(row, list)), strict=False))
    telling = [column for column in columns if len(rows) == 1 or len({*map(_cell, column)}) > 1]
    return all(_cell(value) in text for column in telling for value in column)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value).replace("|", "\\|")


def data_used(outcomes: Sequence[Outcome]) -> str:
    """One line on the data behind the results: names and versions."""
    used: dict[str, None] = {}
    for outcome in outcomes:
        for source in (outcome.result or {}).get("sources") or ():
            if isinstance(source, dict) and "name" in source and (v := source.get("version") or source.get("date")):
                used[f"{source['name']} {v}"] = None
    return f"Data: {', '.join(used)}; offline." if used else ""


def _json(outcomes: Sequence[Outcome], wish: Wish) -> str:
    """The part that is wanted, as a list; else one tool's result alone, several by their tools' names."""
    if wish.only:
        items = [item for o in outcomes if o.result is not None for item in items_of(tool_named(o.call.tool), o.result)]
        if values := picked(items, part(wish)) or [each for o in outcomes for each in _called(o.result, part(wish))]:
            return as_json(values[0] if len(values) == 1 and isinstance(values[0], dict) else values)
    if len(outcomes) > 1:
        return as_json([{"tool": each.call.tool, **each.response} for each in outcomes])
    return as_json(outcomes[0].result if outcomes[0] else outcomes[0].response)


def _called(value: Any, word: str, depth: int = 4) -> list[Any]:
    """The parts of a result that stand under a name: "only the claims"."""
    if isinstance(value, list):
        return [found for each in value[:100] for found in _called(each, word, depth)]
    if not isinstance(value, dict) or not depth or not word:
        return []
    if found := value.get(word) or value.get(f"{word}s") or value.get(word.removesuffix("s")):
        return [found]
    return [found for each in value.values() for found in _called(each, word, depth - 1)]
