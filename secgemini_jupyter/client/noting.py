"""What the activity log tells of each thing that is done: hashes of words, names of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from secgemini_jupyter.activity.entries import sha256
from secgemini_jupyter.errors import SecGeminiError
from secgemini_jupyter.models import Feedback, Message, PublicSession, PublicSessionFile
from secgemini_jupyter.protocol.turn import Turn

Details = dict[str, Any]


def creation(session: PublicSession) -> Details:
    model = session.model.model_string or session.model.model_name
    return {"name": session.name, "ttl": session.ttl, "model": model, "language": session.language}


def resumption(session: PublicSession, messages: Sequence[Message]) -> Details:
    files = [file_of(file) for file in session.files]
    return {"name": session.name, "turns": session.turns, "message_count": len(messages), "files": files}


def update(old: PublicSession, new: PublicSession, *, ttl_set: bool) -> Details:
    details: Details = {}
    if new.name != old.name:
        details["name"] = new.name
    if new.description != old.description:
        details["description_sha256"] = sha256(new.description)
    if ttl_set:
        details["ttl"] = new.ttl
    return details


def file_of(file: PublicSessionFile) -> Details:
    """What the service says of a file."""
    return {"name": file.name, "size": file.size, "sha256_server": file.sha256, "mime_type": file.mime_type}


def feedback(report: Feedback) -> Details:
    return words(report.comment) | {"score": report.score, "group_id": report.group_id}


def words(text: str | None) -> Details:
    return {"sha256": sha256(text), "size": None if text is None else len(text.encode("utf-8", "surrogatepass"))}


def prompt(query: Message) -> Callable[[], Details]:
    return lambda: {"query_id": query.id} | words(query.content or "")


def turn_end(turn: Turn, error: type[BaseException] | None) -> Callable[[], Details]:
    """What is known now; the answer is put together and hashed later."""
    query, messages, failure = turn.query, list(turn.messages), turn.failure
    is_failure = error is not None and issubclass(error, SecGeminiError)
    if turn.done:
        status = "error" if failure else "ok"
    else:
        status = "error" if failure else "incomplete" if is_failure else "interrupted"
    told: Details = {"query_id": query.id if query else "", "status": status, "reconnects": turn.reconnects}
    told |= {"status_code": failure.status_code} if failure else {}
    told |= {"error": error.__name__} if error and is_failure else {}
    told |= {"listened": True} if turn.is_listener else {}

    def details() -> Details:
        from secgemini_jupyter.transcript.turns import TurnSlice

        every = [query, *messages] if query else messages
        return told | {"message_count": len(every)} | words(TurnSlice(1, every).answer)

    return details
