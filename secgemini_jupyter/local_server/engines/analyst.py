"""The analyst: deterministic tools, chosen from the prompt, each call shown. It never invents."""

from __future__ import annotations

import asyncio
import re
import uuid
from pathlib import Path

from secgemini_jupyter.local_server.analyst import composing, followups, going_on, planner
from secgemini_jupyter.local_server.analyst.calls import Caller
from secgemini_jupyter.local_server.analyst.earlier import past_turns
from secgemini_jupyter.local_server.analyst.looking import Looker
from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.toolbox import switched_off, toolsets
from secgemini_jupyter.local_server.analyst.warm import warm
from secgemini_jupyter.local_server.analyst.workers import Workers
from secgemini_jupyter.local_server.engines.base import EngineTurn
from secgemini_jupyter.models import MessageType, ModelInfo, Role, State, Usage

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

    def __init__(self, workers: Workers | None = None, *, data: Path | None = None) -> None:
        self._workers = workers or Workers(data=data)
        self._looker = Looker(self._workers)

    async def start(self) -> None:
        await asyncio.gather(self._workers.start(), asyncio.to_thread(warm))

    async def aclose(self) -> None:
        await self._workers.aclose()

    async def answer(self, turn: EngineTurn) -> None:
        await turn.say(MessageType.INFO, "Transfer", state=State.CALLING_TOOL)
        request = await self._looker.request(turn)
        plan = planner.plan_for(request)
        followed, past = None, None
        intent = followups.intent_of(request, plan)
        goes_on = going_on.may_go_on(request, plan)
        if intent is not None or goes_on:
            past = await asyncio.to_thread(lambda: past_turns(turn.history))
            followed = going_on.go_on(request, past) if goes_on else None
        if followed is None and intent is not None and past is not None:
            followed = followups.follow(request, intent, past)
        elif going_on.goes_on(request, plan):
            plan = going_on.narrowed(plan, await asyncio.to_thread(lambda: past_turns(turn.history)))
        if followed is not None and plan.told and followed.recalled and not followed.recalled.result["items"]:
            followed = None  # "which of these is a program?" is about what is attached, if not about what was listed
        if followed is not None:
            request = followed.request
            plan = planner.Plan(followed.calls, followed.why, request.wish)
        elif past and intent and intent.is_sure and plan.is_guess and not plan.told:
            plan = planner.Plan((), planner.why(()), request.wish)
        off = switched_off(turn.model)
        left_out = list(dict.fromkeys(call.tool for call in plan.calls if call.tool in off))
        why = " ".join(filter(None, [plan.why, _left_out(left_out), _other_language(turn.language)]))
        await self._say_whole(turn, MessageType.THINKING, why, State.PLANNING, title="Plan")
        caller = Caller(self._workers, turn)
        outcomes = await caller.run_all(request, plan.calls, is_off=off.__contains__)
        if plan.literal is not None:
            text = plan.literal
        elif followed and followed.recalled:
            await caller.record(followed.recalled.call, followed.recalled.result)
            text = followed.recalled.text
        elif plan.told:
            text = plan.told
        elif left_out and not outcomes:
            text = _left_out(left_out)
        elif intent and past is not None and not outcomes and (intent.is_sure or not past):
            text = followups.nothing_earlier(request, past)
        else:
            text = composing.compose(request, outcomes, off, planner.unanswered(plan.unanswered))
            if followed and followed.lead and not request.wish.is_bare:
                text = f"{followed.lead}\n\n{text}"
        if turn.lost_table and not plan.literal:
            text += (
                f"\n\nThe logs table {code(turn.lost_table)} is not here any more: upload the log and attach it again."
            )
        await self._say_whole(turn, MessageType.RESULT, text, State.AGENT_DONE, usage=Usage())
        await caller.show(composing.payloads(request, outcomes, text))  # below it, as a cell shows them in order

    async def _say_whole(
        self,
        turn: EngineTurn,
        message_type: MessageType,
        text: str,
        state: State,
        *,
        title: str | None = None,
        usage: Usage | None = None,
    ) -> None:
        """One message; before it, for those who asked, its pieces.

        Args:
            usage: zeros: no model was asked, so no tokens are counted. What tools took stands with their results.
        """
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
                usage=usage if status == 200 else None,
            )


def pieces(text: str, size: int = PIECE) -> list[str]:
    """`text` cut after spaces into pieces of about `size` characters; joined they are the text."""
    return re.findall(rf"(?s).{{1,{size}}}(?:\s|\Z)|.{{1,{size}}}", text)


def _left_out(names: list[str]) -> str:
    """That tools which fit are not used, since the session's model has their toolsets switched off."""
    listed = ", ".join(f"`{name}`" for name in names)
    return f"Switched off in this session, and not used: {listed}." if names else ""


def _other_language(tag: str) -> str:
    """The analyst's sentences are fixed: it says so rather than pretend."""
    return "" if tag.lower().startswith("en") else f"This session asks for {code(tag)}; I answer in English alone."
