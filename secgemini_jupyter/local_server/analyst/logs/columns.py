"""The columns of a log that is loaded, as a question sees them: what they are called, stand for, and hold."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from secgemini_jupyter.local_server.analyst.logs.logins import _ABOUT_LOGIN, _FAILURE, _SUCCESS, KINDS
from secgemini_jupyter.local_server.analyst.logs.roles import DURATION, EITHER, RECEIVED, ROLES, SENT
from secgemini_jupyter.local_server.analyst.logs.sql import quoted
from secgemini_jupyter.local_server.analyst.logs.times import epoch, time_field
from secgemini_jupyter.local_server.analyst.logs.words import singular, spellings

MAX_VALUES = 400
SAMPLE = 300


def literal(value: Any) -> str:
    """A value in SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return repr(int(value)) if isinstance(value, bool) else repr(value)
    return "'" + str(value).replace("\0", "").replace("'", "''") + "'"


def equals(column: str, values: Sequence[Any]) -> str:
    """That a column holds one of `values`, in whatever case, as text or as a number."""
    said: list[Any] = []
    for value in values:
        said.append(value)
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(?:\.\d{1,9})?", value):
            said.append(float(value) if "." in value else int(value))
    if len(said) == 1:
        return f"{quoted(column)} = {literal(said[0])} COLLATE NOCASE"
    return f"{quoted(column)} COLLATE NOCASE IN ({', '.join(map(literal, said))})"


@dataclass(frozen=True)
class Condition:
    sql: str
    told: str
    """In words, with values in Markdown's code spans still to be made: `{…}` pairs are not used; see `values`."""
    values: tuple[str, ...] = ()


EACH_LOGIN = Condition("1", "every row is taken for a login")


@dataclass(frozen=True)
class TimeColumn:
    """How the log writes when a row was: `epoch` in SQL gives Unix seconds, `text` an ISO time, `clock` HH:MM:SS."""

    name: str
    kind: str
    """number, iso, clf (01/Jan/2024:…), yearless (Jan  1 …), other."""
    factor: float = 1.0
    is_zoned: bool = True

    @property
    def column(self) -> str:
        return quoted(self.name)

    @property
    def epoch(self) -> str | None:
        if self.kind == "number":
            return self.column if self.factor == 1 else f"{self.column} / {self.factor:g}"
        if self.kind == "iso":
            return f"unixepoch({self.column})"
        return f"epoch_of({self.column})" if self.kind in ("clf", "other") else None

    @property
    def text(self) -> str | None:
        if self.kind == "number":
            return f"strftime('%Y-%m-%d %H:%M:%S', {self.epoch}, 'unixepoch')"
        if self.kind == "iso":
            return f"strftime('%Y-%m-%d %H:%M:%S', {self.column})"
        return f"strftime('%Y-%m-%d %H:%M:%S', epoch_of({self.column}), 'unixepoch')" if self.epoch else None

    @property
    def clock(self) -> str:
        """The time of day, as the log writes it or in UTC."""
        if self.kind == "yearless":
            return f"substr({self.column}, instr({self.column}, ':') - 2, 8)"
        if self.kind == "clf":
            return f"substr({self.column}, 13, 8)"
        return f"substr({self.text}, 12, 8)"


class Columns:
    """
    Args:
        kinds: type of each column: int, double, bool, string, time, port, …
    """

    def __init__(
        self, db: sqlite3.Connection, kinds: Mapping[str, str], counted: Mapping[str, Sequence[Any]] | None = None
    ) -> None:
        self.db, self.kinds = db, dict(kinds)
        self._lower = {name.lower(): name for name in reversed(self.kinds)}
        self._counted = dict(counted or {})
        self._values: dict[str, list[Any]] = {}
        names = list(self.kinds)
        listed = ",".join(map(quoted, names)) or "line"
        self.sample = [
            dict(zip(names, row, strict=False))
            for row in db.execute(f"SELECT {listed} FROM log LIMIT {SAMPLE}")  # noqa: S608
        ]

    def has(self, name: str) -> str | None:
        return self._lower.get(name.lower())

    def role(self, role: str) -> str | None:
        """The log's column for a role; one that holds something where there is a choice."""
        present = [found for name in ROLES[role][1] if (found := self.has(name))]
        return next((name for name in present if self._is_filled(name)), present[0] if present else None)

    def _is_filled(self, name: str) -> bool:
        return any(row[name] not in (None, "", "-") for row in self.sample) or bool(self.values(name))

    @cached_property
    def phrases(self) -> dict[tuple[str, ...], tuple[str, str | None]]:
        """Words that name a column, with the role that they mean and the column if there is one."""
        found: dict[tuple[str, ...], tuple[str, str | None]] = {}
        for role, (said, _) in ROLES.items():
            column = self.role(role)
            for phrase in said:
                key = tuple(phrase.split())
                if key not in found or (found[key][1] is None and column):
                    found[key] = (role, column)
        for name in self.kinds:
            role = next((role for role, (_, names) in ROLES.items() if name in names), name)
            for key in spellings(name):
                if len(key) > 1 or found.get(key, (None, None))[1] is None or key == (name.lower(),):
                    found[key] = (role, name)
        ends = [name.rpartition(".")[2] for name in self.kinds]
        for name, end in zip(self.kinds, ends, strict=True):  # "severity" is `event.severity`
            for key in spellings(end) if "." in name and ends.count(end) == 1 else ():
                if found.get(key, (None, None))[1] is None:
                    found[key] = (name, name)
        return found

    @cached_property
    def phrased_values(self) -> dict[tuple[str, ...], tuple[str, str]]:
        """Values of several words in one, `dns_query`, by their words."""
        found: dict[tuple[str, ...], tuple[str, str]] = {}
        for row in self.sample:
            for name, value in row.items():
                if (
                    isinstance(value, str)
                    and len(value) < 60
                    and re.fullmatch(r"[A-Za-z]+(?:[_-][A-Za-z]+){1,3}", value)
                ):
                    found.setdefault(tuple(singular(part) for part in re.split("[_-]", value.lower())), (name, value))
        return found

    def first(self, names: Sequence[str]) -> str | None:
        return next((found for name in names if (found := self.has(name))), None)

    def measure(self, kind: str) -> tuple[str, list[str]] | None:
        """SQL for "bytes", "sent", "received" or "duration", and the columns in it."""
        if kind == "duration":
            name = self.first(DURATION)
            return (quoted(name), [name]) if name else None
        if kind == "packets":
            names = [name for name in map(self.has, ("orig_pkts", "resp_pkts", "packets", "pkts")) if name][:2]
            return (" + ".join(f"coalesce({quoted(name)}, 0)" for name in names), names) if names else None
        sent, received, either = self.first(SENT), self.first(RECEIVED), self.first(EITHER)
        wanted = {"sent": [sent], "received": [received]}.get(kind, [sent, received])
        chosen = [name for name in wanted if name]
        if kind == "bytes" and len(chosen) < 2 and either:
            chosen = [either]
        chosen = chosen or ([either] if either else [])
        if not chosen:
            return None
        if len(chosen) == 1:
            return quoted(chosen[0]), chosen
        return " + ".join(f"coalesce({quoted(name)}, 0)" for name in chosen), chosen

    @cached_property
    def measured(self) -> frozenset[str]:
        """The columns of sizes and durations."""
        kinds = ("bytes", "sent", "received", "duration")
        return frozenset(
            name for kind in kinds for name in (self.measure(kind) or ("", []))[1] if self.is_numeric(name)
        )

    def is_numeric(self, name: str) -> bool:
        given = [row[name] for row in self.sample if row[name] not in (None, "")]
        return bool(given) and all(isinstance(value, int | float) for value in given)

    def values(self, name: str) -> list[Any]:
        """Different values of a column, at most `MAX_VALUES`."""
        if name in self._counted:
            return list(self._counted[name])
        if name not in self._values:
            column = quoted(name)
            query = f"SELECT DISTINCT {column} FROM log WHERE {column} IS NOT NULL LIMIT {MAX_VALUES}"  # noqa: S608
            self._values[name] = [value for (value,) in self.db.execute(query)]
        return self._values[name]

    def holding(self, words: Sequence[str]) -> dict[str, list[str]]:
        """For each word the columns that have a value which is that word, in one pass over the rows."""
        found: dict[str, list[str]] = {word: [] for word in words}
        names = [name for name in self.kinds if not self.is_time(name)][:80]
        if not words or not names:
            return found
        asked = [(word, name) for word in words for name in names][:1_500]
        tests = ", ".join(f"max({equals(name, [word])})" for word, name in asked)
        query = f"SELECT {tests} FROM log"  # noqa: S608  # names and values are quoted
        if len(asked) > 1_000:
            return found
        for (word, name), is_there in zip(asked, self.db.execute(query).fetchone(), strict=True):
            if is_there:
                found[word].append(name)
        return found

    def is_time(self, name: str) -> bool:
        return self.time is not None and name == self.time.name

    @cached_property
    def time(self) -> TimeColumn | None:
        name = time_field(list(self.kinds))
        if name is None:
            return None
        values = [row[name] for row in self.sample if row[name] not in (None, "")]
        if not values:
            return None
        value = values[0]
        if isinstance(value, int | float) and all(isinstance(each, int | float) for each in values):
            for factor in (1, 1e3, 1e6, 1e9):
                if 1e8 < value / factor < 1e10:
                    return TimeColumn(name, "number", factor)
            return None
        text = str(value)
        if re.match(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d", text):
            return TimeColumn(name, "yearless", is_zoned=False)
        if re.match(r"\d\d/[A-Z][a-z]{2}/\d{4}:", text):
            return TimeColumn(name, "clf")
        known = [epoch(each) for each in values]
        if not any(known):
            return None
        is_zoned = all(each is not None and each[1] for each in known)
        iso = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)? ?(?:Z|[+-]\d\d:\d\d)?")
        is_iso = all(isinstance(each, str) and iso.fullmatch(each) for each in values)
        return TimeColumn(name, "iso" if is_iso else "other", is_zoned=is_zoned)

    @cached_property
    def _tells_logins(self) -> bool:
        """Whether `login_kind` is what was read from the lines, rather than a field of the log's own."""
        return self.has("login_kind") is not None and {*self.values("login_kind")} <= KINDS

    # What counts as success and failure, by what the columns hold.

    def outcome(self, kind: str, *, of_login: bool) -> Condition | None:
        """That a row tells of a "success" or a "failure"."""
        if self._tells_logins and (of_login or not self.has("status_code")):
            return Condition(f"{quoted('login_kind')} = '{kind}'", "login_kind is", (kind,))
        if (event := self.has("EventID") or self.has("Event ID") or self.has("event_id")) and {
            4624,
            4625,
            "4624",
            "4625",
        } & {*self.values(event)}:
            number = "4624" if kind == "success" else "4625"
            return Condition(
                equals(event, [number]), f"{event} is {number} ({'a logon' if kind == 'success' else 'a failed logon'})"
            )
        words = _SUCCESS if kind == "success" else _FAILURE
        for name in (
            "login_kind",
            "auth_success",
            "success",
            "outcome",
            "event.outcome",
            "responseElements.ConsoleLogin",
            "outcome.result",
            "result",
            "status",
            "login_status",
            "state",
            "event",
            "action",
            "event_type",
        ):
            if not (column := self.has(name)):
                continue
            given = self.values(column)
            if name in ("auth_success", "success") and {*given} <= {0, 1, None}:
                return Condition(
                    f"{quoted(column)} = {int(kind == 'success')}",
                    f"{column} is {'true' if kind == 'success' else 'false'}",
                )
            told = [value for value in given if isinstance(value, str) and _tells(value, words)]
            if told:
                return Condition(equals(column, told[:40]), f"{column} is", tuple(map(str, told[:40])))
        if of_login:
            return None
        if (
            (column := self.role("status"))
            and self.is_numeric(column)
            and any(100 <= value <= 599 for value in self.values(column) if isinstance(value, int))
        ):
            name = quoted(column)
            return (
                Condition(f"{name} BETWEEN 200 AND 399", f"{column} is 200 to 399")
                if kind == "success"
                else Condition(f"{name} >= 400", f"{column} is 400 or more")
            )
        if column := self.has("conn_state"):
            states = (
                ["SF", "S1", "S2", "S3", "RSTO", "RSTR"]
                if kind == "success"
                else ["S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR"]
            )
            return Condition(equals(column, states), f"{column} is one of", tuple(states))
        if column := self.has("rcode_name"):
            name = quoted(column)
            return Condition(
                f"{name} {'=' if kind == 'success' else '<>'} 'NOERROR'",
                f"{column} is {'' if kind == 'success' else 'not '}NOERROR",
            )
        return None

    def about_login(self) -> Condition | None:
        """That a row tells of a login, whatever came of it."""
        if self._tells_logins:
            return Condition("login_kind IN ('success', 'failure')", "login_kind is", ("success", "failure"))
        event = self.has("EventID") or self.has("Event ID") or self.has("event_id")
        if event and {4624, 4625, "4624", "4625"} & {*self.values(event)}:
            return Condition(equals(event, ["4624", "4625"]), f"{event} is 4624 or 4625 (logons)")
        if self.has("auth_success") or (self.has("request_type") and self.has("success")):
            return Condition("1", "every row tells of an authentication")
        for name in ("event", "action", "eventName", "event.action", "event_type", "operation", "type", "category"):
            if column := self.has(name):
                told = [value for value in self.values(column) if isinstance(value, str) and _is_login(value)]
                if told:
                    return Condition(equals(column, told[:40]), f"{column} is", tuple(told[:40]))
        return EACH_LOGIN if self.role("user") and self.outcome("failure", of_login=True) else None

    def family(self, said: frozenset[str], stem: str) -> Condition | None:
        """That an outcome, an action or a state of the row is one of these words, or begins with the stem of one."""
        stems = sorted({word[:5] for word in said} | {stem})
        for name in (
            "action",
            "verdict",
            "disposition",
            "outcome",
            "result",
            "status",
            "decision",
            "event.action",
            "event",
            "level",
            "conn_state",
            "policy_action",
            "Action",
            "login_kind",
        ):
            if column := self.has(name):
                told = [
                    value for value in self.values(column)
                    if isinstance(value, str) and (value.lower() in said or value.lower().startswith(tuple(stems)))
                ]  # fmt: skip
                if told:
                    return Condition(equals(column, told[:40]), f"{column} is", tuple(told[:40]))
        return None


def _tells(value: str, words: frozenset[str]) -> bool:
    low = value.strip().lower()
    parts = re.split(r"[^a-z]+", low)
    return low in words or (len(low) < 40 and any(part in words for part in parts if len(part) > 2))


def _is_login(value: str) -> bool:
    return bool(_ABOUT_LOGIN.search(value[:100])) and not re.search(
        r"log[-_ ]?(?:off|out)|sign[-_ ]?out", value[:100], re.IGNORECASE
    )
