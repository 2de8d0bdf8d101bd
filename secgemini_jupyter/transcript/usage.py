"""Tokens of turns, summed by turn, session, day or model, and what they may have cost: schema `usage/1`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, get_args

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.models import Usage
from secgemini_jupyter.transcript.columns import Column, frame
from secgemini_jupyter.transcript.turns import TurnSlice

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCHEMA", "Grain", "Models", "Prices", "in_and_out", "models_of", "usage_frame"]

SCHEMA = "usage/1"
DAY = 86400
MILLION = 1_000_000
UNPRICED = "local-analyst-"
"""No language model: it takes no tokens, and nobody sends a bill."""

Grain = Literal["turn", "session", "day", "model"]
Prices = Mapping[str, Mapping[str, float]]
"""By model string: what a million `prompt`, `cached` and `generated` tokens cost. Without `cached`, as `prompt`."""
Models = str | Mapping[str, str] | None
"""The model of all sessions, or of each by its id."""


@dataclass(frozen=True)
class Group:
    """The turns of one row; their models, None where one is not known."""

    turns: Sequence[tuple[TurnSlice, str | None]]
    prices: Prices | None

    @property
    def first(self) -> TurnSlice:
        return self.turns[0][0]

    @property
    def model(self) -> str | None:
        """The one that all turns had."""
        models = {model for _, model in self.turns}
        return models.pop() if len(models) == 1 else None

    @cached_property
    def usage(self) -> Usage:
        return sum((turn.usage for turn, _ in self.turns), Usage())

    @cached_property
    def is_counted(self) -> bool:
        """Whether the service told of any tokens: else how many there were nobody knows."""
        return any(turn.is_counted for turn, _ in self.turns)

    @property
    def cost(self) -> float | None:
        """None where a turn's model has no price: a sum without it would look like the whole; or none was counted."""
        if not self.is_counted and not all((model or "").startswith(UNPRICED) for _, model in self.turns):
            return None
        costs = [cost(turn.usage, model, self.prices or {}) for turn, model in self.turns]
        return None if None in costs else math.fsum(each or 0.0 for each in costs)


def each(name: str) -> Callable[[Sequence[Group]], Iterable[Any]]:
    read = attrgetter(name)
    return lambda groups: map(read, groups)


def without_usage(group: Group) -> int:
    return sum(turn.index > 0 and not turn.is_counted for turn, _ in group.turns)


def tokens(name: str) -> Callable[[Sequence[Group]], Iterable[int | None]]:
    read = attrgetter(name)
    return lambda groups: (read(group.usage) if group.is_counted else None for group in groups)


_SESSION = {"session_id": Column("string", each("first.session_id"))}
_MODEL = {"model": Column("string", each("model"))}
_KEYS: dict[Grain, dict[str, Column[Sequence[Group]]]] = {
    "turn": {
        **_SESSION,
        "turn_id": Column("string", lambda groups: (f"{g.first.session_id}:{g.first.index}" for g in groups)),
        "turn_index": Column("Int32", each("first.index")),
        "started_at": Column("time", each("first.started_at")),
        **_MODEL,
    },
    "session": {**_SESSION, **_MODEL},
    "day": {"day": Column("time", lambda groups: (_day(group.first) for group in groups))},
    "model": _MODEL,
}
_SUMS: dict[str, Column[Sequence[Group]]] = {
    "turns": Column("Int64", lambda groups: (sum(turn.index > 0 for turn, _ in group.turns) for group in groups)),
    "turns_without_usage": Column("Int64", lambda groups: map(without_usage, groups)),
    "total_tokens": Column("Int64", tokens("total_tokens")),
    "prompt_tokens": Column("Int64", tokens("prompt_tokens")),
    "generated_tokens": Column("Int64", tokens("generated_tokens")),
    "cached_tokens": Column("Int64", tokens("cached_token_count")),
    "thoughts_tokens": Column("Int64", tokens("thoughts_token_count")),
    "tool_use_prompt_tokens": Column("Int64", tokens("tool_use_prompt_token_count")),
}
_COST: dict[str, Column[Sequence[Group]]] = {"cost_estimate": Column("Float64", each("cost"))}


def usage_frame(
    turns: Sequence[TurnSlice], by: Grain = "session", *, models: Models = None, prices: Prices | None = None
) -> pd.DataFrame:
    """The tokens of `turns` by turn, session, day (UTC) or model, in order of first appearance.

    `cost_estimate` is there if `prices` are given; what it counts, the accessor's `usage` says.

    Raises:
        InputError: `by` is none of these, or a price makes no sense.
    """
    if by not in get_args(Grain):
        raise InputError(f"by is {by!r}: pass one of {', '.join(get_args(Grain))}.")
    if prices is not None:
        check_prices(prices)
    groups: dict[Any, list[tuple[TurnSlice, str | None]]] = {}
    for turn in turns:
        model = models.get(turn.session_id) if isinstance(models, Mapping) else models
        key = {"turn": (turn.session_id, turn.index), "session": turn.session_id, "day": _day(turn), "model": model}[by]
        groups.setdefault(key, []).append((turn, model))
    columns = _KEYS[by] | _SUMS | (_COST if prices is not None else {})
    table = frame(columns, [Group(group, prices) for group in groups.values()], schema=SCHEMA)
    if prices is not None:
        table.attrs["prices"] = {model: dict(price) for model, price in prices.items()}
        table.attrs["cost_estimate"] = "an estimate from the caller's prices for a million tokens, no bill"
    return table


def models_of(table: pd.DataFrame) -> Mapping[str, str]:
    """Model strings by session: a column `model`, else what `history()` noted."""
    if "model" in table.columns:
        known = table[["session_id", "model"]].dropna().astype(str).drop_duplicates("session_id")
        return dict(zip(known["session_id"], known["model"], strict=True))
    noted = table.attrs.get("models")
    return noted if isinstance(noted, dict) else {}


def cost(usage: Usage, model: str | None, prices: Prices) -> float | None:
    """An estimate in the currency of `prices`; None for a model without a price.

    Cached tokens are a part of the prompt's.
    """
    price = prices.get(model or "")
    if price is None:
        return 0.0 if model and model.startswith(UNPRICED) and not usage.total_tokens else None
    prompt, generated = in_and_out(usage)
    cached = min(usage.cached_token_count, usage.prompt_tokens)
    spent = (
        (prompt - cached) * price["prompt"]
        + cached * price.get("cached", price["prompt"])
        + generated * price["generated"]
    )
    return spent / MILLION


def in_and_out(usage: Usage) -> tuple[int, int]:
    """All tokens that went in, and all that came out.

    `total_tokens` tells whether thinking and tool-use tokens were counted beside the prompt and the generated ones, or
    in them: only beside them they are added.
    """
    thoughts, tools = usage.thoughts_token_count, usage.tool_use_prompt_token_count
    beside = usage.total_tokens - usage.prompt_tokens - usage.generated_tokens
    added = next((pair for pair in ((thoughts, tools), (thoughts, 0), (0, tools)) if sum(pair) == beside), (0, 0))
    return usage.prompt_tokens + added[1], usage.generated_tokens + added[0]


def check_prices(prices: Prices) -> None:
    """
    Raises:
        InputError: a price is missing, unknown, or no number of at least 0.
    """
    example = 'prices={"sec-gemini-stable": {"prompt": 1.25, "cached": 0.31, "generated": 10}}, for a million tokens'
    if not isinstance(prices, Mapping):
        raise InputError(f"prices is {type(prices).__name__}: pass {example}.")
    for model, price in prices.items():
        names = set(price) if isinstance(price, Mapping) else set()
        if not {"prompt", "generated"} <= names <= {"prompt", "cached", "generated"}:
            raise InputError(f"The price of {model!r} is {price!r}: pass {example}.")
        for name, value in price.items():
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not 0 <= value < math.inf:
                raise InputError(f"The price of {model!r} has {name}={value!r}: pass a number of at least 0.")


def _day(turn: TurnSlice) -> float | None:
    started = turn.started_at
    return None if started is None else started // DAY * DAY
