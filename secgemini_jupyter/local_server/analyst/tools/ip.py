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

Row = dict[str, Any]
_DOT = r"(?:\.|\[\.\]|\(\.\))"
_IP = re.compile(
    rf"(?<![\w.:/@-])(?:\d{{1,3}}{_DOT}\d{{1,3}}{_DOT}\d{{1,3}}{_DOT}\d{{1,3}}|\[?[0-9a-f]{{0,4}}:[0-9a-f:]{{2,38}}\]?)(?![\w:/-]|\.\d)",
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


class IpArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`address`: an IPv4 or IPv6 address, defanged or not."""

    address: str


def ip_lookup(arguments: IpArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        address = ipaddress.ip_address(_plain(arguments.address))
    except ValueError:
        raise ToolFailure(f"{arguments.address[:100]!r} is no IP address.") from None
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


def _plain(text: str) -> str:
    return re.sub(r"\[\.\]|\(\.\)", ".", text.strip()).strip("[]")


def _scope(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if any(address in network for network in _DOCUMENTATION if network.version == address.version):
        return "documentation"
    if address.version == 4 and address in ipaddress.ip_network("100.64.0.0/10"):
        return "shared (carrier-grade NAT)"
    return next((name for name, attribute in _SPECIAL if getattr(address, attribute)), "public")


def _plan(request: Request) -> list[Call]:
    """Addresses whose place or owner is asked for, or that are the whole question."""
    if request.asks(rf"{FIND}|\b(?:de|re)fang|\biocs?\b|\bindicators?\b|\blog\b") or request.table:
        return []
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
    address = code(result["address"])
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


def _first(values: list[tuple[Row, Row]], pattern: str) -> str:
    return next((code(value) for _, found in values for name, value in found.items() if re.search(pattern, name)), "")


def _items(result: Row) -> list[Row]:
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
