"""Markdown that a hostile value cannot break out of: every value from outside is a code span."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

CELL = 120
"""Characters of a value that a table shows."""


def visible(value: object, limit: int = CELL) -> str:
    """`value` on one line; what has no glyph of its own (controls, direction marks) is written as an escape."""
    text = str(value)
    more = len(text) - limit
    if text and not text.strip(" "):
        return "\\x20" * min(len(text), 8)  # Markdown shows no code that is blank
    text = "".join(
        c if c == " " or unicodedata.category(c)[0] not in "CZ" else c.encode("unicode_escape").decode()
        for c in text[:limit].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )
    return f"{text}… ({more:,} more characters)" if more > 0 else text


def code(value: object, limit: int = CELL) -> str:
    """`value` as a code span."""
    text = visible(value, limit)
    if not text:
        return "(empty)"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def block(text: str, limit: int = 20_000) -> str:
    """Several lines as a code block; controls but line ends and tabs are written as escapes."""
    shown = "\n".join(visible(line.replace("\t", "    "), 100_000) for line in text[:limit].splitlines())
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    more = len(text) - limit
    return f"{fence}\n{shown}\n{fence}" + (f"\n({more:,} more characters)" if more > 0 else "")


def table(
    headers: Sequence[str], rows: Sequence[Sequence[object]], *, limit: int = 20, total: int | None = None
) -> str:
    """A table; texts become code spans, numbers and None stay as they are. `total`: how many rows there really are."""
    lines = [f"| {' | '.join(headers)} |", f"|{'|'.join('---' for _ in headers)}|"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows[:limit]]
    more = (len(rows) if total is None else total) - min(len(rows), limit)
    return "\n".join(lines) + (f"\n\n({more:,} more)" if more > 0 else "")


def _cell(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, Plain):
        return value
    if isinstance(value, int | float):
        return f"{value:,}"
    return code(value).replace("|", "\\|")


class Plain(str):
    """Our own words in a table cell: never anything from outside."""

    __slots__ = ()


def moment(value: object) -> Plain:
    """A time as the log has it: plain where it holds nothing but a time, else like any value."""
    text = str(value or "")
    return Plain(text if re.fullmatch(r"[A-Za-z0-9 :+.,/-]{4,40}", text) else _cell(value))


def listed(values: Iterable[object], limit: int = 5) -> str:
    """`a`, `b` and 3 more."""
    items = list(values)
    shown = ", ".join(code(item) for item in items[:limit])
    return f"{shown} and {len(items) - limit:,} more" if len(items) > limit else shown


def counted(pairs: Iterable[tuple[object, int]], limit: int = 5) -> str:
    """`a` (3), `b` (1) and 2 more."""
    items = list(pairs)
    shown = ", ".join(f"{code(value)} ({count:,})" for value, count in items[:limit])
    return f"{shown} and {len(items) - limit:,} more" if len(items) > limit else shown


def count(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def utc(epoch: float) -> str:
    try:
        return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{epoch:g} s"


def prose(value: object, limit: int = 2_000) -> str:
    """A text of several words in a paragraph: what Markdown or HTML would read in it is escaped, and no more than that.

    Who reads the answer as text sees `ATT&CK` and `id_1` as they are.
    """
    return _MARKS.sub(r"\\\1", visible(value, limit))


_MARKS = re.compile(r"([\\`*\[\]<>|~$]|&(?=#?\w{1,32};)|(?<![^\W_])_|_(?![^\W_])|^#)")
