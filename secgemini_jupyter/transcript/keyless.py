"""Texts without keys: a document is made to be handed over, and a prompt or an answer may quote the key."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from secgemini_jupyter.errors import holds_key, without_keys
from secgemini_jupyter.models import Message

__all__ = ["keyless"]

T = TypeVar("T")
_TEXTS = (
    "id",
    "parent_id",
    "turn",
    "group",
    "actor",
    "icon",
    "text_color",
    "title",
    "content",
    "mime_type",
    "status_message",
)


def keyless(value: T) -> T:
    """`value` without any `Secret` of this process in its texts; itself, if there is none.

    Done before a document is written: escaping and defanging would spell a key in another way. Of a transcript,
    a report, turns, messages, files; not in a table, nor in what `Message.unknown` keeps, which no document shows.
    """
    changed: Any
    if isinstance(value, str):
        changed = without_keys(value) if type(value) is str else value
        return value if changed == value else changed
    if isinstance(value, Message) and not holds_key("\0".join(filter(None, map(value.__getattribute__, _TEXTS)))):
        return value  # most do not, and are many
    if isinstance(value, msgspec.Struct):
        changed = _changed(value, value.__struct_fields__)
        return msgspec.structs.replace(value, **changed) if changed else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = _changed(value, (field.name for field in dataclasses.fields(value)))
        return dataclasses.replace(value, **changed) if changed else value
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        parts = [keyless(each) for each in value]
        return value if all(new is old for new, old in zip(parts, value, strict=True)) else parts  # type: ignore[return-value]
    return value


def _changed(value: object, names: Iterable[str]) -> dict[str, Any]:
    old = {name: getattr(value, name) for name in names}
    new = {name: keyless(each) for name, each in old.items()}
    return {name: each for name, each in new.items() if each is not old[name]}
