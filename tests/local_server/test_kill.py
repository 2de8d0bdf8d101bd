"""A busy service is killed at random moments: what it acknowledged is there, what it deleted not, the rest is whole."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.local_server.busy import Client, Crowd, Held

FEW, MANY = 2, 100
ROUNDS = [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_busy_service_that_is_killed_has_all_that_it_acknowledged(
    start: Callable[..., Any], tmp_path: Path, rounds: int
) -> None:
    moments = random.Random(20261130)
    calls = cut = 0
    server = start()
    for number in range(rounds):
        secret = incognito(server.api, f"secret-{number}-")
        api = server.api
        crowd = Crowd.start(api.http_url, api.ws_url, api.key, number, streaming=4, changing=3)
        time.sleep(moments.uniform(0.05, 0.9))
        server.end(signal.SIGKILL)
        crowd.join()
        look_at_what_was_left(server.data, tmp_path / "copy", secret)
        server = start()
        for client in crowd.clients:
            cut += check(server.api, server.data, client)
            calls += client.calls
        deleted = [held.name for client in crowd.clients for held in client.held.values() if held.is_deleted]
        left = b"".join(path.read_bytes() for path in server.data.iterdir() if path.is_file())
        assert not [name for name in deleted if name.encode() in left]
    print(f"{rounds} kills, {calls} calls and turns acknowledged, {cut} turns cut")
    assert calls > rounds
    assert cut or rounds == FEW


def incognito(api: Any, canary: str) -> str:
    """A session without retention, of which nothing may be found."""
    session_id = api.register(can_log=False, name=canary, description=canary)
    api.post("/v1/session/attach_file", {"session_id": session_id, "filename": canary, "content": "AAAA"})
    api.ask(session_id, canary)
    return canary


def look_at_what_was_left(data: Path, copied: Path, secret: str) -> None:
    """The files as the kill has left them, before a server has repaired anything."""
    shutil.copytree(data, copied)
    assert not [path for path in copied.iterdir() if secret.encode() in path.read_bytes()]
    with contextlib.closing(sqlite3.connect(copied / "sessions.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    shutil.rmtree(copied)


def check(api: Any, data: Path, client: Client) -> int:
    """Compares the client's sessions with what is there; gives the number of turns that were cut."""
    cut = 0
    in_doubt = dict([client.doubt]) if client.doubt else {}
    for session_id in {**client.held, **in_doubt}:
        acceptable = [held for held in (client.held.get(session_id), in_doubt.get(session_id)) if held]
        if session_id not in client.held:
            acceptable.append(Held("", is_deleted=True))  # a registration that never was
        stored = api.session(session_id)
        found = what_is_held(data, stored, session_id)
        wanted = [(held.name, held.description, held.files, held.feedback) if not held.is_deleted else None
                  for held in acceptable]  # fmt: skip
        assert found in wanted
        if stored is not None:
            cut += check_turns(stored, acceptable[0])
    return cut


def what_is_held(data: Path, stored: Any, session_id: str) -> Any:
    if stored is None:
        return None
    with contextlib.closing(sqlite3.connect(f"file:{data / 'sessions.sqlite3'}?mode=ro", uri=True)) as database:
        bodies = database.execute(
            "SELECT body FROM feedback JOIN sessions ON session = key WHERE id = ?", (session_id,)
        ).fetchall()
    comments = {json.loads(body)["comment"] for (body,) in bodies}
    return stored["name"], stored["description"], [file["sha256"] for file in stored["files"]], comments


def check_turns(stored: Any, held: Held) -> int:
    """Frames are there in order, each turn is closed once, and the counters are those of the messages."""
    messages = stored["messages"]
    said = [m for m in messages if m["message_type"] not in ("query", "local_tool_result")]
    from_http = [m["id"] for m in held.frames] and held.frames[-1]["state"] != "end" and not stored["local_tools"]
    if from_http:  # a reply of `generate` has no END
        said = [m for m in said if m["state"] != "end"]
    assert said[: len(held.frames)] == held.frames
    queries = [index for index, message in enumerate(messages) if message["message_type"] == "query"]
    turns = [messages[begin:end] for begin, end in pairwise([*queries, len(messages)])]
    assert not messages or queries[0] == 0
    for turn in turns:
        assert [message["state"] for message in turn].count("end") == 1
        assert turn[-1]["state"] == "end"
    cut = [turn for turn in turns if turn[-2]["message_type"] == "error"]
    assert [turn[-2]["status_code"] for turn in cut] in ([], [500])
    assert len(turns) >= held.prompts
    assert (stored["num_messages"], stored["turns"]) == (len(messages), len(turns))
    assert stored["state"] == ("end" if turns else "start")
    return len(cut)
