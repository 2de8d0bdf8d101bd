"""An answer that the user dictates: "just output the word 'x', nothing else". Pasted text cannot: all must be said.

Where words are in quotes there is no doubt. Without quotes, "print only "
"OK" dictates and "print only the IPs" does not.
"""

from __future__ import annotations

import re

from secgemini_jupyter.local_server.analyst.listing import known_words

MAX_PROMPT = 400

_LEAD = (
    r"\s*(?:(?:please|now|ok|okay|hey|hi|kindly|bitte|por favor)[\s,]+)*"
    r"(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?|i\s+(?:want|need|would like)\s+you\s+to\s+"
    r"|you\s+(?:must|should|may)\s+)?"
    r"(?:(?:just|only|simply|exactly|literally)\s+)*"
)
_VERB = (
    r"(?:your\s+(?:entire\s+|whole\s+|full\s+|only\s+|complete\s+)?(?:answer|output|reply|response)\s+(?:must"
    r"|should|shall|has\s+to|is\s+to)\s+be|output|say|print|reply|respond|answer|return|write"
    r"|repeat(?:\s+after\s+me)?|echo|type|display|emit|give(?:\s+me)?|sag|schreib\w*|antworte|di|responde|escribe)"
    r"(?:\s+(?:back|me|to\s+me))?(?:\s+(?:with|mit|con))?"
)
_EMPHASIS = (
    r"(?:\s+(?:only|just|exactly|precisely|literally|verbatim|simply|nur|genau|solo|s[oó]lo"
    r"|nothing\s+but|with|mit|con))*"
)
_NOUN = (
    r"(?:\s+(?:the|this|that|a|das|dem|el|la))?(?:\s+(?:exact|single|one|following|literal))?(?:\s+(?:word"
    r"|words|text|string|phrase|sentence|line|token|message|wort|palabra))?"
)
_QUOTED = (
    "(?:" + "|".join(
        rf"{opening}(?P<{name}>[^{closing}\n]{{1,200}})[{closing}]"
        for name, opening, closing in (
            ("a", '"', '"'), ("b", "'", "'"), ("c", "“", "”"), ("d", "‘", "’"), ("e", "`", "`"), ("f", "«", "»"),
            ("g", "„", "“”"),
        )
    ) + ")"
)  # fmt: skip
_TAIL = (
    r"[\s.!,;:]*+(?:(?:and|but|with|then|und|y)\s+)?(?:"
    r"(?:absolutely\s+)?nothing\s+(?:else|more)|no(?:thing)?\s+other\s+(?:text|words?|output)"
    r"|without\s+(?:any\s+)?(?:quotes|other\s+\w+|anything\s+else|\w+)|"
    r"no\s+(?:more|explanations?|quotes|punctuation|other\s+\w+|extra\s+\w+|commentary)|only\s+that|that(?:'s"
    r"|\s+is)\s+(?:all|it)|only|please|sonst\s+nichts|nada\s+m[aá]s|exactly|verbatim|to\s+me"
    r")?[\s.!?]*"
)
_SURE = re.compile(rf"{_LEAD}{_VERB}{_EMPHASIS}{_NOUN}\s*:?\s*{_QUOTED}(?:{_TAIL}){{0,2}}", re.IGNORECASE)
_JUST_QUOTED = re.compile(
    rf"\s*(?:just|only)\s+(?:the\s+)?(?:word|words|text|string|phrase)\s+{_QUOTED}(?:{_TAIL}){{0,2}}", re.IGNORECASE
)
_BARE = r"(?P<bare>[^\s'\"`“”‘’«»„:][^\n'\"`“”«»„:]{0,120}?)"
_EXACT = re.compile(
    rf"{_LEAD}(?:{_VERB}{_EMPHASIS}{_NOUN}\s*(?P<colon>:)\s*|{_VERB}\s+(?:exactly|precisely|verbatim"
    rf"|literally){_NOUN}\s+|"
    rf"{_VERB}{_EMPHASIS}\s+(?:the|this|das|la)(?:\s+(?:exact|single|one|literal))?\s+(?:word|text|string"
    rf"|phrase|wort|palabra)\s+){_BARE}(?P<tail>{_TAIL})",
    re.IGNORECASE,
)
_VERBATIM = re.compile(
    rf"{_LEAD}{_VERB}\s+(?:exactly|precisely|verbatim|literally){_NOUN}\s*:\s*(?P<bare>\S[^\n]{{0,200}}?)\s*",
    re.IGNORECASE,
)
_ALONE = re.compile(
    rf"{_LEAD}{_VERB}{_EMPHASIS}\s+{_BARE}(?P<tail>[\s.!,;:]*+(?:(?:and|but|und|y)\s+)?"
    r"(?:(?:absolutely\s+)?nothing\s+(?:else|more)|no\s+other\s+(?:text|words?)|only\s+that|sonst\s+nichts"
    r"|nada\s+m[aá]s)[\s.!]*)",
    re.IGNORECASE,
)
_ONE = re.compile(
    rf"\s*(?:please\s+)?(?:(?:just|only|simply)\s+{_VERB}|{_VERB}\s+(?:with\s+)?(?:only|just|exactly"
    rf"|nothing\s+but))\s+(?:with\s+)?(?P<bare>[\w!?+-]{{1,60}})[\s.!]*",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(r"\s*(?:please\s+)?(?:say|print|echo|output|repeat)\s+([\w!?+-]{1,60})[\s.]*", re.IGNORECASE)
_QUESTION = re.compile(r"(?:what|which|who|how|whether|if|is|are|does|do|why|when|where)\b", re.IGNORECASE)
_NO_TEXT = re.compile(
    r"(?:the|all|every|each|its|their|your|my|any|what|which|who|how|whether|if|one|of|in|from|as|with|for|me|it|them"
    r"|that|this|those|these|valid|only|"
    r"yes\s+or\s+no|\w+\s+or\s+\w+)\b|.*\b(?:json|csv|markdown|table|sentences?|list|(?:one|single|1)[ -]word"
    r"|word)\b",
    re.IGNORECASE,
)


def dictated(prompt: str) -> str | None:
    """The answer, if the prompt does nothing but dictate one, beyond doubt."""
    if len(prompt) > MAX_PROMPT:
        return None
    for pattern in (_SURE, _JUST_QUOTED):
        if found := pattern.fullmatch(prompt):
            return next(group for group in found.groups() if group is not None)
    for pattern in (_EXACT, _ALONE, _ONE, _VERBATIM):
        if (found := pattern.fullmatch(prompt)) and (text := _text(found)):
            return text
    return None


def perhaps_dictated(prompt: str) -> str | None:
    """The same of "say pong": it is one word, and no tool knows what else it could mean."""
    found = _ONE_WORD.fullmatch(prompt) if len(prompt) < MAX_PROMPT else None
    return found[1] if found and not _NO_TEXT.match(found[1]) and not known_words(found[1].lower()) else None


def _text(found: re.Match[str]) -> str:
    parts = found.groupdict()
    text = found["bare"].strip().rstrip(",;")
    if marks := re.match(r"[!?]+", parts.get("tail") or ""):
        text += marks[0]
    text = text[:-1] if text.endswith(".") and not text.endswith("..") else text
    is_no_text = _QUESTION.match(text) if parts.get("colon") else _NO_TEXT.match(text)
    words = re.sub(r"^(?:the|all|its)\s+", "", text.lower())
    return "" if is_no_text or known_words(words) else text.strip()
