"""A transcript as an HTML page: what it says, and that nothing in it can act."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.pages import breakable, said, to_html
from secgemini_jupyter.transcript.reports import Report
from secgemini_jupyter.transcript.sheet import CSS
from secgemini_jupyter.transcript.turns import turn_slices
from tests.transcript.documents import EVIL, hostile, ordinary
from tests.transcript.frames import message, turn
from tests.transcript.strategies import messages as any_messages

TAGS = set(
    "html head meta title style body main header section nav footer h1 h2 h3 h4 h5 h6 p div span dl dt dd table thead "
    "tbody tr th td ol ul li details summary a code pre strong em s del blockquote br wbr hr img".split()
)


class Reader(HTMLParser):
    """What a page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.urls: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.urls += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_says_who_when_what_and_with_which_evidence() -> None:
    page = to_html(ordinary(), now=1_760_009_999)
    text = Reader(page).text
    for words in (
        "quiet-honeypot", "What the help desk saw.", "Transcript of Sec-Gemini", "sec-gemini-stable", "kerberos.log",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "6.1 kB", "retained by the service",
        "1 turn, 12 messages", "Is host web-7 exposed to CVE-2099-0001?", "Yes. web-7 runs 4.1.9",
        "lookup_asset(host=\"web-7\")", "2025-10-09 08:55:00 UTC", "Written 2025-10-09 11:39:59 UTC",
    ):  # fmt: skip
        assert words in text, words
    assert page.count("<details") >= 2


def test_the_policy_allows_one_style_sheet_and_nothing_else() -> None:
    page = to_html(ordinary())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    assert policy[1].startswith("default-src 'none'; ")
    assert f"style-src-elem 'sha256-{digest}'" in policy[1]
    assert "script" not in policy[1]
    assert page.index("Content-Security-Policy") < page.index("<title>")
    assert page.count("<style>") == 1


@pytest.mark.parametrize("is_local", [True, False, None])
def test_it_never_passes_for_what_it_is_not(is_local: bool | None) -> None:
    text = Reader(to_html(dataclasses.replace(ordinary(), is_local=is_local))).text
    assert ("Transcript of Sec-Gemini" in text) == (is_local is False)
    assert ("not Sec-Gemini" in text) == (is_local is True)


def test_hostile_content_is_text() -> None:
    read = Reader(to_html(hostile()))
    assert read.tags <= TAGS
    assert read.attributes <= {
        "charset", "http-equiv", "content", "name", "lang", "class", "style", "id", "href", "rel", "open", "scope",
        "aria-label", "tabindex", "start", "src", "alt",
    }  # fmt: skip
    assert all(url.startswith("#turn-") for url in read.urls)
    assert "\x1b" not in read.text
    assert "\u202e" not in read.text
    assert "hxxps://evil[.]com/1" in read.text


@settings(max_examples=60)
@given(st.lists(any_messages, max_size=6))
def test_whatever_was_said_the_page_is_made_of_our_tags(said: list[Message]) -> None:
    read = Reader(to_html(Transcript(turns=turn_slices(said), name=EVIL)))
    assert read.tags <= TAGS
    assert not [name for name in read.attributes if name.startswith("on")]


def test_a_failure_and_a_missing_end_are_words() -> None:
    failed = message("error", "undefined", "The quota is used up.", id="e", at=1, status_code=429)
    page = to_html(Transcript(turns=turn_slices([*turn()[:2], failed, *turn("b")[:3]])))
    assert "<strong>Failed: </strong>The quota is used up." in page
    assert "<strong>Incomplete: </strong>" in page


def test_a_link_is_its_words_and_where_it_leads_defanged() -> None:
    """The page is handed on: what says that indicators are defanged has no link to one, in no kind of answer."""
    said = "see [invoice](https://evil-login.com/a) now, or [ask](mailto:x@evil-login.com)"
    answers = [
        message("result", "answering", said, id="a", at=1),
        message("result", "agent_done", json.dumps({"title": "t", "content": said}), id="b", at=1,
                mime_type="sec-gemini/canvas"),
        message("error", "undefined", said, id="e", at=2, status_code=500),
    ]  # fmt: skip
    transcript = Transcript(turns=turn_slices([turn()[0], *answers]))
    read = Reader(to_html(transcript))
    assert [url for url in read.urls if not url.startswith("#")] == []
    assert read.text.count("invoice (hxxps://evil-login[.]com/a) now") == 3
    report = Report(transcript=transcript, title="x", scope=said, findings=said)
    read = Reader(report.to_html())
    assert read.urls == []
    assert read.text.count("invoice (hxxps://evil-login[.]com/a) now") == 5
    assert Reader(Report(transcript=transcript, title="x").to_html()).urls == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("kerberos.log", ["kerberos.log"]),
        ("108.59.9.32 and <b>", ["108[.]59[.]9[.]32 and &lt;b&gt;"]),
        ("http://a.evil-login.com/x?y=1", ["hxxp://", "a[.]", "evil-login[.]", "com/", "x?", "y=", "1"]),
        ("0" * 40, ["0" * 16, "0" * 16, "0" * 8]),
        ("[" * 30 + "\x1b", ["[" * 30, "\u241b"]),
    ],
)
def test_a_narrow_column_breaks_long_words_at_their_marks(text: str, lines: list[str]) -> None:
    assert breakable(text).split("<wbr>") == lines


@given(st.text(max_size=60) | st.text("[].:/=x", min_size=20, max_size=60))
def test_nothing_is_lost_where_a_line_may_break(text: str) -> None:
    assert breakable(text).replace("<wbr>", "") == said(text)


def test_what_came_before_the_first_prompt_is_there_and_nothing_is_a_page_too() -> None:
    assert "Before the first prompt" in to_html(Transcript(turns=turn_slices(turn()[10:])))
    assert "Nothing was asked yet." in to_html(Transcript(turns=[]))


def test_a_table_of_two_sessions_names_both() -> None:
    import pandas as pd

    table = pd.concat([messages_frame(turn(name), session_id=f"session-{name}") for name in "ab"])
    text = Reader(to_html(Transcript.of_table(table))).text
    assert "session-a, turn 1" in text
    assert "session-b, turn 1" in text
    assert "2 sessions" in text


def test_a_long_prompt_is_cut_and_says_so() -> None:
    prompt = message("query", "query", "a\n" * 40_000, id="q", at=0)
    text = Reader(to_html(Transcript(turns=turn_slices([prompt])))).text
    assert "[30,000 more characters in the session's history]" in text
