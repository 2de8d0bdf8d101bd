"""The echo engine: repeats the prompt, or does exactly what the prompt's directives say. For tests and benchmarks.

    [[messages=10000 bytes=200]]        so many `thinking` messages (`kind=info`: progress lines) of so many bytes
    [[delay=0.05]]                      seconds before each message after the first
    [[call NAME {"json": "arguments"}]] call a local tool; the result is what it gave back
    [[confirm TEXT {"json": "action"}]] ask the user for a confirmation; the result is what they said
                                        (`[[confirm within=2 TEXT]]`: the seconds they have)
    [[error 429 retry_after=2]]         end with an error frame; what follows the code becomes its fields
    [[drop after=4]]                    cut the connection after four frames of the turn, which goes on
    [[unknown enum status=299]]         a message whose type, state and role nobody knows, with an unknown field
    [[partial]]                         the result and a thought in pieces with status 206, for sockets that asked
                                        (`[[partial pieces=5000]]`: the result in so many, made longer for it)
    [[type sec-gemini/table CONTENT]]   a second result of that type
    [[source TITLE | URL]]              a source, after the results (`[[source TEXT]]`: without a title)
    [[update TEXT]]                     the result is changed to this text, afterwards
    [[delete]]                          the result is taken back
                                        (`[[delete of=thinking]]`: the turn's thought; `of=previous`: the last result)

Several may stand in one prompt; they act in the order of this list. What is left of the prompt is repeated.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from secgemini_jupyter.local_server.engines.base import EngineTurn
from secgemini_jupyter.models import Message, MessageType, ModelInfo, Role, State

MAX_MESSAGES = 1_000_000
MAX_BYTES = 900_000
MAX_PIECES = 50_000
MAX_DELAY = 3600.0
_OPENING = re.compile(
    r"\[\[(messages=|delay=|call |confirm |error |drop |unknown enum|partial|type |source |update |delete)"
)
_BRACKET = re.compile(r"[\[\]]")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]]', re.DOTALL)
_WITHIN = re.compile(r"within=(\d+(?:\.\d+)?)\s+")
_OF = re.compile(r"of=(result|thinking|previous)(?:\s+|\Z)")
_PAIR = re.compile(r"(\w+)=(\S+)")


@runtime_checkable
class CanDrop(Protocol):
    def drop_after(self, frames: int) -> None: ...


class EchoEngine:
    actor = "local echo"
    model = ModelInfo(
        model_name="local-echo",
        version="1",
        model_string="local-echo",
        description="Repeats the prompt. For tests and benchmarks: no model, no analysis.",
    )

    async def answer(self, turn: EngineTurn) -> None:
        try:
            script = Script.read(turn.prompt)
        except ValueError as problem:
            await turn.say(
                MessageType.ERROR, f"The directive cannot be read: {problem}", state=State.UNDEFINED,
                status_code=400, status_message="Bad Request",
            )  # fmt: skip
            return
        await _Performance(turn, script).run()

    async def aclose(self) -> None:
        """Nothing to end."""


@dataclass(frozen=True)
class Question:
    """What to ask the user, and the seconds they have."""

    prompt: str
    action: dict[str, Any] = field(default_factory=dict)
    within: float | None = None

    @classmethod
    def read(cls, values: str) -> Question:
        """Text, and behind it perhaps a JSON object.

        Raises:
            ValueError: the object, or the number of seconds, makes no sense.
        """
        text, within = values.strip(), None
        if limit := _WITHIN.match(text):
            within, text = float(limit[1]), text[limit.end() :]
        begin = text.find("{") if text.endswith("}") else len(text)
        action = json.loads(text[begin:]) if 0 <= begin < len(text) else {}
        return cls(text[:begin].strip() or "Go on?", action, within)


@dataclass
class Script:
    """The directives of a prompt, and the text around them."""

    text: str = ""
    messages: int = 0
    size: int = 200
    kind: MessageType = MessageType.THINKING
    delay: float = 0.0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    confirmations: list[Question] = field(default_factory=list)
    error: tuple[int, dict[str, Any]] | None = None
    drop_after: int = 0
    unknown_enum: bool = False
    unknown_status: int = 200
    partial: bool = False
    pieces: int = 0
    typed: list[tuple[str, str]] = field(default_factory=list)
    sources: list[tuple[str | None, str]] = field(default_factory=list)
    mutations: list[tuple[MessageType, str, str]] = field(default_factory=list)
    """Type, what it acts on, content."""

    @classmethod
    def read(cls, prompt: str) -> Script:
        """Reads a prompt.

        Raises:
            ValueError: a directive's values make no sense.
        """
        script, rest = cls(), []
        position = 0
        while opening := _OPENING.search(prompt, position):
            closing = _closing(prompt, opening.end(), is_json=opening[1] in ("call ", "confirm "))
            if closing < 0:
                break
            rest.append(prompt[position : opening.start()])
            script._take(prompt[opening.start() + 2 : closing])
            position = closing + 2
        script.text = ("".join(rest) + prompt[position:]).strip()
        return script

    def _take(self, directive: str) -> None:
        word, _, values = directive.partition(" ")
        pairs = dict(_PAIR.findall(directive))
        if word.startswith("messages="):
            self.messages = _number(pairs["messages"], MAX_MESSAGES)
            self.size = _number(pairs.get("bytes", "200"), MAX_BYTES)
            self.kind = MessageType(pairs.get("kind", "thinking"))
            if self.kind not in (MessageType.THINKING, MessageType.INFO):
                raise ValueError(f"kind={self.kind}: use thinking or info")
        elif word.startswith("delay="):
            self.delay = float(pairs["delay"])
            if not 0 <= self.delay <= MAX_DELAY:
                raise ValueError(f"delay={pairs['delay']}: use 0 to {MAX_DELAY:.0f} seconds")
        elif word == "call":
            name, _, arguments = values.strip().partition(" ")
            value = json.loads(arguments or "{}")
            if not isinstance(value, dict):
                raise ValueError(f"the arguments of {name} are no JSON object")
            self.calls.append((name, value))
        elif word == "confirm":
            self.confirmations.append(Question.read(values))
        elif word == "error":
            code, _, _ = values.strip().partition(" ")
            self.error = (_number(code, 599), {key: _plain(value) for key, value in pairs.items()})
        elif word == "drop":
            self.drop_after = _number(pairs.get("after", "1"), MAX_MESSAGES)
        elif word == "unknown":
            self.unknown_enum = True
            self.unknown_status = _number(pairs.get("status", "200"), 399)
        elif word == "partial":
            self.partial, self.pieces = True, _number(pairs.get("pieces", "0"), MAX_PIECES)
        elif word == "type":
            mime_type, _, content = values.strip().partition(" ")
            self.typed.append((mime_type, content))
        elif word == "source":
            title, bar, content = values.strip().partition("|")
            self.sources.append((title.strip(), content.strip()) if bar else (None, title.strip()))
        elif word in ("update", "delete"):
            text, target = values.strip(), "result"
            if of := _OF.match(text):
                text, target = text[of.end() :], of[1]
            self.mutations.append((MessageType(word), target, text))


class _Performance:
    """One turn by a script."""

    def __init__(self, turn: EngineTurn, script: Script) -> None:
        self._turn, self._script = turn, script
        self._said = False
        self._ids: dict[str, str] = {}
        """What an update or a delete can act on."""
        if any(target == "previous" for _, target, _ in script.mutations):
            for message in turn.history:
                if message.message_type is MessageType.RESULT:
                    self._ids["previous"] = message.id

    async def _say(self, message_type: MessageType, content: str, *, state: State, **more: Any) -> Message:
        if self._said and self._script.delay:
            await asyncio.sleep(self._script.delay)
        self._said = True
        return await self._turn.say(message_type, content, state=state, **more)

    async def run(self) -> None:
        turn, script = self._turn, self._script
        if script.drop_after and isinstance(turn, CanDrop):
            turn.drop_after(script.drop_after)
        await self._say(MessageType.INFO, "Transfer", state=State.CALLING_TOOL, actor="orchestrator")
        await self._say(MessageType.INFO, "Executing echo", state=State.RUNNING_AGENT, actor="orchestrator")
        if script.messages:
            await self._burst()
        else:
            await self._think()
        if script.unknown_enum:
            await self._say(
                MessageType("hologram"), "A message of a type to come.", state=State("dreaming"),
                role=Role("oracle"), unknown={"aura": {"hue": 0.5}},
                status_code=script.unknown_status,
            )  # fmt: skip
        outputs = [await self._call(name, arguments) for name, arguments in script.calls]
        outputs += [await self._confirm(question) for question in script.confirmations]
        if script.error:
            await self._fail(*script.error)
            return
        await self._result("\n".join(filter(None, [script.text, *outputs])))
        for mime_type, content in script.typed:
            await self._say(MessageType.RESULT, content, state=State.AGENT_DONE, role=Role.AGENT, mime_type=mime_type)
        for title, content in script.sources:
            await self._say(MessageType.SOURCE, content, state=State.GROUNDING, role=Role.AGENT, title=title)
        for kind, target, text in script.mutations:
            await self._say(kind, text, state=State.GROUNDING, role=Role.AGENT, parent=self._ids.get(target))

    async def _burst(self) -> None:
        script, say = self._script, self._turn.say
        content = ("x" * 63 + " ") * (script.size // 64 + 1)
        for number in range(script.messages):
            text = f"{number} {content}"[: script.size]
            if script.delay:
                await self._say(script.kind, text, state=State.THINKING, role=Role.AGENT)
            else:
                await say(script.kind, text, state=State.THINKING, role=Role.AGENT)

    async def _think(self) -> None:
        text = f"The prompt has {len(self._turn.prompt)} characters. Repeating it."
        group = await self._pieces(MessageType.THINKING, _split(text), State.THINKING)
        thought = await self._say(
            MessageType.THINKING, text, state=State.THINKING, role=Role.AGENT, title="Echo", group=group
        )
        self._ids["thinking"] = thought.id

    async def _result(self, text: str) -> None:
        pieces = _split(text)
        if self._script.pieces:
            pieces = _many(text, self._script.pieces)
            text = "".join(pieces)
        group = await self._pieces(MessageType.RESULT, pieces, State.ANSWERING)
        result = await self._say(MessageType.RESULT, text, state=State.AGENT_DONE, role=Role.AGENT, group=group)
        self._ids["result"] = result.id

    async def _pieces(self, kind: MessageType, pieces: list[str], state: State) -> str | None:
        """Say them, if that was asked for; gives the group that they share with the whole."""
        if not (self._script.partial and self._turn.partial):
            return None
        group = secrets.token_hex(16)
        for piece in pieces:
            await self._say(kind, piece, state=state, role=Role.AGENT, status_code=206, group=group)
        return group

    async def _call(self, name: str, arguments: dict[str, Any]) -> str:
        outcome = await self._turn.call_local_tool(name, arguments)
        return f"{name} failed: {outcome.output}" if outcome.is_error else outcome.output

    async def _confirm(self, question: Question) -> str:
        decision = await self._turn.confirm(question.prompt, question.action, within=question.within)
        said = "approved" if decision.is_approved else "denied"
        return f"{question.prompt}: {said}" + (f" ({decision.comment})" if decision.comment else "")

    async def _fail(self, code: int, fields: dict[str, Any]) -> None:
        await self._say(
            MessageType.ERROR,
            f"The prompt asked for an error {code}.",
            state=State.UNDEFINED,
            status_code=code,
            status_message="QUOTA_EXCEEDED" if code == 429 else f"Error {code}",
            unknown=fields or None,
        )


def _closing(prompt: str, start: int, *, is_json: bool) -> int:
    """Where the directive that is open at `start` ends: its content may hold brackets, in JSON also in strings."""
    depth = 0
    for token in (_JSON_TOKEN if is_json else _BRACKET).finditer(prompt, start):
        if token[0] == "[":
            depth += 1
        elif token[0] == "]":
            if depth == 0 and prompt.startswith("]]", token.start()):
                return token.start()
            depth = max(depth - 1, 0)
    return -1


def _split(text: str) -> list[str]:
    """Pieces of a few words; joined they are the text."""
    return [match.group() for match in re.finditer(r"\S*\s*\S*\s*\S*\s*", text) if match.group()]


def _many(text: str, count: int) -> list[str]:
    """So many pieces: those of the text, then numbers, one a line."""
    pieces = _split(text + "\n\n" if text else "")[:count]
    return [*pieces, *(f"piece {number}\n" for number in range(len(pieces) + 1, count + 1))]


def _number(text: str, largest: int) -> int:
    number = int(text)
    if not 0 <= number <= largest:
        raise ValueError(f"{text}: use 0 to {largest}")
    return number


def _plain(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
