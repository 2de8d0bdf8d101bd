"""What a string can be as a digest or password hash: by its prefix, its length and its alphabet."""

from __future__ import annotations

import re
from dataclasses import dataclass

_B64 = r"[A-Za-z0-9./+]"


@dataclass(frozen=True)
class Kind:
    """`sure`: the form itself says so; else only the length fits. `slow`: made to be slow to guess."""

    name: str
    about: str = ""
    sure: bool = False
    salted: bool = False
    slow: bool = False


def _sure(name: str, about: str = "", *, salted: bool = False, slow: bool = False) -> Kind:
    return Kind(name, about, True, salted, slow)


_FORMS: tuple[tuple[str, Kind], ...] = (
    (r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}", _sure("bcrypt", "", salted=True, slow=True)),
    (rf"\$1\$[^$:\s]{{0,8}}\${_B64}{{22}}", _sure("md5crypt", "Unix `$1$`, Cisco IOS type 5", salted=True)),
    (rf"\$apr1\$[^$:\s]{{0,8}}\${_B64}{{22}}", _sure("Apache apr1 (MD5)", "htpasswd", salted=True)),
    (rf"\$5\$(?:rounds=\d{{1,9}}\$)?[^$:\s]{{0,16}}\${_B64}{{43}}",
     _sure("sha256crypt", "Unix `$5$`", salted=True, slow=True)),
    (rf"\$6\$(?:rounds=\d{{1,9}}\$)?[^$:\s]{{0,16}}\${_B64}{{86}}",
     _sure("sha512crypt", "Unix `$6$`", salted=True, slow=True)),
    (rf"\$y\${_B64}{{1,9}}\${_B64}{{0,86}}\${_B64}{{43}}", _sure("yescrypt", "Unix `$y$`", salted=True, slow=True)),
    (rf"\$gy\${_B64}{{1,9}}\${_B64}{{0,86}}\${_B64}{{43}}",
     _sure("gost-yescrypt", "Unix `$gy$`", salted=True, slow=True)),
    (rf"\$7\${_B64}{{11,97}}\${_B64}{{43}}", _sure("scrypt", "Unix `$7$`", salted=True, slow=True)),
    (r"\$argon2(?:id|i|d)\$(?:v=\d+\$)?m=\d+,t=\d+,p=\d+(?:,[a-z]+=[^$\s]{1,90})?"
     r"\$[A-Za-z0-9+/]{1,200}\$[A-Za-z0-9+/]{1,400}",
     _sure("Argon2", "", salted=True, slow=True)),
    (r"\$scrypt\$ln=\d+,r=\d+,p=\d+\$[^$\s]{1,200}\$[^$\s]{1,400}"
     r"|SCRYPT:\d+:\d+:\d+:[^:\s]{1,200}:[^:\s]{1,400}"
     r"|scrypt:\d+:\d+:\d+\$[^$\s]{1,100}\$[0-9a-f]{128}",
     _sure("scrypt", "", salted=True, slow=True)),
    (r"\$pbkdf2(?:-sha\d+)?\$\d+\$[^$\s]{1,200}\$[^$\s]{1,400}"
     r"|pbkdf2_sha\d+\$\d+\$[^$\s]{1,200}\$[^$\s]{1,400}"
     r"|pbkdf2:sha\d+:\d+\$[^$\s]{1,100}\$[0-9a-f]{40,128}"
     r"|sha\d+:\d+:[A-Za-z0-9+/=]{8,200}:[A-Za-z0-9+/=]{16,400}",
     _sure("PBKDF2", "Django, Werkzeug, passlib or hashcat write it so", salted=True, slow=True)),
    (rf"\$8\${_B64}{{14}}\${_B64}{{43}}", _sure("Cisco IOS type 8", "PBKDF2-SHA-256", salted=True, slow=True)),
    (rf"\$9\${_B64}{{14}}\${_B64}{{43}}", _sure("Cisco IOS type 9", "scrypt", salted=True, slow=True)),
    (rf"\$[PH]\${_B64}{{31}}", _sure("phpass", "WordPress, phpBB 3: iterated MD5", salted=True)),
    (rf"\$S\${_B64}{{52}}", _sure("Drupal 7", "iterated SHA-512", salted=True, slow=True)),
    (r"\$krb5tgs\$\d+\$\S{20,20000}", _sure("Kerberos 5 TGS-REP", "what Kerberoasting collects", salted=True)),
    (r"\$krb5asrep\$\S{20,20000}", _sure("Kerberos 5 AS-REP", "what AS-REP roasting collects", salted=True)),
    (r"\$krb5pa\$\S{20,20000}", _sure("Kerberos 5 pre-authentication", "", salted=True)),
    (r"\$DCC2\$\d+#[^#\s]{1,200}#[0-9a-fA-F]{32}",
     _sure("Domain cached credentials 2", "MS-Cache v2", salted=True, slow=True)),
    (r"\$sha1\$\d+\$[^$\s]{1,64}\$[./A-Za-z0-9]{28}", _sure("sha1crypt", "NetBSD", salted=True, slow=True)),
    (r"\{SSHA(?:256|384|512)?\}[A-Za-z0-9+/=]{24,400}", _sure("LDAP salted SHA", "", salted=True)),
    (r"\{SHA(?:256|384|512)?\}[A-Za-z0-9+/=]{24,200}", _sure("LDAP SHA, unsalted")),
    (r"\{S?MD5\}[A-Za-z0-9+/=]{20,200}", _sure("LDAP MD5")),
    (r"sha(?:256|384|512)-[A-Za-z0-9+/]{43,86}={0,2}",
     _sure("Subresource Integrity", "the base64 of a SHA-2 digest of a script or style sheet")),
    (r"\*[0-9A-Fa-f]{40}", _sure("MySQL 4.1 and later", "SHA-1 of a SHA-1, unsalted")),
    (r"0x0100[0-9A-Fa-f]{48}(?:[0-9A-Fa-f]{40})?", _sure("Microsoft SQL Server 2000/2005", "", salted=True)),
    (r"0x0200[0-9A-Fa-f]{136}", _sure("Microsoft SQL Server 2012 and later", "", salted=True)),
    (r"(?i:md5)[0-9a-f]{32}", _sure("PostgreSQL MD5", "salted with the user's name", salted=True)),
    (r"SCRAM-SHA-256\$\d+:[A-Za-z0-9+/=]{8,100}\$[A-Za-z0-9+/=]{44}:[A-Za-z0-9+/=]{44}",
     _sure("PostgreSQL SCRAM-SHA-256", "", salted=True, slow=True)),
    (r"[^:\s]{0,100}::[^:\s]{0,100}:[0-9A-Fa-f]{16}:[0-9A-Fa-f]{32}:[0-9A-Fa-f]{16,4000}",
     _sure("NetNTLMv2", "an answer to a challenge, as Responder captures it", salted=True)),
    (r"[^:\s]{0,100}::[^:\s]{0,100}:[0-9A-Fa-f]{48}:[0-9A-Fa-f]{48}:[0-9A-Fa-f]{16}",
     _sure("NetNTLMv1", "an answer to a challenge, as Responder captures it", salted=True)),
    (r"[^:\s]{1,100}:\d{1,10}:[0-9A-Fa-f]{32}:[0-9A-Fa-f]{32}:[^:\s]{0,100}:[^:\s]{0,100}:[^:\s]{0,100}",
     _sure("LM:NTLM pair of a Windows account", "a pwdump line: user, RID, LM, NTLM")),
    (r"[0-9A-Fa-f]{32}:[0-9A-Fa-f]{32}", _sure("LM:NTLM pair, or a digest and its salt")),
    (r"\d{1,6}:[A-Za-z0-9+/]{3,130}:[A-Za-z0-9+/]{3,70}",
     _sure("ssdeep", "a fuzzy hash: tells similar files, is no password")),
    (r"(?i:T1)[0-9A-Fa-f]{70}", _sure("TLSH", "a fuzzy hash: tells similar files, is no password")),
    (r"[tq]\d\d[di]\d{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}",
     _sure("JA4", "a fingerprint of a TLS client, no password")),
    (r"SHA256:[A-Za-z0-9+/]{43}=?", _sure("OpenSSH key fingerprint (SHA-256)", "of a public key, no password")),
    (r"(?i:MD5:)?(?:[0-9a-fA-F]{2}:){15}[0-9a-fA-F]{2}",
     _sure("MD5 fingerprint", "of a public key or certificate, as a rule")),
    (r"(?:[0-9a-fA-F]{2}:){19}[0-9a-fA-F]{2}", _sure("SHA-1 fingerprint", "of a certificate, as a rule")),
    (r"(?:[0-9a-fA-F]{2}:){31}[0-9a-fA-F]{2}", _sure("SHA-256 fingerprint", "of a certificate, as a rule")),
    (r"[0-9A-Fa-f]{32}:[^\s:]{1,64}", _sure("MD5 and a salt", "", salted=True)),
    (r"[0-9A-Fa-f]{40}:[^\s:]{1,64}", _sure("SHA-1 and a salt", "", salted=True)),
    (r"[0-9A-Fa-f]{64}:[^\s:]{1,64}", _sure("SHA-256 and a salt", "", salted=True)),
)  # fmt: skip
_BY_LENGTH = {  # hex digits: most likely first
    8: (("CRC32", "a checksum, no protection"), ("Adler-32", "a checksum")),
    16: (("MySQL before 4.1", ""), ("half of an LM hash", ""), ("CRC-64 or xxHash64", "checksums")),
    32: (("MD5", ""), ("NTLM", "MD4 of the password in UTF-16LE"), ("MD4", ""), ("LM", ""), ("RIPEMD-128", ""),
         ("imphash/JA3", "which are MD5s of other things than a file")),
    40: (("SHA-1", ""), ("RIPEMD-160", ""), ("git object id", "a SHA-1")),
    48: (("Tiger-192", ""), ("SHA-1 with a salt of 4 bytes", "")),
    56: (("SHA-224", ""), ("SHA3-224", ""), ("SHA-512/224", "")),
    64: (("SHA-256", ""), ("SHA3-256", ""), ("BLAKE2s", ""), ("BLAKE3", ""), ("SHA-512/256", ""), ("Keccak-256", "")),
    70: (("TLSH", "a fuzzy hash: tells similar files"),),
    96: (("SHA-384", ""), ("SHA3-384", "")),
    128: (("SHA-512", ""), ("SHA3-512", ""), ("BLAKE2b", ""), ("Whirlpool", "")),
}  # fmt: skip
_BASE64_LENGTH = {
    24: (("MD5, in base64", ""),),
    28: (("SHA-1, in base64", ""),),
    44: (("SHA-256, in base64", ""),),
    88: (("SHA-512, in base64", ""),),
}
_COMPILED = [(re.compile(pattern), kind) for pattern, kind in _FORMS]
_HEX = re.compile(r"[0-9A-Fa-f]+")
MAX_LENGTH = 20_000


def kinds(text: str) -> list[Kind]:
    """The most likely first; empty when `text` has the form of no digest that is known here."""
    if not text or len(text) > MAX_LENGTH:
        return []
    for pattern, kind in _COMPILED:
        if pattern.fullmatch(text):
            return [kind]
    if _HEX.fullmatch(text):
        return [Kind(*each) for each in _BY_LENGTH.get(len(text), ())]
    if text.endswith("=") and re.fullmatch(r"[A-Za-z0-9+/]+={1,2}", text):
        return [Kind(*each) for each in _BASE64_LENGTH.get(len(text), ())]
    return []


def is_unmistakable(text: str) -> bool:
    """Whether nobody writes `text` but as a digest: hex of a usual length, or a form with its own mark."""
    found = kinds(text)
    if not found:
        return False
    if found[0].sure:
        return not found[0].name.startswith("ssdeep") or len(text) > 40
    return len(text) in (32, 40, 56, 64, 96, 128) and not text.isdecimal() and not text.isalpha()


def unix_shadow(line: str) -> tuple[str, str] | None:
    """User and hash of a line of /etc/shadow or htpasswd."""
    user, colon, rest = line.partition(":")
    digest = rest.partition(":")[0]
    return (user, digest) if colon and digest.startswith(("$", "{")) and kinds(digest) else None
