"""The faults: what the proxy does, and what must come of it. A row of the table in `tests/README.md` each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.acts import (
    Answer,
    Blackhole,
    Cut,
    CutReply,
    Damage,
    HideEnd,
    Insert,
    Line,
    LosePrompt,
    Outage,
    Plan,
    Repeat,
    Replay,
    SocketAct,
    Swallow,
    Swap,
    refusal,
)

AS_STORED = "as stored"
"""The caller gets exactly what the service stored for the turn, in order, none twice; a local tool ran once."""

PLAIN = "[[messages=3 bytes=20]] [[delay=0.004]] the answer"
FRAMES = 7
"""Of a turn with that prompt: two of info, three thoughts, the result, END."""
TOOL = "[[delay=0.004]] [[call once {}]]"
TOOL_FRAMES = 6
SLOW = "[[messages=4 bytes=20]] [[delay=0.15]] the answer"

NOT_SENT = r"Session '.+': the prompt was not sent\."
GOES_ON = (
    r"Session '.+', turn \d+: \d+ messages? arrived\. The turn goes on at the service: {reconnect} listens again\."
)
OVER = r"Session '.+', turn \d+: \d+ messages arrived\."


@dataclass(frozen=True)
class Fault:
    """A row.

    Attributes:
        plans: each is a turn of its own.
        error: the class of the error that must come, or none; then `words` stand in it.
        prompt: what is asked in each of these turns.
        settings: of our client, with times that are short enough for a test.
        pauses: the part of the longest pause between attempts that is really waited.
        whole: asked with `query()`, which gives the messages when all are there; else with `stream()`.
        slow: no part of `make test`.
        sockets: how many connections the turn must take, where that is the point.
    """

    name: str
    title: str
    plans: tuple[Plan, ...]
    error: str = ""
    words: str = ""
    prompt: str = PLAIN
    settings: dict[str, Any] = field(default_factory=dict)
    pauses: float = 0.0
    whole: bool = False
    slow: bool = False
    sockets: int | None = None
    before: str = ""
    """A prompt that is asked and answered before, without a fault."""
    cell: bool = False
    """Whether a cell of `make test` meets it as well; in `make slow` all of them do, `stream()` aside."""

    @property
    def in_cells(self) -> bool:
        """Whether a cell can meet it: it takes the messages when all are there."""
        return self.name != "swapped"

    @property
    def result(self) -> str:
        """What the table says of our client."""
        if not self.error:
            return AS_STORED
        if self.words == NOT_SENT:
            return f"`{self.error}`: not sent"
        step = ", goes on with `resume_turn()`" if self.words == GOES_ON else ""
        return f"`{self.error}` with all that arrived{step}"


WHOLE, AFRESH = Replay("turn"), Replay("nothing")
REPLAYS: tuple[tuple[SocketAct, ...], ...] = ((), (WHOLE,), (AFRESH,))


def once(*acts: SocketAct) -> Plan:
    """The turn's first connection suffers, those that follow do not."""
    return Plan(sockets=(acts,))


def always(*acts: SocketAct) -> Plan:
    return Plan(rest=acts)


def cuts(how: Any, positions: Iterable[int]) -> tuple[Plan, ...]:
    """After each of these frames, for each way in which a service may replay."""
    return tuple(Plan(((Cut(k, how),),), rest=replay) for k in positions for replay in REPLAYS)


def cuts_in_turn(how: Any, count: int = FRAMES) -> tuple[Plan, ...]:
    """After each frame; the ways to replay take turns."""
    return tuple(Plan(((Cut(k, how),),), rest=REPLAYS[k % 3]) for k in range(count))


def piece(size: int) -> bytes:
    """A frame of so many bytes that may come or not: a piece, which nobody asked for."""
    fields = {"id": "piece", "message_type": "result", "state": "answering", "role": "agent", "status_code": 206}
    return json.dumps(fields | {"content": "x" * size}).encode()


HTML = b"<html><body>Please log in</body></html>"
QUICK_PINGS = {"ping_interval": 0.1, "ping_timeout": 0.1}
MIB = 2**20

FAULTS = (
    Fault("reset", "connection reset after every frame", cuts("abort", range(FRAMES))),
    Fault("reset-inside", "connection reset within every frame", cuts_in_turn("inside")),
    Fault("close-1000", "socket closed with 1000 after every frame, before END", cuts_in_turn(1000)),
    Fault("close-1001", "socket closed with 1001 after every frame", cuts_in_turn(1001)),
    Fault("close-1011", "socket closed with 1011 after every frame", cuts_in_turn(1011)),
    Fault(
        "reset-tool",
        "connection reset after every frame of a turn with a local tool",
        cuts_in_turn("abort", TOOL_FRAMES),
        prompt=TOOL,
        cell=True,
    ),
    Fault(
        "turn-before",
        "the socket of a prompt begins with the turn before it",
        (once(Replay("before")),),
        before="what was asked before",
    ),
    Fault(
        "several",
        "several cuts in one turn",
        (
            Plan(((Cut(2),), (Cut(1, 1011),), (Cut(0),), (Cut(1, "inside"),))),
            Plan(((Cut(2),), (WHOLE, Cut(3)), (WHOLE, Cut(5))), rest=(WHOLE,)),
            Plan(
                ((Cut(2),), (Replay("nothing"), Cut(1)), (Replay("nothing"), Cut(1, 1000))), rest=(Replay("nothing"),)
            ),
        ),
        cell=True,
    ),
    Fault(
        "one-by-one",
        "connection reset after each frame, again and again",
        (always(Cut(1)), always(AFRESH, Cut(1)), always(WHOLE, Cut(1))),
    ),
    Fault(
        "no-progress",
        "connection reset as soon as it stands, again and again",
        (Plan(((Cut(2),),), rest=(Cut(-1),)),),
        error="NetworkError",
        words=GOES_ON,
        prompt="[[messages=4 bytes=20]] [[delay=1]] the answer",
    ),
    Fault(
        "prompt-lost",
        "prompt lost with the connection, once and three times",
        (once(LosePrompt()), Plan(((LosePrompt(),), (LosePrompt(),), (LosePrompt(),)))),
        cell=True,
    ),
    Fault(
        "429",
        "upgrade refused: 429",
        (once(refusal(429)), Plan(((Cut(2),), (refusal(429),)))),
        cell=True,
    ),
    Fault(
        "429-retry-after",
        "upgrade refused: 429 with Retry-After",
        (once(refusal(429, Retry_After="0.1")), Plan(((Cut(2),), (refusal(429, Retry_After="0.1"),)))),
    ),
    Fault(
        "429-long",
        "upgrade refused: 429, Retry-After an hour",
        (always(refusal(429, Retry_After="3600")),),
        error="QuotaError",
        words=NOT_SENT,
    ),
    Fault("503", "upgrade refused: 503, then accepted", (once(refusal(503)), Plan(((Cut(2),), (refusal(503, HTML),))))),
    Fault("503-always", "upgrade refused: 503, always", (always(refusal(503)),), error="ServiceError", words=NOT_SENT),
    Fault(
        "503-after-cut",
        "cut, then 503 for good",
        (Plan(((Cut(2),),), rest=(refusal(503, HTML),)),),
        error="NetworkError",
        words=GOES_ON,
        cell=True,
    ),
    Fault(
        "401", "upgrade refused: 401", (always(refusal(401)),), error="AuthenticationError", words=NOT_SENT, cell=True
    ),
    Fault(
        "401-after-cut",
        "cut, then 401",
        (Plan(((Cut(2),),), rest=(refusal(401),)),),
        error="AuthenticationError",
        words=GOES_ON,
    ),
    Fault(
        "page", "upgrade answered with a web page", (always(refusal(200, HTML)),), error="ProtocolError", words=NOT_SENT
    ),
    Fault(
        "garbage",
        "upgrade answered with no HTTP",
        (always(Answer(b"220 smtp.example ESMTP\r\n\r\n")),),
        error="NetworkError",
        words=NOT_SENT,
    ),
    Fault(
        "upgrade-silent",
        "upgrade never answered",
        (always(Answer(b"")),),
        error="NetworkError",
        words=NOT_SENT,
        settings={"connect_timeout": 0.05},
    ),
    Fault("slices", "every byte a packet of its own", (Plan(line=Line(slices=1), from_the_start=True),)),
    Fault("latency", "0.3 s latency each way", (Plan(line=Line(late=0.3)),)),
    Fault("latency-5", "5 s latency each way", (Plan(line=Line(late=5.0)),), slow=True),
    Fault(
        "blackhole",
        "nothing passes any more after some frames",
        (once(Blackhole(1)), once(Blackhole(6))),
        settings=QUICK_PINGS,
    ),
    Fault(
        "blackhole-real",
        "nothing passes any more, default pings",
        (once(Blackhole(3)),),
        prompt="[[messages=3 bytes=20]] [[delay=0.05]] the answer",
        slow=True,
    ),
    Fault(
        "blackhole-for-good",
        "nothing passes any more, also on new connections",
        (Plan(((Blackhole(3),),), rest=(Answer(b""),)),),
        error="NetworkError",
        words=GOES_ON,
        settings=QUICK_PINGS | {"connect_timeout": 0.05},
        cell=True,
    ),
    Fault("twice", "every frame twice, or three times", (once(Repeat()), once(Repeat(2)), once(Repeat(at=(7,))))),
    Fault("twice-tool", "every frame of a turn with a local tool twice", (once(Repeat()),), prompt=TOOL),
    Fault(
        "swapped",
        "two frames change places, any of them: `stream()`",
        tuple(once(Swap(k)) for k in range(1, FRAMES - 1)),
        error="ProtocolError",
        words=OVER,
    ),
    Fault(
        "swapped-whole",
        "two frames change places, any of them: `query()`, a cell",
        tuple(once(Swap(k)) for k in range(1, FRAMES - 1)),
        whole=True,
    ),
    Fault(
        "end-early",
        "END comes before the result",
        (once(Swap(FRAMES - 1)),),
        cell=True,
    ),
    Fault(
        "utf-8",
        "frames that are no UTF-8",
        (once(Damage(3, 60, b"\xff\xfe")), once(Insert(5, b"\xc3\x28")), once(Damage(7, 0, b"\xed\xa0\x80"))),
    ),
    Fault(
        "json",
        "frames of cut or other JSON",
        (once(Damage(3, 60)), once(Damage(2)), *(once(Insert(4, each)) for each in (b"null", b"[]", b'"x"', b"{"))),
        cell=True,
    ),
    Fault(
        "damaged-always",
        "no frame can be read, on any connection",
        (always(*(Damage(k, 9) for k in range(1, 9))),),
        prompt=SLOW,
    ),
    Fault("1.2-MB", "a frame of 1.2 MB", (once(Insert(4, piece(1_200_000))),), sockets=1),
    Fault("40-MB", "a frame of 40 MB, above the limit", (once(Insert(4, piece(40 * MIB))),)),
    Fault(
        "unknown",
        "unknown type, state, role, field, MIME type, status",
        (Plan(),),
        prompt="[[unknown enum status=299]] [[type hologram/3d x]] [[type image/x-new eA==]] the answer",
        sockets=1,
    ),
    Fault("end-lost", "END does not come", (once(Swallow()),), settings={"silence_timeout": 0.2}, sockets=1),
    Fault(
        "no-end",
        "END does not come and is not stored",
        (Plan(rest=(Swallow(),), http=(HideEnd(),)),),
        error="TurnTimeoutError",
        words=GOES_ON,
        settings={"silence_timeout": 0.2},
        cell=True,
    ),
    Fault(
        "frame-lost",
        "a frame does not come, without any sign, with `verify_turns`",
        tuple(once(Swallow(k)) for k in range(1, FRAMES)),
        settings={"verify_turns": True},
        whole=True,
    ),
    Fault(
        "kill",
        "server killed (-9) in mid-turn, started again",
        (once(Outage(4, "kill")),),
        error="ServiceError",
        words=OVER,
        prompt=SLOW,
        pauses=0.5,
    ),
    Fault(
        "ended",
        "server ended in mid-turn, started again",
        (once(Outage(1, "end")),),
        error="ServiceError",
        words=OVER,
        prompt=SLOW,
        pauses=0.5,
    ),
    Fault(
        "get-cut",
        "cut; the session's GET breaks off in the middle, twice",
        (Plan(((Cut(3),),), http=(CutReply("/session/get", 300, times=2),)),),
    ),
    Fault(
        "get-never",
        "cut; the session's GET always breaks off",
        (Plan(((Cut(3),),), http=(CutReply("/session/get", 300, times=10**6),)),),
        error="NetworkError",
        words=GOES_ON,
    ),
    Fault(
        "register-lost",
        "the reply to register is lost, or breaks off",
        tuple(Plan(http=(CutReply("/session/register", after),), from_the_start=True) for after in (0, 100)),
    ),
    Fault(
        "info-cut",
        "the reply with the user's information breaks off",
        (Plan(http=(CutReply("/user/info", 100, times=2),), from_the_start=True),),
    ),
)

BY_NAME = {fault.name: fault for fault in FAULTS}
