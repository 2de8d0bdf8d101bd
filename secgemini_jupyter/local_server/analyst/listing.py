"""What a result lists, as flat items; the part of them that words mean; the forms they can be given in."""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.text import block, code, table
from secgemini_jupyter.local_server.analyst.tool import Tool

Item = dict[str, Any]
MAX_SHOWN = 200
"""Items that an answer shows; all of them in its data."""

# What a value is, by its own shape.
_HASH = r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[0-9a-fA-F]{128}"
_SHAPES = {
    "url": r"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://\S+",
    "email": r"[^\s@<>]{1,64}@[\w.-]{1,255}\.\w{2,}",
    "domain": r"(?!\d+(?:\.\d+)*$)(?=.{4,253}$)(?:[\w-]{1,63}\.){1,20}(?!exe$|dll$|txt$|log$|docx?$|pdf$|zip$"
    r"|json$)[^\W\d][\w-]{1,62}",
    "hash": _HASH,
    "md5": r"[0-9a-fA-F]{32}",
    "sha1": r"[0-9a-fA-F]{40}",
    "sha256": r"[0-9a-fA-F]{64}",
    "sha512": r"[0-9a-fA-F]{128}",
    "cve": r"(?i:CVE-\d{4}-\d{4,})",
    "cwe": r"(?i:CWE-\d+)",
    "technique": r"T\d{4}(?:\.\d{3})?",
    "id": rf"(?i:CVE-\d{{4}}-\d{{4,}}|CWE-\d+|GHSA-[\w-]+)|(?:TA|T|G|S|M|C|DS)\d{{4}}(?:\.\d{{3}})?|{_HASH}",
}  # fmt: skip
_WORDS = {  # of the user: shapes of values, and names of fields that hold such values whatever their shape
    r"(?:ip(?:v[46])?(?:[ -]?(?:addresse?s?|adressen?))?|address(?:es)?|adressen?|ips)": (("ip",), ()),
    r"(?:domains?|dom[aä]nen?|dominios?|fqdns?)(?: names?)?": (("domain",), ("domain",)),
    r"host ?names?|hosts?": (("domain", "ip"), ("host", "hostname")),
    r"urls?|links?|uris?": (("url",), ("url", "uri", "link")),
    r"(?:e-?)?mails?(?: addresses)?|mail addresses": (("email",), ("email",)),
    r"hash(?:es)?(?: values)?|digests?|checksums?": (("hash",), ("hash",)),
    r"md5s?": (("md5",), ()),
    r"sha-?1s?": (("sha1",), ()),
    r"sha-?256s?": (("sha256",), ()),
    r"sha-?512s?": (("sha512",), ()),
    r"cves?(?: ids?)?|vulnerabilit(?:y|ies)": (("cve",), ()),
    r"cwes?(?: ids?)?|weakness(?:es)?": (("cwe",), ()),
    r"techniques?(?: ids?)?|ttps?|att&ck ids?": (("technique",), ()),
    r"ids?|identifiers?": (("id",), ("id",)),
    r"(?:file ?)?names?|files?|members?": ((), ("name", "names", "filename", "file", "member", "path")),
    r"user ?(?:names?|s)?|accounts?|benutzer"
    r"|usuarios?": ((), ("user", "users", "account", "username", "client", "invalid_user")),
    r"(?:source|src)(?: (?:ips?|addresses))?s?"
    r"|sources": ((), ("source", "src", "src_ip", "id.orig_h", "orig_h", "client_ip", "ip", "host")),
    r"(?:destination|dest|dst|target)(?: (?:ips?"
    r"|addresses))?s?": ((), ("destination", "dst", "dst_ip", "id.resp_h", "resp_h")),
    r"(?:destination |dst |dest )?ports?": ((), ("port", "id.resp_p", "resp_p", "dst_port", "dport")),
    r"values?|results?|iocs?|indicators?|entries|items|data|list": ((), ("value", "name", "id")),
}  # fmt: skip
_MAIN = ("value", "written", "url", "id", "name", "subject", "source", "user", "host", "address", "hash")
"""Fields that say what an item is, the telling ones first."""


def items_of(tool: Tool | None, result: Mapping[str, Any]) -> list[Item]:
    """What the result lists: as its tool says; else the first list in it; else its own fields."""
    found: list[Item] = []
    if tool is not None:
        try:
            found = tool.items(dict(result))
        except Exception:  # a result of another version of the tool, out of an old session
            found = []
    return [flat(item) for item in found or _listed(result)]


def _listed(result: Mapping[str, Any]) -> list[Item]:
    columns, rows = result.get("columns"), result.get("rows")
    if isinstance(columns, list) and isinstance(rows, list):
        return [dict(zip(map(str, columns), row, strict=False)) for row in rows if isinstance(row, list)]
    for name, value in result.items():
        if isinstance(value, list) and value and name != "sources":
            if all(isinstance(each, dict) for each in value):
                return list(value)
            if all(isinstance(each, str | int | float) for each in value):
                return [{"value": each} for each in value]
    own = flat({name: value for name, value in result.items() if not isinstance(value, list | dict)})
    return [own] if own else []


def flat(item: Mapping[str, Any]) -> Item:
    """Scalars alone: a list of them becomes a text, what is deeper is left out."""
    found: Item = {}
    for name, value in item.items():
        if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
            found[name] = ", ".join(map(str, value))
        elif value is None or isinstance(value, str | int | float | bool):
            found[name] = value
    return found


def main_value(item: Mapping[str, Any]) -> str:
    """What the item is, in one value."""
    for name in _MAIN:
        if isinstance(value := item.get(name), str) and value:
            return value
    texts = [value for value in item.values() if isinstance(value, str) and value]
    return texts[0] if texts else str(next(iter(item.values()), ""))


def is_shape(value: object, *shapes: str) -> bool:
    return any(_is_ip(value) if shape == "ip" else _matches(value, shape) for shape in shapes)


def _matches(value: object, shape: str) -> bool:
    return isinstance(value, str) and len(value) < 4_000 and re.fullmatch(_SHAPES[shape], value) is not None


def _is_ip(value: object) -> bool:
    return address(value) is not None


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def address(value: object) -> Address | None:
    """The address that a text is, with a port or without."""
    if not isinstance(value, str) or not 2 < len(value) < 60:
        return None
    for text in (value, re.sub(r"^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$", r"\1\2", value)):
        try:
            return ipaddress.ip_address(text)
        except ValueError:
            continue
    return None


def known_words(words: str) -> bool:
    """Whether they name a kind of value, or a form of an answer: nothing that anybody would have repeated."""
    return any(re.fullmatch(pattern, words) for pattern in _WORDS)


def picked(items: Sequence[Item], words: str) -> list[Any] | None:
    """The values that `words` mean ("ips", "source addresses", "score"), each once; None if there is no such field."""
    words = words.strip().lower()
    if not words:
        return None
    if len(several := [each for each in re.split(r"\s*(?:,|&|\band\b|\bund\b|\by\b)\s*", words) if each]) > 1:
        found = [value for each in several for value in picked(items, each) or ()]
        return list(dict.fromkeys(found)) or None
    for pattern, (shapes, fields) in _WORDS.items():
        if re.fullmatch(pattern, words):
            found = _values(items, _shaped(shapes)) or _values(_parts(items), _shaped(shapes)) if shapes else []
            if "v4" in words or "v6" in words:
                found = [each for each in found if (":" in str(each).strip("[]")) is ("v6" in words)]
            for field in fields:
                found = found or _values(items, _called(field))
            return found or None
    singular = re.sub(
        r"(?:(?<=ss)es|(?<=i)es"
        r"|s)$",
        "",
        words.replace("ies", "ys") if words.endswith("ies") else words,
    )
    typed = [item for item in items if singular.replace(" ", "_") in str(item.get("type", "")).lower().split(" ")
             or singular in str(item.get("type", "")).lower().split("_")]  # fmt: skip
    if typed and all("value" in item for item in typed):
        return _values(typed, lambda name, _value: name == "value")
    wanted = re.sub(r"\W+", "_", singular)
    return (
        _values(items, lambda name, _value: name.lower() in (wanted, wanted + "s"))
        or _values(items, lambda name, _value: wanted in re.split(r"\W|_", name.lower()))
        or None
    )


def _parts(items: Iterable[Item]) -> list[Item]:
    """What stands together in one field: "CWE-74, CWE-917"."""
    lists = (value[:4_000] for item in items for value in item.values() if isinstance(value, str) and ", " in value)
    return [{"value": part} for each in lists for part in each.split(", ")]


def _shaped(shapes: Sequence[str]) -> Callable[[str, Any], bool]:
    return lambda _name, value: is_shape(value, *shapes)


def _called(field: str) -> Callable[[str, Any], bool]:
    return lambda name, _value: name == field


def _values(items: Iterable[Item], fits: Callable[[str, Any], bool]) -> list[Any]:
    found = (v for item in items for name, v in item.items() if v not in (None, "") and fits(name, v))
    return list({repr(value): value for value in found}.values())


def with_property(items: Sequence[Item], word: str) -> list[Item] | None:
    """The items of which `word` is true ("private", "failed", "revoked"); None if nothing in them can tell."""
    word = word.lower().strip()
    if word in _KINDS_OF_ADDRESS and any(address(v) for item in items for v in item.values()):
        return [item for item in items if (own := _own_address(item)) and _KINDS_OF_ADDRESS[word](own)]
    if any(_field(item, word) is not None for item in items):
        return [item for item in items if _field(item, word)]
    pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
    found = [item for item in items if any(isinstance(v, str) and pattern.search(v[:2_000]) for v in item.values())]
    if found:
        return found
    return _typed(items, word)


_PRIVATE = [ipaddress.ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]


def _is_own(own: Address) -> bool:
    """An address of a private network; those for documentation, which Python calls private too, are none."""
    return any(own in network for network in _PRIVATE if network.version == own.version)


def _is_inside(own: Address) -> bool:
    return _is_own(own) or own.is_loopback or own.is_link_local


_KINDS_OF_ADDRESS: dict[str, Callable[[Address], bool]] = {
    "private": _is_own,
    "internal": _is_inside,
    "local": _is_inside,
    "public": lambda own: own.is_global,
    "external": lambda own: own.is_global,
    "routable": lambda own: own.is_global,
}


def _own_address(item: Item) -> Address | None:
    return next((own for value in item.values() if (own := address(value))), None)


def _typed(items: Sequence[Item], word: str) -> list[Item] | None:
    values = picked(items, word)
    if not values:
        return None
    known = {repr(value) for value in values}
    return [item for item in items if known & {repr(value) for value in item.values()}]


def _field(item: Item, word: str) -> Any:
    """A yes, no or number under the word's name."""
    for name, value in item.items():
        if isinstance(value, bool | int | float) and name.lower() in (word, f"is_{word}", f"has_{word}", f"{word}s"):
            return value
    return None


def as_json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def as_csv(items: Sequence[Item]) -> str:
    names = list(dict.fromkeys(name for item in items for name in item))
    written = io.StringIO()
    writer = csv.DictWriter(written, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(items)
    return block(written.getvalue().rstrip("\n"), 100_000)


def as_table(items: Sequence[Item]) -> str:
    """In Markdown, without columns that are empty."""
    names = [n for n in dict.fromkeys(name for item in items for name in item)
             if any(item.get(n) not in (None, "") for item in items)]  # fmt: skip
    heads = [code(name, 60).replace("|", "\\|") for name in names]
    return table(heads, [[_cell(item.get(name)) for name in names] for item in items], limit=MAX_SHOWN)


def _cell(value: Any) -> Any:
    """A number as it is: nobody knows whether it counts something, and a port is no 16,464."""
    return str(value) if isinstance(value, bool | int | float) else value


def as_list(values: Sequence[Any]) -> str:
    shown = "\n".join(f"- {code(value, 2_000)}" for value in values[:MAX_SHOWN])
    more = len(values) - MAX_SHOWN
    return shown + (f"\n- ({more:,} more)" if more > 0 else "")


def described(item: Item) -> str:
    """One item, field by field."""
    told = [f"- {name.replace('_', ' ')}: {code(value, 2_000)}" if re.fullmatch(r"[\w .-]{1,60}", name)
            else f"- {code(name)}: {code(value, 2_000)}"
            for name, value in item.items() if value not in (None, "")]  # fmt: skip
    return "\n".join(told)


def in_form(items: Sequence[Item], values: Sequence[Any], *, json: bool, csv_: bool, table_: bool) -> str:
    """The items, or the values where one part of them is wanted, in the form that is."""
    if json:
        plain = values or (
            [item["value"] for item in items] if all(set(item) == {"value"} for item in items) else items
        )
        return as_json(list(plain))
    rows = [{"value": value} for value in values] if values else items
    if csv_:
        return as_csv(rows)
    if table_:
        return as_table(rows)
    return as_list(list(values) or [main_value(item) for item in items])
