"""Whether one of our common words gives a digest. Only quick, documented constructions are tried."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator

from secgemini_jupyter.local_server.analyst.digests.md4 import md4, ntlm
from secgemini_jupyter.local_server.analyst.digests.words import candidates

Construction = tuple[str, Callable[[str], bytes], bytes]
"""Its name, how it makes a digest of a word, and the digest to find."""

EMPTY_LM = "aad3b435b51404ee"
_KNOWN = {
    "44d88612fea8a8f36de82e1278abb02f": "the MD5 of the EICAR test file, which is harmless",
    "3395856ce81f2b7382dee72602f798b642f14140": "the SHA-1 of the EICAR test file, which is harmless",
    "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f": "the SHA-256 of the EICAR test file,"
    " which is harmless",
    EMPTY_LM * 2: "the LM hash of no password: Windows writes it where no LM hash is stored",
}
_BY_LENGTH: dict[int, tuple[tuple[str, str], ...]] = {
    16: (("MD5", "md5"), ("NTLM", "ntlm"), ("MD4", "md4")),
    20: (("SHA-1", "sha1"),),
    28: (("SHA-224", "sha224"), ("SHA3-224", "sha3_224")),
    32: (("SHA-256", "sha256"), ("SHA3-256", "sha3_256"), ("BLAKE2s", "blake2s")),
    48: (("SHA-384", "sha384"), ("SHA3-384", "sha3_384")),
    64: (("SHA-512", "sha512"), ("SHA3-512", "sha3_512"), ("BLAKE2b", "blake2b")),
}


def known(digest: str) -> str:
    """What everybody knows this digest to be, or nothing."""
    return _KNOWN.get(digest.lower(), "")


def guess(text: str) -> tuple[str, str] | str:
    """Construction and word; or why none was found: "tried" or "not tried"."""
    constructions = list(_constructions(text))
    if not constructions:
        return "not tried"
    for name, digest, wanted in constructions:
        for word in candidates():
            if digest(word) == wanted:
                return name, word
    return "tried"


def _plain(name: str) -> Callable[[str], bytes]:
    if name == "ntlm":
        return ntlm
    if name == "md4":
        return lambda word: md4(word.encode())
    new = getattr(hashlib, name)
    weak = {"usedforsecurity": False} if name in ("md5", "sha1") else {}
    return lambda word: bytes(new(word.encode(), **weak).digest())


def _salted(name: str, salt: bytes, wanted: bytes) -> Iterator[Construction]:
    new = getattr(hashlib, name)
    yield f"{name}(word + salt)", lambda word: new(word.encode() + salt).digest(), wanted
    yield f"{name}(salt + word)", lambda word: new(salt + word.encode()).digest(), wanted


def _constructions(text: str) -> Iterator[Construction]:
    parts = text.split(":")
    if len(parts) == 6 and not parts[1] and len(parts[4]) == 32:
        yield from _netntlmv2(parts)
    elif len(parts) == 7 and len(parts[3]) == 32 and (nt := _hex(parts[3])):
        yield "NTLM", ntlm, nt
    elif len(parts) == 2 and (digest := _hex(parts[0])) and len(digest) in (16, 20, 32):
        second = _hex(parts[1])
        if len(digest) == 16 and second and len(second) == 16:
            yield "NTLM", ntlm, second
        yield from _salted({16: "md5", 20: "sha1", 32: "sha256"}[len(digest)], parts[1].encode(), digest)
    elif text.startswith("*") and (digest := _hex(text[1:])):
        yield "SHA-1 of SHA-1 (MySQL)", lambda word: _sha1(_sha1(word.encode())), digest
    elif text.lower().startswith("md5") and len(text) == 35 and (digest := _hex(text[3:])):
        md5 = _plain("md5")
        yield "MD5 with the user name `postgres`", lambda word: md5(word + "postgres"), digest
    elif text.startswith("{") and "}" in text:
        yield from _ldap(*text[1:].split("}", 1))
    elif digest := _hex(text) or _base64(text):
        for name, algorithm in _BY_LENGTH.get(len(digest), ()):
            yield name, _plain(algorithm), digest


def _ldap(scheme: str, rest: str) -> Iterator[Construction]:
    name = {"SHA": "sha1", "SSHA": "sha1", "MD5": "md5", "SMD5": "md5"}.get(scheme.upper(), scheme.lower().lstrip("s"))
    name = {"ha256": "sha256", "ha384": "sha384", "ha512": "sha512"}.get(name, name)
    raw = _base64(rest)
    if raw is None or not hasattr(hashlib, name):
        return
    size = getattr(hashlib, name)().digest_size
    if len(raw) >= size:
        new, salt = getattr(hashlib, name), raw[size:]
        yield f"{name}{' with the salt' if salt else ''}", lambda word: new(word.encode() + salt).digest(), raw[:size]


def _netntlmv2(parts: list[str]) -> Iterator[Construction]:
    user, _, domain, challenge, proof, blob = parts
    wanted, message = _hex(proof), _hex(challenge + blob)
    if wanted is None or message is None:
        return
    identity = (user.upper() + domain).encode("utf-16-le", "replace")

    def response(word: str) -> bytes:
        return hmac.digest(hmac.digest(ntlm(word), identity, "md5"), message, "md5")

    yield "NetNTLMv2", response, wanted


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _hex(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if text and " " not in text else None
    except ValueError:
        return None


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if text.endswith("=") or len(text) % 4 == 0 else None
    except (binascii.Error, ValueError):
        return None
