"""log_load and log_summary: what a log holds, and what stands out by number."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from secgemini_jupyter.local_server.analyst import progress
from secgemini_jupyter.local_server.analyst.logs.asking import SUMMARY, is_question
from secgemini_jupyter.local_server.analyst.logs.columns import Columns
from secgemini_jupyter.local_server.analyst.logs.drawn import host_payloads
from secgemini_jupyter.local_server.analyst.logs.fields import told_left_out
from secgemini_jupyter.local_server.analyst.logs.formats import FORMAT_NAMES
from secgemini_jupyter.local_server.analyst.logs.loaded import LOGIN_COLUMNS, LoadedLog, load_log
from secgemini_jupyter.local_server.analyst.logs.sql import quoted
from secgemini_jupyter.local_server.analyst.logs.tables import COUNT_SECONDS, Counted, LogTable, open_table
from secgemini_jupyter.local_server.analyst.logs.times import epoch, time_field
from secgemini_jupyter.local_server.analyst.text import Plain, code, count, counted, listed, table, utc, visible
from secgemini_jupyter.local_server.analyst.tool import (
    Call,
    FileOrText,
    Request,
    Tool,
    Wish,
    subject,
    where,
)

MAX_DISTINCT = 20_000
"""Different values of one field that are counted; a field with more is no telling one."""
MAX_DRAWN = 500_000
"""Rows of which it is drawn who talked to whom: counting pairs takes long, and the answer does not need it."""
_TELLING = (
    "id.orig_h", "id.resp_h", "id.resp_p", "service", "host", "method", "status_code", "status", "query",
    "qtype_name", "rcode_name", "resp_mime_types", "mime_type", "server_name", "client", "user",
    "request_type", "error_msg", "program", "conn_state", "tx_hosts", "rx_hosts", "uri", "user_agent",
    "proto", "src_ip", "dst_ip", "name", "event", "action", "eventName", "level",
)  # fmt: skip
_EXECUTABLE = (
    "application/x-dosexec", "application/x-msdownload", "application/vnd.microsoft.portable-executable",
    "application/x-executable", "application/x-mach-o-executable", "application/java-archive", "application/x-msi",
)  # fmt: skip


def _head(log: LoadedLog, source: str, counted: Mapping[str, Counted]) -> dict[str, Any]:
    columns = Columns(log.db, log.kinds)
    names = [name for name in log.names if name not in LOGIN_COLUMNS]
    return {
        "source": source,
        "format": log.format,
        "path": log.path,
        "rows": log.loaded,
        "lines": log.lines,
        "bad_lines": log.bad,
        "is_cut": log.is_cut,
        "fields_left_out": log.fields_left_out,
        "time_field": columns.time.name if columns.time else time_field(names),
        "time": _time_of(log, columns),
        "fields": [
            {
                "name": name[:100],
                "type": log.kinds[name],
                "distinct": counted[name].distinct,
                "filled": counted[name].total,
            }
            for name in names
        ][:200],
    }


def _time_of(log: LoadedLog, columns: Columns) -> dict[str, Any]:
    """First and last time of the rows, as far as they say it."""
    name = columns.time.name if columns.time else time_field(log.names)
    if name is None:
        return {"written": []}
    column, first, last, zoneless, written = quoted(name), None, None, 0, list[str]()
    query = f"SELECT {column}, count(*) FROM log WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY min(line)"  # noqa: S608
    if columns.time and columns.time.kind == "number":
        query = f"SELECT min({column}), 1 FROM log UNION ALL SELECT max({column}), 1 FROM log"  # noqa: S608
    for value, number in log.db.execute(query):
        if known := epoch(value):
            zoneless += 0 if known[1] else number
            first = known[0] if first is None else min(first, known[0])
            last = known[0] if last is None else max(last, known[0])
        elif value not in (None, ""):
            written = [*written[:1], str(value)[:40]]
    if first is not None and last is not None:
        return {"first": first, "last": last, "seconds": round(last - first, 3), "zoneless": zoneless}
    return {"written": written}


def _count_all(log: LoadedLog) -> dict[str, Counted]:
    """How often the values of each column occur."""
    found = {}
    for name in log.names:
        if name in LOGIN_COLUMNS:
            continue
        column, counter, total = quoted(name), Counter[Any](), 0
        cursor = log.db.execute(f"SELECT {column} FROM log WHERE {column} <> ''")  # noqa: S608
        while chunk := cursor.fetchmany(20_000):
            total += len(chunk)
            if len(counter) < MAX_DISTINCT:
                counter.update(value for (value,) in chunk)
        progress.say(f"values of {name[:40]} counted", total)
        as_told = (lambda value: bool(value)) if log.kinds[name] == "bool" else _told
        top = [(as_told(value), n) for value, n in counter.most_common(10)]
        some = [as_told(value) for value in islice(counter, 20)]
        found[name] = Counted(min(len(counter), MAX_DISTINCT), total, top, some)
    return found


def _told(value: Any) -> Any:
    return value[:300] if isinstance(value, str) else value


def _read_table(table: LogTable, source: str) -> dict[str, Any]:
    """The head of a logs table: all of it was counted when the lines came."""
    meta, times = table.meta, table.meta.times
    time: dict[str, Any] = {"written": times.written}
    if times.first is not None and times.last is not None:
        seconds = round(times.last - times.first, 3)
        time = {"first": times.first, "last": times.last, "seconds": seconds, "zoneless": times.zoneless}
    return {
        "source": source,
        "table": table.about(),
        "format": table.format,
        "path": "",
        "rows": meta.rows,
        "lines": table.lines,
        "bad_lines": meta.bad,
        "is_cut": False,
        "fields_left_out": table.fields_left_out,
        "time_field": times.field,
        "time": time,
        "fields": [
            {"name": each.name[:100], "type": each.kind, "distinct": each.distinct, "filled": each.filled}
            for each in table.columns
        ][:200],
    }


def log_load(arguments: FileOrText, files: Mapping[str, bytes]) -> dict[str, Any]:
    if table := open_table(arguments, files):
        head, rows = _read_table(table, arguments.source), table.rows(5)
    else:
        log = load_log(arguments, files)
        head, rows = _counted_head(log, arguments.source)[0], log.rows("line <= 5")
    sample = [{k[:100]: _told(v) for k, v in islice(row.items(), 30) if k not in LOGIN_COLUMNS} for row in rows]
    return head | {"sample": sample}


def log_summary(arguments: FileOrText, files: Mapping[str, bytes]) -> dict[str, Any]:
    if table := open_table(arguments, files):
        return _table_summary(table, arguments.source)
    log = load_log(arguments, files)
    head, counted = _counted_head(log, arguments.source)
    return head | {"top": _top(head, counted)} | _notable(log.db, set(log.names), log.loaded, [])


def _counted_head(log: LoadedLog, source: str) -> tuple[dict[str, Any], dict[str, Counted]]:
    counted = _count_all(log)
    return _head(log, source, counted), counted


def _notable(db: sqlite3.Connection, names: set[str], rows: int, left_out: list[str]) -> dict[str, Any]:
    """What is worth a line of its own: ports with their protocol, and programs that were transferred."""
    result: dict[str, Any] = {"ports": [], "executables": [], "pairs": [], "left_out": left_out}
    for name, query, needed in _NOTABLE:
        try:
            if needed <= names and (name != "pairs" or rows <= MAX_DRAWN):
                result[name] = [list(row) for row in db.execute(query)]
        except sqlite3.Error:  # interrupted
            left_out.append(name)
    fields = ("mime_type", "host", "bytes", "count")
    result["executables"] = [dict(zip(fields, row, strict=True)) for row in result["executables"]]
    return result


def _table_summary(table: LogTable, source: str) -> dict[str, Any]:
    head, counted = _read_table(table, source), table.counted()
    left_out: list[str] = []
    uncounted = [column for column in table.columns if column.distinct is None and column.name in _TELLING]
    with table.limited(COUNT_SECONDS):
        for number, column in enumerate(uncounted):
            progress.say("fields counted", number, len(uncounted))
            try:
                counted[column.name] = table.count(column)
            except sqlite3.Error:  # interrupted
                left_out.append(column.name)
        notable = _notable(table.db, {column.name for column in table.columns}, table.meta.rows, left_out)
    return head | {"top": _top(head, counted)} | notable


_NOTABLE = (
    *(
        (
            "pairs",
            f"SELECT {quoted(source)}, {quoted(destination)}, count(*) FROM log WHERE {quoted(source)} <> '' "  # noqa: S608
            f"AND {quoted(destination)} <> '' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 60",
            {source, destination},
        )
        for source, destination in (
            ("src_ip", "dst.ip"),
            ("src_ip", "dest_ip"),
            ("src_ip", "dst_ip"),
            ("id.orig_h", "id.resp_h"),
        )
    ),
    (
        "ports",
        "SELECT \"id.resp_p\" || '/' || proto AS port, count(*) AS n FROM log WHERE port IS NOT NULL "
        "GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
        {"id.resp_p", "proto"},
    ),
    *(
        (
            "executables",
            f"SELECT substr({mime}, 1, 100), substr(coalesce({host}, ''), 1, 300), {size}, count(*) FROM log WHERE "  # noqa: S608
            + " OR ".join(f"instr({mime}, '{kind}')" for kind in _EXECUTABLE)
            + " GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 50",
            {mime, host, size},
        )
        for mime, host, size in (
            ("resp_mime_types", "host", "response_body_len"),
            ("mime_type", "tx_hosts", "total_bytes"),
        )
    ),
)
"""Name in the result, query, fields that it needs."""


def _top(head: dict[str, Any], counted: Mapping[str, Counted]) -> list[dict[str, Any]]:
    return [
        {"field": name[:100], "distinct": counted[name].distinct, "top": [[value, n] for value, n in counted[name].top]}
        for name in _telling(head, counted)
    ][:16]


def _telling(head: dict[str, Any], counted: Mapping[str, Counted]) -> list[str]:
    """Fields whose values repeat without being all the same, the well-known ones first."""

    def is_telling(name: str) -> bool:
        values = counted[name]
        if not values.distinct or name == head["time_field"]:
            return False
        if name in _TELLING:
            return values.distinct < MAX_DISTINCT or values.top[0][1] > 1
        if values.distinct >= MAX_DISTINCT:
            return False
        is_measure = all(isinstance(value, float) for value in values.some)
        return (
            not is_measure
            and (1 < values.distinct <= max(20, values.total // 3))
            and values.total >= 0.2 * head["rows"]
        )

    names = [name for name in counted if is_telling(name)]
    return sorted(
        names, key=lambda name: (_TELLING.index(name) if name in _TELLING else len(_TELLING), counted[name].distinct)
    )


_SUMMARY = (
    r"\bsummar|\boverview|\bwhat happened|\btop\b|\bmost\b|\bodd\b|\bunusual|\banomal|\bstand(?:s|ing)? out|\bstatistic"
    r"|\bstats\b"
    r"|\bhow many\b|\bwhich (?:hosts?|ips?|ports?|domains?|users?|queries)\b|\banaly[sz]e|\btriage"
    r"|\blook (?:at|into)|\bexplain"
    r"|\bwhat (?:is|does|do)\b.{0,30}\b(?:in|log|file|show|say)|\bports?\b|\btraffic\b|\brequests?\b|\bqueries\b"
    r"|\bdownload|\bwhat(?:'s| is) (?:in|this)"
)


def _plan_summary(request: Request) -> list[Call]:
    if not request.asks(_SUMMARY) or (is_question(request) and not request.asks(SUMMARY)):
        return []
    return [Call("log_summary", args, f"count what {subject(args)} holds") for args in request.logs()]


def _plan_load(request: Request) -> list[Call]:
    if not request.asks(
        r"\bload\b|\bcolumns?\b|\bfields?\b|\bschema\b|\bsample\b|\bfirst (?:rows|lines)\b|\bhow many (?:rows|lines)\b"
    ):
        return []
    return [Call("log_load", args, f"load {subject(args)}") for args in request.logs()]


def _lead(result: dict[str, Any]) -> str:
    kind = FORMAT_NAMES[result["format"]] + (f", {code(result['path'])} log" if result["path"] else "")
    told = f"**{count(result['rows'], 'row')}** in {where(result)} ({kind})"
    if result["bad_lines"]:
        told += f"; {count(result['bad_lines'], 'line')} not understood"
    if result["is_cut"]:
        told += "; cut at the limit"
    more = told_left_out(result)
    return f"{told}. {_time(result['time'])}" + (f" {more}." if more else "")


def _time(time: dict[str, Any]) -> str:
    if "first" in time:
        told = f"From {utc(time['first'])} to {utc(time['last'])}."
        if time["zoneless"]:
            told = told.replace(" UTC", "") + " The log names no time zone: its times are shown as they are."
        return told
    if time["written"]:
        told = f"From {code(time['written'][0])} (first line) to {code(time['written'][-1])} (last line)."
        return told + " These dates have no year or time zone, and none was added."
    return "No field says when."


def _answer_summary(result: dict[str, Any], _wish: Wish) -> str:
    parts = [_lead(result)]
    by_name = {each["field"]: each for each in result["top"]}
    for name, meaning in (("id.orig_h", "source"), ("host", "host"), ("query", "query"), ("client", "client")):
        if (top := by_name.get(name)) and len(top["top"]) >= 1:
            value, n = top["top"][0]
            told = f"all from {code(value)}" if top["distinct"] == 1 and name == "id.orig_h" else f"{code(value)} {n:,}"
            parts[0] += (
                f" Most frequent {meaning}: {told}." if not told.startswith("all") else f" All rows are {told[4:]}."
            )
    if result["executables"]:
        rows = [(each["host"], each["mime_type"], each["bytes"], each["count"]) for each in result["executables"]]
        total = sum(each["count"] for each in result["executables"])
        parts.append(
            f"**{count(total, 'transfer')} of executables** (by MIME type; that alone is no verdict)\n\n"
            + table(["host", "MIME type", "bytes", "count"], rows, limit=10)
        )
    if result["ports"]:
        parts.append(f"Destination ports: {counted(map(tuple, result['ports']), 10)}.")
    shown = [
        (
            Plain(code(each["field"], 60)),
            each["distinct"],
            Plain(counted(map(tuple, each["top"][:5])).replace("|", "\\|")),
        )
        for each in result["top"]
    ]
    if shown:
        parts.append(table(["field", "values", "most frequent"], shown, limit=16))
    if result.get("left_out"):
        parts.append(f"Not counted, it would have taken too long: {listed(result['left_out'], 10)}.")
    return "\n\n".join(parts)


def _answer_load(result: dict[str, Any], _wish: Wish) -> str:
    fields = result["fields"]
    parts = [f"{_lead(result)} {count(len(fields), 'field')}: {listed((each['name'] for each in fields), 40)}."]
    if result["sample"]:
        names = [each["name"] for each in fields][:6]
        rows = [tuple(_shown(row.get(name)) for name in names) for row in result["sample"]]
        parts.append(table([code(name, 40).replace("|", "\\|") for name in names], rows))
    return "\n\n".join(parts)


def _shown(value: Any) -> Any:
    return visible(value, 60) if isinstance(value, str) else str(value) if isinstance(value, bool) else value


TOOLS = (
    Tool(
        name="log_summary",
        description="Rows, time range and most frequent values of a log (syslog, JSON, CSV, TSV, Zeek, web access).",
        ability='summarise a log (syslog, JSON lines, CSV, Zeek, web access): "What happened on this host?"',
        arguments=FileOrText,
        run=log_summary,
        plan=_plan_summary,
        answer=_answer_summary,
        payloads=lambda result: host_payloads(result["pairs"]),
        items=lambda result: [
            {"field": each["field"], "value": value, "count": n} for each in result["top"] for value, n in each["top"]
        ],
    ),
    Tool(
        name="log_load",
        description="Read a log as a table: format, fields and their types, rows, lines not understood, a sample.",
        ability='read a log as a table: "Which fields does conn.log have?"',
        arguments=FileOrText,
        run=log_load,
        plan=_plan_load,
        answer=_answer_load,
        items=lambda result: result["fields"],
    ),
)
