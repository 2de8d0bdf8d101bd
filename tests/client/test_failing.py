"""What an error that ended a turn says is to be done."""

from __future__ import annotations

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError

from secgemini_jupyter.client import failing, transport
from secgemini_jupyter.client.response import SessionResponse
from secgemini_jupyter.errors import SecGeminiError
from secgemini_jupyter.models import Usage
from secgemini_jupyter.protocol.requests import Reply, http_error, service_error
from secgemini_jupyter.protocol.turn import Turn
from secgemini_jupyter.settings import Settings

ERRORS = {
    "500": lambda: service_error(500, "broken", "the service"),
    "503 with a wait": lambda: service_error(503, "busy", "the service", 5),
    "503 of a proxy": lambda: http_error(Reply(503, {}, b"<html>busy</html>", "the service"), "a WebSocket"),
    "429": lambda: service_error(429, "slower", "the service"),
    "429 with a wait": lambda: service_error(429, "slower", "the service", 3600),
    "cut": lambda: transport.translate(ConnectionClosedError(None, None), "wss://the service"),
    "time": lambda: transport.translate(httpx.ReadTimeout("slow"), "https://the service"),
}


def noted(error: SecGeminiError, *, is_sent: bool) -> str:
    turn = Turn("who?", Settings(), now=0.0)
    turn.query_sent = is_sent
    error.tell("This key may make 100 requests a minute.")
    response = SessionResponse([], 200, "OK", Usage(), session_name="triage", turn_index=1)
    failing.note(error, turn, response)
    return str(error)


@pytest.mark.parametrize("name", ERRORS)
def test_who_shall_listen_again_is_not_told_to_ask_again(name: str) -> None:
    words = noted(ERRORS[name](), is_sent=True)
    assert "again" not in words.lower(), words
    assert "session.resume_turn() listens to it" in words
    assert "This key may make 100 requests a minute." in words
    words = noted(ERRORS[name](), is_sent=False)
    assert "Try again" in words
    assert words.endswith("Session 'triage': the prompt was not sent.")
