"""What an error means for a turn: whether to come back, and what a user is told to do."""

from __future__ import annotations

from secgemini_jupyter.errors import (
    AuthenticationError,
    InputError,
    NetworkError,
    ProtocolError,
    QuotaError,
    SecGeminiError,
    ServiceError,
    SessionNotFoundError,
)
from secgemini_jupyter.models import Message
from secgemini_jupyter.protocol.requests import LONGEST_RETRY_AFTER, seconds, service_error


def passing(error: SecGeminiError) -> bool:
    """Whether the next attempt may fare better."""
    if isinstance(error, QuotaError):
        return (error.retry_after or 0) <= LONGEST_RETRY_AFTER
    if isinstance(error, (AuthenticationError, SessionNotFoundError, InputError)):
        return False
    return isinstance(error, (NetworkError, ProtocolError)) or getattr(error, "status", 0) >= 500


def said_by(frame: Message, where: str) -> ServiceError:
    """What an error frame says, as a typed error."""
    reason = ": ".join(part for part in (frame.status_message, frame.content) if part and part != "OK")
    wait = frame.unknown.get("retry_after") if isinstance(frame.unknown, dict) else None
    return service_error(frame.status_code, reason or "no reason given", where, seconds(wait))
