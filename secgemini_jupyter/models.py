"""What travels on the wire, as protocol version 1 has it.

Objects are read tolerantly: an enum value, a field or a MIME type that we do not know stays readable and
survives being written again. They are written strictly: every field of every object, always.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import enum
import json
import math
import time
import uuid
from collections.abc import Hashable, Iterable
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

import msgspec

from secgemini_jupyter.errors import ProtocolError, one_line

__all__ = [
    "Attachment",
    "Feedback",
    "FeedbackType",
    "LocalTool",
    "Message",
    "MessageType",
    "ModalityTokenCount",
    "ModelInfo",
    "OpResult",
    "OptionalToolSet",
    "PublicLogsTable",
    "PublicSession",
    "PublicSessionFile",
    "PublicUser",
    "Role",
    "State",
    "ToolSetVendor",
    "Usage",
    "UserInfo",
    "UserType",
]

ROOT = "3713"
"""Id of the root: the parent of every message that has no other."""

T = TypeVar("T")


class OpenEnum(enum.StrEnum):
    """An enum that also takes values it does not list: such a member is called `OTHER` and keeps its value."""

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = "OTHER"
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        return self.name != "OTHER"


class Role(OpenEnum):
    USER = "user"
    AGENT = "agent"
    SYSTEM = "system"


class MessageType(OpenEnum):
    QUERY = "query"
    RESULT = "result"
    INFO = "info"
    THINKING = "thinking"
    DEBUG = "debug"
    ERROR = "error"
    SOURCE = "source"
    UPDATE = "update"
    DELETE = "delete"
    CONFIRMATION_REQUEST = "confirmation_request"
    CONFIRMATION_RESPONSE = "confirmation_response"
    LOCAL_TOOL_CALL = "local_tool_call"
    LOCAL_TOOL_RESULT = "local_tool_result"


class State(OpenEnum):
    UNDEFINED = "undefined"
    START = "start"
    END = "end"
    QUERY = "query"
    RUNNING_AGENT = "running_agent"
    AGENT_DONE = "agent_done"
    CODING = "coding"
    CODE_RESULT = "code_result"
    CALLING_TOOL = "calling_tool"
    TOOL_RESULT = "tool_result"
    GENERATING = "generating"
    ANSWERING = "answering"
    THINKING = "thinking"
    PLANNING = "planning"
    REVIEWING = "reviewing"
    UNDERSTANDING = "understanding"
    RETRIEVING = "retrieving"
    GROUNDING = "grounding"


class FeedbackType(OpenEnum):
    USER_FEEDBACK = "user_feedback"
    BUG_REPORT = "bug_report"


class UserType(OpenEnum):
    UI = "ui"
    USER = "user"
    ADMIN = "admin"
    SYSTEM = "system"
    SERVICE = "service"


def is_text(mime_type: str | None) -> bool:
    """Whether `content` of this MIME type is the text itself; else it is base64 (protocol section 4.2)."""
    return mime_type is None or mime_type.startswith(("text/", "sec-gemini")) or mime_type == "application/json"


class ModalityTokenCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    modality: str | None = None
    token_count: int | None = None


class Usage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Tokens, as the service counts them. Cached and thinking tokens are parts of other counts: do not add them up."""

    prompt_tokens: int = 0
    generated_tokens: int = 0
    total_tokens: int = 0
    cached_token_count: int = 0
    thoughts_token_count: int = 0
    tool_use_prompt_token_count: int = 0
    prompt_tokens_details: list[ModalityTokenCount] | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            generated_tokens=self.generated_tokens + other.generated_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            cached_token_count=self.cached_token_count + other.cached_token_count,
            thoughts_token_count=self.thoughts_token_count + other.thoughts_token_count,
            tool_use_prompt_token_count=self.tool_use_prompt_token_count + other.tool_use_prompt_token_count,
        )


def _short_id() -> str:
    return uuid.uuid4().hex[:12]


def _long_id() -> str:
    return uuid.uuid4().hex


def _now() -> int:
    return int(time.time())


class Message(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """One item of a session: a prompt, a progress line, a tool call, a result, an error, the end mark.

    `forbid_unknown_fields` makes the fast decoder notice a field that we do not know; `read_message` then
    takes the slow way and keeps it in `unknown`. Without `gc`, the collector does not walk each of a session's
    100,000 messages again and again; they hold no cycles.
    """

    id: str = msgspec.field(default_factory=_short_id)
    parent_id: str = ROOT
    turn: str = msgspec.field(default_factory=_short_id)
    group: str = msgspec.field(default_factory=_long_id)
    actor: str = "user"
    role: Role = Role.USER
    timestamp: int = msgspec.field(default_factory=_now)
    created_at: float = msgspec.field(default_factory=time.time)
    message_type: MessageType
    icon: str | None = None
    text_color: str | None = None
    title: str | None = None
    state: State = State.START
    content: str | None = None
    mime_type: str | None = "text/plain"
    status_code: int = 200
    status_message: str = "OK"
    usage: Usage | None = None
    # What the wire said and the fields above cannot hold: fields that we do not know, and, under the name of one
    # that we know, a value that does not fit it. UNSET is left out when the struct is encoded.
    unknown: dict[str, Any] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="~unknown")

    @property
    def is_end(self) -> bool:
        return self.state is State.END

    @property
    def is_partial(self) -> bool:
        """A piece of a result or of thinking; the aggregate with status 200 follows."""
        return self.status_code == 206

    @property
    def is_error(self) -> bool:
        """Whether the turn failed here: an `error` with status 200 is one that the service recovers from."""
        return self.status_code >= 400 and self.message_type is not MessageType.LOCAL_TOOL_RESULT

    @property
    def seconds(self) -> float:
        """`created_at`, else `timestamp`: Unix seconds, 0 where there is none. Nobody checked that they are a time."""
        try:
            return self.created_at or float(self.timestamp)
        except OverflowError:  # a whole number of more than 308 digits
            return math.inf

    @property
    def text(self) -> str | None:
        """The content of a message of a text type; None for a binary one."""
        return (self.content or "") if is_text(self.mime_type) else None

    @property
    def data(self) -> bytes:
        """The content as bytes: base64 decoded where the MIME type asks for it. Unreadable base64 stays as it came."""
        if is_text(self.mime_type):
            return (self.content or "").encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(self.content or "", validate=True)
        except (binascii.Error, ValueError):
            return (self.content or "").encode("utf-8", "surrogatepass")

    def to_json(self) -> bytes:
        """One JSON object on one line, with every field, those included that we do not know.

        A value that did not fit its field is written as it came, but only where it reads as what the field holds:
        a field that we understood cannot be replaced by a hidden one.
        """
        if not self.unknown:
            return msgspec.json.encode(self)
        written = msgspec.to_builtins(msgspec.structs.replace(self, unknown=msgspec.UNSET))
        for key, received in self.unknown.items():
            if key not in _KNOWN_KEYS:
                written[key] = received
                continue
            kept = written[key]
            if isinstance(received, dict) and isinstance(kept, dict):
                received = kept | received
            if _same(msgspec.to_builtins(_read_field(key, received)), kept):
                written[key] = received
        return msgspec.json.encode(written)


def said_by(messages: Iterable[Message]) -> Message | None:
    """The result that says who answered and that ratings are about: the last one, but for what the service remarks on
    an answer (role `system`)."""
    found = [message for message in messages if message.message_type is MessageType.RESULT]
    return next((each for each in reversed(found) if each.role is not Role.SYSTEM), found[-1] if found else None)


def turn_usage(messages: Iterable[Message]) -> Usage:
    """Tokens of one turn: those of its results, which count all that led to them; else those of the other messages.

    The service's thinking messages report numbers of their own, which the result's include (protocol 19.2). A
    message that was received twice counts once, a piece not at all: its aggregate follows.
    """
    return sum((usage for _, usage in counted_usages(messages)), Usage())


def counted_usages(messages: Iterable[Message]) -> list[tuple[Message, Usage]]:
    """The messages whose numbers are those of the turn, with them: see `turn_usage`."""
    counted = {(m.id, m.message_type): (m, m.usage) for m in messages if m.usage and not m.is_partial}
    results = [item for item in counted.values() if item[0].message_type is MessageType.RESULT]
    return results or list(counted.values())


class ToolSetVendor(msgspec.Struct, frozen=True):
    name: str = ""
    description: str = ""
    url: str = ""
    svg: str = ""


class OptionalToolSet(msgspec.Struct, frozen=True):
    name: str
    version: int = 1
    description: str | None = None
    vendor: ToolSetVendor = ToolSetVendor()
    is_enabled: bool = False
    is_enabled_by_default: bool = False
    is_enabled_by_default_in_incognito: bool = False
    is_experimental: bool = False


class ModelInfo(msgspec.Struct, frozen=True):
    """A model of the service; `model_string` is what the service resolves."""

    model_name: str = ""
    version: str = ""
    use_experimental: bool = False
    model_string: str = ""
    description: str | None = ""
    toolsets: list[OptionalToolSet] = []

    @property
    def local_name(self) -> str:
        """Who answers with it, if it is one of the local service's; its description begins with that."""
        if self.model_string == "local-openai":
            return (self.description or "").partition(": ")[0] or "language model"
        return "local echo" if self.model_string == "local-echo" else "local analyst"

    @classmethod
    def parse(cls, model_string: str) -> ModelInfo:
        """`sec-gemini-1.1-experimental` → name `sec-gemini`, version `1.1`, experimental (protocol section 16)."""
        stem = model_string.removesuffix("-experimental")
        name, dash, version = stem.rpartition("-")
        if not (dash and name and version):
            name, version = stem, ""
        return cls(
            model_name=name,
            version=version,
            use_experimental=stem != model_string,
            model_string=model_string,
        )


class PublicUser(msgspec.Struct, frozen=True):
    """Who the key belongs to. `rpm`, `tpm`: requests, tokens a minute; `key_expire_time`: Unix seconds, 0 = never."""

    id: str = ""
    org_id: str = ""
    type: UserType = UserType.USER
    never_log: bool = False
    can_disable_logging: bool = False
    key_expire_time: int = 0
    tpm: int = 0
    rpm: int = 0
    allow_experimental: bool = False
    vendors: list[ToolSetVendor] = []


class PublicSessionFile(msgspec.Struct, frozen=True):
    """An attachment as the service sees it: `size` in bytes, `sha256` in hex over the raw bytes."""

    name: str
    size: int = 0
    sha256: str = ""
    mime_type: str = ""
    content_type_label: str | None = None


class PublicLogsTable(msgspec.Struct, frozen=True):
    blake2s: str


class LocalTool(msgspec.Struct, frozen=True):
    """A function of the client that the service may ask for; `parameters` is a Schema (protocol section 4.7)."""

    name: str
    description: str
    parameters: dict[str, Any]
    returns: dict[str, Any] | None = None
    version: str | None = None
    tags: list[str] | None = None


class PublicSession(msgspec.Struct, kw_only=True, frozen=True):
    """A session as the service keeps it. `ttl` in seconds; times are Unix seconds; `files` in order of attachment."""

    id: str = msgspec.field(default_factory=_long_id)
    user_id: str = ""
    org_id: str = ""
    model: ModelInfo = ModelInfo()
    ttl: int = 0
    language: str = "en"
    turns: int = 0
    name: str = ""
    description: str = ""
    create_time: float = msgspec.field(default_factory=time.time)
    update_time: float = msgspec.field(default_factory=time.time)
    num_messages: int = 0
    messages: list[msgspec.Raw] = []
    usage: Usage = Usage()
    can_log: bool = True
    state: State = State.START
    files: list[PublicSessionFile] = []
    logs_table: PublicLogsTable | None = None
    local_tools: list[LocalTool] = []
    agents_config: dict[str, Any] = {}

    def read_messages(self) -> list[Message]:
        """The stored messages, oldest first; one that cannot be read becomes a message of type `other`."""
        return [read_stored_message(raw) for raw in self.messages]


class _ReadSession(PublicSession, kw_only=True, frozen=True):
    """A session whose messages were read along with it: possible where all of them fit, and twice as fast."""

    messages: list[Message] = []  # type: ignore[assignment]

    def read_messages(self) -> list[Message]:
        return self.messages


class UserInfo(msgspec.Struct, frozen=True):
    user: PublicUser
    sessions: list[PublicSession] = []
    available_models: list[ModelInfo] = []


class OpResult(msgspec.Struct, frozen=True):
    """Outcome of a state-changing call; it counts as done only with `ok` and `status_code` 200."""

    ok: bool
    status_code: int
    status_message: str = ""
    data: Any = None
    mime_type: str | None = "text/plain"
    latency: float | None = 0.0


class Attachment(msgspec.Struct, frozen=True):
    """A file on its way up: `content` is always base64."""

    session_id: str
    filename: str
    content: str
    mime_type: str | None = None


class Feedback(msgspec.Struct, frozen=True):
    session_id: str
    type: FeedbackType
    score: int
    comment: str
    group_id: str = ""


_MESSAGE = msgspec.json.Decoder(Message)
_FIELDS = {field.encode_name: field for field in msgspec.structs.fields(Message) if field.name != "unknown"}
_KNOWN_KEYS = frozenset(_FIELDS)

# What a field holds whose value cannot be read, where the default would be another one at each reading.
_UNREADABLE: dict[str, Any] = {
    "id": "",
    "turn": "",
    "group": "",
    "timestamp": 0,
    "created_at": 0.0,
    "message_type": MessageType("other"),
}


def read_message(frame: bytes | str | msgspec.Raw) -> Message:
    """One frame as a `Message`.

    Raises:
        ProtocolError: the frame is no JSON object.
    """
    # Every frame comes by here: `contextlib.suppress` would take a third as long as the decoding itself.
    try:
        message = _MESSAGE.decode(frame)
        if message.unknown is msgspec.UNSET:  # else the sender used our own name for a field
            return message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    value = _read_json(bytes(frame) if isinstance(frame, msgspec.Raw) else frame, "a message", _EXACT)
    if not isinstance(value, dict):
        raise ProtocolError(f"Expected a message as a JSON object, got {_sample(value)}. Report it to the service.")
    if isinstance(usage := value.get("usage"), dict):
        details = usage.get("prompt_tokens_details")
        for count in details if isinstance(details, list) else ():
            if isinstance(count, dict) and "tokenCount" in count:  # the published description's spelling
                count["token_count"] = count.pop("tokenCount")
    read = {key: _read_field(key, item) for key, item in value.items() if key in _KNOWN_KEYS}
    message = Message(**({"message_type": _UNREADABLE["message_type"]} | read))
    unknown = {key: item for key, item in value.items() if key not in _KNOWN_KEYS}
    for key, item in read.items():
        kept = msgspec.to_builtins(item)
        if not _same(value[key], kept):
            unknown[key] = _lost(value[key], kept)
    return msgspec.structs.replace(message, unknown=unknown or msgspec.UNSET)


def _read_field(key: str, value: Any) -> Any:
    field = _FIELDS[key]
    try:
        read = _lenient_field(value, field.type)
        if not isinstance(read, float) or math.isfinite(read):
            return read
    except (msgspec.ValidationError, TypeError):
        pass
    return _UNREADABLE.get(key, field.default)


def _same(received: Any, kept: Any) -> bool:
    if isinstance(received, dict) and isinstance(kept, dict):
        return all(key in kept and _same(item, kept[key]) for key, item in received.items())
    return bool(received == kept) and isinstance(received, bool) == isinstance(kept, bool)


def _lost(received: Any, kept: Any) -> Any:
    """The part of `received` that `kept` does not hold."""
    if isinstance(received, dict) and isinstance(kept, dict):
        return {key: item for key, item in received.items() if key not in kept or not _same(item, kept[key])}
    return received


def read_stored_message(raw: bytes | msgspec.Raw) -> Message:
    """A message of a stored session, where one that cannot be read must not hide the others."""
    try:
        return read_message(raw)
    except ProtocolError:
        text = bytes(raw).decode("utf-8", "replace")
        return Message(id="", turn="", group="", actor="", timestamp=0, created_at=0.0,
                       message_type=MessageType("other"), content=text)  # fmt: skip


UNREADABLE_ADVICE = " Is the address right?"
"""What a client does next about a reply that it cannot read; a server does not tell it."""


def read(body: bytes, kind: type[T], what: str) -> T:
    """A reply's body as a struct; fields that do not fit fall back to their defaults.

    Raises:
        ProtocolError: the body is no JSON, or lacks what `kind` requires.
    """
    try:
        return cast("T", _decoder(cast("Any", kind)).decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = read_json(body, what)
    try:
        return cast("T", _lenient(value, kind))
    except (msgspec.ValidationError, TypeError) as error:
        raise ProtocolError(f"Expected {what}, got {_sample(value)} ({error}).{UNREADABLE_ADVICE}") from None


def read_session(body: bytes) -> PublicSession:
    """A session with its messages.

    Raises:
        ProtocolError: the body is no JSON, or no session.
    """
    unset = msgspec.UNSET
    try:
        session: PublicSession = _decoder(_ReadSession).decode(body)
        if not [True for message in session.read_messages() if message.unknown is not unset]:  # see read_message
            return session
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return read(body, PublicSession, "a session")


@cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def read_json(body: bytes | str, what: str) -> Any:
    """Any JSON, as tolerantly as Python can: lone surrogates and NaN are let in, the first as U+FFFD.

    Raises:
        ProtocolError: the body is no JSON, or nested more than 200 levels deep.
    """
    return _read_json(body, what, json.JSONDecoder())


def _read_json(body: bytes | str, what: str, decoder: json.JSONDecoder) -> Any:
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        return _without_surrogates(decoder.decode(text))
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise ProtocolError(f"Expected {what} as JSON, got {_sample(body)} ({reason}).{UNREADABLE_ADVICE}") from None


def _finite(number: str) -> float | str:
    value = float(number)
    return value if math.isfinite(value) else number


# NaN, Infinity and 1e400 as the text they came as: no JSON can say them again as numbers.
_EXACT = json.JSONDecoder(parse_constant=str, parse_float=_finite)


def _without_surrogates(value: Any, levels: int = 200) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if not levels and isinstance(value, (list, dict)):
        raise RecursionError
    if isinstance(value, list):
        return [_without_surrogates(item, levels - 1) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item, levels - 1) for key, item in value.items()}
    return value


def _lenient(value: Any, kind: Any) -> Any:
    """`value` as `kind`, field by field; one that does not fit is tried as text or whole number, then left out."""
    with contextlib.suppress(msgspec.ValidationError):
        return _convert(value, kind)
    if not isinstance(value, dict):
        raise msgspec.ValidationError(f"Expected an object, got {type(value).__name__}")
    result: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in value:
            continue
        with contextlib.suppress(msgspec.ValidationError):
            result[field.name] = _lenient_field(value[field.encode_name], field.type)
    return kind(**result)


def _lenient_field(value: Any, kind: Any) -> Any:
    with contextlib.suppress(msgspec.ValidationError):
        return _convert(value, kind)
    origin = get_origin(kind)
    for part in get_args(kind) if origin in (Union, UnionType) else (kind,):
        if get_origin(part) is list and isinstance(value, list):
            return _lenient_list(value, *get_args(part))
        if isinstance(part, type) and issubclass(part, msgspec.Struct) and isinstance(value, dict):
            return _lenient(value, part)
        if part is int and isinstance(value, float) and abs(value) < 2**63:
            return int(value)
        if part is str and value is not None:
            return value if isinstance(value, str) else json.dumps(value)
    raise msgspec.ValidationError(f"Expected {kind}, got {type(value).__name__}")


def _lenient_list(items: list[Any], kind: Any) -> list[Any]:
    read = []
    for item in items:
        with contextlib.suppress(msgspec.ValidationError, TypeError):
            read.append(_lenient(item, kind))
    return read


def _convert(value: Any, kind: Any) -> Any:
    if kind is msgspec.Raw:
        return msgspec.Raw(json.dumps(value).encode())
    return msgspec.convert(value, kind, strict=False)


def _sample(value: Any) -> str:
    """The beginning of something unexpected, for an error message."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = one_line(text)
    return repr(text[:80] + ("…" if len(text) > 80 else "")) if text else "nothing"
