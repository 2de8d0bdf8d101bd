"""An endpoint's answer, put together from what it streams. No I/O; endpoints differ, so everything is optional."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from secgemini_jupyter.models import Usage

MAX_LINE = 2 * 2**20
MAX_TEXT = 400_000
"""Characters of one answer, of its thinking, of one call's arguments: a session's frame holds less than 1 MiB."""
MAX_WORDS = 600
"""Characters of an error's words."""
MAX_CALLS = 32
MAX_TOKENS = 10**9
"""A count beyond it is no count."""
_LINE_END = re.compile(r"\r\n|\n|\r(?!\Z)")


class Unreadable(Exception):
    """What came is no answer; the message says why, without quoting it."""


class Failed(Exception):
    """The endpoint said in its answer that it failed, in its own words."""


class EventLines:
    """Bytes of a `text/event-stream` in, the data of its events out. Comments and other fields are left out."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes, *, is_last: bool = False) -> Iterator[str]:
        """
        Raises:
            Unreadable: an event is too long.
        """
        begin = max(len(self._rest) - 1, 0)  # what was looked through already is not looked through again
        self._rest += self._decoder.decode(chunk, is_last) + "\n\n" * is_last
        position = 0
        for end in _LINE_END.finditer(self._rest, begin):
            line, position = self._rest[position : end.start()], end.end()
            if line.startswith("data:"):
                self._data.append(line[5:].removeprefix(" "))
                self._size += len(line)
            elif not line and self._data:
                yield "\n".join(self._data)
                self._data, self._size = [], 0
        self._rest = self._rest[position:]
        if len(self._rest) + self._size > MAX_LINE:
            raise Unreadable("an event of its stream is too long")


@dataclass
class AskedCall:
    """A call as the model wrote it; `arguments` is JSON text, which may be wrong."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    parts: list[str] = field(default_factory=list)
    """Of the arguments, while they come."""
    size: int = 0


@dataclass
class Reply:
    """What has come of one answer.

    Attributes:
        is_whole: the endpoint said that it is the end.
        is_cut: it was longer than what is taken.
        calls_left_out: deltas of calls beyond those that are taken.
    """

    calls: list[AskedCall] = field(default_factory=list)
    finish: str = ""
    usage: Usage | None = None
    is_whole: bool = False
    is_cut: bool = False
    calls_left_out: int = 0
    _texts: list[str] = field(default_factory=list)
    _thoughts: list[str] = field(default_factory=list)
    _sizes: dict[str, int] = field(default_factory=dict)
    _by_index: dict[int, AskedCall] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def has_begun(self) -> bool:
        return bool(self._texts or self._thoughts or self.calls)

    @property
    def progress(self) -> tuple[int, ...]:
        """Grows with whatever is part of the answer, and with nothing else."""
        in_calls = sum(call.size + len(call.name) for call in self.calls)
        return sum(self._sizes.values()), in_calls, self.calls_left_out, self.is_whole

    def take(self, data: str) -> tuple[str, str]:
        """One event; gives the text and the thinking that are new.

        Raises:
            Unreadable: it is no JSON object.
            Failed: it is an error.
        """
        if data.strip() == "[DONE]":
            self.is_whole = True
            return "", ""
        try:
            value = json.loads(data)  # takes what msgspec does not: NaN, half of a surrogate pair
        except (ValueError, RecursionError):
            raise Unreadable("an event of its stream is no JSON") from None
        return self.take_object(value)

    def take_object(self, value: object) -> tuple[str, str]:
        """The same for an event that is read already, or for a whole answer, which has messages for deltas."""
        if not isinstance(value, dict):
            raise Unreadable("an event of its stream is no JSON object")
        if error := value.get("error"):
            raise Failed(words_of(error) or "it names no reason")
        self.usage = _usage(value.get("usage")) or self.usage
        choices = value.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return "", ""
        choice = choices[0]
        if isinstance(finish := choice.get("finish_reason"), str) and finish:
            self.finish, self.is_whole = finish[:40], True
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, dict):
            return "", ""
        self._take_calls(delta)
        thought = delta.get("reasoning_content") or delta.get("reasoning") or delta.get("thinking")
        text = _text(delta.get("content")) or _text(delta.get("refusal")) or _text(choice.get("text"))
        return self._grown("text", self._texts, text), self._grown("thinking", self._thoughts, _text(thought))

    def _grown(self, name: str, parts: list[str], more: str) -> str:
        size = self._sizes.get(name, 0)
        fitting = more[: max(MAX_TEXT - size, 0)]
        self.is_cut = self.is_cut or len(fitting) < len(more)
        self._sizes[name] = size + len(fitting)
        if fitting:
            parts.append(fitting)
        return fitting

    def finished(self, clean: Callable[[str], str]) -> Reply:
        """The same, with the arguments of its calls put together, and calls cleaned of what must not be in them."""
        for call in self.calls:
            call.id, call.name, call.arguments = clean(call.id), clean(call.name), clean("".join(call.parts))
        return self

    def _take_calls(self, delta: dict[str, Any]) -> None:
        deltas = delta.get("tool_calls")
        if not isinstance(deltas, list):
            old = delta.get("function_call")  # the form before tools
            deltas = [{"function": old}] if isinstance(old, dict) else []
        for each in deltas:
            if isinstance(each, dict):
                self._take_call(each)

    def _take_call(self, delta: dict[str, Any]) -> None:
        function = delta.get("function")
        function = function if isinstance(function, dict) else delta
        name, arguments, call_id = function.get("name"), function.get("arguments"), delta.get("id")
        call = self._call(delta.get("index"), call_id, name)
        if call is None:
            self.calls_left_out += 1
            return
        if isinstance(call_id, str) and not call.id:
            call.id = _valid(call_id[:100])
        if isinstance(name, str) and not call.name:
            call.name = _valid(name[:200])
        if arguments is not None and not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        if arguments:
            fitting = arguments[: MAX_TEXT - call.size]
            self.is_cut = self.is_cut or len(fitting) < len(arguments)
            call.parts.append(fitting)
            call.size += len(fitting)

    def _call(self, index: object, call_id: object, name: object) -> AskedCall | None:
        """The call that a delta belongs to: by index, else by id, else the last one, unless it names a tool."""
        is_named = isinstance(name, str) and name != ""
        if isinstance(index, int) and not isinstance(index, bool):
            known = self._by_index.get(index)
            # Some endpoints send whole calls, each as number 0.
            if known and not (is_named and call_id and known.id and call_id != known.id):
                return known
            return self._new(index)
        if isinstance(call_id, str) and call_id:
            return next((call for call in self.calls if call.id == call_id), None) or self._new(None)
        return self._new(None) if is_named or not self.calls else self.calls[-1]

    def _new(self, index: int | None) -> AskedCall | None:
        if len(self.calls) >= MAX_CALLS:
            return None
        call = AskedCall()
        self.calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call


def words_of(error: object, limit: int = MAX_WORDS) -> str:
    """The text of an error object, whatever its form."""
    if isinstance(error, str):
        return error[:limit]
    if isinstance(error, list) and error:  # Gemini's endpoint wraps its errors in a list
        return words_of(error[0], limit)
    if isinstance(error, dict):
        for name in ("error", "message", "detail", "msg", "code"):
            if name in error and (words := words_of(error[name], limit)):
                return words
    return ""


def _text(content: object) -> str:
    """Text of a message or a delta: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return ""


def _usage(value: object) -> Usage | None:
    """Tokens as the endpoint counts them; None where it gives none that can be read."""
    if not isinstance(value, dict):
        return None

    def number(where: object, name: str) -> int:
        found = where.get(name) if isinstance(where, dict) else None
        if type(found) is not int:
            return 0
        return found if 0 <= found <= MAX_TOKENS else -1

    prompt, generated, total = (number(value, f"{name}_tokens") for name in ("prompt", "completion", "total"))
    if min(prompt, generated, total) < 0 or not (prompt or generated or total):
        return None
    cached = number(value.get("prompt_tokens_details"), "cached_tokens")
    return Usage(
        prompt_tokens=prompt,
        generated_tokens=generated,
        total_tokens=max(total, prompt + generated),  # more than the sum where thoughts are counted apart
        cached_token_count=cached if 0 <= cached <= prompt else 0,
        thoughts_token_count=max(number(value.get("completion_tokens_details"), "reasoning_tokens"), 0),
    )


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
