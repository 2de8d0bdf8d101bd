"""Values put back into an answer, but never where a browser, a viewer or a click would send them away.

No Markdown parser decides: one that reads `](` otherwise than the reader's viewer does would give the value away. So
whatever may lead to a link in one of them ends the putting back, for the word, the paragraph or the rest of the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from secgemini_jupyter.indicators.names import is_bare_domain, is_domain

__all__ = ["LONGEST", "Restoring"]

LONGEST = 4_096
"""Characters of a word; the placeholders of a longer one stay."""

LONGEST_MARK = 32
"""Characters of what begins a link: so many of a cut word are looked at again."""

_WORDS = re.compile(r"\s+|\S+")
_LINK = re.compile(r"//|www\.|\b(?:https?|ftps?|sftp|wss?|mailto|smb|ldaps?):", re.IGNORECASE)
_IN_A_WORD = re.compile(rf"{_LINK.pattern}|\]\(|\]:|<", re.IGNORECASE)
_CLOSED_LINK = re.compile(r"\]\([^\s()<>\\\"']*\)")
"""The target of a Markdown link that every viewer ends at the same place."""
_TAG = re.compile(r"<(?:([a-z][^\s/>]*)|[/!?])([^\s<>\"'`]*>)?", re.IGNORECASE)
_ACTIVE = frozenset({"script", "style", "form"})
"""Elements that send or load what stands between their tags."""
_TEX_LINK = re.compile(r"\\(?:href|url|includegraphics)\b")
_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_DOTS = str.maketrans("。．｡", "...")  # browsers read them as dots
_MARKUP = re.compile(r"[\\*_`~]")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_BLOCK_MARKER = re.compile(r"(?:[>*+-]|\d{1,9}[.)])+")


class Restoring:
    """Puts values back into one text, given whole or in pieces that end where a word ends.

    Args:
        values: what stands behind each placeholder.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._known = re.compile("|".join(re.escape(each) for each in values) or r"(?!)")
        self._held: Literal["", "paragraph", "text"] = ""  # what nothing is put back into, from here on
        self._gap = "\n"  # the white space since the last word
        self._is_line_start = True
        self._is_label_open = False  # of `[label]: target`
        self._head = ""  # the end of a word that goes on in the next piece

    def __call__(self, piece: str, *, is_cut: bool = False) -> str:
        """The next piece. `is_cut`: its last word goes on in the next one."""
        if not self._values:
            return piece
        words = _WORDS.findall(piece)
        pieces = []
        for number, word in enumerate(words):
            if word.isspace():
                self._space(word)
            else:
                goes_on = is_cut and number == len(words) - 1
                if not (self._head or goes_on or self._held or len(word) > LONGEST):
                    word = self._known.sub(partial(self._value, word), word)
                self._pass(self._head + word)
                self._head = word[-LONGEST_MARK:] if goes_on else ""
            pieces.append(word)
        return "".join(pieces)

    def _value(self, word: str, match: re.Match[str]) -> str:
        """What stands there in `word`: the value, or the placeholder as it was."""
        placeholder = match[0]
        others = {**self._values, placeholder: placeholder}
        # Another value may bring the `//`: a log that somebody else wrote can hold such a "password".
        readings = (word, self._known.sub(lambda match: others[match[0]], word))
        if any(_leads_away(each.replace(placeholder, "x")) for each in readings):
            return placeholder
        return self._values[placeholder]

    def _space(self, space: str) -> None:
        self._head = ""
        self._gap += space
        if "\n" in space:
            self._is_line_start = True
        if _BLANK_LINE.search(self._gap):
            self._is_label_open = False
            self._held = "" if self._held == "paragraph" else self._held

    def _pass(self, word: str) -> None:
        """Remember what `word`, as it is shown, begins."""
        self._gap = ""
        if _TEX_LINK.search(word) or any(_open_tags(word)):
            self._held = "text"
        if not self._held and (self._defines(word) or _goes_on(word)):
            self._held = "paragraph"

    def _defines(self, word: str) -> bool:
        """Whether the target of `[label]: target` comes next. `sshd[7]:` is none: no line starts with its bracket."""
        if self._is_line_start:
            rest = _BLOCK_MARKER.sub("", word, count=1) if _BLOCK_MARKER.match(word) else word
            self._is_line_start = not rest
            self._is_label_open = self._is_label_open or rest.startswith("[")
        if not self._is_label_open:
            return False
        self._is_label_open = not re.search(r"(?<!\\)\]", word)
        return "]:" in word


def _leads_away(word: str) -> bool:
    """Whether `word` is, or names, a place to which something could be sent."""
    plain = html.unescape(word).translate(_DOTS)
    return any(_IN_A_WORD.search(each) or _names_a_host(each) for each in (word, plain, _MARKUP.sub("", plain)))


def _names_a_host(word: str) -> bool:
    for match in _NAME.finditer(word) if "." in word else ():
        name, following = match[0], word[match.end() : match.end() + 1]
        if _ADDRESS.fullmatch(name):
            return True
        is_place = following in ("/", "?", "#", "\\") or word[: match.start()].endswith("@")
        if is_domain(name.strip("-_")) and (is_place or is_bare_domain(name, following)):
            return True
    return False


def _open_tags(word: str) -> Iterator[bool]:
    """Of each HTML tag: whether it goes on behind `word`, or what follows it may be sent."""
    for tag in _TAG.finditer(word) if "<" in word else ():
        yield not tag[2] or (tag[1] or "").lower() in _ACTIVE


def _goes_on(word: str) -> bool:
    """Whether the target of a link may go on behind `word`."""
    if "](" in _CLOSED_LINK.sub("", word):
        return True
    is_open = any(word.count(each) % 2 for each in "\"'`") or any(
        word.count(opener) > word.count(closer) for opener, closer in ("()", "{}")
    )
    return is_open and bool(_LINK.search(word))
