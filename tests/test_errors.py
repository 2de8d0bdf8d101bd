"""No key is shown, whatever goes wrong; every error is one line."""

from __future__ import annotations

import copy
import gc
import io
import logging
import pickle
import traceback
import weakref
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter import errors
from secgemini_jupyter.errors import (
    AuthenticationError,
    InputError,
    QuotaError,
    RedactingFilter,
    SecGeminiError,
    Secret,
    ServiceError,
    SessionNotFoundError,
    one_line,
    redact,
    without_keys,
)

KEY = "canary+key/0123&4567=89 ab"


@pytest.fixture(autouse=True)
def only_these_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests left behind must not redact anything here."""
    monkeypatch.setattr(Secret, "_known", weakref.WeakValueDictionary())


@pytest.fixture
def secret() -> Secret:
    return Secret(KEY)


def test_a_secret_shows_its_last_four_characters_at_most(secret: Secret) -> None:
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>80}", f"{secret!r}", f"{[secret]}"):
        assert shown.strip("[] ") == "Secret(…9 ab)"
    assert secret.reveal() == KEY


@pytest.mark.parametrize("value", ["", "short", "fifteen-letters"])
def test_a_short_secret_shows_nothing(value: str) -> None:
    assert repr(Secret(value)) == "Secret(…)"


def test_a_pickle_does_not_carry_the_value(secret: Secret) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        dump = pickle.dumps({"key": secret}, protocol)
        assert b"canary" not in dump
        assert pickle.loads(dump)["key"].reveal() == ""


def test_a_copy_is_the_secret_itself(secret: Secret) -> None:
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"key": [secret]})["key"][0] is secret


def test_secrets_compare_by_value(secret: Secret) -> None:
    assert secret == Secret(KEY)
    assert hash(secret) == hash(Secret(KEY))
    assert secret != KEY
    assert secret
    assert not Secret("")


def test_a_secret_has_no_attributes_to_look_into(secret: Secret) -> None:
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        vars(secret)


def test_a_traceback_with_local_variables_does_not_show_the_value(secret: Secret) -> None:
    def fails(key: Secret) -> None:
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError) as caught:
        fails(secret)
    lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert "Secret(…9 ab)" in "".join(lines)
    assert "canary" not in "".join(lines)


@pytest.mark.parametrize("form", [KEY, quote(KEY), quote(KEY, safe=""), quote_plus(KEY)])
def test_a_known_secret_is_redacted_in_every_spelling(secret: Secret, form: str) -> None:
    text = redact(f"GET wss://api.example/v1/stream?x={form}#end {form!r}")
    assert "canary" not in text
    assert text.count("[redacted]") == 2


def test_percent_encoding_in_lower_case_is_redacted(secret: Secret) -> None:
    assert "canary" not in redact(quote(KEY, safe="").replace("%2B", "%2b").replace("%2F", "%2f"))


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it() -> None:
    short, long = Secret("canary-0123456789"), Secret("canary-0123456789-and-more")
    assert redact(f"{long.reveal()} {short.reveal()}") == "[redacted] [redacted]"


@pytest.mark.parametrize(
    "text",
    [
        "wss://h/v1/stream?api_key=UNKNOWNKEY&session_id=s",
        "headers={'x-api-key': 'UNKNOWNKEY', 'a': 'b'}",
        "x-api-key: UNKNOWNKEY\r\nhost: h",
        "[(b'X-API-KEY', b'UNKNOWNKEY')]",
        "Headers([('x-api-key', 'UNKNOWNKEY')])",
        "Authorization: Bearer UNKNOWNKEY",
        "{'authorization': 'Bearer UNKNOWNKEY'}",
        '{"authorization":"Basic UNKNOWNKEY"}',
    ],
)
def test_what_carries_a_key_by_the_protocol_is_redacted_whoever_it_belongs_to(text: str) -> None:
    assert "UNKNOWNKEY" not in redact(text)
    assert "[redacted]" in redact(text)


def test_evidence_loses_our_keys_and_nothing_else(secret: Secret) -> None:
    evidence = "Authorization: Basic dXNlcg==</code> api_key=theirs"
    assert without_keys(f"{evidence} {KEY}") == f"{evidence} [redacted]"


def test_short_values_do_not_redact_ordinary_words() -> None:
    kept = Secret("the")
    assert redact("the end") == "the end"
    assert kept.reveal() == "the"


def test_one_of_two_equal_secrets_may_go() -> None:
    gone, kept = Secret(KEY), Secret(KEY)
    del gone
    gc.collect()
    assert redact(kept.reveal()) == "[redacted]"


def test_a_secret_that_is_gone_is_forgotten() -> None:
    Secret("forgotten-0123456789")
    gc.collect()
    assert redact("forgotten-0123456789") == "forgotten-0123456789"


def test_an_error_is_one_clean_line_without_the_key(secret: Secret) -> None:
    error = SecGeminiError(f"Cannot reach\n https://h?k={KEY}\x1b[2J\u202e\x9b.\tTry again.")
    assert str(error) == r"Cannot reach https://h?k=[redacted]\x1b[2J\u202e\x9b. Try again."
    assert error.messages == ()
    assert error.response is None


@given(st.text())
def test_one_line_is_printable(text: str) -> None:
    assert one_line(text).isprintable()
    assert one_line(one_line(text)) == one_line(text)


def test_errors_can_be_caught_by_what_a_caller_would_do() -> None:
    assert issubclass(InputError, ValueError)
    assert issubclass(AuthenticationError, ServiceError)
    assert (AuthenticationError("x").status, AuthenticationError("x", status=403).status) == (401, 403)
    assert SessionNotFoundError("x").status == 404
    assert (QuotaError("x", retry_after=2.5).status, QuotaError("x", retry_after=2.5).retry_after) == (429, 2.5)
    assert ServiceError("x", status=503).status == 503


def test_errors_survive_a_pickle(secret: Secret) -> None:
    error = QuotaError(f"Slow down, {KEY}", status=429, retry_after=3)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.status, again.retry_after) == ("Slow down, [redacted]", 429, 3)


def test_ipython_shows_one_line_unless_the_traceback_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    error = InputError("ttl is 5: pass at least 300.")
    assert error._render_traceback_() == ["InputError: ttl is 5: pass at least 300."]
    monkeypatch.setattr(SecGeminiError, "short", False)
    assert not hasattr(error, "_render_traceback_")


def test_every_error_is_exported_and_drawn() -> None:
    classes = {name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, Exception)}
    assert classes == set(errors.__all__) - {"Secret"}
    assert all(name in (errors.__doc__ or "") for name in classes)


def logged(*args: object, **kwargs: object) -> str:
    """What a handler writes for one record of a library whose logger has the filter."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("test.library")
    redacting = RedactingFilter()
    logger.addHandler(handler)
    logger.addFilter(redacting)
    logger.setLevel(logging.DEBUG)
    try:
        logger.error(*args, **kwargs)  # type: ignore[arg-type]
    finally:
        logger.removeHandler(handler)
        logger.removeFilter(redacting)
    return stream.getvalue()


def test_log_records_are_redacted_before_any_handler_sees_them(secret: Secret) -> None:
    assert (
        logged("GET %s %d", f"wss://h?api_key={quote(KEY, safe='')}", 7) == "ERROR GET wss://h?api_key=[redacted] 7\n"
    )
    assert logged("headers %r", {"x-api-key": KEY}) == "ERROR headers {'x-api-key': '[redacted]'}\n"


def test_a_percent_sign_in_a_redacted_record_breaks_nothing(secret: Secret) -> None:
    assert logged(f"100%s {KEY} %d") == "ERROR 100%s [redacted] %d\n"


def test_a_logged_exception_is_redacted_with_its_cause(secret: Secret) -> None:
    try:
        try:
            raise ValueError(f"no {KEY}")
        except ValueError as error:
            raise RuntimeError(f"https://h?api_key={KEY}") from error
    except RuntimeError:
        text = logged("failed", exc_info=True)
    assert "canary" not in text
    assert "RuntimeError: https://h?api_key=[redacted]" in text
    assert "ValueError: no [redacted]" in text


def test_a_record_whose_arguments_do_not_fit_is_not_lost_with_its_key(secret: Secret) -> None:
    assert "canary" not in logged("%d of %s", KEY)


def test_a_stack_in_a_record_is_redacted(secret: Secret) -> None:
    text = logged("x", stack_info=True, extra={"stack_note": KEY})
    assert "canary" not in text
    assert "test_a_stack_in_a_record" in text
