"""`local_server.check`: prompts of a file, asked over the protocol; what must be in the answers was derived by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from secgemini_jupyter.local_server import check
from secgemini_jupyter.local_server.checks import BadPrompts, Question, read_cases

NOTE = b"Beacon to evil[.]example[.]com and 203.0.113[.]77.\n"
# sha1 of "abc": FIPS 180, appendix A. 6.1: the specification's example 8.1 of CVSS 3.1.
GOOD: list[dict[str, Any]] = [
    {"id": "dictated", "prompt": "just output the word 'fulmicotone', nothing else", "exact": "fulmicotone"},
    {
        "id": "score",
        "prompt": "Score CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N",
        "must_contain": ["6.1", "MEDIUM", ["nothing", "re:^\\*\\*6\\.1"]],
        "must_not_contain": ["7.5"],
    },
    {
        "prompt": "Pull the IOCs out of note.txt",
        "attachments": [
            {"name": "note.txt", "path": "files/a.txt", "sha256": hashlib.sha256(NOTE).hexdigest(), "origin": "own"}
        ],
        "must_contain": ["evil.example.com", "203.0.113.77"],
        "tools": "extract_iocs",
        "expected": "both, refanged",
    },
    {
        "id": "turns",
        "prompt": [
            {"prompt": "Only the sha1 of 'abc'", "exact": "a9993e364706816aba3e25717850c26c9cd0d89d"},
            "Reply with exactly 'done'",
        ],
        "exact": " done\n",
    },
]
BAD: list[dict[str, Any]] = [
    {"id": "wrong-word", "prompt": "just output the word 'fulmicotone', nothing else", "exact": "dynamite"},
    {
        "id": "wrong-score",
        "prompt": ["Reply with exactly 'x'", "Score CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"],
        "must_contain": ["9.8", ["a", "no such text"]],
        "must_not_contain": ["re:med.um"],
    },
]


def write(folder: Path, entries: Any) -> Path:
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "a.txt").write_bytes(NOTE)
    path = folder / "prompts.json"
    path.write_text(json.dumps(entries))
    return path


@pytest.fixture
def options(local_service: Any, tmp_path: Path) -> list[str]:
    key = tmp_path / "key"
    key.write_text(local_service.key)
    key.chmod(0o600)
    return ["--url", local_service.ws, "--api-key-file", str(key), "--model", "local-analyst-1"]


def test_right_answers_pass(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(write(tmp_path, GOOD)), *options]) == 0
    assert capsys.readouterr().out == "4 passed, 0 failed\n"


def test_wrong_ones_are_told_one_a_line(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(write(tmp_path, [*BAD, GOOD[0], {"id": "all", "prompt": "hi"}])), *options]) == 1
    word, score, unsaid, last = capsys.readouterr().out.splitlines()
    assert word == "wrong-word: is not 'dynamite'. Answer: 'fulmicotone'"
    assert score.startswith("wrong-score (prompt 2): lacks '9.8'; holds 're:med.um'. Answer: '**6.1 Medium**")
    assert unsaid.startswith("all: nothing says what a right answer holds (must_contain,")
    assert last == "1 passed, 3 failed"


def test_no_control_character_of_a_file_reaches_the_terminal(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    case = {"id": "x\x1b]0;evil\x07\x1b[2J", "prompt": "hi", "must_contain": ["\x1b[31mred"]}
    assert check.main([str(write(tmp_path, [case])), *options]) == 1
    said = capsys.readouterr().out
    assert said.endswith("0 passed, 1 failed\n")
    assert said.replace("\n", "").isprintable()


def test_no_session_is_left(tmp_path: Path, options: list[str], api: Any) -> None:
    before = api.get("/v1/session/list")
    check.main([str(write(tmp_path, GOOD[:1])), *options])
    assert api.get("/v1/session/list") == before


def test_a_service_that_is_not_there_fails_the_prompt(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    options[1] = "http://127.0.0.1:9"
    assert check.main([str(write(tmp_path, GOOD[:1])), *options]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("dictated: ConnectError")
    assert said[1] == "0 passed, 1 failed"


@pytest.mark.slow
def test_without_an_address_it_starts_a_service_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(write(tmp_path, [*GOOD, BAD[0]])), "--jobs", "1"]) == 1
    assert capsys.readouterr().out.endswith("\n4 passed, 1 failed\n")


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"id": "x"}, "is no list of prompts"),
        ([], "holds no prompt"),
        ([{"id": "x"}], "is no list of prompts"),
        ([{"id": "x", "prompt": " "}], "x has an empty prompt"),
        ([{"id": "x", "prompt": []}], "x has an empty prompt"),
        ([{"id": "x", "prompt": "a", "must_contain": ["re:("]}], "x has a pattern that cannot be read: '('"),
        ([{"prompt": "a", "exact": "a", "attachments": [{"path": "none.txt"}]}], "none.txt cannot be read"),
        (
            [{"prompt": "a", "exact": "a", "attachments": [{"path": "files/a.txt", "sha256": "0" * 64}]}],
            "its SHA-256 differs",
        ),
        ([{"prompt": "a", "must_contan": ["a"]}], "has a field 'must_contan': is 'must_contain' meant?"),
        ([{"prompt": [{"prompt": "a", "exct": "a"}], "exact": "a"}], "has a field 'exct'"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_clear_line(
    tmp_path: Path, entries: Any, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main([str(write(tmp_path, entries))]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert told in line


def test_an_address_or_a_key_that_makes_no_sense_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SECGEMINI_SERVE_API_KEY", raising=False)
    path = str(write(tmp_path, GOOD[:1]))
    assert check.main([path, "--url", "http://127.0.0.1:9"]) == 2
    assert check.main([path, "--url", "127.0.0.1", "--api-key-file", str(tmp_path / "none")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_missing_keys_are_no_fault(tmp_path: Path) -> None:
    (case,) = read_cases(write(tmp_path, [{"prompt": "a", "attachments": [{"path": "files/a.txt"}]}]))
    assert (case.id, case.files) == ("1", [("a.txt", NOTE)])
    assert case.questions[0].missed("anything") == []
    with pytest.raises(BadPrompts):
        read_cases(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("expected", "answer", "wrong"),
    [
        (Question(prompt="", must_contain=["STRASSE"]), "die Straße", []),
        (Question(prompt="", must_contain=[["a", "b"]]), "c", ["lacks 'a' or 'b'"]),
        (Question(prompt="", must_contain=["re:^b$"]), "a\nB\nc", []),
        (Question(prompt="", exact="a"), "  a\n", []),
        (Question(prompt="", exact="a"), "A", ["is not 'a'"]),
    ],
)
def test_what_counts_as_contained(expected: Question, answer: str, wrong: list[str]) -> None:
    assert expected.missed(answer) == wrong
