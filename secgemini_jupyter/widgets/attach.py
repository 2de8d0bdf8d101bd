"""Evidence into a session by drag and drop: each file's hash compared in the browser, here and at the service."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import traitlets

from secgemini_jupyter.render.html import CELL, CODE, NUMBER, SCROLL, TABLE, Html, join, tag
from secgemini_jupyter.render.text import count, one_line, size
from secgemini_jupyter.widgets.base import SecGeminiWidget, bundle
from secgemini_jupyter.widgets.rpc import Rpc
from secgemini_jupyter.widgets.session import AttachSession, destination
from secgemini_jupyter.widgets.uploads import Uploads

__all__ = ["AttachWidget"]

SHOWN = 100
"""Files in the saved form of the widget."""
HOW = "%secgemini attach PATH"


class AttachWidget(SecGeminiWidget):
    """Drop, pick or paste files: they are attached to the session, each hash compared on its way.

    Args:
        session: the session that gets them.

    Attributes:
        files: what is attached, in order: dicts of name, size (bytes), sha256, mime_type, content_type_label, and
            verified (the service's sha256 is that of what was sent from this kernel). Cleaned for display; exact in
            `session.files`. Files that a cell or Python attached are there too. To observe and link, as are all here.
        state: "idle", "uploading" or "failed": whether files are on their way, or the last one did not arrive.
        session_id, session_name: the session that gets them.
        deleted: whether this kernel deleted the session, and its files with it: nothing is taken any more.
        destination: where they go, in words; retained: whether the service keeps prompts and answers.
        max_bytes: what one file may have.
    """

    _esm, _css = bundle("attach")

    session_id = traitlets.Unicode().tag(sync=True)
    session_name = traitlets.Unicode().tag(sync=True)
    deleted = traitlets.Bool().tag(sync=True)
    destination = traitlets.Unicode().tag(sync=True)
    retained = traitlets.Bool().tag(sync=True)
    max_bytes = traitlets.Int().tag(sync=True)
    files = traitlets.List(traitlets.Dict()).tag(sync=True)
    state = traitlets.Unicode("idle").tag(sync=True)

    def __init__(self, session: AttachSession) -> None:
        self._session = session
        self._showing = threading.RLock()
        self._uploads = Uploads(lambda: session, self._show)
        super().__init__(**self._now())
        self._rpc = Rpc(self, self._uploads.methods)
        own = weakref.WeakMethod(self._show)
        self._end_watch = session.watch(lambda: (show := own()) and show())

    def close(self) -> None:
        self._end_watch()
        self._uploads.close()
        super().close()

    def __repr__(self) -> str:
        files = count(len(self.files), "file")
        return f"<AttachWidget of session {self.session_name!r}: {files}, {_kept(self.retained)}>"

    def _now(self) -> dict[str, Any]:
        session = self._session
        return {
            "session_id": session.id,
            "session_name": one_line(session.name, 80),
            "deleted": session.is_deleted,
            "destination": destination(session),
            "retained": session.can_log,
            "max_bytes": session.max_attachment_bytes,
            "files": self._uploads.files,
            "state": self._uploads.state,
        }

    def _show(self) -> None:
        """Bring the traits up to date; called from any thread."""
        with self._showing:  # else an older list could be set after a newer one
            for name, value in self._now().items():
                if getattr(self, name) != value:
                    setattr(self, name, value)

    def _fallback(self) -> tuple[str, str]:
        if self.deleted:
            gone = f"Session {self.session_name} was deleted, and its files with it."
            return tag("p", gone), gone
        where = f"session {self.session_name} ({self.destination}; {_kept(self.retained)})"
        if not self.files:
            html = tag("p", f"No files in {where}. To attach one, run ", tag("code", HOW, style=CODE), " in a cell.")
            return html, f"No files in {where}. To attach one, run {HOW} in a cell."
        title = f"{count(len(self.files), 'file')} in {where}:"
        shown = [_row(file) for file in self.files[:SHOWN]]
        more = f"and {len(self.files) - SHOWN:,} more" if len(self.files) > SHOWN else ""
        html = tag("div", tag("p", title), _table(shown), tag("p", more) if more else "")
        lines = [f"  {name}  {bytes_}  {kind}  {sha256}" for name, bytes_, kind, sha256 in shown]
        return html, "\n".join([title, *lines, *([f"  {more}"] if more else [])])


def _kept(retained: bool) -> str:
    return "retained by the service" if retained else "not retained"


def _row(file: dict[str, Any]) -> tuple[str, str, str, str]:
    return file["name"], size(file["size"]), file["content_type_label"] or file["mime_type"], file["sha256"]


def _table(rows: list[tuple[str, str, str, str]]) -> Html:
    head = tag("tr", *(tag("th", name, style=CELL["left"]) for name in ("name", "size", "type", "sha256")))
    body = (
        tag("tr", *(tag("td", text, style=NUMBER if i == 1 else CELL["left"]) for i, text in enumerate(row)))
        for row in rows
    )
    return tag("div", tag("table", tag("thead", head), tag("tbody", join(*body)), style=TABLE), style=SCROLL)
