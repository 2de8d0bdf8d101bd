"""The local tools of a kernel's sessions: which functions of the notebook the service may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.tools import Tool, Toolbox

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel.sessions import KernelSession
    from secgemini_jupyter.widgets.questions import Asker

__all__ = ["bind_again", "equip", "missing_words", "with_tools"]


def with_tools(
    kernel: KernelSession, tools: Iterable[Tool | Callable[..., Any]], say: Callable[[str], None]
) -> InteractiveSession:
    """The current session, if it has these tools: they get these functions. Else a new one like it, made current.

    So a cell may be run again: the functions are new then, and the conversation goes on.

    Raises:
        ToolError: one of them cannot be a tool.
    """
    given = Toolbox(tools)
    name = kernel.current_name
    if kernel.get(name) is None and kernel.may_continue(name):
        kernel.use(name)  # which binds what it finds
    session = kernel.get(name)
    if session is None:
        return kernel.new(tools=given.values())
    if _is_same(session, given):
        session.bind_tools(given.values())
        return session
    had = ", ".join(tool.name for tool in session.local_tools) or "none"
    made = kernel.new_chat(tools=given.values())
    say(
        f"A new session {made.name!r} with the local tools {', '.join(given) or 'none'}: a session keeps those it was "
        f"made with, and {session.name!r} has {had}."
    )
    return made


def _is_same(session: InteractiveSession, given: Toolbox) -> bool:
    """Whether the service knows these tools; of one that is not bound here only the name is compared."""
    if {tool.name for tool in session.local_tools} != set(given):
        return False
    return all(tool.declaration == given[name].declaration for name, tool in session.toolbox.items() if name in given)


def bind_again(session: InteractiveSession, namespace: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """After a resume: bind what the notebook has declared as a tool by now, and say what is missing.

    A function that was not declared as a tool is not taken: a name alone is no permission.
    """
    missing = session.missing_tools
    if not missing:
        return
    declared = {value.name: value for value in list(namespace.values()) if type(value) is Tool}
    found = [declared[name] for name in missing if name in declared]
    if found:
        session.bind_tools(found)
        say(f"Local tools bound again: {', '.join(tool.name for tool in found)}.")
    if session.missing_tools:
        say(missing_words(session))


def equip(session: InteractiveSession, here: Asker | None) -> None:
    """Have what the session's turns ask answered by `here`, where nothing of the user's does it."""
    if here is not None:
        from secgemini_jupyter.widgets.questions import Questions

        Questions.of(session).here = here


def missing_words(session: InteractiveSession) -> str:
    names = session.missing_tools
    some = f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} no function in this kernel"
    return (
        f"Session {session.name!r}: its local {'tool' if len(names) == 1 else 'tools'} {some}, and calls fail. Define "
        f"{'it' if len(names) == 1 else 'them'}, then run: %secgemini tools {' '.join(names)}"
    )
