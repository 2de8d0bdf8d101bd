"""The subcommands of `%secgemini`: a table of names, each with its arguments and what it does."""

from __future__ import annotations

import glob
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from secgemini_jupyter.errors import InputError, one_line
from secgemini_jupyter.magics.options import Parser, choose, split_words
from secgemini_jupyter.notebook import answered_turn, feedback_widget

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.kernel import KernelSession
    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.models import PublicSessionFile

__all__ = ["COMMANDS", "Line", "attach_evidence", "read_evidence", "run"]


class Line(str):
    """One line to show: as a cell's result it stands without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


Argument = tuple[tuple[str, ...], dict[str, Any]]


@dataclass(frozen=True)
class Command:
    """One subcommand: `run` gives what the line magic returns."""

    name: str
    help: str
    run: Callable[[SecGeminiMagics, Namespace], Any]
    arguments: Sequence[Argument] = field(default=())

    def parser(self) -> Parser:
        parser = Parser(prog=f"%secgemini {self.name}", description=self.help, add_help=False)
        parser.allow_abbrev = False
        for names, options in self.arguments:
            parser.add_argument(*names, **options)
        return parser

    @property
    def usage(self) -> str:
        return self.parser().format_usage().removeprefix("usage: ").strip()


def arg(*names: str, **options: Any) -> Argument:
    return names, options


def run(magics: SecGeminiMagics, line: str) -> Any:
    """Dispatch one line: its first word is the command.

    Raises:
        UsageError: no such command, or wrong arguments.
    """
    words = split_words(line)
    if not words:
        return status(magics, Namespace())
    command = COMMANDS[choose("subcommand", words[0], list(COMMANDS))]
    return command.run(magics, command.parser().parse_tokens(words[1:]))


def status(magics: SecGeminiMagics, _: Namespace) -> Line:
    kernel = magics.kernel
    session = kernel.get(kernel.current_name)
    if session is None:
        return Line(f"No session yet in this kernel ({destination(kernel)}). Ask in a %%secgemini cell.")
    retained = "retained" if session.can_log else "not retained"
    running = " · a turn is running" if session.is_running else ""
    return Line(
        one_line(
            f"{label(kernel.current_name, session)} · {session.turns} turns · {len(session.files)} files · "
            f"{retained} · {destination(kernel)}{running}"
        )
    )


def destination(kernel: KernelSession) -> str:
    """Where prompts go, without asking anybody."""
    from secgemini_jupyter.settings import Settings, backend, find_key

    if kernel.has_client:
        client = kernel.client
        where = "local analyst, not Sec-Gemini" if client.is_local else "Sec-Gemini"
        return f"{where}, {client.settings.host}, key from {client.key_source}"
    key = find_key() if backend() != "local" else None
    if key:
        return f"Sec-Gemini, {Settings.from_environment().host}, key from {key.source}"
    if backend() == "service":
        return "no key found; set SEC_GEMINI_API_KEY"
    return "local analyst, not Sec-Gemini"


def label(name: str, session: InteractiveSession) -> str:
    return f"session {session.name}" if session.name == name else f"session {name} ({session.name})"


def sessions(magics: SecGeminiMagics, options: Namespace) -> Any:
    import pandas as pd

    kernel = magics.kernel
    if options.browse:
        need_notebook("%secgemini sessions --browse needs a notebook. Without --browse it lists them here.")
        from secgemini_jupyter.widgets import SessionsWidget

        return SessionsWidget(kernel)
    current = kernel.get(kernel.current_name)
    rows = [
        {
            "name": one_line(session.name),
            "session_id": one_line(session.id),
            "current": bool(current and session.id == current.id),
            "turns": session.turns,
            "messages": session.num_messages,
            "files": len(session.files),
            "retained": session.can_log,
            "created_at": pd.Timestamp(session.create_time, unit="s", tz="UTC").floor("s"),
            "ttl_s": session.ttl,
        }
        for session in kernel.client.list_sessions()
    ]
    names = ["name", "session_id", "current", "turns", "messages", "files", "retained", "created_at", "ttl_s"]
    return pd.DataFrame(rows, columns=names)


def new(magics: SecGeminiMagics, options: Namespace) -> Line:
    given = {name: value for name in ("description", "ttl", "model") if (value := getattr(options, name)) is not None}
    magics.kernel.new(options.name, **given)
    return status(magics, options)


def resume(magics: SecGeminiMagics, options: Namespace) -> Line:
    if bool(options.session) == options.last:
        raise UsageError("%secgemini resume: name a session (id or name), or say --last.")
    if options.last:
        magics.kernel.resume_last()
    else:
        magics.kernel.resume(options.session)
    return status(magics, options)


def update(magics: SecGeminiMagics, options: Namespace) -> Line:
    session = magics.kernel.current()
    magics.kernel.update_session(session.id, name=options.name, description=options.description, ttl=options.ttl)
    return status(magics, options)


def delete(magics: SecGeminiMagics, options: Namespace) -> Line:
    kernel = magics.kernel
    name = options.name or kernel.current_name
    session = kernel.get(name)
    if session is None:
        raise UsageError(f"%secgemini delete: this kernel has no session {name!r}. It has: {names_of(kernel)}.")
    what = f"{label(name, session)} with {session.turns} turns and {len(session.files)} files"
    if not options.yes:
        raise UsageError(one_line(f"%secgemini delete would delete {what}, for good. Add --yes to do it."))
    kernel.delete(name)
    return Line(one_line(f"Deleted {what}."))


def names_of(kernel: KernelSession) -> str:
    return ", ".join(kernel.names) or "none"


def attach(magics: SecGeminiMagics, options: Namespace) -> Any:
    if not options.paths:
        need_notebook("%secgemini attach: name files or globs. Without any it shows a widget, in a notebook only.")
        return magics.kernel.current().attach()
    evidence = read_evidence(magics.kernel, options.paths)
    attach_evidence(magics.kernel.current(), evidence)
    return files(magics, options)


def need_notebook(words: str) -> None:
    """Refuse what is used by click, before a session is made for it.

    Raises:
        UsageError: a terminal has no place for it; `words` say what to type.
    """
    from secgemini_jupyter.widgets.base import in_notebook

    if not in_notebook():
        raise UsageError(words)


def read_evidence(kernel: KernelSession, paths: Sequence[str]) -> list[tuple[str, bytes]]:
    """Names and contents of files, by path or glob: all are read before anything is created or sent.

    Raises:
        AttachmentError: one cannot be read.
        InputError: a glob matches nothing.
    """
    if not paths:
        return []
    from secgemini_jupyter.client.files import read_from_disk

    limit = kernel.client.settings.max_attachment_bytes
    return [read_from_disk(path, limit) for path in expanded(paths)]


def attach_evidence(session: InteractiveSession, evidence: Sequence[tuple[str, bytes]]) -> list[PublicSessionFile]:
    """Attach files; one that is attached already, same name and content, is not sent again."""
    import hashlib

    attached = []
    for name, content in evidence:
        digest = hashlib.sha256(content).hexdigest()
        known = [file for file in session.files if (file.name, file.sha256) == (name, digest)]
        attached.append(known[0] if known else session.attach_file(name, content))
    return attached


def expanded(paths: Sequence[str]) -> list[Path]:
    """Paths with `~` and globs resolved, in order.

    Raises:
        InputError: a glob matches nothing.
    """
    found: list[Path] = []
    for path in paths:
        try:
            whole = Path(path).expanduser()
            is_one = whole.exists() or not glob.has_magic(path)
        except (OSError, RuntimeError):  # a folder that may not be read; a home folder that does not exist
            whole, is_one = Path(path), True
        if is_one:
            found.append(whole)
            continue
        matches = sorted(Path(match) for match in glob.glob(str(whole), recursive=True))  # noqa: PTH207  # absolute ones too
        if not matches:
            raise InputError(f"Nothing matches {path!r} (working folder: {Path.cwd()}). Nothing was sent.")
        found += matches
    return found


def files(magics: SecGeminiMagics, _: Namespace) -> Any:
    import pandas as pd

    rows = [
        {
            "name": one_line(file.name),
            "size": file.size,
            "mime_type": one_line(file.mime_type),
            "content_type_label": one_line(file.content_type_label or ""),
            "sha256": one_line(file.sha256),
        }
        for file in magics.kernel.current().files
    ]
    frame = pd.DataFrame(rows, columns=["name", "size", "mime_type", "content_type_label", "sha256"])
    return frame.rename_axis("file_idx")


def detach(magics: SecGeminiMagics, options: Namespace) -> Any:
    magics.kernel.current().detach_file(options.file_idx)
    return files(magics, options)


def history(magics: SecGeminiMagics, _: Namespace) -> Any:
    return magics.kernel.current().history()


def visualize(magics: SecGeminiMagics, _: Namespace) -> Any:
    return magics.kernel.current().visualize()


def chat(magics: SecGeminiMagics, _: Namespace) -> Any:
    need_notebook("%secgemini chat needs a notebook. Ask in a %%secgemini cell: the session goes on from turn to turn.")
    return magics.kernel.chat()


def feedback(magics: SecGeminiMagics, options: Namespace) -> Any:
    if options.verdict is None:
        need_notebook("%secgemini feedback: say up or down, and a remark if you like.")
    session = magics.kernel.current()
    turn, group = (0, None) if options.session else answered_turn(session.messages)
    if options.verdict is None:
        return feedback_widget(session, turn, group)
    scores = {"up": 1, "down": -1}
    score = scores[choose("verdict", options.verdict, list(scores))]
    session.send_feedback(score, group, comment=" ".join(options.comment))
    target = "the session" if group is None else f"turn {turn}"
    return Line(one_line(f"Sent: {'helpful' if score > 0 else 'not helpful'}, for {target} of {session.name}."))


def bug(magics: SecGeminiMagics, options: Namespace) -> Line:
    session = magics.kernel.current()
    session.send_bug_report(" ".join(options.text), answered_turn(session.messages)[1])
    return Line(one_line(f"Sent: a bug report for {session.name}."))


def reconnect(magics: SecGeminiMagics, _: Namespace) -> Any:
    return magics.ask(magics.kernel.current(), None)


def show_help(_: SecGeminiMagics, options: Namespace) -> Line:
    if options.command:
        command = COMMANDS[choose("subcommand", options.command, list(COMMANDS))]
        return Line(command.parser().format_help().strip().replace("::\n\n  %%", "%", 1))
    width = max(len(name) for name in COMMANDS)
    lines = ["%%secgemini [options] prompt   ask in a cell; %%secgemini? lists its options", ""]
    lines += [f"%secgemini {command.name:<{width}}  {command.help}" for command in COMMANDS.values()]
    return Line("\n".join([*lines, "", "%secgemini help NAME shows the arguments of one."]))


COMMANDS = {
    command.name: command
    for command in (
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
            ],
        ),
        Command(
            "resume",
            "make an existing session current",
            resume,
            [
                arg("session", nargs="?", help="id, or a name that only one session has"),
                arg("--last", action="store_true", help="the one this notebook used before its kernel was restarted"),
            ],
        ),
        Command(
            "update",
            "change the current session",
            update,
            [
                arg("--name", help="a new name"),
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
        Command(
            "attach",
            "attach files to the current session; without a path, a widget to drop them on",
            attach,
            [arg("paths", nargs="*", help="paths or globs")],
        ),
        Command("files", "the attachments, as a DataFrame; its index is what detach takes", files),
        Command(
            "detach",
            "remove an attachment",
            detach,
            [arg("file_idx", type=int, help="its position in %%secgemini files")],
        ),
        Command("history", "all messages of the current session, as a DataFrame", history),
        Command("visualize", "the current session as a tree", visualize),
        Command("chat", "talk in the current session, in one output", chat),
        Command(
            "feedback",
            "say how the last answer was; without arguments, by click",
            feedback,
            [
                arg("verdict", nargs="?", metavar="up|down"),
                arg("comment", nargs="*", help="a remark"),
                arg("--session", action="store_true", help="for the whole session instead of the last answer"),
            ],
        ),
        Command("bug", "report what went wrong", bug, [arg("text", nargs="+", help="what went wrong")]),
        Command("reconnect", "go on listening to the turn that was interrupted", reconnect),
        Command("help", "this list", show_help, [arg("command", nargs="?")]),
    )
}
