"""A question about a log, read by a small grammar: intent words, the log's own columns, and values that it holds.

What could not be read is kept, to be told: it is never guessed at.
"""

from __future__ import annotations

from difflib import get_close_matches

from secgemini_jupyter.local_server.analyst.logs import words as w
from secgemini_jupyter.local_server.analyst.logs.columns import Columns
from secgemini_jupyter.local_server.analyst.logs.comparisons import Comparisons
from secgemini_jupyter.local_server.analyst.logs.mentions import Mentions
from secgemini_jupyter.local_server.analyst.logs.moments import take_times
from secgemini_jupyter.local_server.analyst.logs.outcomes import Outcomes
from secgemini_jupyter.local_server.analyst.logs.phrases import Phrases
from secgemini_jupyter.local_server.analyst.logs.roles import ROLES
from secgemini_jupyter.local_server.analyst.logs.scan import Question
from secgemini_jupyter.local_server.analyst.logs.words import MEASURE_OF, Token, singular, tokens_of


def read_question(text: str, columns: Columns) -> Question:
    tokens = tokens_of(text)
    read_as = _mend(tokens, columns)
    question = Question(tokens, said={token.low for token in tokens if token.kind == "word"}, read_as=read_as)
    _Reader(question, columns).read()
    return question


def goes_on(question: Question, before: Question) -> None:
    """ "and by number of denied connections?" is about the groups of the question before it."""
    if not question.mentions and not question.bucket and question.has(w.PER) and before.mentions:
        question.mentions = list(before.mentions)
        question.limit = question.limit or before.limit
        question.said |= before.said & w.MOST


_TOLERANT = sorted(
    word
    for word in w.FAILED | w.SUCCEEDED | w.BLOCKED | w.ALLOWED | w.LOGIN_NOUNS | w.ROWS | w.MOST | w.LEAST | w.DISTINCT
    | {part for said, _ in ROLES.values() for phrase in said for part in phrase.split()}
    if len(word) > 4
)  # fmt: skip


def _mend(tokens: list[Token], columns: Columns) -> list[tuple[str, str]]:
    """Words that are nothing as they are written, and are nearly one of the grammar: "failled"."""
    known = w.ENGLISH | set(MEASURE_OF) | set(w.AGGREGATES) | set(w.BUCKETS) | {*_TOLERANT} | {"median"}
    found = []
    for token in tokens:
        low = singular(token.low)
        if (
            token.kind != "word"
            or len(low) < 5
            or not low.isalpha()
            or {low, token.low} & known
            or token.text.isupper()
        ):
            continue
        if (low,) in columns.phrases or columns.has(token.text):
            continue
        near = get_close_matches(token.low, _TOLERANT, 1, 0.86)
        if near and not any(columns.holding([token.text]).values()):
            found.append((token.text, near[0]))
            token.text = near[0]
    return found


class _Reader(Comparisons, Mentions, Outcomes, Phrases):
    def _split_pairs(self) -> None:
        """ "source/destination pairs" """
        for at in reversed(range(len(self.tokens))):
            parts = self.tokens[at].text.split("/")
            if self.tokens[at].kind == "word" and len(parts) == 2:
                named = [self.columns.phrases.get((singular(part.lower()),)) for part in parts]
                if all(each and each[1] for each in named):
                    self.tokens[at : at + 1] = [Token("word", part) for part in parts]

    def read(self) -> None:
        question = self.question
        self._buckets()
        question.conditions += take_times(self.tokens, self.columns.time)
        times = len(question.conditions)
        question.said = {token.low for token in self.tokens if token.kind == "word" and not token.used}
        self._split_pairs()
        self._limit()
        self._phrases()
        self._comparisons()
        self._subjects()
        self._mentions()
        self._values()
        self._internal()
        self._executables()
        self._outcomes()
        self._alternatives(times)
        for token in self.tokens:
            if not token.used and token.kind == "word" and (kind := MEASURE_OF.get(token.low)):
                if self.columns.measure(kind):
                    question.measures.append(kind)
                    token.used = True
                elif token.low in ("sent", "received"):
                    token.used = True  # a verb
        self._answers()
        question.take(
            w.ROWS
            | {"query", "queries"}
            | w.COUNTING
            | w.MOST
            | w.LEAST
            | w.FIRST
            | w.LAST
            | w.DISTINCT
            | w.PER
            | set(w.AGGREGATES)
            | w.LARGE
            | w.SMALL
        )
        self._words()
