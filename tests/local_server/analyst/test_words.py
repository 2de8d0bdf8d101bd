"""The text of documents, for the tools that search text."""

from __future__ import annotations

import pytest

from secgemini_jupyter.local_server.analyst.sniff import readable_text
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.tools.iocs import ExtractArguments
from tests.local_server.analyst.conftest import Ask
from tests.local_server.analyst.corpus import corpus


@pytest.mark.parametrize(
    ("package", "path", "words"),
    [
        ("pypdf", "resources/crazyones.pdf", "The rebels. The troublemakers."),
        ("pypdf", "resources/GeoBase_NHNC1_Data_Model_UML_EN.pdf", "http://www.geogratis.gc.ca/"),
        ("oletools", "tests/test-data/msodde/harmless-clean.docx", "This is a harmless test document."),
        ("oletools", "tests/test-data/oleobj/embedded-simple-2007.odt", "Have fun parsing it"),
        (
            "oletools",
            "tests/test-data/oleobj/external_link/sample_with_external_link_to_doc.xlsx",
            "oleobj/embedded-simple-2007.doc",
        ),
    ],
)
def test_the_words_and_links_of_a_document_are_read(package: str, path: str, words: str) -> None:
    text, how, is_cut = readable_text((corpus(package) / path).read_bytes(), 10**6)
    assert words in text
    assert (how, is_cut) == ("the document's text and links", False)


def test_of_a_document_that_is_closed_or_broken_the_bytes_are_searched() -> None:
    closed = (corpus("pypdf") / "resources/encryption/r6-both-passwords.pdf").read_bytes()
    assert readable_text(closed, 10**6)[1] != "the document's text and links"
    assert readable_text(b"PK\3\4word/document.xml [Content_Types].xml" + bytes(200), 10**6)[1] == "printable strings"


def test_indicators_are_those_of_the_text_not_of_compressed_bytes() -> None:
    content = (corpus("pypdf") / "resources/GeoBase_NHNC1_Data_Model_UML_EN.pdf").read_bytes()
    result = tools()["extract_iocs"].run(ExtractArguments(file="x"), {"x": content})
    assert "geoginfo@rncan.gc.ca" in [row["value"] for row in result["indicators"]]
    assert not result["counts"].keys() & {"md5", "sha1", "sha256"}


@pytest.mark.anyio
async def test_the_text_of_a_document_is_shown_when_asked_for(ask: Ask) -> None:
    content = (corpus("oletools") / "tests/test-data/msodde/harmless-clean.docx").read_bytes()
    turn = await ask("Print the text of a.docx", {"a.docx": content})
    assert turn.tools == ["read_text"]
    assert "This is a harmless test document." in turn.answer
