"""What a question was understood to say so far, and what the columns are that its words name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from secgemini_jupyter.local_server.analyst.logs import words as w
from secgemini_jupyter.local_server.analyst.logs.columns import Columns, Condition
from secgemini_jupyter.local_server.analyst.logs.words import Token, singular

COPULA = frozenset("is was are were = == of equals equal named called like code codes number no to as in id".split())
SOFT = w.ROWS | frozenset(
    "file files name names type types code codes address addresses page system target server query queries who people "
    "person response responses".split()
)
"""Words that name a column only where one is asked for by them."""
_ASKING = frozenset(
    "which what per by each every whose top most common frequent frequently unique distinct different rarest rare "
    "least biggest popular list all these the".split()
)

_BETWEEN = frozenset("from to by for the than user in on of with a is via through using over at".split())


@dataclass(frozen=True)
class Mention:
    """A column that the question names; `column` is None where the log has none for what is said."""

    at: int
    length: int
    said: str
    role: str
    column: str | None


@dataclass
class Having:
    operator: str
    number: float
    of: str = ""
    """`bytes`, `sent`, …, or the column whose different values are counted; empty: rows."""
    is_sum: bool = False
    """Whether the values of the column are added up instead."""


@dataclass
class Question:
    """What was understood."""

    tokens: list[Token]
    conditions: list[Condition] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    having: Having | None = None
    measures: list[str] = field(default_factory=list)
    bucket: str | None = None
    limit: int | None = None
    both_outcomes: bool = False
    counted: str | None = None
    """The column whose different values are counted per group."""
    read_as: list[tuple[str, str]] = field(default_factory=list)
    """Words that were taken for others, which are nearly the same."""
    is_login: bool = False
    """Whether it is said that logins are meant."""
    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Phrases of known words that could not be understood all the same."""
    missing: list[str] = field(default_factory=list)
    """What is said of things for which the log has no column."""
    said: set[str] = field(default_factory=set)
    """Every word, in lower case."""

    @property
    def unused(self) -> list[str]:
        return [*self.unread] + [
            t.text
            for t in self.tokens
            if not t.used
            and not (t.kind == "word" and (t.low in w.ENGLISH or not re.search(r"\w", t.text)))
            and t.kind != "operator"
        ]

    def has(self, words: frozenset[str]) -> bool:
        return not self.said.isdisjoint(words)

    def take(self, words: frozenset[str] | set[str]) -> bool:
        """Whether one of the words is there; it is used then."""
        found = [token for token in self.tokens if token.kind == "word" and token.low in words]
        for token in found:
            token.used = True
        return bool(found)


class Scan:
    """The tokens of a question, beside the columns that they may name."""

    def __init__(self, question: Question, columns: Columns) -> None:
        self.question, self.columns, self.tokens = question, columns, question.tokens

    def _low(self, at: int) -> str:
        return self.tokens[at].low if 0 <= at < len(self.tokens) else ""

    def _use(self, at: int, length: int = 1) -> None:
        for token in self.tokens[at : at + length]:
            token.used = True

    def _mention_at(self, at: int, *, strict: bool = False) -> Mention | None:
        """The longest name of a column that begins here."""
        if at >= len(self.tokens) or self.tokens[at].used or self.tokens[at].kind not in ("word", "quoted"):
            return None
        for length in (4, 3, 2, 1):
            if length == 1 and (exact := self.columns.has(self.tokens[at].text)) and self.tokens[at].low not in SOFT:
                said = self.columns.phrases.get((singular(self.tokens[at].low),))
                return Mention(at, 1, self.tokens[at].text, said[0] if said and said[1] == exact else exact, exact)
            part = self.tokens[at : at + length]
            if len(part) < length or any(token.used or token.kind != "word" for token in part):
                continue
            found = self.columns.phrases.get(tuple(singular(token.low) for token in part))
            if found is None or (
                length == 1 and part[0].low in SOFT and (strict or not self._is_asked(at, part[0].low))
            ):
                continue
            role, column = found
            if length == 1 and column is None and part[0].low in w.ENGLISH | w.ROWS:
                continue
            return Mention(at, length, " ".join(token.text for token in part), role, column)
        return None

    def _is_asked(self, at: int, word: str) -> bool:
        if word == "who":
            return True
        before = self._low(at - 1)
        if word in w.ROWS and before in ("the", "all", "these", "most", "list"):
            return False
        return before in _ASKING or (self.tokens[at - 1].kind == "number" and at > 0 and self._low(at - 2) in _ASKING)

    def _mention_before(self, end: int) -> Mention | None:
        """The column named just before this token, with "is", "with a" or the like in between."""
        while end > 0 and self._low(end - 1) in COPULA | {"a", "an", "with", "was"}:
            end -= 1
        for length in (4, 3, 2, 1):
            if end - length >= 0 and (found := self._mention_at(end - length)) and found.at + found.length == end:
                return found
        return None

    def _is_negated(self, at: int) -> bool:
        before = at - 1
        while self._low(before) in _BETWEEN and at - before < 4:
            before -= 1
        if self._low(before) in w.NOT:
            self._use(before)
            return True
        before = at - 1
        while before > at - 5 and self._low(before) in w.ENGLISH and self._low(before) not in ("never", "but", "and"):
            before -= 1  # "never logged in from"
        if self._low(before) == "never":
            self._use(before)
            return True
        return False
