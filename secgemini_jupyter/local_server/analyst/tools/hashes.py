"""hash_file: the digests of a file or text, compared with one that the user names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from secgemini_jupyter.local_server.analyst.text import Plain, code, count, table
from secgemini_jupyter.local_server.analyst.tool import Call, FileOrText, Request, Tool, Wish
from secgemini_jupyter.local_server.analyst.tools.iocs import FIND

ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
_DIGEST = re.compile(r"(?<!\w)(?:[0-9a-f]{128}|[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?!\w)", re.IGNORECASE)
_QUOTED = re.compile(r"[\"'“‘`]([^\"'“”‘’`]{1,4000})[\"'”’`]")


class HashArguments(FileOrText):
    """`expected`: a digest in hex to compare with."""

    expected: str | None = None


def hash_file(arguments: HashArguments, files: Mapping[str, bytes]) -> dict[str, Any]:
    content = arguments.content(files)
    digests = {name: hashlib.new(name, content, usedforsecurity=False).hexdigest() for name in ALGORITHMS}
    result: dict[str, Any] = {"source": arguments.source, "size": len(content), **digests}
    if arguments.expected:
        expected = arguments.expected.strip().lower()
        result |= {"expected": expected, "matches": next((n for n, d in digests.items() if d == expected), None)}
    return result


def _plan(request: Request) -> list[Call]:
    if not request.asks(r"\bhash(?:es|ed)?\b|\bmd5|\bsha-?\d|\bchecksums?\b|\bdigests?\b|\bfingerprint"):
        return []
    if request.asks(FIND):
        return []  # the hashes in a text
    if request.asks(r"\bhash\w*\b.{0,40}\b(?:of|for)\b.{0,40}\b(?:in|from)\b") and request.logs():
        return []  # the hashes that a log lists
    digest = _DIGEST.search(request.prompt)
    extra = {"expected": digest.group()} if digest else {}
    files = request.named() or list(request.attachments)
    if files:
        return [Call("hash_file", {"file": each.name} | extra, f"hash {code(each.name)}") for each in files]
    if quoted := _QUOTED.search(request.instruction):
        return [Call("hash_file", {"text": quoted[1]} | extra, "hash the quoted text")]
    return []


def _answer(result: dict[str, Any], wish: Wish) -> str:
    asked = [name for name in ALGORITHMS if wish.wants_only(name, name.replace("sha", "sha-"))]
    if asked:
        return "\n".join(result[name] for name in asked)
    source = "The text" if result["source"] == "the prompt" else code(result["source"])
    lines = [f"{source}: {count(result['size'], 'byte')}."]
    if "expected" in result:
        matches = result["matches"]
        told = (
            f"It **matches** the {matches} that you gave." if matches else "It does **not match** the digest you gave"
        )
        lines[0] += f" {told}" + ("" if matches else f" ({code(result['expected'])}).")
    lines.append(table([Plain("digest"), Plain("value")], [(Plain(n), Plain(f"`{result[n]}`")) for n in ALGORITHMS]))
    return "\n\n".join(lines)


TOOLS = (
    Tool(
        name="hash_file",
        description="MD5, SHA-1, SHA-256 and SHA-512 of an attachment or text, compared with a given digest.",
        ability='hash an attachment or a quoted text, and compare: "SHA-256 of the attachment?"',
        arguments=HashArguments,
        run=hash_file,
        plan=_plan,
        answer=_answer,
    ),
)
