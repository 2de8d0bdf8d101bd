"""An answer as Markdown for a report: words as they are, payloads as tables and fences, nothing that acts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.transcript.answers import answer_markdown


def result(content: str, mime_type: str = "text/markdown") -> Message:
    return Message(message_type=MessageType.RESULT, content=content, mime_type=mime_type)


def page(markdown: str) -> str:
    """What a viewer makes of it that lets HTML through."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.validateLink = lambda _url: True  # type: ignore[method-assign]
    return str(parser.render(markdown))


def test_words_stay_as_they_are() -> None:
    text = (
        "# Verdict\n\nIt is **bad**: `evil.com`, see [the page](https://example.org/a).\n\n1. one\n   ```bash\n"
        "   ls <x\n   ```\n"
        "\n| a | b |\n|---|---|\n| 1 | <http://evil.test> |\n\n```html\n<script>\n```\n"
    )
    assert answer_markdown([result(text)]) == text


def test_payloads_become_tables_and_fences() -> None:
    written = answer_markdown(
        [
            result("Words."),
            result('{"title": "T*", "rows": [{"a|b": "x|<b>\\n`y`", "n": 1.5}, {"n": null}]}', "sec-gemini/table"),
            result('[{"timestamp": 0, "event": "start"}]', "sec-gemini/timeline"),
            result('{"k": [1]}', "sec-gemini/json"),
            result('{"code": "x = 1", "language": "python", "output": "``` 7"}', "sec-gemini/code"),
            result("<b>page</b>", "text/html"),
        ]
    )
    assert "**T\\***\n\n| a\\|b | n |\n| --- | --- |\n| x\\|\\<b\\><br>\\`y\\` | 1.5 |\n|  |  |" in written
    assert "| 1970-01-01 00:00:00 UTC | start |" in written
    assert '```json\n{\n  "k": [\n    1\n  ]\n}\n```' in written
    assert "```python\nx = 1\n```\n\nOutput:\n\n````text\n``` 7\n````" in written
    assert "```text\n<b>page</b>\n```" in written
    assert page(written).count("<table>") == 2


@pytest.mark.parametrize(
    "bad",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://evil.test/?q=1)",
        "![x][r]\n\n[r]: https://evil.test/x.png",
        "[x](javascript:alert(1))",
        "[x](java&#115;cript:alert(1))",
        "[x](\tJaVaScRiPt:alert(1))",
        "[x][r]\n\n[r]: data:text/html,x",
        "[r]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "- a\n- <svg onload=alert(1)>",
        "> | a |\n> |---|\n> | <img src=x> |",
        '<a title="`">x `<img src=x>`',
        "<div>\n\n```\n</div>\n```",
        "`" * 3 + "x\n<img src=x>\n" + "`" * 3 + "y\n",
        "a" * 7_000 + " <img src=x>",
    ],
)
def test_what_would_act_is_fenced(bad: str) -> None:
    shown = page("before\n\n" + answer_markdown([result(bad), result("after **all**")]) + "\n[r] [x][r]")
    for tag in ("<script", "<img", "<svg", "<a title", "<div", '="java', '="JaVa', '="data'):
        assert tag not in shown
    if not bad.startswith("`"):
        assert "after <strong>all</strong>" in shown


def test_a_fence_that_is_open_is_closed() -> None:
    assert page(answer_markdown([result("```python\nx"), result("after **all**")])).endswith(
        "<strong>all</strong></p>\n"
    )
    assert "<strong>" in page(answer_markdown([result("words\n\n```"), result("after **all**")]))


def test_what_hides_is_shown() -> None:
    written = answer_markdown(
        [result("a\u202eb\x1b[2J"), result('[{"\u200ba": "\x9b"}]'.replace("\x9b", "\\u009b"), "sec-gemini/table")]
    )
    assert all(char.isprintable() or char == "\n" for char in written)
    assert "⟨U+202E⟩" in written


def test_no_result_is_no_text() -> None:
    assert answer_markdown([]) == ""


@given(st.text(alphabet="`~<>![]()&#;:/ \n\\|-*x1", max_size=60))
def test_nothing_in_an_answer_acts(text: str) -> None:
    shown = page(answer_markdown([result(text + "<img src=x>")]))
    assert "<img" not in shown
