"""What may stand at a place of a magic's line: names that this kernel knows already. Nothing here asks the service.

Values of variables are never looked at, only their types: a property of the user's may take long, or print.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, NamedTuple

from traitlets import Bool

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["Suggestion", "commands", "for_argument", "values"]

MAX_ENTRIES = 2_000
"""Entries of a folder that are looked at, so that a huge one does not hold up the keyboard."""


class Suggestion(NamedTuple):
    """What may stand there, and what it is, in the words that JupyterLab has an icon for."""

    text: str
    kind: str


def for_argument(
    magics: SecGeminiMagics, command: str, action: argparse.Action, typed: str, words: Sequence[str] = ()
) -> list[Suggestion]:
    """Values for an argument of a subcommand, or of a cell (`command` is empty then), that go on from `typed`.

    Args:
        words: what stands between the subcommand and the argument.
    """
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if action.choices is not None or "|" in metavar:
        choices = action.choices if action.choices is not None else metavar.split("|")
        found: Iterable[Suggestion] = [Suggestion(str(choice), "keyword") for choice in choices]
    elif (command, action.dest) == ("config", "value"):
        found = setting_values(magics, words[0])
    else:
        source = SOURCES.get(f"{command} {action.dest}") or SOURCES.get(action.dest) or nothing
        found = source(magics, typed)
    wanted = typed.casefold()
    return [each for each in found if each.text.casefold().startswith(wanted) and each.text.isprintable()]


def nothing(_: SecGeminiMagics, __: str) -> list[Suggestion]:
    return []


def commands(_: SecGeminiMagics, __: str) -> list[Suggestion]:
    from secgemini_jupyter.magics.commands import COMMANDS

    return [Suggestion(name, "keyword") for name in COMMANDS]


def own_sessions(magics: SecGeminiMagics, _: str) -> list[Suggestion]:
    """Of this kernel, the current one first."""
    kernel = magics.kernel
    names = sorted(kernel.names, key=lambda name: name != kernel.current_name)
    return [Suggestion(name, "instance") for name in names]


def sessions(magics: SecGeminiMagics, typed: str) -> list[Suggestion]:
    """With those that the notebook had before its kernel was restarted."""
    before = [Suggestion(name, "instance") for name in magics.kernel.remembered]
    return [*dict.fromkeys([*own_sessions(magics, typed), *before])]


def all_sessions(magics: SecGeminiMagics, typed: str) -> list[Suggestion]:
    """With those that the service told of when it was asked last."""
    told = magics.kernel.told
    known = [session.name for session in told.sessions] if told else []
    return [*dict.fromkeys([*sessions(magics, typed), *(Suggestion(name, "instance") for name in known)])]


def models(magics: SecGeminiMagics, _: str) -> list[Suggestion]:
    told = magics.kernel.told
    return [Suggestion(model.model_string, "keyword") for model in told.available_models] if told else []


def settings(magics: SecGeminiMagics, _: str) -> list[Suggestion]:
    from secgemini_jupyter.magics import preferences

    return [Suggestion(name, "property") for name in preferences.names(magics)]


def setting_values(magics: SecGeminiMagics, name: str) -> list[Suggestion]:
    trait = magics.traits(config=True).get(name.removeprefix("SecGeminiMagics."))
    values = getattr(trait, "values", None) or ((True, False) if isinstance(trait, Bool) else ())
    return [Suggestion(str(value), "keyword") for value in values]


def jobs(magics: SecGeminiMagics, _: str) -> list[Suggestion]:
    """Of this kernel, the newest first."""
    return [Suggestion(str(job.id), "instance") for job in reversed(list(magics.kernel.jobs))]


def running_jobs(magics: SecGeminiMagics, _: str) -> list[Suggestion]:
    return [Suggestion(str(job.id), "instance") for job in magics.kernel.jobs.running]


def kinds(_: SecGeminiMagics, typed: str) -> list[Suggestion]:
    """Of what is redacted: one more behind each comma."""
    from secgemini_jupyter.inputs.redaction import KINDS

    chosen = typed.split(",")[:-1]
    return [Suggestion(",".join([*chosen, kind]), "keyword") for kind in KINDS if kind not in chosen]


def functions(magics: SecGeminiMagics, _: str) -> list[Suggestion]:
    """The user's own, and tools."""
    from secgemini_jupyter.tools import Tool

    kinds = (FunctionType, MethodType, Tool)
    namespace = magics.shell.user_ns
    return [each for each in variables(magics, "") if issubclass(type(namespace.get(each.text)), kinds)]


def functions_by_comma(magics: SecGeminiMagics, typed: str) -> list[Suggestion]:
    chosen = typed.split(",")[:-1]
    rest = [each for each in functions(magics, "") if each.text not in chosen]
    return [Suggestion(",".join([*chosen, each.text]), "function") for each in rest]


def attachments(magics: SecGeminiMagics, _: str) -> list[Suggestion]:
    """Positions in the list of the current session's files."""
    session = magics.kernel.get(magics.kernel.current_name)
    return [Suggestion(str(index), "instance") for index in range(len(session.files))] if session else []


def variables(magics: SecGeminiMagics, typed: str) -> list[Suggestion]:
    """The user's own; those that begin with an underscore only where one is typed."""
    hidden = magics.shell.user_ns_hidden
    return [
        Suggestion(name, "instance")
        for name, value in list(magics.shell.user_ns.items())
        if name.isidentifier() and _is_wanted(name, typed) and not _is_hidden(hidden, name, value)
    ]


_MISSING = object()


def _is_hidden(hidden: dict[str, object], name: str, value: object) -> bool:
    """IPython's own, unless the user gave the name a value."""
    return hidden.get(name, _MISSING) is value


def values(magics: SecGeminiMagics, typed: str) -> list[Suggestion]:
    """Variables that can be put into a prompt, by name."""
    code = (ModuleType, FunctionType, BuiltinFunctionType, MethodType, type)
    namespace = magics.shell.user_ns
    return [
        each
        for each in variables(magics, typed)
        if each.text.startswith(typed) and not issubclass(type(namespace.get(each.text)), code)
    ]


def evidence(magics: SecGeminiMagics, typed: str) -> list[Suggestion]:
    """Files; behind a `$`, or where nothing is typed, variables."""
    if typed.startswith("$"):
        return [Suggestion(f"${each.text}", each.kind) for each in values(magics, typed[1:])]
    found = files(magics, typed)
    return found if typed else found + [Suggestion(f"${each.text}", each.kind) for each in values(magics, "")]


def files(_: SecGeminiMagics, typed: str) -> list[Suggestion]:
    """Files and folders that go on from a path; hidden ones only where their dot is typed."""
    cut = max(typed.rfind("/"), typed.rfind(os.sep)) + 1
    folder, part = typed[:cut], typed[cut:]
    if typed == "~":
        return [Suggestion("~/", "path")]
    try:
        # Not all of a huge folder is sorted: what is left out is found by typing on.
        with os.scandir(Path(folder or ".").expanduser()) as entries:
            found = sorted(islice(_entries(entries, part), MAX_ENTRIES), key=str.casefold)
    except (OSError, RuntimeError, ValueError):  # no such folder or user, or it may not be read
        return []
    # `$x` is a variable, `-x` an option: a file of such a name is told by its folder.
    return [Suggestion((folder or ("./" if name[0] in "$-~" else "")) + name, "path") for name in found]


def _entries(entries: Iterable[os.DirEntry[str]], part: str) -> Iterator[str]:
    wanted = part.casefold()
    for entry in entries:
        name = entry.name
        if not (name.casefold().startswith(wanted) and name.isprintable() and _is_wanted(name, part, ".")):
            continue
        if '\\"' in name or name.endswith("\\"):  # no quote of a magic's line can hold it
            continue
        try:
            if entry.is_dir():
                yield f"{name}/"
            elif entry.is_file():  # what is neither, a pipe or a device, is no evidence
                yield name
        except OSError:
            continue


def _is_wanted(name: str, typed: str, mark: str = "_") -> bool:
    return not name.startswith(mark) or typed.startswith(mark)


SOURCES: dict[str, Callable[[SecGeminiMagics, str], list[Suggestion]]] = {
    "attach": evidence,
    "attach paths": evidence,
    "config name": settings,
    "delete name": own_sessions,
    "detach file": attachments,
    "dotenv": files,
    "help command": commands,
    "model": models,
    "out": variables,
    "path": files,
    "redact": kinds,
    "resume session": all_sessions,
    "session": sessions,
    "stop id": running_jobs,
    "tools": functions_by_comma,
    "tools names": functions,
    "use name": all_sessions,
    "wait id": jobs,
}
"""By subcommand and argument, or by the argument alone, whichever takes it."""
