"""One REST exchange: each reply becomes a value or a typed error, and is repeated only where that does no harm."""

from __future__ import annotations

import email.utils
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.errors import (
    AuthenticationError,
    InputError,
    NetworkError,
    ProtocolError,
    QuotaError,
    SecGeminiError,
    Secret,
    ServiceError,
    SessionNotFoundError,
)
from secgemini_jupyter.models import Feedback, FeedbackType, PublicSession
from secgemini_jupyter.protocol import endpoints
from secgemini_jupyter.protocol.requests import LONGEST_PAUSE, Attempts, Reply, Request, jitter
from secgemini_jupyter.settings import Settings

URL = "https://host.test/v1/session/get"
GET = endpoints.get_session("id1")
POST = endpoints.delete(PublicSession(id="id1"))
UNSEEN = endpoints.feedback(Feedback("id1", FeedbackType.USER_FEEDBACK, 1, "good"))
"""A request of which nobody can see whether it was done."""


def replied(status: int, body: bytes | str | dict[str, Any] = b"", **headers: str) -> Reply:
    if isinstance(body, dict):
        body = json.dumps(body)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, names, body.encode() if isinstance(body, str) else body, URL)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ServiceError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, SessionNotFoundError),
        (409, ServiceError),
        (413, ServiceError),
        (422, ServiceError),
        (429, QuotaError),
        (500, ServiceError),
        (503, ServiceError),
    ],
)
def test_status_becomes_a_typed_error(status: int, kind: type[ServiceError]) -> None:
    with pytest.raises(kind, match="because of the moon") as caught:
        GET.result(replied(status, {"detail": "because of the moon"}))
    assert type(caught.value) is kind
    assert caught.value.status == status


@pytest.mark.parametrize("status", [401, 403, 429])
def test_key_and_quota_errors_need_no_json(status: int) -> None:
    """A gateway before the service answers in its own words."""
    with pytest.raises(AuthenticationError if status != 429 else QuotaError):
        GET.result(replied(status, "<html>Forbidden</html>"))


def test_validation_errors_name_the_field() -> None:
    detail = [{"loc": ["body", "ttl"], "msg": "must be at least 300", "type": "value_error"}]
    with pytest.raises(ServiceError, match=r"body\.ttl: must be at least 300"):
        GET.result(replied(422, {"detail": detail}))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "<!doctype html><title>Sign in</title>", ProtocolError),
        (404, "<html>no such page</html>", ProtocolError),
        (502, "<html>Bad Gateway</html>", NetworkError),
        (200, '{"id": "id1", "mess', ProtocolError),
        (200, "", ProtocolError),
        (200, "[1, 2]", ProtocolError),
        (200, b"\xff\xfe", ProtocolError),
        (302, "", ProtocolError),
        (304, "", ProtocolError),
    ],
)
def test_pages_and_cut_replies_name_address_and_what_was_expected(
    status: int, body: str | bytes, kind: type[SecGeminiError]
) -> None:
    with pytest.raises(kind, match=r"a session") as caught:
        GET.result(replied(status, body))
    assert str(caught.value).count(URL) == 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", ["null", " null\n", "{}"])
def test_null_is_a_session_that_is_not_there(body: str) -> None:
    with pytest.raises(SessionNotFoundError, match="'id1'"):
        GET.result(replied(200, body))


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ({"ok": False, "status_code": 404, "status_message": "gone"}, SessionNotFoundError),
        ({"ok": False, "status_code": 401, "status_message": "no"}, AuthenticationError),
        ({"ok": False, "status_code": 429, "status_message": "slow"}, QuotaError),
        ({"ok": False, "status_code": 200, "status_message": "no"}, ServiceError),
        ({"ok": True, "status_code": 409, "status_message": "no"}, ServiceError),
        ({"ok": False, "status_code": 599, "status_message": "no"}, ServiceError),
        ({"status_message": "what"}, ProtocolError),
        ({}, ProtocolError),
    ],
)
def test_op_result_counts_only_when_both_layers_say_so(result: dict[str, Any], kind: type[SecGeminiError]) -> None:
    """HTTP 200 alone means nothing (protocol section 3)."""
    with pytest.raises(kind) as caught:
        POST.result(replied(200, result))
    assert type(caught.value) is kind


def test_op_result_that_is_done() -> None:
    assert POST.result(replied(200, {"ok": True, "status_code": 200, "status_message": "", "new": [1]})).ok


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", 7),
        ("0", 0),
        ("-3", None),
        ("nan", None),
        ("1.5", 1.5),
        ("1e400", 1e9),
        ("soon", None),
        ("", None),
        ("Thu, 99 Foo 2026", None),
    ],
)
def test_retry_after_in_seconds(header: str, expected: float | None) -> None:
    with pytest.raises(QuotaError) as caught:
        GET.result(replied(429, {"detail": "x"}, retry_after=header))
    assert caught.value.retry_after == expected


def test_retry_after_as_a_date() -> None:
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    with pytest.raises(QuotaError) as caught:
        GET.result(replied(429, {"detail": "x"}, retry_after=date))
    assert caught.value.retry_after == pytest.approx(30, abs=2)
    past = email.utils.formatdate(time.time() - 30, usegmt=True)
    with pytest.raises(QuotaError) as caught:
        GET.result(replied(429, {"detail": "x"}, retry_after=past))
    assert caught.value.retry_after == 0


def pauses(request: Request[Any], error: SecGeminiError) -> list[float]:
    """Every pause until the error is final."""
    attempts, found = Attempts(request, Settings(retries=3)), []
    while True:
        try:
            found.append(attempts.pause_after(error))
        except type(error):
            return found


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("x"),
        AuthenticationError("x", status=403),
        ServiceError("x", status=422),
        ServiceError("x", status=400),
        SessionNotFoundError("x"),
        ProtocolError("x"),
        InputError("x"),
        QuotaError("x", retry_after=121),
        QuotaError("x", retry_after=float("inf")),
    ],
)
def test_never_repeated(error: SecGeminiError) -> None:
    assert pauses(GET, error) == []


@pytest.mark.parametrize(
    "error",
    [NetworkError("x"), ServiceError("x", status=503), ServiceError("x", status=408), QuotaError("x", retry_after=1)],
)
def test_only_idempotent_requests_are_repeated(error: SecGeminiError) -> None:
    assert len(pauses(GET, error)) == 3
    assert pauses(UNSEEN, error) == []


@pytest.mark.parametrize("request_", [GET, POST, UNSEEN])
def test_any_request_is_repeated_when_nothing_was_sent(request_: Request[Any]) -> None:
    assert len(pauses(request_, NetworkError("x", nothing_sent=True))) == 3


def test_retry_after_is_honoured() -> None:
    assert pauses(GET, QuotaError("x", retry_after=2.5)) == [2.5] * 3


@pytest.mark.parametrize("status", [503, 502])
def test_retry_after_of_an_overloaded_service_is_honoured(status: int) -> None:
    for body in ({"detail": "busy"}, "<html>busy</html>"):
        with pytest.raises((ServiceError, NetworkError)) as caught:
            GET.result(replied(status, body, retry_after="7"))
        assert pauses(GET, caught.value) == [7] * 3


def test_a_long_retry_after_says_when() -> None:
    with pytest.raises(QuotaError, match=r"in 3,600 s, at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.") as caught:
        GET.result(replied(429, {"detail": "x"}, retry_after="3600"))
    assert pauses(GET, caught.value) == []
    with pytest.raises(QuotaError, match=r"Try again later\."):
        GET.result(replied(429, {"detail": "x"}, retry_after="1e300"))


def test_retry_after_counts_by_the_clock_of_the_service() -> None:
    at, now = (email.utils.formatdate(1_000_000_000 + wait, usegmt=True) for wait in (9, 0))
    with pytest.raises(QuotaError) as caught:
        GET.result(replied(429, {"detail": "x"}, retry_after=at, date=now))
    assert caught.value.retry_after == 9


@pytest.mark.parametrize("date", ["Thu, 1 Jan 99999999999999 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 -2359", "ü"])
def test_retry_after_that_is_no_date(date: str) -> None:
    with pytest.raises(QuotaError):
        GET.result(replied(429, {"detail": "x"}, retry_after=date))


def test_retry_after_in_the_body_alone() -> None:
    with pytest.raises(QuotaError) as caught:
        GET.result(replied(429, {"detail": "x", "retry_after": 4}))
    assert caught.value.retry_after == 4


@pytest.mark.parametrize(
    ("said", "expected"),
    [("4", None), (True, None), (-5, None), (float("nan"), None), (0, 0), (1.5, 1.5), (10**9, 1e9), (10**400, 1e9)],
)
def test_retry_after_in_the_body_is_a_time(said: object, expected: float | None) -> None:
    with pytest.raises(QuotaError) as caught:
        GET.result(replied(429, {"detail": "x", "retry_after": said}))
    assert caught.value.retry_after == expected


@pytest.mark.parametrize("wait", ["1e9", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_wait_beyond_all_plans_is_never_tried_again(wait: str) -> None:
    with pytest.raises(QuotaError, match=r"Try again later\.") as caught:
        GET.result(replied(429, {"detail": "x"}, retry_after=wait))
    assert pauses(GET, caught.value) == []
    with pytest.raises(QuotaError) as caught:
        GET.result(replied(429, {"detail": "x", "retry_after": 10**12}))
    assert pauses(GET, caught.value) == []


@pytest.mark.parametrize("wait", ["0", "-1", "nan", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_no_wait_is_none_without_jitter(wait: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda _, high: high)
    with pytest.raises(QuotaError) as caught:
        GET.result(replied(429, {"detail": "x"}, retry_after=wait))
    assert pauses(GET, caught.value) == [0.5, 1, 2]


@pytest.mark.parametrize("loc", [5, None, "body", {"a": 1}])
def test_place_of_an_error_may_be_anything(loc: object) -> None:
    with pytest.raises(ServiceError, match="too long"):
        GET.result(replied(422, {"detail": [{"loc": loc, "msg": "too long"}]}))


def test_long_reason_is_cut() -> None:
    with pytest.raises(ServiceError, match=r"x… \(5,000,000 characters\)") as caught:
        GET.result(replied(422, {"detail": "x" * 5_000_000}))
    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize("before", range(1980, 2001, 4))
def test_no_half_of_a_key_is_left_by_a_cut(before: int) -> None:
    key = Secret("0123456789abcdefghij-key")
    with pytest.raises(ServiceError) as caught:
        GET.result(replied(422, {"detail": "x" * before + key.reveal() * 500}))
    assert "01234" not in str(caught.value)


def test_no_pause_goes_beyond_the_end() -> None:
    attempts = Attempts(GET, Settings(total_timeout=5))
    with pytest.raises(QuotaError):
        attempts.pause_after(QuotaError("x", retry_after=6))


def test_errors_name_the_session() -> None:
    with pytest.raises(NetworkError, match=r"\(session id1\)$") as caught:
        Attempts(UNSEEN, Settings()).pause_after(NetworkError("The connection was lost."))
    assert str(caught.value).count("It may have arrived. The service does not show") == 1


@given(st.integers(1, 40))
def test_pauses_are_bounded(attempt: int) -> None:
    assert 0 <= jitter(attempt) <= LONGEST_PAUSE


# --- addresses and bodies ---


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://host.test", "https://host.test/v1/user/info"),
        ("https://host.test/", "https://host.test/v1/user/info"),
        ("https://hub.test/user/me/proxy/8000/", "https://hub.test/user/me/proxy/8000/v1/user/info"),
    ],
)
def test_path_prefix_of_the_base_is_kept(base: str, expected: str) -> None:
    assert endpoints.url(base, endpoints.user_info().path) == expected


def test_key_in_the_query_is_percent_encoded() -> None:
    url = endpoints.stream_url("wss://host.test/p/", "s/1 &x", partial=True, key="a+b&c#d%e=f")
    assert url == "wss://host.test/p/v1/stream?api_key=a%2Bb%26c%23d%25e%3Df&session_id=s%2F1%20%26x&stream=true"


def test_without_a_key_the_query_holds_none() -> None:
    assert (
        endpoints.stream_url("ws://host.test", "s", partial=False, key=None) == "ws://host.test/v1/stream?session_id=s"
    )


def test_update_and_delete_send_no_messages() -> None:
    session = PublicSession(id="s", name="n", messages=[], agents_config={"a": {}})
    for request in (endpoints.update(session), endpoints.delete(session)):
        assert request.body
        body = json.loads(request.body)
        assert body["id"] == "s"
        assert not {"messages", "files", "local_tools"} & body.keys()


def test_register_sends_every_field() -> None:
    body = json.loads(endpoints.register(PublicSession(id="s")).body or b"")
    assert len(body) == 20
    assert body["messages"] == []


def test_text_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="Nothing was sent"):
        endpoints.register(PublicSession(name="half \ud800"))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"ok": True, "status_code": 200, "data": {"name": "a"}}, "a"),
        ({"ok": True, "status_code": 200, "data": {"session_name": "b"}}, "b"),
        ({"ok": True, "status_code": 200, "data": None, "status_message": "c"}, "c"),
    ],
)
def test_generated_name_is_read_wherever_it_sits(body: dict[str, Any], expected: str) -> None:
    assert endpoints.generate_name("s").result(replied(200, body)) == expected


def test_file_in_the_reply_must_be_one() -> None:
    request = endpoints.attach_file("s", "a.log", b"x", None)
    with pytest.raises(ProtocolError, match="attached file"):
        request.result(replied(200, {"ok": True, "status_code": 200, "data": [1]}))


@pytest.mark.parametrize(
    ("request_", "reason", "advice"),
    [
        (endpoints.delete(PublicSession(id="id1")), "Session not found", "list_sessions()"),
        (endpoints.register(PublicSession(id="id1")), "Unknown model: gpt-9", "See models()"),
        (endpoints.attach_logs("id1", "ab"), "Logs table not found", "upload_and_attach_logs(path)"),
    ],
)
def test_the_advice_is_about_what_is_missing(request_: Request[Any], reason: str, advice: str) -> None:
    with pytest.raises(ServiceError) as caught:
        request_.result(replied(200, {"ok": False, "status_code": 404, "status_message": reason}))
    advices = ("list_sessions()", "See models()", "upload_and_attach_logs(path)")
    assert [each for each in advices if each in str(caught.value)] == [advice]


def test_a_reason_with_advice_of_its_own_gets_no_other() -> None:
    with pytest.raises(ServiceError) as caught:
        GET.result(replied(507, {"detail": "The disk is full. Free some space, then try again."}))
    assert str(caught.value).lower().count("try again") == 1
