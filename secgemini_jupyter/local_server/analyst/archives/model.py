"""What an archive holds, and the limits that reading it keeps to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from secgemini_jupyter.local_server.analyst.text import count
from secgemini_jupyter.local_server.analyst.tool import ToolFailure

MAX_MEMBERS = 20_000
"""Members that are listed; what comes after is counted where that is cheap."""
MAX_MEMBER = 64 * 2**20
"""Bytes that one member may unpack to."""
MAX_RATIO = 500
"""Bytes of content per packed byte, from which on a member of more than `SMALL` bytes is not read."""
SMALL = 2**20
MAX_STREAM = 512 * 2**20
"""Bytes of a compressed tar file that are looked through."""


@dataclass(frozen=True)
class Member:
    """One entry, as the archive declares it: neither name nor size is to be trusted."""

    name: str
    size: int | None = None
    packed: int | None = None
    modified: str | None = None
    type: str = "file"
    """file, folder, link or device"""
    target: str = ""
    """Where a link leads."""
    is_encrypted: bool = False
    method: str = ""
    notes: tuple[str, ...] = ()
    """What is wrong with its headers."""
    start: int = 0
    """Where its header begins."""

    @property
    def ratio(self) -> float | None:
        return self.size / self.packed if self.size and self.packed else None


@dataclass(frozen=True)
class Listing:
    """`format` as in `archive/FORMAT`; `notes` are findings about the archive as a whole."""

    format: str
    members: Sequence[Member]
    total: int
    """How many there are; more than `members` if not all were listed."""
    comment: str = ""
    notes: Sequence[str] = field(default_factory=tuple)
    is_counted: bool = False
    """Whether the members' sizes were counted, since no header declares them."""


def find(members: Sequence[Member], name: str) -> Member:
    """The member with this name; else the only one with it in other case, or with it as its last part.

    Raises:
        ToolFailure: there is none, or several might be meant.
    """
    files = [each for each in members if each.type != "folder"]
    wanted = name.replace("\\", "/").lower()
    plain = [(each.name.replace("\\", "/").lower(), each) for each in files]
    for found in (
        [each for each in files if each.name == name],
        [each for lower, each in plain if lower == wanted],
        [each for lower, each in plain if lower.endswith("/" + wanted)],
    ):
        if len(found) == 1 or (found and found[0].name == name):
            return found[-1]  # of two with one name most programs unpack the last
        if found:
            names = ", ".join(repr(each.name) for each in found[:5])
            raise ToolFailure(f"{count(len(found), 'member')} may be meant by {name!r}: {names}.")
    raise ToolFailure(f"The archive has no member {name!r}.")


def check_ratio(name: str, unpacked: int, packed: int) -> None:
    """
    Raises:
        ToolFailure: so much comes from so little that it is a bomb, whatever else it is.
    """
    if unpacked > MAX_MEMBER:
        raise ToolFailure(f"{name!r} unpacks to more than {MAX_MEMBER // 2**20} MiB, the limit here.")
    if unpacked > SMALL and unpacked > MAX_RATIO * max(packed, 1):
        raise ToolFailure(
            f"{name!r} unpacks {packed:,} bytes to {unpacked:,} or more, over {MAX_RATIO} to 1: it is not read."
        )
