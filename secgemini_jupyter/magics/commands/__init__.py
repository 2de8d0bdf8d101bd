"""The subcommands of `%secgemini`: a table of names, each with its arguments and what it does."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.magics.commands import account, evidence, kept, rights, said, sessions, setup
from secgemini_jupyter.magics.commands.base import Command, Line, status
from secgemini_jupyter.magics.options import arg, choose, split_words

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS", "run"]


def run(magics: SecGeminiMagics, line: str) -> Any:
    """Dispatch one line: its first word is the command.

    Raises:
        UsageError: no such command, or wrong arguments.
    """
    name, _, rest = line.strip().partition(" ")
    if not name:
        return status(magics, Namespace())
    command = COMMANDS[choose("subcommand", name, list(COMMANDS))]
    return command.run(magics, rest if command.takes_line else command.parser().parse_tokens(split_words(rest)))


def show_help(_: SecGeminiMagics, options: Namespace) -> Line:
    if options.command:
        command = COMMANDS[choose("subcommand", options.command, list(COMMANDS))]
        return Line(command.parser().format_help().strip().replace("::\n\n  %%", "%", 1))
    width = max(len(name) for name in COMMANDS)
    lines = ["%%secgemini [options] prompt   ask in a cell; %%secgemini? lists its options", ""]
    lines += [f"%secgemini {command.name:<{width}}  {command.help}" for command in COMMANDS.values()]
    return Line("\n".join([*lines, "", "%secgemini help NAME shows the arguments of one."]))


COMMANDS = {
    command.name: command
    for command in (
        *sessions.COMMANDS,
        *evidence.COMMANDS,
        *said.COMMANDS,
        *account.COMMANDS,
        *rights.COMMANDS,
        *kept.COMMANDS,
        *setup.COMMANDS,
        Command("help", "this list", show_help, [arg("command", nargs="?")]),
    )
}
