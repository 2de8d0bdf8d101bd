"""Importing a file of the user into the data folder: whole, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import sqlite3
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from secgemini_jupyter.local_server.analyst.data import ip_database
from secgemini_jupyter.local_server.analyst.data.feeds import ABOUT, Feed, NotAFeedError, read_feed, valid
from secgemini_jupyter.local_server.analyst.data.json_stream import BrokenJsonError
from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.database import why_not_stored

MAX_UNPACKED = 8 * 2**30
BATCH = 5_000
STALE = 3600.0
LOCK_SECONDS = 60.0
KNOWN = "a KEV catalogue (JSON, CSV), EPSS scores (CSV, JSON), an NVD feed (JSON 2.0 or 1.1) or a MaxMind DB (.mmdb)"


def import_file(name: str, stream: IO[bytes], folder: Path) -> dict[str, Any]:
    """What was imported: kind, rows, version, date, sha256.

    Raises:
        ToolFailure: the file is none that is known, or it is broken, or it could not be stored. What had been imported
            before is still there.
    """
    hasher = hashlib.sha256()
    while block := stream.read(2**20):
        hasher.update(block)
    size = stream.tell()
    stream.seek(0)
    about: dict[str, Any] = {
        "file": valid(Path(name).name[:200]),
        "sha256": hasher.hexdigest(),
        "bytes": size,
        "imported": _now(),
    }
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_stale(folder)
        if ip_database.is_one(stream):
            return ip_database.store(stream, folder, about)
        with _unpacked(stream) as content:
            return _store(read_feed(content), folder, about)
    except (NotAFeedError, BrokenJsonError) as error:
        raise ToolFailure(f"{name!r} was not imported: {error}. It has to be {KNOWN}.") from None
    except (ValueError, OverflowError) as error:
        raise ToolFailure(f"{name!r} was not imported: it cannot be read ({type(error).__name__}).") from None
    except RecursionError:
        raise ToolFailure(f"{name!r} was not imported: it is nested too deeply.") from None
    except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ToolFailure(f"{name!r} was not imported: it cannot be unpacked ({error}).") from None
    except (sqlite3.Error, OSError) as error:
        raise ToolFailure(f"{name!r} was not imported. {why_not_stored(error, folder)}") from None


class _Limited(io.RawIOBase):
    """A stream that ends with an error where a bomb would go on."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, MAX_UNPACKED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise NotAFeedError(f"it unpacks to more than {MAX_UNPACKED // 2**30} GiB")
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _unpacked(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """The content, without gzip or a zip of one file around it."""
    head = stream.read(4)
    stream.seek(0)
    if head[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=stream) as unpacked:
            yield _Limited(unpacked)  # type: ignore[arg-type, misc]
    elif head == b"PK\x03\x04":
        with zipfile.ZipFile(stream) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
            if len(files) != 1:
                raise NotAFeedError(f"it is an archive of {len(files)} files, and not of one")
            with archive.open(files[0]) as member:
                yield _Limited(member)  # type: ignore[misc]
    else:
        yield _Limited(stream)  # type: ignore[misc]


def _store(feed: Feed, folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """NVD comes in many files, so that one is laid over what is there; of the others the newest file counts alone."""
    path = folder / f"{feed.kind}.sqlite"
    # A command and a service may import at once: what one stored has to be there for the other to lay its own over.
    with FileLock(folder / f".{feed.kind}.lock", timeout=LOCK_SECONDS), replacing(path, is_alone=True) as temporary:
        if feed.kind == "nvd" and path.exists():
            _copy(path, temporary)
        db = sqlite3.connect(temporary, isolation_level=None)
        try:
            db.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;"
                "CREATE TABLE IF NOT EXISTS rows (cve TEXT PRIMARY KEY, stamp TEXT, body TEXT) WITHOUT ROWID;"
                "CREATE TABLE IF NOT EXISTS sources (sha256 TEXT PRIMARY KEY, body TEXT); BEGIN;"
            )
            # Of two entries for a CVE the one that was changed last counts.
            insertion = (
                "INSERT INTO rows VALUES (?, ?, ?) ON CONFLICT (cve) DO UPDATE SET stamp = excluded.stamp, "
                "body = excluded.body WHERE excluded.stamp >= stamp"
            )
            number = 0
            for row in feed.rows:
                db.execute(insertion, row)
                number += 1
            if not number:
                raise NotAFeedError("it has no entry that can be read")
            name, terms = ABOUT[feed.kind]
            about |= {"kind": feed.kind, "name": name, "terms": terms, "rows": number, "skipped": feed.skipped}
            about |= {key: feed.about[key] for key in ("version", "date") if feed.about.get(key)}
            about["rows_in_all"] = db.execute("SELECT count(*) FROM rows").fetchone()[0]
            db.execute("INSERT OR REPLACE INTO sources VALUES (?, ?)", (about["sha256"], json.dumps(about)))
            db.execute("COMMIT")
        finally:
            db.close()
    return about


def _copy(path: Path, temporary: Path) -> None:
    with path.open("rb") as old, temporary.open("wb") as new:
        while block := old.read(2**20):
            new.write(block)


@contextmanager
def replacing(path: Path, *, is_alone: bool = False) -> Iterator[Path]:
    """A new file, for its owner alone, that takes the place of `path` when all went well.

    `is_alone`: no living process writes one; those that are there were left by killed ones.
    """
    if is_alone:
        for left in path.parent.glob(f".{path.name}.*.tmp"):
            left.unlink(missing_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove_stale(folder: Path) -> None:
    """Files that an import left which was killed."""
    for path in folder.glob(".*.tmp"):
        if time.time() - path.stat().st_mtime > STALE:
            path.unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
