"""A function as a local tool: what the service is told of it, and what its arguments become."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from secgemini_jupyter.errors import ToolError, holds_key, one_line
from secgemini_jupyter.models import LocalTool

if TYPE_CHECKING:
    from secgemini_jupyter.tools.composites import Field, Object

__all__ = ["Approval", "Approver", "Tool", "as_tool", "declaration", "secgemini_tool"]

Approval = Literal["allow", "deny", "ask"] | Callable[[str, dict[str, Any]], bool]
"""`allow`, `deny`, or a function of the tool's name and the arguments that says yes or no to one call.

`ask` leaves it to the session's `approve`: the person at a notebook or in a chat, or a function of the user's."""
Approver = Callable[[str, dict[str, Any]], bool | Awaitable[bool]]
"""Says yes or no to one call, by the tool's name and the arguments as they came; only `True` is yes."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class Tool:
    """A function, what the service is told of it, and who approves a call."""

    function: Callable[..., Any]
    declaration: LocalTool
    approval: Approval = "ask"
    parameters: Object | None = None
    """How arguments are read; None passes them on as they come."""

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def origin(self) -> str:
        """Where the function comes from: `module.name`."""
        function = inner(self.function)
        name = getattr(function, "__qualname__", type(function).__qualname__)
        module = getattr(function, "__module__", "") or ""
        return one_line(f"{'this notebook' if module == '__main__' else module}: {name}")

    @property
    def is_async(self) -> bool:
        """Whether a call gives something to await, as far as the function tells."""
        return inspect.iscoroutinefunction(inner(self.function)) or inspect.iscoroutinefunction(self.function)

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments as the function's annotations ask for them.

        Raises:
            Mismatch: one is missing, unknown, or of another type.
        """
        if self.parameters is None:
            return arguments
        read: dict[str, Any] = self.parameters.read(arguments, "")
        return read

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The function itself, for code of the notebook's own."""
        return self.function(*arguments, **named)


def secgemini_tool(
    function: Callable[..., Any] | None = None,
    *,
    approval: Approval = "allow",
    name: str | None = None,
    description: str | None = None,
) -> Any:
    """Declare a function that the service may ask this kernel to run; use it as a decorator.

    The description defaults to the docstring, the parameters come from the signature's annotations: plain types,
    unions, Literal, Enum, dataclasses, TypedDict, and others. What arrives is checked against them, and a dataclass
    gets a dataclass. `Annotated[str, "in words"]` or the docstring's `Args:` describe a parameter.

        @secgemini_tool
        def asset(host: str) -> dict:
            "Inventory facts for a host name."

    Args:
        function: also a coroutine function, a bound method, a `functools.partial` or an object that can be called.
        approval: `allow`, `deny`, `ask` (a person says yes or no to each call), or a function that says it.
        name: that of the function when left out.
        description: the docstring when left out.

    Raises:
        ToolError: the function has `*args`, `**kwargs` or positional-only parameters, or a type without JSON form.
    """
    if not callable(approval) and approval not in ("allow", "deny", "ask"):
        raise ToolError(f"approval is {approval!r}: use 'allow', 'deny', 'ask', or a function that says yes or no.")

    def declare(function: Callable[..., Any]) -> Tool:
        return as_tool(function, approval=approval, name=name, description=description)

    return declare if function is None else declare(function)


def as_tool(
    function: Callable[..., Any] | Tool,
    *,
    approval: Approval = "ask",
    name: str | None = None,
    description: str | None = None,
) -> Tool:
    """A tool as it is; a function as one that asks before each call."""
    if isinstance(function, Tool):
        return function
    parameters = _parameters(function, name := _name(function, name))
    return Tool(function, _declaration(function, parameters, name, description), approval, parameters)


def declaration(function: Callable[..., Any], *, name: str | None = None, description: str | None = None) -> LocalTool:
    """What the service is told: name, description, parameters."""
    return as_tool(function, name=name, description=description).declaration


def inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that does the work: behind a `partial`, or of an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    return getattr(type(function), "__call__", function)  # noqa: B004  # the method itself is wanted


def _name(function: Callable[..., Any], name: str | None) -> str:
    if not callable(function):
        raise ToolError(f"{one_line(repr(function))[:80]} is no function: pass one, without calling it.")
    if name is None:
        named: Any = function
        while isinstance(named, functools.partial):
            named = named.func
        name = getattr(named, "__name__", type(named).__name__)
    if not NAME.fullmatch(name):
        raise ToolError(
            f"{one_line(name)[:60]!r} is no name for a tool: use letters, digits and _. Pass name=… to secgemini_tool."
        )
    return name


def _parameters(function: Callable[..., Any], name: str) -> Object:
    from secgemini_jupyter.tools.annotations import Annotations, as_json, docstring_parts
    from secgemini_jupyter.tools.composites import Object

    works = inner(function)
    if inspect.isgeneratorfunction(works) or inspect.isasyncgenfunction(works):
        raise ToolError(f"Tool {name} yields its values one by one: return them as a list.")
    try:
        signature = inspect.signature(function)
        hints = get_type_hints(works.__init__ if isinstance(works, type) else works, include_extras=True)  # type: ignore[misc]
    except (NameError, TypeError, ValueError) as error:
        raise ToolError(
            f"The signature of tool {name} cannot be read: {str(error).rstrip('.')}. Pass a function with plain types."
        ) from error
    _, told = docstring_parts(inspect.getdoc(works) or "")
    bound = _bound(function)
    annotations = Annotations()
    fields: dict[str, Field] = {}
    for parameter in signature.parameters.values():
        if parameter.name in bound:  # a value that is set already is the user's, and nobody's business
            continue
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ToolError(
                f"Tool {name} has the parameter {parameter}: the service passes arguments by name. "
                "Name each one, or wrap the function."
            )
        is_required = parameter.default is parameter.empty
        fields[parameter.name] = each = annotations.field(
            hints.get(parameter.name, Any),
            f"{name}({parameter.name})",
            is_required,
            None if is_required else as_json(parameter.default),
            nullable=parameter.default is None,
        )
        each.description = told.get(parameter.name, "")
    return Object(f"{name}Arguments", fields, dict, noun="argument")


def _bound(function: Callable[..., Any]) -> set[str]:
    """Parameters that a `partial` has set by name: its signature would still offer them."""
    names: set[str] = set()
    while isinstance(function, functools.partial):
        names |= set(function.keywords)
        function = function.func
    return names


def _declaration(function: Callable[..., Any], parameters: Object, name: str, description: str | None) -> LocalTool:
    from secgemini_jupyter.tools.annotations import docstring_parts

    defs: dict[str, Any] = {}
    schema = parameters.schema(defs)
    if defs:
        schema = schema | {"defs": defs}
    works = inner(function)
    is_object = works is not function and not isinstance(function, functools.partial)
    words = inspect.getdoc(type(function) if is_object else works) or inspect.getdoc(works) or ""
    text = description or docstring_parts(words)[0] or name.replace("_", " ")
    told = LocalTool(name=name, description=text, parameters=schema)
    if holds_key(json.dumps([text, schema], default=str, ensure_ascii=False)):
        raise ToolError(f"The docstring or a default of tool {name} holds the API key: take it out. Nothing was sent.")
    return told
