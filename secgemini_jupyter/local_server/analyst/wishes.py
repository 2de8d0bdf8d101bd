"""How the user wants the answer: one word of it, one part of it, another form."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """How the user wants the answer: as JSON, as one word, only one part of it."""

    as_json: bool = False
    one_word: bool = False
    only: str = ""

    def wants_only(self, *words: str) -> bool:
        return any(re.search(rf"\b(?:{word})", self.only) for word in words)

    @property
    def is_bare(self) -> bool:
        """Whether nothing may stand beside what was asked for."""
        return bool(self.as_json or self.one_word or self.only)
