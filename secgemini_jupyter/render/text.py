"""Untrusted text → text that a terminal, a browser and a reader take for what it is.

What acts on a terminal or hides from the eye is *shown*, not dropped: in this trade a hidden escape or a
reversed file name is often the finding.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

__all__ = ["count", "defanged", "duration", "name_and_size", "one_line", "safe_text", "shorten", "size", "utc"]

FEEDBACK_HINT = "rate it: %secgemini feedback up|down"
"""What stands last in the footer of an answer that its reader may rate."""

# C0 but tab and newline, DEL, C1 · bidi marks, embeddings, isolates · characters without width or ink ·
# tag characters and supplementary variation selectors, which smuggle text · line separators · surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff\U0001d173-\U0001d17a"
    "\u2028\u2029"
    "\ud800-\udfff]"
    # Joiners make one emoji of two, and Persian and Indic words; beside ASCII they can only hide.
    "|(?<=[\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?=[\x00-\x7f])|^[\u200c\u200d]|[\u200c\u200d]$"
)
_MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


def safe_text(text: str) -> str:
    """`text` with controls as pictures (`␛[2J`) and invisible characters as `⟨U+202E⟩`; newlines and tabs stay.

    Piles of combining marks, which paint over the lines above, are cut at four.
    """
    text = text.replace("\r\n", "\n")
    if text.isascii() and text.isprintable():
        return text
    return _MARKS.sub(r"\1", _UNSAFE.sub(_visible, text))


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"⟨U+{code:04X}⟩"


def one_line(text: str, limit: int = 200) -> str:
    """`text` safe, on one line, of at most `limit` characters."""
    return shorten(" ".join(safe_text(text[: 8 * limit]).split()), limit)


def shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def defanged(text: str) -> str:
    """`text` with its indicators of compromise in the form that cannot be clicked or resolved by accident."""
    from secgemini_jupyter.indicators import defang

    return defang(text)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(bytes_: int) -> str:
    """`6.1 kB`: thousands, as file managers count."""
    amount = float(bytes_)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def name_and_size(name: str, bytes_: int | None) -> str:
    return one_line(name, 80) if bytes_ is None else f"{one_line(name, 80)} {size(bytes_)}"


def duration(seconds: float) -> str:
    """`40 ms`, `0.3 s`, `48 s`, `2 min 05 s`. Nonsense (negative, NaN) is nothing."""
    if not 0 <= seconds < 1e7:
        return ""
    if 0 < seconds < 0.0995:
        return f"{max(seconds * 1000, 1):.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def utc(seconds: float) -> str:
    """Unix time as `2026-01-31 09:05:07 UTC`; one outside the calendar stays a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{seconds}"


def columns(text: str) -> int:
    """How many terminal columns `text` takes: East Asian wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
