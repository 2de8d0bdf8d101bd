"""Subcommands for what holds in all cells of this kernel."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.magics import preferences
from secgemini_jupyter.magics.commands import account
from secgemini_jupyter.magics.commands.base import Command
from secgemini_jupyter.magics.options import arg

if TYPE_CHECKING:
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]


def config(magics: SecGeminiMagics, options: Namespace) -> Any:
    if options.dotenv:
        return account.use_dotenv(magics, options.dotenv)
    import pandas as pd

    rows = []
    for name in preferences.names(magics):
        preference = preferences.preference(magics, name)
        rows.append(
            {
                "name": name,
                "value": one_line(str(preference.value)),
                "source": one_line(preference.source),
                "meaning": magics.traits()[name].help,
            }
        )
    return pd.DataFrame(rows, columns=["name", "value", "source", "meaning"]).set_index("name")


COMMANDS = (
    Command(
        "config",
        "what holds where a cell does not say, and who said so",
        config,
        [
            arg(
                "--dotenv",
                metavar="PATH",
                help="log in with SEC_GEMINI_API_KEY of this .env file alone",
            )
        ],
    ),
)
