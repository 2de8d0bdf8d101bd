"""extract_iocs, defang, refang: the indicators in a text, and the two ways to write them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import msgspec

from secgemini_jupyter import indicators
from secgemini_jupyter.local_server.analyst.logs.asking import is_question
from secgemini_jupyter.local_server.analyst.logs.tables import SQL_SECONDS, open_table
from secgemini_jupyter.local_server.analyst.sniff import readable_text
from secgemini_jupyter.local_server.analyst.text import Plain, block, code, count, table
from secgemini_jupyter.local_server.analyst.tool import Call, FileOrText, Payload, Request, Tool, ToolFailure, Wish

MAX_INDICATORS = 2_000
MAX_TEXT = 16 * 2**20
MAX_TABLE_TEXT = 4 * 2**20
MAX_TOLD = 50
"""Indicators of one type that an answer lists; where there are more, a table beside it holds all."""
MAX_REWRITTEN = 100_000
MAX_LOOKED_AT = 20_000
"""Characters of a prompt that are searched for an indicator before a tool is chosen, on the server's event loop."""

# One and several of each type, in the order of an answer.
_NAMES = {
    "url": ("URL", "URLs"),
    "domain": ("domain", "domains"),
    "onion": ("onion service", "onion services"),
    "ipv4": ("IPv4 address", "IPv4 addresses"),
    "ipv6": ("IPv6 address", "IPv6 addresses"),
    "email": ("mail address", "mail addresses"),
    "md5": ("MD5", "MD5s"),
    "sha1": ("SHA-1", "SHA-1s"),
    "sha256": ("SHA-256", "SHA-256s"),
    "sha512": ("SHA-512", "SHA-512s"),
    "cve": ("CVE", "CVEs"),
    "ghsa": ("GitHub advisory", "GitHub advisories"),
    "cwe": ("CWE", "CWEs"),
    "attack": ("ATT&CK id", "ATT&CK ids"),
    "asn": ("AS number", "AS numbers"),
    "btc": ("Bitcoin address", "Bitcoin addresses"),
    "eth": ("Ethereum address", "Ethereum addresses"),
    "registry": ("registry key", "registry keys"),
    "windows_path": ("Windows path", "Windows paths"),
    "unix_path": ("Unix path", "Unix paths"),
}
_ASKED_FOR = {  # a word of the prompt: the types it means
    r"ips?\b|ip addresses|addresses": ("ipv4", "ipv6"),
    r"ipv4": ("ipv4",),
    r"ipv6": ("ipv6",),
    r"urls?|links?": ("url",),
    r"domains?|host ?names?|fqdns?": ("domain", "onion"),
    r"e-?mails?|mail addresses": ("email",),
    r"hash(?:es)?": ("md5", "sha1", "sha256", "sha512"),
    r"md5": ("md5",),
    r"sha-?1\b": ("sha1",),
    r"sha-?256": ("sha256",),
    r"cves?|vulnerabilit": ("cve",),
    r"techniques?|att&ck|ttps?": ("attack",),
    r"wallets?|bitcoin|btc": ("btc", "eth"),
    r"paths?": ("windows_path", "unix_path"),
    r"registry": ("registry",),
}
_EXTRACT = (
    r"\b(?:iocs?|indicators?|observables?)\b"
    r"|\b(?:extract|pull|list|find|get|give|show|collect|which|what|only|just)\b[^.\n]{0,40}"
    r"\b(?:ips?|ip addresses|urls|links|domains|host ?names|e-?mail addresses|hashes|cves|wallets|artifacts)\b"
)


HASHES_IN = r"\b(?:hashes|md5s|sha-?\d{1,3}s)\s+(?:that are |mentioned |listed )?(?:in|from|inside|within)\b"
"""Those that a text holds, not its own."""
FIND = r"\b(?:extract|pull|find|collect)\b"


class ExtractArguments(FileOrText):
    """`types`: only these (url, domain, ipv4, …); all when empty."""

    types: list[str] = msgspec.field(default_factory=list)


def extract_iocs(arguments: ExtractArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if table := open_table(arguments, files):
        with table.limited(SQL_SECONDS):
            texts, is_cut = table.texts(MAX_TABLE_TEXT)
        text, how, about = "\n".join(value for value, _ in texts), "values of the table", {"table": table.about()}
        starts = list(accumulate((len(value) + 1 for value, _ in texts), initial=0))
    else:
        text, how, is_cut = readable_text(arguments.content(files), MAX_TEXT)
        texts, starts = [("", 1)], [0]
    unknown = sorted({*arguments.types} - {*_NAMES})
    if unknown:
        raise ToolFailure(f"No indicator type is called {unknown[0]!r}; there are {', '.join(_NAMES)}.")
    first: dict[tuple[str, str], indicators.Indicator] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for found in indicators.extract(text):
        if arguments.types and found.type not in arguments.types:
            continue
        key = (found.type, found.value)
        counts[key] += texts[bisect_right(starts, found.start) - 1][1]
        # One that stands for itself says more than the host part of a URL.
        if key not in first or ({"from_url", "from_email"} & {*first[key].flags} and "from_url" not in found.flags):
            first[key] = found
    rows = [
        {"type": i.type, "value": i.value, "count": counts[key], "offset": i.start, "flags": list(i.flags)}
        for key, i in first.items()
    ]
    order = list(_NAMES)
    rows.sort(key=lambda row: (order.index(str(row["type"])), row["offset"]))
    return about | {
        "source": arguments.source,
        "read_as": how,
        "counts": {kind: n for kind in order if (n := sum(row["type"] == kind for row in rows))},
        "indicators": rows[:MAX_INDICATORS],
        "omitted": max(0, len(rows) - MAX_INDICATORS),
        "is_cut": is_cut,
    }


def _types(wish: Wish) -> list[str]:
    return sorted({kind for words, kinds in _ASKED_FOR.items() if wish.wants_only(words) for kind in kinds})


def _plan_extract(request: Request) -> list[Call]:
    if not request.asks(_EXTRACT) or request.asks(r"^\W*(?:please\s+)?(?:de|re)fang\b"):
        return []
    if request.asks(r"\bhash(?:es)?\b|md5|sha-?\d") and not request.asks(rf"\bioc|indicator|{FIND}|{HASHES_IN}"):
        return []  # the hashes of a file, or in a log's columns: other tools
    if request.asks(r"\bcwe\b|\bweakness") and not request.pasted and not request.asks(rf"\bioc|indicator|{FIND}"):
        return []  # the CVEs of a weakness
    if not request.asks(rf"\biocs?\b|\bindicators?\b|\bobservables?\b|{FIND}") and _has_a_tool_of_its_own(request):
        return []  # "which IP did it come from?"
    is_named = request.asks(rf"\bioc|indicator|{FIND}|\bobservables?\b")
    if not is_named and not request.pasted and is_question(request) and _is_about_logs(request):
        return []  # "which IPs tried more than twice?"
    types = _types(request.wish) or _types_said(request)
    extra = {"types": types} if types else {}
    named = request.named()
    files = named if named or not request.pasted else []
    if not files and not request.pasted:
        files = list(request.attachments)
    calls = [
        Call("extract_iocs", {"file": each.name} | extra, f"find indicators in {code(each.name)}") for each in files
    ]
    if (asked := request.asked_table) and not request.pasted and (not files or request.asks(r"\btables?\b")):
        if request.asks(r"\btables?\b"):
            calls = [call for call in calls if named]  # of the table alone
        calls.append(Call("extract_iocs", {"table": asked.name} | extra, "find indicators in the logs table"))
    # A prompt that names no file and shows indicators may mean them ("which are in {{note}}?"), or the files.
    if not named and (request.pasted or _shows_indicators(request)):
        text = request.pasted or request.prompt
        calls.append(Call("extract_iocs", {"text": text} | extra, "find indicators in the prompt"))
    return calls


def _has_a_tool_of_its_own(request: Request) -> bool:
    """Whether a question is about messages or certificates alone, whose tools answer it better."""
    looked_at = request.named() or request.attachments
    return bool(looked_at) and not request.pasted and all(each.kind in ("email", "x509") for each in looked_at)


_WHAT = re.compile(
    r"\b(?:extract|pull|list|find|get|give|show|collect|which|what)\b(?:\s+(?:me|out|all|of|the|every|any))*\s+"
    r"([^.:\n]{2,80}?)\s+(?:from|in|out of|of|are|does|mentioned|there)\b",
    re.IGNORECASE,
)


def _types_said(request: Request) -> list[str]:
    """The types that alone are asked for: "extract the URLs and domains from …"; none where it is all indicators."""
    found = _WHAT.search(request.instruction[:2_000])
    if found is None or request.asks(r"\biocs?\b|\bindicators?\b|\bobservables?\b|\bartifacts\b"):
        return []
    said = found[1].lower()
    return sorted({k for words, kinds in _ASKED_FOR.items() if re.search(rf"\b(?:{words})(?!\w)", said) for k in kinds})


def _shows_indicators(request: Request) -> bool:
    return bool(indicators.extract(request.prompt[:MAX_LOOKED_AT]))


def _is_about_logs(request: Request) -> bool:
    """Whether a question is about logs alone, which `log_question` answers by rows."""
    looked_at = [*(request.named() or request.attachments), *([request.asked_table] if request.asked_table else [])]
    return bool(looked_at) and all(each.is_log for each in looked_at)


_FLAG_WORDS = {
    "from_url": "host of a URL",
    "from_email": "host of a mail address",
    "documentation": "reserved for documentation",
    "link_local": "link-local",
    "no_checksum": "no checksum to verify",
    "shortened": "shortened where it was written",
    "network": "a network",
    "defanged": "",
}


def _flags(flags: list[str]) -> str:
    words = (_FLAG_WORDS.get(flag, flag.replace("port:", "port ")) for flag in flags)
    return ", ".join(word for word in words if word)


def _answer_extract(result: dict[str, Any], wish: Wish) -> str:
    rows = result["indicators"]
    if wanted := [row for row in rows if row["type"] in _types(wish)]:
        return "\n".join(f"- {code(row['value'], 2_000)}" for row in wanted)
    if rows and (wish.wants_only("iocs?", "indicators?", "values?", "list")):
        return "\n".join(f"- {code(row['value'], 2_000)}" for row in rows)
    where = "the prompt" if result["source"] == "the prompt" else code(result["source"])
    if not rows:
        return f"No indicators in {where}."
    kinds = [count(n, *_NAMES[kind]) for kind, n in result["counts"].items()]
    total = len(rows) + result["omitted"]
    parts = [f"**{count(total, 'indicator')}** in {where}: {', '.join(kinds)}."]
    for kind in result["counts"]:
        lines = [f"**{_NAMES[kind][1][0].upper()}{_NAMES[kind][1][1:]}**\n"]
        group = [row for row in rows if row["type"] == kind]
        for row in group[:MAX_TOLD]:
            notes = [
                word for word in (_flags(row["flags"]), f"{row['count']} times" if row["count"] > 1 else "") if word
            ]
            lines.append(f"- {code(row['value'], 2_000)}" + (f" ({'; '.join(notes)})" if notes else ""))
        if len(group) > MAX_TOLD:
            lines.append(f"- ({len(group) - MAX_TOLD:,} more)")
        parts.append("\n".join(lines))
    if result["read_as"] != "text":
        parts.append(f"The file is no text: {result['read_as'].replace('printable', 'its printable')} were searched.")
    if result["is_cut"]:
        parts.append(f"Only the first {MAX_TEXT:,} bytes were searched.")
    if result["omitted"]:
        parts.append(f"({result['omitted']:,} more, left out of the tool's result.)")
    return "\n\n".join(parts)


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": row["type"], "value": row["value"]}
        | ({"count": row["count"]} if row["count"] > 1 else {})
        | ({"notes": notes} if (notes := _flags(row["flags"])) else {})
        for row in result["indicators"]
    ]


def _payloads(result: dict[str, Any]) -> list[Payload]:
    rows = [[row["type"], row["value"], row["count"], _flags(row["flags"])] for row in result["indicators"]]
    content = {"title": "Indicators", "columns": ["type", "value", "count", "notes"], "rows": rows}
    is_cut = any(number > MAX_TOLD for number in result["counts"].values())
    return [Payload("sec-gemini/table", "Indicators", content)] if is_cut else []


def _rewritten(kind: str, arguments: FileOrText, files: Mapping[str, bytes]) -> dict[str, Any]:
    text, _, is_cut = readable_text(arguments.content(files), MAX_REWRITTEN)
    write = indicators.defang if kind == "defang" else indicators.refang
    whole = [i for i in indicators.extract(text) if not {"from_url", "from_email"} & {*i.flags}]
    items = {
        i.original: write(i.original) for i in whole if i.type in ("url", "domain", "onion", "email", "ipv4", "ipv6")
    }
    return {
        "source": arguments.source,
        "items": [{"original": before, "written": after} for before, after in list(items.items())[:MAX_INDICATORS]],
        "text": write(text),
        "is_cut": is_cut,
    }


def _plan_rewrite(kind: str) -> Any:
    def plan(request: Request) -> list[Call]:
        if not request.asks(rf"\b{kind}(?:s|ed|ing)?\b") or _plan_extract(request):
            return []
        if files := [each for each in request.named() if each.is_text]:
            return [Call(kind, {"file": each.name}, f"{kind} {code(each.name)}") for each in files]
        if request.pasted or _shows_indicators(request):
            return [Call(kind, {"text": request.pasted or request.prompt}, f"{kind} what the prompt shows")]
        texts = [each for each in request.attachments if each.is_text]
        return [Call(kind, {"file": each.name}, f"{kind} {code(each.name)}") for each in texts]

    return plan


def _answer_rewrite(result: dict[str, Any], wish: Wish) -> str:
    if not result["items"]:
        return "There is no URL, domain, mail or IP address to rewrite."
    if "\n" in result["text"].strip() or result["source"] != "the prompt":
        told = f"\n\nOnly the first {MAX_REWRITTEN:,} bytes were rewritten." if result["is_cut"] else ""
        return block(result["text"]) + told
    if wish.wants_only("the", "results?", "text", "list", "de", "re", "rewritten") or len(result["items"]) == 1:
        return "\n".join(f"- {code(item['written'], 2_000)}" for item in result["items"])
    return table(
        [Plain("as given"), Plain("rewritten")],
        [(item["original"], item["written"]) for item in result["items"]],
        limit=50,
    )


def _tool(kind: str, meaning: str, example: str) -> Tool:
    return Tool(
        name=kind,
        description=f"{meaning} File names, versions and code stay as they are.",
        ability=example,
        arguments=FileOrText,
        run=lambda arguments, files: _rewritten(kind, arguments, files),
        plan=_plan_rewrite(kind),
        answer=_answer_rewrite,
        items=lambda result: list(result["items"]),
    )


TOOLS = (
    Tool(
        name="extract_iocs",
        description="Find indicators of compromise (addresses, URLs, hashes, ids, wallets, paths), defanged or not.",
        ability='find the indicators in a text or file, defanged or not: "Pull the IOCs out of this report: …"',
        arguments=ExtractArguments,
        run=extract_iocs,
        plan=_plan_extract,
        answer=_answer_extract,
        payloads=_payloads,
        items=_items,
    ),
    _tool(
        "defang", "Make URLs, domains, mail and IP addresses unclickable.", 'make indicators unclickable: "Defang …"'
    ),
    _tool("refang", "Undo defanging.", 'undo that: "Refang hxxp://…"'),
)
