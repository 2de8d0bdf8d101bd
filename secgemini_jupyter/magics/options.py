"""The line of a magic: options first, then the prompt as it was typed."""

from __future__ import annotations

import argparse
import difflib
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser

from secgemini_jupyter.errors import one_line, redact

__all__ = [
    "Argument",
    "Parser",
    "arg",
    "choose",
    "is_continued",
    "join_continued",
    "new_parser",
    "only",
    "options_of",
    "quoted",
    "seconds",
    "split_options",
    "split_words",
    "takes_value",
    "usage_error",
]

Argument = tuple[tuple[str, ...], dict[str, Any]]
"""Names and options of one argument, as `add_argument` takes them."""

# Inside double quotes `\"` is a quote. Other backslashes stay: "C:\my logs\" is a path, so is "\\server\share".
_TOKEN = re.compile(r"""(?:[^\s"']|"(?:\\"|[^"])*"|'[^']*')+""")
_PIECE = re.compile(r"""[^"']+|"(?P<double>(?:\\"|[^"])*)"|'(?P<single>[^']*)'""")

_ADVICE = re.compile(r"Did you mean|Known: |Usage: |lists the options|it takes none|Keep one")


def arg(*names: str, **options: Any) -> Argument:
    return names, options


def only(arguments: Sequence[Argument], *names: str) -> list[Argument]:
    """Those of a table that have one of these names."""
    return [each for each in arguments if set(each[0]) & set(names)]


def seconds(text: str) -> float:
    """A time limit.

    Raises:
        ArgumentTypeError: it is no positive number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


class _Once(argparse._StoreAction):
    """Of two values for one option the first would be lost without a word."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        if option_string:
            given: set[str] = parser.given  # type: ignore[attr-defined]  # ours has it
            if self.dest in given:
                raise argparse.ArgumentError(self, "it is given twice. Keep one")
            given.add(self.dest)
        super().__call__(parser, namespace, values, option_string)


class Parser(MagicArgumentParser):
    """Errors are one line, with the nearest option there is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(add_help=False, **options)
        self.allow_abbrev = False
        self.given: set[str] = set()
        for action in (None, "store"):
            self.register("action", action, _Once)

    def error(self, message: str) -> NoReturn:
        text = f"{self.prog}: {message}{'' if message[-1:] in '.?' else '.'}"
        if not _ADVICE.search(message):
            text += f" {self.how_it_is_written}"
        raise usage_error(text)

    @property
    def how_it_is_written(self) -> str:
        if self.prog.startswith("%%"):
            return "%%secgemini? lists the options."
        return f"Usage: {' '.join(self.format_usage().split()[1:]).replace('%%', '%').removeprefix(':: ')}."

    def parse_tokens(self, tokens: Sequence[str]) -> argparse.Namespace:
        """Parse, naming an unknown option and the one that was probably meant."""
        self.given.clear()
        known, unknown = self.parse_known_args(list(tokens))
        if unknown and not unknown[0].startswith("-"):
            # A long word may be a key that was pasted at the wrong place.
            word = repr(unknown[0]) if len(unknown[0]) <= 16 else "the last word"
            self.error(f"{word} is too much. {self.how_it_is_written}")
        if unknown:
            self.error(unknown_option(self, unknown[0]))
        return known

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"{value!r} is not known. {nearest(str(value), action.choices)}")


def new_parser(prog: str, arguments: Sequence[Argument], description: str = "") -> Parser:
    parser = Parser(prog=prog, description=description)
    for names, options in arguments:
        parser.add_argument(*names, **options)
    return parser


def unknown_option(parser: argparse.ArgumentParser, given: str) -> str:
    name, known = given.partition("=")[0], sorted(options_of(parser))
    return f"unknown option {name}{'. ' + nearest(name, known) if known else ': it takes none.'}"


def nearest(given: str, known: Iterable[str]) -> str:
    """What was probably meant; else all there is."""
    known = list(known)
    near = difflib.get_close_matches(given, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known) or 'none'}."


def options_of(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {name: action for action in parser._actions for name in action.option_strings}


def split_options(parser: argparse.ArgumentParser, line: str) -> tuple[list[str], str]:
    """The option tokens at the front of `line`, and the rest of it untouched: a prompt may hold any quote.

    `--` ends the options. A value with blanks is quoted: `-a "my log.txt"`.

    Raises:
        UsageError: an option is unknown, or lacks its value.
    """
    tokens: list[str] = []
    known = options_of(parser)
    position = 0

    def refuse(message: str) -> NoReturn:
        raise usage_error(f"{parser.prog}: {message}")

    def check_closed(end: int, name: str) -> None:
        if not (line[end : end + 1] or " ").isspace():
            refuse(f"a quote in the value of {name} is not closed.")

    while match := _TOKEN.search(line, position):
        raw = match.group()
        if not raw.startswith("-") or raw == "-" or line[position : match.start()].strip():
            break
        position = match.end()
        if raw == "--":
            break
        name, equals, _ = raw.partition("=")
        if name not in known:
            if len(raw) > 2 and raw[:2] in known and not raw.startswith("--") and takes_value(known[raw[:2]]):
                check_closed(position, raw[:2])
                tokens += [raw[:2], unquoted(raw[2:])]  # -ofoo
                continue
            refuse(unknown_option(parser, name))
        check_closed(position, name)
        if equals or not takes_value(known[name]):
            tokens.append(unquoted(raw))
            continue
        value = _TOKEN.search(line, position)
        if value is None or value.group() == "--":
            refuse(f"option {name} needs a value.")
        if line[position : value.start()].strip():
            refuse(f"a quote in the value of {name} is not closed.")
        position = value.end()
        check_closed(position, name)
        word = unquoted(value.group())
        # One that begins with a dash would be an option to argparse.
        tokens += [f"{name}={word}"] if word.startswith("-") else [name, word]
    return tokens, line[position:].strip()


def join_continued(parser: argparse.ArgumentParser, line: str, body: str) -> tuple[str, str]:
    r"""Options that go on in the next line, behind a `\` alone; a prompt's own `\` stays one."""
    while body and is_continued(parser, line):
        following, _, body = body.partition("\n")
        line = f"{line.rstrip()[:-1]}{following}"
    return line, body


def is_continued(parser: argparse.ArgumentParser, line: str) -> bool:
    """Whether `line` is options alone, and more of them follow."""
    *before, last = line.split()[-2:] or [""]
    if last != "\\" or before == ["--"]:
        return False
    try:
        tokens, rest = split_options(parser, line)
    except UsageError:
        return False
    return rest == "\\" or (not rest and tokens[-1] == "\\")


def takes_value(action: argparse.Action) -> bool:
    """Whether the next word belongs to it; a value that may be left out stands behind `=`."""
    return action.nargs not in (0, "?")


def unquoted(token: str) -> str:
    """A token without its quotes; backslashes outside of them stay, they are Windows paths."""
    return "".join(
        match.group()
        if match.lastgroup is None
        else match.group(match.lastgroup).replace('\\"', '"' if match.lastgroup == "double" else '\\"')
        for match in _PIECE.finditer(token)
    )


def quoted(text: str) -> str:
    """`text` as one word of a magic's line: what `unquoted` gives back."""
    if text and not re.search(r"""[\s"']""", text):
        return text
    if '"' not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace('"', '\\"') + '"'


def split_words(line: str) -> list[str]:
    """The words of a subcommand's line, quotes removed.

    Raises:
        UsageError: a quote is not closed.
    """
    words = [unquoted(match.group()) for match in _TOKEN.finditer(line)]
    if re.sub(_TOKEN, "", line).strip():
        raise UsageError("%secgemini: a quote is not closed.")
    return words


def choose(kind: str, given: str, known: Sequence[str]) -> str:
    """`given` if it is known; else an error that names the nearest.

    Raises:
        UsageError: it is not known.
    """
    if given in known:
        return given
    raise usage_error(f"%secgemini: unknown {kind} {given!r}. {nearest(given, known)}")


def usage_error(text: str) -> UsageError:
    """An error that quotes what was typed, which may be the key."""
    return UsageError(one_line(redact(text)))
