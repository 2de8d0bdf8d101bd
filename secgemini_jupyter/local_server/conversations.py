"""What is alive of the sessions: one turn at a time each, whoever listens.

A message is stored with the others of its batch and then published to the session's channel. While a batch is
being committed the engine goes on, so that a burst costs few commits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from secgemini_jupyter.errors import one_line, redact
from secgemini_jupyter.local_server.asked import OpenRequest
from secgemini_jupyter.local_server.channel import CLOSE, DROP, Channel, Listener, Piece
from secgemini_jupyter.local_server.engines import Engines
from secgemini_jupyter.local_server.engines.base import Engine
from secgemini_jupyter.local_server.frames import ACTOR, end, error
from secgemini_jupyter.local_server.store import Session, Store
from secgemini_jupyter.local_server.turns import Turn
from secgemini_jupyter.models import Message, State, Usage

logger = logging.getLogger(__name__)

MAX_QUEUED_PROMPTS = 16
MAX_PENDING = 4096
"""Messages that may wait for their commit before the engine has to."""


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


@dataclass(frozen=True)
class Failure:
    """Why turns of a session are ended from outside."""

    code: int
    status: str
    text: str


SERVER_STOPS = Failure(503, "Service Unavailable", "The local server was stopped before the turn was over.")
SERVER_DIED = Failure(500, "Internal Server Error", "The local server ended unexpectedly before the turn was over.")
SESSION_GONE = Failure(404, "Session not found", "The session was deleted before the turn was over.")


class Outbox:
    """Stores messages in batches, and publishes each batch after its commit."""

    def __init__(self, session: Session, store: Store, channel: Channel) -> None:
        self._session, self._store, self._channel = session, store, channel
        self._frames: list[bytes] = []
        self._bodies: list[bytes] = []
        self._state: str = session.state
        self._ended = False
        self._usage: Usage | None = None
        self._task: asyncio.Task[None] | None = None
        self._taken = asyncio.Event()

    async def put(self, message: Message, body: bytes, *, publish: bool = True, usage: Usage | None = None) -> None:
        """Takes a message over. `usage` is the turn's, with its END.

        Raises:
            Exception: an earlier message could not be stored.
        """
        if message.status_code == 206:
            self._frames.append(Piece(body))
        else:
            self._bodies.append(body)
            self._state, self._ended, self._usage = message.state, message.is_end, usage
            if publish:
                self._frames.append(body)
        self._start()
        if len(self._frames) >= MAX_PENDING:
            self._taken.clear()
            await self._taken.wait()
        elif len(self._frames) % 64 == 0:
            await asyncio.sleep(0)  # an engine that never waits must not keep the sockets waiting

    def mark(self, mark: bytes) -> None:
        self._frames.append(mark)
        self._start()

    async def flushed(self) -> None:
        """Waits until all that was put is stored and published.

        Raises:
            Exception: it could not be stored.
        """
        while self._task is not None:
            await asyncio.wait([self._task])  # not the task itself: who waits may be cancelled, storing may not
            self._start()

    def discard(self) -> None:
        self._frames, self._bodies, self._task = [], [], None

    def _start(self) -> None:
        if self._task is not None:
            if not self._task.done():
                return
            self._task.result()
            self._task = None
        if self._frames or self._bodies:
            self._task = asyncio.create_task(self._flush(), name="flush")

    async def _flush(self) -> None:
        try:
            while self._frames or self._bodies:
                frames, self._frames = self._frames, []
                bodies, self._bodies = self._bodies, []
                self._taken.set()
                if bodies:
                    await self._store.append(
                        self._session, bodies, state=self._state, running=not self._ended, usage=self._usage
                    )
                self._channel.publish(frames)
                await self._channel.room()
        finally:
            self._taken.set()


class Conversation:
    """One session's channel, its running turn and the prompts that wait."""

    def __init__(self, session: Session, store: Store, engines: Engines) -> None:
        self.session = session
        self.store = store
        self.channel = Channel()
        self._engines = engines
        self._outbox = Outbox(session, store, self.channel)
        self._prompts: deque[Prompt] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._prompt: Prompt | None = None
        self._turn: Turn | None = None
        self._request: OpenRequest | None = None
        self._stopped: Failure | None = None

    @property
    def is_running(self) -> bool:
        return self._runner is not None

    @property
    def is_idle(self) -> bool:
        """Nothing here that a new object would not have."""
        return not (self.is_running or self.channel.listeners or self.channel.has_undelivered)

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
        for prompt in [prompt for prompt in self._prompts if prompt.listener is listener]:
            self._prompts.remove(prompt)

    def ask(self, query: Message, listener: Listener | None = None) -> asyncio.Future[Turn] | None:
        """Starts a turn, or puts the prompt behind the running one. None: refused, too many wait."""
        if len(self._prompts) >= MAX_QUEUED_PROMPTS or self._stopped:
            return None
        prompt = Prompt(query, listener, asyncio.get_running_loop().create_future())
        waiting = [self._prompt, *self._prompts]
        self._prompts.append(prompt)
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
        await self._outbox.put(reply, reply.to_json(), publish=False)

    # Turns

    async def _run(self) -> None:
        try:
            while self._prompts:
                prompt = self._prompt = self._prompts.popleft()
                if prompt.listener:
                    prompt.listener.release()
                turn = await self._answer(prompt)
                if not prompt.answer.done():
                    prompt.answer.set_result(turn)
        finally:
            self._runner = self._prompt = None
            self._drop_prompts()

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
            await self.store.append(self.session, [prompt.query.to_json()], state=State.QUERY, running=True, turns=1)
            await self._let_answer(engine, turn)
            await turn.end()
            await self._outbox.flushed()
        except Exception as problem:  # the store failed: whoever waits is told all the same
            logger.error("A turn could not be stored: %s", describe(problem))  # noqa: TRY400  # no content in the log
            self._outbox.discard()
            turn.has_failed = True
            failure = error("The turn could not be stored.", 507, "Insufficient Storage")
            turn.messages.append(failure)
            self.channel.publish([failure.to_json(), end().to_json()])
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

    async def stop(self, why: Failure) -> None:
        """Ends the running turn with an error and its END; no turn starts any more."""
        self._stopped = why
        self._drop_prompts()
        if self._answering:
            self._answering.cancel()
        if self._runner:
            await asyncio.wait([self._runner])

    def _drop_prompts(self) -> None:
        for prompt in self._prompts:
            prompt.answer.cancel()
        self._prompts.clear()

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

    def of(self, session: Session) -> Conversation:
        conversation = self._conversations.get(session.id)
        if conversation is None or conversation.session is not session:  # another session had this id before
            conversation = self._conversations[session.id] = Conversation(session, self._store, self._engines)
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

    async def recover(self) -> None:
        """Closes the turns that a crash has cut: an error and an END, which the next socket is given."""
        for session in self._store.sessions():
            if session.running:
                bodies = [error(SERVER_DIED.text, SERVER_DIED.code, SERVER_DIED.status).to_json(), end().to_json()]
                await self._store.append(session, bodies, state=State.END, running=False)
                self.of(session).channel.publish([*bodies, CLOSE])

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
