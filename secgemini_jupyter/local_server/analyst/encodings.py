"""Encodings by their names: which one a prompt names, and a text put into it or taken out of it."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Mapping
from urllib.parse import quote_from_bytes, unquote_to_bytes

from secgemini_jupyter.local_server.analyst.text import code
from secgemini_jupyter.local_server.analyst.xor import from_base64

LABELS = {"base64": "base64", "base32": "base32", "hex": "hex", "url": "URL encoding", "rot13": "ROT13"}
_NAMES = {
    "base64": r"base[\s-]?64|unbase64",
    "base32": r"base[\s-]?32",
    "hex": r"hex(?:adecimal)?",
    "url": r"(?:url|uri|percent)(?=[\s-]?(?:en|de)cod)|percent[\s-]encoding",
    "rot13": r"rot[\s-]?13",
}
_NAMED = re.compile(
    r"\b(?:" + "|".join(f"(?P<{name}>{words})" for name, words in _NAMES.items()) + r")\b", re.IGNORECASE
)
_NAME = r"(?:(?:url|uri|percent|base[\s-]?64|base[\s-]?32|hex(?:adecimal)?|rot[\s-]?13)\b[\s-]{0,3})"
_FILLERS = (
    r"(?:this|that|the|following|string|text|value|message|word|words|from|with|using|by|please|as|of|it|to|into|in|me|for"
    r"|is|what|does|say|says|mean|means|can|you|which|and|or|url|uri|percent|hex(?:adecimal)?)"
)
MAX_FILLED = 2_000
"""Characters of a text in which fillers are looked for."""
_ENDS = re.compile(
    rf"\A(?:\W*\b{_FILLERS}\b(?![=+/%])){{1,12}}[\s:,]*(?=\S)|(?:(?<=\s){_FILLERS}\b\W{{0,9}}){{1,12}}\Z", re.IGNORECASE
)
_ENCODE = re.compile(
    rf"\A\W*(?:(?:please|can you|could you)\s+)?(?:{_NAME}?encod(?:e|ing of)\b|{_NAME}(?:of|for)\b|(?:convert|turn)\b)"
    r"(?P<rest>.{1,4000})\Z",
    re.IGNORECASE | re.DOTALL,
)
_LEAD = re.compile(r"\A(?:(?:this|the|following|string|text|word)\b\s*){1,4}:?\s*(?=\S)", re.IGNORECASE)
_INTO = re.compile(rf"\s+(?:in|as|to|into|with|using)\s+{_NAME}\s*(?:encoding)?\W*\Z", re.IGNORECASE)


def named(said: str) -> list[str]:
    """The encodings that are named, in their order."""
    return list(dict.fromkeys(str(found.lastgroup) for found in _NAMED.finditer(said)))


def without_fillers(text: str) -> str:
    """The text between the words that only lead to it: "this: … please" → "…"."""
    text = text.strip().strip("\"'`").strip()
    if len(text) > MAX_FILLED:
        return text
    return _ENDS.sub("", _ENDS.sub("", text)).strip(" :,\"'`") or text


def to_encode(prompt: str) -> tuple[str, list[str]] | None:
    """What a prompt wants encoded, and how: "base64 encode hello", "hello as base64" after "encode"."""
    found = _ENCODE.match(prompt)
    into = _INTO.search(found["rest"]) if found else None
    if found is None or (re.match(r"\W*(?:convert|turn)\b", prompt, re.IGNORECASE) and not into):
        return None
    rest = found["rest"][: into.start()] if into else found["rest"]
    rest = rest.strip()
    text = _LEAD.sub("", rest)
    text = text.lstrip(":").strip().rstrip("?").strip().strip("\"'`“”")
    names = named(prompt.removesuffix(rest) if not into else f"{into[0]} {prompt[: found.start('rest')]}")
    return (text, names) if text else None


def encoded(name: str, text: str) -> str:
    data = text.encode("utf-8", "replace")
    match name:
        case "base64":
            return base64.b64encode(data).decode()
        case "base32":
            return base64.b32encode(data).decode()
        case "hex":
            return data.hex()
        case "url":
            return quote_from_bytes(data, safe="")
    return codecs.encode(text, "rot13")


def told(texts: Mapping[str, str], *, bare: bool) -> str:
    """What a text is in each encoding."""
    if bare or len(texts) == 1:
        return "\n".join(code(text, 2_000) for text in texts.values())
    return "\n".join(f"- {LABELS[name]}: {code(text, 2_000)}" for name, text in texts.items())


def taken_out(name: str, text: bytes) -> bytes | None:
    """What a text stands for in the encoding of that name; None if it is not written in it."""
    shown = text.strip()
    match name:
        case "rot13":
            return codecs.encode(shown.decode("utf-8", "replace"), "rot13").encode()
        case "url":
            plain = unquote_to_bytes(shown)
            return plain if plain != shown else None
        case "hex":
            digits = re.sub(rb"(?i)\b0x|\\x|[\s:,-]", b"", shown)
            is_hex = len(digits) % 2 == 0 and re.fullmatch(rb"[0-9A-Fa-f]{2,}+", digits)
            return bytes.fromhex(digits.decode()) if is_hex else None
        case "base32":
            try:
                return base64.b32decode(shown.rstrip(b"=") + b"=" * (-len(shown.rstrip(b"=")) % 8)) or None
            except (binascii.Error, ValueError):
                return None
    return from_base64(shown, shortest=2)


def is_word(text: bytes) -> bool:
    """Whether it is written as words of a sentence are: in small letters alone, or with one capital before them."""
    return re.fullmatch(rb"[A-Za-z]?[a-z]+", text) is not None


_COMMON = frozenset(
    "the and of to is in that this you for are with from not it was have be on at by an as or if all can will your my "
    "password user admin login secret flag hello world key http https".split()
)


def rot13_of_words(text: bytes) -> bytes | None:
    """The text turned by ROT13, where that gives common English words and it has none itself."""
    told = text[:4000].decode("utf-8", "replace")
    turned = codecs.encode(told, "rot13")
    before, after = (re.findall(r"[a-z]+", each.lower()) for each in (told, turned))
    hits = sum(word in _COMMON for word in after)
    if hits < 2 or hits * 3 < len(after) or any(word in _COMMON for word in before if len(word) > 2):
        return None
    return codecs.encode(text.decode("utf-8", "replace"), "rot13").encode()
