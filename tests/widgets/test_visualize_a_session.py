"""The picture of a real session, at the local service over a socket."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from secgemini_jupyter import AsyncSecGemini, SecGemini
from secgemini_jupyter.errors import SessionNotFoundError
from tests.conftest import LocalService
from tests.widgets.picture import unpacked

STREAM = "[[messages=6 bytes=20]] [[delay=0.03]] the end"


@pytest.fixture
def client(local_service: LocalService) -> Iterator[SecGemini]:
    with SecGemini(local_service.key, base_url=local_service.http, websocket_url=local_service.ws) as client:
        yield client


@pytest.fixture(autouse=True)
def in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secgemini_jupyter.widgets.base.in_notebook", lambda: True)


def browser_of(front_end: list[Any], widget: Any) -> Any:
    return next(each for each in front_end if each.comm_id == widget.model_id)


def events_until(browser: Any, messages: int) -> list[dict[str, Any]]:
    """Headers of the events up to the one that knows so many messages."""
    headers: list[dict[str, Any]] = []
    while not headers or headers[-1]["messages"] < messages:
        headers.append(unpacked(browser.custom.get(timeout=10)["buffers"][0])[0])
    return headers


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_turn_that_streams_in_another_cell_appears_and_ends(client: SecGemini, front_end: list[Any]) -> None:
    session = client.create_session("live")
    widget = session.visualize()
    browser = browser_of(front_end, widget)
    thread = threading.Thread(target=session.query, args=(STREAM,))
    thread.start()
    thread.join()
    headers = events_until(browser, len(session.messages))
    assert [header["seq"] for header in headers] == list(range(1, len(headers) + 1))
    until(lambda: not widget.running and unpacked(widget.index)[0]["messages"] == len(session.messages))
    widget.select(session.history().query("message_type == 'query'"))
    assert widget.selection.content.tolist() == [STREAM]


def test_the_async_twin_s_picture_is_live_as_well(local_service: LocalService, front_end: list[Any]) -> None:
    async def look() -> None:
        address = {"base_url": local_service.http, "websocket_url": local_service.ws}
        async with AsyncSecGemini(local_service.key, **address) as client:
            session = await client.create_session("live")
            widget = await session.visualize(embed=True)
            await session.query(STREAM)
            count = len(await session.messages)
            await asyncio.to_thread(until, lambda: len(widget.embedded) == count)
            assert events_until(browser_of(front_end, widget), count)

    asyncio.run(look())


def test_a_session_whose_messages_were_never_read_is_drawn(client: SecGemini, front_end: list[Any]) -> None:
    client.create_session("known").query("who?")
    listed = next(session for session in client.list_sessions() if session.name == "known")
    widget = listed.visualize()
    assert unpacked(widget.index)[0]["messages"] == len(listed.messages)


def test_a_session_that_was_deleted_keeps_its_picture(client: SecGemini, front_end: list[Any]) -> None:
    session = client.create_session("gone")
    session.query("who?")
    widget = session.visualize()
    browser = browser_of(front_end, widget)
    session.delete()
    assert "There is no session" in browser.call("refresh", {})["error"]
    assert browser.call("read", {"messages": [0]})["result"]["details"][0]["heading"] == "query"
    with pytest.raises(SessionNotFoundError):
        session.visualize()
