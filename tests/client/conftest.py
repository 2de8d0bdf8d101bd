"""Both shells behind one face: every test that takes `client` runs against the sync and the async one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from secgemini_jupyter.client.aio import AsyncInteractiveSession, AsyncSecGemini
from secgemini_jupyter.client.sync import SecGemini
from tests.conftest import LocalService


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Blocking:
    """An async client or session used like a sync one: its coroutines run on another thread's event loop."""

    def __init__(self, twin: Any, portal: BlockingPortal) -> None:
        self.__dict__.update(twin=twin, portal=portal)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.twin, "stream" if name == "stream_sync" else name)
        if inspect.isawaitable(value):
            return self.awaited(value)
        return self.call(value) if callable(value) and not isinstance(value, type) else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.twin, name, value)

    def call(self, method: Any) -> Any:
        def blocking(*arguments: Any, **options: Any) -> Any:
            return self.awaited(method(*arguments, **options))

        return blocking

    def awaited(self, result: Any) -> Any:
        async def wait() -> Any:
            return await result

        if inspect.isasyncgen(result):
            return self.iterated(result)
        value = self.portal.call(wait) if inspect.isawaitable(result) else result
        if isinstance(value, AsyncInteractiveSession):
            return Blocking(value, self.portal)
        if isinstance(value, list) and value and isinstance(value[0], AsyncInteractiveSession):
            return [Blocking(each, self.portal) for each in value]
        return value

    def iterated(self, generator: Any) -> Iterator[Any]:
        async def step() -> Any:
            return await anext(generator, self)

        try:
            while (item := self.portal.call(step)) is not self:
                yield item
        finally:
            self.portal.call(generator.aclose)


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal("asyncio") as portal:
        yield portal


@pytest.fixture(params=["sync", "async"])
def shell(request: pytest.FixtureRequest, portal: BlockingPortal) -> Iterator[Any]:
    """Makes a client as `SecGemini(…)` does, of either kind; it is closed after the test."""
    made: list[Any] = []

    def make(*arguments: Any, **options: Any) -> Any:
        client: Any = SecGemini(*arguments, **options)
        if request.param == "async":
            client = Blocking(AsyncSecGemini(*arguments, **options), portal)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(shell: Any, local_service: LocalService) -> Any:
    return shell(local_service.key, base_url=local_service.http, websocket_url=local_service.ws)


@pytest.fixture
def session(client: Any) -> Iterator[Any]:
    made = client.create_session("a test", "what it is about")
    yield made
    made.delete()
