"""The subcommand that brings a log up as a logs table of the current session."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.magics.commands.base import Command, Line
from secgemini_jupyter.magics.options import arg
from secgemini_jupyter.render.text import count

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]


def attach_logs(magics: SecGeminiMagics, options: Namespace) -> Any:
    if (options.path is None) == (options.hash is None):
        raise UsageError("%secgemini attach-logs: name one log, or --hash of a table that is there.")
    if options.hash is not None and options.map:
        raise UsageError("%secgemini attach-logs: --map goes with a log: a table has its names already.")
    session = magics.kernel.current()
    if options.hash is not None:
        session.attach_logs(options.hash)
        told = "attached"
    else:
        inserted = session.upload_and_attach_logs(options.path, mapping(options.map))
        told = f"{count(inserted, 'line')} sent" if inserted else "it was there already"
    table = session.logs_table.blake2s if session.logs_table else ""
    return Line(one_line(f"logs table {table} of session {session.name}: {told}. Ask about it in a %%secgemini cell."))


def mapping(pairs: list[str]) -> dict[str, str]:
    """New names of fields, each with its old one.

    Raises:
        UsageError: one is no pair.
    """
    found = {}
    for pair in pairs:
        new, equals, old = pair.partition("=")
        if not (new and equals and old):
            raise UsageError(one_line(f"%secgemini attach-logs: --map {pair!r} is no NEW=OLD, as in timestamp=ts."))
        found[new] = old
    return found


COMMANDS = (
    Command(
        "attach-logs",
        "upload a log of JSON Lines as the session's logs table, in chunks",
        attach_logs,
        [
            arg("path", nargs="?", help="the log, of any size; sent again, it goes on where it broke off"),
            arg("--hash", metavar="HEX", help="attach a table that is there, by its keyed BLAKE2s"),
            arg("--map", action="append", default=[], metavar="NEW=OLD", help="rename a field; may be given again"),
        ],
    ),
)
