"""How IPython reads our lines, where its own way would lose a prompt."""

from __future__ import annotations

import tokenize
from collections.abc import Sequence
from typing import TYPE_CHECKING

from IPython.core.inputtransformer2 import MagicAssign

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["keep_bodyless", "read_lines", "unread_lines"]


def keep_bodyless(lines: list[str]) -> list[str]:
    """Let `%%secgemini prompt` alone be a cell: IPython refuses a cell magic without a body."""
    if lines and lines[0].startswith("%%secgemini") and not any(line.strip() for line in lines[1:]):
        first = lines[0] if lines[0].endswith("\n") else lines[0] + "\n"
        return [first, "\n"]
    return lines


# In a terminal, Enter after `%%secgemini` must go on to the body: `check_complete` leaves out what has side effects.
keep_bodyless.has_side_effects = True  # type: ignore[attr-defined]


class Question(MagicAssign):
    """`%secgemini ask who logged in?`: to IPython a line that ends like this asks for help on `in`, and nothing else.

    Tokens, not text: the same words in a string of Python stay as they are.
    """

    priority = 0  # before IPython's own help, which begins at the same place

    def __init__(self, line_start: tuple[int, int], magic_start: tuple[int, int]) -> None:
        super().__init__(line_start)
        self._column = magic_start[1]

    @classmethod
    def find(cls, tokens_by_line: Sequence[Sequence[tokenize.TokenInfo]]) -> Question | None:
        for line in tokens_by_line:
            tokens = [token for token in line if token.type not in (tokenize.INDENT, tokenize.DEDENT)]
            for number in range(len(tokens) - 2):
                if number and tokens[number - 1].string != "=":
                    continue  # at the line's begin, or behind `answer =`
                percent, name, following = tokens[number : number + 3]
                if (percent.string, name.string) == ("%", "secgemini") and following.string != "?":
                    return cls(tokens[0].start, percent.start)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        self.start_col = self._column
        transformed: list[str] = super().transform(lines)
        return transformed


def read_lines(shell: InteractiveShell) -> None:
    shell.input_transformers_cleanup.append(keep_bodyless)
    shell.input_transformer_manager.token_transformers.append(Question)


def unread_lines(shell: InteractiveShell) -> None:
    shell.input_transformers_cleanup.remove(keep_bodyless)
    shell.input_transformer_manager.token_transformers.remove(Question)
