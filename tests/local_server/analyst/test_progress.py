"""A long call says how far it is: from the tool through the worker's frames into the turn."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from secgemini_jupyter.local_server.analyst import calls, progress
from secgemini_jupyter.local_server.analyst.calls import Caller
from secgemini_jupyter.local_server.analyst.logs.loaded import load_log
from secgemini_jupyter.local_server.analyst.tool import Call, FileOrText
from secgemini_jupyter.local_server.analyst.workers import WorkerProcess
from secgemini_jupyter.models import MessageType
from tests.local_server.analyst.conftest import RecordedTurn

pytestmark = pytest.mark.anyio


def test_loading_a_log_tells_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int, int]] = []
    monkeypatch.setattr(progress, "EVERY", 0.0)
    progress.listen(lambda *report: told.append(report))
    try:
        load_log(FileOrText(file="a"), {"a": b"".join(b'{"progress": %d}\n' % n for n in range(12_000))})
    finally:
        progress.listen(None)
    assert [report for report in told if report[0] == "rows read"] == [
        ("rows read", 5_000, 0),
        ("rows read", 10_000, 0),
    ]


def test_nobody_hears_more_than_one_report_in_a_while() -> None:
    told: list[int] = []
    progress.listen(lambda _what, done, _of: told.append(done))
    for done in range(1_000):
        progress.say("rows", done)
    progress.listen(None)
    progress.say("rows", 1)
    assert told == []


async def test_reports_come_before_the_answer() -> None:
    class Scripted(WorkerProcess):
        def __init__(self) -> None:
            self._frames = [{"progress": ["rows read", 5, 9]}, {"progress": ["rows read", 7, 9]}, {"result": {"a": 1}}]
            written = SimpleNamespace(write=lambda _data: None, drain=lambda: asyncio.sleep(0))
            self._process: Any = SimpleNamespace(stdin=written)

        async def _read(self) -> dict[str, Any]:
            return self._frames.pop(0)

    heard: list[tuple[str, int, int]] = []

    async def tell(*report: Any) -> None:
        heard.append(report)

    assert await Scripted().call({}, tell) == {"result": {"a": 1}}
    assert heard == [("rows read", 5, 9), ("rows read", 7, 9)]
    assert await Scripted().call({}) == {"result": {"a": 1}}


async def test_a_turn_says_how_far_a_call_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reporting:
        limit: float | None = None

        async def run(self, _tool: str, _arguments: Any, _files: Any, _table: Any, limit: Any, tell: Any) -> Any:
            self.limit = limit
            await tell("rows `read`\n", 5_000, 0)
            await tell("rows read", 6_000, 12_000)
            return {}

    turn, workers = RecordedTurn("x", {"a.log": b"x" * (calls.LARGE + 1)}), Reporting()
    monkeypatch.setattr(calls, "PROGRESS_SECONDS", 0.0)
    await Caller(workers, turn).run(Call("log_load", {"file": "a.log"}, ""))  # type: ignore[arg-type]
    said = [message.content for message in turn.said if message.message_type is MessageType.INFO]
    assert said[1:3] == ["5,000 rows `read`\\n", "6,000 of 12,000 rows read"]
    assert workers.limit == calls.TABLE_TIME_LIMIT
    await Caller(workers, turn).run(Call("file_triage", {"file": "a.log"}, ""))  # type: ignore[arg-type]
    assert workers.limit is None
    assert len({message.group for message in turn.said}) == 2
    monkeypatch.setattr(calls, "PROGRESS_SECONDS", 60.0)
    quiet = RecordedTurn("x", {"a.log": b"x"})
    await Caller(workers, quiet).run(Call("log_load", {"file": "a.log"}, ""))  # type: ignore[arg-type]
    assert workers.limit is None
    assert json.dumps([m.content for m in quiet.said]).count("rows") == 0
