"""The subcommands of `%secgemini`: a table of names, each with its arguments and what it does."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.magics import cell
from secgemini_jupyter.magics.commands import (
    account,
    evidence,
    export,
    fixing,
    jobs,
    kept,
    logs_tables,
    rights,
    said,
    sessions,
    setup,
    tools,
)
from secgemini_jupyter.magics.commands.base import Command, Help, status
from secgemini_jupyter.magics.help import command_help, magic_help, wants_help
from secgemini_jupyter.magics.options import arg, nearest, split_words, usage_error
from secgemini_jupyter.settings import find_key

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS", "GROUPS", "overview", "run"]


def run(magics: SecGeminiMagics, line: str) -> Any:
    """Dispatch one line: its first word is the command.

    Raises:
        UsageError: no such command, or wrong arguments.
    """
    name, rest = [*line.split(None, 1), "", ""][:2]
    if not name:
        return status(magics, Namespace())
    if wants_help([name]):
        return show_help(magics, Namespace(command=None))
    if name.endswith("?") and name.rstrip("?") in COMMANDS:  # as IPython's users ask about anything
        return show_help(magics, Namespace(command=name.rstrip("?")))
    command = find(name)
    if wants_help(rest.split(), options_first=command.takes_line):
        return show_help(magics, Namespace(command=name))
    if command.takes_line:
        return command.run(magics, rest)
    key = find_key() if rest else None  # while it is held, it is recognised in what was typed
    try:
        return command.run(magics, command.parser().parse_tokens(split_words(rest)))
    finally:
        del key


def find(name: str) -> Command:
    """The subcommand of this name.

    Raises:
        UsageError: there is none; the line may have been meant as a prompt.
    """
    if name in COMMANDS:
        return COMMANDS[name]
    near = nearest(name, COMMANDS)
    hint = near if near.startswith("Did") else "%secgemini help lists them, %secgemini ask … asks."
    raise usage_error(f"%secgemini: unknown subcommand {name!r}. {hint}")


def show_help(_: SecGeminiMagics, options: Namespace) -> Help:
    if options.command is None:
        return Help(overview())
    return Help(command_help(find(options.command)))


def overview() -> str:
    return magic_help(cell.OPTIONS, GROUPS)


GROUPS: tuple[Sequence[Command], ...] = (
    sessions.COMMANDS,
    tools.COMMANDS,
    (*evidence.COMMANDS, *logs_tables.COMMANDS),
    said.COMMANDS,
    fixing.COMMANDS,
    jobs.COMMANDS,
    account.COMMANDS,
    rights.COMMANDS,
    kept.COMMANDS,
    export.COMMANDS,
    setup.COMMANDS,
    (Command("help", "this list; with a subcommand, what it takes", show_help, [arg("command", nargs="?")]),),
)
"""By subject, as the help lists them."""
COMMANDS = {command.name: command for group in GROUPS for command in group}
