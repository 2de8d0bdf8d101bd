"""A large JSON object read member by member, its large arrays item by item: never the whole of it in memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Container, Iterator
from typing import IO, Any

CHUNK = 2**20
MAX_ITEM = 16 * 2**20
"""Characters of one item, or of one member that is no such array."""
MAX_BLANK = 64 * 2**20
"""Blanks in one place."""
_SPACE = re.compile(r"[ \t\r\n]*+")


class BrokenJsonError(ValueError):
    """It is no JSON object, it is cut, or a part of it is too large. The text says which."""


class _Reader:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._decoder = stream, json.JSONDecoder()
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._is_ended = "", 0, False
        self._blank = 0

    def _more(self) -> bool:
        """Whether there was more to read."""
        if self._is_ended:
            return False
        chunk = self._stream.read(CHUNK)
        self._is_ended = not chunk
        try:
            self._text = self._text[self._at :] + self._utf8.decode(chunk, self._is_ended)
        except UnicodeDecodeError:
            raise BrokenJsonError("it is not UTF-8") from None
        self._at = 0
        return True

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # the empty text fits, too
            if self._at < len(self._text):
                self._blank = 0
                return self._text[self._at]
            self._blank += len(self._text)
            if self._blank > MAX_BLANK:
                raise BrokenJsonError(f"over {MAX_BLANK // 2**20} MiB of it are blanks")
            if not self._more():
                return ""

    def take(self, wanted: str) -> bool:
        if self.peek() != wanted:
            return False
        self._at += 1
        return True

    def expect(self, wanted: str) -> None:
        if not self.take(wanted):
            raise BrokenJsonError(f"{wanted!r} is missing" if self.peek() else "it is cut")

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > MAX_ITEM:
                    raise BrokenJsonError(f"a part of it has more than {MAX_ITEM:,} characters, or is broken") from None
                if not self._more():
                    raise BrokenJsonError(f"it is broken or cut ({error.msg})") from None
                continue
            except ValueError:
                raise BrokenJsonError("a number in it has too many digits") from None
            if end == len(self._text) and self._more():
                continue  # a number may go on
            self._at = end
            return value


def members(stream: IO[bytes], item_by_item: Container[str]) -> Iterator[tuple[str, Any]]:
    """Name and value of each member; an array that is named in `item_by_item` gives its name with each of its items.

    Raises:
        BrokenJsonError: see there. What was given before it came is good.
        RecursionError: a part is nested too deeply.
    """
    reader = _Reader(stream)
    reader.expect("{")
    if reader.take("}"):
        return
    while True:
        name = reader.value()
        if not isinstance(name, str):
            raise BrokenJsonError("a member has no name")
        reader.expect(":")
        if name in item_by_item and reader.take("["):
            if not reader.take("]"):
                while True:
                    yield name, reader.value()
                    if not reader.take(","):
                        break
                reader.expect("]")
        else:
            yield name, reader.value()
        if not reader.take(","):
            break
    reader.expect("}")
    if reader.peek():
        raise BrokenJsonError("something follows after its end")
