"""How an answer is shown: what a cell's options say, else the preferences."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from secgemini_jupyter.magics.choices import SHOWS
from secgemini_jupyter.magics.formats import Form
from secgemini_jupyter.magics.options import arg

if TYPE_CHECKING:
    from argparse import Namespace

    from IPython.core.interactiveshell import InteractiveShell

    from secgemini_jupyter.magics import SecGeminiMagics
    from secgemini_jupyter.render.terminal import Restore

__all__ = ["LOOKS", "Look", "look_for"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """How an answer is shown. What is sent, and what Python code gets, does not depend on it.

    Attributes:
        quiet: show nothing.
        restore: puts values back for placeholders, in a terminal alone: a notebook saves what it shows.
        show: thinking and tool calls: left out, collapsed and capped, or collapsed with their whole text.
        defang: show indicators so that they cannot be clicked.
        form: the format in which it is shown.
        hint: what stands last in the footer of a good answer.
    """

    quiet: bool = False
    restore: Callable[[], Restore] | None = None
    show: Literal["none", "summary", "full"] = "summary"
    defang: bool = True
    hint: str = ""
    form: Form = field(default_factory=Form)


LOOKS = (
    arg("--show", choices=SHOWS, help="thinking and tool calls: left out, in short, or with their whole text"),
    arg(
        "--defang",
        action=BooleanOptionalAction,
        help="show an answer's indicators (addresses, URLs, hashes) so that no click reaches them; a link whose words "
        "name no target stays one, with its host behind it; data is exact",
    ),
)
"""Options of a cell, and none that changes more than its look."""


def look_for(magics: SecGeminiMagics, options: Namespace | None = None) -> Look:
    """What a cell's options say about its look; what they leave open, the preferences say."""

    def chosen(name: str) -> Any:
        given = getattr(options, name, None)
        return magics.preference(name) if given is None else given

    form = chosen("format")
    if options is None and form != "text":
        form = "md"  # what is only listened to, or shown again, gives an Answer
    from secgemini_jupyter.render.text import FEEDBACK_HINT

    hints = is_attended(magics.shell) and not magics.preference("feedback")  # its strip needs no words
    return Look(
        quiet=bool(getattr(options, "quiet", False)),
        show=chosen("show"),
        defang=chosen("defang"),
        hint=FEEDBACK_HINT if hints else "",
        form=Form(form),
    )


def is_attended(shell: InteractiveShell) -> bool:
    """Whether somebody reads now: not under nbclient, papermill and `nbconvert --execute`, which take no input."""
    return bool(getattr(getattr(shell, "kernel", None), "_allow_stdin", True))
