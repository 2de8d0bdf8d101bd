"""Find messages by what they say."""

from __future__ import annotations

from collections.abc import Sequence

from secgemini_jupyter.indicators.spelling import Plain
from secgemini_jupyter.models import Message, is_text

__all__ = ["positions_with", "spellings"]


def spellings(text: str) -> list[str]:
    """`text` as it is, and with its defanging marks undone: what is shown is defanged, and is typed as it is shown."""
    return list(dict.fromkeys((text, Plain(text).text)))


def positions_with(messages: Sequence[Message], text: str) -> list[int]:
    """Positions of the messages whose content or title holds `text`, in any of its `spellings`, whatever the case."""
    needle, *others = (each.casefold() for each in spellings(text))
    other = others[0] if others else None
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
