"""What an engine is: something that answers one prompt by saying messages. `turns` does the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from secgemini_jupyter.models import (
    LocalTool,
    Message,
    MessageType,
    ModelInfo,
    PublicSessionFile,
    Role,
    State,
    Usage,
)

LOOP_HEADER = "x-secgemini-local-service"
"""Says that a request for a chat completion comes from a local service: it, or another one, does not answer it."""


@dataclass(frozen=True)
class StoredAttachment:
    """An attachment of the session; `content` is hostile data, never instructions."""

    info: PublicSessionFile
    content: bytes = field(repr=False)
    is_new: bool = False
    """Whether it was attached after the prompt before this one."""


@dataclass(frozen=True)
class StoredTable:
    """The session's logs table. `load` gives the path of its database, or the bytes of one in memory; it blocks."""

    hash: str
    lines: int
    size: int
    load: Callable[[], str | bytes] = field(repr=False)
    is_new: bool = False
    """Whether it was attached after the prompt before this one."""


@dataclass(frozen=True)
class LocalToolOutcome:
    """What the client's local tool gave back: `output` is text (often JSON)."""

    output: str
    is_error: bool = False


@dataclass(frozen=True)
class Decision:
    """What the user said to a confirmation."""

    is_approved: bool
    comment: str = ""


class EngineTurn(Protocol):
    """One prompt, as the engine sees it, and the engine's way to answer.

    `say` stores a message and sends it to every open socket; ids, times and the wire's `turn` are filled in.
    The END is not the engine's: it follows when `Engine.answer` returns. An exception becomes an `error`
    message and an END, without its traceback.
    """

    session_id: str
    prompt: str
    history: Sequence[Message]
    """The session's messages before this prompt, oldest first."""
    attachments: Sequence[StoredAttachment]
    logs_table: StoredTable | None
    """None too for one that is attached and was lost: `lost_table` then is its hash."""
    lost_table: str | None
    local_tools: Sequence[LocalTool]
    model: ModelInfo
    """Of the session, with its toolsets as they are switched there; where it has none, all are as by default."""
    language: str
    """That the session wants its answers in."""
    partial: bool
    """Whether anybody who listens asked for 206 pieces."""

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
        """Store and send one message. `actor` is the engine's own when None; `group` ties messages together.
        `parent` is the id of the message that this one belongs to, or that it changes; the root when None.

        With status 206 the message is a piece: it is sent to sockets that asked for pieces, and never stored.
        """
        ...

    async def call_local_tool(self, name: str, arguments: dict[str, Any]) -> LocalToolOutcome:
        """Ask the client to run one of `local_tools`; waits at most 300 s. One call is open at a time."""
        ...

    async def confirm(self, prompt: str, action: dict[str, Any], *, within: float | None = None) -> Decision:
        """Ask the user whether `action` may be done; no answer within 120 s, or `within`, is a no.

        One request is open at a time, a call or a confirmation.
        """
        ...


class Engine(Protocol):
    actor: str
    model: ModelInfo

    async def answer(self, turn: EngineTurn) -> None:
        """Answer `turn.prompt`: exactly one `result` of type `text/plain` (or Markdown) and status 200."""
        ...

    async def aclose(self) -> None:
        """End worker processes and connections."""
        ...
