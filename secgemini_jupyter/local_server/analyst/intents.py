"""Prompts that go on from an earlier answer: "and the second one?", "which of them are private?", "as a table"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from secgemini_jupyter.local_server.analyst.prompts import is_only_a_wish
from secgemini_jupyter.local_server.analyst.wishes import wish_of

Kind = Literal["form", "why", "more", "count", "filter", "select", "swap", "extreme", "act"]
MAX_LENGTH = 300

_ORDINALS = {
    word: number
    for number, words in enumerate(
        (
            "first 1st erste ersten erster erstes primero primera "
            "primer", "second 2nd zweite zweiten zweiter zweites segundo segunda",
            "third 3rd dritte dritten dritter drittes tercero tercera "
            "tercer", "fourth 4th vierte vierten cuarto cuarta",
            "fifth 5th fünfte fünften quinto "
            "quinta", "sixth 6th", "seventh 7th", "eighth 8th", "ninth 9th", "tenth 10th",
        ), 1,
    )
    for word in words.split()
} | dict.fromkeys("last final latest letzte letzten letzter letztes último última ultimo "
"ultima".split(), -1)  # fmt: skip
_NUMBERS = {word: n for n, word in enumerate("two three four five six seven eight nine ten".split(), 2)} | {
    "zwei": 2, "drei": 3, "dos": 2, "tres": 3, "couple": 2,
}  # fmt: skip
_LEAD = (
    r"(?:(?:and|ok|okay|now|please|then|so|but|well|great|thanks|thank you|und|y|pero|hm+|also|again"
    r"|bitte)\b[\s,.!]*)*"
)
_ASK = (
    r"(?:(?:can|could|would|will) (?:you|i)\s+(?:please\s+)?)?(?:(?:show|see|give|tell|list|print|name|repeat"
    r"|take|pick|get|what(?:'s| is| are| was| were)|what about"
    r"|how about|who(?:'s| is| are| was| were)|which(?: is| are| was| were)?|i (?:want|need|meant)|let me see"
    r"|zeig|gib|was ist|dame"
    r"|muestra)\s+)?(?:me\s+|mir\s+|about\s+)?(?:(?:only|just|nur|solo)\s+)?"
)
_ARTICLE = r"(?:the|your|its|their|that|this|das|die|der|den|el|la|los|las)\s+"
_OF_THEM = r"(?:\s+of\s+(?:them|those|these|that|it|the (?:list|answer|result|results)))"
_SELECT = (
    rf"(?:{_ARTICLE})?(?:(?:very\s+)?(?P<edge>first|last|top|final|bottom|latest|letzten|ersten|primeros|últimos)\s+"
    rf"(?P<n>\d{{1,3}}|{'|'.join(_NUMBERS)})|(?P<ordinal>{'|'.join(_ORDINALS)}|\d{{1,3}}(?:st|nd|rd|th)|next"
    rf"|other|nächste\w*|siguiente)"
    rf"|(?:number|no\.?|nr\.?|item|entry|row|result|#)\s*(?P<number>\d{{1,3}}|one|two|three))\b"
    rf"(?:\s+(?P<word>(?!of\b)[^\W\d][\w-]*(?:\s+(?!of\b)[^\W\d][\w-]*)?))?{_OF_THEM}?"
)
_WORD = r"(?P<property>(?:[^\W\d]|(?:19|20)\d\d\b)[\w-]*)"
_NOT = r"(?P<negated>not\s+(?:an?\s+)?|non-?\s*|no\s+)?"
_FILTERS = (
    rf"{_LEAD}(?:(?:which|what|who|any|list|show(?: me)?|give me|how many|are any|is any|do any"
    rf"|did any)(?:\s+ones?)?){_OF_THEM}\s*"
    rf"(?:(?:are|is|were|was|have(?: been)?|has(?: been)?|had|did|do|does|got)\s+)?{_NOT}"
    rf"(?:(?:an?|in(?:\s+the)?|from)\s+)?{_WORD}"
    r"(?:\s+(?:addresses|ips?|domains|ones?|ranges?))?",
    rf"{_LEAD}{_ASK}(?:{_ARTICLE}|any\s+|all\s+(?:the\s+)?)?{_NOT}(?!last|first|next|other|second|third|same"
    rf"|right){_WORD}\s+ones",
    rf"{_LEAD}which\s+(?:ones?\s+)?(?:are|is|were|was)\s+{_NOT}(?:an?\s+)?{_WORD}",
    rf"{_LEAD}(?:are|is|were|was)\s+(?:they|those|these|any of (?:them|those|these))\s+(?:all\s+"
    rf"|any\s+)?{_NOT}{_WORD}",
)
_WITHOUT = (
    rf"{_LEAD}{_ASK}(?:without|except(?: for)?|but not|not|remove|exclude|drop|hide|ohne|sin)\s+(?:the\s+|die\s+|los\s+"
    rf"|las\s+)?{_WORD}(?:\s+ones?)?"
)
_WHY = (
    rf"{_LEAD}(?:why(?: is that| so| not| do you (?:say|think)(?: that| so)?)?|how come|warum|wieso|por qu[eé]"
    rf"|how (?:do|did|would) you (?:know|find|get|do)(?: that| this| it)?"
    r"|are you sure(?: about that)?|how sure are you|(?:what(?:'s| is| are)?\s+)?(?:the |your )?(?:sources?"
    r"|evidence|proof|basis)(?: for (?:that|this|it))?|based on what"
    r"|what (?:is|was) (?:that|this|it) based on|where (?:is|does) (?:that|this|it"
    r"|you get that) (?:come )?(?:from)?|explain(?: that| it| yourself)?"
    r"|(?:which|what) (?:data|tools?|versions?)(?: did you use| was used| is (?:that|this|it)| was that)?"
    r"|show your work|says who)"
)
_MORE = (
    rf"{_LEAD}(?:(?:some )?more(?: details?| info(?:rmation)?)?|details?(?: please)?"
    rf"|tell me more(?: about (?:it|that|this|them|those|that one))?|elaborate|expand"
    r"|go on|continue|(?:show|give|list)(?: me)? (?:all|everything|the rest|more|the full list|them|it"
    r"|the details)(?: of (?:them|it))?|(?:all|everything|the rest)(?: of (?:them|it))?"
    r"|(?:the )?full (?:list|result|output)|what about (?:it|that|that one|them|this)|mehr|alles|más|todo)"
)
_COUNT = (
    rf"{_LEAD}(?:how many|wie viele|cu[aá]nt[oa]s|(?:what(?:'s| is| was) )?the (?:number|count|total)(?: of)?"
    rf"|count|the count of)\b\s*"
    r"(?P<rest>[^?]{0,60})"
)
_COUNTED = re.compile(
    r"(?P<word>[\w -]{0,40}?)\s*(?:\b(?:are|were|is|was|waren|sind|hay|son)\b)?\s*(?P<them>\b(?:there|they"
    r"|those|that|these|it|them|in (?:it|that|there|total|all)"
    r"|(?:did|do) you (?:find|have|see|list)|das|es|of (?:them|those|these))\b\s*)*",
    re.IGNORECASE,
)
_SWAP = re.compile(
    r"(?:ok(?:ay)?[,\s]+)?(?:(?:and|but|what about|how about|same(?: thing| question)?|now|also|then|do (?:it"
    r"|that|the same)|the same|again|repeat (?:it|that)|und|y|was ist mit|qué tal)[\s,]+)+"
    r"(?:(?:for|with|on|in|from|of|about|to|by|at|für|bei|von|mit|para|con|de|en|is"
    r"|are)\s+)?(?:the\s+)?(?:user\s+|file\s+|log\s+|host\s+|source\s+|ip\s+|group\s+)?"
    r"(?P<value>[^\s?][^?\n]{0,120}?)\s*[?.!]*",
    re.IGNORECASE,
)
_PLURAL = re.compile(r"\b(?:them|those|these|all of it|both(?=\W*$| of)|all of them)\b", re.IGNORECASE)
_THEIRS = re.compile(r"\b(?:they|those|these|them|that|it|you|das|es)\b", re.IGNORECASE)
_SINGULAR = re.compile(
    r"\b(?:its?|(?:that|this) one|(?:that|this)(?=\W*$|\s+(?:please|again|too|for|as|to|in|with|is)\b))\b",
    re.IGNORECASE,
)
_EXACT_SELECT = re.compile(rf"{_LEAD}{_ASK}{_SELECT}", re.IGNORECASE)
_INNER_SELECT = re.compile(rf"\bthe\s+{_SELECT.removeprefix(f'(?:{_ARTICLE})?')}", re.IGNORECASE)
_EXTREME = (
    rf"(?:in (?:one|a single) word\W*|one word\W*)?{_LEAD}{_ASK}(?:which (?:one )?(?:is|was) )?(?:the )?"
    r"(?P<word>most|least|highest|lowest|biggest|largest|smallest|greatest|fewest|rarest"
    r"|(?:most|least) (?:common|frequent|active|often|used))(?: (?:one|of (?:them|those|these)|value))?"
    r"(?:[,:]? (?:in )?(?:one|a single) word|,? please)?"
)
_END = r"[\s?.!]*"


@dataclass(frozen=True)
class Intent:
    """What a prompt wants of an earlier answer.

    Attributes:
        is_sure: nothing else can be meant by it; else it counts where no tool takes the prompt for its own.
        first, number: which items: `number` of them from `first` on, counted from 1, or from the end if negative.
        word: a kind of items ("the second domain"), a property ("private"), another value ("root").
        phrase: the words of the prompt that stand for the items.
    """

    kind: Kind
    is_sure: bool = True
    first: int = 0
    number: int = 0
    word: str = ""
    negated: bool = False
    phrase: str = ""


def read_intent(prompt: str) -> Intent | None:
    """None for a prompt that stands for itself."""
    text = prompt.strip()
    if not text or len(text) > MAX_LENGTH or "\n" in text:
        return None
    return _read_whole(text) or _read_select(text) or _read_count(text) or _read_swap(text) or read_act(text)


def _read_whole(text: str) -> Intent | None:
    if is_only_a_wish(text) and (
        not wish_of(text).is_plain
        or re.search(
            r"\b(?:again|repeat|once|nochmal"
            r"|vez)\b",
            text,
            re.IGNORECASE,
        )
    ):
        return Intent("form")
    if _full(_WHY, text):
        return Intent("why")
    if _full(_MORE, text):
        return Intent("more")
    if found := _full(_EXTREME, text):
        return Intent("extreme", word=found["word"])
    if found := _full(_WITHOUT, text):
        return Intent("filter", word=found["property"], negated=True)
    for pattern in _FILTERS:
        if found := _full(pattern, text):
            kind: Kind = "count" if "how many" in text.lower() else "filter"
            return Intent(kind, word=found["property"], negated=bool(found["negated"]))
    return None


def _full(pattern: str, text: str) -> re.Match[str] | None:
    return re.fullmatch(pattern + _END, text, re.IGNORECASE)


def _read_select(text: str) -> Intent | None:
    found = _EXACT_SELECT.match(text)
    if found is None:
        return None
    word, rest = found["word"] or "", text[found.end() :].strip(" ?.!,")
    if word and (is_only_a_wish(word) or re.match(r"(?:as|in|only|please|then|too|again)\b", word, re.IGNORECASE)):
        word, rest = "", f"{word} {rest}"
    rest = re.sub(r"\b(?:too|then|again|as well|bitte)\b", "", rest).strip()
    if rest and not is_only_a_wish(rest):
        return None
    is_theirs = not word or re.fullmatch(r"ones?|entry|entries|items?|rows?|results?|line", word, re.IGNORECASE)
    return _selected(found, "select", word="" if is_theirs else word, is_sure=bool(is_theirs))


def _selected(found: re.Match[str], kind: Kind, *, word: str, is_sure: bool) -> Intent:
    if found["edge"]:
        number = _NUMBERS.get(found["n"].lower()) or int(found["n"])
        is_end = found["edge"].lower() in ("last", "final", "bottom", "latest", "letzten", "últimos")
        return Intent(kind, is_sure, -number if is_end else 1, number, word, phrase=found[0])
    if found["number"]:
        spelled = {"one": 1, **_NUMBERS}.get(found["number"].lower())
        return Intent(kind, is_sure, spelled or int(found["number"]), 1, word, phrase=found[0])
    name = found["ordinal"].lower()
    if name.startswith(("next", "other", "nächste", "siguiente")):
        return Intent(kind, is_sure, 0, 1, word, phrase=found[0])
    return Intent(kind, is_sure, _ORDINALS.get(name) or int(re.sub(r"\D", "", name)), 1, word, phrase=found[0])


def _read_count(text: str) -> Intent | None:
    found = _full(_COUNT, text)
    counted = _COUNTED.fullmatch(found["rest"].strip()) if found else None
    if counted is None:
        return None
    word = counted["word"].strip()
    if len(word.split()) > 3:
        return None
    return Intent("count", is_sure=not word or _THEIRS.search(counted[0][len(word) :]) is not None, word=word)


def _read_swap(text: str) -> Intent | None:
    found = _SWAP.fullmatch(text)
    is_question = found and re.match(r"(?:where|when|who|why|how|what|which)\b", found["value"], re.IGNORECASE)
    if found is None or is_question or len(found["value"].split()) > 6 or is_only_a_wish(found["value"]):
        return None
    return Intent("swap", is_sure=False, word=found["value"].strip(" ,"))


def read_act(text: str) -> Intent | None:
    """What is to be done with "it", "them", "the second one"."""
    if found := _INNER_SELECT.search(text):
        word = found["word"] or ""
        return _selected(found, "act", word="" if re.match(r"ones?\b", word) else word, is_sure="one" in word)
    if found := _PLURAL.search(text):
        return Intent("act", first=1, number=10**6, phrase=found[0])
    if found := _SINGULAR.search(text):
        return Intent("act", is_sure=False, first=1, number=10**6, phrase=found[0])
    return None
