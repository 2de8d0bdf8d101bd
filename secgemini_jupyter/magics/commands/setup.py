"""Subcommands for what holds in all cells of this kernel."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from secgemini_jupyter.errors import one_line, redact
from secgemini_jupyter.magics import cell, preferences
from secgemini_jupyter.magics.commands import account
from secgemini_jupyter.magics.commands.base import Command, Line
from secgemini_jupyter.magics.options import arg, choose, options_of

if TYPE_CHECKING:
    import pandas as pd

    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]


def config(magics: SecGeminiMagics, options: Namespace) -> Any:
    if options.dotenv:
        return account.use_dotenv(magics, options.dotenv)
    if options.name is None:
        return listing(magics)
    name = choose("setting", options.name.removeprefix("SecGeminiMagics."), preferences.names(magics))
    if options.value is not None:
        try:
            preferences.set_preference(magics, name, options.value)
        except ValueError as error:
            raise UsageError(one_line(redact(f"%secgemini config: {error}"))) from None
    preference = preferences.preference(magics, name)
    return Line(one_line(f"{name} = {preference.value} ({preference.source}). {magics.traits()[name].help}"))


def listing(magics: SecGeminiMagics) -> pd.DataFrame:
    """A row a setting: what holds, who said so, and the option of a cell that goes before it."""
    import pandas as pd

    for problem in preferences.project_of(magics).problems:
        magics.told.add(problem)
        print(problem)
    options = {action.dest: name for name, action in reversed(options_of(cell.parser()).items()) if name[:2] == "--"}
    rows = []
    for name in preferences.names(magics):
        preference = preferences.preference(magics, name)
        rows.append(
            {
                "name": name,
                "value": one_line(str(preference.value)),
                "source": one_line(preference.source),
                "option": options.get(name, ""),
                "project": name in preferences.DISPLAY,
                "meaning": magics.traits()[name].help,
            }
        )
    table = pd.DataFrame(rows, columns=["name", "value", "source", "option", "project", "meaning"]).set_index("name")
    return _whole()(table)


@cache
def _whole() -> type[pd.DataFrame]:
    import pandas as pd

    class Whole(pd.DataFrame):
        """A small table that is shown whole: its meanings are what it is looked at for."""

        def _repr_html_(self) -> str:
            with pd.option_context("display.max_colwidth", None, "display.max_rows", None):
                return str(super()._repr_html_())  # type: ignore[misc]

        def __repr__(self) -> str:
            wrapped = []
            for name, row in zip(self.index, self.to_dict("records"), strict=True):
                said = [f"{key}: {row[key]}" for key in self.columns if row[key] and key != "meaning"]
                wrapped.append(textwrap.fill(f"{name}  {' · '.join(said)}", 80, subsequent_indent="    "))
                wrapped.append(
                    textwrap.fill(row.get("meaning", ""), 80, initial_indent="    ", subsequent_indent="    ")
                )
            return "\n".join(wrapped)

        @property
        def _constructor(self) -> Callable[..., pd.DataFrame]:
            return pd.DataFrame  # what is taken out of it is an ordinary table

    return Whole


def doctor(magics: SecGeminiMagics, options: Namespace) -> Any:
    from secgemini_jupyter.magics.doctor import examine

    return examine(magics, contact=options.network)


COMMANDS = (
    Command(
        "config",
        "what holds where a cell does not say, and who said so; one setting, and its new value",
        config,
        [
            arg("name", nargs="?", help="one setting"),
            arg("value", nargs="?", help="its new value, as %%config SecGeminiMagics.NAME would set it"),
            arg(
                "--dotenv",
                metavar="PATH",
                help="log in with SEC_GEMINI_API_KEY of this .env file alone",
            ),
        ],
        more="A cell's option goes before %config, that before the IPython profile, that before [tool.secgemini] of a "
        "project's pyproject.toml (for what has `project` true alone), that before the default.",
    ),
    Command(
        "doctor",
        "what may keep answers from coming, and what to do about it",
        doctor,
        [arg("--network", action="store_true", help="also try the service where no key is found")],
    ),
)
