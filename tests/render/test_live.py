"""The live view: few outputs, only changed ones, linear cost, and one complete bundle at the end."""

from __future__ import annotations

import time

import pytest

from secgemini_jupyter.render.live import LiveView

from .dom import assert_harmless
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
    assert live.header(START + 4.2) == "local analyst · working · 4 s"
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
    """Nothing is missing, nothing stands twice, and the last output says what happened."""
    live = view()
    words = [f"word{n}" for n in range(9_000)]
    shown = stream(live, "\n\n".join(" ".join(words[n : n + 50]) for n in range(0, len(words), 50)))
    live.add(piece(" the end"))
    for output in live.stopped(FACTS):
        shown[output.index] = output.bundle.html
    assert len(shown) > 2
    said = " ".join(assert_harmless(markup).text for markup in shown.values())
    assert [word for word in said.split() if word.startswith("word")] == words
    assert "the end" in said
    assert said.count("Interrupted.") == 1
    assert live.stopped(FACTS)[-1].bundle.metadata["secgemini"]["status"] == "interrupted"
    assert "Interrupted." in live.stopped(FACTS)[-1].bundle.text
