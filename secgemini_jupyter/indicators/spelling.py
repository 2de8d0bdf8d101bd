"""How analysts write an indicator so that it cannot be clicked, and the way back: `hxxps://evil[.]com`."""

from __future__ import annotations

import re
from bisect import bisect_right

_MARK = re.compile(
    r"""
    (?P<scheme>(?<![a-z0-9])(?:h(?:xx|tx|xt|\*\*)p|fxp)(?=s?(?:://|\[:\]//|\[://\]|\(://\)|:\\\\)))
    | (?P<slashes>\[://\]|\(://\)|\{://\}|(?<=tp)(?<!\\):\\\\(?=\w)|(?<=xp)(?<!\\):\\\\(?=\w))
    | (?P<colon>\[:\]|\(:\)|\{:\})
    | (?P<dot>\[[ ]?\.[ ]?\]|\(\.\)|\{\.\}
        | (?:(?<=\w)[ ])?[\[({](?:dot|\.dot\.)[\])}](?:[ ](?=\w))?
        | (?<=\w)\[\.(?=\w) | (?<=\w)\.\](?=\w) | (?<=[a-z0-9])\\\.(?=[a-z0-9]))
    | (?P<at>\[[ ]?@[ ]?\]|\(@\)|\{@\} | (?:(?<=\w)[ ])?[\[({]at[\])}](?:[ ](?=\w))?)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MARK_NEEDLE = re.compile(r"[\[({](?:[ ]?[.:@]|\.?(?:dot|at)[.\])}])|\.[\])}]|\\|x[tx]?p|\*\*p", re.IGNORECASE)
"""What each mark has in it: brackets alone, as in JSON, are none."""
_PLAIN = {"slashes": "://", "colon": ":", "dot": ".", "at": "@"}


class Plain:
    """A text with every defanging mark undone, and the way back to the offsets of the original."""

    def __init__(self, original: str) -> None:
        self.original = original
        pieces: list[str] = []
        self._ends: list[int] = []  # end of each replaced mark in `text`
        self._marks: list[tuple[int, int, int]] = []  # start in `text`, start and end in the original
        position = length = 0
        for mark in _MARK.finditer(original) if _MARK_NEEDLE.search(original) else ():
            kind = mark.lastgroup or ""
            plain = _PLAIN.get(kind) or ("ftp" if mark.group().lower() == "fxp" else "http")
            pieces += (original[position : mark.start()], plain)
            length += mark.start() - position
            self._marks.append((length, mark.start(), mark.end()))
            length += len(plain)
            self._ends.append(length)
            position = mark.end()
        pieces.append(original[position:])
        self.text = "".join(pieces)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` stands in the original."""
        if not self._ends:
            return start, end
        return self._offset(start, at_end=False), self._offset(end, at_end=True)

    def _offset(self, offset: int, *, at_end: bool) -> int:
        index = bisect_right(self._ends, offset)
        shift = self._marks[index - 1][2] - self._ends[index - 1] if index else 0
        if index < len(self._marks) and self._marks[index][0] < offset + (not at_end):
            return self._marks[index][2 if at_end else 1]  # inside a mark: all of it belongs to the indicator
        return offset + shift
