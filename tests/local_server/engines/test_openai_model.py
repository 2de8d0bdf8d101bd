"""The engine with a small real model behind llama.cpp's own HTTP server (`make model`).

Its answers are mostly nonsense: what is asserted is that turns go well whatever it says.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secgemini_jupyter.models import MessageType
from tests.local_server.engines.conftest import AskModel, ModelTurn

pytestmark = [pytest.mark.anyio, pytest.mark.model]
SCRIPT = Path(__file__).parents[3] / "scripts" / "model_server.py"
PATIENCE: dict[str, Any] = {"name": "", "key": "", "timeout": 300.0}


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if "model" not in request.config.option.markexpr:
        pytest.skip("make model runs it")
    spec = importlib.util.spec_from_file_location("model_server", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    process, url = module.start()
    yield url
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        pipe.close()


def show(turn: ModelTurn) -> None:
    for message in turn.said:
        if message.status_code != 206:
            print(f"{message.message_type} · {message.title or message.state} · {(message.content or '')[:300]!r}")


async def test_it_streams_and_counts_tokens(ask: AskModel, url: str) -> None:
    turn = await ask("Say hello in one sentence.", url=url, partial=True, tools=[], **PATIENCE)
    show(turn)
    assert turn.text.strip()
    assert "".join(turn.of(MessageType.RESULT, 206)) == turn.text
    usage = next(m.usage for m in turn.said if m.message_type is MessageType.RESULT and m.status_code == 200)
    assert usage
    assert usage.generated_tokens > 0


async def test_asked_for_a_tool_it_calls_one_or_answers(ask: AskModel, url: str) -> None:
    call = '{"name": "hash_file", "arguments": {"file": "a.txt"}}'
    prompt = f"Answer with this and nothing else: <tool_call>{call}</tool_call>"
    turn = await ask(prompt, {"a.txt": b"hello"}, url=url, tools=[], **PATIENCE)
    show(turn)
    assert turn.text.strip() or turn.error
    assert {call["name"] for call in turn.calls} <= {"hash_file"}


async def test_a_cancelled_turn_frees_the_server(ask: AskModel, url: str) -> None:
    turn = asyncio.create_task(ask("Count from one to a thousand.", url=url, tools=[], **PATIENCE))
    await asyncio.sleep(0.5)
    turn.cancel()
    await asyncio.wait([turn])
    assert turn.cancelled()
    assert (await ask("Say yes.", url=url, tools=[], **PATIENCE)).text.strip()


async def test_a_prompt_that_is_longer_than_its_context(ask: AskModel, url: str) -> None:
    turn = await ask("word " * 6_000, url=url, tools=[], **PATIENCE)
    show(turn)
    assert turn.error.status_code == 413
    assert "4,096" in (turn.error.content or "")
