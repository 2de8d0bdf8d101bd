"""The endpoint's key in what the model says: an endpoint may say back what it was sent, and a notebook is saved."""

from __future__ import annotations

from typing import Any, cast

from secgemini_jupyter.errors import Secret
from secgemini_jupyter.local_server.engines.base import EngineTurn
from secgemini_jupyter.models import Message, MessageType

SHORTEST = 8
"""Shorter keys are words such as "ollama", which nobody needs to hide."""


class KeyGuard:
    """Takes one key out of texts, as it is or percent-encoded."""

    def __init__(self, key: Secret | None) -> None:
        self.key = key if key and len(key.reveal()) >= SHORTEST else None

    def __call__(self, text: str) -> str:
        return self.key.redact(text) if self.key and self.key.may_be_in(text) else text

    def pieces(self) -> KeyFilter:
        return KeyFilter(self)

    def turn(self, turn: EngineTurn) -> EngineTurn:
        """The same turn, in none of whose messages the key is said."""
        return cast(EngineTurn, _GuardedTurn(turn, self)) if self.key else turn

    def begins_at(self, text: str) -> int:
        """Where at the end of a text the key may begin whose rest is still to come."""
        if not self.key:
            return len(text)
        for start in range(max(len(text) - 3 * len(self.key.reveal()), 0), len(text)):
            if _is_beginning(text, start, self.key):
                return start
        return len(text)


class KeyFilter:
    """Text in pieces, wherever they are cut: what may be the beginning of the key waits for more."""

    def __init__(self, guard: KeyGuard) -> None:
        self._guard, self._rest = guard, ""

    def feed(self, text: str) -> str:
        text = self._guard(self._rest + text)
        end = self._guard.begins_at(text)
        self._rest = text[end:]
        return text[:end]

    def end(self) -> str:
        rest, self._rest = self._rest, ""
        return rest


class _GuardedTurn:
    def __init__(self, turn: EngineTurn, guard: KeyGuard) -> None:
        self._turn, self._guard = turn, guard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._turn, name)

    async def say(self, message_type: MessageType, content: str, **fields: Any) -> Message:
        for name in ("title", "actor"):
            if isinstance(fields.get(name), str):
                fields[name] = self._guard(fields[name])
        return await self._turn.say(message_type, self._guard(content), **fields)


def _is_beginning(text: str, position: int, key: Secret) -> bool:
    """Whether the text from there to its end is the beginning of the key, which is ASCII."""
    for char in key.reveal():
        if position >= len(text):
            return True
        encoded = f"%{ord(char):02x}"
        if text[position] == char and not (char == "%" and text[position : position + 3].lower() == encoded):
            position += 1
        elif text[position] == "%":
            part = text[position : position + 3].lower()
            if not encoded.startswith(part):
                return False
            position += 3
        else:
            return False
    return position > len(text)  # the last character is not whole
