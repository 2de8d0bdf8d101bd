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

import msgspec

Row = dict[str, Any]

MAX_LINES = 3_000_000
MAX_LINE = 4 * 2**20
MAX_FIELDS = 500
SAMPLE = 64 * 1024
MAX_SAMPLE = 8 * 2**20
"""Characters that are looked at for the format, where lines are so long that `SAMPLE` has fewer than `FEW`."""
FEW = 6

FORMAT_NAMES = {
    "zeek": "Zeek TSV",
    "zeek_json": "Zeek JSON lines",
    "jsonl": "JSON lines",
    "json": "JSON array",
    "clf": "web access log (common or combined)",
    "syslog": "syslog",
    "csv": "CSV",
    "tsv": "TSV",
    "logfmt": "logfmt",
    "evtx": "Windows event log",
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
_ARRAY = re.compile(r"(?:\{\s*\"(?:[Rr]ecords|[Ee]vents|logs|value|data|results)\"\s*:\s*)?\[\s*(?:\{\s*\"|$)")
"""A JSON array of objects, alone or as CloudTrail and others wrap it."""
_PAIR = r"[A-Za-z_@][\w.@-]{0,63}=(?:\"(?:[^\"\\]|\\.)*+\"|[^\s\"]*+)"
_LOGFMT = re.compile(rf"{_PAIR}(?: +{_PAIR}){{2}}(?= |$)")
_PAIRS = re.compile(r"([A-Za-z_@][\w.@-]{0,63})=(?:\"((?:[^\"\\]|\\.)*+)\"|([^\s\"]*+))(?= |$)")
_NUMBERS = frozenset({"count", "int", "double", "interval", "time", "port"})


_NAME = re.compile(r"[A-Za-z_@#][\w .:@#/()-]{0,63}")
_NO_NAME = re.compile(r"[\s\d.:+-]*|.{200,}", re.DOTALL)
_SPACE = re.compile(r"[\s,]*+")
_NESTED = frozenset({dict, list})
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def log_format(text: str) -> str | None:
    """The format's name (a key of `FORMAT_NAMES`), or None for a text that is no log we know."""
    lines = first_lines(text)
    if not lines:
        return None
    if lines[0].startswith(("#separator", "#fields", "#set_separator")):
        return "zeek"
    records = [record for line in lines if (record := json_object(line)) is not None]
    if len(records) < 2 and lines[0].lstrip()[:1] == "{" and _ARRAY.match(text.lstrip()[:400]):
        return "json"
    # The last line of a sample may be cut.
    if records and len(records) >= len(lines) - 1 and len(records) >= 0.7 * len(lines):
        is_zeek = any("uid" in record or "id.orig_h" in record for record in records) and "ts" in records[0]
        return "zeek_json" if is_zeek else "jsonl"
    if _ARRAY.match(text.lstrip()[:400]):
        return "json"
    for name, pattern in (("clf", (_CLF,)), ("syslog", (_RFC5424, _SYSLOG)), ("logfmt", (_LOGFMT,))):
        if sum(any(each.match(line) for each in pattern) for line in lines) >= max(1, 0.6 * len(lines)):
            return name
    return _delimited(lines)


def first_lines(text: str) -> list[str]:
    """The lines that tell the format, without empty ones: of very long lines some, but whole ones."""
    sample = text[:SAMPLE]
    if len(text) > SAMPLE and sample.count("\n") < FEW:
        at = -1
        for _ in range(FEW + 2):
            at = text.find("\n", at + 1, MAX_SAMPLE)
            if at < 0:
                break
        sample = text[: at if at >= 0 else MAX_SAMPLE]
    if len(text) > len(sample) and "\n" in sample:
        sample = sample[: sample.rfind("\n")]  # the last one is cut
    return [line for line in sample.splitlines()[:60] if line.strip()]


def _delimited(lines: list[str]) -> str | None:
    """CSV or TSV: a header of different words, and lines of as many cells."""
    if len(lines) < 2:
        return None
    for delimiter, name in (("\t", "tsv"), (",", "csv"), (";", "csv"), ("|", "csv")):
        try:
            rows = [row for row in csv.reader(lines[:40], delimiter=delimiter) if row]
        except csv.Error:  # a cell without end
            continue
        header = [cell.strip() for cell in rows[0]]
        if len(header) < 2 or len({*header}) < len(header):
            continue
        fitting = sum(len(row) == len(header) for row in rows[1:])
        if all(map(_NAME.fullmatch, header)):
            if fitting >= 0.9 * (len(rows) - 1):
                return name
        elif len(header) > 2 and fitting == len(rows) - 1 > 2 and not any(map(_NO_NAME.fullmatch, header)):
            return name  # no sentence has as many commas as each of the next
    return None


@dataclass
class Log:
    """A log being read. `bad`, `lines` and `fields` are complete once `rows()` has run to its end."""

    text: str | bytes
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
        readers = {
            "zeek": self._zeek,
            "json": self._array,
            "csv": self._cells,
            "tsv": self._cells,
            "evtx": self._events,
        }
        for row in readers.get(self.format, self._each_line)():
            if not row.keys() <= self.fields.keys():
                for name, value in row.items():
                    if name not in self.fields and len(self.fields) < MAX_FIELDS and value is not None:
                        self.fields[name] = type_name(value)
            yield row

    def _raw_lines(self) -> Iterator[Any]:
        """Lines that are not empty, as text or bytes like the whole, without their ends."""
        # An `io.StringIO` would take four bytes for each character.
        opened = io.BytesIO(self.text) if isinstance(self.text, bytes) else _split(self.text)
        for line in opened:
            stripped = line.strip()
            if not stripped:
                continue
            if self.lines >= MAX_LINES:
                self.is_cut = True
                return
            self.lines += 1
            if len(line) > MAX_LINE:
                self.bad += 1
                continue
            yield line

    def _lines(self) -> Iterator[str]:
        for line in self._raw_lines():
            text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
            yield text.removeprefix("\ufeff").rstrip("\r\n")

    def _each_line(self) -> Iterator[Row]:
        read = {"clf": _clf, "syslog": _syslog, "logfmt": _logfmt}.get(self.format)
        if read is None:
            yield from self._objects()
            return
        for line in self._lines():
            row = read(line)
            if row is None:
                self.bad += 1
            else:
                yield row

    def _objects(self) -> Iterator[Row]:
        for line in self._raw_lines():
            try:
                row: Row = _decode(line)
                if not _NESTED.isdisjoint(map(type, row.values())):
                    row = flat(row)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
                found = json_object(text.removeprefix("\ufeff"))  # it takes NaN and halves of surrogate pairs, too
                if found is None:
                    self.bad += 1
                    continue
                row = found
            yield row

    def _array(self) -> Iterator[Row]:
        """One object after the other: the whole as Python objects would take ten times its bytes."""
        text = self.text.decode("utf-8-sig", "replace") if isinstance(self.text, bytes) else self.text
        decoder = json.JSONDecoder()
        at = text.find("[") + 1
        while at > 0:
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches the empty text, too
            if at >= len(text) or text[at] == "]":
                self.bad += at >= len(text)  # the end is missing
                return
            if self.lines >= MAX_LINES:
                self.is_cut = True
                return
            self.lines += 1
            try:
                item, at = decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                self.bad += 1
                return
            if isinstance(item, dict):
                yield flat(item)
            else:
                self.bad += 1

    def _events(self) -> Iterator[Row]:
        from secgemini_jupyter.local_server.analyst.logs.windows import events

        assert isinstance(self.text, bytes)
        for row in events(self.text):
            if self.lines >= MAX_LINES:
                self.is_cut = True
                return
            self.lines += 1
            if row is None:
                self.bad += 1
            else:
                yield row

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


def _split(text: str) -> Iterator[str]:
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end
        yield text[begin:end]
        begin = end + 1


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


def _logfmt(line: str) -> Row | None:
    row: Row = {}
    for name, quoted, bare in _PAIRS.findall(line):
        row[name] = re.sub(r"\\(.)", r"\1", quoted) if quoted else _number(bare)
    return row if len(row) >= 2 else None


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
