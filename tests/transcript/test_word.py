"""Word documents: what they say, and that they are text and tables alone."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript import word
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.exports import export
from secgemini_jupyter.transcript.turns import turn_slices
from secgemini_jupyter.transcript.word import to_docx
from tests.transcript.documents import EVIL, FILE, hostile, ordinary
from tests.transcript.frames import message, turn
from tests.transcript.strategies import few
from tests.transcript.strategies import messages as any_messages
from tests.transcript.test_reports import made


def opened(content: bytes) -> Any:
    import docx

    return docx.Document(io.BytesIO(content))


def words(content: bytes) -> str:
    document = opened(content)
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def active(content: bytes) -> list[str]:
    """Names of what a Word document could load or run: outside targets, fields, objects, macros, images of ours."""
    found = []
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        for name in parts.namelist():
            part = parts.read(name)
            found += [f"{name}: {mark.decode()}" for mark in (
                b'TargetMode="External"', b"<w:fldSimple", b"<w:instrText", b"<w:hyperlink", b"<w:object",
                b"<w:altChunk", b"<w:drawing", b"<w:pict", b"INCLUDEPICTURE",
            ) if mark in part]  # fmt: skip
            found += [name] if "vbaProject" in name or "embeddings" in name else []
    return found


def test_a_transcript_has_its_facts_files_and_turns() -> None:
    text = words(to_docx(ordinary()))
    for each in ("quiet-honeypot", "sec-gemini-stable", "kerberos.log", FILE.sha256, "Yes. web-7 runs 4.1.9",
                 "Is host web-7 exposed to CVE-2099-0001?", "turn 1, 2025-10-09 08:55:00 UTC"):  # fmt: skip
        assert each in text, each


def test_markdown_becomes_paragraphs_lists_tables_and_code() -> None:
    said = (
        "# Head\n\nA **bold** `code` [here](https://evil.com/x).\n\n- one\n  1. two\n\n"
        "|a|b|\n|-|-|\n|1|evil.com|\n\n```\nx = 1\n```"
    )
    messages = [*turn()[:1], message("result", "agent_done", said, id="r", at=1)]
    document = opened(to_docx(Transcript(turns=turn_slices(messages))))
    styles = {paragraph.text: paragraph.style.name for paragraph in document.paragraphs}
    assert styles["one"] == "List Bullet"
    assert styles["two"] == "List Number 2"
    (line,) = [each for each in document.paragraphs if each.text == "A bold code here (hxxps://evil[.]com/x)."]
    assert [run.text for run in line.runs if run.bold] == ["bold"]
    assert [cell.text for row in document.tables[-1].rows for cell in row.cells] == ["a", "b", "1", "evil[.]com"]
    assert any(each.text == "x = 1" and each.runs[0].font.name == "Consolas" for each in document.paragraphs)


def test_each_list_counts_from_its_own_start_and_on_its_level() -> None:
    said = (
        "1. a\n   - b\n\n     more\n     1. c\n        1. d\n2. e\n\nThen:\n\n1. f\n\nAnd:\n\n7. g\n\n"
        "|x|\n|-|\n|[y](https://evil.com/z)|"
    )
    messages = [turn()[0], message("result", "agent_done", said, id="r", at=1)]
    document = opened(to_docx(Transcript(turns=turn_slices(messages))))
    styles = {each.text: each.style.name for each in document.paragraphs}
    assert [styles[each] for each in ("a", "b", "more", "c", "d", "e")] == [
        "List Number", "List Bullet 2", "List Continue 2", "List Number 3", "List Number 3", "List Number",
    ]  # fmt: skip
    numbers = document.part.numbering_part.element
    own = {
        each.text: each._p.pPr.numPr.numId.val
        for each in document.paragraphs
        if each._p.pPr is not None and each._p.pPr.numPr is not None
    }
    assert len({own[each] for each in "acdfg"}) == 5
    assert own["a"] == own["e"]
    starts = [numbers.num_having_numId(own[each]).xpath("w:lvlOverride/w:startOverride/@w:val") for each in "afg"]
    assert starts == [["1"], ["1"], ["7"]]
    assert document.tables[-1].rows[1].cells[0].text == "y (hxxps://evil[.]com/z)"


def test_a_report_has_its_parts(tmp_path: Path) -> None:
    whole = made(scope="Is **web-7** exposed?", head="12 abc")
    content = whole.save(tmp_path / "a.docx").read_bytes()
    titles = [each.text for each in opened(content).paragraphs if each.style.name == "Heading 1"]
    assert titles == ["Scope", "Evidence", "Findings", "Indicators", "Timeline", "Appendix: prompts and answers"]
    found = [message("query", "query", "10.0.0.9 and T1562.001", id="q", at=0)]
    told = words(made(Transcript(turns=turn_slices(found))).save(tmp_path / "t.docx").read_bytes())
    assert "Remarks\n" in told
    assert "private" in told
    assert "revoked by T1685" in told
    for each in ("12 abc", "same as sent from here", "CVE-2099-0001", "It was not checked by a person."):
        assert each in words(content), each
    with pytest.raises(InputError, match="leave template= out"):
        made(template="other").save(tmp_path / "b.docx")
    assert not (tmp_path / "b.docx").exists()


def test_hostile_documents_are_text(tmp_path: Path) -> None:
    report = made(hostile(), title=EVIL, scope=EVIL, findings=EVIL, head=EVIL).save(tmp_path / "r.docx")
    for content in (to_docx(hostile()), report.read_bytes()):
        assert active(content) == []
        assert "hxxps://evil[.]com/1" in words(content)
        assert "\u202e" not in words(content)


def test_a_title_that_defanging_makes_longer_fits(tmp_path: Path) -> None:
    content = made(title="1.1.1.1 " * 24).save(tmp_path / "a.docx").read_bytes()
    assert len(opened(content).core_properties.title) == 255
    assert opened(content).paragraphs[0].text == ("1[.]1[.]1[.]1 " * 24).strip()


def test_a_long_list_looks_its_style_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a style's name python-docx walks over all styles: 3,000 items took 40 seconds."""
    from docx.oxml.styles import CT_Styles

    walks = []
    found = CT_Styles.default_for
    monkeypatch.setattr(CT_Styles, "default_for", lambda self, kind: walks.append(kind) or found(self, kind))
    said = message("result", "agent_done", "- `a` b\n" * 200, id="r", at=1)
    document = opened(to_docx(Transcript(turns=turn_slices([*turn()[:1], said]))))
    assert len(walks) < 10
    assert [each.style.name for each in document.paragraphs].count("List Bullet") == 200


def test_what_would_take_long_is_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word, "MAX_PIECES", 40)
    table = json.dumps([{"a": number, "b": "x"} for number in range(30)])
    said = [
        message("result", "answering", "- one\n- two", id="r1", at=1),
        message("result", "answering", "- `three`\n" * 20, id="r2", at=2),
        message("result", "answering", table, id="r3", at=3, mime_type="sec-gemini/table"),
        message("result", "agent_done", "- four", id="r4", at=4),
    ]
    document = opened(to_docx(Transcript(turns=turn_slices([*turn()[:1], *said]))))
    listed = [each.text for each in document.paragraphs if each.style.name == "List Bullet"]
    assert listed == ["one", "two", "four"]
    assert document.tables == []
    texts = [each.text for each in document.paragraphs]
    assert ("- `three`\n" * 20).strip() in [each.strip() for each in texts]
    assert "[30 rows in the session's data]" in texts


@few
@given(st.lists(any_messages, max_size=4), st.text(max_size=20) | st.just("\ud800\ufffe\x00\x0b"))
def test_whatever_was_said_it_is_a_document(said: list[Message], name: str) -> None:
    content = to_docx(Transcript(turns=turn_slices(said), name=name))
    assert active(content) == []
    assert opened(content).paragraphs


def test_python_docx_is_asked_for_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(InputError, match=r"pip install 'secgemini-jupyter\[docx\]'"):
        export(ordinary(), tmp_path / "a.docx")
    assert not list(tmp_path.iterdir())
