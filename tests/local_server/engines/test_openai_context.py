"""Conversations that are longer than the model takes."""

from __future__ import annotations

import pytest

from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.engines.openai.refusals import is_too_long, limit_in
from secgemini_jupyter.models import Message, MessageType, Role, State
from tests.local_server.engines.conftest import AskModel
from tests.local_server.engines.scripted_openai import ScriptedEndpoint, calls, failure, says

pytestmark = pytest.mark.anyio
OPENAI = "This model's maximum context length is 3000 tokens. However, your messages resulted in 91234 tokens."


def earlier(turns: int, size: int) -> list[Message]:
    found = []
    for number in range(turns):
        asked = f"Question {number} " + "word " * (size // 5)
        found.append(Message(message_type=MessageType.QUERY, content=asked, role=Role.USER, state=State.QUERY))
        found.append(Message(message_type=MessageType.RESULT, content=f"Answer {number}", role=Role.AGENT))
    return found


async def test_the_oldest_turns_are_left_out_and_a_note_says_so(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(says("Here."))
    turn = await ask("Question now", history=earlier(6, 1500), context=4000)
    asked = endpoint.last.said("user")
    assert asked[-1] == "Question now"
    assert asked[0].startswith("Question 5") or asked[0].startswith("Question 4")
    assert len(endpoint.last.said("assistant")) == len(asked) - 1
    assert "earlier turns left out" in turn.notes
    assert "4,000 tokens (estimated)" in turn.notes


async def test_without_a_limit_everything_is_sent(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(says("Here."))
    turn = await ask("Question now", history=earlier(6, 1500))
    assert len(endpoint.last.said("user")) == 7
    assert "left out" not in turn.notes


async def test_the_limit_is_learned_from_the_endpoints_error(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(failure(400, OPENAI), says("Here."), says("Again."))
    turn = await ask("Question now", history=earlier(6, 1500))
    assert turn.text == "Here."
    assert "3,000 tokens" in turn.notes
    assert len(endpoint.last.said("user")) < 7
    await ask("Question now", history=earlier(6, 1500), same=True)
    assert len(endpoint.received) == 3  # known from now on


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        (OPENAI, 3000),
        ("the request exceeds the available context size (4096 tokens), try increasing it", 4096),
        ("Input length 12,345 exceeds the maximum context length of 8,192 tokens", 8192),
        (
            "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens "
            "(8000 in the messages, 1000 in the completion).",
            8192,
        ),
        ("prompt is too long: 213462 tokens > 200000 maximum", 200_000),
        ("maximum context length is 300 tokens", 0),
        ("context_length_exceeded", 0),
        ("prompt is too long", 0),
    ],
)
def test_the_limit_in_an_error(words: str, limit: int) -> None:
    assert is_too_long(400, words)
    assert limit_in(words) == limit


async def test_an_error_of_another_prompt_refuses_none(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    """An endpoint that once named a wrong limit is asked all the same."""
    wrong = failure(400, "maximum context length is 600 tokens")
    endpoint.play(wrong, says("Here."), says("Again."))
    assert (await ask("word " * 900)).error.status_code == 413  # for this one it was said
    turn = await ask("word " * 900, same=True)
    assert turn.text == "Here."
    assert (await ask("Short.", history=earlier(2, 3000), same=True)).text == "Again."
    assert len(endpoint.last.said("user")) == 3
    assert len(endpoint.received) == 3


async def test_a_long_result_is_cut_with_a_mark(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(calls(("get", {})), says("Here."))
    await ask("Get it.", local={"get": "x" * 100_000})
    (content,) = endpoint.last.said("tool")
    assert len(content) < 25_000
    assert content.endswith("more characters. Ask for a smaller part.]")


async def test_old_results_are_shortened_where_they_do_not_fit(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(calls(("get", {}), ("get", {})), says("Here."))
    turn = await ask("Get it.", local={"get": "x" * 20_000}, context=6000)
    first, second = endpoint.last.said("tool")
    assert len(first) < 1000
    assert "shortened" in turn.notes
    assert turn.text == "Here."
    assert len(second) < 1000 or len(second) > 19_000


async def test_a_prompt_that_is_too_long_alone_is_refused_before_it_is_sent(
    ask: AskModel, endpoint: ScriptedEndpoint
) -> None:
    endpoint.play(says("never"))
    error = (await ask("word " * 10_000, context=4000)).error
    assert error.status_code == 413
    assert "tokens, of 4,000 that it takes" in (error.content or "")
    assert endpoint.received == []


async def test_an_endpoint_that_refuses_again_is_not_asked_forever(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(*[failure(400, "context_length_exceeded")] * 5)
    turn = await ask("Question now", history=earlier(3, 1500))
    assert turn.error.status_code == 413
    assert len(endpoint.received) == 2
    assert len(endpoint.received[1].raw) < len(endpoint.received[0].raw)


async def test_in_a_small_context_the_tools_that_fit_the_prompt_are_offered(
    ask: AskModel, endpoint: ScriptedEndpoint
) -> None:
    endpoint.play(says("Here."))
    turn = await ask("Give me the SHA-256 digest of this attachment: hash it", {"a.bin": b"x"}, context=2500)
    assert "hash_file" in endpoint.last.tools
    assert len(endpoint.last.tools) < len(tools())
    assert "not offered" in turn.notes
