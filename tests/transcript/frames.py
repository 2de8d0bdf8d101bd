"""Frames as the protocol page writes them (section 19.2: a turn with a service tool and a local tool)."""

from __future__ import annotations

import json
from typing import Any

from secgemini_jupyter.models import Message, read_message

BASE = {
    "parent_id": "3713", "turn": "66e0d1c2b3a4", "actor": "vulnerability_agent", "role": "system",
    "timestamp": 1760000100, "icon": None, "text_color": None, "title": None, "mime_type": "text/plain",
    "status_code": 200, "status_message": "OK", "usage": None,
}  # fmt: skip
ZEROS = dict.fromkeys(
    ("prompt_tokens", "generated_tokens", "total_tokens", "cached_token_count", "thoughts_token_count",
     "tool_use_prompt_token_count"), 0,
) | {"prompt_tokens_details": None}  # fmt: skip


def message(message_type: str, state: str, content: str | None, *, id: str, at: float, **fields: Any) -> Message:  # noqa: A002
    """One frame, read as the client reads it."""
    frame = BASE | {"id": id, "group": f"g{id}", "created_at": 1760000100 + at, "message_type": message_type,
                    "state": state, "content": content} | fields  # fmt: skip
    frame["timestamp"] = fields.get("timestamp", int(1760000100 + at))
    return read_message(json.dumps(frame).encode())


def turn(prefix: str = "d") -> list[Message]:
    """A prompt, a hand-over, a thought, a tool of the service, a local tool, the answer, the END."""
    call = '{"id": "call-01", "name": "lookup_cve", "args": {"cve": "CVE-2099-0001"}}'
    output = '{"id": "call-01", "name": "lookup_cve", "response": {"result": {"fixed_in": "4.2.1"}}}'
    words = "Need the advisory first, then the installed version on web-7."
    thought = ZEROS | {"prompt_tokens": 300, "total_tokens": 300, "thoughts_token_count": 64}
    answer = ZEROS | {"prompt_tokens": 1410, "generated_tokens": 58, "total_tokens": 1468, "thoughts_token_count": 210,
                      "tool_use_prompt_token_count": 377}  # fmt: skip
    json_type = "text/serialized-json"
    return [
        message("query", "query", "Is host web-7 exposed to CVE-2099-0001?", id=f"{prefix}01", at=0, role="user",
                actor="user", usage=ZEROS),
        message("info", "calling_tool", "Transfer", id=f"{prefix}02", at=0.6, actor="orchestrator"),
        message("info", "running_agent", "Executing vulnerability_agent", id=f"{prefix}03", at=0.8,
                actor="orchestrator"),
        message("thinking", "thinking", words, id=f"{prefix}04", at=1.4, role="agent", title="Plan", usage=thought),
        message("info", "calling_tool", "Calling Lookup Cve", id=f"{prefix}05", at=1.9, group="g1"),
        message("debug", "calling_tool", call, id=f"{prefix}06", at=1.9, group="g1", mime_type=json_type),
        message("info", "tool_result", "Processing Lookup Cve result", id=f"{prefix}07", at=2.7, group="g2"),
        message("debug", "tool_result", output, id=f"{prefix}08", at=2.7, group="g2", mime_type=json_type),
        message("local_tool_call", "calling_tool", '{"tool_name": "lookup_asset", "tool_args": {"host": "web-7"}}',
                id=f"{prefix}09", at=3.0, mime_type=json_type),
        message("local_tool_result", "start", '{"name": "lookup_asset", "output": "4.1.9"}', id=f"{prefix}0a", at=3.4,
                role="user", actor="user", usage=ZEROS),
        message("result", "agent_done", "Yes. web-7 runs 4.1.9 and the fix is in 4.2.1.\n", id=f"{prefix}10", at=5.2,
                role="agent", usage=answer),
        message("info", "end", "end", id=f"{prefix}11", at=5.3, actor="orchestrator"),
    ]  # fmt: skip
