"""What is drawn beside an answer about a log: who came from where, what happened when, who talked to whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from secgemini_jupyter.local_server.analyst.logs.logins import Login
from secgemini_jupyter.local_server.analyst.tool import Payload

MAX_NODES = 60
MAX_EVENTS = 200


def login_edges(events: Iterable[Login]) -> list[list[Any]]:
    """From which source to which user, with failures and successes: the most frequent ones, with few enough ends."""
    tries: Counter[tuple[str, str]] = Counter()
    failures: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.source and event.user and event.kind in ("success", "failure", "refused"):
            tries[event.source, event.user] += 1
            failures[event.source, event.user] += event.kind != "success"
    edges, ends = list[list[Any]](), set[tuple[str, str]]()
    for (source, user), number in tries.most_common():
        new = ends | {("source", source), ("user", user)}
        if len(new) <= MAX_NODES:
            ends = new
            edges.append([source[:100], user[:100], failures[source, user], number - failures[source, user]])
        if len(edges) >= 2 * MAX_NODES:
            break
    return edges


def login_times(events: Sequence[Login]) -> list[list[Any]]:
    """When what happened: each event, or where there are many those of an hour together."""
    dated = [event for event in events if event.when is not None and event.kind != "session"]
    if len(dated) <= MAX_EVENTS:
        return [[e.when, e.kind, e.user[:100], e.source[:100], 1] for e in dated]
    hours = Counter((int((e.when or 0) // 3600) * 3600, e.kind, e.source[:100]) for e in dated)
    return sorted([hour, kind, "", source, number] for (hour, kind, source), number in hours.most_common(MAX_EVENTS))


def login_payloads(result: Mapping[str, Any]) -> list[Payload]:
    found = []
    if len(result["edges"]) > 1:
        nodes = {f"source {source}": (source, "source") for source, *_ in result["edges"]}
        nodes |= {f"user {user}": (user, "user") for _, user, *_ in result["edges"]}
        edges = [
            {"source": f"source {source}", "target": f"user {user}", "label": f"{failed} failed, {succeeded} ok"}
            for source, user, failed, succeeded in result["edges"]
        ]
        found.append(_graph("Logins: from where, as whom", nodes, edges))
    events = [
        {
            "timestamp": _iso(when),
            "title": kind.replace("_", " ") + (f" x{number}" if number > 1 else ""),
            "description": " ".join(filter(None, [user, f"from {source}" if source else ""])),
            "actor": user or source,
        }
        for when, kind, user, source, number in result["times"]
    ]
    if len(events) > 1:
        found.append(Payload("sec-gemini/timeline", "Logins", {"title": "Logins", "events": events}))
    return found


def host_payloads(pairs: Sequence[Sequence[Any]]) -> list[Payload]:
    """Who talked to whom.

    Args:
        pairs: source, destination, how often; the most frequent ones first.
    """
    ends = set[str]()
    kept = []
    for source, destination, number in pairs:
        new = ends | {str(source), str(destination)}
        if len(new) <= MAX_NODES:
            ends = new
            kept.append({"source": str(source), "target": str(destination), "label": f"{number:,}"})
    if len(kept) < 2:
        return []
    return [_graph("Hosts: who talked to whom", {end: (end, "host") for end in sorted(ends)}, kept)]


def _graph(title: str, nodes: Mapping[str, tuple[str, str]], edges: list[dict[str, str]]) -> Payload:
    listed = [{"id": key, "label": label, "type": kind} for key, (label, kind) in nodes.items()]
    return Payload("sec-gemini/graph", title, {"title": title, "nodes": listed, "edges": edges})


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
