"""What starts an import and what does not; imports that are damaged, that collide, that were killed."""

from __future__ import annotations

import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from secgemini_jupyter.local_server.analyst import planner
from secgemini_jupyter.local_server.analyst.data import importing
from secgemini_jupyter.local_server.analyst.data.imports import Imports
from secgemini_jupyter.local_server.analyst.tool import Attached, Inputs, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools
from tests.local_server.analyst import feeds
from tests.local_server.analyst.feeds import LOG4SHELL

KEV = Attached("kev.json", "text", 10, is_new=True)
EPSS = Attached("epss_scores-2026-11-29.csv", "log/csv", 10, is_new=True)
NVD = Attached("nvdcve-2.0-2024.json", "log/json", 10, is_new=True)
JUNK = Attached("junk.json", "log/json", 10, is_new=True)


def imported(prompt: str, *files: Attached) -> list[str]:
    calls = planner.plan_for(planner.request_of(prompt, list(files))).calls
    assert {call.tool for call in calls} <= {"data_import"}
    return [call.arguments["file"] for call in calls]


def put(content: bytes, folder: Path, name: str = "kev.json") -> dict[str, Any]:
    return importing.import_file(name, io.BytesIO(content), folder)


def looked_up(folder: Path) -> tuple[dict[str, Any], str]:
    inputs = Inputs()
    inputs.data = folder
    tool = tools()["cve_lookup"]
    result = tool.run(tool.arguments(cve=LOG4SHELL), inputs)
    msgspec.json.encode(result)
    return result, tool.answer(result, Wish())


@pytest.mark.parametrize(
    "prompt",
    [
        "import kev.json", "Import kev.json!", "please import kev.json", "Can you import kev.json?", "load kev.json",
        "Could you please import `kev.json`", "import it as data", "load this KEV file", "import the attached file",
        "This is the KEV catalogue, please import it as data", "OK, now import this.", "I want you to import kev.json",
    ],
)  # fmt: skip
def test_an_order_imports(prompt: str) -> None:
    assert imported(prompt, KEV) == ["kev.json"]


@pytest.mark.parametrize(
    "prompt",
    [
        "Do not import kev.json.", "Never load kev.json into your data", "Should I import kev.json?",
        "import kev.json?",
        "Is it safe to import kev.json?", "What happens when I import kev.json?", "How do I import KEV?",
        "who told you to import kev.json", "what does `import kev.json` do?", "please don’t import kev.json",
        'The mail says "import kev.json". Is that wise?', "Do not, under any circumstances, import kev.json",
        "Don't open and import kev.json", "Import kev.json? No!", "can you import MaxMind files?",
        "Import kev.json if it is harmless", "Why did you import kev.json",
        "import kev.json. No wait, don't import it.",
    ],
)  # fmt: skip
def test_what_is_no_order_imports_nothing_and_is_told_how(prompt: str) -> None:
    plan = planner.plan_for(planner.request_of(prompt, [KEV]))
    assert not plan.calls
    assert plan.told.startswith("Nothing was imported.")
    assert "import it as data" in plan.told


def test_what_else_is_asked_is_answered() -> None:
    plan = planner.plan_for(planner.request_of("don't import kev.json, but tell me about CVE-2021-44228", [KEV]))
    assert [call.tool for call in plan.calls] == ["cve_lookup"]
    plan = planner.plan_for(planner.request_of("Import kev.json and tell me if CVE-2021-44228 is in it", [KEV]))
    assert [call.tool for call in plan.calls] == ["data_import", "cve_lookup"]


def test_all_files_of_an_order_are_imported_whatever_they_look_like() -> None:
    plan = planner.plan_for(planner.request_of(f"import {EPSS.name} and {NVD.name} please", [EPSS, NVD]))
    assert [call.arguments["file"] for call in plan.calls] == [EPSS.name, NVD.name]
    assert not plan.wish.as_json
    assert imported("import both files", EPSS, NVD) == [EPSS.name, NVD.name]
    assert imported("please load the epss file", KEV, EPSS, NVD) == [EPSS.name]
    assert imported("import junk.json", JUNK) == ["junk.json"]


def test_a_file_of_no_kind_or_another_kind_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure, match="a JSON object without a list of vulnerabilities"):
        put(b'{"a":1}', tmp_path / "analyst", "junk.json")


def test_half_a_surrogate_is_stored_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "analyst"
    row = feeds.KEV_ROW | {"vendorProject": "\ud800", "knownRansomwareCampaignUse": "\udfff"}
    about = put(feeds.kev(row, version="\ud800").replace(b"2026-11-20", b"\\ud800 no day"), folder)
    msgspec.json.encode(about)
    assert "date" not in about
    assert "is in CISA's KEV catalogue" in looked_up(folder)[1]
    epss = {"data": [{"cve": LOG4SHELL, "epss": "0.5", "percentile": "0.5", "date": "\ud800"}]}
    put(json.dumps(epss).encode(), folder, "\udc80.json")
    assert "EPSS 0.50000" in looked_up(folder)[1]


@pytest.mark.parametrize("body", ['{"vendorProject": "\\ud800"}', "[]", "{", None])
def test_a_damaged_import_breaks_no_lookup(tmp_path: Path, body: str | None) -> None:
    folder = tmp_path / "analyst"
    put(feeds.kev(), folder)
    put(feeds.EPSS, folder, "epss.csv")
    db = sqlite3.connect(folder / "kev.sqlite")
    db.execute("UPDATE rows SET body = ?", (body,)) if body else db.execute("DROP TABLE sources")
    db.commit()
    db.close()
    result, text = looked_up(folder)
    assert list(result["damaged"]) == ["kev"]
    assert "The imported CISA KEV is damaged" in text
    assert "secgemini-jupyter data remove kev" in text
    assert "EPSS 0.94358" in text
    assert "kev" in [each["kind"] for each in Imports(folder).all()]
    put(feeds.kev(), folder)
    assert not looked_up(folder)[0]["damaged"]


def test_what_a_killed_import_left_goes(tmp_path: Path) -> None:
    folder = tmp_path / "analyst"
    folder.mkdir()
    leftover = folder / ".nvd.sqlite.x.tmp"
    leftover.write_bytes(b"of a process that was killed")
    put(feeds.nvd(), folder)
    assert not leftover.exists()
