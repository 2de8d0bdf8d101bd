"""What each plot shows."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.plots.clock import Clock
from secgemini_jupyter.transcript.messages import messages_frame

from .sessions import history, message, tokens, turn


def y_labels(figure: object) -> list[str]:
    (axes,) = figure.axes  # type: ignore[attr-defined]
    return [text.get_text() for text in axes.get_yticklabels()]


def test_a_timeline_has_a_lane_for_each_kind_and_tool() -> None:
    figure = history(2).secgemini.plot.timeline()
    assert y_labels(figure) == ["Prompts", "Thinking", "lookup_cve", "whois", "sandbox", "Answers"]
    assert figure.axes[0].get_xlabel() == "Time (UTC)"
    assert figure.texts[1].get_text() == (
        "2 turns, 18 messages, 6 tool calls, 2 failed (hatched), 2 without a result (hollow), "
        "1 pause shortened (dotted)"
    )
    assert figure.words == [
        "2 turns from 2025-10-09 08:55:00 UTC to 2025-10-09 09:55:06 UTC.",
        "Turn 1: 2025-10-09 08:55:00 UTC, 6.1 s, ok; tools: lookup_cve, whois, sandbox.",
        "Turn 2: 2025-10-09 09:55:00 UTC, 6.1 s, ok; tools: lookup_cve, whois, sandbox.",
    ]


def test_times_on_the_axis_are_utc_and_the_date_stands_once_a_day() -> None:
    figure = history(2).secgemini.plot.timeline()
    written = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert written[0] == "08:55:00\n2025-10-09"
    assert "09:55:00" in written
    assert sum("\n" in text for text in written) == 1


def test_a_tool_called_as_a_lane_has_a_lane_of_its_own_and_many_tools_share_one() -> None:
    names = ("Answers", *(f"tool_{number}" for number in range(12)))
    lanes = y_labels(history(1, tools=names).secgemini.plot.timeline())
    assert lanes.count("Answers") == 2
    assert lanes[-2] == "Other tools"
    assert len(lanes) == 2 + 8 + 1


def test_a_failed_turn_has_an_error_and_pieces_are_no_answers() -> None:
    messages = [
        message("query", "query", "?", id="q", at=0),
        message("result", "answering", "no", id="p", at=1, status_code=206),
        message("error", "undefined", "Slow down.", id="e", at=2, status_code=429),
        message("info", "end", "end", id="z", at=3),
    ]
    figure = messages_frame(messages, session_id="s").secgemini.plot.timeline()
    assert y_labels(figure) == ["Prompts", "Errors"]
    assert "3.0 s, error; no tools." in figure.words[1]


def test_a_turn_takes_as_long_as_in_its_table() -> None:
    """Not to a message after the END; where there is none yet, to the last message."""
    messages = [
        message("query", "query", "?", id="q", at=0),
        message("info", "end", "end", id="z", at=3),
        message("info", "start", "late", id="y", at=4),
        message("query", "query", "?", id="r", at=10),
        message("info", "start", "…", id="x", at=12),
    ]
    table = messages_frame(messages, session_id="s").secgemini
    assert table.turns()["duration_s"].tolist() == [3.0, pd.NA]
    words = table.plot.timeline().words
    assert "3.0 s, ok" in words[1]
    assert "2.0 s to the last message, incomplete" in words[2]


spans = st.lists(
    st.tuples(st.floats(0, 1e9), st.floats(0, 1e5)).map(lambda span: (span[0], span[0] + span[1])),
    min_size=1,
    max_size=30,
)


@given(spans, st.lists(st.floats(-1e6, 2e9), max_size=20))
def test_a_clock_never_runs_backwards_nor_leaves_the_axis(busy: list[tuple[float, float]], times: list[float]) -> None:
    clock = Clock(busy)
    places = [clock.position(time) for time in sorted(times)]
    assert places == sorted(places)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    ticks = [place for place, _ in clock.ticks()]
    assert ticks
    assert all(after - before > 0.12 for before, after in pairwise(ticks))
    assert sum(text.count("\n") for _, text in clock.ticks()) >= 1


def test_long_pauses_are_shortened_and_what_is_busy_is_true_to_scale() -> None:
    clock = Clock([(100_000, 100_015), (0, 10), (100_010, 100_020)])
    (pause,) = clock.pauses
    assert pause.seconds == 100_000 - 10
    first = clock.position(10) - clock.position(0)
    second = clock.position(100_020) - clock.position(100_000)
    assert second == pytest.approx(2 * first)
    assert clock.position(100_000) - clock.position(10) < 0.06
    assert Clock([(0, 10), (10.1, 20)]).pauses == []


def test_times_at_the_calendar_s_end_are_drawn() -> None:
    late = 253_402_300_799 - 1_760_000_100
    figure = messages_frame([*turn(0, 0), *turn(1, late - 10)], session_id="s").secgemini.plot.timeline()
    figure._repr_mimebundle_()
    assert "9999-12-31" in figure.words[0]


def heights(figure: object) -> dict[str, list[float]]:
    (axes,) = figure.axes  # type: ignore[attr-defined]
    return {
        bars.get_label(): [bar.get_height() if bars.orientation == "vertical" else bar.get_width() for bar in bars]
        for bars in axes.containers
    }


def test_tokens_of_a_turn_add_up_to_what_the_service_counts() -> None:
    """Cached tokens are a part of the prompt's, thinking tokens of others: neither is added to them."""
    figure = history(1, usage=tokens(1000, 60, cached=400, thoughts=50)).secgemini.plot.tokens()
    assert heights(figure) == {"prompt, not cached": [600], "prompt, cached": [400], "generated": [60]}
    assert figure.words == [
        "1 turn, 1,060 tokens, as the service counts them.",
        "Turn 1: 1,060 tokens (prompt, not cached 600 tokens, prompt, cached 400 tokens, generated 60 tokens).",
    ]
    figure = history(1, usage=tokens(1000, 60, total=1200)).secgemini.plot.tokens()
    assert heights(figure) == {"prompt": [1000], "generated": [60], "other": [140]}


def test_tokens_of_an_actor_are_those_of_its_messages_that_count() -> None:
    figure = history(3, usage=tokens(1000, 60)).secgemini.plot.tokens(by="actor")
    assert y_labels(figure) == ["agent"]
    assert "agent: 3,180 tokens (prompt 3,000 tokens, generated 180 tokens)." in figure.words


def test_where_no_tokens_are_counted_there_is_time() -> None:
    figure = history(2).secgemini.plot.tokens()
    assert figure.title == "Time by turn"
    tools, other = heights(figure)["tools"], heights(figure)["other"]
    assert tools == pytest.approx([1.0, 1.0])  # two calls of half a second; the third never ended
    assert other == pytest.approx([5.1, 5.1])
    figure = history(2).secgemini.plot.tokens("actor")
    assert figure.title == "Time by actor"
    assert set(y_labels(figure)) == {"agent", "planner", "user", "orchestrator"}
    seconds = [float(bar.get_width()) for bar in figure.axes[0].containers[0]]
    assert sum(seconds) == pytest.approx(2 * 6.1)


def test_many_turns_are_summed_up_with_their_neighbours() -> None:
    figure = history(130, usage=tokens(10, 1)).secgemini.plot.tokens()
    assert sum(heights(figure)["prompt"]) == 1300
    assert len(heights(figure)["prompt"]) == 33
    assert "Turn 1–4: 44 tokens (prompt 40 tokens, generated 4 tokens)." in figure.words


def test_tool_use_is_counted_by_how_calls_ended() -> None:
    figure = history(2).secgemini.plot.tools()
    assert y_labels(figure) == ["lookup_cve", "whois", "sandbox"]
    assert heights(figure) == {"ok": [2, 0, 0], "failed": [0, 2, 0], "no result": [0, 0, 2]}
    assert figure.words == [
        "6 calls of 3 tools.",
        "lookup_cve: 2 calls, 1.0 s in all, median 0.5 s.",
        "whois: 2 calls, 2 failed, 1.0 s in all, median 0.5 s.",
        "sandbox: 2 calls, 2 without a result.",
    ]


def test_rare_tools_are_summed_up() -> None:
    figure = history(1, tools=tuple(f"tool_{number}" for number in range(30))).secgemini.plot.tools()
    assert len(y_labels(figure)) == 15
    assert y_labels(figure)[-1] == "16 other tools"
    assert figure.words[-1].startswith("16 other tools: 16 calls")


def test_indicators_are_counted_by_type_and_turn() -> None:
    figure = history(2).secgemini.plot.indicators()
    assert y_labels(figure) == ["Domains", "IPv4", "CVE"]
    assert figure.words == [
        "4 indicators in 2 turns: different ones of each type.",
        "Domains: turn 1: 1, turn 2: 1.", "IPv4: turn 1: 1, turn 2: 1.", "CVE: turn 1: 1, turn 2: 1.",
    ]  # fmt: skip


def test_indicators_by_value_are_defanged_and_say_how_often() -> None:
    figure = history(2).secgemini.plot.indicators("value")
    assert y_labels(figure) == ["bad0[.]example", "203[.]0[.]113[.]9", "CVE-2099-0001", "bad1[.]example"]
    assert "203[.]0[.]113[.]9: turn 1: 3, turn 2: 3." in figure.words


def test_long_values_keep_both_ends_and_those_that_look_alike_their_rows() -> None:
    digests = [f"{number:x}".rjust(1, "0") + "0123456789abcdef" * 8 for number in range(3)]
    words = (
        " ".join(digest[:128] for digest in digests)
        + " "
        + " ".join(f"http://evil.example.com/{'a' * 60}{middle}{'b' * 60}" for middle in "xyz")
    )
    table = messages_frame([message("result", "agent_done", words, id="a", at=0)], session_id="s")
    rows = y_labels(table.secgemini.plot.indicators("value"))
    assert len(rows) == len(set(rows)) == 3 + 3 + 1
    assert all(len(row) <= 48 for row in rows)


@pytest.mark.parametrize("name", ["tokens", "indicators"])
def test_an_unknown_grouping_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="by='day' is none of"):
        getattr(history().secgemini.plot, name)(by="day")


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="lacks the columns actor"):
        pd.DataFrame(history().drop(columns="actor")).secgemini.plot.tools()
