"""Evidence of a cell, read before anything is created or sent."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from secgemini_jupyter.client.files import read_from_disk
from secgemini_jupyter.errors import InputError

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.models import PublicSessionFile

__all__ = ["Evidence", "attach_evidence", "read_evidence"]


@dataclass(frozen=True)
class Evidence:
    """A file to attach: its name at the service, and every byte of it."""

    name: str
    content: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def read_evidence(paths: Sequence[str], limit: int) -> list[Evidence]:
    """Files by path or glob, each of at most `limit` bytes.

    Raises:
        AttachmentError: one cannot be read, or is larger.
        InputError: a glob matches nothing.
    """
    return [Evidence(*read_from_disk(path, limit)) for path in expanded(paths)]


def attach_evidence(session: InteractiveSession, evidence: Sequence[Evidence]) -> list[PublicSessionFile]:
    """Attach files; one that is attached already, same name and content, is not sent again."""
    attached = []
    for each in evidence:
        known = [file for file in session.files if (file.name, file.sha256) == (each.name, each.sha256)]
        attached.append(known[0] if known else session.attach_file(each.name, each.content))
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
