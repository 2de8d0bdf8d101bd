"""Long first lines hide neither a log nor a message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from secgemini_jupyter.local_server.analyst.logs.reading import open_log
from secgemini_jupyter.local_server.analyst.looking import Looker
from secgemini_jupyter.local_server.analyst.members import member_content
from secgemini_jupyter.local_server.analyst.sniff import kind_of, sniff
from secgemini_jupyter.local_server.analyst.tool import FileOrText
from tests.local_server.analyst.conftest import RecordedTurn

RECEIVED = b"Received: from a.example by b.example with SMTP id x; Mon, 1 Jan 2024 00:00:00 +0000\n"


@pytest.mark.parametrize(
    "content",
    [
        b"From: a@b.example\nSubject: " + b"A" * 1_500_000 + b"\nTo: c@d.example\n\nhi",
        b"From: " + b"(" * 100_000 + b" <a@b.example>\nTo: x\nDate: " + b"(" * 50_000 + b"\n\nhi",
        RECEIVED * 15_000 + b"From: a@b.example\nSubject: x\n\nhi",
        b"From: a@b.example\nSubject: x\n\nhi",
        b"From a@b.example Mon Jan  1 00:00:00 2024\nFrom: a@b.example\nSubject: x\n\nhi",
    ],
)
def test_a_message_is_one_however_long_its_headers_are(content: bytes) -> None:
    assert sniff(content)["kind"] == kind_of(content) == "email"


@pytest.mark.parametrize(
    "text",
    ["From: a\nto the end\n\nof it", "From: here\nSubject: none\nand so on", "Subject: x\n\nhi", "From: a\n" * 9],
)
def test_other_texts_are_none(text: str) -> None:
    assert sniff(text.encode())["kind"] == "text"


def test_a_part_of_a_message_with_a_long_header_is_found() -> None:
    head = b"From: a@b.example\nSubject: " + b"A" * 1_500_000
    body = (
        b'\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Disposition: attachment; filename=x.txt\n\nin\n'
    )
    body += b"--b--\n"
    assert member_content(head + body, ["x.txt"]).strip() == b"in"


def rows(*records: dict[str, object]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.mark.parametrize(
    ("content", "kind", "number"),
    [
        (rows(*({"n": n, "user": "u" * 300_000} for n in range(4))), "jsonl", 4),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"\n" + b'{"user":"a"}\n' * 6, "jsonl", 6),
        ((",".join(f"c{n}" for n in range(9_000)) + "\n" + ("1," * 8_999 + "1\n") * 8).encode(), "csv", 8),
        ((",".join(f"c{n}" for n in range(3_000)) + "\n" + ("1," * 2_999 + "1\n") * 20).encode(), "csv", 20),
        (b'time,"a"" ; --","b|c","d]e"\n' + b"1,2,3,4\n" * 5, "csv", 5),
    ],
)
def test_a_log_is_one_however_long_its_lines_are(content: bytes, kind: str, number: int) -> None:
    assert sniff(content)["kind"] == f"log/{kind}"
    log = open_log(FileOrText(file="x"), {"x": content})
    assert log.format == kind
    assert sum(1 for _ in log.rows()) == number


@pytest.mark.parametrize("text", ["1,2,3\n4,5,6\n7,8,9\n1,2,3", 'a,b,"' + "c" * 200_000 + "\n1,2,3\n"])
def test_texts_with_commas_are_no_logs(text: str) -> None:
    assert sniff(text.encode())["kind"] == "text"


class InProcess:
    """Workers that are none."""

    async def run(self, tool: str, _arguments: object, files: dict[str, bytes]) -> dict[str, Any]:
        assert tool == "sniff"
        return {name: sniff(content) for name, content in files.items()}


@pytest.mark.anyio
async def test_the_beginning_of_an_attachment_is_not_all_that_is_looked_at() -> None:
    content = RECEIVED * 15_000 + b"From: a@b.example\nSubject: x\n\nhi"
    turn = RecordedTurn("Analyze this e-mail", {"m.eml": content, "x.txt": b"x"})
    kinds = [each.kind for each in await Looker(InProcess()).attached(turn)]  # type: ignore[arg-type]
    assert kinds == ["email", "text"]
