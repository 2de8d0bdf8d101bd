"""Sources stand under the answer: readable, clickable only where one sees where they lead, never active."""

from __future__ import annotations

import pytest

from secgemini_jupyter.render.answer import Facts, answer_bundle
from secgemini_jupyter.render.sources import MAX_SOURCES, Citation, citations, sources_html, sources_text
from secgemini_jupyter.transcript.answers import answer_markdown
from tests.render.dom import assert_harmless
from tests.render.turns import say

NVD = "https://nvd.nist.gov/vuln/detail/CVE-2021-44228"


@pytest.mark.parametrize(
    ("content", "title", "expected"),
    [
        (NVD, None, Citation("", NVD)),
        (NVD, "NVD", Citation("NVD", NVD)),
        (f"[the record]({NVD})", None, Citation("the record", NVD)),
        (f"[the record]({NVD})", "NVD", Citation("NVD: the record", NVD)),
        ("RFC 9110,\n section 10", None, Citation("RFC 9110, section 10")),
        ("[x](javascript:ran())", None, Citation("[x](javascript:ran())")),
        ("data:text/html,ran", None, Citation("data:text/html,ran")),
    ],
)
def test_what_a_source_is(content: str, title: str | None, expected: Citation) -> None:
    assert citations([say("source", content, title=title)] * 2) == [expected]


def test_they_stand_under_the_answer() -> None:
    messages = [say("result", "Patch it."), say("source", NVD, title="NVD")]
    bundle = answer_bundle(messages, Facts(actor="a"))
    assert f'<a href="{NVD}"' in bundle.html
    assert "(nvd.nist.gov)" in bundle.html
    assert "Thinking and tools" not in bundle.html
    assert bundle.text.startswith("Patch it.\n\nSources:\n1. NVD <hxxps://nvd[.]nist[.]gov/vuln/detail/CVE-2021-44228>")
    assert answer_markdown(messages) == f"Patch it.\n\nSources:\n\n1. [NVD](<{NVD}>)\n"


def test_a_bare_address_is_no_link() -> None:
    """Nobody says what it is: it may be the indicator itself."""
    assert "<a " not in sources_html([say("source", "https://evil.example/x")])
    assert "evil[.]example" in sources_html([say("source", "https://evil.example/x")])


@pytest.mark.parametrize(
    "content",
    ["<img src=x onerror=ran()>", "[a](javascript:ran())", f"[<script>]({NVD})", "![x](https://evil.example/1.png)",
     "`", "\x1b[2J", "https://evil.example/`<b>"],
)  # fmt: skip
def test_they_are_harmless(content: str) -> None:
    messages = [say("source", content, title="<svg onload=ran()>")]
    markup = sources_html(messages)
    assert_harmless(markup)
    assert "\x1b" not in sources_text(messages) + markup
    assert "ran()>" not in answer_markdown(messages) or "```" in answer_markdown(messages)


def test_many_are_counted() -> None:
    messages = [say("source", f"source {number}") for number in range(MAX_SOURCES + 3)]
    assert "3 more sources in the session&#x27;s history" in sources_html(messages)
    assert "3 more sources in the session's history" in sources_text(messages)
