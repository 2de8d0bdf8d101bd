"""`{{name}}` in a prompt: one pass, names alone. What is put in is data, and is never looked at again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Interpolated", "interpolated"]

_BRACES = re.compile(r"\{\{([^\W\d]\w*)\}\}")
_SPACED = re.compile(r"\{\{[ \t]+([^\W\d]\w*)[ \t]*\}\}|\{\{([^\W\d]\w*)[ \t]+\}\}")
_OTHER = re.compile(r"\{\{([^{}\n]{1,200})\}\}")
NOT_THE_USER_S = frozenset({"In", "Out", "get_ipython", "exit", "quit", "_ih", "_oh", "_dh", "_i", "_ii", "_iii"})
"""What IPython puts beside the user's names; `_` and `_5`, results of cells, may go in."""


@dataclass(frozen=True)
class Interpolated:
    """A prompt with its variables put in.

    Attributes:
        text: what will be sent.
        sizes: name and size in bytes of each variable in it, in order of appearance.
        warnings: one line each, for what stayed as it was and may have been meant otherwise.
    """

    text: str
    sizes: list[tuple[str, int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def interpolated(prompt: str, namespace: Mapping[str, Any], written: Callable[[str, Any], str]) -> Interpolated:
    """Put variables into a prompt, in one pass: a value is never scanned again, whatever it holds.

    Only `{{identifier}}` of a name in `namespace` means something; single braces are literal.

    Args:
        written: a name and its value as text; one of several lines gets lines of its own. It may refuse by raising.
    """
    pieces: list[str] = []
    first: dict[str, str] = {}
    unknown: dict[str, None] = {}
    position = 0
    for match in _BRACES.finditer(prompt):
        name = match[1]
        if not is_variable(name, namespace):
            unknown[name] = None
            continue
        pieces.append(prompt[position : match.start()])
        position = match.end()
        if name in first:
            pieces.append(f"`{name}`" if "\n" in first[name] else first[name])  # its lines stand above
            continue
        first[name] = text = written(name, namespace[name])
        if "\n" in text:  # a fence begins and ends a line
            before = "".join(pieces[-2:])
            text = ("" if not before or before.endswith("\n") else "\n") + text
            text += "" if prompt[position : position + 1] in ("", "\n") else "\n"
        pieces.append(text)
    pieces.append(prompt[position:])
    spaced = {name for match in _SPACED.finditer(prompt) if is_variable(name := match[1] or match[2], namespace)}
    others = dict.fromkeys(
        text
        for match in _OTHER.finditer(prompt)
        if (text := match[1]).strip() and text.strip() not in spaced and not _BRACES.fullmatch(match[0])
    )
    return Interpolated(
        "".join(pieces),
        [(name, len(text.encode("utf-8", "surrogatepass"))) for name, text in first.items()],
        [f"{{{{{name}}}}} stays as it is: there is no variable {name}." for name in list(unknown)[:5]]
        + ([f"{len(unknown) - 5} more names in double braces stay as they are."] if len(unknown) > 5 else [])
        + [f"{{{{ {name} }}}} stays as it is: write {{{{{name}}}}}, without blanks." for name in sorted(spaced)[:5]]
        + [
            f"{{{{{shorter(text)}}}}} stays as it is: only a variable's name is replaced, like {{{{x}}}}."
            for text in list(others)[:5]
        ]
        + ([f"{len(others) - 5} more texts in double braces stay as they are."] if len(others) > 5 else []),
    )


def shorter(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def is_variable(name: str, namespace: Mapping[str, Any]) -> bool:
    is_python_s = len(name) > 4 and name.startswith("__") and name.endswith("__")
    return name in namespace and name not in NOT_THE_USER_S and not is_python_s
