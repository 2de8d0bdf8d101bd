"""What `%%secgemini?`, `%secgemini help` and `%secgemini NAME --help` say: read from the tables that parse, too."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secgemini_jupyter.magics.commands.base import Command
    from secgemini_jupyter.magics.options import Argument

__all__ = ["command_help", "magic_help", "wants_help"]

WIDTH = 80
"""Columns: a Lab window of 1,100 pixels shows as many."""
MAX_NAME = 24
"""Columns of a name; what a longer one means stands below it."""
_INDENT = "    "


def magic_help(options: Sequence[Argument], groups: Iterable[Sequence[Command]]) -> str:
    """Both magics: how they are written, a cell's options, all subcommands."""
    forms = [
        ("%%secgemini [options] [first words]", "ask in a cell; its body goes on with the prompt"),
        ("answer = %secgemini ask [options] prompt", "ask on one line"),
        ("%secgemini", "which session, where prompts go, retained or not"),
        ("%secgemini NAME …", "a subcommand; with --help, what it takes"),
    ]
    lines = ["Ask Sec-Gemini in a cell; the answer streams in.", "", *_table(forms)]
    lines += ["", "Options of a cell and of `ask`; `--` ends them:", "", *_table(_described(options))]
    lines += ["", "Subcommands:"]
    groups = [*groups]
    width = max(len(command.name) for group in groups for command in group)
    for group in groups:
        lines += ["", *_table([(command.name, command.help) for command in group], width)]
    return "\n".join(lines)


def command_help(command: Command) -> str:
    """One subcommand: how it is written, what it does, its arguments."""
    usage = " ".join([f"%secgemini {command.name}", *_usage(command.arguments)])
    lines = textwrap.wrap(usage, WIDTH, subsequent_indent=_INDENT, break_on_hyphens=False)
    lines += ["", *textwrap.wrap(command.help, WIDTH), *textwrap.wrap(command.more, WIDTH)]
    described = [(name, text) for name, text in _described(command.arguments) if text or name.startswith("-")]
    return "\n".join([*lines, "", *_table(described)] if described else lines)


def wants_help(words: Sequence[str], *, options_first: bool = False) -> bool:
    """Whether `-h` or `--help` is among the words; `options_first`: begins them, since a prompt may hold it."""
    before = words[: words.index("--")] if "--" in words else words
    return bool({"-h", "--help"} & set(before[:1] if options_first else before))


def _usage(arguments: Iterable[Argument]) -> Iterator[str]:
    for names, options in arguments:
        if options.get("help") is argparse.SUPPRESS:
            continue
        if names[0].startswith("-"):
            yield f"[{names[0]}{_value(names, options)}]"
        else:
            word = str(options.get("metavar") or names[0])
            nargs = options.get("nargs")
            yield {"?": f"[{word}]", "*": f"[{word} …]", "+": f"{word} …"}.get(str(nargs), word)


def _described(arguments: Iterable[Argument]) -> Iterator[tuple[str, str]]:
    for names, options in arguments:
        text = options.get("help") or ""
        if text is argparse.SUPPRESS:
            continue
        is_option = names[0].startswith("-")
        spelled = ", ".join([*names, *(f"--no-{name[2:]}" for name in names if _has_opposite(options))])
        word = spelled + _value(names, options) if is_option else str(options.get("metavar") or names[0])
        yield word, text.replace("%%", "%")  # as argparse writes a per cent sign


def _has_opposite(options: Mapping[str, object]) -> bool:
    return options.get("action") is argparse.BooleanOptionalAction


def _value(names: Sequence[str], options: Mapping[str, object]) -> str:
    if str(options.get("action", "store")) not in ("store", "append"):
        return ""
    choices = options.get("choices")
    word = options.get("metavar") or ("|".join(map(str, choices)) if isinstance(choices, Iterable) else None)
    word = word or names[-1].lstrip("-").replace("-", "_").upper()
    return f"[={word}]" if options.get("nargs") == "?" else f" {word}"


def _table(rows: Iterable[tuple[str, str]], width: int = 0) -> list[str]:
    rows = [*rows]
    width = min(MAX_NAME, max(width, *(len(name) for name, _ in rows))) + 2
    lines = []
    for name, text in rows:
        first, *more = textwrap.wrap(text, WIDTH - width - len(_INDENT)) or [""]
        if len(name) > width - 2:
            lines += textwrap.wrap(
                name,
                WIDTH,
                initial_indent=_INDENT,
                subsequent_indent=2 * _INDENT,
                break_on_hyphens=False,
            )
            lines += [f"{_INDENT}{'':<{width}}{each}" for each in (first, *more) if each]
            continue
        lines.append(f"{_INDENT}{name:<{width}}{first}".rstrip())
        lines += [f"{_INDENT}{'':<{width}}{each}" for each in more]
    return lines
