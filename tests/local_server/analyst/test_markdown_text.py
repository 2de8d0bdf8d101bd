"""Hostile values in Markdown, read back by the parser that shows answers."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from secgemini_jupyter.local_server.analyst.text import (
    Plain,
    block,
    code,
    counted,
    listed,
    moment,
    prose,
    table,
    utc,
    visible,
)

HOSTILE = [
    "a|b", "`", "``x`", "a\nb", "| x |", "\\", "a\\|b", "</td>", "<script>", "**b**", "![i](http://x)", "\x1b]0;x\x07",
    "\u202etxt.exe", "\ud800", " ", "", "\r", "    code", "- item", "#", "[a]: http://x", "`|`",
]  # fmt: skip
VALUES = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30), st.text("`|\\ \nab", max_size=12))


def tokens(markdown: str) -> list[Token]:
    parsed = MarkdownIt("commonmark").enable("table").parse(markdown)
    return [child for token in parsed for child in [token, *(token.children or [])]]


def spans(markdown: str) -> list[str]:
    return [token.content for token in tokens(markdown) if token.type == "code_inline"]


@given(VALUES)
@settings(max_examples=80, deadline=None)
def test_a_value_in_a_sentence_is_one_code_span(value: str) -> None:
    shown = visible(value)
    assert spans(f"x {code(value)} y") == ([shown] if shown else [])


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_a_table_has_the_cells_it_was_given(rows: list[tuple[str, str]]) -> None:
    kinds = [token.type for token in tokens(table(["a", "b"], rows))]
    assert kinds.count("tr_open") == len(rows) + 1
    assert kinds.count("td_open") == 2 * len(rows)
    values = [visible(value) for row in rows for value in row if value]
    assert spans(table(["a", "b"], rows)) == values


@given(st.one_of(VALUES, st.text("&amp;#_*[]()<>!a0 ", max_size=16)))
@settings(max_examples=80, deadline=None)
@example("__0__")
@example("_a_b_ __c")
def test_a_paragraph_says_what_its_text_says(value: str) -> None:
    said = tokens(f"x {prose(value)} y")
    assert {token.type for token in said} <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}
    text = "".join(token.content for token in said if token.type in ("text", "text_special"))
    assert text == f"x {visible(value)} y"


def test_a_paragraph_is_readable_as_text_too() -> None:
    assert prose("MITRE ATT&CK, user_id! #1 (a - b)") == "MITRE ATT&CK, user_id! #1 (a - b)"


@given(VALUES)
@settings(max_examples=60, deadline=None)
def test_a_block_is_one_block(value: str) -> None:
    kinds = [token.type for token in tokens(block(value + "\n```\n" + value) + "\n\nafter")]
    assert kinds.count("fence") == 1
    assert kinds.count("paragraph_open") == 1


@pytest.mark.parametrize("value", ["\x1b[2J", "\u202egpj", "a\u200bb", "\x9b", "a\nb", "\u2028"])
def test_nothing_invisible_is_left(value: str) -> None:
    assert visible(value).isprintable()


def test_what_is_left_out_is_counted() -> None:
    assert visible("a" * 200).endswith("… (80 more characters)")
    assert listed("abcdefg", 5) == "`a`, `b`, `c`, `d`, `e` and 2 more"
    assert counted([("a", 3), ("b", 1)], 1) == "`a` (3) and 1 more"
    assert table(["n"], [[i] for i in range(30)], limit=20).endswith("(10 more)")


def test_our_own_words_and_numbers_are_no_code() -> None:
    assert table(["a", "b", "c"], [[Plain("x"), 1200, None]]).splitlines()[-1] == "| x | 1,200 | – |"


def test_a_time_out_of_range_is_told_as_it_is() -> None:
    assert utc(1e30) == "1e+30 s"
    assert utc(0) == "1970-01-01 00:00:00 UTC"


def test_a_time_is_plain_and_anything_else_is_a_code_span() -> None:
    assert moment("Mar  7 18:53:20") == "Mar  7 18:53:20"
    assert moment("2019-12-03 22:44:56 UTC") == "2019-12-03 22:44:56 UTC"
    assert moment("_x_ [a](http://e.example) |") == "`_x_ [a](http://e.example) \\|`"
    assert moment(None) == "–"
