"""Sessions as the picture's pack, made here: what the view shows is tested without a kernel, and at any size."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.browser.conftest import STATIC, THEMES

TURN, ACTOR, GROUP, TOOL, MESSAGE = range(5)
ORPHAN, CIRCLE, ERROR, RUNNING, PARTIAL = 1, 2, 4, 8, 16

NOW = 1_769_895_667.0
"""2026-01-31 21:41:07 UTC."""

COLUMNS = {
    "message": "i",
    "size": "i",
    "depth": "H",
    "kind": "B",
    "flags": "B",
    "actor": "H",
    "type": "H",
    "state": "H",
    "role": "H",
    "status": "i",
    "time": "d",
    "duration": "f",
    "tokens": "f",
}
KINDS = {"i": "i32", "H": "u16", "B": "u8", "d": "f64", "f": "f32", "I": "u32"}


@dataclass
class Node:
    """A line of the tree, with what stands below it."""

    label: str
    kind: int = MESSAGE
    type: str = "info"
    actor: str = "local analyst"
    role: str = "agent"
    state: str = "running"
    status: int = 200
    flags: int = 0
    time: float = math.nan
    duration: float = math.nan
    tokens: float = 0
    has_message: bool = True
    below: list[Node] = field(default_factory=list)


def pack(turns: Sequence[Node], *, seq: int = 0, start: int = 0, first_message: int = 0) -> bytes:
    """The pack of `js/src/visualize/model.ts`."""
    rows: list[tuple[Node, int]] = []  # with its depth
    waiting = [(node, 0) for node in reversed(turns)]
    while waiting:
        node, depth = waiting.pop()
        rows.append((node, depth))
        waiting += [(child, depth + 1) for child in reversed(node.below)]
    sizes = [1] * len(rows)
    for number in range(len(rows) - 1, -1, -1):
        depth = rows[number][1]
        end = number + 1
        while end < len(rows) and rows[end][1] > depth:
            end += sizes[end]
        sizes[number] = end - number
    names: dict[str, list[str]] = {"actor": [], "type": [], "state": [], "role": []}
    numbers: dict[tuple[str, str], int] = {}

    def name(of: str, value: str) -> int:
        if (of, value) not in numbers:
            numbers[of, value] = len(names[of])
            names[of].append(value)
        return numbers[of, value]

    values: dict[str, list[Any]] = {column: [] for column in COLUMNS}
    labels, text, messages = [0], bytearray(), first_message
    for number, (node, depth) in enumerate(rows):
        values["message"].append(messages if node.has_message else -1)
        messages += node.has_message
        values["size"].append(sizes[number])
        values["depth"].append(min(depth, 65535))
        for column in ("kind", "flags", "status", "time", "duration", "tokens"):
            values[column].append(getattr(node, column))
        for column in names:
            values[column].append(name(column, getattr(node, column)))
        text += node.label.encode("utf-8", "surrogatepass")
        labels.append(len(text))
    bodies = [(column, kind, struct.pack(f"<{len(rows)}{kind}", *values[column])) for column, kind in COLUMNS.items()]
    bodies += [("label", "I", struct.pack(f"<{len(labels)}I", *labels)), ("text", "B", bytes(text))]
    return assemble(bodies, {"seq": seq, "start": start, "nodes": len(rows), "messages": messages, "names": names})


def assemble(bodies: Sequence[tuple[str, str, bytes]], header: dict[str, Any]) -> bytes:
    room = 4096 + len(json.dumps(header)) // 8 * 8
    offset, columns = room, []
    for column, kind, body in bodies:
        columns.append([column, KINDS[kind], offset, len(body) // struct.calcsize(kind)])
        offset += -(-len(body) // 8) * 8
    head = json.dumps({**header, "columns": columns}).encode()
    assert 4 + len(head) <= room
    data = bytearray(struct.pack("<I", len(head)) + head)
    data += bytes(room - len(data))
    for _, _, body in bodies:
        data += body + bytes(-len(body) % 8)
    return bytes(data)


def as_text(packed: bytes) -> str:
    """Bytes on their way into a page."""
    return base64.b64encode(packed).decode()


def traits(packed: bytes, **changes: Any) -> dict[str, Any]:
    return {
        "session_id": "s1",
        "session_name": "triage",
        "index": as_text(packed),
        "selected": [],
        "running": False,
        "embedded": {},
        **changes,
    }


def triage() -> list[Node]:
    """Three turns, as in the picture of how it should look; 12 messages."""
    at = NOW

    def said(kind: str, label: str, after: float, took: float = 0.1, **more: Any) -> Node:
        return Node(label, type=kind, time=at + after, duration=took, **more)

    def tool(label: str, after: float, took: float, **more: Any) -> Node:
        call = Node(label, kind=TOOL, type="local_tool_call", actor="tools", time=at + after, duration=took, **more)
        call.below = [said("local_tool_result", "10 rows", after + took, 0, role="user", actor="you")]
        return call

    def asked(label: str, after: float, took: float, below: list[Node], **more: Any) -> Node:
        return Node(
            label, TURN, "query", "you", "user", "query",
            time=at + after, duration=took, tokens=1200 * took, below=below, **more,
        )  # fmt: skip

    return [
        asked("1 › Who logged in, who failed?", 0, 0.3, [
            said("thinking", "I read the log first", 0.02, tokens=80, state="thinking"),
            tool('auth_timeline(file="kerberos.log")', 0.1, 0.1),
            said("result", "10 logons, 8 succeeded, 2 failed.", 0.2, tokens=120, state="answering"),
        ]),
        asked("2 › And from which hosts?", 300, 0.2, [
            Node("log_sql × 2", GROUP, "local_tool_call", "tools", has_message=False, time=at + 300.05, duration=0.1,
                 below=[tool("log_sql(select client)", 300.05, 0.04), tool("log_sql(select source)", 300.06, 0.09)]),
            said("result", "One host: 172[.]16[.]1[.]141", 300.15, tokens=60, state="answering"),
        ]),
        asked("3 › Pull the indicators out of the report", 900, 4.4, [
            said("error", "The file report.txt is gone", 900.2, flags=ERROR, status=500, state="failed"),
        ]),
    ]  # fmt: skip


def large(messages: int) -> list[Node]:
    """Turns of ten messages each."""
    turns = []
    for turn in range(messages // 10):
        at = NOW + 40 * turn
        steps = [
            Node(
                f"step {turn}.{step}: looks at event {step * 7919 % 4099}",
                type=("thinking", "info", "result")[step % 3],
                actor=("triage", "network_agent", "malware_agent")[step % 3],
                time=at + step,
                duration=0.8,
                tokens=step,
            )
            for step in range(9)
        ]
        turns.append(
            Node(f"{turn + 1} › question {turn + 1}", TURN, "query", "you", "user", time=at, duration=9, below=steps)
        )
    return turns


def detail(message: int, **changes: Any) -> dict[str, Any]:
    """What `read` answers for one message."""
    return {
        "message": message,
        "heading": "result",
        "title": "local analyst",
        "facts": [["turn", "1"], ["time", "2026-01-31 21:41:07 UTC"], ["state", "answering"], ["status", "200 OK"],
                  ["size", "182 B"], ["id", "0b6f…91ac"]],
        "parts": [{"kind": "html", "html": "<p><strong>10 logons, 8 succeeded, 2 failed.</strong> Both failures are "
                   "requests of <code>johnson-pc$</code> from 172[.]16[.]1[.]141.</p>"}],
        **changes,
    }  # fmt: skip


def show(
    page: Any,
    packed: bytes,
    *,
    theme: str | None = "light",
    width: int = 860,
    content: dict[str, Any] | None = None,
    **changes: Any,
) -> Any:
    """Show the built view alone on a page; `content` is what its kernel's side answers from."""
    css = (THEMES / f"theme-{theme}-extension" / "index.css").read_text() if theme else ""
    page.set_content(
        f"<!doctype html><html lang=en><title>picture</title><style>{css}</style>"
        f"<style>body {{margin: 20px; background: var(--jp-layout-color0)}} #widget {{width: {width}px}}</style>"
        f"<style>{(STATIC / 'visualize.css').read_text()}</style><body><main id=widget></main></body></html>"
    )
    for name in ("fake_model.js", "picture_host.js"):
        page.evaluate((Path(__file__).parent / name).read_text())
    page.evaluate(
        """([bundle, traits, content]) => {
            Object.assign(stage.content, content);
            stage.show(bundle, { ...traits, index: stage.bytes(traits.index) });
        }""",
        [
            (STATIC / "visualize.js").read_text(),
            traits(packed, **changes),
            {"details": {"*": detail(0)}} | (content or {}),
        ],
    )
    widget = page.locator("#widget")
    widget.locator("section").first.wait_for()
    return widget
