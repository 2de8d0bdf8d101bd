"""Indicators as a STIX 2.1 bundle: what the standard's own library takes, and nothing that everybody has."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter import accessor  # noqa: F401  # registers `df.secgemini`
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.settings import KEY_PAGE
from secgemini_jupyter.transcript.iocs import iocs_frame
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.stix import PATTERNS, stix_bundle, to_stix
from secgemini_jupyter.transcript.turns import turn_slices
from tests.transcript.documents import hostile_messages
from tests.transcript.frames import message
from tests.transcript.strategies import few

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TEXT = (
    "It came from 45.83.64.9, 45.83.64.0/24 and 2a03:2880::1 by https://login.evil-bank.com/a?q='x' "
    "of evil-bank.com and spam@evil-mail.org. "
    f"Files {SHA256}, d41d8cd98f00b204e9800998ecf8427e; key HKLM\\Software\\Evil; AS64496; CVE-2021-44228; "
    "nearby 10.0.0.1, 127.0.0.1, 192.0.2.7, fe80::1, http://10.1.2.3/x, http://intra.corp/y, root@dc01.internal, "
    "/etc/passwd, C:\\Windows\\evil.exe, 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2, T1059"
)


def iocs(text: str = TEXT, *, session: str = "s1", again: str = "") -> pd.DataFrame:
    said = [message("query", "query", text, id="q1", at=0), message("result", "agent_done", again, id="r1", at=60.25)]
    return iocs_frame(turn_slices(said, session_id=session))


def parsed(bundle: dict[str, Any] | str) -> list[Any]:
    """The bundle as the standard's library reads it: unknown properties and bad patterns are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import stix2

        return list(stix2.parse(bundle, allow_custom=False).objects)


def patterns(bundle: dict[str, Any]) -> list[str]:
    return [item["pattern"] for item in bundle["objects"] if item["type"] == "indicator"]


def test_each_type_has_its_pattern() -> None:
    bundle = stix_bundle(iocs())
    assert patterns(bundle) == [
        "[ipv4-addr:value = '45.83.64.9']",
        "[ipv4-addr:value ISSUBSET '45.83.64.0/24']",
        "[ipv6-addr:value = '2a03:2880::1']",
        "[url:value = 'https://login.evil-bank.com/a?q=']",
        "[domain-name:value = 'evil-bank.com']",
        "[email-addr:value = 'spam@evil-mail.org']",
        f"[file:hashes.'SHA-256' = '{SHA256}']",
        "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']",
        "[windows-registry-key:key = 'HKEY_LOCAL_MACHINE\\\\Software\\\\Evil']",
        "[autonomous-system:number = 64496]",
    ]
    assert [item["name"] for item in bundle["objects"] if item["type"] == "vulnerability"] == ["CVE-2021-44228"]
    assert len(parsed(bundle)) == 12


def test_what_everybody_has_is_kept_on_request() -> None:
    kept = patterns(stix_bundle(iocs(), special=True))
    for value in ("10.0.0.1", "127.0.0.1", "192.0.2.7", "fe80::1", "http://10.1.2.3/x", "http://intra.corp/y"):
        assert any(f"'{value}'" in pattern for pattern in kept), value
    assert len(kept) == len(patterns(stix_bundle(iocs()))) + 7
    assert "[domain-name:value = 'login.evil-bank.com']" in patterns(stix_bundle(iocs(), hosts=True))


def test_what_somebody_shortened_and_the_page_for_keys_are_no_pattern() -> None:
    told = f"http://ads.evil-bank.com/if?enc=…SAAA and http://evil-bank.org/whole. Get a key at {KEY_PAGE}"
    assert patterns(stix_bundle(iocs("hello", again=told))) == ["[url:value = 'http://evil-bank.org/whole']"]


def test_a_host_of_a_url_that_is_also_said_by_itself_is_written() -> None:
    """First in a URL, then alone: in the same message, or in a later one."""
    url = "https://login.evil-bank.com/a"
    by_itself = "[domain-name:value = 'login.evil-bank.com']"
    assert by_itself not in patterns(stix_bundle(iocs(url)))
    assert by_itself in patterns(stix_bundle(iocs(f"{url} of login.evil-bank.com")))
    assert by_itself in patterns(stix_bundle(iocs(url, again="Block login.evil-bank.com.")))


def test_a_mention_is_no_verdict_and_says_when() -> None:
    bundle = stix_bundle(iocs("45.83.64.9", again="45.83.64.9 again"))
    indicator = bundle["objects"][1]
    assert indicator["indicator_types"] == ["unknown"]
    assert indicator["description"] == "Mentioned 2 times in session s1: a mention, no verdict."
    assert indicator["created"] == indicator["valid_from"] == "2025-10-09T08:55:00.000Z"
    assert indicator["modified"] == "2025-10-09T08:56:00.250Z"


def test_the_same_indicator_has_the_same_id_and_another_session_another() -> None:
    ids = [[item["id"] for item in stix_bundle(iocs(session=session))["objects"]] for session in ("s1", "s1", "s2")]
    assert ids[0] == ids[1]
    assert set(ids[0]) & set(ids[2]) == {ids[0][0]}  # who wrote it
    assert stix_bundle(iocs()) == stix_bundle(iocs())
    assert stix_bundle(iocs())["id"] != stix_bundle(iocs()[1:])["id"]
    assert all(re.fullmatch(r"[a-z-]+--[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", each)
               for each in ids[0])  # fmt: skip


def test_rows_that_were_chosen_are_those_that_are_written() -> None:
    table = iocs()
    assert patterns(stix_bundle(table[table["type"] == "sha256"])) == [f"[file:hashes.'SHA-256' = '{SHA256}']"]
    bare = table[["type", "value", "flags"]]
    assert len(parsed(stix_bundle(bare, now=1.76e9))) == 12
    assert stix_bundle(table[:0])["objects"][0]["type"] == "identity"
    with pytest.raises(InputError, match="lacks the columns value, flags"):
        stix_bundle(table[["type"]])


def test_two_sessions_are_two_reports() -> None:
    both = pd.concat([iocs("45.83.64.9"), iocs("45.83.64.9", session="s2")])
    assert len(patterns(stix_bundle(both))) == 2


@few
@given(st.sampled_from(sorted(set(PATTERNS) - {"asn"})), st.text(min_size=1, max_size=20) | st.just("a' OR '1\\"))
def test_no_value_ends_its_string(kind: str, value: str) -> None:
    row = {"type": [kind], "value": [value], "flags": [None]}
    bundle = json.loads(to_stix(pd.DataFrame(row, dtype=object), special=True))
    (pattern,) = patterns(bundle)
    inside = pattern[pattern.index("'", pattern.index(" ")) + 1 : -2]
    assert not re.sub(r"\\[\\']", "", inside).count("'")
    assert not re.sub(r"\\[\\']", "", inside).count("\\")


def test_a_hostile_transcript_is_a_valid_bundle() -> None:
    table = iocs_frame(turn_slices(hostile_messages(), session_id="\ud800<script>"))
    assert len(parsed(to_stix(table, special=True, hosts=True))) > 3


def test_a_transcript_gives_its_bundle(tmp_path: Path) -> None:
    said = [message("query", "query", "45.83.64.9 and 10.0.0.1", id="q1", at=0)]
    table = messages_frame(said, session_id="s1")
    assert patterns(json.loads(table.secgemini.to_stix())) == ["[ipv4-addr:value = '45.83.64.9']"]
    table.secgemini.to_stix(tmp_path / "a.json", special=True)
    assert len(patterns(json.loads((tmp_path / "a.json").read_text()))) == 2
    table.secgemini.export(tmp_path / "a.stix.json")
    assert (tmp_path / "a.stix.json").read_text() == table.secgemini.to_stix()
