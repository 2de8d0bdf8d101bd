"""MD4 (RFC 1320), since OpenSSL 3 has it no more: NTLM's hash is the MD4 of a password in UTF-16LE."""

from __future__ import annotations

import struct

_ROUNDS = (
    (0x00000000, tuple(range(16)), (3, 7, 11, 19)),
    (0x5A827999, (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), (3, 5, 9, 13)),
    (0x6ED9EBA1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15)),
)
_STEPS = [[(order[i], shifts[i % 4], 32 - shifts[i % 4], add) for i in range(16)] for add, order, shifts in _ROUNDS]
_MASK = 0xFFFFFFFF


def md4(message: bytes) -> bytes:
    padded = message + b"\x80" + b"\0" * (-(len(message) + 9) % 64) + struct.pack("<Q", 8 * len(message) % 2**64)
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
    for start in range(0, len(padded), 64):
        words = struct.unpack_from("<16I", padded, start)
        a, b, c, d = state
        for k, left, right, _ in _STEPS[0]:
            x = a + ((b & c) | (~b & d)) + words[k] & _MASK
            a, b, c, d = d, (x << left | x >> right) & _MASK, b, c
        for k, left, right, add in _STEPS[1]:
            x = a + ((b & c) | (b & d) | (c & d)) + words[k] + add & _MASK
            a, b, c, d = d, (x << left | x >> right) & _MASK, b, c
        for k, left, right, add in _STEPS[2]:
            x = a + (b ^ c ^ d) + words[k] + add & _MASK
            a, b, c, d = d, (x << left | x >> right) & _MASK, b, c
        state = tuple((old + new) & _MASK for old, new in zip(state, (a, b, c, d), strict=True))  # type: ignore[assignment]
    return struct.pack("<4I", *state)


def ntlm(password: str) -> bytes:
    return md4(password.encode("utf-16-le", "replace"))
