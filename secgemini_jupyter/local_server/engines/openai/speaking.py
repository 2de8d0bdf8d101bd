"""The model's text as messages of the turn: thinking apart, pieces as they come, calls written as text held back.

All that is said in pieces of the result is the beginning of the one whole result, since a piece cannot be taken back.
So where the model may call tools, the beginning of its text waits until it reads like an answer and not like a call, or
like the sentence before one.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

import msgspec

from secgemini_jupyter.local_server.engines.base import EngineTurn
from secgemini_jupyter.local_server.frames import ACTOR
from secgemini_jupyter.models import MessageType, Role, State, Usage

HELD = 200
"""Characters that wait for what follows."""
MAX_BLANK = 200
UNDECIDED = 40
"""Characters at the end that may be the beginning of a call."""
MAX_RESULT = 400_000
_CALL = re.compile(
    r"\A\s*(?:```\w*\s*)?[\[{<]|</?tool_call|<\|?/?(?:tool|python)_|\[TOOL_CALLS?\]|<function[=s_]|<tools?>"
    r"|\A\s*[\w.-]{1,100}\s*\[(?:ARGS|CALL_ID)\]"
)
"""A wrapping of calls, or a text that may be nothing but calls."""
_BEGINS = re.compile(r"[<\[]")
_OPENINGS = ("<think>", "<thinking>", "<thought>", "<reasoning>")
_OPENING = re.compile(r"<(think|thinking|thought|reasoning)>")


@dataclass
class ThinkingSplit:
    """Divides text at `<think>…</think>` at its beginning, whichever way the pieces are cut."""

    _state: str = "begin"
    _rest: str = ""
    _closing: str = ""

    def feed(self, text: str) -> tuple[str, str]:
        """Text and thinking that are certain by now."""
        self._rest += text
        if self._state == "text":
            text, self._rest = self._rest, ""
            return text, ""
        if self._state == "begin":
            start = self._rest.lstrip()
            if len(self._rest) <= MAX_BLANK and any(each.startswith(start) for each in _OPENINGS if each != start):
                return "", ""
            if opening := _OPENING.match(start):
                self._state, self._closing, self._rest = "thinking", f"</{opening[1]}>", start[opening.end() :]
            else:
                self._state, text, self._rest = "text", self._rest, ""
                return text, ""
        thought, closing, after = self._rest.partition(self._closing)
        if closing:
            self._state, self._rest = "text", ""
            return after.lstrip("\n"), thought
        keep = next((n for n in range(len(self._closing) - 1, 0, -1) if thought.endswith(self._closing[:n])), 0)
        cut = len(thought) - keep
        self._rest = thought[cut:]
        return "", thought[:cut]

    def end(self) -> tuple[str, str]:
        """What waited for more."""
        rest, self._rest = self._rest, ""
        return (rest, "") if self._state != "thinking" else ("", rest)


@dataclass
class Voice:
    """Says one turn's thinking and its one result.

    Attributes:
        answered: what has been said of the result.
    """

    turn: EngineTurn
    actor: str
    answered: list[str] = field(default_factory=list)
    _group: str = field(default_factory=lambda: uuid.uuid4().hex)
    _split: ThinkingSplit = field(default_factory=ThinkingSplit)
    _thoughts: list[str] = field(default_factory=list)
    _thought_group: str = ""
    _held: str = ""
    _waiting: list[str] = field(default_factory=list)
    """All that is held, once it is certain that it waits for the round's end."""
    _may_call: bool = False
    _has_begun: bool = False
    _size: int = 0
    _half: str = ""

    def begin(self, *, may_call: bool) -> None:
        """A new round of the model."""
        self._split, self._held, self._half = ThinkingSplit(), "", ""
        self._may_call, self._has_begun = may_call, False

    async def hear(self, text: str, thinking: str) -> None:
        """Something that the model says."""
        text, self._half = _whole(self._half + text)
        text, thought = self._split.feed(text)
        await self._think(thinking + thought)
        if text and self._waiting:
            self._waiting.append(text)
        elif text:
            self._held += text
            await self._advance()

    async def end(self) -> str:
        """The round is over: says its thinking, and gives the text that is not said yet."""
        text, thought = self._split.end()
        await self._think(thought)
        self._held = "".join([*(self._waiting or [self._held]), text, _clean(self._half)])
        self._waiting = []
        if not self._has_begun and "</think>" in self._held:
            thought, _, self._held = self._held.rpartition("</think>")
            await self._think(thought)
        await self._end_thought()
        rest, self._held = self._held, ""
        return rest

    async def comment(self, text: str) -> None:
        """What the model says before it calls a tool: no part of its answer."""
        if text.strip():
            await self.turn.say(
                MessageType.THINKING,
                _clean(text.strip()),
                state=State.PLANNING,
                role=Role.AGENT,
                actor=self.actor,
                title="Before the call",
            )

    async def note(self, text: str, *, title: str = "Note") -> None:
        """A word of ours on how the turn goes."""
        await self.turn.say(
            MessageType.THINKING, _clean(text), state=State.PLANNING, role=Role.SYSTEM, actor=ACTOR, title=title
        )

    async def remark(self, table: dict[str, Any]) -> None:
        """A word of ours on the answer: a message that the model cannot write, and in whose text it has no part."""
        await self.turn.say(
            MessageType.RESULT,
            msgspec.json.encode(table).decode(),
            state=State.REVIEWING,
            role=Role.SYSTEM,
            actor=ACTOR,
            title=table["title"],
            mime_type="sec-gemini/table",
        )

    async def answer(self, text: str) -> None:
        """A part of the result."""
        if not self._has_begun:
            text = text.lstrip()
            if text and self.answered:
                text = "\n\n" + text
        text = _clean(text)[: max(MAX_RESULT - self._size, 0)]
        await self._answer(text)

    async def _answer(self, text: str) -> None:
        if not text:
            return
        self._has_begun = True
        self._size += len(text)
        self.answered.append(text)
        if self.turn.partial:
            await self._say(MessageType.RESULT, text, State.ANSWERING, self._group, is_piece=True)

    async def result(self, usage: Usage | None) -> None:
        """The whole result."""
        await self._say(MessageType.RESULT, "".join(self.answered), State.AGENT_DONE, self._group, usage=usage)

    async def _advance(self) -> None:
        """Say what is the answer for certain."""
        if not self._may_call:
            text, self._held = self._held, ""
            return await self.answer(text)
        if not self._has_begun and "</think>" in self._held:  # a template that opens the thinking itself
            thought, _, self._held = self._held.rpartition("</think>")
            await self._think(thought)
        held = self._held
        if not self._has_begun and len(held) < HELD and "\n\n" not in held[80:]:
            return None
        call = _CALL.search(held)
        end = call.start() if call else len(held)
        if not call and (begins := _BEGINS.search(held, max(len(held) - UNDECIDED, 0))):
            end = begins.start()
        text, self._held = held[:end], held[end:]
        if call and not self._has_begun and end < HELD:  # what stands before is no answer yet
            text, self._held = "", held
        if call:
            self._waiting = [self._held]
        return await self.answer(text)

    async def _think(self, text: str) -> None:
        text = _clean(text)
        if not text:
            return
        self._thought_group = self._thought_group or uuid.uuid4().hex
        self._thoughts.append(text)
        if self.turn.partial:
            await self._say(MessageType.THINKING, text, State.THINKING, self._thought_group, is_piece=True)

    async def _end_thought(self) -> None:
        if "".join(self._thoughts).strip():
            await self._say(MessageType.THINKING, "".join(self._thoughts), State.THINKING, self._thought_group)
        self._thoughts, self._thought_group = [], ""

    async def _say(
        self,
        kind: MessageType,
        text: str,
        state: State,
        group: str,
        *,
        is_piece: bool = False,
        usage: Usage | None = None,
    ) -> None:
        await self.turn.say(
            kind,
            text,
            state=state,
            role=Role.AGENT,
            actor=self.actor,
            title="Thinking" if kind is MessageType.THINKING else None,
            group=group,
            status_code=206 if is_piece else 200,
            status_message="Partial Content" if is_piece else "OK",
            usage=usage,
        )


def _whole(text: str) -> tuple[str, str]:
    """The text, and half of a surrogate pair at its end, which the next piece completes."""
    return (text[:-1], text[-1]) if text and "\ud800" <= text[-1] <= "\udbff" else (text, "")


def _clean(text: str) -> str:
    """Text that can be sent: halves of surrogate pairs are put together, or replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
