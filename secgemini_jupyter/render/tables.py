"""Tables of a payload: read tolerantly, kept whole as data, shown in part."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from secgemini_jupyter.render import html
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.markdown import is_numeric
from secgemini_jupyter.render.text import columns as width_of
from secgemini_jupyter.render.text import count, defanged, one_line

__all__ = ["Table"]

MAX_ROWS = 100
MAX_COLUMNS = 30
MAX_CELL = 300
_TEXT_ROWS = 40
_TEXT_CELL = 40


@dataclass(frozen=True)
class Table:
    """Columns and rows with the values as they came: JSON values, or text where the source was CSV.

    Every row has as many values as there are columns; what was missing is None.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(repr=False)
    title: str = ""

    @classmethod
    def from_objects(cls, objects: Sequence[dict[str, Any]], title: str = "") -> Table:
        columns = tuple(dict.fromkeys(key for each in objects for key in each))
        return cls(columns, [tuple(map(each.get, columns)) for each in objects], title)

    @classmethod
    def from_rows(cls, columns: Sequence[Any], rows: Sequence[Sequence[Any]], title: str = "") -> Table:
        """Rows that are too long get columns called by their position, from 1."""
        width = max([len(columns), *map(len, rows)])
        names = [str(name) for name in columns] + [str(n) for n in range(len(columns) + 1, width + 1)]
        return cls(tuple(names), [tuple(row) + (None,) * (width - len(row)) for row in rows], title)

    @classmethod
    def from_value(cls, value: Any) -> Table | None:
        """A table of the JSON `value` (protocol section 14), or None if it is none."""
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            return cls.from_objects(value)
        if isinstance(value, dict) and isinstance(rows := value.get("rows"), list):
            title, columns = str(value.get("title") or ""), value.get("columns")
            if rows and all(isinstance(row, dict) for row in rows):
                return cls.from_objects(rows, title)
            if isinstance(columns, list) and all(isinstance(row, list) for row in rows):
                return cls.from_rows(columns, rows, title)
        return None

    @classmethod
    def from_csv(cls, text: str) -> Table | None:
        """A table of CSV with a header line, or None if it has no two columns."""
        try:
            rows = [row for row in csv.reader(io.StringIO(text.lstrip("\ufeff"))) if row]
        except csv.Error:  # a field too long, a stray quote at the end
            return None
        return cls.from_rows(rows[0], rows[1:]) if rows and len(rows[0]) > 1 else None

    def to_html(self, *, defang: bool = True) -> Html:
        """The first rows and columns; columns of numbers stand right. What is left out is said below."""
        shown = [[cell_text(value, defang=defang) for value in row[:MAX_COLUMNS]] for row in self.rows[:MAX_ROWS]]
        names = [cell_text(name, defang=defang) for name in self.columns[:MAX_COLUMNS]]
        numeric = [is_numeric(row[index] for row in shown) for index in range(len(names))]
        head = [
            html.tag("th", name, style=html.CELL["right" if right else "left"])
            for name, right in zip(names, numeric, strict=True)
        ]
        body = [
            html.tag(
                "tr",
                *[
                    html.tag("td", text, style=html.NUMBER if right else html.CELL["left"])
                    for text, right in zip(row, numeric, strict=True)
                ],
                style=html.ROW,
            )
            for row in shown
        ]
        title = cell_text(self.title, defang=defang)
        return html.join(
            html.tag("div", html.tag("strong", title), style=html.TITLE) if title else "",
            html.tag(
                "div",
                html.tag(
                    "table",
                    html.tag("thead", html.tag("tr", *head, style=html.ROW)),
                    html.tag("tbody", *body),
                    style=html.TABLE,
                ),
                style=html.SCROLL,
            ),
            html.tag("div", self._left_out(MAX_ROWS), style=html.QUIET) if self._left_out(MAX_ROWS) else "",
        )

    def to_text(self, *, defang: bool = True) -> str:
        """Aligned plain text, for a terminal."""
        shown = [[cell_text(value, defang=defang) for value in row[:MAX_COLUMNS]] for row in self.rows[:_TEXT_ROWS]]
        names = [cell_text(name, defang=defang) for name in self.columns[:MAX_COLUMNS]]
        numeric = [is_numeric(row[index] for row in shown) for index in range(len(names))]
        lines = [[one_line(cell, _TEXT_CELL) for cell in row] for row in [names, *shown]]
        widths = [max(width_of(line[index]) for line in lines) for index in range(len(names))]
        text = []
        for line in lines:
            padded = [
                " " * (width - width_of(cell)) + cell if right else cell + " " * (width - width_of(cell))
                for cell, width, right in zip(line, widths, numeric, strict=True)
            ]
            text.append("  ".join(padded).rstrip())
        left_out = self._left_out(_TEXT_ROWS)
        title = cell_text(self.title, defang=defang)
        return "\n".join([*([title] if title else []), *text, *([f"[{left_out}]"] if left_out else [])])

    def _left_out(self, rows: int) -> str:
        parts = []
        if len(self.rows) > rows:
            parts.append(count(len(self.rows) - rows, "more row"))
        if len(self.columns) > MAX_COLUMNS:
            parts.append(count(len(self.columns) - MAX_COLUMNS, "more column"))
        return f"{' and '.join(parts)} in the answer's data" if parts else ""


def cell_text(value: Any, *, defang: bool = True) -> str:
    """One value on one line."""
    if value is None:
        return ""
    if not isinstance(value, str):
        value = (
            json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list | bool) else str(value)
        )
    text = one_line(value, MAX_CELL)
    return defanged(text) if defang else text
