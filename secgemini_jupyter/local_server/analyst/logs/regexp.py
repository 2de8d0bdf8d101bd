"""`REGEXP` for SQLite, as Sigma rules use it: where `re2` is there (with the extra `analyst`), of linear cost."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

MAX_TEXT = 20_000


def regexp(pattern: Any, value: Any) -> bool | None:
    """Whether the value has a match of the pattern, which SQLite passes first."""
    if value is None or pattern is None:
        return None
    return _compiled(str(pattern)).search(str(value)[:MAX_TEXT]) is not None


@lru_cache(64)
def _compiled(pattern: str) -> Any:
    try:
        import re2
    except ImportError:
        return re.compile(pattern)
    try:
        return re2.compile(pattern)
    except re2.error:
        return re.compile(pattern)  # it looks ahead or behind; the time limit of the call holds
