"""One prompt and what answers it, as an engine sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from secgemini_jupyter.local_server import asked
from secgemini_jupyter.local_server.engines.base import Decision, LocalToolOutcome, StoredAttachment, StoredTable
from secgemini_jupyter.local_server.frames import MAX_FRAME_BYTES, build, end, error, fitting, read_outcome
from secgemini_jupyter.models import ROOT, LocalTool, Message, MessageType, Role, State, Usage

if TYPE_CHECKING:
    from secgemini_jupyter.local_server.conversations import Conversation

T = TypeVar("T")


class Lazy(Sequence[T]):
    """A sequence that is read from the store when somebody looks at it: most prompts need no history."""

    def __init__(self, load: Callable[[], Sequence[T]]) -> None:
        self._load = load
        self._items: Sequence[T] | None = None

    def _loaded(self) -> Sequence[T]:
        if self._items is None:
            self._items = self._load()
        return self._items

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._loaded()[index]

    def __len__(self) -> int:
        return len(self._loaded())

    def __iter__(self) -> Iterator[T]:
        return iter(self._loaded())


class Turn:
    """What engines know as `EngineTurn`.

    A frame stays under 1 MiB, and there is exactly one result in text: a longer content is cut, with a plain note
    at its end (or in its place, if it is base64).

    Attributes:
        messages: what was said, pieces aside; kept without a socket alone.
        has_result: whether the answer was among it.
        has_failed: whether an error was.
        usage: of the result.
    """

    def __init__(self, conversation: Conversation, prompt: str, actor: str, *, partial: bool, tools: bool) -> None:
        session, store = conversation.session, conversation.store
        count, files = session.num_messages, tuple(session.files)
        known, session.asked_about = session.asked_about, frozenset(key for key, _ in files)
        self.session_id = session.id
        self.prompt = prompt
        self.history: Sequence[Message] = Lazy(lambda: store.history(session, count))
        self.attachments: Sequence[StoredAttachment] = Lazy(
            lambda: [
                StoredAttachment(info, store.file_content(session, key), is_new=known is not None and key not in known)
                for key, info in files
            ]
        )
        table = store.tables.find(session.logs_table or "", can_log=session.fixed.can_log)
        is_new = known is not None and session.logs_table != session.asked_table
        session.asked_table = session.logs_table
        self.logs_table = (
            StoredTable(table.hash, table.meta.lines, table.meta.size, table.source, is_new) if table else None
        )
        self.lost_table = None if table else session.logs_table
        self.local_tools: Sequence[LocalTool] = session.fixed.local_tools if tools else ()
        self.model, self.language = session.fixed.model, session.fixed.language
        self.partial = partial
        self.messages: list[Message] = []
        self._keeps = not tools  # a reply over HTTP holds them all; a socket was given each
        self.has_result = self.has_failed = False
        self.usage: Usage | None = None
        self._conversation = conversation
        self._actor = actor
        self._ended = False
        self._frames = self._drop_after = 0
        self._one_request = asyncio.Lock()

    async def say(
        self,
        message_type: MessageType,
        content: str,
        *,
        state: State,
        role: Role = Role.SYSTEM,
        actor: str | None = None,
        title: str | None = None,
        mime_type: str = "text/plain",
        group: str | None = None,
        parent: str | None = None,
        status_code: int = 200,
        status_message: str = "OK",
        usage: Usage | None = None,
        unknown: dict[str, Any] | None = None,
    ) -> Message:
        """See `EngineTurn.say`.

        Raises:
            RuntimeError: a second result in text, an END, or anything after it: the engine is wrong.
        """
        if self._ended or state is State.END:
            raise RuntimeError("an engine must not end its turn itself, or speak after the end")
        message = build(
            message_type,
            content,
            state=state,
            role=role,
            actor=self._actor if actor is None else actor,
            title=title,
            mime_type=mime_type,
            group=group,
            parent_id=parent or ROOT,
            status_code=status_code,
            status_message=status_message,
            usage=usage,
            unknown=unknown or msgspec.UNSET,
        )
        message, body = fitting(message)
        if status_code != 206:
            self._note(message)
        await self._send(message, body)
        return message

    def _note(self, message: Message) -> None:
        if message.is_error:
            self.has_failed = True
        elif message.message_type is MessageType.RESULT:
            if message.mime_type in ("text/plain", "text/markdown"):
                if self.has_result:
                    raise RuntimeError("an engine must give one result in text")
                self.has_result = True
            self.usage = message.usage or self.usage
        self._keep(message)

    def _keep(self, message: Message) -> None:
        if self._keeps:
            self.messages.append(message)

    async def _send(self, message: Message, body: bytes) -> None:
        await self._conversation.put(message, body)
        self._frames += 1
        if self._frames == self._drop_after:
            self._conversation.drop()

    async def call_local_tool(self, name: str, arguments: dict[str, Any]) -> LocalToolOutcome:
        if not any(tool.name == name for tool in self.local_tools):
            return LocalToolOutcome(f"This session has no local tool {name!r} that could be called.", is_error=True)
        content = msgspec.json.encode({"tool_name": name, "tool_args": arguments}).decode()
        if len(content) * 2 > MAX_FRAME_BYTES:
            return LocalToolOutcome(f"The arguments of {name!r} are too long to be sent.", is_error=True)
        limit = asked.TOOL_TIMEOUT
        async with self._one_request:
            message = await self.say(
                MessageType.LOCAL_TOOL_CALL,
                content,
                state=State.CALLING_TOOL,
                mime_type="text/serialized-json",
            )
            reply = await self._conversation.reply_to(message, limit)
        if reply is None:
            return LocalToolOutcome(f"The local tool gave no result within {limit:g} s.", is_error=True)
        return read_outcome(reply)

    async def confirm(self, prompt: str, action: dict[str, Any], *, within: float | None = None) -> Decision:
        """See `EngineTurn.confirm`."""
        wanted = {"prompt": prompt, "options": ["approve", "deny"], "action": action}
        content = msgspec.json.encode(wanted).decode()
        if len(content) * 2 > MAX_FRAME_BYTES:
            return Decision(is_approved=False, comment="The question is too long to be sent.")
        limit = asked.CONFIRMATION_TIMEOUT if within is None else within
        async with self._one_request:
            message = await self.say(
                MessageType.CONFIRMATION_REQUEST,
                content,
                state=State.CALLING_TOOL,
                role=Role.AGENT,
                mime_type="text/serialized-json",
            )
            reply = await self._conversation.reply_to(message, limit)
        if reply is None:
            return Decision(is_approved=False, comment=f"No answer within {limit:g} s.")
        return asked.read_decision(reply)

    async def fail(self, code: int, status: str, text: str) -> None:
        """An error in the server's own name."""
        self.has_failed = True
        message, body = fitting(error(text, code, status))
        self._keep(message)
        await self._send(message, body)

    async def end(self) -> None:
        """The END, after which an engine that goes on talking is refused."""
        self._ended = True
        message = end()
        self._keep(message)
        await self._send(message, message.to_json())

    def drop_after(self, frames: int) -> None:
        """Cuts every socket's connection after so many frames of this turn. The turn goes on."""
        self._drop_after = frames
