"""The subcommand that writes a session to a file."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.magics.commands.base import Command, Line, label
from secgemini_jupyter.magics.options import arg, nearest

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]


def as_markdown(session: InteractiveSession, path: Path) -> None:
    from secgemini_jupyter.transcript.jsonl import replacing
    from secgemini_jupyter.transcript.markdown import to_markdown
    from secgemini_jupyter.transcript.turns import turn_slices

    text = to_markdown(turn_slices(session.messages), name=session.name, session_id=session.id)
    with replacing(path) as file:
        file.write(text.encode("utf-8", "replace"))  # a lone surrogate has no bytes


def as_jsonl(session: InteractiveSession, path: Path) -> None:
    from secgemini_jupyter.transcript.jsonl import write_jsonl

    write_jsonl(session.messages, path)


def as_parquet(session: InteractiveSession, path: Path) -> None:
    from secgemini_jupyter.transcript.messages import messages_frame
    from secgemini_jupyter.transcript.parquet import write_parquet

    write_parquet(messages_frame(session.messages, session_id=session.id), path)


WRITERS: dict[str, Callable[[InteractiveSession, Path], None]] = {
    ".md": as_markdown,
    ".jsonl": as_jsonl,
    ".parquet": as_parquet,
}
"""By the ending of the file's name."""


def export(magics: SecGeminiMagics, options: Namespace) -> Line:
    path, write = target(options.path, overwrite=options.force)
    kernel = magics.kernel
    name = options.session or kernel.current_name
    session = kernel.get(name)
    if session is None:
        hint = f" {nearest(name, kernel.names)}" if kernel.names else " Ask something first."
        raise UsageError(one_line(f"%secgemini export: this kernel has no session {name!r}.{hint}"))
    if not session.is_running:
        session.refresh()
    write(session, path)
    so_far = " so far: a turn is running" if session.is_running else ""
    count = f"{len(session.messages)} messages of {label(name, session)}"
    return Line(one_line(f"Wrote {path} ({path.stat().st_size} bytes): {count}{so_far}."))


def target(text: str, *, overwrite: bool) -> tuple[Path, Callable[[InteractiveSession, Path], None]]:
    """Where to write, and what; checked before anything is read from the service.

    Raises:
        UsageError: the ending is not known, there is no such folder, or something is there.
    """
    try:
        if "\0" in text:
            raise ValueError("it holds a NUL")
        path = Path(text).expanduser()
        is_there, has_folder = path.exists() or path.is_symlink(), path.parent.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(one_line(f"%secgemini export: {text!r} is no path ({error}).")) from None
    write = WRITERS.get(path.suffix.lower())
    problem = None
    if write is None:
        problem = f"{text!r} ends in none of {', '.join(WRITERS)}. The ending says what to write."
    elif not has_folder:
        problem = f"there is no folder {str(path.parent)!r}. Make it first."
    elif path.is_dir() or (is_there and not path.is_file()):
        problem = f"{text!r} is no regular file. Give another name."
    elif is_there and not overwrite:
        problem = f"{text!r} is there already. Add --force to replace it."
    if write is None or problem:
        raise UsageError(one_line(f"%secgemini export: {problem}"))
    return path, write


COMMANDS = (
    Command(
        "export",
        "write the session to a file: .md, .jsonl or .parquet",
        export,
        [
            arg("path", metavar="PATH", help="its ending says what to write"),
            arg("--force", action="store_true", help="replace a file that is there"),
            arg("-s", "--session", metavar="NAME", help="one of this kernel's sessions; the current one if left out"),
        ],
        more="Markdown to read, JSON Lines with every field as it came, or a table for pandas. A new file is for your "
        "eyes only (mode 0600): it holds prompts, answers and tool results, exactly.",
    ),
)
