"""cwe_lookup on the data of the package. Facts: cwe2 3.0.0 (CWE 4.14, 2024-02-29)."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from secgemini_jupyter.local_server.analyst import planner
from secgemini_jupyter.local_server.analyst.data.cwe import cwe
from secgemini_jupyter.local_server.analyst.data.packed import load
from secgemini_jupyter.local_server.analyst.tool import Attached, Inputs, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.tools.cwe import TOOLS, CweArguments

(TOOL,) = TOOLS


def run(query: str, about: Any = "record", other: str | None = None) -> dict[str, Any]:
    return TOOL.run(CweArguments(query=query, about=about, other=other), Inputs())


def told(query: str, about: Any = "record", other: str | None = None, wish: Wish | None = None) -> str:
    return TOOL.answer(run(query, about, other), wish or Wish())


def asked(prompt: str, attachments: list[Attached] | None = None) -> list[dict[str, Any]]:
    return [call.arguments for call in TOOL.plan(planner.request_of(prompt, attachments or []))]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("CWE-79", "79"), ("cwe 79", "79"), ("CWE‑79", "79"), ("79", "79"), ("weakness 79", "79"), ("CWE-079", "79"),
        ("sql injection", "89"), ("SQLi", "89"), ("path traversal", "22"), ("XSS", "79"),
        ("cross site scripting", "79"),
        ("use after free", "416"), ("use-after-free", "416"), ("CSRF", "352"), ("SSRF", "918"), ("XXE", "611"),
        ("IDOR", "639"), ("command injection", "77"), ("OS command injection", "78"),
        ("hard-coded credentials", "798"),
        ("insecure deserialization", "502"), ("race condition", "362"), ("open redirect", "601"),
        ("null pointer dereference", "476"), ("heap overflow", "122"),
    ],
)  # fmt: skip
def test_a_weakness_is_found_by_id_name_or_words(query: str, number: str) -> None:
    assert run(query)["entry"]["id"] == f"CWE-{number}"


def test_a_weakness_is_told_with_its_parent_status_and_version() -> None:
    text = told("CWE-79")
    for fact in ("('Cross-site Scripting')** (CWE 4.14): Base, Stable", "child of CWE-74", "XSS", "CVE-2021-25926",
                 "in the CWE Top 25 of 2019, 2020, 2021, 2022, 2023", "Bypass Protection Mechanism"):  # fmt: skip
        assert fact in text
    assert run("CWE-79")["sources"] == [{"name": "CWE", "version": "4.14", "date": "2024-02-29"}]


def test_examples_are_told_in_full_where_they_are_asked_for() -> None:
    result = run("CWE-79", "examples")
    assert [row["cve"] for row in TOOL.items(result)][:2] == ["CVE-2021-25926", "CVE-2021-25963"]
    assert len(TOOL.items(result)) == 18
    assert "CVE-2006-3295" in TOOL.answer(result, Wish())
    (table,) = TOOL.payloads(result)
    assert len(table.content["rows"]) == 18
    assert told("CWE-79", "examples", wish=Wish(only="cve")).splitlines()[0] == "CVE-2021-25926"


def test_parents_and_children_come_from_the_research_view() -> None:
    assert [row["id"] for row in TOOL.items(run("CWE-79", "parents"))] == ["CWE-74"]
    assert "CWE-80" in {row["id"] for row in TOOL.items(run("CWE-79", "children"))}
    assert "names no children of CWE-80" in told("CWE-80", "children")
    assert "a pillar, which has no parent" in told("CWE-707")


def test_two_are_compared() -> None:
    assert told("CWE-79", other="CWE-80").startswith("CWE-80 is a child of CWE-79.")
    assert told("CWE-80", other="CWE-74").startswith("CWE-80 is a descendant (2 steps) of CWE-74.")
    assert told("CWE-79", other="CWE-89").startswith("Both descend from CWE-74 ")
    assert told("CWE-79", other="CWE-416").startswith("They have no ancestor in common")
    with pytest.raises(ToolFailure, match="no single entry 'CWE-9999'"):
        run("CWE-79", other="CWE-9999")


def test_what_is_no_weakness_is_said_to_be_none() -> None:
    assert "**`CWE-9999` is not** in CWE 4.14" in told("CWE-9999")
    assert "is a **view** of CWE 4.14" in told("CWE-1000")
    assert "is a **category** of CWE 4.14" in told("CWE-1211")
    assert "It is **deprecated**" in told("CWE-1187")
    assert "Did you mean:\n\n- CWE-89 " in told("sql injektion")
    assert "fits 2 weaknesses" in told("integer overflow")
    assert "CWE-1425 Weaknesses in the 2023 CWE Top 25" in told("in the 2023 Top 25")
    assert "named in examples that CWE gives:\n\n- CVE-2021-44228 (CWE-74, CWE-917)" in told("log4shell")


def test_cves_lead_to_the_weaknesses_that_they_are_examples_of() -> None:
    assert [row["id"] for row in cwe().examples_with("CVE-2021-44228")] == ["CWE-74", "CWE-917"]
    assert cwe().cves == 2032
    assert (len(cwe().weaknesses), cwe().version) == (963, "4.14")


@pytest.mark.parametrize(
    ("prompt", "calls"),
    [
        ("What is CWE-79?", [{"query": "CWE-79", "about": "record"}]),
        ("which CVEs are examples of CWE-79", [{"query": "CWE-79", "about": "examples"}]),
        ("parent of cwe 79", [{"query": "CWE-79", "about": "parents"}]),
        ("Compare CWE-79 and CWE-80", [{"query": "CWE-79", "other": "CWE-80"}]),
        ("Which CWE is SQL injection?", [{"query": "SQL injection", "about": "record"}]),
        ("What's the CWE for path traversal?", [{"query": "path traversal", "about": "record"}]),
        ("What is XSS?", [{"query": "XSS", "about": "record"}]),
        ("use after free?", [{"query": "use after free", "about": "record"}]),
        ("What weakness is a buffer overflow?", [{"query": "buffer overflow", "about": "record"}]),
        ("map SQL injection to CWE", [{"query": "SQL injection", "about": "record"}]),
        ("explain CWE-79 and CVE-2021-44228", [{"query": "CWE-79", "about": "record"}]),
        ("Is CWE-79 a child of CWE-74?", [{"query": "CWE-79", "other": "CWE-74"}]),
        ("CWE-22, CWE-78", [{"query": "CWE-22", "about": "record"}, {"query": "CWE-78", "about": "record"}]),
    ],
)
def test_what_a_prompt_asks_of_cwe(prompt: str, calls: list[dict[str, Any]]) -> None:
    assert asked(prompt) == calls


@pytest.mark.parametrize(
    "prompt",
    [
        "Pull the IOCs out of this report:\nCWE-79 and CVE-2021-44228",
        "What do you know about CVE-2021-44228?",
        "Which CWE is CVE-2021-44228?",
        "What happened?\nscanner found CWE-89 in /login",
        "What is the most common weakness this week in the world of all?",
        "What is kerberoasting?",
        "What is our weakness?",
        "What is CWE 4.14?",
        "Which CWE version?",
    ],
)
def test_what_asks_nothing_of_cwe(prompt: str) -> None:
    assert asked(prompt) == []


def test_a_question_about_what_is_attached_asks_nothing_of_cwe() -> None:
    log = [Attached("access.log", "log/clf", 10)]
    assert asked("SQL injection?", log) == []
    assert asked("What is SQL injection?", log) == [{"query": "SQL injection", "about": "record"}]


def test_the_data_comes_with_its_terms_and_names_its_source() -> None:
    data = load("cwe")
    path = files("secgemini_jupyter.local_server.analyst.data").joinpath("LICENSES.txt")
    licences = " ".join(path.read_text("utf-8").split())
    assert data["notice"] in licences
    assert "MITRE hereby grants you a non-exclusive, royalty-free license to use CWE" in licences
    assert "{name} {version}".format(**data["source"]) in licences


@pytest.mark.slow
def test_the_files_are_what_the_package_gives() -> None:
    """Slow: it downloads 9 MB."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "scripts/cwe_data.py", "--check"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
