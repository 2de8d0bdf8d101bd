"""Which session a notebook used: kept per notebook, so that it goes on after a restart of its kernel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from secgemini_jupyter.errors import InputError
from secgemini_jupyter.settings import data_dir, notebook_id

__all__ = ["remember", "remembered"]


def _file(namespace: Mapping[str, Any]) -> Path | None:
    notebook = notebook_id(namespace)
    return data_dir() / "notebooks" / f"{notebook}.json" if notebook else None


def remember(namespace: Mapping[str, Any], session_id: str) -> None:
    """Keep the current session's id; nothing where the front end does not tell which notebook it is.

    The id alone is no secret, but the file is the user's.
    """
    path = _file(namespace)
    if path is None:
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"session_id": session_id}), "utf-8")
    draft.replace(path)


def remembered(namespace: Mapping[str, Any]) -> str:
    """Id of the session that this notebook used last.

    Raises:
        InputError: the notebook is not known, or it has no remembered session.
    """
    path = _file(namespace)
    if path is None:
        raise InputError("This front end does not tell which notebook it is. Resume by id: %secgemini sessions.")
    try:
        return str(json.loads(path.read_text("utf-8"))["session_id"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError("This notebook has no remembered session. See: %secgemini sessions.") from None
