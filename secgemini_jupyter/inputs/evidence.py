"""Evidence of a cell, read before anything is created or sent."""

from __future__ import annotations

import difflib
import glob
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.client.files import read_from_disk
from secgemini_jupyter.errors import AttachmentError, InputError, holds_key
from secgemini_jupyter.inputs.interpolation import is_variable
from secgemini_jupyter.inputs.values import as_file
from secgemini_jupyter.protocol.attachments import check_size

if TYPE_CHECKING:
    from secgemini_jupyter.client.sync import InteractiveSession
    from secgemini_jupyter.models import PublicSessionFile

__all__ = ["Evidence", "attach_evidence", "read_evidence"]


_VARIABLE = re.compile(r"\$([^\W\d]\w*)(?:\s+as\s+(\S.*))?")


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


def read_evidence(given: Sequence[str], namespace: Mapping[str, Any], limit: int) -> list[Evidence]:
    """What `-a` names, each of at most `limit` bytes: a path, a glob, or `$variable`, optionally `as NAME`.

    Raises:
        AttachmentError: one cannot be read, is larger, or holds the key.
        InputError: a glob matches nothing, or there is no such variable.
    """
    found: list[Evidence] = []
    for each in given:
        if not each.strip():
            raise InputError("-a was given an empty name. Name a file, a glob or $variable. Nothing was sent.")
        found += [_of_variable(each, namespace, limit)] if each.startswith("$") else _of_path(each, limit)
    for evidence in found:
        if holds_key(evidence.content) or holds_key(evidence.name):
            raise AttachmentError(f"{evidence.name!r} holds the API key. Take it out. Nothing was sent.")
    return found


def _of_path(path: str, limit: int) -> list[Evidence]:
    return [Evidence(*read_from_disk(each, limit)) for each in expanded([path])]


def _of_variable(given: str, namespace: Mapping[str, Any], limit: int) -> Evidence:
    match = _VARIABLE.fullmatch(given)
    if match is None:
        raise InputError(f"{given!r} names no variable: write $name, or '$name as file.csv'. Nothing was sent.")
    name, filename = match[1], match[2]
    if not is_variable(name, namespace):
        # IPython puts its own `open` beside the user's names.
        own = [each for each in namespace if is_variable(each, namespace) and each != "open"]
        near = difflib.get_close_matches(name, own, n=1)
        hint = f" Did you mean ${near[0]}?" if near else ""
        raise InputError(f"There is no variable {name}.{hint} Nothing was sent.")
    value = namespace[name]
    if isinstance(value, os.PathLike):
        own_name, content = read_from_disk(value, limit)
        evidence = Evidence(filename or own_name, content)
    else:
        evidence = Evidence(*as_file(name, value, filename))
    check_size(repr(evidence.name), evidence.size, limit)
    return evidence


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
