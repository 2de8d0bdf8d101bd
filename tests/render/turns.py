"""Messages of a turn, written briefly."""

from __future__ import annotations

from typing import Any

from secgemini_jupyter.models import Message, MessageType, Role, State, Usage
from secgemini_jupyter.render.answer import Facts, Input

START = 1_700_000_000.0
FACTS = Facts(
    actor="local analyst",
    model="local-analyst-1",
    host="127.0.0.1:38211",
    is_local=True,
    session="triage",
    turn=3,
    retained=False,
    elapsed=2.4,
    usage=Usage(total_tokens=1_234),
    inputs=(Input("{{report}}", 2_000), Input("kerberos.log", 6_100)),
)


def say(kind: str, content: str, state: str = "answering", after: float = 0.0, **more: Any) -> Message:
    more = {"actor": "local analyst", "role": Role.AGENT, "group": "g", "id": f"{kind}-{after}"} | more
    return Message(
        message_type=MessageType(kind), content=content, state=State(state), created_at=START + after, **more
    )


def piece(content: str, **more: Any) -> Message:
    return say("result", content, status_code=206, **more)


def call(name: str, arguments: str, after: float) -> list[Message]:
    """A tool call as the service tells it: a line, then a debug frame."""
    words = name.replace("_", " ").title()
    frame = f'{{"id": "{name}", "name": "{name}", "args": {arguments}}}'
    return [
        say("info", f"Calling {words}", "calling_tool", after),
        say("debug", frame, "calling_tool", after),
    ]


def returned(name: str, response: str, after: float) -> list[Message]:
    words = name.replace("_", " ").title()
    return [
        say("info", f"Processing {words} result", "tool_result", after, group="h"),
        say("debug", f'{{"id": "{name}", "name": "{name}", "response": {response}}}', "tool_result", after, group="h"),
    ]
