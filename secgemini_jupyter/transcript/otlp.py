"""Turns as spans for OpenTelemetry: OTLP JSON Lines, as the collector's `otlpjsonfile` receiver reads them.

A turn is a trace: one `invoke_agent` span (which calls to a model the agent makes, the service does not tell), below it
one `execute_tool` span for each tool call. `gen_ai.conversation.id` brings the turns of a session together.

Attributes are those of OpenTelemetry's semantic conventions for generative AI (repository semantic-conventions-genai,
its main branch about v0.1.0, read on 2026-11-30). All of them are still in development: hence this map, and no column
of ours under such a name. What the conventions have no name for begins with `secgemini.`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from secgemini_jupyter._version import __version__
from secgemini_jupyter.models import said_by
from secgemini_jupyter.render.text import one_line
from secgemini_jupyter.transcript.document import Transcript
from secgemini_jupyter.transcript.keyless import keyless
from secgemini_jupyter.transcript.rows import LATEST_NS
from secgemini_jupyter.transcript.tool_calls import Call, calls_of
from secgemini_jupyter.transcript.turns import TurnSlice, time_of
from secgemini_jupyter.transcript.usage import in_and_out, models_of

__all__ = ["TOOL_ATTRIBUTES", "TOOL_CONTENT", "TURN_ATTRIBUTES", "TURN_CONTENT", "to_otlp"]

INTERNAL, CLIENT = 1, 3
"""Kinds of span."""
ERROR = 2
"""A span's status; that all went well is for the reader to say."""
OTHER = "_OTHER"
"""An `error.type` without a name of its own."""
DEPTH = 16
"""Levels of a tool's arguments that are written as structure: readers have a limit. What is below stays JSON text."""


@dataclass(frozen=True)
class Invocation:
    """A turn, and what is known of its session."""

    turn: TurnSlice
    model: str
    is_local: bool | None

    @property
    def agent(self) -> str:
        return answer.actor if (answer := said_by(self.turn.results)) else ""

    @property
    def provider(self) -> str:
        """`gcp.gen_ai` is any AI of Google; our own service is none of the names that the conventions know."""
        names = (self.model, self.agent)
        is_local = any(name.startswith("local") for name in names) if self.is_local is None else self.is_local
        return "secgemini_jupyter.local" if is_local else "gcp.gen_ai"

    @property
    def error_type(self) -> str | None:
        if self.turn.failure is None:
            return None
        code = self.turn.failure.status_code
        return str(code) if 400 <= code < 1000 else OTHER

    def tokens(self, index: int) -> int | None:
        """Which went in (0) or came out (1); None where the service told nothing."""
        return in_and_out(self.turn.usage)[index] if self.turn.usage.total_tokens else None


def _error_type(call: Call) -> str | None:
    if call.step.ok is not False:
        return None
    return "denied" if call.approval == "denied" else OTHER


def _asked(invocation: Invocation) -> Any:
    prompt = invocation.turn.prompt
    return None if prompt is None else [{"role": "user", "parts": [{"type": "text", "content": prompt}]}]


def _answered(invocation: Invocation) -> Any:
    turn = invocation.turn
    if turn.answer is None:
        return None
    reason = "stop" if turn.status == "ok" else turn.status
    return [{"role": "assistant", "parts": [{"type": "text", "content": turn.answer}], "finish_reason": reason}]


# An attribute whose value is missing or empty is not written.
TURN_ATTRIBUTES: dict[str, Callable[[Invocation], Any]] = {
    "gen_ai.operation.name": lambda _: "invoke_agent",
    "gen_ai.provider.name": lambda invocation: invocation.provider,
    "gen_ai.agent.name": lambda invocation: invocation.agent,
    "gen_ai.request.model": lambda invocation: invocation.model,
    "gen_ai.conversation.id": lambda invocation: invocation.turn.session_id,
    "gen_ai.usage.input_tokens": lambda invocation: invocation.tokens(0),
    "gen_ai.usage.output_tokens": lambda invocation: invocation.tokens(1),
    "gen_ai.usage.cache_read.input_tokens": lambda invocation: invocation.turn.usage.cached_token_count or None,
    "error.type": lambda invocation: invocation.error_type,
    "secgemini.turn.index": lambda invocation: invocation.turn.index,
    "secgemini.turn.status": lambda invocation: invocation.turn.status,
}
TURN_CONTENT: dict[str, Callable[[Invocation], Any]] = {
    "gen_ai.input.messages": _asked,
    "gen_ai.output.messages": _answered,
}
TOOL_ATTRIBUTES: dict[str, Callable[[Call], Any]] = {
    "gen_ai.operation.name": lambda _: "execute_tool",
    "gen_ai.tool.name": lambda call: call.step.name,
    "gen_ai.tool.call.id": lambda call: call.step.call_id,
    # A `function` runs at the client's side, an `extension` at the agent's.
    "gen_ai.tool.type": lambda call: "function" if call.step.is_local else "extension",
    "gen_ai.agent.name": lambda call: call.step.actor,
    "gen_ai.conversation.id": lambda call: call.turn.session_id,
    "error.type": _error_type,
    "secgemini.tool.match": lambda call: call.step.match,
}
TOOL_CONTENT: dict[str, Callable[[Call], Any]] = {
    "gen_ai.tool.call.arguments": lambda call: call.step.arguments,
    "gen_ai.tool.call.result": lambda call: call.output,
}


def to_otlp(transcript: Transcript, *, content: bool = False) -> str:
    """One line for each turn: a collector reads lines up to a limit (1 MiB, where it is not told otherwise).

    The same turn has the same ids in every export. A time that is missing is taken from the messages of the turn, and
    is 0 where none has one.

    Args:
        content: write prompts, answers, and what tools were given and returned, too. As the conventions advise, they
            are left out otherwise, and so is what an error says: telemetry has readers whom they are not meant for.
    """
    table, transcript = transcript.table, keyless(transcript)
    models = {transcript.session_id: transcript.model} if table is None else models_of(table)
    lines = []
    for turn in transcript.turns:
        invocation = Invocation(turn, models.get(turn.session_id) or "", transcript.is_local)
        spans = {"scope": _SCOPE, "spans": list(_spans(invocation, content))}
        request = {"resourceSpans": [{"resource": _RESOURCE, "scopeSpans": [spans]}]}
        lines.append(json.dumps(request, ensure_ascii=False, separators=(",", ":")) + "\n")
    return "".join(lines)


def _spans(invocation: Invocation, content: bool) -> Iterator[dict[str, Any]]:
    turn = invocation.turn
    trace = _digest(_name(turn))[:32]
    root = _digest(f"{trace} turn")[:16]
    start, end = _times(turn)
    attributes = _attributes(TURN_ATTRIBUTES | (TURN_CONTENT if content else {}), invocation)
    yield {
        "traceId": trace,
        "spanId": root,
        "name": one_line(f"invoke_agent {invocation.agent}"),
        "kind": CLIENT,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "attributes": attributes,
        "status": _status(turn.failure is not None, turn.error if content else None),
    }
    for call in calls_of(turn):
        began = _nanoseconds(call.step.started) or start
        yield {
            "traceId": trace,
            "spanId": _digest(f"{trace} tool {call.index}")[:16],
            "parentSpanId": root,
            "name": one_line(f"execute_tool {call.step.name}"),
            "kind": INTERNAL,
            "startTimeUnixNano": str(began),
            "endTimeUnixNano": str(max(began, _nanoseconds(call.step.ended) or 0)),
            "attributes": _attributes(TOOL_ATTRIBUTES | (TOOL_CONTENT if content else {}), call),
            "status": _status(call.step.ok is False, call.error if content else None),
        }


def _name(turn: TurnSlice) -> str:
    """What tells the turn from all others."""
    first = turn.messages[0]
    return f"{turn.session_id or (first.id, first.created_at, first.timestamp)}\n{turn.index}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _times(turn: TurnSlice) -> tuple[int, int]:
    """Begin and end, the end never first: clocks of both sides may disagree."""
    known = [at for message in turn.messages if (at := _nanoseconds(time_of(message)))]
    start = _nanoseconds(turn.started_at) or min(known, default=0)
    return start, max(start, _nanoseconds(turn.ended_at) or max(known, default=0))


def _nanoseconds(seconds: float | None) -> int | None:
    """Since 1970, in whole microseconds as our tables have them; None where there is no such time."""
    return round(seconds * 1e6) * 1000 if seconds and 0 < seconds < LATEST_NS else None


def _status(is_error: bool, says: str | None) -> dict[str, Any]:
    if not is_error:
        return {}
    return {"code": ERROR, "message": says} if says else {"code": ERROR}


def _attributes(wanted: Mapping[str, Callable[[Any], Any]], source: Any) -> list[dict[str, Any]]:
    values = ((name, read(source)) for name, read in wanted.items())
    return [{"key": name, "value": _value(value)} for name, value in values if value is not None and value != ""]


def _value(value: Any, depth: int = 0) -> dict[str, Any]:
    """A value as OTLP's `AnyValue`; a number that it cannot hold as text."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return {"intValue": str(value)}
    if isinstance(value, float) and math.isfinite(value):
        return {"doubleValue": value}
    if isinstance(value, (dict, list)) and depth == DEPTH:
        return {"stringValue": json.dumps(value, ensure_ascii=False, default=str)}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": str(k), "value": _value(v, depth + 1)} for k, v in value.items()]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item, depth + 1) for item in value]}}
    return {} if value is None else {"stringValue": str(value)}


_SCOPE = {"name": "secgemini_jupyter", "version": __version__}
_RESOURCE = {"attributes": _attributes({"service.name": lambda _: "secgemini-jupyter"}, None)}
