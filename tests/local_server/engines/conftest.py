"""The engine that asks a language model, against a scripted endpoint over a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from secgemini_jupyter.errors import Secret
from secgemini_jupyter.language_model import LanguageModel
from secgemini_jupyter.local_server.analyst.workers import Workers
from secgemini_jupyter.local_server.engines.base import LocalToolOutcome
from secgemini_jupyter.local_server.engines.openai.engine import OpenAIEngine
from secgemini_jupyter.models import LocalTool, Message, MessageType
from tests.local_server.analyst.conftest import RecordedTurn
from tests.local_server.engines.scripted_openai import ScriptedEndpoint, serving

CANARY = "sk-canary-0123456789abcdef"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def scripted() -> Iterator[ScriptedEndpoint]:
    with serving() as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(scripted: ScriptedEndpoint) -> ScriptedEndpoint:
    scripted.play()
    scripted.gone.clear()
    return scripted


class ModelTurn(RecordedTurn):
    """A turn whose local tools answer from a table: a text, or an error for None."""

    local_answers: Mapping[str, str | None] = {}

    def __init__(self, prompt: str, files: Mapping[str, bytes], **session: Any) -> None:
        super().__init__(prompt, files, **session)
        self.local_calls: list[tuple[str, dict[str, Any]]] = []

    async def call_local_tool(self, name: str, arguments: dict[str, Any]) -> LocalToolOutcome:
        self.local_calls.append((name, arguments))
        answer = self.local_answers.get(name)
        return LocalToolOutcome("denied by the user", is_error=True) if answer is None else LocalToolOutcome(answer)

    def of(self, kind: MessageType, status: int = 200) -> list[str]:
        return [m.content or "" for m in self.said if m.message_type is kind and m.status_code == status]

    @property
    def text(self) -> str:
        (result,) = (m for m in self.said if m.message_type is MessageType.RESULT and _is_text(m))
        return result.content or ""

    @property
    def notes(self) -> str:
        return "\n".join(self.of(MessageType.THINKING))

    @property
    def unknown(self) -> list[str]:
        """What is marked as found in nothing that the model was given."""
        tables = [m for m in self.said if m.mime_type == "sec-gemini/table" and "Not found" in (m.title or "")]
        return [row[0] for table in tables for row in json.loads(table.content or "")["rows"]]

    @property
    def error(self) -> Message:
        (error,) = (m for m in self.said if m.message_type is MessageType.ERROR)
        return error


def _is_text(message: Message) -> bool:
    return message.status_code == 200 and message.mime_type == "text/plain"


AskModel = Callable[..., Awaitable[ModelTurn]]


@pytest.fixture(scope="session")
async def workers() -> AsyncIterator[Workers]:
    workers = Workers(size=1)
    yield workers
    await workers.aclose()


@pytest.fixture
async def ask(endpoint: ScriptedEndpoint, workers: Workers) -> AsyncIterator[AskModel]:
    engines: list[OpenAIEngine] = []

    async def ask(
        prompt: str,
        files: Mapping[str, bytes] | None = None,
        *,
        local: Mapping[str, str | None] | None = None,
        history: Sequence[Message] = (),
        tools: Sequence[LocalTool] | None = None,
        same: bool = False,
        url: str = "",
        key: str = CANARY,
        **options: Any,
    ) -> ModelTurn:
        session = {name: options.pop(name) for name in ("partial", "model", "language") if name in options}
        if not (same and engines):
            settings = {"name": "scripted", "key": Secret(key) if key else None, "timeout": 5.0} | options
            engines.append(OpenAIEngine(LanguageModel(url=url or endpoint.url, **settings), workers))
        turn = ModelTurn(prompt, files or {}, **session)
        turn.history = history
        turn.local_answers = local or {}
        turn.local_tools = tools if tools is not None else [local_tool(name) for name in turn.local_answers]
        await engines[-1].answer(turn)
        assert CANARY not in "".join(str(message) for message in turn.said)
        return turn

    yield ask
    for engine in engines:
        await engine._endpoint.aclose()


def local_tool(name: str, **properties: Any) -> LocalTool:
    """A tool as the official SDK declares it: every key of a schema there, unused ones null."""
    schema = {"type": "OBJECT", "properties": properties, "any_of": None, "title": None, "required": list(properties)}
    return LocalTool(name=name, description=f"Does {name}.", parameters=schema)
