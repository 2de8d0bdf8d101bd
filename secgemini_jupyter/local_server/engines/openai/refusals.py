"""What an endpoint's refusal means, by its own words; no two endpoints say it alike."""

from __future__ import annotations

import re

import httpx

from secgemini_jupyter.language_model import MIN_CONTEXT

_TOOLS = r"\b(?:tools?|tool.{0,3}(?:choice|calls?|calling|use)|function.{0,3}(?:calls?|calling))\b"
_REFUSES = (
    r"(?:\b(?:unsupported|disabled)\b"
    r"|\b(?:unknown|unrecogni[sz]ed|unexpected|extra) (?:request )?(?:argument|field|parameter|input|key)"
    r"|\bnot (?:\w+ ){0,2}(?:supported|available|enabled|allowed|permitted|implemented)\b"
    r"|(?:\bnot|n't|\bno \w+ found that) support\b)"
)
_NO_TOOLS = re.compile(
    rf"{_REFUSES}.{{0,60}}{_TOOLS}|{_TOOLS}.{{0,60}}{_REFUSES}|requires? --jinja|--enable-auto-tool-choice",
    re.IGNORECASE,
)

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d{3,8})"
_LIMIT = re.compile(
    r"(?:context.{0,3}(?:length|size|window)|token limit|max\w*[ _]tokens)"
    rf"\D{{0,24}}(?<![\d.])(?P<number>{_NUMBER})(?!\d)",
    re.IGNORECASE,
)


def takes_no_tools(words: str) -> bool:
    """Whether tools as such are refused. That a call of the model's could not be read is nothing of the kind."""
    return _NO_TOOLS.search(words) is not None


def is_too_long(status: int, words: str) -> bool:
    if status not in (400, 413, 422, 500):
        return False
    return status == 413 or re.search(
        r"context.{0,20}(?:length|size|window)|too many tokens|maximum.{0,20}tokens|prompt is too long"
        r"|exceed_context_size|token limit|input is too long", words, re.IGNORECASE,
    ) is not None  # fmt: skip


def limit_in(words: str) -> int:
    """The number of tokens that the error text names as the limit; 0 for none. Without a word before it, the least."""
    named = _LIMIT.search(words)
    found = [named["number"]] if named else re.findall(rf"(?<![\d.]){_NUMBER}(?![\d.]*\d)", words)
    numbers = [int(each.replace(",", "")) for each in found]
    return min((each for each in numbers if each >= MIN_CONTEXT), default=0)


def retry_after(response: httpx.Response | None) -> float | None:
    said = response.headers.get("retry-after", "") if response is not None else ""
    return float(said) if re.fullmatch(r"\d{1,6}(?:\.\d{1,3})?", said) else None


def why_unreachable(problem: Exception) -> str:
    words = str(problem).lower()
    if "certificate" in words:
        return ": its certificate is not trusted"
    if "name or service" in words or "nodename" in words or "getaddrinfo" in words:
        return ": no such host"
    return ": the connection is refused" if "attempts failed" in words or "refused" in words else ""
