"""The WebSocket `/v1/stream`: prompts and tool results in, a session's frames out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.local_server import limits
from secgemini_jupyter.local_server.asked import REPLIES
from secgemini_jupyter.local_server.channel import CLOSE, DROP, Listener, Mark
from secgemini_jupyter.local_server.conversations import Conversation, describe
from secgemini_jupyter.local_server.frames import end, error
from secgemini_jupyter.local_server.protocol import EXTENSION, StreamProtocol
from secgemini_jupyter.models import Message, MessageType, read_message

logger = logging.getLogger(__name__)

CLOSE_DELAY = 0.5
"""Seconds a client has for closing first after a failed turn."""
SILENCE, SILENCE_IN_A_TURN = 0.5, 0.1
"""Seconds without a frame after which a client counts as one that only listens: one that is about to ask would
take the end of an earlier turn for its own. While a turn runs, one that comes back waits for what it missed."""


class Stream:
    """One open socket of a session."""

    def __init__(self, socket: WebSocket, conversation: Conversation, *, partial: bool) -> None:
        self._socket = socket
        self._protocol: StreamProtocol = socket.scope["extensions"][EXTENSION]
        self._conversation = conversation
        self._partial = partial
        self._spoken = asyncio.Event()

    async def run(self) -> None:
        """Until the socket is closed, by either side."""
        listener = self._conversation.join(partial=self._partial)
        sending = asyncio.create_task(self._send_or_cut(listener), name="stream")
        try:
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    await self._receive(await self._socket.receive(), listener)
        finally:
            self._conversation.leave(listener)
            sending.cancel()
            await asyncio.wait([sending])

    # In

    async def _receive(self, event: Any, listener: Listener) -> None:
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1005))
        self._spoken.set()
        frame = event.get("text") or event.get("bytes") or b""
        try:
            message = read_message(frame)
        except ProtocolError:
            return self._refuse(listener, "The frame is no message: send a JSON object of the protocol.")
        if message.message_type in REPLIES.values():
            return await self._conversation.receive_reply(message)
        if message.message_type is not MessageType.QUERY:
            return self._refuse(listener, "Only queries, tool results and confirmations can be sent.")
        return self._ask(message, listener)

    def _ask(self, query: Message, listener: Listener) -> None:
        if not (query.content or "").strip():
            return self._refuse(listener, "The prompt is empty.")
        if self._conversation.ask(query, listener) is None:
            return self._refuse(listener, "Too many prompts wait in this session.", 429, "QUOTA_EXCEEDED")
        return None

    def _refuse(self, listener: Listener, text: str, code: int = 400, status: str = "Bad Request") -> None:
        """Tells this socket alone; nothing of it is stored."""
        for frame in (error(text, code, status).to_json(), end().to_json(), CLOSE):
            listener.send_first(frame)

    # Out

    async def _send_or_cut(self, listener: Listener) -> None:
        try:
            await self._send(listener)
        except Exception as problem:
            logger.error("A stream failed: %s", describe(problem))  # noqa: TRY400  # no content in the log
            self._protocol.transport.abort()  # a client that waits for more must learn that none comes

    async def _send(self, listener: Listener) -> None:
        with contextlib.suppress(TimeoutError):
            silence = SILENCE_IN_A_TURN if self._conversation.is_running else SILENCE
            await asyncio.wait_for(self._spoken.wait(), silence)
        is_open = True
        while is_open:
            frames = await listener.take()
            mark = frames.pop() if frames and type(frames[-1]) is Mark else None
            try:
                async with asyncio.timeout(limits.STALL_TIMEOUT):
                    is_open = await self._protocol.send_frames(frames)
                    if mark is DROP:
                        listener.given()
                        return await self._protocol.cut()
            except TimeoutError:
                return self._protocol.transport.abort()
            listener.given()
            if mark is CLOSE:
                is_open = not await self._close_later(listener)
        return None

    async def _close_later(self, listener: Listener) -> bool:
        """After a failed turn: closes the socket unless something new comes."""
        self._spoken.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._spoken.wait(), CLOSE_DELAY)
        if self._spoken.is_set() or self._conversation.is_running or listener.has_more:
            return False
        await close(self._socket)
        return True


async def close(socket: WebSocket) -> None:
    with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect):  # it was closed meanwhile
        await socket.close(1000)


async def send_missing(socket: WebSocket) -> None:
    """What a socket of an unknown session gets: an error, an END, and a moment to close."""
    protocol: StreamProtocol = socket.scope["extensions"][EXTENSION]
    frames = error("No session with that id for this key.", 404, "Session not found"), end()
    await protocol.send_frames([frame.to_json() for frame in frames])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_DELAY):
            while (await socket.receive())["type"] != "websocket.disconnect":
                pass
            return
    await close(socket)
