"""The analyst: deterministic tools, chosen from the prompt, each call shown. It never invents."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst import planner
from secgemini_jupyter.local_server.analyst.logs.tables import TIME_LIMIT as TABLE_TIME_LIMIT
from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.tool import Attached, Call, Request, ToolFailure, subject
from secgemini_jupyter.local_server.analyst.toolbox import switched_off, tools, toolsets
from secgemini_jupyter.local_server.analyst.workers import Workers
from secgemini_jupyter.local_server.engines.base import EngineTurn, StoredAttachment, StoredTable
from secgemini_jupyter.models import MessageType, ModelInfo, Role, State

SNIFF_BYTES = 1024 * 1024
MAX_SHOWN_ARGUMENT = 20_000
MAX_RESULT = 250_000
PIECE = 60
"""Characters of a 206 piece, about."""


class AnalystEngine:
    """`start()` may be awaited to have a worker warm before the first prompt."""

    actor = "local analyst"
    model = ModelInfo(
        model_name="local-analyst",
        version="1",
        model_string="local-analyst-1",
        description="Deterministic security tools on this machine: offline, no language model.",
        toolsets=toolsets(),
    )

    def __init__(self, workers: Workers | None = None) -> None:
        self._workers = workers or Workers()
        self._kinds: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def start(self) -> None:
        await self._workers.start()

    async def aclose(self) -> None:
        await self._workers.aclose()

    async def answer(self, turn: EngineTurn) -> None:
        await turn.say(MessageType.INFO, "Transfer", state=State.CALLING_TOOL)
        request = await self._request(turn)
        plan = planner.plan_for(request)
        off = switched_off(turn.model)
        left_out = list(dict.fromkeys(call.tool for call in plan.calls if call.tool in off))
        why = " ".join(filter(None, [plan.why, _left_out(left_out), _other_language(turn.language)]))
        await self._say_whole(turn, MessageType.THINKING, why, State.PLANNING, title="Plan")
        outcomes = [(call, await self._run(turn, call)) for call in plan.calls if call.tool not in off]
        if plan.literal is not None:
            text = plan.literal
        elif left_out and not outcomes:
            text = _left_out(left_out)
        else:
            text = _answer(request, outcomes, off)
        if turn.lost_table and not plan.literal:
            text += (
                f"\n\nThe logs table {code(turn.lost_table)} is not here any more: upload the log and attach it again."
            )
        await self._say_whole(turn, MessageType.RESULT, text, State.AGENT_DONE)

    async def _request(self, turn: EngineTurn) -> Request:
        prompt = turn.prompt.encode("utf-8", "replace").decode("utf-8")
        latest = {each.info.name: each for each in turn.attachments}  # of two files with one name the last counts
        attached = []
        for each in latest.values():
            kind = await self._kind(each)
            attached.append(Attached(each.info.name, kind["kind"], len(each.content), kind["has_logins"], each.is_new))
        request = replace(planner.request_of(prompt, attached), table=await self._table(turn))
        if "\n" in request.pasted or request.pasted.startswith("{"):
            kind = await self._sniff(request.pasted.encode())
            request = replace(request, pasted_kind=kind["kind"], pasted_has_logins=kind["has_logins"])
        return request

    async def _table(self, turn: EngineTurn) -> Attached | None:
        """The session's logs table, as the planner sees it; what it is, is remembered while it does not grow."""
        table = turn.logs_table
        if table is None:
            return None
        key = f"{table.hash} {table.lines}"
        if key not in self._kinds:
            try:
                self._kinds[key] = await self._workers.run("sniff_table", {}, {}, await _source(table))
            except ToolFailure:
                return Attached(table.hash, "log/jsonl", table.size, is_new=table.is_new)
            self._forget_kinds()
        kind = self._kinds[key]
        return Attached(table.hash, kind["kind"], table.size, kind["has_logins"], table.is_new)

    def _forget_kinds(self) -> None:
        if len(self._kinds) > 512:
            self._kinds.popitem(last=False)

    async def _kind(self, attachment: StoredAttachment) -> dict[str, Any]:
        """What the attachment is, remembered by its hash."""
        key = attachment.info.sha256
        if not key:
            return await self._sniff(attachment.content[:SNIFF_BYTES])
        if key not in self._kinds:
            self._kinds[key] = await self._sniff(attachment.content[:SNIFF_BYTES])
            self._forget_kinds()
        return self._kinds[key]

    async def _sniff(self, content: bytes) -> dict[str, Any]:
        try:
            found = await self._workers.run("sniff", {}, {"it": content})
        except ToolFailure:
            return {"kind": "application/octet-stream", "has_logins": False}
        kind: dict[str, Any] = found["it"]
        return kind

    async def _run(self, turn: EngineTurn, call: Call) -> dict[str, Any]:
        """Run one call and show it: what was asked, and all that came back. All its messages share one group."""
        group, call_id = uuid.uuid4().hex, f"call_{uuid.uuid4().hex[:12]}"
        title = call.tool.replace("_", " ").title()
        await turn.say(MessageType.INFO, f"Calling {title}", state=State.CALLING_TOOL, group=group)
        await self._debug(turn, State.CALLING_TOOL, group, id=call_id, name=call.tool, args=_shown(call.arguments))
        outcome = await self._outcome(turn, call)
        await turn.say(MessageType.INFO, f"Processing {title} result", state=State.TOOL_RESULT, group=group)
        await self._debug(turn, State.TOOL_RESULT, group, id=call_id, name=call.tool, response=outcome)
        return outcome

    async def _outcome(self, turn: EngineTurn, call: Call) -> dict[str, Any]:
        name = call.arguments.get("file")
        files = {each.info.name: each.content for each in turn.attachments if each.info.name == name}
        table = turn.logs_table if "table" in call.arguments else None
        source, limit = (await _source(table), TABLE_TIME_LIMIT) if table else (None, None)
        try:
            return {"result": await self._workers.run(call.tool, call.arguments, files, source, limit)}
        except ToolFailure as failure:
            return {"error": str(failure)}

    async def _debug(self, turn: EngineTurn, state: State, group: str, **content: Any) -> None:
        await turn.say(
            MessageType.DEBUG,
            msgspec.json.encode(content).decode(),
            state=state,
            mime_type="text/serialized-json",
            group=group,
        )

    async def _say_whole(
        self, turn: EngineTurn, message_type: MessageType, text: str, state: State, *, title: str | None = None
    ) -> None:
        """One message; before it, for those who asked, its pieces."""
        group = uuid.uuid4().hex
        statuses = [(piece, 206, "Partial Content") for piece in pieces(text)] if turn.partial else []
        for content, status, reason in [*statuses, (text, 200, "OK")]:
            await turn.say(
                message_type,
                content,
                state=state,
                role=Role.AGENT,
                title=title,
                group=group,
                status_code=status,
                status_message=reason,
            )


async def _source(table: StoredTable) -> dict[str, Any]:
    """What a worker needs to open the table."""
    return {"hash": table.hash, "where": await asyncio.to_thread(table.load)}


def pieces(text: str, size: int = PIECE) -> list[str]:
    """`text` cut after spaces into pieces of about `size` characters; joined they are the text."""
    return re.findall(rf"(?s).{{1,{size}}}(?:\s|\Z)|.{{1,{size}}}", text)


def _shown(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the turn shows them: the prompt is there already, so a very long text is cut."""
    return {
        name: f"{value[:MAX_SHOWN_ARGUMENT]}… ({len(value) - MAX_SHOWN_ARGUMENT:,} more characters)"
        if isinstance(value, str) and len(value) > MAX_SHOWN_ARGUMENT
        else value
        for name, value in arguments.items()
    }


def _left_out(names: list[str]) -> str:
    """That tools which fit are not used, since the session's model has their toolsets switched off."""
    listed = ", ".join(f"`{name}`" for name in names)
    return f"Switched off in this session, and not used: {listed}." if names else ""


def _other_language(tag: str) -> str:
    """The analyst's sentences are fixed: it says so rather than pretend."""
    return "" if tag.lower().startswith("en") else f"This session asks for {code(tag)}; I answer in English alone."


def _answer(request: Request, outcomes: list[tuple[Call, dict[str, Any]]], off: set[str]) -> str:
    if not outcomes:
        return planner.nothing_fits(request, off)
    if request.wish.as_json:
        return _as_json(outcomes)
    parts = []
    for call, outcome in outcomes:
        if "error" in outcome:
            parts.append(f"`{call.tool}` has no answer for {subject(call.arguments)}: {code(outcome['error'], 600)}")
        else:
            parts.append(tools()[call.tool].answer(outcome["result"], request.wish))
    text = "\n\n".join(parts)
    if len(text) > MAX_RESULT:
        text = text[:MAX_RESULT] + f"\n\n({len(text) - MAX_RESULT:,} more characters)"
    return text


def _as_json(outcomes: list[tuple[Call, dict[str, Any]]]) -> str:
    """One tool's result alone, several by their tools' names."""
    results = [outcome.get("result", {"error": outcome.get("error")}) for _, outcome in outcomes]
    whole: Any = results[0]
    if len(results) > 1:
        whole = [{"tool": call.tool, **outcome} for call, outcome in outcomes]
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()
