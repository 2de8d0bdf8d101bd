"""Indicators: what is one, what is not, and the two ways to write them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secgemini_jupyter.indicators import Indicator, defang, extract, finding, refang, spelling
from secgemini_jupyter.indicators.wallets import keccak256


def found(text: str, *, derived: bool = False) -> list[tuple[str, str]]:
    hosts = {"from_url", "from_email"}
    return [(i.type, i.value) for i in extract(text) if derived or not hosts & {*i.flags}]


def flags(text: str) -> tuple[str, ...]:
    (indicator,) = extract(text)
    return indicator.flags


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("hxxp://evil[.]com/a", "url", "http://evil.com/a"),
        ("hXXps://evil(.)com:8443/a?b=1#c", "url", "https://evil.com:8443/a?b=1#c"),
        ("hxxps[://]evil{.}com/", "url", "https://evil.com/"),
        ("hxxp[:]//203.0.113[.]9/x", "url", "http://203.0.113.9/x"),
        ("fxp://evil[.]com/f", "url", "ftp://evil.com/f"),
        ("(see https://en.wikipedia.org/wiki/A_(b)).", "url", "https://en.wikipedia.org/wiki/A_(b)"),
        ("${jndi:ldap://evil.com/a}", "url", "ldap://evil.com/a"),
        ("http://[2001:db8::1]:8080/x", "url", "http://[2001:db8::1]:8080/x"),
        ("evil[dot]com", "domain", "evil.com"),
        ("evil[.com", "domain", "evil.com"),
        ("EVIL.co.uk.", "domain", "evil.co.uk"),
        ("evil\\.com", "domain", "evil.com"),
        ("payload[.]zip", "domain", "payload.zip"),
        ("münchen.de", "domain", "münchen.de"),
        ("expyuzz4wqqyqhjn[.]onion", "onion", "expyuzz4wqqyqhjn.onion"),
        ("bad [at] evil [dot] com", "email", "bad@evil.com"),
        ("bad[@]Evil.com", "email", "bad@evil.com"),
        ("198.51.100[.]7", "ipv4", "198.51.100.7"),
        ("8.8.8.8:53", "ipv4", "8.8.8.8"),
        ("10.0.0.0/8", "ipv4", "10.0.0.0/8"),
        ("[2001:DB8::dead:BEEF]:443", "ipv6", "2001:db8::dead:beef"),
        ("2001[:]db8[:][:]1", "ipv6", "2001:db8::1"),
        ("::ffff:192.0.2.1", "ipv6", "::ffff:192.0.2.1"),
        ("d41d8cd98f00b204e9800998ecf8427e", "md5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", "sha1", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("cve-2021-44228", "cve", "CVE-2021-44228"),
        ("CWE-79", "cwe", "CWE-79"),
        ("GHSA-jfh8-c2jp-5v3q", "ghsa", "GHSA-jfh8-c2jp-5v3q"),
        ("T1059.001", "attack", "T1059.001"),
        ("AS13335", "asn", "AS13335"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "btc", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "btc", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "eth", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
        (r"HKLM\Software\Microsoft\Windows NT\Run and", "registry", r"HKLM\Software\Microsoft\Windows NT\Run"),
        (r"C:\\Users\\me\\.ssh\\id", "windows_path", r"C:\Users\me\.ssh\id"),
        (r"%APPDATA%\evil\a.dll", "windows_path", r"%APPDATA%\evil\a.dll"),
        (r"\\server\share\a.exe", "windows_path", r"\\server\share\a.exe"),
        ("ran /tmp/.x/run.sh twice", "unix_path", "/tmp/.x/run.sh"),
    ],
)
def test_one_indicator_is_found(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "setup.py README.md main.go ASP.NET invoice.pdf.exe Node.js Makefile.in libc.so evil.zip",
        ".NET 4.7.2.1, version 10.0.1.1, Chrome/120.0.0.0, v1.2.3.4, Windows 10.0.19045.1",
        "192.030.0.6 999.1.1.1 1.2.3.4.5 pkg-1.2.3.4",
        "self.name df.info() os.path.join com.google.android found.It e.g. i.e. U.S.",
        "std::vector dead::beef 12:34:56 00:11:22:33:44:55 00:11:22:33:44:55:66:77",
        "44d88612fea8aa36de82e1278abb02f 00000000000000000000000000000000",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
        "+1-202-555-0147 AS400 a@b http:// foo_bar.name",
    ],
)
def test_look_alikes_are_no_indicators(text: str) -> None:
    assert found(text) == []
    assert defang(text) == text


def test_the_host_of_a_url_or_mail_address_is_an_indicator_too() -> None:
    assert found("http://a.evil.com/x y@evil.org", derived=True) == [
        ("url", "http://a.evil.com/x"),
        ("domain", "a.evil.com"),
        ("email", "y@evil.org"),
        ("domain", "evil.org"),
    ]


def test_a_value_refanged_in_a_sentence_keeps_its_original_and_offset() -> None:
    (indicator,) = extract("beacon to evil[.]com now")
    assert indicator == Indicator("domain", "evil.com", "evil[.]com", 10, ("defanged",))


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("10.0.0.5", "private"),
        ("127.0.0.1", "loopback"),
        ("203.0.113.7", "documentation"),
        ("2001:db8::1", "documentation"),
        ("169.254.1.1", "link_local"),
        ("100.64.0.1", "shared"),
        ("224.0.0.251", "multicast"),
        ("::ffff:10.0.0.1", "private"),
        ("evil.example.com", "documentation"),
        ("xn--80ak6aa92e.com", "punycode"),
        ("8.8.8.8:53", "port:53"),
        ("10.0.0.0/8", "network"),
        ("0x" + "ab" * 20, "no_checksum"),
    ],
)
def test_what_is_special_about_a_value_is_flagged(text: str, flag: str) -> None:
    assert flag in flags(text)


@pytest.mark.parametrize("text", ["http://ads.evil.com/if?enc=…SAAA", "(see hxxp://evil[.]com/long/pa…)"])
def test_a_url_that_somebody_shortened_is_flagged(text: str) -> None:
    url, host = extract(text)
    assert "shortened" in url.flags
    assert "shortened" not in host.flags


def test_defang_changes_network_indicators_alone() -> None:
    text = "http://evil.com/a.exe, a@evil.org, 10.0.0.5, [2001:db8::1]:443; run setup.py 4.7.2 in /etc/cron.d/x"
    assert defang(text) == (
        "hxxp://evil[.]com/a.exe, a[@]evil[.]org, 10[.]0[.]0[.]5, [2001[:]db8[:][:]1]:443; "
        "run setup.py 4.7.2 in /etc/cron.d/x"
    )


def test_a_url_inside_a_url_is_defanged_as_well() -> None:
    assert "http://" not in defang("https://a.com/?next=http://b.com/")


def test_refang_leaves_brackets_that_defang_nothing() -> None:
    assert refang("x[.]y = f(.)  meet me (at) noon, re.split('[.]', s)") == (
        "x[.]y = f(.)  meet me (at) noon, re.split('[.]', s)"
    )


def test_keccak_is_ethereums() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


_FRAGMENTS = st.sampled_from(
    ["http://evil.com/a?b=1", "hxxps://evil[.]com", "a@evil.com", "10.0.0.5", "1.2.3[.]4", "2001:db8::1", "evil.co.uk",
     "evil[dot]com", "setup.py", "v1.2.3.4", " ", "\n", ", ", ".", ":", "[", "]", "(", ")", "\\", "/", "@", "word",
     "[.]", "[:]", "C:\\Users\\x", "/etc/passwd", "https://", "[at]", "hxxp", "é", "\x00", "::1", "http://[::1]/x"]
)  # fmt: skip
_TEXTS = st.one_of(st.lists(_FRAGMENTS, max_size=12).map("".join), st.text(max_size=60))


@given(_TEXTS)
@settings(max_examples=150, deadline=None)
def test_every_indicator_stands_where_it_says(text: str) -> None:
    for indicator in extract(text):
        assert text[indicator.start : indicator.start + len(indicator.original)] == indicator.original
        assert indicator.original


@given(st.lists(_FRAGMENTS.filter(lambda f: len(f) > 2 and "[" not in f and f != "http://[::1]/x"), max_size=8))
@settings(max_examples=120, deadline=None)
def test_defanging_can_be_undone(fragments: list[str]) -> None:
    text = " ".join(fragments)
    assert refang(defang(text)) == text
    assert defang(defang(text)) == defang(text)
    assert [(i.type, i.value) for i in extract(defang(text))] == [(i.type, i.value) for i in extract(text)]


@given(_TEXTS)
@settings(max_examples=120, deadline=None)
def test_defanged_text_holds_no_clickable_url(text: str) -> None:
    assert not [i for i in extract(defang(text)) if i.type == "url" and i.original.startswith("http")]


_MARKS = st.sampled_from(
    ["hxtp", "htxp", "h**p", "fxp", "://", "(://)", "[://]", "{://}", ":\\\\", "{:}", "[ . ]", "[ @ ]", "(.)",
     "[.dot.]", " [dot] ", "(at)", "{at}", "[.", ".]", "\\.", "a", "com", "10", "{", '{"a": 1}', "(x)", "FE80::", "1:2",
     "-.x"]
)  # fmt: skip


@given(st.lists(_FRAGMENTS | _MARKS, max_size=10).map("".join) | st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_the_quick_look_finds_every_text_that_has_something_to_change(text: str) -> None:
    assert defang(text) == finding._rewritten(text, finding._defanged)
    assert not spelling._MARK.search(text) or spelling._MARK_NEEDLE.search(text)


@pytest.mark.parametrize(
    "unit",
["a", "1.", "http://", "[.]", "f:", "a@", "\\a", "HKLM\\a b", "/etc/", ")", "%AA", "http://a@a", "a [at",
     "http://a.com" + ")" * 4000, "x" * 40 + "/1.1.1.1 "],
)  # fmt: skip
def test_a_hostile_line_of_a_megabyte_costs_linear_time(unit: str) -> None:
    extract("warm.example.com")
    line = unit * (2**20 // len(unit))
    best = _seconds(line[: 2**18])
    assert best < 1.0, "a quarter of the line"
    assert _seconds(line) < max(8 * best, 1.0)


def _seconds(text: str) -> float:
    start = time.process_time()
    extract(text)
    return time.process_time() - start
