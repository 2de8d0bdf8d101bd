"""The sessions that one kernel keeps: what magics, widgets and Python code of a notebook share."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.client.known import KnownSessions
from secgemini_jupyter.client.watchers import Watchers
from secgemini_jupyter.errors import InputError, SessionNotFoundError, SettingsError, one_line
from secgemini_jupyter.kernel.jobs import Jobs
from secgemini_jupyter.kernel.memory import Last, NotebookMemory
from secgemini_jupyter.kernel.models import known_model
from secgemini_jupyter.kernel.replays import Replays
from secgemini_jupyter.kernel.tooling import bind_again, equip, with_tools
from secgemini_jupyter.settings import backend, find_key, missing_key_message

if TYPE_CHECKING:
    from secgemini_jupyter.client.running import RunningTurn
    from secgemini_jupyter.client.sync import InteractiveSession, SecGemini
    from secgemini_jupyter.models import UserInfo
    from secgemini_jupyter.tools import Tool
    from secgemini_jupyter.widgets import VisualizeWidget
    from secgemini_jupyter.widgets.chat import ChatWidget
    from secgemini_jupyter.widgets.questions import Asker

__all__ = ["MAIN", "KernelSession"]

MAIN = "main"
"""Name of the session that a kernel starts with."""
DESCRIPTION = "Jupyter notebook"


class KernelSession:
    """The sessions of one kernel, by name; one of them is current.

    Args:
        namespace: the user's variables, where some front ends leave the notebook's path.
        say: tells the user one line, once.
        defaults: options of `create_session` for what this kernel makes; `name` is for `main` alone.
    """

    def __init__(
        self,
        namespace: Mapping[str, Any] | None = None,
        *,
        say: Callable[[str], None] | None = None,
        defaults: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self._serve(namespace, say, defaults)
        self._lock = threading.RLock()
        self._sessions: dict[str, InteractiveSession] = {}
        self._watchers = Watchers()
        self._known = KnownSessions(self._watchers.tell)
        self._client: SecGemini | None = None
        self.current_name = MAIN
        self._asked: RunningTurn | None = None
        self._gone: set[str] = set()  # ids of sessions that are not at the service any more
        self.replays = Replays()
        self.jobs = Jobs()
        self.here: Asker | None = None
        """Who is asked where code of a cell waits for a turn itself."""

    def _serve(
        self,
        namespace: Mapping[str, Any] | None,
        say: Callable[[str], None] | None,
        defaults: Callable[[], Mapping[str, Any]] | None,
    ) -> None:
        tell = say or (lambda _: None)
        self._say: Callable[[str], None] = lambda line: tell(one_line(line))
        self._defaults = defaults or dict
        self._namespace = {} if namespace is None else namespace
        self._memory = NotebookMemory(self._namespace, self._say)

    def adopt(
        self, namespace: Mapping[str, Any], *, say: Callable[[str], None], defaults: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Go on in a notebook that is known only now, with the sessions there are; arguments as of a new one."""
        with self._lock:
            self._serve(namespace, say, defaults)
            for name in self.names:
                self._remember(name)

    def ask_by(self, here: Asker) -> None:
        """Have the person at the cell asked, also where code of the cell waits for a turn itself."""
        self.here = here
        for _, session in self:
            equip(session, here)

    # --- client ---

    @property
    def client(self) -> SecGemini:
        """The service's client if a key is found, else the embedded local service; `SECGEMINI_BACKEND` decides.

        Raises:
            SettingsError: `SECGEMINI_BACKEND=service` and no key is found.
        """
        with self._lock:
            if self._client is None:
                self._client = self._new_client()
            elif self._client.is_local:
                self._renew_local()
            return self._client

    def _new_client(self) -> SecGemini:
        from secgemini_jupyter.client.interruptible import InterruptibleSecGemini

        chosen = backend()
        if chosen != "local" and find_key():
            return InterruptibleSecGemini()
        if chosen == "service":
            raise SettingsError(missing_key_message())
        client = InterruptibleSecGemini.local()
        why = "SECGEMINI_BACKEND=local" if chosen == "local" else "No API key found"
        who = client.local_name
        who = f"the {who}" if who.startswith("local ") else f"{who}, asked by the local service"
        self._say(f"{why}: answers come from {who} on this machine ({client.settings.host}), not from Sec-Gemini.")
        return client

    def _renew_local(self) -> None:
        """The local service ends when nobody uses it: find it, or start it again. What it did not retain is gone."""
        if self._client is None or not self._client.renew():
            return
        for name, session in list(self._sessions.items()):
            if not session.can_log:
                del self._sessions[name]
                self._memory.forget(self._place(self._client), session.id)
                self._watchers.tell()
                self._say(f"The local service was restarted; session {name!r} was not retained and is gone.")

    @property
    def has_client(self) -> bool:
        return self._client is not None

    def check_idle(self) -> None:
        """
        Raises:
            InputError: a turn runs here, in a cell, a widget or a job.
        """
        running = [session for _, session in self if session.is_running] + [job.session for job in self.jobs.running]
        if running:
            raise InputError(
                f"A turn is running in session {running[0].name!r}: wait for it or stop it, then try again. "
                "Nothing changed."
            )

    def change_client(self, client: SecGemini) -> list[str]:
        """Talk by another client from now on; gives the names of sessions that are left behind, where they are.

        Sessions of the same user at the same service go on, by the new key.

        Raises:
            InputError: a turn is running here.
        """
        with self._lock:
            self.check_idle()
            if self._client is not None and self._client._core.take_key(client._core):
                client.close()
                return []
            left = self.names
            self.leave()
            self._client = client
        return left

    def leave(self) -> None:
        """Let go of the client: jobs that run are stopped, connections closed; sessions stay at the service."""
        for job in self.jobs.running:
            job.stop()
        with self._lock:
            client, self._client = self._client, None
            self._sessions.clear()
            self._known.clear()
            self.current_name = MAIN
        if client is not None:
            client.close()
        self._watchers.tell()

    @property
    def told(self) -> UserInfo | None:
        """What the service said of the key's sessions and models when it was asked last; nobody is asked for it."""
        return self._client._core.user if self._client is not None else None

    def close(self) -> None:
        """Stop the jobs, close connections and the loop thread; sessions stay at the service."""
        from secgemini_jupyter.activity.recorder import flush

        self.jobs.close()
        self.leave()
        flush()

    # --- sessions ---

    @property
    def names(self) -> list[str]:
        return list(self._sessions)

    def get(self, name: str) -> InteractiveSession | None:
        """The session of this name, if this kernel has it."""
        return self._sessions.get(name)

    def current(self, tools: Iterable[Tool | Callable[..., Any]] | None = None) -> InteractiveSession:
        """The current session; created when it is used for the first time. With `tools`, one that has these."""
        return self.use(self.current_name) if tools is None else with_tools(self, tools, self._say)

    def use(self, name: str, **options: Any) -> InteractiveSession:
        """The session of this name, without making it current; if this kernel has none, the notebook's, else a new one.

        `main` alone is new in each kernel: `resume_last` goes on with the one before.

        Raises:
            InputError: an option of a new one makes no sense.
        """
        with self._lock:
            client = self.client  # may renew what follows
            if name not in self._sessions:
                self.replays.refuse_a_gap(name, None)
                session = self._continued(client, name) or self._created(client, name, options)
                self._sessions[name] = session
                self._remember(name)
                self._watchers.tell()
            return self._sessions[name]

    def existing(self, name: str | None = None) -> InteractiveSession:
        """The session of this name, or of this id; the current one if none is given. None is made.

        One that this notebook had before its kernel was restarted is taken up by its name.

        Raises:
            InputError: there is none.
        """
        name = name or self.current_name
        with self._lock:
            session = self._sessions.get(name) or self._known.get(name)
            if session is None and self.may_continue(name) and (session := self._continued(self.client, name)):
                self._sessions[name] = session
                self._remember(name)
                self._watchers.tell()
        if session is None:
            known = ", ".join(repr(one_line(each)[:60]) for each in self.names) or "none"
            raise InputError(
                f"This kernel has no session {one_line(name)[:60]!r} (it has: {known}): there is no turn to listen to. "
                "%secgemini sessions shows those at the service, %secgemini resume NAME takes one up."
            )
        return session

    def _created(self, client: SecGemini, name: str, options: Mapping[str, Any]) -> InteractiveSession:
        given = {"description": DESCRIPTION} | dict(self._defaults()) | dict(options)
        own_name = given.pop("name", None)
        model = given.get("model")
        if isinstance(model, str):
            given["model"] = known_model(client, model)
        session = self._known.one(client.create_session(own_name if name == MAIN else name, **given))
        equip(session, self.here)
        self.replays.note_made(session, str(getattr(model, "model_string", model or "")))
        return session

    def _continued(self, client: SecGemini, name: str) -> InteractiveSession | None:
        """The session that this notebook called so before its kernel was restarted, if it still exists."""
        place = self._place(client)
        if name == MAIN:
            last = self._memory.before(place)
            if last and last.expires_at > time.time():
                called = "" if last.name in ("", MAIN) else f" ({last.name!r})"
                self._say(f"A new session. %secgemini resume --last continues this notebook's last one{called}.")
            return None
        session_id = self._memory.id_of(place, name)
        if session_id is None:
            return None
        try:
            session = self._known.one(client.resume_session(session_id))
        except SessionNotFoundError:
            self._memory.forget(place, session_id)
            self._say(
                f"This notebook's session {name!r} is gone: it expired or was deleted. A new one takes its place."
            )
            return None
        retained = "retained" if session.can_log else "not retained"
        self._say(f"Continues this notebook's session {name!r}: {session.turns} turns, {retained}.")
        bind_again(session, self._namespace, self._say)
        equip(session, self.here)
        return session

    def may_continue(self, name: str) -> bool:
        """Whether the notebook had a session of this name, here or at another service; asks nobody."""
        return name != MAIN and name in self._memory.names()

    @property
    def remembered(self) -> list[str]:
        """Names that sessions of this notebook had, here or at another service; asks nobody."""
        return self._memory.names()

    def _place(self, client: SecGemini) -> str:
        """Whose ids they are: an address and a user, or the local service, which changes its port."""
        if client.is_local:
            return "local"
        user = client._core.user or client.user_info()
        return f"{client.settings.host} {user.user.id}"

    def switch(self, name: str) -> InteractiveSession:
        """Make a session current; created if this kernel has none of this name."""
        session = self.use(name)
        self._make_current(name)
        return session

    def new(self, name: str | None = None, *, make_current: bool = True, **options: Any) -> InteractiveSession:
        """A fresh session; takes the place of one of the same name, which stays at the service."""
        with self._lock:
            name = name or self.current_name
            session = self._created(self.client, name, options)
            self._sessions[name] = session
            self.current_name = name if make_current else self.current_name
            self._remember(name)
            self._watchers.tell()
            return session

    def vacate(self, name: str) -> None:
        """Make a name current for which there is no session yet; one that it had stays at the service."""
        with self._lock:
            self._sessions.pop(name, None)
            self.current_name = name
        self._watchers.tell()

    def resume(self, id_or_name: str) -> InteractiveSession:
        """Make an existing session current, by id, or by a name that only one session has.

        One that this kernel has already stays the same object, read afresh.

        Raises:
            InputError: several sessions have the name.
            SessionNotFoundError: there is none.
        """
        from secgemini_jupyter.render.text import count, utc

        listed = self.client.list_sessions()
        named = [session for session in listed if session.name == id_or_name]
        if any(session.id == id_or_name for session in listed) or not named:
            return self.resume_session(id_or_name)  # somebody may have named another one like it
        if len(named) > 1:
            which = "; ".join(f"{each.id} ({utc(each.create_time)}, {count(each.turns, 'turn')})" for each in named)
            raise InputError(f"{len(named)} sessions are called {id_or_name!r}: resume one by id: {which}.")
        return self.resume_session(named[0].id)

    def resume_last(self) -> InteractiveSession:
        """Continue where this notebook stopped, after a restart of its kernel.

        Raises:
            InputError: the notebook is not known, or it has no remembered session here.
            SessionNotFoundError: it is gone; it is forgotten.
        """
        if not self._memory.is_known:
            raise InputError("This front end does not tell which notebook it is. Resume by id: %secgemini sessions.")
        client = self.client
        place = self._place(client)
        last = self._memory.last(place)
        if last is None:
            others = ", ".join(dict.fromkeys(self._memory.other_places(place)))
            there = f" It has one at another service or key: {others}." if others else ""
            raise InputError(f"This notebook has no remembered session here.{there} See: %secgemini sessions.")
        try:
            return self._resume(last.session_id, last.name if last.name not in self._sessions else "")
        except SessionNotFoundError:
            self._memory.forget(place, last.session_id)
            raise SessionNotFoundError(
                f"This notebook's last session ({last.name or last.session_id}) is gone: it expired or was deleted. "
                "See: %secgemini sessions."
            ) from None

    def delete(self, name: str) -> None:
        """Delete a session at the service, and forget it here."""
        self.delete_session(self._sessions[name].id)

    def _make_current(self, name: str) -> None:
        self.current_name = name
        self._remember(name)
        self._watchers.tell()

    # --- sessions by id, for who shows a list of them: `widgets.session.SessionsHost` ---

    @property
    def host(self) -> str:
        """Host that answers come from."""
        return self.client.settings.host

    @property
    def is_local(self) -> bool:
        """Whether answers come from the embedded local service instead of Sec-Gemini."""
        return self.client.is_local

    @property
    def current_id(self) -> str:
        """Id of the current session; empty before there is one."""
        session = self._sessions.get(self.current_name)
        return session.id if session else ""

    def name_of(self, session_id: str) -> str | None:
        """The name by which this kernel has the session."""
        return next((name for name, session in self if session.id == session_id), None)

    def list_sessions(self) -> list[InteractiveSession]:
        """All active sessions of the user, oldest first. One that is known here already is the same object."""
        return [self._known.one(session) for session in self.client.list_sessions()]

    def own_sessions(self) -> list[InteractiveSession]:
        """Those that this kernel has by name, without a request."""
        return [session for _, session in self]

    def update_session(
        self, session_id: str, *, name: str | None = None, description: str | None = None, ttl: int | None = None
    ) -> None:
        """Change it at the service; if this kernel calls it by its name, it does so by the new one.

        Raises:
            SessionNotFoundError: it is gone; it is forgotten here.
        """
        session = self._object(session_id)
        before = session.name
        with self._forgetting_the_lost(session_id):
            session.update(name=name, description=description, ttl=ttl)
        with self._lock:
            if self.name_of(session_id) == before and session.name not in self._sessions:
                self._sessions[session.name] = self._sessions.pop(before)
                if self.current_name == before:
                    self._make_current(session.name)
                else:
                    self._remember(session.name)

    def delete_session(self, session_id: str) -> None:
        """Delete it at the service, and forget it here. If it was current, `main` is.

        Raises:
            SessionNotFoundError: it is gone already; it is forgotten here.
        """
        with self._forgetting_the_lost(session_id):
            self._object(session_id).delete()
        self._forget(session_id)

    def resume_session(self, session_id: str) -> InteractiveSession:
        """Make it current, by id alone.

        Raises:
            SessionNotFoundError: it is gone; it is forgotten here.
        """
        return self._resume(session_id)

    def _resume(self, session_id: str, name: str = "") -> InteractiveSession:
        """Make it current, by the name that this kernel has for it, else by `name`, else by its own."""
        with self._lock, self._forgetting_the_lost(session_id):
            client = self.client
            session = self._known.get(session_id)
            if session is None:
                session = self._known.one(client.resume_session(session_id))
            elif not session.is_running:
                session.refresh()
            bind_again(session, self._namespace, self._say)
            equip(session, self.here)
            name = self.name_of(session_id) or name or session.name
            self._sessions[name] = session
            self._make_current(name)
            return session

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed()` called when this kernel gets, loses or switches sessions, or one that it has changes.

        It is called in the thread that brought the change, and shall return at once.

        Returns:
            a function that ends it.
        """
        return self._watchers.add(changed)

    def _object(self, session_id: str) -> InteractiveSession:
        session = self._known.get(session_id)
        return session if session is not None else self._known.one(self.client.resume_session(session_id))

    def visualize(self, session_id: str) -> VisualizeWidget:
        """The session's picture, read afresh.

        Raises:
            SessionNotFoundError: it is gone; it is forgotten here.
        """
        from secgemini_jupyter.widgets import VisualizeWidget

        with self._forgetting_the_lost(session_id):
            session = self._object(session_id)
            if not session.is_running:
                session.refresh()
            return VisualizeWidget(session)

    @contextlib.contextmanager
    def _forgetting_the_lost(self, session_id: str) -> Iterator[None]:
        try:
            yield
        except SessionNotFoundError:
            self._forget(session_id)
            raise

    def _forget(self, session_id: str) -> None:
        with self._lock:
            name = self.name_of(session_id)
            if name is not None:
                del self._sessions[name]
                if name == self.current_name:
                    self.current_name = MAIN
            self._known.forget(session_id)
            if self._client is not None:
                self._memory.forget(self._place(self._client), session_id)
        self._watchers.tell()

    # --- for a chat ---

    def chat(self, *, tools: Iterable[Tool | Callable[..., Any]] | None = None) -> ChatWidget:
        """A widget to talk in the current session; with `tools`, in a new one that has them, and else is like it."""
        from secgemini_jupyter.widgets.chat import ChatWidget

        if tools is None:
            self.current()
        else:
            self.new_chat(tools=tools)
        return ChatWidget(self)

    def chat_session(self) -> InteractiveSession | None:
        """The current session, if there is one by now."""
        return self._sessions.get(self.current_name)

    def new_chat(self, *, tools: Iterable[Tool | Callable[..., Any]] | None = None) -> InteractiveSession:
        """A new session with the current one's model, language, retention, agents, and tools if none are given."""
        with self._lock:
            now = self.chat_session()
            if now is None:
                return self.new(tools=tools or ())
            return self.new(
                ttl=now.ttl,
                enable_logging=now.can_log,
                model=now.model,
                language=now.language,
                tools=now.toolbox.values() if tools is None else tools,
                agents_config=now.agents_config,
            )

    def _remember(self, name: str) -> None:
        session = self._sessions[name]
        self._memory.keep(
            self._place(session._client),
            Last(session.id, name, session.expires_at),
            is_current=name == self.current_name,
            is_named=name != MAIN,
        )

    # --- turns ---

    def note(self, running: RunningTurn) -> None:
        """A cell is about to ask: its prompt is the last one, even if it is stopped before it is sent."""
        self._asked = running

    def wait_stopped(self, session: InteractiveSession) -> None:
        """Wait until a turn that was stopped here has let go of the session."""
        if self._asked is not None and self._asked.session is session:
            self._asked.wait_stopped(timeout=2)

    def last_prompt(self, session: InteractiveSession) -> str | None:
        """What was asked last in the session, here or elsewhere; also one that was stopped before it was sent."""
        from secgemini_jupyter.models import MessageType

        asked = [message for message in session.messages if message.message_type is MessageType.QUERY]
        last = self._asked
        if last is not None and last.session is session and last.turn.query and not last.is_sent:
            asked.append(last.turn.query)
        return max(asked, key=lambda message: message.created_at).content if asked else None

    def note_gone(self, session: InteractiveSession) -> None:
        """The service does not know it any more. Its name stays: the next prompt shall not begin anew unasked."""
        self._gone.add(session.id)
        self._watchers.tell()

    def is_gone(self, session: InteractiveSession) -> bool:
        """Whether the service said so."""
        return session.id in self._gone

    def is_held_up(self, session: InteractiveSession) -> bool:
        """Whether an earlier turn that was stopped here may still run at the service."""
        return session._state.left_unfinished

    def __iter__(self) -> Iterator[tuple[str, InteractiveSession]]:
        return iter(list(self._sessions.items()))
