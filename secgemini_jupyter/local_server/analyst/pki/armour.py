"""PEM, DER or bare base64 → the objects in it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

MAX_OBJECTS = 50
MAX_DER = 2 * 2**20

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9][A-Z0-9 ]{0,40})-----")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+")


@dataclass(frozen=True)
class Armoured:
    """One object: `der` is empty where it is a key, or `problem` says why it cannot be read."""

    label: str
    der: bytes = field(default=b"", repr=False)
    problem: str = ""

    @property
    def is_private(self) -> bool:
        return "PRIVATE KEY" in self.label


def objects(content: bytes) -> tuple[list[Armoured], int]:
    """The objects, and how many more there are."""
    begins = list(_BEGIN.finditer(content))
    if not begins:
        return [_bare(content)], 0
    found = [_block(content, begin) for begin in begins[:MAX_OBJECTS]]
    return found, len(begins) - len(found)


def _bare(content: bytes) -> Armoured:
    text = content.strip()
    if text[:1] == b"\x30":
        return Armoured("DER", content[:MAX_DER])
    if text[:3] in (b"MII", b"MIG", b"MIH") and _BASE64.fullmatch(text):
        try:
            return Armoured("base64", base64.b64decode(b"".join(text.split())[: 2 * MAX_DER], validate=False))
        except (binascii.Error, ValueError):
            return Armoured("base64", problem="it is no whole base64")
    return Armoured("", problem="there is neither PEM (`-----BEGIN …`) nor DER in it")


def _block(content: bytes, begin: re.Match[bytes]) -> Armoured:
    label = begin[1].decode("ascii")
    if "PRIVATE KEY" in label:
        return Armoured(label)
    end = content.find(b"-----END " + begin[1] + b"-----", begin.end())
    if end < 0:
        return Armoured(label, problem="its end (`-----END …`) is missing")
    body = content[begin.end() : end]
    if b":" in body:  # RFC 1421 headers
        body = re.split(rb"\r?\n\r?\n", body, maxsplit=1)[-1]
    text = b"".join(body.split())
    if not re.fullmatch(rb"[A-Za-z0-9+/]*={0,2}", text) or len(text) % 4:
        wrong = re.search(rb"[^A-Za-z0-9+/=]", text)
        why = "it holds characters that are no base64" if wrong else "its base64 is cut or broken"
        return Armoured(label, problem=why)
    return Armoured(label, base64.b64decode(text)[:MAX_DER])
