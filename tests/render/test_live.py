"""The live view: few outputs, only changed ones, linear cost, and one complete bundle at the end."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from secgemini_jupyter.render.answer import Facts, Show
from secgemini_jupyter.render.live import LiveView

from .dom import assert_harmless
from .test_answer import EVIL
from .turns import FACTS, START, call, piece, returned, say


def view() -> LiveView:
    return LiveView(FACTS, started=START)


def stream(live: LiveView, text: str, size: int = 400) -> dict[int, str]:
    """Stream `text`, looking ten times a second of made-up time; what the outputs show in the end."""
    shown: dict[int, str] = {}
    now = START
    for start in range(0, len(text), size):
        live.add(piece(text[start : start + size]))
        now += 0.1
        for output in live.snapshot(now):
            shown[output.index] = output.bundle.html
    for output in live.snapshot(now + 60):
        shown[output.index] = output.bundle.html
    return shown


def test_the_header_says_what_happens_now() -> None:
    live = view()
    assert live.header(START + 1, "connecting") == "connecting to the local service · 1 s"
    assert live.header(START + 3, "held up") == "waiting for the local service to end the turn before · 3 s"
    assert live.header(START + 3, "asking") == "waiting for your answer in this session's chat · 3 s"
    assert live.header(START + 4.2) == "waiting for the local service · 4 s"
    live.add(say("info", "Executing triage", "running_agent", actor="orchestrator"))
    assert live.header(START + 4.9) == "triage · working · 4 s"
    live.add(say("thinking", "…", "thinking", title="Planning"))
    assert live.header(START + 5) == "local analyst · thought: Planning · 5 s · 1 step"
    for message in call("lookup_dns", '{"name": "evil.com"}', 5):
        live.add(message)
    assert live.header(START + 65) == 'local analyst · calling lookup_dns(name="evil[.]com") · 1 min 05 s · 2 steps'
    for message in returned("lookup_dns", '{"result": 1}', 6):
        live.add(message)
    live.add(piece("So"))
    assert live.header(START + 7) == "local analyst · answering · 7 s · 2 steps"


def test_a_short_answer_is_one_output_from_beginning_to_end() -> None:
    live = view()
    shown = stream(live, "A short answer with 10.0.0.1.\n\nAnd *more*.")
    assert (list(shown), live.outputs) == ([0], 1)
    assert "10[.]0[.]0[.]1" in assert_harmless(shown[0]).text
    final = live.final(FACTS, "ok")
    assert final.metadata["secgemini"]["status"] == "ok"
    assert "And more." in assert_harmless(final.html).text


def test_nothing_new_is_no_output() -> None:
    live = view()
    live.add(piece("text"))
    assert len(live.snapshot(START + 1)) == 1
    assert live.snapshot(START + 1.1) == []
    assert [output.index for output in live.snapshot(START + 2.1)] == [0]


def test_finished_outputs_never_change() -> None:
    live = view()
    finished: dict[int, str] = {}
    now = START
    for number in range(250):
        live.add(piece(f"Paragraph {number} " + "word " * 20 + "\n\n"))
        now += 0.1
        outputs = live.snapshot(now)
        for output in outputs:
            assert output.index not in finished
        finished |= {o.index: o.bundle.html for o in outputs if o.index < live.outputs - 1}
    assert len(finished) == live.outputs - 1 > 1


@pytest.mark.parametrize(
    "unit", ["Some words in a paragraph. " * 20 + "\n\n", "```\n" + "code line\n" * 99 + "```\n\n", "one endless line "]
)
def test_a_megabyte_stays_under_forty_outputs_and_is_all_there(unit: str) -> None:
    live = view()
    shown = stream(live, unit * (1_000_000 // len(unit)), size=50_000)
    assert len(shown) == live.outputs < 40
    assert sum(len(assert_harmless(markup).text) for markup in shown.values()) > 500_000


def test_ten_times_the_text_costs_about_ten_times_the_time() -> None:
    text = "Some *words* in a paragraph about `evil.com`.\n\n" * 100  # 5 kB

    def cost(times: int) -> float:
        start = time.process_time()
        stream(view(), text * times, size=2_000)
        return time.process_time() - start

    cost(1)
    assert cost(10) < 10 * 4 * min(cost(1) for _ in range(3))


def test_a_result_that_comes_whole_is_shown_and_tables_too() -> None:
    live = view()
    live.add(say("result", "first"))
    live.add(say("result", '[{"host": "a"}]', mime_type="sec-gemini/table"))
    live.add(say("result", "last"))
    (output,) = live.snapshot(START + 1)
    dom = assert_harmless(output.bundle.html)
    assert dom.text.index("first") < dom.text.index("host") < dom.text.index("last")
    assert len(dom.all("table")) == 1


def test_pieces_and_their_aggregate_are_shown_once() -> None:
    live = view()
    for message in (piece("one "), piece("two"), say("result", "one two"), say("info", "", "end")):
        live.add(message)
    (output,) = live.snapshot(START + 1)
    assert output.bundle.text.count("one two") == 1
    assert live.final(FACTS, "ok").text.count("one two") == 1


def test_an_interrupted_answer_keeps_what_had_arrived() -> None:
    live = view()
    live.add(piece("Half of"))
    final = live.final(FACTS, "interrupted", "Stopped.")
    assert "Half of" in final.text
    assert "Interrupted: Stopped." in final.text


def test_a_long_answer_stays_as_it_was_shown_when_it_is_stopped() -> None:
    """Nothing is missing, nothing stands twice, and it says what happened; what was drawn is not drawn anew."""
    live = view()
    words = [f"word{n}" for n in range(9_000)]
    shown = stream(live, "\n\n".join(" ".join(words[n : n + 50]) for n in range(0, len(words), 50)))
    live.add(piece(" the end"))
    assert len(shown) > 2
    stopped = live.stopped(FACTS)
    said = assert_harmless(stopped.html).text
    assert [word for word in said.split() if word.startswith("word")] == words
    assert "the end" in said
    assert said.count("Interrupted.") == 1
    assert stopped.metadata["secgemini"]["status"] == "interrupted"
    assert "Interrupted." in stopped.text


def parted(**more: Any) -> LiveView:
    return LiveView(FACTS, started=START, is_parted=True, **more)


def test_header_and_steps_are_outputs_of_their_own_that_change_alone() -> None:
    """What is open in the list of steps, or selected in the answer, is not replaced because a clock moves."""
    live = parted(stop_hint="■ stops")
    assert [output.index for output in live.snapshot(START)] == [0, 1]
    assert [output.index for output in live.snapshot(START + 1.1)] == [0]
    for message in call("lookup_dns", '{"name": "evil.com"}', 1):
        live.add(message)
    header, steps = live.snapshot(START + 1.2)
    assert header.bundle.text == 'local analyst · calling lookup_dns(name="evil[.]com") · 1 s · 1 step · ■ stops'
    assert 'lookup_dns(name="evil[.]com")' in assert_harmless(steps.bundle.html).text
    live.add(piece("So "))
    assert [output.index for output in live.snapshot(START + 1.3)] == [1, 2], "the steps fold in"
    live.add(piece("it is"))
    assert [output.index for output in live.snapshot(START + 1.4)] == [2]
    assert [output.index for output in live.snapshot(START + 2.1)] == [0]


def test_until_there_is_an_answer_the_latest_steps_stand_open() -> None:
    live = parted()
    for number in range(6):
        live.add(say("thinking", f"thought {number}", "thinking", number))
    steps = assert_harmless(live.snapshot(START + 7)[1].bundle.html)
    (folded,) = [each for each in steps.all("summary") if "Earlier" in each.text]
    assert folded.text == "Earlier thinking and tools (2)"
    assert steps.text.index("thought 1") < steps.text.index("thought 2")
    live.add(piece("text"))
    steps = assert_harmless(live.snapshot(START + 8)[1].bundle.html)
    assert steps.text.startswith("Thinking and tools (6)")


def test_one_output_where_others_show_something_too() -> None:
    live = LiveView(FACTS, started=START, max_outputs=1)
    shown = stream(live, "Some words in a paragraph. " * 20 + "\n\n" * 200, size=8_000)
    assert list(shown) == [0]


def test_without_thinking_and_tools_none_is_shown() -> None:
    live = parted(show="none")
    live.add(say("thinking", "a secret thought", "thinking"))
    live.add(piece("answer"))
    outputs = live.snapshot(START + 1)
    assert [output.index for output in outputs] == [0, 1]
    assert not any("secret thought" in output.bundle.html for output in outputs)
    assert "secret thought" not in live.final(FACTS, "ok").html


@pytest.mark.parametrize("is_parted", [True, False])
def test_hostile_names_and_texts_are_harmless_while_they_stream(is_parted: bool) -> None:
    facts = Facts(actor=EVIL, model=EVIL, host=EVIL, session=EVIL)
    live = LiveView(facts, started=START, is_parted=is_parted)
    turn = [
        say("info", EVIL, "running_agent", actor=EVIL),
        say("thinking", EVIL, "thinking", title=EVIL, actor=EVIL),
        *call(EVIL.replace('"', "'"), json.dumps({EVIL: EVIL}), 1),
        *returned(EVIL.replace('"', "'"), json.dumps({"result": EVIL}), 2),
        *call("open_one", json.dumps({EVIL: [EVIL]}), 3),
        *[piece(EVIL[i : i + 3], actor=EVIL) for i in range(0, len(EVIL), 3)],
        say("result", EVIL, mime_type="sec-gemini/html"),
        say("error", EVIL, "other", status_code=500, status_message=EVIL),
    ]
    for number, message in enumerate(turn):
        live.add(message)
        for output in live.snapshot(START + number):
            assert_harmless(output.bundle.html)
            assert not set("\x1b\x9b\r\u202e\x00") & set(output.bundle.text)


SLOW = pytest.mark.slow


@pytest.mark.parametrize("show", ["none", pytest.param("summary", marks=SLOW), pytest.param("full", marks=SLOW)])
def test_a_huge_turn_stays_within_bounds(show: Show) -> None:
    """5 MB of answer in one line, deep lists, 2,000 tools with 100 kB of output each: seconds, and megabytes."""
    live = parted(show=show)
    for number in range(2_000):
        live.add(say("debug", json.dumps({"name": f"tool{number}", "args": {"x": "y" * 9_000}}), "calling_tool"))
        live.add(say("debug", json.dumps({"name": f"tool{number}", "response": "z" * 100_000}), "tool_result"))
    assert sum(len(output.bundle.html) for output in live.snapshot(START)) < 200_000
    live.add(say("result", "".join("  " * (n % 500) + "- x\n" for n in range(10_000))))
    for _ in range(50):
        live.add(piece("w" * 100_000))
    assert_harmless("".join(output.bundle.html for output in live.snapshot(START + 100)))
    assert live.outputs < 40
    final = live.final(FACTS, "ok")
    assert len(final.html) < 25_000_000
    text = assert_harmless(final.html).text
    assert ("more steps in the session's history" in text) is (show != "none")
    assert ("z" * 5_000 in text) is (show == "full")
