"""Queries for rows of a log: the first, the last, the largest, those under conditions; and what a query is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from secgemini_jupyter.local_server.analyst.logs import words as w
from secgemini_jupyter.local_server.analyst.logs.columns import Columns, Condition
from secgemini_jupyter.local_server.analyst.logs.scan import Mention, Question
from secgemini_jupyter.local_server.analyst.logs.sql import quoted
from secgemini_jupyter.local_server.analyst.logs.words import singular

TOP = 10
LISTED = 50
MAX_ROWS = 500
_SHOWN = (
    "source",
    "user",
    "destination",
    "destination port",
    "host",
    "event",
    "method",
    "URI",
    "query",
    "status",
    "program",
    "reason",
    "message",
)


@dataclass
class Query:
    """`shape`: number, groups or rows."""

    sql: str
    shape: str
    what: str
    """What one row of the result, or the number, is: in words, `{}` for each of `names`."""
    names: list[str] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    order: str = ""
    limit: int = MAX_ROWS
    is_ranked: bool = False
    """Whether the most or the least was asked for."""
    filled: list[str] = field(default_factory=list)
    """That the columns which are grouped by hold something, in SQL."""
    share: Condition | None = None
    """What the rows are of which the share is told."""
    is_one: bool = False
    """Whether one is asked for: "which host …", not "top hosts"."""


class RowsWriter:
    """What of a question concerns rows alone."""

    q: Question
    columns: Columns
    conditions: list[Condition]
    groups: list[Mention]
    notes: list[str]
    text: str
    most: bool
    least: bool

    def _limit(self, otherwise: int) -> int:
        return self.q.limit or otherwise

    def _where(self, *more: str) -> str:
        parts = [
            f"({each.sql})" if " OR " in each.sql and not each.sql.startswith("(") else each.sql
            for each in self.conditions
        ] + list(more)
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def _query(
        self, sql: str, shape: str, what: str, names: Sequence[str] = (), order: str = "", limit: int = MAX_ROWS
    ) -> Query:
        return Query(sql, shape, what, list(names), self.conditions, self.notes, order, limit, self.most or self.least)

    def _ordering(self) -> str:
        time = self.columns.time
        if time is None or time.kind == "yearless":
            self.notes.append("No time with a year is in the log: the order is that of its lines.")
            return "line"
        return time.column if time.kind == "number" or (time.kind == "iso" and self._one_zone()) else f"{time.epoch}"

    def _one_zone(self) -> bool:
        """Whether all times of the sample end alike, so that their texts sort by time."""
        time = self.columns.time
        assert time is not None
        zones = {
            re.sub(r".*\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?=Z|[+-]|$)", "", str(row[time.name]))
            for row in self.columns.sample
            if row[time.name]
        }
        forms = {len(str(row[time.name])) for row in self.columns.sample if row[time.name]}
        return len(zones) == 1 and len(forms) == 1

    def _shown(self) -> list[str]:
        wanted = [self.columns.time.name] if self.columns.time else []
        wanted += [str(mention.column) for mention in self.groups]
        wanted += [
            name
            for name in self.columns.kinds
            if any(quoted(name) in each.sql for each in self.conditions) and len(self.conditions) < 4
        ][:6]
        roles = [name for role in _SHOWN if (name := self.columns.role(role))]
        measures = [name for kind in ("bytes", "duration") for name in (self.columns.measure(kind) or ("", []))[1]]
        names = list(dict.fromkeys([*wanted, *roles, *measures]))
        if len(names) < 4:
            names = list(dict.fromkeys([*names, *self.columns.kinds]))
        return names[:10]

    def _rows(self, order: str, limit: int, told: str, *conditions: str) -> Query:
        listed = ", ".join(map(quoted, self._shown())) or "line"
        sql = f"SELECT {listed} FROM log{self._where(*conditions)} ORDER BY {order} LIMIT {limit}"  # noqa: S608
        return self._query(sql, "rows", "rows", (), told, limit)

    def _edge(self) -> Query:
        """The first or the last rows."""
        is_last = self.q.has(w.LAST)
        order = self._ordering()
        filled = [f"{self.columns.time.column} IS NOT NULL"] if self.columns.time else []
        limit = self._limit(1)
        direction = " DESC" if is_last else ""
        by = f"{order}{direction}" + ("" if order == "line" else f", line{direction}")
        return self._rows(by, limit, "the last ones first" if is_last else "the first ones", *filled)

    def _span(self) -> Query:
        order = self._ordering()
        name = self.columns.time.column if self.columns.time else "line"
        if order == "line" and self.columns.time:
            each = f"(SELECT {name} FROM log{self._where()} ORDER BY line{{}} LIMIT 1)"  # noqa: S608
            first, last = each.format(""), each.format(" DESC")
            sql = f"SELECT {first} AS first, {last} AS last, count(*) AS n FROM log{self._where()}"  # noqa: S608
        else:
            sql = f"SELECT min({name}) AS first, max({name}) AS last, count(*) AS n FROM log{self._where()}"  # noqa: S608
        return self._query(sql, "groups", "first and last time", ())

    def _longest_text(self) -> str | None:
        """The column of "the longest query"."""
        words = self.text.split()
        after = [singular(word) for before, word in pairwise(words) if before in w.LONG | w.SHORT]
        named = [column for word in after if (column := self.columns.phrases.get((word,), ("", None))[1])]
        return next((name for name in named if not self.columns.is_numeric(name)), None)

    def _superlative(self) -> Query | None:
        q = self.q
        kind, direction = "", "DESC"
        if q.has(w.LONG | w.SHORT):
            kind, direction = "duration", "ASC" if q.has(w.SHORT) else "DESC"
        elif q.has(w.LARGE | w.SMALL) and all(each.role in ("file name", "URI") for each in self.groups):
            words = {
                "response": "received",
                "responses": "received",
                "download": "received",
                "downloads": "received",
                "downloaded": "received",
                "upload": "sent",
                "uploads": "sent",
                "uploaded": "sent",
                "sent": "sent",
            }
            kind, direction = (
                next((words[word] for word in self.text.split() if word in words), "bytes"),
                "ASC" if q.has(w.SMALL) else "DESC",
            )
        elif "most" in q.said or "highest" in q.said:
            return None
        measure = self.columns.measure(kind) if kind else None
        if kind == "duration" and measure is None and (name := self._longest_text()):
            measure = (f"length({quoted(name)})", [name])
        if kind and measure is None:
            q.missing.append("duration" if kind == "duration" else "size")
        if measure is None:
            return None
        q.take(w.LONG | w.SHORT | w.LARGE | w.SMALL)
        told = f"by {' + '.join(measure[1])}, {'the largest' if direction == 'DESC' else 'the smallest'} first"
        singular_noun = not any(
            word in q.said
            for word in ("connections", "requests", "sessions", "flows", "rows", "transfers", "files", "downloads")
        )
        expression = measure[0]
        query = self._rows(
            f"{expression} {direction}", self._limit(1 if singular_noun else TOP), told, f"{expression} IS NOT NULL"
        )
        if measure[1][0] not in self._shown()[:10]:
            query.sql = query.sql.replace("SELECT ", f"SELECT {', '.join(map(quoted, measure[1]))}, ", 1)
        return query
