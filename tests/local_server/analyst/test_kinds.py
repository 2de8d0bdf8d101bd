"""What `sniff` says of real files, and that text stays text."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pytest

from secgemini_jupyter.local_server.analyst.sniff import sniff, unpack
from tests.local_server.analyst.corpus import corpus

CLAM, OLE, ZAT = "clamav-testfiles", "oletools", "zat"


@pytest.mark.parametrize(
    ("package", "path", "kind"),
    [
        (CLAM, "clam-upx.exe", "executable/pe"),
        (CLAM, "clam-nsis.exe", "executable/pe"),
        (CLAM, "clam.zip", "archive/zip"),
        (CLAM, "clam.7z", "archive/7z"),
        (CLAM, "clam.cab", "archive/cab"),
        (CLAM, "clam.bin-le.cpio", "archive/cpio"),
        (CLAM, "clam.odc.cpio", "archive/cpio"),
        (CLAM, "clam.newc.cpio", "archive/cpio"),
        (CLAM, "clam.chm", "archive/chm"),
        (CLAM, "clam.tar.gz", "archive/tar"),
        (CLAM, "clam.exe.bz2", "archive/bzip2"),
        (CLAM, "clam.pdf", "document/pdf"),
        (CLAM, "clam.exe.rtf", "document/rtf"),
        (CLAM, "clam.mail", "email"),
        (CLAM, "clam.exe.mbox.uu", "email"),
        ("mail-parser", "tests/mails/mail_test_17", "email"),
        ("mail-parser", "tests/mails/mail_malformed_3", "email"),
        ("mail-parser", "tests/mails/mail_outlook_1", "document/ole"),
        ("dkimpy", "dkim/tests/data/message.mbox", "email"),
        ("dkimpy", "dkim/tests/data/test.private", "text"),
        ("cryptography-vectors", "x509/ecdsa_root.pem", "x509"),
        ("cryptography-vectors", "x509/PKITS_data/certs/GoodCACert.crt", "x509"),
        ("cryptography-vectors", "x509/PKITS_data/crls/GoodCACRL.crl", "x509"),
        ("cryptography-vectors", "pkcs7/isrg.pem", "x509"),
        (OLE, "tests/test-data/msodde/dde-test.docx", "document/ooxml"),
        (OLE, "tests/test-data/msodde/dde-test.xlsb", "document/ooxml"),
        (OLE, "tests/test-data/msodde/dde-in-word2003.xml.zip", "archive/zip"),
        (OLE, "tests/test-data/encrypted/encrypted.docx", "document/ole"),
        (OLE, "tests/test-data/oleobj/embedded-simple-2007.odt", "document/odf"),
        (OLE, "tests/test-data/rtfobj/issue_251.rtf", "document/rtf"),
        (OLE, "tests/test-data/other/presentation.xps", "document/xps"),
        ("pypdf", "resources/toy.pdf", "document/pdf"),
        ("pypdf", "resources/crazyones.txt", "text"),
        (ZAT, "data/http.log.gz", "log/zeek"),
        (ZAT, "data/json/conn.log", "log/zeek_json"),
        ("fail2ban", "tests/files/testcase01.log", "log/syslog"),
        ("fail2ban", "tests/files/testcase-journal.log", "text"),
    ],
)
def test_real_files_are_what_they_are(package: str, path: str, kind: str) -> None:
    content = (corpus(package) / path).read_bytes()
    assert sniff(content)["kind"] == kind
    if not kind.startswith("log/"):  # the engine gives the beginning alone
        assert sniff(content[: 2**16])["kind"] == kind


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_log_is_a_log(compress: object) -> None:
    log = (corpus("zat") / "data/json/kerberos.log").read_bytes()
    assert callable(compress)
    assert sniff(compress(log)) == sniff(log)
    assert sniff(log)["kind"] == "log/zeek_json"
    assert unpack(compress(bytes(10**6)), 1000) == (bytes(1000), True)


@pytest.mark.parametrize(
    "text",
    [
        "BZh, said the bee\n",
        "MZ is the mark of an executable.\n",
        "PKCS7 and %PDF-1.4 are only mentioned here.\n",
        "Subject: lunch\n\nWho comes along?\n",
        "Note: this\nwarning: that\nHost: example.com\n",
        "from: 2024-01-01\nto: 2024-02-01\nquery: all\n",
        "070701 is a number\n",
        "The key -----BEGIN CERTIFICATE----- opens a certificate.\n",
        "RIFF raff\n",
    ],
)
def test_text_that_only_mentions_a_mark_stays_text(text: str) -> None:
    assert sniff(text.encode())["kind"] == "text"


def test_an_archive_is_named_by_what_is_in_it() -> None:
    import io
    import zipfile

    def zipped(*names: str) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(name, "x")
        return buffer.getvalue()

    assert sniff(zipped("a.class", "META-INF/MANIFEST.MF"))["kind"] == "archive/jar"
    assert sniff(zipped("META-INF/MANIFEST.MF", "classes.dex", "AndroidManifest.xml"))["kind"] == "archive/apk"
    assert sniff(zipped("x/__init__.py", "x-1.dist-info/WHEEL"))["kind"] == "archive/whl"
    assert sniff(zipped("word/list.txt", "xl/other.txt"))["kind"] == "archive/zip"
    assert sniff(b"PK\x05\x06" + bytes(18))["kind"] == "archive/zip"


def test_a_directory_that_promises_millions_of_names_is_not_believed() -> None:
    entry = b"PK\x01\x02" + bytes(24) + (1).to_bytes(2, "little") + bytes(16) + b"a"
    bomb = b"PK\x03\x04" + entry * 50_000 + b"PK\x05\x06" + b"\xff" * 12 + (4).to_bytes(4, "little") + b"\0\0"
    assert sniff(bomb)["kind"] == "archive/zip"
