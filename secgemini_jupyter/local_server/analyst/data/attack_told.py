"""A result of attack_lookup as an answer, as data beside it, as items of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from secgemini_jupyter.local_server.analyst.text import Plain, code, count, prose, table
from secgemini_jupyter.local_server.analyst.tool import Payload
from secgemini_jupyter.local_server.analyst.wishes import Wish

Row = dict[str, Any]

MAX_ROWS = 15
"""Rows of a list that are lines of a table; a longer one is told in a row."""
MAX_NAMED = 150
MAX_NODES = 60

_HEADS = {
    ("technique", "mitigations"): "Mitigations of {it}",
    ("technique", "groups"): "Groups that use {it}",
    ("technique", "software"): "Software that does {it}",
    ("technique", "campaigns"): "Campaigns with {it}",
    ("technique", "subtechniques"): "Sub-techniques of {it}",
    ("technique", "parent"): "Parent of {it}",
    ("tactic", "subtechniques"): "Sub-techniques of the tactic {it}",
    ("tactic", "techniques"): "Techniques of the tactic {it}",
    ("mitigation", "techniques"): "Techniques that {it} mitigates",
    ("campaign", "groups"): "Groups to which {it} is attributed",
    ("group", "campaigns"): "Campaigns attributed to {it}",
    ("software", "groups"): "Groups that use {it}",
    ("software", "campaigns"): "Campaigns with {it}",
}
_NEWER = frozenset({("technique", "subtechniques"), ("technique", "parent"), ("tactic", "techniques"),
                    ("tactic", "subtechniques")})  # fmt: skip
"""Lists that the newer version gives."""
ATTRIBUTES = ("record", "status", "tactics", "kind", "platforms", "id")
"""What is asked of an entry itself."""


def answer(result: Row, wish: Wish) -> str:
    newer, older = (each["version"] for each in result["sources"])
    if "all" in result:
        return _all(result, older)
    if "counted" in result:
        return _whole(result, newer, older)
    if "entry" not in result:
        return _not_one(result, newer, older)
    entry = result["entry"]
    rows = items(result)
    if wish.wants_only("id", "number"):
        return "\n".join(row["id"] for row in rows)
    if wish.wants_only("name"):
        return "\n".join(prose(row["name"]) for row in rows)
    if wish.wants_only("tactic") and "tactics" in entry:
        return ", ".join(entry["tactics"])
    if wish.wants_only("platform") and entry.get("platforms"):
        return ", ".join(map(prose, entry["platforms"]))
    if wish.one_word:
        return _in_a_word(result)
    if "other" in result:
        return _together(result, older)
    if "within" in result:
        return _within(result, older)
    if "described" in result:
        return _described(result, older)
    is_asked = result["about"] not in ("record", "id")
    lists = [_list(result, name, newer, older) for name in result["lists"]]
    if result["about"] not in ATTRIBUTES and not result["lists"]:
        lists = [f"ATT&CK knows no {result['about']} of a {entry['kind']}."]
    is_list = result["about"] not in ATTRIBUTES
    parts = [*lists, _head(result, newer, older)] if is_list else [_head(result, newer, older)]
    if result["about"] == "kind":
        parts.insert(0, _kind(result))
    if not is_asked:
        if entry.get("description"):
            parts.append(prose(entry["description"]))
        parts += lists
        if told := _counts(result, older):
            parts.append(told)
    if entry.get("url") and not is_asked:
        parts.append(f"Source: <{entry['url']}>")
    return "\n\n".join(parts)


def _in_a_word(result: Row) -> str:
    """The attribute that is asked for; of a list that is asked for, its only row or how many there are."""
    if "related" in result:
        return "Yes" if result["related"] else "No"
    entry, about = result["entry"], result["about"]
    status = entry.get("status", "active")
    if about == "status" or (about == "record" and status != "active"):
        return str(status).capitalize()
    if about == "kind":
        return ("Yes" if _is_of(entry, result["is_a"]) else "No") if "is_a" in result else _kind_of(entry)
    if about == "id":
        return str(entry["id"])
    if about in ("tactics", "platforms") and entry.get(about):
        return ", ".join(map(prose, entry[about]))
    if about != "record" and len(result["lists"]) == 1:
        ((name, rows),) = result["lists"].items()
        return prose(rows[0]["name"]) if len(rows) == 1 else str(result["counts"].get(name, 0))
    return prose(entry["name"])


def _kind_of(entry: Row) -> str:
    return "sub-technique" if entry.get("parent") else str(entry["kind"])


def _is_of(entry: Row, kind: str) -> bool:
    """Whether an entry is of a kind; a sub-technique is a technique, malware and tools are software."""
    kinds = {entry["kind"], _kind_of(entry)} | ({"software"} if entry["kind"] in ("malware", "tool") else set())
    return kind in kinds


def _kind(result: Row) -> str:
    entry = result["entry"]
    it, kind = f"{entry['id']} {prose(entry['name'])}", _kind_of(entry)
    told = f"{it} is **{kind}**." if kind == "malware" else f"{it} is a **{kind}**."
    return f"**{'Yes' if _is_of(entry, result['is_a']) else 'No'}**: {told}" if "is_a" in result else told


def _described(result: Row, older: str) -> str:
    parts = []
    for name, rows in result["lists"].items():
        of = f"{result['counts'].get(name, 0)} {name} of {result['entry']['id']} {prose(result['entry']['name'])}"
        says = f"the shortened description in ATT&CK {older} says {code(result['described'])}"
        told = f"Of the {of}, {says} of **{len(rows)}**"
        lines = "\n".join(f"- {row['id']} {prose(row['name'])}" for row in rows[:MAX_NAMED])
        parts.append(f"{told}:\n\n{lines}" if rows else f"{told}.")
    return "\n\n".join(parts)


def _within(result: Row, older: str) -> str:
    entry, tactic, rows = result["entry"], result["within"], result["lists"]["techniques"]
    verb = "mitigates" if entry["kind"] == "mitigation" else "uses"
    told = f"Techniques of the tactic {tactic['id']} {prose(tactic['name'])} that {entry['id']} {prose(entry['name'])} "
    told += f"{verb}: **{len(rows)}** of its {result['of']} in ATT&CK {older}."
    return f"{told}\n\n" + "\n".join(f"- {row['id']} {prose(row['name'])}{_status(row)}" for row in rows)


def _whole(result: Row, newer: str, older: str) -> str:
    counted = {name: f"{number:,} {name}" for name, number in result["counted"].items()}
    newest = [counted.pop(name) for name in ("tactics", "techniques", "sub-techniques")]
    told = f"MITRE ATT&CK {newer} (Enterprise) has **{newest[0]}**, **{newest[1]}** and **{newest[2]}**; in {older}, "
    told += f"whose relations are here, there are {', '.join(counted.values())}."
    return told + "\n\nThe tactics:\n\n" + "\n".join(f"- {row['id']} {prose(row['name'])}" for row in result["tactics"])


def _all(result: Row, older: str) -> str:
    rows = result["all"]
    named = "\n".join(f"- {row['id']} {prose(row['name'])}" for row in rows[:MAX_NAMED])
    more = f"\n\n({len(rows) - MAX_NAMED:,} more)" if len(rows) > MAX_NAMED else ""
    return f"MITRE ATT&CK {older} (Enterprise) has **{len(rows)} {result['about']}**:\n\n{named}{more}"


def _together(result: Row, older: str) -> str:
    entry, other = result["entry"], result["other"]
    one, two = (f"{each['id']} {prose(each['name'])}" for each in (entry, other))
    if result["about"] in ("users_of_both", "users_of_one"):
        rows = result["lists"]["groups"]
        what = f"both {one} and {two}" if result["about"] == "users_of_both" else f"{one}, but not {two}"
        named = "\n".join(f"- {row['id']} {prose(row['name'])}" for row in rows[:MAX_NAMED])
        return f"Groups that use {what}, in ATT&CK {older}: **{len(rows)}**.\n\n{named}".rstrip()
    if result["about"] == "common":
        parts = [f"What **{one}** and **{two}** both use, in ATT&CK {older}:"]
        for name, rows in result["lists"].items():
            named = "; ".join(f"{row['id']} {prose(row['name'])}" for row in rows[:MAX_NAMED])
            parts.append(f"- {name}: **{len(rows)}**" + (f": {named}" if named else ""))
        return parts[0] + "\n\n" + "\n".join(parts[1:])
    parts = [
        f"**Yes**: ATT&CK {older} relates {one} and {two}."
        if result["related"]
        else f"ATT&CK {older} has **no such relation** of {one} and {two}; it knows only what was published."
    ]
    if rows := result["by_parts"]:
        parts.append(
            "Of its sub-techniques it relates: " + "; ".join(f"{row['id']} {prose(row['name'])}" for row in rows)
        )
    return "\n\n".join(parts)


def _head(result: Row, newer: str, older: str) -> str:
    entry = result["entry"]
    it = f"**{entry['id']} {prose(entry['name'])}**"
    if entry["kind"] == "technique":
        return _technique(result, it, newer)
    if entry["kind"] == "tactic":
        was = f" (in {older}: {entry['was']})" if "was" in entry else ""
        named = (
            f"ATT&CK {newer} has no tactic {code(result['older_name'])} any more. " if "older_name" in result else ""
        )
        return f"{named}{it}{was}: a tactic of ATT&CK {newer}."
    told = f"{it}: a {entry['kind']} in ATT&CK {older}"
    if entry["kind"] == "malware":
        told = f"{it}: malware in ATT&CK {older}"
    if entry.get("first_seen"):
        told += f", seen {entry['first_seen'][:7]} to {entry.get('last_seen', '')[:7]}"
    if status := entry.get("status"):
        replaced = f" in favour of {entry['revoked_by']}" if "revoked_by" in entry else ""
        told += f", {status} there{replaced}"
    if aliases := entry.get("aliases"):
        told += f"; also called {', '.join(prose(each) for each in aliases)}"
    if platforms := entry.get("platforms"):
        told += f"; platforms: {', '.join(map(prose, platforms))}"
    return told + "."


def _technique(result: Row, it: str, newer: str) -> str:
    entry = result["entry"]
    if entry["parent"]:
        it = f"{it} (sub-technique of {entry['parent']} {prose(entry['label'].partition(':')[0])})"
    tactics = f"tactic{'s' if len(entry['tactics']) > 1 else ''}: {', '.join(entry['tactics'])}"
    platforms = f"; platforms: {', '.join(map(prose, entry['platforms']))}" if entry["platforms"] else ""
    if entry["status"] == "active":
        told = f"{it} is current in ATT&CK {newer}; {tactics}{platforms}."
        if entry["replaced"]:
            told += f" It stands in the place of {', '.join(entry['replaced'])} (revoked)."
        return told
    told = f"{it} is **{entry['status']}** in ATT&CK {newer}"
    if current := entry["current"]:
        told += f": **{current['id']} {prose(current['name'])}** took its place"
        if len(entry["chain"]) > 2:
            told += f" (by way of {', '.join(entry['chain'][1:-1])})"
    else:
        told += ", and nothing took its place"
    return f"{told}. What it was: {tactics}{platforms}."


def _list(result: Row, name: str, newer: str, older: str) -> str:
    entry, rows = result["entry"], result["lists"][name]
    kind = "software" if entry["kind"] in ("malware", "tool") else entry["kind"]
    it = f"{entry['id']} {prose(entry['name'])}"
    version = newer if (kind, name) in _NEWER else older
    of = result.get("relations_of")
    if of and version == older:
        its_place = "whose place it took" if entry["status"] == "active" else "now in its place"
        it = f"{it} (as those of {', '.join(of)}, {its_place})"
    total = result["counts"].get(name, 0)
    if name == "detection":
        return _detection(rows, it, older)
    head = _HEADS.get((kind, name), f"{name.capitalize()} that {{it}} uses").format(it=it)
    if not rows:
        return f"{head}: none in ATT&CK {version}."
    head = f"{head}: **{total}** in ATT&CK {version}"
    if name == "mitigations":
        shown = [(Plain(row["id"]), Plain(_cell(row["name"])), Plain(_cell(row["how"]))) for row in rows]
        return f"{head}.\n\n" + table([Plain("id"), Plain("mitigation"), Plain("how")], shown, limit=40)
    named = [f"{row['id']} {prose(row['name'])}{_status(row)}" for row in rows]
    if len(rows) <= MAX_ROWS:
        return f"{head}.\n\n" + "\n".join(f"- {each}" for each in named)
    more = f" and {total - MAX_NAMED:,} more" if total > MAX_NAMED else ""
    return f"{head}: {'; '.join(named[:MAX_NAMED])}{more}."


def _cell(text: str) -> str:
    return prose(text, 300)


def _status(row: Row) -> str:
    if "status" not in row:
        return ""
    return f" ({row['status']}{', now ' + row['current'] if row.get('current') else ''})"


def _detection(rows: Sequence[Row], it: str, older: str) -> str:
    if not rows:
        return f"ATT&CK {older} has no detection strategy for {it}."
    named = ", ".join(f"**{row['id']} {prose(row['name'])}**" for row in rows)
    parts = [f"Detection of {it} in ATT&CK {older}: {named}."]
    for each in (each for row in rows for each in row["analytics"]):
        where = f" Logged as: {', '.join(map(prose, each['logged']))}." if each["logged"] else ""
        parts.append(f"- {', '.join(map(prose, each['platforms']))}: {prose(each['looks_for'])}{where}")
    return parts[0] + "\n\n" + "\n".join(parts[1:])


def _counts(result: Row, older: str) -> str:
    counts = {name: n for name, n in result["counts"].items() if name not in result["lists"]}
    nouns = {"software": "software"}
    told = [count(n, name.removesuffix("s"), nouns.get(name)) for name, n in counts.items() if name != "detection"]
    if "detection" in counts:
        told.append("a detection strategy")
    entry = result["entry"]
    return f"Related to {entry['id']} in ATT&CK {older}: {', '.join(told)}." if told else ""


def _not_one(result: Row, newer: str, older: str) -> str:
    query = code(result["query"])
    if found := result["candidates"]:
        return f"{query} fits {len(found)} entries of ATT&CK alike; which one?\n\n" + _choices(found)
    if result.get("is_id"):
        what = (
            f"in ATT&CK {newer}, nor was it in {older}"
            if result["query"][0] in "Tt"
            else f"in ATT&CK {older}, the version whose groups, software and mitigations are here"
        )
        return f"**{query} is not** {what} (Enterprise; Mobile and ICS are not in the data)."
    told = f"No entry of ATT&CK {newer} or {older} (Enterprise) is called {query}."
    if near := result["near"]:
        return f"{told} Did you mean:\n\n" + _choices(near)
    if mentions := result["mentions"]:
        return f"{told} These words stand in the descriptions of:\n\n" + _choices(mentions)
    return told


def _choices(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows[:20]:
        spelled = f", called {prose(row['spelled'])}" if row.get("spelled", row["name"]) != row["name"] else ""
        lines.append(f"- {row['id']} {prose(row['name'])} ({row['kind']}{spelled}){_status(row)}")
    return "\n".join(lines)


def items(result: Row) -> list[Row]:
    """What was listed; of a record alone, itself."""
    if "counted" in result:
        return [dict(row) for row in result.get("all") or result["tactics"]]
    if "entry" not in result:
        rows = result["candidates"] or result.get("near") or result.get("mentions") or []
    else:
        listed = [row for name, rows in result["lists"].items() if name != "detection" for row in rows]
        rows = listed if result["about"] not in ATTRIBUTES and listed else [result["entry"]]
    keys = ("id", "name", "kind", "how", "status", "current", "spelled")
    return [{key: row[key] for key in keys if isinstance(row.get(key), str)} for row in rows]


def payloads(result: Row) -> list[Payload]:
    """Long lists as a table; who uses what as a graph."""
    if "entry" not in result or "other" in result:
        return []
    entry, made = result["entry"], []
    for name, rows in result["lists"].items():
        if name == "detection" or len(rows) < 2:
            continue
        title = f"{entry['id']} {entry['name']}: {name}"
        columns = ["id", "name", "kind"] + (["how"] if name == "mitigations" else [])
        cells = [[row.get(column, "") for column in columns] for row in rows]
        made.append(Payload("sec-gemini/table", title, {"title": title, "columns": columns, "rows": cells}))
    if result["about"] not in ATTRIBUTES and (graph := _graph(result)):
        made.append(graph)
    return made


def _graph(result: Row) -> Payload | None:
    entry = result["entry"]
    rows = [row | {"list": name} for name, rows in result["lists"].items() if name != "detection" for row in rows]
    if len(rows) < 2:
        return None
    shown = rows[: MAX_NODES - 1]
    title = f"{entry['id']} {entry['name']}" + (f" ({len(rows) - len(shown):,} more)" if len(rows) > len(shown) else "")
    nodes = [{"id": row["id"], "label": f"{row['id']} {row['name']}", "type": row["kind"]} for row in (entry, *shown)]
    edges = [_edge(entry, row) for row in shown]
    return Payload("sec-gemini/graph", title, {"title": title, "nodes": nodes, "edges": edges})


def _edge(entry: Row, row: Row) -> Row:
    """From who acts to what is used."""
    if row["list"] == "subtechniques" or entry["kind"] == "tactic":
        return {"source": entry["id"], "target": row["id"], "label": "has"}
    if "mitigation" in (row["kind"], entry["kind"]):
        ends = (row, entry) if row["kind"] == "mitigation" else (entry, row)
        return {"source": ends[0]["id"], "target": ends[1]["id"], "label": "mitigates"}
    if {"group", "campaign"} == {entry["kind"], row["kind"]}:
        ends = (entry, row) if entry["kind"] == "campaign" else (row, entry)
        return {"source": ends[0]["id"], "target": ends[1]["id"], "label": "attributed to"}
    is_user = row["kind"] in ("group", "campaign") or (
        row["kind"] in ("malware", "tool") and entry["kind"] == "technique"
    )
    ends = (row, entry) if is_user else (entry, row)
    return {"source": ends[0]["id"], "target": ends[1]["id"], "label": "uses"}
