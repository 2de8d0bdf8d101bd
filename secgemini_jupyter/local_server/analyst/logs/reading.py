"""From an attachment to a log."""

from __future__ import annotations

from collections.abc import Mapping

from secgemini_jupyter.local_server.analyst.logs.formats import FORMAT_NAMES, Log, log_format
from secgemini_jupyter.local_server.analyst.sniff import as_text, unpack
from secgemini_jupyter.local_server.analyst.tool import FileOrText, ToolFailure


def open_log(arguments: FileOrText, files: Mapping[str, bytes]) -> Log:
    """The log that the arguments name.

    Raises:
        ToolFailure: it is no text, or no log of a known format.
    """
    content, is_cut = unpack(arguments.content(files))
    text = as_text(content)
    kind = log_format(text) if text is not None else None
    if text is None or kind is None:
        known = ", ".join(FORMAT_NAMES.values())
        raise ToolFailure(f"{arguments.source!r} is no log of a known format ({known}).")
    return Log(text, kind, is_cut=is_cut)
