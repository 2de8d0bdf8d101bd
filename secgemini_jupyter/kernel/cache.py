"""Answers kept on disk: one file for each, named by everything that determines the answer.

A file is JSON Lines: what was asked and how the answer came about, then the turn's messages as they were received,
then the SHA-256 of all that. The sum finds damage and careless edits; who may write to the folder can forge both.
Prompts, answers and what they quote are in these files: they are as confidential as the notebook.

The well-known disk caches were looked at and left: they pickle what they keep, and this folder may be shared.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from secgemini_jupyter._version import __version__
from secgemini_jupyter.client.response import SessionResponse
from secgemini_jupyter.disk import UnreadableError, read_regular, replacing
from secgemini_jupyter.errors import InputError, ProtocolError, holds_key
from secgemini_jupyter.models import Message, MessageType, Usage
from secgemini_jupyter.transcript.jsonl import from_jsonl

__all__ = ["AnswerCache", "Asked", "DamagedError", "Kept", "Recorded", "turn_digest"]

SCHEMA = "secgemini-jupyter/answer/1"
KEY_VERSION = 1
MAX_FILE = 64 * 2**20
MAX_FOLDER = 2**30
"""Bytes that all answers of a folder may have."""
MAX_TIME = 2.0**33
"""Unix seconds, in the year 2242: what pandas still has in nanoseconds."""
MAX_TURN = 2**31
_NAME = re.compile(r"[0-9a-f]{64}\.jsonl")
_DRAFT = re.compile(r"\.[0-9a-f]{50}\..+\.tmp")
"""What a process left that was killed while it wrote."""
STALE = 3600.0
"""Seconds after which nobody writes a draft any more."""
_LOCAL_CALLS = frozenset({MessageType.LOCAL_TOOL_CALL, MessageType.LOCAL_TOOL_RESULT})


class DamagedError(InputError):
    """A file of the cache is not what was written."""


def digest(value: Any) -> str:
    """SHA-256 of a value as canonical JSON."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(written.encode()).hexdigest()


def turn_digest(prompt: str, messages: Iterable[Message]) -> str:
    """What a later answer may depend on: the prompt and the results; neither ids nor times."""
    results = [[m.mime_type, m.content] for m in messages if m.message_type is MessageType.RESULT and not m.is_partial]
    return digest([prompt, results])


@dataclass(frozen=True)
class Asked:
    """Everything that determines an answer.

    Attributes:
        prompt: as it is sent: variables put in, secrets taken out.
        model: the model string that was asked for; `default` if none was.
        service: `sec-gemini`, or `local/` and the engine.
        tools: digest of local tools and of the agents' configuration; empty if there are none.
        files: name and sha256 of the session's attachments, in order.
        before: digests of the turns before this one, in order.
    """

    prompt: str = field(repr=False)
    model: str
    service: str
    language: str = "en"
    tools: str = ""
    files: tuple[tuple[str, str], ...] = ()
    before: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return digest({"version": KEY_VERSION} | asdict(self))

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Asked:
        files = tuple((str(name), str(sha256)) for name, sha256 in value["files"])
        texts = {name: value[name] for name in ("prompt", "model", "service", "language", "tools")}
        if not all(isinstance(each, str) for each in texts.values()):
            raise TypeError
        return cls(**texts, files=files, before=tuple(map(str, value["before"])))


@dataclass(frozen=True)
class Recorded:
    """How an answer came about. Times in Unix seconds, `elapsed` in seconds."""

    recorded_at: float
    session_name: str
    turn_index: int
    model_name: str
    host: str
    is_local: bool
    elapsed: float
    version: str
    """Of this package."""


@dataclass(frozen=True)
class Kept:
    """An answer out of the cache."""

    asked: Asked
    recorded: Recorded
    usage: Usage
    messages: Sequence[Message] = field(repr=False)

    @property
    def digest(self) -> str:
        return turn_digest(self.asked.prompt, self.messages)

    def response(self, cache: str = "") -> SessionResponse:
        """As it was received; it belongs to no session that could be asked. `cache`: its folder's name, to show."""
        recorded = self.recorded
        return SessionResponse(
            messages=list(self.messages),
            status_code=200,
            status_message="OK",
            usage=self.usage,
            prompt=self.asked.prompt,
            session_name=recorded.session_name,
            model_name=recorded.model_name,
            host=recorded.host,
            is_local=recorded.is_local,
            turn_index=recorded.turn_index,
            elapsed=recorded.elapsed,
            recorded_at=recorded.recorded_at,
            cache=cache,
        )


@dataclass(frozen=True)
class Listed:
    """An answer in the list: what can be told without its messages."""

    asked: Asked
    recorded: Recorded
    messages: int
    bytes: int


class AnswerCache:
    """The answers in one folder.

    Args:
        is_own: it is the user's own folder, where the oldest answers make room for new ones. In another one, which
            may be shared, nothing is removed unasked.
    """

    def __init__(self, folder: Path, *, is_own: bool) -> None:
        self.folder = folder
        self.is_own = is_own

    def load(self, asked: Asked) -> Kept | None:
        """The answer to what is asked, if there is one.

        Raises:
            DamagedError: there is a file that cannot be used.
        """
        path = self._path(asked)
        data = _read(path)
        if data is None:
            return None
        kept = _parsed(path, data)
        if kept.asked != asked:
            raise _damaged(path, "it answers something else than its name says")
        if self.is_own:
            with contextlib.suppress(OSError):
                os.utime(path)  # used: it shall not be the first to go
        return kept

    def store(self, asked: Asked, response: SessionResponse) -> None:
        """Keep an answer.

        Raises:
            InputError: it is one that is not kept, or the folder takes no more; it says why.
        """
        if reason := refusal(response):
            raise InputError(f"Not kept in the cache: {reason}.")
        recorded = Recorded(
            recorded_at=time.time(),
            session_name=response.session_name,
            turn_index=response.turn_index,
            model_name=response.model_name,
            host=response.host,
            is_local=response.is_local,
            elapsed=response.elapsed,
            version=__version__,
        )
        head = {
            "schema": SCHEMA,
            "asked": asdict(asked),
            "recorded": asdict(recorded),
            "usage": msgspec.to_builtins(response.usage),
            "messages": len(response.messages),
        }
        lines = [json.dumps(head, sort_keys=True).encode(), *(message.to_json() for message in response.messages)]
        body = b"".join(line + b"\n" for line in lines)
        if holds_key(body):
            raise InputError("Not kept in the cache: the answer holds the API key.")
        size = len(body) + 90
        if size > MAX_FILE:
            raise InputError(f"Not kept in the cache: the answer has {size:,} bytes, at most {MAX_FILE:,} are kept.")
        path = self._path(asked)
        _make(self.folder)
        self._make_room(size, path)
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            path.unlink(missing_ok=True)  # what a link leads to, or reads a pipe, is not ours to write to
        with replacing(path) as file:
            file.write(body)
            file.write(json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n")

    def listed(self) -> Iterator[Listed]:
        """What is there, the newest first; files that cannot be used are left out."""
        for path, info in sorted(self._files(), key=lambda each: -each[1].st_mtime):
            try:
                with path.open("rb") as file:
                    head = json.loads(file.readline(MAX_FILE))
                asked, recorded, messages = Asked.of(head["asked"]), _recorded(head["recorded"]), head["messages"]
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue
            if type(messages) is int and 0 <= messages <= MAX_FILE:
                yield Listed(asked, recorded, messages, info.st_size)

    def clear(self) -> tuple[int, int]:
        """Remove all answers, damaged and half-written ones too; gives how many, and their bytes."""
        number = size = 0
        for path, info in self._files() + self._files(_DRAFT):
            path.unlink(missing_ok=True)
            number, size = number + 1, size + info.st_size
        return number, size

    def nearest(self, candidates: Sequence[Asked]) -> str:
        """What is there instead of the answer that is missing: in words that end a sentence.

        Nothing of another answer is quoted: it may be another notebook's, and end up in a place where that must not be.
        """
        there = list(self.listed())
        pairs = [(each.asked, asked) for each in there for asked in candidates]
        same_prompt = [differences(*pair) for pair in pairs if pair[0].prompt == pair[1].prompt]
        if differs := min(filter(None, same_prompt), key=len, default=None):
            return f"to this prompt it has one with {' and '.join(differs)}"
        if any(not differences(*pair) for pair in pairs):
            return "it has one to another prompt in this place"
        return "the prompt differs from all that are there" if there else "it is empty"

    def _path(self, asked: Asked) -> Path:
        return self.folder / f"{asked.key}.jsonl"

    def _files(self, names: re.Pattern[str] = _NAME) -> list[tuple[Path, os.stat_result]]:
        try:
            with os.scandir(self.folder) as entries:
                return [
                    (Path(entry.path), entry.stat(follow_symlinks=False))
                    for entry in entries
                    if names.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
                ]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"The cache {str(self.folder)!r} cannot be read: {error.strerror}.") from None

    def _make_room(self, size: int, but: Path) -> None:
        for path, info in self._files(_DRAFT):
            if self.is_own and time.time() - info.st_mtime > STALE:
                path.unlink(missing_ok=True)
        files = [(path, info) for path, info in self._files() if path != but]
        total = size + sum(info.st_size for _, info in files)
        if total <= MAX_FOLDER:
            return
        if not self.is_own:
            raise InputError(
                f"Not kept in the cache: {str(self.folder)!r} would hold more than {MAX_FOLDER:,} bytes. "
                "%secgemini cache clear --yes empties it."
            )
        for path, info in sorted(files, key=lambda each: each[1].st_mtime):
            path.unlink(missing_ok=True)
            total -= info.st_size
            if total <= MAX_FOLDER:
                return


def refusal(response: SessionResponse) -> str:
    """Why an answer is not kept; empty if it is."""
    if not response.can_log:
        return "the session is not retained"
    if not response.is_complete or response.status_code >= 400:
        return "the turn did not end well"
    if any(message.message_type in _LOCAL_CALLS for message in response.messages):
        return "a function of this notebook was called, and would not be when the answer is replayed"
    return ""


def differences(there: Asked, asked: Asked) -> list[str]:
    """How what was asked then differs, in words that show what is asked now."""
    words = []
    if there.model != asked.model:
        words.append(f"model {_label(there.model)} instead of {asked.model!r}")
    if there.service != asked.service:
        words.append(f"service {_label(there.service)} instead of {asked.service!r}")
    if there.files != asked.files:
        known, wanted = ([name for name, _ in each.files] for each in (there, asked))
        words.append(
            f"another version of the attachments {wanted}"
            if known == wanted
            else f"{len(known) or 'no'} attachments instead of {wanted or 'none'}"
        )
    if there.before != asked.before:
        words.append(f"other turns before it ({len(there.before)}, now {len(asked.before)})")
    if (there.language, there.tools) != (asked.language, asked.tools):
        words.append("another language, other local tools or agents")
    return words


def _label(name: str) -> str:
    """A model or a service, if it looks like one: who wrote the file may have written anything."""
    return repr(name) if re.fullmatch(r"[\w/-]{1,60}(\.\d[\w-]{0,20})*", name) else "another"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The cache {str(folder)!r} cannot be made: {error.strerror}.") from None


def _read(path: Path) -> bytes | None:
    try:
        return read_regular(path, MAX_FILE, flags=getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(path, str(error.strerror)) from None
    except UnreadableError as error:
        raise _damaged(path, str(error)) from None


def _parsed(path: Path, data: bytes) -> Kept:
    body, _, last = data.rstrip(b"\n").rpartition(b"\n")
    body += b"\n"
    first, _, rest = body.partition(b"\n")
    try:
        head = json.loads(first)
        if head["schema"] != SCHEMA:
            raise _damaged(path, f"its format is {str(head['schema'])[:60]!r}, not {SCHEMA!r}")
        if json.loads(last) != {"sha256": hashlib.sha256(body).hexdigest()}:
            raise _damaged(path, "it was changed or cut after it was written")
        messages = from_jsonl(rest)
        if len(messages) != head["messages"]:
            raise _damaged(path, "messages are missing")
        usage = msgspec.convert(head["usage"], Usage)
        return Kept(Asked.of(head["asked"]), _recorded(head["recorded"]), usage, messages)
    except (ValueError, KeyError, TypeError, RecursionError, ProtocolError) as error:
        if isinstance(error, DamagedError):
            raise
        raise _damaged(path, "it was changed or cut after it was written") from None


def _recorded(value: Mapping[str, Any]) -> Recorded:
    """
    Raises:
        TypeError: a field is missing, unknown, of another type, or no time that a calendar has.
    """
    recorded = Recorded(**value)
    texts = (recorded.session_name, recorded.model_name, recorded.host, recorded.version)
    times = (recorded.recorded_at, recorded.elapsed)
    if not all(isinstance(each, str) for each in texts) or type(recorded.is_local) is not bool:
        raise TypeError("recorded")
    if not all(type(each) in (int, float) and 0 <= each <= MAX_TIME for each in times):  # NaN is not either
        raise TypeError("recorded")
    if type(recorded.turn_index) is not int or not 0 <= recorded.turn_index <= MAX_TURN:
        raise TypeError("recorded")
    return recorded


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(f"The cached answer {path.name[:12]}… in {str(path.parent)!r} cannot be used: {why}.")
