"""What a cell does when it does not say: `%config`, the project's file, the default; and where each value came from."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from secgemini_jupyter.errors import SettingsError, one_line
from secgemini_jupyter.magics.choices import FORMATS
from secgemini_jupyter.settings import notebook_folder

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["DISPLAY", "Preference", "Project", "names", "preference", "project_of", "set_preference"]

DISPLAY = frozenset({"defang", "feedback", "format", "short_errors", "show"})
"""What a project's `[tool.secgemini]` may set: a cloned repository must not change what is sent, retained, approved."""
REFUSED = {("defang", False): "it may switch that on, not off"} | {
    ("format", name): "it may choose md or text only" for name in FORMATS if name not in ("md", "text")
}
"""Values of these that a project may not choose either."""
MAX_FILE = 1_000_000
MAX_TABLE = 4_000
"""Bytes. A parser of TOML needs memory by the square of a key's length: of more we read nothing."""
_HEADER = re.compile(rb"^[ \t]*\[[ \t]*tool[ \t]*\.[ \t]*secgemini[ \t]*\][ \t]*(?:#.*)?\r?$", re.MULTILINE)
_NEXT = re.compile(rb"^[ \t]*\[", re.MULTILINE)


@dataclass(frozen=True)
class Preference:
    """A value, and who gave it: `%config`, the profile's file, a project's file, or nobody."""

    value: Any
    source: str


@dataclass(frozen=True)
class Project:
    """What the file of the notebook's project says of how things look.

    Attributes:
        values: those that it may set, checked.
        problems: a line each for what is ignored.
    """

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def names(magics: SecGeminiMagics) -> list[str]:
    return sorted(magics.trait_names(config=True))


def preference(magics: SecGeminiMagics, name: str) -> Preference:
    """`%config` and the profile of IPython go before the project's file, that before the default.

    Raises:
        SettingsError: `%config` gave a value that makes no sense, for what is sent or retained.
    """
    if name not in DISPLAY:
        _refuse_nonsense(magics, name)
    value = getattr(magics, name)
    section = magics.config.get("SecGeminiMagics", {})
    if name in section and section[name] == value:  # else it was refused
        is_profile = magics.profile_values.get(name, ...) == section[name]
        return Preference(value, "the IPython profile" if is_profile else "%config")
    if value != magics.traits()[name].default():  # set as an attribute
        return Preference(value, "%config")
    if name in DISPLAY:
        project = project_of(magics)
        _tell_once(magics, project)
        if name in project.values:
            return Preference(project.values[name], str(project.path))
    return Preference(value, "default")


def _refuse_nonsense(magics: SecGeminiMagics, name: str) -> None:
    """`%config` only logs such a value and leaves the one before: no prompt shall be retained by a slip of the pen."""
    said = magics.shell.config.get("SecGeminiMagics", {})
    trait = magics.traits()[name]
    if name not in said:
        return
    try:
        trait._validate(magics, said[name])
    except TraitError:
        raise SettingsError(one_line(f"%config SecGeminiMagics.{name} is {said[name]!r}. {trait.help}")) from None


def set_preference(magics: SecGeminiMagics, name: str, text: str) -> None:
    """As `%config SecGeminiMagics.name = …`.

    Raises:
        ValueError: the text is no value for it.
    """
    from traitlets.config import Config

    trait = magics.traits()[name]
    if trait.allow_none and text.lower() == "none":
        text = "None"
    try:
        value = trait._validate(magics, trait.from_string(text))
    except (TraitError, ValueError):
        raise ValueError(f"{name} cannot be {text!r}. {trait.help}") from None
    magics.update_config(Config({"SecGeminiMagics": {name: value}}))
    magics.shell.config.SecGeminiMagics[name] = value  # what `%config` works on


def project_of(magics: SecGeminiMagics) -> Project:
    """The nearest `pyproject.toml` at or above the notebook that has a table `[tool.secgemini]`.

    Whatever is wrong with the file, no cell fails by it: it came with a repository.
    """
    folder = notebook_folder(magics.shell.user_ns)
    for each in _upwards(folder) if folder else ():
        path = each / "pyproject.toml"
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                continue
            table = _table(path, (status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:  # none here, or not for us to read
            continue
        if table is not None:
            return _checked(magics, path, table)
    return Project()


def _upwards(folder: Path) -> Iterator[Path]:
    """Up to the root of the repository, or the home folder."""
    try:
        home = Path.home()
    except RuntimeError:
        home = None
    for each in (folder, *folder.parents):
        yield each
        if each == home or os.path.lexists(each / ".git"):
            return


@lru_cache(maxsize=16)
def _table(path: Path, _version: tuple[int, int, int]) -> dict[str, Any] | str | None:
    """The table of that version of a file; a text says why it cannot be read; None: it has none."""
    # Not blocking: a pipe may have taken its place, and must not hold up a cell.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE:
            return None
        content = file.read(MAX_FILE)
    header = _HEADER.search(content)
    if header is None:
        return None
    following = _NEXT.search(content, header.end())
    text = content[header.end() : following.start() if following else None]
    if len(text) > MAX_TABLE:
        return f"it is longer than {MAX_TABLE} bytes"
    try:
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError):
        return "it is no TOML"


def _checked(magics: SecGeminiMagics, path: Path, table: dict[str, Any] | str) -> Project:
    if isinstance(table, str):
        return Project(path, {}, (_line(path, f"is ignored: {table}."),))
    values, problems = {}, []
    others = [name for name in table if name not in DISPLAY]
    if others:
        named = ", ".join(_short(name) for name in others[:5]) + (", …" if len(others) > 5 else "")
        may = ", ".join(sorted(DISPLAY))
        problems.append(_line(path, f"sets {named}: ignored, a project may set only how things look ({may})."))
    for name in sorted(set(table) & DISPLAY & set(names(magics))):
        try:
            value = magics.traits()[name]._validate(magics, table[name])
        except TraitError:
            problems.append(
                _line(path, f"sets {name} to {_short(repr(table[name]))}: ignored, that is no value for it.")
            )
            continue
        if why := next((why for (one, bad), why in REFUSED.items() if (name, value) == (one, bad)), None):
            problems.append(_line(path, f"sets {name} to {_short(repr(value))}: ignored, {why}."))
        else:
            values[name] = value
    return Project(path, values, tuple(problems))


def _line(path: Path, text: str) -> str:
    return one_line(f"{path}: [tool.secgemini] {text}")


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _tell_once(magics: SecGeminiMagics, project: Project) -> None:
    for problem in project.problems:
        if problem not in magics.told:
            magics.told.add(problem)
            print(problem)
