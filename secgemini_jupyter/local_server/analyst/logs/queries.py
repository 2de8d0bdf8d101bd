"""From what a question was understood to ask to one SELECT, and to words that say what it counts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from secgemini_jupyter.local_server.analyst.logs import words as w
from secgemini_jupyter.local_server.analyst.logs.columns import Columns, Condition
from secgemini_jupyter.local_server.analyst.logs.roles import CATEGORIES
from secgemini_jupyter.local_server.analyst.logs.row_queries import LISTED, MAX_ROWS, Query, RowsWriter
from secgemini_jupyter.local_server.analyst.logs.scan import Mention, Question
from secgemini_jupyter.local_server.analyst.logs.sql import quoted
from secgemini_jupyter.local_server.analyst.logs.words import singular

_HOW_MANY = re.compile(r"\bhow (?:many|much|often)\b|\bnumber of\b|\bcount\b|\btotal\b|\bamount of\b")
_SHARE = frozenset("share percent percentage proportion fraction ratio % pct rate".split())
_OUTCOMES = "|".join(sorted(w.FAILED | w.SUCCEEDED | w.BLOCKED | w.ALLOWED | w.ERRORS))
_WHEN = re.compile(r"\bwhen\b|\bwhat time\b|\btime ?(?:range|span)\b")


def query_for(question: Question, columns: Columns, inherited: Sequence[Condition] = ()) -> Query | None:
    """The query, or None where nothing of the question could be read."""
    return _Writer(question, columns, inherited).query()


def _joined(conditions: Sequence[Condition]) -> tuple[list[Condition], str]:
    """Several values of one column are alternatives ("blocked vs allowed"); and which column has several."""
    found: list[Condition] = []
    compared = ""
    for each in conditions:
        name = each.told.removesuffix(" is")
        same = next((n for n, other in enumerate(found) if other.told == each.told and each.told.endswith(" is")), None)
        if same is not None and " or " not in name:
            found[same] = Condition(
                f"({found[same].sql} OR {each.sql})", each.told, (*found[same].values, *each.values)
            )
        else:
            found.append(each)
        kept = found[same] if same is not None else each
        if kept.told.endswith(" is") and len(kept.values) > 1 and " or " not in name:
            compared = name
    return found, compared


def _told_once(conditions: Sequence[Condition]) -> list[Condition]:
    """Without those that another one of the same column says more narrowly: `S0` is one of `S0`, `REJ`."""

    def of(condition: Condition) -> tuple[str, set[str]]:
        return re.sub(r" is(?: one of)?$", "", condition.told), {value.lower() for value in condition.values}

    kept = list({each.sql: each for each in conditions}.values())
    return [
        each
        for each in kept
        if not any(
            other is not each and of(other)[0] == of(each)[0] != each.told and set() < of(other)[1] < of(each)[1]
            for other in kept
        )
    ]


class _Writer(RowsWriter):
    def __init__(self, question: Question, columns: Columns, inherited: Sequence[Condition]) -> None:
        self.q, self.columns = question, columns
        self.text = " ".join(token.low for token in question.tokens)
        self.conditions, compared = _joined([*question.conditions, *inherited])
        self.conditions = _told_once(self.conditions)
        self.how_many = _HOW_MANY.search(self.text) is not None
        self.most = question.has(w.MOST) and not re.search(r"\bmost recent(?:ly)?\b", self.text)
        self.least = question.has(w.LEAST) and "at least" not in self.text
        self.groups = [mention for mention in question.mentions if mention.column]
        question.take({"compare", "versus"})
        if compared and {"vs", "versus", "compared", "compare"} & {*self.text.split()}:
            self.groups.append(Mention(0, 1, compared, compared, compared))
        self.notes = [*question.notes]
        if question.counted and not (self.groups or question.bucket):
            self.groups = [Mention(0, 1, question.counted, question.counted, question.counted)]
            question.counted = None

    def query(self) -> Query | None:
        q, columns = self.q, self.columns
        if "who" in q.said and (source := columns.role("source")):
            user = columns.role("user")
            if not user and not self.groups:
                self.groups = [Mention(0, 1, "who", "source", source)]
                self.notes.append("No column names users: sources are told instead.")
            elif user and any(each.said.lower() == "who" for each in self.groups) and self._is_sparse(user):
                self.groups = [
                    Mention(0, 1, "who", "source", source) if each.said.lower() == "who" else each
                    for each in self.groups
                ]
                self.notes.append("Most rows name no user: sources are told instead.")
        self._drop_doubles()
        if re.search(r"\bfor each\b.*\b(?:top|most)\b", self.text) and q.limit:
            q.unread.append("for each the top")
        measure = self._measure()
        if (
            measure
            and not self.groups
            and re.search(r"\bwhat (?:did|was|were|has|have|files?)\b", self.text)
            and not self.how_many
        ):
            measure = None  # "what did X download?" asks for the rows
        if measure is None and q.missing and not (self.groups or q.bucket):
            return None
        if (share := self._share()) is not None:
            return share
        aggregate = next((w.AGGREGATES[word] for word in self.text.split() if word in w.AGGREGATES), "")
        if (superlative := self._superlative()) is not None:
            return superlative
        if q.has(w.FIRST) and q.has(w.LAST) and not self.groups:
            return self._span()
        if q.has(w.FIRST | w.LAST) and not (self.most and self.groups) and (columns.time or not self.groups):
            return self._edge()
        if _WHEN.search(self.text) and not self.groups and not q.bucket:
            return self._edge() if q.has(w.FIRST | w.LAST) else self._span()
        if q.bucket or self.groups:
            if (measure and aggregate in ("avg", "max", "min")) or (measure and measure[1]):
                return self._grouped(measure, aggregate)
            if (
                self.how_many
                and len(self.groups) == 1
                and not q.bucket
                and q.having is None
                and self._counts_different()
            ):
                return self._different(self.groups[0])
            return self._grouped(None, "")
        if measure and "median" in q.said:
            return self._median(measure)
        if measure and (measure[1] or aggregate):
            return self._scalar(measure, aggregate or "sum")
        if self.how_many or q.has(w.COUNTING):
            # Of what is counted nothing was understood: the number of all rows would be no answer.
            return None if q.unused and not self.conditions else self._count()
        if self.conditions or q.both_outcomes:
            return self._grouped(None, "") if q.both_outcomes else self._rows("line", self._limit(LISTED), "")
        if q.has(frozenset(["rows", "lines", "entries", "records", "events"])) and q.limit:
            return self._rows("line", q.limit, "")
        return None

    def _drop_doubles(self) -> None:
        seen: dict[str, Mention] = {}
        for mention in self.groups:
            seen.setdefault(str(mention.column), mention)
        self.groups = list(seen.values())[:3]
        kept = [mention for mention in self.groups if mention.said.lower() != "who"]
        if len(kept) < len(self.groups) and any(mention.role == "user" for mention in kept):
            self.groups = kept

    def _measure(self) -> tuple[str, bool, list[str], str] | None:
        """SQL, whether it alone asks for a sum, the columns, what it is called."""
        numeric = [
            mention for mention in self.groups
            if mention.role not in CATEGORIES and mention.column and self.columns.is_numeric(mention.column)
        ]  # fmt: skip
        known = {
            name
            for kind in ("bytes", "sent", "received", "duration")
            for name in (self.columns.measure(kind) or ("", []))[1]
        }
        wants = any(word in w.AGGREGATES or word == "median" for word in self.text.split()) or self.how_many
        if wants and (decimal := next((each for each in self.groups if self._has_commas(each)), None)):
            self.groups.remove(decimal)
            name = str(decimal.column)
            self.notes.append("Its decimal commas are read as points.")
            return f"CAST(replace({quoted(name)}, ',', '.') AS REAL)", True, [name], name
        for mention in numeric:
            is_size = mention.column in known or (mention.role == mention.column and wants)
            if is_size and mention.column:
                self.groups.remove(mention)
                is_sum = mention.column != "duration" or self.how_many
                return quoted(mention.column), is_sum, [mention.column], mention.column
        for kind in ("packets", "sent", "received", "bytes", "duration"):
            if kind in self.q.measures and (found := self.columns.measure(kind)):
                if kind in ("sent", "received") and found[1] == (self.columns.measure("bytes") or ("", []))[1]:
                    kind = "bytes"
                is_sum = kind != "duration" or "total" in self.q.said or self.how_many
                return found[0], is_sum, found[1], " + ".join(found[1])
        return None

    def _count(self) -> Query:
        return self._query(f"SELECT count(*) AS n FROM log{self._where()}", "number", "rows")  # noqa: S608

    def _scalar(self, measure: tuple[str, bool, list[str], str], aggregate: str) -> Query:
        words = {"sum": "sum of", "avg": "mean of", "max": "largest", "min": "smallest"}
        sql = f"SELECT {aggregate}({measure[0]}) AS {aggregate}, count(*) AS n FROM log{self._where()}"  # noqa: S608
        return self._query(sql, "number", f"{words[aggregate]} {' + '.join('{}' for _ in measure[2])}", measure[2])

    def _is_sparse(self, name: str) -> bool:
        """Whether most rows in question have no value there."""
        if self.columns.has("login_kind"):
            return False
        some = f"SELECT {quoted(name)} AS value FROM log{self._where()} LIMIT 1000"  # noqa: S608  # names are quoted
        rows = self.columns.db.execute(some).fetchall()
        return 2 * sum(value not in (None, "", "-") for (value,) in rows) < len(rows)

    def _share(self) -> Query | None:
        """What part of the rows is one of a kind: the condition that is said last, or the one beside "of failed …"."""
        if self.groups or self.q.bucket or not self.conditions or not self.q.has(_SHARE):
            return None
        *base, asked = self.conditions
        if base and re.search(rf"(?:{'|'.join(_SHARE)}) (?:of )?(?:the |all )*(?:{_OUTCOMES})", self.text):
            base, asked = [*base[1:], asked], base[0]
        free = {word.lower() for word in self.q.unused} - _SHARE
        if len(base) > 1 or free:
            return None
        self.q.take(_SHARE)
        self.conditions = base
        found = f"coalesce({asked.sql}, 0)"
        shown = f"round(100.0 * avg({found}), 2) AS percent, sum({found}) AS n, count(*) AS total"
        sql = f"SELECT {shown} FROM log{self._where()}"  # noqa: S608
        query = self._query(sql, "number", "percent")
        query.share = asked
        return query

    def _median(self, measure: tuple[str, bool, list[str], str]) -> Query:
        where = self._where(f"{measure[0]} IS NOT NULL")
        number = f"(SELECT count(*) FROM log{where})"  # noqa: S608
        middle = (
            f"SELECT {measure[0]} AS value FROM log{where} ORDER BY 1 LIMIT 2 - {number} % 2 OFFSET ({number} - 1) / 2"  # noqa: S608
        )
        self.q.take({"median"})
        sql = f"SELECT avg(value) AS median, {number} AS n FROM ({middle})"  # noqa: S608
        return self._query(sql, "number", f"median of {' + '.join('{}' for _ in measure[2])}", measure[2])

    def _has_commas(self, mention: Mention) -> bool:
        """Whether a column holds numbers with a decimal comma."""
        given = [str(row[mention.column]) for row in self.columns.sample if mention.column and row[mention.column]]
        return any("," in each for each in given) and all(re.fullmatch(r"-?\d+(?:,\d+)?", each) for each in given)

    def _counts_different(self) -> bool:
        """Whether "how many" is of the column itself: "how many users failed?", not "how many requests per user"."""
        if self.q.has(w.PER) or self.q.has(frozenset(["which", "what", "who", "most", "top"])):
            return False
        return (
            re.search(
                r"(?:how many|number of|count)(?: of)?(?: the| all)?(?: \w+){0,2} "
                + re.escape(self.groups[0].said.lower()),
                self.text,
            )
            is not None
        )

    def _different(self, mention: Mention) -> Query:
        assert mention.column
        name = quoted(mention.column)
        sql = f"SELECT count(DISTINCT {name}) AS n FROM log{self._where(f'{name} <> {chr(39) * 2}')}"  # noqa: S608
        query = self._query(sql, "number", "different values of {}", [mention.column])
        query.filled = [f"{name} <> ''"]
        return query

    def _grouped(self, measure: tuple[str, bool, list[str], str] | None, aggregate: str) -> Query:
        q, columns = self.q, self.columns
        keys, names, where = [], [], []
        if q.bucket:
            key, where_bucket = self._bucket(q.bucket)
            keys.append(f"{key} AS {quoted(q.bucket)}")
            where.append(where_bucket)
            names.append(q.bucket)
        for mention in self.groups:
            name = quoted(str(mention.column))
            keys.append(name)
            where.append(f"{name} <> ''")
            names.append(str(mention.column))
        selected = list(keys)
        order = "n"
        what = "rows"
        if q.both_outcomes:
            of_login = q.has(w.LOGIN_NOUNS) or "logged" in q.said or columns.has("login_kind") is not None
            for kind, label in (("failure", "failed"), ("success", "succeeded")):
                if outcome := columns.outcome(kind, of_login=of_login):
                    selected.append(f"sum(coalesce({outcome.sql}, 0)) AS {label}")
                    self.notes.append(f"{label}: {outcome.told} {', '.join(outcome.values)}".strip())
        rate = None
        if q.has(_SHARE) and keys and self.conditions and not (q.having or q.both_outcomes or "never" in q.said):
            q.take(_SHARE)
            rate = self.conditions[-1]
            self.conditions = self.conditions[:-1]
        never, counted = self._never() if keys and not q.both_outcomes else ("", "count(*)")
        selected.append(f"{counted} AS n")
        if measure:
            function = aggregate or ("sum" if measure[1] else "max")
            words = {"sum": "sum of", "avg": "mean of", "max": "largest", "min": "smallest"}
            order = f"{function}_{measure[2][0]}" if len(measure[2]) == 1 else f"{function}_of_both"
            selected.append(f"{function}({measure[0]}) AS {quoted(order)}")
            what = f"{words[function]} {' + '.join(measure[2])}"
        elif rate is not None:
            order = "percent"
            selected.append(f"round(100.0 * avg(coalesce({rate.sql}, 0)), 2) AS percent")
            what = "percent of its rows"
            self.notes.append(f"percent: those where {rate.told} {' or '.join(rate.values)}.")
        elif q.has(_SHARE) and not (self.conditions or q.having):
            q.take(_SHARE)
            selected.append("round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS percent")
            what = "percent of the rows counted"
        elif q.counted:
            order = f"different {q.counted}"
            selected.append(f"count(DISTINCT nullif({quoted(q.counted)}, '')) AS {quoted(order)}")
            what = order
        having = self._having(selected) or (self._of_outcomes() if q.both_outcomes else "")
        if never:
            having += f"{' AND ' if having else ' HAVING '}{never}"
        by_time = bool(q.bucket) and not (self.most or self.least)
        direction = "ASC" if self.least else "DESC"
        ordering = "1" if by_time else f"{quoted(order)} {direction}, 1"
        limit = self._limit(MAX_ROWS)
        group = f" GROUP BY {', '.join(str(n + 1) for n in range(len(keys)))}" if keys else ""
        searched = f" WHERE {' AND '.join(where)}" if never and where else "" if never else self._where(*where)
        source = f"log{searched}{group}{having}"
        sql = f"SELECT {', '.join(selected)} FROM {source} ORDER BY {ordering} LIMIT {limit}"  # noqa: S608
        told = "by time" if by_time else "fewest first" if self.least else "most first"
        query = self._query(sql, "groups", what, names, told, limit)
        query.filled = where
        named = [mention.said.lower() for mention in self.groups]
        query.is_one = (
            query.is_ranked and not q.limit and "top" not in q.said and all(singular(name) == name for name in named)
        )
        return query

    def _never(self) -> tuple[str, str]:
        """ "got 403 but never 200": of none of a group's rows, not of some of them; and what is counted then."""
        is_meant = re.search(r"\bnever\b|\b(?:had|has|have|with|got|made|saw) (?:no|zero|not any)\b", self.text)
        never = [each for each in self.conditions if is_meant and each.sql.startswith("NOT ")]
        if re.search(r"\b(?:with|had|has|have) only\b|\bonly (?:ever )?(?:fail|succ|deni|block)", self.text):
            only = self.conditions[-1:]
            never += [
                Condition(f"coalesce({each.sql}, 0)", each.told, each.values) for each in only if each not in never
            ]
            self.conditions = [each for each in self.conditions if each not in only]
        if not never:
            return "", "count(*)"
        self.conditions = [each for each in self.conditions if each not in never]
        for each in never:
            self.notes.append(f"Only groups of which every row is one where {each.told} {' or '.join(each.values)}.")
        each_row = " AND ".join(f"min({each.sql}) = 1" for each in never)
        if not self.conditions:
            return each_row, "count(*)"
        wanted = f"coalesce({' AND '.join(f'({each.sql})' for each in self.conditions)}, 0)"
        return f"max({wanted}) = 1 AND {each_row}", f"sum({wanted})"

    def _of_outcomes(self) -> str:
        """ "failed but never succeeded", "both failed and succeeded": which groups are meant."""
        no, failed = r"\b(?:never|not|without|no|didn't|did not)(?: \w+)? ", "fail"
        ok = "(?:succ|work|log(?:ged)?[ -]?[io]n|got in|sign)"
        if re.search(no + ok, self.text):
            return " HAVING failed > 0 AND succeeded = 0"
        if re.search(no + failed, self.text):
            return " HAVING succeeded > 0 AND failed = 0"
        is_both = "both" in self.text.split() or re.search(r"\bfailed\b.* (?:then|but|before|logged)\b", self.text)
        return " HAVING failed > 0 AND succeeded > 0" if is_both else ""

    def _having(self, selected: list[str]) -> str:
        having = self.q.having
        if having is None:
            return ""
        number = f"{having.number:.15g}"
        if having.of in ("bytes", "sent", "received", "duration") and (measure := self.columns.measure(having.of)):
            expression, told = f"sum({measure[0]})", f"the sum of {' + '.join(measure[1])}"
        elif having.is_sum:
            expression, told = f"sum({quoted(having.of)})", f"the sum of {having.of}"
        elif having.of:
            expression, told = f"count(DISTINCT {quoted(having.of)})", f"the number of different {having.of}"
            selected.append(f"{expression} AS {quoted(f'different {having.of}')}")
        else:
            expression, told = "count(*)", "the number of rows"
        self.notes.append(f"Only groups where {told} is {having.operator} {number}.")
        return f" HAVING {expression} {having.operator} {number}"

    def _bucket(self, unit: str) -> tuple[str, str]:
        time = self.columns.time
        assert time is not None
        length = w.BUCKETS[unit]
        if time.kind == "yearless":
            cut = {"second": 15, "minute": 12, "hour": 9, "day": 6, "date": 6, "month": 3}[unit]
            self.notes.append("The times have no year: hours are named as the log writes them.")
            iso = f"CASE WHEN {time.column} GLOB '[0-9][0-9][0-9][0-9]-*' THEN {length} ELSE {cut} END"
            return f"substr({time.column}, 1, {iso})", f"{time.column} <> ''"
        return f"substr({time.text}, 1, {length})", f"{time.column} IS NOT NULL"
