"""The subcommand that brings a log up as a logs table of the current session."""

from __future__ import annotations

import contextlib
import re
import warnings
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from secgemini_jupyter.errors import SecGeminiError, one_line, redact
from secgemini_jupyter.magics.choosing import FRESH, telling_of_the_gone
from secgemini_jupyter.magics.commands.base import Command, Line
from secgemini_jupyter.magics.interrupts import current
from secgemini_jupyter.magics.options import arg
from secgemini_jupyter.render.text import count

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]

_IN_A_CELL = (
    (re.compile(r"call upload_and_attach_logs again"), "run %secgemini attach-logs again"),
    (re.compile(r"upload_and_attach_logs\(path\)"), "%secgemini attach-logs PATH"),
    (re.compile(r"(?<![\w.])attach_logs\('(\w*)'\)"), r"%secgemini attach-logs --hash \1"),
    (re.compile(r"\bcustom_fields_mapping(=?)(?!\w)"), lambda match: "--map " if match[1] else "--map"),
)
"""What Python code would call, as it is typed in a cell."""


def attach_logs(magics: SecGeminiMagics, options: Namespace) -> Any:
    if (options.path is None) == (options.hash is None):
        raise UsageError("%secgemini attach-logs: name one log, or --hash of a table that is there.")
    if options.hash is not None and options.map:
        raise UsageError("%secgemini attach-logs: --map goes with a log: a table has its names already.")
    fields = mapping(options.map)
    session = magics.kernel.current()
    before = session.logs_table
    with telling_of_the_gone(magics.kernel, advice=FRESH), in_words_for_a_cell():
        if options.hash is not None:
            session.attach_logs(options.hash)
            told = "attached"
        else:
            inserted = session.upload_and_attach_logs(options.path, fields)
            told = f"{count(inserted, 'line')} sent" if inserted else "it was there already"
    table = session.logs_table.blake2s if session.logs_table else ""
    if before is not None and before.blake2s != table:
        told += f", instead of {before.blake2s}: a session has one"
    return Line(one_line(f"logs table {table} of session {session.name}: {told}. Ask about it in a %%secgemini cell."))


@contextlib.contextmanager
def in_words_for_a_cell() -> Iterator[None]:
    """Let errors, warnings and an interrupt advise what can be typed here."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            yield
        except SecGeminiError as error:
            error.args = (_in_a_cell(str(error)), *error.args[1:])
            raise
        except KeyboardInterrupt as stopped:
            if notes := getattr(stopped, "__notes__", ()):
                current().words = f"stopped. {_in_a_cell(' '.join(notes))}"
            raise
        finally:
            for each in warned:
                if issubclass(each.category, UserWarning):
                    print(one_line(redact(_in_a_cell(str(each.message)))))


def _in_a_cell(text: str) -> str:
    for call, command in _IN_A_CELL:
        text = call.sub(command, text)
    return text


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
