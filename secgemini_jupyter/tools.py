"""A Python function as a local tool: what the service is told of it, who approves a call, running one call.

The service asks, the client runs. A function that is passed as it is runs only when a person approves the call (`ask`);
`secgemini_tool` says that it may.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import types
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from secgemini_jupyter.errors import ToolError, redact
from secgemini_jupyter.models import LocalTool
from secgemini_jupyter.threads import daemon

__all__ = ["Approver", "Tool", "Toolbox", "in_thread", "secgemini_tool"]

Approval = Literal["allow", "deny", "ask"] | Callable[[str, dict[str, Any]], bool]
"""`allow`, `deny`, or a function of the tool's name and the arguments that says yes or no to one call.

`ask` leaves it to the session's `approve`: the person in a chat, or a function of the user's."""
Approver = Callable[[str, dict[str, Any]], bool | Awaitable[bool]]
"""Says yes or no to one call, by the tool's name and the arguments; only `True` is yes."""

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
MAX_OUTPUT = 512 * 1024
"""Characters of a result that travel: a frame stays under the service's 1 MiB."""


@dataclass(frozen=True)
class Tool:
    """A function, what the service is told of it, and who approves a call."""

    function: Callable[..., Any]
    declaration: LocalTool
    approval: Approval = "ask"

    @property
    def name(self) -> str:
        return self.declaration.name


@dataclass(frozen=True)
class Outcome:
    """What a call gave: text, JSON where the function returned anything else than text."""

    output: str
    is_error: bool = False


def secgemini_tool(
    function: Callable[..., Any] | None = None,
    *,
    approval: Approval = "allow",
    name: str | None = None,
    description: str | None = None,
) -> Any:
    """Declare a function that the service may ask this kernel to run; use it as a decorator.

    The description defaults to the docstring, the parameters come from the signature's annotations.

        @secgemini_tool
        def asset(host: str) -> dict:
            "Inventory facts for a host name."

    Raises:
        ToolError: the function has `*args`, `**kwargs` or positional-only parameters, or a type without a schema.
    """

    def declare(function: Callable[..., Any]) -> Tool:
        return Tool(function, declaration(function, name=name, description=description), approval)

    return declare if function is None else declare(function)


def declaration(function: Callable[..., Any], *, name: str | None = None, description: str | None = None) -> LocalTool:
    """What the service is told: name, description, parameters."""
    name = name or getattr(function, "__name__", "")
    if not name:
        raise ToolError(f"{function!r} has no name. Pass name=… to secgemini_tool.")
    try:
        signature, hints = inspect.signature(function), get_type_hints(function)
    except (NameError, TypeError, ValueError) as error:
        raise ToolError(
            f"The signature of tool {name} cannot be read: {str(error).rstrip('.')}. Pass a function with plain types."
        ) from error
    properties: dict[str, Any] = {}
    required = []
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ToolError(
                f"Tool {name} has the parameter {parameter}: the service passes arguments by name. "
                "Name each one, or wrap the function."
            )
        schema = _schema(hints.get(parameter.name, Any), f"{name}({parameter.name})")
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        else:
            schema |= {"default": parameter.default} if _is_json(parameter.default) else {}
        properties[parameter.name] = schema
    text = description or inspect.getdoc(function) or name.replace("_", " ")
    return LocalTool(
        name=name,
        description=text,
        parameters={"type": "object", "title": f"{name}Arguments", "properties": properties, "required": required},
    )


def _schema(kind: Any, where: str) -> dict[str, Any]:
    """A type as the service's Schema: snake_case keys, enum values as strings (protocol section 4.7)."""
    if kind is Any:
        return {}
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"type": "string", "enum": [str(value) for value in arguments]}
    if origin in (Union, types.UnionType):
        parts = [_schema(part, where) for part in arguments if part is not type(None)]
        nullable = {"nullable": True} if type(None) in arguments else {}
        return (parts[0] if len(parts) == 1 else {"any_of": parts}) | nullable
    if kind is list or origin in (list, set, tuple, frozenset):
        return {"type": "array", "items": _schema(arguments[0], where) if arguments else {}}
    if kind is dict or origin is dict:
        return {"type": "object"}
    raise ToolError(
        f"{where} has the type {kind}, which has no schema. Use str, int, float, bool, list, dict or Literal."
    )


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


class Toolbox(Mapping[str, Tool]):
    """The local tools of one session, by name."""

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for each in tools:
            tool = each if isinstance(each, Tool) else Tool(each, declaration(each))
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
        if isinstance(tool := self._find(name), Outcome):
            return tool
        try:
            approved = approve(name, arguments) if tool.approval == "ask" and approve else _decided(tool, arguments)
        except Exception as error:
            return _failure(error)
        if approved is not True:
            return _denied(name)
        function = tool.function
        if inspect.iscoroutinefunction(function):
            call: Callable[[], Any] = lambda: asyncio.run(function(**arguments))  # noqa: E731
        else:
            call = lambda: function(**arguments)  # noqa: E731
        work = in_thread(call)
        try:
            return _outcome(work.result(timeout))
        except Exception as error:
            return _failure(error) if work.done() else _too_slow(name, timeout)

    async def run_async(
        self, name: str, arguments: dict[str, Any], *, timeout: float, approve: Approver | None = None
    ) -> Outcome:
        """The same on the caller's loop: coroutines are awaited there, plain functions run in a thread."""
        if isinstance(tool := self._find(name), Outcome):
            return tool
        try:
            if tool.approval == "ask" and approve:
                approved = approve(name, arguments)
                approved = await approved if inspect.isawaitable(approved) else approved
            else:  # a function may wait for a person, and other turns run on this loop
                approved = await asyncio.wrap_future(in_thread(lambda: _decided(tool, arguments)))
        except Exception as error:
            return _failure(error)
        if approved is not True:
            return _denied(name)
        try:
            async with asyncio.timeout(timeout) as limit:
                if inspect.iscoroutinefunction(tool.function):
                    return _outcome(await tool.function(**arguments))
                return _outcome(await asyncio.wrap_future(in_thread(lambda: tool.function(**arguments))))
        except Exception as error:
            return _too_slow(name, timeout) if limit.expired() else _failure(error)

    def _find(self, name: str) -> Tool | Outcome:
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            return Outcome(f"there is no local tool {name!r} here (known: {known})", is_error=True)
        return tool


def _decided(tool: Tool, arguments: dict[str, Any]) -> bool:
    """What the tool's own approval says; `ask` says nothing, which is no."""
    if callable(tool.approval):
        return tool.approval(tool.name, arguments) is True
    return tool.approval == "allow"


def _denied(name: str) -> Outcome:
    return Outcome(denial(name), is_error=True)


def denial(name: str) -> str:
    """What the service is told where a call was not approved."""
    return f"the user did not approve this call of {name}"


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


def _outcome(value: Any) -> Outcome:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = redact(text).encode("utf-8", "replace").decode()  # a lone surrogate fits into no frame
    if len(text) > MAX_OUTPUT:
        text = text[:MAX_OUTPUT] + f"… ({len(text) - MAX_OUTPUT} characters left out)"
    return Outcome(text)


def _failure(error: Exception) -> Outcome:
    return Outcome(_outcome(f"{type(error).__name__}: {error}").output, is_error=True)


def _too_slow(name: str, timeout: float) -> Outcome:
    return Outcome(f"{name} did not return within {timeout:g} s", is_error=True)
