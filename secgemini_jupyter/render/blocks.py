"""A growing Markdown answer → finished blocks, rendered once, and a short tail, rendered again and again."""

from __future__ import annotations

import re

__all__ = ["BLOCK_SIZE", "Blocks"]

BLOCK_SIZE = 8_000
"""Characters that a block has before it is closed at the next good place."""
MAX_SIZE = 4 * BLOCK_SIZE
"""Here it is closed wherever it is: in a fence, a table, a line without end."""

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_GOES_ON = re.compile(r"[ \t|>]|[-+*]\s|\d{1,9}[.)]\s")


class Blocks:
    """Feed it pieces of text; it closes blocks at a blank line outside a fence, where something new begins.

    Each character is looked at once, so the cost is linear. A block that had to be closed inside a fence gets the
    end of the fence, and the next block its beginning: both stay Markdown.
    """

    def __init__(self, size: int = BLOCK_SIZE) -> None:
        self.closed: list[str] = []
        self._target, self._limit = size, size * MAX_SIZE // BLOCK_SIZE
        self._lines: list[str] = []  # whole lines of the block that is open
        self._size = 0
        self._break = 0  # how many of them may be closed: up to the last blank line outside a fence
        self._partial: list[str] = []  # pieces of the line that has not ended
        self._partial_size = 0
        self._fence = self._opener = ""

    @property
    def tail(self) -> str:
        """What is not in a closed block."""
        return "".join([*self._lines, *self._partial])

    def feed(self, piece: str) -> None:
        start = 0
        while start < len(piece):
            newline = piece.find("\n", start)
            room = max(1, self._limit - self._size - self._partial_size)
            end = min(len(piece) if newline < 0 else newline + 1, start + room)
            self._partial.append(piece[start:end])
            self._partial_size += end - start
            if end == newline + 1:
                self._end_line()
            elif end - start == room:
                self._close_lines()
            start = end

    def flush(self) -> None:
        """Close what there is, wherever it ends."""
        text = self.tail
        if text.strip() and text != self._opener:
            if self._fence:
                text += ("" if text.endswith("\n") else "\n") + self._fence + "\n"
            self.closed.append(text)
        self._lines = [self._opener] if self._fence else []
        self._partial, self._partial_size = [], 0
        self._size, self._break = len(self._opener), 0

    def _close_lines(self) -> None:
        """Close the whole lines and keep the one that has not ended; if there are none, cut that one."""
        if self._size <= len(self._opener):
            self.flush()
            return
        partial, size = self._partial, self._partial_size
        self._partial = []
        self.flush()
        self._partial, self._partial_size = partial, size

    def _end_line(self) -> None:
        line = "".join(self._partial)
        self._partial, self._partial_size = [], 0
        if (
            not self._fence
            and line.strip()
            and self._lines
            and not self._lines[-1].strip()
            and not _GOES_ON.match(line)
        ):
            self._break = len(self._lines)
            if self._size >= self._target:
                self._close_at_break()
        self._follow_fence(line)
        self._lines.append(line)
        self._size += len(line)
        if self._size >= self._limit:
            if self._break:
                self._close_at_break()
            else:
                self.flush()

    def _follow_fence(self, line: str) -> None:
        match = _FENCE.match(line)
        if match is None or len(line) > 1_000:
            return
        if not self._fence:
            if match[1][0] == "~" or "`" not in match[2]:
                self._fence, self._opener = match[1], line
        elif match[1].startswith(self._fence) and not match[2].strip():
            self._fence = self._opener = ""

    def _close_at_break(self) -> None:
        self.closed.append("".join(self._lines[: self._break]))
        self._lines = self._lines[self._break :]
        self._size, self._break = sum(map(len, self._lines)), 0
