"""The official SDK under the same faults, a process for each turn, with a time limit."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secgemini_jupyter.models import Message, MessageType
from tests.faults.acts import Plan
from tests.faults.matrix import AS_STORED, Fault
from tests.faults.proxy import Proxy
from tests.faults.service import KEY, Service, last_turn

PEER = Path(__file__).with_name("official_peer.py")
LIMIT = 30.0
"""Seconds; it gives a connection up after fifteen."""
LIMIT_SLOW = 100.0
HIDDEN = (MessageType.LOCAL_TOOL_CALL, MessageType.LOCAL_TOOL_RESULT)
"""It keeps these from its caller."""

Said = tuple[str, str | None]


@dataclass
class Told:
    """What the process printed."""

    session: str = ""
    messages: list[Said] = field(default_factory=list)
    runs: int = 0
    raised: str = ""
    is_over: bool = False


def run(python: str, fault: Fault, plan: Plan, proxy: Proxy, service: Service) -> str:
    """One turn; what came of it, in the words of the table."""
    address = f"127.0.0.1:{proxy.port}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEC_GEMINI")}
    environment |= {
        "SEC_GEMINI_API_KEY": KEY,
        "SEC_GEMINI_API_HTTP_URL": f"http://{address}",
        "SEC_GEMINI_API_WEBSOCKET_URL": f"ws://{address}",
    }
    proxy.arm(plan if plan.from_the_start else Plan())
    with subprocess.Popen(
        [python, PEER, fault.prompt, fault.before],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        told = Told()
        is_ready = threading.Event()
        reader = threading.Thread(target=_read, args=(process, told, is_ready), daemon=True)
        reader.start()
        is_ready.wait(LIMIT)
        if not plan.from_the_start:
            proxy.arm(plan)
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.write("\n")
            process.stdin.flush()
        reader.join(LIMIT_SLOW if fault.slow else LIMIT)
        process.kill()
    reader.join(5)
    proxy.arm(Plan())
    service.wait_until_up()
    return _verdict(told, fault, service.messages(told.session) if told.session else [])


def _read(process: subprocess.Popen[str], told: Told, is_ready: threading.Event) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said: dict[str, Any] = json.loads(line)
        if "session" in said:
            told.session = said["session"]
        elif "message" in said:
            identity, content = said["message"]
            told.messages.append((identity, content))
        elif "ran" in said:
            told.runs += 1
        elif "raised" in said:
            told.raised = said["raised"]
        told.is_over = told.is_over or "over" in said
        is_ready.set()
    is_ready.set()


def _verdict(told: Told, fault: Fault, stored: list[Message]) -> str:
    expected = [(m.id, m.content) for m in last_turn(stored)[1] if m.message_type not in HIDDEN]
    queries = sum(m.message_type is MessageType.QUERY and m.content == fault.prompt for m in stored)
    given, wanted = Counter(told.messages), Counter(expected)
    counts = (
        ((wanted - given).total(), "lost"),
        (sum(count - 1 for count in given.values()), "twice"),
        (len(set(given) - set(wanted)), "not of this turn"),
        (queries - 1 if queries > 1 else 0, "prompts too many"),
        (told.runs - 1 if told.runs > 1 else 0, "tool runs too many"),
    )
    said = [f"{count} {what}" for count, what in counts if count]
    if not said and told.messages != expected:
        said = ["another order"]
    if not told.is_over:
        said = ["hangs", *said]
    elif told.raised:
        said = [f"`{told.raised}`", *said]
    elif said:
        said.append("no error")
    return ", ".join(said) or AS_STORED
