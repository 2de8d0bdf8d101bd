"""Turns over true sockets: streaming, breaking off, cuts, errors, tools, two loops."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest

from secgemini_jupyter.client.aio import AsyncSecGemini
from secgemini_jupyter.client.sync import InteractiveSession, SecGemini
from secgemini_jupyter.errors import (
    InputError,
    NetworkError,
    QuotaError,
    SecGeminiError,
    ServiceError,
    TurnTimeoutError,
)
from secgemini_jupyter.models import MessageType
from secgemini_jupyter.settings import Settings
from secgemini_jupyter.tools import secgemini_tool
from tests.conftest import LocalService


def stored(session: Any) -> list[bytes]:
    session.refresh()
    return [message.to_json() for message in session.messages]


def test_query_gives_the_whole_answer(session: Any) -> None:
    response = session.query("line one\nline two")
    assert response.text() == ["line one\nline two"]
    assert response.answer == str(response.text()) == str(response) == "line one\nline two"
    assert (response.status_code, response.status_message) == (200, "OK")
    assert response.messages[-1].is_end
    assert MessageType.QUERY not in {message.message_type for message in response.messages}
    assert response.is_complete
    assert response.prompt == "line one\nline two"
    assert response.turn_index == 1
    assert (response.session_id, response.host) == (session.id, session.host)


def test_several_results_are_kept_apart(session: Any) -> None:
    response = session.query('first [[type sec-gemini/table [{"a": 1}, {"a": 2}]]] [[type text/csv x,y\n1,2]]')
    assert len(response.text()) == 3
    assert response.text()[0] == "first"
    assert response.answer == "first\n\nx,y\n1,2"  # the table goes with it
    assert [list(table.columns) for table in response.tables()] == [["a"], ["x", "y"]]
    assert len(response.to_frame()) == len(response.messages)


def test_response_displays_as_html_and_text(session: Any) -> None:
    data, metadata = session.query("<script>alert(1)</script>")._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert "<script" not in data["text/html"]
    assert metadata["secgemini"]["status"] == "ok"


def test_pieces_come_on_request_alone(session: Any) -> None:
    prompt = "one two three four five six [[partial]]"
    assert {m.status_code for m in session.stream_sync(prompt)} == {200}
    messages = list(session.stream_sync(prompt, partial=True))
    pieces = [m.content for m in messages if m.is_partial and m.message_type is MessageType.RESULT]
    (whole,) = [m.content for m in messages if not m.is_partial and m.message_type is MessageType.RESULT]
    assert len(pieces) > 1
    assert "".join(pieces) == whole
    whole_messages = [m.to_json() for m in messages if not m.is_partial]
    assert whole_messages == stored(session)[-len(whole_messages) :], "pieces are not stored"


@pytest.mark.parametrize("prompt", ["", "   ", "\n", None, 7, b"bytes", "half \ud800"])
def test_prompt_that_is_none_is_refused(session: Any, prompt: Any) -> None:
    with pytest.raises(InputError):
        session.query(prompt)
    assert session.turns == 0
    assert session.query("fine").answer == "fine"


@pytest.mark.parametrize(
    "prompt",
    ["x" * 300_000, "\0 \x1b[2J \u202e", "😀 ü \u2028 end", '{"a": [1, 2]} {{x}} %s {0}', "[[nonsense]]", "]]"],
)
def test_any_text_is_a_prompt(session: Any, prompt: str) -> None:
    assert session.query(prompt).answer == prompt.strip("\n")


def test_second_turn_at_once_is_refused(session: Any) -> None:
    first = session.stream_sync("slow [[delay=0.02]]")
    next(first)
    with pytest.raises(InputError, match="A turn is running"):
        session.query("me too")
    assert session.is_running
    assert list(first)[-1].is_end
    assert not session.is_running
    assert session.query("now?").answer == "now?"


def test_broken_off_turn_does_not_show_up_in_the_next(session: Any) -> None:
    """It goes on at the service; its frames, END included, are not the next prompt's."""
    for message in session.stream_sync("EARLIER [[messages=30 bytes=20]] [[delay=0.01]]"):
        if message.message_type is MessageType.THINKING:
            break
    messages = list(session.stream_sync("LATER"))
    assert [m.content for m in messages if m.message_type is MessageType.RESULT] == ["LATER"]
    assert sum(m.is_end for m in messages) == 1
    everything = stored(session)
    assert [m.to_json() for m in messages] == everything[-len(messages) :]
    kinds = [m.message_type for m in session.messages]
    assert kinds.count(MessageType.QUERY) == kinds.count(MessageType.RESULT) == 2
    assert session.turns == 2


def test_messages_of_a_broken_off_turn_are_read_anew(session: Any) -> None:
    """The snapshot holds a part of them only."""
    stream = session.stream_sync("[[messages=5 bytes=20]] [[delay=0.01]]")
    next(stream)
    stream.close()
    assert len(list(session.reconnect())) == 9
    assert len(session.messages) == 10


def test_reconnect_gives_the_whole_turn_without_asking(session: Any) -> None:
    stream = session.stream_sync("go on [[messages=20 bytes=20]] [[delay=0.01]]")
    head = [next(stream) for _ in range(4)]
    stream.close()
    messages = list(session.reconnect())
    assert [m.to_json() for m in messages[:4]] == [m.to_json() for m in head]
    assert [m.to_json() for m in messages] == stored(session)[1:]
    assert [m.to_json() for m in session.reconnect()] == stored(session)[1:], "and once more, of a turn that is over"
    assert session.turns == 1


def test_reconnect_needs_a_turn(session: Any) -> None:
    with pytest.raises(InputError, match="ask something first"):
        list(session.reconnect())
    with pytest.raises(InputError, match="ask something first"):
        session.resume_turn()


@pytest.mark.parametrize("after", [1, 2, 4, 6])
def test_cut_in_mid_turn_goes_unnoticed(session: Any, after: int) -> None:
    """Every message once, in order; the prompt is stored once."""
    messages = list(session.stream_sync(f"whole [[drop after={after}]] [[messages=6 bytes=10]] [[delay=0.005]]"))
    everything = stored(session)
    assert [m.to_json() for m in messages] == everything[1:]
    assert session.turns == 1
    assert sum(m.message_type is MessageType.QUERY for m in session.messages) == 1


def test_service_that_stays_away_is_a_network_error(shell: Any, local_service: LocalService) -> None:
    """What had arrived comes with the error."""
    settings = Settings(base_url=local_service.http, websocket_url=local_service.ws, reconnects=0)
    session = shell(local_service.key, settings=settings).create_session()
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1") as caught:
        session.query("[[drop after=2]] [[delay=0.01]]")
    assert len(caught.value.messages) == 2
    assert caught.value.response.messages == caught.value.messages
    assert not caught.value.response.is_complete
    step = str(caught.value).partition("goes on at the service: ")[2].removesuffix(" listens again.")
    assert step.startswith("await ") != isinstance(session, InteractiveSession), step
    response = eval(step.removeprefix("await "), {"session": session})  # as it is typed
    assert response.is_complete
    assert [m.to_json() for m in response.messages] == stored(session)[1:]
    session.delete()


@pytest.mark.parametrize(("code", "kind"), [(429, QuotaError), (500, ServiceError), (418, ServiceError)])
def test_error_of_a_turn_is_raised_with_what_had_arrived(session: Any, code: int, kind: type[ServiceError]) -> None:
    with pytest.raises(kind, match=str(code)) as caught:
        session.query(f"[[error {code} retry_after=2]]")
    error = caught.value
    assert error.status == code
    assert [m.message_type for m in error.messages][-2:] == ["error", "info"]
    assert error.response.status_code == code
    if isinstance(error, QuotaError):
        assert error.retry_after == 2
    assert session.query("and now?").answer == "and now?"


def test_messages_before_an_error_are_streamed(session: Any) -> None:
    stream = session.stream_sync("[[messages=3]] [[error 500]]")
    seen = [next(stream) for _ in range(7)]
    with pytest.raises(ServiceError):
        next(stream)
    assert seen[-1].is_end
    assert sum(m.message_type is MessageType.THINKING for m in seen) == 3


def test_a_prompt_that_no_frame_can_hold_is_not_sent(shell: Any, local_service: LocalService) -> None:
    settings = Settings(base_url=local_service.http, websocket_url=local_service.ws, max_prompt_bytes=8)
    session = shell(local_service.key, settings=settings).create_session()
    assert session.query("eight by").answer == "eight by"
    for ask in (session.query, lambda prompt: list(session.stream_sync(prompt))):
        with pytest.raises(InputError, match=r"has 10 bytes, at most 8 are sent: .*attach_file"):
            ask("größer!!")
    session.refresh()
    assert session.turns == 1
    session.delete()


def test_a_prompt_that_was_held_up_says_by_what(shell: Any, local_service: LocalService) -> None:
    """It has no number: that of the turn before is another's."""
    settings = Settings(base_url=local_service.http, websocket_url=local_service.ws, turn_timeout=0.4)
    session = shell(local_service.key, settings=settings).create_session()
    with pytest.raises(TurnTimeoutError):
        session.query("before [[messages=3]] [[delay=0.5]]")
    with pytest.raises(
        TurnTimeoutError, match=r"not sent\. The turn before still runs: .*resume_turn\(\) listens"
    ) as late:
        session.query("behind it")
    assert late.value.response.turn_index == 0
    session.delete()


def test_turn_ends_at_its_deadline(shell: Any, local_service: LocalService) -> None:
    settings = Settings(base_url=local_service.http, websocket_url=local_service.ws, turn_timeout=0.3)
    session = shell(local_service.key, settings=settings).create_session()
    started = time.monotonic()
    with pytest.raises(TurnTimeoutError, match="resume_turn") as caught:
        session.query("[[messages=3]] [[delay=20]]")
    assert time.monotonic() - started < 15
    assert len(caught.value.messages) == 1
    session.delete()


def test_silence_is_asked_about_over_http(shell: Any, local_service: LocalService, caplog: Any) -> None:
    """Frames that come late are no reason to give up, or to show anything twice."""
    caplog.set_level("INFO", logger="httpx")
    settings = Settings(base_url=local_service.http, websocket_url=local_service.ws, silence_timeout=0.05)
    session = shell(local_service.key, settings=settings).create_session()
    caplog.clear()
    messages = list(session.stream_sync("patience [[delay=0.12]]"))
    assert any("session/get" in record.getMessage() for record in caplog.records)
    assert [m.to_json() for m in messages] == stored(session)[1:]
    session.delete()


def test_long_stream_arrives_whole(session: Any) -> None:
    messages = list(session.stream_sync("[[messages=5000 bytes=200]]"))
    assert sum(m.message_type is MessageType.THINKING for m in messages) == 5000
    assert [m.to_json() for m in messages] == stored(session)[1:]


# --- nothing is left behind ---


def test_closed_and_abandoned_generators_leave_no_thread(client: Any, session: Any) -> None:
    before = set(threading.enumerate())
    stream = session.stream_sync("[[messages=50]] [[delay=0.01]]")
    next(stream)
    stream.close()
    stream = session.stream_sync("[[messages=5]]")
    next(stream)
    del stream
    gc.collect()
    assert session.query("still fine").answer == "still fine"
    deadline = time.monotonic() + 3
    while left := [t for t in threading.enumerate() if t not in before and t.is_alive() and "worker" not in t.name]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def test_error_in_the_callers_loop_closes_the_stream(session: Any) -> None:
    def use() -> None:
        for _ in session.stream_sync("[[messages=50]] [[delay=0.01]]"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    gc.collect()
    assert session.query("next").answer == "next"


def test_one_client_on_two_event_loops(local_service: LocalService) -> None:
    """Each loop has its own connections, and they end with it: no warning, no leftover."""
    client = SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws)

    async def use(prompt: str) -> str:
        session = await client.aio.create_session()
        answer = (await session.query(prompt)).answer
        assert [m async for m in session.stream(prompt)][-1].is_end
        await session.delete()
        return answer

    assert [asyncio.run(use(f"loop {n}")) for n in range(3)] == ["loop 0", "loop 1", "loop 2"]
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws):
        gc.collect()
    assert len(client.aio._pools) <= 1
    client.close()


@pytest.mark.anyio
async def test_concurrent_turns_of_several_sessions(local_service: LocalService) -> None:
    async with AsyncSecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        sessions = [await client.create_session(f"s{n}") for n in range(5)]
        responses = await asyncio.gather(*(each.query(each.name) for each in sessions))
        assert [response.answer for response in responses] == [each.name for each in sessions]
        for each in sessions:
            await each.delete()


@pytest.mark.anyio
async def test_cancelled_turn_lets_the_session_go(local_service: LocalService) -> None:
    async with AsyncSecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = await client.create_session()
        task = asyncio.create_task(session.query("[[messages=100]] [[delay=0.01]]"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not session.is_running
        await session.delete()


@pytest.mark.anyio
async def test_sync_session_streams_on_the_callers_loop(local_service: LocalService) -> None:
    """`async for message in session.stream(…)` in a cell: the same session, the same snapshot."""
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = await asyncio.to_thread(client.create_session)
        messages = [message async for message in session.stream("from a cell")]
        assert messages[-1].is_end
        assert session.turns == 1
        assert len(session.messages) == len(messages) + 1
        assert session.aio._state is session._state
        await session.aio.delete()
        await client.aio.close()


# --- local tools ---


@secgemini_tool
def add(a: int, b: int = 2) -> int:
    "Add two numbers."
    return a + b


@secgemini_tool
async def slowly(word: str) -> dict[str, str]:
    "Say a word, later."
    await asyncio.sleep(0.01)
    return {"said": word}


@secgemini_tool
def broken() -> None:
    "Always fails."
    raise ValueError("no \x1b[31m luck")


@secgemini_tool
def quits() -> None:
    "Ends the program."
    raise SystemExit(3)


@secgemini_tool(approval="deny")
def forbidden() -> str:
    "Never allowed."
    raise AssertionError


@secgemini_tool(approval=lambda name, arguments: arguments["host"] == "good")
def guarded(host: str) -> str:
    "Allowed for some."
    return f"scanned {host}"


def plain() -> str:
    "Passed as it is."
    raise AssertionError


TOOLS = (add, slowly, broken, quits, forbidden, guarded, plain)


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ('add {"a": 40}', "42"),
        ('add {"a": 1, "b": 1}', "2"),
        ('slowly {"word": "ü😀"}', '{"said": "ü😀"}'),
        ("broken", "broken failed: ValueError: no"),
        ("quits", "quits failed: ToolError: SystemExit: 3"),
        ("forbidden", "forbidden failed: the user did not approve"),
        ('guarded {"host": "good"}', "scanned good"),
        ('guarded {"host": "evil"}', "guarded failed: the user did not approve"),
        ("plain", "plain failed: the user did not approve"),
        ('add {"c": 1}', "add failed: add was not run: unknown argument 'c'"),
    ],
)
def test_local_tool_is_run_if_it_may(client: Any, call: str, answer: str) -> None:
    session = client.create_session(tools=TOOLS)
    response = session.query(f"[[call {call}]]")
    assert response.answer.startswith(answer)
    kinds = [m.message_type for m in response.messages]
    at = kinds.index(MessageType.LOCAL_TOOL_CALL)
    assert kinds[at + 1] is MessageType.LOCAL_TOOL_RESULT
    assert response.messages[at + 1].parent_id == response.messages[at].id
    assert [m.to_json() for m in response.messages] == stored(session)[1:]
    session.delete()


@secgemini_tool(approval="ask")
def scan(host: str) -> str:
    "Allowed by a person."
    return f"scanned {host}"


async def later(verdict: bool) -> bool:
    await asyncio.sleep(0.01)
    return verdict


@pytest.mark.parametrize(
    ("approve", "answer"),
    [
        (None, "scan failed: the user did not approve"),
        (lambda *_: True, "scanned mail"),
        (lambda *_: later(True), "scanned mail"),
        (lambda *_: later(False), "scan failed: the user did not approve"),
    ],
)
def test_a_person_approves_a_call_where_the_tool_asks(client: Any, approve: Any, answer: str) -> None:
    """At once or later: an answer that is awaited blocks neither shell."""
    session = client.create_session(tools=[scan])
    session.approve = approve
    assert session.query('[[call scan {"host": "mail"}]]').answer.startswith(answer)
    session.delete()


@pytest.mark.parametrize("by", ["session", "tool"])
def test_an_approver_that_waits_for_a_person_holds_up_no_other_turn(local_service: LocalService, by: str) -> None:
    is_asked, other_is_over = threading.Event(), threading.Event()

    def waits(*_: Any) -> bool:
        is_asked.set()
        return other_is_over.wait(10)

    asking = secgemini_tool(scan.function, name="scan", approval="ask" if by == "session" else waits)
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session, other = client.create_session(tools=[asking]), client.create_session()
        session.approve = waits
        running = session.start('[[call scan {"host": "mail"}]]')
        assert is_asked.wait(10)
        quick = other.start("hello")
        while not quick.is_over:
            quick.next(timeout=0.05)
        assert not running.is_over
        other_is_over.set()
        while not running.is_over:
            running.next(timeout=0.05)
        assert running.response().answer == "scanned mail"
        session.delete()
        other.delete()


def test_a_turn_on_the_loop_thread_asks_the_session_s_approver(local_service: LocalService) -> None:
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        session = client.create_session(tools=[scan])
        session.approve = lambda name, arguments: later(arguments == {"host": "mail"})
        running = session.start('[[call scan {"host": "mail"}]]')
        while not running.is_over:
            running.next(timeout=0.05)
        assert running.response().answer == "scanned mail"
        session.delete()


def test_resumed_session_needs_its_tools_again(client: Any) -> None:
    """A tool that is not bound here is refused, and says what is."""
    session = client.create_session(tools=[add, guarded])
    assert client.resume_session(session.id, tools=[add, guarded]).query('[[call add {"a": 1}]]').answer == "3"
    with pytest.warns(UserWarning, match="add, guarded"):
        again = client.resume_session(session.id)
    assert "no local tool 'add' here (known: none)" in again.query('[[call add {"a": 1}]]').answer
    session.delete()


def test_tool_that_hangs_is_given_up(shell: Any, local_service: LocalService) -> None:
    released = threading.Event()

    @secgemini_tool
    def hang() -> None:
        "Waits for ever."
        released.wait(30)

    @secgemini_tool
    def raises_timeout() -> None:
        "Fails in its own way."
        raise TimeoutError("the switch did not answer")

    settings = Settings(base_url=local_service.http, websocket_url=local_service.ws, tool_timeout=0.1)
    session = shell(local_service.key, settings=settings).create_session(tools=[hang, raises_timeout])
    assert "hang did not return within 0.1 s" in session.query("[[call hang]]").answer
    assert "the switch did not answer" in session.query("[[call raises_timeout]]").answer
    released.set()
    session.delete()


def test_tool_runs_once_although_the_connection_is_cut(client: Any) -> None:
    ran = []

    @secgemini_tool
    def once() -> int:
        "Counts its runs."
        ran.append(1)
        return len(ran)

    session = client.create_session(tools=[once])
    response = session.query("[[drop after=4]] [[call once]]")
    assert response.answer == "1"
    assert ran == [1]
    assert [m.to_json() for m in response.messages] == stored(session)[1:]
    session.delete()


def test_turn_left_while_a_tool_runs_does_not_block_the_next(client: Any) -> None:
    """The service waits for a result that nobody would give."""

    @secgemini_tool
    def once() -> str:
        "Runs."
        return "done"

    session = client.create_session(tools=[once])
    for message in session.stream_sync("[[call once]]"):
        if message.message_type is MessageType.LOCAL_TOOL_CALL:
            break
    started = time.monotonic()
    assert session.query("next").answer == "next"
    assert time.monotonic() - started < 30, "the service would have waited 300 s"
    session.delete()


def test_every_error_is_ours(session: Any) -> None:
    """And one line."""
    for prompt in ("[[error 500]]", "", "[[error 404]]"):
        with pytest.raises(SecGeminiError) as caught:
            session.query(prompt)
        assert "\n" not in str(caught.value)


def test_leaving_a_stream_early_leaves_the_session_usable(local_service: LocalService) -> None:
    async def main() -> str:
        async with AsyncSecGemini(local_service.key, base_url=local_service.http) as client:
            session = await client.create_session()
            async for _ in session.stream("[[messages=50 bytes=10]] [[delay=0.005]] first"):
                break
            return (await session.query("second")).answer

    assert asyncio.run(main()) == "second"


def test_nothing_is_no_prompt(session: Any) -> None:
    with pytest.raises(InputError, match="NoneType"):
        session.query(None)
    with pytest.raises(InputError, match="NoneType"):
        session.stream_sync(None)


def test_a_response_knows_its_turn_even_when_it_failed(session: Any) -> None:
    assert session.query("a").turn_index == 1
    with pytest.raises(ServiceError) as caught:
        session.query("[[error 500]]")
    assert caught.value.response.turn_index == 2
    assert set(caught.value.response.to_frame()["turn_index"]) == {2}


def test_answers_are_told_as_they_read_now(session: Any) -> None:
    """The messages are all there, in the response and in the table; the answer is what holds."""
    changed = session.query("wrong [[update right]]")
    assert (changed.answer, changed.text()) == ("right", ["right"])
    assert [m.message_type for m in changed.messages].count(MessageType.UPDATE) == 1
    assert session.query("gone [[delete]]").answer == ""
    session.query("later [[update of=previous nothing]]")
    table = session.history()
    assert table.dropna(subset="change")["content"].tolist() == ["wrong", "gone"]
    assert "[updated] answer: right" in str(session.visualize())


def test_many_pieces_are_exactly_the_whole(session: Any) -> None:
    messages = list(session.stream_sync("many [[partial pieces=3000]]", partial=True))
    results = [m for m in messages if m.message_type is MessageType.RESULT]
    *pieces, whole = results
    assert len(pieces) == 3000
    assert "".join(piece.content or "" for piece in pieces) == whole.content
    assert {piece.group for piece in pieces} == {whole.group}
