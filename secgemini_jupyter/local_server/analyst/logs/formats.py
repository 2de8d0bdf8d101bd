"""Log formats: which one a text is, and its rows.

Rows are dicts of strings, numbers and booleans. A line that cannot be read is counted, never fatal.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]

MAX_LINES = 300_000
MAX_LINE = 256 * 1024
MAX_FIELDS = 500

FORMAT_NAMES = {
    "zeek": "Zeek TSV",
    "zeek_json": "Zeek JSON lines",
    "jsonl": "JSON lines",
    "json": "JSON array",
    "clf": "web access log (common or combined)",
    "syslog": "syslog",
    "csv": "CSV",
    "tsv": "TSV",
}

_PROGRAM = r"(?P<program>[^\s\[\]:]{1,64}|\[[^\s\[\]:]{1,64}\])(?:\[(?P<pid>\d{1,10})\])?:?"
_SYSLOG = re.compile(
    r"(?:<\d{1,3}>)?(?P<time>[A-Z][a-z]{2}\s{1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,9})?"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)"
    rf" (?:(?P<host>[^\s:\[\]]{{1,255}}) )?{_PROGRAM} (?P<message>.*)"
)
_RFC5424 = re.compile(
    r"<\d{1,3}>1 (?P<time>\S{1,40}) (?P<host>\S{1,255}) (?P<program>\S{1,64}) (?P<pid>\S{1,128}) \S{1,64} "
    r"(?:-|(?:\[[^\]\"]*+(?:\"(?:[^\"\\]|\\.)*+\"[^\]\"]*+)*+\])+) ?(?P<message>.*)"
)
_CLF = re.compile(
    r"(?P<client>\S{1,255}) (?P<ident>\S{1,255}) (?P<user>\S{1,255}) \[(?P<time>[^\]]{1,40})\] "
    r"\"(?P<request>(?:[^\"\\]|\\.)*+)\" (?P<status>\d{3}|-) (?P<bytes>\d+|-)"
    r"(?: \"(?P<referrer>(?:[^\"\\]|\\.)*+)\" \"(?P<user_agent>(?:[^\"\\]|\\.)*+)\")?"
)
_NUMBERS = frozenset({"count", "int", "double", "interval", "time", "port"})


def log_format(text: str) -> str | None:
    """The format's name (a key of `FORMAT_NAMES`), or None for a text that is no log we know."""
    lines = [line for line in text[:65536].splitlines()[:60] if line.strip()]
    if not lines:
        return None
    if lines[0].startswith(("#separator", "#fields", "#set_separator")):
        return "zeek"
    records = [record for line in lines if (record := json_object(line)) is not None]
    # The last line of a sample may be cut.
    if records and len(records) >= len(lines) - 1 and len(records) >= 0.7 * len(lines):
        is_zeek = any("uid" in record or "id.orig_h" in record for record in records) and "ts" in records[0]
        return "zeek_json" if is_zeek else "jsonl"
    if text.lstrip()[:1] == "[" and re.match(r"\[\s*\{\s*\"", text.lstrip()[:200]):
        return "json"
    for name, pattern in (("clf", (_CLF,)), ("syslog", (_RFC5424, _SYSLOG))):
        if sum(any(each.match(line) for each in pattern) for line in lines) >= max(1, 0.6 * len(lines)):
            return name
    return _delimited(lines)


def _delimited(lines: list[str]) -> str | None:
    """CSV or TSV: a header of different words, and lines of as many cells."""
    if len(lines) < 2:
        return None
    for delimiter, name in (("\t", "tsv"), (",", "csv"), (";", "csv"), ("|", "csv")):
        rows = [row for row in csv.reader(lines[:40], delimiter=delimiter) if row]
        header = [cell.strip() for cell in rows[0]]
        if len(header) < 2 or len({*header}) < len(header):
            continue
        if not all(re.fullmatch(r"[A-Za-z_@#][\w .:@#/()-]{0,63}", cell) for cell in header):
            continue
        if sum(len(row) == len(header) for row in rows[1:]) >= 0.9 * (len(rows) - 1):
            return name
    return None


@dataclass
class Log:
    """A log being read. `bad`, `lines` and `fields` are complete once `rows()` has run to its end."""

    text: str
    format: str
    lines: int = 0
    bad: int = 0
    is_cut: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    """Name of each field and its type, as the log declares it or as its first value shows."""
    path: str = ""
    """What a Zeek log says it is: conn, http, kerberos, …"""

    def rows(self) -> Iterator[Row]:
        self.lines = self.bad = 0
        reader = {"zeek": self._zeek, "json": self._array, "csv": self._cells, "tsv": self._cells}.get(self.format)
        for row in reader() if reader else self._each_line():
            for name, value in row.items():
                if name not in self.fields and len(self.fields) < MAX_FIELDS and value is not None:
                    self.fields[name] = type_name(value)
            yield row

    def _lines(self) -> Iterator[str]:
        for line in io.StringIO(self.text):
            line = line.rstrip("\r\n")
            if not line.strip():
                continue
            if self.lines >= MAX_LINES:
                self.is_cut = True
                return
            self.lines += 1
            if len(line) > MAX_LINE:
                self.bad += 1
                continue
            yield line

    def _each_line(self) -> Iterator[Row]:
        read = {"clf": _clf, "syslog": _syslog}.get(self.format, json_object)
        for line in self._lines():
            row = read(line)
            if row is None:
                self.bad += 1
            else:
                yield row

    def _array(self) -> Iterator[Row]:
        try:
            items = json.loads(self.text)
        except (ValueError, RecursionError):
            self.bad += 1
            return
        for item in items[:MAX_LINES]:
            self.lines += 1
            if isinstance(item, dict):
                yield flat(item)
            else:
                self.bad += 1

    def _cells(self) -> Iterator[Row]:
        lines = self._lines()
        header_line = next(lines, "")
        delimiter = "\t" if self.format == "tsv" else max(",;|", key=header_line.count)
        reader = csv.reader(lines, delimiter=delimiter)
        header = [cell.strip() for cell in next(csv.reader([header_line], delimiter=delimiter), [])]
        self.lines -= 1  # the header is no row
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                self.bad += 1
                continue
            if len(cells) == len(header):
                yield {name: _number(cell) for name, cell in zip(header, cells, strict=True)}
            else:
                self.bad += 1

    def _zeek(self) -> Iterator[Row]:
        separator, unset, empty = "\t", "-", "(empty)"
        names: list[str] = []
        kinds: list[str] = []
        for line in self._lines():
            if line.startswith("#"):
                self.lines -= 1
                key, _, rest = line[1:].replace(separator, " ", 1).partition(" ")
                if key == "separator":
                    separator = re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), rest.strip()) or "\t"
                elif key == "unset_field":
                    unset = rest
                elif key == "empty_field":
                    empty = rest
                elif key == "path":
                    self.path = rest[:64]
                elif key == "fields":
                    names = rest.split(separator)
                elif key == "types":
                    kinds = rest.split(separator)
                    self.fields |= dict(zip(names[:MAX_FIELDS], kinds, strict=False))
                continue
            cells = line.split(separator)
            if not names or len(cells) != len(names):
                self.bad += 1
                continue
            row: Row = {}
            for name, kind, cell in zip(names, kinds or [""] * len(names), cells, strict=False):
                if cell == unset:
                    row[name] = None
                elif cell == empty:
                    row[name] = ""
                elif kind == "bool":
                    row[name] = cell == "T"
                else:
                    row[name] = _number(cell) if kind in _NUMBERS else cell
            yield row


def json_object(line: str) -> Row | None:
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return flat(value) if isinstance(value, dict) else None


def flat(record: dict[str, Any], depth: int = 0) -> Row:
    """Nested objects as dotted names, so that every row is one level deep; lists become text."""
    row: Row = {}
    for name, value in record.items():
        kind = type(value)  # of what JSON gives; a row of a million is one too many for `isinstance`
        if kind is dict and depth < 5:
            for inner, each in flat(value, depth + 1).items():
                row[f"{name}.{inner}"] = each
        elif kind is list or kind is dict:
            simple = kind is list and all(isinstance(each, str | int | float) for each in value)
            row[name] = ",".join(map(str, value)) if simple else json.dumps(value, default=str)[:4096]
        else:
            row[name] = value
    return row


def _clf(line: str) -> Row | None:
    match = _CLF.match(line)
    if not match:
        return None
    row: Row = {name: None if value == "-" else value for name, value in match.groupdict().items()}
    method, _, rest = (row.pop("request") or "").partition(" ")
    row |= {"method": method, "uri": rest.rpartition(" ")[0] or rest, "status": _number(row["status"] or "")}
    row["bytes"] = _number(row["bytes"]) if row["bytes"] else 0
    return row


def _syslog(line: str) -> Row | None:
    match = _RFC5424.match(line) or _SYSLOG.match(line)
    if not match:
        return None
    row: Row = match.groupdict()
    row["program"] = row["program"].strip("[]").rpartition("/")[2]
    row["pid"] = _number(row["pid"]) if row["pid"] and row["pid"] != "-" else None
    return row


def _number(cell: str) -> Any:
    """A number where the cell is plainly one. Leading zeros and very long digits stay text: they are ids."""
    if not cell or len(cell) > 18 or cell[0] not in "-0123456789":
        return cell
    if re.fullmatch(r"-?(?:0|[1-9]\d*)", cell):
        return int(cell)
    return float(cell) if re.fullmatch(r"-?(?:0|[1-9]\d*)\.\d+", cell) else cell


def type_name(value: object) -> str:
    names = {bool: "bool", int: "int", float: "double", str: "string"}
    return names.get(type(value), "string")
