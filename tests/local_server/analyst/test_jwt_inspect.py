"""jwt_inspect. Tokens are the examples of RFC 7515, 7516 and 7519, or made here."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgemini_jupyter.local_server.analyst.planner import plan_for, request_of
from secgemini_jupyter.local_server.analyst.tool import Attached, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.toolbox import tools
from secgemini_jupyter.local_server.analyst.tools.tokens import TokensArguments, jwt_inspect

CLAIMS = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
RFC7515_A1 = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
RFC7519_UNSECURED = f"eyJhbGciOiJub25lIn0.{CLAIMS}."
RFC7515_A3 = (  # ES256
    f"eyJhbGciOiJFUzI1NiJ9.{CLAIMS}"
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
RFC7516_A1 = (  # its middle parts are shortened
    "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ"
    ".OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGe"
    ".48V1_ALb6US04U3b"
    ".5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji"
    ".XFBoMYUZodetZdvTiFvSkQ"
)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(claims: object, key: bytes = b"no weak key at all, really", **header: Any) -> str:
    message = f"{part({'alg': 'HS256'} | header)}.{part(claims)}"
    signature = base64.urlsafe_b64encode(hmac.digest(key, message.encode(), "sha256")).decode().rstrip("=")
    return f"{message}.{signature}"


def inspected(token: str) -> dict[str, Any]:
    (each,) = jwt_inspect(TokensArguments(text=token), {})["tokens"]
    return dict(each)


def told(token: str, wish: Wish | None = None) -> str:
    return tools()["jwt_inspect"].answer(jwt_inspect(TokensArguments(text=token), {}), wish or Wish())


def findings(token: str) -> str:
    return " ".join(each["text"] for each in inspected(token)["findings"])


def test_the_example_of_rfc_7515_verifies_with_its_published_key() -> None:
    each = inspected(RFC7515_A1)
    assert each["claims"] == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    assert (each["signature"], each["expiry"]) == ("weak", "expired")
    assert each["times"] == {"exp": "2011-03-22T18:43:00Z"}
    assert "RFC 7515" in findings(RFC7515_A1)


def test_an_unsecured_token_is_unsigned() -> None:
    assert inspected(RFC7519_UNSECURED)["signature"] == "none"
    assert "unsigned" in told(RFC7519_UNSECURED)
    assert told(RFC7519_UNSECURED, Wish(one_word=True)) == "unsigned"


def test_a_public_key_signature_is_said_not_to_be_verified() -> None:
    each = inspected(RFC7515_A3)
    assert (each["signature"], each["findings"]) == ("public key", [])
    assert "not verified" in told(RFC7515_A3)
    assert "cannot verify" in findings(RFC7515_A3[:-8])


def test_an_encrypted_token_shows_its_header_alone() -> None:
    each = inspected(RFC7516_A1)
    assert (each["is_encrypted"], each["claims"], each["header"]["alg"]) == (True, None, "RSA-OAEP")
    assert "cannot be read without the key" in told(RFC7516_A1)


def test_a_weak_key_is_found_and_a_strong_one_is_not() -> None:
    assert inspected(signed({"sub": "a"}, b"secret"))["weak_key"] == "secret"
    assert inspected(signed({"sub": "a"}, b"password"))["weak_key"] == "password"
    assert inspected(signed({"sub": "a"}, b""))["weak_key"] == "(the empty key)"
    each = inspected(signed({"sub": "a"}))
    assert (each["signature"], each["weak_key"]) == ("unknown key", None)


def test_neither_answer_nor_result_repeats_the_token() -> None:
    for token in (RFC7515_A1, RFC7515_A3, RFC7516_A1):
        result = jwt_inspect(TokensArguments(text=f"Authorization: Bearer {token}"), {})
        for piece in filter(None, token.split(".")[1:]):
            assert piece not in json.dumps(result)
        assert token[:30] not in told(token)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ({"jku": "https://evil.test/k"}, "where to fetch the key"),
        ({"x5u": "https://evil.test/k"}, "where to fetch the certificate"),
        ({"jwk": {"kty": "RSA"}}, "public key stands in the header"),
        ({"kid": "../../dev/null"}, "looks like a path"),
        ({"kid": "1' UNION SELECT 'x"}, "SQL"),
        ({"kid": 5}, "no text"),
        ({"crit": ["exp"]}, "must refuse"),
        ({"alg": "NoNe"}, "spelled so that"),
        ({"alg": "HS9000"}, "no algorithm"),
    ],
)
def test_dangerous_headers_are_told(header: dict[str, Any], text: str) -> None:
    assert text in findings(signed({"sub": "a"}, **header))


def test_times_are_told_and_none_invented() -> None:
    now = int(time.time())
    each = inspected(signed({"exp": now + 90_000, "nbf": now + 80_000, "iat": "2020"}))
    assert each["expiry"] == "valid"
    assert "not valid yet" in findings(signed({"nbf": now + 80_000}))
    assert inspected(signed({"sub": "x"}))["expiry"] == "none"
    assert "never expires" in told(signed({"sub": "x"}))
    assert inspected(signed({"exp": "tomorrow"}))["expiry"] == "unreadable"
    assert inspected(signed({"exp": 1300000000000}))["times"]["exp"] == "2011-03-13T07:06:40Z"
    assert inspected(signed({"exp": 10**30}))["expiry"] == "unreadable"


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("eyJhbGciOiJIUzI1NiJ9", "1 part"),
        (f"{part({'alg': 'HS256'})}.{part({})}", "2 parts"),
        (f"{part({'alg': 'HS256'})[:-1]}!x.{part({})}.x", "no JSON Web Token|no JSON"),
        (f"{part('a text, no object')}.{part({})}.x", "no object"),
        ("eyJhbGciOiJIUzI1NiIsIn0.e30.x", "no JSON"),
    ],
)
def test_what_is_wrong_with_a_broken_token_is_told(token: str, problem: str) -> None:
    try:
        answer = told(token)
    except ToolFailure as failure:
        answer = str(failure)
    assert re.search(problem, answer)


def test_a_broken_payload_leaves_the_header_readable() -> None:
    token = f"{part({'alg': 'HS256'})}.{part({'a': 1})[:-3]}x.abcd"
    assert inspected(token)["header"] == {"alg": "HS256"}
    assert "claims cannot be read" in findings(token)


def test_a_token_in_a_token_is_read() -> None:
    inner = base64.urlsafe_b64encode(RFC7515_A1.encode()).decode().rstrip("=")
    outer = f"{part({'alg': 'HS256', 'cty': 'JWT'})}.{inner}.{'A' * 43}"
    assert inspected(outer)["claims"]["iss"] == "joe"


def test_claims_are_data_and_cannot_break_out_of_the_answer() -> None:
    answer = told(signed({"`|<b>": "| ``` [x](javascript:alert(1)) \n# heading"}))
    assert "\n# heading" not in answer
    assert [line for line in answer.splitlines() if line.startswith("|") and "heading" in line]


@pytest.mark.parametrize(
    "prompt",
    [
        RFC7515_A1,
        f"And this: {RFC7515_A1}",
        f"Is this token still valid? {RFC7515_A1}",
        f"Review:\n\nGET /api HTTP/1.1\nHost: a.example\nAuthorization: Bearer {RFC7515_A1}",
        f"decode {RFC7519_UNSECURED}",
        f"decode this jwt and tell me if I can forge it {RFC7515_A1}",
        f"Who issued this token and when does it expire? {RFC7515_A1}",
        "Check this JWT: abcdefghijkl.mnopqrstuv",
    ],
)
def test_a_token_that_is_shown_is_inspected(prompt: str) -> None:
    assert [call.tool for call in plan_for(request_of(prompt, ())).calls] == ["jwt_inspect"]


@pytest.mark.parametrize("prompt", [f"Defang this: {RFC7515_A1} http://evil.com", "What is a JWT?", "Who logged in?"])
def test_other_prompts_do_not_ask_for_it(prompt: str) -> None:
    log = Attached("a.log", "log/clf", 10)
    assert "jwt_inspect" not in [call.tool for call in plan_for(request_of(prompt, (log,))).calls]


def test_a_token_after_its_question_is_no_question_of_its_own() -> None:
    for prompt in (
        f"Has it expired? Bearer {RFC7515_A1}",
        f"Who issued this token and when does it expire? {RFC7515_A1}",
    ):
        assert plan_for(request_of(prompt, ())).unanswered in ([], ())


def test_several_tokens_are_told_one_by_one_and_as_items() -> None:
    result = jwt_inspect(TokensArguments(file="h.txt"), {"h.txt": f"{RFC7515_A1}\n{RFC7515_A3}".encode()})
    assert [item["algorithm"] for item in tools()["jwt_inspect"].items(result)] == ["HS256", "ES256"]
    assert "**Token 2**" in tools()["jwt_inspect"].answer(result, Wish())
    (payload,) = tools()["jwt_inspect"].payloads(result)
    assert [row[1:] for row in payload.content["rows"] if row[2] == "iss"] == [["claims", "iss", "joe"]] * 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["alg", "kid", "exp", "iat", "jku", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(JSON, JSON, st.text("AB-_.=+/é", max_size=12))
def test_any_header_and_claims_are_answered(header: object, claims: object, signature: str) -> None:
    try:
        result = jwt_inspect(TokensArguments(text=f"{part(header)}.{part(claims)}.{signature}"), {})
    except ToolFailure:
        return
    json.dumps(result, allow_nan=False)
    tools()["jwt_inspect"].answer(result, Wish())
    tools()["jwt_inspect"].items(result)
