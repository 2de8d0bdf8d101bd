"""What the fault proxy can do to a connection, as data. Frames are counted from 1, those of control aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Cut:
    """The socket breaks once so many frames have passed: at 0 as the first one comes, at -1 at once.

    `how`: a close code, "abort" (RST), "inside" (RST in the middle of the next frame).
    """

    after: int
    how: int | Literal["abort", "inside"] = "abort"


@dataclass(frozen=True)
class LosePrompt:
    """The connection breaks as the client's first frame arrives, which goes nowhere."""


@dataclass(frozen=True)
class Answer:
    """The upgrade is answered with this instead of being passed on; nothing at all if it is empty."""

    raw: bytes


@dataclass(frozen=True)
class Blackhole:
    """After so many frames nothing passes any more, either way; the connection stays."""

    after: int


@dataclass(frozen=True)
class Repeat:
    """Frames that come so often more: all, or those numbers."""

    times: int = 1
    at: tuple[int, ...] = ()


@dataclass(frozen=True)
class Swap:
    """This frame comes after the one behind it."""

    at: int


@dataclass(frozen=True)
class Swallow:
    """The END, or the frame of that number, does not come."""

    at: int = 0


@dataclass(frozen=True)
class Insert:
    """A frame that the service did not send comes before the one of that number."""

    before: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True)
class Damage:
    """The frame of that number arrives cut: this many bytes of it, followed by `tail`."""

    at: int
    keep: int = 0
    tail: bytes = b""


@dataclass(frozen=True)
class Replay:
    """What a service sends to a socket that comes back: the whole turn again, or only what is made from then on.

    "before": to the first socket of a turn it sends the turn before that.

    The local service itself sends what no socket was given yet.
    """

    what: Literal["turn", "nothing", "before"]


@dataclass(frozen=True)
class Outage:
    """The server ends once so many frames have passed, and starts again on the same port and data."""

    after: int
    how: Literal["kill", "end"]


SocketAct = (
    Cut | LosePrompt | Answer | Blackhole | Repeat | Swap | Swallow | Insert | Damage | Replay | Outage
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """How bytes travel, on every connection and both ways."""

    late: float = 0.0
    """Seconds."""
    slices: int = 0
    """Bytes per packet; 0: as they come."""


@dataclass(frozen=True)
class CutReply:
    """The reply to requests of that path breaks (RST) after so many bytes, so often; the server got the request."""

    path: str
    after: int = 0
    times: int = 1


@dataclass(frozen=True)
class HideEnd:
    """Replies with the session lack the END of its last turn, as if it was never stored."""


@dataclass(frozen=True)
class Plan:
    """What the proxy does in one turn: `sockets[n]` to its n-th connection, `rest` to those that follow."""

    sockets: tuple[tuple[SocketAct, ...], ...] = ()
    rest: tuple[SocketAct, ...] = ()
    http: tuple[CutReply | HideEnd, ...] = ()
    line: Line = Line()
    from_the_start: bool = False
    """Whether it acts while the session is made, too."""

    def acts(self, number: int) -> tuple[SocketAct, ...]:
        return self.sockets[number] if number < len(self.sockets) else self.rest


REASONS: Mapping[int, str] = {401: "Unauthorized", 429: "Too Many Requests", 503: "Service Unavailable"}


def refusal(status: int, body: bytes = b'{"detail": "refused by the test"}', **headers: str) -> Answer:
    """An upgrade that is refused; `retry_after="1"` becomes a header."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'OK')}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return Answer("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
