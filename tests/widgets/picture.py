"""What the picture's tests share: a session without a service, and the pack read as the browser reads it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from secgemini_jupyter.models import Message


@dataclass
class Session:
    """A session whose messages the test puts there."""

    stored: Sequence[Message] = ()
    id: str = "3f9c1f0e"
    name: str = "triage"
    is_running: bool = False
    watchers: list[Callable[[], None]] = field(default_factory=list)
    error: Exception | None = None
    refreshed: int = 0
    asked: int = 0

    @property
    def messages(self) -> Sequence[Message]:
        self.asked += 1
        if self.error:
            raise self.error
        return list(self.stored)

    def known_messages(self) -> Sequence[Message] | None:
        return None if self.error else list(self.stored)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    def refresh(self) -> None:
        if self.error:
            raise self.error
        self.refreshed += 1
        self.tell()

    def tell(self) -> None:
        for changed in list(self.watchers):
            changed()


def unpacked(data: bytes | memoryview) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header, and the columns by name; `label` as texts."""
    data = bytes(data)
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    kinds = {"u8": "u1", "u16": "<u2", "i16": "<i2", "i32": "<i4", "u32": "<u4", "f32": "<f4", "f64": "<f8"}
    columns: dict[str, Any] = {}
    for name, kind, offset, count in header["columns"]:
        assert offset % 8 == 0
        columns[name] = np.frombuffer(data, kinds[kind], count, offset)
    text = columns.pop("text").tobytes()
    ends = columns["label"].tolist()
    columns["label"] = [text[start:stop].decode() for start, stop in itertools.pairwise(ends)]
    return header, columns
