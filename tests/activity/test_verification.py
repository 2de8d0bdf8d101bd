"""A chain of entries names what was edited, removed, repeated or put elsewhere; a kept head shows the rest."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.activity.entries import GENESIS, canonical, read_entry, seal
from secgemini_jupyter.activity.verification import Finding, Verification, check_lines, split_head
from secgemini_jupyter.errors import InputError


def chain(
    count: int, *, session_id: str = "s", first: int = 1, previous: str = GENESIS, words: str = ""
) -> list[bytes]:
    lines = []
    for number in range(first, first + count):
        fields = {"session_id": session_id, "activity": "prompt_sent", "details": {"sha256": f"{number}{words}"}}
        line, previous = seal(fields, number=number, previous=previous, at=1_800_000_000 + number)
        lines.append(line)
    return lines


def check(lines: list[bytes], **options: Any) -> Verification:
    return check_lines(b"".join(lines), subject="log", **options)


def found(result: Verification) -> list[tuple[str, int | None]]:
    return [(finding.problem, finding.entry) for finding in result.findings]


def edited(line: bytes, *, reseal: bool = False, **changes: Any) -> bytes:
    fields = json.loads(line) | changes
    if reseal:
        fields.pop("hash")
        fields["hash"] = hashlib.sha256(canonical(fields)).hexdigest()
    return canonical(fields) + b"\n"


def test_a_chain_as_it_was_written_is_whole() -> None:
    lines = chain(5)
    result = check(lines)
    assert result
    assert (result.entries, found(result)) == (5, [])
    assert result.head == f"5:{json.loads(lines[-1])['hash']}"
    assert check(lines, head=result.head)
    assert check([*lines, *chain(2, first=6, previous=json.loads(lines[-1])["hash"])], head=result.head)


def test_an_empty_log_is_whole_and_has_no_head() -> None:
    assert check([])
    assert check([]).head is None


@given(st.integers(0, 6), st.sampled_from(["at", "activity", "login", "session_id", "hash", "details"]))
def test_an_edited_entry_is_named(index: int, name: str) -> None:
    lines = chain(7)
    value: Any = {"sha256": "x"} if name == "details" else "0" * 64
    lines[index] = edited(lines[index], **{name: value})
    result = check(lines, session_id="s")
    assert found(result) == [("edited", index + 1)]
    assert result.findings[0].row == index + 1
    assert f"entry {index + 1}" in repr(result)
    assert not result
    assert result.head is None


@given(st.integers(0, 5))
def test_an_entry_that_was_written_anew_with_a_hash_that_fits_is_named_by_its_neighbours(index: int) -> None:
    lines = chain(7)
    lines[index] = edited(lines[index], reseal=True, activity="nothing")
    assert found(check(lines)) == [("edited", index + 1)]
    lines = chain(7)
    lines[index] = edited(lines[index], reseal=True, previous="1" * 64)
    assert found(check(lines)) == [("edited", index + 1)]


def test_of_the_last_two_both_are_named_in_doubt() -> None:
    lines = chain(3)
    lines[2] = edited(lines[2], reseal=True, previous="1" * 64)
    (finding,) = check(lines).findings
    assert (finding.problem, finding.entry) == ("edited", 2)
    assert "entry 2" in finding.detail
    assert "entry 3" in finding.detail


def test_the_last_one_written_anew_is_seen_by_a_kept_head_alone() -> None:
    lines = chain(3)
    head = check(lines).head
    lines[2] = edited(lines[2], reseal=True, activity="nothing")
    assert check(lines)
    assert found(check(lines, head=head)) == [("rewritten", 3)]


@given(st.integers(0, 5), st.integers(1, 3))
def test_removed_entries_are_named(index: int, count: int) -> None:
    lines = chain(10)
    del lines[index : index + count]
    result = check(lines)
    assert found(result) == [("removed", index + 1)]
    assert ("entry " if count == 1 else "entries ") + str(index + 1) in result.findings[0].detail


@given(st.permutations(range(8)))
def test_entries_out_of_order_are_named_and_the_others_are_not(order: list[int]) -> None:
    lines = chain(8)
    result = check([lines[index] for index in order], session_id="s")
    named = {finding.entry for finding in result.findings}
    assert {finding.problem for finding in result.findings} <= {"reordered"}
    rest = [index + 1 for index in order if index + 1 not in named]
    assert rest == sorted(rest)
    assert bool(result) == (list(order) == list(range(8)))


def test_one_entry_that_was_moved_is_the_one_named() -> None:
    lines = chain(6)
    lines.insert(0, lines.pop(4))
    assert found(check(lines)) == [("reordered", 5)]


def test_an_entry_that_stands_twice_is_named() -> None:
    lines = chain(4)
    assert found(check([*lines[:3], lines[1], lines[3]])) == [("repeated", 2)]


def test_a_line_that_is_no_entry_any_more_is_named_with_the_entry_that_is_missing() -> None:
    lines = chain(4)
    lines[1] = b"\x00garbage \xff\n"
    assert [(finding.problem, finding.row, finding.entry) for finding in check(lines).findings] == [
        ("removed", None, 2),
        ("edited", 2, None),
    ]


def test_an_entry_of_another_session_is_named() -> None:
    lines = chain(2) + chain(2, session_id="t", first=3, previous=json.loads(chain(2)[-1])["hash"])
    assert found(check(lines)) == [("edited", 3), ("edited", 4)]
    assert found(check(chain(1), session_id="t")) == [("edited", 1)]


@pytest.mark.parametrize(
    "spelling",
    [
        lambda line: line.replace(b'":"s"', b'": "s"'),
        lambda line: line.replace(b'"session_id":"s"', b'"session_id":"t","session_id":"s"'),
        lambda line: line.replace(b'"s"', b'"\\u0073"'),
        lambda line: line.replace(b"\n", b"\r\n"),
        lambda line: line.replace(b'"entry":2', b'"entry":2.0'),
    ],
)
def test_another_spelling_is_an_edit(spelling: Any) -> None:
    """A name that stands twice would else hide a value from one reader and not from the other."""
    lines = chain(3)
    lines[1] = spelling(lines[1])
    result = check(lines, session_id="s")
    assert not result
    assert any(finding.problem == "edited" and finding.row == 2 for finding in result.findings)


def test_a_log_that_was_cut_off_is_seen_by_a_kept_head_alone() -> None:
    lines = chain(5)
    head = check(lines).head
    assert check(lines[:3])
    assert found(check(lines[:3], head=head)) == [("truncated", 5)]
    assert found(check([], head=head)) == [("truncated", 5)]


def test_a_log_that_was_written_anew_is_seen_by_a_kept_head_alone() -> None:
    head = check(chain(5)).head
    forged = chain(7, words="forged")
    assert check(forged)
    assert found(check(forged, head=head)) == [("rewritten", 5)]


@pytest.mark.parametrize("head", ["", "5", "5:abc", "x:" + "0" * 64, 5, "5:" + "g" * 64])
def test_what_is_no_head_is_refused(head: Any) -> None:
    with pytest.raises(InputError, match="pass what head"):
        check(chain(5), head=head)
    assert split_head(f" 5:{'A' * 64}\n") == (5, "a" * 64)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{}", b"[1]", b"null", b"[" * 100_000, b'{"entry":NaN}', b"1" * 10_000,
        b'{"entry":true,"previous":"","hash":"%s"}' % (b"0" * 64),
        b'{"entry":1,"previous":"","hash":"%s","x":1e999}' % (b"0" * 64),
        b'{"entry":1,"previous":"","hash":"%s","x":%s1%s}' % (b"0" * 64, b"[" * 5000, b"]" * 5000),
        b'{"entry":%s,"previous":"","hash":"%s"}' % (b"9" * 4300, b"0" * 64),
        b'{"entry":1,"previous":"","hash":"x"}', b'{"entry":0,"previous":"","hash":"%s"}' % (b"0" * 64),
    ],
)  # fmt: skip
def test_a_line_of_anything_is_no_entry(line: bytes) -> None:
    assert read_entry(line) is None


def test_names_from_outside_are_written_in_ascii_and_cut() -> None:
    line, _ = seal({"details": {"name": "\ud800\n\x1b]0;" + "x" * 5000}}, number=1, previous=GENESIS, at=0)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert len(line) < 2000
    entry = read_entry(line.rstrip())
    assert entry
    assert entry.is_sound
    assert entry.fields["at"] == "1970-01-01T00:00:00.000000Z"


def test_the_findings_are_a_frame_with_the_same_dtypes_when_empty() -> None:
    lines = chain(4)
    table = check([lines[0], lines[2], lines[3]], session_id="s").to_frame()
    assert table[["problem", "where", "entry", "session_id"]].values.tolist() == [["removed", "log", 2, "s"]]
    assert check(lines).to_frame().dtypes.equals(table.dtypes)


def test_many_findings_are_shown_in_short() -> None:
    lines = chain(200)
    random.Random(1).shuffle(lines)
    result = check(lines)
    assert len(result.findings) > 100
    assert len(repr(result).splitlines()) < 25
    assert len(result.to_frame()) == len(result.findings)


def test_what_is_shown_of_a_finding_is_one_short_line() -> None:
    finding = Finding("edited", "the content of message " + "9" * 10_000)
    assert len(str(finding)) <= 300
    assert finding.detail in Verification("", findings=[finding]).to_frame()["detail"].tolist()
