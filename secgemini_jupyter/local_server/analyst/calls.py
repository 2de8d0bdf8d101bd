"""Running tools in a turn, each call shown: what was asked, all that came back, what it cost.

Every engine that uses the tools uses this, so that their turns read alike.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.logs.tables import TIME_LIMIT as TABLE_TIME_LIMIT
from secgemini_jupyter.local_server.analyst.text import visible
from secgemini_jupyter.local_server.analyst.tool import Call, Payload, Request, ToolFailure
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.workers import Tell, Workers
from secgemini_jupyter.local_server.engines.base import EngineTurn, StoredTable
from secgemini_jupyter.models import MessageType, Role, State

MAX_CALLS = 12
MAX_DEPTH = 2
"""How far a result may lead on: from an e-mail to its archive, and to what is in that."""
MAX_SHOWN_ARGUMENT = 20_000
MAX_PAYLOAD = 400_000
"""Bytes of a payload as JSON; a longer one is not said, since a cut one could not be read."""
MAX_PAYLOADS = 12
LARGE = 8 * 2**20
"""Bytes of an attached log that get the time of a logs table."""
PROGRESS_SECONDS = 2.0

_OF_LOGS = frozenset({"log_load", "log_question", "log_sql", "log_summary", "auth_timeline", "sigma_run"})
_NO_NAMES = frozenset({"text", "sql", "expected"})
"""Arguments that are values: one that reads like an attachment's name means none."""


@dataclass(frozen=True)
class Outcome:
    """What came of a call: a result, or why there is none.

    Attributes:
        depth: 0 for a call of the plan, else how many results led to it.
        bytes_read: sizes of the attachments and texts that it was given.
    """

    call: Call
    result: dict[str, Any] | None
    error: str = ""
    depth: int = 0
    seconds: float = 0.0
    bytes_read: int = 0

    @property
    def response(self) -> dict[str, Any]:
        """As the turn shows it."""
        return {"result": self.result} if self.result is not None else {"error": self.error}

    def __bool__(self) -> bool:
        return self.result is not None


@dataclass
class Spent:
    """What the tools of a turn took."""

    calls: int = 0
    seconds: float = 0.0
    bytes_read: int = 0

    def add(self, outcome: Outcome) -> None:
        self.calls += 1
        self.seconds += outcome.seconds
        self.bytes_read += outcome.bytes_read


class Caller:
    """Runs calls of one turn."""

    def __init__(self, workers: Workers, turn: EngineTurn) -> None:
        self._workers, self._turn = workers, turn
        self.spent = Spent()

    async def run(self, call: Call, depth: int = 0) -> Outcome:
        """Run one call and show it. All its messages share one group."""
        say, group, call_id = self._turn.say, uuid.uuid4().hex, f"call_{uuid.uuid4().hex[:12]}"
        title = call.tool.replace("_", " ").title()
        await say(MessageType.INFO, f"Calling {title}", state=State.CALLING_TOOL, group=group)
        await self._debug(State.CALLING_TOOL, group, id=call_id, name=call.tool, args=_shown(call.arguments))
        outcome = await self._outcome(call, depth, group)
        self.spent.add(outcome)
        await say(MessageType.INFO, f"Processing {title} result", state=State.TOOL_RESULT, group=group)
        cost = {"seconds": round(outcome.seconds, 4), "bytes_read": outcome.bytes_read}
        await self._debug(State.TOOL_RESULT, group, id=call_id, name=call.tool, response=outcome.response, **cost)
        return outcome

    async def record(self, call: Call, result: dict[str, Any]) -> None:
        """Show a step that took no tool: what was recalled of an earlier answer."""
        group, call_id = uuid.uuid4().hex, f"call_{uuid.uuid4().hex[:12]}"
        await self._debug(State.CALLING_TOOL, group, id=call_id, name=call.tool, args=call.arguments)
        await self._debug(State.TOOL_RESULT, group, id=call_id, name=call.tool, response={"result": result})

    async def run_all(
        self, request: Request, calls: Sequence[Call], *, is_off: Callable[[str], bool] = lambda _name: False
    ) -> list[Outcome]:
        """The calls, and after each what its result asks for: no deeper than `MAX_DEPTH`, no more than `MAX_CALLS`.

        Args:
            is_off: whether the tool of that name must not be used.
        """
        outcomes: list[Outcome] = []
        waiting = [(call, 0) for call in calls if not is_off(call.tool)][::-1]
        known = {repr((call.tool, call.arguments)) for call in calls}
        while waiting and len(outcomes) < MAX_CALLS:
            call, depth = waiting.pop()
            outcome = await self.run(call, depth)
            outcomes.append(outcome)
            if outcome.result is None or depth >= MAX_DEPTH or request.wish.only or request.wish.one_word:
                continue  # who wants one thing alone wants nothing that leads on from it
            further = []
            for each in tools()[call.tool].then(request, call, outcome.result):
                key = repr((each.tool, each.arguments))
                if key not in known and not is_off(each.tool):
                    known.add(key)
                    further.append((each, depth + 1))
            waiting += further[::-1]
        return outcomes

    async def show(self, payloads: Sequence[Payload]) -> None:
        """Say data beside the answer, one message each."""
        for payload in payloads[:MAX_PAYLOADS]:
            content = msgspec.json.encode(payload.content)
            if len(content) <= MAX_PAYLOAD:
                await self._turn.say(
                    MessageType.RESULT,
                    content.decode(),
                    state=State.AGENT_DONE,
                    role=Role.AGENT,
                    title=payload.title,
                    mime_type=payload.mime_type,
                )

    def _teller(self, group: str) -> Tell:
        """Says how far a call is, not more than once in `PROGRESS_SECONDS`."""
        last = time.monotonic()

        async def tell(what: str, done: int, of: int) -> None:
            nonlocal last
            if time.monotonic() - last >= PROGRESS_SECONDS:
                last = time.monotonic()
                text = f"{done:,}{f' of {of:,}' if of else ''} {visible(what, 100)}"
                await self._turn.say(MessageType.INFO, text, state=State.CALLING_TOOL, group=group)

        return tell

    async def _outcome(self, call: Call, depth: int, group: str) -> Outcome:
        turn = self._turn
        names = _names(call.arguments)
        files = {each.info.name: each.content for each in turn.attachments if each.info.name in names} if names else {}
        table = turn.logs_table if "table" in call.arguments else None
        source, limit = (await table_source(table), TABLE_TIME_LIMIT) if table else (None, None)
        read = sum(map(len, files.values())) + (table.size if table else 0)
        read += len(str(call.arguments.get("text") or "").encode("utf-8", "replace"))
        if limit is None and read > LARGE and call.tool in _OF_LOGS:
            limit = TABLE_TIME_LIMIT
        start = time.monotonic()
        try:
            result = await self._workers.run(call.tool, call.arguments, files, source, limit, self._teller(group))
        except ToolFailure as failure:
            return Outcome(call, None, str(failure), depth, time.monotonic() - start, read)
        return Outcome(call, result, "", depth, time.monotonic() - start, read)

    async def _debug(self, state: State, group: str, **content: Any) -> None:
        await self._turn.say(
            MessageType.DEBUG,
            msgspec.json.encode(content).decode(),
            state=state,
            mime_type="text/serialized-json",
            group=group,
        )


async def table_source(table: StoredTable) -> dict[str, Any]:
    """What a worker needs to open the table."""
    return {"hash": table.hash, "where": await asyncio.to_thread(table.load)}


def _names(arguments: dict[str, Any]) -> set[str]:
    """The names in the arguments that may be attachments'."""
    values = [value for key, value in arguments.items() if key not in _NO_NAMES]
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return {each for each in flat if isinstance(each, str)}


def _shown(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the turn shows them: the prompt is there already, so a very long text is cut."""
    return {
        name: f"{value[:MAX_SHOWN_ARGUMENT]}… ({len(value) - MAX_SHOWN_ARGUMENT:,} more characters)"
        if isinstance(value, str) and len(value) > MAX_SHOWN_ARGUMENT
        else value
        for name, value in arguments.items()
    }
