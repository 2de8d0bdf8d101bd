"""Messages as Markdown: exact, and kept inside their own quotes and fences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript.markdown import to_markdown
from secgemini_jupyter.transcript.turns import turn_slices

from . import strategies
from .frames import message, turn


def headings(markdown: str) -> list[str]:
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    return [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "heading_open" and not token.level]


def test_a_turn_as_a_document() -> None:
    assert to_markdown(turn_slices(turn()), name="quiet-honeypot", session_id="s1").splitlines()[:22] == [
        "# quiet-honeypot",
        "",
        "Session `s1`",
        "",
        "## turn 1",
        "",
        "### user · query · 2025-10-09 08:55:00 UTC",
        "",
        "> Is host web-7 exposed to CVE-2099-0001?",
        "",
        "- orchestrator · info · 2025-10-09 08:55:00 UTC: `Transfer`",
        "- orchestrator · info · 2025-10-09 08:55:00 UTC: `Executing vulnerability_agent`",
        "",
        "### vulnerability\\_agent · thinking · Plan · 2025-10-09 08:55:01 UTC",
        "",
        "> Need the advisory first, then the installed version on web-7.",
        "",
        "- vulnerability\\_agent · info · 2025-10-09 08:55:01 UTC: `Calling Lookup Cve`",
        "",
        "### vulnerability\\_agent · debug · 2025-10-09 08:55:01 UTC",
        "",
        "```json",
    ]


def test_indicators_are_exact_and_what_hides_is_shown() -> None:
    said = message("result", "agent_done", "http://evil.example/a \u202e\x1b[2J", id="a", at=0)
    assert "> http://evil.example/a ⟨U+202E⟩␛[2J" in to_markdown(turn_slices([said]))


def test_a_failure_and_a_binary_content_are_told() -> None:
    error = message("error", "undefined", "Slow down.", id="e", at=2, status_code=429, status_message="Too many")
    image = message("result", "agent_done", "iVBORw0KGgo=", id="i", at=2, mime_type="image/png")
    text = to_markdown(turn_slices([error, image]))
    assert "429 Too many" in text
    assert "(image/png, 8 B, not text)" in text


def test_pieces_are_counted() -> None:
    piece = message("result", "answering", "Yes.", id="p", at=1, status_code=206)
    assert "(2 pieces left out: the whole texts are here.)" in to_markdown(turn_slices([*turn(), piece, piece]))


HOSTILE = [
    "# fake\n## turn 2\n### user · query",
    "```\n# out of the fence",
    "~~~\n# fake",
    "text\n===\n\n---\n# fake",
    "<h1>fake</h1>",
    "![x](https://attacker.example/leak)",
    "[x](javascript:alert(1))",
    "[x](JavaScript\\:alert(1))",
    "<!-- ",
    "> \n# fake",
    "- a\n\n# fake",
    "\t# fake\r# fake\r\n# fake\u2028# fake",
]


@pytest.mark.parametrize("text", ["[x](javascript:alert(1))", "[x](JavaScript\\:alert(1))", "![x](//a.example)", "<b>"])
def test_what_a_viewer_would_run_or_load_is_fenced(text: str) -> None:
    said = message("result", "agent_done", text, id="a", at=0)
    assert f"```markdown\n{text}\n```" in to_markdown(turn_slices([said]))


hostile = st.builds(
    message,
    st.sampled_from(["result", "info", "thinking"]), st.just("start"), st.sampled_from(HOSTILE), id=st.just("h"),
    at=st.just(0), mime_type=st.sampled_from(["text/plain", "text/markdown", "application/json", "text/csv"]),
    title=st.none() | st.sampled_from(HOSTILE), actor=st.sampled_from(["agent", *HOSTILE]),
)  # fmt: skip


@strategies.few
@given(st.lists(strategies.messages | hostile, max_size=8))
def test_what_a_message_says_stays_in_its_place(messages: list[Message]) -> None:
    markdown = to_markdown(turn_slices(messages))
    slices = turn_slices(messages)
    told = sum(not m.is_partial and not (m.message_type == "info" and m.text is not None and len(m.text) <= 200
                                         and "\n" not in m.text) for m in messages)  # fmt: skip
    assert len(headings(markdown)) == 1 + len(slices) + told
    viewer = MarkdownIt("commonmark", {"html": True})
    viewer.validateLink = lambda _: True  # it may be a careless one
    tokens = viewer.parse(markdown)
    assert not [token for token in tokens if token.type == "html_block"]
    inline = [child for token in tokens for child in token.children or ()]
    assert not [child for child in inline if child.type in ("html_inline", "image")]
    links = [child.attrGet("href") or "" for child in inline if child.type == "link_open"]
    assert not [link for link in links if str(link).lower().startswith(("javascript", "data", "file"))]
