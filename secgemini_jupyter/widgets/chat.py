"""A full conversation with a session in one output."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import traitlets

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.render import html
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.widgets.base import VIEW, SecGeminiWidget, bundle, in_notebook
from secgemini_jupyter.widgets.conversation import Conversation
from secgemini_jupyter.widgets.feed import Event, Feed
from secgemini_jupyter.widgets.host import ChatHost, ChatSession
from secgemini_jupyter.widgets.rpc import Method, Rpc, encodable
from secgemini_jupyter.widgets.saved import Chapter, SavedOutput, saved_forms
from secgemini_jupyter.widgets.session import check_session, destination
from secgemini_jupyter.widgets.uploads import Uploads

__all__ = ["ChatWidget", "OneSession"]

PROMPT_LIMIT = 200_000
"""Characters of a prompt."""
COMMENT_LIMIT = 10_000
LISTED = 200
"""Sessions that one may switch to: the newest."""

SessionId = Annotated[str, msgspec.Meta(max_length=200)]
Key = Annotated[str, msgspec.Meta(max_length=200)]


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    session_id: SessionId
    prompt: Annotated[str, msgspec.Meta(max_length=PROMPT_LIMIT)]


class View(msgspec.Struct, forbid_unknown_fields=True):
    page: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    """Made anew when a page is loaded."""


class OfSession(msgspec.Struct, forbid_unknown_fields=True):
    session_id: SessionId


class Rate(msgspec.Struct, forbid_unknown_fields=True):
    session_id: SessionId
    turn: Key
    score: Annotated[int, msgspec.Meta(ge=0, le=1)]
    comment: Annotated[str, msgspec.Meta(max_length=COMMENT_LIMIT)] = ""


class Decide(msgspec.Struct, forbid_unknown_fields=True):
    question: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    approve: bool


class OneSession:
    """A chat's host that has one session, and no other."""

    def __init__(self, session: ChatSession) -> None:
        self._session = session

    def chat_session(self) -> ChatSession:
        return self._session

    def list_sessions(self) -> Sequence[ChatSession]:
        return [self._session]

    def resume_session(self, session_id: str) -> ChatSession:
        check_session(self._session.id, session_id)
        return self._session

    def new_chat(self) -> ChatSession:
        raise InputError("This chat has one session. secgemini_jupyter.chat() can open others.")

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:  # noqa: ARG002  # no other becomes current
        return lambda: None


class ChatWidget(SecGeminiWidget):
    """Ask, watch the answer come, stop it, rate it, approve what it wants to run; what was said stays in the notebook.

    It shows one session at a time, and never blocks the kernel: a turn runs on while a cell is busy. A turn that a
    `%%secgemini` cell asks in the same session shows up too. Clicks reach a busy kernel where the front end uses
    subshells (JupyterLab and Notebook 7 with ipykernel 7); elsewhere they wait for the cell, and ■ stops one that waits
    for an approval.

    Attributes:
        state: "idle", "running" or "waiting for approval"; `observe` it to go on when an answer is there.
        session_id: of the session that is shown; `session_name` is its name.
        sessions: those that one may switch to, each with `id` and `name`.
        turns: what was said, oldest first: `key`, `index`, `prompt`, `html` (safe to show), `status` ("running", "ok",
            "error", "interrupted"), `group` (what feedback points at), `rating`, `stoppable`. It is set when a turn
            begins, ends or is rated; a running answer has no `html` yet.
        earlier: how many older turns are not among them; `history()` has all.
        destination: who answers, and where prompts go.
        retained: whether the service keeps prompts and answers.
        files: what is attached to the session, in order: as `AttachWidget.files`.
        max_bytes: what one file may have.
        approvals: what waits for a yes or no: `id`, `kind`, `name`, `arguments` (pairs), `session`, `expires_at`.

    Args:
        host: where its sessions come from.
    """

    _esm, _css = bundle("chat")

    state = traitlets.Unicode("idle").tag(sync=True)
    session_id = traitlets.Unicode().tag(sync=True)
    session_name = traitlets.Unicode().tag(sync=True)
    sessions = traitlets.List(traitlets.Dict()).tag(sync=True)
    turns = traitlets.List(traitlets.Dict()).tag(sync=True)
    earlier = traitlets.Int().tag(sync=True)
    destination = traitlets.Unicode().tag(sync=True)
    retained = traitlets.Bool().tag(sync=True)
    approvals = traitlets.List(traitlets.Dict()).tag(sync=True)
    files = traitlets.List(traitlets.Dict()).tag(sync=True)
    max_bytes = traitlets.Int().tag(sync=True)

    def __init__(self, host: ChatHost) -> None:
        super().__init__()
        self._host = host
        self._showing = threading.RLock()
        self._saved: list[SavedOutput] = []
        self._last_saved: list[Chapter] = []
        self._is_displayed_anew = False
        self._pages: set[str] = set()
        self._sent = ("", 0)
        self._ends: list[Callable[[], None]] = []
        self._opened: dict[str, Conversation] = {}
        self._is_closed = False
        session = host.chat_session()
        if session is None:
            raise InputError("There is no session to talk with.")
        self._feed = Feed(self, self._collect, lambda: self._conversation.is_running)
        self._uploads = Uploads(lambda: self.session, self._feed.wake)
        self._open(session)
        self._ends.append(host.watch(self._feed.wake))
        self._list()
        self._rpc = Rpc(
            self,
            {
                "send": Method(Ask, self._take_prompt),
                "stop": Method(OfSession, self._stop),
                "retry": Method(OfSession, self._retry),
                "rate": Method(Rate, self._rate),
                "decide": Method(Decide, self._decide),
                "list_sessions": Method(Nothing, lambda _: self._list(ask=True)),
                "switch": Method(OfSession, self._switch),
                "new_session": Method(Nothing, self._new_session),
                "resync": Method(View, self._resync),
                **self._uploads.methods,
            },
        )

    def __repr__(self) -> str:
        return one_line(f"<ChatWidget of session {self.session_name!r}: {self.state}, {len(self.turns)} turns shown>")

    @property
    def session(self) -> ChatSession:
        """The session that is shown."""
        return self._conversation.session

    def ask(self, prompt: str) -> None:
        """Begin a turn, as if the prompt had been typed; returns at once.

        Raises:
            InputError: the prompt is empty, or a turn runs.
        """
        self._conversation.ask(prompt)
        self._show()

    def stop(self) -> None:
        """Stop the running turn; what had arrived is kept.

        Raises:
            InputError: none runs, or a cell asked it.
        """
        self._conversation.stop()
        self._show()

    def close(self) -> None:
        """Take the chat away. When no other shows the session, what waits for approval is denied."""
        if hasattr(self, "_ends"):
            with self._showing:  # a session that is being opened is watched by now, or not at all
                self._is_closed, ends, self._ends = True, self._ends, []
            for end in ends:
                end()
        if hasattr(self, "_uploads"):
            self._feed.close()
            self._uploads.close()
        super().close()

    # --- what is shown ---

    def _open(self, session: ChatSession) -> None:
        conversation = Conversation.of(session)
        with self._showing:
            if self._is_closed:
                return
            if session.id not in self._opened or self._opened[session.id] is not conversation:
                self._opened[session.id] = conversation
                self._ends.append(conversation.watch(self._feed.wake))
            self._conversation = conversation
            self._sent = ("", 0)
        conversation.refresh()
        self._show()

    def _show(self) -> None:
        """Bring the traits up to date, and what the notebook keeps."""
        with self._showing, self.hold_sync():
            conversation, session = self._conversation, self._conversation.session
            self.session_id, self.session_name = session.id, one_line(session.name, 80)
            self.destination, self.retained = destination(session), session.can_log
            self.files, self.max_bytes = self._uploads.files, session.max_attachment_bytes
            approvals = [item for each in self._opened.values() for item in questions(each)]
            if approvals != self.approvals:
                self.approvals = approvals
            turns = [each.as_dict() for each in conversation.shown()]
            if turns != self.turns:
                self.earlier, self.turns = conversation.earlier, turns
            is_asked = any(not each.answer.done() for each in conversation.questions.open)
            self.state = "waiting for approval" if is_asked else "running" if conversation.is_running else "idle"
        self._save()

    def _collect(self) -> Event | None:
        current = self._host.chat_session()
        if current is not None and current is not self.session:
            self._open(current)
        self._conversation.refresh()
        self._show()
        with self._showing:
            key, change, outputs = self._conversation.news(*self._sent)
            self._sent = (key, change)
        return Event({"turn": key, "outputs": outputs}) if outputs else None

    def _resync(self, request: View) -> dict[str, Any]:
        """All of the running turn, for a view that opens or missed something; and whether its notebook is kept.

        A page gets what updates an output only if it was there when the cell ran: the first that shows up after that.
        """
        with self._feed.still() as seq, self._showing:
            key, change, outputs = self._conversation.news("", 0)
            self._sent = (key, change)
            if self._is_displayed_anew:
                self._is_displayed_anew = False
                self._pages.add(request.page)
            is_saved = request.page in self._pages
        return {"seq": seq, "turn": key, "outputs": outputs, "is_saved": is_saved}

    # --- what the view asks ---

    def _of_view(self, session_id: str) -> Conversation:
        """The conversation that a view shows. Taken once: while a request is served, another one may be opened.

        Raises:
            InputError: it is not the one that is shown now; nothing was sent.
        """
        conversation = self._conversation
        check_session(conversation.session.id, session_id)
        return conversation

    def _take_prompt(self, request: Ask) -> None:
        self._of_view(request.session_id).ask(encodable(request.prompt))
        self._show()

    def _stop(self, request: OfSession) -> None:
        self._of_view(request.session_id).stop()
        self._show()

    def _retry(self, request: OfSession) -> None:
        conversation = self._of_view(request.session_id)
        said = conversation.shown()
        if not said:
            raise InputError("Nothing was asked in this session yet.")
        conversation.ask(said[-1].prompt)
        self._show()

    def _rate(self, request: Rate) -> None:
        conversation = self._of_view(request.session_id)
        said = conversation.find(request.turn)
        if not said.index:
            raise InputError("This prompt was stopped before it was sent: there is no answer to rate.")
        if said.status == "running":
            raise InputError("The answer is not complete. Rate it when it is.")
        comment = encodable(request.comment)
        conversation.session.send_feedback(request.score, group_id=said.group or None, comment=comment)
        said.rating = request.score
        self._show()

    def _decide(self, request: Decide) -> None:
        for conversation in list(self._opened.values()):
            if any(each.id == request.question for each in conversation.questions.open):
                conversation.questions.decide(request.question, approve=request.approve)
                break
        else:
            raise InputError("This question is not open any more: it was answered, stopped, or waited too long.")
        self._show()

    def _list(self, *, ask: bool = False) -> None:
        listed = self._host.list_sessions() if ask else None
        with self._showing:
            if listed is None:
                listed = [each.session for each in self._opened.values()]
            self.sessions = [{"id": each.id, "name": one_line(each.name, 80)} for each in listed][-LISTED:]

    def _switch(self, request: OfSession) -> None:
        if request.session_id not in {each["id"] for each in self.sessions}:
            raise InputError(f"Session {one_line(request.session_id, 40)!r} is not in the list. Open the list again.")
        self._open(self._host.resume_session(request.session_id))

    def _new_session(self, _: Nothing) -> None:
        self._open(self._host.new_chat())
        self._list()

    # --- what the notebook keeps ---

    def _ipython_display_(self) -> None:
        """The widget, and below it what was said, which the kernel keeps up to date."""
        data, metadata = self._repr_mimebundle_()
        if VIEW in data:
            where = f"A chat with {self.destination}, session {self.session_name}"
            data |= static_form(f"{where}. What was said stands below. To go on, run ")
        with self._showing:
            self._is_displayed_anew = True
            self._saved.append(SavedOutput.display(data, metadata, saved_forms(self._said())))

    def _said(self) -> list[Chapter]:
        """What was said in each session that this chat has shown, the one that it shows now last."""
        now = self._conversation
        all_ = [each for each in list(self._opened.values()) if each is not now]
        return [chapter for each in (*all_, now) if (chapter := Chapter.of(each)).said]

    def _save(self) -> None:
        with self._showing:
            said = self._said()
            if self._saved and said != self._last_saved:
                self._last_saved = said
                forms = saved_forms(said)
                for output in self._saved:
                    output.update(forms)

    def _fallback(self) -> tuple[str, str]:
        said = self._said()
        if said:
            return saved_forms(said)
        where = f"A chat with {self.destination}, session {self.session_name}"
        form = static_form(f"{where}. Nothing was said yet. To begin, run ")
        return form["text/html"], form["text/plain"]


def static_form(words: str) -> dict[str, str]:
    code = "secgemini_jupyter.chat()"
    markup = html.tag("div", words, html.tag("code", code, style=html.CODE), " in a cell.", style=html.QUIET)
    typed = f"{code} in a cell" if in_notebook() else "a %%secgemini cell"
    return {"text/html": markup, "text/plain": f"{words}{typed}."}


def questions(conversation: Conversation) -> list[dict[str, Any]]:
    """The open questions of a conversation, for a view."""
    return [
        {
            "id": each.id,
            "kind": each.kind,
            "name": each.name,
            "arguments": [list(pair) for pair in each.arguments],
            "session": one_line(conversation.session.name, 80),
            "expires_at": each.expires_at,
        }
        for each in conversation.questions.open
    ]
