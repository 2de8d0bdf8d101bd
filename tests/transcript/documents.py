"""Transcripts to be written: an ordinary one, and one that is hostile in every field."""

from __future__ import annotations

import json

from secgemini_jupyter.models import Message, MessageType, PublicSessionFile, Role, State
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.sessions import Attached
from secgemini_jupyter.transcript.turns import turn_slices
from tests.transcript.frames import turn

EVIL = (
    "<img src=https://evil.com/1 onerror=ran()><script>ran()</script><svg onload=ran()></svg>"
    "<style>@import url(https://evil.com/2);body{background:url(https://evil.com/3)}</style>"
    "<link rel=stylesheet href=https://evil.com/4><iframe src=https://evil.com/5></iframe>"
    "</title></style></pre></details><form action=https://evil.com/6><input name=body></form>"
    "<meta http-equiv=refresh content='0;url=https://evil.com/7'><base href=https://evil.com/>"
    "{{ 7*191 }}{% raw %}\"'\x1b[2J\u202egpj.exe\u202c "
)
MARKDOWN = (
    "![x](https://evil.com/leak?q=1) ![y][z] <https://evil.com/1> [click](javascript:ran()) [a](data:text/html,ran)\n\n"
    "[z]: https://evil.com/leak?q=2\n\n"
)
MIME_TYPES = (
    "text/plain", "text/html", "sec-gemini/html", "image/svg+xml", "sec-gemini/json", "sec-gemini/table", "text/csv",
    "sec-gemini/timeline", "sec-gemini/graph", "sec-gemini/code", "sec-gemini/image", "image/png", EVIL,
)  # fmt: skip
FILE = PublicSessionFile("kerberos.log", 6_100, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                         "text/plain")  # fmt: skip


def ordinary() -> Transcript:
    """A session of one turn with one attachment."""
    return Transcript(
        turns=turn_slices(turn(), session_id="s1"), name="quiet-honeypot", session_id="s1", model="sec-gemini-stable",
        host="api.secgemini.google", is_local=False, retained=True, attached=[Attached("s1", 0, FILE)],
        description="What the help desk saw.",
    )  # fmt: skip


def hostile_messages() -> list[Message]:
    def say(kind: str, content: str, state: str = "answering", **more: object) -> Message:
        fields = {"actor": EVIL, "role": Role.AGENT, "id": EVIL, "group": EVIL, "parent_id": EVIL,
                  "turn": EVIL, "title": EVIL, "icon": EVIL, "text_color": EVIL, "status_message": EVIL,
                  "created_at": 1.76e9}  # fmt: skip
        return Message(message_type=MessageType(kind), content=content, state=State(state), **fields | more)  # type: ignore[arg-type]

    both = EVIL + MARKDOWN
    call = json.dumps({"id": "c", "name": EVIL, "args": {EVIL: EVIL}})
    back = json.dumps({"id": "c", "name": EVIL, "response": {EVIL: both}})
    return [
        say("query", f"{both}\n\n{both}", "query", role=Role.USER),
        say("thinking", both, "thinking"),
        say("debug", call, "calling_tool"),
        say("debug", back, "tool_result"),
        say("source", both, "thinking"),
        *[say("result", content, "agent_done", mime_type=kind)
          for kind in MIME_TYPES for content in (both, json.dumps([{EVIL: both}]), f"{EVIL},b\n=1+1,{EVIL}\n")],
        say("query", EVIL, "query", role=Role.USER),
        say("error", both, "undefined", status_code=500),
    ]  # fmt: skip


def hostile() -> Transcript:
    return Transcript(
        turns=turn_slices(hostile_messages(), session_id=EVIL), name=EVIL, session_id=EVIL, description=EVIL,
        model=EVIL, host=EVIL, attached=[Attached(EVIL, 0, PublicSessionFile(EVIL, 5, EVIL, EVIL, EVIL))],
    )  # fmt: skip
