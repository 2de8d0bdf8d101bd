"""log_sql: SELECT over the rows of a log, in a database in memory that can do nothing else."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.logs.loaded import epoch_of, load_log
from secgemini_jupyter.local_server.analyst.logs.regexp import regexp
from secgemini_jupyter.local_server.analyst.logs.tables import SQL_SECONDS, open_table
from secgemini_jupyter.local_server.analyst.text import Plain, code, count, table
from secgemini_jupyter.local_server.analyst.tool import (
    Call,
    FileOrText,
    Payload,
    Request,
    Tool,
    ToolFailure,
    Wish,
    where,
)

MAX_ROWS = 500
SHOWN = 30
SECONDS = 5.0

_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
# Functions that reach outside, or make a value of any size at once.
_FORBIDDEN = {
    "load_extension",
    "readfile",
    "writefile",
    "edit",
    "zeroblob",
    "randomblob",
    "fts3_tokenizer",
    "printf",
    "format",
}


class SqlArguments(FileOrText):
    """`sql`: one SELECT over the table `log`; a name with a dot is quoted: "id.orig_h"."""

    sql: str
    optional: list[str] = msgspec.field(default_factory=list)
    """Columns that the query names and the log may lack: they are empty then."""


def log_sql(arguments: SqlArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    if found := open_table(arguments, files):
        found.db.create_function("epoch_of", 1, epoch_of, deterministic=True)
        found.db.create_function("regexp", 2, regexp, deterministic=True)
        database, names = found.guarded(arguments.optional, authorize), list(found.fields)
        with found.limited(SQL_SECONDS):
            columns, rows = _select(database, arguments.sql, names, SQL_SECONDS)
        about = {"table": found.about()}
        loaded, bad, is_cut = found.meta.rows, found.bad, False
    else:
        log = load_log(arguments, files)
        with log.guarded(arguments.optional, authorize, SECONDS) as database:
            columns, rows = _select(database, arguments.sql, log.names, SECONDS)
        about, loaded, bad, is_cut = {}, log.loaded, log.bad, log.is_cut
    return about | {
        "source": arguments.source,
        "sql": arguments.sql,
        "loaded_rows": loaded,
        "is_cut": is_cut,
        "bad_lines": bad,
        "columns": columns,
        "rows": [[json_value(value) for value in row] for row in rows[:MAX_ROWS]],
        "more": len(rows) > MAX_ROWS,
    }


def _select(
    database: sqlite3.Connection, sql: str, names: Sequence[str], seconds: float
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows, one row more than are shown where there are more.

    Raises:
        ToolFailure: SQLite refused the query.
    """
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    try:
        cursor = database.execute(sql)
        columns = [each[0] for each in cursor.description or ()]
        rows = cursor.fetchmany(MAX_ROWS + 1)
        cursor.close()
        if not columns:
            raise sqlite3.ProgrammingError("it is no SELECT")
    except (sqlite3.Error, sqlite3.Warning) as error:
        reason = str(error).rstrip(".")
        if reason == "interrupted":
            raise ToolFailure(f"SQLite refused the query: interrupted after {seconds:g} s.") from None
        if not re.match(r"\s*(?:select|with|values)\b", sql, re.IGNORECASE):
            reason = f"it is no SELECT ({reason})"
        raise ToolFailure(
            f"SQLite refused the query: {reason}. The table is log({', '.join(names[:40])}); "
            "one SELECT over it is run, and nothing is changed."
        ) from None
    return columns, rows


def json_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value[:200].hex()
    return value[:500] if isinstance(value, str) else value


def authorize(action: int, first: str | None, second: str | None, *_: object) -> int:
    if action not in _ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FORBIDDEN:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_READ and (first or "").lower().startswith("sqlite_"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


_BEGIN = re.compile(
    r"(?<!\w)(?:select\s|with\s+(?:recursive\s+)?\w{1,64}\s*+(?:\([^()]{0,500}\)\s*)?as\s*\()", re.IGNORECASE
)
_RUN = re.compile(
    r"(?:please\s+)?(?:run|execute)(?:\s+(?:this|the|my|following|sql|query|statement)){0,4}\s*:?\s+", re.IGNORECASE
)
_STATEMENT = re.compile(  # of SQL, and of no sentence
    r"(?:delete\s+from\s+(?!the\b|this\b|that\b|my\b|here\b)[\w\".]|drop\s+(?:table|view|index|trigger|database)\s+\w|pragma\s+\w"
    r"|(?:insert|replace)\s+(?:or\s+\w{1,20}\s+)?into\s|update\s+[\w\".]{1,64}\s+set\s|attach\s+(?:database\s|['\"])"
    r"|detach\s+database\s|alter\s+table\s|truncate\s+table\s|vacuum\s*(?:;|into\b|$)|values\s*\("
    r"|create\s+(?:(?:temp|temporary|unique|virtual)\s+)?(?:table|view|index|trigger)\s+[\w\".]{1,64}\s*(?:\(|as\s|on\s|using\s)"
    r"|explain\s+(?:query\s+plan\s+)?select\s)",
    re.IGNORECASE,
)
_FROM_ANY = re.compile(
    r"\bfrom\s+(?!(?:the|this|that|these|those|my|our|all|any|each|every|an?)\b)[\w\"(\[`]", re.IGNORECASE
)
_FROM_LOG = re.compile(r"\bfrom\s+\"?log\b", re.IGNORECASE)
_HASHES = (
    "SELECT md5, sha1, sha256, coalesce(total_bytes, seen_bytes) AS bytes, "
    "group_concat(DISTINCT filename) AS names, count(*) AS seen FROM log "
    "WHERE mime_type LIKE '%exec%' OR mime_type LIKE '%msdownload%' OR mime_type LIKE '%portable-executable%' "
    "GROUP BY md5, sha1, sha256, bytes ORDER BY seen DESC"
)

_HASHED = ["md5", "sha1", "sha256", "total_bytes", "seen_bytes", "filename", "mime_type"]


def own_query(request: Request) -> str | None:
    """The query that the user says, or shows and asks to run; one inside other pasted text is only data.

    Two searches, each of linear cost: a pattern with a gap in it would try every `select` with every `from`.
    """
    prompt, text = request.prompt.strip(), request.instruction
    if (whole := _whole_statement(prompt)) is not None:
        return whole
    begin = _BEGIN.search(text)
    if _BEGIN.match(prompt) or (begin and prompt.startswith(text)):
        # Written over several lines, or with a colon in it, it goes on in what looks pasted: up to an empty line.
        text = re.split(r"\n[ \t]*\n|```", prompt, maxsplit=1)[0]
        begin = _BEGIN.search(text)
    elif begin is None and (not text or request.asks(r"\b(?:run|execute|query|sql)\b")):
        text = request.pasted
        begin = _BEGIN.match(text)
    if begin is None or not _FROM_LOG.search(text, begin.end()):
        return None
    return text[begin.start() :].strip().strip("`").rstrip("; \n`")


def _whole_statement(prompt: str) -> str | None:
    """The prompt, where all of it is a statement of SQL, whatever table it names: SQLite says what is wrong with it."""
    said = prompt[run.end() :] if (run := _RUN.match(prompt)) else prompt
    text = (
        re.split(r"\n[ \t]*\n|```", re.sub(r"\A`+(?:sql\b)?\s*", "", said, flags=re.IGNORECASE), maxsplit=1)[0]
        .strip()
        .strip("`")
        .rstrip("; \n`")
    )
    if _STATEMENT.match(text):
        return text
    if not _BEGIN.match(text):
        return None
    found = _FROM_ANY.search(text)
    if text[:4].lower() == "with":
        return text if found else None
    if found is None:
        return text if text.startswith("SELECT") and re.search(r"[*(=;]", text) else None
    listed = text[6 : found.start()].strip()
    is_sql = text.startswith("SELECT") or re.search(r"[*(,=\"]", listed) or re.fullmatch(r"[\w.]+", listed)
    return text if is_sql else None


def _plan(request: Request) -> list[Call]:
    if (sql := own_query(request)) is not None:
        return [Call("log_sql", args | {"sql": sql}, "run your query") for args in request.logs()[:3]]
    if request.asks(r"\b(?:hash\w*|md5s?|sha\w*)\b.{0,40}\b(?:executables?|programs?|binar(?:y|ies)|downloads?)\b"):
        return [
            Call("log_sql", args | {"sql": _HASHES, "optional": _HASHED}, "list the executables' hashes")
            for args in request.logs()
        ]
    return []


def _answer(result: dict[str, Any], wish: Wish) -> str:
    rows = result["rows"]
    if wish.only and len(result["columns"]) == 1:
        return "\n".join(f"- {code(row[0])}" for row in rows)
    if not rows:
        return f"No row of {where(result)} matches ({count(result['loaded_rows'], 'row')} searched)."
    filled = [i for i in range(len(result["columns"])) if any(row[i] not in (None, "") for row in rows)]
    headers = [code(result["columns"][i], 60).replace("|", "\\|") for i in filled]
    number = f"{len(rows):,}{' or more' if result['more'] else ''}"
    return (
        f"**{number} {'row' if len(rows) == 1 else 'rows'}** from {where(result)} "
        f"({count(result['loaded_rows'], 'row')} searched{', cut at the limit' if result['is_cut'] else ''}).\n\n"
        + table(headers, [[_shown(row[i]) for i in filled] for row in rows], limit=SHOWN)
    )


def _shown(value: Any) -> Any:
    """Numbers as they are: nobody knows which of them count something, and a port is no 16,464."""
    return Plain(value) if isinstance(value, int | float) else value


def _payloads(result: dict[str, Any]) -> list[Payload]:
    if len(result["rows"]) <= SHOWN:
        return []
    content = {"title": "Rows of the query", "columns": result["columns"], "rows": result["rows"]}
    return [Payload("sec-gemini/table", "Rows of the query", content)]


TOOLS = (
    Tool(
        name="log_sql",
        description='Run one SELECT over the rows of a log, as table log; quote names with a dot: "id.orig_h".',
        ability='query a log: "SELECT host, count(*) FROM log GROUP BY host"',
        arguments=SqlArguments,
        run=log_sql,
        plan=_plan,
        answer=_answer,
        payloads=_payloads,
        items=lambda result: [dict(zip(result["columns"], row, strict=False)) for row in result["rows"]],
    ),
)
