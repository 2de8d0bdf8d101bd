"""Where in a text secrets, e-mail addresses and internal hosts stand.

The patterns are our own, from the formats that vendors publish. detect-secrets 1.5.0 (Apache-2.0, 93 ms to import, with
requests and PyYAML) was tried on 2026-11-25: it tells that a line holds a secret, not where; of a GitHub token it gives
the prefix alone, of a JWT a part, and it passes over `Authorization: Bearer …` and Google's API keys. A pattern finds
what looks like a secret: a password in a sentence it cannot know.

Every pattern begins with a letter or sign that it searches for, because `re` then skips what lies between: with a
look-behind in front, or with `(?i)`, a log of 10 MB takes 20 s instead of 1 s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["Span", "findings"]


class Span(NamedTuple):
    """`text[start:end]` is a SECRET, an EMAIL or a HOST."""

    start: int
    end: int
    kind: str


# A token stands alone: the letter before it is checked afterwards. No quantifier is open, so each match ends soon.
_TOKENS = [
    re.compile(pattern)
    for pattern in (
        r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![A-Z0-9])",  # AWS
        r"gh[pousr]_[A-Za-z0-9]{36,255}",  # GitHub
        r"github_pat_[A-Za-z0-9_]{22,255}",
        r"gl(?:pat|ptt|rt|dt|ft|soat|cbt|agent|oas)-[A-Za-z0-9_.-]{20,300}",  # GitLab
        r"AIza[A-Za-z0-9_-]{35}",  # Google
        r"ya29\.[A-Za-z0-9_.-]{20,1000}",
        r"GOCSPX-[A-Za-z0-9_-]{28}",
        r"xox[abeoprs]-[A-Za-z0-9-]{10,250}",  # Slack
        r"xapp-\d-[A-Za-z0-9-]{10,250}",
        r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{10,200}",
        r"https://[a-z0-9.]{0,20}discord(?:app)?\.com/api/webhooks/\d{5,30}/[A-Za-z0-9_-]{30,120}",
        r"sk-(?:ant-|proj-|svcacct-|or-|lf-)?[A-Za-z0-9_-]{20,250}",  # OpenAI, Anthropic and others
        r"sk_(?:live|test)_[A-Za-z0-9]{10,250}",  # Stripe
        r"rk_(?:live|test)_[A-Za-z0-9]{10,250}",
        r"whsec_[A-Za-z0-9+/=]{20,100}",
        r"SG\.[A-Za-z0-9_-]{16,40}\.[A-Za-z0-9_-]{30,70}",  # SendGrid
        r"SK[a-f0-9]{32}(?![a-f0-9])",  # Twilio
        r"npm_[A-Za-z0-9]{36}",
        r"pypi-[A-Za-z0-9_-]{50,1000}",
        r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,60}",
        r"hf_[A-Za-z0-9]{30,60}",  # Hugging Face
        r"do[opr]_v1_[a-f0-9]{64}",  # DigitalOcean
        r"dapi[a-f0-9]{32}",  # Databricks
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",  # Shopify
        r"hv[sbr]\.[A-Za-z0-9_-]{20,300}",  # Vault
        r"gl(?:sa|c)_[A-Za-z0-9_+/=]{30,300}",  # Grafana
        r"ATATT3[A-Za-z0-9_=-]{50,300}",  # Atlassian
        r"lin_api_[A-Za-z0-9]{30,60}",  # Linear
        r"tskey-[A-Za-z0-9-]{20,100}",  # Tailscale
        r"AGE-SECRET-KEY-1[A-Z0-9]{58}",
        r"eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{0,2000}",  # JSON Web Token
    )
]
_TELEGRAM = re.compile(r":(AA[A-Za-z0-9_-]{33})(?![A-Za-z0-9_-])")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,20000}?"
    r"(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|\Z|(?=-----BEGIN))"
)
_IN_URL = (
    re.compile(r"://[^\s/:@\"'<>]{0,200}:([^\s/@\"'<>]{1,300})@"),
    re.compile(r"://([^\s/:@\"'<>]{20,300})@"),  # a user name alone may be a token
)
# On a command line: `curl -u user:password`, `--token abc`, PowerShell's `-Password "abc"`; in quotes or bare.
_USER_OPTION = r"-(?:-(?:proxy-)?user|u|U)[ =]{1,3}"
_NAMED_OPTION = r"-(?:-?(?:[Pp]ass(?:word|wd|phrase)?|[Pp]wd|[Tt]oken|[Ss]ecret|(?:[Aa]pi|[Aa]ccess)-?[Kk]ey))[ =]{1,3}"
_OPTIONS = (
    re.compile(_USER_OPTION + r"\"[^:\"\r\n]{1,200}:((?:[^\"\\\r\n]|\\.){3,300})\""),
    re.compile(_USER_OPTION + r"'[^:'\r\n]{1,200}:([^'\r\n]{3,300})'"),
    re.compile(_USER_OPTION + r"[^\s:\"'/@]{1,200}:((?!\d+\b)[^\s\"']{4,300})"),
    re.compile(_NAMED_OPTION + r"\"((?:[^\"\\\r\n]|\\.){3,2000})\""),
    re.compile(_NAMED_OPTION + r"'([^'\r\n]{3,2000})'"),
    re.compile(_NAMED_OPTION + r"([^\s\"'-][^\s\"']{2,2000})"),
)
_BEARER = re.compile(r"earer[ \t]{1,3}([A-Za-z0-9._~+/=-]{16,8000})")

_ASSIGNS = re.compile(r"[:=]")
_NAMES = ("password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "credentials", "sig",
          *(f"{word}{between}key" for word in ("api", "access", "account", "secret", "auth", "private", "signing")
            for between in ("", "_", "-")), "sharedaccesssignature")  # fmt: skip
_LONGEST_NAME = max(map(len, _NAMES)) + 8
_VALUES = (
    re.compile(r"[:=>]{0,2}+\s{0,3}+\"((?:[^\"\\\r\n]|\\.){3,2000})\""),
    re.compile(r"[:=>]{0,2}+\s{0,3}+'((?:[^'\\\r\n]|\\.){3,2000})'"),
    re.compile(r"[:=>]{0,2}+\s{0,3}+([^\s\"'`,;&<>(){}\[\]]{4,2000})"),
)
_AUTHORIZATION = re.compile(
    r"[:=]?+\s{0,3}+[\"']?(?:(?:[Bb]earer|[Bb]asic|[Tt]oken|[Dd]igest|Negotiate|NTLM)\s{1,3})?([^\s\"',;}]{4,8000})"
)
_COOKIE = re.compile(r"[:=]?+[ \t]{0,3}+([^\r\n]{4,8000})")
_NO_SECRET = re.compile(
    r"(?i)(?:none|null|nil|true|false|undefined|n/?a|redacted|hidden|masked|changeme|required|optional|string|str|"
    r"\$\{?\w+\}?|%\w+%|<[^>]*>|\*+|x+|\.{3,}|.*\[[A-Z]+-\d+\].*)[.]?"
)

_AT = re.compile(r"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_LOCAL_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_%+-])?\Z")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_PRIVATE_IPV4 = re.compile(
    rf"1(?:0\.{_OCTET}\.{_OCTET}|92\.168\.{_OCTET}|72\.(?:1[6-9]|2\d|3[01])\.{_OCTET}|69\.254\.{_OCTET})\.{_OCTET}(?!\.?\d)"
)
_PRIVATE_IPV6 = re.compile(r"[fF][cdCD][0-9a-fA-F]{2}:[0-9a-fA-F:]{1,35}[0-9a-fA-F]")
_TOP = re.compile(r"\.([A-Za-z]{3,11})(?![\w-]|\.[A-Za-z0-9])")
_INTERNAL = frozenset({"internal", "intranet", "local", "localdomain", "corp", "lan", "home", "private"})
_NOT_IN_HOST = re.compile(r"[^A-Za-z0-9_.-]")
_UNC = re.compile(r"\\\\([A-Za-z0-9_.-]{1,63})(?=\\)")


def findings(text: str, kinds: Sequence[str], known: Iterable[str] = ()) -> list[Span]:
    """What `kinds` (secrets, emails, hosts) name, in order and apart from each other.

    Args:
        known: values that are secrets whatever they look like.
    """
    found: list[Span] = []
    if "secrets" in kinds:
        found += (span for span in _secrets(text, known) if not _NO_SECRET.fullmatch(text, span.start, span.end))
    if "emails" in kinds:
        found += _emails(text)
    if "hosts" in kinds:
        found += _hosts(text)
    return _apart(found)


def _apart(found: list[Span]) -> list[Span]:
    """Those that overlap become one, of the first one's kind."""
    merged: list[Span] = []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(span.end, merged[-1].end))
        else:
            merged.append(span)
    return merged


def _secrets(text: str, known: Iterable[str]) -> Iterator[Span]:
    for value in known:
        start = text.find(value)
        while value and start >= 0:
            yield Span(start, start + len(value), "SECRET")
            start = text.find(value, start + len(value))
    for pattern in _TOKENS:
        for match in pattern.finditer(text):
            if not _is_word(text, match.start() - 1):
                yield Span(match.start(), match.end(), "SECRET")
    for match in _TELEGRAM.finditer(text):
        if text[max(0, match.start() - 8) : match.start()].isdigit():
            yield Span(*match.span(1), "SECRET")
    for pattern in (_PRIVATE_KEY, *_IN_URL, *_OPTIONS, _BEARER):
        for match in pattern.finditer(text):
            yield Span(*match.span(len(match.groups())), "SECRET")
    yield from _assigned(text)


def _is_word(text: str, index: int) -> bool:
    return index >= 0 and (text[index].isalnum() or text[index] in "_-")


def _assigned(text: str) -> Iterator[Span]:
    """`password = …`, `"client_secret": "…"`, `Authorization: …`, `Cookie: …`: by what stands before the sign."""
    for sign in _ASSIGNS.finditer(text):
        at = sign.start()
        before = text[max(0, at - _LONGEST_NAME) : at].rstrip(" \t\"'").lower()
        if before.endswith(_NAMES):
            match = next((match for value in _VALUES if (match := value.match(text, at))), None)
        elif before.endswith("authorization"):
            match = _AUTHORIZATION.match(text, at)
        elif before.endswith("cookie"):
            match = _COOKIE.match(text, at)
        else:
            continue
        if match:
            yield Span(*match.span(1), "SECRET")


def _emails(text: str) -> Iterator[Span]:
    for match in _AT.finditer(text):
        local = _LOCAL_PART.search(text, max(0, match.start() - 64), match.start())
        if local:
            yield Span(local.start(), match.end(), "EMAIL")


def _hosts(text: str) -> Iterator[Span]:
    for pattern in (_PRIVATE_IPV4, _PRIVATE_IPV6):
        for match in pattern.finditer(text):
            before = text[match.start() - 1 : match.start()]
            if not (before.isalnum() or (before in (".", ":", "_") and before)):
                yield Span(match.start(), match.end(), "HOST")
    for match in _TOP.finditer(text):
        if match[1].lower() in _INTERNAL:
            labels = _NOT_IN_HOST.split(text[max(0, match.start() - 253) : match.start()])[-1].lstrip(".-")
            if labels:
                yield Span(match.start() - len(labels), match.end(), "HOST")
    for match in _UNC.finditer(text):
        yield Span(*match.span(1), "HOST")
