"""cve_lookup: what is known of a CVE without a network: CWE's examples, and what the user imported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from secgemini_jupyter.local_server.analyst.data.asking import questions
from secgemini_jupyter.local_server.analyst.data.cwe import cwe
from secgemini_jupyter.local_server.analyst.data.imports import KINDS, Imports
from secgemini_jupyter.local_server.analyst.text import Plain, code, count, prose, table
from secgemini_jupyter.local_server.analyst.tool import Call, Request, Tool, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.tools.iocs import FIND

Row = dict[str, Any]
_DASH = r"[\s_‐-―−-]{1,3}"
_CVE = re.compile(rf"(?<![\w-])CVE(?:{_DASH}|:\s?)?(\d{{1,6}}){_DASH}(\d{{1,19}})(?![\w-])", re.IGNORECASE)
_LACKS = {
    "kev": "whether CISA lists it as exploited (KEV)",
    "epss": "how likely it is to be exploited (EPSS)",
    "nvd": "its description, CVSS scores and dates (NVD)",
}
_NO_NAME = re.compile(r"\b(?:cwe|it|them|this|examples?)\b", re.IGNORECASE)
FIRST_YEAR = 1999
MAX_ASKED = 12
MAX_WORDS = 60
_OF = re.compile(
    r"\bcves?\s+(?:(?:number|id|numbers|ids)\s+)?(?:of|for|is|was|are|about|behind|affect\w*|exploit\w*|called|named)\s+"
    r"(?:the\s+)?(?P<x>[\w][\w .+-]{2,40})$",
    re.IGNORECASE,
)


_BY_NAME = re.compile(
    r"(?:(?:what\s*(?:is|'?s|are)|tell me about|explain|cve)\s+)?(?:the\s+)?(?P<x>\w{2,20}"
    r"(?:4shell|bleed|shock|logon|nightmare"
    r"|keep)|(?:proxy|ghost)shell|eternal\w+|heartbleed"
    r"|dirty (?:cow|pipe)|meltdown|spectre|citrix bleed)\W*(?:vulnerability|bug|cve)?$",
    re.IGNORECASE,
)
"""Names that such vulnerabilities are given: log4shell, heartbleed, zerologon, printnightmare."""

About = Literal["all", "kev", "epss", "nvd", "cwe"]


class CveArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`cve`: an id, like CVE-2021-44228; or a word that the examples of CWE are searched for: log4shell.

    `about`: what is told first.
    """

    cve: str
    about: About = "all"


_ABOUT: tuple[tuple[About, str], ...] = (
    ("epss", r"\bepss\b|\blikel|\bprobab|\bpercentile\b|\bchance\b"),
    ("kev", r"\bkev\b|\bexploited\b|\bransomware\b|\bin the wild\b|\bcisa\b"),
    ("nvd", r"\bcvss\b|\bscore\b|\bsever|\bnvd\b|\bvector\b|\bpublished\b"),
    ("cwe", r"\bcwes?\b(?![\s-]*\d)|\bweakness"),
)


def cve_lookup(arguments: CveArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    match = _CVE.fullmatch(arguments.cve.strip())
    if match is None and "cve" not in arguments.cve.lower() and 3 <= len(arguments.cve) <= MAX_WORDS:
        data = cwe()
        return {"words": arguments.cve, "found": data.cves_about(arguments.cve), "cves_in_cwe": data.cves,
                "sources": data.sources()}  # fmt: skip
    if match is None:
        raise ToolFailure("That is no CVE id: one is like CVE-2021-44228, with a year and at least four digits.")
    year, digits = match.groups()
    problem = _problem(year, digits)
    read_as = f"CVE-20{year}-{digits}" if len(year) == 2 and len(digits) >= 4 else f"CVE-{year}-{digits}"
    result: Row = {
        "asked": arguments.cve.strip(),
        "cve": read_as,
        "problem": problem,
        "about": arguments.about,
        "sources": [],
    }
    if problem and read_as == f"CVE-{year}-{digits}":
        return result
    data, imports = cwe(), Imports.of(files)
    result |= {"examples": data.examples_with(read_as), "cves_in_cwe": data.cves, "sources": data.sources()}
    result |= {"missing": [], "damaged": {}}
    for kind in KINDS:
        try:
            if about := imports.about(kind):
                result |= {kind: imports.row(kind, read_as), f"{kind}_about": about}
                result["sources"].append(imports.as_source(kind))
                continue
        except ToolFailure as failure:
            result["damaged"][kind] = str(failure)
        result["missing"].append(kind)
    return result


def _problem(year: str, digits: str) -> str:
    if len(year) != 4:
        return "the year of a CVE id has four digits"
    if int(year) < FIRST_YEAR:
        return f"CVE ids begin with the year {FIRST_YEAR}"
    if len(digits) < 4:
        return "the number of a CVE id has at least four digits"
    return ""


def _plan(request: Request) -> list[Call]:
    """CVEs that the user asks about; those of a report that is shown are for extract_iocs."""
    if request.asks(rf"{FIND}|\b(?:de|re)fang|\biocs?\b|\bindicators?\b"):
        return []
    asked = [match.group() for question in questions(request) for match in _CVE.finditer(question)]
    if not asked and not (request.attachments or request.table or request.pasted):
        matches = [_OF.search(question) or _BY_NAME.match(question) for question in questions(request)]
        named = [match["x"] for match in matches if match]
        return [Call("cve_lookup", {"cve": each}, f"search the offline data for {code(each)}")
                for each in named if not _NO_NAME.search(each)]  # fmt: skip
    unique = list(dict.fromkeys(re.sub(_DASH, "-", each.strip().upper()) for each in asked))
    about = next(({"about": name} for name, words in _ABOUT if request.asks(words)), {})
    return [
        Call("cve_lookup", {"cve": cve} | about, f"look up {code(cve)} in the offline data")
        for cve in unique[:MAX_ASKED]
    ]


def _answer(result: Row, wish: Wish) -> str:
    if "words" in result:
        return _by_words(result)
    cve = result["cve"]
    if "examples" not in result:
        return f"{code(result['asked'])} is no CVE id: {result['problem']}. Nothing was looked up."
    kev, epss, nvd = (result.get(kind) for kind in KINDS)
    if wish.wants_only("epss", "percentile"):
        return f"{epss['score']:.5f}" if epss else _absent("epss", result)
    if wish.wants_only("score", "cvss") and nvd and nvd["metrics"]:
        return ", ".join(f"{each['score']:.1f}" for each in nvd["metrics"])
    if wish.wants_only("cwe", "weakness"):
        found = [*(row["id"] for row in result["examples"]), *((nvd or {}).get("cwes") or [])]
        return ", ".join(dict.fromkeys(found)) or "none known here"
    if wish.one_word and result["about"] == "kev":
        return "Unknown" if "kev" in result["missing"] else "Yes" if kev else "No"
    parts = []
    if result["problem"]:
        parts.append(f"{code(result['asked'])} is no CVE id ({result['problem']}); it was read as {cve}.")
    told = {
        "nvd": _nvd(cve, nvd) if nvd else "",
        "kev": _kev(cve, kev) if kev else "",
        "epss": _epss(cve, epss, result["epss_about"]) if epss else "",
        "cwe": _examples(result),
    }
    about = result["about"]
    if about in KINDS and not told[about]:
        parts.append(_absent(about, result))
    parts += filter(None, [told.pop(about, ""), *told.values()])
    if not (nvd or kev or epss or result["examples"]):
        parts.append(f"**Nothing is known here of {cve}.** That says nothing about whether it exists or how bad it is.")
    absent = [kind for kind in KINDS if kind not in result["missing"] and result[kind] is None]
    parts += [_absent(kind, result) for kind in absent if kind != about]
    parts.append(_limits(result))
    return "\n\n".join(parts)


def _by_words(result: Row) -> str:
    rows = [f"- **{row['cve']}** ({', '.join(row['weaknesses'])}): {prose(row['told'])}" for row in result["found"]]
    limits = (
        f"Only the {result['cves_in_cwe']:,} CVEs that CWE gives as examples were searched: this is no CVE database."
    )
    head = (
        f"CVEs with {code(result['words'])} in what CWE says of them:"
        if rows
        else f"No example of CWE names {code(result['words'])}."
    )
    return "\n\n".join([head, *(["\n".join(rows)] if rows else []), limits])


def _nvd(cve: str, nvd: Row) -> str:
    told = f"**{cve}** in NVD: {prose(nvd['description']) or 'no description'}"
    dates = [f"Published {nvd['published']}"] if nvd["published"] else []
    dates += [f"changed {nvd['modified'][:10]}"] if nvd["modified"] else []
    dates += [f"status: {prose(nvd['status'])}"] if nvd["status"] else []
    dates += [f"weaknesses: {', '.join(nvd['cwes'])}"] if nvd["cwes"] else []
    dates.append(count(nvd["references"], "reference"))
    parts = [told, "; ".join(dates) + "."]
    if nvd["metrics"]:
        rows = [(Plain(f"{each['score']:.1f}"), each["severity"], each["version"], each["vector"], each["by"])
                for each in nvd["metrics"]]  # fmt: skip
        parts.append(table([Plain(name) for name in ("score", "severity", "CVSS", "vector", "by")], rows))
    return "\n\n".join(parts)


def _kev(cve: str, kev: Row) -> str:
    ransomware = prose(kev.get("knownRansomwareCampaignUse", "not told"))
    cells = [
        ("added", kev.get("dateAdded")), ("due date", kev.get("dueDate")), ("vendor", kev.get("vendorProject")),
        ("product", kev.get("product")), ("name", kev.get("vulnerabilityName")), ("what", kev.get("shortDescription")),
        ("required action", kev.get("requiredAction")), ("notes", kev.get("notes")),
        ("weaknesses", ", ".join(kev.get("cwes", []))),
    ]  # fmt: skip
    lines = [f"- {name}: {prose(value, 600)}" for name, value in cells if value]
    head = f"**{cve} is in CISA's KEV catalogue**: known to be exploited; use in ransomware campaigns: {ransomware}."
    return f"{head}\n\n" + "\n".join(lines)


def _epss(cve: str, epss: Row, about: Row) -> str:
    date = epss.get("date") or about.get("date") or "a day that the file does not tell"
    model = f", model {prose(about['version'])}" if about.get("version") else ""
    return (
        f"**EPSS {epss['score']:.5f}** for {cve}: a chance of {epss['score']:.2%} that it is exploited in the next "
        f"30 days, percentile {epss['percentile']:.2%} (scores of {prose(date)}{model})."
    )


def _examples(result: Row) -> str:
    lines = [f"- {row['id']} {prose(row['name'])}: {prose(row['example'])}" for row in result["examples"]]
    if not lines:
        return ""
    version = result["sources"][0]["version"]
    return f"CWE {version} gives {result['cve']} as an example of:\n\n" + "\n".join(lines)


def _absent(kind: str, result: Row) -> str:
    cve, about = result["cve"], result.get(f"{kind}_about")
    if kind in result["damaged"]:
        return f"**Not known here: {_LACKS[kind]}**: that import is damaged."
    if about is None:
        return f"**Not known here: {_LACKS[kind]}**: no such file is imported."
    name = prose(about["name"])
    of = f" of {about['date']}" if about.get("date") else ""
    why = {"kev": "CISA did not list it as exploited then", "epss": "it had no score then",
           "nvd": "the imported feeds may not cover its year"}[kind]  # fmt: skip
    return f"{cve} is **not** in the imported {name}{of}: {why}."


def _limits(result: Row) -> str:
    told = f"This is no CVE database: offline there are {result['cves_in_cwe']:,} CVEs that CWE names as examples"
    if there := [kind for kind in KINDS if kind not in result["missing"]]:
        told += f", and what you imported ({', '.join(result[f'{kind}_about']['name'] for kind in there)})"
    told += "."
    told += "".join(f" {prose(each, 300)}" for each in result["damaged"].values())
    if missing := [kind for kind in result["missing"] if kind not in result["damaged"]]:
        lacks = [_LACKS[kind] for kind in missing]
        told += f" Not known here: {'; '.join(lacks)}. Import such a file: attach it and ask `import it as data`, or "
        told += "run `secgemini-jupyter data import FILE`."
    return told


def _items(result: Row) -> list[Row]:
    if "words" in result:
        return [{"cve": row["cve"], "told": row["told"]} for row in result["found"]]
    item: Row = {"id": result["cve"]}
    kev, epss, nvd = (result.get(kind) for kind in KINDS)
    weaknesses = [*(row["id"] for row in result.get("examples", [])), *((nvd or {}).get("cwes") or [])]
    item["weaknesses"] = list(dict.fromkeys(weaknesses))
    if "kev" in result:
        item["kev"] = kev is not None
    if epss:
        item["epss"] = epss["score"]
    if nvd and nvd["metrics"]:
        item["cvss"] = nvd["metrics"][0]["score"]
    return [item]


TOOLS = (
    Tool(
        name="cve_lookup",
        description="What the offline data says of a CVE: the CWE weaknesses it is an example of; CISA KEV, EPSS and "
        "NVD where the user has imported them. No CVE database.",
        ability='say what offline data holds on a CVE (with KEV, EPSS, NVD once imported): "CVE-2021-44228?"',
        arguments=CveArguments,
        run=cve_lookup,
        plan=_plan,
        answer=_answer,
        items=_items,
    ),
)
