"""sigma_run: the user's own Sigma rules over a log, as SQL that the turn shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from secgemini_jupyter.local_server.analyst.text import Plain, block, code, count, listed, table
from secgemini_jupyter.local_server.analyst.tool import (
    Attached,
    Call,
    FileOrText,
    Request,
    Tool,
    ToolFailure,
    Wish,
    needs,
    where,
)
from secgemini_jupyter.local_server.analyst.tools.log_queries import SqlArguments, log_sql
from secgemini_jupyter.local_server.analyst.tools.yara_scan import is_rules as is_yara
from secgemini_jupyter.local_server.analyst.tools.yara_scan import rules_of

EXTRA = "analyst"
MAX_RULES = 40
MAX_ROWS = 20

_RULE_NAME = re.compile(r"\.ya?ml$", re.IGNORECASE)
_PASTED = re.compile(r"^(?:title|logsource|detection):", re.MULTILINE)
_FULL_TEXT = ("message", "msg", "Message", "line_text", "raw")


class SigmaArguments(FileOrText):
    """`rules`: name of the attachment with the rules (YAML); or `rules_text`: the rules themselves."""

    rules: str | None = None
    rules_text: str | None = None


def sigma_run(arguments: SigmaArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    needs("sigma.backends.sqlite", EXTRA, "sigma_run")
    from importlib.metadata import version

    rules = _rules(rules_of(arguments, files))
    log = {key: value for key in ("file", "text", "table", "member") if (value := getattr(arguments, key))}
    first = log_sql(SqlArguments(**log, sql="SELECT * FROM log LIMIT 1"), files)
    columns = first["columns"]
    told = [_run(rule, log, files, columns) for rule in rules[:MAX_RULES]]
    keep = {key: first[key] for key in ("source", "table", "loaded_rows", "is_cut", "bad_lines") if key in first}
    return keep | {
        "rules": arguments.rules or "the prompt",
        "columns": columns[:200],
        "results": told,
        "omitted": max(0, len(rules) - MAX_RULES),
        "sources": [{"name": "pySigma", "version": version("pysigma")}],
    }


def _rules(text: str) -> list[Any]:
    from sigma.collection import SigmaCollection
    from sigma.exceptions import SigmaError

    try:
        collection = SigmaCollection.from_yaml(text, collect_errors=True)
    except (SigmaError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ToolFailure(f"The Sigma rules cannot be read: {_short(error)}.") from None
    except Exception as error:
        if type(error).__module__.startswith("yaml"):
            raise ToolFailure(f"The Sigma rules are no YAML: {_short(error)}.") from None
        raise
    rules = [rule for rule in collection.rules if hasattr(rule, "detection")]
    if not rules:
        reason = next((_short(error) for error in collection.errors), "there is no rule with a detection in it")
        raise ToolFailure(f"The Sigma rules cannot be run: {reason}.")
    return rules


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")


def _run(rule: Any, log: dict[str, Any], files: Mapping[str, bytes], columns: list[str]) -> dict[str, Any]:
    """One rule: its query and what it finds, or why it cannot be run."""
    about: dict[str, Any] = {
        "title": str(rule.title or "")[:200],
        "id": str(rule.id or ""),
        "level": str(rule.level.name.lower() if rule.level else ""),
        "tags": [str(tag) for tag in rule.tags][:12],
    }
    if rule.errors:
        return about | {"error": _short(rule.errors[0])}
    fields = list(dict.fromkeys(_fields(rule)))
    mapping = {field: column for field in fields if (column := _column(field, columns)) not in (None, field)}
    missing = [field for field in fields if field not in columns and field not in mapping]
    about |= {"missing": missing, "mapped": mapping}
    try:
        sql = _query(rule, mapping, columns)
        found = log_sql(SqlArguments(**log, sql=sql, optional=missing), files)
        total = len(found["rows"])
        if found["more"]:
            counted = log_sql(SqlArguments(**log, sql=f"SELECT count(*) FROM ({sql})", optional=missing), files)  # noqa: S608  # as the rule says
            total = counted["rows"][0][0]
    except ToolFailure as failure:
        return about | {"error": str(failure)[:400]}
    filled = [
        i for i in range(len(found["columns"])) if any(row[i] not in (None, "") for row in found["rows"][:MAX_ROWS])
    ]
    return about | {
        "sql": sql,
        "hits": total,
        "columns": [found["columns"][i] for i in filled],
        "rows": [[_shorter(row[i]) for i in filled] for row in found["rows"][:MAX_ROWS]],
    }


def _query(rule: Any, mapping: dict[str, str], columns: list[str]) -> str:
    """The rule as SQL over the table `log`.

    Raises:
        ToolFailure: it uses what cannot be said so.
    """
    from sigma.exceptions import SigmaError
    from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
    from sigma.processing.transformations import FieldMappingTransformation

    sqlite: Any = needs("sigma.backends.sqlite", EXTRA)
    fields: dict[Any, Any] = dict(mapping)
    items = [ProcessingItem(FieldMappingTransformation(fields))] if mapping else []
    full_text = next((name for name in _FULL_TEXT if name in columns), None)
    try:
        backend = sqlite.sqliteBackend(
            ProcessingPipeline(items=items), table="log", collate_nocase=True, fulltext_field=full_text
        )
        queries = backend.convert_rule(rule)
    except (SigmaError, NotImplementedError, ValueError, TypeError, AttributeError) as error:
        raise ToolFailure(f"The rule uses what cannot be put into SQL: {_short(error)}.") from None
    if not queries:
        raise ToolFailure("The rule gives no query.")
    return " UNION ".join(map(str, queries))


def _fields(rule: Any) -> Iterator[str]:
    waiting = list(rule.detection.detections.values())
    while waiting:
        each = waiting.pop(0)
        if hasattr(each, "detection_items"):
            waiting += each.detection_items
        elif each.field:
            yield str(each.field)


def _column(field: str, columns: list[str]) -> str | None:
    """The column of the log that a field means: of its name, whatever the case, or the only one that ends so."""
    if field in columns:
        return field
    lower = field.lower()
    same = [each for each in columns if each.lower() == lower]
    ends = [
        each for each in columns if re.split(r"[._]", each.lower())[-1] == lower or each.lower().endswith("." + lower)
    ]
    found = same or ends
    return found[0] if len(found) == 1 else None


def _shorter(value: Any) -> Any:
    return value[:200] if isinstance(value, str) else value


def _is_rules(each: Attached) -> bool:
    return not each.is_log and each.kind == "text" and _RULE_NAME.search(each.name) is not None


def _plan(request: Request) -> list[Call]:
    given = [each for each in request.attachments if _is_rules(each)]
    if not request.asks(r"\bsigma\b") and not (
        given and request.asks(r"\brules?\b|\bdetections?\b|\bhits?\b|\bfires?\b")
    ):
        return []
    if (
        not request.asks(r"\bsigma\b")
        and any(is_yara(e) for e in request.named())
        and not set(given) & {*request.named()}
    ):
        return []  # the rules that are named are others
    given = [each for each in given if each in request.named()] or given
    logs = request.logs()
    if not logs:  # only the rules are named
        logs = [{"file": each.name} for each in request.attachments if each.is_log]
        logs = logs or ([{"table": request.table.name}] if request.table else [])
    if given:
        return [
            Call("sigma_run", log | {"rules": each.name}, f"run the rules of {code(each.name)}")
            for log in logs
            for each in given
        ]
    pasted = _PASTED.search(request.prompt)
    if pasted and "detection:" in request.prompt:
        text = request.prompt[pasted.start() :].partition("```")[0]
        return [
            Call("sigma_run", log | {"rules_text": text}, "run the Sigma rule of the prompt")
            for log in logs
            if "text" not in log
        ]
    return []


def _answer(result: dict[str, Any], wish: Wish) -> str:
    results = result["results"]
    hits = [each for each in results if each.get("hits")]
    if wish.one_word:
        return "Yes" if hits else "No"
    if wish.wants_only("number", "count", "how many", "hits"):
        return str(sum(each.get("hits") or 0 for each in results))
    target = where(result)
    total = f"{count(result['loaded_rows'], 'row')} searched{', cut at the limit' if result['is_cut'] else ''}"
    if hits:
        names = listed((each["title"] or each["id"] for each in hits), 8)
        verb = "hits" if len(hits) == 1 else "hit"
        lead = f"**{count(len(hits), 'rule')} of {len(results)} {verb}** in {target}: {names} ({total})."
        parts = [lead]
    else:
        parts = [f"**No rule hits** in {target} ({count(len(results), 'rule')}, {total})."]
    for each in results[:10]:
        parts += _one(each)
    if len(results) > 10:
        parts.append(f"({len(results) - 10:,} more rules.)")
    return "\n\n".join(parts)


def _one(each: dict[str, Any]) -> list[str]:
    title = code(each["title"] or each["id"] or "(no title)")
    level = f" ({code(each['level'])})" if each["level"] else ""
    if error := each.get("error"):
        return [f"{title}{level} cannot be run: {code(error, 400)}"]
    parts = [f"{title}{level}: **{count(each['hits'], 'hit')}**."]
    if each["missing"]:
        parts[0] += f" The log has no field {listed(each['missing'], 8)}: nothing can match by it."
    if each["mapped"]:
        pairs = ", ".join(f"{code(field)} is {code(column)}" for field, column in list(each["mapped"].items())[:8])
        parts[0] += f" Fields of the log: {pairs}."
    parts.append(block(each["sql"], 2000))
    if each["rows"]:
        headers = [code(name, 60).replace("|", "\\|") for name in each["columns"][:10]]
        rows = [[Plain(v) if isinstance(v, int | float) else v for v in row[:10]] for row in each["rows"]]
        parts.append(table(headers, rows, limit=10, total=each["hits"]))
    return parts


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"rule": each["title"], "level": each["level"], "hits": each.get("hits"), "error": each.get("error", "")}
        for each in result["results"]
    ]


TOOLS = (
    Tool(
        name="sigma_run",
        description="Run the user's Sigma rules (an attachment or pasted) over a log, as SQL that is shown.",
        ability='run your Sigma rules over a log (extra "analyst"): "Does rule.yml hit in conn.log?"',
        arguments=SigmaArguments,
        run=sigma_run,
        plan=_plan,
        answer=_answer,
        items=_items,
        extra=EXTRA,
    ),
)
