"""JSON Web Tokens (RFC 7515, 7516, 7519), read without any trust in them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any

from secgemini_jupyter.local_server.analyst.digests.words import words

# `{"` in base64 begins with eyJ, `{ ` with eyA, `{` and a line end with ew.
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_./+-])(?:eyJ|eyA|ewo|ew0|eyI)[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*={0,2}){1,4}(?![A-Za-z0-9_+/])"
)
_PART = re.compile(r"[A-Za-z0-9_-]*")
MAX_TOKEN = 200_000
MAX_DEPTH = 40
TIMES = {
    "exp": "expires", "nbf": "not valid before", "iat": "issued at", "auth_time": "logged in at",
    "updated_at": "updated at",
    "iss": "issuer", "sub": "subject", "aud": "for whom", "jti": "the token's own id", "azp": "authorised party",
    "scope": "scope", "nonce": "nonce", "sid": "session",
}  # fmt: skip
_MOMENTS = ("exp", "nbf", "iat", "auth_time", "updated_at")

_WEAK_KEYS = (
    *"""
your-256-bit-secret your-384-bit-secret your-512-bit-secret your-secret your_secret your-secret-key your_secret_key
your_jwt_secret your-jwt-secret yoursecret yoursecretkey secret secretkey secret-key secret_key SECRET_KEY SECRET
Secret my-secret mysecret my_secret mysecretkey my-secret-key my_secret_key mySecretKey supersecret super-secret
super_secret supersecretkey super-secret-key super_secret_key topsecret top-secret verysecret very-secret shhhh
shhhhh shhhhhared-secret jwt JWT jwt-secret jwt_secret jwtsecret JWT_SECRET JWTSecret jwtSecret jwt-secret-key
jwt_secret_key jwtkey jwt-key token tokensecret token-secret token_secret access-token-secret refresh-token-secret
auth auth-secret authsecret app-secret app_secret appsecret api-secret apikey api-key key privatekey private-key
private_key session-secret session_secret change-me change_me changeThis changethis CHANGEME CHANGE_ME replace-me
insecure development dev dev-secret production staging example example_key sample demo-secret test-secret
test_secret testsecret hs256-secret HS256 AllYourBase hmac-secret signing-key signingkey sign-key none null
undefined django-insecure flask-secret laravel express node spring gcp-secret a-string-secret-at-least-256-bits-long
""".split(),
    "keyboard cat",
)
_RFC7515_KEY = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
"""The key of the example in RFC 7515, appendix A.1: some copy it."""
_HMACS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_PUBLIC = {"RS256": 256, "RS384": 256, "RS512": 256, "PS256": 256, "PS384": 256, "PS512": 256,
           "ES256": 64, "ES384": 96, "ES512": 132, "ES256K": 64, "EdDSA": 64, "Ed25519": 64, "Ed448": 114}  # fmt: skip
_SENSITIVE = re.compile(
    r"(?i)^(?:pass(?:word|wd|phrase)?|pwd|secret|client_secret|api_?key|ssn|card|card_?number|cvv|pin|iban|private_?key|hash)$"
)
_POWER = re.compile(
    r"(?i)^(?:admin|is_?admin|role|roles|groups?|permissions?|scopes?|scp|superuser|is_?superuser|privileges?)$"
)


def find_tokens(text: str) -> list[str]:
    """The tokens in a text, each once: what begins as a JSON header in base64 does, and has dots."""
    found = [
        match.group().rstrip("=") if match.group().count(".") < 2 else match.group() for match in _TOKEN.finditer(text)
    ]
    return list(dict.fromkeys(each for each in found if len(each) <= MAX_TOKEN and _is_token(each)))


def _is_token(token: str) -> bool:
    header = _json_part(token.partition(".")[0])
    return isinstance(header, dict) or token.count(".") in (2, 4)


def looks_meant(text: str) -> list[str]:
    """The one word that somebody who speaks of a token must mean, though it is none."""
    words_ = [word.strip("\"'`,;<>()") for word in text.split()]
    dotted = [
        w
        for w in words_
        if len(w) >= 16
        and re.fullmatch(r"[A-Za-z0-9_+/=-]+(?:\.[A-Za-z0-9_+/=-]*)*", w)
        and ("." in w or w.startswith(("eyJ", "ey")))
    ]
    return sorted(dotted, key=len, reverse=True)[:1]


def read_token(token: str, now: int, depth: int = 0) -> dict[str, Any]:
    parts = token.split(".")
    result: dict[str, Any] = {
        "parts": len(parts), "error": "", "is_encrypted": len(parts) == 5, "header": None, "claims": None, "times": {},
        "algorithm": None, "signature": "unknown", "weak_key": None, "keys_tried": 0, "expiry": "none",
        "expiry_ago": "", "findings": [], "notes": [],
    }  # fmt: skip
    header, problem = _decoded(parts[0], "header")
    if problem or not isinstance(header, dict):
        return result | {"error": problem or "its header is JSON, but no object."}
    result["header"] = header
    result["algorithm"] = header.get("alg") if isinstance(header.get("alg"), str) else None
    if len(parts) not in (3, 5):
        wanted = "a signed token has three, an encrypted one five"
        return result | {"error": f"it has {len(parts)} {'part' if len(parts) == 1 else 'parts'}; {wanted}."}
    _look_at_header(result, header)
    if result["is_encrypted"]:
        if header.get("zip"):
            _find(result, "Its content is compressed before encryption (`zip`)")
        return result
    claims, problem = _decoded(parts[1], "payload")
    if header.get("b64") is False:
        problem = "its payload is not base64 (`b64` is false)."
    if problem and depth < 2 and (inner := _inner(parts[1])):
        _find(result, "Its payload is a token itself; that one is told as the claims")
        within = read_token(inner, now, depth + 1)
        claims, problem = within["claims"], within["error"]
    if not problem and not isinstance(claims, dict):
        _find(result, "Its payload is JSON, but no object: these are no JWT claims", value=json.dumps(claims)[:200])
        claims = None
    if problem:
        _find(result, f"Its claims cannot be read: {problem.rstrip('.')}")
        claims = None
    result["claims"] = claims
    _look_at_signature(result, parts)
    if claims is not None:
        _look_at_claims(result, claims, now)
    return result


def _find(result: dict[str, Any], text: str, *, value: object = "") -> None:
    result["findings"].append({"text": text, "value": str(value)[:500] if value else ""})


def _decoded(part: str, name: str) -> tuple[Any, str]:
    """The JSON in a part, or what is wrong with it."""
    if not part:
        return None, f"its {name} is empty."
    plain = part.rstrip("=")
    if not _PART.fullmatch(plain):
        wrong = next(c for c in plain if not _PART.fullmatch(c))
        if wrong in "+/":
            plain = plain.replace("+", "-").replace("/", "_")
            if not _PART.fullmatch(plain):
                return None, f"its {name} is not base64url."
        else:
            return None, f"its {name} is not base64url: it holds U+{ord(wrong):04X} at place {plain.index(wrong) + 1}."
    if len(plain) % 4 == 1:
        return None, f"its {name} is cut: {len(plain)} characters of base64url cannot be whole bytes."
    raw = base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    try:
        return _json(raw), ""
    except UnicodeDecodeError as error:
        return None, f"its {name} is base64url, but no UTF-8 text (byte {error.start + 1})."
    except RecursionError:
        return None, f"its {name} is nested too deeply."
    except ValueError as error:
        told = (
            f"{error.msg.lower()}, at character {error.pos + 1}"
            if isinstance(error, json.JSONDecodeError)
            else "it repeats a name or holds a number too long"
        )
        return None, f"its {name} is base64url, but no JSON ({told})."


def _json(raw: bytes) -> Any:
    value = json.loads(raw.decode("utf-8"), parse_constant=lambda name: name)
    _check_depth(value)
    return value


def _check_depth(value: Any, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise RecursionError
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(each, depth + 1)


def _json_part(part: str) -> Any:
    value, problem = _decoded(part, "part")
    return None if problem else value


def _inner(part: str) -> str | None:
    try:
        text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return text if _TOKEN.fullmatch(text) else None


def _look_at_header(result: dict[str, Any], header: dict[str, Any]) -> None:
    told = {
        "jku": "`jku` names where to fetch the key: a server that follows it takes an attacker's key",
        "x5u": "`x5u` names where to fetch the certificate: a server that follows it takes an attacker's",
    }
    for name, text in told.items():
        if header.get(name):
            _find(result, text, value=header[name])
    if "jwk" in header:
        _find(result, "The public key stands in the header (`jwk`): a server that believes it accepts any signer")
    if "x5c" in header:
        _find(result, "A certificate stands in the header (`x5c`): it must be checked against trusted issuers")
    kid = header.get("kid")
    if isinstance(kid, str):
        if "../" in kid or "..\\" in kid or kid.startswith("/") or "/dev/null" in kid:
            _find(
                result,
                "`kid` looks like a path: a server that opens it reads a file of the attacker's choice as the key",
                value=kid,
            )
        elif re.search(r"(?i)['\";]|--|\bunion\b|\bselect\b", kid):
            _find(result, "`kid` holds characters of SQL: an injection, if the server looks keys up with it", value=kid)
        elif re.search(r"[|&`$]|https?://", kid):
            _find(result, "`kid` holds characters of a shell or a URL", value=kid)
    elif kid is not None:
        _find(result, "`kid` is no text, as RFC 7515 wants it", value=json.dumps(kid)[:200])
    if header.get("crit"):
        _find(result, "`crit`: a reader that does not know these headers must refuse the token", value=header["crit"])
    if header.get("cty"):
        _find(result, "`cty`: its content is a token or document of its own", value=header["cty"])
    if result["algorithm"] is None:
        _find(result, "`alg` is missing or no text" if not result["is_encrypted"] else "`alg` is missing")


def _look_at_signature(result: dict[str, Any], parts: list[str]) -> None:
    algorithm = result["algorithm"] or ""
    try:
        plain = parts[2].rstrip("=")
        signature = base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        signature = b""
        _find(result, "Its signature is not base64url")
    result["signature_bytes"] = len(signature)
    if algorithm.lower() == "none":
        result["signature"] = "none"
        if algorithm != "none":
            _find(result, "`alg` is spelled so that a filter for `none` may miss it", value=algorithm)
        if signature:
            _find(result, f"There are {len(signature)} bytes where no signature belongs")
        return
    if not signature:
        result["signature"] = "missing"
    elif algorithm in _HMACS:
        _try_keys(result, parts, signature)
    elif algorithm in _PUBLIC:
        result["signature"] = "public key"
        size = _PUBLIC[algorithm]
        if (size < 256 and len(signature) != size) or (size == 256 and len(signature) < size):
            wanted = f"{'at least ' if size == 256 else ''}{size}"
            _find(
                result, f"The signature has {len(signature)} bytes, not {wanted} as {algorithm} needs: it cannot verify"
            )
    elif algorithm:
        _find(result, "`alg` is no algorithm of RFC 7518", value=algorithm)


def _try_keys(result: dict[str, Any], parts: list[str], signature: bytes) -> None:
    name = _HMACS[result["algorithm"]]
    size = hashlib.new(name).digest_size
    if len(signature) != size:
        _find(
            result,
            f"The signature has {len(signature)} bytes, not {size} as {result['algorithm']} needs: it cannot verify",
        )
    message = f"{parts[0]}.{parts[1]}".encode()
    keys = {key: key.encode() for key in ("", *_WEAK_KEYS, *words())}
    keys[_RFC7515_KEY] = base64.urlsafe_b64decode(_RFC7515_KEY + "==")
    result |= {"signature": "unknown key", "keys_tried": len(keys)}
    for key, raw in keys.items():
        if hmac.compare_digest(hmac.digest(raw, message, name), signature):
            result |= {"signature": "weak", "weak_key": key or "(the empty key)"}
            if key == _RFC7515_KEY:
                _find(result, "The key is that of the example in RFC 7515, A.1, for everybody to read")
            return


def _look_at_claims(result: dict[str, Any], claims: dict[str, Any], now: int) -> None:
    for name in _MOMENTS:
        if name in claims:
            told = _moment(claims[name])
            if told:
                result["times"][name] = told
            else:
                _find(
                    result,
                    f"`{name}` is no time: RFC 7519 wants seconds since 1970",
                    value=json.dumps(claims[name])[:100],
                )
    seconds = {name: _seconds(claims[name]) for name in _MOMENTS if name in claims}
    for name, value in seconds.items():
        if value is not None and value > 1e11:
            _find(result, f"`{name}` is too large for seconds; read as milliseconds")
    exp = _scaled(seconds.get("exp"))
    if exp is not None and "exp" in result["times"]:
        result |= {"expiry": "expired" if exp <= now else "valid", "expiry_ago": _ago(int(exp) - now)}
    elif "exp" in claims:
        result["expiry"] = "unreadable"
    for name, text in (("nbf", "It is not valid yet"), ("iat", "It says it was issued in the future")):
        at = _scaled(seconds.get(name))
        if at is not None and at > now + 60:
            _find(result, f"{text}: `{name}` is {result['times'].get(name, '')}")
    issued = _scaled(seconds.get("iat"))
    if exp is not None and issued is not None and exp - issued > 365 * 86_400:
        _find(result, f"It is good for {int((exp - issued) // 86_400):,} days, which is long")
    for name in claims:
        if _SENSITIVE.match(name):
            _find(result, "A claim holds what should be no claim: anybody who sees the token can read it", value=name)
        elif _POWER.match(name):
            _find(result, "A claim grants rights, so the signature has to be checked", value=f"{name} = {claims[name]}")
    if "iss" not in claims and "aud" not in claims:
        _find(
            result, "It names neither issuer (`iss`) nor audience (`aud`): another service cannot tell it is not meant"
        )


def _seconds(value: Any) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}(?:\.\d{1,9})?", value):
        value = float(value)
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18 else None
    )


def _scaled(value: float | None) -> float | None:
    return value / 1000 if value is not None and value > 1e11 else value


def _moment(value: Any) -> str | None:
    seconds = _scaled(_seconds(value))
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None


def _ago(seconds: int) -> str:
    days = abs(seconds) // 86_400
    told = f"{days:,} {'day' if days == 1 else 'days'}" if days else f"{abs(seconds) // 60:,} minutes"
    return f"{told} ago" if seconds < 0 else f"in {told}"
