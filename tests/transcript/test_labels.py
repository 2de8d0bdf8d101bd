"""What a node says on its line."""

from __future__ import annotations

import json

import pytest

from secgemini_jupyter.render.steps import Step
from secgemini_jupyter.transcript.labels import content_gist, output_gist

from .frames import message


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("## Summary\n\n**8 succeeded**, `2` failed.", "Summary 8 succeeded, 2 failed."),
        ("__init__.py of *.log", "__init__.py of *.log"),
        ("```\nGET /\n```", "GET /"),
    ],
)
def test_an_answer_without_its_markdown(content: str, line: str) -> None:
    assert content_gist(message("result", "answering", content, id="a", at=0)) == line


def test_a_prompt_as_it_was_typed() -> None:
    assert content_gist(message("query", "query", "What is **this**?", id="a", at=0)) == "What is **this**?"


@pytest.mark.parametrize(
    ("detail", "line"),
    [
        ("4.2.1", "→ 4.2.1"),
        ('{"fixed_in": "4.2.1"}', '→ {"fixed_in": "4.2.1"}'),
        (json.dumps({"source": "kerberos.log", "rows": list(range(50))}), ""),
        (json.dumps([{"host": "web-7"}] * 9), ""),
        ("", ""),
        ("long words " * 20, "→ " + ("long words " * 20)[:59].rstrip() + "…"),
    ],
)
def test_what_a_tool_returned_where_its_beginning_tells_something(detail: str, line: str) -> None:
    assert output_gist(Step("tool", "t", "agent", detail=detail)) == line
