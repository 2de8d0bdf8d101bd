"""Addresses of Bitcoin and Ethereum, told from other words by their checksums."""

from __future__ import annotations

import hashlib

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def is_base58_wallet(text: str) -> bool:
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    try:
        raw = number.to_bytes(25, "big")
    except OverflowError:
        return False
    digest = hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()
    return raw[0] in (0, 5) and digest[:4] == raw[21:]


def is_bech32_wallet(text: str) -> bool:
    if text.lower() != text and text.upper() != text:
        return False
    values = [3, 3, 0, 2, 3] + [_BECH32.find(c) for c in text.lower()[3:]]  # the prefix "bc", expanded
    if -1 in values:
        return False
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check == (1 if values[5] == 0 else 0x2BC830A3)  # version 0: bech32, later ones: bech32m


def keccak256(message: bytes) -> bytes:
    """Ethereum's hash: SHA-3 before its padding was changed, so hashlib has none. One block is enough here."""
    rate = 136
    block = bytearray(message.ljust(rate, b"\0"))
    block[len(message)] ^= 0x01
    block[-1] ^= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for index in range(rate // 8):
        lanes[index % 5][index // 5] = int.from_bytes(block[8 * index : 8 * index + 8], "little")
    mask, register = 2**64 - 1, 1

    def rotate(value: int, by: int) -> int:
        by %= 64
        return (value << by | value >> (64 - by)) & mask if by else value

    for _ in range(24):
        parity = [row[0] ^ row[1] ^ row[2] ^ row[3] ^ row[4] for row in lanes]
        for x in range(5):
            mix = parity[(x - 1) % 5] ^ rotate(parity[(x + 1) % 5], 1)
            lanes[x] = [lane ^ mix for lane in lanes[x]]
        x, y, carried = 1, 0, lanes[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            carried, lanes[x][y] = lanes[x][y], rotate(carried, (step + 1) * (step + 2) // 2)
        for y in range(5):
            row = [lanes[x][y] for x in range(5)]
            for x in range(5):
                lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & mask)
        for step in range(7):
            register = (register << 1 ^ (register >> 7) * 0x71) % 256
            if register & 2:
                lanes[0][0] ^= 1 << ((1 << step) - 1)
    return b"".join(lanes[index % 5][index // 5].to_bytes(8, "little") for index in range(4))


def has_ethereum_checksum(text: str) -> bool:
    """EIP-55: the case of each letter is a bit of the hash."""
    digits = text[2:]
    digest = keccak256(digits.lower().encode()).hex()
    return all(c == (c.upper() if int(d, 16) > 7 else c.lower()) for c, d in zip(digits, digest, strict=False))
