"""Transcripts in files: what a file is, told by its first bytes, and JSON Lines or Parquet as a table of messages.

A file may come from anywhere. Nothing in it is run, and what would not fit into memory is refused before it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from secgemini_jupyter.disk import UnreadableError, opened, read_regular
from secgemini_jupyter.errors import InputError, ProtocolError
from secgemini_jupyter.models import Message, read_json, read_message
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.transcript import dataset
from secgemini_jupyter.transcript.messages import COLUMNS, SCHEMA, messages_frame
from secgemini_jupyter.transcript.parquet import check_pyarrow, load

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["kind_of", "messages_in_lines", "read_bytes", "read_jsonl_frame", "read_parquet_frame"]

Kind = Literal["jsonl", "parquet", "notebook"]
MAX_BYTES = 1 << 30
"""Of a file of text: it is read as a whole, and takes a multiple of its size in memory."""
_HEAD = 64 * 1024
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_BOM = b"\xef\xbb\xbf"
_NOTEBOOK = re.compile(rb'\s*\{\s*"(?:cells|metadata|nbformat|nbformat_minor)"\s*:')
_TEXT_PICKLE = re.compile(rb"\(?(?:[cdil][\w.]*\n|\(?[dl]p\d)")
HOW_TO_WRITE = "Write one with df.secgemini.to_jsonl(path)"


def kind_of(path: Path) -> Kind:
    """What a transcript's file is, told by its content, whatever its name says.

    Raises:
        InputError: it cannot be read, or is no transcript: a table as CSV, a pickle, a packed file, a list as JSON.
    """
    with _refusing(path), opened(path) as file:
        head = file.read(_HEAD)
    shown = repr(one_line(str(path), 200))
    if head.startswith(b"PAR1"):
        return "parquet"
    if re.match(rb"\x80[\x02-\x05]", head) or (path.suffix in (".pkl", ".pickle") and _TEXT_PICKLE.match(head)):
        raise InputError(f"{shown} is a pickle, which could run any code: it was not loaded. {HOW_TO_WRITE}.")
    for mark, name in _PACKED.items():
        if head.startswith(mark):
            raise InputError(f"{shown} is packed ({name}). Unpack it, and pass what was in it.")
    text = head.removeprefix(_BOM).lstrip()
    if not text:
        return "jsonl"
    if b"\0" in text:
        raise InputError(f"{shown} is no text and no Parquet. Pass JSON Lines, Parquet or a saved notebook.")
    if text.startswith(b"{"):
        return "notebook" if path.suffix == ".ipynb" or _NOTEBOOK.match(text) else "jsonl"
    if text.startswith(b"["):
        raise InputError(f"{shown} is one JSON list. Pass JSON Lines: one message a line. {HOW_TO_WRITE}.")
    names = re.split(r"[,;\t]", text.partition(b"\n")[0].decode("utf-8", "replace"))
    if len(names) > 1:
        raise InputError(
            f"{shown} looks like a CSV table (columns {one_line(', '.join(names[:4]), 80)}, …), not like a transcript: "
            f"CSV keeps neither types nor what is missing. {HOW_TO_WRITE}, or as Parquet."
        )
    return "jsonl"


def read_bytes(path: Path) -> bytes:
    """The file's content.

    Raises:
        InputError: no regular file, too large, or it cannot be read.
    """
    with _refusing(path):
        return read_regular(path, MAX_BYTES)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}. Check the path.") from None
    except UnreadableError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}. Pass a file, or split it.") from None
    except ValueError as error:  # a NUL in it
        raise InputError(f"{str(path)!r} is no path ({error}). Give another name.") from None


def read_jsonl_frame(path: Path, *, session_id: str) -> pd.DataFrame:
    """JSON Lines as a table of messages.

    Raises:
        InputError: a line is no message, or the file is cut off; the error names the line.
    """
    return messages_frame(messages_in_lines(read_bytes(path), path), session_id=session_id, source="file")


def messages_in_lines(data: bytes, path: Path) -> list[Message]:
    shown = repr(one_line(str(path), 200))
    data = data.removeprefix(_BOM)
    lines = data.split(b"\n")
    messages: list[Message] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            message = read_message(line)
        except ProtocolError as error:
            if number == len(lines) and number > 1:
                raise InputError(
                    f"{shown} is cut off in line {number}: {len(messages)} messages before it are whole. "
                    "Get the whole file, or delete the line."
                ) from None
            raise InputError(f"Line {number} of {shown} is no message: {_fact(error)}") from None
        messages.append(message)
    # One message may lack its type, as any field; where all do, this is something else, or its fields were renamed.
    if messages and b'"message_type"' not in data:
        found = read_json(next(line for line in lines if line.strip()), "a message")
        raise InputError(
            f"{shown} is no transcript: no line has a message_type, the first has "
            f"{one_line(', '.join(found) or 'nothing', 100)}. {HOW_TO_WRITE}."
        )
    return messages


def _fact(error: ProtocolError) -> str:
    """What happened; what to do about a service is no advice here."""
    return str(error).rsplit(". ", 1)[0] + "."


def read_parquet_frame(path: Path) -> pd.DataFrame:
    """A Parquet file of `history()` as a table of messages, also one that was filtered, put together, or of a dataset.

    Raises:
        InputError: another table, renamed columns, more than fits; or pyarrow is missing.
    """
    check_pyarrow()
    if (session_id := dataset.session_of(path)) is not None:
        return dataset.read_file(path, session_id)
    table = load(path, COLUMNS)
    schema: Any = table.attrs.get("secgemini_schema", SCHEMA)
    if schema != SCHEMA:
        raise InputError(f"{str(path)!r} holds {one_line(str(schema), 40)}, not messages. Pass a file of history().")
    return table
