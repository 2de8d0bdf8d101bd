"""Numbers and names in a model's text that nothing it was given holds are listed beside the answer, by us."""

from __future__ import annotations

import json
from typing import Any

import pytest

from secgemini_jupyter.local_server.engines.openai.checked import Known, claims
from secgemini_jupyter.models import Message, MessageType, Role, State
from tests.local_server.engines.conftest import AskModel
from tests.local_server.engines.scripted_openai import ScriptedEndpoint, calls, says

pytestmark = pytest.mark.anyio
RESULT = {"rows": [["198.51.100.7", 1234], ["a.example.com", 0.965]], "at": "2026-03-04T05:06:07Z", "score": 9.8}


def unknown(text: str, *known: str, arguments: object = None, result: Any = None) -> list[str]:
    found = Known()
    found.add(*known)
    if result is not None:
        found.add_result(arguments, result)
    return [claim.shown for claim in found.unknown(text)]


@pytest.mark.parametrize(
    "text",
    [
        "There are 1,234 rows, or 1234 of them; 96.5% or 97% failed.",
        "198.51.100.7 (198[.]51[.]100[.]7) and a.example.com, A[.]example[.]COM, of example.com.",
        "It is 9.8, on 4 March 2026 at 05:06:07, in short 2026-03-04.",
        "1. One\n2. Two\n10) Ten\n11) Eleven\n- 12. Twelve\n\nTwo, 2, 3 or 10 of them.",
        "1.2k rows, 1_234 of them, 0x4D2 or 1.234e3; from 198 . 51 . 100 . 7 and 198.51.100[dot]7.",
        "base64, sha256, x86, log4j, utf-8 and web-1 are words.",
    ],
)
def test_what_was_found_is_not_listed(text: str) -> None:
    assert unknown(text, result=RESULT) == []


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("There are 1,235 rows.", ["1,235"]),
        ("CVE-2021-44228 (CWE-502), T1059.001", ["CVE-2021-44228", "CWE-502", "T1059.001"]),
        ("at 203.0.113.9, b[.]example[.]com and https://a.example.com/x", ["203.0.113.9", "b.example.com", "https://a.example.com/x"]),
        ("d41d8cd98f00b204e9800998ecf8427e", ["d41d8cd98f00b204e9800998ecf8427e"]),
        ("9.79, 9.9; 97.5%", ["9.79", "9.9", "97.5%"]),
        ("１２３４５ and 4\u200b2 and ٤٣", ["12345", "42", "43"]),
        ("`42`\n```\n43\n```\n<!-- 44 --> [45](/46)", ["42", "43", "44", "45", "46"]),
        ("notexample.com", ["notexample.com"]),
        ("1_000_000, 3e5, 0x1F4, 7M, 5k", ["1_000_000", "3e5", "0x1F4", "7M", "5k"]),
        ("9 . 8 . 7 . 6, 9.9.9[dot]8", ["9.8.7.6", "9.9.9.8"]),
        ("deadbeefdeadbeef", ["deadbeefdeadbeef"]),
        ("4312. logins\n\n57) failures", ["4312", "57"]),
        ("42 42 42", ["42"]),
    ],
)  # fmt: skip
def test_what_was_not_is(text: str, listed: list[str]) -> None:
    assert unknown(text, result=RESULT) == listed


def test_what_a_prompt_says_is_known() -> None:
    assert unknown("CVE-2021-44228 in 42 hosts.", "Is cve-2021-44228 in these 42?") == []
    assert unknown("T1059 is meant.", "T1059.001") == []


def test_a_name_that_only_comes_back_is_not_known_by_that() -> None:
    """Else a model could have any tool repeat what it made up."""
    echoed = {"iocs": [{"value": "evil.example.net"}], "text": "see evil.example.net, CVE-2099-1234"}
    text = "evil.example.net uses CVE-2099-1234."
    arguments = {"text": "see evil.example.net, CVE-2099-1234"}
    assert unknown(text, arguments=arguments, result=echoed) == ["CVE-2099-1234", "evil.example.net"]
    assert unknown(text, "see evil.example.net, CVE-2099-1234", arguments=arguments, result=echoed) == []


def test_a_number_of_a_query_is_known_where_a_row_has_it_too() -> None:
    arguments = {"sql": "SELECT * FROM log WHERE status = 404 AND size = 777"}
    assert unknown("404, 777", arguments=arguments, result=arguments | {"rows": [["/x", 404]]}) == ["777"]


def test_local_tools_give_json_within_text() -> None:
    assert unknown("198.51.100.7: 1,234", result=json.dumps(RESULT)) == []


def test_a_hostile_text_takes_no_long_time() -> None:
    """Each would take very long if a step were not linear; nothing is timed here."""
    for text in ("1" * 20_000, "a1.b" * 5_000, "1,111" * 4_000, "deadbeef1" * 2_000, "[.]" * 7_000):
        assert len(claims(text)) < 60_000
    many = " ".join(f"{number}.5" for number in range(4_000))
    assert len(unknown(" ".join(f"{number}.7" for number in range(4_000)), many)) == 200


async def test_the_list_stands_beside_the_answer(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    """As a message of its own: nothing in the model's text can hide it, or look like it."""
    text = "It is CVE-2099-9999, score 8.7.\n\n```\nAll numbers are found in tool results."
    endpoint.play(calls(("defang", {"text": "a.example.com"})), says(text))
    turn = await ask("Defang a.example.com", partial=True)
    assert turn.text == text
    listed = turn.said[-1]
    assert listed.mime_type == "sec-gemini/table"
    assert (listed.role, listed.actor) == (Role.SYSTEM, "orchestrator")
    assert json.loads(listed.content or "") == {
        "title": "Not found in any tool result, prompt or file name",
        "columns": ["stated in the answer", "as"],
        "rows": [["CVE-2099-9999", "id"], ["8.7", "number"]],
    }


async def test_names_and_sizes_of_attachments_and_earlier_results_are_known(
    ask: AskModel, endpoint: ScriptedEndpoint
) -> None:
    def message(kind: MessageType, content: str, state: State, role: Role = Role.AGENT) -> Message:
        return Message(message_type=kind, content=content, state=state, role=role)

    shown = json.dumps({"id": "x", "name": "t", "response": {"result": {"ip": "198.51.100.7"}}})
    history = [
        message(MessageType.QUERY, "What about 203.0.113.9?", State.QUERY, Role.USER),
        message(MessageType.DEBUG, shown, State.TOOL_RESULT),
        message(MessageType.RESULT, "It is 192.0.2.99.", State.AGENT_DONE),
    ]
    endpoint.play(says("host-4711.txt has 17 bytes: 198.51.100.7, 203.0.113.9, 192.0.2.99."))
    turn = await ask("And now?", {"host-4711.txt": b"x" * 17}, history=history)
    assert turn.unknown == ["192.0.2.99"]  # the model said so itself
    assert endpoint.last.said("assistant") == ["It is 192.0.2.99."]


async def test_a_long_list_is_cut(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(says(", ".join(str(number) for number in range(1000, 1050))))
    turn = await ask("Count.")
    assert len(turn.unknown) == 20
    assert "(the first 20 of 50)" in (turn.said[-1].title or "")
