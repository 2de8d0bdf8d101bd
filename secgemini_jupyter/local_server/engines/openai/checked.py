"""What a model states that nothing it was given says: numbers, ids, hashes, addresses and names.

Known is what stands in the user's prompts, in names and sizes of attachments, and in results of tools, of earlier turns
too; what the model itself said before is not. A call's arguments are the model's words: an id or an address that only
comes back in the result of the tool it was handed to stays unknown.

Checked are CVE, CWE, CAPEC, ATT&CK, GHSA and KB ids, hex strings of 16 digits or more, IP addresses, domains, URLs,
e-mail addresses, and numbers: digits only, not number words. A number is known as it stands, rounded, or as a
percentage. Whole numbers up to ten and the numbers of list items are left out: they count the answer's own lines.
Dates and times are checked by their parts, years included. Nothing is left out for standing in code or a quotation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import msgspec

from secgemini_jupyter import indicators

MAX_TEXT = 400_000
MAX_KNOWN = 2_000_000
MAX_HANDED = 20_000
MAX_UNKNOWN = 200
MAX_SHOWN = 20
NUMBER = "number"
TITLE = "Not found in any tool result"
SMALL = 10
_ID = re.compile(
    r"(?<![\w-])(?:CVE-\d{4}-\d{4,19}|C(?:WE|APEC)-\d{1,6}|GHSA(?:-[0-9a-z]{4}){3}|KB\d{6,8}|MS\d\d-\d{3}"
    r"|(?:TA|DS|DC|AN|DET|[TGSMC])\d{4}(?:\.\d{3})?)(?![\w-])",
    re.IGNORECASE,
)
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(?=[0-9a-f]*[a-f])[0-9a-f]{16,256}(?![0-9A-Za-z])", re.IGNORECASE)
_RUN = re.compile(
    r"(?<![A-Za-z_\d])(?:0[xX][0-9A-Fa-f]{1,15}(?![\w.])|\d+(?:\.\d+)?[eE][+-]?\d{1,3}(?![\w.])"
    r"|(?:\d{1,3}(?:_\d{3})+|\d+(?:,\d{3})*)(?:\.\d+)?(?:[kKM](?!\w)|(?=\s{0,1}%)|(?!\d)))"
)
"""With a base, in powers of ten, or with separators; `5k` is 5000."""
_THOUSANDS = {"k": 3, "K": 3, "M": 6}
_LISTED = re.compile(r"(?m)^[ \t>]{0,12}(?:[-*+#]+[ \t]+)?\**(\d{1,4})[.)](?=[ \t*])")
_SPACED_DOT = r"(?:[ ]{1,2}\.[ ]{0,2}|\.[ ]{1,2}|[ ]?[\[(]dot[\])][ ]?|\.)"
_SPACED = re.compile(rf"(?<![\w.])\d{{1,3}}{_SPACED_DOT}\d{{1,3}}{_SPACED_DOT}\d{{1,3}}{_SPACED_DOT}\d{{1,3}}(?![\w])")
_EDGES = {
    "domain": (r"(?<![\w-])", r"(?![\w-]|\.\w)"),
    "IP address": (r"(?<![\w.:-])", r"(?![\w:]|\.\d)"),
    "URL": (r"(?<!\w)", r"(?![\w%-])"),
    "hash or hex string": (r"(?<![0-9a-wyz])", r"(?![0-9a-z])"),
}
_KINDS = {
    "ipv4": "IP address",
    "ipv6": "IP address",
    "domain": "domain",
    "onion": "domain",
    "url": "URL",
    "email": "e-mail address",
}


@dataclass(frozen=True, order=True)
class Claim:
    """Something that a text states; `key` is the same for each of its spellings."""

    kind: str
    key: str
    shown: str = field(compare=False)
    place: tuple[int, int] = field(default=(0, 0), compare=False)


class Known:
    """What was read and told: filled as a turn goes on."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._numbers: set[Decimal] = set()
        self._size = 0

    def add(self, *texts: str) -> None:
        for text in texts:
            self._add(text)

    def add_result(self, arguments: object, result: object) -> None:
        """What a tool found; what is only handed back is not known by that."""
        handed = [text for text in _strings(arguments) if len(text) >= 4]
        own = [each for each in _named(plain("\n".join(handed)[:MAX_HANDED])) if not self._has_name(each)]
        text = "\n".join(text for text in _strings(result, with_keys=True) if text not in handed)
        self._add(text, own)

    def _add(self, text: str, own: Sequence[Claim] = ()) -> None:
        text = refanged(plain(text[: max(MAX_KNOWN - self._size, 0)]))
        self._size += len(text)
        for claim in own:
            text = _spelled(claim).sub(" ", text)
        self._texts.append(text)
        self._numbers |= {number for _, number in _numbers(text)}

    def unknown(self, text: str) -> list[Claim]:
        """What the text states and nothing told, each once."""
        rounded: dict[tuple[int, bool], set[Decimal]] = {}
        found: dict[tuple[str, str], Claim] = {}
        for claim in dict.fromkeys(claims(text)):
            is_known = self._has_number(claim, rounded) if claim.kind == NUMBER else self._has_name(claim)
            if not is_known:
                found.setdefault((claim.kind, claim.key), claim)
            if len(found) >= MAX_UNKNOWN:
                break
        return list(found.values())

    def _has_name(self, claim: Claim) -> bool:
        pattern = _spelled(claim)
        return any(claim.key in text and pattern.search(text) for text in self._texts)

    def _has_number(self, claim: Claim, rounded: dict[tuple[int, bool], set[Decimal]]) -> bool:
        value = Decimal(claim.key)
        if value in self._numbers:
            return True
        shown = claim.shown.rstrip("%")
        exponent = _THOUSANDS.get(shown[-1], 0)
        places = len(re.sub(r"[kKM]$", "", shown).partition(".")[2]) - exponent
        if not re.fullmatch(r"[\d,._]+[kKM]?", shown):
            return False  # with a base or an exponent it is exact
        for per_cent in (False, True) if claim.shown.endswith("%") else (False,):
            key = (places, per_cent)
            if key not in rounded:
                step = Decimal(1).scaleb(-places)
                rounded[key] = {_rounded(each * 100 if per_cent else each, step) for each in self._numbers}
            if value in rounded[key]:
                return True
        return False


def claims(text: str) -> list[Claim]:
    """All that a text states and that can be checked."""
    text = _SPACED.sub(_joined, plain(text[:MAX_TEXT]))
    named = list(_named(text))
    blanked = text
    for pattern in (_ID, _HEX):
        blanked = pattern.sub(lambda found: " " * len(found[0]), blanked)
    blanked = _without(_without_list_numbers(blanked), named)
    numbers = [Claim(NUMBER, str(number), shown) for shown, number in _numbers(blanked) if not _is_small(number)]
    return [*named, *numbers]


def payload(unknown: list[Claim]) -> dict[str, Any]:
    """The claims as a table, for a message of type `sec-gemini/table`."""
    rows = [[claim.shown[:120], claim.kind] for claim in unknown[:MAX_SHOWN]]
    more = len(unknown) - len(rows)
    title = f"{TITLE}, prompt or file name" + (f" (the first {len(rows)} of {len(unknown)})" if more > 0 else "")
    return {"title": title, "columns": ["stated in the answer", "as"], "rows": rows}


def plain(text: str) -> str:
    """Digits and letters in their plain form, without what cannot be seen between them."""
    text = unicodedata.normalize("NFKC", text)
    if not text.isascii():
        text = "".join(
            str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c
            for c in text
            if unicodedata.category(c) not in ("Cf", "Mn")
        )
    return text


def _named(text: str) -> Iterator[Claim]:
    for match in _ID.finditer(text):
        yield Claim("id", match[0].lower(), match[0])
    for match in _HEX.finditer(text):
        yield Claim("hash or hex string", match[0].lower().removeprefix("0x"), match[0])
    for found in indicators.extract(text):
        if kind := _KINDS.get(found.type):
            yield Claim(kind, found.value.lower().rstrip("/"), found.value, (found.start, len(found.original)))


def _spelled(claim: Claim) -> re.Pattern[str]:
    """Where a name stands as a whole. A technique is part of its sub-techniques, a domain of the hosts below it."""
    before, after = _EDGES.get(claim.kind, (r"(?<![\w-])", r"(?![\w-])"))
    return re.compile(before + re.escape(claim.key) + after)


def _joined(found: re.Match[str]) -> str:
    """An address that is written with spaces, as it is meant; a sentence has no space before its full stop."""
    parts = re.findall(r"\d+", found[0])
    is_address = re.search(r"[ ]\.|dot", found[0]) and all(int(part) < 256 for part in parts)
    return ".".join(parts).ljust(len(found[0])) if is_address else found[0]


def _without_list_numbers(text: str) -> str:
    """The text without the numbers of list items: those that are small, or follow on the one before."""
    parts, position, last = [], 0, SMALL
    for found in _LISTED.finditer(text):
        number = int(found[1])
        if number <= SMALL or number == last + 1:
            parts.append(text[position : found.start()] + " " * len(found[0]))
            position, last = found.end(), max(number, last)
    return "".join([*parts, text[position:]])


def _without(text: str, named: Sequence[Claim]) -> str:
    """The text with blanks where addresses stand: their digits are no numbers of their own."""
    parts, position = [], 0
    for start, length in sorted(each.place for each in named if each.place[1]):
        if start >= position:
            parts.append(text[position:start] + " " * length)
            position = start + length
    return "".join([*parts, text[position:]])


def refanged(text: str) -> str:
    text = text.lower()
    for written, meant in (("[.]", "."), ("(.)", "."), ("[:]", ":"), ("[@]", "@"), ("hxxp", "http")):
        text = text.replace(written, meant)
    return text


def _numbers(text: str) -> Iterator[tuple[str, Decimal]]:
    for match in _RUN.finditer(text):
        try:
            number = _number(match[0])
        except InvalidOperation:
            continue
        if len(match[0]) <= 40:
            per_cent = "%" if text[match.end() : match.end() + 2].lstrip(" ").startswith("%") else ""
            yield match[0] + per_cent, number.normalize() if "." in match[0] else number


def _number(written: str) -> Decimal:
    if written[:2] in ("0x", "0X"):
        return Decimal(int(written, 16))
    bare = written.replace(",", "").replace("_", "")
    if exponent := _THOUSANDS.get(bare[-1]):
        return Decimal(bare[:-1]).scaleb(exponent)
    return Decimal(bare)


def _is_small(number: Decimal) -> bool:
    return number == number.to_integral_value() and number <= SMALL


def _rounded(number: Decimal, places: Decimal) -> Decimal:
    try:
        return number.quantize(places, ROUND_HALF_UP)
    except InvalidOperation:  # more digits than can be
        return number


def _strings(value: object, *, with_keys: bool = False) -> Iterator[str]:
    """All texts and numbers within a JSON value, as texts; of a text that is JSON itself, too."""
    stack, steps = [value], 0
    while stack and steps < 200_000:
        steps += 1
        each = stack.pop()
        if isinstance(each, str):
            inner = _json(each)
            if inner is None:
                yield each
            else:
                stack.append(inner)
        elif isinstance(each, dict):
            stack += each.values()
            if with_keys:
                stack += [key for key in each if isinstance(key, str)]
        elif isinstance(each, list | tuple):
            stack += each
        elif isinstance(each, int | float) and not isinstance(each, bool):
            yield format(Decimal(repr(each)), "f") if abs(each) < 1e30 else repr(each)


def _json(text: str) -> object:
    """The object or list that a text is, as local tools give their results; None for other texts."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
