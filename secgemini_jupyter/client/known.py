"""One object for each session: who asks for an id twice gets the same, and all see the same changes."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession

__all__ = ["KnownSessions"]


class KnownSessions:
    """Sessions by id, as long as somebody holds them.

    Args:
        changed: called when something changes in one of them, in the thread that brought the change.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._sessions: weakref.WeakValueDictionary[str, InteractiveSession] = weakref.WeakValueDictionary()

    def get(self, session_id: str) -> InteractiveSession | None:
        return self._sessions.get(session_id)

    def one(self, session: InteractiveSession) -> InteractiveSession:
        """The object of this session's id, which takes over what the given one was just told by the service."""
        with self._lock:
            known = self._sessions.setdefault(session.id, session)
        if known is session:
            session.watch(self._changed)
        else:
            known._state.relist(session._state.info)
        return known

    def forget(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)

    def clear(self) -> None:
        self._sessions.clear()
