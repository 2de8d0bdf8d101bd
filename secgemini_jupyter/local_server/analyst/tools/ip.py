"""ip_lookup: what an address is by itself, and what imported MaxMind DB files say of it. No network, no DNS."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.data import ip_database
from secgemini_jupyter.local_server.analyst.data.asking import questions
from secgemini_jupyter.local_server.analyst.data.imports import Imports
from secgemini_jupyter.local_server.analyst.text import Plain, code, table
from secgemini_jupyter.local_server.analyst.tool import Call, Request, Tool, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.tools.iocs import FIND
from secgemini_jupyter.local_server.analyst.wishes import MAX_SAID, without_forms

Row = dict[str, Any]
_DOT = r"(?:\.|\[\.\]|\(\.\))"
_IP = re.compile(
    rf"(?<![\w.:/@-])(?:\d{{1,3}}{_DOT}\d{{1,3}}{_DOT}\d{{1,3}}{_DOT}\d{{1,3}}|\[?[0-9a-f]{{0,4}}:[0-9a-f:]{{2,38}}(?:(?<=:)\d{{1,3}}(?:\.\d{{1,3}}){{3}})?\]?)(?![\w:/-]|\.\d)",
    re.IGNORECASE,
)
_WHERE = (
    r"\bwhere\b|\bgeo|\blocat|\bcountry\b|\bcity\b|\bcontinent\b|\basn?\b|\bautonomous\b|\bwhois\b|\bisp\b|\bowns?\b|\bowner\b"
    r"|\bbelongs? to\b|\bwhose\b|\bnetwork\b"
    r"|\bmalicious\b|\breputation\b|\bbad\b|\bsafe\b|\bblock(?:ed|list)|\btor\b|\bvpn\b|\bproxy\b|\bip_lookup\b"
)
_WHAT = re.compile(
    r"^(?:(?:what|who|where)\s*(?:is|'s)|tell me about|what do you know about|look\s?up|lookup|check|is|ip"
    r"|info(?:rmation)? (?:on|about))?"
    r"\s*(?:the\s+)?(?:ip\s+)?(?:address\s+)?(?P<ip>[^\s,]+?)(?:\s+(?:a\s+)?(?:private|public|reserved|internal|routable|malicious|bad|evil|safe|clean"
    r"|suspicious|dangerous|known|benign|harmful|legit\w*)(?:\s+(?:ip|address))*)?$",
    re.IGNORECASE,
)
_SPECIAL = (
    ("loopback", "is_loopback"), ("link-local", "is_link_local"), ("multicast", "is_multicast"),
    ("unspecified", "is_unspecified"), ("private", "is_private"), ("reserved", "is_reserved"),
)  # fmt: skip
_DOCUMENTATION = [
    ipaddress.ip_network(each) for each in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
MAX_ASKED = 12
MAX_LISTED = 200
_SCOPE = r"private|public|internal|external|routable|reserved|loopback|multicast|rfc ?1918"
_ONLY_SCOPES = re.compile(
    rf"(?:\W|\b(?:{_SCOPE}|which|what|of|these|those|the|following|is|are|it|an?|ips?|addresse?s?|and|or|list|show|any|one|ones)\b)*",
    re.IGNORECASE,
)
_MEANS = {"external": "public", "routable": "public", "rfc1918": "private", "rfc 1918": "private"}
_INTERNAL = ("private", "loopback", "link-local", "shared (carrier-grade NAT)")


class IpArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`address`: an IPv4 or IPv6 address, defanged or not; `others`: further ones, of which only the scope is told.

    `scope`: which of them are so: private, public, internal, reserved, loopback, multicast.
    """

    address: str
    others: list[str] = msgspec.field(default_factory=list)
    scope: str | None = None


def ip_lookup(arguments: IpArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        address = ipaddress.ip_address(_plain(arguments.address))
    except ValueError:
        raise ToolFailure(f"{arguments.address[:100]!r} is no IP address.") from None
    if arguments.others or arguments.scope:
        texts = [arguments.address, *arguments.others][:MAX_LISTED]
        several = [_read(text) for text in texts]
        rows = [{"address": str(each), "scope": _scope(each), "version": each.version} for each in several if each]
        return {"rows": rows, "wanted": arguments.scope, "sources": []}
    result: Row = {"address": str(address), "version": address.version, "scope": _scope(address), "databases": []}
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        result["ipv4"] = str(address.ipv4_mapped)
    imports, result["sources"] = Imports.of(files), []
    for path in imports.ip_databases()[: ip_database.MAX_DATABASES]:
        note = imports.ip_note(path)
        try:
            with ip_database.opened(path) as reader:
                about = ip_database.metadata(reader)
                found = ip_database.lookup(reader, result.get("ipv4", str(address)))
            row = {"name": about["type"], "date": about["date"], "file": note.get("file"), "found": found}
            result["sources"].append({"name": about["type"], "version": f"of {about['date']}", "date": about["date"]})
        except ToolFailure as failure:
            row = {"name": note.get("name") or path.stem, "error": str(failure)}
        result["databases"].append(row)
    return result


def _read(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    return ipaddress.ip_address(_plain(text)) if _is_address(_plain(text)) else None


def _plain(text: str) -> str:
    return re.sub(r"\[\.\]|\(\.\)", ".", text.strip()).strip("[]")


def _scope(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in network for network in _DOCUMENTATION if network.version == address.version):
        return "documentation"
    if address.version == 4 and address in ipaddress.ip_network("100.64.0.0/10"):
        return "shared (carrier-grade NAT)"
    return next((name for name, attribute in _SPECIAL if getattr(address, attribute)), "public")


def _plan(request: Request) -> list[Call]:
    """Addresses whose place or owner is asked for, or that are the whole question."""
    if request.asks(rf"{FIND}|\b(?:de|re)fang|\biocs?\b|\bindicators?\b|\blog\b") or request.table:
        return []
    if call := _of_scopes(request):
        return [call]
    asked: list[str] = []
    for question in questions(request):
        found = [_plain(match.group()) for match in _IP.finditer(question)]
        whole = _WHAT.match(question.strip("`'\" "))
        is_where = re.search(_WHERE, question, re.IGNORECASE) is not None
        is_where = is_where and not any(each.is_log for each in request.attachments)
        if is_where or (whole and found and _plain(whole["ip"]) == found[0]):
            asked += [each for each in found if _is_address(each)]
    unique = list(dict.fromkeys(asked))[:MAX_ASKED]
    return [Call("ip_lookup", {"address": each}, f"look up {code(each)} in the offline data") for each in unique]


def _of_scopes(request: Request) -> Call | None:
    """Addresses of which only is asked what they are ("which of … are private?"), or a list of them alone."""
    said = request.prompt if len(request.prompt) <= MAX_SAID else ""
    said = without_forms(said)
    found = list(dict.fromkeys(each for match in _IP.finditer(said) if _is_address(each := _plain(match.group()))))
    if not found or not _ONLY_SCOPES.fullmatch(_IP.sub(" ", said)) or any(each.is_log for each in request.attachments):
        return None
    word = re.search(rf"\b(?:{_SCOPE})\b", said, re.IGNORECASE)
    scope = {"scope": _MEANS.get(word[0].lower(), word[0].lower())} if word else {}
    if len(found) == 1 and not (scope and request.wish.one_word):
        return Call("ip_lookup", {"address": found[0]}, f"look up {code(found[0])} in the offline data")
    others = {"others": found[1:MAX_LISTED]} if len(found) > 1 else {}
    return Call("ip_lookup", {"address": found[0]} | others | scope, "say what the addresses are")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_SCOPES = {
    "public": "a public address",
    "documentation": "an address for documentation (RFC 5737, RFC 3849): it is in no real network",
    "private": "a private address: it is in no public network, and no database tells whose it is",
}


def _answer(result: Row, wish: Wish) -> str:
    if "rows" in result:
        return _of_several(result, wish)
    address = code(result["address"])
    if wish.one_word:
        return str(result["scope"])
    values = [(row, row["found"]["values"]) for row in result["databases"] if row.get("found")]
    if wish.wants_only("country") and (
        told := _first(values, r"^country\.(?:names\.en|iso_code)$|^country(?:_name)?$")
    ):
        return told
    if wish.wants_only("asn?", "autonomous") and (told := _first(values, r"^autonomous_system_number$|^asn?$")):
        return told
    mapped = f", which maps IPv4 {code(result['ipv4'])}" if "ipv4" in result else ""
    scope = _SCOPES.get(result["scope"], f"a {result['scope']} address")
    parts = [f"{address} is {scope} (IPv{result['version']}){mapped}."]
    for row in result["databases"]:
        if "error" in row:
            parts.append(f"{code(row['name'])}: {code(row['error'], 300)}")
        elif row["found"] is None:
            parts.append(f"{code(row['name'])} of {row['date']} says nothing of it.")
        else:
            cells = [(name, str(value)) for name, value in row["found"]["values"].items()]
            head = f"{code(row['name'])} of {row['date']} says of its network {code(row['found']['network'])}:"
            parts.append(f"{head}\n\n" + table([Plain("field"), Plain("value")], cells, limit=40))
    if not result["databases"]:
        parts.append(
            "Where it is and whose it is, is not known here: no MaxMind DB (.mmdb) is imported. Attach one and ask "
            "`import it as data`, or run `secgemini-jupyter data import FILE`."
        )
    parts.append("Nothing was asked over the network; no DNS, no whois, no reputation.")
    return "\n\n".join(parts)


def _of_several(result: Row, wish: Wish) -> str:
    rows, wanted = result["rows"], result["wanted"]
    scopes = _INTERNAL if wanted == "internal" else (wanted,)
    fit = [code(row["address"]) for row in rows if row["scope"] in scopes]
    if wanted and len(rows) == 1 and wish.one_word:
        return "Yes" if fit else "No"
    if wanted and wish.is_bare:
        return str(len(fit)) if wish.number or wish.one_word else "\n".join(fit)
    cells = [(row["address"], Plain(row["scope"]), Plain(f"IPv{row['version']}")) for row in rows]
    listed = table([Plain("address"), Plain("scope"), Plain("version")], cells, limit=MAX_LISTED)
    lead = f"**{len(fit)} of {len(rows)}** {'is' if len(fit) == 1 else 'are'} {wanted}: {', '.join(fit) or 'none'}."
    kinds: dict[str, int] = {}
    for row in rows:
        kinds[row["scope"]] = kinds.get(row["scope"], 0) + 1
    lead = lead if wanted else f"{len(rows)} addresses: {', '.join(f'{n} {kind}' for kind, n in kinds.items())}."
    return f"{lead}\n\n{listed}\n\nNothing was asked over the network; no DNS, no whois, no reputation."


def _first(values: list[tuple[Row, Row]], pattern: str) -> str:
    return next((code(value) for _, found in values for name, value in found.items() if re.search(pattern, name)), "")


def _items(result: Row) -> list[Row]:
    if "rows" in result:
        return [dict(row) for row in result["rows"]]
    row: Row = {"address": result["address"], "scope": result["scope"]}
    for each in result["databases"]:
        if found := each.get("found"):
            row |= {name: value for name, value in found["values"].items() if len(row) < 30}
    return [row]


TOOLS = (
    Tool(
        name="ip_lookup",
        description="What an IP address is (public, private, reserved, for documentation), and what MaxMind DB files "
        "that the user has imported say of it (country, city, AS). No network.",
        ability='say what an IP address is, and where, once a .mmdb file is imported: "Where is 203.0.113.7?"',
        arguments=IpArguments,
        run=ip_lookup,
        plan=_plan,
        answer=_answer,
        items=_items,
    ),
)
