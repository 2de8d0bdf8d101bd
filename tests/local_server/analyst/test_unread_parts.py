"""file_triage on what it cannot read to its end: nobody knows what is there, and the answer says so."""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from typing import Any

import msgspec
import pytest

from secgemini_jupyter.local_server.analyst.budget import budget
from secgemini_jupyter.local_server.analyst.planner import make_plan, request_of
from secgemini_jupyter.local_server.analyst.sniff import sniff
from secgemini_jupyter.local_server.analyst.tool import Attached
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.triage import triage
from secgemini_jupyter.local_server.analyst.triage.common import RUNS, Seen
from secgemini_jupyter.local_server.analyst.wishes import Wish
from tests.local_server.analyst.test_file_triage import read, triaged
from tests.local_server.analyst.test_members import zipped

TYPES = b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
ENTITIES = b'<!DOCTYPE a [<!ENTITY x "y">]>'


def document(body: bytes = b"<a/>", relations: bytes = b"<Relationships/>") -> bytes:
    parts = (
        ("[Content_Types].xml", TYPES),
        ("word/document.xml", body),
        ("word/_rels/document.xml.rels", relations),
    )
    return zipped(*parts)


def answer(result: dict[str, Any], wish: Wish | None = None) -> str:
    return tools()["file_triage"].answer(result, wish or Wish())


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (document(relations=b"<Relationships><Relationship"), "`word/_rels/document.xml.rels` could not be read"),
        (document(ENTITIES + b"<a>&x;</a>"), "`word/document.xml` was not read further"),
        (document(b"<a>" * 50), "`word/document.xml` could not be read"),
        (b"%PDF-1.4\n1 0 obj<</Type/Catalog/JS (((((", "the document's structure could not be read"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\xff" * 5000, "its directory of streams could not be read"),
    ],
)
def test_what_was_not_read_is_not_known(content: bytes, part: str) -> None:
    for about in ("macros", "external", "links", "javascript", "dde", "embedded", "runs", "safe", "encrypted"):
        told = answer(triaged(content, "it", about))
        if not told.startswith(("**No**: a", "**Yes**")):
            assert told.startswith("**Not known**: "), about
            assert part in told.partition("\n")[0]
    assert answer(triaged(content, "it", "macros"), Wish(one_word=True)) == "Unknown"
    assert "Error)" not in answer(triaged(content))


def test_what_was_read_to_its_end_is_told_as_before() -> None:
    told = answer(triaged(document(), "it", "macros", "external", "links"))
    assert told.startswith("**No macros** were found. **Nothing external** is loaded. **No links** were found")
    assert answer(triaged(document(), "it", "macros"), Wish(one_word=True)) == "No"


def test_the_properties_of_an_older_document_are_told() -> None:
    result = triaged(read("oletools", "excel4-macros/excel4_sample_macro.xls"), "it", "metadata")
    metadata = result["facts"]["metadata"]
    assert (metadata["creator"], metadata["lastModifiedBy"]) == ("user", "Philippe Lagadec")
    assert metadata["created"] == "2019-01-20 07:17:53 UTC"
    assert "`modified` `2021-10-11 21:01:22 UTC`" in answer(result).partition("\n")[0]
    attached = Attached("a.xls", "document/ole", 10)
    for asked in ("when was it last saved", "who saved it last?"):
        (call,) = make_plan(request_of(asked, [attached])).calls
        assert (call.tool, call.arguments["about"]) == ("file_triage", ["metadata"])


def test_the_name_of_a_part_is_data() -> None:
    content = zipped(("[Content_Types].xml", TYPES), ("word/document.xml", b"<a/>"), ("word/<b>*.xml", b"<a>"))
    assert "`word/<b>*.xml` could not be read to its end." in answer(triaged(content))


def test_very_many_relations_are_counted_as_no_fewer_than_they_are() -> None:
    each = b'<Relationship Type="oleObject" Target="http://x%d.example/" TargetMode="External"/>'
    relations = b"<Relationships>" + b"".join(each % n for n in range(500)) + b"</Relationships>"
    assert answer(triaged(document(relations=relations), "it", "external")).startswith(
        "**60 or more things loaded from elsewhere**"
    )


@pytest.mark.parametrize("end", ["time", "memory"])
def test_a_reader_that_is_stopped_leaves_what_is_known(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    def read(content: bytes, kind: str, name: str) -> Seen:
        seen = Seen("PDF document")
        seen.find(RUNS, "JavaScript", "app.alert(1)")
        if end == "memory":
            raise MemoryError
        while True:
            with contextlib.suppress(Exception):  # as libraries do
                zlib.crc32(content)

    monkeypatch.setattr(triage, "look_at", read)
    monkeypatch.setattr(triage, "SECONDS", 0.05)
    content = b"%PDF-1.4\n"
    result = triaged(content, "it", "javascript")
    assert result["sha256"] == hashlib.sha256(content).hexdigest()
    told = answer(result)
    assert told.startswith("**1 script**: `app.alert(1)`")
    assert "The rest of it was not read" in told


def test_a_budget_interrupts_a_regular_expression_and_is_over_then() -> None:
    import re

    with budget(0.05) as spent:
        re.match(r"(a|aa)+$", "a" * 60 + "b")
    assert spent.is_spent
    with budget(5.0) as spent, budget(0.0001) as within:
        sum(range(100_000))
    assert not spent.is_spent
    assert not within.is_spent


def test_a_word_in_the_bytes_is_no_script_and_a_late_beginning_is_one() -> None:
    content = b"x" * 900 + b"%PDF-1.4\n1 0 obj<</Type/Catalog/S/JavaScript/JS ((((endobj\nstartxref\n0"
    result = triaged(content, "it", "javascript")
    assert result["kind"] == "document/pdf"
    assert answer(result).startswith("**Perhaps**: the word /JavaScript occurs in its bytes, 1 time, and its structure")


def test_of_a_damaged_event_log_nobody_knows_who_logged_in() -> None:
    content = b"ElfFile\0" + b"\xff" * 4088 + b"ElfChnk\0" + b"\xff" * 5_000
    attached = Attached("x.evtx", sniff(content)["kind"], len(content))
    plan = make_plan(request_of("Which users failed to log on?", [attached]))
    assert [call.tool for call in plan.calls] == ["auth_timeline"]
    tool = tools()["auth_timeline"]
    result = tool.run(msgspec.convert(plan.calls[0].arguments, tool.arguments), {"x.evtx": content})
    assert tool.answer(result, Wish()).startswith("**Not known**: `x.evtx`")
