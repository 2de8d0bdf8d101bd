"""Every row of the public API once against the real service, and which inferences of the protocol page held there.

Needs a key (`SEC_GEMINI_API_KEY`); creates one session, asks three short questions, and deletes it. Nothing is run by
`make test`, except against the local service, to see that the script itself works.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import httpx

from secgemini_jupyter import InteractiveSession, SecGemini, SecGeminiError, ServiceError, SessionNotFoundError
from secgemini_jupyter.client import transport
from secgemini_jupyter.errors import Secret, one_line
from secgemini_jupyter.models import Message, MessageType

QUESTION = "Answer with the one word: ready"


class Report:
    """Prints a line for each row and inference, and counts what did not hold."""

    def __init__(self) -> None:
        self.failed = 0

    def row(self, name: str, call: Callable[[], Any]) -> Any:
        try:
            value = call()
        except SecGeminiError as error:
            self.failed += 1
            print(f"FAILED   {name}: {type(error).__name__}: {error}")
            return None
        print(f"ok       {name}: {one_line(str(value))[:100]}")
        return value

    def inference(self, name: str, held: bool | None, seen: object = "") -> None:
        word = {True: "held", False: "NOT SO", None: "not seen"}[held]
        print(f"{word:<9}{name}" + (f" (seen: {one_line(str(seen))[:100]})" if seen != "" else ""))


def main() -> int:
    try:
        client = SecGemini()
        info = client.user_info()
    except SecGeminiError as error:
        print(f"Not run: {error}", file=sys.stderr)
        return 2
    report = Report()
    with client:
        report.row("user_info", lambda: f"{info.user.rpm} requests, {info.user.tpm} tokens a minute")
        report.row("models", lambda: [model.model_string for model in client.models()])
        session = report.row("create_session", lambda: client.create_session("live-check", ttl=3600))
        if session is not None:
            try:
                use(report, client, session)
            finally:
                report.row("delete", session.delete)
            gone(report, client, session)
        wrong_key(report, client)
    return 1 if report.failed else 0


def use(report: Report, client: SecGemini, session: InteractiveSession) -> None:
    report.inference("6.3 can_log is readable after registration", True, session.can_log)
    report.inference("16 the model comes back resolved", session.model.version != "stable", session.model.model_string)
    report.row("list_sessions", lambda: len(client.list_sessions()))
    report.row("resume_session", lambda: client.resume_session(session.id))
    report.row("update", lambda: session.update(description="checked", ttl=7200))
    report.row("generate_name", session.generate_name)
    files(report, session)
    turns(report, session)
    report.row("history", lambda: session.history().shape)
    report.row("visualize", lambda: str(session.visualize()).splitlines()[0])
    report.row("send_feedback", lambda: session.send_feedback(1, comment="live check"))
    report.row("send_bug_report", lambda: session.send_bug_report("live check, please ignore"))


def files(report: Report, session: InteractiveSession) -> None:
    attached = report.row("attach_file", lambda: session.attach_file("probe.txt", b"ready\n"))
    if attached is None:
        return
    report.inference("7 the type is sniffed", attached.mime_type == "text/plain", attached.mime_type)
    report.inference("7 the label is a short name", attached.content_type_label == "txt", attached.content_type_label)
    report.row("detach_file", lambda: session.detach_file(0))


def turns(report: Report, session: InteractiveSession) -> None:
    response = report.row("query", lambda: session.query(QUESTION))
    streamed: list[Message] = report.row("stream_sync", lambda: list(session.stream_sync(QUESTION))) or []
    pieces: list[Message] = report.row("stream", lambda: asyncio.run(collect(session))) or []
    if response is None or not streamed:
        return
    end = streamed[-1]
    report.inference("10.4 END is an info message of its own", end.message_type is MessageType.INFO, end.message_type)
    report.inference("10.4 END: role, actor, content", None, (str(end.role), end.actor, end.content))
    queries = [message for message in streamed if message.message_type is MessageType.QUERY]
    report.inference("10.3 the query is not echoed", not queries)
    results = [message for message in streamed if message.message_type is MessageType.RESULT]
    report.inference("10.3 exactly one result", len(results) == 1, len(results))
    session.refresh()
    stored = [message for message in session.messages if message.message_type is not MessageType.QUERY]
    turn = [message for message in stored if message.id in {each.id for each in streamed}]
    report.inference("10.3 stored messages equal the streamed ones", turn == streamed, f"{len(turn)}/{len(streamed)}")
    report.inference("4.2 every message has its own turn", len({m.turn for m in streamed}) == len(streamed))
    report.inference("4.2 every parent is the root", {m.parent_id for m in streamed} == {"3713"})
    report.inference("10.6 pieces come when asked for", any(message.is_partial for message in pieces))
    report.row("reconnect", lambda: sum(1 for _ in session.reconnect()))


async def collect(session: InteractiveSession) -> list[Message]:
    messages = [message async for message in session.stream(QUESTION, partial=True)]
    return messages


def gone(report: Report, client: SecGemini, session: InteractiveSession) -> None:
    try:
        client.resume_session(session.id)
        report.inference("5.3 a deleted session is not found", False)
    except SessionNotFoundError as error:
        report.inference("5.3 a deleted session is not found", True, error)
    try:
        session.delete()
        report.inference("5.6 deleting it again fails", False)
    except ServiceError as error:
        report.inference("5.6 deleting it again fails", True, error.status)


def wrong_key(report: Report, client: SecGemini) -> None:
    """Asked without our client: what it makes of the answer is not what is looked at."""
    options = transport.http_options(client.settings, lambda: Secret("not-a-key-of-this-service"))
    with httpx.Client(**options) as http:
        answer = http.get(f"{client.settings.base_url.rstrip('/')}/v1/user/info")
    report.inference("2 a bad key gets HTTP 401 with a detail", answer.status_code == 401, answer.status_code)


if __name__ == "__main__":
    sys.exit(main())
