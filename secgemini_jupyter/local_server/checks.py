"""Prompts with what a right answer must hold: read from a file, compared with the answers that came."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from secgemini_jupyter.errors import SecGeminiError


class BadPrompts(SecGeminiError):
    """The file cannot be used. The message is one line."""


class File(msgspec.Struct):
    """An attachment: `path` is relative to the file of prompts."""

    name: str = ""
    path: str = ""
    sha256: str = ""


class Expected(msgspec.Struct, kw_only=True):
    """What the answer to one prompt must and must not hold, whatever the case of its letters.

    Attributes:
        must_contain: each a text, a pattern (`re:…`), or a list of which one is enough.
        exact: the whole answer, apart from space around it.
    """

    must_contain: list[str | list[str]] = []
    must_not_contain: list[str | list[str]] = []
    exact: str | None = None

    @property
    def is_empty(self) -> bool:
        return not self.must_contain and not self.must_not_contain and self.exact is None

    def missed(self, answer: str) -> list[str]:
        """What is wrong with the answer; nothing, if it is right."""
        wrong = [f"lacks {_told(each)}" for each in self.must_contain if not _holds(answer, each)]
        wrong += [f"holds {_told(each)}" for each in self.must_not_contain if _holds(answer, each)]
        if self.exact is not None and answer.strip() != self.exact.strip():
            wrong.append(f"is not {self.exact.strip()!r}")
        return wrong


class Question(Expected, kw_only=True):
    """One of several prompts of a session."""

    prompt: str


class Entry(Expected, kw_only=True):
    """One prompt, or several that are asked in one session: texts, or objects with what each answer must hold.

    What the entry itself says of an answer is said of the last.
    """

    id: str | int = ""
    prompt: str | list[str | Question]
    attachments: list[File] = []


@dataclass(frozen=True)
class Case:
    """One entry, ready to be asked."""

    id: str
    questions: Sequence[Question]
    files: Sequence[tuple[str, bytes]]


def read_cases(path: Path) -> list[Case]:
    """The file's prompts, with the contents of their attachments.

    Raises:
        BadPrompts: the file, or one that it names, cannot be read or is not what it should be.
    """
    try:
        written = msgspec.json.decode(path.read_bytes())
        entries = msgspec.convert(written, type=list[Entry])
    except OSError as error:
        raise BadPrompts(f"{path} cannot be read: {error.strerror or type(error).__name__}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadPrompts(f"{path} is no list of prompts: {error}.") from None
    if not entries:
        raise BadPrompts(f"{path} holds no prompt.")
    for name in _names(written):
        # A field of another name is a note for readers; one that is nearly ours is a mistake that would pass silently.
        if name not in _FIELDS and (meant := difflib.get_close_matches(name, _FIELDS, 1, 0.85)):
            raise BadPrompts(f"{path} has a field {name!r}: is {meant[0]!r} meant?")
    return [_case(entry, number, path.parent) for number, entry in enumerate(entries, 1)]


_FIELDS = sorted({*Entry.__struct_fields__, *File.__struct_fields__})


def _names(written: Any) -> set[str]:
    """The names of all fields in a JSON value."""
    if isinstance(written, dict):
        return {*written, *(name for value in written.values() for name in _names(value))}
    return {name for value in written for name in _names(value)} if isinstance(written, list) else set()


def _case(entry: Entry, number: int, folder: Path) -> Case:
    name = str(entry.id or number)
    asked = [entry.prompt] if isinstance(entry.prompt, str) else entry.prompt
    questions = [Question(prompt=each) if isinstance(each, str) else each for each in asked]
    if not questions or not all(each.prompt.strip() for each in questions):
        raise BadPrompts(f"{name} has an empty prompt.")
    last = questions[-1]
    questions[-1] = Question(
        prompt=last.prompt,
        must_contain=[*last.must_contain, *entry.must_contain],
        must_not_contain=[*last.must_not_contain, *entry.must_not_contain],
        exact=last.exact if entry.exact is None else entry.exact,
    )
    for pattern in (p for each in questions for p in _patterns(each)):
        try:
            re.compile(pattern)
        except re.error as error:
            raise BadPrompts(f"{name} has a pattern that cannot be read: {pattern!r} ({error}).") from None
    return Case(name, questions, [_read(file, name, folder) for file in entry.attachments])


def _read(file: File, case: str, folder: Path) -> tuple[str, bytes]:
    path = folder / (file.path or file.name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadPrompts(f"{case}: {path} cannot be read: {error.strerror or type(error).__name__}.") from None
    if file.sha256 and hashlib.sha256(content).hexdigest() != file.sha256.lower():
        raise BadPrompts(f"{case}: {path} is another file: its SHA-256 differs.")
    return file.name or path.name, content


def _patterns(expected: Expected) -> list[str]:
    flat = [*expected.must_contain, *expected.must_not_contain]
    texts = [text for each in flat for text in ([each] if isinstance(each, str) else each)]
    return [text.removeprefix("re:") for text in texts if text.startswith("re:")]


def _holds(answer: str, wanted: str | list[str]) -> bool:
    if isinstance(wanted, list):
        return any(_holds(answer, each) for each in wanted)
    if wanted.startswith("re:"):
        return re.search(wanted.removeprefix("re:"), answer, re.IGNORECASE | re.MULTILINE) is not None
    return wanted.casefold() in answer.casefold()


def _told(wanted: str | list[str]) -> str:
    return repr(wanted) if isinstance(wanted, str) else " or ".join(map(repr, wanted))
