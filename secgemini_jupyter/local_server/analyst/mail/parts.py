"""A message in its parts, by the standard library's parser, with bounds; nothing raises but `ToolFailure`."""

from __future__ import annotations

import email
import email.errors
import email.header
import email.policy
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from functools import cached_property
from typing import Any

from secgemini_jupyter.local_server.analyst.tool import ToolFailure

MAX_MAIL = 64 * 2**20
MAX_HEADERS = 2_000
MAX_HEADER = 4_000
"""Characters of one header that are looked at."""
MAX_PARTS = 500
MAX_TEXT = 500_000
"""Characters of one text part that are looked at."""
MAX_MEMBER_NAME = 200


@dataclass(frozen=True)
class Part:
    """A leaf of the message: `name` is how `member` of a call finds it; `file_name` what the message calls it."""

    name: str
    file_name: str
    content_type: str
    disposition: str
    content_id: str
    message: Message = field(repr=False)

    @property
    def is_attachment(self) -> bool:
        return bool(self.file_name) or self.disposition == "attachment" or not self.is_text

    @property
    def is_text(self) -> bool:
        return self.content_type in ("text/plain", "text/html")

    @cached_property
    def content(self) -> bytes:
        if self.content_type.startswith("message/"):
            return _inner_bytes(self.message)
        try:
            payload: Any = self.message.get_payload(decode=True)
        except (ValueError, LookupError, AssertionError):
            payload = None
        return payload if isinstance(payload, bytes) else b""

    @property
    def text(self) -> str:
        charset = str(self.message.get_content_charset("utf-8") or "utf-8")
        try:
            return self.content[: 4 * MAX_TEXT].decode(charset, "replace")[:MAX_TEXT]
        except (LookupError, ValueError, UnicodeError):
            return self.content[: 4 * MAX_TEXT].decode("utf-8", "replace")[:MAX_TEXT]


@dataclass(frozen=True)
class Mail:
    headers: list[tuple[str, str]]
    """Names in lower case, values unfolded, still encoded; in the order in which they stand."""
    parts: list[Part]
    is_cut: bool
    """There are more headers or parts than are looked at."""
    defects: list[str]
    is_mailbox: bool

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]

    def first(self, name: str) -> str:
        return next((value for each, value in self.headers if each == name), "")


def read_mail(content: bytes) -> Mail:
    """The message in `content`.

    Raises:
        ToolFailure: it is none, or is built so that it cannot be read.
    """
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise ToolFailure("This is an Outlook message (.msg, an OLE file), which is not read here: save it as .eml.")
    if len(content) > MAX_MAIL:
        raise ToolFailure(f"The message has more than {MAX_MAIL // 2**20} MiB.")
    content = content.lstrip(b"\xef\xbb\xbf\r\n ")
    try:
        message = email.message_from_bytes(content, policy=email.policy.compat32)
        headers = [(name.lower(), _unfolded(value)) for name, value in _raw(message)][:MAX_HEADERS]
        parts, is_cut = _parts(message)
    except RecursionError:
        raise ToolFailure("The message is nested too deeply to be read.") from None
    if not headers:
        raise ToolFailure("There are no mail headers at its beginning: this is no e-mail.")
    return Mail(
        headers,
        parts,
        is_cut or len(message.keys()) > MAX_HEADERS,
        sorted({_words(type(defect).__name__) for each in message.walk() for defect in each.defects})[:10],
        content.startswith(b"From ") and content.count(b"\n\nFrom ", 0, 4 * 2**20) > 0,
    )


def mail_part(content: bytes, name: str) -> bytes:
    """The part of a message with this member name.

    Raises:
        ToolFailure: there is no such part.
    """
    for part in read_mail(content).parts:
        if name in (part.name, part.file_name):
            return part.content
    raise ToolFailure(f"The message has no part called {name!r}.")


def _raw(message: Message) -> Iterator[tuple[str, str]]:
    for name, value in message.raw_items():
        yield str(name), str(value)


def _unfolded(value: str) -> str:
    # Bytes beyond ASCII come as surrogates: what is UTF-8 is read so.
    text = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if not value.isascii() else value
    return re.sub(r"\s+", " ", text[:MAX_HEADER]).strip()


def decoded(value: str) -> str:
    """A header with its encoded words decoded."""
    if "=?" not in value:
        return value
    try:
        return str(email.header.make_header(email.header.decode_header(value))).replace("\n", " ").replace("\r", " ")
    except (ValueError, LookupError, email.errors.HeaderParseError, AssertionError):
        return value


def _parts(message: Message) -> tuple[list[Part], bool]:
    """The leaves, in their order; a message within is a leaf. A stack, since nesting may be deep."""
    found: list[Part] = []
    seen: dict[str, int] = {}
    stack: list[Any] = [message]
    while stack:
        each = stack.pop()
        if not isinstance(each, Message):
            continue
        payload = each.get_payload()
        kind = str(each.get_content_type())
        if isinstance(payload, list) and not kind.startswith("message/"):
            stack += payload[::-1]
            continue
        if len(found) >= MAX_PARTS:
            return found, True
        found.append(_part(each, kind, len(found) + 1, seen))
    return found, False


def _part(message: Message, kind: str, number: int, seen: dict[str, int]) -> Part:
    file_name = _file_name(message)
    disposition = str(message.get("content-disposition") or "").partition(";")[0].strip().lower()
    name = file_name
    if not name and kind.startswith("message/"):
        name = "message.eml"
    elif not name:
        ending = {"text/plain": ".txt", "text/html": ".html"}.get(kind, "")
        name = f"part {number}{ending}"
    seen[name] = seen.get(name, 0) + 1
    if seen[name] > 1:
        name = f"{name} ({seen[name]})"
    return Part(name, file_name, kind, disposition, str(message.get("content-id") or "")[:200].strip("<> "), message)


def _file_name(message: Message) -> str:
    try:
        name = message.get_filename("") or ""
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError):
        name = ""
    name = decoded(_unfolded(str(name)))
    return "".join(c for c in name if c.isprintable() or c == "\u202e")[:MAX_MEMBER_NAME].strip()


def _inner_bytes(message: Message) -> bytes:
    payload = message.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    if not isinstance(inner, Message):
        return str(payload or "").encode("utf-8", "replace")
    try:
        return inner.as_bytes()
    except (ValueError, LookupError, AttributeError, TypeError, AssertionError, RecursionError):
        return b""


def _words(name: str) -> str:
    """`MissingHeaderBodySeparatorDefect` → `missing header body separator`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Defect")).lower()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
