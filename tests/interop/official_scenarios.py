"""Drives the local server through the official SDK's public methods; runs in the SDK's own environment.

Writes what it saw, by scenario, as JSON into the file that is its argument. It judges nothing: the tests do.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

with contextlib.redirect_stdout(sys.stderr):
    from sec_gemini import SecGemini

PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8cfc0f01f0005000155a8a5b80000000049454e44ae426082"
)
JPEG = bytes.fromhex("ffd8ffe000104a46494600010101004800480000ffdb004300") + bytes(64) + b"\xff\xd9"
UNKNOWN_ID = "0" * 32

ANALYST = "local-analyst-1"


def plain(model):
    return model.model_dump(mode="json")


async def frames_of(stream, count=None):
    """The messages of a stream, or its first ones."""
    frames = []
    async with contextlib.aclosing(stream):
        async for message in stream:
            frames.append(plain(message))
            if len(frames) == count:
                break
    return frames


def ask(session, prompt):
    return asyncio.run(frames_of(session.stream(prompt)))


def attempt(call, *arguments, **options):
    """What a call gave, or the exception's text."""
    try:
        value = call(*arguments, **options)
    except Exception as error:
        return {"raised": repr(error)[:2000]}
    return plain(value) if hasattr(value, "model_dump") else value


def printed_by(call):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        call()
    return output.getvalue()


def user(client):
    info = client.get_user_info()
    return {
        "user": plain(info.user),
        "models": [plain(model) for model in info.available_models],
        "trailing_slash": attempt(lambda: plain(SecGemini(base_url=client.base_url + "/").get_user_info().user)),
        "printed": [printed_by(call) for call in (client.display_info, client.list_models, client.print_sessions)],
        "wrong_key": attempt(lambda: SecGemini(api_key="not-the-key").user.id),
    }


def life(client):
    """Create, read, list, resume, update, delete."""
    first = client.create_session(
        name="first", description="one of three", ttl=4242, language="de", agents_config={"net": {"depth": 2}}
    )
    second = client.create_session(name="second", enable_logging=False)
    third = client.create_session()
    own = {first.id, second.id, third.id}

    def listed():
        return [session.id for session in client.list_sessions() if session.id in own]

    saw = {
        "ids": [first.id, second.id, third.id],
        "listed": listed(),
        "first": {
            name: getattr(first, name)
            for name in ("name", "description", "ttl", "language", "turns", "can_log", "agents_config", "create_time")
        },
        "model": plain(first.model),
        "second_can_log": second.can_log,
        "third_name": third.name,
        "resumed": client.resume_session(first.id).name,
        "updated": first.update(name="renamed", description="changed", ttl=300),
    }
    again = client.resume_session(first.id)
    saw["after_update"] = [again.name, again.description, again.ttl]
    saw["only_name"] = [again.update(name="third name"), again.name, again.description, again.ttl]
    saw["deleted"] = second.delete()
    saw["listed_after"] = listed()
    saw["deleted_again"] = again.delete() and first.delete()
    saw["resumed_unknown"] = attempt(lambda: client.resume_session(UNKNOWN_ID).id)
    saw["resumed_deleted"] = attempt(lambda: client.resume_session(saw["ids"][0]).id)
    return saw


def files(client):
    """The walk of the index table, and what the server says of each file."""
    session = client.create_session(name="files")
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder, "note.txt")
        note.write_bytes("Geschäftsgeheimnis\n".encode())
        from_disk = session.attach_file_from_disk(str(note))
        session.detach_file(0)
    attached = [
        session.attach_file(name, content) for name, content in (("a.pdf", PDF), ("b.png", PNG), ("c.jpeg", JPEG))
    ]
    walk = [
        [index, session.detach_file(index), [file.name for file in session.files]]
        for index in (3, -1, 1, 2, 0, 1, 0, 0)
    ]
    return {
        "from_disk": plain(from_disk),
        "attached": [plain(file) for file in attached],
        "walk": walk,
        "twice": [
            session.attach_file("same.bin", bytes(range(256)) * 4096, "application/octet-stream") is not None
            for _ in range(2)
        ],
        "names": [file.name for file in session.files],
    }


def query(client):
    session = client.create_session(name="query")
    response = session.query("Which port does SSH use?")
    return {
        "session": session.id,
        "response": plain(response),
        "text": response.text(),
        "stored": [plain(message) for message in session.messages],
        "turns": session.turns,
        "usage": plain(session.usage),
        "state": str(session.state.value),
    }


def stream(client):
    session = client.create_session(name="stream")
    first = ask(session, "Repeat: ünïcödé ✓")
    many = ask(session, "[[messages=2000 bytes=300]] done")
    stored = [plain(message) for message in session.messages]
    return {"session": session.id, "first": first, "many": many, "stored": stored, "turns": session.turns}


def large_frames(client):
    """Frames near 1 MiB, which is what the SDK's socket takes."""
    frames = ask(client.create_session(name="large"), "[[messages=2 bytes=900000]]")
    return [len(frame["content"] or "") for frame in frames]


def reconnection(client):
    """Three frames, then a connection that only listens; and a connection that the server cuts."""
    session = client.create_session(name="reconnection")

    async def come_back():
        first = await frames_of(session.stream("[[delay=0.02]] [[messages=20]] later"), 3)
        await asyncio.sleep(0.1)
        return first, await frames_of(session.stream(recv_only=True))

    first, rest = asyncio.run(asyncio.wait_for(come_back(), 20))
    stored = [message.id for message in session.messages[1:]]
    cut = client.create_session(name="cut")
    frames = ask(cut, "[[drop after=4]] [[delay=0.01]] [[messages=20]] after the cut")
    return {
        "first": first,
        "rest": rest,
        "stored": stored,
        "cut": frames,
        "cut_stored": [message.id for message in cut.messages[1:]],
        "cut_queries": sum(message.message_type.value == "query" for message in cut.messages),
    }


def tools(client):
    """Local tools: one that works, one that raises, one with defaults; and a resumed session, which has none bound."""
    calls = []

    def add(a: int, b: int = 1) -> int:
        """Add two numbers.

        Args:
            a: the first.
            b: the second.
        """
        calls.append([a, b])
        return a + b

    def explode(reason: str) -> str:
        """Fails always."""
        raise ValueError(reason)

    session = client.create_session(name="tools", tools=[add, explode])
    saw = {
        "added": ask(session, '[[call add {"a": 20, "b": 22}]]'),
        "default": ask(session, '[[call add {"a": 20}]]'),
        "exploded": ask(session, '[[call explode {"reason": "no such host"}]]'),
        "unregistered": ask(session, "[[call remove {}]]"),
        "calls": calls,
    }
    resumed = client.resume_session(session.id)
    saw["resumed"] = ask(resumed, '[[call add {"a": 1, "b": 2}]]')
    saw["stored"] = [message.message_type.value for message in session.messages]
    saw["session"] = session.id
    return saw


def errors(client):
    session = client.create_session(name="errors")
    saw = {
        "failed": ask(session, "[[error 429 retry_after=2]]"),
        "next": ask(session, "Still there?"),
        "failed_query": attempt(session.query, "[[error 503]]"),
        "next_query": session.query("Still there?").text(),
    }
    gone = client.resume_session(session.id)
    session.delete()
    saw["gone"] = ask(gone, "Anybody?")
    saw["gone_attach"] = attempt(gone.attach_file, "a.txt", b"text")
    saw["gone_feedback"] = gone.send_feedback(1, "to nobody")
    saw["gone_update"] = attempt(gone.update, name="new")
    saw["gone_delete"] = gone.delete()
    return saw


def feedback(client):
    session = client.create_session(name="feedback")
    group = ask(session, "Hello")[-2]["group"]
    return {
        "feedback": [
            session.send_feedback(3, "good"),
            session.send_feedback(-1, ""),
            session.send_feedback(0, "<reason>late</reason>", group),
        ],
        "bug": [session.send_bug_report("It is broken."), session.send_bug_report("Here.", group)],
    }


def logs(client):
    """One log of two chunks; the last line has no newline, and the SDK leaves it out."""
    lines = (f'{{"n": {n}, "host": "web-{n % 3}", "text": "{"x" * 200}"}}\n' for n in range(50_000))
    path = Path(sys.argv[1]).with_name("official.jsonl")
    path.write_text("".join(lines) + '{"n": -1}')
    session = client.create_session(name="logs", model=ANALYST)
    before, unknown = session.logs_table, session.attach_logs("ab" * 32)
    saw = {"before": before, "unknown": unknown, "after": session.logs_table}
    session.upload_and_attach_logs(path, {"machine": "host"})
    saw["logs_table"] = plain(session.logs_table)
    saw["session"] = session.id
    return saw


def visualize(client):
    session = client.create_session(name="visualize")
    ask(session, "Draw the tree.")
    return {
        "tree": printed_by(session.visualize),
        "history": [plain(message) for message in session.history()],
        "messages": [plain(message) for message in session.messages],
    }


def analyst(client):
    """The analyst engine, where the server offers it."""
    offered = [model.model_string for model in client.available_models]
    if ANALYST not in offered:
        return {"offered": offered}
    session = client.create_session(name="analyst", model=ANALYST)
    frames = ask(session, "Score CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")
    return {"offered": offered, "frames": frames, "stored": [plain(message) for message in session.messages]}


def completions(client):
    """The OpenAI library, which the official SDK brings along, as the service's own examples use it."""
    from openai import NotFoundError, OpenAI

    key, base = os.environ["SEC_GEMINI_API_KEY"], os.environ["SEC_GEMINI_API_HTTP_URL"]
    with OpenAI(api_key=key, base_url=base, max_retries=0) as openai:
        ask = openai.chat.completions.create
        answer = ask(model="local-echo", messages=[{"role": "user", "content": "Is anybody there?"}])
        try:
            ask(model="gpt-5", messages=[{"role": "user", "content": "x"}])
        except NotFoundError as error:
            return {"answer": answer.model_dump(mode="json"), "unknown": error.message}


SCENARIOS = (
    user, life, files, query, stream, large_frames, reconnection, tools, errors, feedback, logs, visualize, analyst,
    completions,
)  # fmt: skip


def main() -> None:
    observations = {}
    with contextlib.redirect_stdout(sys.stderr):
        client = SecGemini()
        for scenario in SCENARIOS:
            try:
                observations[scenario.__name__] = {"saw": scenario(client)}
            except Exception:
                observations[scenario.__name__] = {"broke": traceback.format_exc()}
    Path(sys.argv[1]).write_text(json.dumps(observations), "utf-8")


if __name__ == "__main__":
    main()
