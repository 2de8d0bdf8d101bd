"""A turn that keeps what the engine says, and the engine itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from secgemini_jupyter.local_server.engines.analyst import AnalystEngine
from secgemini_jupyter.local_server.engines.base import Decision, LocalToolOutcome, StoredAttachment, StoredTable
from secgemini_jupyter.models import LocalTool, Message, MessageType, ModelInfo, PublicSessionFile, State


class RecordedTurn:
    """An `EngineTurn` whose messages stay in a list."""

    def __init__(
        self,
        prompt: str,
        files: Mapping[str, bytes],
        *,
        partial: bool = False,
        model: ModelInfo = AnalystEngine.model,
        language: str = "en",
        history: Sequence[Message] = (),
    ) -> None:
        self.session_id = "a-session"
        self.prompt = prompt
        self.history = history
        self.local_tools: Sequence[LocalTool] = ()
        self.model, self.language = model, language
        self.partial = partial
        self.logs_table: StoredTable | None = None
        self.lost_table: str | None = None
        self.attachments = [
            StoredAttachment(
                PublicSessionFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest()), content
            )
            for name, content in files.items()
        ]
        self.said: list[Message] = []

    async def say(self, message_type: MessageType, content: str, *, state: State, **fields: Any) -> Message:
        given = {name: value for name, value in fields.items() if value is not None}
        message = Message(message_type=message_type, content=content, state=state, **given)
        self.said.append(message)
        return message

    async def call_local_tool(self, name: str, arguments: dict[str, Any]) -> LocalToolOutcome:
        raise AssertionError("the analyst has tools of its own")

    async def confirm(self, prompt: str, action: dict[str, Any], *, within: float | None = None) -> Decision:
        raise AssertionError("the analyst does nothing that needs one")

    @property
    def answer(self) -> str:
        results = [m for m in self.said if m.message_type is MessageType.RESULT and m.status_code == 200]
        (result,) = (m for m in results if m.mime_type in (None, "text/plain"))
        return str(result.content)

    @property
    def calls(self) -> list[dict[str, Any]]:
        debug = [m for m in self.said if m.message_type is MessageType.DEBUG and m.state is State.CALLING_TOOL]
        return [json.loads(m.content or "") for m in debug]

    @property
    def tools(self) -> list[str]:
        return [call["name"] for call in self.calls]

    @property
    def results(self) -> list[dict[str, Any]]:
        debug = [m for m in self.said if m.message_type is MessageType.DEBUG and m.state is State.TOOL_RESULT]
        return [json.loads(m.content or "")["response"] for m in debug]


Ask = Callable[..., Awaitable[RecordedTurn]]


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[AnalystEngine]:
    engine = AnalystEngine()
    yield engine
    await engine.aclose()


@pytest.fixture
def ask(engine: AnalystEngine) -> Ask:
    async def ask(prompt: str, files: Mapping[str, bytes] | None = None, **session: Any) -> RecordedTurn:
        turn = RecordedTurn(prompt, files or {}, **session)
        await engine.answer(turn)
        return turn

    return ask


Talk = Callable[..., Awaitable[list[RecordedTurn]]]


@pytest.fixture
def talk(engine: AnalystEngine) -> Talk:
    """Prompts of one session, each with the messages of those before as its history."""

    async def talk(
        *prompts: str, files: Mapping[str, bytes] | None = None, between: Sequence[Message] = ()
    ) -> list[RecordedTurn]:
        history: list[Message] = []
        turns = []
        for prompt in prompts:
            turn = RecordedTurn(prompt, files or {})
            turn.history = list(history)
            await engine.answer(turn)
            turns.append(turn)
            history += [
                Message(message_type=MessageType.QUERY, content=prompt, state=State.QUERY),
                *turn.said,
                *between,
            ]
        return turns

    return talk
