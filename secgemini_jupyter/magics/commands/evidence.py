"""Subcommands for the attachments of the current session."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.display import display

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.magics import choosing
from secgemini_jupyter.magics.commands.base import Command, Line, need_notebook
from secgemini_jupyter.magics.options import arg, choose

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]


def attach(magics: SecGeminiMagics, options: Namespace) -> Any:
    if not options.paths:
        need_notebook("%secgemini attach: name files or globs. Without any it shows a widget, in a notebook only.")
        return magics.kernel.current().attach()
    from secgemini_jupyter.inputs.evidence import attach_evidence, read_evidence

    evidence = read_evidence(options.paths, magics.shell.user_ns, magics.kernel.client.settings.max_attachment_bytes)
    session = magics.kernel.current()
    with choosing.telling_of_the_gone(magics.kernel, advice=choosing.FRESH):
        attach_evidence(session, evidence)
    return files(magics, options)


def files(magics: SecGeminiMagics, _: Namespace) -> Any:
    import pandas as pd

    session = magics.kernel.current()
    if not session.is_running:
        with choosing.telling_of_the_gone(magics.kernel, advice=choosing.FRESH):
            session.refresh()  # an empty table would say that it is there
    rows = [
        {
            "name": one_line(file.name),
            "size": file.size,
            "mime_type": one_line(file.mime_type),
            "content_type_label": one_line(file.content_type_label or ""),
            "sha256": one_line(file.sha256),
        }
        for file in session.files
    ]
    if session.logs_table is not None:
        display(Line(one_line(f"logs table {session.logs_table.blake2s}, besides the files:")))
    frame = pd.DataFrame(rows, columns=["name", "size", "mime_type", "content_type_label", "sha256"])
    return frame.rename_axis("file_idx")


def detach(magics: SecGeminiMagics, options: Namespace) -> Any:
    session = magics.kernel.get(magics.kernel.current_name)
    if session is None:
        raise UsageError("%secgemini detach: there is no session yet, so no file in it.")
    with choosing.telling_of_the_gone(magics.kernel, advice=choosing.FRESH):
        session.detach_file(position(options.file, [file.name for file in session.files]))
    return files(magics, options)


def position(given: str, names: Sequence[str]) -> int:
    """Of an attachment, by its position or its name.

    Raises:
        UsageError: none has this name, or several have.
    """
    if given not in names and re.fullmatch(r"-?\d{1,9}", given):
        return int(given)
    found = [number for number, name in enumerate(names) if name == given]
    if len(found) > 1:
        which = ", ".join(map(str, found))
        raise UsageError(one_line(f"%secgemini detach: {len(found)} files are called {given!r}: give one of {which}."))
    return found[0] if found else names.index(choose("file", given, names))


COMMANDS = (
    Command(
        "attach",
        "attach files to the current session; without a path, a widget to drop them on",
        attach,
        [arg("paths", nargs="*", help="paths, globs, or $variable")],
    ),
    Command("files", "the attachments, as a DataFrame; its index is what detach takes, or a name", files),
    Command(
        "detach",
        "remove an attachment",
        detach,
        [arg("file", help="its name, or its position in %%secgemini files")],
    ),
)
