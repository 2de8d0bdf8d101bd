"""Which dotted names are domains, and which are files or code.

A name is a domain only with a registered top-level domain, and when it is not more likely a file (`setup.py`)
or code (`self.name`): such a one counts only inside a URL or mail address, or where it is written defanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

# Top-level domains that are file extensions much more often. A name of two labels under one of them is a file.
_FILE_EXTENSIONS = frozenset("py md sh rs pl zip mov ps so pm mk la ml st ms mm vi tf rip bz sc".split())
_INNER_EXTENSIONS = frozenset(
    "pdf doc docx xls xlsx ppt txt tar min test spec conf log bak d c h js css html php exe dll jar json csv".split()
)
_MANIFESTS = frozenset({"manifest.in", "requirements.in", "makefile.in", "configure.in", "config.in"})
_DOT_NET = re.compile(r"(?:ASP|ADO|VB|ML|Json|JSON|Paint|System|Lucene|Entity)\.(?:NET|Net)$|^(?:asp|ado|vb)\.net$")
_CODE_OBJECTS = frozenset(
    "self this cls os sys np pd df req res request response obj window document event args ctx console process module "
    "exports node item err exc logger logging json math string array e".split()
)
_REVERSED = frozenset({"com", "org", "net", "io"})  # com.example.app is a package name
_SPECIAL_TLDS = {"test": "documentation", "example": "documentation", "invalid": "documentation", "onion": "onion"}
_INTERNAL_TLDS = frozenset({"local", "internal", "lan", "corp", "intranet", "home", "localdomain", "arpa"})
_DOCUMENTATION = frozenset({"example.com", "example.net", "example.org"})
LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)$")


@cache
def _suffixes() -> Callable[[str], str | None]:
    from publicsuffixlist import PublicSuffixList  # 0.1 s: only when a text has something like a name

    find: Callable[[str], str | None] = PublicSuffixList(only_icann=True, accept_unknown=False).privatesuffix
    return find


@lru_cache(4096)
def _registered(name: str) -> str | None:
    """The registrable domain of a lower-case host name, or None."""
    try:
        ascii_name = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return _suffixes()(ascii_name)


def is_domain(name: str) -> bool:
    """Whether `name` can be a host under a registered or special top-level domain; says nothing about file names."""
    labels = name.lower().split(".")
    if not (len(labels) >= 2 and len(name) <= 253 and all(LABEL.match(label) for label in labels)):
        return False
    if any("_" in label for label in labels[-2:]):
        return False
    return labels[-1] in _SPECIAL_TLDS or labels[-1] in _INTERNAL_TLDS or _registered(name.lower()) is not None


def is_bare_domain(name: str, following: str) -> bool:
    """Whether `name`, alone in a text and not defanged, is more likely a domain than a file or code."""
    labels = name.lower().split(".")
    tld = labels[-1]
    if following == "(" or _DOT_NET.search(name) or name.lower() in _MANIFESTS:
        return False
    if len(labels) == 2:
        if tld in _FILE_EXTENSIONS or labels[0] in _CODE_OBJECTS or tld in _INTERNAL_TLDS:
            return False
        # "…was found.It ran": a sentence that lacks its space.
        if re.search(r"[a-z]\.[A-Z][a-z]+$", name):
            return False
    elif tld in _FILE_EXTENSIONS and labels[-2] in _INNER_EXTENSIONS:  # invoice.pdf.zip
        return False
    return not (labels[0] in _REVERSED and len(labels) > 2 and tld not in _REVERSED)


def domain_flags(value: str) -> tuple[str, ...]:
    labels = value.split(".")
    flags = []
    if _SPECIAL_TLDS.get(labels[-1]) == "documentation" or ".".join(labels[-2:]) in _DOCUMENTATION:
        flags.append("documentation")
    if labels[-1] in _INTERNAL_TLDS:
        flags.append("internal")
    if any(label.startswith("xn--") for label in labels):
        flags.append("punycode")
    return tuple(flags)
