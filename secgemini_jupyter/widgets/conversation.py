"""A session's turns as a chat shows them: the stored ones, the running one, and how each went. Without a widget."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from secgemini_jupyter.errors import InputError, SecGeminiError, redact, without_keys
from secgemini_jupyter.models import Message, said_by, turn_usage
from secgemini_jupyter.render import html
from secgemini_jupyter.render.answer import TAKEN_BACK, Bundle, Facts, answer_bundle, framed
from secgemini_jupyter.render.live import LiveView
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.threads import daemon
from secgemini_jupyter.transcript.turns import TurnSlice, turn_slices
from secgemini_jupyter.widgets.host import ChatSession, ChatTurn
from secgemini_jupyter.widgets.questions import Questions
from secgemini_jupyter.widgets.said import Said, Status, capped, group_of, key_of, status_of, words_of

__all__ = ["Conversation"]

log = logging.getLogger(__name__)

SHOWN_TURNS = 50
SHOWN_TOTAL = 2_000_000
"""Characters of the turns that are shown, together; the newest is shown whatever it has."""
HELD_UP = "Waiting for the service to end the turn that was stopped before"
UNSENT = "stopped before it was sent: nothing went to the service. Retry sends it."
STOPPED = "stopped here; what had arrived is kept. The service may go on working."


@dataclass
class _Live:
    """The running turn. `outputs` holds each output of it with the number of its last change."""

    said: Said
    view: LiveView
    running: ChatTurn | None = None
    """None: asked elsewhere, in a cell."""
    messages: list[Message] = field(default_factory=list)
    """What came so far, where it was asked elsewhere."""
    outputs: dict[int, tuple[int, str]] = field(default_factory=dict)
    changes: int = 0
    started: float = field(default_factory=time.time)
    is_stopped: bool = False
    inputs: Sequence[tuple[str, int]] = ()
    """Names and sizes of what was attached since the turn before."""

    def put(self, index: int, markup: str) -> None:
        if self.outputs.get(index, (0, ""))[1] != markup:
            self.changes += 1
            self.outputs[index] = (self.changes, markup)


class Conversation:
    """What is said in one session, shared by all chats that show it.

    A turn that a chat asks is read in a thread of its own. One that is asked elsewhere is looked at by `refresh`.
    """

    _shared: ClassVar[weakref.WeakValueDictionary[int, Conversation]] = weakref.WeakValueDictionary()
    _sharing: ClassVar = threading.Lock()

    def __init__(self, session: ChatSession) -> None:
        self.session = session
        self.questions = Questions.of(session)
        self.earlier = 0
        """Turns before the first one that is shown."""
        self._lock = threading.RLock()
        self._turns: list[Said] = []
        self._known: set[str] = set()
        self._live: _Live | None = None
        self._last: ChatTurn | None = None
        self._asked_about = self._files()
        self._is_dirty = self._is_reading = False
        self._watchers: list[Callable[[], None]] = []
        self._ends: list[Callable[[], None]] = []
        self._add_stored(session.messages)

    @classmethod
    def of(cls, session: ChatSession) -> Conversation:
        """The one of this session.

        Raises:
            SecGeminiError: its messages cannot be read.
        """
        with cls._sharing:
            found = cls._shared.get(id(session))
        if found is not None and found.session is session:
            return found
        made = cls(session)  # may ask the service
        with cls._sharing:
            return cls._shared.setdefault(id(session), made)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed()` called, in any thread, when there is something new; gives what ends it."""
        with self._lock:
            if not self._watchers:
                self._is_dirty = True
                self._ends = [self.session.watch(self._on_session), self.questions.watch(self._tell)]
            self._watchers.append(changed)

        def end() -> None:
            with self._lock:
                if changed in self._watchers:
                    self._watchers.remove(changed)
                ends = [] if self._watchers else self._ends
                self._ends = self._ends if self._watchers else []
            for each in ends:
                each()

        return end

    def _on_session(self) -> None:
        self._is_dirty = True
        self._tell()

    def _tell(self) -> None:
        for changed in list(self._watchers):
            changed()

    # --- what is shown ---

    @property
    def is_running(self) -> bool:
        return self._live is not None or self.session.is_running

    def shown(self) -> list[Said]:
        """The turns that are shown, oldest first."""
        with self._lock:
            return list(self._turns)

    def find(self, key: str) -> Said:
        """A turn by its key.

        Raises:
            InputError: it is not shown.
        """
        for said in self.shown():
            if said.key == key:
                return said
        raise InputError("This turn is not in the chat any more. Rate it with session.send_feedback(score, group_id).")

    def news(self, key: str, since: int) -> tuple[str, int, list[list[Any]]]:
        """The running turn's outputs that changed after `since`, if it is `key`; else all of them.

        Returns:
            the key (empty if none runs), the number of the last change, pairs of an index and HTML.
        """
        with self._lock:
            live = self._live
            if live is None:
                return "", 0, []
            since = since if live.said.key == key else 0
            changed = [[index, markup] for index, (change, markup) in live.outputs.items() if change > since]
            return live.said.key, live.changes, changed

    def refresh(self) -> None:
        """Look at what runs: called a few times a second while `is_running`, and after a change."""
        with self._lock:
            if self._live and self._live.running is None:
                self._look_elsewhere(self._live)
            if self._live is None:
                self._begin_elsewhere()
            if self._is_dirty and not self.session.is_running:
                self._is_dirty = False
                self._catch_up()
            if self._live:
                self._draw(self._live)

    def _catch_up(self) -> None:
        """Take up what is stored. After a stop it is not known here, and the service is asked, by another thread."""
        known = self.session.known_messages()
        if known is not None:
            self._add_stored(known)
        elif not self._is_reading:
            self._is_reading = True
            daemon(self._read, name="secgemini-chat-read").start()

    def _read(self) -> None:
        try:
            messages = self.session.messages
        except SecGeminiError as error:
            log.warning("A chat could not read its session: %s", redact(str(error)))
            messages = []
        finally:
            self._is_reading = False
        with self._lock:
            self._add_stored(messages)
        self._tell()

    def _draw(self, live: _Live) -> None:
        if live.running is not None and live.running.is_held_up:
            note = html.tag("div", f"{HELD_UP} · {int(time.time() - live.started)} s", style=html.QUIET)
            live.put(0, framed(note, status="running"))
            return
        for output in live.view.snapshot(time.time()):
            live.put(output.index, without_keys(output.bundle.html))

    # --- turns that are asked here ---

    def ask(self, prompt: str) -> Said:
        """Begin a turn.

        Raises:
            InputError: the prompt is empty, or a turn runs in the session, wherever it was asked.
        """
        if not prompt.strip():
            raise InputError("The prompt is empty: nothing was sent.")
        with self._lock:
            if self._last is not None and self._live is None:
                self._last.wait_stopped(timeout=2)
            if self.is_running:
                name = one_line(self.session.name, 60)
                raise InputError(f"A turn is running in session {name}: wait for it, or stop it. Nothing was sent.")
            self._last = running = self.session.start(prompt)
            said = Said(running.query_id or uuid.uuid4().hex, prompt, index=self.session.turns + 1, is_ours=True)
            files = self._files()
            inputs = [(name, size) for name, size, sha256 in files if (name, size, sha256) not in self._asked_about]
            self._asked_about = files
            self._live = _Live(said, LiveView(self._facts(), started=time.time()), running, inputs=inputs)
            self._add(said)
        daemon(self._follow, self._live, running, name="secgemini-chat").start()
        self._tell()
        return said

    def stop(self) -> None:
        """Stop the turn that a chat asked: at once, and what came is kept.

        Raises:
            InputError: none runs, or it was asked elsewhere.
        """
        with self._lock:
            live = self._live
            if live is None or live.running is None:
                elsewhere = "This turn was asked in a cell: ■ in the toolbar stops it."
                raise InputError(elsewhere if self.is_running else "No turn is running.")
            live.is_stopped = True
        live.running.stop()

    def _follow(self, live: _Live, running: ChatTurn) -> None:
        """Read the turn until it is over."""
        try:
            while not running.is_over:
                message = running.next(timeout=0.5)
                if message is not None:
                    with self._lock:
                        live.view.add(message)
            self._end(live, running)
        except Exception as error:
            words = redact(f"{type(error).__name__}: {error}")
            log.warning("A chat's turn was lost: %s", words)
            self._finish(live, live.view.messages, self._facts(), "error", f"{words}. Please report it as a bug.")
        self._tell()

    def _end(self, live: _Live, running: ChatTurn) -> None:
        error = running.error()
        if live.is_stopped:
            running.wait_stopped(timeout=2)  # the turn counts itself when it lets go of the session
        response = running.response()
        facts = response.facts(live.inputs)
        # What was drawn holds the pieces of an answer whose whole did not come.
        was_cut = live.is_stopped or not any(message.is_end for message in response.messages)
        if error is None and not running.is_sent:
            live.said.index = 0
            self._finish(live, [], dataclasses.replace(facts, turn=None), "interrupted", UNSENT)
        elif error is None and was_cut:  # by the chat, or by who closed the client
            self._finish(live, live.view.messages, facts, "interrupted", STOPPED)
        elif error is None:
            self._finish(live, response.messages, facts, "ok")
        else:
            said = str(error) if isinstance(error, SecGeminiError) else redact(f"{type(error).__name__}: {error}")
            self._finish(live, live.view.messages, facts, "error", said)

    def _finish(self, live: _Live, messages: Sequence[Message], facts: Facts, status: Status, error: str = "") -> None:
        bundle = capped(answer_bundle(messages, facts, status=status, error=error))
        with self._lock:
            said = live.said
            said.status, said.bundle, said.group = status, bundle, group_of(messages)
            said.index = facts.turn or said.index
            self._live = None
            self._trim()

    # --- turns that are asked elsewhere ---

    def _begin_elsewhere(self) -> None:
        messages = self.session.running_messages()
        if not messages:
            return
        query = messages[0]
        said = next((each for each in self._turns if each.key == query.id), None)
        if said is not None and said.status == "interrupted":
            said.status, said.bundle, said.is_ours = "running", None, False  # somebody listens to it again
        elif query.id in self._known:
            return
        else:
            known = self.session.known_messages() or []  # quick turns may have come and gone before it
            self._add_stored(known[: next((n for n, each in enumerate(known) if each.id == query.id), None)])
            said = Said(query.id, query.text or "", index=self.session.turns + 1)
            self._add(said)
        self._live = _Live(said, LiveView(self._facts(), started=query.created_at))
        self._take(self._live, messages)

    def _look_elsewhere(self, live: _Live) -> None:
        messages = self.session.running_messages()
        if messages and messages[0].id == live.said.key:
            self._take(live, messages)
            return
        known = self.session.known_messages() or []
        stored = next((each for each in turn_slices(known) if key_of(each) == live.said.key), None)
        whole = stored or TurnSlice(live.said.index, live.messages)
        self._finish(live, whole.messages[1:], self._facts(whole), status_of(whole), words_of(whole))

    def _take(self, live: _Live, messages: list[Message]) -> None:
        for message in messages[max(1, len(live.messages)) :]:
            live.view.add(message)
        live.messages = messages

    # --- what is stored ---

    def _add_stored(self, messages: list[Message]) -> None:
        """Add the turns that are not here yet, in their places."""
        stored = [each for each in turn_slices(messages) if each.query is not None]
        new = [each for each in stored if key_of(each) not in self._known]
        running = self.session.running_messages()
        new = [each for each in new if not running or key_of(each) != running[0].id]
        self.earlier += len(new[:-SHOWN_TURNS])
        self._known.update(key_of(each) for each in new)
        for whole in new[-SHOWN_TURNS:]:
            status = status_of(whole)
            group = group_of(whole.messages)
            self._turns.append(Said(key_of(whole), whole.prompt or "", status, whole.index, self._drawn(whole), group))
        self._redraw(stored)
        indexes = {key_of(each): each.index for each in stored}
        places: dict[str, int] = {}
        before = 0
        for said in self._turns:
            said.index = indexes.get(said.key, said.index)
            before = places[said.key] = said.index or before  # one that was never sent stays where it is
        self._turns.sort(key=lambda said: places[said.key])
        self._trim()

    def _drawn(self, whole: TurnSlice) -> Bundle:
        note = TAKEN_BACK if whole.is_taken_back else ""
        bundle = answer_bundle(
            whole.shown[1:], self._facts(whole), status=status_of(whole), error=words_of(whole), note=note
        )
        return capped(bundle)

    def _redraw(self, stored: Sequence[TurnSlice]) -> None:
        """Show anew the answers that a later turn changed or took back."""
        changed = {key_of(each): each for each in stored if each.changes.of_target}
        for said in self._turns if changed else ():
            whole = changed.get(said.key)
            marks = [change.by.id for change in whole.changes.of_target.values()] if whole else []
            if whole and said.status != "running" and said.changed_by != marks:
                said.changed_by, said.bundle = marks, self._drawn(whole)

    def _add(self, said: Said) -> None:
        self._known.add(said.key)
        self._turns.append(said)
        self._trim()

    def _trim(self) -> None:
        total = 0
        for kept, said in enumerate(reversed(self._turns)):
            total += said.size
            if kept and (kept >= SHOWN_TURNS or total > SHOWN_TOTAL):
                self.earlier += len(self._turns) - kept
                del self._turns[: len(self._turns) - kept]
                return

    def _files(self) -> list[tuple[str, int, str]]:
        return [(file.name, file.size, file.sha256) for file in self.session.files]

    def _facts(self, whole: TurnSlice | None = None) -> Facts:
        session = self.session
        messages = whole.messages if whole else []
        answer = said_by(messages)
        usage = turn_usage(messages)
        return Facts(
            actor=answer.actor if answer else "",
            model=session.model.model_string or session.model.model_name,
            host=session.host,
            is_local=session.is_local,
            session=session.name,
            turn=whole.index or None if whole else None,
            retained=session.can_log,
            elapsed=whole.duration if whole else None,
            usage=usage if usage.total_tokens else None,
        )
