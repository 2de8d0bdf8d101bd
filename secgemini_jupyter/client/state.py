"""What is known of a session here: the snapshot that the sync shell, the async shell and the magics share."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from secgemini_jupyter.activity.recorder import Details, Recorder
from secgemini_jupyter.client import noting
from secgemini_jupyter.client.serving import WithTools
from secgemini_jupyter.client.watchers import Watchers
from secgemini_jupyter.errors import InputError, one_line
from secgemini_jupyter.models import (
    Message,
    ModelInfo,
    PublicLogsTable,
    PublicSession,
    PublicSessionFile,
    State,
    Usage,
)
from secgemini_jupyter.protocol.stored import TurnBefore, unfinished
from secgemini_jupyter.protocol.turn import Turn
from secgemini_jupyter.settings import Settings
from secgemini_jupyter.tools import Toolbox

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.client.base import ClientCore


@dataclass
class SessionState:
    """A session's last known copy, and the one turn that may run in it."""

    info: PublicSession
    """Without its messages."""
    tools: Toolbox = field(default_factory=Toolbox)
    messages: list[Message] | None = None
    """None: not loaded."""
    left_unfinished: bool = False
    """Whether an earlier turn may still run at the service: its frames are not the next turn's."""
    abandoned: list[str] = field(default_factory=list)
    """Ids of prompts whose turns this side has left, since one was last seen through."""
    tool_results: dict[str, Message] = field(default_factory=dict)
    """What was answered to the service's requests in a turn that did not end yet, by the id of the request."""
    is_deleted: bool = False
    """Whether it was deleted from here."""
    ttl_since: float | None = None
    """Unix seconds from which `info.ttl` counts, if it was set from here; the service does not tell."""
    _current: Turn | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _look: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held while a turn passes from running to stored: nobody shall see it in neither, or in both."""
    file_changes: int = 0
    """How often a file came or went by this process: a copy of the session that was asked for before is old."""
    recorder: Recorder | None = None
    """Writes the activity log; None if that is switched off."""
    _verified: set[tuple[str, str]] = field(default_factory=set, repr=False)
    """Name and sha256 of files that this process sent, and whose hash the service confirmed."""
    watchers: Watchers = field(default_factory=Watchers, repr=False)

    @classmethod
    def listed(cls, session: PublicSession) -> SessionState:
        """From a list, which comes without messages: whether a turn runs there is looked up before the next one."""
        return cls(
            without_messages(session),
            left_unfinished=session.num_messages > 0 and session.state is not State.END,
        )

    @property
    def is_running(self) -> bool:
        return self._turn.locked()

    def store(self, session: PublicSession) -> list[Message]:
        """Take over what the service says, messages included."""
        messages = session.read_messages()
        self.messages = messages
        self.left_unfinished = unfinished(messages) or self._may_still_come(messages)
        self.keep(without_messages(session, len(messages)))
        return messages

    def _may_still_come(self, messages: Sequence[Message]) -> bool:
        """Whether a prompt that was left just now is not stored yet."""
        return bool(self.abandoned) and self.abandoned[-1] not in [message.id for message in messages]

    def keep(self, info: PublicSession) -> None:
        """Take over what became of the session, and tell who watches it."""
        self.info = info
        self.watchers.tell()

    def keep_update(self, info: PublicSession, *, ttl_set: bool) -> None:
        """Take over what this side has changed."""
        if ttl_set:
            self.ttl_since = time.time()
        with self._look:  # files may have come meanwhile
            old, changed = self.info, {"name": info.name, "description": info.description, "ttl": info.ttl}
            self.info = msgspec.structs.replace(old, **changed)
        self.note("session_updated", noting.update(old, info, ttl_set=ttl_set))
        self.watchers.tell()

    def relist(self, listed: PublicSession) -> None:
        """Take over what a list says, which comes without messages. While a turn runs here, this side knows better."""
        info = without_messages(listed)
        if self.is_running or info == self.info:
            return
        if self.messages is not None and info.num_messages != len(self.messages):  # more was said elsewhere
            self.messages = None
            self.left_unfinished = SessionState.listed(listed).left_unfinished
        self.keep(info)

    def note(self, activity: str, details: Details | Callable[[], Details]) -> None:
        """Log what this process did here; nothing of a session without retention. Neither fails nor waits."""
        if self.recorder is not None and self.info.can_log:
            self.recorder.note(activity, details)

    def deleted(self) -> None:
        self.is_deleted = True
        self.note("session_deleted", {"name": self.info.name})
        self.watchers.tell()

    def add_file(
        self, file: PublicSessionFile, before: Sequence[PublicSessionFile], *, sha256: str, verified: bool
    ) -> int:
        """A file that was attached just now; gives its index.

        Args:
            before: the files when it was sent: if the session was read since then, it may be in the list already.
            sha256: ours, of the bytes before they were sent.
        """
        with self._look:
            files = self.info.files
            if files.count(file) <= list(before).count(file):
                files = [*files, file]
                self.info = msgspec.structs.replace(self.info, files=files)
            if verified:
                self._verified.add((file.name, file.sha256))
            self.file_changes += 1
        self.note("file_attached", noting.file_of(file) | {"sha256": sha256, "status": "ok" if verified else "altered"})
        self.watchers.tell()
        return len(files) - 1 - files[::-1].index(file)

    def remove_file(self, index: int, before: Sequence[PublicSessionFile]) -> None:
        """The file at `index` of `before` was detached just now; a list that was read since then lacks it already."""
        with self._look:
            files = self.info.files
            if files[: len(before)] == list(before):
                left = [file for i, file in enumerate(files) if i != index]
                self.info = msgspec.structs.replace(self.info, files=left)
            self.file_changes += 1
        detached = before[index]
        ours = {"sha256": detached.sha256.lower()} if self.is_verified(detached) else {}
        self.note("file_detached", noting.file_of(detached) | ours)
        self.watchers.tell()

    def is_verified(self, file: PublicSessionFile) -> bool:
        return (file.name, file.sha256) in self._verified

    def known_messages(self) -> list[Message] | None:
        """The snapshot's messages and those of the running turn so far; None if the snapshot has none."""
        with self._look:
            turn, messages = self._current, self.messages
        if messages is None:
            return None
        if turn is None or turn.query is None or not turn.query_sent:
            return list(messages)
        ids = [message.id for message in messages]  # a listener's turn stands in the snapshot, at least in part
        before = messages[: ids.index(turn.query.id)] if turn.query.id in ids else messages
        return [*before, turn.query, *turn.messages]

    def running_messages(self) -> list[Message] | None:
        with self._look:
            turn = self._current
        if turn is None or turn.query is None or not turn.query_sent:
            return None
        return [turn.query, *turn.messages]

    async def let_go(self) -> None:
        """Give a generator that was left early the moment that the event loop needs to close it."""
        for _ in range(40):
            if not self._turn.locked():
                return
            await asyncio.sleep(0.0125)

    @contextmanager
    def running(self, turn: Turn) -> Iterator[None]:
        """The time in which `turn` runs; afterwards the snapshot knows what it brought.

        Raises:
            InputError: another turn runs.
        """
        if not self._turn.acquire(blocking=False):
            raise InputError(f"A turn is running in session {self.info.name!r}: wait for it, or use another session.")
        self._current = turn
        turn.on_query_sent = lambda query: self.note("prompt_sent", noting.prompt(query))
        if self.left_unfinished:  # perhaps only since `turn` was prepared
            turn.look_first(tuple(self.abandoned))
        elif self.messages and not turn.is_listener:
            turn.earlier = TurnBefore(self.messages)
        self.watchers.tell()
        error: type[BaseException] | None = None
        try:
            yield
        except BaseException as caught:  # a stop, or a generator that is left, too
            error = type(caught)
            raise
        finally:
            with self._look:
                self._current = None
                self._add(turn)
            if turn.query_sent:
                self.note("turn_ended", noting.turn_end(turn, error))
            self._turn.release()
            self.watchers.tell()

    def turn_index(self, turn: Turn) -> int:
        """The number of `turn`, 0 before it is sent: while it runs, the snapshot does not count it yet."""
        if not (turn.query_sent or turn.is_listener):
            return 0
        with self._look:
            return self.info.turns + (turn is self._current and turn.query_sent and not turn.is_listener)

    def _add(self, turn: Turn) -> None:
        if not turn.query_sent or turn.query is None:
            return
        self.left_unfinished = not turn.done
        if turn.done:
            self.tool_results.clear()  # ids of calls may repeat in the next turn
            self.abandoned.clear()
        else:
            self.abandoned.append(turn.query.id)
        if turn.is_listener:
            self.messages = None  # what it brought stands partly in the snapshot already
            return
        new = [turn.query, *turn.messages]
        counted = False
        if self.messages is not None:
            ids = [message.id for message in self.messages]
            counted = turn.query.id in ids  # the snapshot was read anew while the turn ran
            before = self.messages[: ids.index(turn.query.id)] if counted else self.messages
            self.messages = [*before, *new]
        info = self.info
        self.info = msgspec.structs.replace(
            info,
            turns=info.turns + (not counted),
            num_messages=len(self.messages) if self.messages is not None else info.num_messages + len(new),
            state=new[-1].state,
            update_time=max(info.update_time, new[-1].created_at),
            usage=info.usage if counted else info.usage + turn.usage,
        )
        if self.left_unfinished:
            self.messages = None  # more of it is being stored


def without_messages(session: PublicSession, count: int | None = None) -> PublicSession:
    fields = {name: getattr(session, name) for name in PublicSession.__struct_fields__}
    changes = {"messages": [], "num_messages": session.num_messages if count is None else count}
    return PublicSession(**fields | changes)


class SessionView(WithTools):
    """What a session is, read from the snapshot: no property here costs a request. `refresh()` reads it afresh."""

    _state: SessionState
    _core: ClientCore

    @property
    def _settings(self) -> Settings:
        return self._core.settings

    @property
    def is_local(self) -> bool:
        """Whether answers come from the embedded local service instead of Sec-Gemini."""
        return self._core.is_local

    @property
    def local_name(self) -> str:
        """Who answers in this session, if it is one of the local service."""
        return self.model.local_name

    @property
    def id(self) -> str:
        return self._state.info.id

    @property
    def name(self) -> str:
        return self._state.info.name

    @property
    def description(self) -> str:
        return self._state.info.description

    @property
    def ttl(self) -> int:
        """Time to live in seconds, as last set."""
        return self._state.info.ttl

    @property
    def model(self) -> ModelInfo:
        return self._state.info.model

    @property
    def language(self) -> str:
        return self._state.info.language

    @property
    def can_log(self) -> bool:
        """Whether prompts and answers are retained: as the service says, not as we asked."""
        return self._state.info.can_log

    @property
    def files(self) -> list[PublicSessionFile]:
        """The attachments, in order; the index is what `detach_file` takes."""
        return list(self._state.info.files)

    def files_frame(self) -> pd.DataFrame:
        """The attachments as a DataFrame, one row each: names, size, the service's sha256 and whether it was ours."""
        from secgemini_jupyter.transcript.sessions import Attached, files_frame

        return files_frame(
            [Attached(self.id, index, file, self.is_verified(file)) for index, file in enumerate(self.files)]
        )

    @property
    def usage(self) -> Usage:
        """Tokens of all turns."""
        return self._state.info.usage

    @property
    def state(self) -> State:
        return self._state.info.state

    @property
    def turns(self) -> int:
        return self._state.info.turns

    @property
    def num_messages(self) -> int:
        return self._state.info.num_messages

    @property
    def create_time(self) -> float:
        """Unix seconds."""
        return self._state.info.create_time

    @property
    def update_time(self) -> float:
        """Unix seconds."""
        return self._state.info.update_time

    @property
    def expires_at(self) -> float:
        """Unix seconds when its time to live ends: counted from when it was set here, else from its creation.

        A `ttl` that was set elsewhere counts from a moment that the service does not tell: it may live longer.
        """
        since = self._state.ttl_since
        return (self.create_time if since is None else since) + self.ttl

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted from here."""
        return self._state.is_deleted

    @property
    def user_id(self) -> str:
        return self._state.info.user_id

    @property
    def org_id(self) -> str:
        return self._state.info.org_id

    @property
    def logs_table(self) -> PublicLogsTable | None:
        return self._state.info.logs_table

    @property
    def agents_config(self) -> dict[str, object]:
        return dict(self._state.info.agents_config)

    @property
    def host(self) -> str:
        """Host that answers come from."""
        return self._settings.host

    @property
    def max_attachment_bytes(self) -> int:
        """What one attachment may have."""
        return self._settings.max_attachment_bytes

    @property
    def is_running(self) -> bool:
        """Whether a turn of this process runs in the session."""
        return self._state.is_running

    def is_verified(self, file: PublicSessionFile) -> bool:
        """Whether this process sent it, and the service's sha256 was that of the bytes sent."""
        return self._state.is_verified(file)

    def known_messages(self) -> list[Message] | None:
        """What is here without a request: the snapshot's messages, and those of the running turn so far.

        None if they were not read yet, or not all of them arrived: `messages` reads them.
        """
        return self._state.known_messages()

    def running_messages(self) -> list[Message] | None:
        """The prompt of the turn that runs here and its messages so far; None if none runs, or nothing was sent yet."""
        return self._state.running_messages()

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed()` called when something here changes: a turn begins or ends, files come or go, a new name.

        It is called in the thread that brought the change, and shall return at once. Messages of a running turn are
        not told one by one: look at `running_messages()` from time to time while `is_running`.

        Returns:
            a function that ends it.
        """
        return self._state.watchers.add(changed)

    def __repr__(self) -> str:
        info = self._state.info
        retained = "retained" if info.can_log else "not retained"
        return one_line(
            f"<{type(self).__name__} {info.name!r} id={info.id} on {self.host}: {info.turns} turns, "
            f"{len(info.files)} files, {retained}>"
        )


def known_groups(messages: Sequence[Message]) -> set[str]:
    """What feedback may point at: groups, and ids of messages."""
    return {message.group for message in messages} | {message.id for message in messages}
