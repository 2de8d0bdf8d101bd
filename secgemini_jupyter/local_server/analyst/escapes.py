"""Ways to write characters as numbers or names: each gives the plain text, or None when a text is not written so."""

from __future__ import annotations

import email.errors
import email.header
import html
import re

Layer = tuple[str, bytes]

_ENTITY = re.compile(rb"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-zA-Z]{2,8});")
_ESCAPE = re.compile(rb"\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\u\{[0-9A-Fa-f]{1,6}\}|\\U[0-9A-Fa-f]{8}|\\[0-3][0-7]{2}")
_PERCENT_U = re.compile(rb"%u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2}")
_CALL = re.compile(rb"(?i)(?:fromCharCode|\bchr|\bchar|\[char\[\]\])\s*\(?\s*([0-9xA-Fa-f,\s]{5,})\)?")
_VBA = re.compile(rb"(?i)chrw?\$?\((\d{1,3})\)")
_ENCODED_WORD = re.compile(rb"=\?[A-Za-z0-9_-]{2,30}\?[BbQq]\?[^?\s]{1,4000}\?=")


def entities(data: bytes) -> Layer | None:
    if b"&" not in data or len(_ENTITY.findall(data[:100_000])) < 3:
        return None
    return "HTML entities", html.unescape(data.decode("utf-8", "replace")).encode("utf-8", "replace")


def escapes(data: bytes) -> Layer | None:
    """Escapes of programming languages, alone or between plain characters."""
    if b"\\" not in data:
        return None
    found = _ESCAPE.findall(data)
    if len(found) < 4 or sum(map(len, found)) < 0.3 * len(data.strip()):
        return None
    name = "hex escapes" if all(each[1:2] == b"x" for each in found) else "escapes"
    return name, _ESCAPE.sub(lambda match: _escaped(match.group()), data)


def _escaped(written: bytes) -> bytes:
    if written[1:2] == b"x":
        return bytes.fromhex(written[2:].decode())
    if written[1:2] in (b"u", b"U"):
        point = int(written[2:].strip(b"{}"), 16)
        return (chr(point) if point < 0x110000 else "�").encode("utf-8", "replace")
    return bytes([int(written[1:], 8)])


def percent_u(data: bytes) -> Layer | None:
    """JavaScript's `escape`: %u0041."""
    if len(re.findall(rb"%u[0-9A-Fa-f]{4}", data)) < 2:
        return None
    plain = _PERCENT_U.sub(lambda match: chr(int(match.group().lstrip(b"%u"), 16)).encode("utf-8", "replace"), data)
    return "URL encoding (%u)", plain


def binary(data: bytes) -> Layer | None:
    digits = b"".join(data.split())
    if len(digits) < 16 or len(digits) % 8 or not re.fullmatch(rb"[01]++", digits):
        return None
    return "binary digits", bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits), 8))


def character_codes(data: bytes) -> Layer | None:
    """Numbers of characters: `104 101`, `String.fromCharCode(104, 101)`, `Chr(104) & Chr(101)`."""
    if len(data) > 400_000:
        return None
    if len(each := _VBA.findall(data)) >= 4:
        numbers = [int(number) for number in each]
    else:
        call = _CALL.search(data)
        text = (call[1] if call else data).strip()
        if not re.fullmatch(
            rb"(?:0x[0-9A-Fa-f]{1,2}|\d{1,3})(?:[\s,;]++(?:0x[0-9A-Fa-f]{1,2}|\d{1,3}))++[\s,;]*", text
        ):
            return None
        numbers = [int(each, 0) if each[:2] == b"0x" else int(each) for each in re.split(rb"[\s,;]+", text) if each]
    if len(numbers) < 4 or not all(number in (9, 10, 13) or 32 <= number < 127 for number in numbers):
        return None
    return "character codes", bytes(numbers)


def encoded_words(data: bytes) -> Layer | None:
    """RFC 2047: what stands in headers of mail."""
    if not _ENCODED_WORD.search(data):
        return None
    try:
        parts = email.header.decode_header(data.decode("utf-8", "replace"))
        plain = str(email.header.make_header(parts))
    except (ValueError, LookupError, email.errors.HeaderParseError):
        return None
    return "encoded words of a mail header", plain.encode("utf-8", "replace")
