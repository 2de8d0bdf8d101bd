"""data_import and data_info: the data behind the lookups; what came with the package, what the user imported."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst import import_asked
from secgemini_jupyter.local_server.analyst.data.imports import Imports, packaged
from secgemini_jupyter.local_server.analyst.parts import named_parts
from secgemini_jupyter.local_server.analyst.text import Plain, code, prose, table
from secgemini_jupyter.local_server.analyst.tool import (
    Attached,
    Call,
    FileOrText,
    Inputs,
    Payload,
    Request,
    Tool,
    ToolFailure,
    Wish,
)

Row = dict[str, Any]
_WHAT = {
    "kev": "CISA KEV: which CVEs are known to be exploited (cisa.gov/known-exploited-vulnerabilities-catalog)",
    "epss": "EPSS: how likely each CVE is to be exploited (first.org/epss)",
    "nvd": "NVD: descriptions, CVSS scores, dates (nvd.nist.gov)",
    "ip": "a MaxMind DB (.mmdb): country, city, network of IP addresses",
}
_SETS = r"kev\b|\bkev|known.exploited|epss|\bnvd|mmdb|geo-?lite|geo-?ip|maxmind|\bcve feed"
_VERB = r"(?:re-?)?(?:import|load|ingest|add)\b(?! (?:work|function|table|hash|statement)s?\b)"
_TOLD = re.compile(  # the user tells it to, at the beginning of a sentence or of a further thing to do
    r"(?:^|[,:]|\b(?:and|then)\b)[\s>*-]*"
    r"(?:(?:please|pls|kindly|now|then|also|just|ok(?:ay)?|yes|hi|hello|thanks?|go ahead and|bitte"
    r"|(?:can|could|would|will) (?:you|u)(?: please)?|let'?s|let us"
    r"|(?:i|we)(?:'d| would| want| need)?(?: like| want| need)?(?: you)? to)[,\s]+){0,4}" + _VERB
)
_UNTOLD = re.compile(  # a question, or what is not to be done
    r"^\W*(?:how|what|which|who|whom|whose|when|where|why|should|shall|is|are|was|were"
    r"|does|do(?! import)|did|may|must|might|if|in case"
    r"|(?:can|could) (?:i|we|one|it|this|they)|has|have|had|after|before|unless|until|suppose)\b"
    r"|\bn[o']t\b|n't\b|\bnever\b|\bno\b|\bwithout\b|\bundo\b|\bstop\b|\bavoid\b|\binstead\b|\brather\b|\bcannot\b|\bnicht\b"
)
_SENTENCE = re.compile(r"[.!?;]+(?=\s|$)|\n")
_QUOTED = re.compile(
    r"(?:^|(?<=[\s(:,]))(['\"`])(?=[^'\"`]{0,400}\b(?:import|load|ingest|add)\b)[^'\"`]{0,800}\1|[“‘«„][^”’»“]{0,800}[”’»“]"
)
_HOW = "Attach the file and ask `import it as data`, or run `secgemini-jupyter data import FILE`."


class ImportArguments(FileOrText):
    """`file`: an attachment: a KEV catalogue, EPSS scores, an NVD feed or a MaxMind DB, told by its content."""


class InfoArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Nothing is needed."""


def data_import(arguments: ImportArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    from secgemini_jupyter.local_server.analyst.data.importing import import_file

    if not isinstance(files, Inputs) or files.data is None:
        raise ToolFailure("There is no data folder to import into.")
    if arguments.file is None:
        raise ToolFailure("Only a file can be imported: attach it.")
    about = import_file(arguments.source, io.BytesIO(arguments.content(files)), files.data)
    return {"imported": about, "folder": str(files.data)}


def data_info(_arguments: InfoArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    imports = Imports.of(files)
    found = imports.all()
    kinds = {"ip" if each["kind"].startswith("ip-") else each["kind"] for each in found}
    return {
        "packaged": packaged(),
        "imported": found,
        "missing": [kind for kind in _WHAT if kind not in kinds],
        "folder": str(imports.folder) if imports.folder else None,
    }


def _plan_import(request: Request) -> list[Call]:
    """Only the user's own words start it: told to, with a dataset by name, or a file that is no log.

    It replaces what is there for every session: a question about importing, or "don't", must not.
    """
    if not (_is_told_to(request) and import_asked.is_ordered(request)):
        return []
    says_set = request.asks(rf"{_SETS}|\bas (?:a )?data(?: ?set)?\b|\bdata ?sets?\b") or bool(
        re.search(_SETS, " ".join(each.name.lower() for each in request.named()))
    )
    says_import = request.asks(r"\bimport\b")
    if not says_set and not says_import:
        return []
    files = request.named() or [each for each in request.attachments if each.is_new] or list(request.attachments)
    if not request.named():
        if named_parts(request):
            return []  # another name than those that are attached
        sets = re.findall(r"kev|epss|nvd|geo-?lite|geo-?ip", request.words)
        files = [e for e in files if any(each in e.name.lower() for each in sets)] or files
    is_named = says_import and bool(request.named())
    files = [
        each
        for each in files
        if says_set or (is_named and _may_be_data(each)) or not (_is_plain_log(each) or _is_taken_apart(each))
    ]
    return [Call("data_import", {"file": each.name}, f"import {code(each.name)}") for each in files[:12]]


def _is_told_to(request: Request) -> bool:
    sentences = [each for each in _SENTENCE.split(_QUOTED.sub(" ", request.words)) if re.search(rf"\b{_VERB}", each)]
    return bool(sentences) and all(_TOLD.search(each) and not _UNTOLD.search(each) for each in sentences)


def _may_be_data(each: Attached) -> bool:
    """JSON by its name: the import itself says what it is not."""
    return re.search(r"\.json(?:\.gz)?$", each.name.lower()) is not None


def _is_taken_apart(each: Attached) -> bool:
    """A program or document: its imports are functions."""
    return each.kind.startswith(("executable/", "document/"))


def _is_plain_log(each: Attached) -> bool:
    return each.is_log and not re.search(_SETS, each.name.lower())


_DATA = (
    r"\batt&?ck\b|\bmitre\b|\bcwes?\b|\bkev\b|\bepss\b|\bnvd\b|\bmmdb\b|\bgeo-?(?:lite|ip)\b|\bdata ?sets?\b|\bdata\b"
)
_ASKS_HOW = r"^\W*(?:how|should|shall|can i|could i|may i|what happens|where|is it safe)\b"
_AGE = r"\bversion|\bhow (?:old|new|recent|current|fresh)|\bup to date|\bas of|\bdate of|\bage of|\bwhen"


def _plan_info(request: Request) -> list[Call]:
    if request.asks(rf"\b(?:import|load|ingest)\b.*?(?:{_SETS})") and request.asks(_ASKS_HOW):
        return [Call("data_info", {}, "tell how data is imported")]
    if request.asks(r"\b(?:import|load|ingest)\b(?!ed)") or request.pasted:
        return []
    if request.asks(r"\bdetect|\bT\d{4}\b"):
        return []  # the data sources of a detection
    asks_version = request.asks(
        rf"(?:{_AGE})\b.{{0,40}}(?:{_DATA})|(?:{_DATA}).{{0,40}}\b(?:version|imported|updated?|installed|how old)\b"
    )
    asks_version = asks_version or request.asks(
        r"\bversion of (?:the |your )?(?:mitre )?attack\b|\b(?:your|which|what) (?:mitre )?attack (?:data )?version\b"
    )
    # How many entries an import has, it tells itself: the file may no longer be attached, and a log question is none.
    asks_size = request.asks(
        r"\bhow (?:many|big|large)\b.{0,40}\b(?:kev|epss|nvd)\b|\b(?:kev|epss|nvd)\b.{0,20}\bhow many\b"
    )
    asks_list = asks_size or request.asks(
        r"\b(?:what|which|list|show)\b.{0,20}\b(?:data ?sets?|data sources?|offline data|reference data)\b"
        r"|\bwhat data (?:do you|have you|is|are|can)\b|\bwhich data do you\b|\bdata_info\b|^data info\b"
        rf"|(?:\blicen[cs]e|\bterms\b|\bnotice|\battribution).{{0,40}}(?:{_DATA})|(?:{_DATA}).{{0,40}}\blicen[cs]e"
        r"|\b(?:do|have) (?:you|we) (?:have|got|know)? ?(?:the |any )?"
        r"(?:kev|epss|nvd|mmdb|geo-?(?:ip|lite)|cwe|att&?ck|mitre)\b"
    )
    about_files = request.named() and not asks_list
    return (
        [Call("data_info", {}, "list the data that is here")] if (asks_list or asks_version) and not about_files else []
    )


def _answer_import(result: Row, _wish: Wish) -> str:
    about = result["imported"]
    what = f"**{prose(about['name'])}**"
    rows = f"{about['rows']:,} {'entries' if not about['kind'].startswith('ip-') else 'nodes'}"
    told = f"Imported {code(about['file'])} as {what}: {rows}"
    if about.get("version") and about["version"] != about["name"]:
        told += f", version {prose(about['version'])}"
    if about.get("date"):
        told += f", of {prose(about['date'])}"
    told += "."
    if about.get("skipped"):
        told += f" {about['skipped']:,} could not be read and were left out."
    if about.get("rows_in_all", about["rows"]) != about["rows"]:
        told += f" With what was there before: {about['rows_in_all']:,}."
    return "\n\n".join(
        [
            told,
            f"SHA-256: `{about['sha256']}`. Terms: {prose(about['terms'])}; check them with the publisher.",
            f"It is kept in {code(result['folder'])} for all sessions of this service, also for those that keep "
            f"nothing, until `secgemini-jupyter data remove {about['kind']}` removes it.",
        ]
    )


def _answer_info(result: Row, wish: Wish) -> str:
    rows = _items(result)
    if wish.wants_only("version"):
        return "\n".join(f"{row['name']}: {row['version'] or row['date']}" for row in rows)
    cells = [
        (
            Plain(prose(row["name"])),
            Plain(prose(row["version"])),
            Plain(prose(row["date"])),
            row["rows"],
            Plain(prose(row["from"])),
        )
        for row in rows
    ]
    heads = [Plain(name) for name in ("data", "version", "date", "entries", "from")]
    parts = ["This is the data here, all of it offline:", table(heads, cells, limit=40)]
    if result["missing"]:
        lines = [f"- {_WHAT[kind]}" for kind in result["missing"]]
        parts.append("Not imported, and therefore not known here:\n\n" + "\n".join(lines) + f"\n\n{_HOW}")
    parts += [prose(each["damaged"], 300) for each in result["imported"] if each.get("damaged")]
    if result["imported"] and result["folder"]:
        parts.append(f"Imports are kept in {code(result['folder'])}; `secgemini-jupyter data remove NAME` removes one.")
    terms = dict.fromkeys(
        f"{each['name'].partition(':')[0]}: {each['terms']}" for each in _all(result) if each.get("terms")
    )
    parts.append("Terms:\n\n" + "\n".join(f"- {prose(each, 400)}" for each in terms))
    return "\n\n".join(parts)


def _all(result: Row) -> list[Row]:
    return [*result["packaged"], *result["imported"]]


def _items(result: Row) -> list[Row]:
    rows = []
    for each in _all(result):
        origin = each.get("package") or f"{each.get('file', '?')}, imported {str(each.get('imported', '?'))[:10]}"
        version, date = str(each.get("version") or ""), str(each.get("date") or "")
        row = {"name": each["name"], "version": version if version != each["name"] else "", "date": date}
        rows.append(row | {"rows": each.get("rows"), "from": origin, "key": each.get("kind") or each.get("key", "")})
    return rows


def _payloads(result: Row) -> list[Payload]:
    rows = _items(result)
    content = {"title": "Data", "columns": list(rows[0]), "rows": [list(row.values()) for row in rows]}
    return [Payload("sec-gemini/table", "Data", content)]


TOOLS = (
    Tool(
        name="data_import",
        description="Import an attached KEV, EPSS or NVD file or a MaxMind DB, so that lookups use it.",
        ability='import KEV, EPSS, NVD or .mmdb files for the lookups: "Import kev.json"',
        arguments=ImportArguments,
        run=data_import,
        plan=_plan_import,
        answer=_answer_import,
        writes=True,
    ),
    Tool(
        name="data_info",
        description="The data behind the lookups: versions, dates, sizes, sources, licences; what is not imported.",
        ability='tell versions and dates of its data: "What data do you have?", "How old is your ATT&CK?"',
        arguments=InfoArguments,
        run=data_info,
        plan=_plan_info,
        answer=_answer_info,
        payloads=_payloads,
        items=_items,
    ),
)
