"""yara_scan: the user's own YARA rules over an attachment, and over what is in it if it is an archive."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from secgemini_jupyter.local_server.analyst.text import Plain, code, count, listed, table
from secgemini_jupyter.local_server.analyst.tool import (
    Attached,
    Call,
    FileOrText,
    Request,
    Tool,
    ToolFailure,
    Wish,
    needs,
)

EXTRA = "analyst"
SECONDS = 7
MAX_RULES = 2 * 2**20
MAX_MATCHES = 100
MAX_STRINGS = 12
MAX_PARTS = 40
MAX_PARTS_BYTES = 32 * 2**20

_RULE_NAME = re.compile(r"\.(?:yar|yara|rules?)$", re.IGNORECASE)
_PASTED = re.compile(r"^\s{0,20}(?:(?:private|global)\s+){0,2}rule\s+\w{1,128}[^{]{0,500}\{", re.MULTILINE)


class YaraArguments(FileOrText):
    """`rules`: name of the attachment with the rules; or `rules_text`: the rules themselves."""

    rules: str | None = None
    rules_text: str | None = None


def yara_scan(arguments: YaraArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    yara: Any = needs("yara", EXTRA, "yara_scan")
    source = rules_of(arguments, files)
    try:
        rules = yara.compile(source=source, includes=False, externals={})
    except (yara.SyntaxError, yara.Error) as error:
        raise ToolFailure(f"The YARA rules do not compile: {str(error)[:300]}.") from None
    matches: list[dict[str, Any]] = []
    scanned = 0
    left = float(SECONDS)
    notes: list[str] = []
    for where, content in _contents(arguments.content(files), arguments.source, notes):
        scanned += 1
        try:
            found = rules.match(data=content, timeout=max(1, int(left)))
        except yara.TimeoutError:
            notes.append(f"The scan was stopped after {SECONDS} s.")
            break
        except yara.Error as error:
            raise ToolFailure(f"YARA could not scan it: {str(error)[:200]}.") from None
        matches += [_told(each, where) for each in found]
    return {
        "source": arguments.source,
        "rules": arguments.rules or "the prompt",
        "rule_count": sum(1 for _ in rules),
        "scanned": scanned,
        "matches": matches[:MAX_MATCHES],
        "omitted": max(0, len(matches) - MAX_MATCHES),
        "notes": notes,
        "sources": [{"name": "yara-python", "version": yara.__version__}],
    }


def rules_of(arguments: Any, files: Mapping[str, bytes]) -> str:
    """The text of the rules.

    Raises:
        ToolFailure: there are none, or they are no text.
    """
    if arguments.rules_text is not None:
        return str(arguments.rules_text)
    if arguments.rules is None:
        raise ToolFailure("No rules were given: attach them, or paste them after the question.")
    if arguments.rules not in files:
        raise ToolFailure(f"No attachment is called {arguments.rules!r}.")
    content = files[arguments.rules]
    if len(content) > MAX_RULES:
        raise ToolFailure(f"The rules have {len(content):,} bytes, more than {MAX_RULES:,}.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ToolFailure(f"{arguments.rules!r} is no text in UTF-8.") from None


def _contents(content: bytes, source: str, notes: list[str]) -> Iterator[tuple[str, bytes]]:
    """The whole, and each member of an archive."""
    from secgemini_jupyter.local_server.analyst.archives.listing import list_archive
    from secgemini_jupyter.local_server.analyst.members import member_content

    yield source, content
    try:
        members = list_archive(content)["members"]
    except ToolFailure:
        return
    left = MAX_PARTS_BYTES
    for number, row in enumerate(members):
        if row["type"] != "file":
            continue
        if number >= MAX_PARTS or left <= 0:
            notes.append(f"Only the first members of {source!r} were scanned.")
            return
        try:
            part = member_content(content, [row["name"]])
        except ToolFailure as failure:
            notes.append(str(failure))
            continue
        left -= len(part)
        yield f"{source} › {row['name']}", part


def _told(match: Any, where: str) -> dict[str, Any]:
    strings = []
    for each in match.strings[:MAX_STRINGS]:
        first = each.instances[0]
        data = bytes(first.matched_data[:80])
        is_text = all(32 <= b < 127 for b in data)
        strings.append({
            "id": each.identifier,
            "count": len(each.instances),
            "offset": first.offset,
            "data": data.decode() if is_text else data.hex(" "),
        })  # fmt: skip
    meta = {str(key)[:60]: str(value)[:300] for key, value in list(match.meta.items())[:12]}
    return {"rule": match.rule, "where": where, "tags": list(match.tags)[:12], "meta": meta, "strings": strings}


def is_rules(each: Attached) -> bool:
    return each.kind == "text" and _RULE_NAME.search(each.name) is not None


def _plan(request: Request) -> list[Call]:
    has_word = request.asks(r"\byara\b")
    given = [each for each in request.attachments if is_rules(each)]
    if (
        not has_word
        and request.named()
        and not any(each in request.named() for each in given)
        and _names_rules(request)
    ):
        return []  # the rules that are named are others
    if not has_word and not (given and request.asks(r"\brules?\b|\bscan\b|\bmatch\w*\b|\bhits?\b")):
        return []
    named_rules = [each for each in given if each in request.named()] or given
    rules: dict[str, str] = {}
    pasted = _PASTED.search(request.prompt)
    if pasted:
        rules = {"rules_text": _without_fence(request.prompt[pasted.start() :])}
    elif named_rules:
        rules = {"rules": named_rules[0].name}
    elif texts := [each for each in request.attachments if each.kind == "text" and "rule" in each.name.lower()]:
        rules = {"rules": texts[0].name}
    others = [each for each in request.attachments if not is_rules(each) and each.name != rules.get("rules")]
    targets = [e for e in others if not (e.kind == "text" and re.search(r"\.ya?ml$", e.name, re.IGNORECASE))]
    targets = [each for each in targets if each in request.named()] or targets
    reason = "run your YARA rules over"
    return [Call("yara_scan", {"file": each.name} | rules, f"{reason} {code(each.name)}") for each in targets]


def _names_rules(request: Request) -> bool:
    return any(re.search(r"\.ya?ml$", each.name, re.IGNORECASE) for each in request.named())


def _without_fence(text: str) -> str:
    return text.partition("```")[0]


def _answer(result: dict[str, Any], wish: Wish) -> str:
    matches = result["matches"]
    if wish.one_word:
        return "Yes" if matches else "No"
    if wish.wants_only("rules?", "names?", "match") and matches:
        return "\n".join(f"- {code(name)}" for name in dict.fromkeys(each["rule"] for each in matches))
    target = code(result["source"])
    looked = (
        f"{count(result['rule_count'], 'rule')} of {code(result['rules'])}, {count(result['scanned'], 'file')} scanned"
    )
    if not matches:
        parts = [f"**No rule matches** {target} ({looked})."]
    else:
        names = list(dict.fromkeys(each["rule"] for each in matches))
        verb = "matches" if len(names) == 1 else "match"
        parts = [f"**{count(len(names), 'rule')} {verb}** {target}: {listed(names, 10)} ({looked})."]
        rows = [
            (each["rule"], each["where"], string["id"], string["offset"], string["data"], string["count"])
            for each in matches
            for string in each["strings"] or [{"id": "", "offset": None, "data": "", "count": None}]
        ]
        parts.append(table([Plain(h) for h in ("rule", "file", "string", "offset", "bytes", "times")], rows, limit=40))
        for each in matches[:10]:
            if each["meta"] or each["tags"]:
                meta = ", ".join(f"{code(key, 40)}: {code(value, 200)}" for key, value in each["meta"].items())
                tags = f"tags {listed(each['tags'], 8)}" if each["tags"] else ""
                parts.append(f"{code(each['rule'])} says of itself: {'; '.join(filter(None, [meta, tags]))}.")
        parts.append("A match means what its rule says, nothing more.")
    parts += [code(note, 300) for note in result["notes"][:4]]
    return "\n\n".join(parts)


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"rule": each["rule"], "file": each["where"], "tags": ", ".join(each["tags"])} for each in result["matches"]
    ]


TOOLS = (
    Tool(
        name="yara_scan",
        description="Run the user's YARA rules (attached or pasted) over an attachment and the members of an archive.",
        ability='run your YARA rules over an attachment (extra "analyst"): "Which YARA rules match sample.exe?"',
        arguments=YaraArguments,
        run=yara_scan,
        plan=_plan,
        answer=_answer,
        items=_items,
        extra=EXTRA,
    ),
)
