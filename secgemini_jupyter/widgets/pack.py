"""A session's nodes as bytes for the browser: `js/src/visualize/model.ts` says how they lie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from secgemini_jupyter.transcript.nodes import Nodes

if TYPE_CHECKING:
    import numpy as np

__all__ = ["pack"]

# Name of the column, and the numpy type of its array; what does not fit stays at the type's end.
COLUMNS = {
    "message": "i4", "size": "i4", "depth": "u2", "kind": "u1", "flags": "u1", "actor": "u2", "type": "u1",
    "state": "u1", "role": "u1", "status": "i2", "time": "f8", "duration": "f4", "tokens": "u4",
}  # fmt: skip


def pack(nodes: Nodes, *, seq: int, start: int = 0) -> bytes:
    """The nodes from `start` on; `seq` is the number of the last event that they know."""
    import numpy as np

    arrays: dict[str, np.ndarray[Any, Any]] = {
        name: _array(getattr(nodes, name)[start:], kind) for name, kind in COLUMNS.items()
    }
    texts = [label.encode() for label in nodes.label[start:]]
    arrays["label"] = np.cumsum([0, *map(len, texts)], dtype=np.int64).astype("<u4")
    arrays["text"] = np.frombuffer(b"".join(texts), dtype="u1")
    columns: list[list[Any]] = []
    header: dict[str, Any] = {
        "seq": seq,
        "start": start,
        "nodes": len(nodes) - start,
        "messages": len(nodes.messages),
        "names": {
            "actor": nodes.actors.words,
            "type": nodes.types.words,
            "state": nodes.states.words,
            "role": nodes.roles.words,
        },
        "columns": columns,
    }
    # Offsets are part of the header, and its length moves them: they are written with room to spare.
    room = len(json.dumps(header)) + 48 * len(arrays)
    position = _aligned(4 + room)
    for name, array in arrays.items():
        columns.append([name, _browser_name(array), position, len(array)])
        position = _aligned(position + array.nbytes)
    written = json.dumps(header).encode().ljust(room)
    packed = bytearray(position)
    packed[:4] = room.to_bytes(4, "little")
    packed[4 : 4 + room] = written
    for (_, _, offset, _), array in zip(columns, arrays.values(), strict=True):
        packed[offset : offset + array.nbytes] = array.tobytes()
    return bytes(packed)


def _array(values: list[int] | list[float], kind: str) -> np.ndarray[Any, Any]:
    import numpy as np

    if kind.startswith("f"):
        with np.errstate(over="ignore"):
            return np.array(values, dtype=f"<{kind}")
    limits = np.iinfo(kind)
    try:
        return np.array(values, dtype=np.int64).clip(limits.min, limits.max).astype(f"<{kind}")
    except OverflowError:  # a number from the wire that no machine word holds
        return np.array([min(max(value, limits.min), limits.max) for value in values], dtype=f"<{kind}")


def _aligned(offset: int) -> int:
    return -(-offset // 8) * 8


def _browser_name(array: np.ndarray[Any, Any]) -> str:
    """`u2` is `u16` there."""
    return f"{array.dtype.kind}{8 * array.dtype.itemsize}"
