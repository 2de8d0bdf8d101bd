"""Columns and values in a question: "status 404", "from 10.0.0.5", "POST requests", "not root"."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import replace

from secgemini_jupyter.local_server.analyst.logs import words as w
from secgemini_jupyter.local_server.analyst.logs.columns import Condition, equals, literal
from secgemini_jupyter.local_server.analyst.logs.roles import ADDRESSES
from secgemini_jupyter.local_server.analyst.logs.scan import COPULA, Mention, Scan
from secgemini_jupyter.local_server.analyst.logs.sql import quoted
from secgemini_jupyter.local_server.analyst.logs.words import MEASURE_OF, Token, singular

_CONTAINING = frozenset("containing contains contain including includes include like matching matches with".split())
_OF_CODES = frozenset("error errors response responses status code codes".split())
_TALKS = frozenset("talk talked contact contacted connect connected communicate reach reached visit visited".split())
_NONE = frozenset("no without missing empty lacking blank".split())
_EVERY = w.PER | w.DISTINCT | {"all", "other", "list", "the"}
"""What stands before a column whose values are asked for, but one: "all ports except 443"."""
_LOOSE = frozenset("of to as in".split())
_EXECUTABLES = frozenset("executable executables exe exes binary binaries program programs dosexec".split())


class Mentions(Scan):
    def _mentions(self) -> None:
        """The columns that are named, each alone or with the value that it shall have."""
        by_column: dict[tuple[str, bool], list[str]] = {}
        at = 0
        while at < len(self.tokens):
            mention = self._mention_at(at)
            if mention is None:
                at += 1
                continue
            end = at + mention.length
            if (
                mention.column
                and self._low(end) in _CONTAINING
                and end + 1 < len(self.tokens)
                and not self.tokens[end + 1].used
                and (self._low(end) != "with" or self._low(end + 1) not in w.ENGLISH | w.MOST | w.LEAST | w.FAILED)
            ):
                is_asked = self._low(at - 1) in ("which", "what", "who")
                self._use(at, 2 + mention.length)
                value = self.tokens[end + 1].text
                sql = f"instr(lower({quoted(mention.column)}), {literal(value.lower())})"
                self.question.conditions.append(Condition(sql, f"{mention.column} contains", (value,)))
                if is_asked:
                    self.question.mentions.append(mention)
                at = end + 2
                continue
            values, stop, is_not = self._values_after(mention, end)
            if values and mention.column:
                before = self._low(at - 1)
                if (
                    before in ("which", "what")
                    or self._low(at) == "who"
                    or (is_not and before in _EVERY | w.MOST | w.LEAST)
                ):
                    self.question.mentions.append(mention)
                self._use(at, stop - at)
                by_column.setdefault((mention.column, is_not or self._is_negated(at)), []).extend(values)
            elif mention.column and self._low(at - 1) in _NONE and not self.columns.is_time(mention.column):
                name = quoted(mention.column)
                sql = f"({name} IS NULL OR {name} IN ('', '-'))"
                self.question.conditions.append(Condition(sql, f"{mention.column} is empty"))
                self._use(at - 1, 1 + mention.length)
            elif mention.column and self._is_adjective(at, mention):
                self._use(at, mention.length)
            elif mention.column is None:
                if self._low(at - 1) != "in" and mention.said.lower() != "who":
                    self.question.missing.append(mention.said)
                self._use(at, mention.length)
            else:
                if self._is_counted(at, mention):
                    self.question.counted = mention.column
                else:
                    self.question.mentions.append(mention)
                self._use(at, mention.length)
            at = max(end, stop if values else end)
        for (column, is_not), values in by_column.items():
            self._add(column, values, is_not=is_not)

    def _is_adjective(self, at: int, mention: Mention) -> bool:
        """The "user" of "how many user attempts", the "queries" of "the most queries": they name the rows."""
        end = at + mention.length
        if mention.said.lower() in ("queries", "lookups") and self._low(at - 1) in ("most", "fewest"):
            return self._low(at - 2) != "top"
        is_one = singular(mention.said.lower()) == mention.said.lower()
        return (
            is_one
            and self._low(end) in w.ROWS | w.LOGIN_NOUNS
            and self._low(end) not in w.TIMES
            and ({self._low(at - 1), self._low(at - 2)} & {"many", "number"} != set())
        )

    def _is_counted(self, at: int, mention: Mention) -> bool:
        """Whether its different values are counted: "which source has the most destinations"."""
        if mention.column in self.columns.measured:
            return False  # "the most bytes" is a sum
        is_distinct = self._low(at - 1) in w.DISTINCT
        if is_distinct and self.question.has(w.PER) and not {self._low(at - 2), self._low(at - 3)} & w.PER:
            return True
        while self._low(at - 1) in w.DISTINCT | {"of", "the", "all", "destination", "source"}:
            at -= 1
        before = self._low(at - 1)
        if before in ("most", "fewest", "least", "highest", "many") and self._low(at - 2) not in ("at", "top") and (
            any(each.column != mention.column for each in self.question.mentions) or before == "many"
        ):  # fmt: skip
            return before != "many" or (self.question.has(w.PER | {"which", "what"}) and self._low(at - 2) == "how")
        return (
            before in ("number", "count")
            and self.question.has(frozenset({"per", "each"}))
            and self._low(at) not in w.ROWS
        )

    def _values_after(self, mention: Mention, at: int) -> tuple[list[str], int, bool]:
        """The values that follow a column's name: status 404 or 500, user is not root."""
        is_not = False
        while (
            at < len(self.tokens)
            and not self.tokens[at].used
            and (self._low(at) in COPULA or self._low(at) in w.NOT | {"!=", "<>"})
        ):
            is_not = is_not or self._low(at) in w.NOT | {"!=", "<>"}
            at += 1
        values: list[str] = []
        while at < len(self.tokens) and not self.tokens[at].used and self._is_value(mention, at):
            values.append(self.tokens[at].text)
            at += 1
            if self._low(at) in ("or", "and", "nor") and at + 1 < len(self.tokens) and self._is_value(mention, at + 1):
                at += 1
        return values, at, is_not

    def _is_value(self, mention: Mention, at: int) -> bool:
        token = self.tokens[at]
        if mention.column is None or token.kind == "operator" or token.used:
            return False
        if token.kind == "address" and mention.role not in ADDRESSES:
            return mention.column in self.columns.holding([token.text])[token.text]
        if token.kind == "word" and (self.columns.is_numeric(mention.column) or self._low(at - 1) in _LOOSE):
            return token.low in {str(value).lower() for value in self.columns.values(mention.column)}
        if token.kind == "number":
            return mention.role not in ("source", "destination", "host") and not (
                self._low(at + 1) in w.ROWS and self._low(at - 1) in w.MOST
            )
        if token.is_literal:
            return True
        low = token.low
        known = [
            value for value in self.columns.values(mention.column) if isinstance(value, str) and value.lower() == low
        ]
        if not known:
            return False
        # "which user failed": a word of the grammar is no value, unless the column is said to be it.
        is_said = self._low(at - 1) in ("is", "=", "==", "named", "called", "equals", "not", "or")
        return (
            is_said
            or low
            not in w.ENGLISH
            | w.FAILED
            | w.SUCCEEDED
            | w.BLOCKED
            | w.ALLOWED
            | w.ROWS
            | w.ERRORS
            | w.LOGIN_NOUNS
            | set(MEASURE_OF)
        )

    def _add(self, column: str, values: Sequence[str], *, is_not: bool = False) -> None:
        sql, told = equals(column, values), f"{column} is {'not ' if is_not else ''}"
        if is_not:
            sql = f"NOT coalesce({sql}, 0)"
        self.question.conditions.append(Condition(sql, told.strip(), tuple(values)))

    def _internal(self) -> None:
        """Addresses of a private network, or of none, where the question says so."""
        inside, outside = frozenset({"internal", "private"}), frozenset({"external", "public"})
        said = [token for token in self.tokens if token.low in inside | outside and not token.used]
        named = next((each.column for each in self.question.mentions if each.role in ADDRESSES), None)
        if said and (column := named or self.columns.role("source")):
            blocks = ("10.*", "192.168.*", "172.1[6-9].*", "172.2[0-9].*", "172.3[01].*", "f[cd]*:*")
            sql = " OR ".join(f"{quoted(column)} GLOB '{block}'" for block in blocks)
            is_out = said[0].low in outside
            sql = f"NOT coalesce({sql}, 0)" if is_out else f"({sql})"
            self.question.conditions.append(Condition(sql, f"{column} is {'not ' if is_out else ''}private"))
            self.question.take(inside | outside)

    def _subjects(self) -> None:
        """ "who did 10.0.0.5 talk to": it is the source, and the others are destinations."""
        source, destination = self.columns.role("source"), self.columns.role("destination")
        if not source or not destination or source == destination:
            return
        for at, token in enumerate(self.tokens):
            if token.kind != "address" or token.used or self._low(at - 1) not in ("did", "does", "has", "have"):
                continue
            if not {self._low(each) for each in range(at + 1, at + 6)} & _TALKS:
                continue
            self._use(at)
            self._add(source, [token.text])
            for before in range(at):
                word = singular(self._low(before))
                if word in ("who", "whom", "host", "machine", "ip", "address", "system", "server", "computer"):
                    if not self.tokens[before].used:
                        self._use(before)
                        mention = Mention(before, 1, self.tokens[before].text, "destination", destination)
                        self.question.mentions.append(mention)
                    break

    def _answers(self) -> None:
        """What is "sent back" is received by who began; and the one that sends it is the other host."""
        text = " ".join(token.low for token in self.tokens)
        if not re.search(
            r"\b(?:sen[dt]s?|sending|bytes|data|traffic|came|gave|return\w*|repl\w+|respon\w+)\b.*\bback\b"
            r"|\b(?:replied|responded|answered) (?:with|by)\b",
            text,
        ):
            return
        measures = self.question.measures
        if self.columns.measure("received") and (not measures or {*measures} & {"sent", "bytes"}):
            measures[:] = ["received", *(each for each in measures if each not in ("sent", "bytes"))]
        for at, mention in enumerate(self.question.mentions):
            destination = self.columns.role("destination")
            if mention.role == "host" and destination and mention.column == self.columns.role("source"):
                self.question.mentions[at] = replace(mention, role="destination", column=destination)

    def _executables(self) -> None:
        """Executables are what their MIME type says is one."""
        free = [token for token in self.tokens if token.low in _EXECUTABLES and not token.used]
        if free and (column := self.columns.role("MIME type")):
            kinds = ["%exec%", "%msdownload%", "%portable-executable%", "%mach-binary%"]
            sql = " OR ".join(f"{quoted(column)} LIKE '{kind}'" for kind in kinds)
            self.question.conditions.append(Condition(f"({sql})", f"{column} is that of an executable"))
            self.question.take(_EXECUTABLES)

    def _values(self) -> None:
        """Values that stand alone: an address, a quoted text, a word that some column holds."""
        taken = (
            w.FAILED
            | w.SUCCEEDED
            | w.BLOCKED
            | w.ALLOWED
            | w.ERRORS
            | w.LOGIN_NOUNS
            | w.ROWS
            | w.COUNTING
            | w.MOST
            | w.LEAST
            | w.FIRST
            | w.LAST
        )
        taken |= w.DISTINCT | w.PER | w.NOT | w.LONG | w.SHORT | w.LARGE | w.SMALL | set(w.AGGREGATES) | set(MEASURE_OF)
        known = w.ENGLISH | taken
        free = [
            (at, token)
            for at, token in enumerate(self.tokens)
            if not token.used and token.kind != "operator"
            if token.kind == "quoted" or token.low not in known or _is_shouted(token)
        ][:12]
        for _, token in free:
            if re.fullmatch(r"[A-Z]{3,8}s", token.text) and singular(token.low) not in known:
                token.text = token.text[:-1]  # POSTs
        found = self.columns.holding([token.text for _, token in free])
        chosen: dict[tuple[tuple[str, ...], bool], list[str]] = {}
        for at, token in free:
            columns = self._columns_for(at, token, found.get(token.text, []))
            if columns:
                is_not = self._is_negated(at)
                token.used = True
                chosen.setdefault((tuple(columns), is_not), []).append(token.text)
            elif token.kind in ("quoted", "address") or (
                token.kind == "word" and (token.is_literal or _is_shouted(token))
            ):
                token.used = True
                self.question.conditions.append(self._containing(token.text, is_not=self._is_negated(at)))
        for (columns_of, is_not), values in chosen.items():
            if len(columns_of) == 1:
                self._add(columns_of[0], values, is_not=is_not)
                continue
            either = " OR ".join(equals(name, values) for name in columns_of)
            told = f"{' or '.join(columns_of)} is {'not ' if is_not else ''}".strip()
            sql = f"NOT coalesce({either}, 0)" if is_not else f"({either})"
            self.question.conditions.append(Condition(sql, told, tuple(values)))

    def _columns_for(self, at: int, token: Token, holding: list[str]) -> list[str]:
        before = self._low(at - 1) if self._low(at - 1) not in ("the", "user", "host", "ip") else self._low(at - 2)
        source, destination, user = (self.columns.role(role) for role in ("source", "destination", "user"))
        if token.kind == "address" and "/" not in token.text:
            column = {"from": source, "by": source, "to": destination, "into": destination}.get(before)
            addresses = [name for name in dict.fromkeys(self.columns.role(role) for role in ADDRESSES) if name]
            held = [name for name in addresses if name in holding]
            return [column] if column and (column in holding or not holding) else held or holding[:3]
        if token.kind == "number":
            status = self.columns.role("status")
            # A 500 that is nowhere in the log is one all the same: no row has it.
            if status and self._low(at + 1) in _OF_CODES:
                return [status]
            roles = ["status", "event", "destination port"]
            if (
                self._low(at + 1) not in ("error", "errors", "response", "responses", "s", "request", "requests")
                and not holding
            ):
                return []
            return next(([name] for role in roles if (name := self.columns.role(role)) and (name in holding)), [])
        if before in ("by", "of", "for", "as") and user in holding:
            return [user] if user else []
        if before == "from" and source in holding:
            return [source] if source else []
        if before == "to" and destination in holding:
            return [destination] if destination else []
        return holding[:3]

    def _containing(self, value: str, *, is_not: bool = False) -> Condition:
        """That some column of texts holds it, as a part."""
        names = [name for name in self.columns.kinds if not self.columns.is_numeric(name)][:60]
        if "/" in value and (prefix := _prefix(value)):
            within = [name for name in (self.columns.role("source"), self.columns.role("destination")) if name]
            either = (
                " OR ".join(f"{quoted(name)} LIKE {literal(prefix + '%')}" for name in dict.fromkeys(within)) or "0"
            )
            told = f"{' or '.join(dict.fromkeys(within))} is {'not ' if is_not else ''}within"
        else:
            either = " OR ".join(f"instr(lower({quoted(name)}), {literal(value.lower())})" for name in names) or "0"
            told = "no field contains" if is_not else "a field contains"
        return Condition(f"NOT coalesce({either}, 0)" if is_not else f"({either})", told, (value,))


def _is_shouted(token: Token) -> bool:
    """GET is a method, though "get" is a word."""
    return token.kind == "word" and len(token.text) > 1 and token.text.isupper() and token.low not in MEASURE_OF


def _prefix(network: str) -> str | None:
    """What the addresses of a /8, /16 or /24 begin with."""
    try:
        net = ipaddress.IPv4Network(network, strict=False)
    except ValueError:
        return None
    parts = {8: 1, 16: 2, 24: 3}.get(net.prefixlen)
    return ".".join(str(net.network_address).split(".")[:parts]) + "." if parts else None
