"""Find messages by what they say."""

from __future__ import annotations

from collections.abc import Sequence

from secgemini_jupyter.indicators.spelling import Plain
from secgemini_jupyter.models import Message, is_text

__all__ = ["positions_with"]


def positions_with(messages: Sequence[Message], text: str) -> list[int]:
    """Positions of the messages whose content or title holds `text`, without regard to case.

    What is shown is defanged, and may be typed as it is shown: `text` is also looked for with its marks undone.
    """
    needles = {text.casefold(), Plain(text).text.casefold()}
    needle, other = needles.pop(), needles.pop() if needles else None
    readable: dict[str | None, bool] = {}
    found = []
    for position, message in enumerate(messages):
        kind, content, title = message.mime_type, message.content, message.title
        if kind not in readable:
            readable[kind] = is_text(kind)
        said = content.casefold() if content and readable[kind] else ""
        if title:
            said = f"{said}\0{title.casefold()}"
        if needle in said or (other is not None and other in said):
            found.append(position)
    return found
