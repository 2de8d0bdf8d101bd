"""What a running turn asks of the client, a local tool or a confirmation, and the reply it waits for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from secgemini_jupyter.errors import ProtocolError
from secgemini_jupyter.local_server.engines.base import Decision
from secgemini_jupyter.models import ROOT, Message, MessageType, read_json

TOOL_TIMEOUT = 300.0
CONFIRMATION_TIMEOUT = 120.0
"""Seconds; no answer means no. A client that does not know confirmations never answers: its turn must go on."""
REPLIES = {
    MessageType.LOCAL_TOOL_CALL: MessageType.LOCAL_TOOL_RESULT,
    MessageType.CONFIRMATION_REQUEST: MessageType.CONFIRMATION_RESPONSE,
}


@dataclass
class OpenRequest:
    """A message that waits for its reply; `position` in the channel."""

    message: Message
    position: int
    reply: asyncio.Future[Message] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def is_answered_by(self, reply: Message) -> bool:
        """Official clients tie a reply to nothing: one request is open at a time, so that its type is enough."""
        return (
            not self.reply.done()
            and reply.message_type is REPLIES[self.message.message_type]
            and reply.parent_id in (ROOT, self.message.id)
        )


def read_decision(reply: Message) -> Decision:
    """What a `confirmation_response` says (protocol section 12, our convention); what cannot be read is a no."""
    try:
        value = read_json(reply.content or "", "a decision")
    except ProtocolError:
        return Decision(is_approved=False, comment="The answer could not be read.")
    if not isinstance(value, dict):
        return Decision(is_approved=False, comment="The answer could not be read.")
    comment = value.get("comment")
    return Decision(value.get("decision") == "approve", comment if isinstance(comment, str) else "")
