"""The OpenAI-compatible endpoint (protocol section 18): a conversation in, its next answer out.

Each call makes a session in memory, asks in it, and deletes it again: there is no id by which anybody could come back
to it. Earlier messages become the session's history, `data:` URLs its attachments.
"""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.exceptions import HTTPException

from secgemini_jupyter.errors import one_line
from secgemini_jupyter.local_server.attaching import MAX_ATTACHMENT_BYTES, described
from secgemini_jupyter.local_server.engines.base import LOOP_HEADER
from secgemini_jupyter.local_server.frames import build, end
from secgemini_jupyter.local_server.requests import JSON, Invalid, read_struct
from secgemini_jupyter.local_server.store import Fixed, Session
from secgemini_jupyter.models import Message, MessageType, ModelInfo, Role, State, Usage
from secgemini_jupyter.settings import MIN_TTL

if TYPE_CHECKING:
    from starlette.requests import Request

    from secgemini_jupyter.local_server.app import Service

MAX_FILES = 32


class ChatCompletion(msgspec.Struct):
    """What is read of a request; sampling has no meaning for tools that compute their answers."""

    model: str
    messages: list[dict[str, Any]]
    stream: bool | None = False
    n: int | None = 1


class Refused(Exception):
    """A request that cannot be answered, in the words of the endpoint's dialect."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def reply(self) -> JSON:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return JSON({"error": {"message": str(self), "type": kind, "param": None, "code": self.code}}, self.status)


@dataclass
class Dialogue:
    """A request's messages: what was said before, the prompt, and the files of all of them."""

    said: list[Message] = field(default_factory=list)
    turns: int = 0
    prompt: str = ""
    files: list[tuple[str, bytes]] = field(default_factory=list)

    @classmethod
    def read(cls, messages: list[dict[str, Any]]) -> Dialogue:
        """
        Raises:
            Refused: the last message is none of the user's, or a part cannot be read.
        """
        dialogue = cls()
        if not messages or messages[-1].get("role") != "user":
            raise Refused(400, "The last message must be the user's.")
        for message in messages:
            text = dialogue._text(message.get("content"))
            if message.get("role") == "assistant":
                dialogue._answered(text)
            elif message.get("role") == "user":
                dialogue._asked(text)
            else:  # system, developer: what the caller wants of every answer, and no part of the question
                dialogue.said.append(build(MessageType.INFO, text, state=State.UNDEFINED, role=Role.SYSTEM))
        dialogue.prompt = dialogue.said.pop().content or ""
        dialogue.turns -= 1
        if not dialogue.prompt.strip():
            raise Refused(400, "The prompt is empty.")
        if len(dialogue.files) > MAX_FILES:
            raise Refused(413, f"More than {MAX_FILES} files. Send fewer at once.")
        return dialogue

    def _asked(self, text: str) -> None:
        self.said.append(build(MessageType.QUERY, text, state=State.QUERY, role=Role.USER, actor="user"))
        self.turns += 1

    def _answered(self, text: str) -> None:
        self.said.append(build(MessageType.RESULT, text, state=State.AGENT_DONE, role=Role.AGENT, actor="assistant"))
        self.said.append(end())

    def _text(self, content: object) -> str:
        if content is None or isinstance(content, str):
            return content or ""
        if not isinstance(content, list):
            raise Refused(400, "A message's content is neither text nor a list of parts.")
        return "\n".join(filter(None, (self._part(part) for part in content)))

    def _part(self, part: object) -> str:
        """The text of a part; a file is kept aside."""
        match part:
            case {"type": "text", "text": str(text)}:
                return text
            case {"type": "image_url", "image_url": {"url": str(url)} | str(url)}:
                self.files.append((f"image {len(self.files) + 1}", _data(url)))
            case {"type": "file", "file": {"file_data": str(url), **about}}:
                name = about.get("filename")
                self.files.append((name if isinstance(name, str) else f"file {len(self.files) + 1}", _data(url)))
            case _:
                raise Refused(400, "A part is neither text, image_url with a data: URL, nor file with file_data.")
        return ""


def _data(url: str) -> bytes:
    """What a `data:` URL holds; nothing is fetched from elsewhere."""
    head, comma, body = url.partition(",")
    if not head.lower().startswith("data:") or not comma:
        raise Refused(400, "Files and images are read from data: URLs alone; this server fetches nothing.")
    try:
        is_base64 = head.lower().endswith(";base64")
        content = base64.b64decode(body, validate=True) if is_base64 else unquote_to_bytes(body)
    except ValueError:  # also for a character beyond ASCII
        raise Refused(400, "The base64 of a data: URL cannot be read.") from None
    if len(content) > MAX_ATTACHMENT_BYTES:
        raise Refused(413, f"A file is larger than {MAX_ATTACHMENT_BYTES} bytes.")
    return content


async def complete(service: Service, request: Request) -> JSON:
    """The answer to a conversation."""
    try:
        if LOOP_HEADER in request.headers:
            raise Refused(508, "The address of the language model is that of a local service, which would ask itself.")
        wish = await read_struct(request, ChatCompletion)
        if wish.stream:
            raise Refused(400, "stream is not supported: leave it out. /v1/stream streams.", "unsupported_value")
        if wish.n not in (None, 1):
            raise Refused(400, "n is not supported: one answer is given.", "unsupported_value")
        return await _answered(service, wish, await asyncio.to_thread(Dialogue.read, wish.messages))
    except Invalid as error:
        return Refused(400, str(error)).reply()
    except HTTPException as error:
        return Refused(error.status_code, error.detail).reply()
    except Refused as refused:
        return refused.reply()


async def _answered(service: Service, wish: ChatCompletion, dialogue: Dialogue) -> JSON:
    session = await _session(service, wish.model)
    try:
        for name, content in dialogue.files:
            info = await asyncio.to_thread(described, name, content)
            await service.store.add_file(session, info, content)
        if dialogue.said:
            bodies = [message.to_json() for message in dialogue.said]
            await service.store.append(session, bodies, state=State.END, running=False, turns=dialogue.turns)
        query = build(MessageType.QUERY, dialogue.prompt, state=State.QUERY, role=Role.USER, actor="user")
        answer = service.hub.of(session).ask(query)
        if answer is None:
            raise Refused(429, "Too many prompts wait.")
        await asyncio.wait([answer])
        if answer.cancelled():
            raise Refused(503, "The server was stopped before the answer was there.")
        turn = answer.result()
    finally:
        await service.hub.stop(session)
        await service.store.delete(session)
    for message in turn.messages:
        if message.is_error:
            raise Refused(max(message.status_code, 400), message.content or message.status_message)
    return JSON(_completion(session, "\n\n".join(_texts(turn.messages)), turn.usage or Usage()))


async def _session(service: Service, model: str) -> Session:
    engine = service.engines.find(ModelInfo(model_string=model))
    if engine is None:
        known = ", ".join(each.model_string for each in service.engines.models)
        raise Refused(404, f"Unknown model: {one_line(model)[:200]}. Known: {known}.", "model_not_found")
    fixed = Fixed(model=engine.model, language="en", can_log=False, created=time.time())
    session = await service.store.register(uuid.uuid4().hex, fixed, name="chat completion", description="", ttl=MIN_TTL)
    if session is None:  # a UUID that exists
        raise Refused(409, "The session could not be made. Try again.")
    return session


def _texts(messages: list[Message]) -> Iterator[str]:
    for message in messages:
        if message.message_type is MessageType.RESULT and (message.mime_type or "").startswith("text/"):
            yield message.content or ""


def _completion(session: Session, text: str, usage: Usage) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{session.id}",
        "object": "chat.completion",
        "created": int(session.fixed.created),
        "model": session.fixed.model.model_string,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.generated_tokens,
            "total_tokens": usage.total_tokens,
        },
    }
