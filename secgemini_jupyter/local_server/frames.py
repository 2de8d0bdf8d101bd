"""Messages on the wire: built by the server, or read from a client."""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec

from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.local_server.engines.base import LocalToolOutcome
from secgemini_jupyter.models import Message, MessageType, Role, State, is_text, read_json

MAX_FRAME_BYTES = 2**20 - 4096
"""Some readers take a frame of 1 MiB or more for a broken connection."""
ACTOR = "orchestrator"


def build(message_type: MessageType, content: str, **fields: Any) -> Message:
    """A message of the server, flat as the service has it: ids of 12 hex digits, its own `turn`, the root as parent."""
    now = time.time()
    digits = secrets.token_hex(18)  # once, for all three ids: a burst asks for many
    return Message(
        id=digits[:12],
        turn=digits[12:24],
        group=fields.pop("group", None) or digits[24:],
        timestamp=int(now),
        created_at=now,
        message_type=message_type,
        content=content,
        **fields,
    )


def error(text: str, code: int, status: str) -> Message:
    return build(
        MessageType.ERROR, text, state=State.UNDEFINED, role=Role.SYSTEM, actor=ACTOR, status_code=code,
        status_message=status,
    )  # fmt: skip


def end() -> Message:
    return build(MessageType.INFO, "end", state=State.END, role=Role.SYSTEM, actor=ACTOR)


def fitting(message: Message) -> tuple[Message, bytes]:
    """The message and its frame, the content cut where the frame would be too long.

    A reader sees that something is missing: text ends with a note, base64 is replaced by one.
    """
    body = message.to_json()
    content = message.content or ""
    if len(body) <= MAX_FRAME_BYTES:
        return message, body
    note = f"\n[cut here: the whole content has {len(content):,} characters]"
    if not is_text(message.mime_type):
        note = f"[left out: {len(content):,} characters of {message.mime_type} in base64]"
        message = msgspec.structs.replace(message, mime_type="text/plain")
        content = ""
    while len(body) > MAX_FRAME_BYTES:
        keep = int(len(content) * 0.95 * MAX_FRAME_BYTES / len(body))  # escapes make the frame longer than the text
        content = content[:keep]
        message = msgspec.structs.replace(message, content=content + note)
        body = message.to_json()
        if not content and len(body) > MAX_FRAME_BYTES:
            raise ValueError(f"a {message.message_type} message is too long without its content")
    return message, body


def read_outcome(message: Message) -> LocalToolOutcome:
    """What a `local_tool_result` says, in any of the clients' shapes: JSON with `output`, or bare text."""
    content = message.content or ""
    failed = message.status_code >= 400
    try:
        value = read_json(content, "a tool result")
    except ProtocolError:
        return LocalToolOutcome(content, is_error=failed)
    if not isinstance(value, dict) or "output" not in value:
        return LocalToolOutcome(content, is_error=failed)
    output = value["output"]
    text = output if isinstance(output, str) else msgspec.json.encode(output).decode()
    return LocalToolOutcome(text, is_error=failed or value.get("is_error") is True)
