"""How the user wants the answer: one word of it, one part of it, another form."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """How the user wants the answer.

    Attributes:
        only: the part that is wanted alone, in the user's words: "ips", "source addresses", "number".
        brief: without explanations.
        number: only how many there are.
    """

    as_json: bool = False
    one_word: bool = False
    only: str = ""
    as_csv: bool = False
    as_table: bool = False
    as_list: bool = False
    one_sentence: bool = False
    brief: bool = False
    yes_or_no: bool = False
    number: bool = False

    def wants_only(self, *words: str) -> bool:
        return any(re.search(rf"\b(?:{word})", self.only) for word in words)

    @property
    def is_bare(self) -> bool:
        """Whether nothing may stand beside what was asked for."""
        return bool(self.as_json or self.as_csv or self.one_word or self.one_sentence or self.only)

    @property
    def is_plain(self) -> bool:
        """Whether nothing special is wished."""
        return self == Wish()


def _form(name: str, *more: str) -> re.Pattern[str]:
    """A form by its name: `as a plain NAME`, `NAME please`."""
    lead = (
        r"(?:as|in(?:to)?|to|only|just|return|output|valid|als|en|como|format(?:ted)?(?:\s+as)?|give\s+me"
        r"|make\s+it)"
    )
    parts = [
        rf"\b{lead}\s+(?:an?\s+|una?\s+|eine?\s+)?(?:valid\s+|plain\s+|raw\s+|proper\s+|markdown\s+|md\s+"
        rf"|nice\s+)?{name}\b",
        rf"(?<![.\w-]){name}\s+(?:only|please|output|format|form|bitte)\b",
        *more,
    ]
    return re.compile(rf"(?:{'|'.join(parts)})(?!\s*-?(?:logs?|files?|lines?)\b)", re.IGNORECASE)


_FORMS = {
    "as_json": _form("json", r"\bjson\s+(?:array|object|list)\b"),
    "as_csv": _form("csv", r"\bcomma[- ]separated values\b"),
    "as_table": _form(r"(?:table|tabelle|tabla)", r"\btabulate\b", r"\btabular\b", r"\bmarkdown table\b"),
    "as_list": _form(
        r"(?:bullet(?:ed)?\s+|numbered\s+|simple\s+|short\s+)?(?:list|liste|lista)",
        r"\bone (?:per|on each|on every) line\b", r"\bbullet(?:ed)? (?:points?|list)\b",
    ),
    "one_word": re.compile(r"(?:\b(?:in|with)\s+)?(?:\b(?:just|only|a)\s+)?\b(?:one|single|1)[ -]word\b"
    r"|\b(?:answer|say|just)[ ,:]+yes or no\b"
    r"|\byes or no(?: only)?\W*$|^\W*yes or no\b|\byes/no\b", re.IGNORECASE),
    "one_sentence": re.compile(
        r"\b(?:in|with)\s+(?:one|a single|a|1)\s+(?:short\s+|single\s+)?(?:sentence|line|phrase)\b"
        r"|\b(?:one|single)[ -](?:short[ -])?(?:sentence|liner)\b", re.IGNORECASE,
    ),
    "brief": re.compile(
        r"\b(?:no|without(?:\s+any)?|skip(?:\s+the)?|omit(?:\s+the)?)\s+(?:further\s+|extra\s+|other\s+|more\s+)?"
        r"(?:explanations?|explaining|commentary|comments?|prose|details|preamble|text|words|chatter|chit-?chat)\b"
        r"|\bbriefly\b|\b(?:keep it|be|make it)\s+(?:short(?:er)?|brief|concise)\b|\bshort answer\b|\btl;?dr\b"
        r"|^\W*shorter\b"
        r"|\band nothing (?:else|more)\b|,\s*nothing (?:else|more)\b", re.IGNORECASE,
    ),
}  # fmt: skip
_ONLY = re.compile(
    r"\b(?:only|just|nothing but|nur|s[oó]lo|solamente|seulement)\s+"
    r"(?:(?:give|show|list|print|output|return|tell|extract|name|write|say)\s+)?(?:me\s+)?"
    r"(?:the\s+|its\s+|their\s+|die\s+|den\s+|das\s+|l[ao]s?\s+|les\s+)?([\w&-]+(?:\s+[\w&-]+){0,2})",
    re.IGNORECASE,
)
_LIST_ALONE = re.compile(
    r"^\W*(?:please\s+)?(?:list|give|show|extract|pull|print|output|return|find|get|name)\s+(?:me\s+)?(?:out\s+)?"
    r"(?:all\s+)?(?:of\s+)?(?:the\s+)?([\w&-]{2,40}(?:\s+(?:addresses|names|numbers))?)\s+(?:in|of|from|out|that)\b"
    r"(?=.*\b(?:nothing else|nothing more|no explanations?|without (?:any )?explanations?)\b)",
    re.IGNORECASE | re.DOTALL,
)
"""A part that is asked for, in a prompt that wants nothing beside it: "list the hashes in report.txt, nothing "
"else"."""
_ONLY_AFTER = re.compile(
    r"(?<![\w.])(?:the\s+|its\s+)?([\w&-]{2,40}(?:\s+(?:addresses|names|numbers))?)(?:\s+only\b"
    r"|,?\s+(?:and\s+)?nothing else\b|,?\s+no explanations?\b)",
    re.IGNORECASE,
)
_ONLY_THAT = re.compile(
    r"\b(?:the|its|their)\s+([\w&-]{2,40}(?:\s+[\w&-]{2,40}){0,2})\s*[,;.?-]*\s*(?:and\s+)?(?:only|just)\s+(?:that|this)\W*$",
    re.IGNORECASE,
)
"""A part that is named before: "what's the registrable domain, only that"."""
_NO_PART = re.compile(
    r"(?:about|what|who|whom|which|how|if|whether|when|where|why|an?|to|this|that|it|do|does|did|for|want\w*"
    r"|need\w*|got|"
    r"ask\w*|check\w*|curious|look\w*|run|tell|wonder\w*|now|saw|had|have|been|one|in|as|use|read|received|happened|"
    r"word|json|csv|came|found|noticed|yes|no|sentence|line|looking|attached|with|output|reply|answer|say)\b"
)
"""What may follow "just" and "only" without naming a part of an answer."""
_LINKS = re.compile(
    r"\s+(?:in|of|from|for|on|by|at|please|with|that|as|out|which|to|now|you|again|bitte|von|de|aus|this"
    r"|these|those)\b.*"
)
MAX_SAID = 4_000
"""Characters of an instruction that are searched for a wish: half from its beginning, half from its end.

Planning happens on the server's event loop, so its cost must not grow with the prompt.
"""


def clipped(text: str) -> str:
    """`text`, without the middle of a very long one."""
    half = MAX_SAID // 2
    return text if len(text) <= MAX_SAID else f"{text[:half]}\n{text[-half:]}"


def wish_of(instruction: str) -> Wish:
    instruction = clipped(instruction)
    forms = {name: pattern.search(instruction) is not None for name, pattern in _FORMS.items()}
    forms["yes_or_no"] = forms["one_word"] and re.search(r"\byes or no\b", instruction, re.IGNORECASE) is not None
    only = _only(instruction)
    asks = re.search(r"\bhow many|\bnumber of|\bcount|\bwie viele|\bcu[aá]nt", instruction, re.IGNORECASE)
    number = asks is not None and re.match(r"(?:number|count|total|n[uú]mero|zahl|anzahl)\b", only) is not None
    return Wish(**forms, only=only, number=number)


def _only(instruction: str) -> str:
    if alone := _LIST_ALONE.match(instruction):
        return alone[1].lower()
    for found in _ONLY.finditer(instruction):
        words = found[1].lower()
        if not _NO_PART.match(words):
            return words
    if that := _ONLY_THAT.search(instruction):
        return that[1].lower()
    if (after := _ONLY_AFTER.search(instruction)) and not _NO_PART.match(after[1].lower()):
        return after[1].lower()
    return ""


def part(wish: Wish) -> str:
    """`only`, without the words that lead on to where it is looked for: "ips in this" → "ips"."""
    return _LINKS.sub("", wish.only).strip()


def without_forms(text: str) -> str:
    """What is left of a prompt without the words that say in which form its answer is wanted."""
    for pattern in _FORMS.values():
        text = pattern.sub(" ", text)
    return text


def without_wishes(text: str) -> str:
    """What is left of a prompt when the words of its wishes are taken out."""
    text = without_forms(text)
    for pattern in (_ONLY, _ONLY_AFTER):
        text = pattern.sub(_without_part, text)
    return text


def _without_part(found: re.Match[str]) -> str:
    """ "only the id of OceanLotus" → " OceanLotus"."""
    words = found[1]
    if _NO_PART.match(words.lower()):
        return found[0]
    link = re.search(r"\s(?:of|for|from|in)\b", words)
    return words[link.end() :] if link else " "
