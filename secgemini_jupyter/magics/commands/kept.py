"""Subcommands for the answers that `--cache` keeps."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.magics.caching import cache_of
from secgemini_jupyter.magics.commands.base import Command, Line
from secgemini_jupyter.magics.options import arg, choose

if TYPE_CHECKING:
    from secgemini_jupyter.kernel.cache import AnswerCache
    from secgemini_jupyter.magics import SecGeminiMagics

__all__ = ["COMMANDS"]


def cache(magics: SecGeminiMagics, options: Namespace) -> Any:
    found = cache_of(magics)
    if choose("action", options.action, ["list", "clear"]) == "list":
        return listed(found)
    if not options.yes:
        raise UsageError(
            one_line(
                f"%secgemini cache clear would remove {len(list(found.listed()))} answers from {str(found.folder)!r}, "
                "for good. Add --yes to do it."
            )
        )
    from secgemini_jupyter.render.text import count, size

    number, bytes_ = found.clear()
    return Line(one_line(f"Removed {count(number, 'answer')} ({size(bytes_)}) from {str(found.folder)!r}."))


def listed(found: AnswerCache) -> Any:
    import pandas as pd

    rows = [
        {
            "recorded_at": pd.Timestamp(each.recorded.recorded_at, unit="s", tz="UTC").floor("s"),
            "prompt": one_line(each.asked.prompt[:200]),
            "model": one_line(each.recorded.model_name),
            "host": one_line(each.recorded.host),
            "session": one_line(each.recorded.session_name),
            "turn": each.recorded.turn_index,
            "files": len(each.asked.files),
            "messages": each.messages,
            "bytes": each.bytes,
            "key": each.asked.key[:12],
        }
        for each in found.listed()
    ]
    names = ["recorded_at", "prompt", "model", "host", "session", "turn", "files", "messages", "bytes", "key"]
    return pd.DataFrame(rows, columns=names)


COMMANDS = (
    Command(
        "cache",
        "the answers that --cache keeps, as a DataFrame; clear removes them",
        cache,
        [
            arg("action", nargs="?", default="list", metavar="list|clear"),
            arg("--yes", action="store_true", help="really"),
        ],
    ),
)
