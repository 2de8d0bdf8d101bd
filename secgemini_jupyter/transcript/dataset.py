"""Many transcripts in a folder, one Parquet file a session: `session_id=…/messages.parquet` (extra `parquet`).

Folders of this form (Hive's) are read lazily by pandas, DuckDB, Polars and Dask: they skip the files of sessions that
a query does not ask for. The session's id is in the folder's name, percent-encoded, and in the file's `attrs`; it is
no column of the file, as these readers add one. Categories are plain texts there: every reader has them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

from secgemini_jupyter.disk import UnreadableError, opened, replacing
from secgemini_jupyter.errors import InputError
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.transcript.columns import Category, Column, check_columns, conform, frame
from secgemini_jupyter.transcript.messages import COLUMNS, SCHEMA, messages_frame
from secgemini_jupyter.transcript.parquet import (
    NOTES,
    arrow_schema,
    check_pyarrow,
    check_size,
    columns_of,
    frame_of,
    notes_of,
    size_of,
    unreadable,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Saved", "partition", "prepare", "read", "read_file", "saved_frame", "session_of", "write", "write_all"]

KEY = "session_id"
FILE = "messages.parquet"
READERS = 4
"""Files that are read at a time."""
MAX_NAME = 255
"""Bytes of a file's name, on most file systems."""
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""A folder of this name has no value, for readers of such folders."""
_WRITTEN = {name: column for name, column in COLUMNS.items() if name != KEY}
_NOTES = ("models", "files")
"""What `attrs` hold by session."""


@dataclass(frozen=True)
class Saved:
    """A session that was written, or why not."""

    session_id: str
    path: Path | None = None
    rows: int | None = None
    size: int | None = None
    error: str | None = None


SAVED_COLUMNS: dict[str, Column[Sequence[Saved]]] = {
    "session_id": Column("string", lambda rows: map(attrgetter("session_id"), rows)),
    "status": Column(
        Category(("saved", "left_out")), lambda rows: ("left_out" if row.path is None else "saved" for row in rows)
    ),
    "rows": Column("Int64", lambda rows: map(attrgetter("rows"), rows)),
    "bytes": Column("Int64", lambda rows: map(attrgetter("size"), rows)),
    "path": Column("string", lambda rows: (None if row.path is None else str(row.path) for row in rows)),
    "error": Column("string", lambda rows: map(attrgetter("error"), rows)),
}


def saved_frame(saved: Sequence[Saved]) -> pd.DataFrame:
    """One row a session: its file, or why it has none."""
    return frame(SAVED_COLUMNS, saved, schema="saved/1")


def partition(session_id: str) -> str:
    """The name of a session's folder.

    Raises:
        InputError: the id is empty, or makes no name.
    """
    try:
        encoded = quote(session_id, safe="")
    except UnicodeEncodeError:  # half of a surrogate pair has no bytes
        encoded = ""
    name = f"{KEY}={encoded}"
    if not encoded or encoded == NO_VALUE or len(name) > MAX_NAME:
        raise InputError(
            f"The session id {one_line(session_id, 60)!r} makes no folder's name: it is empty, longer than "
            f"{MAX_NAME - len(KEY) - 1} bytes when encoded, or no text. Leave that session out."
        )
    return name


def prepare(path: str | os.PathLike[str]) -> Path:
    """A folder to write partitions to, made where there is none.

    Raises:
        InputError: pyarrow is missing, the folder cannot be made, or holds something else.
    """
    check_pyarrow()
    try:
        folder = Path(path).expanduser()
        folder.mkdir(mode=0o700, exist_ok=True)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{str(path)!r} cannot be a dataset's folder: {why}. Give another path.") from None
    _partitions(folder)
    return folder


def write(table: pd.DataFrame, folder: Path, session_id: str) -> Saved:
    """One session's messages, as `messages_frame` makes them, in place of what its file held: whole, or not at all.

    A new folder has mode 0700, a new file 0600: it holds what was said, exactly.

    Raises:
        InputError: it cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet as pq

    place = folder / partition(session_id)
    path = place / FILE
    try:
        place.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InputError(f"{str(place)!r} cannot be made: {error.strerror}. Check the folder.") from None
    if place.is_symlink() or path.is_symlink():  # what it leads to is not ours to replace
        raise InputError(f"{str(place)!r} leads elsewhere. Remove the link.")
    schema = arrow_schema(_WRITTEN)
    columns = [pa.array(table[each.name].array, type=each.type, from_pandas=True) for each in schema]
    notes = json.dumps(_attrs_of(table.attrs, session_id))
    with replacing(path) as file:
        # Arrow would write its schema too, with all metadata in it: as much again as 50 messages take.
        with pq.ParquetWriter(file, schema, store_schema=False) as writer:
            writer.write_table(pa.table(columns, schema=schema))
            writer.add_key_value_metadata({**_for_pandas(), NOTES: notes})
        size = file.tell()
    return Saved(session_id, path, len(table), size)


def write_all(table: pd.DataFrame, path: str | os.PathLike[str]) -> list[Saved]:
    """Each session of a table of messages, in the order of their first rows.

    Raises:
        InputError: a column is missing, a row has no session, or it cannot be written.
    """
    table = conform(table, COLUMNS)
    if without := int(table[KEY].isna().sum()):
        raise InputError(f"{without} rows have no session_id. Drop them, or say which session they are of.")
    sessions = {str(session_id): rows for session_id, rows in table.groupby(KEY, sort=False, observed=True)}
    for session_id in sessions:
        partition(session_id)
    folder = prepare(path)
    for rows in sessions.values():
        rows.attrs = table.attrs  # lost in groupby
    return [write(rows, folder, session_id) for session_id, rows in sessions.items()]


def read(folder: Path, sessions: Iterable[str] | None = None) -> pd.DataFrame:
    """The messages of all sessions in a folder, by the folders' names, or of `sessions` in their order.

    Raises:
        InputError: something else is in the folder, a session is not, a file cannot be read or is of another session,
            or all are more than fits into memory.
    """
    check_pyarrow()
    wanted = None if sessions is None else dict.fromkeys(sessions)
    found = _partitions(folder, wanted)
    shown = repr(one_line(str(folder), 200))
    if wanted is not None:
        if missing := [session_id for session_id in wanted if session_id not in found]:
            raise InputError(
                f"{shown} does not hold {len(missing)} of {len(wanted)} sessions: "
                f"{one_line(', '.join(missing), 100)}. Leave them out."
            )
        found = {session_id: found[session_id] for session_id in wanted}
    elif not found:
        raise InputError(f"{shown} holds no sessions. Write some with client.save_histories(folder).")
    return _read(found, shown)


def read_file(path: Path, session_id: str) -> pd.DataFrame:
    """One file out of such a folder."""
    table = _read({session_id: path}, repr(one_line(str(path), 200)))
    table.attrs[KEY] = session_id
    return table


def session_of(path: Path) -> str | None:
    """Whose messages a file holds that is out of such a folder; None for any other Parquet file.

    Raises:
        InputError: it cannot be read, or its name and its `attrs` contradict each other.
    """
    from pyarrow import parquet as pq

    with _opened(path) as file:
        metadata = pq.read_metadata(file)
        schema = metadata.schema.to_arrow_schema()
    if KEY in schema.names or "message_type" not in schema.names:
        return None
    named = _session_named(path.absolute().parent.name)
    return _checked_session(notes_of(metadata), named, path)


def _read(files: Mapping[str, Path], shown: str) -> pd.DataFrame:
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet as pq

    notes, rows, size = [], 0, 0
    for session_id, path in files.items():
        with _opened(path) as file:
            metadata = pq.read_metadata(file)
            names = metadata.schema.to_arrow_schema().names
        counted = size_of(metadata, COLUMNS)
        check_size(*counted, repr(one_line(str(path), 200)))
        rows, size = rows + counted[0], size + counted[1]
        check_size(rows, size, shown)
        if KEY in names:
            raise InputError(f"{str(path)!r} has a column {KEY}, which its folder's name tells. Remove the file.")
        check_columns([*names, KEY], COLUMNS)
        notes.append(notes_of(metadata))
        _checked_session(notes[-1], session_id, path)

    def read_one(path: Path) -> Any:
        with _opened(path) as file:
            return columns_of(file, _WRITTEN)

    with ThreadPoolExecutor(READERS) as pool:
        tables = list(pool.map(read_one, files.values()))
    lengths = [len(part) for part in tables]
    whole = pa.concat_tables(tables or [arrow_schema(_WRITTEN, dictionaries=True).empty_table()]).unify_dictionaries()
    codes = pa.array(np.repeat(np.arange(len(files), dtype=np.int32), lengths))
    whole = whole.append_column(KEY, pa.DictionaryArray.from_arrays(codes, pa.array(list(files), pa.string())))
    table = frame_of(whole, COLUMNS)
    table.attrs = _attrs_of_all(list(files), notes)
    return table


@cache
def _for_pandas() -> dict[str, str]:
    """What pandas writes to a file's metadata, to have its dtypes again."""
    import pyarrow as pa

    table = messages_frame([], session_id="").drop(columns=KEY)
    written = pa.Table.from_pandas(table, schema=arrow_schema(_WRITTEN), preserve_index=False).schema.metadata
    return {"pandas": written[b"pandas"].decode()}


def _partitions(folder: Path, wanted: Container[str] | None = None) -> dict[str, Path]:
    """The files by session, in the order of the folders' names; of those `wanted`, where they are told.

    What begins with `.` or `_` no reader looks at. A folder without a file is what a write that was cut off left.
    """
    shown = repr(one_line(str(folder), 200))
    found: dict[str, Path] = {}
    try:
        for place in _seen(folder):
            session_id = _session_named(place.name)
            strange: os.DirEntry[str] | None = place
            if session_id is not None and place.is_dir(follow_symlinks=False) and session_id not in found:
                if wanted is not None and session_id not in wanted:
                    continue
                inside = _seen(place.path)
                strange = next((each for each in inside if not _is_ours(each)), None)
                if inside:
                    found[session_id] = Path(inside[0].path)
            if strange is not None:
                name = one_line(os.path.relpath(strange.path, folder), 100)
                raise InputError(
                    f"{shown} cannot be read as a dataset: {name!r} is no {KEY}=ID/{FILE}, a link, or there twice. "
                    "Remove it, or give another folder."
                )
    except OSError as error:
        raise InputError(f"{shown} cannot be read: {error.strerror}. Check the folder.") from None
    return found


def _seen(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((each for each in entries if each.name[0] not in "._"), key=attrgetter("name"))


def _is_ours(entry: os.DirEntry[str]) -> bool:
    return entry.name == FILE and entry.is_file(follow_symlinks=False)


def _session_named(name: str) -> str | None:
    """The session of a folder; None where it is none's."""
    key, _, encoded = name.partition("=")
    if key != KEY or encoded in ("", NO_VALUE):
        return None
    try:
        return unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeError:
        return None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with unreadable(path):
        try:
            with opened(path, flags=getattr(os, "O_NOFOLLOW", 0)) as file:
                yield file
        except UnreadableError as error:
            raise InputError(f"{str(path)!r} cannot be read: {error}. Remove it.") from None


def _attrs_of(attrs: Mapping[Any, Any], session_id: str) -> dict[Any, Any]:
    """Of a table's `attrs` those of one session."""
    kept = {name: attrs[name] for name in ("secgemini_schema", "producer", "generated_at") if name in attrs}
    for name in _NOTES:
        if isinstance(noted := attrs.get(name), dict):
            kept[name] = {session_id: noted[session_id]} if session_id in noted else {}
    return kept | {KEY: session_id}


def _attrs_of_all(sessions: Sequence[str], notes: Sequence[Mapping[str, Any]]) -> dict[Any, Any]:
    """The way back, as `client.histories()` has them. A file speaks for its own session."""
    newest = max(
        notes, key=lambda noted: str(noted.get("generated_at")), default=messages_frame([], session_id="").attrs
    )
    merged = {name: newest[name] for name in ("secgemini_schema", "producer", "generated_at") if name in newest}
    for name in _NOTES:
        by_session = [noted.get(name) for noted in notes]
        if any(isinstance(each, dict) for each in by_session):
            pairs = zip(sessions, by_session, strict=True)
            merged[name] = {key: each[key] for key, each in pairs if isinstance(each, dict) and key in each}
    return merged


def _checked_session(notes: Mapping[str, Any], named: str | None, path: Path) -> str | None:
    schema, said = notes.get("secgemini_schema", SCHEMA), notes.get(KEY, named)
    if schema != SCHEMA:
        raise InputError(f"{str(path)!r} holds {one_line(str(schema), 40)}, not messages. Remove it.")
    if named is not None and said != named:
        raise InputError(
            f"{str(path)!r} says that it is of session {one_line(str(said), 60)!r}, its folder says "
            f"{one_line(named, 60)!r}. Put it where it belongs."
        )
    return said if isinstance(said, str) else None
