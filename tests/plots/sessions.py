"""Sessions to plot: with tokens, tools that fail or never answer, pauses, and names that want to do harm."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

import secgemini_jupyter.accessor  # noqa: F401  # registers df.secgemini
from secgemini_jupyter.models import Message
from secgemini_jupyter.transcript.messages import messages_frame
from tests.transcript.frames import ZEROS, message

JSON = "text/serialized-json"
TOOLS = ("lookup_cve", "whois", "sandbox")
HOSTILE = (
    r"$\alpha$ \input{/etc/passwd}", "$$$", "a\u202egpj.exe\x1b[31m", "x" * 300, "http://evil.example.com/a",
    "<script>alert(1)</script>", "查询漏洞", "a\nb", "Answers", "\u0300" * 40,
)  # fmt: skip


def call(tool: str, number: str, at: float) -> Message:
    content = json.dumps({"tool_name": tool, "tool_args": {}})
    return message("local_tool_call", "calling_tool", content, id=f"c{number}", at=at, mime_type=JSON, actor="agent")


def result(tool: str, number: str, at: float, *, status_code: int = 200, output: str = "203.0.113.9") -> Message:
    content = json.dumps({"name": tool, "output": output})
    return message("local_tool_result", "start", content, id=f"r{number}", at=at, parent_id=f"c{number}", role="user",
                   actor="user", status_code=status_code)  # fmt: skip


def turn(index: int, start: float, tools: tuple[str, ...] = TOOLS, usage: Any = None) -> list[Message]:
    """The last tool never answers, the one before fails."""
    asked = f"Is bad{index}.example known?"
    messages = [
        message("query", "query", asked, id=f"q{index}", at=start, role="user", actor="user", usage=ZEROS),
        message("thinking", "thinking", "Look.", id=f"t{index}", at=start + 1, title="Plan", actor="planner"),
    ]
    for place, tool in enumerate(tools):
        number, at = f"{index}-{place}", start + 2 + place
        messages.append(call(tool, number, at))
        if place < len(tools) - 1 or not place:
            status = 500 if place and place == len(tools) - 2 else 200
            messages.append(result(tool, number, at + 0.5, status_code=status))
    end = start + 3 + len(tools)
    answer = "CVE-2099-0001 at 203.0.113.9"
    messages.append(message("result", "agent_done", answer, id=f"a{index}", at=end, actor="agent", usage=usage))
    return [*messages, message("info", "end", "end", id=f"e{index}", at=end + 0.1, actor="orchestrator")]


def tokens(prompt: int, generated: int, cached: int = 0, thoughts: int = 0, total: int = 0) -> dict[str, Any]:
    return ZEROS | {"prompt_tokens": prompt, "generated_tokens": generated, "cached_token_count": cached,
                    "thoughts_token_count": thoughts, "total_tokens": total or prompt + generated}  # fmt: skip


def history(turns: int = 3, *, tools: tuple[str, ...] = TOOLS, usage: Any = None, apart: float = 3600) -> pd.DataFrame:
    said = [item for index in range(turns) for item in turn(index, index * apart, tools, usage)]
    return messages_frame(said, session_id="s")


def empty() -> pd.DataFrame:
    return messages_frame([], session_id="s")
