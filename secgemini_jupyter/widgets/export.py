"""Messages as a file that a view offers for saving."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.render.text import one_line, size
from secgemini_jupyter.transcript.jsonl import to_jsonl
from secgemini_jupyter.transcript.keyless import keyless
from secgemini_jupyter.transcript.markdown import to_markdown
from secgemini_jupyter.widgets.sources import Snapshot

__all__ = ["File", "Format", "exported"]

Format = Literal["markdown", "jsonl"]
MAX_CONTENT = 100_000_000
"""Characters of content: a browser takes the file as one piece."""
_KINDS = {"markdown": ("md", "text/markdown"), "jsonl": ("jsonl", "application/jsonl")}


@dataclass(frozen=True)
class File:
    name: str
    mime_type: str
    content: bytes


def exported(
    snapshot: Snapshot, positions: Sequence[int] | None, format_: Format, *, name: str, session_id: str
) -> File:
    """The messages at `positions`, or all.

    Raises:
        InputError: nothing is chosen, or it is more than a browser should take.
    """
    chosen = snapshot if positions is None else snapshot.at(positions)
    if not chosen.messages:
        raise InputError("Nothing is selected. Select messages in the tree, or export all.")
    amount = sum(len(message.content or "") for message in chosen.messages)
    if amount > MAX_CONTENT:
        raise InputError(f"{size(amount)} are too much for a browser: use session.history().secgemini.to_jsonl(path).")
    ending, mime_type = _KINDS[format_]
    if format_ == "jsonl":
        content = to_jsonl(chosen.messages)
    else:
        text = to_markdown(keyless(chosen.turns()), name=keyless(name), session_id=session_id)
        content = text.encode("utf-8", "replace")
    part = "" if positions is None else "-selection"
    return File(f"{_slug(keyless(name))}{part}.{ending}", mime_type, content)


def _slug(name: str) -> str:
    """A file name that every system takes, and that leads nowhere else."""
    return re.sub(r"[^\w.-]+", "-", one_line(name, 60)).strip("-.")[:60] or "session"
