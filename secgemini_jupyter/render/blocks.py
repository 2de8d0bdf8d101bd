"""A growing Markdown answer → finished blocks, rendered once, and a short tail, rendered again and again."""

from __future__ import annotations

import re

__all__ = ["BLOCK_SIZE", "MAX_BLOCKS", "Blocks"]

BLOCK_SIZE = 8_000
"""Characters that a block has before it may be closed; later blocks are larger."""
MAX_BLOCKS = 36
"""However long the answer: Lab shows at most 50 outputs of a cell."""
_PATIENCE = 4
"""A block this many times too long is closed where it is: in a fence, a table, a paragraph without end."""

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


class Blocks:
    """Feed it pieces of text; it closes blocks at a blank line outside a fence, where something new begins.

    Each character is looked at once, so the cost is linear. A block that had to be closed inside a fence gets the
    end of the fence, and the next block its beginning: both stay Markdown.
    """

    def __init__(self) -> None:
        self.closed: list[str] = []
        self._lines: list[str] = []  # whole lines of the block that is open
        self._size = 0
        self._break = 0  # how many of them may be closed: up to the last blank line outside a fence
        self._partial: list[str] = []
        self._partial_size = 0
        self._fence = ""
        self._opener = ""

    @property
    def tail(self) -> str:
        return "".join([*self._lines, *self._partial])

    @property
    def target(self) -> int:
        """What the open block may hold; grows so that even 100 MB stay under `MAX_BLOCKS`."""
        return int(BLOCK_SIZE * max(1.0, 1.35 ** (len(self.closed) - 8)))

    def feed(self, piece: str) -> None:
        while piece:
            line, newline, piece = piece.partition("\n")
            room = _PATIENCE * self.target - self._size - self._partial_size
            if len(line) > room > 0 and len(self.closed) < MAX_BLOCKS:
                line, newline, piece = line[:room], "", line[room:] + newline + piece
            self._partial.append(line)
            self._partial_size += len(line)
            if newline:
                self._end_line()
            elif self._size + self._partial_size >= _PATIENCE * self.target:
                self._close_here()

    def _end_line(self) -> None:
        line = "".join(self._partial) + "\n"
        self._partial, self._partial_size = [], 0
        starts_anew = not self._fence and line[0] not in " \t\n|>" and not re.match(r"[-+*]\s|\d+[.)]\s", line)
        if starts_anew and self._lines and not self._lines[-1].strip():
            self._break = len(self._lines)
            if self._size >= self.target:
                self._close_at_break()
        self._follow_fence(line)
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _PATIENCE * self.target:
            if self._break:
                self._close_at_break()
            else:
                self._close_here()

    def _follow_fence(self, line: str) -> None:
        match = _FENCE.match(line)
        if match is None:
            return
        if not self._fence:
            if match[1][0] == "~" or "`" not in match[2]:
                self._fence, self._opener = match[1], line
        elif match[1].startswith(self._fence) and not match[2].strip():
            self._fence = self._opener = ""

    def _close_at_break(self) -> None:
        if len(self.closed) >= MAX_BLOCKS:
            return
        self.closed.append("".join(self._lines[: self._break]))
        self._lines = self._lines[self._break :]
        self._size, self._break = sum(map(len, self._lines)), 0

    def _close_here(self) -> None:
        if len(self.closed) >= MAX_BLOCKS:
            return
        text = self.tail
        if self._fence:
            text += ("" if text.endswith("\n") else "\n") + self._fence + "\n"
        self.closed.append(text)
        self._lines = [self._opener] if self._fence else []
        self._size, self._break = sum(map(len, self._lines)), 0
        self._partial, self._partial_size = [], 0
