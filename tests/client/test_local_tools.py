"""What this side does in a turn: the cap on calls of local tools, functions after a resume, confirmations."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import pytest

from secgemini_jupyter.client.sync import SecGemini
from secgemini_jupyter.errors import InputError, Secret, SettingsError
from secgemini_jupyter.models import MessageType
from secgemini_jupyter.settings import Settings
from secgemini_jupyter.tools import Unasked, secgemini_tool
from tests.conftest import LocalService

RAN: list[int] = []


@secgemini_tool
def count() -> int:
    "Counts its runs."
    RAN.append(1)
    return len(RAN)


@secgemini_tool
def other() -> str:
    "Another tool."
    return "other"


def test_the_service_may_call_only_so_often_in_a_turn(
    shell: Any, local_service: LocalService, caplog: pytest.LogCaptureFixture
) -> None:
    RAN.clear()
    settings = Settings(base_url=local_service.http, websocket_url=local_service.ws, max_tool_calls=2)
    session = shell(local_service.key, settings=settings).create_session(tools=[count])
    with caplog.at_level(logging.WARNING, "secgemini_jupyter"):
        answer = session.query("[[call count]]" * 5).answer
    assert answer.splitlines()[:2] == ["1", "2"]
    assert answer.count("count failed: this turn has made 2 calls of local tools") == 3
    assert len(RAN) == 2
    told = [record.getMessage() for record in caplog.records if "max_tool_calls" in record.getMessage()]
    assert len(told) == 1
    assert session.query("[[call count]]").answer == "3", "the next turn counts anew"
    session.delete()


@pytest.mark.parametrize(("said", "limit"), [("", 50), ("7", 7), (" 0 ", 0)])
def test_the_cap_is_a_setting(said: str, limit: int) -> None:
    assert Settings.from_environment({"SECGEMINI_MAX_TOOL_CALLS": said}).max_tool_calls == limit


@pytest.mark.parametrize("said", ["-1", "many", "1e3"])
def test_a_cap_that_makes_no_sense_is_refused(said: str) -> None:
    with pytest.raises(SettingsError, match="SECGEMINI_MAX_TOOL_CALLS"):
        Settings.from_environment({"SECGEMINI_MAX_TOOL_CALLS": said})


def test_a_resumed_session_warns_of_tools_without_a_function_and_takes_them_again(client: Any) -> None:
    session = client.create_session("mine", tools=[count, other])
    with pytest.warns(
        UserWarning, match=r"without a function .*: count, other\. .*session\.bind_tools\(\[count, other\]\)"
    ):
        again = client.resume_session(session.id)
    assert again.missing_tools == ["count", "other"]
    assert "no local tool 'other' here" in again.query("[[call other]]").answer
    assert again.bind_tools([other]) == ["count"]
    assert again.query("[[call other]]").answer == "other"
    with pytest.warns(UserWarning, match="without a function in this process: count"):
        again = client.resume_session(session.id, tools=[other])
    again.bind_tools([count])
    assert list(again.toolbox) == ["other", "count"]
    client.resume_session(session.id, tools=[count, other])  # all there: no warning, which would be an error here
    session.delete()


def test_a_session_keeps_the_tools_that_it_was_made_with(client: Any) -> None:
    session = client.create_session(tools=[count])
    with pytest.raises(InputError, match=r"made without the tool other \(it has: count\)"):
        session.bind_tools([other])
    assert list(session.toolbox) == ["count"]
    session.delete()


def test_a_tool_s_call_of_another_session_is_not_run(client: Any) -> None:
    RAN.clear()
    session, stranger = client.create_session(tools=[count]), client.create_session()
    assert "no local tool 'count'" in stranger.query("[[call count]]").answer
    assert RAN == []
    session.delete()
    stranger.delete()


def raises(error: Exception) -> Any:
    def confirm(_: Any) -> bool:
        raise error

    return confirm


async def later(verdict: bool) -> bool:
    await asyncio.sleep(0.01)
    return verdict


@pytest.mark.parametrize(
    ("confirm", "said"),
    [
        (None, "denied (nobody could be asked)"),
        (lambda _: True, "approved"),
        (lambda _: "yes", "denied"),
        (lambda _: later(True), "approved"),
        (lambda _: later(False), "denied"),
        (raises(Unasked("no input here")), "denied (no input here)"),
        (raises(ValueError("a canary-key-5555566666")), "denied (ValueError: a [redacted])"),
    ],
)
def test_a_confirmation_is_answered_whatever_happens(client: Any, confirm: Any, said: str) -> None:
    secret = Secret("canary-key-5555566666")
    session = client.create_session()
    session.confirm = confirm
    response = session.query('[[confirm Block it? {"host": "web-7"}]]')
    assert response.answer == f"Block it?: {said}"
    (request,) = (m for m in response.messages if m.message_type is MessageType.CONFIRMATION_REQUEST)
    (answer,) = (m for m in response.messages if m.message_type is MessageType.CONFIRMATION_RESPONSE)
    assert answer.parent_id == request.id
    assert json.loads(answer.content or "")["decision"] == ("approve" if said == "approved" else "deny")
    table = session.history()
    assert list(table["message_type"])[4:6] == ["confirmation_request", "confirmation_response"]
    verdict = "approved" if said == "approved" else "denied"
    assert f"asked you: Block it? ({verdict})" in str(table.secgemini.tree())
    assert len(table.secgemini.tool_calls()) == 0
    labels = list(table.secgemini.timeline()["label"])
    assert 'Block it? {"host": "web-7"}' in labels
    session.delete()
    del secret


def test_a_confirmation_that_comes_too_late_is_not_among_the_messages(client: Any) -> None:
    """They are those that the service stored; it went on without the answer."""
    session = client.create_session()
    for index, seconds in enumerate((0.0, 0.4)):
        session.confirm = lambda _, seconds=seconds: not time.sleep(seconds)
        response = session.query("[[confirm within=0.2 Block it?]]")
        assert response.answer.startswith("Block it?: " + ("approved", "denied (No answer within")[index])
        session.refresh()
        stored = session.messages[-len(response.messages) - 1 :]
        assert stored[0].message_type is MessageType.QUERY
        assert [m.to_json() for m in response.messages] == [m.to_json() for m in stored[1:]]
        assert (MessageType.CONFIRMATION_RESPONSE in {m.message_type for m in stored}) == (index == 0)
    session.delete()


def test_a_confirmation_is_asked_once_although_the_connection_is_cut(client: Any) -> None:
    asked = []
    session = client.create_session()
    session.confirm = lambda message: asked.append(message) or True
    response = session.query("[[drop after=4]] [[confirm Block it?]]")
    assert response.answer == "Block it?: approved"
    assert len(asked) == 1
    kinds = [message.message_type for message in session.messages]
    assert kinds.count(MessageType.CONFIRMATION_RESPONSE) == 1
    session.delete()


def test_an_abandoned_confirmation_is_denied_by_the_next_turn(local_service: LocalService) -> None:
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session()
        for message in session.stream_sync("[[confirm Block it?]]"):
            if message.message_type is MessageType.THINKING:
                break  # the turn waits for a confirmation from here on
        session.confirm = lambda _: pytest.fail("nobody asks for this turn any more")
        assert session.query("hello").answer == "hello"
        answer = next(m for m in session.messages if m.message_type is MessageType.CONFIRMATION_RESPONSE)
        assert json.loads(answer.content or "") == {
            "decision": "deny", "comment": "the user stopped the turn that asked for this",
        }  # fmt: skip
        session.delete()
