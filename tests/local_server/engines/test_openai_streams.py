"""What endpoints stream, in all its forms, and what the turn makes of it."""

from __future__ import annotations

import base64
import json

import pytest

from secgemini_jupyter.models import MessageType, Role, State, Usage
from tests.local_server.engines.conftest import CANARY, AskModel
from tests.local_server.engines.scripted_openai import (
    Script,
    ScriptedEndpoint,
    calls,
    delta,
    event,
    failure,
    head,
    replies,
    says,
    streams,
    whole,
)

pytestmark = pytest.mark.anyio
LONG = "The host was asked for updates and answered with nothing of interest, again and again. " * 6


async def test_a_turn_as_every_client_expects_it(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(says("Nothing ", "to see."))
    turn = await ask("What is there?")
    assert turn.text == "Nothing to see."
    assert turn.said[0].content == "Transfer"
    assert "scripted at 127.0.0.1" in turn.notes  # who is asked is told before
    assert {m.status_code for m in turn.said} == {200}  # no pieces unless somebody asked
    assert [m.state for m in turn.said if m.message_type is MessageType.RESULT] == [State.AGENT_DONE]
    (received,) = endpoint.received
    assert (received.method, received.path) == ("POST", "/v1/chat/completions")
    assert received.headers["authorization"] == "Bearer sk-canary-0123456789abcdef"
    assert received.body["model"] == "scripted"
    assert received.body["stream"] is True
    assert received.said("user") == ["What is there?"]
    assert {"extract_iocs", "decode", "cvss_score"} <= set(received.tools)


async def test_pieces_joined_are_the_result_and_share_its_group(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    words = LONG.split(" ")
    endpoint.play(says(*(f"{word} " for word in words)))
    turn = await ask("Tell me.", partial=True)
    pieces = [m for m in turn.said if m.status_code == 206 and m.message_type is MessageType.RESULT]
    (result,) = (m for m in turn.said if m.status_code == 200 and m.message_type is MessageType.RESULT)
    assert "".join(m.content or "" for m in pieces) == result.content == LONG + " "
    assert len(pieces) > 40
    assert {m.group for m in pieces} == {result.group}
    assert turn.said.index(pieces[-1]) < turn.said.index(result)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_thinking_is_no_part_of_the_answer(ask: AskModel, endpoint: ScriptedEndpoint, field: str) -> None:
    endpoint.play(streams(delta(**{field: "Let me "}), delta(**{field: "see."}), delta(content="Done."), delta("stop")))
    turn = await ask("Think.", partial=True)
    assert turn.text == "Done."
    assert "Let me see." in turn.of(MessageType.THINKING)
    assert turn.of(MessageType.THINKING, 206) == ["Let me ", "see."]


@pytest.mark.parametrize(
    "pieces",
    [
        ["<think>Let me see.</think>Done."],
        ["<th", "ink>Let me", " see.</", "think>\n\nDone."],
        ["  \n<thinking>Let me see.", "</thinking>Done."],
        ["Let me see.</think>", "Done."],  # templates that open it themselves
    ],
)
async def test_thinking_within_the_text_is_taken_out(
    ask: AskModel, endpoint: ScriptedEndpoint, pieces: list[str]
) -> None:
    endpoint.play(says(*pieces))
    turn = await ask("Think.", partial=True)
    assert turn.text == "Done."
    assert "Let me see." in turn.of(MessageType.THINKING)


@pytest.mark.slow
async def test_a_flood_of_small_pieces_that_wait(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    """Blanks before the first word, a thought without an end, JSON that may be a call: nothing is copied each time."""
    for text in (" " * 9_000 + "Done.", '{"name": ' + "[" * 9_000, "<think>" + "x" * 9_000):
        events = b"".join(event(delta(content=text[i : i + 3])) for i in range(0, len(text), 3))
        endpoint.play(Script([head(), events, event(delta("stop")), event("[DONE]")]))
        turn = await ask("Go on.")
        said = "".join(turn.of(MessageType.RESULT) + turn.of(MessageType.THINKING))
        assert text.strip().removeprefix("<think>") in said


async def test_text_about_the_tag_stays(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(says("The tag <think> opens a thought; <thin is none."))
    assert (await ask("Which tag?")).text == "The tag <think> opens a thought; <thin is none."


def _bytes_of(text: str, *, end: str) -> bytes:
    events = [delta(content=text), delta("stop")]
    written = "".join(f"data: {json.dumps(each, ensure_ascii=False)}{end}{end}" for each in events)
    before = f": keep-alive{end}{end}event: message{end}id: 7{end}retry: 10{end}{end}"
    return f"{before}{written}data: [DONE]{end}{end}".encode()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 1000])
async def test_events_are_read_however_they_are_cut(
    ask: AskModel, endpoint: ScriptedEndpoint, end: str, size: int
) -> None:
    raw = _bytes_of("Zürich, 東京 and 🦊.", end=end)
    endpoint.play(Script([head(), *(raw[i : i + size] for i in range(0, len(raw), size))]))
    assert (await ask("Where?")).text == "Zürich, 東京 and 🦊."


@pytest.mark.parametrize(
    "script",
    [
        streams(delta(content="Fine."), delta("stop"), done=False),
        streams({"choices": []}, {"choices": None}, {"object": "x"}, delta(content="Fine."), delta("stop")),
        streams(delta(content="Fine."), delta("a_reason_to_come")),
        streams(delta(content="Fine."), done=True),  # no reason at all
        streams(delta(content=[{"type": "text", "text": "Fine."}]), delta("stop")),
        streams(delta(content="Fine.", tool_calls=None, role=None), delta("stop")),
        Script([head(), event(delta(content="Fine.")), event(delta("stop")).rstrip()]),  # no blank line at its end
        Script([head(kind=""), event(delta(content="Fine.")), event("[DONE]")]),
        whole({"role": "assistant", "content": "Fine."}),
        whole({"role": "assistant", "content": [{"type": "text", "text": "Fine."}]}),
        streams(delta(content="Fi"), delta(content="ne."), delta("stop"), {"usage": {"prompt_tokens": "many"}}),
        streams({"choices": [{"index": 0, "text": "Fine.", "finish_reason": "stop"}]}),
        Script([head(), event(delta(content="Fine.")).replace(b"data: ", b"data:"), event("[DONE]"), b"data: {\n\n"]),
    ],
)  # fmt: skip
async def test_endpoints_differ(ask: AskModel, endpoint: ScriptedEndpoint, script: Script) -> None:
    endpoint.play(script)
    turn = await ask("Fine?", partial=True)
    assert turn.text == "Fine."
    assert not turn.of(MessageType.ERROR)


async def test_half_of_a_character_waits_for_the_other(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    fox = [
        event('{"choices": [{"delta": {"content": "\\ud83e"}}]}'),
        event('{"choices": [{"delta": {"content": "\\udd8a!"}}]}'),
    ]
    lone = event('{"choices": [{"delta": {"content": " \\udd8a."}}]}')
    endpoint.play(Script([head(), *fox, lone, event("[DONE]")]))
    turn = await ask("Which animal?", partial=True)
    assert turn.text == "🦊! �."
    assert "".join(turn.of(MessageType.RESULT, 206)) == turn.text


@pytest.mark.parametrize(
    ("finish", "words"), [("length", "came to its length limit"), ("content_filter", "filter cut it")]
)
async def test_an_answer_that_was_cut_says_so(
    ask: AskModel, endpoint: ScriptedEndpoint, finish: str, words: str
) -> None:
    endpoint.play(says("It begins", finish=finish))
    turn = await ask("Go on.")
    assert turn.text == "It begins"  # the model's words alone: ours come as a message that it cannot write
    remark = turn.said[-1]
    assert (remark.role, remark.actor, remark.title) == (Role.SYSTEM, "orchestrator", "The answer was cut")
    assert words in (remark.content or "")


async def test_an_answer_that_was_cut_before_its_first_word_is_none(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(says("", finish="length"))
    assert "gave no answer: its text is empty" in ((await ask("Go on.")).error.content or "")


async def test_usage_is_summed_over_the_rounds(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    more = {"prompt_tokens_details": {"cached_tokens": 16}, "completion_tokens_details": {"reasoning_tokens": 2}}
    endpoint.play(calls(("defang", {"text": "a.example.com"})), says("Done.", usage=(100, 10), **more))
    turn = await ask("Defang a.example.com")
    (result,) = (m for m in turn.said if m.message_type is MessageType.RESULT and m.mime_type == "text/plain")
    assert result.usage == Usage(
        prompt_tokens=130, generated_tokens=17, total_tokens=147, cached_token_count=16, thoughts_token_count=2
    )


@pytest.mark.parametrize("usage", [
        None, {}, {"prompt_tokens": -5}, {"total_tokens": True}, "many", [1],
        {"prompt_tokens": 5, "completion_tokens": -7, "total_tokens": 20},
        {"prompt_tokens": 5, "completion_tokens": 10**12, "total_tokens": 1},
    ],
)  # fmt: skip
async def test_without_usage_there_is_none_rather_than_zeros(
    ask: AskModel, endpoint: ScriptedEndpoint, usage: object
) -> None:
    endpoint.play(streams(delta(content="Done."), delta("stop"), {"choices": [], "usage": usage}))
    turn = await ask("Go.")
    assert [m.usage for m in turn.said if m.message_type is MessageType.RESULT] == [None]


async def test_a_total_is_no_less_than_its_parts(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    counted = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 1}
    more = {"prompt_tokens_details": {"cached_tokens": 6}, "completion_tokens_details": {"reasoning_tokens": -1}}
    endpoint.play(streams(delta(content="Done."), delta("stop"), {"choices": [], "usage": counted | more}))
    usage = next(m.usage for m in (await ask("Go.")).said if m.message_type is MessageType.RESULT)
    assert usage == Usage(prompt_tokens=5, generated_tokens=7, total_tokens=12)


# The key


@pytest.mark.parametrize(
    ("key", "size"),
    [
        (CANARY, 5),
        ("".join(f"%{ord(c):02x}" for c in CANARY), 7),
        pytest.param(CANARY, 1, marks=pytest.mark.slow),
        pytest.param(CANARY, 10_000, marks=pytest.mark.slow),
        pytest.param(CANARY.replace("-", "%2D"), 1, marks=pytest.mark.slow),
        pytest.param("".join(f"%{ord(c):02x}" for c in CANARY), 1, marks=pytest.mark.slow),
    ],
)
async def test_a_key_that_is_said_back_is_redacted(
    ask: AskModel, endpoint: ScriptedEndpoint, key: str, size: int
) -> None:
    text = f"Keys begin with sk-can, and yours is {key}: sk-canary or {key}, {LONG} sk-"
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    spoken = [*(delta(reasoning_content=piece) for piece in pieces), *(delta(content=piece) for piece in pieces)]
    endpoint.play(streams(*spoken, delta("stop")))
    turn = await ask("Which key?", partial=True)  # which looks for the key as it is in all that is said
    assert turn.text == "".join(turn.of(MessageType.RESULT, 206)) == text.replace(key, "[redacted]")
    assert key not in "".join(str(message) for message in turn.said)


async def test_a_key_in_a_call_is_redacted_and_so_is_what_comes_of_it(
    ask: AskModel, endpoint: ScriptedEndpoint
) -> None:
    encoded = base64.b64encode(f"The key is {CANARY}".encode()).decode()
    escaped = json.dumps({"text": CANARY}).replace("sk-", "\\u0073k-")
    endpoint.play(
        calls(("get", {"key": CANARY}), ("get", escaped), (CANARY, {}), ("decode", {"text": encoded})),
        says(f'{{"name": "get", "arguments": {{"key": "{CANARY}"}}}}'),
        says("Done."),
    )
    turn = await ask("Go.", local={"get": "got it"}, partial=True)
    assert turn.local_calls == [
        ("get", {"key": "[redacted]"}),
        ("get", {"text": "[redacted]"}),
        ("get", {"key": "[redacted]"}),
    ]
    assert "The key is [redacted]" in json.dumps(turn.results)
    assert turn.text == "Done."


async def test_a_name_or_an_error_that_is_cut_holds_no_part_of_the_key(
    ask: AskModel, endpoint: ScriptedEndpoint
) -> None:
    endpoint.play(replies({"data": [{"id": CANARY}]}), says("Here."), failure(400, " " * 580 + CANARY))
    turn = await ask("Go.", name="")
    assert turn.text == "Here."
    assert (await ask("Go.")).error.content == f"{endpoint.host} failed (400)."


async def test_a_short_key_is_a_word_like_others(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(says("ollama is asked."))
    assert (await ask("Who?", key="ollama")).text == "ollama is asked."


# What goes wrong


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        (failure(401, f"Incorrect API key: {CANARY}"), 400, "refuses the key (401). See SECGEMINI_LOCAL_LLM_KEY"),
        pytest.param(failure(403, "no"), 400, "refuses the key (403)", marks=pytest.mark.slow),
        (failure(404, "model 'scripted' not found"), 400, "SECGEMINI_LOCAL_LLM_URL mostly ends in /v1"),
        (failure(429, "slow down", retry_after="3600"), 429, "takes no more requests now (429): slow down."),
        (failure(400, "temperature is wrong"), 400, "failed (400): temperature is wrong."),
        (replies([{"error": {"code": 400, "message": "Key not valid"}}], 400), 400, "failed (400): Key not valid."),
        pytest.param(replies({"detail": "Not here"}, 418), 400, "failed (418): Not here.", marks=pytest.mark.slow),
        (replies("<html>Log in</html>", 200, "text/html"), 502, "text/html: does SECGEMINI_LOCAL_LLM_URL end in /v1?"),
        pytest.param(replies("<html>bad</html>", 400, "text/html"), 400, "failed (400).", marks=pytest.mark.slow),
        (replies("", 302, location="http://a.example.com/v1"), 400, "elsewhere (302), where the key must not go"),
        (replies("Hello", 200, f"x/{CANARY.upper()}; x={CANARY}"), 502, "cannot be read: it is x/SK-CANARY"),
        (replies("Hello", 200, f"x/{CANARY}"), 502, "cannot be read: it is x/[redacted]"),
        (replies("no JSON"), 502, "cannot be read: it is no JSON"),
        pytest.param(replies("[1]"), 502, "no JSON object", marks=pytest.mark.slow),
        (Script([head(), b"data: {junk\n\n"]), 502, "an event of its stream is no JSON"),
        (Script([head(), b"data: " + b"x" * (3 * 2**20)]), 502, "an event of its stream is too long"),
        (streams({"error": {"message": "out of memory"}}), 502, "failed: out of memory"),
        (says("", finish="stop"), 502, "gave no answer: its text is empty"),
        pytest.param(whole({"role": "assistant", "content": None}), 502, "gave no answer", marks=pytest.mark.slow),
        (Script([]), 502, "closed the connection without an answer"),
    ],
)  # fmt: skip
async def test_errors_are_told_plainly(
    ask: AskModel, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, script: Script, status: int, words: str
) -> None:
    monkeypatch.setattr("secgemini_jupyter.local_server.engines.openai.endpoint.RETRY_PAUSE", 0.0)
    endpoint.play(script, script)
    error = (await ask("Go.")).error
    assert error.status_code == status
    assert words in (error.content or "")
    assert "127.0.0.1" in (error.content or "")
    assert "/v1/chat" not in (error.content or "")


async def test_a_key_goes_to_no_other_host(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    endpoint.play(replies("", 307, location=f"{endpoint.url}/elsewhere"), says("never"))
    await ask("Go.")
    assert len(endpoint.received) == 1


@pytest.mark.parametrize("first", [failure(503, "loading"), failure(429, "wait", retry_after="0"), Script([])])
async def test_what_may_pass_is_asked_once_more(
    ask: AskModel, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch, first: Script
) -> None:
    monkeypatch.setattr("secgemini_jupyter.local_server.engines.openai.endpoint.RETRY_PAUSE", 0.0)
    endpoint.play(first, says("Here."))
    turn = await ask("Go.")
    assert turn.text == "Here."
    assert "Asking once more" in turn.notes
    endpoint.play(first, first, says("never"))
    assert (await ask("Go.")).error.status_code in (429, 502)
    assert len(endpoint.received) == 2


@pytest.mark.parametrize(
    "script",
    [
        streams(delta(content=LONG), {"error": {"message": "worker died", "code": 500}}),
        streams(delta(content=LONG), done=False),
        Script([head(transfer_encoding="chunked"), b"800\r\n" + event(delta(content=LONG))]),
    ],
)
async def test_what_came_before_a_cut_is_kept(ask: AskModel, endpoint: ScriptedEndpoint, script: Script) -> None:
    endpoint.play(script, says("never"))
    turn = await ask("Go.", partial=True)
    assert turn.text == "".join(turn.of(MessageType.RESULT, 206)) == LONG
    assert turn.error.status_code == 502
    assert turn.said.index(turn.error) == len(turn.said) - 1
    assert len(endpoint.received) == 1  # once it has begun, the same prompt is not sent again


async def test_nobody_listens(ask: AskModel) -> None:
    error = (await ask("Go.", url="http://127.0.0.1:9/v1")).error
    assert error.content == "127.0.0.1:9 cannot be reached: the connection is refused. See SECGEMINI_LOCAL_LLM_URL."


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script([], hang=True), "gave no answer within 0.2 s"),
        (Script([head(), event(delta(content="It"))], hang=True), "went silent for 0.2 s"),
    ],
)
async def test_silence_has_an_end(ask: AskModel, endpoint: ScriptedEndpoint, script: Script, words: str) -> None:
    endpoint.play(script)
    error = (await ask("Go.", timeout=0.2)).error
    assert error.status_code == 504
    assert words in (error.content or "")


async def test_a_stream_that_is_only_kept_alive_has_an_end(
    ask: AskModel, endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secgemini_jupyter.local_server.engines.openai.endpoint.MAX_SECONDS", 0.3)
    endpoint.play(Script([head(), b": still here\n\n"], hang=True))
    assert "did not come to an end in 0.3 s" in ((await ask("Go.")).error.content or "")
    assert endpoint.gone.wait(10)


@pytest.mark.parametrize("piece", [b": still here\n\n", pytest.param(event(delta(content="")), marks=pytest.mark.slow)])
async def test_what_only_keeps_a_stream_alive_is_silence(
    ask: AskModel, endpoint: ScriptedEndpoint, piece: bytes
) -> None:
    endpoint.play(Script([head(), event(delta(content="It")), *[piece, 0.05] * 200]))
    turn = await ask("Go.", timeout=0.3)
    assert "went silent for 0.3 s" in (turn.error.content or "")
    assert turn.text == "It"


@pytest.mark.slow
async def test_a_flood_is_cut(ask: AskModel, endpoint: ScriptedEndpoint) -> None:
    piece = event(delta(content="word " * 20_000))
    endpoint.play(Script([head(), *[piece] * 30], hang=True))
    turn = await ask("Go.")
    assert len(turn.text) == 400_000
    assert "length limit of this service" in (turn.said[-1].content or "")


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ({"data": [{"id": "only-one"}]}, None),
        ({"data": [{"id": "a"}, {"id": "b"}]}, "Set SECGEMINI_LOCAL_LLM_MODEL to one of: a, b."),
        ({"data": []}, "Set SECGEMINI_LOCAL_LLM_MODEL to a model's name."),
        ("junk", "Set SECGEMINI_LOCAL_LLM_MODEL to a model's name."),
    ],
)
async def test_without_a_name_the_only_model_is_meant(
    ask: AskModel, endpoint: ScriptedEndpoint, listed: object, words: str | None
) -> None:
    endpoint.play(replies(listed), says("Here."))
    turn = await ask("Go.", name="")
    if words:
        assert words in (turn.error.content or "")
    else:
        assert turn.text == "Here."
        assert endpoint.last.body["model"] == "only-one"
