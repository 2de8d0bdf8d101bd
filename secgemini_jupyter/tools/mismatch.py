"""What is wrong with a value that does not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from secgemini_jupyter.errors import one_line

__all__ = ["Mismatch", "shortened", "shown", "told"]


class Mismatch(ValueError):
    """A value is not of its kind; the text says where, what was expected, and what came."""

    def __init__(self, where: str, expected: str, value: Any, why: str = "") -> None:
        super().__init__(f"{where}: expected {expected}, got {shown(value)}{f' ({why})' if why else ''}")


def told(where: str, text: str) -> Mismatch:
    mismatch = Mismatch(where, "", None)
    mismatch.args = (f"{where}: {text}" if where else text,)
    return mismatch


def shown(value: Any) -> str:
    """A JSON value in a few words."""
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) <= 60 else f"text of {len(value):,} characters"
    if isinstance(value, Mapping):
        return f"an object with {', '.join(shortened(key, 30) for key in list(value)[:5]) or 'nothing'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return shortened(json.dumps(value, default=str))


def shortened(value: object, limit: int = 60) -> str:
    return one_line(str(value)[: 4 * limit])[:limit]
