"""Whether a host name looks like a well-known one: other scripts, digits for letters, extra words, typing errors."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

from secgemini_jupyter.local_server.analyst.web.brands import MEANINGS, brands, owned

# Letters that look like one of a-z, as Unicode's data for UTS #39 has them; written down for the scripts in use.
_LOOKS = {
    "a": "ɑαаᴀ", "b": "ЬвᏏƅ", "c": "сᴄⲥϲ", "d": "ԁɗđ", "e": "еҽєёəεɛ", "f": "քꞙſƒ", "g": "ɡցᶃɢǥ", "h": "һհнħ", "i":
    "ıɩɪιіỉ", "j": "ϳјʝ", "k": "кκᴋƙ", "l": "ӏǀłɭⅼ", "m": "мᴍɱ", "n": "ոռпηɴŋ", "o": "οσоօᴏᴑⲟøөο", "p": "ρрⲣþ", "q":
    "ԛգզ", "r": "гᴦⲅɼ", "s": "ƽѕꜱʂ", "t": "тτᴛŧ", "u": "ʋυսᴜџ", "v": "νѵᴠⱱ", "w": "ɯѡԝաᴡω", "x": "хχ×", "y":
    "ɣʏγуүᶌỿ", "z": "ᴢʐƶ", "6": "б", "3": "зҙʒ", "8": "ȣ",
}  # fmt: skip
_TO_LATIN = {ord(odd): plain for plain, many in _LOOKS.items() for odd in many}
_DIGITS = str.maketrans("01i345789" + "6", "olleastbg" + "b")
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_LURES = frozenset(
    "login logon signin sign-in secure security verify verification account accounts update support service help "
    "billing invoice payment pay wallet auth authentication confirm unlock recover password online banking mail "
    "webmail portal customer client my team alert notice id sso admin access validation".split()
)


def latin(text: str) -> str:
    """`text` as it looks: letters of other scripts as the Latin ones they resemble, without accents."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_TO_LATIN))
    return "".join(c for c in plain if not unicodedata.combining(c)).translate(_TO_LATIN)


def skeleton(text: str) -> str:
    """What two labels that look alike have in common."""
    plain = latin(text).translate(_DIGITS)
    for pair, single in _PAIRS:
        plain = plain.replace(pair, single)
    return plain


@cache
def _skeletons() -> dict[str, str]:
    return {skeleton(label): label for label in brands()}


def scripts(text: str) -> list[str]:
    """The scripts of the letters, as words: Latin, Cyrillic, …"""
    found = []
    for c in text:
        if c.isalpha():
            name = unicodedata.name(c, "UNKNOWN").split()[0]
            found.append({"CJK": "Han", "FULLWIDTH": "fullwidth Latin"}.get(name, name.capitalize()))
    return list(dict.fromkeys(found))


def imitation(registered: str, suffix: str, subdomain: str) -> dict[str, Any] | None:
    """What well-known name the host looks like, and how; None for a domain of its owner or of nobody's likeness.

    Args:
        registered: the registrable domain, in Unicode.
        suffix: its public suffix.
        subdomain: the labels before it.
    """
    if registered in owned():
        return None
    label = registered.removesuffix(suffix).rstrip(".") if suffix else registered
    return _of_label(label, suffix) or _of_subdomain(subdomain)


def _found(label: str, how: str, kind: str, *, strong: bool = True) -> dict[str, Any]:
    name, domains = brands()[label]
    return {"name": name, "label": label, "domains": list(domains), "how": how, "kind": kind, "strong": strong}


def _of_label(label: str, suffix: str) -> dict[str, Any] | None:
    plain = latin(label)
    joined = plain.replace("-", "")
    if not label.isascii():
        of = scripts(label)
        told = f"all-{of[0]}" if len(of) == 1 else " and ".join(of)
        for looks in (plain, joined, skeleton(label), skeleton(label.replace("-", ""))):
            brand = looks if looks in brands() else _skeletons().get(looks)
            if brand:
                return _found(brand, f"{told} letters that look like `{brand}`", "other script")
    if joined in brands():
        return _found(joined, f"the name itself, under `.{suffix}`", "other suffix", strong=False)
    if (brand := _skeletons().get(skeleton(joined))) and joined != brand:
        return _found(brand, f"written so that it looks like `{brand}`", "look-alike")
    parts = [part for part in plain.split("-") if part]
    for part in parts if len(parts) > 1 else ():
        if part in brands():
            lure = any(each in _LURES for each in parts)
            return _found(
                part,
                "the name with further words in a domain of somebody's",
                "extra words",
                strong=lure or part not in MEANINGS,
            )
        if (brand := _skeletons().get(skeleton(part))) and len(brand) > 3 and part != brand:
            return _found(brand, f"one part is written so that it looks like `{brand}`", "look-alike")
    for brand in brands():
        if len(brand) > 4 and brand not in MEANINGS and brand in joined and joined != brand:
            rest = joined.replace(brand, "", 1)
            return _found(
                brand, "the name with further letters", "extra words", strong=any(lure in rest for lure in _LURES)
            )
    near = [brand for brand in brands() if len(brand) > 5 and brand not in MEANINGS and _is_near(joined, brand)]
    return _found(near[0], f"one typing error away from `{near[0]}`", "typing error") if near else None


def _of_subdomain(subdomain: str) -> dict[str, Any] | None:
    labels = subdomain.lower().split(".") if subdomain else []
    for label in labels:
        for part in (label, *label.split("-")):
            brand = part if part in brands() else _skeletons().get(skeleton(part))
            if brand and (len(brand) > 3 or part == brand) and brand not in MEANINGS | {"ing"}:
                return _found(brand, "the name stands in the subdomain: the domain behind it is another's", "subdomain")
        if (
            label in MEANINGS
            and label in brands()
            and any(f"{label}.{tld}" in subdomain.lower() for tld in ("com", "net", "org"))
        ):
            return _found(label, "the name stands in the subdomain: the domain behind it is another's", "subdomain")
    return None


def _is_near(one: str, other: str) -> bool:
    """Whether one letter more, less, other, or two swapped make them equal."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    if len(one) == len(other):
        swapped = one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]
        return swapped or one[at + 1 :] == other[at + 1 :]
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return longer[at + 1 :] == shorter[at:]
