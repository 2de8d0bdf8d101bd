"""Whether a call that a model wrote as text is its own, or one that it repeats from what it read.

A call counts as read where its tool is named and all values of its arguments stand, in whatever order, spacing and
escaping. Prompts and calls of tools that only read need the name as JSON or a template has it; for a local tool the
bare word in a file or a result is enough: such a tool may do anything, and the text of a file is anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from secgemini_jupyter.local_server.engines.openai.checked import plain, refanged

MAX_TEXT = 4 * 2**20
"""Characters of one text that are looked through."""
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_SPACING = re.compile(r"[\s\\]+")
_ENVELOPE = frozenset({"id", "name", "tool_name", "args", "tool_args", "seconds", "bytes_read"})
"""Keys of a message about a tool's result that are not of the result."""


class Quotable:
    """What was read and asked in a session; `attachments` gives the files' contents, when it is needed."""

    def __init__(self, attachments: Callable[[], Iterable[bytes]] = tuple) -> None:
        self._attachments = attachments
        self._read: list[str] = []
        self._asked: list[str] = []
        self._forms: dict[str, tuple[str, str]] = {}

    def add_prompts(self, *texts: str) -> None:
        self._asked += texts

    def add(self, *values: object) -> None:
        """Results of tools and the like."""
        self._read += [text for value in values for text in _texts(value)]

    def add_messages(self, *contents: str) -> None:
        """Messages about tool results, as the session keeps them."""
        for content in contents:
            value = _json(content)
            self.add({k: v for k, v in value.items() if k not in _ENVELOPE} if isinstance(value, dict) else content)

    def holds(self, name: str, arguments: object, *, is_local: bool) -> bool:
        """Whether a call with this name and these values stands in anything that was read or asked."""
        values = [_bare(text) for text in _leaves(arguments)]
        values = [value for value in values if value]
        named = _named_in_json(name)
        word = re.compile(rf"(?<![\w-]){re.escape(_lower(name))}(?![\w-])") if is_local and values else None
        for texts, is_asked in ((self._asked, True), (self._read, False), (self._files(), False)):
            for text in texts:
                lower, bare = self._forms.get(text) or self._formed(text)
                is_named = named.search(bare) or (word and not is_asked and word.search(lower))
                if is_named and all(value in bare for value in values):
                    return True
        return False

    def _files(self) -> Iterator[str]:
        for content in self._attachments():
            yield content[:MAX_TEXT].replace(b"\0", b"").decode("utf-8", "replace")  # UTF-16 too, as far as it is ASCII

    def _formed(self, text: str) -> tuple[str, str]:
        self._forms[text] = found = (_lower(text), _bare(text))
        return found


def _lower(text: str) -> str:
    return refanged(plain(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), text[:MAX_TEXT])))


def _bare(text: str) -> str:
    return _SPACING.sub("", _lower(text))


def _named_in_json(name: str) -> re.Pattern[str]:
    name = re.escape(_bare(name))
    return re.compile(
        rf"""["'](?:name|tool|tool_name|function)["']:["']{name}["']|<function={name}>|(?<![\w.-]){name}(?:\[call_id\]"""
        rf"""[\w-]{{1,40}})?\[args\]|\[tool_calls?\]{name}\["""
    )


def _leaves(value: object) -> Iterator[str]:
    stack, steps = [value], 0
    while stack and steps < 10_000:
        steps += 1
        each = stack.pop()
        if isinstance(each, dict):
            stack += each.values()
        elif isinstance(each, list):
            stack += each
        elif isinstance(each, str):
            yield each
        elif isinstance(each, int | float) and not isinstance(each, bool):
            yield repr(each)


def _texts(value: object) -> Iterator[str]:
    """Each text within a value, as it stands, and the value as JSON where it is no text."""
    stack: list[Any] = [value]
    if not isinstance(value, str):
        yield msgspec.json.encode(value).decode()
    steps = 0
    while stack and steps < 200_000:
        steps += 1
        each = stack.pop()
        if isinstance(each, dict):
            stack += each.values()
        elif isinstance(each, list):
            stack += each
        elif isinstance(each, str) and len(each) >= 8:
            yield each


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
