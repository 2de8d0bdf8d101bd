"""`read_history`: a transcript out of a file, be it JSON Lines, Parquet, or the notebook that it was asked in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.client.histories import session_ids
from secgemini_jupyter.errors import InputError, ProtocolError
from secgemini_jupyter.models import Message, MessageType, Role, State, Usage, read_json
from secgemini_jupyter.sharing.outputs import joined, mark_of
from secgemini_jupyter.sharing.sources import OWN_CELL
from secgemini_jupyter.transcript.dataset import read as read_dataset
from secgemini_jupyter.transcript.messages import finished, messages_frame
from secgemini_jupyter.transcript.reading import kind_of, read_bytes, read_jsonl_frame, read_parquet_frame

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.client.histories import HasId
    from secgemini_jupyter.transcript.columns import Backend

__all__ = ["read_history"]

FOOTER = "— "
"""Begins the last line of a shown answer, which says who answered, where and when."""


def read_history(
    path: str | os.PathLike[str],
    *,
    session_id: str | None = None,
    sessions: Iterable[str | HasId] | pd.DataFrame | None = None,
    strict: bool = False,
    dtype_backend: Backend = "numpy_nullable",
) -> pd.DataFrame:
    """A transcript in a file, or many in a folder, as the table that `history()` gives.

    What a file is, its content tells, not its name.

    - JSON Lines (`df.secgemini.to_jsonl(path)`): the messages as they came; `source` is `file`.
    - Parquet of a `history()`, also filtered or put together.
    - A folder of such files, as `client.save_histories(folder)` and `df.secgemini.to_parquet_dataset(folder)` write it:
      session after session, by the folders' names.
    - A saved notebook: of each `%%secgemini` cell that was answered a `query` and a `result`, `source` is `notebook`.
      They are what the notebook shows, indicators defanged where they were; thinking, tools and exact texts are not in
      it. `session_id` is the session's name there: a notebook does not keep the id.

    Nothing in the file is run; a pickle is never loaded.

    Args:
        session_id: of JSON Lines, which do not say it; the file's name without its ending when left out.
        sessions: those to read out of a folder, in this order; other files are not opened.
        strict: raise where a message has problems, instead of telling them in the column `problems`.
        dtype_backend: `pyarrow` gives Arrow dtypes, and needs the extra `parquet`.

    Raises:
        ProtocolError: with `strict`; it names the rows.
        InputError: the file cannot be read, is cut off, or is no transcript; it names the line or the columns.
    """
    from secgemini_jupyter import lazy_accessor

    lazy_accessor.register()
    path = Path(path)
    kind = "folder" if path.is_dir() else kind_of(path)
    if sessions is not None and kind != "folder":
        raise InputError(f"{str(path)!r} is no folder of sessions. Leave sessions out, and filter the table.")
    if kind != "jsonl" and session_id is not None:
        raise InputError(f"{str(path)!r} says itself which session it is of. Leave session_id out.")
    if kind == "folder":
        table = read_dataset(path, None if sessions is None else session_ids(sessions))
    elif kind == "parquet":
        table = read_parquet_frame(path)
    elif kind == "notebook":
        table = _notebook_frame(path)
    else:
        # What is not UTF-8 in a file's name has no place in a table.
        named = path.stem.encode("utf-8", "replace").decode() if session_id is None else session_id
        table = read_jsonl_frame(path, session_id=named)
    return finished(table, strict=strict, dtype_backend=dtype_backend)


@dataclass
class _Shown:
    """What a notebook shows of one session, in the order of its cells."""

    messages: list[Message] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)


def _notebook_frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    shown = repr(str(path))
    try:
        notebook = read_json(read_bytes(path).decode("utf-8", "replace"), "a notebook")
    except ProtocolError as error:
        fact = str(error).rsplit(". ", 1)[0]
        raise InputError(f"{shown} is no whole notebook: {fact}. Open it in Jupyter, and save it.") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise InputError(f"{shown} is no notebook of version 4: it has no list of cells. Open and save it in Jupyter.")
    sessions: dict[str, _Shown] = {}
    for cell in cells:
        for mark, output in _answers(cell):
            name = mark.get("session")
            session = sessions.setdefault(name if isinstance(name, str) else "", _Shown())
            turn = mark.get("turn")
            number = turn if isinstance(turn, int) and 0 < turn < 2**31 else len(session.turns) + 1
            for message in _turn(cell, mark, output):
                session.messages.append(message)
                session.turns.append(number)
    if not sessions:
        raise InputError(f"{shown} holds no answers of %%secgemini cells. Was it run, and saved with its outputs?")
    frames = []
    for name, session in sessions.items():
        table = messages_frame(session.messages, session_id=name, source="notebook")
        # Cells that were run again, or deleted, leave gaps: a turn keeps the number that it had in its session.
        table["turn_index"] = pd.array(session.turns, dtype="Int32")
        table["turn_id"] = pd.array([f"{name}:{turn}" for turn in session.turns], dtype=pd.StringDtype("python"))
        frames.append(table)
    table = pd.concat(frames, ignore_index=True)
    table.attrs = (
        frames[0].attrs if len(frames) == 1 else {k: v for k, v in frames[0].attrs.items() if k != "session_id"}
    )
    return table


def _answers(cell: Any) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """The answers that a cell shows: our mark says so, and whose they are."""
    outputs = cell.get("outputs") if isinstance(cell, dict) and cell.get("cell_type") == "code" else None
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, dict) and (mark := mark_of(output)) and "status" in mark:
            yield mark, output


def _turn(cell: Mapping[str, Any], mark: Mapping[str, Any], output: Mapping[str, Any]) -> Iterator[Message]:
    times = _times(cell)
    yield Message(
        id="", message_type=MessageType.QUERY, state=State.QUERY, role=Role.USER, actor="user",
        content=_prompt(joined(cell.get("source")) or ""), **times[0],
    )  # fmt: skip
    data = output.get("data")
    text = joined(data.get("text/plain")) if isinstance(data, dict) else None
    *lines, last = (text or "").rstrip("\n").split("\n")
    answer = "\n".join(lines if last.startswith(FOOTER) else [*lines, last]).rstrip("\n")
    failed = mark.get("status") == "error"
    yield Message(
        id="", message_type=MessageType.ERROR if failed else MessageType.RESULT,
        state=State.UNDEFINED if failed else State.AGENT_DONE, role=Role.AGENT, actor="",
        content=answer, status_code=500 if failed else 200, usage=_usage(mark.get("usage")), **times[1],
    )  # fmt: skip
    if mark.get("status") == "ok":
        yield Message(id="", message_type=MessageType.INFO, state=State.END, actor="", content="end", **times[1])


def _prompt(source: str) -> str:
    """What a cell asks, without its options; `{{names}}` stand as they were typed."""
    from IPython.core.error import UsageError

    from secgemini_jupyter.magics.cell import parser
    from secgemini_jupyter.magics.options import join_continued, split_options

    if not OWN_CELL.match(source):
        return source
    first, _, body = source.lstrip().partition("\n")
    line, body = join_continued(parser(), first.removeprefix("%%secgemini"), body)
    try:
        _, words = split_options(parser(), line)
    except UsageError:
        words = line.strip()
    return "\n".join(part for part in (words, body.strip("\n")) if part)


def _times(cell: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """When a cell was run and when it was done, where the front end noted it."""
    metadata = cell.get("metadata")
    noted = metadata.get("execution") if isinstance(metadata, dict) else None
    found = []
    for key in ("iopub.execute_input", "shell.execute_reply"):
        seconds = 0.0
        try:
            seconds = datetime.fromisoformat(str(noted.get(key))).timestamp() if isinstance(noted, dict) else 0.0
        except (ValueError, OverflowError):
            seconds = 0.0
        found.append({"created_at": seconds, "timestamp": int(seconds)})
    return found[0], found[1]


def _usage(noted: Any) -> Usage | None:
    if not isinstance(noted, dict):
        return None
    counts: dict[str, Any] = {
        name: count
        for name in ("prompt_tokens", "generated_tokens", "total_tokens")
        if isinstance(count := noted.get(name), int)
    }
    return Usage(**counts)
