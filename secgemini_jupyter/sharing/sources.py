"""Which cells show what our subcommands gave, read from their sources."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["OWN_CELL", "Kind", "Sources"]

Kind = Literal["own", "listing", "mixed", "ours", ""]
"""What a cell is: a `%%secgemini` cell; lines of ours that tell of sessions and people, and nothing else; code in which
such a line is, or what one gave; code with another line of ours; none of ours."""

ANSWERING = frozenset({"ask", "fix", "retry", "reconnect", "wait", "help", "models"})
"""Subcommands that leave an answer, or nothing about sessions and people. What all others show is taken out."""
OWN_CELL = re.compile(r"\s*%%secgemini\b")
# `%time %secgemini sessions`. Nothing is given back (`*+`): a line of a thousand magics is else read a million times.
_TIMED = r"(?:%%?+(?!secgemini\b)\w++[ \t]++(?:-\S++[ \t]++)*+)*+"
_LINE = re.compile(rf"\s*+{_TIMED}(?:[\w, \t]++=[ \t]*+)?{_TIMED}%secgemini\b[ \t]*(\w*)")
# As %automagic lets it be typed.
_BARE_LINE = re.compile(r"\s*+secgemini[ \t]+(cache|config|files|history|jobs|sessions|usage)\b(?![ \t]*=)")
_CALL = re.compile(r"run_line_magic\(\s*[\"']secgemini[\"']\s*,\s*[\"']\s*(\w*)")
_TRANSCRIPT = re.compile(r"(?:-f|--format)[ \t=]*raw\b")
_QUIET_LINE = re.compile(r"\s*(?:#.*|%load_ext\s.*|%reload_ext\s.*|%config\s.*|%%(?:time|timeit|capture)\b.*)?")
_ASSIGNED = re.compile(r"\s*(\w+(?:[ \t]*,[ \t]*\w+)*)[ \t]*=(?!=)(.*)")
_WORD = re.compile(r"[^\W\d]\w*")


class Sources:
    """One pass over a notebook's cells, in their order: a variable that holds such a table tells of it in later cells.

    Attributes:
        names: variables that hold now what a line of ours gave.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()

    def kind(self, source: str) -> Kind:
        """What the next cell is."""
        if OWN_CELL.match(source):
            return "own"
        is_ours = is_telling = is_mixed = False
        for line in source.splitlines():
            found = _LINE.match(line) or _BARE_LINE.match(line) or _CALL.search(line)
            tells = bool(found) and _tells(found.group(1) if found else "", line)
            shows = bool(self.names.intersection(_WORD.findall(line)))
            assigned = _ASSIGNED.match(line)
            if assigned:
                names = _WORD.findall(assigned.group(1))
                shows = tells or bool(self.names.intersection(_WORD.findall(assigned.group(2))))
                (self.names.update if shows else self.names.difference_update)(names)
            is_ours = is_ours or bool(found)
            is_telling = is_telling or tells or shows
            is_mixed = is_mixed or bool(assigned) or not (found or _QUIET_LINE.fullmatch(line))
        if is_telling:
            return "mixed" if is_mixed else "listing"
        return "ours" if is_ours else ""


def _tells(name: str, line: str) -> bool:
    return name not in ANSWERING or "--dotenv" in line or bool(_TRANSCRIPT.search(line))
