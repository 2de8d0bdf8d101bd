"""ATT&CK in depth: names, tactics and revocations of the newer version, descriptions and relations of the older."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache, cached_property
from typing import Any

from secgemini_jupyter.attack import Catalog, Technique, catalog
from secgemini_jupyter.local_server.analyst.data.names import Names, normal
from secgemini_jupyter.local_server.analyst.data.packed import load, source

Row = dict[str, Any]

IDS = re.compile(
    r"(?:(?<![\w.-])|(?<=attack\.))(?:T\d{4}(?:[./-]\d{3})?|TA\d{4}|DET\d{4}|[GSMC]\d{4})(?![\w-]|\.\d)",
    re.IGNORECASE,
)
KINDS = {"T": "technique", "TA": "tactic", "G": "group", "S": "software", "M": "mitigation", "C": "campaign"}


def normal_id(text: str) -> str:
    """`t1059/001` → `T1059.001`"""
    return re.sub(r"(?<=\d{4})[/-](?=\d{3}$)", ".", text.strip().upper())


def kind_of(number: str) -> str:
    return KINDS.get(re.sub(r"\d.*", "", number), "")


@cache
def names() -> Names:
    """Techniques, with their parents' names before them too; tactics; groups, software, campaigns, mitigations."""
    current = catalog()
    named = [(tactic.id, tactic.name) for tactic in current.tactics.values()]
    for technique in current.techniques.values():
        named.append((technique.id, technique.name))
        if technique.parent_id:
            named.append((technique.id, current.label(technique)))
    named += [(number, name) for number, all_names in load("attack_names")["names"].items() for name in all_names]

    def rank(number: str) -> int:
        technique = current.techniques.get(number)
        return 0 if technique is None or technique.status == "active" else 1

    return Names(named, rank)


@cache
def older_tactics() -> frozenset[str]:
    """Names of tactics that only revoked techniques have."""
    current = catalog()
    shorts = {short for technique in current.techniques.values() for short in technique.tactics}
    return frozenset(normal(short) for short in shorts - current.tactics.keys())


def is_known(number: str) -> bool:
    current = catalog()
    return (
        number in current.techniques
        or number in load("attack_names")["names"]
        or any(tactic.id == number for tactic in current.tactics.values())
    )


class Attack:
    """The data, with its relations from both ends. Only a worker loads it."""

    def __init__(self) -> None:
        self.catalog: Catalog = catalog()
        self._data = load("attack")
        self.objects: dict[str, Row] = self._data["objects"]
        self.tactics = {tactic.id: (short, tactic.name) for short, tactic in self.catalog.tactics.items()}
        self.older_tactics: dict[str, list[str]] = self._data["tactics"]

    @property
    def older_techniques(self) -> dict[str, Any]:
        """Those that the older version has."""
        return self._data["techniques"]  # type: ignore[no-any-return]

    @property
    def older(self) -> str:
        """Version of descriptions and relations."""
        return str(self._data["version"])

    def sources(self) -> list[dict[str, str]]:
        newer = {"name": "MITRE ATT&CK", "version": self.catalog.version, "date": self.catalog.date}
        return [newer, source("MITRE ATT&CK (descriptions, relations)", self._data)]

    @cached_property
    def _used_by(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for user, used in self._data["uses"].items():
            for number in used:
                found[number].append(user)
        return found

    def counted(self) -> dict[str, int]:
        """How many entries there are of each kind, without those that are revoked or deprecated."""
        active = [each for each in self.catalog.techniques.values() if each.status == "active"]
        parts = sum(each.parent_id is not None for each in active)
        found = {"tactics": len(self.tactics), "techniques": len(active) - parts, "sub-techniques": parts}
        objects = [row for row in self.objects.values() if "status" not in row]
        for name, kinds in (("groups", ("group",)), ("software", ("malware", "tool")), ("campaigns", ("campaign",)),
                            ("mitigations", ("mitigation",))):  # fmt: skip
            found[name] = sum(row["kind"] in kinds for row in objects)
        return found

    def all_of(self, name: str) -> list[Row]:
        """All entries of a kind, without those that are revoked or deprecated."""
        kinds = ("malware", "tool") if name == "software" else (name.removesuffix("s"),)
        numbers = [number for number, row in self.objects.items() if row["kind"] in kinds and "status" not in row]
        return self.briefs(sorted(numbers))

    def description(self, number: str) -> str:
        if number in self._data["techniques"]:
            return str(self._data["techniques"][number][1])
        return str(self.objects.get(number, {}).get("description") or "")

    def name(self, number: str) -> str:
        """A technique's with its parent's before it."""
        if technique := self.catalog.techniques.get(number):
            return self.catalog.label(technique)
        if number in self.tactics:
            return self.tactics[number][1]
        return str(self.objects.get(number, {}).get("name", ""))

    def brief(self, number: str) -> Row:
        """Id, name, kind; and for a technique that is not current: what took its place."""
        row: Row = {"id": number, "name": self.name(number), "kind": self.kind(number)}
        if (technique := self.catalog.techniques.get(number)) and technique.status != "active":
            row["status"] = technique.status
            row["current"] = current.id if (current := self.catalog.current(number)) else None
        return row

    def briefs(self, numbers: list[str]) -> list[Row]:
        return [self.brief(number) for number in numbers]

    def kind(self, number: str) -> str:
        return str(self.objects[number]["kind"]) if number in self.objects else kind_of(number)

    def users(self, number: str, kinds: str) -> list[str]:
        """Who uses a technique or a software: `kinds` are the letters that ids begin with."""
        return [user for user in self._used_by.get(number, ()) if user[0] in kinds]

    def used(self, number: str, kinds: str) -> list[str]:
        return [each for each in self._data["uses"].get(number, ()) if each[0] in kinds]

    def is_related(self, begin: str, end: str) -> bool:
        """Whether one uses, mitigates, or (a campaign) is attributed to the other."""
        return any(
            each in self._data["uses"].get(begin, ())
            or begin in self._data["mitigates"].get(each, ())
            or each in self._data["attributed_to"].get(begin, ())
            for each in self.related_as(end)
        )

    def related_as(self, number: str) -> list[str]:
        """The ids under which the older version has the relations of an entry.

        It knows a technique that is new since by those whose place it took, one that it revoked itself by the one
        that it put there. The one of the same name comes first.
        """
        technique = self.catalog.techniques.get(number)
        if technique is None or self._has_relations(number):
            return [number]
        current = self.catalog.current(number)
        ids = self.replaced(number) if technique.status == "active" else [current.id] if current else []
        found = [each for each in ids if self._has_relations(each)]
        return sorted(found, key=lambda each: self.catalog.techniques[each].name != technique.name) or [number]

    def _has_relations(self, number: str) -> bool:
        return bool(number in self._used_by or number in self._data["mitigates"] or number in self._data["detects"])

    def mitigations(self, technique: str) -> list[Row]:
        told: dict[str, str] = self._data["mitigates"].get(technique, {})
        return [self.brief(number) | {"how": how} for number, how in told.items()]

    def mitigated(self, mitigation: str) -> list[str]:
        return [technique for technique, told in self._data["mitigates"].items() if mitigation in told]

    def detection(self, technique: str) -> Row | None:
        if not (found := self._data["detects"].get(technique)):
            return None
        number, name, analytics = found
        rows = [{"platforms": p, "looks_for": text, "logged": logged} for p, text, logged in analytics]
        return {"id": number, "name": name, "analytics": rows}

    def technique_of_detection(self, number: str) -> str | None:
        return next((technique for technique, row in self._data["detects"].items() if row[0] == number), None)

    def campaigns(self, group: str) -> list[str]:
        return [campaign for campaign, groups in self._data["attributed_to"].items() if group in groups]

    def attributed(self, campaign: str) -> list[str]:
        return list(self._data["attributed_to"].get(campaign, ()))

    def subtechniques(self, number: str) -> list[str]:
        return [each.id for each in self.catalog.techniques.values()
                if each.parent_id == number and each.status == "active"]  # fmt: skip

    def of_tactic(self, short: str) -> list[str]:
        return [each.id for each in self.catalog.techniques.values()
                if each.status == "active" and short in each.tactics]  # fmt: skip

    def replaced(self, number: str) -> list[str]:
        """Techniques in whose place this one stands, directly or not."""
        revoked = [each.id for each in self.catalog.techniques.values() if each.status == "revoked"]
        return [each for each in revoked if (now := self.catalog.current(each)) and now.id == number]

    def chain(self, technique: Technique) -> list[str]:
        """From a revoked one, step by step, to the one that stands now."""
        steps, seen = [technique.id], {technique.id}
        while (following := self.catalog.techniques[steps[-1]].revoked_by) and following not in seen:
            steps.append(following)
            seen.add(following)
        return steps

    def record(self, number: str) -> Row | None:
        """All that is told of an entry itself."""
        if technique := self.catalog.techniques.get(number):
            return self._technique(technique)
        if number in self.tactics:
            short, name = self.tactics[number]
            was = self.older_tactics.get(number, ["", name])[1]
            return {"id": number, "kind": "tactic", "name": name, "short": short} | (
                {"was": was} if was != name else {}
            )
        if row := self.objects.get(number):
            more = {"revoked_by": self._data["revoked_by"][number]} if number in self._data["revoked_by"] else {}
            return {"id": number, **row, **more, "url": _url(row["kind"], number)}
        return None

    def _technique(self, technique: Technique) -> Row:
        platforms, description = self._data["techniques"].get(technique.id, [[], ""])
        row: Row = {
            "id": technique.id,
            "kind": "technique",
            "name": technique.name,
            "label": self.catalog.label(technique),
            "parent": technique.parent_id,
            "status": technique.status,
            "tactics": [
                self.catalog.tactics[short].name if short in self.catalog.tactics else short.replace("-", " ").title()
                for short in technique.tactics
            ],
            "platforms": platforms,
            "description": description,
            "subtechniques": self.briefs(self.subtechniques(technique.id)),
            "replaced": self.replaced(technique.id),
            "url": _url("technique", technique.id),
        }
        if technique.status != "active":
            row["chain"] = self.chain(technique)
            current = self.catalog.current(technique.id)
            row["current"] = self.brief(current.id) if current else None
        return row

    def older_name_of_tactic(self, phrase: str) -> str | None:
        """The id of a tactic that had this name in the older version, and has another now."""
        wanted = normal(phrase)
        return next((number for number, (_, name) in self.older_tactics.items() if normal(name) == wanted), None)

    def in_descriptions(self, phrase: str, limit: int = 10) -> list[str]:
        """Ids of entries whose description has all words of the phrase."""
        words = normal(phrase).split()
        if not words:
            return []
        found = []
        texts = [(number, row[1]) for number, row in self._data["techniques"].items()]
        texts += [(number, row["description"]) for number, row in self.objects.items()]
        for number, text in texts:
            told = text.casefold()
            if all(word in told for word in words) and set(words) <= set(normal(text).split()):
                found.append(number)
        return [number for number in found if not self.brief(number).get("status")][:limit]


def _url(kind: str, number: str) -> str:
    folder = {"technique": "techniques", "group": "groups", "campaign": "campaigns", "mitigation": "mitigations"}
    return f"https://attack.mitre.org/{folder.get(kind, 'software')}/{number.replace('.', '/')}"


@cache
def attack() -> Attack:
    return Attack()
