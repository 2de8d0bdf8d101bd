"""What a start makes of a turn that a death has cut."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from secgemini_jupyter.local_server.conversations import Hub
from secgemini_jupyter.local_server.engines import Engines
from secgemini_jupyter.local_server.store import Fixed, Store
from secgemini_jupyter.models import Message, MessageType, ModelInfo, Role, State, Usage

pytestmark = pytest.mark.anyio


def message(kind: MessageType, state: State, usage: Usage | None = None) -> bytes:
    return Message(message_type=kind, state=state, role=Role.AGENT, content="x", usage=usage).to_json()


async def test_the_tokens_of_a_cut_turn_are_counted_once_and_its_end_is_stored_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fixed = Fixed(model=ModelInfo(), language="en", can_log=True, created=time.time())
    session = await store.register("s", fixed, name="n", description="", ttl=600)
    assert session is not None
    query = message(MessageType.QUERY, State.QUERY)
    first = [query, message(MessageType.RESULT, State.AGENT_DONE, Usage(total_tokens=100))]
    first.append(message(MessageType.INFO, State.END))
    await store.append(session, first, state=State.END, running=False, usage=Usage(total_tokens=100), turns=1)
    cut = [query, message(MessageType.RESULT, State.AGENT_DONE, Usage(total_tokens=7))]
    await store.append(session, cut, state=State.AGENT_DONE, running=True, turns=1)
    store.close()  # what follows is what a new process finds

    store = Store(tmp_path)
    hub = Hub(store, Engines("echo"))
    for _ in range(2):
        await hub.recover()
    found = store.get("s")
    assert found is not None
    assert (found.usage.total_tokens, found.turns, found.num_messages) == (107, 2, 7)
    assert (found.state, found.running) == ("end", False)
    *_, failure, end = store.history(found, found.num_messages)
    assert (failure.message_type, failure.status_code, end.state) == (MessageType.ERROR, 500, State.END)
    store.close()
