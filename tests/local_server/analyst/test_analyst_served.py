"""The analyst behind the real server, asked over real sockets."""

from __future__ import annotations

import base64
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

DATA = Path(__file__).parents[3] / "notebooks" / "data"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_real_log_is_answered_stored_and_no_process_is_left(start: Callable[..., Any], end: signal.Signals) -> None:
    server = start("--engine", "analyst")
    api = server.api
    session = api.register(model={"model_string": "local-analyst-1"})
    content = base64.b64encode((DATA / "kerberos.log").read_bytes()).decode()
    body = {"session_id": session, "filename": "kerberos.log", "content": content, "mime_type": None}
    assert api.post("/v1/session/attach_file", body)["ok"]
    frames = api.ask(session, "Who logged in, who failed?")
    assert frames == [m for m in api.session(session)["messages"] if m["message_type"] != "query"]
    kinds = [frame["message_type"] for frame in frames]
    assert kinds == ["info", "thinking", "info", "debug", "info", "debug", "result", "result", "result", "info"]
    drawn = [frame["mime_type"] for frame in frames if frame["message_type"] == "result"]
    assert drawn == ["text/plain", "sec-gemini/graph", "sec-gemini/timeline"]
    assert {frame["actor"] for frame in frames[:-1]} == {"local analyst"}
    assert "**8 Kerberos requests succeeded, 2 failed.**" in frames[-4]["content"]
    workers = psutil.Process(server.popen.pid).children()
    assert workers
    server.end(end)
    assert psutil.wait_procs(workers, timeout=5)[1] == []


def test_pieces_arrive_for_who_asked(start: Callable[..., Any]) -> None:
    api = start("--engine", "analyst").api
    session = api.register(model={"model_string": "sec-gemini-stable"})
    frames = api.ask(session, "Score CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", stream="1")
    parts = [f for f in frames if f["message_type"] == "result" and f["status_code"] == 206]
    (whole,) = (f for f in frames if f["message_type"] == "result" and f["status_code"] == 200)
    assert "".join(part["content"] for part in parts) == whole["content"]
    assert {part["group"] for part in parts} == {whole["group"]}
    assert "6.1 Medium" in whole["content"]


def attach(api: Any, session: str, name: str) -> None:
    content = base64.b64encode((DATA / name).read_bytes()).decode()
    assert api.post("/v1/session/attach_file", {"session_id": session, "filename": name, "content": content})["ok"]


def test_a_file_attached_with_a_question_is_the_one_it_is_about(start: Callable[..., Any]) -> None:
    api = start("--engine", "analyst").api
    session = api.register(model={"model_string": "local-analyst-1"})

    def answer(prompt: str) -> str:
        frames = api.ask(session, prompt)
        (text,) = (f for f in frames if f["message_type"] == "result" and f["mime_type"] == "text/plain")
        return str(text["content"])

    attach(api, session, "kerberos.log")
    assert "kerberos.log" in answer("What happened?")
    attach(api, session, "http.log")
    second = answer("What happened?")
    assert "http.log" in second
    assert "kerberos.log" not in second
    both = answer("What happened?")
    assert "http.log" in both
    assert "kerberos.log" in both
    attach(api, session, "dns.log")
    assert "8 Kerberos requests succeeded" in answer("Who logged in, who failed?")
