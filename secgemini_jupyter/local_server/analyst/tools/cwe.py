"""cwe_lookup: a weakness of CWE, its parents and children, its examples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from secgemini_jupyter.local_server.analyst.data import attack
from secgemini_jupyter.local_server.analyst.data.asking import questions
from secgemini_jupyter.local_server.analyst.data.cwe import ID, Cwe, cwe, names
from secgemini_jupyter.local_server.analyst.text import Plain, code, count, prose, table
from secgemini_jupyter.local_server.analyst.tool import Call, Payload, Request, Tool, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.tools.iocs import FIND

Row = dict[str, Any]
About = Literal["record", "parents", "children", "mitigations", "examples", "consequences"]
MAX_QUERY = 200
FEW = 5


class CweArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`query`: an id (CWE-79, 79), a name, or words of one ("sql injection", XSS).

    `about`: what to list in full. `other`: a second entry to compare with.
    """

    query: str
    about: About = "record"
    other: str | None = None


def cwe_lookup(arguments: CweArguments, _files: Mapping[str, bytes]) -> dict[str, Any]:
    data = cwe()
    result: Row = {"query": arguments.query, "about": arguments.about, "sources": data.sources()}
    found, is_id = _resolve(data, arguments.query)
    if len(found) != 1:
        near = names().near(arguments.query) if not found and not is_id else []
        near_rows = [data.brief(number) | {"spelled": name} for name, number in near]
        return result | {
            "candidates": data.briefs(found),
            "near": near_rows,
            "is_id": is_id,
            "mentions": data.cves_about(arguments.query) if not (found or near or is_id) else [],
        }
    result["entry"] = data.record(found[0])
    if arguments.other:
        others, _ = _resolve(data, arguments.other)
        if len(others) != 1:
            raise ToolFailure(
                f"CWE {data.version} has no single entry {arguments.other[:MAX_QUERY]!r} to compare with."
            )
        result |= {"other": data.record(others[0]), "relation": _relation(data, found[0], others[0])}
    return result


def _resolve(data: Cwe, query: str) -> tuple[list[str], bool]:
    """Numbers that the query means, and whether it is an id."""
    query = query.strip()
    if not query or len(query) > MAX_QUERY:
        raise ToolFailure(f"A name or an id has 1 to {MAX_QUERY} characters.")
    if match := ID.fullmatch(query) or re.fullmatch(r"(\d{1,6})", query):
        number = match[1].lstrip("0") or "0"
        return ([number] if number in data.weaknesses or number in data.groups else []), True
    return _top(data, query) or names().find(query) or data.group_names.find(query), False


def _top(data: Cwe, query: str) -> list[str]:
    """The view of a year's Top 25, else of the last one: "CWE Top 25", "Top 25 of 2021"."""
    if not _TOP.search(query):
        return []
    year = re.search(r"\b20\d\d\b", query)
    views = {
        row["name"]: number
        for number, row in data.groups.items()
        if re.search(r"\b20\d\d CWE.*\bTop 25\b", row["name"])
    }
    wanted = [name for name in views if not year or year[0] in name]
    return [views[max(wanted, key=lambda name: re.findall(r"20\d\d", name))]] if wanted else []


_TOP = re.compile(r"\btop[\s-]*25\b", re.IGNORECASE)


def _relation(data: Cwe, one: str, other: str) -> Row:
    """How two weaknesses are related: by descent, or by the nearest ancestor of both."""
    line, other_line = [one, *data.ancestors(one)], [other, *data.ancestors(other)]
    shared = next((number for number in line if number in other_line), None)
    return {
        "kind": "descends" if shared == other else "ascends" if shared == one else "shared" if shared else "none",
        "shared": data.brief(shared) if shared else None,
        "steps": [line.index(shared), other_line.index(shared)] if shared else [],
    }


_ABOUT: Sequence[tuple[About, str]] = (
    ("examples", r"\bcves?\b(?![\s_-]*\d)|\bexamples?\b|\bobserved\b"),
    ("parents", r"\bparents?\b|\bchild of\b|\bancestors?\b"),
    ("children", r"\bchild(?:ren)?\b|\bvariants\b"),
    ("mitigations", r"\bmitigat|\bprevent|\bfix\b|\bavoid|\bremediat"),
    ("consequences", r"\bconsequences?\b|\bimpacts?\b"),
)
_FOR = re.compile(
    r"\bcwe(?:s|\s*-?\s*(?:id|ids|number|entry))?\s+(?:(?:number|id|entry)\s+)?(?:for|of|is|are|covers|describes|about|means)\s+(?P<x>[^\n]{2,100})$"
    r"|\bmap\s+(?P<m>[^\n]{2,80}?)\s+to\s+(?:a\s+)?(?:cwe|weakness)"
    r"|\bweakness(?:es)?\s+(?:for|of|is|called|named|behind|about)\s+(?P<y>[^\n]{2,100})$"
    r"|^(?:what\s+(?:is|are)\s+(?:the\s+)?)?(?P<z>[^\n]{2,100}?)(?:'s)?\s+(?:cwe|weakness)(?:\s+(?:id|number))?$",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
_QUOTES = " \"'“”`."
_IS = re.compile(
    r"^(?:(?:what\s*(?:is|are|'?s))|tell me (?:more )?(?:about|abt)"
    r"|explain|describe|define|what do you know about|look\s?up)\s+"
    r"(?P<x>[^\n]{2,100})$",
    re.IGNORECASE,
)


def _plan(request: Request) -> list[Call]:
    if request.asks(rf"{FIND}|\b(?:de|re)fang"):
        return []
    return [call for question in questions(request) for call in _calls(question, request)]


def _calls(question: str, request: Request) -> Iterator[Call]:
    about = next((name for name, words in _ABOUT if re.search(words, question, re.IGNORECASE)), "record")
    ids = list(dict.fromkeys(f"CWE-{match[1]}" for match in ID.finditer(question)))
    if len(ids) == 2 and re.search(
        r"\bcompare|\bdiffer|\bvs\b|\bversus\b|\brelat|\bunder\b|\bchild of\b", question, re.IGNORECASE
    ):
        yield Call("cwe_lookup", {"query": ids[0], "other": ids[1]}, f"compare {code(ids[0])} and {code(ids[1])}")
        return
    for subject in ids or _named(question, request):
        yield Call("cwe_lookup", {"query": subject, "about": about}, f"look up {code(subject)} in CWE")


def _named(question: str, request: Request) -> list[str]:
    """A weakness that is asked for by name; one that ATT&CK knows by it as well only where CWE is meant."""
    if re.search(r"\bCVE[\s-]?\d", question, re.IGNORECASE):
        return []
    if _TOP.search(question) and re.search(r"\bcwe|\bweakness", question, re.IGNORECASE):
        year = re.search(r"\b20\d\d\b", question)
        return [f"CWE Top 25 {year[0]}" if year else "CWE Top 25"]
    if match := _FOR.search(question):
        subject = _ARTICLE.sub("", (match["x"] or match["y"] or match["z"] or match["m"]).strip(_QUOTES))
        is_name = len(subject.split()) <= 8 and not re.match(
            r"(?:this|that|it|the (?:most|top))\b", subject, re.IGNORECASE
        )
        is_known = names().find(subject) or not match["z"] or names().near(subject, cutoff=0.85)
        return [subject] if is_name and is_known else []
    match = _IS.match(question)
    if not match and (request.attachments or request.table or request.pasted):
        return []
    subject = _ARTICLE.sub("", (match["x"] if match else question).strip(_QUOTES))
    if not names().exact(subject) or attack.names().exact(subject) or len(subject) < 3:
        return []
    return [subject]


def _answer(result: Row, wish: Wish) -> str:
    version = result["sources"][0]["version"]
    if "entry" not in result:
        return _not_one(result, version)
    entry = result["entry"]
    if wish.wants_only("id", "number", "cwe"):
        return str(entry["id"])
    if wish.one_word and "relation" in result:
        return "Yes" if result["relation"]["kind"] == "descends" else "No"
    if wish.wants_only("name") or wish.one_word:
        return prose(entry["name"])
    if wish.wants_only("parent") and entry["kind"] == "weakness":
        return "\n".join(row["id"] for row in entry["parents"])
    if wish.wants_only("cve", "example") and entry["kind"] == "weakness":
        return "\n".join(each["cve"] for each in entry["examples"])
    if entry["kind"] != "weakness":
        return _group(entry, version)
    if "other" in result:
        return _comparison(result, version)
    parts = [_head(entry, version)]
    if result["about"] == "record":
        parts.append(prose(entry["description"]))
        parts += [part for name in ("consequences", "mitigations", "examples") if (part := _part(entry, name, FEW))]
        if entry["children"]:
            parts.append(f"Children: {_named_rows(entry['children'][:12])}{_more(len(entry['children']) - 12)}.")
        parts.append(f"Source: <{entry['url']}>")
    else:
        told = _part(entry, result["about"], 60)
        parts.insert(0, told or f"CWE {version} names no {result['about']} of {entry['id']}.")
    return "\n\n".join(parts)


def _head(entry: Row, version: str) -> str:
    told = f"**{entry['id']} {prose(entry['name'])}** (CWE {version}): {entry['abstraction']}, {entry['status']}"
    if entry["status"] == "Deprecated":
        return f"{told}. It is **deprecated**: it should not be used for a finding."
    if entry["parents"]:
        told += f"; child of {_named_rows(entry['parents'])}"
    elif entry["abstraction"] == "Pillar":
        told += "; a pillar, which has no parent"
    if terms := entry.get("terms"):
        told += f"; also called {', '.join(map(prose, terms))}"
    if likelihood := entry.get("likelihood"):
        told += f"; likelihood of exploit: {prose(likelihood)}"
    if entry.get("mapping", "Allowed") != "Allowed":
        told += f"; mapping a vulnerability to it: {prose(entry['mapping'].lower())}"
    if years := sorted(re.findall(r"(\d{4}) CWE.* Top 25", "\n".join(entry["lists"]))):
        told += f"; in the CWE Top 25 of {', '.join(years)}"
    return told + "."


def _named_rows(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row['id']} {prose(row['name'])}" for row in rows)


def _more(number: int) -> str:
    return f" and {number:,} more" if number > 0 else ""


def _part(entry: Row, name: str, limit: int) -> str:
    rows = entry.get(name) or []
    more = f"\n\n({len(rows) - limit:,} more)" if len(rows) > limit else ""
    if not rows:
        return ""
    match name:
        case "examples":
            cells = [(Plain(each["cve"]), Plain(prose(each["told"], 300))) for each in rows]
            head = f"Observed examples that CWE gives ({len(rows)}):"
            return f"{head}\n\n" + table([Plain("CVE"), Plain("what")], cells, limit=limit)
        case "mitigations":
            lines = [
                f"- {', '.join(map(prose, phases)) or 'Any phase'}: {prose(told)}" for phases, told in rows[:limit]
            ]
            return "Mitigations:\n\n" + "\n".join(lines) + more
        case "consequences":
            lines = [
                f"- {', '.join(map(prose, scopes))}: {', '.join(map(prose, impacts))}"
                for scopes, impacts in rows[:limit]
            ]
            return "Consequences:\n\n" + "\n".join(lines) + more
    lines = [f"- {row['id']} {prose(row['name'])} ({row['kind']})" for row in rows[:limit]]
    return f"{name.capitalize()} of {entry['id']} ({len(rows)}):\n\n" + "\n".join(lines) + more


def _group(entry: Row, version: str) -> str:
    members = entry["members"]
    told = (
        f"**{entry['id']} {prose(entry['name'])}** is a **{entry['kind']}** of CWE {version} ({entry['status']}), no "
        f"weakness: it groups {count(len(members), 'entry', 'entries')}."
    )
    listed = f"Members: {_named_rows(members[:40])}{_more(len(members) - 40)}." if members else ""
    return "\n\n".join(filter(None, [told, prose(entry["summary"]), listed]))


def _comparison(result: Row, version: str) -> str:
    one, other, relation = result["entry"], result["other"], result["relation"]
    match relation["kind"]:
        case "descends":
            told = f"{one['id']} is {_generations(relation['steps'][0])} of {other['id']}."
        case "ascends":
            told = f"{other['id']} is {_generations(relation['steps'][1])} of {one['id']}."
        case "shared":
            told = f"Both descend from {relation['shared']['id']} {prose(relation['shared']['name'])}."
        case _:
            told = "They have no ancestor in common in the research view (CWE-1000)."
    parts = [told]
    for each in (one, other):
        is_weakness = each["kind"] == "weakness"
        parts.append(
            _head(each, version) + "\n\n" + prose(each["description"]) if is_weakness else _group(each, version)
        )
    return "\n\n".join(parts)


def _generations(steps: int) -> str:
    return "the same entry as that" if steps == 0 else "a child" if steps == 1 else f"a descendant ({steps} steps)"


def _not_one(result: Row, version: str) -> str:
    query = code(result["query"])
    if found := result["candidates"]:
        return f"{query} fits {len(found)} weaknesses of CWE {version} alike:\n\n{_choices(found)}"
    if result["is_id"]:
        return f"**{query} is not** in CWE {version}: no weakness, category or view has that number."
    told = f"No weakness of CWE {version} is called {query}."
    if result["mentions"]:
        lines = [f"- {row['cve']} ({', '.join(row['weaknesses'])}): {prose(row['told'])}" for row in result["mentions"]]
        return f"{told} It is named in examples that CWE gives:\n\n" + "\n".join(lines)
    return f"{told} Did you mean:\n\n{_choices(result['near'])}" if result["near"] else told


def _choices(rows: Sequence[Row]) -> str:
    return "\n".join(f"- {row['id']} {prose(row['name'])} ({row['kind']})" for row in rows[:20])


def _items(result: Row) -> list[Row]:
    if "entry" not in result:
        return [{"id": row["id"], "name": row["name"]} for row in result["candidates"] or result["near"]]
    entry = result["entry"]
    if entry["kind"] == "weakness":
        if result["about"] == "examples":
            return [{"cve": each["cve"], "told": each["told"]} for each in entry["examples"]]
        if result["about"] in ("parents", "children"):
            return [dict(row) for row in entry[result["about"]]]
    entries = [entry, result["other"]] if "other" in result else [entry]
    return [{"id": each["id"], "name": each["name"], "kind": each["kind"]} for each in entries]


def _payloads(result: Row) -> list[Payload]:
    entry = result.get("entry")
    if not entry or entry["kind"] != "weakness" or result["about"] not in ("examples", "children"):
        return []
    title = f"{entry['id']}: {result['about']}"
    rows = _items(result)
    content = {"title": title, "columns": list(rows[0]), "rows": [list(row.values()) for row in rows]} if rows else {}
    return [Payload("sec-gemini/table", title, content)] if len(rows) > 1 else []


def _again(request: Request, result: Row) -> list[Call]:
    about = next((name for name, words in _ABOUT if request.asks(words)), None)
    if about is None or "entry" not in result or ID.search(request.prompt):
        return []
    number = result["entry"]["id"]
    return [Call("cwe_lookup", {"query": number, "about": about}, f"look up {code(number)} in CWE")]


TOOLS = (
    Tool(
        name="cwe_lookup",
        description="A CWE weakness, offline, by id, name or words: description, parents, children, consequences, "
        "mitigations, observed example CVEs; two compared.",
        ability='look up CWE weaknesses: "What is CWE-79?", "CWE for path traversal?", "Compare CWE-79 and CWE-80"',
        arguments=CweArguments,
        run=cwe_lookup,
        plan=_plan,
        answer=_answer,
        payloads=_payloads,
        items=_items,
        again=_again,
    ),
)
