"""Worker processes: real ones, with real crashes, hangs and bombs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from secgemini_jupyter.local_server.analyst import workers as module
from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.analyst.workers import Workers

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")]

# A worker with three more tools, which do what a hostile input might provoke.
HOSTILE = """
import os, sys, time
from secgemini_jupyter.local_server.analyst import toolbox, worker
from secgemini_jupyter.local_server.analyst.tool import FileOrText, Tool

def tool(name, run):
    return Tool(name, "", "", FileOrText, run, lambda request: [], lambda result, wish: "")

def nested(arguments, files):
    raise RecursionError

toolbox.tools().update(
    hang=tool("hang", lambda arguments, files: time.sleep(60)),
    spin=tool("spin", lambda arguments, files: sum(1 for _ in iter(int, 1))),
    crash=tool("crash", lambda arguments, files: os.kill(os.getpid(), 11)),
    eat=tool("eat", lambda arguments, files: {"size": len(bytearray(8 * 2**30))}),
    large=tool("large", lambda arguments, files: {"text": "x" * 10**7}),
    noisy=tool("noisy", lambda arguments, files: {"printed": print("frames?", flush=True), "env": dict(os.environ)}),
    nested=tool("nested", nested),
)
worker.main()
"""


@pytest.fixture
async def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Workers]:
    start = asyncio.create_subprocess_exec

    async def start_hostile(program: str, *arguments: str, **how: object) -> asyncio.subprocess.Process:
        return await start(program, "-P", "-c", HOSTILE, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(module.asyncio, "create_subprocess_exec", start_hostile)
    workers = Workers(size=1, time_limit=0.5)
    yield workers
    await workers.aclose()


async def works(workers: Workers) -> bool:
    return (await workers.run("hash_file", {"text": "abc"}, {}))["md5"] == "900150983cd24fb0d6963f7d28e17f72"


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ("hang", "longer than 0.5 s"),
        ("spin", "longer than 0.5 s"),
        ("crash", "ended on this input"),
        ("large", "over the limit"),
        ("nested", "nested too deeply"),
        pytest.param(
            "eat", "of memory", marks=pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such limit")
        ),
    ],
)
async def test_a_bad_end_is_told_and_the_next_call_works(hostile: Workers, tool: str, message: str) -> None:
    with pytest.raises(ToolFailure, match=message):
        await hostile.run(tool, {}, {})
    assert await works(hostile)


async def test_long_calls_leave_a_worker_for_short_ones(hostile: Workers) -> None:
    workers = Workers(size=2, time_limit=5)
    calls = [asyncio.create_task(workers.run("hang", {}, {}, time_limit=50)) for _ in range(2)]
    await asyncio.sleep(0)
    assert await works(workers)
    assert not any(call.done() for call in calls)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert await works(workers)
    await workers.aclose()


async def test_what_a_tool_prints_breaks_no_frame_and_no_secret_is_in_its_environment(
    hostile: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEC_GEMINI_API_KEY", "canary-key-0123456789")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:canary@proxy")
    result = await hostile.run("noisy", {}, {})
    assert "canary" not in str(result)
    assert await works(hostile)


async def test_a_cancelled_call_leaves_no_busy_worker(hostile: Workers) -> None:
    before = {*psutil.Process().children()}
    await hostile.start()
    (worker,) = {*psutil.Process().children()} - before
    call = asyncio.create_task(hostile.run("hang", {}, {}))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not worker.is_running()
    assert await works(hostile)


async def test_wrong_arguments_are_named() -> None:
    workers = Workers(size=1)
    try:
        with pytest.raises(ToolFailure, match="unknown field `colour`"):
            await workers.run("hash_file", {"colour": 1}, {})
    finally:
        await workers.aclose()


async def test_closing_leaves_no_process() -> None:
    before = {*psutil.Process().children()}
    workers = Workers(size=2)
    await asyncio.gather(works(workers), works(workers))
    started = {*psutil.Process().children()} - before
    assert len(started) == 2
    await workers.aclose()
    assert not started & {*psutil.Process().children()}
    with pytest.raises(ToolFailure, match="shutting down"):
        await works(workers)


async def test_a_warm_worker_answers_in_milliseconds() -> None:
    workers = Workers(size=1)
    try:
        await workers.start()
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            assert await works(workers)
            seconds.append(time.perf_counter() - start)
        assert min(seconds) < 0.05
    finally:
        await workers.aclose()


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_with_its_server_however_that_ends(sent: signal.Signals) -> None:
    script = (
        "import asyncio\n"
        "from secgemini_jupyter.local_server.analyst.workers import Workers\n"
        "async def main():\n"
        "    workers = Workers()\n"
        "    await workers.start()\n"
        "    print('started', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"started\n"
        children = psutil.Process(server.pid).children()
        assert children
        server.send_signal(sent)
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
