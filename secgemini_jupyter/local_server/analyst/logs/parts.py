"""The questions of a prompt, one by one."""

from __future__ import annotations

import re

MAX_QUESTIONS = 4


def parts_of(question: str) -> list[str]:
    """A prompt's questions, one by one."""
    parts = re.split(
        r"[?!]+\s|[?!]+$|;|\n|(?<=[a-z0-9])\.\s+(?=[A-Z])"
        r"|,?\s+and\s+(?=(?:(?:for|from|to|by|on|at|with)\s+)?(?:who|which|what|how many|how much)\b)"
        r"|,?\s+and\s+(?=(?:when|where|show|list)\b)"
        r"|,\s*(?=(?:who|which|what|when|where)\b)",
        question,
    )
    parts = [part.strip() for part in parts if re.search(r"\w\W+\w|\w{3}", part)]
    asked = [part for part in parts if not _NO_QUESTION.fullmatch(part)]
    return (asked or parts)[:MAX_QUESTIONS]


_NO_QUESTION = re.compile(
    r"(?:(?:just|only)(?: \w+){1,3}|(?:hi|hello|hey|thanks?|thank you|please|ok|okay|cheers|thx)(?: \w+)?)\W*",
    re.IGNORECASE,
)
"""What tells of the answer's form, or nothing."""
_WRITES = re.compile(
    r"\W*(?:please )?(?:drop|delete|truncate|alter|insert|update|create)\b"
    r"(?: \w+)? (?:table|into|from|index|database)\b.*",
    re.IGNORECASE | re.DOTALL,
)


_SELECTS = re.compile(
    r"\W*(?:select\s+(?:distinct\s+)?(?:\*|\w+\s*\(|[\w.\"]+\s+from\s+[a-z_\"]|[\w.\"]+\s*,.*\bfrom\b)"
    r"|with\s+\w+\s+as\s*\(|pragma\b|attach\b|explain\s+select\b)",
    re.IGNORECASE | re.DOTALL,
)


def is_sql(part: str) -> bool:
    """Whether it is SQL, which no question in English is."""
    return _SELECTS.match(part) is not None


def writes(part: str) -> bool:
    """Whether it is a statement of SQL that changes something."""
    return _WRITES.fullmatch(part) is not None
