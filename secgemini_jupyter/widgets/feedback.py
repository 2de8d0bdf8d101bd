"""Rate a session or one of its turns, and report a bug, with one click."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import traitlets

from secgemini_jupyter.errors import InputError, redact
from secgemini_jupyter.render.html import QUIET, join, tag
from secgemini_jupyter.render.text import one_line, safe_text
from secgemini_jupyter.widgets.base import SecGeminiWidget, bundle
from secgemini_jupyter.widgets.rpc import Method, Rpc, encodable
from secgemini_jupyter.widgets.session import FeedbackSession, check_session

__all__ = ["FeedbackWidget"]

TEXT_LIMIT = 10_000
"""Characters of a comment or report."""
KEPT = 20
"""Pieces of sent feedback that the widget remembers."""

Text = Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]
SessionId = Annotated[str, msgspec.Meta(max_length=200)]


class SendFeedback(msgspec.Struct, forbid_unknown_fields=True):
    session_id: SessionId
    score: Literal[0, 1]
    comment: Text = ""


class SendBugReport(msgspec.Struct, forbid_unknown_fields=True):
    session_id: SessionId
    bug: Text


class FeedbackWidget(SecGeminiWidget):
    """Thumbs, a comment, a bug report; what was sent is shown.

    Args:
        session: the session that is rated.
        group_id: a group or message of it; None is the whole session.
        label: what is rated, in words ("turn 3").
        compact: a strip of one row, as it stands under an answer; the rest opens on demand.

    Attributes:
        score: the score that was sent last: 1, 0, or None. To observe and link, as are all here.
        state: "idle", "sending", "sent" or "failed": what became of the last send.
        sent: what the service took, oldest first: dicts of kind ("feedback", "bug"), score, text, sent_at.
        label, session_id, session_name: what is rated.
    """

    _esm, _css = bundle("feedback")

    session_id = traitlets.Unicode().tag(sync=True)
    session_name = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    sent = traitlets.List(traitlets.Dict()).tag(sync=True)
    score = traitlets.Int(None, allow_none=True).tag(sync=True)
    state = traitlets.Unicode("idle").tag(sync=True)
    compact = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        session: FeedbackSession,
        group_id: str | None = None,
        *,
        label: str | None = None,
        compact: bool = False,
    ) -> None:
        super().__init__(
            compact=compact,
            session_id=session.id,
            session_name=_name(session),
            label=one_line(label or (f"group {group_id}" if group_id else "this session"), 80),
        )
        self._session = session
        self._group_id = group_id
        self._sent_lock = threading.Lock()
        self._rpc = Rpc(
            self,
            {
                "send_feedback": Method(SendFeedback, self._send_feedback),
                "send_bug_report": Method(SendBugReport, self._send_bug_report),
            },
        )
        own = weakref.WeakMethod(self._show_name)
        self._end_watch = session.watch(lambda: (show := own()) and show())

    def close(self) -> None:
        self._end_watch()
        super().close()

    def __repr__(self) -> str:
        return f"<FeedbackWidget of {self.label}, session {self.session_name!r}>"

    def _show_name(self) -> None:
        """Follow a session that is renamed; called from any thread."""
        if self.session_name != (name := _name(self._session)):
            self.session_name = name

    def _send_feedback(self, request: SendFeedback) -> None:
        check_session(self._session.id, request.session_id)
        comment = encodable(request.comment)
        with self._sending():
            self._session.send_feedback(request.score, group_id=self._group_id, comment=comment)
            self._remember("feedback", request.score, comment)

    def _send_bug_report(self, request: SendBugReport) -> None:
        check_session(self._session.id, request.session_id)
        bug = encodable(request.bug)
        if not bug.strip():
            raise InputError("The bug report is empty. Say what went wrong, then send it.")
        with self._sending():
            self._session.send_bug_report(bug, group_id=self._group_id)
            self._remember("bug", 0, bug)

    @contextlib.contextmanager
    def _sending(self) -> Iterator[None]:
        self.state = "sending"
        try:
            yield
        except BaseException:
            self.state = "failed"
            raise
        self.state = "sent"

    def _remember(self, kind: Literal["feedback", "bug"], score: int, text: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        # The notebook keeps this: a key that was pasted into a comment must not stay there.
        item = {"kind": kind, "score": score, "text": safe_text(redact(text)), "sent_at": now}
        with self._sent_lock:
            self.sent = [*self.sent, item][-KEPT:]
            if kind == "feedback":
                self.score = score

    def _fallback(self) -> tuple[str, str]:
        title = f"Feedback on {self.label}, session {self.session_name}"
        if not self.sent and self.compact:  # under a saved answer: to be overlooked
            text = f"Feedback on {self.label} needs its kernel."
            return tag("div", text, style=QUIET), text
        if not self.sent:
            how = '%secgemini feedback up|down "comment"'
            html = tag("p", f"{title}: none sent yet. To give it, run ", tag("code", how), " in a cell.")
            return html, f"{title}: none sent yet. To give it, run {how} in a cell."
        lines = [_line(item) for item in self.sent]
        html = tag("div", tag("p", f"{title}:"), tag("ul", join(*(tag("li", line) for line in lines))))
        return html, "\n".join([f"{title}:", *(f"  - {line}" for line in lines)])


def _name(session: FeedbackSession) -> str:
    return one_line(session.name, 80)


def _line(item: dict[str, Any]) -> str:
    kind = "Bug report" if item["kind"] == "bug" else "Helpful" if item["score"] else "Not helpful"
    said = f": {one_line(item['text'], 300)}" if item["text"] else ""
    return f"{kind}{said} ({item['sent_at'][:19].replace('T', ' ')} UTC)"
