"""Tab in a `%%secgemini` cell or behind `%secgemini`: where the cursor is, and what may stand there.

The lines of a prompt are no Python: what the other matchers say of them would be noise, so ours is the only one there.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion

from secgemini_jupyter.magics import cell as cells
from secgemini_jupyter.magics import suggestions
from secgemini_jupyter.magics.commands import COMMANDS
from secgemini_jupyter.magics.options import is_continued, options_of, quoted, takes_value
from secgemini_jupyter.magics.suggestions import Suggestion

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["Matcher", "Place", "find_place"]

_CELL = re.compile(r"\s*%%secgemini(?:\s(?P<line>.*))?$")
# `x = %secgemini …`, `%time %secgemini …`; not in a comment, nor as an operand.
_LINE = re.compile(r"\s*(?:[^\s#%=][^#%=]*=\s*|%(?:time|timeit|prun|capture)\s(?:[^#%]*\s)?)?%secgemini\s(?P<line>.*)$")
_BRACES = re.compile(r"\{\{(?P<name>\w*)$")
# Words as `split_options` sees them; the last one may lack its closing quote.
_WORD = re.compile(r"""(?:[^\s"']|"(?:\\"|[^"])*(?:"|$)|'[^']*(?:'|$))+""")


@dataclass(frozen=True)
class Place:
    """Where the cursor is.

    Attributes:
        kind: in the options of a `cell`, on the `line` of a line magic, or in a cell's `body`.
        before: what stands between the magic's name, or the body's line's begin, and the cursor.
        after: the rest of the cursor's line.
    """

    kind: str
    before: str
    after: str


def find_place(text: str, row: int, column: int) -> Place | None:
    """The place of a cursor in a cell's text; None where the magics have no say."""
    lines = text.split("\n")
    before, after = lines[row][:column], lines[row][column:]
    for first, line in enumerate(lines[: row + 1]):
        if match := _CELL.match(line if first < row else before):
            return _in_cell(match["line"], [*lines[first + 1 : row], before], after, on_first=first == row)
        if line.strip() and not line.lstrip().startswith("%%"):  # not below `%%time` or `%%capture`
            break
    first = row
    while first and lines[first - 1].endswith("\\"):
        first -= 1
    joined = " ".join([*(line[:-1] for line in lines[first:row]), before])
    match = _LINE.match(joined)
    return Place("line", match["line"], after) if match else None


def _in_cell(line: str | None, following: Sequence[str], after: str, *, on_first: bool) -> Place | None:
    if on_first:
        return None if line is None else Place("cell", line, after)  # None: the magic's own name is being typed
    line = line or ""
    for number, below in enumerate(following):
        if not is_continued(cells.parser(), line):
            return Place("body", following[-1], after)
        line = f"{line.rstrip()[:-1]}{below}"
        if number == len(following) - 1:
            return Place("cell", line, after)
    return Place("body", "", after)


class Nothing(list[Any]):
    """No completion, and none of others either: IPython asks them where a matcher's list is empty by its length."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class Matcher:
    """What a matcher of IPython says of a place in a cell."""

    def __init__(self, magics: SecGeminiMagics) -> None:
        self._magics = magics

    def match(self, context: CompletionContext) -> SimpleMatcherResult:
        place = find_place(context.full_text, context.cursor_line, context.cursor_position)
        if place is None:
            return {"completions": [], "suppress": False}
        typed, found = self.complete(place)
        completions = [SimpleCompletion(text, type=kind) for text, kind in found]
        return {
            "completions": completions or Nothing(),
            "matched_fragment": typed if completions else "",
            "ordered": True,
            "suppress": True,
        }

    def complete(self, place: Place) -> tuple[str, list[Suggestion]]:
        """The part before the cursor that would be replaced, and what may take its place."""
        if braces := _BRACES.search(place.before):
            typed = braces["name"]
            return typed, list(closing_braces(suggestions.values(self._magics, typed), place.after))
        if place.kind == "body":
            return "", []
        words, typed = split_at_cursor(place.before)
        if place.kind == "cell":
            return self._arguments("", cells.parser(), words, typed, place.after, options_first=True)
        if not words:
            return typed, [each for each in suggestions.commands(self._magics, typed) if each.text.startswith(typed)]
        command = COMMANDS.get(words[0])
        if command is None:
            return typed, []
        return self._arguments(
            command.name, command.parser(), words[1:], typed, place.after, options_first=command.takes_line
        )

    def _arguments(
        self,
        command: str,
        parser: argparse.ArgumentParser,
        words: Sequence[str],
        typed: str,
        after: str,
        *,
        options_first: bool,
    ) -> tuple[str, list[Suggestion]]:
        known = options_of(parser)
        standing = stand(parser, words, options_first=options_first)
        if standing.option is not None:
            return self._values(command, standing.option, typed, after, words)
        if typed.startswith("-") and not standing.options_are_over:
            name, equals, value = typed.partition("=")
            if equals and name in known and known[name].nargs != 0:
                return self._values(command, known[name], value, after, words)
            short = known.get(typed[:2])
            if len(typed) > 2 and typed[1] != "-" and short is not None and takes_value(short):
                return self._values(command, short, typed[2:], after, words)
            return typed, [each for each in options_left(parser, standing.given) if each.text.startswith(typed)]
        found: list[Suggestion] = []
        if standing.positional is not None and not (options_first and standing.positional.dest == "prompt"):
            typed, found = self._values(command, standing.positional, typed, after, words)
        if not typed and not standing.options_are_over:
            found += options_left(parser, standing.given)
        return typed, found

    def _values(
        self, command: str, action: argparse.Action, typed: str, after: str, words: Sequence[str]
    ) -> tuple[str, list[Suggestion]]:
        value, quote = opened(typed)
        found = suggestions.for_argument(self._magics, command, action, value, words)
        written = ((spelled(each.text, quote, after), each.kind) for each in found)
        return typed, [Suggestion(text, kind) for text, kind in written if text]


@dataclass(frozen=True)
class Standing:
    """What the words before the cursor leave open.

    Attributes:
        option: it waits for its value.
        positional: the argument whose place it is.
        given: options that stand there already.
        options_are_over: by `--`, or by a prompt's first word.
    """

    option: argparse.Action | None
    positional: argparse.Action | None
    given: frozenset[str]
    options_are_over: bool


def stand(parser: argparse.ArgumentParser, words: Sequence[str], *, options_first: bool) -> Standing:
    known = options_of(parser)
    given: set[str] = set()
    places, over, waiting = 0, False, None
    for word in words:
        if waiting is not None:
            waiting = None
        elif over or not word.startswith("-") or word == "-":
            places += 1
            over = over or options_first
        elif word == "--":
            over = True
        else:
            name, equals, _ = word.partition("=")
            action = known.get(name) or known.get(word[:2])
            if action is not None:
                given.add(action.dest)
                if name in known and not equals and takes_value(action):
                    waiting = action
    return Standing(waiting, _positional(parser, places), frozenset(given), over)


def _positional(parser: argparse.ArgumentParser, place: int) -> argparse.Action | None:
    positionals = [action for action in parser._actions if not action.option_strings]
    for number, action in enumerate(positionals):
        if number == place or action.nargs in ("*", "+", argparse.REMAINDER):
            return action
    return None


def options_left(parser: argparse.ArgumentParser, given: Iterable[str]) -> list[Suggestion]:
    """Options that may still be given, long ones first."""
    repeatable = argparse._AppendAction
    left = [
        name
        for name, action in options_of(parser).items()
        if action.help is not argparse.SUPPRESS and (action.dest not in given or isinstance(action, repeatable))
    ]
    return [Suggestion(name, "param") for name in sorted(left, key=lambda name: not name.startswith("--"))]


def split_at_cursor(text: str) -> tuple[list[str], str]:
    """The whole words of a line that ends at the cursor, and the one that is being typed, as they are written."""
    words = [match.group() for match in _WORD.finditer(text)]
    is_open = bool(words) and not (text[-1].isspace() and _WORD.sub("", text)[-1:].isspace())
    return (words[:-1], words[-1]) if is_open else (words, "")


def opened(typed: str) -> tuple[str, str]:
    """The value of a word that may lack its closing quote, and that quote."""
    value, quote = "", ""
    for char in typed:
        if char == quote:
            quote = ""
        elif not quote and char in "\"'":
            quote = char
        else:
            value += char
    return value, quote


def spelled(text: str, quote: str, after: str) -> str:
    """A value as it is written in the line, in the quote that was begun; empty where it cannot be."""
    unfinished = text.endswith("/")  # a folder: what is in it comes next
    if not quote:
        word = quoted(text)
        return word[:-1] if unfinished and word != text else word
    if quote in text:
        return ""
    return f"{quote}{text}{'' if unfinished or after.startswith(quote) else quote}"


def closing_braces(found: Iterable[Suggestion], after: str) -> Iterator[Suggestion]:
    """`{{name` gets its closing braces, unless the editor wrote them already."""
    there = len(after[:2]) - len(after[:2].lstrip("}"))
    for text, kind in found:
        yield Suggestion(text + "}}"[there:], kind)
