# ruff: noqa: E501  # sentences and patterns are read as a whole
"""archive_list: what is in an archive and what stands out in it. Nothing is ever unpacked to disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from secgemini_jupyter.local_server.analyst.archives.listing import TOLD_BY_FLAG
from secgemini_jupyter.local_server.analyst.text import Plain, code, count, listed, moment, table
from secgemini_jupyter.local_server.analyst.tool import Call, FileOrText, Payload, Request, Tool, ToolFailure, Wish

ABOUT = {  # topic: the words that ask for it
    "programs": r"\bexecutables?\b|\bprograms?\b|\bscripts?\b|\bexes?\b",
    "suspicious": r"\bmalware\b|\bmalicious\b|\bsuspicious\b|\bdangerous\b|\bharm\w+|\bodd\b",
    "traversal": r"\bsafe to\b|\btravers\w+|\bzip[ -]?slip\b|\boutside\b|\bescape\w*|\babsolute\b|\boverwrit\w+",
    "bomb": r"\bbombs?\b|\bratio\b|\bhow (?:big|large)\b|\bunpacked size\b|\bsafe to (?:extract|unpack|open|unzip)\b",
    "encrypted": r"\bencrypt\w*|\bpasswords?\b|\bprotected\b",
    "nested": r"\bnested\b|\barchives? (?:in|within|inside)\b",
    "links": r"\b(?:sym)?links?\b",
    "duplicates": r"\bduplicat\w+|\btwice\b",
    "comment": r"\bcomments?\b",
    "largest": r"\blargest\b|\bbiggest\b",
    "ratio": r"\b(?:highest|best|worst|largest|greatest|which)\b.{0,40}\bratios?\b|\bratios? (?:of|per|for) each\b",
    "newest": r"\bnewest\b|\blatest\b|\bmost recent\b",
    "count": r"\bhow many\b|\bnumber of\b",
}
_WORDS = (
    r"\bwhat(?:'s| is| are)? (?:in|inside|within)\b|\bcontents?\b|\bcontains?\b|\blist\b|\bmembers?\b|\bentries\b|\bfiles\b|\barchives?\b"
    r"|\bunzip\w*|\bunpack\w*|\bextract(?:ing|ed)?\b(?! (?:the |all )?(?:iocs?|indicators?|ips?|urls?|domains?|hashes))|\bparts?\b"
)
_NAMES = {
    "zip": "zip archive", "jar": "Java archive (JAR)", "apk": "Android package (APK)", "whl": "Python wheel", "xpi": "browser extension",
    "ipa": "iOS package (IPA)", "nupkg": "NuGet package", "vsix": "Visual Studio extension", "appx": "Windows app package",
    "docx": "Word document (a zip file)", "xlsx": "Excel workbook (a zip file)", "pptx": "PowerPoint presentation (a zip file)",
    "gzip": "gzip file", "bzip2": "bzip2 file", "xz": "xz file", "rar": "RAR archive", "7z": "7z archive", "cab": "cabinet",
}  # fmt: skip
_NONE = {
    "suspicious": "**Nothing stands out** in its members' names, sizes and first bytes",
    "programs": "**No program or script** is in it, by the members' bytes and names",
    "traversal": "**No path leads out** of the folder it is unpacked to",
    "encrypted": "**Nothing in it is encrypted**",
    "links": "**There are no links** in it",
    "duplicates": "**No name occurs twice**",
}


class ArchiveArguments(FileOrText):
    """`about`: what the answer leads with."""

    about: list[str] = msgspec.field(default_factory=list)


def archive_list(arguments: ArchiveArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    from secgemini_jupyter.local_server.analyst.archives.listing import list_archive

    content = arguments.content(files)
    try:
        result = list_archive(content)
    except RecursionError:
        raise ToolFailure("The archive's headers are nested too deeply.") from None
    path = {"file": arguments.file, "member": arguments.member} if arguments.file is not None else {}
    return {"source": arguments.source, **path, "about": arguments.about[:4], **result}


def _plan(request: Request) -> list[Call]:
    topics = [topic for topic, words in ABOUT.items() if request.asks(words)]
    if not topics and not request.asks(_WORDS):
        return []
    files = request.fitting(lambda each: each.kind.startswith("archive/"))
    if request.asks(r"\b(?:parts?|members?|zip)\b"):
        files = files or [each for each in request.named() if each.kind in ("document/ooxml", "document/odf")]
    extra = {"about": topics} if topics else {}
    return [Call("archive_list", {"file": each.name} | extra, f"list what is in {code(each.name)}") for each in files]


def _then(request: Request, call: Call, result: dict[str, Any]) -> list[Call]:
    """What stands out is looked at in memory: programs, documents, mail, logs."""
    if request.wish.is_bare or set(result["about"]) - {"suspicious", "nested"} or "file" not in result:
        return []
    path = list(call.arguments.get("member") or ())
    found = [([*path, row["name"]], row) for row in result["members"]]
    for inner in result["nested"]:
        found += [([*path, *inner["path"], row["name"]], row) for row in inner.get("members") or []]
    calls = []
    for member, row in found:
        kind, flags = row["kind"], row["flags"]
        if row["encrypted"] or any("like a bomb" in flag for flag in flags):
            continue
        stands_out = any(flag.startswith(("a program", "double", "it is no")) for flag in flags)
        tool = {"email": "email_analyze", "x509": "x509_inspect"}.get(kind)
        if tool is None and (kind.startswith(("executable/", "document/")) or (stands_out and kind)):
            tool = "file_triage"
        if tool is None and kind.startswith("log/") and kind != "log/csv":
            tool = "log_summary"
        if tool is not None:
            rank = 0 if kind.startswith("executable/") else 1 if kind != "text" else 2
            calls.append(
                (
                    rank,
                    Call(tool, {"file": result["file"], "member": member}, f"look at {code(' › '.join(member), 80)}"),
                )
            )
    return [each for _, each in sorted(calls, key=lambda pair: pair[0])[:4]]


def _answer(result: dict[str, Any], wish: Wish) -> str:
    members = result["members"]
    if wish.wants_only("names?", "files?", "list", "members?", "entries") and members:
        return "\n".join(f"- {code(row['name'], 1000)}" for row in members[:300])
    if wish.wants_only("number", "count"):
        return str(result["total"])
    name = _NAMES.get(result["format"], f"{result['format']} archive")
    if reason := result.get("unreadable"):
        return f"{code(result['source'])} is a {name}, {count(result['size'], 'byte')}; its members cannot be listed here. {reason}"
    types = result["types"]
    detail = ", ".join(count(types[t], t) for t in ("file", "folder", "link", "device") if types.get(t))
    if result["total"] > sum(types.values()):
        detail = f"of the first {sum(types.values()):,}: {detail}"
    what = (
        f"{code(result['source'])} is a {name} of {count(result['size'], 'byte')} with **{count(result['total'], 'member')}** ({detail or 'empty'}), "
        f"{count(result['unpacked'], 'byte')} unpacked, "
        f"{'as counted' if result.get('is_counted') else 'as it declares'}."
    )
    leads = [_lead(topic, result) for topic in result["about"]]
    parts = [*dict.fromkeys(each for each in leads if each), what]
    if lines := _findings(result):
        parts.append("**What stands out**\n\n" + "\n".join(lines))
    if members and not set(result["about"]) & {*ABOUT} - {"suspicious"}:
        rows = [
            (
                row["name"],
                row["size"],
                row["packed"],
                moment(row["modified"]) if row["modified"] else None,
                row["kind"] or row["type"],
            )
            for row in members
        ]
        parts.append(
            table(
                [Plain(h) for h in ("member", "size", "packed", "modified", "what")],
                rows,
                limit=25,
                total=result["total"],
            )
        )
    if result["comment"]:
        parts.append(f"Its comment: {code(result['comment'], 400)}.")
    parts.append("It was read in memory; nothing was unpacked to disk or run.")
    return "\n\n".join(parts)


def _all(result: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every member with its path, those of archives within too."""
    found = [(row["name"], row) for row in result["members"]]
    for inner in result["nested"]:
        found += [(" › ".join([*inner["path"], row["name"]]), row) for row in inner.get("members") or []]
    return found


def _findings(result: dict[str, Any]) -> list[str]:
    lines = [f"- {note}" for note in result["notes"]]
    by_flag: dict[str, list[str]] = {}
    for path, row in _all(result):
        for flag in row["flags"]:
            if flag not in ("an archive", "a link"):
                by_flag.setdefault(flag, []).append(path + (f" → {row['target']}" if "leads out" in flag else ""))
    for flag, paths in list(by_flag.items())[:25]:
        more = result.get("flag_counts", {}).get(flag, 0) - sum(flag in row["flags"] for row in result["members"])
        lines.append(f"- {flag}: {_some(paths, len(paths) + max(0, more), 6)}")
    for inner in result["nested"]:
        path = code(" › ".join(inner["path"]))
        if reason := inner.get("unreadable"):
            lines.append(f"- an archive within, {path}: {code(reason, 200)}")
        else:
            notes = "".join(f"; {note}" for note in inner["notes"])
            lines.append(f"- an archive within, {path}: {inner['format']}, {count(inner['total'], 'member')}{notes}")
    return lines


def _some(paths: list[str], number: int, limit: int) -> str:
    """Some of so many."""
    shown = listed(paths[:limit], limit)
    return f"{shown} and {number - limit:,} more" if number > limit else shown


def _ratio(result: dict[str, Any]) -> str:
    return f"{result['unpacked_within'] / max(result['size'], 1):,.1f} to 1"


def _kind_of_bomb(result: dict[str, Any]) -> str:
    is_other = result["format"] in ("gzip", "bzip2", "xz") or result["format"].startswith("tar")
    return "decompression bomb" if is_other else "zip bomb"


def _notes(result: dict[str, Any]) -> list[str]:
    """What is wrong with the whole, and with archives within."""
    within = [
        f"in {code(' › '.join(inner['path']))}, {note}"
        for inner in result["nested"]
        for note in inner.get("notes") or []
    ]
    return [*result["notes"], *within]


def _unread(result: dict[str, Any]) -> list[str]:
    """Archives within that were not looked into."""
    paths = [" › ".join(inner["path"]) for inner in result["nested"] if inner.get("unreadable")]
    return [*paths, *(f"{path} (encrypted)" for path, row in _all(result) if row["encrypted"])]


def _bomb(result: dict[str, Any]) -> str:
    notes = [
        note for note in _notes(result) if any(mark in note for mark in ("overlap", " bomb", "unpack to", "wear out"))
    ]
    return (
        f"**Made like a {_kind_of_bomb(result)}** ({_ratio(result)} in all): {'; '.join(notes[:3])}." if notes else ""
    )


def _lead(topic: str, result: dict[str, Any]) -> str:
    members = result["members"]
    if marks := TOLD_BY_FLAG.get(topic):
        found = [path for path, row in _all(result) if any(mark in flag for flag in row["flags"] for mark in marks)]
        shown = sum(any(mark in flag for flag in row["flags"] for mark in marks) for row in result["members"])
        number = len(found) + max(0, result.get("flagged", {}).get(topic, 0) - shown)
        if topic in ("bomb", "suspicious") and (bomb := _bomb(result)):
            return bomb
        if topic == "bomb" and found:
            return f"**Made like a {_kind_of_bomb(result)}** ({_ratio(result)} in all): {_some(found, number, 5)}."
        is_part = result["total"] > result.get("read", result["total"])
        part = (
            f" among the first {result['read']:,} of {result['total']:,}, the others were not looked at"
            if is_part
            else ""
        )
        if found:
            return f"**{count(number, 'member')}**{part}: {_some(found, number, 12)}."
        none = (
            f"**Not made like a {_kind_of_bomb(result)}**: it unpacks {_ratio(result)} in all, and no members overlap"
            if topic == "bomb"
            else _NONE[topic]
        )
        if topic == "suspicious" and (notes := _notes(result)):
            return f"**{count(len(notes), 'thing stands', 'things stand')} out** of the archive as a whole: {notes[0]}."
        if unread := _unread(result):
            return (
                f"**Not known**: {listed(unread, 3)} could not be looked into. In the rest: {none.replace('**', '')}."
            )
        return f"{none}{part}."
    if topic == "nested":
        paths = [" › ".join(inner["path"]) for inner in result["nested"]]
        return (
            f"**{count(len(paths), 'archive')} within**: {listed(paths, 10)}."
            if paths
            else "**No archive** is within it."
        )
    if topic == "comment":
        return f"Its comment: {code(result['comment'], 1000)}." if result["comment"] else "It has no comment."
    if topic == "ratio":
        rated = [(row["size"] / row["packed"], path) for path, row in _all(result) if row["size"] and row["packed"]]
        if not rated:
            return "**No ratios**: this format does not say how large a member is when packed."
        high = [f"{code(path)} {ratio:,.0f} to 1" for ratio, path in sorted(rated, reverse=True)[:5]]
        return f"**The highest ratio**: {high[0]}" + (f"; then {', '.join(high[1:])}." if high[1:] else ".")
    if topic in ("largest", "newest") and members:
        key = "size" if topic == "largest" else "modified"
        best = max(members, key=lambda row: row[key] or (0 if key == "size" else ""))
        told = count(best["size"] or 0, "byte") if key == "size" else moment(best["modified"])
        return f"The {topic} is {code(best['name'])} ({told})."
    if topic == "count":
        return f"**{count(result['total'], 'member')}**."
    return ""


def _items(result: dict[str, Any]) -> list[dict[str, Any]]:
    keys = ("name", "size", "packed", "modified", "type", "kind", "encrypted")
    return [{key: row[key] for key in keys} | {"flags": "; ".join(row["flags"])} for row in result["members"]]


def _payloads(result: dict[str, Any]) -> list[Payload]:
    items = _items(result)[:1000]
    if len(items) < 2:
        return []
    columns = list(items[0])
    title = f"Members of {result['source'][:80]}"
    rows = [[each[column] for column in columns] for each in items]
    return [Payload("sec-gemini/table", title, {"title": title, "columns": columns, "rows": rows})]


TOOLS = (
    Tool(
        name="archive_list",
        description="List a zip, tar, gzip, bzip2 or xz file in memory: members, encryption, path traversal, bombs, programs, nesting.",
        ability='list an archive without unpacking it: "What is in sample.zip?", "Is it a zip bomb?"',
        arguments=ArchiveArguments,
        run=archive_list,
        plan=_plan,
        answer=_answer,
        payloads=_payloads,
        then=_then,
        items=_items,
    ),
)
