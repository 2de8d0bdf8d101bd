"""url_inspect: what an address looks like. No name here is asked for anywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.local_server.analyst.planner import plan_for, request_of
from secgemini_jupyter.local_server.analyst.tool import Attached, Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.tools.urls import UrlsArguments, is_notable, url_inspect, urls_in

LOG = Attached("web.log", "log/clf", 100)
COPY = "https://www.xn--80ak6aa92e.com/login"


def inspected(url: str) -> dict[str, Any]:
    (each,) = url_inspect(UrlsArguments(urls=[url]), {})["urls"]
    return dict(each)


def told(*urls: str, wish: Wish | None = None) -> str:
    return tools()["url_inspect"].answer(url_inspect(UrlsArguments(urls=list(urls)), {}), wish or Wish())


def findings(url: str) -> str:
    return " ".join(each["text"] for each in inspected(url)["findings"])


@pytest.mark.parametrize(
    ("url", "name", "kind"),
    [
        (COPY, "Apple", "other script"),
        ("https://аррӏе.com/", "Apple", "other script"),
        ("http://раypal.com", "PayPal", "other script"),
        ("http://gооgle.com", "Google", "other script"),
        ("http://faceboöķ.com", "Facebook", "other script"),
        ("https://paypa1.com", "PayPal", "look-alike"),
        ("https://login.micros0ft-auth[.]top/a", "Microsoft", "look-alike"),
        ("https://rnicrosoft.com", "Microsoft", "look-alike"),
        ("https://gooogle.com", "Google", "typing error"),
        ("https://mircosoft.com", "Microsoft", "typing error"),
        ("https://nteflix.com", "Netflix", "typing error"),
        ("https://paypal.com.evil.top/x", "PayPal", "subdomain"),
        ("https://apple.com.evil.top/x", "Apple", "subdomain"),
        ("https://secure-paypal-login.example", "PayPal", ""),
        ("https://paypal-login.top", "PayPal", "extra words"),
        ("https://microsoftsupport.top", "Microsoft", "extra words"),
        ("https://paypal.top", "PayPal", "other suffix"),
        ("https://paypal-login.github.io/", "PayPal", "extra words"),
    ],
)
def test_a_look_alike_names_what_it_looks_like(url: str, name: str, kind: str) -> None:
    if not kind:  # a name under no registered suffix has no owner to be mistaken for
        assert inspected(url)["imitates"] is None
        return
    imitates = inspected(url)["imitates"]
    assert (imitates["name"], imitates["kind"]) == (name, kind)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/login", "https://www.apple.com/", "https://aws.amazon.com/", "https://example.com/paypa",
        "https://pineapple.com/", "https://purchase.com/", "https://likewise.org", "https://bücher.de", "https://яндекс.рф",
        "https://login.microsoftonline.com/common/oauth2?redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb",
        "https://en.wikipedia.org/wiki/Phishing", "https://news.ycombinator.com/item?id=1", "https://grapple.io",
    ],
)  # fmt: skip
def test_an_ordinary_name_is_no_look_alike(url: str) -> None:
    each = inspected(url)
    assert not is_notable(each), (each["imitates"], each["findings"])


@pytest.mark.parametrize(
    ("url", "ip"),
    [
        ("http://2130706433/", "127.0.0.1"),
        ("http://0x7f000001/", "127.0.0.1"),
        ("http://0x7f.1/", "127.0.0.1"),
        ("http://0177.0.0.01/", "127.0.0.1"),
        ("http://3627734734", "216.58.214.206"),
        ("http://185.220.101.45:8080/x", "185.220.101.45"),
        ("http://[2001:db8::1]:8080/x", "2001:db8::1"),
    ],
)
def test_an_address_is_read_as_browsers_read_it(url: str, ip: str) -> None:
    assert inspected(url)["ip"] == ip


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://google.com@evil.top/x", "only looks like the host"),
        ("https://google.com%2Flogin@evil.top/x", "only looks like the host"),
        ("http://user:secret@evil.top/", "a user name and a password"),
        ("http://evil.top:8443/", "not the usual one"),
        ("http://evil.top/%2541", "percent-encoded twice"),
        ("http://evil.top/?url=https://other.example.org/", "another address"),
        ("http://evil.top/?next=%2F%2Fother.org", "another address"),
        ("http://evil.top/#YWxpY2VAZXhhbXBsZS5jb20", "is base64 of"),
        ("http://evil.top/?e=alice@example.com", "mail address"),
        ("http://evil.top/invoice.pdf.exe", "behind a harmless-looking ending"),
        ("https://bob.github.io/", "Anybody can get a name"),
        ("https://good.com\\@evil.top", "backslash"),
        ("https://evil\u200b.top/", "nobody sees"),
        ("https://e%76il.top/", "host is percent-encoded"),
        ("javascript:alert(1)", "a script that the browser runs"),
        ("data:text/html;base64,PHNjcmlwdD4=", "carries its own content"),
        ("https://a.b.c.d.e.evil.top/", "many labels"),
        ("https://evil.top/wells/paypal/login", "path alone"),
        ("https://аpple-x.top/", "mixes scripts"),
        ("http://host.nosuchtld/", "no registered top-level domain"),
        ("http://invoice.zip/", "file's ending"),
    ],
)
def test_tricks_are_told(url: str, text: str) -> None:
    assert text in findings(url)


def test_the_parts_of_an_address() -> None:
    each = inspected("hxxps://a.b.example[.]co[.]uk:8443/p/q?x=1&y=%20z#frag")
    assert (each["scheme"], each["host"], each["port"], each["path"]) == ("https", "a.b.example.co.uk", 8443, "/p/q")
    assert (each["registered"], each["subdomain"], each["suffix"]) == ("example.co.uk", "a.b", "co.uk")
    assert each["query"] == [{"name": "x", "value": "1"}, {"name": "y", "value": " z"}]


def test_an_answer_leads_with_what_it_looks_like_and_claims_no_look_up() -> None:
    answer = told(COPY)
    assert "imitation of Apple" in answer.splitlines()[0]
    assert "Cyrillic" in answer
    assert "Nothing was visited" in answer
    assert not any(word in answer.lower() for word in ("is phishing", "is malicious", "is safe", "is clean"))
    assert told(COPY, wish=Wish(one_word=True)) == "suspicious"
    assert told("https://example.org", wish=Wish(only="domain")) == "- `example.org`"


def test_many_addresses_are_a_table_and_items() -> None:
    result = url_inspect(UrlsArguments(urls=[COPY, *(f"https://example.org/{n}" for n in range(7))]), {})
    assert "8 addresses; 1 with a known trick" in tools()["url_inspect"].answer(result, Wish())
    items = tools()["url_inspect"].items(result)
    assert (len(items), items[0]["looks_like"]) == (8, "Apple")
    (payload,) = tools()["url_inspect"].payloads(result)
    assert len(payload.content["rows"]) == 8


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("Is https://evil.top/login?", ["https://evil.top/login"]),
        ("see (hxxp://evil[.]top/a) and evil.org/x, ok", ["http://evil.top/a", "evil.org/x"]),
        ("javascript:alert(1)", ["javascript:alert(1)"]),
        ("open report.py and setup.cfg", []),
    ],
)
def test_addresses_are_found_in_what_is_said(text: str, urls: list[str]) -> None:
    assert urls_in(text) == urls


@pytest.mark.parametrize(
    ("prompt", "attachments", "expected"),
    [
        (f"Is {COPY} phishing?", (), ["url_inspect"]),
        (COPY, (), ["url_inspect"]),
        ("paypa1.com?", (), ["url_inspect"]),
        ("Compare https://microsoft.com and https://rnicrosoft.com", (), ["url_inspect"]),
        ("Whats wrong with this url http://admin:pass@192.168.1.1:8080/%252e", (), ["url_inspect"]),
        (f"and this one: {COPY}", (), ["url_inspect"]),
        (f"Is {COPY} safe?", (LOG,), ["url_inspect"]),
        (f"Check these links:\n\n{COPY}\nhttps://example.org/a", (), ["url_inspect"]),
        ("what do you think about the domain micros0ft-auth[.]top", (), ["url_inspect"]),
        ("Defang http://evil.com/a?b=1 and 203.0.113.7 for a ticket", (), ["defang"]),
        (f"Pull the IOCs out of this report:\n\nA link: {COPY} came in.", (), ["extract_iocs"]),
        ("data:text/html;base64,PHNjcmlwdD4=", (), ["url_inspect"]),
    ],
)
def test_what_is_asked_about_an_address(prompt: str, attachments: tuple[Attached, ...], expected: list[str]) -> None:
    assert [call.tool for call in plan_for(request_of(prompt, attachments)).calls] == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "Which hosts visited http://evil.com/x?",
        "What happened on this host?\n\nGET http://evil.com/ 200",
        "Explain this report to me:\n\nOn Monday the actor sent http://evil.com/x to all of us, and left.",
        "What is CWE-79? I read about it at https://cwe.mitre.org/data/definitions/79.html yesterday evening",
        "Who logged in?",
    ],
)
def test_an_address_in_another_question_is_not_inspected(prompt: str) -> None:
    assert "url_inspect" not in [call.tool for call in plan_for(request_of(prompt, (LOG,))).calls]


@given(st.one_of(st.text(max_size=80), st.text("htps:/@.%0x#?[]\\-аxn1", max_size=60).map("http://".__add__)))
def test_any_text_can_be_put_in(text: str) -> None:
    result = url_inspect(UrlsArguments(urls=[text, "x"]), {})
    json.dumps(result)
    tools()["url_inspect"].answer(result, Wish())
    tools()["url_inspect"].items(result)
