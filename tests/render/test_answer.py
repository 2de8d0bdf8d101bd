"""A whole answer as one bundle: complete, honest about its origin, harmless."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from secgemini_jupyter.errors import Secret
from secgemini_jupyter.models import Message, Usage
from secgemini_jupyter.render import html
from secgemini_jupyter.render.answer import Facts, Input, Status, answer_bundle, error_bundle

from .dom import assert_harmless, assert_plain_style
from .turns import FACTS, call, piece, returned, say

EVIL = "<script>alert(1)</script>\x1b[2J\u202e\"'><img src=x onerror=alert(1)> [/x]"
TURN = [
    say("thinking", "The log tells.", "thinking", title="Planning"),
    *call("auth_timeline", '{"file": "kerberos.log"}', 0.1),
    *returned("auth_timeline", '{"result": "10 rows"}', 0.2),
    say("result", "**10 logons** from 172.16.1.141", "agent_done"),
    say("info", "", "end"),
]


def test_the_answer_comes_first_then_steps_then_one_footer_line() -> None:
    dom = assert_harmless(answer_bundle(TURN, FACTS).html)
    assert [dom.text.index(part) for part in ("10 logons", "Thinking and tools (2)", "not Sec-Gemini")] == sorted(
        dom.text.index(part) for part in ("10 logons", "Thinking and tools (2)", "not Sec-Gemini")
    )
    assert dom.text.rstrip().endswith(
        "local analyst · local-analyst-1 · 127.0.0.1:38211 · not Sec-Gemini · 2.4 s · 1,234 tokens · "
        "session triage, turn 3 · not retained · in: {{report}} 2.0 kB, kerberos.log 6.1 kB"
    )
    assert "open" not in dom.all("details")[0].attributes
    assert '✓ auth_timeline(file="kerberos.log") · done · 0.1 s' in dom.text


def test_the_bundle_has_html_text_and_facts_and_nothing_that_jupyter_would_trust() -> None:
    bundle = answer_bundle(TURN, FACTS)
    assert bundle.data.keys() == {"text/html", "text/plain"}
    assert bundle.metadata == {
        "secgemini": {
            "session": "triage",
            "turn": 3,
            "model": "local-analyst-1",
            "host": "127.0.0.1:38211",
            "status": "ok",
            "usage": {"prompt_tokens": 0, "generated_tokens": 0, "total_tokens": 1_234},
        }
    }
    assert bundle._repr_mimebundle_(include=None, exclude=None) == (bundle.data, bundle.metadata)
    json.dumps(bundle.metadata)
    assert bundle.text.startswith("**10 logons** from 172[.]16[.]1[.]141\n")


def test_defanging_can_be_turned_off() -> None:
    assert "172.16.1.141" in assert_harmless(answer_bundle(TURN, FACTS, defang=False).html).text


def test_the_service_is_called_by_its_name_and_the_agent_after_it() -> None:
    facts = Facts(actor="network_agent", model="sec-gemini-1.1", host="api.secgemini.google", retained=True)
    text = answer_bundle(TURN, facts).text
    assert text.endswith("— Sec-Gemini, network_agent · sec-gemini-1.1 · api.secgemini.google · retained")


def test_a_service_that_does_not_say_whether_it_retains_is_reported_so() -> None:
    assert "retention unknown" in answer_bundle(TURN, dataclasses.replace(FACTS, retained=None)).text


@pytest.mark.parametrize("status", ["error", "interrupted", "running", "ok"])
def test_the_state_is_a_colour_and_a_word(status: Status) -> None:
    bundle = answer_bundle([piece("The first "), piece("part")], FACTS, status=status, error="")
    dom = assert_harmless(bundle.html)
    assert dom.elements[0].attributes["style"] == html.FRAME[status]
    assert "The first part" in dom.text
    word = {"error": "Failed.", "interrupted": "Interrupted."}.get(status, "")
    assert word in dom.text
    assert word in bundle.text


def test_a_failed_turn_says_why_after_what_had_arrived() -> None:
    turn = [say("result", "Half."), say("error", "Quota is used up.", status_code=429)]
    dom = assert_harmless(answer_bundle(turn, FACTS, status="error").html)
    assert dom.text.index("Half.") < dom.text.index("Failed: Quota is used up.")


def test_pieces_are_replaced_by_their_aggregate() -> None:
    text = answer_bundle([piece("a"), piece("b"), say("result", "ab")], FACTS).text
    assert text.startswith("ab\n")
    assert text.count("ab") == 1


def test_a_turn_without_a_result_says_so() -> None:
    assert "the turn ended without a result" in assert_harmless(answer_bundle([], FACTS).html).text


def test_an_error_is_one_sentence_with_its_command_and_without_a_key() -> None:
    secret = Secret("canary-key-0123456789")
    bundle = error_bundle(f"The service refused {secret.reveal()} (401).\nRun `%secgemini login`.")
    dom = assert_harmless(bundle.html)
    assert dom.text == "Failed: The service refused [redacted] (401). Run %secgemini login."
    assert dom.all("code")[0].text == "%secgemini login"
    assert "canary" not in bundle.text
    assert "\n" not in bundle.text


def test_rich_results_follow_in_order() -> None:
    turn = [
        say("result", "See the table."),
        say("result", '[{"host": "a", "n": 1}]', mime_type="sec-gemini/table"),
        say("result", "Then this."),
    ]
    dom = assert_harmless(answer_bundle(turn, FACTS).html)
    assert dom.text.index("See") < dom.text.index("host") < dom.text.index("Then")


def test_many_and_long_steps_are_cut_and_said() -> None:
    turn = [say("thinking", "x" * 10_000, "thinking", title=f"t{n}") for n in range(500)]
    bundle = answer_bundle([*turn, say("result", "done")], FACTS)
    dom = assert_harmless(bundle.html)
    assert "Thinking and tools (500)" in dom.text
    assert "400 more steps in the session's history" in dom.text
    assert len(bundle.html) < 150_000


MESSAGES = st.builds(
    say,
    st.sampled_from(["result", "thinking", "info", "debug", "error", "source", "local_tool_call", "new_type"]),
    st.text(max_size=40) | st.just(EVIL) | st.just(json.dumps({"tool_name": EVIL, "tool_args": {EVIL: EVIL}})),
    st.sampled_from(["calling_tool", "tool_result", "running_agent", "thinking", "end", "new"]),
    actor=st.text(max_size=10) | st.just(EVIL),
    title=st.none() | st.just(EVIL),
    icon=st.just("<svg onload=alert(1)>"),
    text_color=st.just("red;background:url(https://evil.com)"),
    status_code=st.sampled_from([200, 206, 500]),
    mime_type=st.sampled_from(["text/plain", "sec-gemini/table", "sec-gemini/html", "image/svg+xml", "x/y", None]),
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(MESSAGES, max_size=6),
    st.sampled_from(["ok", "error", "interrupted"]),
    st.text(max_size=30) | st.just(EVIL),
)
def test_whatever_the_messages_say_the_bundle_is_harmless(messages: list[Message], status: Status, error: str) -> None:
    facts = Facts(
        actor=error, model=EVIL, host=EVIL, session=EVIL, turn=1, inputs=(Input(EVIL, 1), Input("../../.ssh/x"))
    )
    bundle = answer_bundle(messages, facts, status=status, error=error)
    assert_harmless(bundle.html)
    assert not set("\x1b\x9b\r\u202e\x00") & set(bundle.text)
    assert not set("\x1b\u202e") & set(json.dumps(bundle.metadata, ensure_ascii=False))


def test_every_style_is_one_that_lab_keeps_in_untrusted_notebooks() -> None:
    styles = [value for name, value in vars(html).items() if name.isupper() and isinstance(value, str) and ":" in value]
    styles += [*html.FRAME.values(), *html.CELL.values(), *html._STYLES.values()]
    assert len(styles) > 30
    for style in styles:
        assert_plain_style(style)


def test_the_html_survives_a_markdown_file() -> None:
    """nbconvert puts it into Markdown as it is, where HTML ends at a blank line: the rest would be read as Markdown."""
    log = "```\nfirst\n\n![x](https://evil.test/?q=1)\n  \t\n\n<b>last</b>\n```"
    tool = returned("read", json.dumps({"result": "a\n\n![y](https://evil.test/?q=2)"}), 1)
    markup = answer_bundle([*call("read", "{}", 0), *tool, say("result", log), say("result", "end")], FACTS).html
    assert all(line.strip() for line in markup.split("\n"))
    assert assert_harmless(markup).all("code")[0].text == (
        "first\n\n![x](https://evil.test/?q=1)\n  \t\n\n<b>last</b>".replace("https://evil.test", "hxxps://evil[.]test")
    )
    read = MarkdownIt("commonmark", {"html": True}).render(f"Before\n\n{markup}\n\n*after*")
    assert "<img" not in read
    assert markup in read
    assert "<em>after</em>" in read


def test_a_local_analysts_time_in_tools_is_told_and_the_hint_comes_last() -> None:
    facts = dataclasses.replace(FACTS, usage=None, hint="rate it: %secgemini feedback up|down")
    assert "2.4 s · 0.1 s in tools · session triage" in answer_bundle(TURN, facts).text
    assert answer_bundle(TURN, facts).text.endswith(" · rate it: %secgemini feedback up|down")
    assert "in tools" not in answer_bundle(TURN, dataclasses.replace(facts, is_local=False)).text


def test_what_the_tools_themselves_say_they_took_is_told_instead_of_tokens() -> None:
    def told(**cost: object) -> str:
        call = say("debug", '{"id": "c", "name": "hash_file", "args": {}}', "calling_tool")
        answer = json.dumps({"id": "c", "name": "hash_file", "response": {"result": {}}} | cost)
        turn = [call, say("debug", answer, "tool_result"), say("result", "done")]
        return answer_bundle(turn, dataclasses.replace(FACTS, is_local=True, usage=Usage())).text

    assert "2.4 s · 0.5 s in tools · 5.7 kB read · no tokens · " in told(seconds=0.5, bytes_read=5739)
    for nonsense in ("1", True, -1, 1e300, None, [1]):
        assert "in tools" not in told(seconds=nonsense, bytes_read=nonsense)


def test_steps_are_left_out_cut_or_whole() -> None:
    turn = [say("thinking", "x" * 10_000 + "the end", "thinking", title="t"), say("result", "done")]
    html = {show: answer_bundle(turn, FACTS, show=show).html for show in ("none", "summary", "full")}
    assert ["x" * 100 in html[show] for show in html] == [False, True, True]
    assert ["the end" in html[show] for show in html] == [False, False, True]


def test_a_timeline_and_a_graph_fold_beside_prose_and_stand_open_alone() -> None:
    graph = {
        "title": "Hops <b>",
        "nodes": [{"id": "a.evil.test"}, {"id": "b"}],
        "edges": [{"source": "a.evil.test", "target": "b"}],
    }
    shown = [
        say("result", json.dumps(graph), "agent_done", mime_type="sec-gemini/graph"),
        say(
            "result", '{"events": [{"timestamp": 0, "title": "start"}]}', "agent_done", mime_type="sec-gemini/timeline"
        ),
    ]
    beside = answer_bundle([say("result", "It came by two hosts.", "agent_done"), *shown], FACTS)
    lines = [each.text for each in assert_harmless(beside.html).all("summary")]
    assert lines == ["Hops <b> (graph, 2 nodes, 1 edge)", "Timeline, 1 event"]
    assert "a[.]evil[.]test" in beside.html
    assert "[Timeline, 1 event: in the answer's tables]" in beside.text
    assert "a[.]evil[.]test" not in beside.text
    alone = answer_bundle(shown, FACTS)
    assert not assert_harmless(alone.html).all("summary")
    assert "a[.]evil[.]test" in alone.text
