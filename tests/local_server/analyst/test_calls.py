"""Running the calls of a turn: what a result leads on to, what is said beside the answer, what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from secgemini_jupyter.local_server.analyst import calls, composing, earlier, toolbox
from secgemini_jupyter.local_server.analyst.calls import Caller, Outcome
from secgemini_jupyter.local_server.analyst.planner import request_of
from secgemini_jupyter.local_server.analyst.tool import (
    Attached,
    Call,
    FileOrText,
    Payload,
    Request,
    Tool,
    ToolFailure,
    Wish,
    needs,
)
from secgemini_jupyter.models import MessageType

from .conftest import RecordedTurn

pytestmark = pytest.mark.anyio


class InProcess:
    """In place of worker processes: the tool runs here."""

    async def run(self, name: str, arguments: Mapping[str, Any], files: Mapping[str, bytes], *_: object) -> Any:
        return toolbox.tools()[name].run(FileOrText(**arguments), files)


def _unpack(arguments: FileOrText, files: Mapping[str, bytes]) -> dict[str, Any]:
    text = arguments.content(files).decode()
    if text == "broken":
        raise ToolFailure("It is broken.")
    return {"text": text, "sources": [{"name": "Boxes", "version": "2.1", "date": "2026-01-01"}]}


def _then(_request: Request, _call: Call, result: Mapping[str, Any]) -> list[Call]:
    return [Call("unpack", {"text": part}, "open it") for part in result["text"][1:-1].split(",")]


UNPACK = Tool(
    name="unpack",
    description="Unpacks.",
    ability="unpack",
    arguments=FileOrText,
    run=_unpack,
    plan=lambda _request: [],
    answer=lambda result, _wish: f"It held {result['text']}.",
    payloads=lambda result: [Payload("sec-gemini/table", "Parts", {"columns": ["part"], "rows": [[result["text"]]]})],
    then=_then,
)


@pytest.fixture(autouse=True)
def one_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (toolbox, calls, composing, earlier):
        monkeypatch.setattr(module, "tools", lambda: {"unpack": UNPACK})


def caller(turn: RecordedTurn) -> Caller:
    return Caller(InProcess(), turn)  # type: ignore[arg-type]


async def run(text: str) -> tuple[RecordedTurn, list[Outcome]]:
    turn = RecordedTurn("Unpack it", {})
    request = request_of("Unpack it", ())
    return turn, await caller(turn).run_all(request, [Call("unpack", {"text": text}, "open it")])


async def test_a_result_leads_on_and_what_it_leads_to_follows_it() -> None:
    turn, outcomes = await run("[a,b]")
    assert [(each.call.arguments["text"], each.depth) for each in outcomes] == [
        ("[a,b]", 0),
        ("a", 1),
        ("", 2),
        ("b", 1),
    ]
    assert turn.tools == ["unpack"] * 4


async def test_what_a_result_leads_on_to_is_bounded() -> None:
    many = ",".join(str(number) for number in range(100))
    _, outcomes = await run(f"[{many}]")
    assert len(outcomes) == calls.MAX_CALLS
    assert max(each.depth for each in outcomes) == calls.MAX_DEPTH


async def test_a_switched_off_tool_is_not_led_on_to() -> None:
    turn = RecordedTurn("Unpack it", {})
    call = Call("unpack", {"text": "[a]"}, "open it")
    assert await caller(turn).run_all(request_of("", ()), [call], is_off=lambda name: name == "unpack") == []


async def test_a_failure_leads_nowhere_and_is_told() -> None:
    turn, outcomes = await run("broken")
    assert [each.response for each in outcomes] == [{"error": "It is broken."}]
    assert turn.results == [{"error": "It is broken."}]


async def test_the_turn_shows_what_a_call_cost() -> None:
    turn = RecordedTurn("Unpack it", {"a.txt": b"x" * 700, "b.txt": b"y" * 50, "c.txt": b"z"})
    runner = caller(turn)
    await runner.run(Call("unpack", {"file": "a.txt"}, "open it"))
    await runner.run(Call("unpack", {"text": "c.txt"}, "a text is no name"))
    costs = [json.loads(m.content or "") for m in turn.said if m.message_type is MessageType.DEBUG]
    assert [cost["bytes_read"] for cost in costs if "response" in cost] == [700, 5]
    assert all(cost["seconds"] >= 0 for cost in costs if "response" in cost)
    assert (runner.spent.calls, runner.spent.bytes_read) == (2, 705)


async def test_payloads_are_said_as_they_are_and_too_large_ones_not() -> None:
    turn = RecordedTurn("", {})
    small = Payload("sec-gemini/table", "Parts", {"columns": ["a"], "rows": [["x"]]})
    large = Payload("sec-gemini/table", "Parts", {"columns": ["a"], "rows": [["x" * calls.MAX_PAYLOAD]]})
    await caller(turn).show([large, small])
    (said,) = turn.said
    assert (said.message_type, said.mime_type, said.title) == ("result", "sec-gemini/table", "Parts")
    assert json.loads(said.content or "") == small.content


async def test_the_data_behind_an_answer_is_named_once() -> None:
    _, outcomes = await run("[a,b]")
    text = composing.compose(request_of("Unpack it", ()), outcomes)
    assert text.endswith("\n\nData: Boxes 2.1; offline.")
    assert text.count("Boxes") == 1


async def test_a_bare_answer_has_nothing_beside_it() -> None:
    request = Request("", "", "", (), Wish(only="parts"))
    _, outcomes = await run("a")
    assert composing.compose(request, outcomes[:1]) == "It held a."
    assert composing.payloads(request, outcomes) == []
    plain = request_of("Unpack it", ())
    assert len(composing.payloads(plain, outcomes[:1])) == 1
    long = Outcome(outcomes[0].call, {"text": "a cell that no answer holds"})
    assert composing.payloads(plain, [long], "It held 1.") != []
    assert composing.payloads(plain, [long], composing.compose(plain, [long])) == [], "the text holds all of it"


def test_a_library_that_is_missing_is_told_with_the_extra_that_brings_it() -> None:
    with pytest.raises(ToolFailure, match=r"yara_scan needs the library no_such_yara: .*secgemini-jupyter\[analyst\]"):
        needs("no_such_yara.rules", "analyst", "yara_scan")
    assert needs("json", "analyst").loads("1") == 1


def test_a_part_of_a_file_is_named_after_it() -> None:
    assert FileOrText(file="m.eml", member=["a.zip", "b.exe"]).source == "m.eml › a.zip › b.exe"
    assert Attached("m.eml", "email", 3).is_text is False
