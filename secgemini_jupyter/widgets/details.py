"""A message → what a view shows of it: facts, and parts that are HTML, tables, timelines or graphs.

Every text in here is safe and defanged; `js/src/visualize/model.ts` says how it lies. Exact values are what a view
asks for when it copies.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.models import ROOT, Message, MessageType, Usage, is_text, read_json
from secgemini_jupyter.protocol.mutations import Change
from secgemini_jupyter.render import html
from secgemini_jupyter.render.html import Html
from secgemini_jupyter.render.markdown import is_numeric
from secgemini_jupyter.render.payloads import moment, raw, read_table, render_content, render_message
from secgemini_jupyter.render.steps import ARGUMENTS, OUTPUTS, tool_object
from secgemini_jupyter.render.tables import Table, cell_text
from secgemini_jupyter.render.text import count, defanged, one_line, shorten, size, utc
from secgemini_jupyter.transcript.columns import EARLIEST, LATEST
from secgemini_jupyter.transcript.labels import gist
from secgemini_jupyter.transcript.nodes import Span

__all__ = ["Part", "detail", "heading", "parts_of", "tsv"]

MAX_CONTENT = 1_000_000
"""Characters; of a longer content the beginning is shown."""
MAX_ROWS, MAX_COLUMNS = 2_000, 50
MAX_CELLS = 40_000
MAX_EVENTS = 1_000
MAX_NODES, MAX_EDGES = 300, 1_000
MAX_VALUE = 300


@dataclass(frozen=True)
class Part:
    """One piece of a detail: what is shown, and the table behind it, exact, if there is one."""

    shown: dict[str, Any]
    table: Table | None = None


def detail(message: Message, position: int, turn: Span, change: Change | None = None) -> dict[str, Any]:
    """Everything that is known of the message at `position`; its content as it reads after a `change`."""
    facts = list(_facts(message, turn))
    if change:
        facts.insert(0, (change.word.capitalize(), f"by message {_value(change.by.id)}, {_time(change.by)}"))
    now = message if change is None else change.now
    return {
        "message": position,
        "heading": heading(message),
        "title": gist(now.title or "") if now else "",
        "facts": [[label, value] for label, value in facts if value],
        "parts": [part.shown for part in parts_of(now)] if now else [],
    }


def heading(message: Message) -> str:
    """Its type in words."""
    return gist(str(message.message_type).replace("_", " "), 60)


def _facts(message: Message, turn: Span) -> Iterator[tuple[str, str]]:
    yield "Session", _value(turn.session)
    yield "Turn", str(turn.index) if turn.index else "before the first prompt"
    yield "Actor", _value(message.actor)
    yield "Role", _value(message.role)
    yield "Time", _time(message)
    yield "State", _value(str(message.state).replace("_", " "))
    status = f"{message.status_code} {message.status_message}"
    yield "Status", _value(f"{status} (a piece, the whole follows)" if message.is_partial else status)
    yield "Tokens", _tokens(message.usage) if message.usage else ""
    if message.content is not None:
        data = message.data
        yield "MIME type", _value(message.mime_type or "")
        yield "Size", f"{size(len(data))} ({len(data):,} bytes)" if len(data) >= 1000 else size(len(data))
        yield "SHA-256", sha256(data).hexdigest()
    yield "Message id", _value(message.id)
    yield "Parent id", "" if message.parent_id == ROOT else _value(message.parent_id)
    yield "Group", _value(message.group)
    yield "Turn id", _value(message.turn)


def _value(text: str) -> str:
    return shorten(defanged(one_line(text, MAX_VALUE)), MAX_VALUE)


def _time(message: Message) -> str:
    seconds = message.seconds
    if not EARLIEST <= seconds < LATEST or not seconds:
        return ""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return utc(whole).replace(" UTC", f".{thousandths:03d} UTC")


def _tokens(usage: Usage) -> str:
    parts = {
        "prompt": usage.prompt_tokens,
        "generated": usage.generated_tokens,
        "thinking": usage.thoughts_token_count,
        "cached": usage.cached_token_count,
        "tool prompts": usage.tool_use_prompt_token_count,
    }
    told = ", ".join(f"{name} {number:,}" for name, number in parts.items() if number)
    return (f"{usage.total_tokens:,} ({told})" if told else f"{usage.total_tokens:,}") if usage.total_tokens else ""


def parts_of(message: Message) -> list[Part]:
    """What the content says. Never raises for what it is."""
    content = message.content or ""
    if not content:
        return []
    if len(content) > MAX_CONTENT and is_text(message.mime_type):
        note = f"The first {MAX_CONTENT // 50:,} of {len(content):,} characters; copy or export has more."
        return [_html(html.join(html.tag("div", note, style=html.QUIET), raw(content[: MAX_CONTENT // 50]).html))]
    if told := _tool_parts(message):
        return told
    kind = (message.mime_type or "").partition(";")[0].strip().lower()
    try:
        if (table := read_table(kind, content)) is not None:
            return [Part(_table(table), table)]
        if kind == "sec-gemini/timeline" and (part := _timeline(message)):
            return [part]
        if kind == "sec-gemini/graph" and (part := _graph(message)):
            return [part]
    except (ProtocolError, ValueError, TypeError, RecursionError, OverflowError):
        pass  # nonsense is shown as what it is
    return [_html(render_message(message).html)]


def _html(markup: Html) -> Part:
    return Part({"kind": "html", "html": str(markup)})


def _tool_parts(message: Message) -> list[Part]:
    """A call's arguments, a result's output."""
    if message.message_type not in (MessageType.LOCAL_TOOL_CALL, MessageType.LOCAL_TOOL_RESULT):
        return []
    value = tool_object(message)
    name = value.get("tool_name") or value.get("name")
    keys = ARGUMENTS if message.message_type is MessageType.LOCAL_TOOL_CALL else OUTPUTS
    inner = next((value[key] for key in keys if key in value), None)
    if inner is None:
        return []
    title = html.tag("div", html.tag("strong", gist(str(name))), style=html.TITLE) if name else Html()
    if isinstance(inner, str):
        return [_html(html.join(title, raw(inner).html))]
    shown = render_content("application/json", json.dumps(inner, ensure_ascii=False, default=str))
    return [_html(html.join(title, shown.html))]


def _table(table: Table, title: str = "") -> dict[str, Any]:
    columns = table.columns[:MAX_COLUMNS]
    limit = min(MAX_ROWS, MAX_CELLS // max(1, len(columns)))
    rows = [[cell_text(value) for value in row[:MAX_COLUMNS]] for row in table.rows[:limit]]
    hidden = len(table.columns) - len(columns)
    words = cell_text(table.title) or title
    if hidden:
        words = f"{words} ({count(hidden, 'more column')} not shown)".strip()
    return {
        "kind": "table",
        "title": words,
        "columns": [cell_text(name) for name in columns],
        "rows": rows,
        "numeric": [is_numeric(row[index] for row in rows) for index in range(len(columns))],
        "more": max(0, len(table.rows) - limit),
    }


def _timeline(message: Message) -> Part | None:
    value = read_json(message.content or "", "a timeline")
    table = render_message(message).table
    items = value.get("events") if isinstance(value, dict) else value
    if table is None or not isinstance(items, list):
        return None
    events = []
    for item in items[:MAX_EVENTS]:
        start = _seconds(item.get("timestamp"))
        if start is None:
            continue
        end = _seconds(item.get("end"))
        label = next((item[key] for key in ("title", "label", "name", "event", "description") if item.get(key)), "")
        group = next((item[key] for key in ("group", "source", "host", "severity") if item.get(key)), "")
        events.append(
            {
                "label": gist(cell_text(label, defang=False)),
                "group": gist(cell_text(group, defang=False), 60),
                "start": start,
                "end": end if end is not None and end >= start else None,
            }
        )
    if not events:
        return Part(_table(table), table)
    title = cell_text(table.title) or "Timeline"
    hidden = len(items) - len(events)
    if hidden:
        title += f" ({count(hidden, 'more event')} in the table only)"
    return Part({"kind": "timeline", "title": title, "events": events, "table": _table(table, "Events")}, table)


def _seconds(value: Any) -> float | None:
    seconds = moment(value)
    return float(seconds) if seconds is not None and EARLIEST <= seconds < LATEST else None


def _graph(message: Message) -> Part | None:
    value = read_json(message.content or "", "a graph")
    table = render_message(message).table
    if table is None or not isinstance(value, dict):
        return None
    given, links = _nodes_and_links(value)
    numbers: dict[str, int] = {}
    nodes: list[dict[str, str]] = []
    names = list(given)
    # An edge may name what the list of nodes does not.
    names += [end for source, target, _ in links for end in (source, target) if end not in given]
    for name in dict.fromkeys(names):
        if len(nodes) == MAX_NODES:
            break
        numbers[name] = len(nodes)
        label, kind = given.get(name, (name, ""))
        nodes.append({"id": gist(name, 60), "label": gist(label, 60) or "?", "type": gist(kind, 40)})
    edges = [
        {"source": numbers[source], "target": numbers[target], "label": gist(label, 60)}
        for source, target, label in links
        if source in numbers and target in numbers
    ][:MAX_EDGES]
    if not nodes:
        return Part(_table(table), table)
    total = len(set(names))
    title = cell_text(value.get("title") if isinstance(value.get("title"), str) else "") or "Graph"
    if (len(nodes), len(edges)) != (total, len(links)):
        title += f" ({len(nodes):,} of {count(total, 'node')} and {len(edges):,} of {count(len(links), 'edge')} drawn)"
    return Part({"kind": "graph", "title": title, "nodes": nodes, "edges": edges, "table": _table(table, "Edges")},
                table)  # fmt: skip


def _nodes_and_links(value: dict[str, Any]) -> tuple[dict[str, tuple[str, str]], list[tuple[str, str, str]]]:
    """Label and type of each node by its id, and source, target, label of each edge."""
    if isinstance(listed := value.get("nodes"), list):
        nodes = {_text(node.get("id")): (_text(node.get("label") or node.get("id")), _text(node.get("type")))
                 for node in listed if isinstance(node, dict)}  # fmt: skip
        edges = [edge for edge in value.get("edges") or () if isinstance(edge, dict)]
        return nodes, [(_text(e.get("source")), _text(e.get("target")), _text(e.get("label"))) for e in edges]
    # networkx: {source: {target: data}}
    links = [
        (source, target, _text(data.get("label")) if isinstance(data, dict) else "")
        for source, targets in value.items()
        if isinstance(targets, dict)
        for target, data in targets.items()
    ]
    return {name: (name, "") for name in value}, links


def _text(value: Any) -> str:
    return cell_text(value, defang=False)


def tsv(table: Table) -> str:
    """The whole table with exact values, as tab-separated lines."""
    file = io.StringIO()
    lines = csv.writer(file, delimiter="\t", lineterminator="\n")
    lines.writerow(table.columns)
    lines.writerows([_exact(value) for value in row] for row in table.rows)
    return file.getvalue()


def _exact(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list | bool) else value
