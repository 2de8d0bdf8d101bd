"""The line of a magic: options first, then the prompt as it was typed."""

from __future__ import annotations

import argparse
import difflib
import math
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser, argument

__all__ = ["Argument", "Parser", "arg", "choose", "declare", "new_parser", "seconds", "split_options", "split_words"]

Argument = tuple[tuple[str, ...], dict[str, Any]]
"""Names and options of one argument, as `add_argument` takes them."""

_TOKEN = re.compile(r"""(?:[^\s"']|"(?:\\.|[^"\\])*"|'[^']*')+""")


def arg(*names: str, **options: Any) -> Argument:
    return names, options


def declare(arguments: Sequence[Argument]) -> Callable[[Any], Any]:
    """`@argument` for each of a table, in its order: beside the parser there is one place that knows them."""

    def decorate(magic: Any) -> Any:
        for names, options in reversed(arguments):
            magic = argument(*names, **options)(magic)
        return magic

    return decorate


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


class Parser(MagicArgumentParser):
    """Errors are one line, with the nearest option there is."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%{self.prog.lstrip('%')}: {message}{'' if message[-1:] in '.?' else '.'}")

    def parse_tokens(self, tokens: Sequence[str]) -> argparse.Namespace:
        """Parse, naming an unknown option and the one that was probably meant."""
        known, unknown = self.parse_known_args(list(tokens))
        if unknown:
            self.error(unknown_option(self, unknown[0]))
        return known


def new_parser(prog: str, arguments: Sequence[Argument], description: str = "") -> Parser:
    parser = Parser(prog=prog, description=description, add_help=False)
    parser.allow_abbrev = False
    for names, options in arguments:
        parser.add_argument(*names, **options)
    return parser


def unknown_option(parser: argparse.ArgumentParser, given: str) -> str:
    name, known = given.partition("=")[0], sorted(options_of(parser))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"unknown option {name}. Did you mean {near[0]}?"
    return f"unknown option {name}. Known: {', '.join(known)}." if known else f"unknown option {name}: it takes none."


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
                tokens += [raw[:2], unquoted(raw[2:])]  # -ofoo
                continue
            raise UsageError(f"%{parser.prog.lstrip('%')}: {unknown_option(parser, name)}")
        tokens.append(unquoted(raw))
        if equals or not takes_value(known[name]):
            continue
        value = _TOKEN.search(line, position)
        if value is None:
            raise UsageError(f"%{parser.prog.lstrip('%')}: option {name} needs a value.")
        if line[position : value.start()].strip() or not (line[value.end() :][:1] or " ").isspace():
            raise UsageError(f"%{parser.prog.lstrip('%')}: a quote in the value of {name} is not closed.")
        tokens.append(unquoted(value.group()))
        position = value.end()
    return tokens, line[position:].strip()


def takes_value(action: argparse.Action) -> bool:
    """Whether the next word belongs to it; a value that may be left out stands behind `=`."""
    return action.nargs not in (0, "?")


def unquoted(token: str) -> str:
    """A token without its quotes; backslashes outside quotes stay, they are Windows paths."""
    lexer = shlex.shlex(token, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        return "".join(lexer)
    except ValueError as error:
        raise UsageError(f"{token}: {error}.") from None


def split_words(line: str) -> list[str]:
    """The words of a subcommand's line, quotes removed.

    Raises:
        UsageError: a quote is not closed.
    """
    words = [unquoted(match.group()) for match in _TOKEN.finditer(line)]
    if re.sub(_TOKEN, "", line).strip():
        raise UsageError("a quote is not closed.")
    return words


def choose(kind: str, given: str, known: Sequence[str]) -> str:
    """`given` if it is known; else an error that names the nearest.

    Raises:
        UsageError: it is not known.
    """
    if given in known:
        return given
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
    raise UsageError(f"unknown {kind} {given!r}. {hint}")
