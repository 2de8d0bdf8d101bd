"""The user's own questions in a prompt, one by one: what is pasted is looked at by other tools."""

from __future__ import annotations

import re

from secgemini_jupyter.local_server.analyst.tool import Request
from secgemini_jupyter.local_server.analyst.wishes import clipped

MAX_QUESTION = 300
"""Characters of a question; what is longer is no question, but pasted text."""
MAX_QUESTIONS = 20
_QUESTION = (
    r"(?:who|whom|whose|what|which|how|is|are|was|does|do|did|can|tell|list|show|give|explain|compare|describe"
    r"|define)\b"
)
_BREAK = re.compile(
    rf"[?!;\n]+|(?<=[\w)\"'])\.(?:\s+|$)|,?\s+(?:and|also|then|or)\s+(?={_QUESTION})|,\s+(?={_QUESTION})", re.IGNORECASE
)
_ONLY_IDS = re.compile(
    r"(?:\W|\b(?:and|or|vs|versus|technique|techniques|tactic)\b|\bcwe[\s-]?\d{1,5}\b|\bcve[\s-]?\d{4}-\d{4,}\b"
    r"|\b(?:T\d{4}(?:[./]\d{3})?|TA\d{4}|[GSMC]\d{4})\b)+",
    re.IGNORECASE,
)


def questions(request: Request) -> list[str]:
    """The clauses of the instruction; of what follows it, only lines that are all questions themselves, or ids."""
    said = clipped(request.instruction)
    if "\n" not in request.prompt and len(request.pasted) <= MAX_QUESTION:
        said = clipped(request.prompt)  # "in one word: the name of T1059"
    lines = [line.strip() for line in request.pasted[:4_000].splitlines() if line.strip()]
    if "\n" in request.prompt and lines and not request.pasted_kind.startswith("log/") and all(map(_asks, lines)):
        said += "\n" + "\n".join(lines)
    said = re.sub(r"[^\S\n]+", " ", said)
    parts = [part for each in _BREAK.split(said) if 0 < len(part := each.strip(" ,.:-*")) <= MAX_QUESTION]
    return parts[:MAX_QUESTIONS]


def _asks(line: str) -> bool:
    if len(line) > MAX_QUESTION:
        return False
    is_question = line.endswith("?") or re.match(rf"[\s\d.)*-]*{_QUESTION}", line, re.IGNORECASE)
    return bool(is_question or _ONLY_IDS.fullmatch(line))
