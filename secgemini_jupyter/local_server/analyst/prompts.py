"""A prompt taken apart: what the user says and what the user shows, and the questions in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from secgemini_jupyter.local_server.analyst.tool import Attached, Request
from secgemini_jupyter.local_server.analyst.wishes import wish_of, without_wishes

MAX_SPLIT = 2_000
"""Characters of an instruction that is searched for several questions."""
MAX_QUESTIONS = 10
MAX_FORM, MAX_FORM_WORDS = 120, 8
"""Characters and words at a prompt's end that may tell of the answer's form."""

_START = (
    r"(?:who|whom|whose|what|which|when|where|how|why|is|are|was|were|does|do|did|has|have|can|could|any"
    r"|anything|top|"
    r"score|rate|decode|defang|refang|hash|extract|pull|list|find|show|tell|give|look|explain|check|inspect"
    r"|identify|triage|"
    r"summari[sz]e|compute|calculate|query|count|run|review|parse|validate|verify|scan|analy[sz]e|describe|get"
    r"|compare|resolve|"
    r"wer|was|welche[rs]?|wie|qui[eé]n|qu[eé]|cu[aá]l)\b"
)
_BETWEEN = re.compile(
    rf"(?<=[?!])[ \t]{{1,3}}(?=\S)|(?<=[.;])[ \t]{{1,3}}(?=(?:(?:and|also|then|please)[ \t])?{_START})"
    rf"|,?[ \t]{{1,3}}(?:and|then|also|plus|und|y)[ \t]{{1,3}}(?:(?:then|also|please)[ \t]{{1,3}})?(?={_START})"
    rf"|,[ \t]{{1,3}}(?=(?:who|what|which|when|where|how|why|wer|was|qui[eé]n|qu[eé])\b)",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"\"[^\"\n]{0,400}\"|(?<!\w)'[^'\n]{1,400}'|`[^`\n]{0,400}`|“[^”\n]{0,400}”|\S{1,200}://\S{1,2000}"
)
_NUMBERED = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+")
_FORM = re.compile(
    r"(?:as|in|only|just|nur|no|without|one|give|show|answer|als|en|json|csv|and nothing|nothing)\b", re.IGNORECASE
)
_PRONOUN = re.compile(r"\b(?:it|its|them|they|their|those|these|this|that|one|ones)\b", re.IGNORECASE)
_SUBJECT = re.compile(r"\w*\d\w*|[\w-]+\.[\w-]+|[\"'`“:/\\=]|(?<=\s)[A-Z]{3,}\b|(?<=[a-z]\s)[A-Z][a-z]+")
_FILLERS = frozenset(
    "a again all also an and export list name respond use using ahora answer any as back bitte but can convert "
    "could display do "
    "el en es format "
    "for from "
    "gib give i im in into it its just la las list los make me mir mostrar now of ok okay once only or output "
    "please por favor "
    "present print put render repeat reply return same show so sort that the them then these they this those "
    "thanks thx to "
    "too want write y you your und us with would nochmal otra vez uns wieder result results everything more "
    "ones one lo".split()
)


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
        shown, form = _form_at_the_end(colon[2])
        return f"{colon[1]}. {form}" if form else colon[1], shown
    return text, ""


def _form_at_the_end(shown: str) -> tuple[str, str]:
    """Text on the line of the prompt itself, and what its last words say of the answer's form: "…, only the IPs"."""
    words = list(re.finditer(r"\S+", shown[-MAX_FORM:]))
    start = len(shown) - len(shown[-MAX_FORM:])
    for word in words[-MAX_FORM_WORDS:]:
        at = start + word.start()
        tail = shown[at:].rstrip(" .!")
        if at and _FORM.match(tail) and is_only_a_wish(tail) and not wish_of(tail).is_plain:
            return shown[:at].rstrip(" ,;.(-–"), tail
    return shown, ""


def request_of(prompt: str, attachments: Sequence[Attached]) -> Request:
    """The prompt, taken apart; whether pasted text is a log is for the caller to fill in."""
    instruction, pasted = split_prompt(prompt)
    wish = wish_of(instruction)
    is_form = pasted and "\n" not in prompt.strip() and not wish.is_plain and is_only_a_wish(instruction)
    if is_form and (re.match(_START, pasted, re.IGNORECASE) or pasted.rstrip().endswith("?")):
        # "As JSON: pull the IOCs out of …": what follows is the prompt.
        form, prompt = f"{instruction}.", pasted
        instruction, pasted = split_prompt(pasted)
        wish = wish_of(f"{form} {instruction}")
    return Request(prompt, instruction, pasted, attachments, wish)


def is_only_a_wish(text: str) -> bool:
    """Whether it says nothing but how an answer should look: "as a table, please", "only the IPs"."""
    return bool(text.strip()) and not set(re.findall(r"[^\W_]+", without_wishes(text).lower())) - _FILLERS


_DATA = re.compile(r"(?i)(?:(?:authorization: ?)?bearer )?\S{16,}")


def questions(request: Request) -> list[Request]:
    """The questions of a prompt, each as a request of its own; one of them alone where they cannot be told apart.

    Text that is shown, the attachments and the wishes are those of all.
    """
    prompt = request.prompt.strip()
    lines = [line.strip() for line in prompt[:MAX_SPLIT].splitlines() if line.strip()]
    is_numbered = all(map(_NUMBERED.match, lines)) or all(line.endswith("?") for line in lines)
    is_list = is_numbered and 1 < len(lines) <= MAX_QUESTIONS
    is_shown = "\n" in prompt and bool(request.pasted) and not is_list
    said = request.instruction if is_shown else prompt
    if not 8 < len(said) <= MAX_SPLIT or (is_shown and "\n" in said):
        return [request]
    parts: list[str] = []
    for part in [part for line in lines for part in _parts(_NUMBERED.sub("", line))] if is_list else _parts(said):
        if parts and _DATA.fullmatch(part):
            parts[-1] += f" {part}"  # "Is it expired? eyJ…": what it is about, no question
        elif parts and (is_only_a_wish(part) or (_PRONOUN.search(part) and not _SUBJECT.search(part[1:]))):
            parts[-1] += f" {part}"  # "and refang them" is about what the question before is about
        else:
            parts.append(part)
    if len(parts) < 2:
        return [request]
    return [_question(request, part, is_shown=is_shown) for part in parts[:MAX_QUESTIONS]]


def _parts(said: str) -> list[str]:
    shut = [(each.start(), each.end()) for each in _QUOTED.finditer(said)]
    parts, start = [], 0
    for gap in _BETWEEN.finditer(said):
        if any(first < gap.start() < last for first, last in shut):
            continue
        parts.append(said[start : gap.start()])
        start = gap.end()
    parts.append(said[start:])
    return [part for part in (_NUMBERED.sub("", part).strip() for part in parts) if part]


def _question(request: Request, part: str, *, is_shown: bool) -> Request:
    if is_shown:
        own = replace(request, prompt=f"{part}\n\n{request.pasted}", instruction=part)
    else:
        instruction, pasted = split_prompt(part)
        own = replace(request, prompt=part, instruction=instruction, pasted=pasted, pasted_kind="text")
    if not own.named() and (named := request.named()):
        own = replace(own, attachments=named)
    return own
