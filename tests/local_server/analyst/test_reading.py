"""read_text: what an attachment says, a part at a time."""

from __future__ import annotations

import pytest

from secgemini_jupyter.local_server.analyst.planner import make_plan, request_of
from secgemini_jupyter.local_server.analyst.tool import Attached
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.tools.reading import Arguments
from secgemini_jupyter.local_server.analyst.wishes import Wish


def read(content: bytes, **arguments: int) -> dict[str, object]:
    return tools()["read_text"].run(Arguments(file="a", **arguments), {"a": content})


def test_a_part_and_what_is_left() -> None:
    assert read(b"abcdefgh", offset=2, length=3) == {
        "source": "a", "characters": 8, "offset": 2, "text": "cde", "left": 3, "is_text": True,
    }  # fmt: skip
    assert read("\ufeffZürich".encode("utf-16"))["text"] == "\ufeffZürich"
    assert read(b"\0\xff\xfe\0" * 9)["is_text"] is False
    assert read(b"abc", offset=99)["text"] == ""


def test_a_fence_in_the_text_does_not_end_the_block() -> None:
    answer = tools()["read_text"].answer(read(b"a\n```\n<script>"), Wish())
    assert answer.endswith("````\na\n```\n<script>\n````")


@pytest.mark.parametrize(
    ("prompt", "is_planned"),
    [
        ("Print the text of notes.txt", True),
        ("show me the contents of notes.txt", True),
        ("Which hosts does notes.txt show?", False),
        ("Extract the IOCs from the text of notes.txt", False),
    ],
)
def test_it_is_planned_where_it_is_asked_for(prompt: str, is_planned: bool) -> None:
    plan = make_plan(request_of(prompt, [Attached("notes.txt", "text", 9)]))
    assert ("read_text" in [call.tool for call in plan.calls]) is is_planned
