"""url_inspect: a web address in its parts, what it looks like, the tricks in it. Nothing is fetched or looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from secgemini_jupyter import indicators
from secgemini_jupyter.local_server.analyst.text import Plain, code, count, listed, table
from secgemini_jupyter.local_server.analyst.tool import Call, Payload, Request, Tool, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.web.taking_apart import take_apart

MAX_URLS = 100
MAX_LOOKED_AT = 20_000
"""Characters of a prompt that are searched for addresses before a tool is chosen."""


class UrlsArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`urls`: web addresses or host names, defanged or not."""

    urls: list[str]


def url_inspect(arguments: UrlsArguments, _files: Mapping[str, bytes]) -> dict[str, Any]:
    unique = list(dict.fromkeys(filter(None, (url.strip() for url in arguments.urls))))
    if not unique:
        raise ToolFailure("No URL was given.")
    return {
        "urls": [take_apart(url) for url in unique[:MAX_URLS]],
        "omitted": max(0, len(unique) - MAX_URLS),
        "sources": [_source()],
    }


def _source() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {"name": "Public Suffix List", "version": version("publicsuffixlist").rpartition(".")[2]}
    except PackageNotFoundError:
        return {"name": "Public Suffix List"}


_URL = re.compile(
    r"(?i)(?<![a-z0-9])(?:[a-z][a-z0-9+.-]{1,12}:(?://|\\\\)[^\s<>\"`]{2,4000}"
    r"|(?:javascript|vbscript|data):[^\s<>`]{2,4000})"
)
_TRAILING = re.compile(r"[)\]}>,.;:'\"!?*]+$")
_SCRIPT = re.compile(r"(?i)(?:javascript|vbscript|data):")
_BEHIND = re.compile(r"[/?#:][^\s<>\"'`]*")


def urls_in(text: str) -> list[str]:
    """Addresses of the web and bare host names, in the order in which they stand, refanged."""
    plain = indicators.refang(text[:MAX_LOOKED_AT])
    found = [
        (match.start(), url.rstrip("\"'?") if _SCRIPT.match(url := match.group()) else _TRAILING.sub("", url))
        for match in _URL.finditer(plain)
    ]
    work = _URL.sub(lambda match: " " * len(match.group()), plain)
    for each in indicators.extract(work):
        if each.type in ("domain", "onion") and "from_url" not in each.flags:
            end = each.start + len(each.original)
            behind = _BEHIND.match(work, end)
            found.append((each.start, _TRAILING.sub("", work[each.start : behind.end() if behind else end])))
    return list(dict.fromkeys(url for _, url in sorted(found) if url))


_JUDGE = (
    r"\bphish\w*|\bscam\w*|\bspoof\w*|\bfake\b|\blegit\w*|\bgenuine\b|\breal\b|\bsafe\b|\bsuspicious|\bmalicious|\bmalware"
    r"|\bdangerous|\btrust\w*|\blook-?a-?like|\btypo-?squat\w*|\bhomo(?:graph|glyph)\w*|\bpuny-?code|\bidn\b|\bimpersonat\w*"
    r"|\bimitat\w*|\bsketchy|\bshady|\bdodgy|\bbad\b|\bok(?:ay)?\b|\bclick\w*|\bfraud\w*|\bharmless|\bbenign|\bhostile"
)
_LOOK = (
    r"\bcheck|\binspect|\banaly[sz]|\bexamin|\binvestigat|\bbreak (?:it |this )?down|\btake apart"
    r"|\bdissect|\bpars(?:e|ing)\b"
    r"|\bexplain|\bassess|\breview|\blook (?:at|into)|\btriage"
    r"|\bwhere (?:does|do|will|would)\b|\bredirect|\bexpand|\bunshorten"
    r"|\bregistrable|\bregistered domain|\bwhat(?:'?s| is| are| about| does| do)\b|\bwrong\b|\bcompar\w*|\bdiffer\w*"
    r"|\btell me\b|\bopinion|\bthink\b|\bdecode\b|\bvisit"
)
_NAMED = (
    r"\burls?\b|\blinks?\b|\bdomains?\b|\bweb ?sites?\b|\bsites?\b"
    r"|\baddress(?:es)?\b|\bweb ?pages?\b|\bpages?\b|\bhosts?(?:names?)?\b"
)
_NOT_HERE = r"\b(?:de|re)fang\w*|\biocs?\b|\bindicators?\b|\b(?:extract|pull|collect|find|list)\b"


def _plan(request: Request) -> list[Call]:
    """Addresses in the user's own words, or pasted alone; those in a pasted report, mail or log are data for others."""
    judged = request.asks(_JUDGE)
    if request.asks(_NOT_HERE) or request.pasted_kind.startswith("log/") or request.pasted_kind == "email":
        return []
    found = urls_in(request.instruction)
    if request.pasted and (shown := urls_in(request.pasted)):
        size = sum(map(len, shown))
        if size > 0.6 * len(re.sub(r"\s+", "", indicators.refang(request.pasted[:MAX_LOOKED_AT]))):
            found = list(dict.fromkeys([*found, *shown]))
    if not found or request.named():
        return []
    size = sum(map(len, found))
    said = request.prompt[:MAX_LOOKED_AT]
    rest = re.sub(r"[\W_]+", "", _without(said, found))
    if not rest or re.fullmatch(r"(?i)(?:and|or|this|that|these|one|it|now|please|also|what|about|how)*", rest):
        return _call(found)
    if (
        (request.attachments or request.table)
        and not judged
        and not request.asks(rf"(?:{_LOOK})[^.\n]{{0,20}}(?:{_NAMED})")
    ):
        return []
    is_subject = size > 0.35 * len(said) or request.asks(_NAMED)
    return _call(found) if judged or (request.asks(_LOOK) and is_subject) else []


def _call(found: list[str]) -> list[Call]:
    shown = [url[:8_000] for url in found[:MAX_URLS]]
    return [Call("url_inspect", {"urls": shown}, f"take {listed(shown, 2)} apart")]


def _without(text: str, found: list[str]) -> str:
    text = indicators.refang(text)
    for url in sorted(found, key=len, reverse=True):
        text = text.replace(url, " ")
    return text


def is_notable(each: dict[str, Any]) -> bool:
    """Whether something about the URL is a known trick."""
    imitates = each["imitates"]
    return any(finding["strong"] for finding in each["findings"]) or bool(imitates and imitates["strong"])


def _answer(result: dict[str, Any], wish: Wish) -> str:
    urls = result["urls"]
    if wish.one_word:
        return "\n".join("suspicious" if is_notable(each) else "inconclusive" for each in urls)
    if wish.wants_only("domains?", "registr", "hosts?"):
        key = "host" if wish.wants_only("hosts?") else "registered"
        return "\n".join(f"- {code(each[key] or each['host'] or each['url'], 300)}" for each in urls)
    parts = [_many(urls)] if len(urls) > 5 else [_one(each) for each in urls]
    if result["omitted"]:
        parts.append(f"({count(result['omitted'], 'further URL')} left out.)")
    parts.append(
        "Nothing was visited or looked up: the address alone shows what it looks like, not who runs it or what it does."
    )
    return "\n\n".join(parts)


def verdict(each: dict[str, Any]) -> str:
    """One clause on what the address looks like."""
    imitates = each["imitates"]
    if imitates and imitates["kind"] == "other suffix":
        domains = listed(imitates["domains"], 3)
        return (
            f"carries the name **{imitates['name']}** under another ending; the owner's domains known here: {domains}"
        )
    if imitates:
        told = (
            f"**looks like an imitation of {imitates['name']}**"
            if imitates["strong"]
            else f"carries the name **{imitates['name']}**"
        )
        return f"{told} ({listed(imitates['domains'], 2)}): {imitates['how']}"
    if is_notable(each):
        return "uses **tricks that hide where it leads**"
    if each["is_shortener"]:
        return "is a link shortener's: where it leads does not stand in it"
    if not each["findings"]:
        return "shows nothing odd"
    return "shows no imitation of a name and no trick that is known here"


def _one(each: dict[str, Any]) -> str:
    lines = [f"{code(each['url'], 400)} {verdict(each)}."]
    if each["registered"]:
        shown = code(each["registered"])
        if each["registered_unicode"] != each["registered"]:
            shown = f"{code(each['registered_unicode'])} ({shown})"
        lines.append(
            f"- Registrable domain: {shown}" + (f", subdomain {code(each['subdomain'])}" if each["subdomain"] else "")
        )
    elif each["host"]:
        lines.append(f"- Host: {code(each['host'], 300)}, which has no registrable domain")
    if each.get("path", "") not in ("", "/"):
        lines.append(f"- Path: {code(each['path'], 300)}")
    if each.get("query"):
        fields = [f"{code(field['name'])} = {code(field['value'], 200)}" for field in each["query"][:10]]
        more = f" and {len(each['query']) - 10:,} more" if len(each["query"]) > 10 else ""
        lines.append(f"- Parameters: {', '.join(fields)}{more}")
    if each.get("content"):
        lines.append(f"- Content: {code(each['content'], 400)}")
    for finding in sorted(each["findings"], key=lambda finding: not finding["strong"]):
        text = f"**{finding['text']}**" if finding["strong"] else finding["text"]
        lines.append(f"- {text}" + (f": {code(finding['value'], 300)}" if finding["value"] else ""))
    return lines[0] + "\n\n" + "\n".join(lines[1:]) if lines[1:] else lines[0]


def _many(urls: list[dict[str, Any]]) -> str:
    notable = sum(map(is_notable, urls))
    told = f"{count(len(urls), 'address', 'addresses')}; {notable or 'none'} with a known trick or look-alike."
    rows = [
        (each["url"], each.get("registered_unicode") or each["registered"] or each["host"], Plain(_short(each)))
        for each in sorted(urls, key=lambda each: not is_notable(each))
    ]
    return f"{told}\n\n" + table(
        [Plain("address"), Plain("registrable domain"), Plain("what is notable")], rows, limit=50
    )


def _short(each: dict[str, Any]) -> str:
    told = [f"like {each['imitates']['name']}"] if each["imitates"] else []
    told += [finding["text"].partition(":")[0].replace("|", "/") for finding in each["findings"] if finding["strong"]]
    return "; ".join(told) or "–"


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "url": each["url"],
            "host": each["host"],
            "domain": each["registered"],
            "ip": each.get("ip"),
            "looks_like": each["imitates"]["name"] if each["imitates"] else None,
            "findings": "; ".join(finding["text"] for finding in each["findings"]),
        }
        for each in result["urls"]
    ]


def _payloads(result: dict[str, Any]) -> list[Payload]:
    if len(result["urls"]) < 2:
        return []
    items = _items(result)
    content = {"title": "Addresses", "columns": list(items[0]), "rows": [list(item.values()) for item in items]}
    return [Payload("sec-gemini/table", "Addresses", content)]


TOOLS = (
    Tool(
        name="url_inspect",
        description="Take URLs apart: registrable domain, punycode, look-alikes, tricks. Nothing is fetched.",
        ability='take a URL apart and say what it imitates: "Is https://www.xn--80ak6aa92e.com/login phishing?"',
        arguments=UrlsArguments,
        run=url_inspect,
        plan=_plan,
        answer=_answer,
        payloads=_payloads,
        items=_items,
    ),
)
