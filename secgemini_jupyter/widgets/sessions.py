"""Browse a user's sessions: search, resume, rename, extend, delete, and open one as a picture."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import msgspec
import traitlets
from ipywidgets import Widget, widget_serialization

from secgemini_jupyter.errors import InputError, SessionNotFoundError
from secgemini_jupyter.render.html import QUIET, SUMMARY, tag
from secgemini_jupyter.render.tables import Table
from secgemini_jupyter.render.text import count, defanged, one_line, utc
from secgemini_jupyter.settings import MIN_TTL
from secgemini_jupyter.widgets.base import SecGeminiWidget, bundle, in_notebook
from secgemini_jupyter.widgets.feed import Feed
from secgemini_jupyter.widgets.rpc import Method, Rpc, encodable
from secgemini_jupyter.widgets.session import ListedSession, SessionsHost, destination

__all__ = ["SessionsWidget"]

MAX_LISTED = 1000
"""Sessions that the widget shows: the newest."""
MAX_TTL = 366 * 86400
"""Seconds that one click may extend a session by."""
NAME_LIMIT = 200
"""Characters of a name that a view may give."""
FALLBACK_ROWS = 100

SessionId = Annotated[str, msgspec.Meta(max_length=200)]


class Refresh(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    session_id: SessionId


class Rename(msgspec.Struct, forbid_unknown_fields=True):
    session_id: SessionId
    name: Annotated[str, msgspec.Meta(max_length=NAME_LIMIT)]


class Extend(msgspec.Struct, forbid_unknown_fields=True):
    session_id: SessionId
    ttl: Annotated[int, msgspec.Meta(ge=MIN_TTL, le=MAX_TTL)]


class SessionsWidget(SecGeminiWidget):
    """All active sessions of a key, as a table that one can act on. It follows what its kernel does.

    Args:
        host: who has the sessions, and makes one of them current: a kernel's `KernelSession`.

    Attributes:
        sessions: the listed ones, newest first, at most 1,000: dicts of session_id, name, description, turns, messages,
            files, retained, current, created_at, updated_at, expires_at (ISO 8601, UTC; empty where not known). Texts
            are cleaned for display. To observe and link, as are all here.
        selected: id of the selected session, or empty. The view sets it, and Python may.
        opened: the widget that shows a session within this one, or None.
        opened_id: the session that it shows.
        state: "idle", "loading" or "failed": what became of the last reading of the list.
        total: how many sessions there are, listed or not.
        listed_at: when the list was read (ISO 8601, UTC).
        destination: where these sessions are kept, in words.

    Raises:
        SecGeminiError: the sessions cannot be listed.
    """

    _esm, _css = bundle("sessions")
    _from_browser: ClassVar = {"selected": SessionId}

    sessions = traitlets.List(traitlets.Dict()).tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)
    opened = traitlets.Instance(Widget, allow_none=True).tag(sync=True, **widget_serialization)
    opened_id = traitlets.Unicode().tag(sync=True)
    state = traitlets.Unicode("idle").tag(sync=True)
    total = traitlets.Int().tag(sync=True)
    listed_at = traitlets.Unicode().tag(sync=True)
    destination = traitlets.Unicode().tag(sync=True)

    def __init__(self, host: SessionsHost) -> None:
        self._host = host
        self._lock = threading.RLock()
        self._is_closed = False
        self._listed: dict[str, ListedSession] = {}
        super().__init__()
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise
        self._rpc = Rpc(
            self,
            {
                "refresh": Method(Refresh, lambda _: self.refresh()),
                "resume": Method(Chosen, self._resume),
                "rename": Method(Rename, self._rename),
                "extend": Method(Extend, self._extend),
                "delete": Method(Chosen, self._delete),
                "open": Method(Chosen, self._open),
                "close": Method(Refresh, lambda _: self._close_opened()),
            },
        )
        self._feed = Feed(self, self._follow)
        self._end_watch = host.watch(self._feed.wake)

    def __repr__(self) -> str:
        return f"<SessionsWidget of {count(self.total, 'session')} at {self.destination}>"

    def refresh(self) -> None:
        """Read the list afresh.

        Raises:
            SecGeminiError: it cannot be read; what was listed stays.
        """
        self.state = "loading"
        try:
            listed = {session.id: session for session in self._host.list_sessions()}
            where = destination(self._host)
        except BaseException:
            self.state = "failed"
            raise
        with self._lock:
            self._listed = listed
            self.destination = where
            self.listed_at = _iso(datetime.now(UTC).timestamp())
            self._show()
            self.state = "idle"

    def close(self) -> None:
        if hasattr(self, "_end_watch"):  # not where the list could not be read
            self._end_watch()
            self._feed.close()
        with self._lock:
            self._is_closed = True
        self._close_opened()
        super().close()

    # --- what is shown ---

    def _follow(self) -> None:
        """The kernel has done something: show it, without a request. There is no event: the traits say all."""
        with self._lock:
            for session in self._host.own_sessions():
                self._listed.setdefault(session.id, session)
            self._show()

    def _show(self) -> None:
        with self._lock, self.hold_sync():
            self._listed = {key: session for key, session in self._listed.items() if not session.is_deleted}
            newest = sorted(self._listed.values(), key=_created, reverse=True)
            # An id that does not look like itself could be taken for another one's.
            shown = [session for session in newest if one_line(session.id) == session.id][:MAX_LISTED]
            now = datetime.now(UTC).timestamp()
            current = self._host.current_id
            self.sessions = [_row(session, current, now) for session in shown]
            self.total = len(self._listed)
            if self.selected not in self._shown_ids():
                self.selected = ""
        if self.opened_id and self.opened_id not in self._listed:
            self._close_opened()

    def _shown_ids(self) -> set[str]:
        return {row["session_id"] for row in self.sessions}

    def set_state(self, sync_data: dict[str, Any]) -> None:
        chosen = sync_data.get("selected")
        if isinstance(chosen, str) and chosen and chosen not in self._shown_ids():
            sync_data = {name: value for name, value in sync_data.items() if name != "selected"}
        super().set_state(sync_data)

    @traitlets.validate("selected")
    def _is_listed(self, proposal: Any) -> str:
        chosen: str = proposal["value"]
        if chosen and chosen not in self._shown_ids():
            raise traitlets.TraitError(f"No session {chosen!r} is in the list. Call refresh(), or look at sessions.")
        return chosen

    # --- what a view asks for; each says what it did ---

    def _resume(self, request: Chosen) -> str:
        with self._acting_on(request.session_id) as session:
            self._host.resume_session(session.id)
            return f"Resumed {_name(session)}: the next %%secgemini cell asks in it."

    def _rename(self, request: Rename) -> str:
        name = encodable(request.name).strip()
        if not name:
            raise InputError("The name is empty. Type one, or press Escape to keep the old one.")
        with self._acting_on(request.session_id) as session:
            before = _name(session)
            self._host.update_session(session.id, name=name)
            return f"Renamed {before} to {_name(session)}."

    def _extend(self, request: Extend) -> str:
        with self._acting_on(request.session_id) as session:
            self._host.update_session(session.id, ttl=request.ttl)
            return f"{_name(session)} now lives until {utc(session.expires_at)}."

    def _delete(self, request: Chosen) -> str:
        with self._acting_on(request.session_id) as session:
            was_current = session.id == self._host.current_id
            what = f"{_name(session)} with {count(session.turns, 'turn')} and {count(len(session.files), 'file')}"
            self._host.delete_session(session.id)
            return f"Deleted {what}.{self._new_current() if was_current else ''}"

    def _new_current(self) -> str:
        current = next((each for each in self._host.own_sessions() if each.id == self._host.current_id), None)
        if current is None:
            return " No session is current now: the next %%secgemini cell makes one."
        return f" {_name(current)} is current now."

    def _open(self, request: Chosen) -> dict[str, str]:
        with self._acting_on(request.session_id) as session:
            client = "SecGemini.local()" if session.is_local else "SecGemini()"
            code = f"{client}.resume_session({session.id!r}).visualize()"
            shown = self._host.visualize(session.id)
            if not isinstance(shown, Widget):
                raise InputError(f"Nothing can be shown in here. In a cell, run: {code}")
            with self._lock:
                if self._is_closed:  # meanwhile: nothing would end the new widget
                    shown.close()
                    raise InputError("This widget was closed. Run its cell again.")
                self._close_opened()
                with self.hold_sync():
                    self.opened, self.opened_id = shown, session.id
            # The code is for a front end that shows no widget within another.
            return {"said": f"Opened {_name(session)}.", "code": code}

    def _close_opened(self) -> None:
        with self._lock:
            shown = self.opened
            with self.hold_sync():
                self.opened, self.opened_id = None, ""
        if shown is not None:
            shown.close()

    @contextmanager
    def _acting_on(self, session_id: str) -> Iterator[ListedSession]:
        """The listed session of this id; afterwards the list shows what became of it.

        Raises:
            InputError: it is not in the list, or not at the service any more.
        """
        session = self._listed.get(session_id)
        if session is None or session_id not in self._shown_ids():
            raise InputError(f"No session {one_line(session_id, 40)!r} is in this list. Refresh it, then try again.")
        try:
            yield session
        except SessionNotFoundError:
            with self._lock:
                self._listed.pop(session_id, None)
            raise InputError(f"{_name(session)} is gone: deleted elsewhere, or expired. It was taken off.") from None
        finally:
            self._show()

    # --- without a kernel ---

    def _fallback(self) -> tuple[str, str]:
        title = f"{count(self.total, 'session')} at {self.destination}, as of {_minute(self.listed_at)} UTC"
        table = Table.from_objects([_fallback_row(row) for row in self.sessions[:FALLBACK_ROWS]])
        more = f"{count(self.total - len(table.rows), 'more session')} at the service"
        rest = [more] if self.total > len(table.rows) else []
        by_click = "To browse them, run %secgemini sessions --browse in a cell."
        by_word = "To act on one, type %secgemini resume, update or delete."
        html = tag(
            "details",
            tag("summary", title, style=SUMMARY),
            table.to_html() if table.rows else "",
            *(tag("div", line, style=QUIET) for line in [*rest, by_click]),
        )
        how = by_click if in_notebook() else by_word
        return html, "\n".join([title, *([table.to_text()] if table.rows else []), *rest, how])


def _row(session: ListedSession, current: str, now: float) -> dict[str, Any]:
    expires = session.expires_at
    return {
        "session_id": session.id,
        "name": _name(session),
        "description": defanged(one_line(session.description, 300)),
        "turns": session.turns,
        "messages": session.num_messages,
        "files": len(session.files),
        "retained": session.can_log,
        "current": session.id == current,
        "created_at": _iso(session.create_time),
        "updated_at": _iso(session.update_time),
        # It is listed, so it lives: somebody has extended it, and the service does not tell until when.
        "expires_at": _iso(expires) if expires > now else "",
    }


def _fallback_row(row: dict[str, Any]) -> dict[str, Any]:
    short = {name: _minute(row[name]) for name in ("created_at", "expires_at")}
    names = ("name", "turns", "files", "retained", "current")
    return {**{name: row[name] for name in names}, **short, "session_id": row["session_id"]}


def _minute(iso: str) -> str:
    return iso[:16].replace("T", " ")


def _name(session: ListedSession) -> str:
    return one_line(session.name, NAME_LIMIT) or one_line(session.id, 40)


def _created(session: ListedSession) -> float:
    return session.create_time if session.create_time == session.create_time else 0.0  # NaN has no order


def _iso(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):  # outside the calendar
        return ""
