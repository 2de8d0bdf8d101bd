"""What is alive of the sessions: one turn at a time each, whoever listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from secgemini_jupyter.errors import one_line, redact
from secgemini_jupyter.local_server import limits
from secgemini_jupyter.local_server.asked import OpenRequest
from secgemini_jupyter.local_server.channel import CLOSE, DROP, Channel, Listener
from secgemini_jupyter.local_server.database import why_not_stored
from secgemini_jupyter.local_server.engines import Engines
from secgemini_jupyter.local_server.engines.base import Engine
from secgemini_jupyter.local_server.frames import ACTOR, end, error
from secgemini_jupyter.local_server.limits import Shares
from secgemini_jupyter.local_server.outbox import Outbox
from secgemini_jupyter.local_server.store import Session, Store
from secgemini_jupyter.local_server.turns import Turn
from secgemini_jupyter.models import Message, MessageType, State, Usage

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Prompt:
    """A query that waits for its turn.

    Attributes:
        listener: the socket it came from; None for `session/generate`.
        answer: resolved with the turn after its END; cancelled if there will be none.
    """

    query: Message
    listener: Listener | None
    answer: asyncio.Future[Turn]

    @property
    def size(self) -> int:
        return len(self.query.content or "")


@dataclass(frozen=True)
class Failure:
    """Why turns of a session are ended from outside."""

    code: int
    status: str
    text: str


SERVER_STOPS = Failure(503, "Service Unavailable", "The local server was stopped before the turn was over.")
SERVER_DIED = Failure(500, "Internal Server Error", "The local server ended unexpectedly before the turn was over.")
SESSION_GONE = Failure(404, "Session not found", "The session was deleted before the turn was over.")


class Conversation:
    """One session's channel, its running turn and the prompts that wait."""

    def __init__(self, session: Session, store: Store, engines: Engines, shares: Shares) -> None:
        self.session = session
        self.store = store
        self.channel = Channel(shares)
        self._shares = shares
        self._engines = engines
        self._outbox = Outbox(session, store, self.channel)
        self._prompts: deque[Prompt] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._prompt: Prompt | None = None
        self._turn: Turn | None = None
        self._request: OpenRequest | None = None
        self._stopped: Failure | None = None
        self._closing = asyncio.Lock()
        self._unstored: list[bytes] = []
        """The end of a turn, as it was told to sockets while the store could not take it."""

    @property
    def is_running(self) -> bool:
        return self._runner is not None

    @property
    def is_idle(self) -> bool:
        """Nothing here that a new object would not have."""
        return not (self.is_running or self.channel.listeners or self.channel.has_undelivered or self._unstored)

    # Sockets

    def join(self, *, partial: bool) -> Listener:
        listener = self.channel.open(partial=partial)
        if self._turn is not None and partial:
            self._turn.partial = True
        if self._request and self._request.position < listener.cursor:
            listener.send_first(self._request.message.to_json())
        return listener

    def leave(self, listener: Listener) -> None:
        """The running turn goes on. Prompts of this socket that wait are dropped: not being stored, they may be
        sent again by its client."""
        self.channel.close(listener)
        self._drop_prompts([prompt for prompt in self._prompts if prompt.listener is listener])

    def ask(self, query: Message, listener: Listener | None = None) -> asyncio.Future[Turn] | None:
        """Starts a turn, or puts the prompt behind the running one. None: refused, too many wait."""
        prompt = Prompt(query, listener, asyncio.get_running_loop().create_future())
        waiting = [self._prompt, *self._prompts]
        too_much = self._runner and self._shares.prompts + prompt.size > limits.MAX_QUEUED_PROMPT_BYTES
        if len(self._prompts) >= limits.MAX_QUEUED_PROMPTS or too_much or self._stopped:
            return None
        self._prompts.append(prompt)
        self._shares.prompts += prompt.size
        if listener and self._runner and not any(each and each.listener is listener for each in waiting):
            listener.hold()  # it would take what another asked for, and that one's END, for its own
        if self._runner is None:
            self.channel.skip(listener)  # what is left of an earlier turn would be taken for this one's
            self._runner = asyncio.create_task(self._run(), name="turns")
        return prompt.answer

    async def receive_reply(self, reply: Message) -> None:
        """A reply that answers no open request is dropped."""
        request = self._request
        if request is None or not request.is_answered_by(reply):
            return
        request.reply.set_result(reply)
        with contextlib.suppress(sqlite3.Error):  # the turn finds that out, and tells it
            await self._outbox.put(reply, reply.to_json(), publish=False)

    # Turns

    async def _run(self) -> None:
        try:
            while self._prompts:
                prompt = self._prompt = self._prompts.popleft()
                self._shares.prompts -= prompt.size
                if prompt.listener:
                    prompt.listener.release()
                turn = await self._answer(prompt)
                if not prompt.answer.done():
                    prompt.answer.set_result(turn)
        finally:
            self._runner = self._prompt = None
            self._drop_prompts([*self._prompts])

    async def _answer(self, prompt: Prompt) -> Turn:
        engine = self._engines.find(self.session.fixed.model)
        partial = any(listener.partial for listener in self.channel.listeners)
        turn = self._turn = Turn(
            self,
            prompt.query.content or "",
            engine.actor if engine else ACTOR,
            partial=partial,
            tools=prompt.listener is not None,
        )
        try:
            async with self._closing:
                await self._close_unfinished()
            await self.store.append(self.session, [prompt.query.to_json()], state=State.QUERY, running=True, turns=1)
            await self._let_answer(engine, turn)
            await turn.end()
            await self._outbox.flushed()
        except Exception as problem:  # the store failed: whoever waits is told all the same
            logger.error("A turn could not be stored: %s", describe(problem))  # noqa: TRY400  # no content in the log
            self._outbox.discard()
            turn.has_failed = True
            why = why_not_stored(problem, self.store.folder) if isinstance(problem, sqlite3.Error) else ""
            failure = error(f"The turn could not be stored. {why}".strip(), 507, "Insufficient Storage")
            turn.messages.append(failure)
            told = [failure.to_json(), end().to_json()]
            self._unstored = self._unstored or (told if self.session.running else [])
            self.channel.publish(told)
        finally:
            self._turn = None
        if turn.has_failed:
            self.channel.publish([CLOSE])
        if prompt.listener is None and not self.channel.listeners:
            self.channel.skip()  # the reply of `generate` holds it all
        return turn

    async def _let_answer(self, engine: Engine | None, turn: Turn) -> None:
        """Runs the engine; whatever ends it, the turn then holds a result or an error."""
        if engine is None:
            name = one_line(self.session.fixed.model.model_string)
            return await turn.fail(404, "Unknown model", f"This server does not offer the model {name!r} any more.")
        self._answering = asyncio.create_task(engine.answer(turn), name="engine")
        if self._stopped:
            self._answering.cancel()
        try:
            await asyncio.wait([self._answering])
            if self._answering.cancelled():
                why = self._stopped or Failure(500, "Internal Server Error", "The engine gave the turn up.")
                await turn.fail(why.code, why.status, why.text)
            elif problem := self._answering.exception():
                logger.error("The engine %r failed: %s", engine.actor, describe(problem))
                await turn.fail(500, "Internal Server Error", f"The engine failed: {describe(problem)}")
            elif not (turn.has_result or turn.has_failed):
                await turn.fail(500, "Internal Server Error", "The engine ended without an answer.")
        finally:
            self._answering.cancel()
            self._answering = None
        return None

    async def close_unfinished(self) -> None:
        """Stores the end of a turn that a crash or a full disk has cut; after a crash the next socket is given it.

        Raises:
            sqlite3.Error: the store cannot take it yet.
        """
        async with self._closing:
            if not self.is_running:
                await self._close_unfinished()

    async def _close_unfinished(self) -> None:
        if not self.session.running:
            return
        if not self._unstored:
            self._unstored = [
                error(SERVER_DIED.text, SERVER_DIED.code, SERVER_DIED.status).to_json(), end().to_json(),
            ]  # fmt: skip
            self.channel.publish([*self._unstored, CLOSE])
        usage = await asyncio.to_thread(self._usage_of_last_turn)
        await self.store.append(self.session, self._unstored, state=State.END, running=False, usage=usage)
        self._unstored = []

    def _usage_of_last_turn(self) -> Usage | None:
        """Of its result, if it had got so far: an END would have brought it."""
        for message in reversed(self.store.history(self.session, self.session.num_messages)):
            if message.message_type is MessageType.QUERY:
                break
            if message.message_type is MessageType.RESULT and message.usage:
                return message.usage
        return None

    async def stop(self, why: Failure) -> None:
        """Ends the running turn with an error and its END; no turn starts any more."""
        self._stopped = why
        self._drop_prompts([*self._prompts])
        if self._answering:
            self._answering.cancel()
        if self._runner:
            await asyncio.wait([self._runner])

    def _drop_prompts(self, prompts: Sequence[Prompt]) -> None:
        for prompt in prompts:
            prompt.answer.cancel()
            self._prompts.remove(prompt)
            self._shares.prompts -= prompt.size

    # What a turn needs

    async def put(self, message: Message, body: bytes) -> None:
        usage = self._turn.usage if message.is_end and self._turn else None
        await self._outbox.put(message, body, usage=usage)

    def drop(self) -> None:
        """Cuts every socket's connection once it has been given what was put until now."""
        self._outbox.mark(DROP)

    async def reply_to(self, message: Message, timeout: float) -> Message | None:
        """Waits for the reply to the request that was put last; None if none comes in time."""
        await self._outbox.flushed()
        request = self._request = OpenRequest(message, self.channel.end - 1)
        try:
            async with asyncio.timeout(timeout):
                return await request.reply
        except TimeoutError:
            return None
        finally:
            self._request = None


class Hub:
    """The conversations of all sessions that are in use."""

    def __init__(self, store: Store, engines: Engines) -> None:
        self._store, self._engines = store, engines
        self._conversations: dict[str, Conversation] = {}
        self._shares = Shares()

    def of(self, session: Session) -> Conversation:
        conversation = self._conversations.get(session.id)
        if conversation is None or conversation.session is not session:  # another session had this id before
            conversation = self._conversations[session.id] = Conversation(
                session, self._store, self._engines, self._shares
            )
        return conversation

    def running(self) -> Sequence[str]:
        return [session_id for session_id, each in self._conversations.items() if each.is_running]

    def forget_idle(self) -> None:
        self._conversations = {key: each for key, each in self._conversations.items() if not each.is_idle}

    async def stop(self, session: Session) -> None:
        """Ends what goes on in a session that is being deleted, and sends its sockets away."""
        conversation = self._conversations.pop(session.id, None)
        if conversation:
            await conversation.stop(SESSION_GONE)
            conversation.channel.publish([CLOSE])
            if not conversation.channel.listeners:
                conversation.channel.forget()

    async def recover(self) -> None:
        """Closes the turns that a crash or a full disk has cut: an error and an END.

        Raises:
            sqlite3.Error: some could not be closed yet.
        """
        problem: sqlite3.Error | None = None
        for session in self._store.sessions():
            if session.running:
                try:
                    await self.of(session).close_unfinished()
                except sqlite3.Error as error_:
                    problem = error_
        if problem:
            raise problem

    async def drained(self, timeout: float) -> None:
        """Waits until every open socket was given what there is, for so many seconds at most."""
        deadline = asyncio.get_running_loop().time() + timeout
        while any(listener.has_more for each in self._conversations.values() for listener in each.channel.listeners):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.01)

    async def aclose(self) -> None:
        await asyncio.gather(*(each.stop(SERVER_STOPS) for each in self._conversations.values()))


def describe(problem: BaseException) -> str:
    """An exception for the reader: its kind and its first words, without traceback, keys or control characters."""
    text = one_line(redact(str(problem)))
    return f"{type(problem).__name__}: {text[:300]}" if text else type(problem).__name__
