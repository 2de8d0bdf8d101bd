"""Arguments of a call as the model wrote them: JSON text, or a value that was read from one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec


class WrongArguments(Exception):
    """They cannot be used; the message tells the model why."""


def read_arguments(written: object, clean: Callable[[str], str] = str) -> dict[str, Any]:
    """
    Args:
        clean: takes out of their JSON what must not be in it.

    Raises:
        WrongArguments: they are no JSON object, or hold what no JSON can.
    """
    try:
        text = written if isinstance(written, str) else json.dumps(written)
        value = msgspec.json.decode(text.strip() or "{}")
        whole = msgspec.json.encode(value).decode()
        value = msgspec.json.decode(cleaned) if (cleaned := clean(whole)) != whole else value
    except (ValueError, TypeError, RecursionError):  # halves of surrogate pairs are a ValueError
        raise WrongArguments("The arguments are no JSON. Call again, with a JSON object.") from None
    if not isinstance(value, dict):
        raise WrongArguments("The arguments are no JSON object. Call again, with one.")
    return value
