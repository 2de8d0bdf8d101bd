"""The engine: rounds of asking the model and running what it calls, until it answers."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from secgemini_jupyter.language_model import CONTEXT_VARIABLE, LanguageModel
from secgemini_jupyter.local_server.analyst.calls import Caller
from secgemini_jupyter.local_server.analyst.text import code, count
from secgemini_jupyter.local_server.analyst.toolbox import toolsets
from secgemini_jupyter.local_server.analyst.workers import Workers
from secgemini_jupyter.local_server.engines.base import EngineTurn
from secgemini_jupyter.local_server.engines.openai import checked, salvage
from secgemini_jupyter.local_server.engines.openai.arguments import WrongArguments, read_arguments
from secgemini_jupyter.local_server.engines.openai.dialogue import Dialogue, TooLong, attached, tokens
from secgemini_jupyter.local_server.engines.openai.endpoint import Endpoint, EndpointError
from secgemini_jupyter.local_server.engines.openai.offered import Offers
from secgemini_jupyter.local_server.engines.openai.quoted import Quotable
from secgemini_jupyter.local_server.engines.openai.reply import MAX_TEXT, Reply
from secgemini_jupyter.local_server.engines.openai.speaking import Voice
from secgemini_jupyter.models import MessageType, ModelInfo, State, Usage

MAX_ROUNDS = 8
MAX_CALLS = 24
MAX_PAYLOADS = 4
TOOL_SHARE = 3
"""The part of a small context, as a divisor, that the tools' descriptions may take."""
SHRINK = 0.7
"""By how much a conversation is made shorter that was too long though we took it to fit."""
_ENOUGH = "No more tools can be called in this turn. Answer now, from the results above; say what is missing."
_STOPPED = {
    "length": "The model came to its length limit.",
    "content_filter": "The endpoint's filter cut it.",
    "cut": f"It came to the length limit of this service, {MAX_TEXT:,} characters.",
}
_NOT_RUN = "A call that the model wrote as text was not run, since a file, a result or a prompt spells it out: "


class OpenAIEngine:
    """Answers with a language model behind an OpenAI-compatible endpoint."""

    def __init__(self, configured: LanguageModel, workers: Workers | None = None) -> None:
        self._workers = workers or Workers()
        self._endpoint = Endpoint(configured)
        self.actor = configured.title
        self.model = ModelInfo(
            model_name="local-openai",
            version="1",
            model_string="local-openai",
            description=f"{configured.title}: a language model, with the local analyst's tools.",
            toolsets=toolsets(),
        )

    async def aclose(self) -> None:
        await self._endpoint.aclose()
        await self._workers.aclose()

    async def answer(self, turn: EngineTurn) -> None:
        await turn.say(MessageType.INFO, "Transfer", state=State.CALLING_TOOL)
        try:
            self.actor = self._endpoint.model.titled(await self._endpoint.find_name())
        except EndpointError as error:
            await _say_error(turn, error)
            return
        await _Answer(turn, self._endpoint, self._workers, self.actor).give()


@dataclass(frozen=True)
class _Wanted:
    """A call of the model's, by function calling or in its text."""

    id: str
    name: str
    arguments: dict[str, Any]
    wrong: str = ""
    """Why its arguments cannot be used: they are empty, then."""

    def told(self) -> dict[str, Any]:
        """As the next request repeats it; arguments that are no JSON would break templates that read them."""
        text = msgspec.json.encode(self.arguments).decode()
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": text}}


class _Answer:
    """One turn."""

    def __init__(self, turn: EngineTurn, endpoint: Endpoint, workers: Workers, actor: str) -> None:
        turn = endpoint.without_key.turn(turn)
        self._turn, self._endpoint = turn, endpoint
        self._voice = Voice(turn, actor)
        self._known = checked.Known()
        self._quotable = Quotable(lambda: (each.content for each in turn.attachments))
        self._caller = Caller(workers, turn)
        self._usage: Usage | None = None
        self._calls = 0

    async def give(self) -> None:
        turn, voice = self._turn, self._voice
        self._dialogue = await asyncio.to_thread(Dialogue.of, turn)
        self._offers = await asyncio.to_thread(Offers, turn, self._caller, self._known, self._quotable)
        await asyncio.to_thread(self._read)
        await voice.note(self._plan(), title="Plan")
        try:
            reply = await self._rounds()
        except EndpointError as error:
            self._count(error.reply)
            await voice.answer(await voice.end())
            await self._fail(error)
            return
        if not "".join(voice.answered).strip():
            why = "it only asked for more tools" if reply.calls else "its text is empty"
            await self._fail(EndpointError(502, f"{voice.actor} gave no answer: {why}."))
            return
        await self._finish(_STOPPED.get("cut" if reply.is_cut else reply.finish))

    def _read(self) -> None:
        """What the model is given to read."""
        turn, dialogue = self._turn, self._dialogue
        prompts, results, listed = dialogue.prompts_earlier, dialogue.results_earlier, attached(turn)
        self._known.add(turn.prompt, listed, *prompts, *results)
        self._quotable.add_prompts(turn.prompt, *prompts)
        self._quotable.add(listed)
        self._quotable.add_messages(*results)

    def _plan(self) -> str:
        told = f"The conversation, and what tools find, goes to {self._voice.actor}"
        if not self._endpoint.takes_tools:
            return f"{told}, which takes no tools."
        return f"{told}, with {count(len(self._offers.by_name), 'tool')} to choose from."

    async def _rounds(self) -> Reply:
        for number in range(MAX_ROUNDS + 1):
            is_last = number == MAX_ROUNDS or self._calls >= MAX_CALLS
            if is_last:
                self._dialogue.say(_ENOUGH)
            reply = await self._ask(may_call=not is_last)
            offered = self._endpoint.takes_tools
            text = await self._voice.end()
            if reply.calls_left_out:
                await self._voice.note(f"The model asked for more calls at once than are taken: {len(reply.calls)}.")
            wanted, text = ([], text) if is_last or not offered else await self._wanted(reply, text)
            if not wanted:
                await self._voice.answer(text)
                return reply
            await self._voice.comment(text)
            await self._run(wanted, text)
        raise AssertionError("the last round asks for no calls")

    async def _ask(self, *, may_call: bool) -> Reply:
        """One answer of the model; if the conversation is too long for it, once more with less.

        Raises:
            EndpointError: there is none.
        """
        endpoint, context = self._endpoint, self._endpoint.context
        for is_second in (False, True):
            offered = self._specs(context) if may_call and endpoint.takes_tools else []
            await self._fit(context, offered, is_second=is_second)
            self._voice.begin(may_call=bool(offered))
            try:
                reply = await endpoint.answer(self._dialogue.messages(), offered, self._voice.hear, self._voice.note)
            except EndpointError as error:
                if error.context is None or is_second or error.reply.has_begun:
                    raise
                size = tokens(self._dialogue.messages()) + tokens(offered)
                if error.context:
                    endpoint.learn_context(error.context)
                context = error.context or context or size
                if size <= context:
                    context = max(int(size * SHRINK), 256)
            else:
                self._count(reply)
                return reply
        raise AssertionError("the second try returns or raises")

    def _specs(self, context: int | None) -> list[dict[str, Any]]:
        return self._offers.specs(context // TOOL_SHARE if context else None)

    async def _fit(self, context: int | None, offered: list[dict[str, Any]], *, is_second: bool) -> None:
        """
        Raises:
            EndpointError: even the prompt alone is too long.
        """
        if context is None:
            return
        dialogue = self._dialogue
        dropped, shortened = dialogue.dropped, dialogue.shortened
        try:
            dialogue.fit(context, offered)
        except TooLong as problem:
            if context != self._endpoint.model.context and not is_second:
                self._endpoint.learn_context(None)  # an error of another prompt said so: this one is asked first
                return
            raise EndpointError(
                413,
                f"The prompt is too long for {self._voice.actor}: {problem} that it takes, by estimate, with the tools "
                f"and room for an answer. Ask about less, or raise the model's context and {CONTEXT_VARIABLE}.",
            ) from None
        left_out = len(self._offers.by_name) - len(offered) if offered else 0
        notes = [
            f"{count(dialogue.dropped - dropped, 'earlier turn')} left out" if dialogue.dropped > dropped else "",
            f"{count(dialogue.shortened - shortened, 'tool result')} shortened"
            if dialogue.shortened > shortened
            else "",
            f"{count(left_out, 'tool')} not offered" if left_out and not self._calls else "",
        ]
        if told := ", ".join(filter(None, notes)):
            await self._voice.note(f"So that the conversation fits in {context:,} tokens (estimated): {told}.")

    async def _wanted(self, reply: Reply, text: str) -> tuple[list[_Wanted], str]:
        """The calls of a round, and its text without those that were written in it."""
        calls: list[tuple[str, str, object]] = [
            (call.id, call.name, call.arguments) for call in reply.calls if call.name or call.arguments
        ]
        if not calls:
            quoted: list[str] = []
            written, text = await asyncio.to_thread(salvage.find, text, partial(self._may_run, quoted))
            calls = [("", call.name, call.arguments) for call in written]
            if quoted:
                await self._voice.note(_NOT_RUN + ", ".join(code(name) for name in dict.fromkeys(quoted)))
        wanted: dict[str, _Wanted] = {}
        for call_id, name, given in calls:
            own = call_id if call_id and call_id not in wanted else f"call_{uuid.uuid4().hex[:12]}"
            try:
                wanted[own] = _Wanted(own, name, read_arguments(given, self._endpoint.without_key))
            except WrongArguments as problem:
                wanted[own] = _Wanted(own, name, {}, str(problem))
        return list(wanted.values()), text

    def _may_run(self, quoted: list[str], call: salvage.WrittenCall, is_whole: bool) -> bool:
        """Whether a call that stands in the text is meant; the names of those that are repeated go to `quoted`."""
        offer = self._offers.by_name.get(call.name)
        is_local = offer is not None and offer.is_local
        if is_local and not is_whole:
            return False
        try:
            arguments = read_arguments(call.arguments)
        except WrongArguments:
            return True  # it is told so, and nothing is run
        if self._quotable.holds(call.name, arguments, is_local=is_local):
            quoted.append(call.name)
            return False
        return True

    async def _run(self, wanted: list[_Wanted], text: str) -> None:
        self._dialogue.add_calls(text, [each.told() for each in wanted])
        for each in wanted:
            if self._calls >= MAX_CALLS:
                told = '{"error": "Not run: too many calls in this turn."}'
            else:
                self._calls += 1
                told, is_result = await self._offers.run(each.name, each.arguments, each.wrong)
                if not is_result and each.name not in self._offers.by_name:
                    await self._voice.note(f"The model asked for a tool that there is not: {code(each.name)}")
            self._dialogue.add_result(each.id, each.name, told)

    def _count(self, reply: Reply) -> None:
        if reply.usage:
            self._usage = self._usage + reply.usage if self._usage else reply.usage

    async def _finish(self, stopped: str | None = None) -> None:
        """The whole result, the tools' data; why it was cut, and what nothing in this session says."""
        voice = self._voice
        await voice.result(self._usage)
        await self._caller.show(self._offers.payloads[:MAX_PAYLOADS])
        unknown = await asyncio.to_thread(self._known.unknown, "".join(voice.answered))
        if stopped:
            await voice.remark({"title": "The answer was cut", "columns": ["why it ends there"], "rows": [[stopped]]})
        if unknown:
            await voice.remark(checked.payload(unknown))

    async def _fail(self, error: EndpointError) -> None:
        if "".join(self._voice.answered).strip():
            await self._finish()
        await _say_error(self._turn, error)


async def _say_error(turn: EngineTurn, error: EndpointError) -> None:
    await turn.say(
        MessageType.ERROR,
        str(error),
        state=State.UNDEFINED,
        status_code=error.status,
        status_message="Language model",
        unknown={"retry_after": error.retry_after} if error.retry_after is not None else None,
    )
