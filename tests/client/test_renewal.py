"""The embedded local service ends when nobody uses it: who holds a session of it goes on, with a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from secgemini_jupyter import AsyncSecGemini, SecGemini, SessionNotFoundError, embedded
from secgemini_jupyter.kernel import KernelSession


@pytest.fixture(autouse=True)
def own_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("SECGEMINI_LOCAL_ENGINE", "echo")
    monkeypatch.setenv("SECGEMINI_BACKEND", "local")
    yield
    embedded.stop()


def test_a_session_outlives_its_service() -> None:
    with SecGemini.local() as client:
        session = client.create_session()
        assert session.query("before").answer == "before"
        assert embedded.stop()
        assert session.query("after").answer == "after"
        assert embedded.stop()
        assert len(session.history()) == 12
        assert embedded.stop()
        assert [message.content for message in session.stream_sync("again")][-2] == "again"


def test_an_async_session_outlives_its_service() -> None:
    async def main() -> str:
        async with await AsyncSecGemini.local() as client:
            session = await client.create_session()
            embedded.stop()
            return (await session.query("after")).answer

    assert asyncio.run(main()) == "after"


def test_what_was_not_retained_is_gone_and_said_so() -> None:
    with SecGemini.local() as client:
        session = client.create_session(enable_logging=False)
        assert not session.can_log
        embedded.stop()
        with pytest.raises(SessionNotFoundError, match="no session"):
            session.refresh()


def test_the_sessions_of_a_kernel_stay_the_same_objects() -> None:
    said: list[str] = []
    kernel = KernelSession(say=said.append)
    session = kernel.current()
    lost = kernel.new("secret", enable_logging=False)
    kernel.current_name = "main"
    embedded.stop()
    assert kernel.current() is session
    assert session.query("still here").answer == "still here"
    assert kernel.get("secret") is not lost
    assert any("'secret' was not retained" in line for line in said)
    kernel.close()
