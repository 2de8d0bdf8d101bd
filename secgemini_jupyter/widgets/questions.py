"""What a running turn asks a person: may this tool run with these arguments? Kept until somebody answers."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from secgemini_jupyter.errors import InputError, without_keys
from secgemini_jupyter.models import Message
from secgemini_jupyter.render.text import count, one_line, safe_text, utc
from secgemini_jupyter.tools import NOBODY, Unasked

if TYPE_CHECKING:
    from secgemini_jupyter.widgets.host import ChatSession

__all__ = ["Question", "Questions"]

PATIENCE = 290.0
"""Seconds until a question that nobody answers is answered with no: our own service waits 300 s for a tool."""
CONFIRMATION_PATIENCE = 110.0
"""The same for a confirmation: our own service takes no answer for a no after 120 s."""
MAY_RUN, MAY_CONFIRM, NO_ARGUMENTS = "Run on this machine?", "The service asks", "No arguments."
EXPIRES = "Denied at {} if nobody answers."
IN_A_LINE = 2_000
"""Characters of one value where it stands on one line."""
SHOWN = 100_000
"""Characters of the arguments of one call that a person is shown."""
SPARE = 1_000
"""Characters beyond a cut in which a key is still looked for."""
MAX_ARGUMENTS = 100
FEW_LINES, FEW_CHARACTERS = 8, 400
"""What of one value a view shows without scrolling, about."""
PROMPT = 2_000
"""Characters of a question's line; a longer one is shown among the arguments, too."""


@dataclass(frozen=True)
class Question:
    """One question, in words that are safe to show; they are exact, not defanged: what is approved is what runs.

    Attributes:
        name: of the tool, or what the service asks.
        arguments: pairs of a name and a value.
        expires_at: Unix seconds.
    """

    kind: Literal["tool", "confirmation"]
    name: str
    arguments: tuple[tuple[str, str], ...]
    expires_at: float
    tool: str = ""
    """Its name as it is, for comparing."""
    lines: tuple[str, ...] = ()
    """The arguments, each on a line of its own: JSON, so that a line in one cannot pass for another one."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    answer: Future[bool] = field(default_factory=Future, repr=False, compare=False)

    def check_in_time(self) -> None:
        """
        Raises:
            Unasked: whoever asked does not wait any more, so that a yes would come too late. By the clock on the wall:
                a machine that slept has kept nobody waiting.
        """
        if time.time() > self.expires_at:
            raise Unasked(f"nobody answered until {utc(self.expires_at)[11:]}")

    def as_text(self, verdict: str = "") -> str:
        """For a terminal, or a cell: the question in the chat's words, and what became of it."""
        head = f"{MAY_RUN} {self.name}" if self.kind == "tool" else f"{MAY_CONFIRM}: {self.name}"
        nothing = (f"    {NO_ARGUMENTS}",) if self.kind == "tool" else ()
        lines = tuple(f"    {line}" for line in self.lines) or nothing
        return "\n".join((head, *lines, f"→ {verdict}" if verdict else EXPIRES.format(utc(self.expires_at)[11:])))


class Asker(Protocol):
    """Somebody who can be asked in the calling thread, while it waits for the turn."""

    def can_ask(self) -> bool: ...

    def ask(self, question: Question) -> bool: ...


class Questions:
    """The open questions of one session, for as long as somebody watches; nobody there means no.

    Args:
        patience: seconds that a question waits.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._open: dict[str, Question] = {}
        self._watchers: list[Callable[[], None]] = []
        self.here: Asker | None = None

    @classmethod
    def of(cls, session: ChatSession) -> Questions:
        """The questions of this session. A function of the user's that answers for them stays in charge."""
        for asked in (session.approve, session.confirm):
            owner = getattr(asked, "__self__", None)
            if isinstance(owner, Questions):
                return owner
        made = cls()
        session.approve = session.approve or made.approve
        session.confirm = session.confirm or made.confirm
        return made

    @property
    def open(self) -> list[Question]:
        """Oldest first."""
        with self._lock:
            return list(self._open.values())

    @property
    def has_other_watchers(self) -> bool:
        """Whether somebody watches beside the one who asks this."""
        with self._lock:
            return len(self._watchers) > 1

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed()` called when a question comes or goes; gives what ends it.

        When the last watcher leaves, nobody could answer any more: what is open is answered with no.
        """
        with self._lock:
            self._watchers.append(changed)

        def end() -> None:
            with self._lock:
                if changed in self._watchers:
                    self._watchers.remove(changed)
                left = [] if self._watchers else list(self._open)
            for question_id in left:
                self._settle(question_id, approve=False)

        return end

    def decide(self, question_id: str, *, approve: bool) -> None:
        """Answer a question, from any thread.

        Raises:
            InputError: it is not open.
        """
        if not self._settle(question_id, approve=approve):
            raise InputError("This question is not open any more: it was answered, stopped, or waited too long.")

    def _settle(self, question_id: str, *, approve: bool) -> bool:
        """Whether this was the answer: another view may have been quicker, a stopped turn has cancelled it."""
        with self._lock:
            question = self._open.pop(question_id, None)
        if question is None or not question.answer.set_running_or_notify_cancel():
            return False
        try:
            question.check_in_time()
        except Unasked as why:
            question.answer.set_exception(why)
            return False
        question.answer.set_result(approve)
        return True

    def give_up(self, question_id: str, why: str) -> None:
        """Nobody can answer it after all: the call is denied, and the service told so."""
        with self._lock:
            question = self._open.pop(question_id, None)
        if question is not None and question.answer.set_running_or_notify_cancel():
            question.answer.set_exception(Unasked(why))

    def approve(self, name: str, arguments: dict[str, Any]) -> bool | Awaitable[bool]:
        """For `session.approve`.

        Raises:
            Unasked: nobody watches, or nobody answered in time.
        """
        if self.here is not None and self.here.can_ask():
            return self._ask_here(self.here, "tool", name, arguments)
        return self._ask("tool", name, arguments, self._patience)

    def confirm(self, message: Message) -> bool | Awaitable[bool]:
        """For `session.confirm`.

        Raises:
            Unasked: nobody watches, or nobody answered in time.
        """
        if self.here is not None and self.here.can_ask():
            return self._ask_here(self.here, "confirmation", *_wanted(message))
        return self._confirm(message)

    async def _confirm(self, message: Message) -> bool:
        prompt, wanted = await asyncio.to_thread(_wanted, message)
        return await self._ask("confirmation", prompt, wanted, min(self._patience, CONFIRMATION_PATIENCE))

    def _ask_here(self, here: Asker, kind: Literal["tool", "confirmation"], name: str, arguments: Any) -> bool:
        """In this thread; views of the session show it meanwhile, and one of them may be quicker."""
        patience = self._patience if kind == "tool" else min(self._patience, CONFIRMATION_PATIENCE)
        question = _question(kind, name, arguments, patience)
        with self._lock:
            self._open[question.id] = question
        try:
            self._tell()
            said = here.ask(question)
            return question.answer.result() if question.answer.done() else said
        finally:
            with self._lock:
                self._open.pop(question.id, None)
            self._tell()

    async def _ask(
        self, kind: Literal["tool", "confirmation"], name: str, arguments: dict[str, Any], patience: float
    ) -> bool:
        # A frame may hold many megabytes: other turns run on this loop.
        question = await asyncio.to_thread(_question, kind, name, arguments, patience)
        with self._lock:
            if not self._watchers:
                raise Unasked(NOBODY)
            self._open[question.id] = question
        try:
            self._tell()
            async with asyncio.timeout(patience):
                return await asyncio.wrap_future(question.answer)
        except TimeoutError:
            raise Unasked(f"nobody answered within {patience:g} s") from None
        finally:
            with self._lock:
                self._open.pop(question.id, None)
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            watchers = list(self._watchers)
        for changed in watchers:
            changed()


def _question(kind: Literal["tool", "confirmation"], name: str, arguments: Any, patience: float) -> Question:
    line = _line(name, 200 if kind == "tool" else PROMPT)
    return Question(kind, line, _in_words(arguments), time.time() + patience, name, _in_lines(arguments))


def _wanted(message: Message) -> tuple[str, dict[str, Any]]:
    """What a confirmation asks, and what for."""
    wanted = _object(message.content or "")
    prompt = str(wanted.pop("prompt", "")) or message.title or "The service asks for a confirmation."
    if wanted.get("options") == ["approve", "deny"]:  # what the buttons say
        del wanted["options"]
    return prompt, wanted if len(prompt) <= PROMPT else {"prompt": prompt, **wanted}


def _object(content: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {"prompt": content}
    return value if isinstance(value, dict) else {"prompt": content}


def _in_words(arguments: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Names and values as a person reads them; what is cut is said, for it runs too."""
    shown: list[tuple[str, str]] = []
    left = SHOWN
    for key, value in list(arguments.items())[:MAX_ARGUMENTS]:
        whole = _value(value)
        # Cut first, for the rest may be long; a key that the cut would halve still goes.
        words = safe_text(without_keys(whole[: left + SPARE]))
        hidden = max(len(whole), len(words)) - left
        if hidden > 0:
            words = words[:left] + f"\n[{count(hidden, 'more character')}, not shown: deny if in doubt]"
        left = max(0, left - len(words))
        shown.append((_line(str(key), 100) + _extent(whole), words))
    if len(arguments) > MAX_ARGUMENTS:
        more = count(len(arguments) - MAX_ARGUMENTS, "more argument")
        shown.append(("…", f"[{more}, not shown: deny if in doubt]"))
    return tuple(shown)


def _in_lines(arguments: dict[str, Any]) -> tuple[str, ...]:
    """The same, each argument on one line."""
    lines: list[str] = []
    left = 10 * IN_A_LINE
    for key, value in list(arguments.items())[:MAX_ARGUMENTS]:
        whole, limit = _json(value, indent=None), min(IN_A_LINE, left)
        words = safe_text(without_keys(whole[: limit + SPARE])).replace("\n", "␊")
        hidden = max(len(whole), len(words)) - limit
        if hidden > 0:
            words = words[:limit] + f"… [{count(hidden, 'more character')}, not shown: deny if in doubt]"
        left = max(0, left - len(words))
        lines.append(f"{_line(str(key), 100)} = {words}")
    if len(arguments) > MAX_ARGUMENTS:
        more = count(len(arguments) - MAX_ARGUMENTS, "more argument")
        lines.append(f"[{more}, not shown: deny if in doubt]")
    return tuple(lines)


def _extent(whole: str) -> str:
    """How long a value is that a view has to scroll: what follows fifty empty lines shall not be missed."""
    lines = whole.count("\n") + 1
    if lines <= FEW_LINES and len(whole) <= FEW_CHARACTERS:
        return ""
    return f" ({count(lines, 'line')}, {count(len(whole), 'character')})"


def _line(text: str, limit: int) -> str:
    return one_line(without_keys(text[: limit + SPARE]), limit)


def _value(value: Any) -> str:
    """Text of several lines as it is; everything else as JSON, where `"5"` and `5` differ."""
    if isinstance(value, str) and "\n" in value:
        return value
    return _json(value, indent=1)


def _json(value: Any, indent: int | None) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    except (ValueError, RecursionError):
        return repr(value)
