"""What happened on the way to an answer: thinking, tool calls and their results, agents, as one list of steps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import msgspec

from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.models import ROOT, Message, MessageType, State, read_json
from secgemini_jupyter.render.text import one_line

__all__ = ["ARGUMENTS", "OUTPUTS", "Step", "Steps", "confirmation_words", "is_hand_over", "tool_object"]

Kind = Literal["tool", "confirmation", "thinking", "error", "source", "other"]
Match = Literal["exact", "order", "none"]
ARGUMENTS = ("tool_args", "args", "arguments")
OUTPUTS = ("response", "output", "result", "content")
"""Keys of a call and of a result under which the values are."""
_MAX_JSON = 1_000_000
# Looking up an enum's member costs more than the comparison.
_END, _CALLING_TOOL, _TOOL_RESULT = State.END, State.CALLING_TOOL, State.TOOL_RESULT
_LOCAL_CALL, _LOCAL_RESULT = MessageType.LOCAL_TOOL_CALL, MessageType.LOCAL_TOOL_RESULT
_ASKED, _DECIDED = MessageType.CONFIRMATION_REQUEST, MessageType.CONFIRMATION_RESPONSE
_NO_STEPS = frozenset({MessageType.QUERY, MessageType.RESULT})
_CALLING = re.compile(r"\Acalling\s+", re.IGNORECASE)
_PROCESSING = re.compile(r"processing\s+(.{1,80}?)\s+result\s*$", re.IGNORECASE)
_MAX_WORDS = 1_000
_DEEP = 200
"""Brackets with which JSON could be nested deeper than `read_json` allows."""
_WINDOW = 100
"""How many steps are looked at to find the call that a result belongs to."""


@dataclass(eq=False)  # two equal calls are two steps
class Step:
    """One step, its texts as they came (untrusted). Times are Unix seconds; `ok` is None while it runs.

    A confirmation is a step too: it runs until the user has approved or denied it, which is its `ok`.

    Attributes:
        kind: what it is; only a tool can run.
        name: of the tool; the title of thinking.
        detail: what a tool returned, what was thought.
        is_open: a call to which no result came yet.
        is_local: a tool that ran on the client's side.
        call_message: id of the message that told of the call first.
        result_message: id of the message that says what it returned, else of the first that says that it did.
        took: seconds that the tool itself says it took; `bytes_read` of attachments and texts it says it was given.
        match: how call and result were brought together: by an id, or by name, group and order; `none` lacks one.
    """

    kind: Kind
    name: str
    actor: str = ""
    arguments: dict[str, Any] | None = None
    detail: str = ""
    started: float = 0.0
    ended: float | None = None
    ok: bool | None = None
    call_id: str = ""
    group: str = ""
    is_open: bool = False
    is_local: bool = False
    call_message: str = ""
    result_message: str = ""
    match: Match = "none"
    took: float | None = None
    bytes_read: int | None = None

    def is_called(self, name: str) -> bool:
        """`Lookup Dns Record` is `lookup_dns_record`."""
        return self.name == name or self.name.lower().replace(" ", "_") == name.lower().replace(" ", "_")

    @property
    def in_words(self) -> str:
        """`lookup_dns_record(name="mail.example.org")`, or the title of the thought; not yet defanged."""
        if self.kind != "tool":
            return one_line(self.name, 160)
        arguments = ", ".join(f"{key}={_argument(value)}" for key, value in (self.arguments or {}).items())
        return one_line(f"{self.name}({arguments})" if self.arguments is not None else self.name, 160)

    @property
    def seconds(self) -> float | None:
        """How long it took: as the tool says, else if both ends have a time."""
        if self.took is not None:
            return self.took
        return self.ended - self.started if self.ended and self.started else None


def _amount(value: Any) -> Any:
    """A number of seconds or bytes, as the local analyst tells them beside a result."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15 else None


def _argument(value: Any) -> str:
    return one_line(json.dumps(value, ensure_ascii=False, default=str)[:400], 60)


class Steps:
    """Collects the steps of one turn, message by message."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self.items: list[Step] = []
        self.agent = ""
        self._open: list[Step] = []
        self._answers: dict[str, str] = {}
        """Group of results → group of the calls that they answer: calls made together share one, results another."""
        self._answered: set[str] = set()
        """Groups of calls to which a result came."""
        for message in messages:
            self.add(message)

    @property
    def running(self) -> Step | None:
        """The tool that runs now."""
        return self._open[-1] if self._open else None

    def add(self, message: Message) -> Step | None:
        """The step that `message` makes or goes on with; None where it is no step."""
        kind, state = message.message_type, message.state
        if kind in _NO_STEPS or state is _END:
            return None
        if message.actor and kind is not _LOCAL_RESULT and kind is not _DECIDED:
            self.agent = message.actor
        if message.status_code == 206:
            return None  # a piece: the aggregate follows
        if kind is MessageType.THINKING:
            return self._think(message)
        if kind is MessageType.ERROR:
            if message.is_error:  # it ends the turn and is its status; from the other the service recovered
                return None
            return self._note("error", message.title or "Error", message, ok=False)
        if kind is _ASKED:
            return self._ask(message)
        if kind is _DECIDED:
            return self._decide(message)
        if kind is _LOCAL_CALL or state is _CALLING_TOOL:
            return self._call(message)
        if kind is _LOCAL_RESULT or state is _TOOL_RESULT:
            return self._result(message)
        if state is State.RUNNING_AGENT:
            name = (message.content or "").strip().removeprefix("Executing ").strip()
            self.agent = one_line(name, 60) or self.agent
            return None
        if kind is MessageType.SOURCE:
            name = message.title or (message.text or "").strip().partition("\n")[0]
            return self._note("source", name or "Source", message)
        if kind in (MessageType.INFO, MessageType.DEBUG, MessageType.UPDATE, MessageType.DELETE):
            return None
        return self._note("other", message.title or str(kind).replace("_", " "), message)

    def _note(self, kind: Kind, name: str, message: Message, ok: bool | None = True) -> Step:
        detail = message.text or ""
        step = Step(kind, name, message.actor, detail=detail, started=message.created_at, ok=ok)
        self.items.append(step)
        return step

    def _think(self, message: Message) -> Step:
        name = message.title or (message.content or "").strip().partition("\n")[0] or "Thinking"
        return self._note("thinking", name, message)

    def _ask(self, message: Message) -> Step:
        value = tool_object(message)
        prompt, action = _prompt(message, value), value.get("action")
        detail = json.dumps(action, indent=1, ensure_ascii=False) if action else ""
        step = Step("confirmation", prompt, message.actor, detail=detail, started=message.created_at,
                    call_id=message.id, is_open=True, call_message=message.id)  # fmt: skip
        self.items.append(step)
        return step

    def _decide(self, message: Message) -> Step | None:
        """Tied to its request by `parent_id`; else it answers the last one that is open, for one is at a time."""
        asked = [step for step in self.items[-_WINDOW:] if step.kind == "confirmation" and step.is_open]
        step = next((step for step in asked if step.call_id == message.parent_id), asked[-1] if asked else None)
        if step is None:
            return self._note("other", "confirmation response", message)
        value = tool_object(message)
        step.is_open, step.ok, step.ended = False, value.get("decision") == "approve", message.created_at
        step.result_message = message.id
        step.detail = "\n".join(filter(None, (step.detail, str(value.get("comment") or ""))))
        return step

    def _call(self, message: Message) -> Step | None:
        value = tool_object(message)
        name = str(value.get("tool_name") or value.get("name") or message.title or "") if value else ""
        name, hands_over = _tool_name(name[:_MAX_WORDS] or _CALLING.sub("", (message.text or "").strip()[:_MAX_WORDS]))
        if hands_over:
            return None
        arguments = next((value[key] for key in ARGUMENTS if key in value), None)
        if not isinstance(arguments, dict):
            arguments = None if arguments is None else {"": arguments}
        call_id = message.id if message.message_type is _LOCAL_CALL else str(value.get("id") or "")
        # One call is told twice, as a line and as a debug frame: the second adds its arguments to the first.
        for step in reversed(self._open[-_WINDOW:]):
            told_once = (step.arguments is None) != (arguments is None)
            if told_once and step.group == message.group and step.is_called(name):
                if arguments is not None:
                    step.name, step.arguments, step.call_id = name, arguments, call_id
                return step
        step = Step("tool", name, message.actor, arguments, started=message.created_at, call_id=call_id,
                    group=message.group, is_open=True, is_local=message.message_type is _LOCAL_CALL,
                    call_message=message.id)  # fmt: skip
        self.items.append(step)
        self._open.append(step)
        return step

    def _result(self, message: Message) -> Step | None:
        value = tool_object(message)
        named = None if value else _PROCESSING.match((message.text or "")[:_MAX_WORDS].strip())
        name = str(value.get("tool_name") or value.get("name") or message.title or "") if value else ""
        name = (name or (named[1] if named else message.title or ""))[:_MAX_WORDS]
        if _tool_name(name)[1]:
            return None
        output = next((value[key] for key in OUTPUTS if key in value), None)
        if output is None and not named:
            output = message.text
        failed = message.status_code >= 400 or bool(value.get("is_error")) or "error" in value
        failed = failed or (isinstance(output, dict) and "error" in output and "result" not in output)
        ids = {message.parent_id, str(value.get("id") or "")} - {"", ROOT}
        known = self._with_id(ids) if ids else None
        step = known or self._called(name, message.group)
        if step is None and self._open and not name:
            step = self._open[0]
        if step is None:
            step = Step("tool", _tool_name(name)[0] or "tool", message.actor, group=message.group,
                        is_local=message.message_type is _LOCAL_RESULT)  # fmt: skip
            self.items.append(step)
        elif step.call_message:
            step.match = "exact" if known or step.match == "exact" else "order"
            self._answers.setdefault(message.group, step.group)
            self._answered.add(step.group)
        if step.is_open:
            self._close(step)
            step.ended, step.ok = message.created_at, True
        step.ok = not failed if step.ok is None else step.ok and not failed
        step.took = _amount(value.get("seconds")) if step.took is None else step.took
        step.bytes_read = _amount(value.get("bytes_read")) if step.bytes_read is None else step.bytes_read
        if isinstance(output, dict) and len(output) == 1:
            output = next(iter(output.values()))  # {"result": …} and {"error": …} are wrapping
        tells = output is not None and not step.detail
        if tells or not step.result_message:
            step.result_message = message.id
        if tells:
            step.detail = output if isinstance(output, str) else json.dumps(output, indent=1, ensure_ascii=False)
        return step

    def _close(self, step: Step) -> None:
        """Take `step` out of the open ones: it stands near one end, for only there it was looked for."""
        step.is_open = False
        begins = self._open[:_WINDOW]
        del self._open[begins.index(step) if step in begins else -1 - self._open[::-1].index(step)]

    def _with_id(self, ids: set[str]) -> Step | None:
        steps = (*self._open[:_WINDOW], *self.items[-_WINDOW:])
        return next((step for step in steps if step.kind == "tool" and step.call_id and step.call_id in ids), None)

    def _called(self, name: str, group: str) -> Step | None:
        """The call of this name that a result of this group answers: an open one first, and the oldest.

        Results of one group answer calls of one group; those of a new group, calls that none answered yet.
        """
        answered = self._answers.get(group)
        for steps in (self._open[:_WINDOW], self.items[-_WINDOW:]) if name else ():
            oldest = None
            for step in steps:
                if step.kind != "tool" or step.detail or not step.is_called(name):
                    continue
                if step.group == answered if answered is not None else step.group not in self._answered:
                    return step
                oldest = oldest or step
            if oldest:
                return oldest
        return None


@lru_cache(1024)
def _tool_name(name: str) -> tuple[str, bool]:
    """A tool's name on one line, and whether it is a hand-over. A session has few, and says them often."""
    name = one_line(name, 80)
    return name, is_hand_over(name)


def is_hand_over(name: str) -> bool:
    """Whether a "call" only says that another agent takes over (protocol 10.3): no tool, and no result follows."""
    return name.casefold().replace(" ", "_") in ("transfer", "transfer_to_agent")


def _prompt(message: Message, value: dict[str, Any]) -> str:
    return str(value.get("prompt") or message.title or message.text or "confirmation")


def confirmation_words(message: Message) -> str | None:
    """What a confirmation's request or answer says; None for any other message. Not yet safe to show."""
    if message.message_type is _ASKED:
        value = tool_object(message)
        action = json.dumps(value["action"], ensure_ascii=False) if value.get("action") else ""
        return f"{_prompt(message, value)} {action}".strip()
    if message.message_type is _DECIDED:
        value = tool_object(message)
        comment = str(value.get("comment") or "")
        return ("approved" if value.get("decision") == "approve" else "denied") + (f": {comment}" if comment else "")
    return None


def tool_object(message: Message) -> dict[str, Any]:
    """The JSON object that the content of a call or a result is, or an empty one."""
    content = message.text or ""
    if not content.lstrip().startswith("{") or len(content) > _MAX_JSON:
        return {}
    try:  # this decoder is ten times as fast, and the strict one: what it takes, the other reads alike
        value = msgspec.json.decode(content) if content.count("[") + content.count("{") < _DEEP else None
    except (msgspec.DecodeError, UnicodeEncodeError):
        value = None
    try:
        value = value or read_json(content, "a tool call")
    except ProtocolError:
        return {}
    return value if isinstance(value, dict) else {}
