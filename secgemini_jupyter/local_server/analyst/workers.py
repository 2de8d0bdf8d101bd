"""Worker processes for the tools: started when needed, kept warm, ended when they hang.

A tool that crashes, hangs or eats memory costs its worker; the call gives a `ToolFailure`, the next one a new worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.settings import scrubbed_environment

Tell = Callable[[str, int, int], Awaitable[None]]

TIME_LIMIT = 10.0
WRITE_LIMIT = 120.0
"""Seconds for a call that writes."""
START_LIMIT = 30.0
MAX_FRAME = 2**20
MAX_WORKERS = 2

_KEPT = frozenset(
    {
        "PATH",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TMPDIR",
        "TEMP",
        "TMP",
        "SYSTEMROOT",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
    }
)


def _environment() -> dict[str, str]:
    """The little that a tool needs: no key, no proxy, no home."""
    kept = {name: value for name, value in scrubbed_environment().items() if name.upper() in _KEPT}
    # -P keeps the working directory, where anybody's json.py may lie, off the path; this puts our package back on it.
    package = Path(__file__).resolve().parents[3]
    return kept | {"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}


class WorkerProcess:
    """A process at the other end of two pipes: a frame in, a frame out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str = f"{__package__}.worker") -> WorkerProcess:
        """A process that runs `module`, which says when it is ready.

        Raises:
            ToolFailure: it did not start.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
            cwd=Path(sys.executable).anchor,
        )
        worker = cls(process)
        try:
            async with asyncio.timeout(START_LIMIT):
                await worker._read()
        except (EOFError, TimeoutError):
            await worker.kill()
            raise ToolFailure("The analyst's worker process did not start.") from None
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def call(self, request: dict[str, Any], tell: Tell | None = None) -> dict[str, Any]:
        """The answer; before it, each report of a long call goes to `tell`."""
        stdin = self._process.stdin
        assert stdin is not None
        data = msgspec.msgpack.encode(request)
        try:
            stdin.write(len(data).to_bytes(4, "big"))
            stdin.write(data)
            await stdin.drain()
        except (ConnectionError, OSError):
            raise EOFError from None
        while "progress" in (answer := await self._read()):
            if tell is not None:
                await tell(*answer["progress"])
        return answer

    async def _read(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            size = int.from_bytes(await stdout.readexactly(4), "big")
            if size > MAX_FRAME:
                raise EOFError
            value: dict[str, Any] = msgspec.msgpack.decode(await stdout.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise EOFError from None
        return value

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def close(self) -> None:
        """End the process by ending its input; kill it if it is busy."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(1.0):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    @property
    def exit_status(self) -> int | None:
        return self._process.returncode


class Workers:
    """At most `size` worker processes; a call waits for a free one.

    Args:
        time_limit: seconds that one call may take.
        data: folder of what the user imported.
    """

    def __init__(self, size: int = MAX_WORKERS, time_limit: float = TIME_LIMIT, *, data: Path | None = None) -> None:
        self.time_limit = time_limit
        self._data = str(data) if data else None
        self._writing = asyncio.Lock()
        self._free: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._slots = asyncio.Semaphore(size)
        # Of several workers one is left for short calls: a question about a huge log holds up no lookup.
        self._long = asyncio.Semaphore(max(1, size - 1))
        self._closed = False

    async def start(self) -> None:
        """Start one worker ahead of the first call."""
        async with self._slots:
            if not self._free and not self._closed:
                self._release(await self._new())

    async def run(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        files: Mapping[str, bytes],
        table: Mapping[str, Any] | None = None,
        time_limit: float | None = None,
        tell: Tell | None = None,
    ) -> dict[str, Any]:
        """The tool's result.

        Args:
            table: the session's logs table, as the fields of a `TableSource`.
            time_limit: another one than the usual.
            tell: hears how far a long call is: what is counted, how many are done, of how many (0: not known).

        Raises:
            ToolFailure: the tool says why it cannot, or it crashed, hung, or asked for too much memory.
        """
        if tool in tools() and tools()[tool].writes:
            return await self._run_writing(tool, arguments, files)
        seconds = self.time_limit if time_limit is None else time_limit
        async with contextlib.AsyncExitStack() as places:
            for place in (self._long, self._slots) if seconds > self.time_limit else (self._slots,):
                await places.enter_async_context(place)
            if self._closed:
                raise ToolFailure("The local analyst is shutting down.")
            worker = self._take() or await self._new()
            answer: dict[str, Any] | None = None
            request = self._request(tool, arguments, files, seconds, table)
            try:
                async with asyncio.timeout(seconds):
                    answer = await worker.call(request, tell)
            except TimeoutError:
                raise ToolFailure(f"The tool was stopped: it took longer than {seconds:g} s.") from None
            except EOFError:
                await worker.kill()
                raise ToolFailure(f"The tool's process ended on this input (status {worker.exit_status}).") from None
            finally:
                # Without an answer nobody knows what the worker is doing: also when the turn was cancelled.
                if answer is None or answer.get("fatal") or self._closed:
                    self._all.discard(worker)
                    await worker.kill()
                else:
                    self._release(worker)
        return _result(answer)

    def _request(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        files: Mapping[str, bytes],
        seconds: float,
        table: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        given = {"tool": tool, "arguments": arguments, "files": files, "table": table}
        return given | {"seconds": seconds, "data": self._data}

    async def _run_writing(self, tool: str, arguments: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
        """The same in a process that may write files, for this call alone; one at a time."""
        async with self._writing:
            if self._closed:
                raise ToolFailure("The local analyst is shutting down.")
            worker = await WorkerProcess.start(f"{__package__}.writer")
            self._all.add(worker)
            try:
                async with asyncio.timeout(WRITE_LIMIT):
                    answer = await worker.call(self._request(tool, arguments, files, WRITE_LIMIT))
            except TimeoutError:
                raise ToolFailure(f"The tool was stopped: it took longer than {WRITE_LIMIT:g} s.") from None
            except EOFError:
                await worker.kill()
                raise ToolFailure(f"The tool's process ended on this input (status {worker.exit_status}).") from None
            finally:
                self._all.discard(worker)
                await worker.kill()
        return _result(answer)

    def _take(self) -> WorkerProcess | None:
        while self._free:
            worker = self._free.pop()
            if worker.is_alive:
                return worker
            self._all.discard(worker)
        return None

    async def _new(self) -> WorkerProcess:
        worker = await WorkerProcess.start()
        self._all.add(worker)
        return worker

    def _release(self, worker: WorkerProcess) -> None:
        self._free.append(worker)

    async def aclose(self) -> None:
        """End every worker and wait until each is gone."""
        self._closed = True
        free, self._free = self._free, []
        for worker in self._all - {*free}:
            await worker.kill()
        await asyncio.gather(*(worker.close() for worker in free))
        self._all.clear()


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise ToolFailure(answer["error"])
    result: dict[str, Any] = answer["result"]
    return result
