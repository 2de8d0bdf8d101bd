"""The activity log: what this machine did in a session, one JSON object a line, each with the hash of the one before.

The file is `activity/session-ID.jsonl` in `secgemini-jupyter/` of Jupyter's data folder (0600, the folder 0700).
Prompts and answers are in it as SHA-256 alone, by which a short one can be guessed; names of attachments and sessions
are in clear. Sessions without retention have none, and `SECGEMINI_ACTIVITY_LOG=off` or
`Settings(activity_log=False)` switches it off.

The chain shows an entry that was edited, removed or put elsewhere. **It does not stop the file's owner**, who can cut
the end off or write all of it anew with hashes that fit: only a `head` that is kept elsewhere (a ticket, a mail,
paper) shows that, by `verify(head=…)`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.activity.writing import path_of

if TYPE_CHECKING:
    from secgemini_jupyter.activity.log import head, read, verify
    from secgemini_jupyter.activity.verification import Finding, Verification

__all__ = ["Finding", "Verification", "head", "path_of", "read", "verify"]

_HOME_OF = dict.fromkeys(("head", "read", "verify"), "log") | dict.fromkeys(("Finding", "Verification"), "verification")


def __getattr__(name: str) -> Any:
    """Who writes the log needs nothing that checks it: that loads when it is used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
