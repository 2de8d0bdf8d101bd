"""Write what the local analyst knows of CWE, out of a package that holds it as XML.

`--check` writes nothing, and fails where the files are not what the package gives.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import packaged
from packaged import ROOT

DATA = ROOT / "secgemini_jupyter" / "local_server" / "analyst" / "data"
SOURCE = {"name": "cwe2", "version": "3.0.0", "cwe": "4.14", "license": "MIT; CWE Terms of Use",
          "sha256": "abef03eb853f5c1851df6af5167bd9fe73a53dddb119fdbc5c3afc7d50b9f55b"}  # fmt: skip
NOTICE = (
    "Copyright © 2006–2022, The MITRE Corporation. CWE, CWSS, CWRAF, and the CWE logo are trademarks of The MITRE "
    "Corporation."
)
NAMESPACE = {"c": "http://cwe.mitre.org/cwe-7"}
RESEARCH = "1000"
"""The view by whose relations a weakness has its parents."""
CUT = 300
"""Characters of a mitigation or an example that are kept."""


def main() -> int:
    return packaged.main(__doc__ or "", [SOURCE], made)


def made(wheels: list[Path]) -> dict[Path, str]:
    data = read(wheels[0])
    # For the planner, which needs no more.
    names = {number: [row["name"], *row.get("terms", ())] for number, row in data["weaknesses"].items()}
    return {
        DATA / "cwe.json.gz": packaged.to_lines(data),
        DATA / "cwe_names.json.gz": packaged.to_lines({"names": names}),
    }


def read(wheel: Path) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        name = f"cwe2/database_v49/cwec_v{SOURCE['cwe']}.xml"
        notice = " ".join(archive.read("cwe2/database_v49/cwe.NOTICE").decode().split())
        root = ElementTree.fromstring(archive.read(name))  # a file of a known hash
    if root.get("Version") != SOURCE["cwe"]:
        raise ValueError(f"CWE {root.get('Version')} is in {wheel.name}, not {SOURCE['cwe']}")
    if NOTICE not in notice:
        raise ValueError(f"{wheel.name} has another notice: {notice}")
    return {
        "version": root.get("Version"),
        "date": root.get("Date"),
        "notice": NOTICE,
        "source": SOURCE,
        "weaknesses": _by_id(root, "Weaknesses", weakness),
        "categories": _by_id(root, "Categories", category),
        "views": _by_id(root, "Views", view),
    }


def _by_id(root: Element, part: str, to_row: Any) -> dict[str, Any]:
    elements = sorted(all_in(root, f"{part}/*"), key=lambda each: int(each.get("ID", "0")))
    return {each.get("ID", ""): to_row(each) for each in elements}


def weakness(each: Element) -> dict[str, Any]:
    """A weakness; what it does not have is left out."""
    relations = [(r.get("Nature"), r.get("CWE_ID"), r.get("View_ID")) for r in all_in(each, "Related_Weaknesses/*")]
    parents = [number for nature, number, view in relations if nature == "ChildOf" and view == RESEARCH]
    others = [[nature, number] for nature, number, view in relations if nature != "ChildOf" and view == RESEARCH]
    made = {
        "name": each.get("Name"),
        "abstraction": each.get("Abstraction"),
        "status": each.get("Status"),
        "description": text_of(each, "Description"),
        "more": cut(text_of(each, "Extended_Description"), 3 * CUT),
        "terms": [text(term) for term in all_in(each, "Alternate_Terms/Alternate_Term/Term")],
        "parents": list(dict.fromkeys(parents)),
        "relations": others,
        "platforms": [p.get("Name") or p.get("Class") for p in all_in(each, "Applicable_Platforms/*")],
        "likelihood": text_of(each, "Likelihood_Of_Exploit"),
        "consequences": [
            [_texts(c, "Scope"), _texts(c, "Impact")] for c in all_in(each, "Common_Consequences/Consequence")
        ],
        "mitigations": list(mitigations(each)),
        "examples": [
            [text_of(e, "Reference"), cut(text_of(e, "Description"))]
            for e in all_in(each, "Observed_Examples/Observed_Example")
        ],
        "mapping": text_of(each, "Mapping_Notes/Usage"),
    }
    return {key: value for key, value in made.items() if value}


def mitigations(each: Element) -> Iterator[list[Any]]:
    """Phases and text of each."""
    for mitigation in all_in(each, "Potential_Mitigations/Mitigation"):
        if told := cut(text_of(mitigation, "Description")):
            yield [_texts(mitigation, "Phase"), told]


def category(each: Element) -> dict[str, Any]:
    members = [member.get("CWE_ID") for member in all_in(each, "Relationships/Has_Member")]
    return {
        "name": each.get("Name"),
        "status": each.get("Status"),
        "summary": text_of(each, "Summary"),
        "members": members,
    }


def view(each: Element) -> dict[str, Any]:
    members = [member.get("CWE_ID") for member in all_in(each, "Members/Has_Member")]
    return {
        "name": each.get("Name"),
        "status": each.get("Status"),
        "summary": text_of(each, "Objective"),
        "members": members,
    }


def all_in(each: Element, path: str) -> list[Element]:
    steps = [step if step == "*" else f"c:{step}" for step in path.split("/")]
    return each.findall("/".join(steps), NAMESPACE)


def text_of(each: Element, path: str) -> str:
    return " ".join(_texts(each, path))


def _texts(each: Element, path: str) -> list[str]:
    return [text(found) for found in all_in(each, path)]


def text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def cut(told: str, limit: int = CUT) -> str:
    """`told`, at most `limit` characters of it, ending with a word and `…`."""
    return told if len(told) <= limit else told[:limit].rpartition(" ")[0].rstrip(".,;: ") + "…"


if __name__ == "__main__":
    sys.exit(main())
