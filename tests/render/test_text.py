"""Text that acts on terminals or hides from readers is shown for what it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.render.text import columns, duration, name_and_size, one_line, safe_text, size, utc


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "␛[2J"),
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x1b]8;;https://evil.com\x1b\\x", "␛]8;;https://evil.com␛\\x"),
        ("\x9b2J\x9d0;x\x9c", "⟨U+009B⟩2J⟨U+009D⟩0;x⟨U+009C⟩"),
        ("Allow? no\rAllow? yes", "Allow? no␍Allow? yes"),
        ("line\r\nline\ttab\n", "line\nline\ttab\n"),
        ("a\x00b\x7f\x08", "a␀b␡␈"),
        ("user\u202egnp.exe", "user⟨U+202E⟩gnp.exe"),
        ("pay\u200bpal", "pay⟨U+200B⟩pal"),
        ("pay\u200dpal", "pay⟨U+200D⟩pal"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("\ud83d", "\ufffd"),
        ("👩\u200d💻 ما\u200cست é ü 中文", "👩\u200d💻 ما\u200cست é ü 中文"),
        ("x" + "\u0301" * 50, "x" + "\u0301" * 4),
    ],
)
def test_what_acts_or_hides_is_shown(text: str, shown: str) -> None:
    assert safe_text(text) == shown


@given(st.text(st.characters()) | st.text("\x00\x1b\x9b\r\n\t\u202e\u200b\u200d\ud800ab é"))
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = safe_text(text)
    assert all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u200b\ufeff")
    assert safe_text(shown) == shown
    shown.encode("utf-8")


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    shown = one_line(text, 40)
    assert len(shown) <= 40
    assert len(shown.splitlines()) <= 1


def test_amounts_are_written_as_people_read_them() -> None:
    assert [size(n) for n in (0, 999, 2_000, 6_100, 84_000_000, 5 * 10**12)] == [
        "0 B", "999 B", "2.0 kB", "6.1 kB", "84.0 MB", "5000 GB",
    ]  # fmt: skip
    assert [duration(s) for s in (0, 1e-9, 0.04, 0.0996, 0.31, 9.99, 48, 125)] == [
        "0.0 s", "1 ms", "40 ms", "0.1 s", "0.3 s", "10 s", "48 s", "2 min 05 s",
    ]  # fmt: skip
    assert [duration(s) for s in (-1.0, float("nan"), float("inf"))] == ["", "", ""]
    assert utc(0) == "1970-01-01 00:00:00 UTC"
    assert utc(1e99) == "1e+99"
    assert name_and_size("../../.ssh/x\x1b[2J", 2_000) == "../../.ssh/x␛[2J 2.0 kB"
    assert columns("a中e\u0301") == 4
