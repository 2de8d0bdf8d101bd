"""A question about a log, read by a small grammar: intent words, the log's own columns, and values that it holds.

What could not be read is kept, to be told: it is never guessed at.
"""

from __future__ import annotations

from secgemini_jupyter.local_server.analyst.logs import words as w
from secgemini_jupyter.local_server.analyst.logs.columns import Columns
from secgemini_jupyter.local_server.analyst.logs.comparisons import Comparisons
from secgemini_jupyter.local_server.analyst.logs.mentions import Mentions
from secgemini_jupyter.local_server.analyst.logs.moments import take_times
from secgemini_jupyter.local_server.analyst.logs.outcomes import Outcomes
from secgemini_jupyter.local_server.analyst.logs.scan import Question
from secgemini_jupyter.local_server.analyst.logs.words import MEASURE_OF, tokens_of


def read_question(text: str, columns: Columns) -> Question:
    tokens = tokens_of(text)
    question = Question(tokens, said={token.low for token in tokens if token.kind == "word"})
    _Reader(question, columns).read()
    return question


class _Reader(Comparisons, Mentions, Outcomes):
    def read(self) -> None:
        question = self.question
        self._buckets()
        question.conditions += take_times(self.tokens, self.columns.time)
        question.said = {token.low for token in self.tokens if token.kind == "word" and not token.used}
        self._limit()
        self._comparisons()
        self._mentions()
        self._values()
        self._executables()
        self._outcomes()
        for token in self.tokens:
            if (
                not token.used
                and token.kind == "word"
                and (kind := MEASURE_OF.get(token.low))
                and self.columns.measure(kind)
            ):
                question.measures.append(kind)
                token.used = True
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
