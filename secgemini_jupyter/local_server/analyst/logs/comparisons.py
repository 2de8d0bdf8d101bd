"""Numbers in a question: how many rows, which time buckets, more or less than what."""

from __future__ import annotations

import re

from secgemini_jupyter.local_server.analyst.logs import words as w
from secgemini_jupyter.local_server.analyst.logs.columns import Condition
from secgemini_jupyter.local_server.analyst.logs.scan import Having, Scan
from secgemini_jupyter.local_server.analyst.logs.sql import quoted
from secgemini_jupyter.local_server.analyst.logs.words import MEASURE_OF, Token, singular

_SIZES = {
    "": 1,
    "b": 1,
    "byte": 1,
    "bytes": 1,
    "kb": 1e3,
    "kib": 1024,
    "mb": 1e6,
    "mib": 2**20,
    "gb": 1e9,
    "gib": 2**30,
}
_SECONDS = {"s": 1, "sec": 1, "second": 1, "ms": 0.001, "millisecond": 0.001, "min": 60, "minute": 60, "hour": 3600}
_MORE = {
    **dict.fromkeys(["more", "over", "above", "greater", "exceeding", "larger", "bigger", "longer", ">"], ">"),
    **dict.fromkeys(["less", "under", "below", "fewer", "smaller", "shorter", "<"], "<"),
    **{"least": ">=", ">=": ">=", "<=": "<=", "!=": "<>", "<>": "<>"},
}
_OFTEN = frozenset("many requests rows events connections times failures errors".split())


class Comparisons(Scan):
    def _buckets(self) -> None:
        if self.columns.time is None:
            return
        for at, token in enumerate(self.tokens):
            unit = {"hourly": "hour", "daily": "day", "monthly": "month", "date": "day", "dates": "day"}.get(
                token.low, singular(token.low)
            )
            is_alone = token.low in ("hourly", "daily", "monthly")
            before = self._low(at - 1)
            if before in ("one", "any", "single") and self.question.has(w.MOST):
                before = "most"
                self._use(at - 1)
            asks = before in w.PER | w.MOST | {"which", "what", "quietest", "an", "a"}
            if unit in w.BUCKETS and (is_alone or (asks and self._low(at - 2) not in ("last", "past", "half"))):
                if before in ("an", "a") and self._low(at - 2) not in _OFTEN:
                    continue
                self.question.bucket = unit
                self._use(at)
        if re.search(r"\bover time\b|\btime ?line\b|\bhistogram\b", " ".join(token.low for token in self.tokens)):
            self.question.bucket = self.question.bucket or "hour"
            self.question.take({"over", "time", "timeline", "histogram"})

    def _limit(self) -> None:
        ranks = w.MOST | w.LEAST | w.FIRST | w.LAST | w.LONG | w.SHORT | w.LARGE | w.SMALL
        for at, token in enumerate(self.tokens):
            number = (
                int(token.text)
                if token.kind == "number" and token.text.isdigit() and not token.unit
                else w.NUMBERS.get(token.low)
            )
            if number is None or token.used or number > 500 or number < 1:
                continue
            if self._low(at - 1) in ranks - {"least"} or (
                self._low(at + 1) in ranks | {"rows", "lines", "examples"} and self._low(at - 1) not in _MORE
            ):
                self.question.limit = number
                self._use(at)
                return

    def _comparisons(self) -> None:
        for at, token in enumerate(self.tokens):
            if token.kind != "number" or token.used:
                continue
            begin, operator = at - 1, ""
            if self._low(begin) == "than" and self._low(begin - 1) in _MORE:
                begin, operator = at - 2, _MORE[self._low(at - 2)]
            elif self._low(begin) in _MORE and (self._low(begin) != "least" or self._low(begin - 1) == "at"):
                operator = _MORE[self._low(begin)]
                begin -= self._low(begin) == "least"
            elif self._low(begin) == "most" and self._low(begin - 1) == "at":
                begin, operator = at - 2, "<="
            elif (found := self._between(at)) is not None:
                self.question.conditions.append(found)
                continue
            if operator and self._compare(begin, at, operator, token):
                self._use(begin, at - begin + 1)

    def _between(self, at: int) -> Condition | None:
        """status between 400 and 499"""
        if (
            self._low(at - 1) not in ("between", "from")
            or self._low(at + 1) not in ("and", "to")
            or at + 2 >= len(self.tokens)
        ):
            return None
        other, mention = self.tokens[at + 2], self._mention_before(at - 1)
        kind = MEASURE_OF.get(self._low(at + 3), "bytes" if singular(other.unit) in _SIZES and other.unit else "")
        if other.kind == "number" and mention is None and (measure := self.columns.measure(kind) if kind else None):
            low, high = (float(each.text) * _SIZES.get(singular(other.unit), 1) for each in (self.tokens[at], other))
            self._use(at - 1, 4 if self._low(at + 3) in MEASURE_OF else 4 - 1)
            self._use(at + 2)
            told = f"{' + '.join(measure[1])} from {low:.15g} to {high:.15g}"
            return Condition(f"{measure[0]} BETWEEN {low:.15g} AND {high:.15g}", told)
        if other.kind != "number" or mention is None or mention.column is None:
            return None
        self._use(mention.at, at + 3 - mention.at)
        return Condition(
            f"{quoted(mention.column)} BETWEEN {self.tokens[at].text} AND {other.text}",
            f"{mention.column} from {self.tokens[at].text} to {other.text}",
        )

    def _compare(self, begin: int, at: int, operator: str, token: Token) -> bool:
        number, unit = float(token.text), singular(token.unit)
        word = self._low(begin) if self._low(begin) != "at" else ""
        following = singular(self._low(at + 1))
        kind = ""
        if unit in _SIZES and unit:
            kind, number = self._direction(), number * _SIZES[unit]
        elif unit in _SECONDS:
            kind, number = "duration", number * _SECONDS[unit]
        elif word in ("longer", "shorter"):
            kind = "duration"
        elif word in ("larger", "bigger", "smaller"):
            kind = "bytes"
        elif (said := MEASURE_OF.get(self._low(begin - 1))) and self._mention_before(begin) is None:
            kind = said  # "bytes over 5000"
            self._use(begin - 1)
        elif (mention := self._mention_at(at + 1)) and mention.column in self.columns.measured:
            self._use(mention.at, mention.length)  # "more than 100000 resp_bytes"
            if self._is_grouped(begin):
                self.question.having = Having(operator, number, str(mention.column), is_sum=True)
            else:
                condition = f"{mention.column} {operator} {number:.15g}"
                sql = f"{quoted(str(mention.column))} {operator} {number:.15g}"
                self.question.conditions.append(Condition(sql, condition))
            return True
        elif (mention := self._mention_before(begin)) and mention.column and self.columns.is_numeric(mention.column):
            self._use(mention.at, mention.length)
            self.question.conditions.append(
                Condition(
                    f"{quoted(mention.column)} {operator} {number:.15g}",
                    f"{mention.column} {operator} {number:.15g}",
                )
            )
            return True
        if kind == "duration":
            self.question.take({word for word, of in MEASURE_OF.items() if of == "duration"})
        if kind:
            if (measure := self.columns.measure(kind)) is None:
                self.question.missing.append(kind)
                return True
            if self._is_grouped(at) and kind != "duration":
                self.question.having = Having(operator, number, kind)
            else:
                sql, names = measure
                self.question.conditions.append(
                    Condition(f"{sql} {operator} {number:.15g}", f"{' + '.join(names)} {operator} {number:.15g}")
                )
            return True
        if (mention := self._mention_at(at + 1, strict=True)) and mention.column and following not in w.ROWS:
            self.question.having = Having(operator, number, mention.column)
            self._use(mention.at, mention.length)
            return True
        self.question.having = Having(operator, number)
        return True

    def _direction(self) -> str:
        return next(
            (MEASURE_OF[word] for word in sorted(self.question.said) if MEASURE_OF.get(word) in ("sent", "received")),
            "bytes",
        )

    def _is_grouped(self, before: int) -> bool:
        """Whether "which hosts …" or "users with …" stands before this token."""
        return any((found := self._mention_at(at)) and found.column for at in range(before))
