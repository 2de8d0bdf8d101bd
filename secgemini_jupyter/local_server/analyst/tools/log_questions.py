"""log_question: a question about a log becomes a query, which the result shows beside its rows."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any

from secgemini_jupyter.local_server.analyst.logs.asking import is_about_logins_alone, is_question
from secgemini_jupyter.local_server.analyst.logs.columns import Columns, Condition
from secgemini_jupyter.local_server.analyst.logs.covered import covered, covered_table, covering
from secgemini_jupyter.local_server.analyst.logs.fields import told_left_out
from secgemini_jupyter.local_server.analyst.logs.loaded import epoch_of, load_log
from secgemini_jupyter.local_server.analyst.logs.parts import is_sql, parts_of, writes
from secgemini_jupyter.local_server.analyst.logs.queries import query_for
from secgemini_jupyter.local_server.analyst.logs.question import goes_on, read_question
from secgemini_jupyter.local_server.analyst.logs.row_queries import MAX_ROWS, Query
from secgemini_jupyter.local_server.analyst.logs.scan import Question
from secgemini_jupyter.local_server.analyst.logs.tables import SQL_SECONDS, open_table
from secgemini_jupyter.local_server.analyst.text import Plain, block, code, count, listed, moment, table, visible
from secgemini_jupyter.local_server.analyst.tool import (
    Call,
    FileOrText,
    Payload,
    Request,
    Tool,
    ToolFailure,
    Wish,
    subject,
    where,
)
from secgemini_jupyter.local_server.analyst.tools.log_queries import authorize, json_value, own_query
from secgemini_jupyter.local_server.analyst.wishes import clipped

SHOWN = 20


class QuestionArguments(FileOrText):
    """`question`: in English, about the rows of one log: "top 5 destination ports by bytes"."""

    question: str
    earlier: str = ""
    """The question before it, where it goes on from that: "and by number of denied connections?"."""


def log_question(arguments: QuestionArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    started = time.monotonic()
    if found := open_table(arguments, files):
        found.db.create_function("epoch_of", 1, epoch_of, deterministic=True)
        about: dict[str, Any] = {"table": found.about(), "format": found.format}
        about["fields_left_out"] = found.fields_left_out
        loaded, bad, is_cut = found.meta.rows, found.bad, False
        with found.limited(SQL_SECONDS):
            answers = _answers(arguments, found.db, Columns(found.db, found.fields, found.some_values()), started)
            time_covered = covered_table(found.meta.times)
    else:
        log = load_log(arguments, files)
        about, loaded, bad, is_cut = {"format": log.format}, log.loaded, log.bad, log.is_cut
        about["fields_left_out"] = log.fields_left_out
        columns = Columns(log.db, log.kinds)
        with log.limited(SQL_SECONDS):
            answers = _answers(arguments, log.db, columns, started)
            time_covered = covered(log.db, columns)
    return about | {
        "source": arguments.source,
        "question": arguments.question[:1000],
        "loaded_rows": loaded,
        "bad_lines": bad,
        "is_cut": is_cut,
        "time": time_covered,
        "answers": answers,
    }


def _answers(
    arguments: QuestionArguments, db: sqlite3.Connection, columns: Columns, started: float
) -> list[dict[str, Any]]:
    text, found = arguments.question, list[dict[str, Any]]()
    before = read_question(parts_of(arguments.earlier)[-1], columns) if parts_of(arguments.earlier) else None
    inherited: Sequence[Condition] = before.conditions if before else ()
    for part in parts_of(text):
        if writes(part) or is_sql(part):
            found.append(
                {"question": part[:300], "read_as": [], "unused": [], "missing": [], "sql": None, "writes": True}
            )
            continue
        question = read_question(part, columns)
        if before and not found:
            goes_on(question, before)
        is_more = found or (before and not question.said & {"total", "all", "overall", "altogether"})
        is_it = bool(before) and question.said & {"it", "they", "them", "these", "those"}
        query = query_for(question, columns, inherited if is_more and (is_it or not question.conditions) else ())
        inherited = question.conditions or inherited
        found.append(_answer_of(part, question, query, db))
        if time.monotonic() - started > SQL_SECONDS:
            break
    return found


def _answer_of(part: str, question: Question, query: Query | None, db: sqlite3.Connection) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "question": part[:300],
        "read_as": [list(pair) for pair in question.read_as],
        "unused": [word[:100] for word in question.unused][:12],
        "missing": [word[:100] for word in question.missing][:6],
    }
    if query is None:
        return answer | {"sql": None}
    db.set_authorizer(authorize)
    try:
        cursor = db.execute(query.sql)
        columns = [each[0] for each in cursor.description]
        rows = cursor.fetchmany(MAX_ROWS + 1)
        condition = " AND ".join(f"({each})" for each in [*(c.sql for c in query.conditions), *query.filled]) or "1"
        (matched,) = db.execute(f"SELECT count(*) FROM log WHERE {condition}").fetchone()  # noqa: S608  # written here, of quoted names and values
    except sqlite3.Error as error:
        reason = "it took too long" if "interrupted" in str(error) else str(error).rstrip(".")
        raise ToolFailure(f"SQLite refused the query {query.sql!r}: {reason}.") from None
    finally:
        db.set_authorizer(None)
    return answer | {
        "sql": query.sql,
        "shape": query.shape,
        "what": query.what,
        "names": query.names,
        "order": query.order,
        "limit": query.limit,
        "is_ranked": query.is_ranked,
        "is_one": query.is_one,
        "share": [query.share.told, list(query.share.values)[:12]] if query.share else None,
        "conditions": [[each.told, list(each.values)[:12]] for each in query.conditions],
        "notes": query.notes,
        "columns": columns,
        "rows": [[json_value(value) for value in row] for row in rows[:MAX_ROWS]],
        "more": len(rows) > MAX_ROWS,
        "matched": matched,
    }


def _plan(request: Request) -> list[Call]:
    if own_query(request) is not None or not is_question(request) or is_about_logins_alone(request):
        return []  # of all logins `auth_timeline` tells more
    text = clipped(request.instruction)
    for each in request.named():
        text = re.sub(rf"(?i)(?:\b(?:in|of|from)\s+)?(?<![\w.-]){re.escape(each.name)}(?![\w-])", " in the log ", text)
    text = re.sub(r"(?i)\s(?:in|inside|within) (?:here|there)\b", " ", text)
    return [
        Call("log_question", args | {"question": text[:1000].strip()}, f"ask {subject(args)} in SQL")
        for args in request.logs()[:3]
    ]


def _then(_request: Request, call: Call, result: dict[str, Any]) -> list[Call]:
    """What could not be read as a question is answered by a summary, which says at least what the log holds."""
    if any(each["sql"] or each.get("writes") for each in result["answers"]):
        return []
    args = {name: value for name, value in call.arguments.items() if name in ("file", "table", "text", "member")}
    return [Call("log_summary", args, f"count what {subject(args)} holds")]


def _answer(result: dict[str, Any], wish: Wish) -> str:
    parts = [_one(each, result, wish) for each in result["answers"]] or ["The question could not be read."]
    if wish.only and all(each["sql"] for each in result["answers"]):
        return "\n\n".join(parts)
    searched = f"Searched: {count(result['loaded_rows'], 'row')} of {where(result)}{covering(result['time'])}"
    if result["bad_lines"]:
        searched += f"; {count(result['bad_lines'], 'line')} not understood"
    if result["is_cut"]:
        searched += "; the log is longer, and was cut at the limit"
    if told := told_left_out(result):
        searched += f". {told}"
    return "\n\n".join([*parts, searched + "."])


def _one(answer: dict[str, Any], result: dict[str, Any], wish: Wish) -> str:
    if answer.get("writes"):
        if is_sql(answer["question"]):
            return f"{code(answer['question'], 200)} is not run: a log is read as the table `log`: `SELECT … FROM log`."  # noqa: S608
        return f"{code(answer['question'], 200)} is not done: a log is only read here, never changed."
    unused = "".join(f"{code(written)} was read as {code(read)}. " for written, read in answer["read_as"])
    if answer["missing"]:
        those = "that were read " if result.get("fields_left_out") else ""
        missing = listed(answer["missing"])
        unused += (
            f"None of the columns {those}is for {missing}. " if those else f"The log has no column for {missing}. "
        )
    if answer["unused"]:
        unused += f"Not understood of the question: {listed(answer['unused'], 12)}."
    if answer["sql"] is None:
        known = "nothing of it names a column, a value or a count of this log"
        return f"{code(answer['question'], 200)} could not be made a query: {known}. {unused}".strip()
    rows = answer["rows"]
    unread = [*answer["missing"], *_unread(answer)]
    if wish.only and rows and answer["shape"] == "groups" and not unread:
        wanted = _first_ones(answer) if answer["is_one"] else rows
        which = _column_of(answer, wish)
        if which is not None:
            return "\n".join(f"- {each}" for each in dict.fromkeys(code(row[which]) for row in wanted))
    lead = _lead(answer, result)
    if unread:  # what answers only a part of the question is not said as if it answered it
        lead, unused = f"{unused.strip()} Without that: {_plain(lead)}", ""
    parts = [lead, *([unused.strip()] if unused else [])]
    if answer["shape"] != "number" and rows:
        shown = [i for i in range(len(answer["columns"])) if any(row[i] not in (None, "") for row in rows)]
        headers = [code(answer["columns"][i], 60).replace("|", "\\|") for i in shown]
        cells = [[_cell(row[i], answer, i) for i in shown] for row in rows]
        parts.append(table(headers, cells, limit=SHOWN))
    if answer["notes"]:
        parts.append(" ".join(visible(note, 600) for note in answer["notes"]))
    parts.append(block(answer["sql"], 4_000).replace("```\n", "```sql\n", 1))
    return "\n\n".join(parts)


def _column_of(answer: dict[str, Any], wish: Wish) -> int | None:
    """The column that is wanted alone; addresses are such, whatever their column is called."""
    if not wish.wants_only("ips?\\b", "address"):
        return 0
    address = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:.]+|\d+(?:\.\d+){3}")
    keys = range(len(answer["names"]))
    return next((n for n in keys if all(address.fullmatch(str(row[n])) for row in answer["rows"])), None)


_ANYTHING_ODD = re.compile(
    r"\b(?:any|some|what)(?:thing|'?s| is)? (?:else )?(odd|unusual|strange|weird|interesting|suspicious)\b",
    re.IGNORECASE,
)


def _unread(answer: dict[str, Any]) -> list[str]:
    """The words not understood, without those that `log_summary` answers beside: "anything odd?"."""
    beside = [match[1] for match in _ANYTHING_ODD.finditer(answer["question"])]
    return [word for word in answer["unused"] if word not in beside]


def _first_ones(answer: dict[str, Any]) -> list[list[Any]]:
    """The first of a ranking, with those that have as many."""
    return [row for row in answer["rows"] if row[-1] == answer["rows"][0][-1]]


def _plain(text: str) -> str:
    """Without what makes it bold, but in code spans."""
    return re.sub(r"(`+).*?\1|\*\*", lambda match: "" if match[0] == "**" else match[0], text, flags=re.DOTALL)


def _cell(value: Any, answer: dict[str, Any], column: int) -> Any:
    is_count = answer["columns"][column] in ("n", "failed", "succeeded")
    return value if is_count or not isinstance(value, int | float) else Plain(_number(value))


def _number(value: float) -> str:
    return (
        str(value)
        if isinstance(value, int)
        else f"{value:.10g}"
        if abs(value) < 1e9
        else f"{value:.6f}".rstrip("0").rstrip(".")
    )


_TOLD = re.compile(
    r"(.*) (is(?: not)?(?: one of| within)?|(?:contains|does not contain)(?: one of)?"
    r"|(?:begins|ends|does not begin|does not end) with)"
)
_OURS = frozenset({"a field contains", "no field contains"})


def _conditions(answer: dict[str, Any]) -> str:
    told = _told(answer["conditions"])
    return f" where {' and '.join(told)}" if told else ""


def _told(conditions: Sequence[Sequence[Any]]) -> list[str]:
    told = []
    for words, values in conditions:
        # A column's name is the log's: a code span, as any value.
        match = _TOLD.fullmatch(words)
        name = f"{code(match[1], 100)} {match[2]}" if match else words if words in _OURS else code(words, 200)
        told.append(f"{name} {' or '.join(code(value, 100) for value in values)}".strip())
    return told


def _lead(answer: dict[str, Any], result: dict[str, Any]) -> str:
    rows, matched = answer["rows"], answer["matched"]
    what = answer["what"]
    for name in answer["names"] if answer["shape"] == "number" else ():
        what = what.replace("{}", code(name, 60), 1)
    if answer["share"]:
        percent, number, of = rows[0]
        share = f"{percent or 0:g} %"
        base = f" of those{_conditions(answer)}" if answer["conditions"] else ""
        return f"**{share}** ({number or 0:,} of {of:,} rows){base}: where {_told([answer['share']])[0]}."
    if answer["shape"] == "number":
        value = rows[0][0] if rows else None
        told = "none" if value is None else _number(value)  # to be copied; beside it, to be read
        noun = ("row" if value == 1 else "rows") if what == "rows" else what
        of = "" if what == "rows" else f", over {count(matched, 'row')}"
        readable = f" ({value:,})" if isinstance(value, int) and value >= 10_000 else ""
        return f"**{told}**{readable} {noun}{_conditions(answer)}{of}."
    if not rows and " HAVING " in answer["sql"]:
        names = ", ".join(code(name, 60) for name in answer["names"])
        return f"**No {names}** is such{_conditions(answer)} ({result['loaded_rows']:,} rows searched)."
    if not rows:
        return f"**No row** {_conditions(answer).strip() or 'matches'} ({result['loaded_rows']:,} searched)."
    if answer["shape"] == "rows":
        number = f"{len(rows):,} of {matched:,} rows" if matched > len(rows) else count(len(rows), "row")
        order = f", {answer['order']}" if answer["order"] else ""
        return f"**{number}**{_conditions(answer)}{order}."
    if answer["columns"][0] == "first":
        return (
            f"**{count(matched, 'row')}**{_conditions(answer)}: first {moment(rows[0][0])}, last {moment(rows[0][1])}."
        )
    return _groups_lead(answer)


def _groups_lead(answer: dict[str, Any]) -> str:
    """What was most, or the first few of what was asked for."""
    rows, what = answer["rows"], answer["what"]
    names = ", ".join(code(name, 60) for name in answer["names"])
    counted = f"counted {count(answer['matched'], 'row')}{_conditions(answer)}"
    figures = [_number(row[-1] or 0) for row in rows]
    keys = [" / ".join(code(value) for value in row[: len(answer["names"])]) for row in rows[:6]]
    of = "" if what == "rows" else f" ({visible(what, 100)})"
    number = f"{len(rows):,}{' or more' if answer['more'] else ''}"
    if answer["is_ranked"]:
        by = "fewest" if answer["order"] == "fewest first" else "most"
        ties = [key for key, row in zip(keys, rows, strict=False) if row[-1] == rows[0][-1]]
        others = f" ({', '.join(ties[1:])} as many)" if len(ties) > 1 else ""
        return f"**{keys[0]}: {figures[0]}**, the {by}{of}{others}; by {names}, {counted}."
    if answer["order"] == "by time":
        top = max(range(len(rows)), key=lambda n: rows[n][-1] or 0)
        best = " / ".join(code(value) for value in rows[top][: len(answer["names"])])
        return f"**{number} {names}**{of}, the most in {best} ({figures[top]}); {counted}."
    told = ", ".join(f"{key} {figure}" for key, figure in zip(keys, figures, strict=False))
    more = f" and {len(rows) - 6:,} more" if len(rows) > 6 else ""
    return f"**{number} {names}: {told}**{more}{of}; {counted}."


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    answers = [each for each in result["answers"] if each["sql"]]
    return [dict(zip(each["columns"], row, strict=False)) for each in answers[:1] for row in each["rows"]]


def _payloads(result: dict[str, Any]) -> list[Payload]:
    found = []
    for each in result["answers"]:
        if not each["sql"] or each["shape"] == "number":
            continue
        rows, columns = each["rows"], each["columns"]
        if each["shape"] == "groups" and each["order"] == "by time" and len(rows) > 1:
            events = [{"timestamp": stamp, "title": f"{row[-1]} rows"} for row in rows if (stamp := iso_time(row[0]))]
            if events:
                found.append(
                    Payload(
                        "sec-gemini/timeline", each["question"][:80], {"title": each["question"][:80], "events": events}
                    )
                )
        if len(rows) > SHOWN:
            title = each["question"][:80]
            found.append(Payload("sec-gemini/table", title, {"title": title, "columns": columns, "rows": rows}))
    return found


def iso_time(written: Any) -> str | None:
    """The hour or day that a group stands for, as a whole time; None if it has no year."""
    text = str(written)
    if not re.match(r"\d{4}-\d\d", text):
        return None
    return text.replace(" ", "T") + "0000-01-01T00:00:00"[len(text) :] + "Z"


TOOLS = (
    Tool(
        name="log_question",
        description="Answer a question about a log in SQL that is shown: counts, top values, first and last, per hour.",
        ability='ask a log in English, answered in SQL: "Top 5 destination ports by bytes"',
        arguments=QuestionArguments,
        run=log_question,
        plan=_plan,
        answer=_answer,
        payloads=_payloads,
        then=_then,
        items=_items,
    ),
)
