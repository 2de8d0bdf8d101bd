"""CWE: weaknesses, categories, views, and the CVEs that CWE itself gives as examples."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache, cached_property
from typing import Any

from secgemini_jupyter.local_server.analyst.data.names import Names, normal
from secgemini_jupyter.local_server.analyst.data.packed import load, source

Row = dict[str, Any]

ID = re.compile(
    r"(?<![\w-])(?:CWE[\s_:#‐-―-]{0,3}|weakness(?:es)?\s+(?:no\.?\s*|number\s+|#\s*)?)(\d{1,6})(?!\w|\.\d)",
    re.IGNORECASE,
)
_SHORT = {"sqli": "89", "uaf": "416", "cmdi": "78", "lfi": "98", "oob read": "125", "oob write": "787", "bof": "119",
          "hard coded password": "259", "hard coded credentials": "798", "insecure deserialization": "502",
          "log injection": "117", "stored xss": "79", "reflected xss": "79"}  # fmt: skip
"""Names in common use that CWE itself does not list."""


@cache
def names() -> Names:
    """Weaknesses by name, by what stands in quotes or parentheses in it, by alternate terms, by names in common use."""
    named = []
    for number, texts in load("cwe_names")["names"].items():
        for text in texts:
            if re.search(r"'\W+'", text):
                continue  # "Path Traversal: '....//'" is more than its words
            named.append((number, text))
            within = re.findall(r"\('?([^()']+)'?\)|'([^']{3,})'", text)
            named += [(number, part) for parts in within for part in parts if part]
            if " / " in text:
                named += [(number, part) for part in text.split(" / ")]
    named += [(number, name) for name, number in _SHORT.items()]
    deprecated = {number for number, texts in load("cwe_names")["names"].items() if texts[0].startswith("DEPRECATED")}
    return Names(dict.fromkeys(named), lambda number: number in deprecated)


class Cwe:
    """The data, with relations from both ends. Only a worker loads it."""

    def __init__(self) -> None:
        self._data = load("cwe")
        self.weaknesses: dict[str, Row] = self._data["weaknesses"]
        self.groups: dict[str, Row] = {
            **{number: {"kind": "category", **row} for number, row in self._data["categories"].items()},
            **{number: {"kind": "view", **row} for number, row in self._data["views"].items()},
        }

    @property
    def version(self) -> str:
        return str(self._data["version"])

    def sources(self) -> list[dict[str, str]]:
        return [source("CWE", self._data)]

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for number, row in self.weaknesses.items():
            for parent in row.get("parents", ()):
                found[parent].append(number)
        return found

    def brief(self, number: str) -> Row:
        row = self.weaknesses.get(number) or self.groups.get(number) or {"name": ""}
        return {"id": f"CWE-{number}", "name": row["name"], "kind": row.get("kind") or row.get("abstraction", "")}

    def briefs(self, numbers: list[str]) -> list[Row]:
        return [self.brief(number) for number in numbers]

    def ancestors(self, number: str) -> list[str]:
        """The first parent, its first parent, and so on, up to a pillar."""
        found: list[str] = []
        while (parents := self.weaknesses.get(number, {}).get("parents")) and parents[0] not in found:
            number = parents[0]
            found.append(number)
        return found

    def record(self, number: str) -> Row | None:
        if row := self.weaknesses.get(number):
            relations = [self.brief(other) | {"nature": nature} for nature, other in row.get("relations", ())]
            return {
                **row,
                "id": f"CWE-{number}",
                "kind": "weakness",
                "examples": [{"cve": cve, "told": told} for cve, told in row.get("examples", ())],
                "parents": self.briefs(row.get("parents", [])),
                "children": self.briefs(self._children[number]),
                "ancestors": self.briefs(self.ancestors(number)),
                "relations": relations,
                "lists": [
                    each["name"]
                    for each in self.groups.values()
                    if each["kind"] == "view" and number in each["members"] and "Top" in each["name"]
                ],
                "url": f"https://cwe.mitre.org/data/definitions/{number}.html",
            }
        if row := self.groups.get(number):
            return {**row, "id": f"CWE-{number}", "members": self.briefs(row["members"])}
        return None

    @cached_property
    def group_names(self) -> Names:
        return Names((number, row["name"]) for number, row in self.groups.items())

    @cached_property
    def _examples(self) -> dict[str, list[tuple[str, str]]]:
        found = defaultdict(list)
        for number, row in self.weaknesses.items():
            for cve, told in row.get("examples", ()):
                found[cve].append((number, told))
        return found

    def examples_with(self, cve: str) -> list[Row]:
        """The weaknesses of which CWE gives this CVE as an example, with what it says there."""
        return [self.brief(number) | {"example": told} for number, told in self._examples.get(cve, ())]

    def cves_about(self, words: str, limit: int = 20) -> list[Row]:
        """CVEs of which an example's text has all these words: `log4shell`."""
        wanted = set(normal(words).split())
        found: dict[str, Row] = {}
        for cve, rows in self._examples.items():
            for number, told in rows:
                if wanted and all(word in told.casefold() for word in wanted) and wanted <= set(normal(told).split()):
                    found.setdefault(cve, {"cve": cve, "told": told, "weaknesses": []})["weaknesses"].append(
                        f"CWE-{number}"
                    )
        return list(found.values())[:limit]

    @property
    def cves(self) -> int:
        """How many CVEs are examples."""
        return sum(cve.startswith("CVE-") for cve in self._examples)


@cache
def cwe() -> Cwe:
    return Cwe()
