"""What the service asks of this side in a turn, a local tool or a confirmation, and how it is answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from secgemini_jupyter.models import Message, MessageType, Role, State, Usage


@dataclass(frozen=True)
class ToolCall:
    """The service asks for a local tool; `id` is that of the message which asked."""

    id: str
    name: str
    arguments: dict[str, Any]


_ANSWER_TO = {
    MessageType.LOCAL_TOOL_CALL: MessageType.LOCAL_TOOL_RESULT,
    MessageType.CONFIRMATION_REQUEST: MessageType.CONFIRMATION_RESPONSE,
}


def open_requests(stored: Sequence[Message]) -> list[Message]:
    """What the session's last turn still waits for from this side: one request is open at a time."""
    waiting: list[Message] = []
    for message in stored:
        if message.is_end or message.message_type in (MessageType.QUERY, *_ANSWER_TO.values()):
            waiting = []
        elif message.message_type in _ANSWER_TO:
            waiting.append(message)
    return waiting


def answered_requests(messages: Sequence[Message]) -> set[str]:
    """Ids of the tool calls and confirmation requests that an answer follows."""
    still_open = {id(message) for message in open_requests(messages)}
    return {m.id for m in messages if m.message_type in _ANSWER_TO and id(m) not in still_open}


def read_call(message: Message) -> ToolCall:
    try:
        value = json.loads(message.content or "")
        name = value.get("tool_name") or value["name"]
        arguments = value.get("tool_args", value.get("args")) or {}
        return ToolCall(message.id, str(name), dict(arguments))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ToolCall(message.id, "", {})  # runs no tool: answered with an error


def tool_result(call: ToolCall, output: str, *, is_error: bool) -> Message:
    content = {"name": call.name, "output": output, "is_error": is_error}
    return Message(
        message_type=MessageType.LOCAL_TOOL_RESULT,
        role=Role.USER,
        parent_id=call.id,
        state=State.TOOL_RESULT,
        content=_json(content),
        mime_type="text/serialized-json",
        status_code=500 if is_error else 200,
        usage=Usage(),
    )


def decision(request: Message, *, approve: bool, comment: str) -> Message:
    content = {"decision": "approve" if approve else "deny", "comment": comment}
    return Message(
        message_type=MessageType.CONFIRMATION_RESPONSE,
        role=Role.USER,
        parent_id=request.id,
        content=_json(content),
        mime_type="text/serialized-json",
        usage=Usage(),
    )


def _json(content: dict[str, Any]) -> str:
    """As JSON text; a lone surrogate, which no frame can hold, becomes a question mark."""
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace").decode()
