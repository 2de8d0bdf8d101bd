"""One REST exchange: what to send, how to read the reply, and whether it may be sent again."""

from __future__ import annotations

import email.utils
import json
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from secgemini_jupyter.errors import (
    AuthenticationError,
    NetworkError,
    ProtocolError,
    QuotaError,
    SecGeminiError,
    ServiceError,
    SessionNotFoundError,
    redact,
)
from secgemini_jupyter.models import OpResult, PublicSession, read
from secgemini_jupyter.settings import KEY_PAGE, Settings

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
LONGEST_RETRY_AFTER = 120.0
"""Seconds; a service that asks for more gets its error shown instead of a kernel that seems dead."""
FOREVER = 1e9
"""Seconds, thirty years: what a wait beyond that counts as."""
LONGEST_REASON = 2000
"""Characters that an error quotes of what a service says."""
SECOND_LOOK = 1.0
"""Seconds before a second look at what a request or a prompt should have changed: it may still be on its way."""
PASSING = frozenset({408, 500, 502, 503, 504})
"""Statuses after which the same request may fare better."""


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
    session_id: str = ""
    """Named in errors."""
    check: Check[T] | None = None
    """How to find out whether it was done when its reply is lost; without one it is not sent again."""
    trace: str = ""
    """Where a user sees whether it was done, for the error after a lost reply."""

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
            unreadable = ProtocolError(f"{reply.url} (HTTP {reply.status}): {error}")
            unreadable.is_of_a_reply = 200 <= reply.status < 300
            raise unreadable from None


@dataclass(frozen=True, kw_only=True)
class Check(Generic[T]):
    """How to find out whether a request was done whose reply was lost: by looking at the session that it changes."""

    look: Request[PublicSession]
    outcome: Callable[[PublicSession | None], T | None]
    """What the reply would say, told by the session as it is (None: there is none); None if it was not done."""
    repeats: bool = True
    """Whether it may be sent again where it was not done."""
    looks: int = 1
    """How often to look before it counts as not done."""
    shown_by: int = 0
    """The status that refuses a second one where the first was done."""


def http_error(reply: Reply, what: str) -> SecGeminiError:
    """The typed error for a status that is not success."""
    error = _http_error(reply, what)
    error.retry_after = retry_after(reply.headers, _wait_in(reply.body))
    return error


def _http_error(reply: Reply, what: str) -> SecGeminiError:
    if 300 <= reply.status < 400:
        target = quoted(reply.headers.get("location", "nowhere"))
        return ProtocolError(
            f"{reply.url}: expected {what}, got a redirect to {target}. It is not followed: set the address to it."
        )
    detail = _detail(reply.body)
    if detail is None and reply.status >= 500:
        return NetworkError(
            f"{reply.url} answered HTTP {reply.status} without JSON (expected {what}). "
            "The service or a proxy before it is down."
        ).advise("Try again later.")
    if detail is None and reply.status not in (401, 403, 429):
        return ProtocolError(
            f"{reply.url} (HTTP {reply.status}): expected {what} as JSON, got another kind of page. "
            "Is the address right?"
        )
    wait = retry_after(reply.headers, _wait_in(reply.body))
    return service_error(reply.status, detail or "no reason given", reply.url, wait)


def service_error(status: int, reason: str, where: str, wait: float | None = None) -> ServiceError:
    """The typed error for a status code, wherever it came: HTTP, an OpResult, a frame."""
    reason = quoted(reason)
    if status in (401, 403):
        return AuthenticationError(
            f"{where} refused the key ({status}: {reason}). Check it at {KEY_PAGE}.", status=status
        )
    if status == 404:
        return SessionNotFoundError(f"{where}: {reason} (404).").advise("list_sessions() gives what there is.")
    if status == 429:
        exceeded = QuotaError(f"{where}: quota exceeded (429: {reason}).", retry_after=wait)
        return exceeded.advise(f"Try again {when(wait)}.")
    refused = ServiceError(f"{where} refused ({status}: {reason}).", status=status)
    if status >= 500 and "try again" not in reason.lower():  # it knows better when
        return refused.advise(f"Try again {when(wait)}." if wait else "Try again, or later if that fails too.")
    if status in (400, 413, 422):
        return refused.tell("Correct what it names: the same call would be refused again.")
    return refused


def quoted(text: str) -> str:
    """What a service says, as far as an error quotes it."""
    if len(text) <= LONGEST_REASON:
        return text
    # Half a key would not be known as one: keys go first, and so does the end, where one may be cut.
    return f"{redact(text[: 2 * LONGEST_REASON])[:-1000][:LONGEST_REASON]}… ({len(text):,} characters)"


def when(wait: float | None) -> str:
    """`in 5 s`; for what is more than a moment the time too, since nobody counts to 3,600."""
    if wait is None or not wait < FOREVER:
        return "later"
    if wait <= LONGEST_RETRY_AFTER:
        return f"in {wait:g} s"
    try:
        return f"in {wait:,.0f} s, at {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(time.time() + wait))}"
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return "later"


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
            f"{_place(item.get('loc'))}: {item.get('msg', '')}" for item in detail if isinstance(item, dict)
        )
    return str(detail)


def _place(loc: object) -> str:
    return ".".join(str(part) for part in loc) if isinstance(loc, list) else ""


def retry_after(headers: Mapping[str, str], otherwise: float | None = None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date. A date counts by the service's own clock."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return otherwise
    try:
        return seconds(float(value))
    except ValueError:
        pass
    until = _date(value)
    if until is None:
        return otherwise
    now = _date(headers.get("date", ""))
    return seconds(max(0.0, until - (time.time() if now is None else now)))


def _date(value: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def _wait_in(body: bytes) -> float | None:
    """`retry_after` in an error body, where a gateway took the header away."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return seconds(value.get("retry_after")) if isinstance(value, dict) else None


def seconds(wait: object) -> float | None:
    """A `retry_after` as it came in JSON; None if it is no time to wait."""
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not wait >= 0:  # NaN is not, either
        return None
    return float(min(wait, FOREVER))


def read_op_result(body: bytes, where: str) -> OpResult:
    """An OpResult that says done; `ok` and `status_code` must both say so."""
    result = read(body, OpResult, "an OpResult")
    if not (result.ok and result.status_code == 200):
        code = result.status_code if result.status_code >= 400 else 500
        raise service_error(code, result.status_message or "no reason given", where)
    return result


class Attempts(Generic[T]):
    """How often, and after which pause, one request is sent again: full jitter, Retry-After honoured.

    After a lost reply nobody knows whether the request was done. Where it makes a difference, `look` says what to ask
    before the next try, and `settled` what the answer means.

    Args:
        ends: the moment of the monotonic clock at which it is given up; None for the settings' `total_timeout`.
    """

    def __init__(self, request: Request[T], settings: Settings, ends: float | None = None) -> None:
        self._request = request
        self._left = settings.retries
        self._made = 0
        self._looks = 0
        self._doubt: SecGeminiError | None = None
        self.ends = time.monotonic() + (settings.total_timeout or math.inf) if ends is None else ends

    @property
    def look(self) -> Request[PublicSession] | None:
        """What to ask before the next try; None if nothing is in doubt."""
        return self._request.check.look if self._request.check and self._looks else None

    def pause_after(self, error: SecGeminiError) -> float:
        """Seconds to wait before the next try, or before looking; raises `error` if there is neither."""
        check = self._request.check
        if self._doubt and check and check.shown_by and getattr(error, "status", 0) == check.shown_by:
            self._looks = 1  # it refuses a second one: the first was done
            return 0.0
        is_lost = self._is_lost(error)
        if is_lost:
            self._doubt = self._doubt or error
        may_look = bool(is_lost and check)
        if not may_look and not (self._left and self._worth_it(error)):
            raise self._told(error)
        self._made += 1
        pause = min(error.retry_after or jitter(self._made), LONGEST_RETRY_AFTER)
        if time.monotonic() + pause >= self.ends:
            raise self._told(error)
        if may_look and check:
            self._looks = check.looks
        else:
            self._left -= 1
        return pause

    def settled(self, found: PublicSession | SecGeminiError) -> tuple[T | None, float]:
        """What `look` brought: what the lost reply would have said, or None and the seconds until the next step.

        Raises:
            SecGeminiError: the one that began the doubt, if there is nothing more to do.
        """
        check, doubt = self._request.check, self._doubt
        if check is None or doubt is None:
            raise RuntimeError("nothing is in doubt")
        self._looks -= 1
        if isinstance(found, SecGeminiError) and not isinstance(found, SessionNotFoundError):
            raise self._told(doubt)
        outcome = check.outcome(None if isinstance(found, SecGeminiError) else found)
        if outcome is not None:
            return outcome, 0.0
        if self._looks:
            return None, SECOND_LOOK
        if not check.repeats or not self._left:
            raise self._named(doubt.tell("When the session was looked at, it had not been done."))
        self._left -= 1
        return None, 0.0

    def _is_lost(self, error: SecGeminiError) -> bool:
        """Whether the service may have done what was asked, and nobody here knows."""
        if self._request.idempotent:
            return False
        if isinstance(error, NetworkError):
            return not error.nothing_sent
        if isinstance(error, ProtocolError):
            return error.is_of_a_reply
        return isinstance(error, ServiceError) and error.status in PASSING

    def _worth_it(self, error: SecGeminiError) -> bool:
        if (error.retry_after or 0) > LONGEST_RETRY_AFTER:
            return False
        if isinstance(error, NetworkError):
            return error.nothing_sent or self._request.idempotent
        if isinstance(error, QuotaError):  # it was refused: nothing was done
            return self._request.idempotent or (self._request.check is not None and self._request.check.repeats)
        return isinstance(error, ServiceError) and error.status in PASSING and self._request.idempotent

    def _told(self, error: SecGeminiError) -> SecGeminiError:
        """`error`, which says that the request may have been done in spite of it."""
        if self._doubt is not None:
            error.tell(f"It may have arrived. {self._request.trace}".strip())
        return self._named(error)

    def _named(self, error: SecGeminiError) -> SecGeminiError:
        session_id = self._request.session_id
        return error.tell(f"(session {session_id})") if session_id and session_id not in str(error) else error


def jitter(attempt: int) -> float:
    """Full jitter: anywhere between nothing and the exponential pause, so that clients do not come back together."""
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt - 1, 16)))  # noqa: S311  # no secret
