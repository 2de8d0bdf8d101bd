"""One prompt's way from query to END, without I/O: what to send, what to tell the caller, what to do after a cut.

A shell opens the socket and then asks, in this order and until `done`: `fetch_wanted` (GET the session, hand it to
`reconcile`), `take_outgoing` (frames to send), `patience` (how long to wait for a frame), `receive`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Sequence

from secgemini_jupyter.errors import (
    InputError,
    ProtocolError,
    SecGeminiError,
    ServiceError,
    TurnTimeoutError,
)
from secgemini_jupyter.models import Message, MessageType, Role, State, Usage, read_message, turn_usage
from secgemini_jupyter.protocol.calls import (
    ToolCall,
    answered_requests,
    decision,
    open_requests,
    read_call,
    tool_result,
)
from secgemini_jupyter.protocol.failing import passing, said_by
from secgemini_jupyter.protocol.mutations import Changes
from secgemini_jupyter.protocol.requests import LONGEST_RETRY_AFTER, SECOND_LOOK, jitter
from secgemini_jupyter.protocol.stored import (
    Gist,
    Twins,
    fits,
    gist,
    has_result,
    merged,
    turn_of,
    unfinished,
    unrecorded,
)
from secgemini_jupyter.settings import Settings

ASKING = (MessageType.LOCAL_TOOL_CALL, MessageType.CONFIRMATION_REQUEST)
"""What a message must be to ask something of this side."""
# Looked up once: the loop below runs for every frame of a stream.
QUERY, RESULT, END = MessageType.QUERY, MessageType.RESULT, State.END
GRACE = 2.0
"""Seconds in which END should follow an error frame; some services close instead."""
END_AFTER_RESULT = 5.0
"""Seconds in which an END should follow a result: then we look whether it was lost. Sessions used without a stream
may have none."""
ABANDONED = "the user stopped the turn that asked for this"


class Turn:
    """The state of one turn. Times are the caller's monotonic clock, in seconds.

    Args:
        prompt: None listens: the turn that runs, or ran last, is taken up from the stored session.
        partial: whether 206 pieces are passed on.
        results: what was answered to calls of local tools and confirmations, by the id of the request; added to.
    """

    def __init__(
        self,
        prompt: str | None,
        settings: Settings,
        *,
        now: float,
        partial: bool = False,
        results: dict[str, Message] | None = None,
    ) -> None:
        if prompt is not None and not prompt.strip():
            raise InputError("The prompt is empty: nothing was sent.")
        self.query = None if prompt is None else _query(prompt)
        self.partial = partial
        self.done = False
        self.is_listener = prompt is None
        self.is_whole = False
        """Whether the caller takes the messages when all are there: their order can be mended until then."""
        self.query_sent = False
        self.on_query_sent: Callable[[Message], None] | None = None
        """Called once, when the prompt is handed out to be sent. It must not raise or wait."""
        self.skipping = False
        """Whether frames of an earlier turn are passing by."""
        self.messages: list[Message] = []
        """What the caller got, in order, without pieces."""
        self.unrecorded: list[Message] = []
        """Confirmations that came too late: the service has not stored them. Known when the turn is over."""
        self.reconnects = 0
        self.fetch_wanted = prompt is None
        self.fetch_pause = 0.0
        self._settings = settings
        self._deadline = now + settings.turn_timeout
        self._room: float = settings.max_reply_bytes or math.inf  # in bytes
        self._seen: dict[str, Message] = {}
        self._twins = Twins()
        self._unsent: list[Message] = [] if self.fetch_wanted or not self.query else [self.query]
        self._results = {} if results is None else results
        self._answered: set[str] = set()
        self.abandoned: Container[str] = ()
        """Ids of prompts whose turns this side has left: what they ask of it, nobody else will answer."""
        self._left: str | None = None
        self._may_release = False
        self._sent_here = False
        self.earlier: Container[Gist] = ()
        """What a new socket may begin with, though it is no part of this turn."""
        self._missed = False
        self._was_silent = False
        self._stored_at_last_look = -1
        self._result_is_stored = False
        self._failure: Message | None = None
        self._failures_in_a_row = 0
        self._connected = False
        self._newest = 0.0
        self._is_doubtful = prompt is None or settings.verify_turns
        """Whether something may have been lost, or come in another order, without a sign of it."""
        self._is_disordered = False
        self._end: Message | None = None  # one that came, and is given when the stored session was looked at
        self._looked_after = 0  # messages that the caller had when silence last made us look

    def look_first(self, abandoned: Sequence[str] = ()) -> None:
        """An earlier turn of the session may still run: look before the prompt is sent, and skip that one's frames.

        Args:
            abandoned: ids of prompts whose turns this side has left, the last one at the end.
        """
        self.fetch_wanted, self._unsent = True, []
        self.abandoned, self._left = abandoned, abandoned[-1] if abandoned else None

    # --- what a shell asks ---

    def connected(self) -> None:
        """A socket stands. From a second one on, what was missed is fetched before anything is sent."""
        if self._connected:
            self.reconnects += 1
            self.fetch_wanted = self._is_doubtful = True
        self._connected = True
        self._sent_here = False

    @property
    def has_outgoing(self) -> bool:
        return bool(self._unsent)

    def take_outgoing(self) -> list[str]:
        self._missed = False
        if not self._unsent:
            return []
        frames = [message.to_json().decode() for message in self._unsent]
        if self.query and self.query in self._unsent:
            self._sent_here = True
            if not self.query_sent and self.on_query_sent:
                self.on_query_sent(self.query)
            self.query_sent = True
        self._unsent = []
        return frames

    def patience(self, now: float) -> float:
        """Seconds to wait for the next frame; after that, call `silent`.

        Raises:
            TurnTimeoutError: the turn's deadline has passed.
        """
        if now >= self._deadline:
            raise TurnTimeoutError(
                f"The turn did not end within {self._settings.turn_timeout:g} s; the service may still be working."
            )
        limit = self._settings.silence_timeout
        if self._failure:
            limit = GRACE
        elif self.skipping:
            limit = min(limit, END_AFTER_RESULT) if self._result_is_stored else limit
        elif self._looked_after < len(self.messages) and self.messages[-1].message_type is RESULT:
            limit = min(limit, END_AFTER_RESULT)
        return max(0.0, min(limit, self._deadline - now))

    def look_ends(self, now: float) -> float:
        """When a look at the stored session is given up."""
        return min(self._deadline, now + (self._settings.total_timeout or math.inf))

    def silent(self, now: float) -> None:
        """No frame came in time: END may have been lost, so the stored session is asked."""
        if self._failure:
            self.done = True
        elif now < self._deadline:
            self.fetch_wanted = self._was_silent = True

    def receive(self, frame: bytes | str) -> Message | None:
        """One frame. None if the caller has it already, did not ask for such, or it belongs to an earlier turn.

        Raises:
            ProtocolError: the frame is no message; treat it as a cut.
            ServiceError: the turn has brought more than memory is for.
        """
        self._room -= len(frame)
        if self._room < 0:
            raise self._overflow()
        message = read_message(frame)
        self._was_silent = False
        if self.earlier:
            if gist(message) in self.earlier:
                self._is_doubtful = True
                return None
            self.earlier = ()
        if self.skipping:
            self._skip(message)
            return None
        if message.state is END and (self._is_doubtful or not (self._failure or has_result(self.messages))):
            self._end, self.fetch_wanted = message, True  # what is missing before it is fetched first
            return None
        return self._take(message)

    def _overflow(self) -> ServiceError:
        limit = self._settings.max_reply_bytes
        return ServiceError(
            f"The turn brought more than {limit:,} bytes, and was given up. Raise Settings.max_reply_bytes.", status=413
        )

    def _skip(self, message: Message) -> None:
        self._failures_in_a_row = 0
        if message.is_end:
            self.skipping = False
            self._results.clear()  # ids of calls may repeat in the next turn
            if self.query_sent:  # the service may have kept it, and begin with it now
                self.fetch_wanted, self.fetch_pause, self._missed = True, SECOND_LOOK, True
            else:
                self._unsent = [self.query] if self.query else []
        else:
            self._release(message)

    def _release(self, message: Message) -> None:
        """A turn that this side has left, and that waits for it, gets what we have for it, or a refusal: else it never
        ends. What another kernel's turn asks is that one's to answer.
        """
        if not self._may_release:
            return
        if message.message_type is MessageType.LOCAL_TOOL_CALL:
            if message.id not in self._results:
                call = read_call(message)
                self._results[message.id] = tool_result(call, ABANDONED, is_error=True)
        elif message.message_type is MessageType.CONFIRMATION_REQUEST:
            self._results.setdefault(message.id, decision(message, approve=False, comment=ABANDONED))
        else:
            return
        self._unsent.append(self._results[message.id])

    def _take(self, message: Message) -> Message | None:
        known = self._seen.setdefault(message.id, message)
        if known is not message and self._twins.repeats(known, message):
            self._is_doubtful = True
            if result := self._results.get(message.id):
                self._unsent.append(result)  # asked again: it gets the first result again
            return None
        self._failures_in_a_row = 0
        if message.status_code != 200:
            if message.is_partial:
                return message if self.partial else None
            if message.is_error:
                self._failure = self._failure or message
        if message.message_type is QUERY and self.query and message.id == self.query.id:
            return None
        self.messages.append(message)
        if message.created_at < self._newest:  # made earlier than what came before it
            self._is_doubtful = True
        else:
            self._newest = message.created_at
        if message.state is END:
            self.done = True
        return message

    def reconcile(self, stored: Sequence[Message]) -> Iterable[Message]:
        """Compare with the stored session: gives what we missed, and decides whether the prompt is sent (again)."""
        if self._room < 0:
            raise self._overflow()
        self.fetch_wanted, self.fetch_pause = False, 0.0
        start = self._find_query(stored)
        if start is None:
            if self._end:  # a service that keeps nothing
                yield from filter(None, [self._take(self._end)])
            else:
                self._query_is_missing(stored)
            return
        self.query_sent, self.skipping, self._missed = True, False, False
        self.earlier = {gist(message) for message in stored[:start]}
        tail = turn_of(stored[start + 1 :])
        self._answered = answered_requests(tail)
        had = len(self.messages)
        if self.messages and not fits(self.messages, tail):
            self._is_disordered = self._is_doubtful = True
        for message in tail:
            if taken := self._take(message):
                self._room -= len(taken.content or "")
                yield taken
        if self._end and not self.done:
            yield from filter(None, [self._take(self._end)])
        if self.done and (late := unrecorded(self.messages, tail)):
            self.unrecorded = late
            self.messages[:] = [message for message in self.messages if message not in late]
        if self._is_disordered:
            self.messages[:] = merged(self.messages, tail)
        if self.done:
            return
        self._check_that_it_goes_on(had)
        ids = {message.id for message in tail}
        self._unsent = [result for call, result in self._results.items() if call in ids and result.id not in ids]

    def _check_that_it_goes_on(self, had: int) -> None:
        """An answer without an END, to which nothing was added in two looks, is not waited for any longer.

        Raises:
            TurnTimeoutError: so it is.
        """
        if not self._was_silent:
            return
        self._was_silent = False
        if has_result(self.messages) and self._looked_after == had == len(self.messages):
            raise TurnTimeoutError("The answer came, but neither the turn's END nor anything else for a long time.")
        self._looked_after = len(self.messages)

    def _find_query(self, stored: Sequence[Message]) -> int | None:
        """Position of our query, looked for from the end; a listener adopts the last one there is."""
        for index in range(len(stored) - 1, -1, -1):
            message = stored[index]
            if message.message_type is not MessageType.QUERY:
                continue
            if self.query is None:
                self.query = message
            if message.id == self.query.id:
                return index
        return None

    def _query_is_missing(self, stored: Sequence[Message]) -> None:
        if self.query is None:
            raise InputError("The session has no turn to listen to: ask something first.")
        if self.is_listener or (self.query_sent and self.messages):
            raise ServiceError(
                "The service has nothing any more of the turn that it was answering. It was not asked again.",
                status=410,
            )
        if self.query_sent and not self._missed:
            # The service may be reading it just now: look once more before the prompt is sent a second time.
            self.fetch_wanted, self.fetch_pause, self._missed = True, SECOND_LOOK, True
            return
        prompts = [message.id for message in stored if message.message_type is QUERY]
        if self._left is not None and self._left not in prompts:
            # So may the service that one's prompt which this side has left just now: it would come before ours.
            self.fetch_wanted, self.fetch_pause, self._left = True, SECOND_LOOK, None
            return
        self._may_release = bool(prompts) and prompts[-1] in self.abandoned
        if self._sent_here and unfinished(stored):
            # It waits at the service, behind another turn that says nothing: sent again, it would be asked twice.
            self._was_silent, self._is_doubtful = False, True
            for message in open_requests(stored):
                self._release(message)
            return
        # A turn that says nothing and stores nothing from one look to the next lost its END: we wait no longer.
        stalled = self._was_silent and self._stored_at_last_look == len(stored)
        self._stored_at_last_look = len(stored)
        self._was_silent = False
        self.earlier = {gist(message) for message in stored}
        self.skipping = unfinished(stored) and not stalled
        self._unsent = []
        if self.skipping:
            self._result_is_stored = stored[-1].message_type is MessageType.RESULT
            for message in open_requests(stored):
                self._release(message)
        else:
            self._results.clear()
            self._unsent = [self.query]

    def lost(self, error: SecGeminiError, now: float) -> float:
        """The connection, or the attempt to get one, failed: seconds to wait before the next attempt.

        Raises:
            SecGeminiError: `error`, if no further attempt makes sense, or the deadline has passed.
        """
        if self._failure:  # the service closed after its error frame, without an END
            self.done = True
            return 0.0
        if now >= self._deadline:
            self.patience(now)
        self._failures_in_a_row += 1
        allowed = self._settings.reconnects if self._connected else self._settings.retries
        if self._failures_in_a_row > allowed or not passing(error):
            raise error
        if wait := error.retry_after:
            if wait > LONGEST_RETRY_AFTER or now + wait >= self._deadline:
                raise error
            return wait
        return max(0.0, min(jitter(self._failures_in_a_row), self._deadline - now))

    # --- local tools and confirmations ---

    def tool_call(self, message: Message) -> ToolCall | None:
        """The call in `message`, if it is one that nobody answered yet; a tool never runs twice for one call."""
        if message.message_type is MessageType.LOCAL_TOOL_CALL and self._is_open(message):
            return read_call(message)
        return None

    def wants_decision(self, message: Message) -> bool:
        """Whether `message` asks for a confirmation that nobody gave or refused yet."""
        return message.message_type is MessageType.CONFIRMATION_REQUEST and self._is_open(message)

    def _is_open(self, request: Message) -> bool:
        if request.id in self._answered:
            return False
        if known := self._results.get(request.id):
            self._unsent.append(known)
            return False
        return True

    def answer(self, call: ToolCall, output: str, *, is_error: bool) -> Message:
        """The result of a local tool, to be sent and shown: always JSON, tied to its call by `parent_id`."""
        return self._send(tool_result(call, output, is_error=is_error))

    def decide(self, request: Message, *, approve: bool, comment: str = "") -> Message:
        """The answer to a `confirmation_request` (protocol section 12, our convention)."""
        self._is_doubtful = True  # a person takes time: the service may have gone on
        return self._send(decision(request, approve=approve, comment=comment))

    def _send(self, message: Message) -> Message:
        self._results[message.parent_id] = message
        self._seen[message.id] = message
        self._unsent.append(message)
        self.messages.append(message)
        return message

    # --- the end ---

    @property
    def failure(self) -> Message | None:
        """The error frame that ended the turn."""
        return self._failure

    @property
    def usage(self) -> Usage:
        """Tokens of the turn."""
        return turn_usage(Changes.of(self.messages).applied(self.messages, keeps_removed=True))

    def raise_for_error(self, where: str) -> None:
        """Raise what an error frame of this turn said, as a typed error.

        Raises:
            ServiceError: or a subclass, by the frame's status code.
            ProtocolError: the caller got the messages in another order than they are stored in.
        """
        if self._failure:
            raise said_by(self._failure, where)
        if self._is_disordered and not self.is_whole:
            raise ProtocolError(
                f"{where} sent messages in another order than it stored them. .messages has them in order."
            )


def _query(prompt: str) -> Message:
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"The prompt holds {error.object[error.start]!r}, which cannot be sent. Replace it. Nothing was sent."
        ) from None
    return Message(message_type=MessageType.QUERY, state=State.QUERY, role=Role.USER, content=prompt, usage=Usage())
