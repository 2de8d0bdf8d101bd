"""auth_timeline: who logged in, who failed, and what followed, from any log that tells of logins."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from secgemini_jupyter.local_server.analyst import progress
from secgemini_jupyter.local_server.analyst.logs.asking import LOGINS, is_about_logins_alone, is_question
from secgemini_jupyter.local_server.analyst.logs.drawn import login_edges, login_payloads, login_times
from secgemini_jupyter.local_server.analyst.logs.formats import FORMAT_NAMES
from secgemini_jupyter.local_server.analyst.logs.loaded import LoadedLog, load_log
from secgemini_jupyter.local_server.analyst.logs.logins import TOLD_BY, Login, login_of, may_tell_sql, reader
from secgemini_jupyter.local_server.analyst.logs.tables import LogTable, open_table
from secgemini_jupyter.local_server.analyst.logs.times import time_field
from secgemini_jupyter.local_server.analyst.text import Plain, code, count, counted, moment, table, utc
from secgemini_jupyter.local_server.analyst.tool import Call, FileOrText, Request, Tool, Wish, where

MAX_EVENTS = 300_000
MAX_LISTED = 200

PREAUTH = "KDC_ERR_PREAUTH_REQUIRED"


class LoginArguments(FileOrText):
    by_user: bool = False
    """Whether the users are what was asked for: they stand first in the answer."""


def auth_timeline(arguments: FileOrText, files: Mapping[str, bytes]) -> dict[str, Any]:
    table = open_table(arguments, files)
    log = table or load_log(arguments, files)
    read = reader(log.format)
    names = list(log.fields) if isinstance(log, LogTable) else log.names
    time_name = time_field(names)
    wanted = [name for name in names if name in TOLD_BY or name in ("program", "message", time_name)]
    # Only rows that may tell of a login, and of these no more than are kept.
    if isinstance(log, LogTable):
        every = log.rows(MAX_EVENTS + 1, may_tell_sql(names), wanted)
    else:
        is_told = log.format == "syslog"
        condition = ("login_kind <> ''" if "login_kind" in names else "0") if is_told else may_tell_sql(names)
        every = log.rows(condition, wanted)
    events: list[Login] = []
    rows = by_row = 0
    for row in every:
        rows += 1
        progress.say("rows that may tell of a login read", rows)
        login = login_of(row, read, row.get(time_name) if time_name else None)
        if login and len(events) < MAX_EVENTS:
            events.append(login)
        by_row += login is not None
    is_cut = log.is_cut or by_row > len(events) or rows > MAX_EVENTS
    rows = table.meta.rows if table else log.loaded if isinstance(log, LoadedLog) else rows
    if events and all(event.when is not None for event in events):
        events.sort(key=lambda event: event.when or 0.0)
    tries = [event for event in events if event.kind in ("success", "failure")]
    failures = [event for event in tries if event.kind == "failure"]
    return ({"table": table.about()} if table else {}) | {
        "source": arguments.source,
        "format": log.format,
        "lines": log.lines,
        "bad_lines": log.bad,
        "other_lines": rows - by_row,
        "is_cut": is_cut,
        "by_user": isinstance(arguments, LoginArguments) and arguments.by_user,
        "is_dated": bool(events) and all(event.when is not None for event in events),
        "successes": sum(event.kind == "success" for event in tries),
        "failures": len(failures),
        "succeeded": _pairs(Counter(event.user for event in tries if event.kind == "success")),
        "success_methods": _pairs(Counter(event.method for event in tries if event.kind == "success")),
        "failure_methods": _pairs(Counter(event.method for event in failures)),
        "failure_reasons": _pairs(Counter(event.detail for event in failures if event.detail)),
        "failed_password_sources": _pairs(Counter(e.source for e in failures if e.method == "password")),
        "failure_sources": _pairs(Counter(event.source for event in failures if event.source)),
        "refused": _pairs(Counter(event.detail for event in events if event.kind == "refused")),
        "sources": _groups(events, "source"),
        "users": _groups(events, "user"),
        "failed": _failed(failures),
        "then_succeeded": _then_succeeded(events),
        "others": _others(events),
        "edges": login_edges(events),
        "times": login_times(events),
    }


def _pairs(counter: Counter[str]) -> list[list[Any]]:
    return [[name[:300], n] for name, n in counter.most_common(MAX_LISTED)]


def _groups(events: Sequence[Login], key: str) -> list[dict[str, Any]]:
    grouped: dict[str, list[Login]] = defaultdict(list)
    for event in events:
        if event.kind in ("success", "failure", "refused") and (name := getattr(event, key)):
            grouped[name].append(event)
    other = "user" if key == "source" else "source"
    rows: list[dict[str, Any]] = []
    for name, group in grouped.items():
        others = dict.fromkeys(value for event in group if (value := getattr(event, other)))
        row: dict[str, Any] = {
            key: name[:300],
            "successes": sum(event.kind == "success" for event in group),
            "failures": sum(event.kind == "failure" for event in group),
            "refused": sum(event.kind == "refused" for event in group),
            f"{other}s": [value[:300] for value in others][:10],
            f"{other}_count": len(others),
            "first": _written(group[0]),
            "last": _written(group[-1]),
        }
        rows.append(row)
    rows.sort(key=lambda row: (-row["failures"], -row["successes"], -row["refused"]))
    return rows[:MAX_LISTED]


def _written(event: Login) -> str:
    return utc(event.when) if event.when is not None else event.written[:40]


def _failed(failures: Sequence[Login]) -> list[dict[str, Any]]:
    counts = Counter((event.user, event.source, event.method, event.detail) for event in failures)
    return [
        {"user": user[:300], "source": source[:300], "method": method[:100], "reason": reason[:300], "count": n}
        for (user, source, method, reason), n in counts.most_common(MAX_LISTED)
    ]


def _then_succeeded(events: Sequence[Login]) -> list[dict[str, Any]]:
    """Failures followed by a success from the same source. What every client does first does not count.

    That is a public key that ssh offers in vain, and a Kerberos request without pre-authentication.
    """
    failed: Counter[str] = Counter()
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        if not event.source:
            continue
        if event.kind in ("failure", "refused") and event.method != "publickey" and event.detail != PREAUTH:
            failed[event.source] += 1
        elif event.kind == "success" and failed[event.source]:
            row = {"source": event.source[:300], "user": event.user[:300], "failures_before": failed[event.source]}
            found.setdefault((event.source, event.user), row | {"first_success": _written(event)})
    return sorted(found.values(), key=lambda row: -row["failures_before"])[:MAX_LISTED]


def _others(events: Sequence[Login]) -> list[dict[str, Any]]:
    kinds = ("new_user", "new_group_member", "password_change", "sudo", "sudo_refused", "su", "su_failed")
    rows = [
        {"kind": each.kind, "user": each.user[:300], "detail": each.detail[:300], "when": _written(each)}
        for kind in kinds
        for each in events
        if each.kind == kind
    ]
    return rows[:MAX_LISTED]


_ASKS_USERS = (
    r"\b(?:which|what|per|by|each|how many) (?:\w+ )?(?:users?|accounts?|usernames?)\b|^\W*who (?:has )?failed\b"
)


_OPEN = (
    r"\bwhat happened\b|\bcompromised?\b|\bbreach(?:ed)?\b|\bhacked\b|\bbroke(?:n)? in\b|\bbreak-?in\b|\bintrusion\b"
)
"""Open questions, which a log of logins answers by who came in."""


def _plan(request: Request) -> list[Call]:
    is_open = request.asks(_OPEN)
    if not is_open and (not request.asks(LOGINS) or (is_question(request) and not is_about_logins_alone(request))):
        return []
    by = {"by_user": True} if request.asks(_ASKS_USERS) else {}
    files = request.fitting(lambda each: each.is_log and (each.has_logins or each.kind == "log/evtx"))
    calls = [Call("auth_timeline", {"file": each.name} | by, f"read the logins in {code(each.name)}") for each in files]
    if (asked := request.asked_table) and asked.has_logins:
        calls.insert(0, Call("auth_timeline", {"table": asked.name} | by, "read the logins in the logs table"))
    if not calls and request.pasted_has_logins:
        calls.append(Call("auth_timeline", {"text": request.pasted} | by, "read the logins in the pasted lines"))
    return calls


def _answer(result: dict[str, Any], _wish: Wish) -> str:
    if not (result["successes"] or result["failures"] or result["refused"] or result["others"]):
        if result["lines"] and result["bad_lines"] >= result["lines"]:
            broken = f"none of its {count(result['lines'], 'record')} could be read"
            return f"**Not known**: {where(result)} is damaged, {broken}. Nobody can tell from it who logged in."
        return f"No login, sudo or account event in {where(result)} ({_read(result)})."
    lead = _kerberos_lead(result) if _is_kerberos(result) else _lead(result)
    parts = [f"{lead} In {where(result)}, {_read(result)}."]
    if result["by_user"] and result["users"]:
        parts = [_users_lead(result), *parts, _group_table(result, "user")]
    if result["then_succeeded"]:
        lines = ["**Failures, then a success, from the same source**\n"]
        for row in result["then_succeeded"][:10]:
            before = count(row["failures_before"], "failure")
            lines.append(f"- {code(row['source'])}: {before}, then {code(row['user'])} logged in")
        if len(result["then_succeeded"]) > 10:
            lines.append(f"- ({len(result['then_succeeded']) - 10:,} more)")
        parts.append("\n".join(lines))
    elif result["successes"] and result["failures"]:
        parts.append(f"No source failed first and then logged in{_aside(result)}.")
    if notes := _kerberos_notes(result):
        parts.append(notes)
    if result["sources"]:
        parts.append(_group_table(result, "source"))
    if _is_kerberos(result) or (result["failed"] and not result["failed_password_sources"]):
        parts.append(_failed_table(result))
    if result["others"]:
        rows = [(Plain(r["kind"].replace("_", " ")), r["user"], r["detail"], r["when"]) for r in result["others"]]
        parts.append(table([Plain("event"), Plain("user"), Plain("detail"), Plain("when")], rows))
    if not result["is_dated"]:
        parts.append("Dates in this log lack a year and a time zone: the order is the file's, and no year was added.")
    return "\n\n".join(parts)


def _read(result: dict[str, Any]) -> str:
    told = f"{FORMAT_NAMES[result['format']]}, {count(result['lines'], 'line')} read"
    if result["other_lines"]:
        told += f", {result['other_lines']:,} of them without such an event"
    if result["bad_lines"]:
        told += f", {count(result['bad_lines'], 'line')} not understood"
    return told + (", cut at the limit" if result["is_cut"] else "")


def _is_kerberos(result: dict[str, Any]) -> bool:
    methods = [*result["success_methods"], *result["failure_methods"]]
    return bool(methods) and all(method.startswith("Kerberos") for method, _ in methods)


def _lead(result: dict[str, Any]) -> str:
    succeeded = ", ".join(code(u) + (f" ×{n}" if n > 1 else "") for u, n in result["succeeded"][:6])
    if len(result["succeeded"]) > 6:
        succeeded += f" and {len(result['succeeded']) - 6:,} more"
    told = f"**{count(result['successes'], 'login')} succeeded**" + (f" ({succeeded})" if succeeded else "")
    methods = dict(map(tuple, result["failure_methods"]))
    passwords = methods.pop("password", 0)
    sources = result["failed_password_sources"] if passwords else result["failure_sources"]
    failed = passwords or result["failures"]
    noun = "password" if passwords else "login"
    told += f"; **{count(failed, noun)} failed**" + (
        f", most from {counted(sources, 1).split(' and ')[0]}" if sources else ""
    )
    told += "."
    if passwords and methods:
        told += f" Other failed attempts: {', '.join(f'{n} {code(m)}' for m, n in methods.items())}."
    if result["refused"]:
        told += f" Refused beside that: {', '.join(f'{n} {reason}' for reason, n in result['refused'][:6])}."
    return told


def _kerberos_lead(result: dict[str, Any]) -> str:
    tickets = dict(map(tuple, result["success_methods"]))
    logged_in = [row["user"] for row in result["users"] if row["successes"]]
    told = f"**{count(result['successes'], 'Kerberos request')} succeeded, {result['failures']:,} failed.**"
    if logged_in:
        told += f" {', '.join(code(u) for u in logged_in[:6])} logged in"
        told += f" and {len(logged_in) - 6:,} more" if len(logged_in) > 6 else ""
        told += (
            f" ({tickets.get('Kerberos AS', 0):,} AS logons, {tickets.get('Kerberos TGS', 0):,} TGS service tickets)."
        )
    if result["failed"]:
        each = "; ".join(
            f"{code(r['user'])} from {code(r['source'])} with {code(r['reason'])} ({r['count']:,})"
            for r in result["failed"][:4]
        )
        told += (
            f" Failed: {each}" + (f"; {len(result['failed']) - 4:,} more" if len(result["failed"]) > 4 else "") + "."
        )
    return told


def _aside(result: dict[str, Any]) -> str:
    if PREAUTH in dict(map(tuple, result["failure_reasons"])):
        return " (requests without pre-authentication aside)"
    return " (declined public keys aside)" if "publickey" in dict(map(tuple, result["failure_methods"])) else ""


def _kerberos_notes(result: dict[str, Any]) -> str:
    preauth = dict(map(tuple, result["failure_reasons"])).get(PREAUTH, 0)
    if not preauth:
        return ""
    rest = result["failures"] - preauth
    told = (
        f"`{PREAUTH}` is the usual first step of a Kerberos logon, not a wrong password "
        "(that would be `KDC_ERR_PREAUTH_FAILED`)."
    )
    return told + (f" Without it, {count(rest, 'request')} failed." if rest else " No other failure is in the log.")


def _users_lead(result: dict[str, Any]) -> str:
    failed = [row for row in result["users"] if row["failures"]]
    if not failed:
        return f"**No login of {count(len(result['users']), 'user')} failed.**"
    told = ", ".join(f"{code(row['user'])} {row['failures']:,}" for row in failed[:6])
    return (
        f"**Failed logins by user: {told}**" + (f" and {len(failed) - 6:,} more users" if len(failed) > 6 else "") + "."
    )


def _group_table(result: dict[str, Any], key: str) -> str:
    """
    Args:
        key: `source` or `user`.
    """
    other = "user" if key == "source" else "source"
    has_refused = any(row["refused"] for row in result[f"{key}s"])
    headers = [key, "failed", "ok", *(["refused"] if has_refused else []), f"{other}s", "first", "last"]
    rows = [
        (
            row[key],
            row["failures"],
            row["successes"],
            *([row["refused"]] if has_refused else []),
            Plain(_names(row[f"{other}s"], row[f"{other}_count"])),
            moment(row["first"]),
            moment(row["last"]),
        )
        for row in result[f"{key}s"]
    ]
    return table(headers, rows, limit=15)


def _names(names: list[str], number: int) -> str:
    shown = ", ".join(code(name, 40) for name in names[:3]).replace("|", "\\|")
    return shown + (f" and {number - 3:,} more" if number > 3 else "") if shown else "–"


def _failed_table(result: dict[str, Any]) -> str:
    rows = [(r["user"], r["source"], r["method"], r["reason"], r["count"]) for r in result["failed"]]
    return table(["who failed", "source", "method", "reason", "count"], rows, limit=15) if rows else "Nobody failed."


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    key = "user" if result["by_user"] else "source"
    names = (key, "failures", "successes", "refused", "first", "last")
    return [{name: row[name] for name in names} for row in result[f"{key}s"]]


TOOLS = (
    Tool(
        name="auth_timeline",
        description="Logins in a log by source and user: successes, failures, success after failures, sudo, new users.",
        ability='read logins out of syslog, Kerberos, ssh, Windows or JSON logs: "Who logged in, who failed?"',
        arguments=LoginArguments,
        run=auth_timeline,
        plan=_plan,
        answer=_answer,
        payloads=login_payloads,
        items=_items,
    ),
)
