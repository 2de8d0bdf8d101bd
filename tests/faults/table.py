"""The table in `tests/README.md`: read, and written anew."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- faults: written by `make faults` -->\n", "<!-- end of faults -->\n"
COLUMNS = ("fault", "turns", "sync", "async", "cell", "official SDK")
NOT_THERE = "–"

Row = Mapping[str, str]


def joined(verdicts: Sequence[str]) -> str:
    """What came of several turns, the most frequent first; how often, unless it was the same each time."""
    if len(set(verdicts)) == 1:
        return verdicts[0]
    counted = Counter(re.sub(r"\b\d+ (?=lost|twice|not of|prompts|tool runs)", "", each) for each in verdicts)
    return "; ".join(f"{text} ({count} of {len(verdicts)})" for text, count in counted.most_common())


def written(rows: Sequence[Row], remark: str) -> str:
    """As Markdown."""
    lines = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)]
    lines += [" | ".join(row[column].replace("|", "\\|") for column in COLUMNS) for row in rows]
    return remark + "\n\n" + "\n".join(f"| {line} |" for line in lines) + "\n"


def put(text: str) -> None:
    """Write it into the page, between its marks."""
    page = README.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + BEGIN + text + END + after, "utf-8")


def rows() -> list[Row]:
    """The rows that stand in the page."""
    page = README.read_text("utf-8")
    table = page.partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [dict(zip(COLUMNS, each, strict=True)) for each in cells]
