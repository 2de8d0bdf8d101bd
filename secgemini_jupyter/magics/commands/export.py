"""The subcommand that writes a session to a file."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from secgemini_jupyter.errors import InputError, one_line
from secgemini_jupyter.magics.commands.base import Command, Line, label
from secgemini_jupyter.magics.options import arg, nearest, usage_error

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]


def export(magics: SecGeminiMagics, options: Namespace) -> Line:
    from secgemini_jupyter.transcript.document import Transcript
    from secgemini_jupyter.transcript.exports import export as write

    path = target(options.path, overwrite=options.force)
    kernel = magics.kernel
    name = options.session or kernel.current_name
    session = kernel.get(name)
    if session is None:
        hint = f" {nearest(name, kernel.names)}" if kernel.names else " Ask something first."
        raise usage_error(f"%secgemini export: this kernel has no session {name!r}.{hint}")
    if not session.is_running:
        session.refresh()
    messages = session.messages
    write(Transcript.of_session(session, messages), path)
    so_far = " so far: a turn is running" if session.is_running else ""
    count = f"{len(messages)} messages of {label(name, session)}"
    return Line(one_line(f"Wrote {path} ({path.stat().st_size} bytes): {count}{so_far}."))


def target(text: str, *, overwrite: bool) -> Path:
    """Where to write; checked before anything is read from the service.

    Raises:
        UsageError: the ending is not known, there is no such folder, or something is there.
    """
    from secgemini_jupyter.transcript.exports import checked

    try:
        return checked(text, overwrite=overwrite, how="Add --force")
    except InputError as error:
        raise usage_error(f"%secgemini export: {error}") from None


COMMANDS = (
    Command(
        "export",
        "write the session to a file: page, notebook, table, …",
        export,
        [
            arg(
                "path",
                metavar="PATH",
                help="its ending says what to write: .html, .md, .ipynb, .jsonl, .csv, .parquet, .stix.json, "
                ".otlp.jsonl, .docx",
            ),
            arg("--force", action="store_true", help="replace a file that is there"),
            arg("-s", "--session", metavar="NAME", help="one of this kernel's sessions; the current one if left out"),
        ],
        more="A page, Markdown or a Word document to read; a notebook with the answers as saved outputs; JSON Lines "
        "with every field as it came; a table for spreadsheets (formulas are made text) or for pandas; indicators as a "
        "STIX bundle; turns and tool calls as OpenTelemetry spans, without what was said. A new file is for your eyes "
        "only (mode 0600): the others hold all that was said, exactly.",
    ),
)
