"""Parts of files, in memory and within limits."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from secgemini_jupyter.local_server.analyst.members import member_content
from secgemini_jupyter.local_server.analyst.tool import FileOrText, ToolFailure
from tests.local_server.analyst.corpus import corpus


def zipped(*files: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["clam.zip", "clam.bz2.zip", "clam.tar.gz", "clam.exe.bz2"])
def test_the_program_in_each_real_archive_is_the_same(name: str) -> None:
    folder = corpus("clamav-testfiles")
    whole = (folder / name).read_bytes()
    assert member_content(whole, ["clam.exe"]) == (folder / "clam.exe").read_bytes()


def test_a_part_of_a_real_document() -> None:
    content = (corpus("oletools") / "tests/test-data/msodde/dde-test.docx").read_bytes()
    assert b"DDEAUTO" in member_content(content, ["word/document.xml"])
    arguments = FileOrText(file="a.docx", member=["word/document.xml"])
    assert b"DDEAUTO" in arguments.content({"a.docx": content})
    assert arguments.source == "a.docx › word/document.xml"


def test_an_archive_in_an_archive_in_an_archive() -> None:
    inner = zipped(("deep/evil.exe", b"MZ"))
    whole = gzip.compress(tarred(("a/inner.zip", inner)))
    assert member_content(whole, ["a/inner.zip", "deep/evil.exe"]) == b"MZ"
    assert member_content(whole, ["INNER.ZIP", "evil.exe"]) == b"MZ"


@pytest.mark.parametrize(
    ("whole", "path", "message"),
    [
        (lambda: zipped(("a", b"1")), ["b"], "no member 'b'"),
        (lambda: zipped(("x/a", b"1"), ("y/a", b"2")), ["a"], "may be meant"),
        (lambda: zipped(("a", b"1")), ["a"] * 6, "levels deep"),
        (lambda: b"just text", ["a"], "no parts to read"),
        (lambda: zipped(("a", bytes(3 * 2**20))), ["a"], "over 500 to 1"),
        pytest.param(lambda: zipped(("a", bytes(70 * 2**20))), ["a"], "more than 64 MiB", marks=pytest.mark.slow),
        (lambda: bz2.compress(bytes(3 * 2**20)), ["a"], "over 500 to 1"),
        pytest.param(
            lambda: gzip.compress(tarred(("a", bytes(70 * 2**20)))), ["a"], "more than 64 MiB", marks=pytest.mark.slow
        ),
        (lambda: zipped(("a", b"hello" * 100))[:60], ["a"], "no end record"),
        (lambda: tarred(("a/", b"")), ["a"], "no member"),
    ],
    ids=range(10),
)
def test_what_cannot_be_read_is_said(whole: Callable[[], bytes], path: list[str], message: str) -> None:
    with pytest.raises(ToolFailure, match=message):
        member_content(whole(), path)


def test_an_encrypted_member_is_no_broken_one() -> None:
    content = (corpus("oletools") / "tests/test-data/rtfobj/issue_185.rtf.zip").read_bytes()
    with pytest.raises(ToolFailure, match=r"'issue_185.rtf' is encrypted: it cannot be read without the password"):
        member_content(content, ["issue_185.rtf"])


def test_methods_that_nothing_here_reads_are_named() -> None:
    folder = corpus("clamav-testfiles")
    with pytest.raises(ToolFailure, match="packed with deflate64"):
        member_content((folder / "clam.d64.zip").read_bytes(), ["clam.exe"])
    with pytest.raises(ToolFailure, match="packed with method 6"):
        member_content((folder / "clam.impl.zip").read_bytes(), ["clam.exe"])


def test_lzma_in_a_zip_file_is_read() -> None:
    content = hashlib.sha512(b"x").digest() * 100
    assert member_content(zipped(("a", content), compression=zipfile.ZIP_LZMA), ["a"]) == content
