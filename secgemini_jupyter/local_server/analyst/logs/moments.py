"""Times in a question: "between 02:00 and 04:00", "after 2024-03-01", "on 5 March", "the last two hours"."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from secgemini_jupyter.local_server.analyst.logs.columns import Condition, TimeColumn
from secgemini_jupyter.local_server.analyst.logs.words import NUMBERS, UNITS, Token, singular

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name} | {
    name.lower(): number for number, name in enumerate(calendar.month_name) if name
}
_AFTER = frozenset("after since from starting beginning following past".split())
_BEFORE = frozenset("before until till prior by".split())
_AT = frozenset("at around about on in during of for within".split())
_AND = frozenset("and to until till through - – —".split())


@dataclass(frozen=True)
class Moment:
    """What is said of a time: a day with or without its year, a time of day, or both."""

    length: int
    """Tokens."""
    day: tuple[int | None, int, int] | None = None
    clock: str | None = None
    """HH:MM:SS."""
    precision: int = 0
    """Seconds that it stands for: 3600 for "2am", 60 for "14:05", 86400 for a day."""
    offset: float = 0.0
    """Seconds of its own time zone east of Greenwich."""

    @property
    def epoch(self) -> float | None:
        if self.day is None or self.day[0] is None:
            return None
        hour, minute, second = map(int, (self.clock or "00:00:00").split(":"))
        begin = datetime(self.day[0], self.day[1], self.day[2], tzinfo=UTC)
        return (begin + timedelta(hours=hour, minutes=minute, seconds=second)).timestamp() - self.offset

    @property
    def told(self) -> str:
        year, month, day = self.day or (None, 0, 0)
        date = (
            ""
            if self.day is None
            else f"{year:04}-{month:02}-{day:02}"
            if year
            else f"{calendar.month_abbr[month]} {day}"
        )
        return " ".join(filter(None, [date, self.clock]))


def moment_at(tokens: list[Token], at: int) -> Moment | None:
    if at >= len(tokens) or tokens[at].used:
        return None
    token = tokens[at]
    if token.kind == "word" and token.low in ("noon", "midday"):
        return Moment(1, clock="12:00:00", precision=3600)
    try:
        if token.kind == "when":
            return _whole(token.text)
        if token.kind == "date":
            when = datetime.strptime(token.text, "%d/%b/%Y" if "/" in token.text else "%Y-%m-%d").replace(tzinfo=UTC)
            return Moment(1, (when.year, when.month, when.day), precision=86400)
    except ValueError:
        return None
    if token.kind == "time" and (clock := _clock(token.text)):
        return Moment(1, clock=clock[0], precision=clock[1])
    return _named_day(tokens, at)


def _whole(text: str) -> Moment:
    match = re.match(
        r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)? ?(Z|UTC|[+-]\d\d:?\d\d)?", text, re.IGNORECASE
    )
    if match is None:
        raise ValueError(text)
    clock = match[4] if len(match[4]) == 8 else f"{match[4]}:00"
    datetime.strptime(clock, "%H:%M:%S").replace(tzinfo=UTC)
    zone = (match[5] or "Z").replace(":", "")
    offset = (
        0.0 if zone.upper() in ("Z", "UTC") else float(f"{zone[0]}1") * (int(zone[1:3]) * 3600 + int(zone[3:]) * 60)
    )
    day = datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC)
    return Moment(1, (day.year, day.month, day.day), clock, 60 if len(match[4]) == 5 else 1, offset)


def _clock(text: str) -> tuple[str, int] | None:
    match = re.match(r"(\d{1,2})(?::(\d\d))?(?::(\d\d))? ?(a|p)?", text.lower())
    if match is None:
        return None
    hour = int(match[1])
    if match[4]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[4] == "p" else 0)
    if hour > 24:
        return None
    return f"{hour:02}:{match[2] or '00'}:{match[3] or '00'}", 1 if match[3] else 60 if match[2] else 3600


def _named_day(tokens: list[Token], at: int) -> Moment | None:
    """5 March 2024, March 5th, Mar 5 2024."""
    words = [each.low.rstrip(".") for each in tokens[at : at + 4]]
    length, day, month = 0, 0, 0
    if len(words) >= 2:
        for first, second in ((words[0], words[1]), (words[1], words[0])):
            if first in _MONTHS and (match := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", second)):
                month, day, length = _MONTHS[first], int(match[1]), 2
    if not length or not 1 <= day <= 31:
        return None
    year = None
    if len(words) > 2 and re.fullmatch(r"(?:19|20)\d\d", words[2]):
        year, length = int(words[2]), 3
    try:
        datetime(year or 2000, month, day, tzinfo=UTC)
    except ValueError:
        return None
    return Moment(length, (year, month, day), precision=86400)


def take_times(tokens: list[Token], column: TimeColumn | None) -> list[Condition]:
    """The conditions on the time; what they are said with is marked as used."""
    if column is None:
        return []
    found: list[Condition] = []
    if condition := _last_hours(tokens, column):
        found.append(condition)
    if condition := _midnight(tokens, column):
        found.append(condition)
    at = 0
    while at < len(tokens):
        first = moment_at(tokens, at)
        if first is None and tokens[at].kind == "number" and not tokens[at].used and not tokens[at].unit:
            first = _bare_hour(tokens, at)
        if first is None:
            at += 1
            continue
        end, before = at + first.length, tokens[at - 1].low if at and not tokens[at - 1].used else ""
        second, condition = None, None
        if end < len(tokens) and tokens[end].low in _AND and (second := moment_at(tokens, end + 1)):
            condition = _range(first, second, column)
            end += 1 + second.length
        elif before in _AFTER:
            condition = _range(first, None, column)
        elif before in _BEFORE:
            condition = _range(None, first, column)
        else:
            condition = _during(first, column)
        if condition is not None:
            found.append(condition)
            for token in tokens[at:end]:
                token.used = True
            if before in _AFTER | _BEFORE | _AT | {"between"}:
                tokens[at - 1].used = True
        at = end
    return found


def _midnight(tokens: list[Token], column: TimeColumn) -> Condition | None:
    """Before or after the first midnight in the log: a time of day is always after one."""
    if column.epoch is None:
        return None
    for before, token in pairwise(tokens):
        if token.low == "midnight" and not token.used and before.low in _AFTER | _BEFORE:
            before.used = token.used = True
            day = f"CAST(({column.epoch}) / 86400 AS INTEGER)"
            operator, word = (">", "after") if before.low in _AFTER else ("=", "before")
            sql = f"{day} {operator} (SELECT min({day}) FROM log)"  # noqa: S608
            return Condition(sql, f"{word} the first midnight in the log ({_zone(column)})")
    return None


def _bare_hour(tokens: list[Token], at: int) -> Moment | None:
    """The 2 of "between 2 and 4am"."""
    if at + 2 >= len(tokens) or tokens[at + 1].low not in _AND or (other := moment_at(tokens, at + 2)) is None:
        return None
    if other.clock is None or other.day is not None or not tokens[at].text.isdigit() or int(tokens[at].text) > 24:
        return None
    hour = int(tokens[at].text)
    if tokens[at + 2].low.replace(".", "").endswith("pm") and hour < 12:
        hour += 12
    return Moment(1, clock=f"{hour:02}:00:00", precision=3600)


def _last_hours(tokens: list[Token], column: TimeColumn) -> Condition | None:
    if column.epoch is None:
        return None
    for at, token in enumerate(tokens[:-1]):
        if token.low not in ("last", "past", "final", "first") or token.used:
            continue
        rest = tokens[at + 1 : at + 3]
        number, unit, length = 1.0, singular(rest[0].low), 1
        if rest[0].kind == "number":
            number, unit = float(rest[0].text), singular(rest[0].unit or (rest[1].low if len(rest) > 1 else ""))
            length = 1 if rest[0].unit else 2
        elif rest[0].low in NUMBERS and len(rest) > 1:
            number, unit, length = float(NUMBERS[rest[0].low]), singular(rest[1].low), 2
        unit = {"min": "minute", "sec": "second", "h": "hour"}.get(unit, unit)
        if not UNITS.get(unit):
            continue
        for each in tokens[at : at + 1 + length]:
            each.used = True
        end, sign = ("min", "+") if token.low == "first" else ("max", "-")
        operator = "<=" if token.low == "first" else ">="
        limit = f"(SELECT {end}({column.epoch}) FROM log) {sign} {number * UNITS[unit]:g}"  # noqa: S608
        edge = "after the log's first row" if token.low == "first" else "before the log's last row"
        return Condition(f"{column.epoch} {operator} {limit}", f"at most {number:g} {unit}{'s' * (number != 1)} {edge}")
    return None


def _zone(column: TimeColumn) -> str:
    return "UTC" if column.is_zoned and column.kind != "clf" else "as the log writes it"


def _range(first: Moment | None, last: Moment | None, column: TimeColumn) -> Condition | None:
    """From `first` on until `last`; a day is meant as a whole, a time of day not including the end itself."""
    given = [each for each in (first, last) if each is not None]
    if all(each.day is None for each in given):
        return _clock_range(first, last, column)
    if column.epoch is None:
        return None
    parts, told = [], []
    if first is not None:
        if (begin := first.epoch) is None:
            return None
        parts.append(f"{column.epoch} >= {begin:.0f}")
        told.append(f"from {first.told}")
    if last is not None:
        if last.day is None and first is not None and first.day is not None:  # 2024-03-01 02:00 to 04:00
            last = Moment(last.length, first.day, last.clock, last.precision, first.offset)
        if (end := last.epoch) is None:
            return None
        whole_day = last.clock is None and first is not None
        parts.append(f"{column.epoch} < {end + (86400 if whole_day else 0):.0f}")
        told.append(f"until {'the end of ' if whole_day else 'before '}{last.told}")
    return Condition(
        " AND ".join(parts),
        f"time {' '.join(told)} (UTC)" if column.is_zoned else f"time {' '.join(told)} (as the log writes it)",
    )


def _clock_range(first: Moment | None, last: Moment | None, column: TimeColumn) -> Condition:
    begin, end = first.clock if first else None, last.clock if last else None
    parts = ([f"{column.clock} >= '{begin}'"] if begin else []) + ([f"{column.clock} < '{end}'"] if end else [])
    joint = " OR " if begin and end and begin > end else " AND "  # over midnight
    told = " ".join(([f"from {begin}"] if begin else []) + ([f"until before {end}"] if end else []))
    return Condition(f"({joint.join(parts)})", f"time of day {told} ({_zone(column)})")


def _during(moment: Moment, column: TimeColumn) -> Condition | None:
    """In that day, hour, minute or second."""
    if moment.day is None:
        assert moment.clock is not None
        length = {3600: 2, 60: 5}.get(moment.precision, 8)
        if moment.clock.endswith(":00:00") and moment.precision == 60:  # "at 14:00" is the hour, as people say it
            length = 2
        said = moment.clock[:length]
        unit = {2: "hour", 5: "minute"}.get(length, "second")
        return Condition(f"substr({column.clock}, 1, {length}) = '{said}'", f"in the {unit} {said} ({_zone(column)})")
    year, month, day = moment.day
    if column.kind == "yearless":
        written = f"{calendar.month_abbr[month]} {day:2}"
        return Condition(f"substr({column.column}, 1, 6) = '{written}'", f"on {written} (the log names no year)")
    if year is None:
        return Condition(
            f"substr({column.text}, 6, 5) = '{month:02}-{day:02}'", f"on {moment.told} of any year ({_zone(column)})"
        )
    begin = moment.epoch
    assert begin is not None
    return Condition(
        f"{column.epoch} >= {begin:.0f} AND {column.epoch} < {begin + moment.precision:.0f}",
        f"on {moment.told} ({_zone(column)})",
    )
