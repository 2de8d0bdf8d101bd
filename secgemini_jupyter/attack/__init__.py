"""MITRE ATT&CK® (Enterprise): names, tactics and revocations of techniques, from a file that comes with the package.

`scripts/attack_data.py` makes the file; its version and date are in it, and belong into whatever is told of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

__all__ = ["Catalog", "Status", "Tactic", "Technique", "catalog"]

Status = Literal["active", "revoked", "deprecated"]


@dataclass(frozen=True, slots=True)
class Tactic:
    """`TA0002`, "Execution"."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique or sub-technique.

    Attributes:
        name: of a sub-technique without its parent's: "PowerShell".
        tactics: short names ("defense-impairment"). Those that a revoked or deprecated one had last.
        revoked_by: the id that took its place, which may be revoked itself: see `Catalog.current`.
    """

    id: str
    name: str
    tactics: tuple[str, ...]
    status: Status = "active"
    revoked_by: str | None = None

    @property
    def parent_id(self) -> str | None:
        """`T1059` of `T1059.001`."""
        parent, dot, _ = self.id.partition(".")
        return parent if dot else None


@dataclass(frozen=True)
class Catalog:
    """All techniques of one version.

    Attributes:
        date: of the last change in the data, `YYYY-MM-DD`.
        notice: MITRE's copyright designation: whatever shows the data shows it.
        tactics: by short name.
        techniques: by id.
    """

    version: str
    date: str
    notice: str
    domain: str
    tactics: Mapping[str, Tactic]
    techniques: Mapping[str, Technique]

    def current(self, technique_id: str) -> Technique | None:
        """The technique that stands for `technique_id` now; None where it is not known, or nothing took its place."""
        technique = self.techniques.get(technique_id)
        seen: set[str] = set()
        while technique is not None and technique.status != "active":
            if technique.revoked_by is None or technique.id in seen:
                return None
            seen.add(technique.id)
            technique = self.techniques.get(technique.revoked_by)
        return technique

    def label(self, technique: Technique) -> str:
        """`Command and Scripting Interpreter: PowerShell`"""
        parent = self.techniques.get(technique.parent_id or "")
        return f"{parent.name}: {technique.name}" if parent else technique.name


@cache
def catalog() -> Catalog:
    """The catalog of the package, read once."""
    data = json.loads(files(__name__).joinpath("techniques.json").read_text("utf-8"))
    return Catalog(
        version=data["version"],
        date=data["date"],
        notice=data["notice"],
        domain=data["domain"],
        tactics={name: Tactic(**tactic) for name, tactic in data["tactics"].items()},
        techniques={
            number: Technique(number, row["name"], tuple(row["tactics"]), row.get("status", "active"),
                              row.get("revoked_by"))
            for number, row in data["techniques"].items()
        },
    )  # fmt: skip
