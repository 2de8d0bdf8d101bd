"""A reply that is lost: what the session shows decides whether the request is sent again."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from secgemini_jupyter.errors import (
    AuthenticationError,
    NetworkError,
    ProtocolError,
    SecGeminiError,
    ServiceError,
    SessionNotFoundError,
)
from secgemini_jupyter.models import PublicSession, PublicSessionFile
from secgemini_jupyter.protocol import endpoints
from secgemini_jupyter.protocol.requests import Attempts, Request
from secgemini_jupyter.settings import Settings

LOST = NetworkError("The connection was lost.")
UNREADABLE = ProtocolError("Expected an OpResult as JSON, got '{\"ok\": tr'.")
UNREADABLE.is_of_a_reply = True
SENT, LOOKED = "sent", "looked"
PLAIN = PublicSession(id="s1", name="old", ttl=600)
RENAMED = PublicSession(id="s1", name="new", ttl=600)


def file_of(content: bytes, name: str = "a.txt") -> PublicSessionFile:
    return PublicSessionFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def holding(*files: PublicSessionFile) -> PublicSession:
    return PublicSession(id="s1", files=list(files))


def told(
    request: Request[Any], replies: list[SecGeminiError], found: list[PublicSession | SecGeminiError], retries: int = 3
) -> tuple[Any, list[str]]:
    """What a shell does: tries that fail with `replies` and then succeed, and looks that bring `found`."""
    attempts, did = Attempts(request, Settings(retries=retries)), list[str]()
    replies, found = list(replies), list(found)
    while True:
        did.append(SENT)
        if not replies:
            return "reply", did
        attempts.pause_after(replies.pop(0))
        while attempts.look:
            did.append(LOOKED)
            outcome, _ = attempts.settled(found.pop(0))
            if outcome is not None:
                return outcome, did


GONE = SessionNotFoundError("gone")
A = file_of(b"a")


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (endpoints.register(PLAIN), PLAIN),
        (endpoints.delete(PLAIN), GONE),
        (
            endpoints.update(RENAMED, PLAIN),
            PublicSession(id="s1", name="new", ttl=600),
        ),
        (endpoints.attach_file("s1", "a.txt", b"a", None, []), holding(A)),
        (endpoints.attach_file("s1", "a.txt", b"a", None, [A]), holding(A, A)),
        (endpoints.detach_file("s1", 1, [A, A]), holding(A)),
    ],
    ids=["register", "delete", "update", "attach", "attach twice", "detach"],
)
@pytest.mark.parametrize("retries", [3, 0])
@pytest.mark.parametrize("error", [LOST, ServiceError("x", status=504), UNREADABLE])
def test_what_was_done_is_not_sent_again(
    request_: Request[Any], found: Any, retries: int, error: SecGeminiError
) -> None:
    outcome, did = told(request_, [error], [found], retries)
    assert outcome
    assert did == [SENT, LOOKED]


@pytest.mark.parametrize(
    ("request_", "found", "looks"),
    [
        (endpoints.register(PLAIN), GONE, 1),
        (endpoints.delete(PLAIN), PLAIN, 1),
        (endpoints.update(RENAMED, PLAIN), PLAIN, 1),
        (endpoints.update(PLAIN, PLAIN), PLAIN, 1),  # the same ttl counts from now
        (endpoints.attach_file("s1", "a.txt", b"a", None, []), holding(file_of(b"b")), 2),
        (endpoints.attach_file("s1", "a.txt", b"a", None, [A]), holding(A), 2),
    ],
    ids=["register", "delete", "update", "longer ttl", "attach", "attach twice"],
)
def test_what_was_not_done_is_sent_again(request_: Request[Any], found: Any, looks: int) -> None:
    assert told(request_, [LOST], [found] * looks) == ("reply", [SENT, *[LOOKED] * looks, SENT])


def test_a_late_first_one_is_seen_by_the_second_look() -> None:
    attaching = endpoints.attach_file("s1", "a.txt", b"a", None, [])
    outcome, did = told(attaching, [LOST], [holding(), holding(A)])
    assert (outcome, did) == (A, [SENT, LOOKED, LOOKED])


@pytest.mark.parametrize(
    ("request_", "refusal", "found"),
    [
        (endpoints.register(PLAIN), ServiceError("exists", status=409), [GONE, PLAIN]),
        (endpoints.delete(PLAIN), GONE, [PLAIN, GONE]),
    ],
    ids=["register", "delete"],
)
def test_refusal_of_the_second_shows_that_the_first_was_done(
    request_: Request[Any], refusal: SecGeminiError, found: list[Any]
) -> None:
    outcome, did = told(request_, [LOST, refusal], found)
    assert outcome.ok
    assert did == [SENT, LOOKED, SENT, LOOKED]
    with pytest.raises(type(refusal)):  # without a lost reply before it, it is what it says
        told(request_, [refusal], [])


def test_a_detachment_is_never_sent_again() -> None:
    """If the first one is only late, a second would remove another file."""
    with pytest.raises(NetworkError, match=r"it had not been done\. \(session s1\)$"):
        told(endpoints.detach_file("s1", 0, [A]), [NetworkError("Lost.")], [holding(A)] * 2)


@pytest.mark.parametrize("failed", [NetworkError("down"), AuthenticationError("no")])
def test_where_nobody_can_look_the_error_says_how(failed: SecGeminiError) -> None:
    attaching = endpoints.attach_file("s1", "a.txt", b"a", None, [])
    with pytest.raises(NetworkError, match=r"Lost\. It may have arrived\. After refresh\(\) session\.files shows it"):
        told(attaching, [NetworkError("Lost.")], [failed])


def test_a_later_refusal_does_not_hide_the_doubt() -> None:
    with pytest.raises(AuthenticationError, match=r"It may have arrived\. resume_session\('s1'\)"):
        told(endpoints.register(PLAIN), [LOST, AuthenticationError("no")], [GONE])


def test_each_try_is_looked_after_as_often() -> None:
    attaching = endpoints.attach_file("s1", "a.txt", b"a", None, [])
    outcome, did = told(attaching, [LOST, LOST], [holding()] * 3 + [holding(A)])
    assert (outcome, did) == (A, [SENT, LOOKED, LOOKED, SENT, LOOKED, LOOKED])


def test_a_redirect_is_no_reply() -> None:
    with pytest.raises(ProtocolError, match=r"^elsewhere \(session s1\)$"):
        told(endpoints.delete(PLAIN), [ProtocolError("elsewhere")], [])


def test_tries_are_counted() -> None:
    with pytest.raises(NetworkError, match="it had not been done"):
        told(endpoints.register(PLAIN), [LOST] * 9, [GONE] * 9)
    with pytest.raises(ServiceError, match="exists"):
        told(endpoints.register(PLAIN), [ServiceError("exists", status=409)], [])
