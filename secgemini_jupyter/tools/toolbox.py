"""The local tools of a session: who approves a call, running it, and what it gives back."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import enum
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from secgemini_jupyter.errors import ToolError, one_line, redact
from secgemini_jupyter.models import LocalTool
from secgemini_jupyter.threads import daemon
from secgemini_jupyter.tools.declaring import Approver, Tool, as_tool
from secgemini_jupyter.tools.mismatch import Mismatch

__all__ = ["MAX_OUTPUT", "NOBODY", "Outcome", "Toolbox", "Unasked", "denial", "in_thread", "is_denial", "is_unasked"]

MAX_OUTPUT = 512 * 1024
"""Characters of a result that travel: a frame stays under the service's 1 MiB."""
ALLOW = '@secgemini_tool(approval="allow")'
NOBODY = "nobody could be asked"


class Unasked(Exception):  # no error: the way to say so
    """Raised by an `Approver` that can ask nobody; the text says why."""


@dataclass(frozen=True)
class Outcome:
    """What a call gave: text, JSON where the function returned anything else than text."""

    output: str
    is_error: bool = False


class Toolbox(Mapping[str, Tool]):
    """The local tools of one session, by name."""

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        if isinstance(tools, Tool) or not isinstance(tools, Iterable):
            raise ToolError(f"tools is {one_line(repr(tools))[:80]}: pass a list, like tools=[lookup].")
        for each in tools:
            tool = as_tool(each)
            if tool.name in self._tools:
                raise ToolError(f"Two tools are called {tool.name}: pass name=… to secgemini_tool for one of them.")
            self._tools[tool.name] = tool

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Any:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    def declarations(self) -> list[LocalTool]:
        return [tool.declaration for tool in self._tools.values()]

    def run(
        self,
        name: str,
        arguments: dict[str, Any],
        *,
        timeout: float,
        approve: Callable[[str, dict[str, Any]], bool] | None = None,
    ) -> Outcome:
        """Run one call in a thread of its own, at most `timeout` seconds. Never raises: a failure is an outcome.

        Args:
            approve: decides where the tool's approval is `ask`; its time does not count. None denies.
        """
        try:
            tool, values = self._read(name, arguments)
            if tool.approval == "ask":
                _check(name, approve(name, arguments) if approve else _nobody())
            else:
                _check(name, _decided(tool, arguments))
        except _Refused as refusal:
            return refusal.outcome
        except Exception as error:
            return _unapproved(name, error)
        work = in_thread(lambda: _awaited(tool.function(**values)))
        try:
            return _outcome(work.result(timeout))
        except Exception as error:
            return _failure(error) if work.done() else _too_slow(name, timeout)

    async def run_async(
        self, name: str, arguments: dict[str, Any], *, timeout: float, approve: Approver | None = None
    ) -> Outcome:
        """The same on the caller's loop: coroutines are awaited there, plain functions run in a thread."""
        try:
            tool, values = self._read(name, arguments)
            if tool.approval == "ask":
                said = approve(name, arguments) if approve else _nobody()
                _check(name, await said if inspect.isawaitable(said) else said)
            else:  # a function may wait for a person, and other turns run on this loop
                _check(name, await asyncio.wrap_future(in_thread(lambda: _decided(tool, arguments))))
        except _Refused as refusal:
            return refusal.outcome
        except Exception as error:
            return _unapproved(name, error)
        try:
            async with asyncio.timeout(timeout) as limit:
                if tool.is_async:
                    result = tool.function(**values)
                else:
                    result = await asyncio.wrap_future(in_thread(lambda: tool.function(**values)))
                return _outcome(await result if inspect.isawaitable(result) else result)
        except Exception as error:
            return _too_slow(name, timeout) if limit.expired() else _failure(error)

    def _read(self, name: str, arguments: dict[str, Any]) -> tuple[Tool, dict[str, Any]]:
        """The tool, and its arguments as it takes them: nobody is asked about a call that cannot be run."""
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            raise _Refused(f"there is no local tool {one_line(name)[:80]!r} here (known: {known})")
        if tool.approval == "deny":
            raise _Refused(denial(name))
        try:
            return tool, tool.read(arguments)
        except Mismatch as error:
            raise _Refused(f"{name} was not run: {error}") from None


class _Refused(Exception):
    """A call that is not run, and what the service is told."""

    def __init__(self, words: str) -> None:
        self.outcome = Outcome(_outcome(words).output, is_error=True)


def _nobody() -> bool:
    raise Unasked(NOBODY)


def _check(name: str, verdict: object) -> None:
    if verdict is not True:
        raise _Refused(denial(name))


def _decided(tool: Tool, arguments: dict[str, Any]) -> bool:
    """What the tool's own approval says."""
    if callable(tool.approval):
        return tool.approval(tool.name, arguments) is True
    return tool.approval == "allow"


def _unapproved(name: str, error: Exception) -> Outcome:
    """An approver that fails, or that can ask nobody, denies."""
    return Outcome(unasked(name, str(error)), is_error=True) if isinstance(error, Unasked) else _failure(error)


def denial(name: str) -> str:
    """What the service is told where a call was not approved."""
    return f"the user did not approve this call of {name}"


def unasked(name: str, why: str) -> str:
    """The same where there was nobody to approve it; it stands in the answer, too, for who may change that."""
    return f"{denial(name)}: {why or NOBODY}. To allow its calls, declare it with {ALLOW}."


def is_denial(name: str, words: str) -> bool:
    return words == denial(name) or words.startswith(f"{denial(name)}: ")


def is_unasked(name: str, words: str) -> bool:
    """Whether a call was denied because there was nobody to ask."""
    return words.startswith(f"{denial(name)}: ")


def in_thread(call: Callable[[], Any], *, name: str = "secgemini-tool") -> Future[Any]:
    """`call` in a daemon thread: one that hangs must not keep the kernel from ending."""
    future: Future[Any] = Future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            result = context.run(call)
        except Exception as error:
            future.set_exception(error)
        except BaseException as error:  # `sys.exit()` in a tool must not end the cell that waits for it
            future.set_exception(ToolError(f"{type(error).__name__}: {error}"))
        else:
            future.set_result(result)

    future.set_running_or_notify_cancel()
    daemon(work, name=name).start()
    return future


def _awaited(result: Any) -> Any:
    """In a thread without a loop: what a function gave, also one that is asynchronous."""
    if not inspect.isawaitable(result):
        return result

    async def wait() -> Any:
        return await result

    return asyncio.run(wait())


def _outcome(value: Any) -> Outcome:
    text = value if isinstance(value, str) else json.dumps(_keyed(value), default=_plain, ensure_ascii=False)
    text = redact(text).encode("utf-8", "replace").decode()  # a lone surrogate fits into no frame
    if len(text) > MAX_OUTPUT:
        text = text[:MAX_OUTPUT] + f"… ({len(text) - MAX_OUTPUT} characters left out)"
    return Outcome(text)


def _keyed(value: Any) -> Any:
    """A mapping that JSON would refuse for its keys, with these as text."""
    if isinstance(value, dict) and any(not isinstance(key, (str, int, float, type(None))) for key in value):
        return {key if isinstance(key, str) else str(key): each for key, each in value.items()}
    return value


def _plain(value: Any) -> Any:
    """What a tool of an analyst returns, and JSON does not know: tables, dataclasses, times, sets."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, AbstractSet):
        return sorted(value, key=str)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "to_json") and hasattr(value, "iloc"):  # a DataFrame, row by row, or a Series
        return json.loads(value.to_json(date_format="iso", **({"orient": "records"} if value.ndim == 2 else {})))
    for method in ("model_dump", "isoformat", "tolist"):
        if callable(convert := getattr(value, method, None)) and not isinstance(value, type):
            return convert()
    return str(value)


def _failure(error: Exception) -> Outcome:
    return Outcome(_outcome(f"{type(error).__name__}: {error}").output, is_error=True)


def _too_slow(name: str, timeout: float) -> Outcome:
    return Outcome(f"{name} did not return within {timeout:g} s", is_error=True)
