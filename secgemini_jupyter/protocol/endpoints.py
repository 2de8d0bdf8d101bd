"""The service's REST calls (protocol section 5), each as a `Request`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from secgemini_jupyter._version import __version__
from secgemini_jupyter.errors import InputError, ProtocolError, ServiceError, SessionNotFoundError, holds_key
from secgemini_jupyter.models import (
    Attachment,
    Feedback,
    OpResult,
    PublicSession,
    PublicSessionFile,
    UserInfo,
    read,
    read_json,
    read_session,
)
from secgemini_jupyter.protocol.requests import Check, Request, read_op_result

T = TypeVar("T")

DONE = OpResult(ok=True, status_code=200)
"""What the lost reply of an operation said that was done."""
HEADERS = {
    "content-type": "application/json",
    "user-agent": f"secgemini-jupyter/{__version__}",
    "x-sdk": "secgemini-jupyter",
    "x-sdk-version": __version__,
}


def url(base: str, path: str) -> str:
    """`base` keeps its path prefix (a proxy before the service); no slash is doubled."""
    return base.rstrip("/") + path


def stream_url(base: str, session_id: str, *, partial: bool, key: str | None) -> str:
    """The WebSocket's address. Both values are percent-encoded: a key may hold `+`, `&` or `#`."""
    query = {"api_key": key} if key is not None else {}
    query |= {"session_id": session_id} | ({"stream": "true"} if partial else {})
    return url(base, "/v1/stream") + "?" + urlencode(query, quote_via=quote)


def user_info() -> Request[UserInfo]:
    return Request(
        method="GET",
        path="/v1/user/info",
        what="user information",
        idempotent=True,
        read=lambda body: read(body, UserInfo, "user information"),
    )


def register(session: PublicSession) -> Request[OpResult]:
    def read_registered(body: bytes) -> OpResult:
        try:
            return read_op_result(body, "register")
        except SessionNotFoundError as error:  # what is not there is no session, but what was asked of it
            raise ServiceError(
                f"{error.without_advice()} See models() for what this key may use.", status=404
            ) from None

    _refuse_key("session", session.name, session.description, session.model.model_string)
    return replace(
        _operation("/v1/session/register", session),
        read=read_registered,
        check=Check(
            look=get_session(session.id),
            outcome=lambda found: DONE if found and found.id == session.id else None,  # the id is ours, and new
            shown_by=409,
        ),
        trace=f"resume_session({session.id!r}) finds it, if it did.",
    )


def get_session(session_id: str) -> Request[PublicSession]:
    """The session with all its messages; null, `{}` and 404 all mean that there is none."""

    def read_found(body: bytes) -> PublicSession:
        if body.strip() in (b"null", b"{}"):
            raise SessionNotFoundError(
                f"There is no session {session_id!r}: deleted, expired, or of another key. "
                "List what there is with list_sessions()."
            )
        return read_session(body)

    return Request(
        method="GET",
        path="/v1/session/get",
        what="a session",
        params={"session_id": session_id},
        idempotent=True,
        session_id=session_id,
        read=read_found,
    )


def update(session: PublicSession, before: PublicSession | None = None) -> Request[OpResult]:
    """`session` as it should become; the service applies name, description and ttl.

    Args:
        before: as it was; a time to live that stays the same counts anew from now, which no look can tell.

    Raises:
        InputError: one of them holds the key.
    """

    def as_wished(found: PublicSession | None) -> OpResult | None:
        wished = _changeable(session)
        is_new = before is not None and _changeable(before) != wished
        return DONE if found and is_new and _changeable(found) == wished else None

    _refuse_key("session", session.name, session.description)
    return replace(
        _operation("/v1/session/update", _identity(session)),
        session_id=session.id,
        check=Check(look=get_session(session.id), outcome=as_wished),
        trace="After refresh() the session's name, description and ttl show it.",
    )


def _changeable(session: PublicSession) -> tuple[str, str, int]:
    return session.name, session.description, session.ttl


def delete(session: PublicSession) -> Request[OpResult]:
    return replace(
        _operation("/v1/session/delete", _identity(session)),
        session_id=session.id,
        check=Check(look=get_session(session.id), outcome=lambda found: None if found else DONE, shown_by=404),
        trace="list_sessions() does not show it any more, if it did.",
    )


def _identity(session: PublicSession) -> dict[str, Any]:
    """The fields that a PublicSession must have, and no more: not its messages, which may be megabytes."""
    names = ("id", "user_id", "org_id", "model", "ttl", "language", "name", "description", "can_log")
    return {name: getattr(session, name) for name in names}


def generate_name(session_id: str) -> Request[str]:
    def read_name(body: bytes) -> str:
        result = read_op_result(body, "generate_name")
        data = result.data if isinstance(result.data, dict) else {}
        name = data.get("name") or data.get("session_name") or result.status_message
        if not isinstance(name, str) or not name:
            raise ProtocolError("Expected a session name, got none.")
        return name

    return Request(
        method="GET",
        path="/v1/session/generate_name",
        what="a session name",
        params={"session_id": session_id},
        idempotent=True,
        session_id=session_id,
        read=read_name,
    )


def attach_file(
    session_id: str, filename: str, content: bytes, hint: str | None, before: Sequence[PublicSessionFile] = ()
) -> Request[PublicSessionFile]:
    """`before` are the files that the session had: one more with this content is this one."""

    def arrived(found: PublicSession | None) -> PublicSessionFile | None:
        ours = hashlib.sha256(content).hexdigest()
        known, there = (
            [f for f in files if f.sha256.lower() == ours] for files in (before, found.files if found else ())
        )
        return there[-1] if len(there) > len(known) else None

    attachment = Attachment(
        session_id=session_id,
        filename=filename,
        content=base64.b64encode(content).decode("ascii"),
        mime_type=hint,
    )

    def read_file(body: bytes) -> PublicSessionFile:
        result = read_op_result(body, f"attach_file {filename!r}")
        try:
            return msgspec.convert(result.data, PublicSessionFile)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"Expected the attached file in the reply, got something else ({error}).") from None

    return Request(
        method="POST",
        path="/v1/session/attach_file",
        what="the attached file",
        body=_encoded(attachment),
        read=read_file,
        session_id=session_id,
        check=Check(look=get_session(session_id), outcome=arrived, looks=2),
        trace="After refresh() session.files shows it, if it did.",
    )


def detach_file(session_id: str, file_idx: int, before: Sequence[PublicSessionFile] | None = None) -> Request[OpResult]:
    """`before` are the files that the session had: with this one less it was done.

    It is never sent again by itself: if the first one is only late, the second would remove another file.
    """
    left = None if before is None else [file for index, file in enumerate(before) if index != file_idx]
    return replace(
        _operation("/v1/session/detach_file", {"session_id": session_id, "file_idx": file_idx}),
        session_id=session_id,
        check=Check(
            look=get_session(session_id),
            outcome=lambda found: DONE if found and found.files == left else None,
            repeats=False,
            looks=2,
        ),
        trace="After refresh() session.files does not show it any more, if it did.",
    )


def attach_logs(session_id: str, logs_hash: str) -> Request[OpResult]:
    def read_attached(body: bytes) -> OpResult:
        try:
            return read_op_result(body, "attach_logs")
        except SessionNotFoundError as error:
            if "table" not in str(error).lower():
                raise
            raise ServiceError(
                f"{error.without_advice()} upload_and_attach_logs(path) brings the log up.", status=404
            ) from None

    return Request(
        method="POST",
        path="/v1/session/attach_logs",
        what="an OpResult",
        params={"session_id": session_id, "logs_hash": logs_hash},
        idempotent=True,  # attaching again replaces the table by itself
        session_id=session_id,
        read=read_attached,
    )


def feedback(report: Feedback) -> Request[OpResult]:
    _refuse_key("report", report.comment)
    return replace(
        _operation("/v1/session/feedback", report),
        session_id=report.session_id,
        trace="The service does not show what feedback it has: sent again, it may count twice.",
    )


class LogsTableState(msgspec.Struct):
    """A table of the logs processor. What is None, the service does not tell: it is an extension of our local one."""

    created: bool = msgspec.field(name="table_created")
    log_lines: int | None = None
    is_complete: bool = False
    custom_fields_mapping: dict[str, str] | None = None


def has_logs_processor() -> Request[bool]:
    """Whether the service itself takes logs: our local one does, and says so."""

    def read_health(body: bytes) -> bool:
        try:
            value = read_json(body, "the service's health")
        except ProtocolError:
            return False
        return isinstance(value, dict) and value.get("logs_processor") is True

    return Request(method="GET", path="/health", what="the service's health", idempotent=True, read=read_health)


def create_logs_table(processor_url: str | None, logs_hash: str, can_log: bool) -> Request[LogsTableState]:
    """`processor_url` None: the service itself."""

    def read_state(body: bytes) -> LogsTableState:
        _member(body, "table_created", bool)
        try:
            return msgspec.json.decode(body, type=LogsTableState)
        except msgspec.ValidationError:  # members of these names that mean something else
            return LogsTableState(_member(body, "table_created", bool))

    return Request(
        method="POST",
        path="/create_logs_table",
        what="table_created",
        base_url=processor_url,
        params={"logs_hash": logs_hash, "can_log": str(can_log).lower()},
        read=read_state,
    )


def upload_logs(
    processor_url: str | None,
    logs_hash: str,
    can_log: bool,
    lines: list[str],
    mapping: dict[str, str] | None,
    place: tuple[int, int] | None = None,
) -> Request[int]:
    """How many lines were inserted.

    Args:
        place: the position of the first of the lines, and how many the log has: for a service that tells how many it
            has. It inserts no line twice, so that the request may be sent again.
    """
    body: dict[str, Any] = {"logs_hash": logs_hash, "can_log": can_log, "log_lines": lines}
    if mapping:
        body["custom_fields_mapping"] = mapping
    if place is not None:
        body["first_line"], body["total_lines"] = place
    return Request(
        method="POST",
        path="/upload_logs",
        what="inserted_log_lines",
        base_url=processor_url,
        body=_encoded(body),
        idempotent=place is not None,
        read=lambda reply: _member(reply, "inserted_log_lines", int),
    )


def _operation(path: str, body: Any) -> Request[OpResult]:
    name = path.rpartition("/")[2]
    return Request(
        method="POST",
        path=path,
        what="an OpResult",
        body=_encoded(body),
        read=lambda reply: read_op_result(reply, name),
    )


def _refuse_key(what: str, *texts: str | None) -> None:
    """The one place that what a user writes about a session passes, whichever front it comes through.

    Raises:
        InputError: a text holds the key.
    """
    if any(holds_key(text) for text in texts if text):
        raise InputError(f"The {what} holds the API key. Take it out. Nothing was sent.")


def _encoded(body: Any) -> bytes:
    """A body as JSON.

    Raises:
        InputError: a text in it is none: a lone surrogate, as `os.fsdecode` makes it of bytes that are no UTF-8.
    """
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError as error:
        raise InputError(
            f"A text holds {error.object[error.start]!r}, which cannot be sent. Nothing was sent."
        ) from None


def _member(body: bytes, name: str, kind: type[T]) -> T:
    value = read_json(body, f"an object with {name}")
    member = value.get(name) if isinstance(value, dict) else None
    if not isinstance(member, kind):
        raise ProtocolError(f"Expected an object with {name}, got none. Is the logs processor's address right?")
    return member
