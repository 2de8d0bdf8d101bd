"""Messages as JSON Lines: one message a line, in the shape of the wire, with every field that came."""

from __future__ import annotations

import os
from collections.abc import Iterable

from secgemini_jupyter.disk import replacing
from secgemini_jupyter.errors import InputError, ProtocolError
from secgemini_jupyter.models import Message, read_message

__all__ = ["from_jsonl", "one_session", "to_jsonl", "write_jsonl"]


def to_jsonl(messages: Iterable[Message]) -> bytes:
    """`messages` as UTF-8 lines. Reading them again gives the same messages, unknown values and fields included."""
    return b"".join(message.to_json() + b"\n" for message in messages)


def one_session(ids: Iterable[str]) -> None:
    """Refuse several sessions: no line says which it is of.

    Raises:
        InputError: there are several.
    """
    if (count := len(set(ids))) > 1:
        raise InputError(f"JSON Lines cannot tell {count} sessions apart. Write Parquet, or a file for each session.")


def from_jsonl(lines: bytes | str) -> list[Message]:
    """The messages of JSON Lines; empty lines are nothing.

    Raises:
        ProtocolError: a line is no JSON object; the error names it.
    """
    data = lines.encode("utf-8", "surrogatepass") if isinstance(lines, str) else lines
    messages = []
    # Not `splitlines` on text: a line separator inside of a JSON string is no end of a line.
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            try:
                messages.append(read_message(line))
            except ProtocolError as error:
                raise ProtocolError(f"Line {number}: {error}") from None
    return messages


def write_jsonl(messages: Iterable[Message], path: str | os.PathLike[str]) -> None:
    """Write `messages` to `path`: whole, or not at all. A file that was there keeps its mode; a new one has 0600.

    Raises:
        InputError: the file cannot be written.
    """
    with replacing(path) as file:
        for message in messages:
            file.write(message.to_json() + b"\n")
