"""`%secgemini tools`: which functions of this notebook the service may ask for, and who approves."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.magics.commands.base import Command, Line, label
from secgemini_jupyter.magics.options import arg, nearest

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.models import LocalTool
    from secgemini_jupyter.tools import Tool

__all__ = ["COMMANDS", "named_tools"]

MAKE_ONE = "%secgemini new --tools NAME,… makes a session that has some."


def tools(magics: SecGeminiMagics, options: Namespace) -> Any:
    kernel = magics.kernel
    session = kernel.get(kernel.current_name)
    if session is None:
        raise UsageError(f"%secgemini tools: there is no session yet, so no tool in it. {MAKE_ONE}")
    if options.names:
        names = [name for word in options.names for name in word.split(",")]
        session.bind_tools(named_tools(magics, names, "tools"))
    if not session.local_tools:
        return Line(one_line(f"{label(kernel.current_name, session)} has no local tools. {MAKE_ONE}"))
    return listed(session, magics)


def named_tools(magics: SecGeminiMagics, names: Iterable[str], command: str) -> list[Tool]:
    """The functions of these names, as tools; one that is not declared as a tool asks before each call.

    Raises:
        UsageError: there is none of a name.
        ToolError: it cannot be a tool.
    """
    from secgemini_jupyter.magics.suggestions import functions
    from secgemini_jupyter.tools import as_tool

    found: dict[str, Tool] = {}
    for name in filter(None, map(str.strip, names)):
        value = magics.shell.user_ns.get(name) if name.isidentifier() else None
        if not callable(value):
            known = [each.text for each in functions(magics, "")]
            raise UsageError(
                one_line(
                    f"%secgemini {command}: there is no function {name!r}. {nearest(name, known)} Nothing changed."
                )
            )
        found[name] = as_tool(value)
    return list(found.values())


def listed(session: InteractiveSession, magics: SecGeminiMagics) -> Any:
    """A row a tool, in the order in which the service was told of them."""
    import pandas as pd

    from secgemini_jupyter.magics.approving import can_ask

    rows = [row(told, session.toolbox.get(told.name), asks=can_ask(magics.shell)) for told in session.local_tools]
    columns = ["name", "approval", "parameters", "origin", "description"]
    return pd.DataFrame(rows, columns=columns).set_index("name")


def row(told: LocalTool, tool: Tool | None, *, asks: bool) -> dict[str, str]:
    if tool is None:
        approval, origin = "calls fail", f"no function here: %secgemini tools {told.name}"
    else:
        function = getattr(tool.approval, "__name__", "a function")
        approval = function if callable(tool.approval) else str(tool.approval)
        approval += " (nobody can be asked here: denied)" if approval == "ask" and not asks else ""
        origin = tool.origin
    values = (told.name, approval, parameters(told.parameters), origin, told.description.partition("\n")[0])
    return dict(zip(("name", "approval", "parameters", "origin", "description"), map(one_line, values), strict=True))


def parameters(schema: Mapping[str, Any]) -> str:
    """`host: string, port: integer = 443`."""
    known = schema.get("properties") or {}
    return ", ".join(f"{name}: {kind(each)}{default(each)}" for name, each in known.items() if isinstance(each, dict))


def kind(schema: Mapping[str, Any]) -> str:
    if isinstance(reference := schema.get("ref"), str):
        return reference.rpartition("/")[2]
    if isinstance(parts := schema.get("any_of"), list):
        return " | ".join(kind(part) for part in parts if isinstance(part, dict))
    if isinstance(values := schema.get("enum"), list):
        return " | ".join(map(repr, values[:5])) + (" | …" if len(values) > 5 else "")
    name = str(schema.get("type") or "any")
    if name == "object" and schema.get("title"):
        name = str(schema["title"])
    if name == "array" and isinstance(items := schema.get("items"), dict):
        name = f"list of {kind(items)}"
    return name


def default(schema: Mapping[str, Any]) -> str:
    return f" = {schema['default']!r}" if schema.get("default") is not None or schema.get("nullable") else ""


COMMANDS = (
    Command(
        "tools",
        "your functions that the service may ask this kernel to run, and who approves a call",
        tools,
        [arg("names", nargs="*", metavar="NAME", help="functions to bind to the session's tools, after a resume")],
        more="A function that is passed as it is asks before each call; @secgemini_tool(approval=…) says otherwise: "
        "allow, deny, ask. A session keeps the tools that it was made with.",
    ),
)
