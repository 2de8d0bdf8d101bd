"""One turn under a fault, by each of our ways to ask; and what it comes to, in the words of the table."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from secgemini_jupyter import AsyncSecGemini, SecGemini, Settings
from secgemini_jupyter.errors import SecGeminiError
from secgemini_jupyter.models import Message, MessageType
from secgemini_jupyter.tools import secgemini_tool
from tests.faults.acts import Plan
from tests.faults.matrix import AS_STORED, GOES_ON, NOT_SENT, OVER, Fault
from tests.faults.proxy import Proxy
from tests.faults.service import KEY, Service, last_turn

Frames = list[bytes]


@dataclass
class Saw:
    """What a caller got of one turn, beside what the service stored of it."""

    given: Frames = field(default_factory=list)
    stored: Frames = field(default_factory=list)
    queries: int = 0
    """How often the prompt is stored."""
    sessions: int = 1
    """How many of that name there are."""
    runs: int = 0
    """Of the local tool."""
    error: str = ""
    text: str = ""
    carried: Frames = field(default_factory=list)
    """What came with the error."""
    again: Frames | None = None
    """What `resume_turn()` gives afterwards, without a fault, where the error says that it does."""
    sockets: int = 0


def frames(messages: Sequence[Message]) -> Frames:
    return [message.to_json() for message in messages]


class Sync:
    """`stream_sync()` and `query()`."""

    reconnect = "session.resume_turn()"

    def run(self, fault: Fault, plan: Plan, proxy: Proxy, service: Service) -> Saw:
        saw = Saw()
        settings = _settings(fault, proxy)
        with SecGemini(KEY, settings=settings) as client:
            seen = proxy.arm(plan if plan.from_the_start else Plan())
            session = client.create_session(f"faults {fault.name}", tools=[_tool(saw)])
            if fault.before:
                session.query(fault.before)
            seen = seen if plan.from_the_start else proxy.arm(plan)
            given: list[Message] = []
            try:
                if fault.whole:
                    given += session.query(fault.prompt).messages
                else:
                    for message in session.stream_sync(fault.prompt):
                        given.append(message)  # what came before an error counts
            except SecGeminiError as error:
                _note(saw, error)
            _look(saw, fault, given, session.id, service)
            saw.sockets = seen.sockets
            proxy.arm(Plan())
            if saw.error and fault.words == GOES_ON:
                saw.again = frames(session.resume_turn().messages)
                _look_again(saw, session.id, service)
            service.forget(session.id)
        return saw


class Async:
    """`stream()` and `query()` of the asynchronous client."""

    reconnect = "await session.resume_turn()"

    def run(self, fault: Fault, plan: Plan, proxy: Proxy, service: Service) -> Saw:
        return asyncio.run(self._run(fault, plan, proxy, service))

    async def _run(self, fault: Fault, plan: Plan, proxy: Proxy, service: Service) -> Saw:
        saw = Saw()
        async with AsyncSecGemini(KEY, settings=_settings(fault, proxy)) as client:
            seen = proxy.arm(plan if plan.from_the_start else Plan())
            session = await client.create_session(f"faults {fault.name}", tools=[_tool(saw)])
            if fault.before:
                await session.query(fault.before)
            seen = seen if plan.from_the_start else proxy.arm(plan)
            given: list[Message] = []
            try:
                if fault.whole:
                    given += (await session.query(fault.prompt)).messages
                else:
                    async for message in session.stream(fault.prompt):
                        given.append(message)
            except SecGeminiError as error:
                _note(saw, error)
            _look(saw, fault, given, session.id, service)
            saw.sockets = seen.sockets
            proxy.arm(Plan())
            if saw.error and fault.words == GOES_ON:
                saw.again = frames((await session.resume_turn()).messages)
                _look_again(saw, session.id, service)
            service.forget(session.id)
        return saw


def _settings(fault: Fault, proxy: Proxy) -> Settings:
    address = f"127.0.0.1:{proxy.port}"
    return Settings(base_url=f"http://{address}", websocket_url=f"ws://{address}", **fault.settings)


def _tool(saw: Saw) -> Any:
    @secgemini_tool
    def once() -> int:
        "Counts its runs."
        saw.runs += 1
        return saw.runs

    return once


def _note(saw: Saw, error: SecGeminiError) -> None:
    saw.error, saw.text = type(error).__name__, str(error)
    saw.carried = frames(error.messages)
    assert error.response is not None
    assert frames(error.response.messages) == saw.carried


def _look(saw: Saw, fault: Fault, given: list[Message], session_id: str, service: Service) -> None:
    service.wait_until_up()
    saw.given = frames(given)
    stored = service.messages(session_id)
    saw.stored = frames(last_turn(stored)[1])
    saw.queries = sum(m.message_type is MessageType.QUERY and m.content == fault.prompt for m in stored)
    saw.sessions = service.names().count(f"faults {fault.name}")


def _look_again(saw: Saw, session_id: str, service: Service) -> None:
    saw.stored = frames(last_turn(service.messages(session_id))[1])


def verdict(saw: Saw, fault: Fault, reconnect: str) -> str:
    """What came of it, in the words of the table; `fault.result` if all is as it must be."""
    asked = saw.queries if fault.words != NOT_SENT else saw.queries + 1
    if asked != 1:
        return f"prompt stored {saw.queries} times"
    if saw.sessions != 1:
        return f"{saw.sessions} sessions instead of one"
    if saw.runs > 1:
        return f"tool ran {saw.runs} times"
    if not saw.error:
        return compared(saw.given, saw.stored)
    words = fault.words.format(reconnect=re.escape(reconnect))
    if not re.search(words, saw.text):
        return f"`{saw.error}`: {saw.text}"
    if not fault.whole and fault.words != OVER and saw.given != saw.carried:
        return f"`{saw.error}`, but its messages are not those that were given"
    if saw.carried != saw.stored[: len(saw.carried)]:
        return f"`{saw.error}`, {compared(saw.carried, saw.stored)}"
    if fault.words == GOES_ON and saw.again != saw.stored:
        return f"`{saw.error}`, and resume_turn() gives: {compared(saw.again or [], saw.stored)}"
    if fault.words == OVER and saw.carried not in (saw.stored, saw.stored[:-1]):  # a service may close without END
        return f"`{saw.error}`, {compared(saw.carried, saw.stored)}"
    return fault.result.replace(fault.error, saw.error)


def compared(given: Sequence[bytes], stored: Sequence[bytes]) -> str:
    """`given` beside what is stored."""
    if list(given) == list(stored):
        return AS_STORED
    lost = len([each for each in stored if each not in given])
    foreign = len([each for each in given if each not in stored])
    repeated = len(given) - len(set(given))
    said = [
        f"{count} {what}"
        for count, what in ((lost, "lost"), (repeated, "twice"), (foreign, "not of this turn"))
        if count
    ]
    return ", ".join(said) or "another order"


Run = Callable[[Fault, Plan, Proxy, Service], Saw]
