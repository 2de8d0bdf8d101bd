"""The endpoint over HTTP: one conversation out, one streamed answer back; and its errors in plain words."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from secgemini_jupyter._version import __version__
from secgemini_jupyter.errors import Secret, one_line, redact
from secgemini_jupyter.language_model import KEY_VARIABLE, MODEL_VARIABLE, TIMEOUT_VARIABLE, URL_VARIABLE, LanguageModel
from secgemini_jupyter.local_server.engines.base import LOOP_HEADER
from secgemini_jupyter.local_server.engines.openai.guard import KeyGuard
from secgemini_jupyter.local_server.engines.openai.refusals import (
    is_too_long,
    limit_in,
    retry_after,
    takes_no_tools,
    why_unreachable,
)
from secgemini_jupyter.local_server.engines.openai.reply import (
    MAX_WORDS,
    EventLines,
    Failed,
    Reply,
    Unreadable,
    words_of,
)
from secgemini_jupyter.settings import proxy_for

CONNECT_TIMEOUT = 5.0
RETRY_PAUSE = 1.0
MAX_RETRY_AFTER = 30.0
MAX_SECONDS = 3600.0
"""What one answer may take in all, however busy the line is."""
MAX_BYTES = 64 * 2**20
MAX_LISTING = 4 * 2**20
MAX_ERROR_BYTES = 64 * 1024
LEARNED_FOR = 600.0
"""Seconds for which an error's word on tools or the context counts: the next may say otherwise, of another model."""
Hear = Callable[[str, str], Awaitable[None]]
"""Takes new text and new thinking."""


class EndpointError(Exception):
    """No answer, or half of one: a status of the protocol and a sentence for the user, without key or address.

    Attributes:
        reply: what had come until then.
        said: the endpoint's own words, where it refused.
        context: tokens the model takes, if the conversation was too long and the endpoint said so; 0 if it did not say.
    """

    def __init__(self, status: int, text: str, *, may_retry: bool = False) -> None:
        super().__init__(text)
        self.status, self.may_retry = status, may_retry
        self.reply = Reply()
        self.said = ""
        self.retry_after: float | None = None
        self.context: int | None = None


class KeyHeader(httpx.Auth):
    """The key as a header, revealed where it is sent and nowhere else."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"Bearer {self._key.reveal()}"
        yield request


class Endpoint:
    """One endpoint, and what it was found not to know."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.name = model.name
        self.without_key = KeyGuard(model.key)
        self._tools_refused = self._context_told = -LEARNED_FOR
        self._told_context: int | None = None
        self._takes_stream_options = True
        self._client: httpx.AsyncClient | None = None
        self._finding_name = asyncio.Lock()

    @property
    def takes_tools(self) -> bool:
        """Whether it did not refuse them lately; it may be another model by now."""
        return time.monotonic() - self._tools_refused >= LEARNED_FOR

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer: as configured, else as an error said lately."""
        is_told = time.monotonic() - self._context_told < LEARNED_FOR
        return self.model.context or (self._told_context if is_told else None)

    def learn_context(self, context: int | None) -> None:
        self._told_context, self._context_told = context, time.monotonic()

    async def answer(
        self,
        messages: Sequence[dict[str, Any]],
        tools: Sequence[dict[str, Any]],
        hear: Hear,
        note: Callable[[str], Any],
    ) -> Reply:
        """The answer to a conversation; `hear` is awaited with each piece of it, `note` with what the user should know.

        Raises:
            EndpointError: there is none, or the stream broke off.
        """
        retried = False
        while True:
            try:
                return await self._once(messages, tools, hear)
            except EndpointError as error:
                if error.reply.has_begun:
                    raise
                if self._learns(error, has_tools=bool(tools)):
                    if tools and not self.takes_tools:
                        await note(f"{str(error).rstrip('.')}. Asking again without tools.")
                        tools = ()
                    continue
                if retried or not error.may_retry:
                    raise
                retried = True
                pause = RETRY_PAUSE if error.retry_after is None else error.retry_after
                if pause > MAX_RETRY_AFTER:
                    raise
                await note(f"{str(error).rstrip('.')}. Asking once more.")
                await asyncio.sleep(pause)

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _learns(self, error: EndpointError, *, has_tools: bool) -> bool:
        """Whether the error says that a field is unknown, which the next request leaves out."""
        words = error.said
        if self._takes_stream_options and "stream_options" in words:
            self._takes_stream_options = False
            return True
        if has_tools and takes_no_tools(words):
            self._tools_refused = time.monotonic()
            return True
        return False

    async def find_name(self) -> str:
        """The model's name: as configured, else that of the one model that the endpoint has.

        Raises:
            EndpointError: it has several, or does not say.
        """
        async with self._finding_name:
            if self.name:
                return self.name
            try:
                async with self._request("GET", "/models", None) as response:
                    body = await _read(response, MAX_LISTING)
            except Unreadable:
                body = b""
            try:
                listed = msgspec.json.decode(body)["data"]
                names = [each["id"] for each in listed if isinstance(each["id"], str) and each["id"]]
            except (msgspec.DecodeError, KeyError, TypeError, RecursionError):
                names = []
            if len(names) != 1:
                shown = ", ".join(one_line(self.without_key(name))[:60] for name in names[:8])
                known = f"one of: {shown}" if names else "a model's name"
                raise EndpointError(502, f"Set {MODEL_VARIABLE} to {known}. {self.model.host} was asked.")
            self.name = one_line(self.without_key(names[0]))[:200]
            return self.name

    async def _once(self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], hear: Hear) -> Reply:
        body: dict[str, Any] = {"model": self.name, "messages": messages, "stream": True}
        if self._takes_stream_options:
            body["stream_options"] = {"include_usage": True}
        if tools:
            body |= {"tools": tools, "tool_choice": "auto"}
        reply = Reply()
        texts, thoughts = self.without_key.pieces(), self.without_key.pieces()

        async def hear_guarded(text: str, thinking: str) -> None:
            new = texts.feed(text), thoughts.feed(thinking)
            if any(new):
                await hear(*new)

        error: EndpointError | None = None
        try:
            async with (
                asyncio.timeout(MAX_SECONDS),
                self._request("POST", "/chat/completions", msgspec.json.encode(body)) as response,
            ):
                said = self.without_key(response.headers.get("content-type", "")).partition(";")[0].strip()
                kind = said.lower()
                if kind == "application/json":
                    await self._whole(response, reply, hear_guarded)
                elif kind in ("text/event-stream", ""):
                    await self._streamed(response, reply, hear_guarded)
                else:
                    raise Unreadable(f"it is {one_line(said)[:60]}: does {URL_VARIABLE} end in /v1?")
        except Unreadable as problem:
            error = EndpointError(502, f"What {self.model.host} answered cannot be read: {problem}.")
        except TimeoutError:
            error = EndpointError(504, f"{self.model.host} did not come to an end in {MAX_SECONDS:g} s.")
        except Failed as problem:
            error = self._refused(500, str(problem), None)
        except EndpointError as problem:
            error = problem
        if any(held := (texts.end(), thoughts.end())):
            await hear(*held)
        if error is None:
            return reply.finished(self.without_key)
        error.reply = reply
        raise error

    async def _whole(self, response: httpx.Response, reply: Reply, hear: Hear) -> None:
        """An answer of an endpoint that does not stream."""
        try:
            value = msgspec.json.decode(await _read(response, MAX_BYTES))
        except (msgspec.DecodeError, RecursionError):
            raise Unreadable("it is no JSON") from None
        new = reply.take_object(value)
        reply.is_whole = True
        if any(new):
            await hear(*new)

    async def _streamed(self, response: httpx.Response, reply: Reply, hear: Hear) -> None:
        events, size = EventLines(), 0
        loop, seconds = asyncio.get_running_loop(), self.model.timeout
        deadline = loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline) as silence:  # what only keeps the line open is silence, too
                async for chunk in response.aiter_bytes():
                    size += len(chunk)
                    if size > MAX_BYTES:
                        raise Unreadable(f"it is longer than {MAX_BYTES // 2**20} MiB")
                    for data in events.feed(chunk):
                        before = reply.progress
                        silence.reschedule(None)  # a client that is slow to hear is no silence
                        await _hear(reply, data, hear)
                        if reply.progress != before:
                            deadline = loop.time() + seconds
                        silence.reschedule(deadline)
                        if data.strip() == "[DONE]" or reply.is_cut:
                            return
                for data in events.feed(b"", is_last=True):
                    await _hear(reply, data, hear)
        except httpx.HTTPError:
            if not reply.is_whole:
                raise
        except TimeoutError:
            if not reply.is_whole and silence.expired():
                raise self._silent("went silent for") from None
        if not reply.is_whole:
            raise EndpointError(502, f"{self.model.host} ended its answer before it was whole.")

    @asynccontextmanager
    async def _request(self, method: str, path: str, body: bytes | None) -> AsyncIterator[httpx.Response]:
        """An open reply of status 200.

        Raises:
            EndpointError: none came, or one of another status.
        """
        host, has_answered = self.model.host, False
        try:
            async with self._opened().stream(method, self.model.url + path, content=body) as response:
                has_answered = True
                if response.status_code != 200:
                    raise self._refused(response.status_code, await _error_words(response), response)
                yield response
            return
        except httpx.ConnectTimeout:
            error = EndpointError(504, f"{host} does not answer. Is it running? See {URL_VARIABLE}.")
        except httpx.TimeoutException:
            error = self._silent("went silent for" if has_answered else "gave no answer within")
        except httpx.ConnectError as problem:
            error = EndpointError(502, f"{host} cannot be reached{why_unreachable(problem)}. See {URL_VARIABLE}.")
        except (httpx.HTTPError, httpx.InvalidURL):
            words = "broke its answer off" if has_answered else "closed the connection without an answer"
            error = EndpointError(502, f"{host} {words}.", may_retry=not has_answered)
        raise error  # outside, so that httpx's traceback, with the headers in its frames, does not go along

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            try:
                is_plain = self.model.url.startswith(
                    "http://"
                )  # then no authority is asked, and reading them takes long
                transport = httpx.AsyncHTTPTransport(
                    proxy=proxy_for(self.model.url),
                    verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else ssl.create_default_context(),
                )
            except Exception:  # the error's own words may hold a proxy's password
                transport = None
            if transport is None:
                raise EndpointError(502, "The environment's proxy or certificates cannot be used.")
            self._client = httpx.AsyncClient(
                transport=transport,
                auth=KeyHeader(self.model.key) if self.model.key else None,
                headers={
                    "accept": "text/event-stream, application/json",
                    "accept-encoding": "identity",
                    "content-type": "application/json",
                    "user-agent": f"secgemini-jupyter/{__version__}",
                    LOOP_HEADER: secrets.token_hex(4),
                },
                timeout=httpx.Timeout(self.model.timeout, connect=CONNECT_TIMEOUT),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    def _silent(self, what: str) -> EndpointError:
        limit = f"{self.model.timeout:g} s. {TIMEOUT_VARIABLE} sets the limit."
        return EndpointError(504, f"{self.model.host} {what} {limit}")

    def _refused(self, status: int, words: str, response: httpx.Response | None) -> EndpointError:
        """The error for a status, or for an error in the stream (500)."""
        host = self.model.host
        if len(words) >= MAX_WORDS:  # cut, perhaps within the key
            words = words[: self.without_key.begins_at(words)]
        words = redact(self.without_key(words))
        shown = one_line(words)[:400].rstrip(".")
        said = f": {shown}." if shown else "."
        if is_too_long(status, words):
            error = EndpointError(413, f"The conversation is too long for {self.name}{said}")
            error.context = limit_in(words)
            return error
        if status in (401, 403):
            what = "refuses the key" if self.model.key else "wants a key"
            text = f"{host} {what} ({status}). See {KEY_VARIABLE}."
        elif status == 404:
            text = (
                f"{host} has no such address, or no model {self.name!r} (404){said} {URL_VARIABLE} mostly ends in /v1; "
                f"{MODEL_VARIABLE} names the model."
            )
        elif 300 <= status < 400:
            text = (
                f"{host} redirects elsewhere ({status}), where the key must not go. Set {URL_VARIABLE} to that address."
            )
        elif status == 429:
            error = EndpointError(429, f"{host} takes no more requests now (429){said}", may_retry=True)
            error.retry_after = retry_after(response)
            return error
        else:
            text = f"{host} failed{f' ({status})' if response is not None else ''}{said}"
        # 400: asked again, it would fail again.
        error = EndpointError(502 if status >= 500 else 400, text, may_retry=status >= 500)
        error.said = words if status >= 400 and status not in (401, 403) else ""
        return error


async def _hear(reply: Reply, data: str, hear: Hear) -> None:
    new = reply.take(data)
    if any(new):
        await hear(*new)


async def _read(response: httpx.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise Unreadable(f"it is longer than {limit:,} bytes")
    return bytes(body)


async def _error_words(response: httpx.Response) -> str:
    try:
        body = await _read(response, MAX_ERROR_BYTES)
    except Unreadable:
        return ""
    try:
        return words_of(msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError):
        text = body.decode("utf-8", "replace")
        return "" if "<" in text[:200] else text[:MAX_WORDS]  # a page is nothing to quote
