"""Which sessions a notebook used: kept per notebook, so that it goes on after a restart of its kernel.

A file holds ids and the names that the notebook gave them, nothing that was said. Each service and user has a place of
its own in it: an id of the local service is none of Sec-Gemini's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secgemini_jupyter.disk import read_regular
from secgemini_jupyter.settings import data_dir, notebook_id

__all__ = ["Last", "NotebookMemory"]

VERSION = 1
MAX_NAMES = 200
"""Names that are kept of one place; the oldest go first."""
MAX_FILE = 10_000_000
"""Bytes; a file of ours stays far below."""
PATIENCE = 2.0
"""Seconds to wait for another kernel of the same notebook that writes."""


@dataclass(frozen=True)
class Last:
    """The session that was current last.

    Attributes:
        name: what the notebook called it.
        expires_at: Unix seconds, as known when it was kept.
    """

    session_id: str
    name: str
    expires_at: float


class NotebookMemory:
    """The remembered sessions of one notebook; nothing where the front end does not tell which notebook it is.

    What cannot be read or written is said once, and never stops a cell.

    Args:
        namespace: the user's variables, where some front ends leave the notebook's path.
        say: tells the user one line.
    """

    def __init__(self, namespace: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self._namespace = namespace
        self._say = say
        self._told = False
        self._before: dict[str, Last | None] = {}
        self._has_current: set[str] = set()

    @property
    def is_known(self) -> bool:
        """Whether the notebook is known, and so has a memory."""
        return notebook_id(self._namespace) is not None

    def before(self, place: str) -> Last | None:
        """What was current when the kernel before this one stopped."""
        if place not in self._before:
            self._before[place] = _last(self._places().get(place))
        return self._before[place]

    def last(self, place: str) -> Last | None:
        """The same; without such a kernel, what is current now."""
        return self.before(place) or _last(self._places().get(place))

    def id_of(self, place: str, name: str) -> str | None:
        """The session that this notebook called so."""
        return _sessions(self._places().get(place)).get(name)

    def names(self) -> list[str]:
        """The sessions at all places, the latest of each first."""
        return list(dict.fromkeys(name for place in self._places().values() for name in reversed(_sessions(place))))

    def other_places(self, place: str) -> list[str]:
        """Other services that this notebook has sessions at, by host."""
        return [other.partition(" ")[0] for other in self._places() if other != place]

    def keep(self, place: str, last: Last, *, is_current: bool, is_named: bool) -> None:
        """Remember a session; as the last one, if it is current, or this kernel has had no current one yet."""
        self.before(place)  # it may be overwritten now
        is_last = is_current or place not in self._has_current
        if is_current:
            self._has_current.add(place)

        def change(places: dict[str, Any]) -> None:
            sessions = _sessions(places.get(place))
            if is_named:
                sessions = {name: id_ for name, id_ in sessions.items() if last.session_id not in (name, id_)}
                sessions.pop(last.name, None)
                sessions[last.name] = last.session_id
            kept: dict[str, Any] = {"sessions": dict(list(sessions.items())[-MAX_NAMES:])}
            current = last if is_last else _last(places.get(place))
            if current:
                kept["last"] = {"id": current.session_id, "name": current.name, "expires_at": current.expires_at}
            places[place] = kept

        self._change(change)

    def forget(self, place: str, session_id: str) -> None:
        """It is gone at the service."""

        def change(places: dict[str, Any]) -> None:
            if place not in places:
                return
            last = _last(places[place])
            kept: dict[str, Any] = {
                "sessions": {n: id_ for n, id_ in _sessions(places[place]).items() if id_ != session_id}
            }
            if last and last.session_id != session_id:
                kept["last"] = places[place]["last"]
            places[place] = kept

        if (before := self._before.get(place)) and before.session_id == session_id:
            self._before[place] = None
        self._change(change)

    # --- the file ---

    def _places(self) -> dict[str, Any]:
        with self._warning():
            path = self._path()
            return self._read(path) or {} if path else {}
        return {}

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        with self._warning():
            path = self._path()
            if path is None:
                return
            from filelock import FileLock

            path.parent.mkdir(mode=0o700, exist_ok=True)
            with FileLock(path.with_suffix(".lock"), timeout=PATIENCE):  # another kernel may have the same notebook
                places = self._read(path)
                if places is None:
                    return
                change(places)
                draft = path.with_suffix(f".{os.getpid()}.new")
                draft.write_text(json.dumps({"version": VERSION, "places": places}), "utf-8")
                draft.replace(path)

    def _path(self) -> Path | None:
        notebook = notebook_id(self._namespace)
        return data_dir() / "notebooks" / f"{notebook}.json" if notebook else None

    def _read(self, path: Path) -> dict[str, Any] | None:
        """What the file holds by place; None for one of a newer version, which is left alone."""
        try:
            stored = json.loads(read_regular(path, MAX_FILE).decode())
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            return self._set_aside(path)
        version = stored.get("version") if isinstance(stored, dict) else None
        if isinstance(version, int) and version > VERSION:
            self._tell(f"{path} is of a newer version: this notebook's sessions are not remembered.")
            return None
        if version != VERSION or not isinstance(stored.get("places"), dict):
            return self._set_aside(path)
        return dict(stored["places"])

    def _set_aside(self, path: Path) -> dict[str, Any]:
        aside = path.with_suffix(".unreadable")
        path.replace(aside)
        self._tell(f"What was remembered of this notebook's sessions cannot be read; it is now {aside}.")
        return {}

    @contextmanager
    def _warning(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # filelock's Timeout too
            reason = error.strerror or str(error)
            self._tell(f"This notebook's sessions are not remembered over a restart of its kernel: {reason}.")

    def _tell(self, line: str) -> None:
        if not self._told:
            self._told = True
            self._say(line)


def _sessions(place: object) -> dict[str, str]:
    sessions = place.get("sessions") if isinstance(place, dict) else None
    pairs = sessions.items() if isinstance(sessions, dict) else ()
    return {name: id_ for name, id_ in pairs if isinstance(id_, str) and id_}


def _last(place: object) -> Last | None:
    last = place.get("last") if isinstance(place, dict) else None
    if not isinstance(last, dict) or not isinstance(last.get("id"), str) or not last["id"]:
        return None
    expires_at = last.get("expires_at")
    return Last(last["id"], str(last.get("name") or ""), expires_at if isinstance(expires_at, int | float) else 0.0)
