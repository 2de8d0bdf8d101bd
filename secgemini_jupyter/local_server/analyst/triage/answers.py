# ruff: noqa: E501  # words and sentences are read as a whole
"""What an answer of `file_triage` leads with: what was asked."""

from __future__ import annotations

import re
from typing import Any

from secgemini_jupyter.local_server.analyst.text import code, count, listed
from secgemini_jupyter.local_server.analyst.wishes import Wish

_PROGRAM = r"executable/"
_DOCUMENT = r"document/|text$"
ABOUT = {  # topic: (pattern of a kind, pattern of the words that ask for it)
    "safe": (
        r"",
        r"(?<!not )(?<!un)\b(?:safe(?:ly)?|harmless|benign|clean|innocent|innocuous|legit\w*|trustworthy|ok(?:ay)? to (?:open|run|click|use))\b"
        r"|\b(?:can|should|may) (?:i|we|one|you)\b.{0,20}\b(?:open|run|trust|execute|start|enable)\b",
    ),
    "runs": (
        r"document/|text$|application/|image/",
        r"\bruns?\b|\bexecutes?\b|\blaunch\w*|\bstarts?\b|\bauto-?(?:exec|open|run)\w*|\bpayload|\bactive content\b|\bopen(?:s|ed|ing)?\b"
        r"|\bdangerous\b|\bharmful\b|\bmalicious\b|\bsafe to\b|\bdo anything\b|\bdoes it do\b",
    ),
    "verdict": (r"", r"\bmalicious\b|\bmalware\b|\bvirus\w*|\btrojan\b|\binfected\b|\bsafe\b|\bharm(?:ful|less)\b|\bclean\b|\bbenign\b"),
    "macros": (r"document/|text$", r"\bmacros?\b|\bvba\b|\bvisual basic\b"),
    "dde": (r"document/|text$", r"\bdde(?:auto)?\b"),
    "javascript": (r"document/pdf|text$", r"\bjava ?scripts?\b|\bjs\b|\bscripts?\b"),
    "external": (_DOCUMENT, r"\bexternal\b|\bremote\b|\btemplates?\b|\bphone(?:s)? home\b|\bload(?:s|ed)?\b"),
    "embedded": (r"document/", r"\bembed\w*|\battached\b|\battachments?\b|\bobjects?\b"),
    "links": (_DOCUMENT, r"\burls?\b|\blinks?\b|\baddresses\b"),
    "metadata": (r"document/|image/", r"\bmetadata\b|\bauthors?\b|\bcreator\b|\bwho (?:wrote|made|created|saved)\b|\bproperties\b|\b(?:last )?(?:saved|modified)\b|\bwhen\b.{0,20}\bcreated\b"),
    "encrypted": (r"document/|executable/", r"\bencrypt\w*|\bpasswords?\b|\bprotected\b"),
    "pages": (r"document/", r"\bpages?\b"),
    "size": (r"", r"\bhow (?:big|large) is (?:it|this|that|_|the (?:file|document|program))\b|^\W*how (?:big|large)\W*$|\b(?:file|its) size\b|^\W*size\W*$|\bhow many (?:bytes|kb)\b"),
    "sections": (_PROGRAM, r"\bsections?\b"),
    "imports": (_PROGRAM, r"\bimport(?:s|ed)?\b(?! ?hash)|\bapis?\b|\bfunctions?\b|\bcapabilit\w+|\bdlls?\b|\blibraries\b"),
    "exports": (_PROGRAM, r"\bexport(?:s|ed)?\b"),
    "imphash": (_PROGRAM, r"\bimp(?:ort)?[ -]?hash\b"),
    "packed": (_PROGRAM, r"\bpack(?:ed|er|ers|ing)?\b|\bupx\b|\bobfuscat\w+|\bentropy\b"),
    "signature": (_PROGRAM, r"\bsigned\b|\bsignatures?\b|\bauthenticode\b|\bcertificates?\b|\bwho signed\b"),
    "compiled": (_PROGRAM, r"\bcompil\w+|\bbuil[dt]\b|\btime ?stamp\b"),
    "resources": (_PROGRAM, r"\bresources?\b|\bversion info\w*"),
    "overlay": (_PROGRAM, r"\boverlay\b|\bappended\b"),
    "type": (r"", r"\bfile ?types?\b|\bwhat (?:kind|type|sort)\b"),
}  # fmt: skip
_ABSENT = re.compile(r"\*\*((?:No|Not|Nothing)\b(?! verdict)[^*]+)\*\*")
"""A lead that says what is not there."""
_LOOKED_FOR = {
    "document/pdf": "JavaScript, launch actions, actions on opening, embedded files",
    "document/ooxml": "VBA and Excel 4.0 macros, DDE fields and links, external relations, embedded objects",
    "document/odf": "Basic macros, macros tied to events, DDE links",
    "document/ole": "VBA and Excel 4.0 macros, DDE fields and links, packaged files",
    "document/rtf": "embedded objects, DDE fields, external templates",
}


def value_of(result: dict[str, Any], wish: Wish) -> str | None:
    """The bare value, where only that is wanted."""
    facts = result["facts"]
    for words, value in (
        ("imp(?:ort)?[ -]?hash", facts.get("imphash")), ("ssdeep", result.get("ssdeep")), ("md5", result["md5"]),
        ("sha-?1\\b", result["sha1"]), ("sha-?256", result["sha256"]), ("entropy", result["entropy"]), ("size", result["size"]),
        ("(?:file ?)?type", result["type"]), ("compil", facts.get("compiled")), ("pages", facts.get("pages")),
    ):  # fmt: skip
        if value is not None and wish.wants_only(words):
            return str(value)
    lists = (
        ("sections?", [each["name"] for each in facts.get("sections") or []]),
        ("imports?|apis?|functions?", [name for names in (facts.get("imports") or {}).values() for name in names]),
        ("exports?", facts.get("exports") or []),
        ("urls?|links?", facts.get("links") or []),
    )
    for words, values in lists:
        if values and wish.wants_only(words):
            return "\n".join(f"- {code(value, 2000)}" for value in values[:200])
    if wish.one_word:
        return _one_word(result)
    return None


def _one_word(result: dict[str, Any]) -> str:
    """Of a question that yes or no answers, that; never a verdict."""
    kinds = {each["kind"] for each in result["findings"]}
    topics = result["about"]
    no = "Unknown" if result.get("unread") else "No"
    if "safe" in topics:  # of a document that starts something "No": "Yes" would say the opposite
        return "No" if _starts_something(result) else "Unknown"
    if "verdict" in topics:
        return "Unknown"
    if "packed" in topics:
        return "Yes" if result["facts"].get("packers") else "Unknown"
    if "macros" in topics:
        return "Yes" if result["facts"].get("has_macros") else no
    if "signature" in topics:
        return "Unverified" if (result["facts"].get("signature") or {}).get("is_present") else "No"
    if "encrypted" in topics:
        return "Yes" if any("encrypted" in each["what"] for each in result["findings"]) else no
    if "runs" in topics:
        return (
            "Yes"
            if "runs" in kinds
            else "Nothing"
            if result["kind"].startswith("document/") and no == "No"
            else "Unknown"
        )
    if "type" in topics:
        return str(result["kind"]).rpartition("/")[2]
    return "Unknown"


def lead(result: dict[str, Any]) -> str:
    """The sentences before the evidence: to each topic, or what the file is."""
    topics = [each for each in result["about"] if "safe" not in result["about"] or each not in ("runs", "verdict")]
    told = [_LEADS[topic](result) for topic in topics if topic in _LEADS]
    told = _not_known(result, told)
    told = list(dict.fromkeys(each for each in told if each))
    what = f"{code(result['source'])} is a {result['type']}, {count(result['size'], 'byte')}."
    if result["type"][:1] in "AEIO" and not result["type"].startswith("ELF"):
        what = what.replace("is a ", "is an ", 1)
    packers = result["facts"].get("packers")
    if packers and "packed" not in result["about"]:
        what += f" Its sections are named as {listed(packers, 3)} names them: it is probably packed, which is not the same as malicious."
    elif not result["about"] and (runs := _found(result, "runs")):
        first = runs[0]
        more = f", and {len(runs) - 1} more" if len(runs) > 1 else ""
        value = f": {code(first['value'], 300)}" if first["value"] else ""
        what += f" What stands out: {first['what']}{value}{more}."
    return "\n\n".join([" ".join(told), what] if told else [what])


def missed(each: dict[str, str]) -> str:
    """A part that was not read, and why."""
    name = " " + code(each["name"], 100) if each["name"] else ""
    return f"{each['what']}{name} {each['why']}"


def _not_known(result: dict[str, Any], told: list[str]) -> list[str]:
    """Nobody knows what is not there when a part was not read."""
    unread = result.get("unread") or []
    if not unread or not any(map(_ABSENT.match, told)):
        return told
    more = f" (and {count(len(unread) - 1, 'other part')})" if len(unread) > 1 else ""
    absent = [_ABSENT.sub(lambda m: f"{m[1][0].lower()}{m[1][1:]}", each) for each in told if _ABSENT.match(each)]
    rest = [each for each in told if not _ABSENT.match(each)]
    read = "; ".join(each.removesuffix(".") for each in absent)
    return [f"**Not known**: {missed(unread[0])}{more}. In what was read: {read}.", *rest]


def _found(result: dict[str, Any], *kinds: str, word: str = "") -> list[dict[str, str]]:
    return [each for each in result["findings"] if each["kind"] in kinds and word.lower() in each["what"].lower()]


def _starts_something(result: dict[str, Any]) -> bool:
    return not result["kind"].startswith("executable/") and bool(_found(result, "runs"))


def _safe(result: dict[str, Any]) -> str:
    """ "Is it safe?" is answered the other way round than "does it run anything?"."""
    if result["kind"].startswith("executable/"):
        return _verdict(result)
    return re.sub(r"^\*\*Yes\*\*", "**No**, it starts something", _runs(result))


def _runs(result: dict[str, Any]) -> str:
    runs = _found(result, "runs")
    macros = ""
    if result["kind"].startswith("document/") and "has_macros" in result["facts"] and not result["facts"]["has_macros"]:
        macros = " There are no VBA macros in it."
    if runs:
        first = runs[0]
        value = f": {code(first['value'], 300)}" if first["value"] else ""
        more = f"; {len(runs) - 1} more below" if len(runs) > 1 else ""
        return f"**Yes**: {first['what']}{value}{more}.{macros}"
    if result["kind"].startswith("executable/"):
        return "It is itself a program."
    loads = _found(result, "fetches")
    also = f" It does load something: {loads[0]['what']}: {code(loads[0]['value'], 300)}." if loads else ""
    looked = _LOOKED_FOR.get(result["kind"], "commands that start programs, download or decode")
    return (
        f"**Nothing was found** that runs something; looked for: {looked}.{also} That is no proof that it is harmless."
    )


def _macros(result: dict[str, Any]) -> str:
    facts = result["facts"]
    if facts.get("has_macros"):
        modules = facts.get("macros") or []
        own = _found(result, "runs", word="macro")
        told = f": {listed((each['module'] for each in modules), 5)}" if modules else ""
        auto = [each["value"] for each in own if "by itself" in each["what"]]
        runs = f" They run by themselves on {listed(auto, 4)}." if auto else ""
        return f"**Yes, it has macros**{told}.{runs}"
    if not result["kind"].startswith("document/") or result["kind"] in ("document/pdf", "document/rtf"):
        return f"**No**: {'an' if result['type'][:3] == 'RTF' else 'a'} {result['type']} holds no VBA macros."
    encrypted = (
        " (it is encrypted, so they could not be looked for)" if _found(result, "hides", word="it is encrypted") else ""
    )
    return f"**No macros** were found{encrypted}."


def _listing(kinds: tuple[str, ...], word: str, some: str, none: str, plural: str = "") -> Any:
    def told(result: dict[str, Any]) -> str:
        found = _found(result, *kinds, word=word)
        if not found:
            return none
        if all(each["what"].startswith("the word /") for each in found):
            return f"**Perhaps**: {'; '.join(each['what'] for each in found)}, and its structure could not be read."
        values = [each["value"] or each["what"] for each in found]
        more = " or more" if result.get("left_out") else ""
        return f"**{len(found):,}{more} {some if len(found) == 1 else plural or some + 's'}**: {listed(dict.fromkeys(values), 6)}."

    return told


def _links(result: dict[str, Any]) -> str:
    loads = [each["value"] for each in _found(result, "fetches") if "://" in each["value"]]
    links = list(dict.fromkeys([*result["facts"]["links"], *loads]))
    if not links:
        return "**No links** were found in its structure."
    more = " or more" if loads and result.get("left_out") else ""
    return f"**{len(links):,}{more} {'link' if len(links) == 1 else 'links'}**:\n\n" + "\n".join(
        f"- {code(link, 2000)}" for link in links[:50]
    )


def _sections(result: dict[str, Any]) -> str:
    names = [each["name"] or "(unnamed)" for each in result["facts"].get("sections") or []]
    return f"**{count(len(names), 'section')}**: {listed(names, 20)}." if names else "It has no sections."


def _imports(result: dict[str, Any]) -> str:
    facts = result["facts"]
    libraries = facts.get("imports") or {}
    if not libraries:
        names = facts.get("libraries") or []
        return (
            f"It needs {count(len(names), 'library', 'libraries')}: {listed(names, 20)}."
            if names
            else "It imports nothing."
        )
    lines = [f"- {code(library)}: {listed(names, 20)}" for library, names in list(libraries.items())[:40]]
    can = [f"- can {what}: {listed(names, 8)}" for what, names in facts["capabilities"].items()]
    told = f"**{count(facts['imports_total'], 'imported function')}** from {count(len(libraries), 'library', 'libraries')}:\n\n"
    return told + "\n".join(lines) + ("\n\nWhat they are for:\n\n" + "\n".join(can) if can else "")


def _exports(result: dict[str, Any]) -> str:
    names = result["facts"].get("exports") or []
    total = result["facts"].get("exports_total", 0)
    return f"**{count(total, 'exported function')}**: {listed(names, 30)}." if names else "It exports nothing."


def _packed(result: dict[str, Any]) -> str:
    packers = result["facts"].get("packers")
    dense = _found(result, "hides", word="entropy") + _found(result, "hides", word="mark of the packer")
    if packers or dense:
        by = f" Its sections are named as {listed(packers, 3)} names them." if packers else ""
        more = " ".join(f"{each['what'].capitalize()}: {code(each['value'])}." for each in dense)
        return f"**Probably packed.**{by}{' ' * bool(more)}{more} Packed is not the same as malicious."
    return f"**No sign of a packer**: no section has a packer's name or an entropy over 7.2 (the whole file has {result['entropy']})."


def _signature(result: dict[str, Any]) -> str:
    signature = result["facts"].get("signature") or {"is_present": False}
    if not signature["is_present"]:
        return "**Not signed**: there is no signature in it."
    names = signature.get("certificates") or []
    return "**It carries a signature**, which was not verified here" + (
        f"; its certificates: {listed(names, 4)}." if names else "."
    )


def _fact(key: str, title: str) -> Any:
    def told(result: dict[str, Any]) -> str:
        value = result["facts"].get(key)
        return f"**{title}**: {code(value, 300)}." if value else f"It has no {title.lower()}."

    return told


def _pages(result: dict[str, Any]) -> str:
    pages = result["facts"].get("pages")
    if pages is None:
        pages = (result["facts"].get("metadata") or {}).get("Pages")
    if pages is None:
        return "**How many pages it has is not written in it**: that is known when it is laid out."
    counted = "" if result["kind"] == "document/pdf" else ", as its metadata says"
    return f"**Pages**: {code(pages, 20)}{counted}."


def _metadata(result: dict[str, Any]) -> str:
    pairs = list((result["facts"].get("metadata") or {}).items())
    return (
        "Its metadata: " + ", ".join(f"{code(k, 40)} {code(v)}" for k, v in pairs[:12]) + "."
        if pairs
        else "It has no metadata."
    )


def _encrypted(result: dict[str, Any]) -> str:
    found = _found(result, "hides", word="encrypted")
    return f"**Yes**: {found[0]['what']}." if found else "**Not encrypted**, as far as its structure shows."


def _overlay(result: dict[str, Any]) -> str:
    overlay = result["facts"].get("overlay")
    if not overlay:
        return "There is nothing after the last section."
    told = f", {overlay['looks_like']}" if overlay["looks_like"] else ""
    return f"**{count(overlay['size'], 'byte')}** after the last section{told}, entropy {overlay['entropy']}."


def _resources(result: dict[str, Any]) -> str:
    kinds = result["facts"].get("resources") or {}
    return (
        "Its resources: " + ", ".join(f"{code(k)} ({n})" for k, n in kinds.items()) + "."
        if kinds
        else "It has no resources."
    )


def _verdict(result: dict[str, Any]) -> str:
    """Never one: what would speak for it, counted."""
    told = [count(len(_found(result, kind)), what, plural) for kind, what, plural in (
        ("runs", "thing that runs something", "things that run something"),
        ("fetches", "thing loaded from elsewhere", "things loaded from elsewhere"),
        ("hides", "sign of packing or hiding", "signs of packing or hiding"),
    )]  # fmt: skip
    return f"**No verdict**: structure alone does not tell whether it is malicious. It has {told[0]}, {told[1]}, {told[2]}."


_LEADS: dict[str, Any] = {
    "safe": _safe,
    "verdict": _verdict,
    "runs": _runs,
    "macros": _macros,
    "dde": _listing(("runs",), "DDE", "DDE field or link", "**No DDE** field or link was found."),
    "javascript": _listing(("runs",), "JavaScript", "script", "**No JavaScript** was found."),
    "external": _listing(
        ("fetches",),
        "",
        "thing loaded from elsewhere",
        "**Nothing external** is loaded.",
        "things loaded from elsewhere",
    ),
    "embedded": _listing(("notes", "runs"), "embedded", "embedded thing", "**Nothing embedded** was found."),
    "links": _links,
    "metadata": _metadata,
    "encrypted": _encrypted,
    "pages": _pages,
    "size": lambda result: f"**{count(result['size'], 'byte')}**.",
    "sections": _sections,
    "imports": _imports,
    "exports": _exports,
    "imphash": _fact("imphash", "Imphash"),
    "packed": _packed,
    "signature": _signature,
    "compiled": _fact("compiled", "Compile time in the header"),
    "resources": _resources,
    "overlay": _overlay,
}
