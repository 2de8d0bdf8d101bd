# ruff: noqa: E501  # patterns are read as a whole
"""Whether the user's own words tell to import a file: the one thing that changes what all sessions look up.

An import happens on an imperative alone. A question about importing, a negation, a condition, a quotation is none.
"""

from __future__ import annotations

import re

from secgemini_jupyter.local_server.analyst.text import code, listed
from secgemini_jupyter.local_server.analyst.tool import Request

MAX_WORDS = 600
"""Characters of an instruction that can be an order to import; longer ones are texts."""
SETS = {
    "kev": r"\bkev|known.exploited",
    "epss": r"epss",
    "nvd": r"\bnvd|\bcve (?:feed|data)",
    "ip": r"mmdb|geo-?lite|geo-?ip|maxmind",
}
HOW = "To import one, attach it and say `import it as data`, or run `secgemini-jupyter data import FILE`."

_VERB = r"(?:(?:re-?)?import|load|ingest|add)"
_AS_DATA = (
    r"\b(?:as|into|to|in) (?:a |the |your |my |our )?(?:(?:local |offline |reference )?data(?: ?sets?)?|lookups?)\b"
)
_WORDS = rf"{'|'.join(SETS.values())}|\bdata ?sets?\b|\bmaxmind\b"
_NOT = (
    r"\b(?:not|never|no|none|nor|neither|without|avoid|refrain|stop|cannot|dont|cant|wont|shouldnt|mustnt|nothing"
    r"|instead of|rather than|forbid\w*|refuse\w*|abort|cancel|undo)\b|n['’]t\b"
)
_IF = r"\b(?:if|unless|whether|when|whenever|until|once|suppose|assuming|provided)\b"
_QUOTED = re.compile(
    r"`[^`]*`|\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|‘[^’]*’|(?<!\w)'[^']*'(?!\w)|^\s*>.*$", re.MULTILINE
)
_NAME_QUOTED = re.compile(r"[`\"'“‘«„]\s*_\s*[`\"'”’»“]")
_ABOUT_WORDS = (
    r"\b(?:mean|means|meant|meaning|translate|injection|says?|said|wrote|writes|told|asked me|sentence|phrase|wording"
    r"|example|pretend|hypothetical\w*)\b"
)
_POLITE = (
    r"(?:(?:please|pls|plz|now|ok|okay|yes|yeah|sure|hi|hello|hey|then|first|so|just|kindly|also|again|go ahead and"
    r"|go ahead|do|let'?s|let us|thanks|and)\b[\s,:!-]*)*"
)
_ASKED = (
    r"(?:(?:can|could|would|will) you(?: (?:please|kindly|now|also|just))*\s+|i(?:'d| would) like (?:you )?to\s+"
    r"|i (?:want|need) (?:you )?to(?: please)?\s+)"
)
_NO_NOUN = (
    r"(?!\s+(?:hash|tables?|functions?|names?|sections?|director\w+|address|fail\w*|errors?|of|by|from|statements?|is"
    r"|was|are|were|time|balance\w*|order|order\w*|duty|up|average)\b)"
)
_OBJECT = (
    r"(?:_\b|\W*(?:it|this|that|these|those|them|both|all|everything)\b|(?:the |my |our |this |that |these |both |all )*"
    r"(?:new |attached |other )*(?:files?|attachments?|catalogu?e|feeds?|database)\b)"
)
_START = re.compile(rf"\s*{_POLITE}(?P<asked>{_ASKED})?{_POLITE}{_VERB}\b{_NO_NOUN}")
_LED_BY = re.compile(
    r"\s*(?:please\s+)?(?:here (?:is|are)|here's|this is|these are|i(?:'ve| have)? (?:just )?attached|attached (?:is|are)"
    r"|(?:take|hash|use|open|read|check|validate|verify|look at|summari[sz]e|show|list|analy[sz]e|unpack|extract)\b)"
)
_THEN = re.compile(rf"(?:[,;]\s*|\s(?:and|then)\s+){_POLITE}{_VERB}\b{_NO_NOUN}")
_GOES_ON = re.compile(
    r"(?:\band\b|\bthen\b|[,;])\s*(?:then |also |please )*(?:tell|say|show|list|look|what|which|is|how|answer|check)\b.*"
)
_FILE_NAME = re.compile(r"(?<![\w./\\-])[\w.-]{1,100}\.(?:json|csv|gz|zip|mmdb|xml|jsonl)\b")


def _sentences(words: str) -> list[str]:
    """The sentences of the user's own words, without what is quoted; the name of an attachment in quotes is none."""
    words = _QUOTED.sub(" … ", _NAME_QUOTED.sub("_", words))
    return [each.strip() for each in re.findall(r"[^.?!\n]+(?:[.](?=\S)[^.?!\n]*)*[.?!\n]*", words) if each.strip()]


def _is_order(sentence: str, has_set: bool) -> bool:
    """`has_set`: an attachment that is named has the name of a dataset."""
    start = _START.match(sentence)
    later = None if start else (_THEN.search(sentence) if _LED_BY.match(sentence) else None)
    found = start or later
    if found is None:
        return False
    rest = sentence[found.end() :]
    own = _GOES_ON.sub("", rest)
    is_question = sentence.endswith("?")
    if re.search(_NOT, sentence[: found.end()] + own) or re.search(
        _IF, re.sub(r"\bif (?:you can|possible)\b", "", own)
    ):
        return False
    if re.match(r"\s*_\s+(?:is|was|are|means|does|would|will|should|sounds|looks|may|might)\b", rest):
        return False
    if is_question and not (start and start["asked"]) and own == rest:
        return False
    if start and start["asked"] and not re.match(rf"\s*{_OBJECT}", rest):
        return False  # "can you import MaxMind files?"
    if re.search(rf"{_AS_DATA}|{_WORDS}", own) or (has_set and re.match(r"\s*(?:the (?:file )?)?_", rest)):
        return True
    says_file = re.match(rf"\s*{_OBJECT}", rest) or re.search(r"(?<!\w)_(?!\w)", own) or _FILE_NAME.search(own)
    return found[0].endswith("import") and says_file is not None


def is_ordered(request: Request) -> bool:
    """Whether the user tells to import, and says nothing against it."""
    words = request.words
    if len(words) > MAX_WORDS or re.search(_ABOUT_WORDS, words):
        return False
    about = [each for each in _sentences(words) if re.search(rf"\b{_VERB}\b", each)]
    has_set = any(re.search(_WORDS, each.name.lower().replace("_", " ")) for each in request.named())
    orders = [each for each in about if _is_order(each, has_set)]
    denied = any(re.search(_NOT, each) for each in about if each not in orders)
    return bool(orders) and not denied


def told(request: Request) -> str:
    """The answer to what is said of importing where nothing is imported; empty where it is about something else."""
    if request.pasted or len(request.prompt) > MAX_WORDS:
        return ""
    words = request.words
    if is_ordered(request):
        left = _FILE_NAME.findall(words)
        if left and not request.named():
            there = listed((each.name for each in request.attachments), 10) if request.attachments else "nothing"
            return f"No file called {code(left[0])} is attached, so nothing is imported. Attached: {there}. {HOW}"
        if not request.attachments and (left or re.search(rf"{_AS_DATA}|{_WORDS}|{_VERB} (?:it|this)\b", words)):
            return f"Nothing is attached that could be imported. {HOW}"
        return ""
    sentences = [each for each in _sentences(words) if len(each.split()) > 1] or [words]
    if not all(_is_about_importing(each) or _is_about_importing(words) for each in sentences) or not _fits(request):
        return ""
    named = request.named()
    order = f" That takes a plain order: {code(f'import {named[0].name}', 200)}." if named else ""
    return f"Nothing was imported.{order} {HOW}"


def _is_about_importing(words: str) -> bool:
    if re.search(rf"\b{_VERB}(?:ing)?\b{_NO_NOUN}", words) is None:
        return False
    return re.search(rf"{_AS_DATA}|{_WORDS}", words) is not None or ("import" in words and "_" in words)


def _fits(request: Request) -> bool:
    """A program's or a document's imports are functions."""
    named = request.named()
    return not named or not all(each.kind.startswith(("executable/", "document/")) for each in named)
