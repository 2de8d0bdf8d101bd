"""Secrets out of what is sent: each becomes a placeholder, wherever it stands the same; the map stays in the kernel.

The patterns are our own, from the formats that vendors publish. detect-secrets 1.5.0 (Apache-2.0, 93 ms to import, with
requests and PyYAML) was tried on 2026-11-25: it tells that a line holds a secret, not where; of a GitHub token it gives
the prefix alone, of a JWT a part, and it passes over `Authorization: Bearer …` and Google's API keys. A pattern finds
what looks like a secret: a password in a sentence it cannot know.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from secgemini_jupyter.errors import AttachmentError
from secgemini_jupyter.inputs.evidence import Evidence
from secgemini_jupyter.settings import credentials

__all__ = ["KINDS", "Redactor"]

KINDS = ("secrets", "emails", "hosts")
"""What can be asked for. `secrets` are keys, tokens, private keys, passwords, credentials of the environment."""

_TOKENS = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}",
    r"gl(?:pat|ptt|rt|dt|ft|soat|cbt|agent|oas)-[A-Za-z0-9_.-]{20,300}",  # GitLab
    r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_.-]{20,1000}|GOCSPX-[A-Za-z0-9_-]{28}",  # Google
    r"xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-\d-[A-Za-z0-9-]{10,250}",  # Slack
    r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{10,200}",
    r"https://[a-z0-9.]*discord(?:app)?\.com/api/webhooks/\d{5,30}/[A-Za-z0-9_-]{30,120}",
    r"sk-(?:ant-|proj-|svcacct-|or-|lf-)?[A-Za-z0-9_-]{20,250}",  # OpenAI, Anthropic and others
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,250}|whsec_[A-Za-z0-9+/=]{20,100}",  # Stripe
    r"SG\.[A-Za-z0-9_-]{16,40}\.[A-Za-z0-9_-]{30,70}",  # SendGrid
    r"npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,1000}|dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,60}|hf_[A-Za-z0-9]{30,60}",
    r"do[opr]_v1_[a-f0-9]{64}|dapi[a-f0-9]{32}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|EAAC[A-Za-z0-9]{30,300}",
    r"hv[sbr]\.[A-Za-z0-9_-]{20,300}|gl(?:sa|c)_[A-Za-z0-9_+/=]{30,300}|ATATT3[A-Za-z0-9_=-]{50,300}",
    r"lin_api_[A-Za-z0-9]{30,60}|secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,60}|tskey-[A-Za-z0-9-]{20,100}",
    r"SK[a-f0-9]{32}(?![a-f0-9])|\d{8,10}:AA[A-Za-z0-9_-]{33}|AGE-SECRET-KEY-1[A-Z0-9]{58}",
    r"eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{0,2000}",  # JSON Web Token
)
_NAMED = (
    r"(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|account[_-]?key|secret[_-]?key|"
    r"auth[_-]?key|private[_-]?key|client[_-]?secret|credentials?|sharedaccesssignature|sig)"
)
# The group is what is taken out; without a group it is all of it. No quantifier is open: each match ends soon.
_SECRETS = (
    re.compile(
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,20000}?"
        r"(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|\Z|(?=-----BEGIN))"
    ),
    re.compile(
        r"(?i)\bAuthorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:(?:Bearer|Basic|Token|Digest)\s{1,3})?"
        r"([^\s\"',;}]{4,8000})"
    ),
    re.compile(r"(?i)\bBearer\s{1,3}([A-Za-z0-9._~+/=-]{16,8000})"),
    re.compile(r"(?im)\b(?:Set-)?Cookie[\"']?\s{0,3}:\s{0,3}([^\r\n]{4,8000})"),
    re.compile(
        r"(?i)\bX-(?:Api-Key|Auth-Token|Amz-Security-Token|Goog-Api-Key|Vault-Token)[\"']?\s{0,3}[:=]\s{0,3}[\"']?"
        r"([^\s\"',;}]{4,8000})"
    ),
    re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,200}:([^\s/@\"'<>]{1,300})@"),
    re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://([^\s/:@\"'<>]{20,300})@"),
    re.compile(rf"(?<![A-Za-z0-9_-])(?:{'|'.join(_TOKENS)})"),
    re.compile(rf"(?i){_NAMED}[\"']?\s{{0,3}}(?:[:=]|=>|:=)\s{{0,3}}\"((?:[^\"\\\r\n]|\\.){{3,2000}})\""),
    re.compile(rf"(?i){_NAMED}[\"']?\s{{0,3}}(?:[:=]|=>|:=)\s{{0,3}}'((?:[^'\\\r\n]|\\.){{3,2000}})'"),
    re.compile(rf"(?i){_NAMED}[\"']?\s{{0,3}}(?:[:=]|=>|:=)\s{{0,3}}([^\s\"'`,;&<>(){{}}\[\]]{{4,2000}})"),
)
_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_%+-])?@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_HOST = re.compile(
    rf"(?<![\d.])(?:10\.{_OCTET}\.{_OCTET}|192\.168\.{_OCTET}|172\.(?:1[6-9]|2\d|3[01])\.{_OCTET}|"
    rf"169\.254\.{_OCTET})\.{_OCTET}(?!\.?\d)"
    r"|(?i:(?<![\w.-])(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,8}"
    r"(?:internal|intranet|local|localdomain|corp|lan|home|private|home\.arpa)(?![\w-]|\.[a-z0-9]))"
    r"|(?i:(?<![\w:])f[cd][0-9a-f]{2}:[0-9a-f:]{1,35}[0-9a-f])"
    r"|(?<=\\\\)[A-Za-z0-9_.-]{1,63}(?=\\)"
)
_NO_SECRET = re.compile(
    r"(?i)(?:none|null|nil|true|false|undefined|n/?a|redacted|hidden|masked|changeme|required|optional|string|str|"
    r"\$\{?\w+\}?|%\w+%|<[^>]*>|\*+|x+|\.{3,}|\[[A-Z]+-\d+\])[.]?"
)
_LINK = re.compile(r"\S*(?:://|\]\(|www\.|mailto:)\S*")


class Redactor:
    """One kernel's placeholders: `[SECRET-1]`, `[EMAIL-1]`, `[HOST-1]`."""

    def __init__(self) -> None:
        self._placeholders: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()

    def __repr__(self) -> str:
        return f"<Redactor: {len(self._placeholders)} placeholders>"

    def __reduce__(self) -> Any:
        raise TypeError("the map of placeholders stays in its kernel")

    def text(self, text: str, kinds: Sequence[str] = ("secrets",)) -> tuple[str, int]:
        """`text` without what `kinds` name, and how many places changed."""
        changed = 0

        def replace(kind: str) -> Callable[[re.Match[str]], str]:
            def placeholder(match: re.Match[str]) -> str:
                nonlocal changed
                group = 1 if match.re.groups else 0
                value = match[group]
                if kind == "SECRET" and _NO_SECRET.fullmatch(value):
                    return match[0]
                changed += 1
                start, end = match.start(group) - match.start(), match.end(group) - match.start()
                return match[0][:start] + self._placeholder(kind, value, text) + match[0][end:]

            return placeholder

        work = text
        if "secrets" in kinds:
            for value in sorted(set(credentials().values()), key=len, reverse=True):
                if value in work:
                    changed += work.count(value)
                    work = work.replace(value, self._placeholder("SECRET", value, text))
            for pattern in _SECRETS:
                work = pattern.sub(replace("SECRET"), work)
        if "emails" in kinds:
            work = _EMAIL.sub(replace("EMAIL"), work)
        if "hosts" in kinds:
            work = _HOST.sub(replace("HOST"), work)
        return work, changed

    def evidence(self, evidence: Evidence, kinds: Sequence[str] = ("secrets",)) -> tuple[Evidence, int]:
        """A text file without what `kinds` name, in its name too.

        Raises:
            AttachmentError: it is no text, so nobody can say what is in it.
        """
        encoding = "utf-16" if evidence.content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
        try:
            text = evidence.content.decode(encoding)
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise AttachmentError(
                f"{evidence.name!r} is no text: --redact cannot look into it. Leave it out, or leave out --redact. "
                "Nothing was sent."
            )
        redacted, changed = self.text(text, kinds)
        name, renamed = self.text(evidence.name, kinds)
        if not changed and not renamed:
            return evidence, 0
        return Evidence(name, redacted.encode(encoding)), changed + renamed

    def restored(self, text: str) -> str:
        """`text` with the values put back, but not inside of links: one that is followed would send the value away."""
        if not self._placeholders:
            return text
        values = {placeholder: value for (_, value), placeholder in self._placeholders.items()}
        known = re.compile("|".join(re.escape(placeholder) for placeholder in values))
        pieces, position = [], 0
        for link in itertools.chain(_LINK.finditer(text), [None]):
            end = link.start() if link else len(text)
            pieces.append(known.sub(lambda match: values[match[0]], text[position:end]))
            if link:
                pieces.append(link[0])
                position = link.end()
        return "".join(pieces)

    @property
    def placeholders(self) -> Iterable[str]:
        """Those given out, in order."""
        return list(self._placeholders.values())

    def _placeholder(self, kind: str, value: str, text: str) -> str:
        known = self._placeholders.get((kind, value))
        if known is None:
            # One that stands in the text already is somebody else's: a log may hold what looks like ours.
            names = (f"[{kind}-{number}]" for number in itertools.count(1))
            known = next(name for name in names if name not in self._taken and name not in text)
            self._placeholders[kind, value] = known
            self._taken.add(known)
        return known
