"""Tokens by turn, session, day and model; and what they may have cost by the caller's prices."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import secgemini_jupyter.accessor  # noqa: F401  # registers `df.secgemini`
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Message, MessageType, Role, State, Usage
from secgemini_jupyter.transcript.messages import messages_frame
from secgemini_jupyter.transcript.usage import cost

PRICES = {"m": {"prompt": 2.0, "cached": 0.5, "generated": 10.0}}
MIDNIGHT = 1_800_057_600.0
"""2027-01-16 00:00:00 UTC."""


def turn(at: float, *usages: tuple[MessageType, Usage | None]) -> list[Message]:
    """A prompt at `at`, a message for each usage, the END."""
    kinds = [(MessageType.QUERY, Usage()), *usages]
    made = [
        Message(id=f"{at}-{i}", message_type=kind, role=Role.AGENT, created_at=at + i, content=f"{i}", usage=usage)
        for i, (kind, usage) in enumerate(kinds)
    ]
    return [*made, Message(id=f"{at}-end", message_type=MessageType.INFO, state=State.END, created_at=at + 9)]


def result(usage: Usage | None) -> tuple[MessageType, Usage | None]:
    return MessageType.RESULT, usage


@pytest.fixture
def table() -> pd.DataFrame:
    """Two sessions: one around midnight, one of another model."""
    first = turn(MIDNIGHT - 5, (MessageType.THINKING, Usage(300, 0, 300)), result(Usage(1000, 100, 1100)))
    second = turn(MIDNIGHT + 60, result(Usage(2000, 200, 2200, cached_token_count=500)))
    return pd.concat(
        [
            messages_frame([*first, *second], session_id="a"),
            messages_frame(turn(MIDNIGHT + 90, result(Usage(10, 1, 11))), session_id="b"),
        ]
    )


def test_by_turn_the_results_numbers_count_and_not_those_of_thinking(table: pd.DataFrame) -> None:
    usage = table.secgemini.usage("turn", models="m")
    assert usage["turn_id"].tolist() == ["a:1", "a:2", "b:1"]
    assert usage["prompt_tokens"].tolist() == [1000, 2000, 10]
    assert usage["total_tokens"].tolist() == [1100, 2200, 11]
    assert usage["started_at"].dtype == pd.DatetimeTZDtype("us", "UTC")
    assert "cost_estimate" not in usage.columns


def test_by_day_cuts_at_midnight_utc(table: pd.DataFrame) -> None:
    usage = table.secgemini.usage("day")
    assert usage["day"].tolist() == [pd.Timestamp("2027-01-15", tz="UTC"), pd.Timestamp("2027-01-16", tz="UTC")]
    assert usage[["turns", "total_tokens"]].values.tolist() == [[1, 1100], [2, 2211]]


def test_by_model_keeps_those_that_nobody_knows_apart(table: pd.DataFrame) -> None:
    usage = table.secgemini.usage("model", models={"a": "m"}, prices=PRICES)
    assert usage["model"].tolist() == ["m", pd.NA]
    assert usage["turns"].tolist() == [2, 1]
    # 2,500 of the prompt's tokens at 2, the 500 cached ones at 0.5, 300 at 10.
    assert usage["cost_estimate"].iloc[0] == pytest.approx((2500 * 2 + 500 * 0.5 + 300 * 10) / 1e6)
    assert usage["cost_estimate"].isna().tolist() == [False, True]


def test_a_sum_with_a_model_that_has_no_price_is_missing_and_not_less(table: pd.DataFrame) -> None:
    usage = table.secgemini.usage("day", models={"a": "m", "b": "other"}, prices=PRICES)
    assert usage["cost_estimate"].isna().tolist() == [False, True]
    assert usage["total_tokens"].tolist() == [1100, 2211]


def test_the_table_says_that_a_cost_is_an_estimate(table: pd.DataFrame) -> None:
    usage = table.secgemini.usage(models="m", prices=PRICES)
    assert "no bill" in usage.attrs["cost_estimate"]
    assert usage.attrs["prices"] == PRICES
    assert usage.columns[-1] == "cost_estimate"


def test_models_come_from_a_column_or_from_what_history_noted(table: pd.DataFrame) -> None:
    noted = table[table["session_id"] == "a"].copy()
    noted.attrs["models"] = {"a": "m"}
    assert noted.secgemini.usage()["model"].tolist() == ["m"]
    assert noted.secgemini.turns()["model"].tolist() == ["m", "m"]
    column = table.assign(model=table["session_id"].map({"b": "n"}))
    assert column.secgemini.usage()["model"].tolist() == [pd.NA, "n"]
    assert column.secgemini.turns()["model"].tolist() == [pd.NA, pd.NA, "n"]
    assert column.secgemini.usage(models="m")["model"].tolist() == ["m", "m"]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(1000, 100, 1100), 1000 * 2 + 100 * 10),
        # Cached tokens are a part of the prompt's.
        (Usage(1000, 100, 1100, cached_token_count=400), 600 * 2 + 400 * 0.5 + 100 * 10),
        (Usage(1000, 0, 1000, cached_token_count=4000), 1000 * 0.5),
        # Thinking tokens beside the generated ones, then in them.
        (Usage(1000, 100, 1150, thoughts_token_count=50), 1000 * 2 + 150 * 10),
        (Usage(1000, 100, 1100, thoughts_token_count=50), 1000 * 2 + 100 * 10),
        # The same for tool use, alone and with thinking.
        (Usage(1000, 100, 1400, tool_use_prompt_token_count=300), 1300 * 2 + 100 * 10),
        (Usage(1000, 100, 1450, thoughts_token_count=50, tool_use_prompt_token_count=300), 1300 * 2 + 150 * 10),
        (Usage(1000, 100, 1150, thoughts_token_count=50, tool_use_prompt_token_count=300), 1000 * 2 + 150 * 10),
        # A total that fits nothing adds nothing.
        (Usage(1000, 100, 9999, thoughts_token_count=50, tool_use_prompt_token_count=300), 1000 * 2 + 100 * 10),
    ],
)
def test_no_token_is_counted_twice(usage: Usage, expected: float) -> None:
    assert cost(usage, "m", PRICES) == pytest.approx(expected / 1e6)


def test_the_local_analysts_zero_stays_zero_and_an_unknown_model_is_none() -> None:
    assert cost(Usage(), "local-analyst-1", {}) == 0
    assert cost(Usage(), "other", PRICES) is None
    assert cost(Usage(), None, PRICES) is None


def test_a_turn_of_which_the_service_told_no_tokens_is_named() -> None:
    table = messages_frame([*turn(MIDNIGHT, result(None)), *turn(MIDNIGHT + 9, result(Usage(1, 1, 2)))], session_id="s")
    usage = table.secgemini.usage()
    assert usage[["turns", "turns_without_usage", "total_tokens"]].values.tolist() == [[2, 1, 2]]
    for told in (table.secgemini.usage("turn", models="m", prices=PRICES), table.secgemini.turns()):
        assert told["total_tokens"].tolist() == [pd.NA, 2]
        assert told["cached_tokens"].tolist() == [pd.NA, 0]
    assert table.secgemini.usage("turn", models="m", prices=PRICES)["cost_estimate"].isna().tolist() == [True, False]
    local = table[table["turn_index"] == 1].secgemini.usage(models="local-analyst-1", prices=PRICES)
    assert local[["turns_without_usage", "total_tokens", "cost_estimate"]].values.tolist() == [[1, pd.NA, 0.0]]


@pytest.mark.parametrize("by", ["turn", "session", "day", "model"])
def test_an_empty_table_has_the_same_columns_and_dtypes(table: pd.DataFrame, by: Any) -> None:
    full, empty = (each.secgemini.usage(by, models="m", prices=PRICES) for each in (table, table.iloc[:0]))
    assert (len(empty), empty.dtypes.to_dict()) == (0, full.dtypes.to_dict())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"by": "week"}, "pass one of turn, session, day, model"),
        ({"prices": {"m": 3}}, "for a million tokens"),
        ({"prices": {"m": {"prompt": 1}}}, "for a million tokens"),
        ({"prices": {"m": {"prompt": 1, "generated": 1, "thoughts": 1}}}, "for a million tokens"),
        ({"prices": {"m": {"prompt": -1, "generated": 1}}}, "at least 0"),
        ({"prices": {"m": {"prompt": float("nan"), "generated": 1}}}, "at least 0"),
        ({"prices": [("m", 1)]}, "prices is list"),
    ],
)
def test_what_makes_no_sense_is_refused(table: pd.DataFrame, given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        table.secgemini.usage(**given)
