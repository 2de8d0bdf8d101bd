"""The chat's view alone in a real browser: accessible in every state and theme, by keyboard, at any width."""

from __future__ import annotations

from typing import Any

import pytest

from secgemini_jupyter.models import Message, MessageType, State, Usage
from secgemini_jupyter.render.answer import Facts, answer_bundle

pytestmark = pytest.mark.browser

LONG = "session-with-a-very-long-name-that-nobody-would-choose-" * 3
MARKDOWN = """**10 logons, 8 succeeded, 2 failed.** Both failures are `kerberos` requests from 172.16.1.141.

| client | source | ok | failed |
|---|---|---:|---:|
| johnson-pc$ | 172.16.1.141 | 5 | 2 |

```
a line of code that is much too long for a narrow column, and goes on, and on, and on, and on, and on, and on
```"""


def answer(text: str = MARKDOWN, status: Any = "ok", error: str = "") -> str:
    messages = [Message(message_type=MessageType.RESULT, state=State.AGENT_DONE, content=text, usage=Usage())]
    facts = Facts(actor="local analyst", host="127.0.0.1", is_local=True, session="triage", turn=1, retained=False)
    return answer_bundle(messages if text else [], facts, status=status, error=error).html


def turn(number: int, **more: Any) -> dict[str, Any]:
    return {
        "key": f"k{number}",
        "index": number,
        "prompt": f"Who logged in, who failed? ({number})",
        "html": answer(),
        "status": "ok",
        "group": "g",
        "rating": None,
        "stoppable": False,
        **more,
    }


FAILED = turn(
    2, status="error", html=answer("", "error", "10 requests a minute are used up. Wait 7 s, then ask again.")
)
STOPPED = turn(3, status="interrupted", html=answer("one two", "interrupted", "stopped here."), rating=1)
RUNNING = turn(4, status="running", html="", stoppable=True)
QUESTION = {
    "id": "a" * 32,
    "kind": "tool",
    "name": "lookup_dns_record",
    "arguments": [["name", '"mail.example.org"'], ["a_much_longer_name_of_an_argument", "x\n" * 60]],
    "session": "other",
    "expires_at": 1769849107,
}
FILE = {
    "name": "kerberos.log",
    "size": 6123,
    "sha256": "3f9a",
    "mime_type": "text/plain",
    "content_type_label": "txt",
    "verified": True,
}
TRAITS: dict[str, Any] = {
    "state": "idle",
    "session_id": "s1",
    "session_name": "triage",
    "sessions": [{"id": "s1", "name": "triage"}, {"id": "s2", "name": LONG}],
    "turns": [],
    "earlier": 0,
    "destination": "local analyst, 127.0.0.1:40325, not Sec-Gemini",
    "retained": False,
    "approvals": [],
    "files": [],
    "max_bytes": 104857600,
}
EVERYTHING = {
    **TRAITS,
    "state": "waiting for approval",
    "session_name": LONG,
    "turns": [turn(1), FAILED, STOPPED, RUNNING],
    "earlier": 12,
    "approvals": [QUESTION],
    "files": [FILE, {**FILE, "name": LONG + ".log"}],
}

AT_END = """() => {
    const log = document.querySelector(".sg-chat-log");
    return log.scrollHeight - log.scrollTop - log.clientHeight < 2;
}"""
ANSWER = """([method, answer]) => {
    const request = stage.requests.findLast((request) => request.method === method);
    stage.emit("msg:custom", { kind: "secgemini-reply", uuid: request.uuid, ...answer }, []);
}"""
EVENT = "event => stage.emit('msg:custom', { kind: 'secgemini-event', ...event }, [])"


def reply(page: Any, method: str, **words: Any) -> None:
    """Answer the last call of `method`; a view makes its first one after it was drawn."""
    page.wait_for_function("method => stage.requests.some((request) => request.method === method)", arg=method)
    page.evaluate(ANSWER, [method, words])


def asked(chat: Any, method: str) -> list[dict[str, Any]]:
    return [request["params"] for request in chat.requests if request["method"] == method]


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast", None])
def test_every_state_is_accessible_in_every_theme(stage: Any, page: Any, theme: str | None) -> None:
    seen = [stage("chat", TRAITS, theme=theme).axe()]
    chat = stage("chat", EVERYTHING, theme=theme)
    reply(page, "resync", result={"seq": 1, "turn": "k4", "outputs": [[0, answer(status="running")]]})
    chat.widget.locator(".sg-chat-session").click()
    seen.append(chat.axe())
    chat = stage("chat", {**EVERYTHING, "state": "idle", "approvals": [], "turns": [turn(1), FAILED]}, theme=theme)
    chat.widget.get_by_role("button", name="Helpful", exact=True).first.click()
    reply(page, "rate", result=None)
    chat.widget.get_by_label("Comment on your rating").wait_for()
    chat.widget.get_by_role("textbox", name="Prompt").press("Enter")
    chat.widget.get_by_text("The prompt is empty").wait_for()
    seen.append(chat.axe())
    for found in seen:
        assert found["violations"] == []
        assert found["contrast"] >= 8


@pytest.mark.parametrize("width", [320, 600, 860])
def test_nothing_stands_out_sideways(stage: Any, page: Any, width: int) -> None:
    chat = stage("chat", EVERYTHING, width=width)
    reply(page, "resync", result={"seq": 1, "turn": "k4", "outputs": [[0, answer("W" * 3_000, "running")]]})
    chat.widget.locator(".sg-chat-session").click()
    page.evaluate("document.querySelectorAll('#widget details').forEach((each) => { each.open = true })")
    chat.widget.get_by_text("WWWW").wait_for()
    wide = page.evaluate(
        """() => {
            const edge = document.querySelector("#widget").getBoundingClientRect().right + 1;
            const scrolls = (e) => e.id !== "widget" && (["auto", "scroll", "hidden"].includes(
                getComputedStyle(e).overflowX) || scrolls(e.parentElement));
            return [...document.querySelectorAll("#widget *")]
                .filter((e) => e.getBoundingClientRect().right > edge && !scrolls(e.parentElement))
                .map((e) => e.outerHTML.slice(0, 80));
        }"""
    )
    assert wide == []
    log = page.evaluate(
        "() => { const e = document.querySelector('.sg-chat-log'); return [e.scrollWidth, e.clientWidth] }"
    )
    assert log[0] <= log[1], "the conversation scrolls up and down only"


def test_the_keyboard_alone_asks_stops_approves_and_rates(stage: Any, page: Any) -> None:
    chat = stage("chat", {**TRAITS, "turns": [turn(1)]})
    field = chat.widget.get_by_role("textbox", name="Prompt")
    for _ in range(12):
        page.keyboard.press("Tab")
        if field.evaluate("node => node === document.activeElement"):
            break
    page.keyboard.type("first line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("second")
    page.keyboard.press("Enter")
    assert asked(chat, "send") == [{"session_id": "s1", "prompt": "first line\nsecond"}]
    reply(page, "send", result=None)
    chat.change("turns", [turn(1), RUNNING])
    chat.change("state", "running")
    chat.widget.get_by_text("Answering…").wait_for()
    page.keyboard.press("Escape")
    assert asked(chat, "stop") == []
    chat.change("approvals", [QUESTION])
    chat.change("state", "waiting for approval")
    chat.widget.locator(".sg-question:focus").wait_for()
    page.keyboard.press("Enter")
    assert asked(chat, "decide") == [], "the question itself is no button"
    page.keyboard.press("Tab")  # a long argument, which scrolls
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert asked(chat, "decide") == [{"question": QUESTION["id"], "approve": True}]
    reply(page, "decide", result=None)
    assert field.evaluate("node => node === document.activeElement")
    chat.change("approvals", [])
    chat.change("state", "running")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert asked(chat, "stop") == [{"session_id": "s1"}]


def test_it_follows_an_answer_only_for_a_reader_at_the_end(stage: Any, page: Any) -> None:
    chat = stage("chat", {**TRAITS, "turns": [turn(number) for number in range(1, 9)]})
    reply(page, "resync", result={"seq": 0, "turn": "", "outputs": []})
    page.wait_for_function(AT_END)
    chat.change("turns", [*(turn(number) for number in range(1, 9)), {**turn(9), "status": "running", "html": ""}])
    for number in range(1, 6):
        page.evaluate(EVENT, {"seq": number, "turn": "k9", "outputs": [[number - 1, answer(status="running")]]})
    page.wait_for_function(AT_END)
    page.evaluate("document.querySelector('.sg-chat-log').scrollTop = 50")
    button = chat.widget.get_by_role("button", name="New answer below")
    page.wait_for_function("() => document.querySelector('.sg-chat-log').scrollTop < 60")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate(EVENT, {"seq": 6, "turn": "k9", "outputs": [[5, answer(status="running")]]})
    button.wait_for()
    assert page.evaluate("document.querySelector('.sg-chat-log').scrollTop") < 60
    button.click()
    page.wait_for_function(AT_END)
    assert button.count() == 0


def test_a_selection_in_a_finished_part_outlives_what_comes(stage: Any, page: Any) -> None:
    stage("chat", {**TRAITS, "state": "running", "turns": [RUNNING]})
    reply(page, "resync", result={"seq": 0, "turn": "k4", "outputs": [[0, "<p>finished part</p>"], [1, "<p>tail</p>"]]})
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.sg-turn-answer p'))")
    page.evaluate(EVENT, {"seq": 1, "turn": "k4", "outputs": [[1, "<p>tail and more</p>"]]})
    page.get_by_text("tail and more").wait_for()
    assert page.evaluate("getSelection().toString()") == "finished part"
