"""attack_lookup: an entry of MITRE ATT&CK, and what is related to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from secgemini_jupyter.local_server.analyst.data import attack_told
from secgemini_jupyter.local_server.analyst.data.attack import IDS, Attack, attack, names, normal_id
from secgemini_jupyter.local_server.analyst.data.attack_asked import ALL, again, asked
from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.tool import Call, Request, Tool, ToolFailure

MAX_LISTED = 400
MAX_QUERY = 200

About = Literal["record", "status", "mitigations", "detection", "subtechniques", "tactics", "campaigns", "groups",
                "software", "techniques", "uses", "common", "kind", "platforms", "parent", "id",
                "users_of_both", "users_of_one"]  # fmt: skip


class AttackArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`query`: an id (T1059.001, TA0003, G0016, S0154, M1043, C0024), a name, an alias, words of a name, or ATT&CK.

    `about`: what to list besides the record: what it uses ("uses"), who uses it ("groups", "software"), …
    `other`: a second entry: whether the first uses it, what both use ("common"), which groups use
    both ("users_of_both") or the first alone, of its "techniques" those of a tactic;
    with "kind" the kind that it may be of. `described`: of the listed those alone that are described with these words.
    """

    query: str
    about: About = "record"
    other: str | None = None
    described: str | None = None


#: By kind of entry: what its relations are.
_LISTS: Mapping[str, tuple[str, ...]] = {
    "technique": ("mitigations", "groups", "software", "campaigns", "subtechniques", "detection"),
    "tactic": ("techniques",),
    "group": ("techniques", "software", "campaigns"),
    "malware": ("techniques", "groups", "campaigns"),
    "tool": ("techniques", "groups", "campaigns"),
    "campaign": ("groups", "techniques", "software"),
    "mitigation": ("techniques",),
}


_WHOLE_LISTS = ("mitigations", "campaigns", "groups", "software")


def attack_lookup(arguments: AttackArguments, _files: Mapping[str, bytes]) -> dict[str, Any]:
    """An entry with its relations; several that fit are candidates, and where none does, names that are near."""
    query = arguments.query.strip()
    if not query or len(query) > MAX_QUERY:
        raise ToolFailure(f"A name or an id has 1 to {MAX_QUERY} characters.")
    data = attack()
    result: dict[str, Any] = {"query": query, "about": arguments.about, "sources": data.sources()}
    if query == ALL:
        counted = {"counted": data.counted(), "tactics": data.briefs([*data.tactics])}
        return result | counted | ({"all": data.all_of(arguments.about)} if arguments.about in _WHOLE_LISTS else {})
    found, note = _resolve(data, query)
    result |= note
    if len(found) != 1:
        result["candidates"] = data.briefs(found)
        if not found:
            near = names().near(query) if not IDS.fullmatch(query) else []
            result["near"] = [data.brief(number) | {"spelled": name} for name, number in near]
            result["mentions"] = data.briefs(data.in_descriptions(query)) if not near and " " in query else []
        return result
    record = data.record(found[0])
    assert record is not None
    if arguments.about == "techniques" and record["kind"] == "technique":
        result["about"] = "record"  # "which technique is …?"
    if arguments.described:
        return result | _described(data, _with_relations(data, record, result["about"]), arguments.described)
    if arguments.about == "kind" or not arguments.other:
        is_a = {"is_a": arguments.other} if arguments.other else {}
        return result | is_a | _with_relations(data, record, result["about"])
    others, _ = _resolve(data, arguments.other)
    if len(others) != 1:
        raise ToolFailure(f"ATT&CK has no single entry {arguments.other[:MAX_QUERY]!r}.")
    other = data.brief(others[0])
    if arguments.about == "techniques" and other["kind"] == "tactic":
        return result | {"entry": record, "within": other} | _within(data, record, others[0])
    return result | {"entry": record, "other": other} | _together(data, found[0], others[0], arguments)


def _resolve(data: Attack, query: str) -> tuple[list[str], dict[str, Any]]:
    """Ids that the query means, and a note where it means them in a way of its own."""
    if IDS.fullmatch(query):
        number = normal_id(query)
        if number.startswith("DET"):
            technique = data.technique_of_detection(number)
            return ([technique], {"about": "detection"}) if technique else ([], {"is_id": True})
        return ([number] if data.record(number) else []), {"is_id": True}
    if (tactic := data.older_name_of_tactic(query)) and not names().exact(query):
        return [tactic], {"older_name": query}
    found = names().find(query)
    if len(found) > 1:
        # A name that moved: all that had it are revoked in favour of the same.
        now = {current.id for each in found if (current := data.catalog.current(each))}
        revoked = [each for each in found if each in data.catalog.techniques]
        if len(now) == 1 and len(revoked) == len(found) and data.brief(found[0]).get("status"):
            return [max(found)], {}
    return found, {}


def _with_relations(data: Attack, record: dict[str, Any], about: str) -> dict[str, Any]:
    kind, number = record["kind"], record["id"]
    ids = data.related_as(number)
    wanted = _wanted(kind, about)
    named = dict.fromkeys([*_LISTS.get(kind, ()), *wanted])
    lists = {name: _merged([_listed(data, kind, each, record, name) for each in ids]) for name in named}
    counts = {name: len(rows) for name, rows in lists.items() if rows}
    shown = {name: rows[:MAX_LISTED] for name, rows in lists.items() if name in wanted}
    return {"entry": record, "counts": counts, "lists": shown} | ({"relations_of": ids} if ids != [number] else {})


def _merged(lists: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    if len(lists) == 1:
        return lists[0]
    found: dict[str, dict[str, Any]] = {}
    for row in (row for rows in lists for row in rows):
        found.setdefault(row["id"], row)
    return [found[number] for number in sorted(found)]


def _described(data: Attack, result: dict[str, Any], words: str) -> dict[str, Any]:
    """Of what is listed, what its description calls so: "north korean" also where it says North Korea."""
    stems = [word[: max(4, len(word) - 3)] for word in re.findall(r"\w+", words.casefold())]
    pattern = re.compile(r"\b" + r"\w*\W+".join(map(re.escape, stems)))
    lists = {
        name: [row for row in rows if pattern.search(data.description(row["id"]).casefold())]
        for name, rows in result["lists"].items()
    }
    return result | {"lists": lists, "described": words[:100]}


def _within(data: Attack, record: dict[str, Any], tactic: str) -> dict[str, Any]:
    """Of the techniques of an entry, those of a tactic, as the newer version files them."""
    used = data.briefs(data.used(record["id"], "T")) or _listed(
        data, record["kind"], record["id"], record, "techniques"
    )
    of_tactic = {*data.of_tactic(data.tactics[tactic][0])}
    rows = [row for row in used if row["id"] in of_tactic or row.get("current") in of_tactic]
    return {"counts": {"techniques": len(rows)}, "lists": {"techniques": rows}, "of": len(used)}


def _together(data: Attack, one: str, other: str, arguments: AttackArguments) -> dict[str, Any]:
    if arguments.about in ("users_of_both", "users_of_one"):
        users = [{*data.users(each, "G")} for each in (one, other)]
        found = users[0] & users[1] if arguments.about == "users_of_both" else users[0] - users[1]
        return {"counts": {"groups": len(found)}, "lists": {"groups": data.briefs(sorted(found))}}
    if arguments.about == "common":
        both = {name: sorted({*data.used(one, letter)} & {*data.used(other, letter)})
                for name, letter in (("techniques", "T"), ("software", "S"))}  # fmt: skip
        lists = {name: data.briefs(numbers) for name, numbers in both.items()}
        return {"counts": {name: len(rows) for name, rows in lists.items()}, "lists": lists}
    direct = [(begin, end) for begin, end in ((one, other), (other, one)) if data.is_related(begin, end)]
    ends = (one, other) if other[0] == "T" else (other, one)
    parts = [each for each in data.subtechniques(ends[1]) if data.is_related(ends[0], each)]
    return {"related": bool(direct), "by_parts": data.briefs(parts), "counts": {}, "lists": {}}


def _wanted(kind: str, about: str) -> tuple[str, ...]:
    if about == "uses":
        return ("techniques", "software") if kind in ("group", "campaign") else _LISTS[kind][:2]
    if about == "mitigations" and kind == "mitigation":
        return ("techniques",)
    if about in _LISTS.get(kind, ()) or (kind, about) in (("technique", "parent"), ("tactic", "subtechniques")):
        return (about,)
    if about == "record":
        return {"technique": ("mitigations",), "tactic": ("techniques",)}.get(kind, ())
    return ()


def _listed(data: Attack, kind: str, number: str, record: dict[str, Any], name: str) -> list[dict[str, Any]]:
    if kind == "technique":
        match name:
            case "mitigations":
                return data.mitigations(number)
            case "subtechniques":
                return list(record["subtechniques"])
            case "parent":
                return data.briefs([record["parent"]] if record["parent"] else [])
            case "detection":
                found = data.detection(number)
                return [found] if found else []
        return data.briefs(data.users(number, name[0].upper()))
    if kind == "tactic":
        rows = data.briefs(data.of_tactic(record["short"]))
        return [row for row in rows if "." in row["id"]] if name == "subtechniques" else rows
    if kind == "mitigation":
        return data.briefs(data.mitigated(number))
    if kind == "group" and name == "campaigns":
        return data.briefs(data.campaigns(number))
    if kind == "campaign" and name == "groups":
        return data.briefs(data.attributed(number))
    ends = {"techniques": data.used(number, "T"), "software": data.used(number, "S"),
            "groups": data.users(number, "G"), "campaigns": data.users(number, "C")}  # fmt: skip
    return data.briefs(ends[name])


def _plan(request: Request) -> list[Call]:
    return [
        Call(
            "attack_lookup",
            {"query": subject, "about": about} | ({"other": other} if other else {}),
            f"look up {code(subject)} in ATT&CK",
        )
        for subject, about, other in asked(request)
    ]


_OF_THEM = re.compile(
    r"\b(?:which|who|any|what)\s+(?:ones?\s+)?of\s+(?:them|those|these)(?:\s+groups)?\s+(?:are|is|come|came)\s+(?:from\s+)?"
    r"(?:an?\s+|the\s+)?((?:[\w-]{3,30}\s?){1,3})\W*$",
    re.IGNORECASE,
)


def _again(request: Request, result: dict[str, Any]) -> list[Call]:
    found = again(request.instruction, result["entry"]["id"]) if "entry" in result else None
    if "entry" in result and result.get("lists") and (words := _OF_THEM.search(request.instruction)):
        named = {"query": result["entry"]["id"], "about": result["about"], "described": words[1]}
        return [Call("attack_lookup", named, "look for that in their descriptions")]
    if found is None:
        return []
    other = {"other": found[2]} if found[2] else {}
    return [
        Call("attack_lookup", {"query": found[0], "about": found[1]} | other, f"look up {code(found[0])} in ATT&CK")
    ]


TOOLS = (
    Tool(
        name="attack_lookup",
        description="MITRE ATT&CK Enterprise, offline: a technique, tactic, group, software, campaign or mitigation by "
        "id, name or alias; who uses it, what it uses, what mitigates and detects it, what took a revoked one's place.",
        ability="look up MITRE ATT&CK techniques, groups, software, mitigations: "
        '"T1059.001?", "Which groups use Mimikatz?", "What mitigates LSASS dumping?"',
        arguments=AttackArguments,
        run=attack_lookup,
        plan=_plan,
        answer=attack_told.answer,
        payloads=attack_told.payloads,
        items=attack_told.items,
        again=_again,
    ),
)
