"""What can go wrong, and the secrets that must not show when it does.

    SecGeminiError
      SettingsError             a setting is missing or makes no sense
      InputError                an argument was refused; also a ValueError
      AttachmentError           a file was refused, or arrived altered
      NetworkError              the service could not be reached, or the connection was lost for good
      ProtocolError             the service's answer cannot be read
      ToolError                 a local tool is declared wrongly, or raised
      TurnTimeoutError          a turn did not end before its deadline
      ServiceError              the service refused (.status)
        AuthenticationError     401, 403: the key
        SessionNotFoundError    404: the session does not exist, or not any more
        QuotaError              429 (.retry_after, in seconds)

An error that ended a turn carries `.messages` and `.response`: what had arrived until then.
"""

from __future__ import annotations

import logging
import re
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from secgemini_jupyter.models import Message

__all__ = [
    "AttachmentError",
    "AuthenticationError",
    "InputError",
    "NetworkError",
    "ProtocolError",
    "QuotaError",
    "SecGeminiError",
    "Secret",
    "ServiceError",
    "SessionNotFoundError",
    "SettingsError",
    "ToolError",
    "TurnTimeoutError",
]

REDACTED = "[redacted]"

# Where a key travels by the protocol, whoever it belongs to: `api_key=` in a URL, the headers of section 2.
_CARRIERS = re.compile(
    r"(?i)(api_key=|x-api-key['\"]?\s*[:=,]\s*(?:b?['\"])?"
    r"|authorization['\"]?\s*[:=,]\s*(?:b?['\"])?(?:(?:bearer|basic)\s+)?)(?!\[redacted\])[^\s&'\"#,}\]]+"
)


class Secret:
    """A value that is never shown: `repr`, `str`, `format` and pickle give a mark with its last four characters.

    `reveal()` is for the one place that sends it; never keep the result in a variable, because a verbose
    traceback prints local variables.
    """

    # Every secret of this process, so that `redact` also finds one that an error text or a log line quotes.
    # By identity: of two equal ones the first may go while the second is in use.
    _known: ClassVar[weakref.WeakValueDictionary[int, Secret]] = weakref.WeakValueDictionary()

    __slots__ = ("__weakref__", "_spellings", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._spellings = re.compile("".join(_spellings(char) for char in value))
        if len(value) >= 8:  # shorter values would redact ordinary words
            Secret._known[id(self)] = self

    def reveal(self) -> str:
        return self._value

    def redact(self, text: str) -> str:
        """`text` without this value, percent-encoded or not."""
        return self._spellings.sub(REDACTED, text)

    def may_be_in(self, text: str) -> bool:
        """False if not; it takes a fraction of the time of `redact`."""
        return self._value in text or "%" in text or (" " in self._value and "+" in text)

    @property
    def hint(self) -> str:
        """The last four characters, or nothing where they would give away a good part of it."""
        return f"…{self._value[-4:]}" if len(self._value) >= 16 else "…"

    def __repr__(self) -> str:
        return f"Secret({self.hint})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, ("",)


def _spellings(char: str) -> str:
    """A pattern for a character as it is, or percent-encoded, wherever the encoder drew the line."""
    encoded = "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    return f"(?:{re.escape(char)}|(?i:{encoded}){r'|[+]' if char == ' ' else ''})"


def redact(text: str) -> str:
    """`text` without any key: what carries one by the protocol, and every `Secret` of this process."""
    return _CARRIERS.sub(lambda match: match.group(1) + REDACTED, without_keys(text))


def without_keys(text: str) -> str:
    """`text` without any `Secret` of this process; nothing else of it changes, so that it may be evidence or markup."""
    known = [secret for reference in Secret._known.valuerefs() if (secret := reference()) and secret.may_be_in(text)]
    for secret in sorted(known, key=lambda secret: -len(secret.reveal())):  # one may begin another
        text = secret.redact(text)
    return text


def holds_key(content: str | bytes) -> bool:
    """Whether a `Secret` of this process stands in `content`, as it is or percent-encoded."""
    if isinstance(content, str):
        return without_keys(content) != content
    known = [secret for reference in Secret._known.valuerefs() if (secret := reference())]
    return any(secret.reveal().encode(encoding) in content for secret in known for encoding in ("utf-8", "utf-16-le"))


def one_line(text: str) -> str:
    """`text` as one line that a terminal shows as it is: what a service or a file name says may hold escapes."""
    text = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class RedactingFilter(logging.Filter):
    """Cleans a record of a library that logs URLs or headers, before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # the library's mistake is logging's to report, but must not show its arguments
            message = f"{record.msg} {record.args}"
        record.msg = redact(message)
        record.args = None
        if record.exc_info and record.exc_info[1]:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


class SecGeminiError(Exception):
    """Base of all errors of this package. The message says what happened, then what to do.

    Attributes:
        messages: for an error that ended a turn, the messages that had arrived; else empty.
        response: the same as a `SessionResponse`; else None.
        retry_after: seconds after which to try again, where the service says so; else None.
        advice: those of the message's words that say what to do, unless somebody knows better.
    """

    messages: Sequence[Message] = ()
    response: Any = None
    retry_after: float | None = None
    advice = ""
    #: False (`%config SecGeminiMagics.short_errors = False`) shows the traceback instead of one line.
    short = True

    def __init__(self, message: str) -> None:
        super().__init__(one_line(redact(message)))

    def tell(self, words: str) -> Self:
        """Let the message say more, after what it says already; the same words once."""
        words = one_line(redact(words))
        if words not in str(self):
            self.args = (f"{self} {words}", *self.args[1:])
        return self

    def advise(self, words: str) -> Self:
        """Let the message say what to do; `without_advice` takes it back, where that would be wrong."""
        self.advice = words
        self.args = (f"{self} {words}", *self.args[1:])
        return self

    def without_advice(self) -> Self:
        before, _, after = str(self).rpartition(f" {self.advice}") if self.advice else ("", "", str(self))
        self.advice, self.args = "", (before + after, *self.args[1:])
        return self

    @property
    def _render_traceback_(self) -> Callable[[], list[str]]:
        """IPython's hook: a short fact needs no long traceback."""
        if not self.short:
            raise AttributeError("the traceback is wanted")
        return lambda: [f"{type(self).__name__}: {self}"]


class SettingsError(SecGeminiError):
    """A setting is missing or makes no sense."""


class InputError(SecGeminiError, ValueError):
    """An argument was refused before anything was sent."""


class AttachmentError(SecGeminiError):
    """A file was refused, or the service's copy differs from it."""


class NetworkError(SecGeminiError):
    """The service could not be reached, or the connection was lost for good.

    Attributes:
        nothing_sent: the connection never stood, so the service cannot have seen the request.
    """

    def __init__(self, message: str, *, nothing_sent: bool = False) -> None:
        super().__init__(message)
        self.nothing_sent = nothing_sent


class ProtocolError(SecGeminiError):
    """The service's answer cannot be read.

    Attributes:
        is_of_a_reply: it is one that says success: what was asked may have been done.
    """

    is_of_a_reply = False


class ToolError(SecGeminiError):
    """A local tool is declared wrongly, or raised."""


class TurnTimeoutError(SecGeminiError):
    """A turn did not end before its deadline. The service may still be working on it."""


class ServiceError(SecGeminiError):
    """The service refused.

    Attributes:
        status: HTTP status, or the status code in the body or the frame.
    """

    def __init__(self, message: str, *, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class AuthenticationError(ServiceError):
    """The key is missing, wrong or not allowed to do this (401, 403)."""

    def __init__(self, message: str, *, status: int = 401) -> None:
        super().__init__(message, status=status)


class SessionNotFoundError(ServiceError):
    """The session does not exist, is not visible to this key, or its time to live has run out."""

    def __init__(self, message: str, *, status: int = 404) -> None:
        super().__init__(message, status=status)


class QuotaError(ServiceError):
    """Too many requests or tokens (429).

    Attributes:
        retry_after: seconds to wait, as the service says; None if it does not say.
    """

    def __init__(self, message: str, *, status: int = 429, retry_after: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after
