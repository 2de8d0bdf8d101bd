"""Find indicators, defang and refang them.

Every pattern is anchored at the start of a word and possessive, so that a hostile line costs linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from secgemini_jupyter.indicators.addresses import address_flags, ip, ipv6, is_version
from secgemini_jupyter.indicators.names import LABEL, domain_flags, is_bare_domain, is_domain
from secgemini_jupyter.indicators.spelling import Plain
from secgemini_jupyter.indicators.wallets import has_ethereum_checksum, is_base58_wallet, is_bech32_wallet

NETWORK_TYPES = frozenset({"url", "domain", "onion", "email", "ipv4", "ipv6"})
"""What `defang` changes."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One occurrence of an indicator.

    Attributes:
        type: url, domain, onion, email, ipv4, ipv6, md5, sha1, sha256, sha512, cve, cwe, ghsa, attack, asn,
            btc, eth, registry, windows_path or unix_path.
        value: refanged and in its usual spelling (host names and hashes in lower case).
        original: as the text has it.
        start: offset of `original` in the text.
        flags: what is special: for addresses loopback, private, documentation, …; `network` for CIDR;
            `port:N`; `from_url`, `from_email` for the host part of one; `defanged`; `no_checksum` (eth);
            `shortened` for a URL with an ellipsis (…) in it, which whoever wrote it put there.
    """

    type: str
    value: str
    original: str
    start: int
    flags: tuple[str, ...] = ()

    @property
    def defanged(self) -> str:
        """`value` as it may be shown: a host, address or URL cannot be clicked; other types are as they are."""
        return _defanged(self.type, self.value) if self.type in NETWORK_TYPES else self.value


_URL = re.compile(
    r"(?<![a-z0-9])(?:https?|ftps?|sftp|wss?|ldaps?|smb)://[^\s<>\"'`\x00-\x20\x7f|^]{1,4096}+", re.IGNORECASE
)
_AUTHORITY = re.compile(r"(?:[^/?#@]*@)?(\[[0-9a-f:.%]+\]|[^/?#:@\[\]\\]+)(?::\d{1,5})?(?=[/?#\\]|$)", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}+@([\w-]++(?:\.[\w-]++)++)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9a-fA-F]{0,4}:)[0-9a-fA-F:]++[0-9a-fA-F:.]*+(?:%\w{1,16}+)?(?:/\d{1,3}(?!\d))?(?!\w)"
)
_IPV4 = re.compile(
    r"(?<![\w.-])(\d{1,3}(?:\.\d{1,3}){3})(?!\w|-(?!\d{1,3}\.)|\.\w)(/\d{1,2}(?![\w.]))?(:\d{1,5}(?!\w))?"
)
_NAME = re.compile(r"(?<![\w.-])[\w-]++(?:\.[\w-]++)++")
_COMPONENT = r"""(?:\\{1,2}(?:[^\\\r\n\t"'<>|,;:*?%]{1,64}(?<!\ )(?=\\)|[^\\\s"'<>|,;:*?]{1,128}))"""
_HIVES = "HKEY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG)|HK(?:LM|CU|CR|U|CC)"
_ROOTS = (
    "etc|bin|sbin|usr|var|tmp|opt|home|root|dev|proc|sys|lib|lib64|mnt|media|srv|run|boot"
    "|Users|Library|Applications|private"
)
_PATHS = {  # kind: (what a text with one of them holds, the pattern)
    "registry": ("HK", re.compile(rf"(?<!\w)(?:{_HIVES}):?{_COMPONENT}++")),
    "windows_path": (
        "\\",
        re.compile(rf"(?<![\w\\])(?:[A-Za-z]:|%\w{{2,32}}+%|\\\\[\w.$-]{{1,64}}+){_COMPONENT}++"),
    ),
    "unix_path": ("/", re.compile(rf"(?<![\w/.:~@%-])/(?:{_ROOTS})(?:/[\w.@+~%-]++)++")),
}
_WORDS = re.compile(
    r"""
    (?<![\w]) (?=[0-9A-Ma-gSTx]) (?:
      (?P<cve>(?i:cve)-\d{4}-\d{4,7})
    | (?P<cwe>(?i:cwe)-\d{1,4})
    | (?P<ghsa>(?i:ghsa(?:-[23456789cfghjmpqrvwx]{4}){3}))
    | (?<![.-]) (?P<attack>T1\d{3}(?:\.\d{3})?|TA00\d\d|[GS][01]\d{3}|M1\d{3}) (?!-|\.\d)
    | (?P<asn>ASN?\d{3,10})
    | (?P<eth>0x[0-9a-fA-F]{40})
    | (?P<hash>[0-9a-fA-F]{32,128}+)
    | (?P<btc>[13][1-9A-HJ-NP-Za-km-z]{25,34})
    | (?P<bech32>(?:bc1|BC1)[a-zA-Z0-9]{11,71})
    ) (?!\w)
    """,
    re.VERBOSE,
)
_HASHES = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_NETWORK_NEEDLE = re.compile(
    r"""
    [.:@\\\[({] (?:  # one set of characters first: the engine skips to them
      (?<=[\w-]\.)[^\W\d] | (?<=\d\.)\d{1,3}\.\d{1,3}\.\d | (?<=\.)\] | (?<=:)(?://|[0-9a-f]{0,4}:) | (?<=[@\\])
    | (?<=[\[({])(?:[ ]?[.:]|\.?(?:dot|at))
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What each text holds that `defang` changes, or that is defanged; most texts do not, and the look is quick."""


def extract(text: str) -> list[Indicator]:
    """Every indicator in `text`, in order of appearance; one that occurs twice is listed twice.

    The host of a URL or mail address follows it as an indicator of its own, flagged `from_url` or `from_email`.
    """
    plain = Plain(text)
    found = [_placed(plain, *item) for item in _find(plain)]
    return sorted(found, key=lambda indicator: indicator.start)


def defang(text: str) -> str:
    """`text` with its URLs, domains, mail and IP addresses made unclickable; file names, versions and code stay.

    Example:
        >>> defang("see http://evil.example.com/a.exe and setup.py")
        'see hxxp://evil[.]example[.]com/a.exe and setup.py'
    """
    return _rewritten(text, _defanged) if _NETWORK_NEEDLE.search(text) else text


def refang(text: str) -> str:
    """`text` with its defanged URLs, domains, mail and IP addresses as they really are."""
    return _rewritten(text, lambda _, written: written)


_Found = tuple[str, str, int, int, tuple[str, ...]]  # type, value, start and end in the plain text, flags


def _placed(plain: Plain, kind: str, value: str, start: int, end: int, flags: tuple[str, ...]) -> Indicator:
    first, last = plain.span(start, end)
    original = plain.original[first:last]
    if original != plain.text[start:end]:
        flags = (*flags, "defanged")
    return Indicator(kind, value, original, first, flags)


def _rewritten(text: str, write: Callable[[str, str], str]) -> str:
    plain = Plain(text)
    whole = [item for item in _find(plain) if item[0] in NETWORK_TYPES and not {"from_url", "from_email"} & {*item[4]}]
    pieces: list[str] = []
    position = 0
    for kind, _value, start, end, _flags in sorted(whole, key=lambda item: item[2]):
        first, last = plain.span(start, end)
        pieces += (text[position:first], write(kind, plain.text[start:end]))
        position = last
    return "".join((*pieces, text[position:]))


def _defanged(kind: str, written: str) -> str:
    if kind == "ipv6":
        return written.replace(":", "[:]").replace(".", "[.]")
    if kind == "email":
        local, _, host = written.partition("@")
        return f"{local}[@]{host.replace('.', '[.]')}"
    if kind != "url":
        return written.replace(".", "[.]")
    scheme, _, rest = written.partition("://")
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    host = authority.replace(".", "[.]").replace("@", "[@]")
    tail = re.sub(r"(?i)(?<![a-z0-9])ht(tps?)(?=://)", r"hx\1", rest[len(authority) :]).replace("hxtp", "hxxp")
    scheme = re.sub("(?i)^http", lambda m: "hxxp" if m[0].islower() else "hXXp", scheme)
    if "[" in authority:  # an IPv6 literal keeps its own brackets
        host = authority.replace(":", "[:]")
    return f"{re.sub('(?i)^ftp', 'fxp', scheme)}://{host}{tail}"


def _find(plain: Plain) -> Iterator[_Found]:
    """All indicators, kind by kind. What one kind has taken is blanked out for the next ones."""
    work = plain.text
    for finder in (_find_urls, _find_emails, _find_paths, _find_words, _find_ipv6, _find_ipv4, _find_domains):
        found = list(finder(work, plain))
        yield from found
        work = _blanked(work, [(start, end) for _kind, _value, start, end, _flags in found])


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    if not spans:
        return text
    pieces: list[str] = []
    position = 0
    for start, end in sorted(spans):
        if start >= position:
            pieces += (text[position:start], "\0" * (end - start))
            position = end
    return "".join((*pieces, text[position:]))


def _trimmed(url: str) -> str:
    """A URL without the punctuation of the sentence around it."""
    spare = {closer: url.count(closer) - url.count(opener) for closer, opener in _CLOSERS.items()}
    end = len(url)
    while end:
        last = url[end - 1]
        if last in _CLOSERS and spare[last] > 0:
            spare[last] -= 1
        elif last not in ".,;:!?*_~\\":
            break
        end -= 1
    return url[:end]


def _host(text: str) -> tuple[str, str] | None:
    """Type and value of the host part of a URL."""
    bare = text.strip("[]")
    if address := ip(bare.partition("%")[0]):
        return ("ipv6" if ":" in address else "ipv4"), address
    name = bare.rstrip(".").lower()
    if name.endswith(".onion"):
        return "onion", name
    if is_domain(name):
        return "domain", name
    return ("host", name) if all(LABEL.match(label) for label in name.split(".")) else None


def _find_urls(work: str, _plain: Plain) -> Iterator[_Found]:
    for match in _URL.finditer(work) if "://" in work else ():
        url = _trimmed(match.group())
        scheme, _, rest = url.partition("://")
        authority = _AUTHORITY.match(rest)
        host = _host(authority[1]) if authority else None
        if not (authority and host):
            continue
        kind, name = host
        start = match.start()
        flags = address_flags(name) if kind in ("ipv4", "ipv6") else ()
        shortened = ("shortened",) if "…" in rest else ()
        yield "url", f"{scheme.lower()}://{rest}", start, start + len(url), shortened
        if kind != "host":
            first = start + len(scheme) + 3 + authority.start(1)
            if kind == "ipv6":
                first += 1
            flags = flags or domain_flags(name)
            yield kind, name, first, first + len(authority[1].strip("[]").rstrip(".")), ("from_url", *flags)


def _find_emails(work: str, _plain: Plain) -> Iterator[_Found]:
    for match in _EMAIL.finditer(work) if "@" in work else ():
        name = match[1].lower()
        if not is_domain(name):
            continue
        local = match.group().partition("@")[0].lstrip(".%-")
        if not local:
            continue
        start = match.start(1) - 1 - len(local)
        yield "email", f"{local}@{name}", start, match.end(1), ()
        kind = "onion" if name.endswith(".onion") else "domain"
        yield kind, name, match.start(1), match.end(1), ("from_email", *domain_flags(name))


def _find_paths(work: str, plain: Plain) -> Iterator[_Found]:
    for kind, (needle, pattern) in _PATHS.items():
        spans = []
        for match in pattern.finditer(work) if needle in work else ():
            value = match.group().rstrip(".)]}")
            start, end = match.start(), match.start() + len(value)
            spans.append((start, end))
            first, last = plain.span(start, end)
            value = plain.original[first:last]  # `\.ssh` is no defanged dot here
            if kind != "unix_path":  # JSON and source code write each backslash twice
                value = value[:2] + value[2:].replace("\\\\", "\\")
            yield kind, value, start, end, ()
        work = _blanked(work, spans)


def _find_words(work: str, _plain: Plain) -> Iterator[_Found]:
    for match in _WORDS.finditer(work):
        kind, value = match.lastgroup or "", match.group()
        flags: tuple[str, ...] = ()
        if kind == "hash":
            value = value.lower()
            kind = _HASHES.get(len(value), "") if len({*value}) > 3 and not value.isdecimal() else ""
        elif kind == "eth":
            flags = ("no_checksum",) if value[2:] in (value[2:].lower(), value[2:].upper()) else ()
            kind = kind if flags or has_ethereum_checksum(value) else ""
        elif kind == "btc":
            kind = kind if is_base58_wallet(value) else ""
        elif kind == "bech32":
            kind = "btc" if is_bech32_wallet(value) else ""
        elif kind in ("cve", "cwe"):
            value = value.upper()
        if kind and value != "AS400":
            yield kind, value, match.start(), match.end(), flags


def _find_ipv6(work: str, _plain: Plain) -> Iterator[_Found]:
    for match in _IPV6.finditer(work) if ":" in work else ():
        written, slash, bits = match.group().partition("/")
        if not slash:
            written = written.rstrip(".") if written.endswith("::") else written.rstrip(".:")
        address = ipv6(written.partition("%")[0])
        if not address or (slash and int(bits) > 128):
            continue
        end = match.start() + len(written)
        port = re.match(r"\]:(\d{1,5})\b", work[end : end + 8])
        flags = address_flags(address) + ((f"port:{port[1]}",) if port else ())
        if slash:
            address, end, flags = f"{address}/{bits}", match.end(), (*flags, "network")
        yield "ipv6", address, match.start(), end, flags


def _find_ipv4(work: str, plain: Plain) -> Iterator[_Found]:
    for match in _IPV4.finditer(work) if "." in work else ():
        address = ip(match[1])
        first, last = plain.span(match.start(1), match.end(1))
        is_defanged = plain.original[first:last] != match[1]
        if not address or (not is_defanged and is_version(work[max(0, match.start() - 40) : match.start()])):
            continue
        end, flags = match.end(1), address_flags(address)
        if match[2] and int(match[2][1:]) <= 32:
            address, end, flags = address + match[2], match.end(2), (*flags, "network")
        elif match[3]:
            flags = (*flags, f"port:{match[3][1:]}")
        yield "ipv4", address, match.start(), end, flags


def _find_domains(work: str, plain: Plain) -> Iterator[_Found]:
    for match in _NAME.finditer(work) if "." in work else ():
        written = match.group()
        if len(written) > 253:
            continue
        if written[0] in "-_" and not written.startswith("_"):
            continue
        name = written.lower()
        if not is_domain(name):
            continue
        first, last = plain.span(match.start(), match.end())
        is_defanged = plain.original[first:last] != written
        if not is_defanged and not is_bare_domain(written, work[match.end() : match.end() + 1]):
            continue
        kind = "onion" if name.endswith(".onion") else "domain"
        yield kind, name, match.start(), match.end(), domain_flags(name)
