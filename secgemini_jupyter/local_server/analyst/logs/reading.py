"""From an attachment to a log."""

from __future__ import annotations

from collections.abc import Mapping

from secgemini_jupyter.local_server.analyst.logs.formats import FEW, FORMAT_NAMES, MAX_SAMPLE, Log, log_format
from secgemini_jupyter.local_server.analyst.logs.windows import MAGIC
from secgemini_jupyter.local_server.analyst.sniff import SAMPLE, as_text, unpack
from secgemini_jupyter.local_server.analyst.tool import FileOrText, ToolFailure


def open_log(arguments: FileOrText, files: Mapping[str, bytes]) -> Log:
    """The log that the arguments name.

    Raises:
        ToolFailure: it is no text, or no log of a known format.
    """
    content, is_cut = unpack(arguments.content(files))
    if content.startswith(MAGIC):
        return Log(content, "evtx", is_cut=is_cut)
    # The beginning tells; the whole as text would take its bytes once more.
    is_wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    is_long = content.count(b"\n", 0, SAMPLE) < FEW
    text = as_text(content if is_wide else content[: MAX_SAMPLE if is_long else SAMPLE])
    kind = log_format(text) if text is not None else None
    if text is None or kind is None:
        known = ", ".join(FORMAT_NAMES.values())
        raise ToolFailure(f"{arguments.source!r} is no log of a known format ({known}).")
    return Log(text if is_wide else content, kind, is_cut=is_cut)
