"""Subcommands that list, make, change and delete sessions."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.magics import asking
from secgemini_jupyter.magics.choosing import MAX_NAME, checked_name
from secgemini_jupyter.magics.commands.base import Command, Line, label, need_notebook, status
from secgemini_jupyter.magics.commands.tools import named_tools
from secgemini_jupyter.magics.options import arg, usage_error

if TYPE_CHECKING:
    from secgemini_jupyter.kernel import KernelSession
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]


def sessions(magics: SecGeminiMagics, options: Namespace) -> Any:
    from secgemini_jupyter.transcript.sessions import sessions_frame

    kernel = magics.kernel
    if options.browse:
        need_notebook("%secgemini sessions --browse needs a notebook. Without --browse it lists them here.")
        from secgemini_jupyter.widgets import SessionsWidget

        return SessionsWidget(kernel)
    current = kernel.get(kernel.current_name)
    table = sessions_frame(kernel.client.list_sessions())
    for name in ("name", "session_id", "description"):  # a terminal shows them
        table[name] = table[name].map(one_line).astype(table[name].dtype)
    table.insert(2, "current", table["session_id"] == (current.id if current else ""))
    return table


def new(magics: SecGeminiMagics, options: Namespace) -> Line:
    names = ("description", "ttl", "model", "language")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    if switches := switched(options):
        given["toolsets"] = switches
    if options.tools:
        given["tools"] = named_tools(magics, options.tools.split(","), "new --tools")
    magics.kernel.new(None if options.name is None else checked_name(options.name), **given)
    return status(magics, options)


def switched(options: Namespace) -> dict[str, bool]:
    """Toolsets by `--with` and `--without`.

    Raises:
        UsageError: one is in both.
    """
    on, off = options.with_ or [], options.without or []
    if both := {*on} & {*off}:
        raise usage_error(f"%secgemini new: toolset {min(both)!r} is both --with and --without. Keep one.")
    return dict.fromkeys(on, True) | dict.fromkeys(off, False)


def use(magics: SecGeminiMagics, options: Namespace) -> Line:
    kernel, name = magics.kernel, checked_name(options.name)
    known = list(dict.fromkeys([*kernel.names, *kernel.remembered]))
    kernel.switch(name)
    line = status(magics, options)
    if name in known or not known:
        return line
    more = f", {len(known) - 5} more" if len(known) > 5 else ""
    return Line(one_line(f"new {line} (known: {', '.join(known[-5:])}{more})"))


def resume(magics: SecGeminiMagics, options: Namespace) -> Any:
    if bool(options.session) == options.last:
        raise UsageError("%secgemini resume: name a session (id or name), or say --last.")
    kernel = magics.kernel
    session = kernel.resume_last() if options.last else kernel.resume(options.session)
    if options.last and kernel.is_held_up(session) and not session.is_running:
        print(f"{status(magics, options)} · its last turn still runs, or was cut off: listening.")
        return asking.ask(magics, session, None)
    return status(magics, options)


def update(magics: SecGeminiMagics, options: Namespace) -> Line:
    name = None if options.name is None else checked_name(options.name)
    if options.generate_name and name is not None:
        raise usage_error("%secgemini update: --name or --generate-name, not both.")
    session = magics.kernel.current()
    if options.generate_name:
        name = one_line(session.generate_name())[:MAX_NAME]
    magics.kernel.update_session(session.id, name=name, description=options.description, ttl=options.ttl)
    return status(magics, options)


def delete(magics: SecGeminiMagics, options: Namespace) -> Line:
    from secgemini_jupyter.render.text import count

    kernel = magics.kernel
    name = options.name or kernel.current_name
    session = kernel.get(name)
    if session is None:
        raise usage_error(f"%secgemini delete: this kernel has no session {name!r}. It has: {names_of(kernel)}.")
    what = f"{label(name, session)} with {count(session.turns, 'turn')} and {count(len(session.files), 'file')}"
    if not options.yes:
        raise usage_error(f"%secgemini delete would delete {what}, for good. Add --yes to do it.")
    kernel.delete(name)
    return Line(one_line(f"Deleted {what}."))


def names_of(kernel: KernelSession) -> str:
    return ", ".join(kernel.names) or "none"


COMMANDS = (
    Command("status", "the current session and where prompts go", status),
    Command(
        "sessions",
        "all active sessions of this key, as a DataFrame",
        sessions,
        [arg("--browse", action="store_true", help="to search, resume, rename, extend, delete and open by click")],
    ),
    Command(
        "new",
        "a fresh session, made current",
        new,
        [
            arg("name", nargs="?", help="generated when left out"),
            arg("--description", help="what the session is about"),
            arg("--ttl", type=int, help="time to live in seconds, at least 300"),
            arg("--model", help="a model string; the service's default when left out"),
            arg(
                "--tools", metavar="NAMES", help="your functions, by comma, that the service may ask this kernel to run"
            ),
            arg(
                "--with",
                dest="with_",
                action="append",
                metavar="TOOLSET",
                help="switch a toolset of the model on, see models --toolsets; may be given several times",
            ),
            arg("--without", action="append", metavar="TOOLSET", help="switch one off; may be given several times"),
            arg("--language", metavar="TAG", help="of the answers, like en or pt-BR"),
        ],
    ),
    Command(
        "use",
        "make the session of this name current; the notebook's own of that name, else a new one",
        use,
        [arg("name", help="one of this notebook's names, or a new one")],
    ),
    Command(
        "resume",
        "make an existing session current",
        resume,
        [
            arg("session", nargs="?", help="id, or a name that only one session has"),
            arg(
                "--last",
                action="store_true",
                help="the one this notebook used before its kernel was restarted, and the answer that was running",
            ),
        ],
    ),
    Command(
        "update",
        "change the current session",
        update,
        [
            arg("--name", help="a new name"),
            arg("--generate-name", action="store_true", help="a name that the service proposes"),
            arg("--description", help="a new description"),
            arg("--ttl", type=int, help="seconds from now, at least 300"),
        ],
    ),
    Command(
        "delete",
        "delete a session at the service, with messages and files",
        delete,
        [
            arg("name", nargs="?", help="one of this kernel's sessions; the current one when left out"),
            arg("--yes", action="store_true", help="really"),
        ],
    ),
)
