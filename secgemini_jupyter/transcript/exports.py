"""A transcript as a file; the ending of its name says what is written. Whole, or not at all."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from secgemini_jupyter.disk import replacing
from secgemini_jupyter.errors import InputError, holds_key, without_keys
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.jsonl import one_session, to_jsonl
from secgemini_jupyter.transcript.keyless import keyless

__all__ = ["ENDINGS", "checked", "ending", "export", "markdown"]


def markdown(transcript: Transcript) -> str:
    from secgemini_jupyter.transcript.markdown import to_markdown

    transcript = keyless(transcript)
    # Each heading names the session only where there are several.
    turns = transcript.turns if transcript.several else [replace(turn, session_id="") for turn in transcript.turns]
    return to_markdown(turns, name=transcript.name, session_id=transcript.session_id)


def _html(transcript: Transcript) -> str:
    from secgemini_jupyter.transcript.pages import to_html

    return to_html(transcript)


def _notebook(transcript: Transcript) -> str:
    from secgemini_jupyter.transcript.notebooks import to_notebook

    return to_notebook(transcript)


def _csv(transcript: Transcript) -> str:
    from secgemini_jupyter.transcript.spreadsheets import to_csv

    return without_keys(to_csv(transcript.to_frame()))


def _stix(transcript: Transcript) -> str:
    from secgemini_jupyter.transcript.iocs import iocs_frame
    from secgemini_jupyter.transcript.sightings import FileName
    from secgemini_jupyter.transcript.stix import to_stix

    transcript = keyless(transcript)
    files = [FileName(file.name, transcript.session_id) for file in transcript.files]
    return to_stix(iocs_frame(transcript.turns, files))


def _otlp(transcript: Transcript) -> str:
    from secgemini_jupyter.transcript.otlp import to_otlp

    return to_otlp(transcript)


def _docx(transcript: Transcript) -> bytes:
    from secgemini_jupyter.transcript.word import to_docx

    return to_docx(transcript)


def _jsonl(transcript: Transcript) -> bytes:
    one_session(turn.session_id for turn in transcript.turns)
    return to_jsonl(transcript.messages)


WRITERS: dict[str, Callable[[Transcript], str | bytes]] = {
    ".html": _html,
    ".md": markdown,
    ".ipynb": _notebook,
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".stix.json": _stix,
    ".otlp.jsonl": _otlp,
    ".docx": _docx,
}
ENDINGS = (*WRITERS, ".parquet")
"""What a file's name may end in."""


def ending(path: Path) -> str | None:
    """The one of `ENDINGS` that the name has; the longest, if it has several."""
    name = path.name.lower()
    return max((each for each in ENDINGS if name.endswith(each) and name != each), key=len, default=None)


def checked(
    text: str | os.PathLike[str],
    *,
    overwrite: bool,
    how: str = "Pass overwrite=True",
    endings: tuple[str, ...] = ENDINGS,
) -> Path:
    """Where to write: looked at before anything is asked for; `how` says what allows to replace a file.

    Raises:
        InputError: the ending is not known, there is no such folder, or something is there.
    """
    try:
        if "\0" in os.fspath(text):
            raise ValueError("it holds a NUL")
        path = Path(text).expanduser()
        is_there, has_folder = path.exists() or path.is_symlink(), path.parent.is_dir()
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{str(text)!r} is no path ({error}).") from None
    name = str(text)
    if ending(path) not in endings:
        raise InputError(f"{name!r} ends in none of {', '.join(endings)}. The ending says what to write.")
    if not has_folder:
        raise InputError(f"there is no folder {str(path.parent)!r}. Make it first.")
    if path.is_dir() or (is_there and not path.is_file()):
        raise InputError(f"{name!r} is no regular file. Give another name.")
    if is_there and not overwrite:
        raise InputError(f"{name!r} is there already. {how} to replace it.")
    return path


def export(transcript: Transcript, path: Path) -> Path:
    """Write `transcript` to a path that `checked` gave. A new file has mode 0600: it holds what was said, exactly.

    Raises:
        InputError: the file cannot be written, or an extra is missing.
    """
    kind = ending(path)
    if kind in (".parquet", ".jsonl") and holds_key(to_jsonl(transcript.messages)):
        warnings.warn(
            f"A key stands in {without_keys(path.name)!r}, which holds each message exactly: do not hand it over. "
            "Pages, notebooks, Markdown, Word and CSV leave keys out.",
            stacklevel=3,
        )
    if kind == ".parquet":
        from secgemini_jupyter.transcript.parquet import write_parquet

        write_parquet(transcript.to_frame(), path)
        return path
    content = WRITERS[kind or ""](transcript)
    with replacing(path) as file:
        # A lone surrogate has no bytes.
        file.write(content.encode("utf-8", "replace") if isinstance(content, str) else content)
    return path
