"""One-byte XOR: guessed where nobody speaks of it, tried with the likeliest or a given key where somebody does."""

from __future__ import annotations

import base64
import re

Layer = tuple[str, bytes]

_COMMON = frozenset(b" etaoinshrdlucmfwypvbgETAOINSRL./:-_0123456789")
_TELLING = re.compile(
    rb"(?i)https?:|\bthe\b|\band\b|cmd|\.exe|powershell|\.dll|/bin/|user|pass|this|hello|curl|wget|import|\bis\b"
)


def _commonness(text: bytes) -> float:
    """The share of the characters that are frequent in text and commands."""
    return sum(text.count(byte) for byte in _COMMON) / len(text)


def guessed(data: bytes) -> Layer | None:
    """One-byte XOR, only where the data is no plain text and a key makes it one."""
    sample = data[:4096]
    if len(sample) < 12 or (is_readable(sample) and _commonness(sample) > 0.8):
        return None
    is_sentence = is_readable(sample) and b" " in sample.strip()
    best, key = 0.0, 0
    for candidate in range(1, 256):
        turned = sample.translate(bytes(byte ^ candidate for byte in range(256)))
        score = _commonness(turned)
        if score > best:
            best, key = score, candidate
    turned = data.translate(bytes(byte ^ key for byte in range(256)))
    if (
        best < (max(0.95, _commonness(sample) + 0.2) if is_sentence else max(0.75, _commonness(sample) + 0.1))
        or not is_readable(turned[:4096])
        or not _TELLING.search(turned[:4096])
    ):
        return None
    return f"one-byte XOR (key 0x{key:02x})", turned


def is_readable(data: bytes) -> bool:
    if not data:
        return False
    try:
        text = data[:65536].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < min(len(data), 65536) - 4:
            return False
        text = data[: error.start].decode("utf-8")
    good = sum(c.isprintable() or c in "\r\n\t" for c in text)
    letters = sum(c.isascii() for c in text)
    return bool(text) and good >= 0.97 * len(text) and letters >= 0.5 * len(text)


def from_base64(data: bytes, shortest: int = 8) -> bytes | None:
    """What base64 stands for, in one piece or broken into lines; the words of a sentence are none."""
    pieces = data.split()
    text = b"".join(pieces)
    sizes = [len(piece) for piece in pieces]
    if len(pieces) > 1 and (len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0] or sizes[0] % 4):
        return None
    if len(text) < shortest or not re.fullmatch(rb"[A-Za-z0-9+/_-]++={0,2}", text):
        return None
    text = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    if len(text) % 4 == 1:
        return None
    return base64.b64decode(text + b"=" * (-len(text) % 4))


_WEIGHTS = (
    dict.fromkeys(b" etaoinshr", 3)
    | dict.fromkeys(b"dlucmfwypvbgkjqxz", 2)
    | dict.fromkeys(b"ETAOINSHRDLUCMFWYPVBG0123456789.,:/-_='", 1)
)


def keyed(data: bytes, key: int | None) -> list[Layer]:
    """XOR with the key, or with the one that gives the most ordinary text."""
    if key is None:
        score = {k: sum(_WEIGHTS.get(byte ^ k, -3) for byte in data[:2_000]) for k in range(1, 256)}
        likeliest = max(score, key=lambda k: score[k])
        turned = turn(data, likeliest)
        is_text = bool(data) and is_readable(turned[:4096])
        return [(f"one-byte XOR (key 0x{likeliest:02x}, the likeliest)", turned)] if is_text else []
    return [(f"one-byte XOR (key 0x{key % 256:02x})", turn(data, key % 256))] if data else []


def turn(data: bytes, key: int) -> bytes:
    return data.translate(bytes(byte ^ key for byte in range(256)))


def written(candidates: list[bytes]) -> list[Layer]:
    """The bytes that the first hex, else the first base64, among these words stands for, whatever they are."""
    for each in candidates:
        digits = re.sub(rb"(?i)\b0x|\\x|[\s:,-]", b"", each.strip())
        if len(digits) >= 4 and len(digits) % 2 == 0 and re.fullmatch(rb"[0-9A-Fa-f]++", digits):
            return [("hex", bytes.fromhex(digits.decode()))]
    for each in candidates:
        if not re.search(rb"\s", each) and re.search(rb"[0-9+/=]", each) and (raw := from_base64(each)):
            return [("base64", raw)]
    return []
