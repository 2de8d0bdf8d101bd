"""archive_list on what is made to be larger than it looks: named, with its real figures, and soon."""

from __future__ import annotations

import gzip
import tarfile
from typing import Any

import pytest

from secgemini_jupyter.local_server.analyst.archives import listing, tar
from secgemini_jupyter.local_server.analyst.archives import zip as archives_zip
from secgemini_jupyter.local_server.analyst.wishes import Wish
from tests.local_server.analyst.test_archive_list import TOOL, listed
from tests.local_server.analyst.test_members import tarred, zipped


def lead(result: dict[str, Any]) -> str:
    return TOOL.answer(result, Wish()).partition("\n")[0]


@pytest.fixture(scope="module")
def nested() -> bytes:
    """Sixteen times sixteen zip files of 20 MiB of zeros each: the kind of 42.zip, in small."""
    inner = zipped(("zeros", bytes(20 * 2**20)))
    for level in ("a", "b"):
        inner = zipped(*((f"{level}{n}.zip", inner) for n in range(16)))
    return inner


@pytest.mark.parametrize("about", ["suspicious", "bomb"])
def test_archives_within_archives_are_weighed_together(nested: bytes, about: str) -> None:
    first = lead(listed(nested, about))
    assert first.startswith("**Made like a zip bomb**")
    assert f"2 levels deep, it declares {16 * 16 * 20 * 2**20:,} bytes" in first


def test_archives_nested_without_end_stand_out() -> None:
    content = zipped(("a.txt", b"1"))
    for level in range(60):
        content = zipped((f"{level}.zip", content))
    first = lead(listed(content, "suspicious"))
    assert first.startswith("**Made like a zip bomb**")
    assert "more than 24 levels deep" in first


def test_what_is_wrong_with_the_whole_stands_out_too() -> None:
    assert lead(listed(zipped(("a.txt", b"1")) + b"tail", "suspicious")).startswith("**1 thing stands out**")
    assert lead(listed(zipped(("a.txt", b"1")), "suspicious")).startswith("**Nothing stands out**")
    assert lead(listed(zipped(("in.zip", b"PK\3\4" + bytes(40))), "suspicious")).startswith("**Not known**: `in.zip`")


def test_the_size_of_a_packed_file_is_counted_or_what_it_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    content = gzip.compress(bytes(3 * 2**20))
    monkeypatch.setattr(tar, "MAX_MEMBER", 2**20)
    answer = TOOL.answer(listed(content, "suspicious"), Wish())
    assert answer.startswith("**Made like a decompression bomb**")
    assert "3,145,728 bytes unpacked, as counted" in answer
    monkeypatch.setattr(tar, "MAX_COUNTED", 2**20)
    answer = TOOL.answer(listed(content), Wish())
    assert "3,145,728 bytes unpacked, as it declares" in answer
    assert "1,048,576" not in answer


def test_what_stands_out_is_counted_in_all_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_LISTED", 10)
    result = listed(zipped(*((f"../{n}", b"1") for n in range(50))), "traversal")
    assert len(result["members"]) == 10
    answer = TOOL.answer(result, Wish())
    assert answer.startswith("**50 members**")
    assert "and 44 more" in answer


def test_a_header_that_declares_a_terabyte_is_not_skipped_through() -> None:
    info = tarfile.TarInfo("huge")
    info.size = 2**40
    reads = []

    class Counted(tar.Stream):
        def read(self, size: int | None = -1) -> bytes:
            reads.append(size)
            return super().read(size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tar, "Stream", Counted)
        result = listed(info.tobuf(format=tarfile.GNU_FORMAT) + bytes(1024))
    assert len(reads) < 20
    assert result["members"][0]["flags"] == [
        "its header declares 1,099,511,627,776 bytes, the file ends after 1,024 of them"
    ]
    assert not any("bomb" in note for note in result["notes"])


def test_a_packed_tar_file_is_read_for_some_seconds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "SECONDS", -1.0)
    result = listed(gzip.compress(tarred(("a", b"1"))))
    assert result["notes"] == ["only its first 0 MiB are looked through"]


def test_members_that_were_not_looked_at_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives_zip, "MAX_MEMBERS", 3)
    content = zipped(*((f"../{number}", b"") for number in range(9)))
    result = TOOL.run(TOOL.arguments(file="a.zip", about=["traversal"]), {"a.zip": content})
    lead = TOOL.answer(result, Wish())
    assert lead.startswith("**3 members** among the first 3 of 9, the others were not looked at: `../0`")
