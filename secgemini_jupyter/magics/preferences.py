"""What a cell does when it does not say: `%config`, the project's file, the default; and where each value came from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from secgemini_jupyter.errors import SettingsError, one_line
from secgemini_jupyter.settings import notebook_path

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["DISPLAY", "Preference", "names", "preference"]

DISPLAY = frozenset({"feedback", "short_errors"})
"""What a project's `[tool.secgemini]` may set: a cloned repository must not change what is sent, retained, approved."""
MAX_FILE = 1_000_000


@dataclass(frozen=True)
class Preference:
    """A value, and who gave it: `%config`, the profile's file, a project's file, or nobody."""

    value: Any
    source: str


def names(magics: SecGeminiMagics) -> list[str]:
    return sorted(magics.trait_names(config=True))


def preference(magics: SecGeminiMagics, name: str) -> Preference:
    """`%config` and the profile of IPython go before the project's file, that before the default.

    Raises:
        SettingsError: the project's file sets what it may not, or to what makes no sense.
    """
    value = getattr(magics, name)
    section = magics.config.get("SecGeminiMagics", {})
    if name in section:
        is_profile = magics.profile_values.get(name, ...) == section[name]
        return Preference(value, "the IPython profile" if is_profile else "%config")
    if value != magics.traits()[name].default():  # set as an attribute
        return Preference(value, "%config")
    path, table = project_table(magics.shell.user_ns)
    if name in table:
        return Preference(_checked(magics, name, table[name], path), str(path))
    return Preference(value, "default")


def project_table(namespace: Mapping[str, Any]) -> tuple[Path | None, dict[str, Any]]:
    """`[tool.secgemini]` of the nearest `pyproject.toml` that has one, at or above the notebook.

    Raises:
        SettingsError: it cannot be read, or sets more than how things look.
    """
    notebook = notebook_path(namespace)
    folder = notebook.parent if notebook else Path.cwd()
    for each in (folder, *folder.parents):
        path = each / "pyproject.toml"
        table = _table(path)
        if table is not None:
            _refuse_others(path, table)
            return path, table
    return None, {}


def _table(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE:
                return None
            table = tomllib.load(file).get("tool", {}).get("secgemini")
    except (OSError, AttributeError, ValueError):  # none here; not ours to complain about a file that is no TOML
        return None
    return table if isinstance(table, dict) else None


def _refuse_others(path: Path, table: Mapping[str, Any]) -> None:
    others = sorted(set(table) - DISPLAY)
    if others:
        raise SettingsError(
            one_line(
                f"{path}: [tool.secgemini] sets {', '.join(others)}, but a project may set only how things look: "
                f"{', '.join(sorted(DISPLAY))}. Use %config SecGeminiMagics for the rest."
            )
        )


def _checked(magics: SecGeminiMagics, name: str, value: Any, path: Path | None) -> Any:
    trait = magics.traits()[name]
    try:
        return trait._validate(magics, value)
    except TraitError:
        raise SettingsError(one_line(f"{path}: {name} is {value!r}. {trait.help}")) from None
