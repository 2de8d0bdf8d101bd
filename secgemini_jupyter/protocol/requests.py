"""One REST exchange: what to send, how to read the reply, and whether it may be sent again."""

from __future__ import annotations

import email.utils
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from secgemini_jupyter.errors import (
    AuthenticationError,
    NetworkError,
    ProtocolError,
    QuotaError,
    SecGeminiError,
    ServiceError,
    SessionNotFoundError,
)
from secgemini_jupyter.models import OpResult, read
from secgemini_jupyter.settings import KEY_PAGE, Settings

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
LONGEST_RETRY_AFTER = 120.0
"""Seconds; a service that asks for more gets its error shown instead of a kernel that seems dead."""


@dataclass(frozen=True)
class Reply:
    """What came back, as the shells hand it over; `url` names the address without its query."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str


@dataclass(frozen=True, kw_only=True)
class Request(Generic[T]):
    """One exchange. `idempotent`: sending it twice does what sending it once does."""

    method: str
    path: str
    what: str
    """What the reply should be, for error messages: "a session"."""
    read: Callable[[bytes], T]
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    idempotent: bool = False
    base_url: str | None = None
    """Another host than the service's: the logs processor."""

    def result(self, reply: Reply) -> T:
        """The reply as a value.

        Raises:
            ServiceError: the service refused, by HTTP status or in the body.
            ProtocolError: the reply cannot be read, or is a redirect.
            NetworkError: something between us and the service answered in its place (5xx without JSON).
        """
        try:
            if not 200 <= reply.status < 300:
                raise http_error(reply, self.what)
            return self.read(reply.body)
        except ProtocolError as error:
            if reply.url in str(error):
                raise
            raise ProtocolError(f"{reply.url} (HTTP {reply.status}): {error}") from None


def http_error(reply: Reply, what: str) -> SecGeminiError:
    """The typed error for a status that is not success."""
    if 300 <= reply.status < 400:
        target = reply.headers.get("location", "nowhere")
        return ProtocolError(
            f"{reply.url}: expected {what}, got a redirect to {target}. It is not followed: set the address to it."
        )
    detail = _detail(reply.body)
    if detail is None and reply.status >= 500:
        return NetworkError(
            f"{reply.url} answered HTTP {reply.status} without JSON (expected {what}). "
            "The service or a proxy before it is down: try again later."
        )
    if detail is None and reply.status not in (401, 403, 429):
        return ProtocolError(
            f"{reply.url} (HTTP {reply.status}): expected {what} as JSON, got another kind of page. "
            "Is the address right?"
        )
    return service_error(reply.status, detail or "no reason given", reply.url, retry_after(reply.headers))


def service_error(status: int, reason: str, where: str, wait: float | None = None) -> ServiceError:
    """The typed error for a status code, wherever it came: HTTP, an OpResult, a frame."""
    if status in (401, 403):
        return AuthenticationError(
            f"{where} refused the key ({status}: {reason}). Check it at {KEY_PAGE}.", status=status
        )
    if status == 404:
        return SessionNotFoundError(f"{where}: {reason} (404). list_sessions() gives what there is.")
    if status == 429:
        when = f"in {wait:g} s" if wait is not None else "later"
        return QuotaError(f"{where}: quota exceeded (429: {reason}). Try again {when}.", retry_after=wait)
    advice = " Try again, or later if that fails too." if status >= 500 else ""
    return ServiceError(f"{where} refused ({status}: {reason}).{advice}", status=status)


def _detail(body: bytes) -> str | None:
    """The reason in an error body, or None if the body is no JSON object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    detail = value.get("detail", value.get("status_message", ""))
    if isinstance(detail, list):  # HTTPValidationError
        return "; ".join(
            f"{'.'.join(str(part) for part in item.get('loc', ()))}: {item.get('msg', '')}"
            for item in detail
            if isinstance(item, dict)
        )
    return str(detail)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def read_op_result(body: bytes, where: str) -> OpResult:
    """An OpResult that says done; `ok` and `status_code` must both say so."""
    result = read(body, OpResult, "an OpResult")
    if not (result.ok and result.status_code == 200):
        code = result.status_code if result.status_code >= 400 else 500
        raise service_error(code, result.status_message or "no reason given", where)
    return result


class Attempts:
    """How often, and after which pause, one request is sent again: full jitter, Retry-After honoured."""

    def __init__(self, request: Request[Any], settings: Settings) -> None:
        self._request = request
        self._left = settings.retries
        self._made = 0

    def pause_after(self, error: SecGeminiError) -> float:
        """Seconds to wait before the next try; raises `error` if there is none."""
        if not self._left or not self._worth_it(error):
            raise error
        self._left -= 1
        self._made += 1
        if isinstance(error, QuotaError) and error.retry_after is not None:
            return error.retry_after
        return jitter(self._made)

    def _worth_it(self, error: SecGeminiError) -> bool:
        if isinstance(error, NetworkError):
            return error.nothing_sent or self._request.idempotent
        if isinstance(error, QuotaError):
            return self._request.idempotent and (error.retry_after or 0) <= LONGEST_RETRY_AFTER
        transient = isinstance(error, ServiceError) and error.status in (408, 500, 502, 503, 504)
        return transient and self._request.idempotent


def jitter(attempt: int) -> float:
    """Full jitter: anywhere between nothing and the exponential pause, so that clients do not come back together."""
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)))  # noqa: S311  # no secret
